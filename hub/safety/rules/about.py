"""What an event is about: the door, camera and place it concerns, filled in from the configuration.

An empty text stands for what an event does not say. Nothing here raises, whatever the data hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from hub.campus import Campus
from hub.config import Config, Same
from hub.events import Event

IN_DRILL = " in a drill"
HELP_RULE = "help"  # in place of a rule's name where a call for help is no rule's doing


@dataclass(frozen=True, slots=True)
class About:
    """What an event is about; an empty text where it does not say. Two events with the same `scope`
    are about the same thing: a door, a camera's working, a place, or else the event's subject; what
    is played in a drill is never the same as what is real.
    """

    scope: str
    place: str = ""
    camera: str = ""
    door: str = ""
    places: tuple[str, ...] = ()
    drill: bool = False


def of_drill(event: Event) -> bool:
    """Whether an event is played in a drill: it says so itself."""
    return event.data.get("drill") is True


def about_event(event: Event, config: Config) -> About:
    """The place, camera and door of an event, filled in from the configuration."""
    area, _, name = event.source.partition("/")
    door = text(event.data, "door") or (event.subject if event.type.startswith("door.") else "")
    camera = text(event.data, "camera") or (name if area == "camera" else "")
    if event.type.startswith("camera."):
        camera = camera or event.subject
    place = text(event.data, "place")
    scope = f"place/{place}" if place else f"subject/{event.subject}"
    if door:
        scope = f"door/{door}"
    elif event.type.startswith("camera."):
        scope = f"camera/{camera}"
    places = [place] if place else []
    desk = config.visitors.get(text(event.data, "desk"))
    if door in config.doors:
        block = config.doors[door]
        places += [block.place, *((block.leads_to,) if block.leads_to else ())]
    elif not place and camera in config.cameras:
        places.append(config.cameras[camera].place)
    elif not place and desk is not None and desk.place is not None:
        places.append(desk.place)
    drill = of_drill(event)
    scope += IN_DRILL if drill else ""
    return About(scope, places[0] if places else "", camera, door, tuple(places), drill)


def quiet_about(event: Event, about: About) -> str:
    """What a cooldown keeps a rule quiet about: the subject, and of what another system reports
    the label too, since a weapon is no more of the fight before it.
    """
    label = text(event.data, "label") if event.type == "report.received" else ""
    return f"{about.scope}/{label}" if label else about.scope


def camera_for(about: About, config: Config, campus: Campus) -> str:
    """The camera that saw it, else the one that looks closest at its places; empty for none."""
    if about.camera:
        return about.camera
    found: list[tuple[bool, str]] = []
    for camera, block in config.cameras.items():
        seen = {block.place, *(zone.place for zone in block.zones)}
        inside = any(campus.within(one, place) for one in seen for place in about.places)
        if block.enabled and inside:
            found.append((seen.isdisjoint(about.places), camera))
    return min(found, key=lambda ranked: ranked[0])[1] if found else ""


def number(value: Any) -> float | None:
    """A number as it came in JSON; None for anything else, and for one past all bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def text(data: Mapping[str, Any], key: str) -> str:
    """A text of an event's data; empty where there is none."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def slim(event: Event) -> Event:
    """The event as it may be remembered for long: without large values, under the same id."""
    small = {key: value for key, value in islice(event.data.items(), 64) if _is_small(value)}
    return replace(event, data=small)


def _is_small(value: object) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= 8 and all(number(each) is not None for each in value)
    if isinstance(value, int):
        return value.bit_length() <= 64
    return not isinstance(value, Mapping) and len(str(value)) <= 200


def track(event: Event, about: About) -> str:
    """Which one was seen, across events of one camera; empty where the event does not say."""
    value = event.data.get("track")
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    return f"{about.camera}/{str(value)[:64]}"


# What events share, by the word that rules use for it; an empty text is nothing to share.
SHARED: Mapping[Same, Callable[[Event, About], str]] = {
    "subject": lambda event, about: about.scope,
    "place": lambda event, about: about.place,
    "door": lambda event, about: about.door,
    "camera": lambda event, about: about.camera,
    "label": lambda event, about: text(event.data, "label"),
    "track": track,
    "anything": lambda event, about: "*",
}
