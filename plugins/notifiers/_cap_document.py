"""A notice as a document of the Common Alerting Protocol 1.2 (OASIS, CAP-v1.2-os).

The same notice makes the same document, byte by byte: whoever is given it twice has it once.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

from pydantic import Field, StringConstraints, field_validator, model_validator

from hub import Block, Duration, Notice, Severity, from_iso
from plugins.notifiers._provider import over, shaped
from plugins.notifiers._wording import clean, cut, headline, one_line

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
REFERRED = 20  # earlier messages that one may amend
HEADLINE, TEXT = 160, 10_000  # characters; the first is the standard's own advice

Point = tuple[
    Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)],
    Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)],
]
Category = Literal["Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env",
                   "Transport", "Infra", "CBRNE", "Other"]  # fmt: skip
MessageType = Literal["Alert", "Update", "Cancel"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A notice that was given before: its key and its time."""

    key: str
    time: datetime


SENDER = r"[^\s,<&]{1,100}"
Code = Annotated[str, StringConstraints(pattern=r"^\S{1,60}$")]

# What our severities say in the standard's words (3.2.2): how soon to act, and how great a threat.
URGENCY: dict[Severity, str] = {
    "severe": "Immediate",
    "high": "Immediate",
    "check": "Expected",
    "note": "Unknown",
}
THREAT: dict[Severity, str] = {
    "severe": "Extreme",
    "high": "Severe",
    "check": "Moderate",
    "note": "Minor",
}


class Circle(Block):
    """A point and how far around it."""

    centre: Point = Field(description="Latitude and longitude, in degrees of WGS 84.")
    radius_km: float = Field(gt=0, le=1000, description="In kilometres.")


class Area(Block):
    """Where the school lies, for those who look at a map or filter by a code."""

    name: str = Field("", max_length=200, description="Stands behind each place in words.")
    polygon: tuple[Point, ...] = Field(
        (), description="Its corners, latitude then longitude; the first closes it by itself."
    )
    circle: Circle | None = Field(None, description="In place of a polygon, or beside it.")
    geocodes: dict[Code, Code] = Field(
        default_factory=dict, description="Codes of the area by their system, such as `SAME`."
    )

    @field_validator("polygon")
    @classmethod
    def _closed(cls, corners: tuple[Point, ...]) -> tuple[Point, ...]:
        if not corners:
            return corners
        ring = corners if corners[0] == corners[-1] else (*corners, corners[0])
        if len(set(ring)) < 3:
            raise ValueError("expected three corners or more")
        return ring


class Form(Block):
    """What each document says besides what happened."""

    sender: Annotated[str, shaped(SENDER, "a name without spaces, commas, < and &")] = Field(
        description="Who sends, the same over all messages; best a name in the DNS.",
    )
    sender_name: str = Field("", max_length=200, description="Who sends, for people to read.")
    scope: Literal["public", "restricted", "private"] = Field(
        "restricted",
        description="Whom it is meant for. `public` passes on only what a person has verified.",
    )
    restriction: str = Field(
        "For this school and those who respond to its alerts",
        min_length=1,
        max_length=300,
        description="The rule of a `restricted` scope, in words.",
    )
    addresses: tuple[str, ...] = Field((), description="Whom a `private` scope is addressed to.")
    category: Category = Field("Security", description="Of the standard's categories.")
    language: str = Field(
        "en-US", pattern=r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$", description="Of the texts."
    )
    area: Area = Field(default_factory=Area, description="Where the school lies.")
    contact: str = Field("", max_length=300, description="Whom to ask, for people to read.")
    expires_after: Duration = Field(
        3600.0, ge=60, le=604_800, description="How long a message holds."
    )
    test: bool = Field(
        False, description="Mark all as a technical test, which receivers disregard."
    )

    @model_validator(mode="after")
    def _addressed(self) -> Form:
        if self.scope == "private" and not self.addresses:
            raise ValueError("expected `addresses` beside `scope: private`")
        return self


def identifier(key: str) -> str:
    """A message's identifier: always the same for a notice's key."""
    return f"vestibule-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def earlier(notice: Notice, unsent: Collection[str] = ()) -> list[Earlier]:
    """The messages about the same alert that came before, oldest first; not those whose notices
    made none.
    """
    given = notice.data.get("earlier")
    found: list[Earlier] = []
    for one in given if isinstance(given, list | tuple) else ():
        if isinstance(one, Mapping) and one.get("key") not in (None, notice.key, *unsent):
            with contextlib.suppress(KeyError, TypeError, ValueError):
                found.append(Earlier(str(one["key"]), from_iso(str(one["time"]))))
    return found[-REFERRED:]


def message_type(notice: Notice, before: Sequence[Earlier]) -> MessageType | None:
    """What kind of message it makes; None for what is no news of the alert, or amends nothing.

    An update takes the place of what it amends. So who works on an alert, and what did not get
    done, makes none: it would take back how sure and how urgent it is.
    """
    if notice.about in ("outcome", "acknowledgement"):
        return None
    if notice.data.get("reminder") or notice.data.get("goes_on"):
        return None  # a word to those who lead, and to those who follow a merged case
    if notice.data.get("verdict") == "dismissed":
        return "Cancel" if before else None
    if before:
        return "Update"
    return None if _ended(notice) else "Alert"


def document(notice: Notice, form: Form, kind: MessageType, before: Sequence[Earlier]) -> bytes:
    """The notice as a CAP document in UTF-8, which amends those `before` it."""
    root = Element("alert", xmlns=NAMESPACE)
    sent = _time(notice.time)
    _add(root, "identifier", identifier(notice.key))
    _add(root, "sender", form.sender)
    _add(root, "sent", sent)
    _add(root, "status", "Test" if form.test else "Exercise" if notice.drill else "Actual")
    _add(root, "msgType", kind)
    _add(root, "scope", form.scope.capitalize())
    if form.scope == "restricted":
        _add(root, "restriction", form.restriction)
    elif form.scope == "private":
        _add(root, "addresses", " ".join(_quoted(each) for each in form.addresses))
    if form.test or notice.drill or kind == "Cancel":
        _add(root, "note", _why(notice, form))
    if kind != "Alert":
        zone = notice.time.tzinfo
        named = (
            f"{form.sender},{identifier(one.key)},{_time(one.time.astimezone(zone))}"
            for one in before
        )
        _add(root, "references", " ".join(named))
    if notice.incident:
        _add(root, "incidents", _quoted(notice.incident))
    _info(root, notice, form, sent)
    made: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return made


def _info(root: Element, notice: Notice, form: Form, sent: str) -> None:
    info = SubElement(root, "info")
    ended = _ended(notice)
    _add(info, "language", form.language)
    _add(info, "category", form.category)
    _add(info, "event", cut(_fit(one_line(notice.title)), HEADLINE) or "Alert")
    if ended:
        _add(info, "responseType", "AllClear")
    elif notice.data.get("verdict") != "verified":
        _add(info, "responseType", "Assess")
    _add(info, "urgency", "Past" if ended else URGENCY[notice.severity])
    _add(info, "severity", THREAT[notice.severity])
    _add(info, "certainty", certainty(notice))
    _add(info, "effective", sent)
    _add(info, "expires", _time(notice.time + timedelta(seconds=form.expires_after)))
    _add(info, "senderName", form.sender_name)
    _add(info, "headline", cut(headline(notice), HEADLINE))
    drill = "This is a drill.\n" if notice.drill else ""
    _add(info, "description", cut(drill + clean(notice.text), TEXT))
    if re.fullmatch(r"https?://[!-~]+", notice.link):
        _add(info, "web", notice.link)
    _add(info, "contact", form.contact)
    for name, value in (("severity", notice.severity), ("about", notice.about)):
        _pair(info, "parameter", f"vestibule:{name}", value)
    _area(info, notice, form.area)


def _ended(notice: Notice) -> bool:
    """Whether what it is about is over: the alert, or the incident."""
    return over(notice) or bool(notice.data.get("closed"))


def certainty(notice: Notice) -> str:
    """How sure it is: a detector's word is possible, a person's is observed."""
    if "digest" in notice.data:
        return "Unknown"
    if notice.data.get("verdict") == "dismissed":
        return "Unlikely"
    if notice.data.get("verdict") == "verified" or over(notice) or notice.data.get("verified"):
        return "Observed"
    call = notice.data.get("call")
    if isinstance(call, Mapping) and call.get("verified") is True:
        return "Observed"
    return "Possible" if notice.about in ("alert", "verdict", "hand_off") else "Unknown"


def _area(info: Element, notice: Notice, area: Area) -> None:
    words = [_fit(one_line(notice.place)), _fit(one_line(area.name))]
    made = SubElement(info, "area")
    _add(made, "areaDesc", cut(", ".join(each for each in words if each), 300) or "The school")
    if area.polygon:
        _add(made, "polygon", " ".join(f"{lat:.6f},{lon:.6f}" for lat, lon in area.polygon))
    if area.circle is not None:
        lat, lon = area.circle.centre
        _add(made, "circle", f"{lat:.6f},{lon:.6f} {area.circle.radius_km:.3f}")
    for name, value in area.geocodes.items():
        _pair(made, "geocode", name, value)


def _why(notice: Notice, form: Form) -> str:
    if form.test:
        return "A technical test; disregard it."
    return cut(headline(notice), 300) if not notice.drill else "A drill; nothing has happened."


def _time(moment: datetime) -> str:
    """As the standard wants it (3.3.2): whole seconds, and -00:00 in place of Z."""
    text = moment.replace(microsecond=0).isoformat()
    return f"{text[:-6]}-00:00" if text.endswith("+00:00") else text


def _quoted(text: str) -> str:
    """One of a list that is parted by spaces: in quotes where it has any of its own."""
    plain = one_line(text).replace('"', "'")
    return f'"{plain}"' if " " in plain else plain


def _pair(parent: Element, name: str, key: str, value: str) -> None:
    made = SubElement(parent, name)
    _add(made, "valueName", key)
    _add(made, "value", value)


def _add(parent: Element, name: str, text: str) -> None:
    """An element with a text; none where there is no text, since an empty one says nothing."""
    if fit := _fit(text):
        SubElement(parent, name).text = fit


def _fit(text: str) -> str:
    """Without what XML cannot hold."""
    return _NO_XML.sub("", text).strip()


_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
