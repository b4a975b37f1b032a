"""What else is near: the places around an incident, and what stands, happens or looks there.

Places are joined by doors, and a room is joined to the floor or area that it is part of. Nobody
walks through a whole building or site in one step: those join nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from hub.camera_views import CameraView
from hub.campus import Campus
from hub.config import Config
from hub.incident_views import NearView
from hub.views import AlertView, DoorView
from hub.visitors_port import VisitView

STEPS = 2
HALLS = ("floor", "area")
T = TypeVar("T", bound=Mapping[str, Any])


def around(config: Config, campus: Campus, place: str, steps: int = STEPS) -> dict[str, int]:
    """Places by how many doors or halls they are away, nearest first; the place itself and all
    that is part of it are 0 away. Empty for an unknown place.
    """
    reached = {each: 0 for each in config.places if campus.within(each, place)}
    joined = _joined(config, campus)
    edge = list(reached)
    for step in range(1, steps + 1):
        beyond = {other: None for each in edge for other in joined.get(each, ())}
        edge = [other for other in beyond if reached.setdefault(other, step) == step]
    return dict(sorted(reached.items(), key=lambda item: item[1]))


def _joined(config: Config, campus: Campus) -> Mapping[str, Sequence[str]]:
    ways: dict[str, dict[str, None]] = {}

    def join(one: str | None, other: str | None) -> None:
        if one in config.places and other in config.places and one != other:
            ways.setdefault(str(one), {})[str(other)] = None
            ways.setdefault(str(other), {})[str(one)] = None

    for block in config.doors.values():
        join(block.place, block.leads_to)
    for name, place in config.places.items():
        if place.parent in config.places and config.places[place.parent].kind in HALLS:
            join(name, place.parent)
    return {name: tuple(others) for name, others in ways.items()}


def near(
    config: Config,
    campus: Campus,
    place: str,
    cameras: Sequence[CameraView] | None,
    doors: Sequence[DoorView] | None,
    visits: Sequence[VisitView] | None,
    alerts: Sequence[AlertView] | None,
    but: Iterable[str] = (),
) -> NearView:
    """What is around a place, each list nearest first; None stays None. `but` are the alerts that
    the incident has itself.
    """
    reached = around(config, campus, place)
    steps: dict[str, int] = {}

    def nearest(things: Iterable[T], places: Callable[[T], Iterable[str | None]]) -> list[T]:
        away: list[tuple[int, T]] = []
        for each in things:
            known = [reached[one] for one in places(each) if one in reached]
            if known:
                away.append((min(known), each))
                name = str(each["id"])  # a camera and a door may share it
                steps[name] = min(min(known), steps.get(name, min(known)))
        return [each for _, each in sorted(away, key=lambda one: one[0])]

    own = set(but)
    open_alerts = [
        each
        for each in alerts or ()
        if each["id"] not in own and each["state"] in ("raised", "unsure")
    ]
    close = nearest(open_alerts, lambda each: [each["place"]])
    seen = nearest(cameras or (), lambda each: _seen_by(config, each["id"]))
    closed_off = nearest(doors or (), lambda each: _sides(config, each["id"]))
    here = [each for each in visits or () if each["state"] == "here"]
    here.sort(key=lambda each: (not each["overstayed"], each["until"]))
    return NearView(
        places=[
            {"id": each, "name": campus.name(each), "steps": step} for each, step in reached.items()
        ],
        cameras=None if cameras is None else seen,
        doors=None if doors is None else closed_off,
        visitors=None if visits is None else here,
        alerts=None if alerts is None else close,
        alerts_elsewhere=len(open_alerts) - len(close),
        steps=steps,
    )


def _seen_by(config: Config, camera: str) -> list[str]:
    block = config.cameras.get(camera)
    return [] if block is None else [block.place, *(zone.place for zone in block.zones)]


def _sides(config: Config, door: str) -> list[str | None]:
    block = config.doors.get(door)
    return [] if block is None else [block.place, block.leads_to]
