"""The part of the configuration that says who is told and what is done: people, times, rules.

Nothing here reads a file or knows a driver; `hub.config` puts it together with what stands around.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from hub.alert_settings import FalseAlarms
from hub.conditions import (
    ENDS,
    Condition,
    Count,
    EventTypes,
    Same,
    Slug,
    Span,
    Step,
    Title,
    Together,
    Unless,
    at_least_one,
    one_or_many,
    told_together,
)
from hub.incident_settings import IncidentKind, TaskText
from hub.kinds import Block
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import SEVERITIES, Severity

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


LanguageName = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]


class Person(Block):
    """Somebody who can be told; `contact` maps a notifier to their address on it."""

    name: Title = Field(
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
    prefer: tuple[Slug, ...] = Field(
        (),
        description="The notifiers of `contact`, the first one first. What one of them does not "
        "take goes to the next, once; see `hub.fall_back_after`.",
    )
    language: LanguageName | None = Field(
        None,
        description="The language they are told in and read the pages in; `hub.language` without "
        "it.",
    )
    quiet: Slug | None = Field(
        None,
        description="The schedule of their quiet hours. What comes to an address of their own then "
        "waits, and comes as one digest when they end.",
    )
    wake_for: Literal["severe", "high"] = Field(
        "severe", description="From which severity on they are told in quiet hours all the same."
    )

    @model_validator(mode="after")
    def prefers_what_reaches(self) -> Person:
        """Every preferred notifier has an address under `contact`."""
        if unreached := [each for each in self.prefer if each not in self.contact]:
            words = f"expected `contact` to say how {unreached[0]} of `prefer` reaches them"
            raise ValueError(words)
        return self


def person_of(people: Mapping[str, Person], account: str) -> str:
    """The id of the person that an account is: the one with that id, else with that name. Empty
    where it is nobody's.
    """
    wanted = account.casefold()
    named = (id_ for id_, block in people.items() if block.name.casefold() == wanted)
    return next((id_ for id_ in people if id_.casefold() == wanted), "") or next(named, "")


def same_person(people: Mapping[str, Person], one: str, other: str) -> bool:
    """Whether two accounts are one, or are of one of the people."""
    known = person_of(people, one)
    return one.casefold() == other.casefold() or (known != "" and known == person_of(people, other))


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


class OneOff(Block):
    """Hours on one date; `to` may be 24:00, or before `from` to pass midnight."""

    day: date = Field(alias="date", description="On which day.")
    start: time = Field(time(0, 0), alias="from", description="From when.")
    end: time | Literal["24:00"] = Field(
        "24:00", alias="to", description="Until when, as under `weekly`."
    )
    reason: str = Field("", description="Shown to people.")


class Schedule(Block):
    """When something is in force: weekly hours, except on the calendar's closed dates; or what lies
    `between` the hours of another schedule, or on its closed dates.
    """

    name: str = Field("", description="What people call it.")
    weekly: tuple[Weekly, ...] = Field(
        (Weekly(),), description="When it is in force, week by week. Without any, always."
    )
    closed: tuple[DateRange, ...] = Field(
        (), description="Dates on which it is not in force, whatever the day."
    )
    also: tuple[OneOff, ...] = Field(
        (),
        description="Single events, such as a parents' evening: in force then too, also on a "
        "closed date, and as before when it is over.",
    )
    between: Slug | None = Field(
        None,
        description="Instead of `weekly`: in force in the gaps between the hours of that other "
        "schedule on one day, such as the passing periods between lessons.",
    )
    longest: Span = Field(
        900.0, description="Of `between`: a longer gap is none; a lunch break is not for passing."
    )
    holidays_of: Slug | None = Field(
        None,
        description="Instead of `weekly`: in force all day on the closed dates of that other "
        "schedule.",
    )

    @model_validator(mode="after")
    def one_kind(self) -> Schedule:
        """Hours of its own, or another schedule's."""
        own = "weekly" in self.model_fields_set
        if own + (self.between is not None) + (self.holidays_of is not None) > 1:
            raise ValueError("expected only one of `weekly`, `between` and `holidays_of`")
        return self


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


class Graver(Block):
    """When an alert is graver than it usually is."""

    severity: Severity = Field(description="How grave it is then.")
    condition: Condition = Field(alias="if", description="What has to hold for that.")


class AlertSpec(Block):
    """The alert a rule raises: how grave, who is told, through what."""

    severity: Severity = Field(
        description="How grave. A `severe` one needs channels over two different paths."
    )
    graver: tuple[Graver, ...] = Field(
        (), description="When it is graver than that; the gravest that holds counts."
    )
    tell: tuple[Slug, ...] = Field((), description="Who: people, or roles that somebody has.")
    through: tuple[Slug, ...] = Field((), description="Over which notifiers.")
    could_be: str = Field("", description="An innocent reading, shown beside it.")
    incident: IncidentKind = Field(
        "other", description="What kind of incident it opens, which says what is to be done then."
    )

    @field_validator("graver", mode="before", json_schema_input_type=Graver | tuple[Graver, ...])
    @classmethod
    def gravers(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)

    @model_validator(mode="after")
    def really_graver(self) -> AlertSpec:
        """Each is graver than the rule itself."""
        usual = SEVERITIES.index(self.severity)
        if any(SEVERITIES.index(each.severity) >= usual for each in self.graver):
            raise ValueError(f"expected each of `graver` above the severity {self.severity}")
        return self


class Rule(Block):
    """When events of the types `when` match what the rule says, raise an alert; once verified, act.

    At most one of `count`, `followed_by` and `lasting` says that more than one event matters.
    """

    name: Title = Field(description="The alert's title.")
    when: EventTypes = Field(
        description="The type of event ([all of them](#events)), one of a plugin's own under "
        "`plugin.`, or a list."
    )
    condition: Condition = Field(
        Condition(), alias="if", description="What has to hold besides; each line that is given."
    )
    count: Count | None = Field(None, description="It has to happen more than once.")
    followed_by: tuple[Step, ...] = Field(
        (), max_length=8, description="What has to follow, step by step; the last one fires."
    )
    lasting: Span | None = Field(
        None,
        description="It has to last so long, all lines of `if` about time included, without being "
        "ended by `until`.",
    )
    until: tuple[str, ...] = Field(
        (),
        description="Of `lasting`: the type of event, or a list, that ends it. Where opposites are "
        "plain (`door.opened` and `door.closed`) it may be left out.",
    )
    same: Same = Field(
        "subject",
        description="What events must share to belong together in `count`, `followed_by`, "
        "`lasting` and `unless`: what they are about (`subject`: the door, else the camera or "
        "place), or `anything`.",
    )
    unless: tuple[Unless, ...] = Field(
        (), max_length=8, description="What keeps it from firing: one, or a list."
    )
    cooldown: Span | None = Field(
        None,
        description="After it fired it does not fire again about the same subject for so long, "
        "unless it is graver. What is kept back is listed with the alert.",
    )
    together: Together = None
    alert: AlertSpec = Field(description="What people are told, at once.")
    false_alarms: FalseAlarms | None = Field(
        None,
        description="How many false alarms it may give by one camera. Above that, what it raises "
        "from that camera is only reviewed, with the severity `check`, until a verified alert, a "
        "person or time ends it. What is `severe` is never demoted: the alert says so instead.",
    )
    verified: tuple[Action, ...] = Field(
        (),
        description="What is done once a person has verified the alert. Only here may doors lock "
        "and sirens sound.",
    )

    @field_validator("when", mode="before", json_schema_input_type=str | EventTypes)
    @classmethod
    def types(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)

    @field_validator("until", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def ends(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)

    @field_validator("followed_by", mode="before", json_schema_input_type=Step | tuple[Step, ...])
    @classmethod
    def steps(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)

    @field_validator("unless", mode="before", json_schema_input_type=Unless | tuple[Unless, ...])
    @classmethod
    def exceptions(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)

    @model_validator(mode="after")
    def of_one_piece(self) -> Rule:
        """One way in which more than one event matters, and an end for what lasts."""
        ways = (self.count is not None) + bool(self.followed_by) + (self.lasting is not None)
        if ways > 1:
            raise ValueError("expected only one of `count`, `followed_by` and `lasting`")
        self.gathers()
        if self.until and self.lasting is None:
            raise ValueError("expected `lasting` beside `until`")
        if self.lasting is not None:
            if not self.ended_by():
                endless = ", ".join(each for each in self.when if each not in ENDS)
                raise ValueError(f"expected `until`: nothing plain ends {endless}")
            if both := set(self.ended_by()) & set(self.when):
                raise ValueError(f"expected `until` to differ from `when`, both have {min(both)}")
        return self

    def gathers(self) -> float | None:
        """Within how many seconds others join an alert; None where each has one of its own."""
        return told_together(self.when, self.together)

    def ended_by(self) -> tuple[str, ...]:
        """The types of events that end what lasts; empty where the rule must say."""
        if self.until:
            return self.until
        found = [ENDS.get(each, "") for each in self.when]
        return tuple(dict.fromkeys(found)) if all(found) else ()


class Protocol(Block):
    """A Standard Response Protocol action at this school: which doors, who is told."""

    area: Slug | None = Field(
        None,
        description="Where it is in force when a button or a device starts it; without it, on the "
        "whole site that the button is on.",
    )
    doors: tuple[DoorAction, ...] = Field(
        (), description="What doors are asked, as under `verified: door:`."
    )
    tell: tuple[Slug, ...] = Field((), description="Who is told.")
    through: tuple[Slug, ...] = Field((), description="Over which notifiers.")
    location: str = Field("", description="Where to go, for `evacuate`.")
    hazards: dict[str, str] = Field(
        default_factory=dict, description="The danger and what to do, for `shelter`."
    )
    tasks: Annotated[tuple[TaskText, ...], Field(max_length=50)] = Field(
        (), description="What has to be done; its incident gets them beside those of its kind."
    )
    incident: IncidentKind = Field(
        "other",
        description="What kind of incident it opens, and a rule that fires when it starts, where "
        "the rule itself does not say.",
    )
