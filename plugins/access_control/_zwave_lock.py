"""One Z-Wave lock, from its values and notifications: pure, no I/O.

The numbers are those of the Door Lock and Notification command classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub import Access, Lock, Position

DOOR_LOCK, NOTIFICATION = 98, 113
SECURED, UNSECURED, UNSECURED_FOR_A_WHILE, NEITHER = 255, 0, 1, 254
UNLOCKED = frozenset({0, 1, 16, 17, 32, 33})
ACCESS_CONTROL, HOME_SECURITY = 6, 7
STATES: Mapping[tuple[str, str], int] = {  # of which kind of notification a kept state is
    ("Access Control", "Lock state"): ACCESS_CONTROL,
    ("Access Control", "Door state (simple)"): ACCESS_CONTROL,
    ("Home Security", "Cover status"): HOME_SECURITY,
}
JAMMED, OPEN, CLOSED = 11, 22, 23
MOVED = frozenset({1, 2, 3, 4, 5, 6, 9})  # by hand, radio, keypad or itself: it is not stuck
USES: Mapping[int, Access] = {6: "granted", 16: "denied", 20: "denied", 21: "denied"}
TAMPERED = frozenset({1, 3})
ASLEEP, DEAD = 1, 3
STUCK = "the lock says that its bolt is stuck"
HALFWAY = "its bolt is neither in nor out"
CONTRADICTS = "it says that it is secured, and that its bolt is not out"


@dataclass(slots=True)
class ZwaveLock:
    """What is known of one lock. `why` says why it is away; empty while it is there."""

    endpoint: int = 0
    why: str = "the Z-Wave network has no such node"
    mode: object = None
    bolt: object = None
    door: object = None
    heard_bolt: object = None
    stuck: bool = False
    tampered: bool | None = None

    def meet(self, node: Mapping[str, Any]) -> None:
        """Take a node in as the server knows it; its values are from before."""
        status = node.get("status")
        self.be(status if isinstance(status, int) else 0)
        if not self.why and node.get("ready") is False:
            self.why = "Z-Wave JS does not know the lock yet: its interview is under way"
        values = node.get("values")
        for value in values if isinstance(values, list) else []:
            if isinstance(value, dict):
                self.hear_state(value, value.get("value"))
            if isinstance(value, dict) and self.is_ours(value):
                self.hear_value(value, value.get("value"))
                if value.get("property") == "currentMode":
                    self.mode = value.get("value")
        self.bolt = self.heard_bolt
        if not self.why and self.mode is None:
            self.why = "this node is no door lock"

    def is_ours(self, about: Mapping[str, Any]) -> bool:
        """Whether a value is one of this lock's."""
        return about.get("commandClass") == DOOR_LOCK and about.get("endpoint", 0) == self.endpoint

    def be(self, status: int) -> None:
        """Take the status of its node in."""
        words = {
            DEAD: "the lock does not answer: Z-Wave JS holds it for dead",
            ASLEEP: "the lock sleeps: it would act only when it wakes",
        }
        self.why = words.get(status, "")

    def hear_value(self, about: Mapping[str, Any], value: object) -> None:
        """What comes with the lock's own report of itself, besides its mode.

        A mode that the server tells unasked is not taken: it tells one as soon as the radio took a
        command, and nothing shows whether the lock said it.
        """
        if about.get("property") == "boltStatus":
            self.heard_bolt = value
        elif about.get("property") == "doorStatus":
            self.door = value

    def answer(self, mode: object) -> None:
        """The lock was asked, and this is its mode; its bolt is as it said with it."""
        self.mode, self.bolt = mode, self.heard_bolt
        if mode == SECURED:
            self.stuck = False

    def hear_state(self, about: Mapping[str, Any], value: object) -> bool:
        """Take in what Z-Wave JS keeps of a notification; whether it says anything of the door."""
        kind = STATES.get((str(about.get("property")), str(about.get("propertyKey"))))
        if about.get("commandClass") != NOTIFICATION or kind is None:
            return False
        if about.get("propertyKey") == "Lock state" and value != JAMMED:
            was, self.stuck = self.stuck, False
            return was
        return self.hear(kind, value)

    def hear(self, kind: object, event: object) -> bool:
        """Take a notification in; whether it says anything of lock, door or tampering."""
        if not isinstance(event, int):
            return False
        if kind == HOME_SECURITY:
            self.tampered = event in TAMPERED
            return event in TAMPERED or event == 0
        if kind != ACCESS_CONTROL:
            return False
        if event == JAMMED:
            self.stuck = True
        elif event in MOVED:
            self.stuck = False
        elif event in (OPEN, CLOSED):
            self.door = "open" if event == OPEN else "closed"
        return event in (JAMMED, OPEN, CLOSED)

    def lock(self) -> tuple[Lock, str]:
        """What may be said of the bolt, and what is to be added in words."""
        mode, bolt = self.mode, self.bolt
        if self.stuck:
            return "jammed", STUCK
        if mode == NEITHER:
            return "jammed", HALFWAY
        if mode == SECURED:
            return ("jammed", CONTRADICTS) if bolt == "unlocked" else ("locked", "")
        if isinstance(mode, int) and mode in UNLOCKED:
            return "unlocked", ""
        return "unknown", "" if mode is None else f"it is in mode {str(mode)[:20]}"

    def position(self) -> Position:
        """What its contact says."""
        return "open" if self.door == "open" else "closed" if self.door == "closed" else "unknown"


def used(args: Mapping[str, Any]) -> tuple[Access, str] | None:
    """Whether a notification says that somebody used a code, and which place in the lock's list."""
    access = USES.get(args["event"]) if isinstance(args.get("event"), int) else None
    if args.get("type") != ACCESS_CONTROL or access is None:
        return None
    more = args.get("parameters")
    user = more.get("userId") if isinstance(more, dict) else None
    return access, "" if user is None else str(user)
