"""What follows while nobody answers, and what ends it: taking an alert on, resolving it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hub.clock import from_iso
from hub.events import Event
from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.alerts import steps
from hub.safety.alerts.ladders import Groups, kept_groups, merged, without
from hub.safety.alerts.rows import AlertRow
from hub.safety.alerts.steps import StepRow
from hub.safety.doors.keeping import DoorActs
from hub.safety.incidents import rows as incidents
from hub.safety.incidents.hand_off import reached
from hub.safety.notices import notice as notices
from hub.safety.notices.languages import Said, of_going_on, of_step
from hub.safety.notices.notice import Message
from hub.safety.outbox import ActionRow, Intention
from hub.storage import eventlog


class Escalation(DoorActs):
    """Takes the steps of ladders, and ends them once a person answers for the alert."""

    def climb(self) -> None:
        """Take the steps whose time has come. Several of one alert are told as one; what is older
        than `hub.digest_after` comes as a digest for each person.
        """
        by_alert: dict[str, list[StepRow]] = {}
        for step in steps.due(self._connection, self._now):
            by_alert.setdefault(step.alert, []).append(step)
        oldest = self._now - timedelta(seconds=self._charter.config.hub.digest_after)
        late = False
        for alert, rows in by_alert.items():
            row = alerts.get(self._connection, alert)
            if alerts.answered(row):
                steps.call_off(self._connection, alert, "it had been answered for", self._now)
                continue
            keys = self._take(row, rows)
            if from_iso(rows[0].due) < oldest:
                late = True
                steps.backdate(self._connection, keys, from_iso(rows[0].due))
        if late:
            self._gather()

    def acknowledge(self, alert: str, by: str, through: str = "") -> None:
        """Somebody takes an alert on: what is still to come of its ladder is called off, and
        everyone who was told hears of it. The same person twice is once. Raises `KeyError`, or
        `Refused` before anything is changed; not so where they answered on a channel (`through`),
        for whoever presses there too late has done nothing wrong.
        """
        row = alerts.get(self._connection, alert)
        words = self._charter.words
        if through and alerts.answered(row):
            return
        if alerts.acknowledge(self._connection, row, by, self._now, words):
            row = alerts.get(self._connection, alert)
            self._answer(row, "alert.acknowledged", by, {"through": through})
            self._end_telling(row, f"{words.person(by)} has taken it on")
            text = f"{words.person(by)} has taken this on ({words.moment(self._now)}). "
            text += "Nobody else will be called for it."
            message = self._message(row, "acknowledgement", f"Taken on: {row.title}", text)
            told = outbox.told(self._connection, row.id)
            known = [each for each in told if not self._charter.public(each.target)]
            self._tell_again(row, replace(message, data={"by": by}), known)
        self.decision.alert = row

    def resolve(self, alert: str, by: str, note: str) -> None:
        """A verified alert is over: everyone who was told hears of it, and what sounds for it falls
        silent. The same person twice is once. Raises `KeyError`, or `Refused` before anything is
        changed.
        """
        row = alerts.get(self._connection, alert)
        words = self._charter.words
        if alerts.resolve(self._connection, row, by, note, self._now, words):
            row = alerts.get(self._connection, alert)
            self._answer(row, "alert.resolved", by, {"note": note})
            known = outbox.told(self._connection, row.id, or_waiting=True)
            known += reached(self._connection, row.incident)
            reason = f"{words.person(by)} has resolved it"
            self._end_ladder(row, reason)
            # All of it, also what verifying asked for: no siren starts after the end was told.
            self._call_off(outbox.pending_notices(self._connection, row.id), reason)
            text = f"{words.person(by)} says this is over ({words.moment(self._now)})."
            text += f"\n{note}" if note else ""
            message = self._message(row, "verdict", f"Over: {row.title}", text)
            data = {"verdict": "resolved", "resolved": True, "by": by}
            facts = message.facts | {"note": note}
            self._tell_again(row, replace(message, data=data, facts=facts), known)
        self.decision.alert = row

    def clock_moved(self, by: timedelta) -> None:
        """The wall clock was set: steps wait for as long as they had left."""
        steps.shift(self._connection, by, self._now)
        super().clock_moved(by)

    def _raise_ladder(self, row: AlertRow, told: Sequence[Intention]) -> None:
        """Fix the ladder of a new alert and take its first step; those who have just been `told`
        are not told twice.
        """
        ladder = self._charter.ladders.fix(row.severity, row.place, self._now)
        if ladder is None:
            return
        steps.add(self._connection, row.id, ladder)
        first = steps.due(self._connection, self._now)
        just = [(each.target, [one["person"] for one in each.payload["to"]]) for each in told]
        row = alerts.get(self._connection, row.id)
        self._take(row, [each for each in first if each.alert == row.id], just)

    def _take(
        self,
        row: AlertRow,
        rows: Sequence[StepRow],
        told: Sequence[tuple[str, Sequence[str]]] = (),
    ) -> list[str]:
        """Tell the people of these steps, each once; returns the keys of the notices."""
        if not rows:
            return []
        groups = merged([kept_groups(json.loads(each.payload)) for each in rows])
        number = max(each.step for each in rows)
        last = len(json.loads(row.ladder)["who"])
        message = self._alarm(row, of_step(number, last) if number > 1 else "")
        message = replace(message, data={**message.data, "step": number})
        keys = self._tell_groups(message, without(groups, told))
        steps.told(self._connection, rows, f"{len(keys)} notices", self._now)
        return keys

    def _go_on(self, row: AlertRow) -> int:
        """Tell everyone who was told of an alert that it goes on, where nobody has answered for it
        and nobody was told for too long. Returns to how many notices that came: nobody gets a
        second one while one about it still waits for them.
        """
        after = self._charter.config.hub.tell_again.after(row.severity)
        if after is None or alerts.answered(row):
            return 0
        last = steps.last_told(self._connection, row.id)
        if last is None or abs(self._now - last) < after:  # ahead of now: the clock was set back
            return 0
        waiting = {each.lane for each in outbox.pending_notices(self._connection, row.id)}
        known = [
            each
            for each in outbox.told(self._connection, row.id)
            if each.lane not in waiting and not self._charter.public(each.target)
        ]
        since = self._charter.words.clock(from_iso(row.opened))
        message = self._alarm(row, of_going_on(row._mapping["count"], since))
        message = replace(message, title=f"Still going on: {row.title}")
        self._tell_again(row, replace(message, data={**message.data, "again": True}), known)
        return len(known)

    def _alarm(self, row: AlertRow, line: str | Said) -> Message:
        """The alert, said again with a line before it."""
        cause = eventlog.get(self._connection, row.event)
        basis: notices.Basis = "person" if row.state == "verified" else "detector"
        return notices.alert_message(self._charter.words, row, cause, basis, line)

    def _tell_groups(self, message: Message, groups: Groups) -> list[str]:
        charter = self._charter
        return [
            self._intend(notices.intention(charter.config, charter.words, message, channel, group))
            for channel, several in groups.items()
            if not charter.public(channel)  # as it may have become since the ladder was fixed
            for group in several
        ]

    def _answer(self, row: AlertRow, kind: str, by: str, more: dict[str, Any]) -> Event:
        """Journal that a person answered, and tell the incident."""
        facts = {"alert": row.id, "incident": row.incident, "by": by}
        facts |= {"title": row.title, "place": row.place, **more}
        event = self._derived(kind, f"person/{by}", row.id, facts)
        if row.incident:
            incidents.touch(self._connection, row.incident, row.severity, self._now)
            self._tell(row.incident, event)
        return event

    def _end_ladder(self, row: AlertRow, reason: str) -> None:
        steps.call_off(self._connection, row.id, reason, self._now)

    def _end_telling(self, row: AlertRow, reason: str) -> None:
        """Call off what is still to come of the ladder, and what of the alarm waits to be sent.
        What verifying asked to be said is still said.
        """
        self._end_ladder(row, reason)
        waiting = outbox.pending_notices(self._connection, row.id)
        calls = [each for each in waiting if notices.calls(json.loads(each.payload))]
        self._call_off(calls, reason)

    def _tell_again(self, row: AlertRow, message: Message, known: Sequence[ActionRow]) -> None:
        charter = self._charter
        for earlier in known:
            self._intend(notices.again(charter.config, charter.words, message, earlier))

    def _message(self, row: AlertRow, about: notices.AboutWhat, title: str, text: str) -> Message:
        words = self._charter.words
        seen = words.campus.words(row.place)
        if seen:
            text += f"\n{seen}, first seen at {words.clock(from_iso(row.opened))}."
        return Message(
            about=about,
            severity=row.severity,
            title=title,
            text=text,
            time=self._now,
            place=seen,
            alert=row.id,
            incident=row.incident,
            basis="person",
            data={},
            facts=notices.facts_of(row),
        )
