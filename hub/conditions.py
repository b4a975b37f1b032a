"""What an event must match for a rule: one event, so many of them, or one after the other.

Nothing here reads a file or knows a driver; `hub.rule_settings` makes rules of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from hub.expression import LONGEST, BadExpression, compile_expression
from hub.kinds import Block
from hub.units import Duration

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Title = Annotated[str, StringConstraints(pattern=r"\S")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
ProtocolName = Literal["hold", "secure", "lockdown", "evacuate", "shelter"]
Span = Annotated[Duration, Field(gt=0, le=86400)]
Same = Literal["subject", "place", "door", "camera", "label", "track", "anything"]
Different = Literal["subject", "place", "door", "camera", "label", "track"]
Together = Annotated[
    Annotated[Duration, Field(ge=5, le=300)] | Literal["off"] | None,
    Field(
        description="Of cameras or doors that stop answering, or answer again: what follows the "
        "first within so long joins its alert and is told with it; `off` for one by one. Without "
        "it `30s`, and `90s` for those that answer again."
    ),
]

# What one cause, such as a dead switch, brings of many devices at once. Nothing that is seen, and
# nothing that somebody may have done to one of them.
COMES_BACK: Mapping[str, str] = {"camera.offline": "camera.online", "door.offline": "door.online"}
TOGETHER_S = 30.0
BACK_TOGETHER_S = 90.0  # what reads a camera waits up to a minute between two attempts

# What ends that something lasts, where a rule does not say.
ENDS: Mapping[str, str] = {
    "zone.entered": "zone.left",
    "zone.left": "zone.entered",
    "door.opened": "door.closed",
    "door.closed": "door.opened",
    "door.unlocked": "door.locked",
    "door.locked": "door.unlocked",
    "door.forced": "door.closed",
    "door.held": "door.closed",
    "door.offline": "door.online",
    "door.tampered": "door.intact",
    "door.differs": "door.agrees",
    "door.flooding": "door.calm",
    "fire.alarm": "fire.clear",
    "camera.offline": "camera.online",
    "camera.covered": "camera.clear",
    "camera.moved": "camera.clear",
    "camera.defocused": "camera.clear",
    "camera.frozen": "camera.clear",
    "camera.repeating": "camera.clear",
    "camera.blind": "camera.clear",
    "visitor.checked_in": "visitor.checked_out",
    "plugin.failed": "plugin.recovered",
    "protocol.started": "protocol.ended",
    "report.received": "report.ended",
}


def one_or_many(value: object) -> object:
    """`label: person` is the same as `label: [person]`."""
    return (value,) if isinstance(value, str | Mapping) else value


def told_together(types: tuple[str, ...], together: float | str | None) -> float | None:
    """Within how many seconds what a rule fires for joins what fired before, of other cameras or
    doors; None where each is told by itself. Raises `ValueError` where that must not be.
    """
    kinds = set(types)
    may_be = kinds <= COMES_BACK.keys() or kinds <= set(COMES_BACK.values())
    if isinstance(together, float | int) and not may_be:
        may = ", ".join([*COMES_BACK, *COMES_BACK.values()])
        raise ValueError(
            f"expected `together` only of devices that fail, or that come back: {may}; "
            "everything else is told one by one"
        )
    if together is None and may_be:
        return TOGETHER_S if kinds <= COMES_BACK.keys() else BACK_TOGETHER_S
    return together if isinstance(together, float | int) else None


def at_least_one(*keys: str) -> dict[str, Any]:
    """JSON Schema's words for a block that needs one of these keys."""
    return {"anyOf": [{"required": [key]} for key in keys]}


class Present(Block):
    """How many are in view."""

    model_config = ConfigDict(json_schema_extra=at_least_one("at_least", "at_most"))

    at_least: int | None = Field(None, ge=1, le=1000, description="So many or more.")
    at_most: int | None = Field(None, ge=0, le=1000, description="So many or fewer; 0 is nobody.")

    @model_validator(mode="after")
    def some_number(self) -> Present:
        """One of the two, and not more at least than at most."""
        if self.at_least is None and self.at_most is None:
            raise ValueError("expected `at_least` or `at_most`")
        if None not in (self.at_least, self.at_most) and self.at_least > self.at_most:  # type: ignore[operator]
            raise ValueError("expected `at_most` no smaller than `at_least`")
        return self


class Condition(Block):
    """What an event must match; each key that is given has to hold."""

    place: Slug | None = Field(None, description="It happened here, or in a part of it.")
    camera: Slug | None = Field(None, description="This camera saw it.")
    door: Slug | None = Field(None, description="It is about this door.")
    label: tuple[str, ...] = Field(
        (), description="What was seen: one COCO name such as `person`, or a list."
    )
    min_score: Fraction = Field(
        0.0, description="How sure the detector has to be, at least, from 0 to 1."
    )
    during: Slug | None = Field(None, description="Only while this schedule is in force.")
    outside: Slug | None = Field(None, description="Only while this schedule is not in force.")
    protocol: tuple[ProtocolName, ...] = Field(
        (), description="Only while one of these protocols is in force: one, or a list."
    )
    present: Present | None = Field(
        None,
        description="How many are in view at `place` (without one, at the event's place) just "
        "after the event; with `label`, of that kind.",
    )
    where: Annotated[str, Field(max_length=LONGEST)] = Field(
        "",
        description="One line for what the other keys cannot say, such as "
        "`score > 0.8 and hour >= 20` ([rules.md](../guide/rules.md#where)).",
    )

    @field_validator("label", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def labels(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)

    @field_validator(
        "protocol", mode="before", json_schema_input_type=ProtocolName | tuple[ProtocolName, ...]
    )
    @classmethod
    def protocols(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)

    @field_validator("where")
    @classmethod
    def understood(cls, text: str) -> str:
        """An expression of the language that rules know."""
        if text.strip():
            try:
                compile_expression(text)
            except BadExpression as error:
                raise ValueError(f"at character {error.column}: {error}") from None
        return text


EventTypes = Annotated[tuple[str, ...], Field(min_length=1)]


class Count(Block):
    """How often it has to happen within how long."""

    at_least: int = Field(ge=2, le=1000, description="How many of them.")
    within: Span = Field(description="Within how long.")
    different: Different | None = Field(
        None, description="Count only those that differ in this, such as three different doors."
    )


class Step(Block):
    """What has to follow, and how soon."""

    when: EventTypes = Field(description="The type of event, or a list.")
    condition: Condition = Field(Condition(), alias="if", description="What has to hold besides.")
    within: Span = Field(description="How soon after the step before it.")

    @field_validator("when", mode="before", json_schema_input_type=str | EventTypes)
    @classmethod
    def types(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)


class Unless(Block):
    """What keeps a rule from firing: something about the event itself, or what came before it."""

    when: tuple[str, ...] = Field(
        (), description="The type of event, or a list, that must not have come before."
    )
    condition: Condition = Field(
        Condition(), alias="if", description="What holds for that event; without `when`, for this."
    )
    within: Span | None = Field(
        None, description="With `when`: how long before, such as a badge in the last 10s."
    )

    @field_validator("when", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def types(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)

    @model_validator(mode="after")
    def complete(self) -> Unless:
        """`when` and `within` go together, and an exception without anything is none."""
        if bool(self.when) != (self.within is not None):
            raise ValueError("expected `when` and `within` together, or neither")
        if not self.when and not self.condition.model_fields_set:
            raise ValueError("expected `if`, or `when` with `within`")
        return self
