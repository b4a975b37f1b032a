"""The part of the configuration that says what follows when nobody answers: ladders, who is on
call, and how many false alarms a rule may give.

Nothing here reads a file or knows a driver; `hub.config` puts it together with what stands around.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from hub.conditions import Slug, one_or_many
from hub.kinds import Block
from hub.kinds.notifiers import Severity
from hub.units import Duration

MOST_STEPS = 100  # of a ladder, with its repeats and what follows it
Again = Annotated[Duration, Field(ge=60, le=86400)] | Literal["off"]


class TellAgain(Block):
    """How long something may go on without anybody answering until all who were told are told
    again, by the severity of the alert; `off` for never.
    """

    severe: Again = Field(300.0, description="Of `severe` alerts.")
    high: Again = Field(900.0, description="Of `high` ones.")
    check: Again = Field(7200.0, description="Of `check`.")
    note: Again = Field("off", description="Of `note`.")

    def after(self, severity: Severity) -> timedelta | None:
        """That time; None for never."""
        said: float | str = getattr(self, severity)
        return timedelta(seconds=said) if isinstance(said, float | int) else None


class Override(Block):
    """Somebody else is on call on these days, both included."""

    start: date = Field(alias="from", description="The first day.")
    end: date = Field(alias="to", description="The last day, included.")
    person: Slug = Field(description="Who is on call then.")

    @model_validator(mode="after")
    def in_order(self) -> Override:
        """The first day is not after the last."""
        if self.end < self.start:
            raise ValueError("expected `to` on or after `from`")
        return self


class Rotation(Block):
    """People who are on call in turn. Ladders tell a rotation as they tell a person."""

    name: str = Field("", description="What people call it.")
    people: Annotated[tuple[Slug, ...], Field(min_length=1)] = Field(
        description="Who is on call, in turn; the first of them from the day `from` on."
    )
    every: Literal["day", "week"] = Field("week", description="How long a turn lasts.")
    start: date = Field(alias="from", description="The day on which the first turn begins.")
    at: time = Field(
        time(8, 0),
        description="When turns change, on the clock of the hub's time zone, also on days when the "
        "clocks change.",
    )
    overrides: tuple[Override, ...] = Field(
        (), description="Who stands in, and when; days begin at the hour `at` too."
    )


class LadderStep(Block):
    """Whom to tell, through what, and how long to wait for somebody to take the alert on."""

    tell: tuple[Slug, ...] = Field(
        (),
        description="Who: people, roles that somebody has, or a rotation. Nobody named means "
        "whoever the channel reaches.",
    )
    through: Annotated[tuple[Slug, ...], Field(min_length=1)] = Field(
        description="Over which notifiers. Never one that everyone hears."
    )
    wait: Annotated[Duration, Field(ge=10, le=86400)] = Field(
        300.0, description="How long to wait before the next step."
    )


class Ladder(Block):
    """What follows, step by step, until somebody takes an alert on or dismisses it. The first
    ladder of the file that fits an alert is fixed when the alert is raised.
    """

    name: str = Field("", description="What people call it.")
    severity: Annotated[tuple[Severity, ...], Field(min_length=1)] = Field(
        description="For alerts of this severity, or a list. A step of a ladder for `severe` ones "
        "needs channels over two different paths."
    )
    place: Slug | None = Field(None, description="Only for alerts at this place or a part of it.")
    during: Slug | None = Field(None, description="Only while this schedule is in force.")
    outside: Slug | None = Field(None, description="Only while this schedule is not in force.")
    steps: Annotated[tuple[LadderStep, ...], Field(min_length=1, max_length=20)] = Field(
        description="One after the other; the first at once."
    )
    repeat: int = Field(
        0, ge=0, le=10, description="How often it begins again after the last step's `wait`."
    )
    following: Slug | None = Field(
        None, alias="next", description="The ladder that goes on after this one."
    )

    @field_validator(
        "severity", mode="before", json_schema_input_type=Severity | tuple[Severity, ...]
    )
    @classmethod
    def severities(cls, value: object) -> object:
        """One or a list."""
        return one_or_many(value)


class FalseAlarms(Block):
    """How many false alarms a rule may give by one camera."""

    at_most: int = Field(
        ge=0, le=1000, description="So many alerts may be dismissed; one more is too many."
    )
    within: Annotated[Duration, Field(ge=3600, le=7776000)] = Field(
        604800.0, description="Within how long."
    )
    tell: tuple[Slug, ...] = Field(
        ("front_office",),
        description="Who reviews what the rule raises meanwhile; where nobody has that role, those "
        "whom the rule names.",
    )
