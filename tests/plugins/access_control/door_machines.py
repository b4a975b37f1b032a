"""Doors as a controller with ONVIF's door control has them: modes, monitors, faults and events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

ALL = ("Access", "Lock", "Unlock", "Block", "LockDown", "LockOpen", "DoorMonitor", "LockMonitor")
TO = {
    "AccessDoor": "Accessed",
    "LockDoor": "Locked",
    "UnlockDoor": "Unlocked",
    "BlockDoor": "Blocked",
    "LockDownDoor": "LockedDown",
    "LockOpenDoor": "LockedOpen",
}
RELEASES = {"LockDownReleaseDoor": "LockedDown", "LockOpenReleaseDoor": "LockedOpen"}
NEEDS = {
    "LockDownReleaseDoor": "LockDown",
    "LockOpenReleaseDoor": "LockOpen",
    **{operation: operation.removesuffix("Door") for operation in TO},
}
FREE = ("Unlocked", "LockedOpen", "Accessed")
ACCESS_S = 0.5


@dataclass
class Faults:
    """How a controller misbehaves. `lag` is seconds until a bolt follows; `drop` hangs up on every
    request; `lie` takes commands, tells that they were done, and does nothing; `deaf` never
    answers; `oversized` answers without end. `held_back` keeps the next state that was asked for on
    its way until it is set.
    """

    jam: set[str] = field(default_factory=set)
    lag: float = 0.0
    lie: bool = False
    drop: bool = False
    deaf: bool = False
    oversized: bool = False
    held_back: asyncio.Event | None = None

    async def on_its_way(self) -> None:
        """Between what was true when it was asked and its arrival."""
        held, self.held_back = self.held_back, None
        if held is not None:
            await held.wait()


@dataclass
class Door:
    """One door; `tell(topic, source, data)` hears each change of it."""

    token: str
    name: str
    can: tuple[str, ...] = ALL
    mode: str = "Locked"
    bolt: str = "Locked"
    contact: str = "Closed"
    alarm: str = "Normal"
    tamper: str = "NotInTamper"
    fault: str = ""
    before: str = "Locked"


class Doors:
    """All doors of a controller, and what befalls them."""

    def __init__(self, *doors: Door) -> None:
        self.doors = {door.token: door for door in doors}
        self.points = {f"in-{door.token}": door.token for door in doors}
        self.faults = Faults()
        self.tell: Callable[[str, dict[str, str], dict[str, str]], None] = lambda *_: None
        self.done: list[tuple[str, str]] = []
        self._later: list[asyncio.TimerHandle] = []

    def operate(self, operation: str, token: str) -> None:
        """Obey as the standard says; `LookupError` for no such door, `PermissionError` for cannot.

        In LockedDown and LockedOpen all but the right release is taken and ignored.
        """
        door = self.doors[token]
        if NEEDS[operation] not in door.can:
            raise PermissionError(operation)
        self.done.append((operation, token))
        if operation in RELEASES:
            if door.mode == RELEASES[operation]:
                self._turn(door, "Locked")
            return
        if door.mode in ("LockedDown", "LockedOpen"):
            return
        if operation == "AccessDoor" and door.mode == "Blocked":
            return
        if operation == "AccessDoor":
            if door.mode != "Accessed":
                door.before = door.mode
            self._turn(door, "Accessed")
            self._after(ACCESS_S, lambda: self._access_is_over(door))
            return
        self._turn(door, TO[operation])

    def by_hand(self, token: str, bolt: str) -> None:
        """Somebody turns the bolt with a key."""
        door = self.doors[token]
        door.bolt = bolt
        self._told(door, "LockPhysicalState", bolt)

    def swing(self, token: str, contact: str) -> None:
        """The door opens or falls shut."""
        door = self.doors[token]
        door.contact = contact
        self._told(door, "DoorPhysicalState", contact)

    def use(self, token: str, card: str, kind: str = "AccessGranted/Credential") -> None:
        """Somebody holds a card up at the outer reader."""
        point = next(point for point, door in self.points.items() if door == token)
        data = {"CredentialToken": card, "CredentialHolderName": "Somebody"}
        if kind.startswith("Denied"):
            data = {"Card": card, "Reason": "CredentialNotEnabled"}
        self.tell(f"tns1:AccessControl/{kind}", {"AccessPointToken": point}, data)

    def stop(self) -> None:
        """Nothing moves any more."""
        for handle in self._later:
            handle.cancel()

    def _turn(self, door: Door, mode: str) -> None:
        if self.faults.lie:
            self._told(door, "DoorMode", mode)
            self._told(door, "LockPhysicalState", "Unlocked" if mode in FREE else "Locked")
            return
        self._after(self.faults.lag, lambda: self._follow(door, mode))

    def _follow(self, door: Door, mode: str) -> None:
        door.mode = mode
        self._told(door, "DoorMode", mode)
        if "LockMonitor" in door.can:
            shut = "Fault" if door.token in self.faults.jam else "Locked"
            door.bolt = "Unlocked" if mode in FREE else shut
            self._told(door, "LockPhysicalState", door.bolt)

    def _access_is_over(self, door: Door) -> None:
        if door.mode == "Accessed":
            self._turn(door, door.before)

    def _told(self, door: Door, topic: str, value: str) -> None:
        self.tell(f"tns1:Door/State/{topic}", {"DoorToken": door.token}, {"State": value})

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        if seconds:
            self._later.append(asyncio.get_running_loop().call_later(seconds, do))
        else:
            do()
