"""What the configuration says of a system that reports to the hub."""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from hub.conditions import Slug
from hub.kinds import Block
from hub.protocol_settings import Does
from hub.units import Duration

FieldName = Literal[
    "id", "about", "time", "label", "score", "place", "camera", "door", "text", "link"
]

_PATH = re.compile(r"[^.\[\]\s]+(\[\d{1,3}\])*(\.[^.\[\]\s]+(\[\d{1,3}\])*)*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


def _path(text: str) -> str:
    if not _PATH.fullmatch(text) or len(text) > 200:
        raise ValueError(
            "expected where it stands in the message, such as alert.camera.name or areas[0].name"
        )
    return text


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise ValueError("expected the name of an HTTP header, such as X-Signature")
    return text


MessagePath = Annotated[str, AfterValidator(_path)]
HeaderName = Annotated[str, AfterValidator(_header)]


def holes(form: str) -> list[str]:
    """The names between braces of a form. Raises `ValueError` where the braces do not pair."""
    return [name for _, name, _, _ in Formatter().parse(form) if name is not None]


def _allow(form: str, allowed: set[str], needed: str) -> str:
    try:
        found = holes(form)
    except ValueError:
        raise ValueError("expected each { with its }") from None
    if needed not in found or not set(found) <= allowed or len(found) != len(set(found)):
        wanted = " and ".join(f"{{{name}}}" for name in sorted(allowed))
        raise ValueError(f"expected {{{needed}}} once, and of {wanted} nothing twice")
    return form


class Signature(Block):
    """An HMAC that the sender puts into a header."""

    header: HeaderName = Field("X-Signature", description="The header that carries it.")
    secret: str = Field(min_length=16, repr=False, description="What both sides know. `!secret`.")
    previous: str | None = Field(
        None,
        min_length=16,
        repr=False,
        description="The secret before this one, while the sender changes over.",
    )
    hash: Literal["sha256", "sha512"] = Field("sha256", description="Which hash it is made with.")
    encoding: Literal["hex", "base64"] = Field("hex", description="How its bytes are written.")
    form: str = Field(
        "{signature}",
        description="What the header looks like, such as `sha256={signature}` or "
        "`t={timestamp},v1={signature}`.",
    )
    timestamp: HeaderName | None = Field(
        None, description="The header with the time of sending, where it has one of its own."
    )
    signs: str = Field(
        "{body}", description="What is signed, such as `{timestamp}.{body}` or `{body}`."
    )
    within: Annotated[Duration, Field(ge=10, le=3600)] = Field(
        300.0,
        description="How far the time of sending may be from the hub's clock, either way. Only of "
        "senders that sign one.",
    )

    @field_validator("form")
    @classmethod
    def form_has_the_signature(cls, form: str) -> str:
        """`{signature}` and at most `{timestamp}` beside it."""
        return _allow(form, {"signature", "timestamp"}, "signature")

    @field_validator("signs")
    @classmethod
    def the_body_is_signed(cls, form: str) -> str:
        """`{body}` and at most `{timestamp}` beside it."""
        return _allow(form, {"body", "timestamp"}, "body")

    @model_validator(mode="after")
    def a_time_is_signed_or_none_is_used(self) -> Signature:
        """A time that is not signed proves nothing; one that is signed must be told."""
        told = self.timestamp is not None or "timestamp" in holes(self.form)
        signed = "timestamp" in holes(self.signs)
        if told and not signed:
            raise ValueError(
                "the time of sending is not signed, so that anybody could change it; expected "
                "{timestamp} in `signs`, or no timestamp at all"
            )
        if signed and not told:
            raise ValueError(
                "`signs` needs the time of sending; expected `timestamp: HEADER`, or {timestamp} "
                "in `form`"
            )
        return self


class Key(Block):
    """A word that the sender puts into a header, where it cannot sign."""

    header: HeaderName = Field("Authorization", description="The header that carries it.")
    secret: str = Field(
        min_length=16, repr=False, description="What the header says, whole. `!secret`."
    )
    previous: str | None = Field(
        None,
        min_length=16,
        repr=False,
        description="The one before it, while the sender changes over.",
    )


class Where(Block):
    """Where a value stands in the message, and what it means here."""

    at: MessagePath | None = Field(None, description="Where it stands, such as `alert.zone`.")
    meaning: dict[str, str] = Field(
        default_factory=dict,
        alias="as",
        description="What the sender's words mean here; the case of letters does not matter.",
    )
    otherwise: str | None = Field(
        None, description="What it is where nothing stands there, or a word that `as` lacks."
    )
    out_of: float | None = Field(
        None, gt=0, description="Of `score`: the most it can be, such as 100 for percent."
    )

    @model_validator(mode="after")
    def it_leads_somewhere(self) -> Where:
        """A place in the message, or a fixed value."""
        if self.at is None and (self.otherwise is None or self.meaning):
            raise ValueError("expected `at`, or `otherwise` alone for a fixed value")
        return self


Values = str | tuple[str, ...]
MAPPED = {"fields", "only", "ends", "data", "key"}


class InboundBlock(Block):
    """A system that reports to the hub, at the address `/inbound/NAME`."""

    name: str = Field("", description="What people call it; the block's name where empty.")
    format: Literal["json", "cap", "pagerduty", "slack"] = Field(
        "json",
        description="`json`, or `cap`: the Common Alerting Protocol, 1.1 or 1.2. `pagerduty` and "
        "`slack` are answers of people there: they take an alert on.",
    )
    answers: Slug | None = Field(
        None,
        description="Of `pagerduty` and `slack`: the notifier whose alerts people answer there.",
    )
    controller: Slug | None = Field(
        None,
        description="Whose messages these are: the controller under `access_control` whose driver "
        "reads them itself, as what its device pushes. They have to be signed with their time.",
    )
    signature: Signature | None = Field(None, description="How its messages are signed.")
    key: Key | None = Field(
        None, description="What it shows instead, where it cannot sign. Only over HTTPS."
    )
    only: dict[MessagePath, Values] = Field(
        default_factory=dict,
        description="What must stand in the message for it to count; all else is answered and "
        "forgotten.",
    )
    ends: dict[MessagePath, Values] = Field(
        default_factory=dict,
        description="What says that it is over: the message becomes `report.ended`.",
    )
    fields: dict[FieldName, MessagePath | Where | tuple[MessagePath, ...]] = Field(
        default_factory=dict,
        description="Where things stand in the message. `id` tells messages apart (several places "
        "where one is not enough); without one, equal messages are one for five minutes.",
    )
    data: dict[Slug, MessagePath] = Field(
        default_factory=dict,
        description='Further values for `where` of a rule: `data["NAME"]`.',
    )
    does: Does | None = Field(
        None,
        description="What a message does, where a person's hand sends it, such as a key fob's: a "
        "protocol, `help`, or `fire` and `fire_clear`. It has to be signed, with a time or an id.",
    )
    per_minute: int = Field(
        120, ge=1, le=6000, description="How many new reports a minute are heard; more are refused."
    )

    @field_validator("data", mode="after")
    @classmethod
    def names_of_its_own(cls, data: dict[str, str]) -> dict[str, str]:
        """What the hub itself says keeps its name."""
        for name in data:
            if name in (*get_args(FieldName), "inbound", "sent", "score_said"):
                raise ValueError(f"{name} belongs to `fields`; expected another name")
        return data

    @field_validator("fields", mode="after")
    @classmethod
    def only_the_id_has_several(cls, fields: dict[FieldName, Any]) -> dict[FieldName, Any]:
        """A list of places makes sense for what tells messages apart alone."""
        for name, said in fields.items():
            if isinstance(said, tuple) and (name != "id" or not said):
                raise ValueError(f"{name}: expected one place in the message")
            if isinstance(said, Where) and said.out_of is not None and name != "score":
                raise ValueError(f"{name}: expected no `out_of`; only a score has one")
        return fields

    @model_validator(mode="after")
    def it_proves_who_it_is(self) -> InboundBlock:
        """Exactly one proof."""
        if (self.signature is None) == (self.key is None):
            raise ValueError("expected `signature`, or `key` where the sender cannot sign")
        return self

    @model_validator(mode="after")
    def a_driver_reads_its_own(self) -> InboundBlock:
        """What is for a controller has nothing to say of what stands where, and cannot be sent
        again by who has overheard it.
        """
        if self.controller is None:
            return self
        given = self.model_fields_set & (MAPPED | {"answers", "does"})
        if given or self.format != "json":
            words = ", ".join(sorted(given | ({"format"} if self.format != "json" else set())))
            raise ValueError(f"`controller` reads its messages itself; expected no {words}")
        if self.signature is None or "timestamp" not in holes(self.signature.signs):
            raise ValueError(
                "what is for a `controller` has its time signed; expected {timestamp} "
                "in `signs` of its `signature`"
            )
        return self

    @model_validator(mode="after")
    def answers_have_a_form_of_their_own(self) -> InboundBlock:
        """What a provider sends is signed and read as it documents, with nothing to say but whose
        alerts are answered.
        """
        answers = self.format in ("pagerduty", "slack")
        if answers != (self.answers is not None):
            raise ValueError(
                f"expected `answers: NOTIFIER` beside `format: {self.format}`"
                if answers
                else "expected no `answers`, or `format: pagerduty` or `slack` beside it"
            )
        if answers and (self.signature is None or self.model_fields_set & MAPPED):
            raise ValueError(
                f"`format: {self.format}` needs `signature: {{secret: ...}}` alone; expected no "
                f"{', '.join(sorted(MAPPED))}"
            )
        return self
