"""Doors that do not obey a protocol: everyone who was told of it hears which, in one notice.

Doors fail one by one and within moments of each other. What has failed is told together as soon as
every door has answered, else once others have had a moment to fail as well; and again only where
further doors fail. A page shows each at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS
from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.notices import notice as notices
from hub.safety.outbox import ActionRow
from hub.safety.protocols import rows, says
from hub.safety.protocols.ends import Endings
from hub.safety.protocols.rows import RunDoorRow, RunRow

NO_REASON = "not confirmed"


class Failing(Endings):
    """Tells of the doors of runs that do not obey, inside one transaction."""

    def tell_failing(self, runs: Mapping[str, frozenset[str]]) -> None:
        """Name the doors that fail by now, of these runs where any of these doors still does."""
        for run in rows.in_force(self._connection):
            fresh = unsaid(self._connection, run, self._charter.private)
            if runs.get(run.id, frozenset()) & {row.door for row in fresh}:
                self._name_failing(run, fresh)

    def _warn(self, row: ActionRow, event: Event) -> None:
        """A door did not obey. Of a protocol it is told with all that have failed once each door
        has answered; until then time sees to it.
        """
        run = rows.of_alert(self._connection, row.alert)
        if run is None:
            super()._warn(row, event)
        else:
            self._tell_if_whole(run)

    def _reported(self, door: str, verb: str, good: bool, detail: str) -> None:
        super()._reported(door, verb, good, detail)
        if good:  # it may have been the last that others waited for
            for run, _ in rows.following(self._connection, door):
                self._tell_if_whole(run)

    def _tell_if_whole(self, run: RunRow) -> None:
        if not run.ended and not rows.unanswered(self._connection, run.id, "start"):
            self._name_failing(run, unsaid(self._connection, run, self._charter.private))

    def _name_failing(self, run: RunRow, failing: list[RunDoorRow]) -> None:
        if not failing:
            return
        charter = self._charter
        alert = alerts.get(self._connection, run.alert)
        why: dict[str, list[str]] = {}
        for row in failing:
            why.setdefault(row.detail or NO_REASON, []).append(charter.words.door(row.door))
        message = says.failing(
            charter.words,
            run,
            self._words_of(run),
            alert.severity,
            {row.door: row.verb in LOCK_VERBS for row in failing},
            why,
            self._sentence(run).partition("; ")[0],
            self._now,
        )
        for earlier in told_alone(self._connection, run, self._charter.private):
            intention = notices.again(charter.config, charter.words, message, earlier)
            self._intend(says.leading_to_it(intention, run))


def failing(connection: Connection, private: Callable[[str], bool]) -> dict[str, frozenset[str]]:
    """The doors of runs in force that do not obey and that nobody has been told of yet, by run."""
    found: dict[str, frozenset[str]] = {}
    for run in rows.in_force(connection):
        if fresh := unsaid(connection, run, private):
            found[run.id] = frozenset(row.door for row in fresh)
    return found


def unsaid(connection: Connection, run: RunRow, private: Callable[[str], bool]) -> list[RunDoorRow]:
    """The doors of a run that do not obey and of which no notice has told; none where there is
    nobody to tell.
    """
    stuck = [row for row in rows.doors(connection, run.id, "start") if row.state == "retrying"]
    if not stuck or not told_alone(connection, run, private):
        return []
    said: set[str] = set()
    for each in rows.notices(connection, run.alert):
        data = json.loads(each.payload)["data"]
        if data.get("phase") == says.DOORS:
            said.update(data["doors"])
    return [row for row in stuck if row.door not in said]


def told_alone(
    connection: Connection, run: RunRow, private: Callable[[str], bool]
) -> list[ActionRow]:
    """A notice for each who was told of a run through a channel that is `private`."""
    known = outbox.told(connection, run.alert, or_waiting=True)
    return [each for each in known if private(each.target)]
