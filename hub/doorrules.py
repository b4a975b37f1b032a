"""Safety rules about doors that stand unlocked by a schedule.

They look at the file's plain values, as the rules of `hub.houserules` do, to which they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from hub.plainwords import Finding
from hub.references import is_off, matches


class Looked(Protocol):
    """What the rules look at; see `hub.houserules.House`."""

    @property
    def values(self) -> Mapping[str, Any]: ...


def what_unlocks_by_itself_can_lock(house: Looked) -> Iterator[Finding]:
    """A door that a schedule unlocks is locked again by it, which takes attested egress."""
    for path, schedule in matches(house.values, "doors.*.unlocked"):
        door = house.values["doors"][path[1]]
        if schedule is not None and door.get("egress") is None:
            words = (
                f"outside of {schedule} the door {path[1]} is locked, and nobody attests that "
                "people can always leave; expected `egress: free` beside it, once somebody has "
                "tried that it opens from inside without a key"
            )
            yield Finding(path, words, "key")


def what_a_schedule_moves_is_moved(house: Looked) -> Iterator[Finding]:
    """A schedule moves no door whose controller is switched off."""
    controllers = house.values.get("access_control")
    for path, _ in matches(house.values, "doors.*.unlocked"):
        by = house.values["doors"][path[1]].get("controller")
        if isinstance(controllers, dict) and isinstance(by, str) and is_off(controllers.get(by)):
            words = f"nothing moves {path[1]}: its controller {by} is switched off"
            yield Finding(path, f"{words}; expected a door whose controller is enabled", "key")


DOOR_RULES: tuple[Callable[[Looked], Iterator[Finding]], ...] = (
    what_unlocks_by_itself_can_lock,
    what_a_schedule_moves_is_moved,
)
