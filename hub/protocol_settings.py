"""What the configuration says of drills, of fire alarms, of duress, and of hardware inputs."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hub.conditions import ProtocolName, Slug
from hub.kinds import Block
from hub.units import Duration

# What a press does: a protocol, a call for help, or what a fire panel says.
Does = Literal["lockdown", "secure", "hold", "evacuate", "shelter", "help", "fire", "fire_clear"]
DOES: tuple[Does, ...] = get_args(Does)
PROTOCOL_NAMES: tuple[ProtocolName, ...] = get_args(ProtocolName)


def _topic(text: str) -> str:
    if not text or len(text) > 200 or not text.isprintable() or "+" in text or "#" in text:
        raise ValueError("expected one MQTT topic, without + and #")
    return text


Topic = Annotated[str, AfterValidator(_topic)]
JsonPath = Annotated[
    str, StringConstraints(pattern=r"^[^.\[\]\s]+(\[\d{1,3}\])*(\.[^.\[\]\s]+(\[\d{1,3}\])*)*$")
]
Plain = Annotated[str, StringConstraints(max_length=200)] | bool | int | float


Often = Annotated[int, Field(ge=0, le=200)]


def _month_day(text: str) -> str:
    if not re.fullmatch(r"(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])", text, re.ASCII):
        raise ValueError("expected month and day such as 08-01, up to the 28th")
    return text


MonthDay = Annotated[str, AfterValidator(_month_day)]


class RequiredDrills(Block):
    """How many drills of each protocol a school year needs, as your authority says."""

    hold: Often = Field(0, description="Of Hold.")
    secure: Often = Field(0, description="Of Secure.")
    lockdown: Often = Field(0, description="Of Lockdown.")
    evacuate: Often = Field(0, description="Of Evacuate.")
    shelter: Often = Field(0, description="Of Shelter.")

    def each(self) -> dict[ProtocolName, int]:
        """Those that are needed at all, in the order of the protocols."""
        found: dict[ProtocolName, int] = {name: getattr(self, name) for name in PROTOCOL_NAMES}
        return {name: number for name, number in found.items() if number}


class DrillSettings(Block):
    """What a drill may do beside what each drill says itself, and which a school year needs."""

    local_siren: bool = Field(
        False,
        description="Whether a drill may also lock down doors whose controller sounds a siren of "
        "its own then. Without it those doors do not move in a drill.",
    )
    required: RequiredDrills = Field(
        RequiredDrills(),
        description="How many drills of each protocol a school year needs. The page *Drills* "
        "counts them.",
    )
    year_begins: MonthDay = Field(
        "08-01", description="On which day a school year begins: month and day (up to the 28th)."
    )
    remind: tuple[Annotated[Duration, Field(ge=60, le=2592000)], ...] = Field(
        (86400.0, 3600.0),
        max_length=5,
        description="How long before a planned drill its leader is reminded; where nobody leads "
        "it, all whose role may plan drills. `[]` means never. Nothing starts by itself.",
    )
    missed_after: Annotated[Duration, Field(ge=600, le=604800)] = Field(
        14400.0,
        description="How long after its time a planned drill that nobody has started counts as "
        "missed, and is told as that.",
    )
    through: tuple[Slug, ...] = Field(
        (),
        description="Over which notifiers people are told of planned drills. Without any: all "
        "that reach people of the school alone.",
    )


class FireSettings(Block):
    """What happens when the fire alarm goes off during a lockdown."""

    decide_within: Annotated[Duration, Field(ge=10, le=3600)] = Field(
        120.0,
        description="How long people have, by the local rule, to decide whether to stay or to "
        "leave. The hub shows the time that is left and decides nothing itself.",
    )


class DuressSettings(Block):
    """Who is told when somebody ends a protocol with their duress PIN."""

    tell: tuple[Slug, ...] = Field(
        (), description="People or roles. Without any: all whose role may end protocols."
    )
    through: tuple[Slug, ...] = Field(
        (),
        description="Over which notifiers. Without any: those of the protocol that not everyone "
        "hears.",
    )


class InputBlock(Block):
    """A button, a contact or a panel that reports over the site's MQTT broker."""

    name: str = Field("", description="What people call it; the block's name where empty.")
    topic: Topic = Field(description="The MQTT topic on which it reports.")
    payload: str | None = Field(
        None, max_length=500, description="The message that counts as a press, exactly."
    )
    at: JsonPath | None = Field(
        None,
        description="Where to look in a JSON message instead, such as `action` or `input[0].on`.",
    )
    equals: Plain | None = Field(
        None, alias="is", description="Of `at`: what has to stand there, such as `hold` or `true`."
    )
    latching: bool = Field(
        False,
        description="Whether it reports again and again how it stands, rather than each press: "
        "then only a change counts.",
    )
    does: Does = Field(
        description="What a press does: a protocol; `help`; `fire` or `fire_clear` for what a fire "
        "panel says."
    )
    place: Slug = Field(description="Where it is.")
    expect_every: Annotated[Duration, Field(ge=10, le=604800)] | None = Field(
        None,
        description="How often it reports at least. When nothing came for so long, that is the "
        "event `input.silent`.",
    )
    alive: Topic | None = Field(
        None,
        description="A further topic whose messages show that it lives, such as its battery's.",
    )

    @model_validator(mode="after")
    def says_what_counts(self) -> InputBlock:
        """A payload, or a place in a JSON message and its value."""
        by_json = self.at is not None or self.equals is not None
        if (self.payload is not None) == by_json:
            raise ValueError("expected `payload`, or `at` with `is`")
        if by_json and (self.at is None or self.equals is None):
            raise ValueError("expected `at` and `is` together")
        return self
