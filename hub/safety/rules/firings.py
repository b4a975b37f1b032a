"""What the journal knows of a rule: when it fired and for what, and what people said of its alerts.

Every function takes a connection and only reads. How far back it looks is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, func, select

from hub.clock import from_iso, iso
from hub.events import Event
from hub.safety.rules.recall import first_since
from hub.storage import eventlog
from hub.storage.schema import alerts, events, incidents

FIRED = "rule.fired"
LOOKED_BACK = eventlog.LOOKED_BACK


@dataclass(frozen=True, slots=True)
class Fired:
    """When a rule last fired, and how often since a moment."""

    last: str
    count: int


def fired(connection: Connection, since: datetime) -> dict[str, Fired]:
    """By rule: when it last fired, and how often since then."""
    of_each = (
        select(
            events.c.subject,
            func.max(events.c.received).label("last"),
            func.count().filter(events.c.received >= iso(since)).label("count"),
        )
        .where(events.c.type == FIRED)
        .group_by(events.c.subject)
    )
    return {
        row.subject: Fired(row.last, int(row._mapping["count"]))
        for row in connection.execute(of_each)
    }


def newest(connection: Connection, rule: str, limit: int) -> list[Event]:
    """The newest firings of a rule, newest first."""
    of_it = select(events.c.id).where(events.c.type == FIRED, events.c.subject == rule)
    ids = list(connection.scalars(of_it.order_by(events.c.received.desc()).limit(limit)))
    found = [eventlog.get(connection, each) for each in ids]
    return [each for each in found if each is not None]


def firing_for(connection: Connection, rule: str, event: str, since: datetime) -> Event | None:
    """The firing that an event led to; None where the journal has none."""
    of_it = select(events.c.id).where(
        events.c.type == FIRED, events.c.subject == rule, events.c.received >= iso(since)
    )
    for each in connection.scalars(of_it.order_by(events.c.received).limit(200)):
        found = eventlog.get(connection, each)
        if found is not None and event in found.data.get("events", ()):
            return found
    return None


def begin_of(connection: Connection, rule: str, alert: str) -> str | None:
    """The first of the events that led to an alert; None where there is no such alert."""
    of_it = select(alerts.c.event, alerts.c.opened).where(
        alerts.c.id == alert, alerts.c.rule == rule
    )
    row = connection.execute(of_it).first()
    if row is None:
        return None
    firing = firing_for(connection, rule, row.event, from_iso(row.opened))
    led = [] if firing is None else firing.data.get("events") or []
    return str(led[0]) if led else str(row.event)


def judged(connection: Connection, since: datetime) -> dict[str, dict[str, int]]:
    """By rule, how many of its alerts since then are in which state; those of drills left out."""
    counted = (
        select(alerts.c.rule, alerts.c.state, func.count())
        .where(
            alerts.c.opened >= iso(since),
            ~exists().where(incidents.c.id == alerts.c.incident, incidents.c.drill),
        )
        .group_by(alerts.c.rule, alerts.c.state)
    )
    found: dict[str, dict[str, int]] = {}
    for rule, state, count in connection.execute(counted):
        found.setdefault(rule, {})[state] = int(count)
    return found


def seen(
    connection: Connection, types: Sequence[str], until: datetime | None, limit: int
) -> list[tuple[int, Event]]:
    """The newest events of these types up to a moment, newest first, of the `LOOKED_BACK` events
    before it.
    """
    last = eventlog.last_seq(connection)
    if until is not None:
        last = min(last, first_since(connection, until))
    wanted = (
        select(events.c.seq, events.c.id)
        .where(
            events.c.seq > last - LOOKED_BACK, events.c.seq <= last, events.c.type.in_(list(types))
        )
        .order_by(events.c.seq.desc())
        .limit(limit)
    )
    found = [(row.seq, eventlog.get(connection, row.id)) for row in connection.execute(wanted)]
    return [(seq, event) for seq, event in found if event is not None]
