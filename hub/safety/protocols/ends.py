"""Ending a protocol: two people, or the commander with their PIN; for a drill one person.

What was asked of doors and people is taken back, one by one, and confirmed as it was asked. A PIN
for duress takes nothing back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hub.clock import from_iso, iso
from hub.errors import Refused
from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS, Verb
from hub.rule_settings import same_person
from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.doors import intents
from hub.safety.incidents import rows as incidents
from hub.safety.notices import notice as notices
from hub.safety.protocols import plan, rows, says
from hub.safety.protocols.progress import took
from hub.safety.protocols.rows import RunRow
from hub.safety.protocols.starts import Starts
from hub.safety.protocols.wording import Wording, wording
from hub.safety.rules.recall import note_protocol
from hub.storage import eventlog

CONFIRM_WITHIN = timedelta(minutes=5)
CLOCK_SLACK = timedelta(seconds=2)
CLEARED_FOR = timedelta(hours=1)
CLEAR_AGAIN = timedelta(seconds=15)
OF_PROGRAMS = " (token)"  # how records name them


class Endings(Starts):
    """Ends protocols inside one transaction. Each act raises `KeyError` for an unknown run, and
    `Refused` where it may not be.
    """

    def ask_end(self, run: str, by: str) -> None:
        """Somebody asks that a run be ended; of a drill that ends it. The same person may ask anew,
        for five minutes more.
        """
        row = self._standing_run(run)
        if row.drill:
            self._end_run(row, [by], "the drill is over")
            return
        _must_be_a_person(by)
        if self._asked(row) and row.asked_by != by:
            who = self._charter.words.person(row.asked_by)
            raise Refused("%(who)s has asked for it already; confirm it, and it ends", who=who)
        rows.change(self._connection, run, asked_by=by, asked=iso(self._now))
        self._ending_event(row, by, "asked")

    def withdraw_end(self, run: str, by: str) -> None:
        """It is to go on after all; whoever may end it may say so."""
        row = self._standing_run(run)
        if row.asked_by:
            rows.change(self._connection, run, asked_by="", asked="")
            self._ending_event(row, by, "withdrawn")

    def end_protocol(self, run: str, by: str) -> None:
        """A second person confirms the end, within five minutes; of a drill one is enough."""
        row = self._standing_run(run)
        if row.drill:
            self._end_run(row, [by], "the drill is over")
            return
        _must_be_a_person(by)
        if not self._asked(row):
            raise Refused(
                "nobody has asked for its end in the last five minutes; ask for it, then let "
                "somebody else confirm"
            )
        if same_person(self._charter.config.people, row.asked_by, by):
            raise Refused("it takes a second person: you have asked for its end yourself")
        self._end_run(row, [row.asked_by, by], "ended by two people")

    def end_as_commander(self, run: str, by: str) -> None:
        """Whoever leads the incident ends it alone, having given their PIN."""
        row = self._standing_run(run)
        if not row.drill:
            self.must_lead(row, by)
        self._end_run(row, [by], "the drill is over" if row.drill else "ended by the commander")

    def must_lead(self, run: RunRow, by: str) -> None:
        """Raises `Refused` unless somebody has the role of commander in a run's incident."""
        if not self._leads(run, by):
            raise Refused(
                "only the incident's commander ends it with a PIN; take that role first, or let a "
                "second person confirm"
            )

    def under_duress(
        self, run: str, by: str, viewer: str, tell: Sequence[str], through: Sequence[str]
    ) -> None:
        """Somebody was made to end a run: it goes on, and only the people in `tell` hear why,
        nobody where there are none. No story says so before its incident is closed.
        """
        row = self._standing_run(run)
        charter = self._charter
        data = {"run": run, "area": row.area, "by": by, "place": row.area}
        event = self._derived("protocol.duress", f"person/{by}", row.protocol, data)
        rows.note_duress(self._connection, run, viewer, by, event.id, self._now)
        if not tell:  # a notice to nobody by name goes to everyone whom a channel reaches
            return
        quiet = [channel for channel in through if not charter.public(channel)]
        message = says.duress(charter.words, row, self._words_of(row), by, self._now)
        for intention in notices.intentions(charter.config, charter.words, message, tell, quiet):
            self._intend(intention)

    def clear_again(self) -> None:
        """Ask doors once more that have not gone back since a protocol was ended, for an hour and
        unless somebody wants something else of them by now.
        """
        for run, row in rows.not_back(self._connection, self._now - CLEARED_FOR):
            door, newest = row.door, outbox.newest_commands(self._connection, row.door)
            waits = any(
                each.state == "pending" or each.finished > iso(self._now - CLEAR_AGAIN)
                for each in newest
            )
            wanted = intents.winner(self._connection, door) is not None
            locks = row.verb in LOCK_VERBS and not self._may_lock(door)
            if not waits and not wanted and not locks and door in self._charter.config.doors:
                by = json.loads(run.ended_by)[-1]
                self._command(door, row.verb, by, "all-clear", incident=self._story_of(run))

    def resolve(self, alert: str, by: str, note: str) -> None:
        """A protocol is over when it is ended, not when its alert is resolved."""
        run = rows.of_alert(self._connection, alert)
        if run is not None and not run.ended:
            name = wording(run.protocol, None).name
            raise Refused(
                "%(name)s is in force: end it on its own page, then this is over too", name=name
            )
        super().resolve(alert, by, note)

    def close_case(self, incident: str, by: str, why: str = "") -> None:
        """An incident with a protocol in force stays open; closing a drill ends what it plays."""
        row = incidents.get(self._connection, incident)
        for run in rows.in_force(self._connection):
            if self._story_of(run) != incident or row.state == "closed":
                continue
            if not row.drill:
                name = wording(run.protocol, None).name
                raise Refused(
                    "%(name)s is in force: end it first, then close its incident", name=name
                )
            self._end_run(run, [by], "the drill is over")
        super().close_case(incident, by, why)
        self._reveal_duress(incident)

    # ----------------------------------------------------------------------- inside

    def _end_run(self, run: RunRow, people: list[str], why: str, *, tell: bool = True) -> None:
        """End a run: let go of its doors, and tell all who were told; what is beneath it is in
        force again. Without `tell` nobody hears of it: something graver is being told.
        """
        ended = {"ended": iso(self._now), "ended_by": json.dumps(people), "asked_by": ""}
        run = rows.change(self._connection, run.id, **ended, asked="", decide_by="", told="")
        self.want_no_more("protocol", run.id, why)
        self._let_go(run)
        self._come_back()
        incident = self._story_of(run)
        facts: dict[str, Any] = {"run": run.id, "area": run.area, "drill": bool(run.drill)}
        facts |= {"by": people[-1], "people": people, "place": run.area, "incident": incident}
        facts |= {"device": run.device, "reason": why, "name": wording(run.protocol, None).name}
        facts |= {"report": self._report(run)}
        source = f"person/{people[-1]}"
        self.accept(Event("protocol.ended", source, self._now, run.protocol, facts))
        self._still_in_force(run)
        self._silence(run, people, tell=tell)
        self._tell_progress(run)

    def _let_go(self, run: RunRow) -> None:
        """Write what is asked of each door now that the run lets go of it."""
        for row in rows.doors(self._connection, run.id, "start"):
            if row.state in ("fenced", "refused"):
                continue
            asked = [
                json.loads(each.payload)["verb"]
                for each in outbox.pending_commands(self._connection, row.door)
                if each.created == iso(self._now)
            ]
            verb: Verb = asked[-1] if asked else row.verb
            state, detail = ("waiting", "") if asked else ("done", plan.LEFT)
            settled = "" if asked else iso(self._now)
            rows.add_door(
                self._connection, run.id, "clear", row.door, verb, state, self._now, detail, settled
            )

    def _silence(self, run: RunRow, people: list[str], *, tell: bool) -> None:
        """Call off what is still to be said, resolve the run's alert, give the all-clear."""
        charter, why = self._charter, "the protocol was ended"
        row = alerts.get(self._connection, run.alert)
        known = outbox.told(self._connection, row.id, or_waiting=True)
        if row.state == "verified" and not row.resolved_time:
            alerts.resolve(self._connection, row, people[-1], why, self._now, charter.words)
            data = {"alert": row.id, "incident": row.incident, "by": people[-1], "run": run.id}
            self._derived("alert.resolved", f"person/{people[-1]}", row.id, data)
        self._end_ladder(row, why)
        self._call_off(outbox.pending_notices(self._connection, row.id), why)
        if not tell:
            return
        words = self._words_of(run)
        still = [(one, self._words_of(one)) for one in self._still_near(run)]
        message = says.over(charter.words, run, words, still, people, self._now)
        for earlier in known:
            intention = notices.again(charter.config, charter.words, message, earlier)
            self._intend(says.leading_to_it(intention, run))

    def _still_near(self, run: RunRow) -> list[RunRow]:
        """What is in force in its area, or in a part of it, now that it is over; newest first."""
        campus, standing = self._charter.campus, rows.in_force(self._connection)
        return [
            one
            for one in reversed(standing)
            if one.drill == run.drill
            and rows.overlap(campus, one.area, run.area)
            and not rows.covered(campus, one, standing)
        ]

    def _still_in_force(self, run: RunRow) -> None:
        """For rules a protocol is in force as long as any run of it is."""
        standing = rows.in_force(self._connection)
        other = next((one for one in standing if one.protocol == run.protocol), None)
        if other is not None:
            since = from_iso(other.started)
            self._memory().facts.protocols[run.protocol] = since
            note_protocol(
                self._connection,
                Event("protocol.started", "hub/protocols", since, run.protocol),
            )

    def _report(self, run: RunRow) -> dict[str, Any]:
        """How long everything took, for whoever looks at a drill afterwards."""
        doors = rows.doors(self._connection, run.id, "start")
        begun = from_iso(run.started)
        said: dict[str, float] = {}
        for each in rows.notices(self._connection, run.alert):
            started = json.loads(each.payload)["data"].get("phase") == "start"
            if started and each.state == "confirmed":
                seconds = (from_iso(each.finished) - begun).total_seconds()
                said[each.target] = max(said.get(each.target, 0.0), round(seconds, 3))
        return {
            "lasted_s": round((self._now - begun).total_seconds(), 3),
            "sentence": self._sentence(run),
            "doors": {each.door: took(run, each) for each in doors},
            "channels": said,
        }

    def _ending_event(self, run: RunRow, by: str, what: str) -> None:
        incident = self._story_of(run)
        facts = {"run": run.id, "area": run.area, "by": by, "ending": what}
        facts |= {"drill": bool(run.drill), "name": wording(run.protocol, None).name}
        event = Event("protocol.ending", f"person/{by}", self._now, run.protocol, facts)
        self.accept(event)
        self._tell(incident, event)

    def _reveal_duress(self, incident: str) -> None:
        """What was kept out of the story of an incident while it was open is told in it now."""
        for run in rows.of_incident(self._connection, incident):
            for each in rows.duress(self._connection, run.id):
                event = eventlog.get(self._connection, each.event)
                told = incidents.entry(self._connection, [incident], each.event)
                if event is not None and told is None:
                    self._tell(incident, event)

    def _standing_run(self, run: str) -> RunRow:
        row = rows.get(self._connection, run)
        if row.ended:
            raise Refused("%(name)s has been ended already", name=wording(row.protocol, None).name)
        return row

    def _asked(self, run: RunRow) -> bool:
        if not run.asked:
            return False
        passed = self._now - from_iso(run.asked)  # less than nothing: the clock was set back
        return -CLOCK_SLACK <= passed <= CONFIRM_WITHIN

    def _words_of(self, run: RunRow) -> Wording:
        block = self._charter.config.protocols.get(run.protocol)
        return wording(run.protocol, block, run.hazard, rows.location(run))


def _must_be_a_person(by: str) -> None:
    if by.endswith(OF_PROGRAMS):
        raise Refused("ending a protocol takes people who have signed in, not a program's token")
