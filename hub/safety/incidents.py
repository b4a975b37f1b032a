"""Incidents as rows: one story with a place, made of entries in the order things happened.

Every function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, exists, insert, or_, select, update

from hub.campus import Campus
from hub.clock import iso
from hub.events import Event, new_id
from hub.kinds.notifiers import SEVERITIES, Severity
from hub.safety.words import Words
from hub.storage.schema import actions, alerts, incident_entries, incidents
from hub.views import ActionView, AlertView, EntryView, IncidentView

IncidentRow: TypeAlias = Row[Any]

OPENS: frozenset[Severity] = frozenset({"severe", "high"})
QUIET = timedelta(minutes=30)
SHOWN = 200


def ongoing(
    connection: Connection, campus: Campus, places: Sequence[str], now: datetime
) -> str | None:
    """The open incident that a new alert at these places belongs to: it is about one of them, or
    about what they are part of, and something new happened in it not long ago.
    """
    for row in _lively(connection, now):
        if any(campus.within(place, row.place) for place in places):
            return str(row.id)
    return None


def open_incident(
    connection: Connection, title: str, severity: Severity, place: str, now: datetime
) -> str:
    """Write a new incident and return its id."""
    stamp = iso(now)
    name = new_id()
    connection.execute(
        insert(incidents),
        {
            "id": name,
            "title": title,
            "severity": severity,
            "state": "open",
            "place": place,
            "opened": stamp,
            "updated": stamp,
        },
    )
    return name


def touch(connection: Connection, incident: str, severity: Severity, now: datetime) -> None:
    """Note that something new happened; an incident is as grave as its gravest alert."""
    row = connection.execute(select(incidents).where(incidents.c.id == incident)).one()
    graver = min(row.severity, severity, key=SEVERITIES.index)
    connection.execute(
        update(incidents)
        .where(incidents.c.id == incident)
        .values(updated=iso(now), severity=graver)
    )


def close_if_false(connection: Connection, incident: str, now: datetime) -> bool:
    """Close an open incident once every alert in it was dismissed; true when that happened."""
    standing = exists().where(alerts.c.incident == incident, alerts.c.state != "dismissed")
    changed = connection.execute(
        update(incidents)
        .where(incidents.c.id == incident, incidents.c.state == "open", ~standing)
        .values(state="closed", updated=iso(now))
    )
    return bool(changed.rowcount)


def concerned(connection: Connection, door: str, now: datetime) -> list[str]:
    """Lively open incidents that a door belongs to: it was commanded or gave the alarm there."""
    commanded = exists().where(
        actions.c.incident == incidents.c.id,
        actions.c.kind == "door",
        actions.c.target == door,
    )
    alarmed = exists().where(alerts.c.incident == incidents.c.id, alerts.c.door == door)
    found = connection.scalars(
        select(incidents.c.id).where(
            incidents.c.state == "open",
            incidents.c.updated >= iso(now - QUIET),
            or_(commanded, alarmed),
        )
    )
    return list(found)


def known(connection: Connection, incident: str) -> bool:
    """Whether there is an incident of that id."""
    found = connection.scalar(select(incidents.c.id).where(incidents.c.id == incident))
    return found is not None


def tell(
    connection: Connection, incident: str, event: Event, words: Words, received: datetime
) -> None:
    """Add an event to an incident's story, in plain words."""
    text, tone = words.sentence(event)
    picture = event.data.get("picture")
    connection.execute(
        insert(incident_entries),
        {
            "incident": incident,
            "event": event.id,
            "time": iso(event.time),
            "received": iso(received),
            "source": event.source,
            "type": event.type,
            "text": text,
            "tone": tone,
            "picture": picture if isinstance(picture, str) else None,
            "data": json.dumps(dict(event.data), ensure_ascii=False),
        },
    )


def get(connection: Connection, incident: str) -> IncidentRow:
    """One incident. Raises `KeyError`."""
    found = connection.execute(select(incidents).where(incidents.c.id == incident)).first()
    if found is None:
        raise KeyError(incident)
    return found


def newest(connection: Connection) -> list[IncidentRow]:
    """The latest incidents, newest first."""
    return list(
        connection.execute(
            select(incidents).order_by(incidents.c.opened.desc(), incidents.c.id).limit(SHOWN)
        )
    )


def entries(connection: Connection, incident: str) -> list[EntryView]:
    """The story: by the source's time, then in the order it was received."""
    rows = connection.execute(
        select(incident_entries)
        .where(incident_entries.c.incident == incident)
        .order_by(incident_entries.c.time, incident_entries.c.id)
    )
    return [
        EntryView(
            time=row.time,
            received=row.received,
            source=row.source,
            type=row.type,
            text=row.text,
            tone=row.tone,
            picture=row.picture,
            data=json.loads(row.data),
        )
        for row in rows
    ]


def view(
    row: IncidentRow,
    campus: Campus,
    alert_views: list[AlertView],
    action_views: list[ActionView],
    story: list[EntryView],
) -> IncidentView:
    """An incident as pages and the API show it."""
    return IncidentView(
        id=row.id,
        title=row.title,
        severity=row.severity,
        state=row.state,
        place=row.place,
        place_words=campus.words(row.place),
        opened=row.opened,
        updated=row.updated,
        alerts=alert_views,
        actions=action_views,
        entries=story,
    )


def _lively(connection: Connection, now: datetime) -> list[IncidentRow]:
    return list(
        connection.execute(
            select(incidents)
            .where(incidents.c.state == "open", incidents.c.updated >= iso(now - QUIET))
            .order_by(incidents.c.updated.desc())
        )
    )
