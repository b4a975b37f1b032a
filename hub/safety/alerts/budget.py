"""False alarms: a rule that gave too many by one camera is only reviewed, and everybody can see it.

The count is of alerts that people dismissed. It falls by itself as they grow old, and a verified
alert, or a person, sets it to nothing. What belongs to a drill says nothing about a rule.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, exists, func, select
from sqlalchemy.dialects.sqlite import insert

from hub.clock import iso
from hub.config import FalseAlarms, Rule
from hub.safety.alerts.rows import AlertRow
from hub.safety.rules.about import camera_for
from hub.safety.rules.book import Match
from hub.safety.transaction import Transaction
from hub.storage.schema import alerts, demotions, events, incidents
from hub.units import duration_words

DemotionRow: TypeAlias = Row[Any]


class Budget(Transaction):
    """Counts false alarms and demotes rules inside one transaction."""

    @abstractmethod
    def _played(self, alert: AlertRow) -> bool:
        """Whether an alert is part of a drill."""

    def restore(self, rule: str, camera: str, by: str) -> None:
        """A person has a rule raise alerts by this camera as before; it may give as many false
        alarms anew. Nothing happens where it was not demoted.
        """
        if _demoted(self._connection, rule, camera) is not None:
            self._restore(rule, camera, f"person/{by}", {"by": by, "reason": "a person ended it"})

    def look_at_demotions(self) -> None:
        """Restore the rules whose false alarms have grown old, or that have no budget any more."""
        for row in demoted(self._connection):
            spec = self._charter.config.rules.get(row.rule)
            budget = None if spec is None else spec.false_alarms
            count = 0 if budget is None else self._count(row.rule, row.camera, budget)
            if budget is None or count <= budget.at_most:
                reason = "its false alarms are long ago" if budget else "it has no budget any more"
                self._restore(row.rule, row.camera, "hub", {"by": "", "reason": reason})

    def _within_budget(self, match: Match) -> Match:
        """The match as it may be told: what its rule raises by a camera with too many false alarms
        is only reviewed. What is severe is told as ever, and says so.
        """
        budget = match.spec.false_alarms
        if budget is None:
            return match
        charter = self._charter
        camera = camera_for(match.about, charter.config, charter.campus)
        row = _demoted(self._connection, match.rule, camera)
        if row is None:
            return match
        count = self._count(match.rule, camera, budget)
        if count <= budget.at_most:
            self._restore(
                match.rule, camera, "hub", {"by": "", "reason": "its false alarms are long ago"}
            )
            return match
        said = f"{self._account(count, camera, budget)}, at most {budget.at_most} are agreed"
        if match.severity == "severe":
            line = f"NOT demoted, for it is severe, although this rule gave {said}"
            return replace(match, matched=(*match.matched, line))
        line = f"only reviewed, for this rule gave {said}"
        return replace(
            match,
            matched=(*match.matched, line),
            severity=match.severity if match.severity == "note" else "check",
            spec=_reviewed(match.spec, self._reviewers(match.spec, budget)),
        )

    def _count_false_alarm(self, row: AlertRow, by: str) -> None:
        """A verdict was given: too many dismissed demote the rule, a verified one restores it."""
        spec = self._charter.config.rules.get(row.rule)
        if spec is None or spec.false_alarms is None or self._played(row):
            return
        standing = _demoted(self._connection, row.rule, row.camera)
        if row.state == "verified":
            if standing is not None:
                more = {"by": by, "reason": "an alert of it was verified"}
                self._restore(row.rule, row.camera, f"alert/{row.id}", more)
            else:
                _keep(self._connection, row.rule, row.camera, "", 0, iso(self._now))
        elif row.state == "dismissed" and standing is None:
            budget = spec.false_alarms
            count = self._count(row.rule, row.camera, budget)
            if count > budget.at_most:
                _keep(self._connection, row.rule, row.camera, iso(self._now), count)
                facts: dict[str, Any] = {"rule": row.rule, "camera": row.camera, "count": count}
                facts |= {"at_most": budget.at_most, "within_s": budget.within, "alert": row.id}
                facts |= {"reason": self._account(count, row.camera, budget)}
                event = self._derived("rule.demoted", f"rule/{row.rule}", row.rule, facts)
                if row.incident:
                    self._tell(row.incident, event)

    def _demoted_since(self, rule: str, camera: str) -> str:
        row = _demoted(self._connection, rule, camera)
        return "" if row is None else str(row.since)

    def _restore(
        self, rule: str, camera: str, source: str, more: dict[str, str], *, forgive: bool = True
    ) -> None:
        _keep(self._connection, rule, camera, "", 0, iso(self._now) if forgive else "")
        self._derived("rule.restored", source, rule, {"rule": rule, "camera": camera, **more})

    def _count(self, rule: str, camera: str, budget: FalseAlarms) -> int:
        """How many of its alerts were dismissed, within the time that counts."""
        since = iso(self._now - timedelta(seconds=budget.within))
        forgiven = self._connection.scalar(
            select(demotions.c.forgiven).where(
                demotions.c.rule == rule, demotions.c.camera == camera
            )
        )
        found = select(func.count()).where(
            alerts.c.rule == rule,
            alerts.c.camera == camera,
            alerts.c.state == "dismissed",
            alerts.c.verdict_time > max(since, forgiven or ""),
            ~exists().where(incidents.c.id == alerts.c.incident, incidents.c.drill),
            ~exists().where(
                alerts.c.incident == "",
                events.c.id == alerts.c.event,
                func.json_type(events.c.data, "$.drill") == "true",
            ),
        )
        return int(self._connection.scalar(found) or 0)

    def _account(self, count: int, camera: str, budget: FalseAlarms) -> str:
        seen_by = f" by {self._charter.words.camera(camera)}" if camera else ""
        alarms = "false alarm" if count == 1 else "false alarms"
        return f"{count} {alarms}{seen_by} within {duration_words(budget.within)}"

    def _reviewers(self, spec: Rule, budget: FalseAlarms) -> tuple[str, ...]:
        people = self._charter.config.people
        held = {block.role for block in people.values()}
        there = tuple(name for name in budget.tell if name in people or name in held)
        return there or spec.alert.tell


def demoted(connection: Connection) -> list[DemotionRow]:
    """Every rule that is only reviewed now, with the camera and since when."""
    standing = select(demotions).where(demotions.c.since != "")
    return list(connection.execute(standing.order_by(demotions.c.since)))


def _demoted(connection: Connection, rule: str, camera: str) -> DemotionRow | None:
    return connection.execute(
        select(demotions).where(
            demotions.c.rule == rule, demotions.c.camera == camera, demotions.c.since != ""
        )
    ).first()


def _keep(
    connection: Connection, rule: str, camera: str, since: str, count: int, forgiven: str = ""
) -> None:
    values = {"since": since, "count": count}
    if forgiven:
        values["forgiven"] = forgiven
    made = insert(demotions).values(rule=rule, camera=camera, **values)
    where = [demotions.c.rule, demotions.c.camera]
    connection.execute(made.on_conflict_do_update(index_elements=where, set_=values))


def _reviewed(spec: Rule, tell: tuple[str, ...]) -> Rule:
    alert = spec.alert.model_copy(update={"tell": tell})
    return spec.model_copy(update={"alert": alert})
