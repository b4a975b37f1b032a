"""Safety rules about doors that stand unlocked by a schedule.

They belong to the rules of `hub.check_safety`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hub.check_site import Site
from hub.plainwords import Finding
from hub.value_patterns import is_off, matches


def what_unlocks_by_itself_can_lock(site: Site) -> Iterator[Finding]:
    """A door that a schedule unlocks is locked again by it, which takes attested egress."""
    for path, schedule in matches(site.values, "doors.*.unlocked"):
        door = site.values["doors"][path[1]]
        if schedule is not None and door.get("egress") is None:
            words = (
                f"outside of {schedule} the door {path[1]} is locked, and nobody attests that "
                "people can always leave; expected `egress: free` beside it, once somebody has "
                "tried that it opens from inside without a key"
            )
            yield Finding(path, words, "key")


def what_a_schedule_moves_is_moved(site: Site) -> Iterator[Finding]:
    """A schedule moves no door whose controller is switched off."""
    controllers = site.values.get("access_control")
    for path, _ in matches(site.values, "doors.*.unlocked"):
        by = site.values["doors"][path[1]].get("controller")
        if isinstance(controllers, dict) and isinstance(by, str) and is_off(controllers.get(by)):
            words = f"nothing moves {path[1]}: its controller {by} is switched off"
            yield Finding(path, f"{words}; expected a door whose controller is enabled", "key")


DOOR_RULES: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    what_unlocks_by_itself_can_lock,
    what_a_schedule_moves_is_moved,
)
