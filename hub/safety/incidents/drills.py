"""A drill is a drill from its first to its last word, and never mixes with what is real."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from hub.safety.alerts import rows as alerts
from hub.safety.alerts.rows import AlertRow
from hub.safety.incidents import rows as incidents
from hub.safety.outbox import Intention
from hub.safety.rules.about import of_drill
from hub.safety.transaction import Charter, Transaction
from hub.storage import eventlog


class Drills(Transaction):
    """Knows what is part of a drill, and marks what is said about it."""

    def __init__(self, connection: Connection, charter: Charter, now: datetime) -> None:
        super().__init__(connection, charter, now)
        self._drills: dict[str, bool] = {}  # by incident, which never changes in that

    def _intend(self, intention: Intention) -> str:
        """What is said about a drill says so, from its first notice to its last."""
        if intention.kind == "notice" and self._of_drill(intention):
            payload = dict(intention.payload)
            payload["data"] = dict(payload["data"]) | {"drill": True}
            intention = replace(intention, payload=payload)
        return super()._intend(intention)

    def _of_drill(self, intention: Intention) -> bool:
        if intention.incident or not intention.alert:
            return self._is_drill(intention.incident)
        return self._played(alerts.get(self._connection, intention.alert))

    def _played(self, alert: AlertRow) -> bool:
        """Whether an alert is part of a drill: its incident is, or what caused it."""
        if alert.incident:
            return self._is_drill(alert.incident)
        cause = eventlog.get(self._connection, alert.event)
        return cause is not None and of_drill(cause)

    def _is_drill(self, incident: str) -> bool:
        if incident not in self._drills:
            self._drills[incident] = incidents.is_drill(self._connection, incident)
        return self._drills[incident]
