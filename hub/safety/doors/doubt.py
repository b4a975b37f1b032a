"""Whether timetables can know the hour: not by a clock that is behind what the journal has seen.

A machine whose battery is empty comes back from a power cut in another year, and at another hour of
the day. Nobody wants a door opened in the night by that: until the clock is past what the journal
knows, was set forward, or is kept by a time server, timetables open nothing.
Every function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from hub.clock import from_iso, iso
from hub.storage import eventlog
from hub.storage.schema import meta

KEY = "clock doubted until"
DOUBTED_FROM = timedelta(minutes=10)  # so much earlier or later a door may open by a timetable
LOOK_AGAIN = timedelta(minutes=1)


def is_behind(connection: Connection, now: datetime) -> bool:
    """Whether the clock is well behind the journal, as only the start of a hub can find it: while
    one runs, whoever sets the clock does so with intent.
    """
    return eventlog.last_received(connection) - now > DOUBTED_FROM


def begin(connection: Connection, now: datetime) -> None:
    """Doubt the clock until it is past what the journal knows, where it is behind that."""
    if not is_behind(connection, now):
        return
    row = insert(meta).values(key=KEY, value=iso(eventlog.last_received(connection)))
    connection.execute(
        row.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": row.excluded.value})
    )


def until(connection: Connection, now: datetime) -> datetime | None:
    """What the clock has to be past to be believed; None where it is believed."""
    found = connection.scalar(select(meta.c.value).where(meta.c.key == KEY))
    moment = None if found is None else from_iso(found)
    return moment if moment is not None and now < moment else None


def end(connection: Connection) -> None:
    """Believe the clock."""
    connection.execute(delete(meta).where(meta.c.key == KEY))
