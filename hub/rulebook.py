"""The part of the configuration that says who is told and what is done: people, times, rules.

Nothing here reads a file or knows a driver; `hub.config` puts it together with what stands around.
"""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from hub.kinds import Block
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import Severity

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def at_least_one(*keys: str) -> dict[str, Any]:
    """JSON Schema's words for a block that needs one of these keys."""
    return {"anyOf": [{"required": [key]} for key in keys]}


class Person(Block):
    """Somebody who can be told; `contact` maps a notifier to their address on it."""

    name: str = Field(
        description="What they are called in notices. Say what they do (School nurse) rather than "
        "who they are."
    )
    role: Slug = Field(
        description="Their role: one of `roles:` or a built-in one ([roles.md](roles.md))."
    )
    contact: dict[Slug, str] = Field(
        default_factory=dict,
        description="By notifier, how it reaches them: an address, a topic.",
    )


class RoleBlock(Block):
    """What holders of a role may do (see docs/reference/roles.md)."""

    name: str = Field("", description="What people call it.")
    may: tuple[str, ...] = Field(
        (),
        description="What its holders may do ([roles.md](roles.md)); takes the place of a built-in "
        "role's list.",
    )


class Weekly(Block):
    """Hours on some days of the week; `to` may be 24:00, or before `from` to pass midnight."""

    days: tuple[Day, ...] = Field(DAYS, description="On which days.")
    start: time = Field(time(0, 0), alias="from", description="From when.")
    end: time | Literal["24:00"] = Field(
        "24:00",
        alias="to",
        description="Until when; 24:00 is the end of the day. Earlier than `from` passes midnight.",
    )


class DateRange(Block):
    """Dates, both included."""

    start: date = Field(alias="from", description="The first day.")
    end: date = Field(alias="to", description="The last day, included.")
    reason: str = Field("", description="Shown to people.")

    @model_validator(mode="after")
    def in_order(self) -> DateRange:
        """The first day is not after the last."""
        if self.end < self.start:
            raise ValueError("expected `to` on or after `from`")
        return self


class Schedule(Block):
    """When something is in force: weekly hours, except on the calendar's closed dates."""

    name: str = Field("", description="What people call it.")
    weekly: tuple[Weekly, ...] = Field(
        (Weekly(),), description="When it is in force, week by week. Without any, always."
    )
    closed: tuple[DateRange, ...] = Field(
        (), description="Dates on which it is not in force, whatever the day."
    )


class DoorAction(Block):
    """Ask for a verb on some doors, named one by one or by the place they close off."""

    model_config = ConfigDict(json_schema_extra=at_least_one("doors", "place"))

    verb: Verb = Field(description="What to ask: see [verbs](#verbs).")
    doors: tuple[Slug, ...] = Field(
        (), description="Which doors, one by one. Either this or `place`."
    )
    place: Slug | None = Field(
        None, description="All doors that close off this place or a part of it."
    )

    @model_validator(mode="after")
    def names_doors(self) -> DoorAction:
        """One of the two ways to name doors, not both."""
        if bool(self.doors) == bool(self.place):
            raise ValueError("expected either `doors` or `place`")
        return self


class NoticeAction(Block):
    """Tell people (by id or role) through notifiers; nobody named: whoever the channel reaches."""

    through: Annotated[tuple[Slug, ...], Field(min_length=1)] = Field(
        description="Over which notifiers."
    )
    tell: tuple[Slug, ...] = Field(
        (), description="Who; nobody named means whoever the channel reaches."
    )
    text: str = Field("", description="What to say; without it, the alert's own words.")


class Action(Block):
    """One thing to do: exactly one of `door` and `notify`."""

    model_config = ConfigDict(json_schema_extra=at_least_one("door", "notify"))

    door: DoorAction | None = Field(None, description="Ask doors for a verb.")
    notify: NoticeAction | None = Field(None, description="Tell people.")

    @model_validator(mode="after")
    def one_thing(self) -> Action:
        """Exactly one kind of action."""
        if (self.door is None) == (self.notify is None):
            raise ValueError("expected exactly one of `door` and `notify`")
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

    @field_validator("label", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def one_or_many(cls, value: object) -> object:
        """`label: person` is the same as `label: [person]`."""
        return (value,) if isinstance(value, str) else value


class AlertSpec(Block):
    """The alert a rule raises: how grave, who is told, through what."""

    severity: Severity = Field(
        description="How grave. A `severe` one needs channels over two different paths."
    )
    tell: tuple[Slug, ...] = Field((), description="Who: people, or roles that somebody has.")
    through: tuple[Slug, ...] = Field((), description="Over which notifiers.")
    could_be: str = Field("", description="An innocent reading, shown beside it.")


class Rule(Block):
    """When an event of type `when` matches `if`, raise an alert; once verified, act."""

    name: str = Field(description="The alert's title.")
    when: str = Field(
        description="The type of event ([all of them](#events)), or one of a plugin's own under "
        "`plugin.`."
    )
    condition: Condition = Field(
        Condition(), alias="if", description="What has to hold besides; each line that is given."
    )
    alert: AlertSpec = Field(description="What people are told, at once.")
    verified: tuple[Action, ...] = Field(
        (),
        description="What is done once a person has verified the alert. Only here may doors lock "
        "and sirens sound.",
    )


class Protocol(Block):
    """A Standard Response Protocol action at this school: which doors, who is told."""

    doors: tuple[DoorAction, ...] = Field(
        (), description="What doors are asked, as under `verified: door:`."
    )
    tell: tuple[Slug, ...] = Field((), description="Who is told.")
    through: tuple[Slug, ...] = Field((), description="Over which notifiers.")
    location: str = Field("", description="Where to go, for `evacuate`.")
    hazards: dict[str, str] = Field(
        default_factory=dict, description="The danger and what to do, for `shelter`."
    )
