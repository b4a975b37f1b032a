"""A fire alarm during a lockdown: people decide whether to stay or to leave, the hub counts down.

The alarm itself suspends lock verbs (`hub.safety.doors`). Here it starts the decision timer of the
local rule for each lockdown in force, tells everyone who was told of it, aloud as well where it was
announced, and says so when the time is over without a decision. The hub never decides itself. Once
a person has re-armed the doors, the protocols that are still in force ask for theirs again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Literal

from hub.clock import from_iso, iso
from hub.errors import Refused
from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS
from hub.safety import outbox
from hub.safety.notices import notice as notices
from hub.safety.protocols import fire_words, plan, rows, says
from hub.safety.protocols.failing import Failing
from hub.safety.protocols.fire_words import FireWords
from hub.safety.protocols.rows import RunRow
from hub.safety.protocols.starts import Start

Choice = Literal["stay", "evacuate"]
CHOICES: tuple[Choice, ...] = ("stay", "evacuate")
SUSPENDED = "fire alarm"
RESTORED = "the journal was restored from a backup, and nothing of before is asked again"


class Fires(Failing):
    """What a fire alarm means for protocols, inside one transaction."""

    _sounds_anew = True

    def follow_protocols(self, event: Event) -> None:
        """Take in what a fire panel says, beside what doors say."""
        super().follow_protocols(event)
        if event.type == "fire.alarm":
            self._fire_sounds(event, self._sounds_anew)
        elif event.type == "fire.clear" and self.fire_state().state != "alarm":
            for run in rows.in_force(self._connection):
                if run.decide_by:
                    rows.change(self._connection, run.id, decide_by="")
                    self._tell_told(run, fire_words.silent())
        elif event.type == "journal.restored":
            for run in rows.in_force(self._connection):
                self._suspend(run, RESTORED)
            rows.leave_where_they_are(self._connection, RESTORED)
        elif event.type == "doors.rearmed":
            again: set[str] = set()
            for run in rows.in_force(self._connection):  # as they were started, so the newest wins
                self._tell(self._story_of(run), event)
                again |= self._want_again(run, again)

    def decide_fire(self, run: str, choice: Choice, by: str) -> str:
        """Somebody decides what people in a lockdown do; returns the run that is in force then:
        leaving starts Evacuate over the lockdown, where the configuration has it. Raises `KeyError`
        for an unknown run and `Refused` where there is nothing to decide.
        """
        row = self._standing_run(run)
        if choice not in CHOICES:
            raise Refused("expected one of %(choices)s", choices=", ".join(CHOICES))
        if not row.decide_by:
            raise Refused("no fire alarm waits for a decision here")
        rows.change(self._connection, run, decide_by="", decision=choice)
        facts = {"run": run, "area": row.area, "by": by, "decision": choice}
        facts |= {"place": row.area, "name": self._words_of(row).name}
        event = Event("fire.decided", f"person/{by}", self._now, row.protocol, facts)
        self.accept(event)
        self._tell(self._story_of(row), event)
        known = "evacuate" in self._charter.config.protocols
        who = self._charter.words.person(by)
        if choice == "evacuate" and known:
            above = self.start_protocol(
                Start(
                    "evacuate",
                    row.area,
                    by,
                    source=f"person/{by}",
                    reason="Fire alarm",
                    decided=True,
                    drill=bool(row.drill),
                    doors_real=bool(row.doors_real),
                    announce=bool(row.announce),
                )
            )
            self._tell_also(row, rows.get(self._connection, above), fire_words.decided(False, who))
            return above
        self._tell_told(row, fire_words.decided(choice == "stay", who))
        return run

    def clock_moved(self, by: timedelta) -> None:
        """The wall clock was set: whoever decides has as long as they had left."""
        for run in rows.in_force(self._connection):
            if run.decide_by:
                moved = iso(from_iso(run.decide_by) + by)
                rows.change(self._connection, run.id, decide_by=moved)
        super().clock_moved(by)

    def fire_undecided(self) -> None:
        """Say of each lockdown whose time is over that nobody has decided; once."""
        for run in rows.undecided(self._connection, self._now):
            rows.change(self._connection, run.id, decision="overdue")
            facts = {"run": run.id, "area": run.area, "place": run.area}
            facts |= {"name": self._words_of(run).name}
            event = Event("fire.undecided", "hub/protocols", self._now, run.protocol, facts)
            self.accept(event)
            self._tell(self._story_of(run), event)
            self._tell_told(run, fire_words.undecided())

    def _fire_input(self, event: Event) -> None:
        """Take in what an input says, and whether it did not say so before."""
        before, source = self.fire_state(), str(event.data.get("source") or event.source)
        self._sounds_anew = source not in before.inputs
        super()._fire_input(event)

    def _fire_sounds(self, event: Event, anew: bool) -> None:
        """`anew` unless the same input only says again what it said before."""
        within = self._charter.config.hub.fire.decide_within
        for run in rows.in_force(self._connection):
            if run.drill:  # what is real is never part of a drill, nor told as one
                who = plan.source_words(self._charter.words, str(event.data.get("source") or ""))
                self._end_run(run, [who], "a fire alarm", tell=False)
                continue
            self._suspend(run, SUSPENDED)
            if run.protocol != "lockdown" or run.decide_by or not anew:
                continue
            if rows.covered(self._charter.campus, run, rows.in_force(self._connection)):
                continue  # people leave already, or the lockdown over it asks
            until = self._now + timedelta(seconds=within)
            rows.change(self._connection, run.id, decide_by=iso(until), decision="")
            self._tell(self._story_of(run), event)
            self._tell_told(run, fire_words.decide(within))

    def _suspend(self, run: RunRow, why: str) -> None:
        for row in rows.doors(self._connection, run.id, "start"):
            halted = row.verb in LOCK_VERBS or why == RESTORED
            if halted and row.state not in ("fenced", "refused") and row.detail != RESTORED:
                changed = {"state": "suspended", "detail": why, "settled": ""}
                rows.change_door(self._connection, row, **changed)

    def _want_again(self, run: RunRow, again: Collection[str]) -> set[str]:
        """Want anew what the alarm has suspended, and what a run that was started later opened at
        one of the doors that are wanted `again`; returns the doors.
        """
        asked: set[str] = set()
        for row in rows.doors(self._connection, run.id, "start"):
            locks = row.verb in LOCK_VERBS
            if row.detail == RESTORED or row.state in ("fenced", "refused"):
                continue
            if (locks and row.state == "suspended") or (not locks and row.door in again):
                rows.change_door(self._connection, row, state="waiting", detail="")
                self._want_door(run, row, self._story_of(run))
                asked.add(row.door)
        if asked:
            self._put_beneath(run)
        return asked

    def _tell_told(self, run: RunRow, said: FireWords) -> None:
        """Tell everyone in the school who was told of a run: those who were told by name, and
        everyone where the run itself was announced, for a person has started it.
        """
        charter, words = self._charter, self._words_of(run)
        for earlier in outbox.told(self._connection, run.alert, or_waiting=True):
            if charter.config.beyond(earlier.target):  # parents and dispatch decide nothing
                continue
            aloud = charter.public(earlier.target)
            title, text = (said.aloud_title, said.aloud) if aloud else (said.title, said.text)
            if aloud and said.goes_on:  # a screen shows one text at a time
                text = says.with_directive(charter.words, run, words, text)
            message = says.fire(charter.words, run, words, title, text, self._now)
            intention = notices.again(charter.config, charter.words, message, earlier)
            self._intend(says.leading_to_it(intention, run))

    def _tell_also(self, run: RunRow, above: RunRow, said: FireWords) -> None:
        """Whoever was promised the decision aloud hears it, also where what was started `above` is
        not announced.
        """
        charter, words = self._charter, self._words_of(above)
        by_itself = {
            each.target for each in outbox.told(self._connection, above.alert, or_waiting=True)
        }
        text = says.with_directive(charter.words, above, words, said.aloud)
        for earlier in outbox.told(self._connection, run.alert, or_waiting=True):
            name = earlier.target
            if charter.public(name) and not charter.config.beyond(name) and name not in by_itself:
                message = says.fire(charter.words, above, words, said.aloud_title, text, self._now)
                intention = notices.again(charter.config, charter.words, message, earlier)
                self._intend(says.leading_to_it(intention, above))


def decide_by(run: RunRow) -> str | None:
    """Until when a decision is wanted for a run; None where none is."""
    return iso(from_iso(run.decide_by)) if run.decide_by and not run.ended else None
