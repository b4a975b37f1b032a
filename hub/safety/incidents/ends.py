"""How an incident ends for those who follow it: a drill in one act, and the last word on a case.

Ending a drill ends all that is played in it, with one word to everyone who was told. Whoever was
told how a real case stands hears that it is closed, or under which name it goes on, so that nothing
stays open at a provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.alerts.rows import AlertRow
from hub.safety.incidents import rows as incidents
from hub.safety.incidents.hand_off import goes_on_apart, reached
from hub.safety.incidents.handing_over import HandingOver
from hub.safety.incidents.rows import IncidentRow
from hub.safety.incidents.situation import closing_notices, told_of_it, update_notices
from hub.safety.lanes import of_hand
from hub.safety.notices.languages import (
    ENGLISH,
    OF_ALL_FALSE,
    OF_DRILL_OVER,
    Said,
    in_language,
    of_closed,
    of_merged,
    of_rest,
    of_split,
)
from hub.safety.outbox import ActionRow, Intention
from hub.storage import eventlog

DRILL_OVER = "the drill is over"
WORTH_TELLING = timedelta(minutes=1)


class Ends(HandingOver):
    """Closes and merges incidents, and lets none end because the clock was set."""

    def clock_moved(self, by: timedelta) -> None:
        """The wall clock was set: nobody is reminded early, and incidents in which something went
        on have it in their story, for their times leap.
        """
        incidents.clock_set(self._connection, by)
        going_on = incidents.lively(self._connection, self._now - by)
        super().clock_moved(by)
        if abs(by) < WORTH_TELLING:
            return
        moved = next(e for _, e in self.decision.events if e.type == eventlog.CLOCK_MOVED)
        for row in going_on:
            self._tell(row.id, moved)
            incidents.change(self._connection, row.id, self._now)

    def close_case(self, incident: str, by: str, why: str = "") -> None:
        """End an incident. A drill waits for no verdict: what is played in it ends with it. Raises
        `KeyError`, and `Refused` while an alert of a real one waits for a verdict.
        """
        row = self._standing(incident)
        if row.state == "closed":
            return
        if row.drill:
            for alert in alerts.of_incidents(self._connection, [incident]):
                self._end_played(alert, by)
        super().close_case(incident, by, why)
        self._no_more_hand_off(incident)
        self._tell_closed(row, of_closed(self._charter.words.person(by)), why)

    def merge(self, incident: str, into: str, by: str, why: str = "") -> None:
        """Make an incident part of another, and tell those who followed it where it goes on."""
        row = incidents.get(self._connection, incident)
        known = [] if row.merged_into else told_of_it(self._connection, self._charter, incident)
        super().merge(incident, into, by, why)
        if known:
            title = incidents.get(self._connection, into).title
            self._tell_closed(row, of_merged(title), why, known, into)

    def split(
        self, incident: str, chosen: Sequence[str], title: str, by: str, why: str = ""
    ) -> str:
        """Make some of an incident's alerts an incident of their own. Those whom it was handed to
        are told, for what comes of that is their business too.
        """
        known = reached(self._connection, incident)
        new = super().split(incident, chosen, title, by, why)
        row = incidents.get(self._connection, incident)
        name = incidents.get(self._connection, new).title
        charter, said = self._charter, of_split(name)
        for told in update_notices(self._connection, charter, row, said, by, self._now, known):
            self._intend(_with(told, {"goes_on": new}))
        return new

    def _maybe_close(self, incident: str) -> None:
        """Close an incident of which every alert was dismissed."""
        row = incidents.get(self._connection, incident)
        if incidents.close_if_false(self._connection, incident, self._now):
            facts = {"incident": incident}
            self._tell(incident, self._derived("incident.closed", "hub/incidents", incident, facts))
            self._no_more_hand_off(incident)
            self._tell_closed(row, OF_ALL_FALSE)

    def _tell_closed(
        self,
        row: IncidentRow,
        how: Said,
        why: str = "",
        known: Sequence[ActionRow] | None = None,
        into: str = "",
    ) -> None:
        """Say that a case is closed to those who were told how it stands; to nobody else, for they
        have had a word on each alert.
        """
        if known is None:
            known = told_of_it(self._connection, self._charter, row.id)
        of_it = alerts.of_incidents(self._connection, [row.id])
        false = bool(of_it) and all(each.state == "dismissed" for each in of_it)
        more = {"verdict": "dismissed"} if false else {}
        if into:
            more["goes_on"] = into
        apart = "" if into else goes_on_apart(self._connection, row.id)
        handed = [each for each in known if apart and of_hand(each.lane)]
        others = [each for each in known if each not in handed]
        for intention in closing_notices(self._charter, row, how, why, others, self._now):
            self._intend(replace(_with(intention, more), incident=into or row.id))
        if handed:
            rest = of_rest(incidents.get(self._connection, apart).title, why)
            for intention in closing_notices(self._charter, row, how, rest, handed, self._now):
                self._intend(_with(intention, more | {"goes_on": apart}))

    def _end_played(self, row: AlertRow, by: str) -> None:
        """End an alert of a drill, whatever stands of it."""
        words = self._charter.words
        if row.resolved_time or row.state == "dismissed":
            return
        facts = {"alert": row.id, "incident": row.incident, "by": by, "note": DRILL_OVER}
        facts |= {"title": row.title, "place": row.place}
        if row.state == "verified":
            alerts.resolve(self._connection, row, by, DRILL_OVER, self._now, words)
            kind = "alert.resolved"
        else:
            alerts.judge(self._connection, row, "dismissed", by, DRILL_OVER, self._now, words)
            kind = "alert.dismissed"
        event = self._derived(kind, f"person/{by}", row.id, {**facts, "drill_over": True})
        self._tell(row.incident, event)
        known = outbox.told(self._connection, row.id)
        self._end_ladder(row, DRILL_OVER)
        self._call_off(outbox.pending_notices(self._connection, row.id), DRILL_OVER)
        text = f"{words.person(by)} says this is over ({words.moment(self._now)})."
        text += f"\n{in_language(OF_DRILL_OVER, ENGLISH)}"
        message = self._message(row, "verdict", f"Over: {row.title}", text)
        data = {"verdict": "resolved", "resolved": True, "by": by}
        said = message.facts | {"note": OF_DRILL_OVER}
        self._tell_again(row, replace(message, data=data, facts=said), known)


def _with(intention: Intention, more: Mapping[str, str]) -> Intention:
    payload = dict(intention.payload)
    return replace(intention, payload=payload | {"data": payload["data"] | more})
