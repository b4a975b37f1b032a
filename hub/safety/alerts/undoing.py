"""A dismissal taken back within seconds by whoever gave it: the alert is open again.

Only a dismissal: verifying has moved doors and told people, and what they have begun is ended by
resolving. Everyone who was told, or was to be told when the dismissal called that off, hears that
the alert is open; its ladder goes on where it was called off.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hub.clock import from_iso
from hub.errors import Refused
from hub.phrases import phrase
from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.alerts import steps
from hub.safety.alerts.budget import Budget
from hub.safety.alerts.rows import AlertRow
from hub.safety.incidents import rows as incidents
from hub.safety.incidents.cases import closed_by_hand
from hub.safety.incidents.hand_off import reached
from hub.safety.notices.languages import of_undone
from hub.safety.outbox import ActionRow
from hub.safety.protocols.presses import ProtocolActs

UNDO_WITHIN = timedelta(seconds=12)  # ten on the page, and two for the way
DISMISSED = "the alert was dismissed"
TAKEN_BACK = "the dismissal was taken back"


class Undoing(ProtocolActs, Budget):
    """Takes dismissals back, inside one transaction."""

    def undo(self, alert: str, by: str) -> None:
        """Take a dismissal back. Once it is open again, once more changes nothing. Raises
        `KeyError`, or `Refused` before anything is changed.
        """
        row = alerts.get(self._connection, alert)
        if row.state != "raised":
            self._may_undo(row, by)
            judged = row.verdict_time
            alerts.open_again(self._connection, alert, self._now)
            row = alerts.get(self._connection, alert)
            self._answer(row, "alert.reopened", by, {})
            known = self._unaware(row)
            waiting = outbox.pending_notices(self._connection, alert)
            self._call_off(waiting, TAKEN_BACK)
            steps.go_on(self._connection, alert, DISMISSED, judged)
            self._open_incident(row, by, judged)
            self._trust_as_before(row, by, judged)
            message = self._alarm(row, of_undone(self._charter.words.person(by)))
            title = f"Open again: {row.title}"
            self._tell_again(row, replace(message, title=title), known)
        self.decision.alert = row

    def _may_undo(self, row: AlertRow, by: str) -> None:
        if row.state == "verified":
            raise Refused(
                phrase(
                    "a verified alert is not taken back, for doors and people have been told; "
                    "resolve it when it is over"
                )
            )
        if row.state != "dismissed":
            raise Refused(phrase("the alert is open; decide anew"))
        if row.verdict_by != by:
            who = self._charter.words.person(row.verdict_by)
            raise Refused(phrase("only %(who)s, who dismissed it, can take that back", who=who))
        if abs(self._now - from_iso(row.verdict_time)) > UNDO_WITHIN:
            raise Refused(
                phrase(
                    "it was dismissed more than ten seconds ago, and everybody has been told; if "
                    "it is real after all, open an incident or start a protocol"
                )
            )
        if self._case_closed(row) and self._played(row) and self._by_hand(row):
            raise Refused(phrase("the drill is over, and all that was played in it"))

    def _unaware(self, row: AlertRow) -> list[ActionRow]:
        """Who knows of the alert or of its dismissal, and who was not told because of that."""
        every = outbox.told(self._connection, row.id, or_waiting=True)
        every += outbox.called_off(self._connection, row.id, DISMISSED)
        if row.incident:
            every += reached(self._connection, row.incident)
        once = {each.lane: each for each in reversed(every)}
        return [each for each in once.values() if not self._charter.public(each.target)]

    def _open_incident(self, row: AlertRow, by: str, judged: str) -> None:
        if self._case_closed(row):
            self.reopen_case(row.incident, by, TAKEN_BACK)
            self._hand_off_after_all(row.incident, judged)

    def _case_closed(self, row: AlertRow) -> bool:
        case = incidents.get(self._connection, row.incident) if row.incident else None
        return case is not None and case.state == "closed"

    def _by_hand(self, row: AlertRow) -> bool:
        return closed_by_hand(self._connection, row.incident)

    def _trust_as_before(self, row: AlertRow, by: str, judged: str) -> None:
        """The dismissal is no false alarm, so a rule that it demoted is trusted again."""
        if self._demoted_since(row.rule, row.camera) == judged:
            more = {"by": by, "reason": TAKEN_BACK}
            self._restore(row.rule, row.camera, f"alert/{row.id}", more, forgive=False)
