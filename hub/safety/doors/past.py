"""What a door has done and been asked lately, in words."""

from __future__ import annotations

from collections.abc import Callable

from hub.clock import iso
from hub.door_views import DoorPastView
from hub.safety.words import Words
from hub.storage import eventlog
from hub.storage.journal import Journal

MOST = 25


async def door_past(
    journal: Journal, words_now: Callable[[], Words], door: str
) -> list[DoorPastView]:
    """The newest events of a door, newest first. Raises `KeyError` for an unknown door."""
    words = words_now()
    if door not in words.config.doors:
        raise KeyError(door)
    found = await journal.read(lambda connection: eventlog.newest_about(connection, door, MOST))
    past = []
    for event in found:
        text, tone = words.sentence(event)
        past.append(DoorPastView(time=iso(event.time), type=event.type, text=text, tone=tone))
    return past
