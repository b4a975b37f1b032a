"""Who looks at pictures: a row from the first picture on, and one line when they look no more.

The row is on the disk before the first picture is shown, so that no look is lost with the process:
what was open when the hub stopped becomes a line when it starts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from hub.storage import audit
from hub.storage.audit_acts import Act
from hub.storage.audit_tables import looks
from hub.storage.schema import alerts, incident_entries


@dataclass(slots=True)
class Look:
    """One person looking at one thing. `since` and `until` are RFC 3339 text in UTC, `seen` is when
    the last picture was shown by a clock that is never set, in seconds.
    """

    id: str
    who: str
    address: str
    act: str
    subject: str
    glass: str
    since: str
    until: str
    seen: float
    began: float
    pictures: int = 1
    kept: int = 1


def begin(connection: Connection, look: Look) -> None:
    """Keep that somebody looks from now on."""
    names = ("id", "who", "address", "act", "subject", "glass", "since", "until", "pictures")
    connection.execute(insert(looks), {name: getattr(look, name) for name in names})


def go_on(connection: Connection, still: list[Look]) -> None:
    """Keep until when they have looked so far."""
    if still:
        connection.execute(
            update(looks)
            .where(looks.c.id == bindparam("look"))
            .values(until=bindparam("seen"), pictures=bindparam("count")),
            [{"look": each.id, "seen": each.until, "count": each.pictures} for each in still],
        )


def finish(connection: Connection, over: list[Look], now: datetime) -> None:
    """Write the lines of those who look no more."""
    go_on(connection, over)
    for look in over:
        for row in connection.execute(select(looks).where(looks.c.id == look.id)).all():
            _write(connection, row, now)


def finish_left_over(connection: Connection, now: datetime, mine: Collection[str] = ()) -> int:
    """Write the lines of those who looked when the hub last stopped; how many. `mine` are those
    who have begun since.
    """
    every = connection.execute(select(looks).order_by(looks.c.since)).all()
    rows = [row for row in every if row.id not in mine]
    for row in rows:
        _write(connection, row, now, cut_off=True)
    return len(rows)


def open_looks(connection: Connection) -> list[dict[str, Any]]:
    """Who looks now, in the order they began."""
    rows = connection.execute(select(looks).order_by(looks.c.since, looks.c.id))
    return [dict(row._mapping) for row in rows]


def shown_in(connection: Connection, picture: str) -> str:
    """What a kept picture is part of: `incident/ID` or `alert/ID`; empty where nothing has it."""
    found = connection.execute(
        select(alerts.c.incident, alerts.c.id).where(alerts.c.picture == picture).limit(1)
    ).first()
    if found is not None:
        return f"incident/{found.incident}" if found.incident else f"alert/{found.id}"
    story = select(incident_entries.c.incident).where(incident_entries.c.picture == picture)
    incident = connection.scalar(story.limit(1))
    return f"incident/{incident}" if incident else ""


def _write(connection: Connection, row: Any, now: datetime, cut_off: bool = False) -> None:
    details = {"since": row.since, "until": row.until, "pictures": row.pictures}
    details |= {"glass": row.glass} if row.glass else {}
    act = Act(row.act, row.who, row.subject, "cut off by a stop" if cut_off else "done", details)
    audit.append(connection, act, now, row.address)
    connection.execute(delete(looks).where(looks.c.id == row.id))
