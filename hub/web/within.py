"""What of alerts, incidents, events and sentences lies within somebody's reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.identity.reach import Names, Reach, within
from hub.incident_views import CaseLinkView
from hub.views import AlertView, EntryView, IncidentView

FOR_ALL = ("protocol.", "fire.", "doors.", "hub.", "process.", "config.", "glass.")
"""What concerns everybody: protocols in force, the fire alarm, the hub itself."""


def alert_within(view: AlertView, names: Names) -> bool:
    """Whether an alert, or a part of it, happened at one of these places."""
    return within(names, view["place"]) or any(
        within(names, each["place"]) for each in view["together"]
    )


def whole_within(view: AlertView, names: Names) -> bool:
    """Whether an alert and all its parts happened at these places."""
    return within(names, view["place"]) and all(
        within(names, each["place"]) for each in view["together"]
    )


def seen_alert(view: AlertView, reach: Reach) -> AlertView:
    """An alert without the picture of a camera beyond reach, and without its parts there: one that
    began beyond reach is told as if it had begun with the first part within.
    """
    parts = [each for each in view["together"] if within(reach.alerts, each["place"])]
    if parts and not within(reach.alerts, view["place"]):
        first = parts[0]
        view = {
            **view,
            "camera": first["camera"],
            "door": first["door"],
            "place": first["place"],
            "place_name": first["place_words"].partition(", ")[0],
            "place_words": first["place_words"],
            "picture": None,
        }
    view = {**view, "together": parts if len(parts) > 1 else []}
    camera = view["camera"]
    if reach.cameras is None or (camera and camera in reach.cameras):
        return view
    return {**view, "camera": "", "picture": None, "box": None, "frame_size": None}


def incident_within(view: IncidentView, reach: Reach) -> bool:
    """Whether an incident, or a part of it, happened at a place within."""
    places = reach.incidents
    return within(places, view["place"]) or any(alert_within(e, places) for e in view["alerts"])


def seen_incident(
    view: IncidentView, reach: Reach, links: Sequence[CaseLinkView] = ()
) -> IncidentView:
    """An incident as far as it lies within reach: its alerts, doors, pictures and story. `links`
    are those of its links to others that do too.
    """
    if reach.whole:
        return view
    places = reach.incidents
    return {
        **view,
        "links": list(links),
        "alerts": [seen_alert(e, reach) for e in view["alerts"] if alert_within(e, places)],
        "actions": [
            each
            for each in view["actions"]
            if each["kind"] != "door" or within(reach.doors, each["target"])
        ],
        "entries": [e for each in view["entries"] if (e := _seen_entry(each, reach)) is not None],
    }


def _seen_entry(entry: EntryView, reach: Reach) -> EntryView | None:
    """A line of a story: where it happened decides, and of its picture the camera."""
    place, camera, door = _sides(entry["type"], entry["source"], "", entry["data"], reach)
    if place is False or (place is None and (camera is False or door is False)):
        return None
    shown = camera is not False and (camera or reach.cameras is None)
    if shown or not (entry["picture"] or camera is False):
        return entry
    hidden = ("picture", "box", "frame", "camera")
    data = {name: value for name, value in entry["data"].items() if name not in hidden}
    return {**entry, "picture": None, "data": data}


def seen_event(event: Event, reach: Reach) -> bool | None:
    """Whether an event lies within reach; None where it does not say where it happened."""
    if reach.whole or event.type.startswith(FOR_ALL):
        return True
    sides = _sides(event.type, event.source, event.subject, event.data, reach)
    if False in sides:
        return False
    return True if True in sides else None


def _sides(
    kind: str, source: str, subject: str, data: Mapping[str, Any], reach: Reach
) -> tuple[bool | None, bool | None, bool | None]:
    """Whether the place, the camera and the door of something lie within; None for one that it
    does not name.
    """
    origin, _, named = source.partition("/")
    camera = data.get("camera") or (named if origin in ("camera", "cameras") else "")
    door = data.get("door") or (named if origin == "door" else "")
    if not door and data.get("kind") == "door":
        door = data.get("target") or subject
    place = data.get("place")
    return (
        within(reach.alerts, str(place)) if place else None,
        within(reach.cameras, str(camera)) if camera else None,
        within(reach.doors, str(door)) if door else None,
    )


@lru_cache(maxsize=64)
def _pattern(names: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")


def names_beyond(config: Config, campus: Campus, reach: Reach) -> Callable[[str], bool]:
    """Tells sentences that name a camera or a door beyond reach."""
    names: set[str] = set()
    for camera, block in config.cameras.items():
        if not within(reach.cameras, camera):
            names |= {camera, block.name or campus.name(block.place)}
    for door, gate in config.doors.items():
        if not within(reach.doors, door):
            names |= {door, gate.name or door}
    if not names:
        return lambda said: False
    pattern = _pattern(frozenset(names))
    return lambda said: pattern.search(said) is not None
