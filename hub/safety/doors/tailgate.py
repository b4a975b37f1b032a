"""More people through a door than were let in: what the door says and what a camera sees, together.

It needs a camera with a zone whose place is the one that the door closes off, drawn at the door's
inside. Who comes from elsewhere in that place into the zone at that moment is counted as well, and
whom no camera sees is not: it is a reason to look, never a proof.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub.config import Config
from hub.events import Event

PASSAGE = timedelta(seconds=15)  # from a grant to the opening
LONGEST = timedelta(seconds=30)  # that a door stands open for one passage
REACH = timedelta(seconds=3)  # from the door's closing to the zone
SHOWS = ("camera", "picture", "box", "frame", "label", "score", "guessing")
MOST_TRACKS = 64
GRANTS = ("access.granted", "access.duress")


@dataclass(slots=True)
class _Passage:
    opening: str
    granted: int
    until: datetime
    seen: dict[str, set[Any]] = field(default_factory=dict)
    told: bool = False


class Passages:
    """Follows events as they are committed; pure but for what it remembers of the last moments."""

    def __init__(self, config: Config) -> None:
        self._grants: dict[str, list[datetime]] = {}
        self._passages: dict[str, _Passage] = {}
        self._doors: dict[str, list[str]] = {}
        for door, block in config.doors.items():
            self._doors.setdefault(block.place, []).append(door)
        self._places = {door: block.place for door, block in config.doors.items()}

    def hear(self, event: Event) -> Event | None:
        """Take in an event; the one to be told of, where it shows somebody too many."""
        if event.type == "zone.entered":
            return self._entered(event)
        if event.subject not in self._places:
            return None
        opened_once = event.type == "action.requested" and event.data.get("verb") == "momentary"
        if event.type in GRANTS or opened_once:
            self._granted(event)
        elif event.type == "door.opened":
            self._opened(event)
        elif event.type == "door.closed" and event.subject in self._passages:
            passage = self._passages[event.subject]
            passage.until = min(passage.until, event.time + REACH)
        return None

    def _granted(self, event: Event) -> None:
        passage = self._passages.get(event.subject)
        if passage is not None and event.time <= passage.until:
            passage.granted += 1
            return
        fresh = [each for each in self._grants.get(event.subject, ()) if _recent(each, event.time)]
        self._grants[event.subject] = [*fresh[-MOST_TRACKS:], event.time]

    def _opened(self, event: Event) -> None:
        grants = self._grants.pop(event.subject, [])
        granted = sum(_recent(each, event.time) for each in grants)
        self._passages.pop(event.subject, None)
        if granted:  # else it was open to all, or somebody leaves, or it was forced
            until = event.time + LONGEST
            self._passages[event.subject] = _Passage(event.id, granted, until)

    def _entered(self, event: Event) -> Event | None:
        place, camera = event.data.get("place"), str(event.data.get("camera"))
        if event.data.get("label") != "person" or not isinstance(place, str):
            return None
        for door in self._doors.get(place, ()):
            passage = self._passages.get(door)
            if passage is None or passage.told or event.time > passage.until:
                continue
            tracks = passage.seen.setdefault(camera, set())
            if len(tracks) < MOST_TRACKS:
                tracks.add(str(event.data.get("track")))
            if len(tracks) > passage.granted:
                passage.told = True
                return self._tailgated(door, passage, event, len(tracks))
        return None

    def _tailgated(self, door: str, passage: _Passage, seen: Event, people: int) -> Event:
        data = {key: seen.data[key] for key in SHOWS if key in seen.data}
        data |= {"door": door, "place": self._places[door]}
        data |= {"granted": passage.granted, "people": people}
        id_ = f"tailgated-{passage.opening}"
        return Event("door.tailgated", f"door/{door}", seen.time, door, data, id_)


def _recent(grant: datetime, now: datetime) -> bool:
    return timedelta(0) <= now - grant <= PASSAGE
