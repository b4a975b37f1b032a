"""Lines that the audit still owes: of events that are acts and got no line when they came.

That is so where a line could not be written, since what people's safety needs is not held up for
one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, exists, select
from sqlalchemy.dialects.sqlite import insert

from hub.clock import iso
from hub.storage import audit, eventlog
from hub.storage.audit_acts import TYPES, act_of
from hub.storage.audit_tables import lines
from hub.storage.schema import events, meta

CHECKED = "audit.checked"
MOST = 1000
FAR = 10_000


def begin(connection: Connection) -> None:
    """Where nobody has looked yet, owe nothing of before: the audit begins with this version."""
    if connection.scalar(select(meta.c.value).where(meta.c.key == CHECKED)) is None:
        _keep(connection, eventlog.last_seq(connection))


def behind(connection: Connection) -> bool:
    """Whether there is something to settle: a line may be owed, or so many events came since that
    looking through them again and again would cost too much.
    """
    return eventlog.last_seq(connection) - _checked(connection) > FAR or bool(owed(connection))


def owed(connection: Connection) -> list[int]:
    """The numbers of events that may be acts and have no line, oldest first, at most `MOST`."""
    line = exists().where(lines.c.event == events.c.id, lines.c.event != "")
    query = select(events.c.seq).where(
        events.c.seq > _checked(connection), events.c.type.in_(sorted(TYPES)), ~line
    )
    return [int(seq) for seq in connection.scalars(query.order_by(events.c.seq).limit(MOST))]


def settle(connection: Connection, now: datetime) -> int:
    """Write the lines that are owed; returns how many. Each says when the act was."""
    last, written = eventlog.last_seq(connection), 0
    missing = owed(connection)
    for seq in missing:
        for _, event in eventlog.after(connection, seq - 1, 1):
            act = act_of(event)
            if act is not None:
                details = dict(act.details or {}) | {"was": iso(event.time)}
                audit.append(connection, replace(act, details=details), now, "")
                written += 1
    _keep(connection, missing[-1] if len(missing) == MOST else last)
    return written


def _checked(connection: Connection) -> int:
    """The number of the last event that was looked at."""
    return int(connection.scalar(select(meta.c.value).where(meta.c.key == CHECKED)) or 0)


def _keep(connection: Connection, seq: int) -> None:
    row = {"key": CHECKED, "value": str(seq)}
    connection.execute(
        insert(meta).values(row).on_conflict_do_update(index_elements=["key"], set_=row)
    )
