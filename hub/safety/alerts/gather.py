"""People are told once of what one cause brings, and again when that has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hub.conditions import COMES_BACK
from hub.events import Event
from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.alerts import together
from hub.safety.alerts.escalate import Escalation
from hub.safety.alerts.rows import AlertRow
from hub.safety.alerts.together import Parts
from hub.safety.incidents import rows as incidents
from hub.safety.notices.many import many_message
from hub.safety.rules.about import about_event

BACK = tuple(COMES_BACK.values())


class Gathering(Escalation):
    """Tells how many, inside one transaction."""

    def gather(self) -> None:
        """Tell everyone who was told of an alert what has joined it, or is back, where they are
        owed that by now.
        """
        for row in together.owed(self._connection, self._now):
            parts = Parts.of(row)
            over = row.resolved_time or row.state == "dismissed"
            if parts.news() and not over:
                self._tell_how_many(row, parts)
            together.told(self._connection, row, parts, self._now)

    def clock_moved(self, by: timedelta) -> None:
        """The wall clock was set: people are owed a word for as long as they were."""
        together.shift(self._connection, by)
        super().clock_moved(by)

    def _answers_again(self, event: Event) -> None:
        if event.type in BACK:
            scope = about_event(event, self._charter.config).scope
            together.came_back(self._connection, scope, self._now)

    def _tell_how_many(self, row: AlertRow, parts: Parts) -> None:
        charter, gone = self._charter, len(parts.gone())
        told = outbox.told(self._connection, row.id, or_waiting=True)
        known = [each for each in told if not charter.public(each.target)]
        self._tell_again(row, many_message(charter.words, row, parts, self._now), known)
        facts: dict[str, Any] = {"alert": row.id, "rule": row.rule, "title": row.title}
        facts |= {"severity": row.severity, "place": row.place, "incident": row.incident}
        facts |= {"count": row._mapping["count"], "told": len(known)}
        facts |= {"gone": gone, "parts": len(parts.by_scope)}
        event = self._derived("alert.joined", f"rule/{row.rule}", row.id, facts)
        if row.incident:
            incidents.touch(self._connection, row.incident, row.severity, self._now)
            self._tell(row.incident, event)
        self.decision.alert = alerts.get(self._connection, row.id)
