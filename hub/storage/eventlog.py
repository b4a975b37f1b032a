"""Events as rows of the journal: appended once each, read in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert

from hub.clock import from_iso, iso
from hub.events import Event
from hub.storage import audit
from hub.storage.schema import events

LARGEST = 1_000_000
NEWEST = 100
LOOKED_BACK = 50_000
CLOCK_MOVED = "clock.moved"
HEARTBEAT = "hub.heartbeat"  # the hub's own test event, which nobody follows

_append = insert(events).on_conflict_do_nothing(index_elements=[events.c.id])
_BY_ID = select(events).where(events.c.id == bindparam("event"))


def encode(data: Mapping[str, Any]) -> str:
    """Event data as JSON text. Raises `ValueError` for what JSON cannot say, for half a character
    (a lone surrogate), which no journal can hold, or past 1 MB.
    """
    try:
        text = json.dumps(dict(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except TypeError as error:
        raise ValueError(f"event data is not plain JSON: {error}") from None
    if len(text) > LARGEST:
        raise ValueError(f"event data of {len(text)} characters; at most {LARGEST} are kept")
    _whole(text, "event data")
    return text


def check(event: Event) -> None:
    """Raises `ValueError` where what an event is called holds half a character."""
    for name in ("type", "source", "subject", "id"):
        _whole(getattr(event, name), f"the event's {name}")


def _whole(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{what} holds half a character (a lone surrogate) at {error.start}; expected text "
            "that can be written as UTF-8"
        ) from None


def append(connection: Connection, event: Event, received: datetime, data: str) -> int | None:
    """Write an event, and the audit's line of one that is an act; returns its sequence number, or
    None when its id is already there.
    """
    result = connection.execute(
        _append,
        {
            "id": event.id,
            "type": event.type,
            "source": event.source,
            "subject": event.subject,
            "time": iso(event.time),
            "received": iso(received),
            "data": data,
        },
    )
    if result.rowcount != 1:
        return None
    seq = int(result.lastrowid)
    audit.tell_of(connection, event, received)
    return seq


def get(connection: Connection, event: str) -> Event | None:
    """One event by its id."""
    row = connection.execute(_BY_ID, {"event": event}).first()
    return None if row is None else _event(row)


def seq_of(connection: Connection, event: str) -> int:
    """The sequence number of an event. Raises `KeyError`."""
    found = connection.scalar(select(events.c.seq).where(events.c.id == event))
    if found is None:
        raise KeyError(event)
    return int(found)


def after(
    connection: Connection, seq: int, limit: int, types: Sequence[str] = ()
) -> list[tuple[int, Event]]:
    """Events with a sequence number above `seq`, oldest first, at most `limit`; of these types,
    where some are named.
    """
    wanted = select(events).where(events.c.seq > seq, events.c.type != HEARTBEAT)
    if types:
        wanted = wanted.where(events.c.type.in_(types))
    rows = connection.execute(wanted.order_by(events.c.seq).limit(limit))
    return [(row.seq, _event(row)) for row in rows]


def newest_about(connection: Connection, subject: str, limit: int) -> list[Event]:
    """The newest events with this subject, newest first, among the newest `LOOKED_BACK` of all."""
    wanted = select(events).where(
        events.c.seq > last_seq(connection) - LOOKED_BACK, events.c.subject == subject
    )
    rows = connection.execute(wanted.order_by(events.c.seq.desc()).limit(limit))
    return [_event(row) for row in rows]


def last_received(connection: Connection) -> datetime:
    """The latest moment, by the clock of its time, at which one of the newest events was written
    since the clock was last known to be set; the year 1 where there are none.
    """
    newest = select(events.c.type, events.c.received).order_by(events.c.seq.desc()).limit(NEWEST)
    latest = ""
    for row in connection.execute(newest):
        latest = max(latest, row.received)
        if row.type == CLOCK_MOVED:
            break
    return from_iso(latest) if latest else datetime.min.replace(tzinfo=UTC)


def last_seq(connection: Connection) -> int:
    """The sequence number of the newest event; 0 when there is none."""
    return int(connection.scalar(select(func.max(events.c.seq))) or 0)


def _event(row: Row[Any]) -> Event:
    return Event(
        type=row.type,
        source=row.source,
        time=from_iso(row.time),
        subject=row.subject,
        data=json.loads(row.data),
        id=row.id,
    )
