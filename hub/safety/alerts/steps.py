"""The steps of ladders as rows: written when the alert is raised, each told or called off once.

Every function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from hub.clock import from_iso, iso
from hub.safety.alerts.ladders import FixedLadder
from hub.safety.lanes import NOTICE
from hub.safety.outbox import IN_DIGEST
from hub.storage.schema import actions, alerts, ladder_steps

StepRow: TypeAlias = Row[Any]


def add(connection: Connection, alert: str, ladder: FixedLadder) -> None:
    """Keep a ladder with its alert."""
    who = [each.who for each in ladder.steps]
    kept = {"id": ladder.id, "name": ladder.name, "who": who}
    text = json.dumps(kept, ensure_ascii=False)
    connection.execute(update(alerts).where(alerts.c.id == alert).values(ladder=text))
    connection.execute(
        insert(ladder_steps),
        [
            {
                "alert": alert,
                "step": each.number,
                "due": iso(each.due),
                "payload": json.dumps(each.payload(), ensure_ascii=False),
                "state": "waiting",
            }
            for each in ladder.steps
        ],
    )


def next_due(connection: Connection) -> datetime | None:
    """When the next step is due, or was; None when none waits."""
    found = connection.scalar(
        select(func.min(ladder_steps.c.due)).where(ladder_steps.c.state == "waiting")
    )
    return None if found is None else from_iso(found)


def due(connection: Connection, now: datetime) -> list[StepRow]:
    """The steps whose time has come, oldest first."""
    return list(
        connection.execute(
            select(ladder_steps)
            .where(ladder_steps.c.state == "waiting", ladder_steps.c.due <= iso(now))
            .order_by(ladder_steps.c.due, ladder_steps.c.id)
        )
    )


def told(connection: Connection, rows: Sequence[StepRow], detail: str, now: datetime) -> None:
    """These steps of one alert are done."""
    connection.execute(
        update(ladder_steps)
        .where(ladder_steps.c.id.in_([row.id for row in rows]))
        .values(state="told", finished=iso(now), detail=detail)
    )


def call_off(connection: Connection, alert: str, reason: str, now: datetime) -> None:
    """End what is still to come of an alert's ladder."""
    connection.execute(
        update(ladder_steps)
        .where(ladder_steps.c.alert == alert, ladder_steps.c.state == "waiting")
        .values(state="called_off", finished=iso(now), detail=reason)
    )


def go_on(connection: Connection, alert: str, reason: str, since: str) -> None:
    """What was called off for this reason since then waits as before."""
    connection.execute(
        update(ladder_steps)
        .where(
            ladder_steps.c.alert == alert,
            ladder_steps.c.state == "called_off",
            ladder_steps.c.detail == reason,
            ladder_steps.c.finished >= since,
        )
        .values(state="waiting", finished=None, detail="")
    )


def shift(connection: Connection, by: timedelta, now: datetime) -> None:
    """The wall clock was set: what waits goes on waiting for as long as it had left. An alert that
    was raised since the clock was set forward has its times by the new one.
    """
    before = iso(now - by) if by > timedelta(0) else "9999"
    of_before = select(alerts.c.id).where(alerts.c.opened <= before)
    waiting = select(ladder_steps).where(
        ladder_steps.c.state == "waiting", ladder_steps.c.alert.in_(of_before)
    )
    for row in list(connection.execute(waiting)):
        moved = iso(from_iso(row.due) + by)
        connection.execute(
            update(ladder_steps).where(ladder_steps.c.id == row.id).values(due=moved)
        )


def backdate(connection: Connection, keys: Sequence[str], moment: datetime) -> None:
    """Let notices count as written when their step was due, so that late ones become a digest."""
    late = update(actions).where(actions.c.key.in_(keys))
    connection.execute(late.values(created=iso(moment)))


def last_told(connection: Connection, alert: str) -> datetime | None:
    """When a notice about an alert was last written that was not called off; None for never."""
    said = or_(actions.c.state != "cancelled", actions.c.stop.startswith(IN_DIGEST))
    of_it = select(actions.c.created).where(actions.c.alert == alert, NOTICE, said)
    found = connection.scalar(of_it.order_by(actions.c.id.desc()).limit(1))
    return None if found is None else from_iso(found)


def of_alerts(connection: Connection, chosen: Sequence[str]) -> dict[str, list[StepRow]]:
    """By alert, every step of its ladder in order, without whom it tells."""
    found: dict[str, list[StepRow]] = {alert: [] for alert in chosen}
    if found:
        columns = (ladder_steps.c[name] for name in ("alert", "step", "due", "state"))
        wanted = select(*columns).where(ladder_steps.c.alert.in_(chosen))
        for row in connection.execute(wanted.order_by(ladder_steps.c.alert, ladder_steps.c.step)):
            found[row.alert].append(row)
    return found
