"""A door on an OSDP device, from what the device said: pure, no I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from hub import Block, DoorReport, Duration, Position, Verb
from plugins.access_control._relay import Bolt, Seen, Wiring

INPUTS, OUTPUTS, LOCAL = 0, 1, 2  # libosdp's numbers for the kinds of status
OFF, ON, ON_FOR, OFF_FOR = 1, 2, 5, 6  # control codes of an output, OSDP 2.2, table 21
ENTER, CLEAR = b"#\r", b"*\x7f"
LONGEST_CODE = 16
KEYS_WITHIN_S = 10.0
NO_POWER = "its power is failing"
CUT = "the wiring of its {} is cut or short"


def _key(text: str) -> str:
    plain = text.replace(" ", "").replace(":", "").lower()
    if len(plain) != 32 or set(plain) - set("0123456789abcdef"):
        raise ValueError("expected a key of 16 octets: 32 hexadecimal digits")
    return plain


OnOff = Literal["on", "off"]
Input = Annotated[int, Field(ge=0, le=63)]


class OsdpDevice(Block):
    """The device of a door, and what is wired to it."""

    address: int = Field(ge=0, le=126, description="Its address on the line.")
    scbk: Annotated[str, AfterValidator(_key)] = Field(
        repr=False,
        description="The key of its secure channel (SCBK), 32 hexadecimal digits, as "
        "`!secret NAME`. Without it nothing is sent.",
    )
    output: int = Field(ge=0, le=63, description="The relay of the lock; the first is 0.")
    energised: Literal["locked", "unlocked"] = Field(
        description="What the door is while its relay is on: `locked` for a magnet that needs "
        "current to hold (fail-safe), `unlocked` for a strike that needs current to release "
        "(fail-secure)."
    )
    opens_for: Duration = Field(
        5.0, ge=0.5, le=25, description="For how long `momentary` lets through."
    )
    contact: Input | None = Field(
        None, description="The input of the door's contact; the first is 0."
    )
    closed_when: OnOff = Field("on", description="The `contact` input while the door is closed.")
    bolt: Input | None = Field(None, description="The input that says whether the bolt is out.")
    bolted_when: OnOff = Field("on", description="The `bolt` input while the door is locked.")
    exit: Input | None = Field(
        None, description="The input of the lever or button inside that lets out."
    )
    exit_when: OnOff = Field("on", description="The `exit` input while it is pushed.")
    reader: int = Field(0, ge=0, le=7, description="Which of its readers belongs to the door.")

    def inputs(self) -> dict[str, int]:
        """The inputs that are wired, by what they are."""
        named = {"contact": self.contact, "bolt": self.bolt, "exit": self.exit}
        return {name: number for name, number in named.items() if number is not None}


def output_command(device: OsdpDevice, verb: Verb) -> tuple[int, int]:
    """The control code for a verb, and its time in tenths of a second."""
    holds = device.energised == "locked"
    if verb == "momentary":
        return (OFF_FOR if holds else ON_FOR), round(device.opens_for * 10)
    return (ON if holds == (verb == "lock") else OFF), 0


@dataclass(slots=True)
class Panel:
    """One device on the line. `outputs` and `inputs` are what it last said; `has` is how many of
    either it has.
    """

    place: int
    address: int
    doors: list[OsdpDoor] = field(default_factory=list)
    here: bool = False
    why: str = ""
    has: dict[int, int] = field(default_factory=dict)
    said: dict[int, bytes] = field(default_factory=dict)
    spoiled: set[int] = field(default_factory=set)

    def come(self, outputs: int, inputs: int) -> None:
        """Its secure channel is up; what it said before no longer counts."""
        self.here, self.why, self.said = True, "", {}
        self.has = {OUTPUTS: outputs, INPUTS: inputs}

    def go(self, why: str) -> None:
        """It is away."""
        self.here, self.why, self.said = False, why, {}

    def kinds(self) -> list[int]:
        """What to ask it for; of itself last, so that its answer ends the round."""
        wired = any(door.device.inputs() for door in self.doors)
        asked = [OUTPUTS] if self.has.get(OUTPUTS) else []
        asked += [INPUTS] if wired and self.has.get(INPUTS) else []
        return [*asked, LOCAL]

    def take(self, kind: int, report: bytes, asked: bool) -> None:
        """What it says. What comes unasked in the middle of a round spoils it as an answer."""
        self.said[kind] = report
        if not asked:
            self.spoiled.add(kind)
        elif kind == self.kinds()[0]:
            self.spoiled.clear()

    def value(self, kind: int, number: int | None) -> int | None:
        """The state of an output or input: 0 or 1; more where its wiring is at fault."""
        report = self.said.get(kind, b"")
        return report[number] if number is not None and number < len(report) else None


class OsdpDoor:
    """One door: what may be reported of it, and whether that answers."""

    def __init__(self, name: str, device: OsdpDevice, panel: Panel) -> None:
        self.name, self.device, self.panel = name, device, panel
        self._bolt = Bolt(
            Wiring(
                energised=device.energised,
                bolted_when=device.bolted_when,
                closed_when=device.closed_when,
            )
        )
        self._after = 0
        self._pushing = False
        self._typed = b""
        self._typed_at = -math.inf

    def lacking(self) -> str:
        """Why its lock cannot be switched at all, in words; empty where it can."""
        has = self.panel.has.get(OUTPUTS, 0)
        if self.panel.here and self.device.output >= has:
            return f"the device at address {self.panel.address} has no output {self.device.output}"
        return ""

    def answer_after(self, number: int) -> None:
        """A command goes out under this number: only what is asked under a higher one is said
        after it.
        """
        self._after = number

    def leaves(self) -> bool:
        """Whether somebody has just pushed the lever or button inside."""
        value = self.panel.value(INPUTS, self.device.exit)
        before, self._pushing = (
            self._pushing,
            value is not None and _is(value, self.device.exit_when),
        )
        return self._pushing and not before

    def report(self, kind: int, number: int, now: datetime, monotonic: float) -> DoorReport | None:
        """What to tell after the device said something; a round of answers is told at its end."""
        if number and kind != LOCAL:
            return None
        if OUTPUTS not in self.panel.said and not self.lacking():
            return None  # just came, and has not said yet how its relays are
        relay = self.panel.value(OUTPUTS, self.device.output)
        bolt, contact = self._wired("bolt"), self._wired("contact")
        seen = Seen(None if relay is None else relay == 1, bolt[0], contact[0])
        lock, words = self._bolt.lock(seen, monotonic)
        if bolt[1] or relay is None:
            lock, words = "unknown", bolt[1] or self.lacking()
        position: Position | None = self._bolt.position(seen)
        if contact[1]:
            position = "unknown"
        local = self.panel.said.get(LOCAL, b"")
        detail = "; ".join(each for each in (words, contact[1], _power(local)) if each)
        return DoorReport(
            self.name,
            now,
            lock,
            position,
            answers=number > self._after and not self._spoiled(),
            detail=detail,
            tampered=local[0] == 1 if local else None,
        )

    def _spoiled(self) -> bool:
        """Whether what tells of the lock came unasked in the middle of this round."""
        tells = {OUTPUTS, INPUTS} if self.device.bolt is not None else {OUTPUTS}
        return bool(tells & self.panel.spoiled)

    def used(self, event: Mapping[str, Any], monotonic: float) -> str | None:
        """What was held before the reader or typed in whole; None where that is nothing yet."""
        data = event.get("data")
        if event.get("reader_no") != self.device.reader or not isinstance(data, bytes):
            return None
        if "length" in event:
            return f"card {event['length']} {data.hex()}"
        return self._type(data, monotonic)

    def _type(self, keys: bytes, monotonic: float) -> str | None:
        if monotonic - self._typed_at > KEYS_WITHIN_S:
            self._typed = b""
        self._typed_at = monotonic
        for key in keys:
            if key in ENTER and self._typed:
                code, self._typed = self._typed, b""
                return f"code {code.decode('ascii', 'replace')}"
            self._typed = b"" if key in CLEAR + ENTER else (self._typed + bytes([key]))
            self._typed = self._typed[-LONGEST_CODE:]
        return None

    def _wired(self, name: str) -> tuple[bool | None, str]:
        """Whether an input is on, or why that is not known; neither where it is not wired."""
        number = self.device.inputs().get(name)
        if number is None:
            return None, ""
        value = self.panel.value(INPUTS, number)
        if value is None:
            return None, f"the device has no input {number} for its {name}"
        return (None, CUT.format(name)) if value > 1 else (value == 1, "")


def _is(value: int, when: OnOff) -> bool:
    return value == (1 if when == "on" else 0)


def _power(local: bytes) -> str:
    return NO_POWER if len(local) > 1 and local[1] == 1 else ""
