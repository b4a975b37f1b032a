"""Runs of protocols as rows, and the doors of each.

Every function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from hub.campus import Campus
from hub.clock import iso
from hub.safety.lanes import NOTICE
from hub.storage.schema import actions, incidents, protocol_doors, protocol_duress, protocol_runs

RunRow: TypeAlias = Row[Any]
RunDoorRow: TypeAlias = Row[Any]
Phase = Literal["start", "clear"]

UNDONE = ("waiting", "retrying", "suspended")
LATELY = 8
WRITTEN: ColumnElement[int] = literal_column("protocol_runs.rowid")  # of two at one moment


def add(connection: Connection, values: dict[str, Any]) -> RunRow:
    """Write a run that begins; returns its row."""
    connection.execute(insert(protocol_runs), values)
    return get(connection, str(values["id"]))


def get(connection: Connection, run: str) -> RunRow:
    """One run. Raises `KeyError`."""
    found = connection.execute(select(protocol_runs).where(protocol_runs.c.id == run)).first()
    if found is None:
        raise KeyError(run)
    return found


def by_key(connection: Connection, key: str) -> RunRow | None:
    """The run that was started last under a key."""
    under = select(protocol_runs).where(protocol_runs.c.key == key)
    return connection.execute(under.order_by(WRITTEN.desc())).first()


def of_alert(connection: Connection, alert: str) -> RunRow | None:
    """The run that an alert tells of."""
    return connection.execute(select(protocol_runs).where(protocol_runs.c.alert == alert)).first()


def of_incident(connection: Connection, incident: str) -> list[RunRow]:
    """The runs that an incident, or one that was merged into it, tells of; oldest first."""
    inner = select(incidents.c.id).where(incidents.c.id == incident).cte("inner", recursive=True)
    merged = select(incidents.c.id).join(inner, incidents.c.merged_into == inner.c.id)
    wanted = select(protocol_runs).where(
        protocol_runs.c.incident.in_(select(inner.union(merged).c.id))
    )
    return list(connection.execute(wanted.order_by(protocol_runs.c.started, WRITTEN)))


def change(connection: Connection, run: str, **columns: str) -> RunRow:
    """Set columns of a run; returns its row."""
    changed = update(protocol_runs).where(protocol_runs.c.id == run)
    connection.execute(changed.values(**columns))
    return get(connection, run)


def in_force(connection: Connection) -> list[RunRow]:
    """Every run that nobody has ended, oldest first."""
    standing = select(protocol_runs).where(protocol_runs.c.ended == "")
    return list(connection.execute(standing.order_by(protocol_runs.c.started, WRITTEN)))


def undecided(connection: Connection, now: datetime) -> list[RunRow]:
    """Runs for which a fire alarm wanted a decision by now, that nobody has given or missed yet."""
    due = select(protocol_runs).where(
        protocol_runs.c.ended == "",
        protocol_runs.c.decide_by != "",
        protocol_runs.c.decide_by <= iso(now),
        protocol_runs.c.decision == "",
    )
    return list(connection.execute(due))


def lately(connection: Connection) -> list[RunRow]:
    """The runs that were ended last, newest first."""
    over = select(protocol_runs).where(protocol_runs.c.ended != "")
    return list(
        connection.execute(
            over.order_by(protocol_runs.c.ended.desc(), WRITTEN.desc()).limit(LATELY)
        )
    )


def location(run: RunRow) -> str:
    """Where to people go in a run; empty where that is what the configuration says."""
    return str(json.loads(run.plan).get("location", ""))


def overlap(campus: Campus, one: str, other: str) -> bool:
    """Whether two areas have a part in common: one is a part of the other, or the same."""
    return campus.within(one, other) or campus.within(other, one)


def covered(campus: Campus, run: RunRow, standing: Sequence[RunRow]) -> bool:
    """Whether a run that was started later, over all of its area, is in force in its place. Nothing
    but Evacuate takes a lockdown's place.
    """
    later = standing[next((at for at, one in enumerate(standing) if one.id == run.id), 0) + 1 :]
    if run.protocol == "lockdown":
        later = [one for one in later if one.protocol in ("lockdown", "evacuate")]
    return any(one.drill == run.drill and campus.within(run.area, one.area) for one in later)


# ------------------------------------------------------------------------------------ its doors


def add_door(
    connection: Connection,
    run: str,
    phase: Phase,
    door: str,
    verb: str,
    state: str,
    now: datetime,
    detail: str = "",
    settled: str = "",
) -> None:
    """Write that a door is to be moved, or why not."""
    connection.execute(
        insert(protocol_doors),
        {
            "run": run,
            "phase": phase,
            "door": door,
            "verb": verb,
            "state": state,
            "since": iso(now),
            "detail": detail,
            "settled": settled,
        },
    )


def doors(connection: Connection, run: str, phase: Phase) -> list[RunDoorRow]:
    """The doors of a run, in the order in which they were asked."""
    wanted = select(protocol_doors).where(
        protocol_doors.c.run == run, protocol_doors.c.phase == phase
    )
    return list(connection.execute(wanted.order_by(protocol_doors.c.since, protocol_doors.c.door)))


def following(connection: Connection, door: str) -> list[tuple[RunRow, RunDoorRow]]:
    """The runs in force that want something of a door, and those ended that let go of it and have
    not seen it go back.
    """
    of_door = select(protocol_doors).join(protocol_runs, protocol_runs.c.id == protocol_doors.c.run)
    standing = and_(protocol_doors.c.phase == "start", protocol_runs.c.ended == "")
    going = and_(protocol_doors.c.phase == "clear", protocol_doors.c.state.in_(UNDONE))
    found = of_door.where(protocol_doors.c.door == door, or_(standing, going))
    return [(get(connection, row.run), row) for row in connection.execute(found)]


def unanswered(connection: Connection, run: str, phase: Phase) -> bool:
    """Whether a door of a run has not answered at all yet."""
    one = select(protocol_doors.c.door).where(
        protocol_doors.c.run == run,
        protocol_doors.c.phase == phase,
        protocol_doors.c.state == "waiting",
    )
    return connection.execute(one.limit(1)).first() is not None


def waiting(connection: Connection) -> list[RunDoorRow]:
    """The doors of runs in force that have not answered yet, or not as they should."""
    wanted = select(protocol_doors).join(protocol_runs, protocol_runs.c.id == protocol_doors.c.run)
    return list(
        connection.execute(
            wanted.where(
                protocol_runs.c.ended == "",
                protocol_doors.c.phase == "start",
                protocol_doors.c.state.in_(("waiting", "retrying")),
            )
        )
    )


def not_back(connection: Connection, since: datetime) -> list[tuple[RunRow, RunDoorRow]]:
    """The doors that did not go back when their run was ended, after a moment."""
    found = connection.execute(
        select(protocol_doors).where(
            protocol_doors.c.phase == "clear",
            protocol_doors.c.state == "retrying",
            protocol_doors.c.since >= iso(since),
        )
    )
    return [(get(connection, row.run), row) for row in found]


def leave_where_they_are(connection: Connection, why: str) -> None:
    """Ask nothing more of the doors that have not gone back since their run was ended."""
    going = and_(protocol_doors.c.phase == "clear", protocol_doors.c.state.in_(UNDONE))
    connection.execute(update(protocol_doors).where(going).values(state="suspended", detail=why))


def change_door(connection: Connection, row: RunDoorRow, **columns: Any) -> None:
    """Set columns of a door of a run."""
    connection.execute(
        update(protocol_doors)
        .where(
            protocol_doors.c.run == row.run,
            protocol_doors.c.phase == row.phase,
            protocol_doors.c.door == row.door,
        )
        .values(**columns)
    )


# ---------------------------------------------------------------------------------- its notices


def notices(connection: Connection, alert: str) -> list[Row[Any]]:
    """Every notice that tells of a run, oldest first."""
    wanted = select(actions).where(actions.c.alert == alert, NOTICE)
    return list(connection.execute(wanted.order_by(actions.c.id))) if alert else []


# --------------------------------------------------------------------------------------- duress


def note_duress(
    connection: Connection, run: str, viewer: str, by: str, event: str, now: datetime
) -> None:
    """Keep who is to be shown that a run has ended, although it has not."""
    of_it = (protocol_duress.c.run == run) & (protocol_duress.c.viewer == viewer)
    connection.execute(delete(protocol_duress).where(of_it))
    row = {"run": run, "viewer": viewer, "by": by, "event": event, "time": iso(now)}
    connection.execute(insert(protocol_duress), row)


def duress(connection: Connection, run: str) -> list[Row[Any]]:
    """Every duress at a run, oldest first."""
    wanted = select(protocol_duress).where(protocol_duress.c.run == run)
    return list(connection.execute(wanted.order_by(protocol_duress.c.time)))


def shown_ended(connection: Connection, viewer: str) -> dict[str, Row[Any]]:
    """The runs that one viewer is shown as ended, each with since when and by whom."""
    if not viewer:
        return {}
    wanted = select(protocol_duress).where(protocol_duress.c.viewer == viewer)
    return {row.run: row for row in connection.execute(wanted)}


def show_again(connection: Connection, run: str, viewer: str, now: datetime) -> None:
    """Show a viewer as it is what they were shown as ended: they have started it once more."""
    of_it = (protocol_duress.c.run == run) & (protocol_duress.c.viewer == viewer)
    connection.execute(
        update(protocol_duress).where(of_it).values(viewer=f"{viewer} until {iso(now)}")
    )
