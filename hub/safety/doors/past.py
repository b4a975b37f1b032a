"""What a door has done and been asked lately, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hub.clock import iso
from hub.door_views import DoorPastView
from hub.events import Event
from hub.phrases import phrase, phrases
from hub.safety.words import Words
from hub.storage import eventlog
from hub.storage.journal import Journal

MOST = 25
LOOKED_AT = 300


async def door_past(
    journal: Journal, words_now: Callable[[], Words], door: str
) -> list[DoorPastView]:
    """The newest events of a door, newest first; tries that failed alike are one line. Raises
    `KeyError` for an unknown door.
    """
    words = words_now()
    if door not in words.config.doors:
        raise KeyError(door)
    found = await journal.read(lambda c: eventlog.newest_about(c, door, LOOKED_AT))
    return [_view(words, event, last) for event, last in _told(found)][:MOST]


def _view(words: Words, event: Event, last: Event | None) -> DoorPastView:
    text, tone = words.sentence(event)
    if event is last:
        text = phrase("%(line)s; asked %(n)s times", line=text, n=_tries(last))
    elif last is not None:
        more = _tries(last) - _tries(event)
        text = phrases(
            "%(line)s; asked once more, until %(time)s",
            "%(line)s; asked %(n)s times more, until %(time)s",
            more, line=text, n=more, time=words.seconds(last.time),
        )  # fmt: skip
    return DoorPastView(time=iso(event.time), type=event.type, text=text, tone=tone)


def _told(found: Sequence[Event]) -> Iterator[tuple[Event, Event | None]]:
    """Events of a door, newest first, without the hub's own tries; each with the newest that ended
    as it did since.
    """
    again: dict[tuple[str, str], Event] = {}
    for event in found:
        end = (event.type, str(event.data.get("detail")))
        if event.data.get("same"):
            again.setdefault(end, event)
        elif not (event.type == "action.requested" and event.data.get("again")):
            yield event, again.pop(end, None)
    for last in again.values():  # the first of them is too long ago
        yield last, last


def _tries(event: Event) -> int:
    return int(event.data.get("tries", 1))
