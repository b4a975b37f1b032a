"""The look at what nobody has received: alerts without a receipt, and steps that are overdue."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, update

from hub.clock import from_iso, iso
from hub.safety.alerts import rows as alert_rows
from hub.safety.alerts import steps
from hub.safety.alerts.gather import Gathering
from hub.safety.alerts.rows import AlertRow
from hub.safety.incidents import rows as incidents
from hub.safety.lanes import NOTICE
from hub.safety.notices import notice as notices
from hub.safety.notices.languages import of_unheard
from hub.safety.outbox import IN_DIGEST
from hub.storage.schema import actions, alerts, demotions, ladder_steps, receipts

UNHEARD_AFTER = timedelta(minutes=1)
OVERDUE_AFTER = timedelta(seconds=20)
LOOKED_AT = timedelta(hours=24)
LOUD = ("severe", "high")


class Auditing(Gathering):
    """Finds what went unheard, and tries everything else once."""

    def look(self) -> None:
        """Look at every open alert and every step. An alert that nobody has received within a
        minute is an event, and goes out through every other channel; a step that is overdue is one
        too, and is taken.
        """
        forget_heard(self._connection)
        before, after = self._now - UNHEARD_AFTER, self._now - LOOKED_AT
        for row in without_receipt(self._connection, before, after):
            self._try_all(row)
        overdue = steps.due(self._connection, self._now - OVERDUE_AFTER)
        for alert in dict.fromkeys(step.alert for step in overdue):
            first = next(step for step in overdue if step.alert == alert)
            late = self._now - from_iso(first.due)
            words = f"step {first.step} of its ladder is {round(late.total_seconds())} s overdue"
            self._tell_unheard(alert_rows.get(self._connection, alert), words, [])
        if overdue:
            self.climb()

    def _try_all(self, row: AlertRow) -> None:
        """Tell those who were to be told through every channel that was not tried yet."""
        charter = self._charter
        rows = list(
            self._connection.execute(select(actions).where(actions.c.alert == row.id, NOTICE))
        )
        tried = {each.target for each in rows}
        asleep = held_now(self._connection, row.id, self._now)
        people = dict.fromkeys(
            one["person"]
            for each in rows
            if each.key not in asleep
            for one in json.loads(each.payload)["to"]
        )
        others = [
            name
            for name, block in charter.config.notifiers.items()
            if block.enabled and name not in tried and charter.private(name)
        ]
        via = ", ".join(charter.words.channel(name) for name in sorted(tried))
        reason = f"nothing arrived within a minute through {via}"
        reason += "" if others else "; there is no other channel"
        self._connection.execute(
            update(alerts).where(alerts.c.id == row.id).values(unheard=iso(self._now))
        )
        self._tell_unheard(row, reason, others)
        message = self._alarm(row, of_unheard(via))
        message = replace(message, data={**message.data, "unheard": True})
        for intention in notices.intentions(
            charter.config, charter.words, message, list(people), others
        ):
            self._intend(intention)

    def _tell_unheard(self, row: AlertRow, reason: str, through: list[str]) -> None:
        facts: dict[str, Any] = {"alert": row.id, "incident": row.incident, "title": row.title}
        facts |= {"place": row.place, "severity": row.severity}
        facts |= {"reason": reason, "through": through}
        event = self._derived("alert.unheard", f"alert/{row.id}", row.id, facts)
        if row.incident:
            incidents.touch(self._connection, row.incident, row.severity, self._now)
            self._tell(row.incident, event)


def worth_a_look(connection: Connection) -> bool:
    """Whether there is anything to look at: an alert or a step that waits, or a demoted rule."""
    looked_at = (
        select(alerts.c.id).where(_waits(), alerts.c.severity.in_(LOUD)),
        select(ladder_steps.c.id).where(ladder_steps.c.state == "waiting"),
        select(demotions.c.rule).where(demotions.c.since != ""),
    )
    return any(connection.execute(each.limit(1)).first() is not None for each in looked_at)


def without_receipt(connection: Connection, before: datetime, after: datetime) -> list[AlertRow]:
    """Loud alerts raised between these two moments that wait for an answer, were to be told, and
    that nobody has received. Not those that stand in the journal as unheard already, nor those of
    which quiet hours keep back, or did until a minute ago, all that was to be said.
    """
    notice = and_(actions.c.alert == alerts.c.id, NOTICE)
    kept_back = exists().where(receipts.c.key == actions.c.key, receipts.c.held > iso(before))
    return list(
        connection.execute(
            select(alerts)
            .where(
                alerts.c.severity.in_(LOUD),
                _waits(),
                alerts.c.opened <= iso(before),
                alerts.c.opened >= iso(after),
                alerts.c.unheard == "",
                exists().where(notice, ~kept_back),
                ~_received(),
            )
            .order_by(alerts.c.opened)
        )
    )


def held_now(connection: Connection, alert: str, now: datetime) -> set[str]:
    """The keys of an alert's notices that quiet hours keep back."""
    held = select(receipts.c.key).where(receipts.c.alert == alert, receipts.c.held > iso(now))
    return set(connection.scalars(held))


def unheard(connection: Connection) -> list[AlertRow]:
    """The alerts that stand in the journal as unheard and wait for an answer, oldest first."""
    waiting = select(alerts).where(alerts.c.unheard != "", _waits())
    return list(connection.execute(waiting.order_by(alerts.c.opened)))


def forget_heard(connection: Connection) -> None:
    """What somebody has received after all is unheard no longer."""
    connection.execute(
        update(alerts).where(alerts.c.unheard != "", _waits(), _received()).values(unheard="")
    )


def _waits() -> ColumnElement[bool]:
    return and_(
        alerts.c.state.in_((*alert_rows.OPEN, "verified")),
        alerts.c.acknowledged_time == "",
        alerts.c.resolved_time == "",
    )


def _received() -> ColumnElement[bool]:
    """Whether a channel has taken a notice of the alert, by itself or in a digest, and has not said
    since that it reached nobody.
    """
    digest = actions.alias("digest")
    came_late = exists().where(
        digest.c.key == func.substr(actions.c.stop, len(IN_DIGEST) + 1),
        digest.c.state == "confirmed",
    )
    in_digest = and_(actions.c.stop.startswith(IN_DIGEST), came_late)
    failed = exists().where(receipts.c.key == actions.c.key, receipts.c.failed.is_not(None))
    stands = and_(receipts.c.key == actions.c.key, receipts.c.failed.is_(None))
    arrived = exists().where(stands)
    came_another_way = exists().where(stands, receipts.c.accepted.is_not(None))
    return exists().where(
        actions.c.alert == alerts.c.id,
        NOTICE,
        or_(
            and_(or_(actions.c.state == "confirmed", in_digest), or_(~failed, arrived)),
            came_another_way,
        ),
    )
