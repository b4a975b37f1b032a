"""Planned drills and evaluations as rows.

Every function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from hub.clock import from_iso, iso
from hub.errors import Refused
from hub.events import new_id
from hub.phrases import phrase
from hub.safety.protocols.wording import wording
from hub.storage.drill_tables import drill_evaluations, drill_plans
from hub.storage.schema import protocol_runs

PlanRow: TypeAlias = Row[Any]
EvaluationRow: TypeAlias = Row[Any]


def add(connection: Connection, values: Mapping[str, Any]) -> PlanRow:
    """Write a plan; returns its row."""
    made = new_id()[:12]
    connection.execute(insert(drill_plans), {"id": made, **values})
    return get(connection, made)


def get(connection: Connection, plan: str) -> PlanRow:
    """One plan. Raises `KeyError`."""
    found = connection.execute(select(drill_plans).where(drill_plans.c.id == plan)).first()
    if found is None:
        raise KeyError(plan)
    return found


def by_key(connection: Connection, key: str) -> PlanRow | None:
    """The plan that was made under a key."""
    wanted = select(drill_plans).where(drill_plans.c.key == key)
    return connection.execute(wanted).first() if key else None


def change(connection: Connection, plan: str, **columns: Any) -> PlanRow:
    """Set columns of a plan; returns its row."""
    connection.execute(update(drill_plans).where(drill_plans.c.id == plan).values(**columns))
    return get(connection, plan)


def between(connection: Connection, since: datetime, until: datetime) -> list[PlanRow]:
    """The plans for a span of time, in their order."""
    wanted = select(drill_plans).where(
        drill_plans.c.due >= iso(since), drill_plans.c.due < iso(until)
    )
    return list(connection.execute(wanted.order_by(drill_plans.c.due, drill_plans.c.id)))


def of_run(connection: Connection, run: str) -> PlanRow | None:
    """The plan that a drill was started for."""
    return connection.execute(select(drill_plans).where(drill_plans.c.run == run)).first()


def of_runs(connection: Connection) -> dict[str, PlanRow]:
    """The plans that drills were started for, by drill."""
    wanted = select(drill_plans).where(drill_plans.c.run != "")
    return {row.run: row for row in connection.execute(wanted)}


def open_until(connection: Connection, until: datetime) -> list[PlanRow]:
    """The plans that nobody has started or called off: those up to a moment, and all of which
    people were told something.
    """
    told = or_(drill_plans.c.reminded > 0, drill_plans.c.missed != "")
    wanted = select(drill_plans).where(
        drill_plans.c.run == "",
        drill_plans.c.off == "",
        or_(drill_plans.c.due <= iso(until), told),
    )
    return list(connection.execute(wanted.order_by(drill_plans.c.due)))


def passed(remind: Sequence[float], due: datetime, now: datetime) -> int:
    """Of the moments at which people are reminded of a drill the last one that has come, in
    seconds before it; 0 while none has.
    """
    come = [each for each in remind if due - timedelta(seconds=each) <= now]
    return round(min(come, default=0))


def may_begin(connection: Connection, plan: str, protocol: str, again: str) -> PlanRow:
    """The plan that a drill is about to be started for. Raises `Refused` where it is over, for
    another protocol, or has been started; but for one that is started `again` by the same press.
    """
    try:
        row = get(connection, plan)
    except KeyError:
        raise Refused(phrase("there is no such planned drill")) from None
    if row.off:
        raise Refused(phrase("this drill has been called off"))
    if row.protocol != protocol:
        name = wording(row.protocol, None).name
        raise Refused(phrase("a drill of %(name)s was planned, and no other", name=name))
    if row.run and row.run != again:
        raise Refused(phrase("this drill has been started before"))
    return row


def begun(connection: Connection, plan: PlanRow, run: str) -> None:
    """Write that a drill was started for a plan; one that goes on for another plan stays that."""
    if not plan.run and of_run(connection, run) is None:
        change(connection, plan.id, run=run)


# --------------------------------------------------------------------------------- what was held


def runs_between(connection: Connection, since: datetime, until: datetime) -> list[Row[Any]]:
    """The drills that were started in a span of time, newest first."""
    wanted = select(protocol_runs).where(
        protocol_runs.c.drill,
        protocol_runs.c.started >= iso(since),
        protocol_runs.c.started < iso(until),
    )
    return list(
        connection.execute(wanted.order_by(protocol_runs.c.started.desc(), protocol_runs.c.id))
    )


def first(connection: Connection) -> datetime | None:
    """When the oldest drill was held, or planned for."""
    held = select(func.min(protocol_runs.c.started)).where(protocol_runs.c.drill)
    found = [connection.scalar(held), connection.scalar(select(func.min(drill_plans.c.due)))]
    return min((from_iso(each) for each in found if each), default=None)


def last(connection: Connection) -> datetime | None:
    """When the last planned drill is to be held."""
    found = connection.scalar(select(func.max(drill_plans.c.due)))
    return from_iso(found) if found else None


# ----------------------------------------------------------------------------------- evaluations


def evaluate(
    connection: Connection,
    run: str,
    by: str,
    answers: Mapping[str, str],
    text: str,
    counts: bool,
    now: datetime,
) -> None:
    """Keep what somebody saw in a drill, in place of what they wrote before."""
    own = (drill_evaluations.c.run == run, drill_evaluations.c.by == by)
    connection.execute(delete(drill_evaluations).where(*own))
    row = {"run": run, "by": by, "time": iso(now), "counts": counts, "text": text}
    connection.execute(insert(drill_evaluations), row | {"answers": json.dumps(dict(answers))})


def evaluations(connection: Connection, runs: Sequence[str]) -> dict[str, list[EvaluationRow]]:
    """What people saw, by drill, oldest first."""
    found: dict[str, list[EvaluationRow]] = {run: [] for run in runs}
    wanted = select(drill_evaluations).where(drill_evaluations.c.run.in_(runs))
    order = (drill_evaluations.c.time, drill_evaluations.c.by)
    for row in connection.execute(wanted.order_by(*order)):
        found[row.run].append(row)
    return found


def counts(said: Sequence[EvaluationRow]) -> bool:
    """Whether a drill counts: as whoever wrote last says."""
    return bool(said[-1].counts) if said else True
