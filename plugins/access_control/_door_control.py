"""Doors as ONVIF describes them, whatever carries the words: SOAP, or JSON on an Axis controller.

A door has a mode (what it is set to) and may have monitors (what its bolt and its contact say). The
bolt's own word comes before the mode. In `LockedDown` and `LockedOpen` a controller ignores all but
the release of just that, so the release comes first.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from hub import (
    Access,
    AccessReport,
    Block,
    CommandFailed,
    Lock,
    NotReady,
    Position,
    Verb,
)
from plugins.access_control._http_device import short
from plugins.access_control._read_back import ReadBackDoors, Seen

Operation = Literal[
    "AccessDoor", "LockDoor", "UnlockDoor", "BlockDoor", "LockDownDoor", "LockDownReleaseDoor",
    "LockOpenDoor", "LockOpenReleaseDoor",
]  # fmt: skip

SHUT = frozenset({"Locked", "DoubleLocked", "Blocked", "LockedDown"})
FREE = frozenset({"Unlocked", "LockedOpen", "Accessed"})
BARRED = frozenset({"LockedDown", "Blocked"})
DOES: Mapping[str, frozenset[Verb]] = {
    "Locked": frozenset({"lock", "lockdown_release"}),
    "DoubleLocked": frozenset({"lock", "lockdown_release"}),
    "Blocked": frozenset({"lock", "lockdown"}),
    "LockedDown": frozenset({"lock", "lockdown"}),
    "Unlocked": frozenset({"unlock", "hold_open", "momentary", "lockdown_release"}),
    "LockedOpen": frozenset({"unlock", "hold_open", "momentary", "lockdown_release"}),
    "Accessed": frozenset({"momentary", "lockdown_release"}),
}
_BOLT: Mapping[str, Lock] = {"Locked": "locked", "Unlocked": "unlocked", "Fault": "jammed"}
_CONTACT: Mapping[str, Position] = {"Open": "open", "Closed": "closed"}
_ALARMS = {
    "DoorForcedOpen": "the controller reports: forced open",
    "DoorOpenTooLong": "the controller reports: open too long",
}
_ACCESS = re.compile(r"AccessControl/(?:[\w-]+:)?(AccessGranted|Denied|AccessDenied|Duress)\b")
_STATE = re.compile(r"Door/State/(?:[\w-]+:)?(\w+)$")
_ACCESSES: Mapping[str, Access] = {"AccessGranted": "granted", "Duress": "duress"}
_REASON = re.compile(r"[A-Za-z]{1,40}")


class DoorControlDevice(Block):
    """One door of a controller that speaks the words of ONVIF's door control."""

    door: str = Field(
        min_length=1, max_length=64, description="What the controller calls it (its token there)."
    )
    contact: bool = Field(
        True, description="Whether the controller has a contact at it that says open or closed."
    )


@dataclass(frozen=True, slots=True)
class DoorState:
    """The answer to GetDoorState, in ONVIF's own words; empty where a field is missing."""

    mode: str = ""
    lock: str = ""
    position: str = ""
    alarm: str = ""
    tamper: str = ""
    fault: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DoorNote:
    """An event of a controller: its topic, its time in our clock, and its items by name."""

    topic: str
    time: datetime
    source: Mapping[str, str]
    data: Mapping[str, str]
    first: bool = False


def bolt(state: DoorState) -> Lock:
    """What may be said of the bolt: its own word where it has one, else what the door is set to."""
    if state.lock == "Locked" and state.mode not in SHUT:
        return "moving" if state.mode in FREE else "unknown"
    if state.lock:
        return _BOLT.get(state.lock, "unknown")
    if state.mode in SHUT:
        return "locked"
    return "unlocked" if state.mode in FREE else "unknown"


def seen(state: DoorState) -> Seen:
    """What a state means in our words."""
    lock = bolt(state)
    does = DOES.get(state.mode, frozenset())
    if lock != "locked":
        does -= {"lock", "lockdown"}
    return Seen(
        lock=lock,
        position=_CONTACT.get(state.position, "unknown") if state.position else None,
        does=does,
        detail="; ".join(_remarks(state, lock)),
        passage=state.mode == "Accessed",
        tampered={"TamperDetected": True, "NotInTamper": False}.get(state.tamper),
    )


def _remarks(state: DoorState, lock: Lock) -> list[str]:
    said = []
    if state.lock == "Fault":
        said.append("the controller reports a fault of the lock")
    elif lock == "unknown":
        said.append(f"the controller does not know its lock (set to {_word(state.mode)})")
    elif lock == "moving" or (lock == "unlocked" and state.mode in SHUT):
        said.append(f"set to {_word(state.mode)}, and the bolt says {state.lock}")
    elif state.mode in BARRED:
        said.append("lockdown" if state.mode == "LockedDown" else "blocked")
    if state.position == "Fault":
        said.append("the controller reports a fault of the contact")
    if state.alarm in _ALARMS:
        said.append(_ALARMS[state.alarm])
    if state.fault == "FaultDetected":
        said.append(f"fault: {short(state.reason) or 'the controller gives no reason'}")
    return said


def _word(text: str) -> str:
    return text if _REASON.fullmatch(text) else "something unknown"


def steps(verb: Verb, mode: str, can: frozenset[str]) -> list[Operation]:
    """The operations that make a verb true, in order, for a door in `mode` that has `can`.

    `can` holds the names of its capabilities (`LockDown`, `LockOpen`, ...). Raises `CommandFailed`
    where the door cannot.
    """
    if verb == "lockdown_release":
        releases: dict[str, list[Operation]] = {
            "LockedDown": ["LockDownReleaseDoor"], "Blocked": ["LockDoor"],
        }  # fmt: skip
        return releases.get(mode, [])
    if verb == "lockdown":
        return _lockdown(mode, can)
    if mode in BARRED and verb == "lock":
        return []
    if mode == "Blocked" and verb == "momentary":
        return ["LockDoor", *steps(verb, "Locked", can)]
    if mode == "LockedDown":
        return ["LockDownReleaseDoor", *steps(verb, "Locked", can)]
    if verb == "momentary" and mode == "LockedOpen":
        return []  # whoever comes gets through, and it would only be refused
    if verb == "momentary":
        _need("Access", can, "let one person through")
        return ["AccessDoor"]
    if verb == "lock":
        _need("Lock", can, "be locked")
        opened: list[Operation] = ["LockOpenReleaseDoor"] if mode == "LockedOpen" else []
        return [*opened, "LockDoor"]
    if mode == "LockedOpen":
        return []
    if verb == "hold_open" and "LockOpen" in can:
        return ["LockOpenDoor"]
    _need("Unlock", can, "be unlocked")
    return ["UnlockDoor"]


def _lockdown(mode: str, can: frozenset[str]) -> list[Operation]:
    if mode == "LockedDown":
        return []
    first: list[Operation] = ["LockOpenReleaseDoor"] if mode == "LockedOpen" else []
    if "LockDown" in can:
        return [*first, "LockDownDoor"]
    if "Block" in can:
        return [] if mode == "Blocked" else [*first, "BlockDoor"]
    raise CommandFailed("this door has neither a lockdown nor a block at its controller")


def _need(capability: str, can: frozenset[str], what: str) -> None:
    if capability not in can:
        raise CommandFailed(f"the controller says that this door cannot {what}")


class DoorControl(ReadBackDoors[DoorControlDevice]):
    """Doors behind a controller with ONVIF's door control; how it is called is left open."""

    _doors: Mapping[str, frozenset[str]] = {}
    _points: Mapping[str, str] = {}

    @abstractmethod
    async def _state(self, token: str) -> DoorState:
        """GetDoorState. Raises `NotReady`, or `CommandFailed` where there is no such door."""

    @abstractmethod
    async def _do(self, operation: Operation, token: str) -> None:
        """One of the operations on one door. Raises `NotReady`, or `CommandFailed`."""

    async def _ask(self, door: str, device: DoorControlDevice) -> Seen:
        self._must_have(device)
        found = seen(await self._state(device.door))
        return found if device.contact else _without_position(found)

    async def _perform(self, door: str, device: DoorControlDevice, verb: Verb) -> None:
        can = self._must_have(device)
        try:
            mode = (await self._state(device.door)).mode
        except NotReady:
            if verb != "lockdown":
                raise
            mode = ""  # lock down unseen rather than not at all
        for operation in steps(verb, mode, can):
            await self._do(operation, device.door)

    def _must_have(self, device: DoorControlDevice) -> frozenset[str]:
        try:
            return self._doors[device.door]
        except KeyError:
            have = ", ".join(sorted(short(token) for token in self._doors)[:8]) or "none"
            raise CommandFailed(
                f"the controller has no door {short(device.door)}; it has: {have}"
            ) from None

    def _advice(self) -> str:
        said = []
        for door, device in self._devices.items():
            can = self._doors.get(device.door, frozenset())
            if device.contact and "DoorMonitor" not in can:
                said.append(f"{door} has no contact there: write `contact: false`")
            if not can & {"LockDown", "Block"}:
                said.append(f"{door} has no lockdown there: `lock` it instead")
            if "LockMonitor" not in can:
                said.append(f"{door} has no sensor at its bolt: its state is what it is set to")
        return "; ".join(said)

    def _hear(self, note: DoorNote) -> None:
        """Take in an event: bad news is reported, all news makes us ask."""
        if found := _ACCESS.search(note.topic):
            self._hear_access(found[1], note)
            return
        door = self._door_of(note.source.get("DoorToken", ""))
        found = _STATE.search(note.topic)
        if door is None or found is None:
            return
        value = note.data.get("State", "")
        if note.first:
            self._look(door)  # as it was when we subscribed
        elif found[1] == "DoorPhysicalState" and self._devices[door].contact:
            self._news(door, note.time, position=_CONTACT.get(value, "unknown"))
        elif found[1] == "LockPhysicalState":
            self._news(door, note.time, lock=_BOLT.get(value, "unknown"))
        else:
            if found[1] == "DoorMode" and value == "Accessed":
                self._tell(door, time=note.time, passage=True)
            elif found[1] == "DoorTamper" and value == "TamperDetected":
                self._tell(door, time=note.time, tampered=True)
            self._look(door)

    def _hear_access(self, kind: str, note: DoorNote) -> None:
        door = self._door_of(self._points.get(note.source.get("AccessPointToken", ""), ""))
        if door is None or note.first:
            return
        data = note.data
        card = data.get("CredentialToken") or data.get("Card") or data.get("IdentifierValue") or ""
        reason = data.get("Reason", "")
        self._reports.tell(
            AccessReport(
                door,
                note.time,
                _ACCESSES.get(kind, "denied"),
                credential=self._context.reference(card) if card else "",
                detail=reason if _REASON.fullmatch(reason) else "",
            )
        )
        if kind == "AccessGranted" and not card:
            self._tell(door, time=note.time, passage=True)  # a button or lever from inside

    def _door_of(self, token: str) -> str | None:
        return next((door for door, each in self._devices.items() if each.door == token), None)

    def _known_doors(self, doors: Mapping[str, frozenset[str]]) -> None:
        if not doors:
            raise NotReady(f"{self._http.where} has no doors that this user may see")
        self._doors = doors


def _without_position(found: Seen) -> Seen:
    return Seen(found.lock, None, found.does, found.detail, found.passage, found.tampered)


def points(found: Any) -> dict[str, str]:
    """Door tokens by access point, of (access point, entity) pairs."""
    return {str(point): str(entity) for point, entity in found if point and entity}
