"""How far a role reaches: the cameras, doors, places and desks within it.

Where `roles:` says nothing of places and cameras a role reaches everything. What breaking the glass
gives somebody reaches everything too, whatever their role says.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hub.campus import Campus
from hub.config import Config

Names = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Reach:
    """What lies within; None is everything. `cameras` are seen, `doors` are seen from either side,
    `commanded` are those that close off a place within; `alerts` and `incidents` are places,
    `desks` visitor systems.
    """

    cameras: Names = None
    doors: Names = None
    commanded: Names = None
    alerts: Names = None
    incidents: Names = None
    desks: Names = None

    @property
    def whole(self) -> bool:
        """Whether nothing lies beyond it."""
        return self == EVERYTHING


EVERYTHING = Reach()


def within(names: Names, name: str | None) -> bool:
    """Whether a name lies within."""
    return names is None or name in names


def reach_of(
    role: str,
    config: Config,
    campus: Campus,
    freed: frozenset[str] = frozenset(),
    *,
    off_duty: bool = False,
) -> Reach:
    """How far holders of a role reach. `freed` are permissions that reach everywhere for now;
    but for them nobody reaches anything who is `off_duty`.
    """
    settings = config.roles.get(role)
    if not off_duty and (settings is None or not (settings.places or settings.cameras)):
        return EVERYTHING
    places: Names = frozenset()
    inside: Names = frozenset()
    if settings is not None and not off_duty:
        places = _within(settings.places, config, campus) if settings.places else None
        inside = frozenset(
            name
            for name, camera in config.cameras.items()
            if within(places, camera.place) and (not settings.cameras or name in settings.cameras)
        )
    desks = None
    if places is not None:
        desks = frozenset(n for n, desk in config.visitors.items() if desk.place in places)
    return Reach(
        cameras=None if "see.cameras" in freed else inside,
        doors=None if freed & {"see.doors", "command.doors"} else _doors(config, places, both=True),
        commanded=None if "command.doors" in freed else _doors(config, places, both=False),
        alerts=None if freed & {"see.alerts", "give.verdict"} else places,
        incidents=None if freed & {"see.incidents", "work.incidents"} else places,
        desks=None if freed & {"see.visitors", "work.visitors"} else desks,
    )


def reach_of_area(
    area: str, cameras: Collection[str], config: Config, campus: Campus, *, stories: bool = False
) -> Reach:
    """What a guest of one area reaches: its doors, the cameras chosen for them, and with `stories`
    what happened there. Nothing can be commanded.
    """
    places = _within([area], config, campus)
    told = places if stories else frozenset[str]()
    return Reach(
        cameras=frozenset(cameras),
        doors=_doors(config, places, both=True),
        commanded=frozenset(),
        alerts=told,
        incidents=told,
        desks=frozenset(),
    )


def _within(outer: Collection[str], config: Config, campus: Campus) -> frozenset[str]:
    return frozenset(
        name for name in config.places if any(campus.within(name, each) for each in outer)
    )


def _doors(config: Config, places: Names, *, both: bool) -> Names:
    if places is None:
        return None
    return frozenset(
        name
        for name, door in config.doors.items()
        if door.place in places or (both and door.leads_to in places)
    )
