"""Incidents as rows: one story with a place, made of entries in the order things happened.

Every function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, exists, insert, or_, select, update

from hub.campus import Campus
from hub.clock import from_iso, iso
from hub.events import Event, new_id
from hub.incident_settings import KIND_NAMES, IncidentKind
from hub.kinds.notifiers import SEVERITIES, Severity
from hub.safety.words import Words
from hub.storage.schema import actions, alerts, events, incident_entries, incidents
from hub.units import duration_words
from hub.views import ActionView, AlertView, EntryView, IncidentView

IncidentRow: TypeAlias = Row[Any]
EntryRow: TypeAlias = Row[Any]

OPENS: frozenset[Severity] = frozenset({"severe", "high"})
QUIET = timedelta(minutes=30)
SHOWN = 200
CLOCK_AHEAD_S = 2.0
LATE_S = 60.0


def ongoing(
    connection: Connection,
    campus: Campus,
    places: Sequence[str],
    now: datetime,
    drill: bool = False,
) -> str | None:
    """The open incident that a new alert at these places belongs to: it is about one of them, or
    about what they are part of, and something new happened in it not long ago. What is real never
    becomes part of a drill, nor the other way round.
    """
    for row in lively(connection, now):
        if row.drill == drill and any(campus.within(place, row.place) for place in places):
            return str(row.id)
    return None


def open_incident(
    connection: Connection,
    title: str,
    severity: Severity,
    place: str,
    now: datetime,
    *,
    kind: IncidentKind = "other",
    drill: bool = False,
    split_from: str = "",
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
            "kind": kind,
            "drill": drill,
            "split_from": split_from,
        },
    )
    return name


def change(connection: Connection, incident: str, now: datetime, **values: Any) -> None:
    """Write other values of an incident's row, and that something new happened."""
    connection.execute(
        update(incidents).where(incidents.c.id == incident).values(updated=iso(now), **values)
    )


def expect_update(connection: Connection, incident: str, due: str) -> None:
    """Write when people expect the next situation update; waiting for it is nothing new."""
    connection.execute(_EXPECTED, {"incident": incident, "until": due})


def touch(connection: Connection, incident: str, severity: Severity, now: datetime) -> None:
    """Note that something new happened; an incident is as grave as its gravest alert."""
    before = connection.execute(_SEVERITY, {"incident": incident}).scalar_one()
    graver = min(before, severity, key=SEVERITIES.index)
    connection.execute(_TOUCHED, {"incident": incident, "now": iso(now), "as": graver})


def close_if_false(connection: Connection, incident: str, now: datetime) -> bool:
    """Close an open incident once every alert in it was dismissed; true when that happened. What a
    person opened, or holds what a person opened, no false alarm closes.
    """
    standing = exists().where(alerts.c.incident == incident, alerts.c.state != "dismissed")
    inner = select(incidents.c.id).where(incidents.c.id == incident).cte("inner", recursive=True)
    merged = select(incidents.c.id).join(inner, incidents.c.merged_into == inner.c.id)
    by_hand = exists().where(
        incident_entries.c.incident.in_(select(inner.union(merged).c.id)),
        incident_entries.c.type == "incident.opened",
        incident_entries.c.source.startswith("person/"),
    )
    changed = connection.execute(
        update(incidents)
        .where(incidents.c.id == incident, incidents.c.state == "open", ~standing, ~by_hand)
        .values(state="closed", updated=iso(now), update_due="")
        .returning(incidents.c.id)  # how many rows changed nobody knows where a CTE comes first
    )
    return changed.first() is not None


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


# Asked of each notice and event, so made once.
_DRILL = select(incidents.c.drill).where(incidents.c.id == bindparam("incident"))
_ROW = select(incidents).where(incidents.c.id == bindparam("incident"))
_EXPECTED = (
    update(incidents)
    .where(incidents.c.id == bindparam("incident"))
    .values(update_due=bindparam("until"))
)
_SEVERITY = select(incidents.c.severity).where(incidents.c.id == bindparam("incident"))
_TOUCHED = (
    update(incidents)
    .where(incidents.c.id == bindparam("incident"))
    .values(updated=bindparam("now"), severity=bindparam("as"))
)
_CAME = select(events.c.received).where(events.c.id == bindparam("event"))


def known(connection: Connection, incident: str) -> bool:
    """Whether there is an incident of that id."""
    return connection.execute(_DRILL, {"incident": incident}).first() is not None


def is_drill(connection: Connection, incident: str) -> bool:
    """Whether an incident is a drill; none, or one that is not known, is not."""
    return incident != "" and bool(connection.scalar(_DRILL, {"incident": incident}))


def tell(
    connection: Connection,
    incident: str,
    event: Event,
    words: Words,
    received: datetime,
    *,
    new: bool = False,
) -> None:
    """Add an event to an incident's story, in plain words. One that is told later than it came,
    and so is not `new`, keeps the time at which it came.
    """
    text, tone = words.sentence(event)
    came = None if new else connection.scalar(_CAME, {"event": event.id})
    picture = event.data.get("picture")
    connection.execute(
        insert(incident_entries),
        {
            "incident": incident,
            "event": event.id,
            "time": iso(event.time),
            "received": came or iso(received),
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
    found = connection.execute(_ROW, {"incident": incident}).first()
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


def due_updates(connection: Connection, now: datetime) -> list[IncidentRow]:
    """Open incidents in which people have waited too long for a situation update."""
    return list(
        connection.execute(
            select(incidents).where(
                incidents.c.update_due != "",
                incidents.c.update_due <= iso(now),
                incidents.c.state == "open",
            )
        )
    )


def clock_set(connection: Connection, by: timedelta) -> None:
    """People wait as long for a situation update as they had left when the clock was set."""
    waited_for = select(incidents).where(incidents.c.update_due != "")
    for row in connection.execute(waited_for).all():
        expect_update(connection, row.id, iso(from_iso(row.update_due) + by))


def entry(connection: Connection, group: Sequence[str], event: str) -> EntryRow | None:
    """The entry that an event is in the story of incidents that are one; None where it is none."""
    wanted = select(incident_entries).where(
        incident_entries.c.incident.in_(group), incident_entries.c.event == event
    )
    return connection.execute(wanted.order_by(incident_entries.c.id).limit(1)).first()


def copy_entry(connection: Connection, row: EntryRow, incident: str) -> None:
    """Tell what one incident's story says in another's, too."""
    values = dict(row._mapping) | {"incident": incident}
    del values["id"]
    connection.execute(insert(incident_entries), values)


def entries(connection: Connection, *group: str) -> list[EntryView]:
    """The story of an incident, or of several that are one: by the source's time, then in the order
    it was received; what claims to come from the future stands where it was received.
    """
    rows = connection.execute(
        select(incident_entries)
        .where(incident_entries.c.incident.in_(group))
        .order_by(incident_entries.c.id)
    )
    return [_entry(row) for row in sorted(rows, key=lambda row: min(row.time, row.received))]


def _entry(row: EntryRow) -> EntryView:
    late = (from_iso(row.received) - from_iso(row.time)).total_seconds()
    return EntryView(
        event=row.event,
        incident=row.incident,
        time=row.time,
        received=row.received,
        late_s=round(late, 3),
        clock=clock_words(late),
        source=row.source,
        type=row.type,
        text=row.text,
        tone=row.tone,
        picture=row.picture,
        data=json.loads(row.data),
    )


def clock_words(late_s: float) -> str:
    """What is wrong with the clock of a source whose event came so much later than it says."""
    if late_s < -CLOCK_AHEAD_S:
        return f"its clock is {duration_words(round(-late_s))} ahead of the hub's"
    if late_s > LATE_S:
        return f"came {duration_words(round(late_s))} late, or its clock is behind by as much"
    return ""


def view(
    row: IncidentRow,
    campus: Campus,
    alert_views: list[AlertView],
    action_views: list[ActionView],
) -> IncidentView:
    """An incident as pages and the API show it, without its people, tasks, links and story."""
    return IncidentView(
        id=row.id,
        title=row.title,
        severity=row.severity,
        state=row.state,
        place=row.place,
        place_words=campus.words(row.place),
        opened=row.opened,
        updated=row.updated,
        kind=row.kind,
        kind_name=KIND_NAMES.get(row.kind, row.kind),
        drill=row.drill,
        merged_into=row.merged_into,
        update_due=row.update_due or None,
        people=[],
        tasks=[],
        links=[],
        alerts=alert_views,
        actions=action_views,
        entries=[],
    )


def lively(connection: Connection, now: datetime) -> list[IncidentRow]:
    """Open incidents in which something new happened not long ago, the newest first."""
    return list(
        connection.execute(
            select(incidents)
            .where(incidents.c.state == "open", incidents.c.updated >= iso(now - QUIET))
            .order_by(incidents.c.updated.desc())
        )
    )
