"""What alerts and incidents there are, out of the journal, as pages and programs are shown it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from sqlalchemy import Connection

from hub.clock import Clock
from hub.events import Event
from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.alerts import steps
from hub.safety.alerts.budget import demoted
from hub.safety.alerts.rows import AlertRow
from hub.safety.decide import Charter
from hub.safety.incidents import cases
from hub.safety.incidents import rows as incidents
from hub.safety.incidents.rows import IncidentRow
from hub.safety.notices import receipts
from hub.safety.words import Words
from hub.storage import eventlog
from hub.storage.journal import Journal
from hub.views import AlertView, IncidentView, Requested


class Counts(TypedDict):
    """For health: events journaled, alerts open, actions by state."""

    events: int
    alerts_open: int
    actions: dict[str, int]


class Answers:
    """Answers what a journal holds, in the words of the configuration that runs."""

    def __init__(self, journal: Journal, clock: Clock, charter: Charter) -> None:
        self.journal = journal
        self.clock = clock
        self._charter = charter

    @property
    def words(self) -> Words:
        """What people call things in the configuration that runs."""
        return self._charter.words

    async def alerts(self, open_only: bool = False) -> list[AlertView]:
        """Open alerts, most severe and then oldest first; after them the latest decided ones."""

        def work(connection: Connection) -> list[AlertView]:
            return self._views(connection, alerts.shown(connection, open_only=open_only))

        return await self.journal.read(work)

    async def alert(self, alert: str) -> AlertView:
        """One alert. Raises `KeyError`."""

        def work(connection: Connection) -> AlertView:
            (view,) = self._views(connection, [alerts.get(connection, alert)])
            view["told"] = receipts.views(connection, [alert], self.words)[alert]
            of_it = ((row.rule, row.camera) for row in demoted(connection))
            view["reviewed"] = (
                view["severity"] != "severe" and (view["rule"], view["camera"]) in of_it
            )
            return view

        return await self.journal.read(work)

    async def incidents(self) -> list[IncidentView]:
        """The latest incidents, newest first, with alerts and actions but without their story."""

        def work(connection: Connection) -> list[IncidentView]:
            return self._incidents(connection, incidents.newest(connection))

        return await self.journal.read(work)

    async def incident(self, incident: str) -> IncidentView:
        """One incident with its story. Raises `KeyError`."""

        def work(connection: Connection) -> IncidentView:
            (view,) = self._incidents(connection, [incidents.get(connection, incident)])
            ids = [each["id"] for each in view["alerts"]]
            told = receipts.views(connection, ids, self.words)
            for each in view["alerts"]:
                each["told"] = told[each["id"]]
            return cases.complete(connection, self._charter.words, view)

        return await self.journal.read(work)

    async def requests(self) -> dict[str, Requested]:
        """What was last asked of each door and how that went; to be shown after a restart."""
        rows = await self.journal.read(outbox.newest_commands)
        return {row.target: outbox.requested(row) for row in rows}

    async def past_events(self, after: int, limit: int = 500) -> Sequence[tuple[int, Event]]:
        """Committed events with a sequence number above `after`, oldest first."""
        return await self.journal.read(lambda c: eventlog.after(c, after, limit))

    async def counts(self) -> Counts:
        """How much there is, for health."""

        def work(connection: Connection) -> Counts:
            return Counts(
                events=eventlog.last_seq(connection),
                alerts_open=alerts.count_open(connection),
                actions=outbox.states(connection),
            )

        return await self.journal.read(work)

    def _views(self, connection: Connection, rows: Sequence[AlertRow]) -> list[AlertView]:
        ladders = steps.of_alerts(connection, [row.id for row in rows if row.ladder])
        charter, now = self._charter, self.clock.now()
        return [
            alerts.view(row, ladders.get(row.id, ()), charter.words, charter.public, now)
            for row in rows
        ]

    def _incidents(self, connection: Connection, rows: Sequence[IncidentRow]) -> list[IncidentView]:
        ids = [row.id for row in rows]
        of_alerts = self._views(connection, alerts.of_incidents(connection, ids))
        of_actions = outbox.of_incidents(connection, ids)
        return [
            incidents.view(
                row,
                self._charter.campus,
                [one for one in of_alerts if one["incident"] == row.id],
                [outbox.view(one) for one in of_actions if one.incident == row.id],
            )
            for row in rows
        ]
