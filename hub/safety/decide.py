"""One transaction, from event to intention: append, judge, alert, tell the story, write intentions.

A `Decider` lives as long as one transaction on the writer's thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from hub.clock import iso
from hub.errors import Refused
from hub.events import Event
from hub.incident_settings import IncidentKind
from hub.safety import outbox
from hub.safety.alerts import plan, together
from hub.safety.alerts import rows as alerts
from hub.safety.alerts.duplicates import duplicate, joinable
from hub.safety.alerts.rows import AlertRow
from hub.safety.alerts.undoing import DISMISSED, Undoing
from hub.safety.doors import fire
from hub.safety.incidents import cases
from hub.safety.incidents import rows as incidents
from hub.safety.incidents.hand_off import reached
from hub.safety.notices import notice as notices
from hub.safety.outbox import Intention
from hub.safety.rules.about import quiet_about
from hub.safety.rules.book import PROTOCOLS, Listed, Match, camera_for
from hub.safety.rules.memory import Cooldown
from hub.safety.rules.recall import note_protocol
from hub.safety.transaction import Charter, Decision
from hub.storage import eventlog
from hub.units import duration_words
from hub.views import ActionState, Verdict

__all__ = ["Charter", "Decider", "Decision"]

Found = TypeVar("Found")
SMALL_PLACES = ("area", "room", "outdoor")


class Decider(Undoing):
    """Decides inside one transaction."""

    def accept(self, event: Event, data: str | None = None) -> None:
        """Append an event and act on the rules it fulfils; one that is already there changes
        nothing. `data` is the event's data already encoded.
        """
        self.lapse()
        if not self._append(event, data):
            return
        if event.type in PROTOCOLS:
            note_protocol(self._connection, event)
        if event.type in (fire.ALARM, fire.CLEAR):
            self._fire_input(event)
        self._answers_again(event)
        inside: set[str] = set()
        for match in self._charter.rules.judge(self._memory(), event, self._now):
            inside.add(self._fire(match))
        self._attach(event, inside)
        self.follow_protocols(event)

    def lapse(self) -> None:
        """Act on what only had to wait: what has lasted long enough, cooldowns that end."""
        memory = self._memory()
        due = memory.due()
        if due is None or due > self._now:
            return
        for lapsed in self._charter.rules.lapse(memory, self._now):
            if isinstance(lapsed, Listed):
                self._list(lapsed.rule, lapsed.scope, lapsed.cooldown)
            else:
                self._fire(lapsed)

    def verdict(self, alert: str, verdict: Verdict, by: str, note: str) -> None:
        """Judge an alert and do all that follows. Raises `KeyError` or `Refused`."""
        row = alerts.get(self._connection, alert)
        fresh = alerts.judge(
            self._connection, row, verdict, by, note, self._now, self._charter.words
        )
        row = alerts.get(self._connection, alert)
        if fresh:
            late = verdict == "verified" and not row.incident
            if late:
                row = self._late_incident(row)
            self._spread(row, verdict, by, note, late)
            if verdict == "verified":
                self._carry_out(row, by)
                self.expect_update(row.incident)
            if verdict == "dismissed":
                self._end_ladder(row, DISMISSED)
                if row.incident:
                    self._maybe_close(row.incident)
            self._count_false_alarm(row, by)
        self.decision.alert = row

    def accept_with(self, write: Callable[[Connection, datetime], Event]) -> None:
        """Write something that others keep in the journal, and accept the event that tells of it:
        both or neither.
        """
        self.accept(write(self._connection, self._now))

    def with_connection(self, work: Callable[[Connection], Found]) -> Found:
        """Look at, or write, what others keep in the journal and no event tells of."""
        return work(self._connection)

    def tell(
        self, message: notices.Message, to: Sequence[str], through: Sequence[str], path: str
    ) -> None:
        """Have people told of what is no alert, over channels that reach people of the school
        alone; nobody where there are no names, for a notice to nobody by name goes to everyone whom
        a channel reaches.
        """
        charter = self._charter
        quiet = [channel for channel in through if charter.private(channel)]
        said = notices.intentions(charter.config, charter.words, message, to, quiet) if to else []
        for intention in said:
            payload = dict(intention.payload) | {"path": path}
            self._intend(replace(intention, payload=payload))

    def _fire(self, match: Match) -> str:
        """Act on a match, and keep in the journal why it did; returns the incident it is part of.
        What a cooldown keeps back is listed instead, at once and then every half minute.
        """
        memory, key = self._memory(), (match.rule, quiet_about(match.event, match.about))
        cooldown = memory.cooldowns.get(key)
        if match.kept_back:
            if cooldown is not None and cooldown.owes_a_list(self._now):
                self._list(*key, cooldown)
            return ""
        row = self._alert(match, match.event)
        if match.spec.cooldown is not None:
            if cooldown is not None and cooldown.untold:  # this one takes its place
                self._list(*key, cooldown)
            until = self._now + timedelta(seconds=match.spec.cooldown)
            memory.cool(key, Cooldown(self._now, until, match.severity, row.id))
        facts: dict[str, Any] = {"rule": match.rule, "scope": key[1], "alert": row.id}
        facts |= {"cause": match.event.id, "severity": match.severity}
        facts |= {"place": match.about.place, "door": match.about.door}
        facts |= {"matched": list(match.matched), "events": list(match.events)}
        self._derived("rule.fired", f"rule/{match.rule}", match.rule, facts)
        return str(row.incident)

    def _list(self, rule: str, scope: str, cooldown: Cooldown) -> None:
        """Write what a cooldown has kept back since it was last listed."""
        facts = {"rule": rule, "scope": scope, "alert": cooldown.alert, "count": cooldown.count}
        facts |= {"events": list(cooldown.untold)}
        facts |= {"since": iso(cooldown.since), "until": iso(cooldown.until)}
        event = self._derived("rule.suppressed", f"rule/{rule}", rule, facts)
        span = duration_words((cooldown.until - cooldown.since).total_seconds())
        words = f"the cooldown of {span} kept back {cooldown.count} more"
        words += f", the last at {self._charter.words.clock(self._now)}"
        incident = alerts.note_kept_back(self._connection, cooldown.alert, words)
        if incident and cooldown.told < cooldown.since:
            self._tell(incident, event)
        cooldown.untold, cooldown.told = [], self._now

    def _alert(self, match: Match, event: Event) -> AlertRow:
        match = self._within_budget(match)
        going_on = joinable(self._connection, match, self._now)
        if going_on is None:
            going_on = duplicate(self._connection, self._charter.config, match, self._now)
        if going_on is not None:
            return self._join(going_on, match, event)
        incident = self._incident_for(match, event)
        charter = self._charter
        steps = plan.plan(charter.config, charter.campus, match.spec.verified)
        camera = camera_for(match.about, charter.config, charter.campus)
        row = alerts.raise_alert(self._connection, match, event, steps, incident, camera, self._now)
        raised = self._derived("alert.raised", f"rule/{match.rule}", row.id, _facts(row, event))
        if incident:
            self._tell(incident, event)
            self._tell(incident, raised)
            self.decision.opened.append(row)
        self._raise_ladder(row, self._raise_voice(row, match, event))
        return row

    def _join(self, row: AlertRow, match: Match, event: Event) -> AlertRow:
        together.joined(self._connection, row, match, self._now)
        if alerts.join(self._connection, row, event, self._now):
            row = alerts.get(self._connection, row.id)
            again = self._go_on(row)
            facts = _facts(row, event) | ({"told_again": again} if again else {})
            joined = self._derived("alert.joined", f"rule/{match.rule}", row.id, facts)
            if row.incident:
                incidents.touch(self._connection, row.incident, row.severity, self._now)
                self._tell(row.incident, joined)
        return row

    def _incident_for(self, match: Match, event: Event) -> str:
        severity = match.severity
        named, drill = event.data.get("incident"), match.about.drill
        heir = cases.heir(self._connection, named) if isinstance(named, str) else ""
        found = heir if self._is_open(heir, drill) else None
        if found is None:
            found = incidents.ongoing(
                self._connection, self._charter.campus, match.about.places, self._now, drill
            )
        if found is not None:
            incidents.touch(self._connection, found, severity, self._now)
            kind = self._kind(match.spec.alert.incident, event)
            if severity in incidents.OPENS and kind != "other":
                self.plan_tasks(found, kind)  # what it began as may ask for other things
            return found
        if severity not in incidents.OPENS:
            return ""
        kind, source = self._kind(match.spec.alert.incident, event), f"rule/{match.rule}"
        return self._open(match.spec.name, severity, self._area(match), source, kind, drill)

    def _kind(self, kind: IncidentKind, event: Event) -> IncidentKind:
        """What an incident is about: what its rule says, else the protocol that has started."""
        if kind != "other" or event.type != "protocol.started":
            return kind
        protocols = self._charter.config.protocols
        return next(
            (one.incident for name, one in protocols.items() if name == event.subject), kind
        )

    def _area(self, match: Match) -> str:
        """What an incident is about: the area the rule watches, unless that is a whole building."""
        watched = match.spec.condition.place
        places = self._charter.config.places
        if watched in places and places[watched].kind in SMALL_PLACES:
            return watched
        return match.about.place

    def _open(
        self,
        title: str,
        severity: Any,
        place: str,
        source: str,
        kind: IncidentKind = "other",
        drill: bool = False,
    ) -> str:
        incident = incidents.open_incident(
            self._connection, title, severity, place, self._now, kind=kind, drill=drill
        )
        facts = {"incident": incident, "title": title, "severity": severity, "place": place}
        self._derived("incident.opened", source, incident, facts | {"kind": kind, "drill": drill})
        self.plan_tasks(incident, kind)
        return incident

    def _is_open(self, incident: str, drill: bool) -> bool:
        if not incidents.known(self._connection, incident):
            return False
        row = incidents.get(self._connection, incident)
        return bool(row.state == "open" and row.drill == drill)

    def _late_incident(self, row: AlertRow) -> AlertRow:
        """An alert that opened no incident gets one when it turns out to be real."""
        rule, drill = self._charter.config.rules.get(row.rule), self._played(row)
        kind: IncidentKind = rule.alert.incident if rule is not None else "other"
        found = incidents.ongoing(
            self._connection, self._charter.campus, [row.place], self._now, drill
        ) or self._open(row.title, row.severity, row.place, f"alert/{row.id}", kind, drill)
        alerts.set_incident(self._connection, row.id, found)
        cause = eventlog.get(self._connection, row.event)
        if cause is not None:
            self._tell(found, cause)
        row = alerts.get(self._connection, row.id)
        self.decision.opened.append(row)
        return row

    def _raise_voice(self, row: AlertRow, match: Match, event: Event) -> list[Intention]:
        # On a detector's word nobody but reviewers hears of it: no door, no public channel.
        charter, spec = self._charter, match.spec.alert
        quiet = [channel for channel in spec.through if not charter.public(channel)]
        message = notices.alert_message(charter.words, row, event, "detector")
        said = notices.intentions(charter.config, charter.words, message, spec.tell, quiet)
        for intention in said:
            self._intend(intention)
        return said

    def _spread(self, row: AlertRow, verdict: Verdict, by: str, note: str, late: bool) -> None:
        charter = self._charter
        event = self._derived(
            f"alert.{verdict}",
            f"person/{by}",
            row.id,
            {"alert": row.id, "incident": row.incident, "by": by, "note": note}
            | {"title": row.title, "place": row.place}
            | ({"new_to_incident": True} if late else {}),
        )
        if row.incident:
            incidents.touch(self._connection, row.incident, row.severity, self._now)
            self._tell(row.incident, event)
        known = outbox.told(self._connection, row.id, or_waiting=verdict == "verified")
        if verdict != "unsure":
            waiting = outbox.pending_notices(self._connection, row.id)
            self._call_off(waiting, f"the alert was {verdict}")
        message = notices.verdict_message(charter.words, row, verdict, by, note, self._now)
        if row.incident:  # a false alarm that was handed over has to be taken back there too
            known += reached(self._connection, row.incident)
        for earlier in known:
            if not charter.public(earlier.target):  # it has become that since: it was never told
                self._intend(notices.again(charter.config, charter.words, message, earlier))

    def _carry_out(self, row: AlertRow, by: str) -> None:
        charter = self._charter
        cause, drill = eventlog.get(self._connection, row.event), self._played(row)
        for step in json.loads(row.plan):
            if step["kind"] == "door" and drill:
                self._only_written(self._door_step(row, step, by), "a drill: no door moves")
                continue
            if step["kind"] == "door":
                self._step(row, step, by)
                continue
            message = notices.alert_message(charter.words, row, cause, "person", step["text"])
            for intention in notices.intentions(
                charter.config, charter.words, message, step["tell"], step["through"]
            ):
                if drill and charter.public(intention.target):
                    self._only_written(intention, "a drill: nothing is announced")
                else:
                    self._intend(intention)

    def _only_written(
        self, intention: outbox.Intention, why: str, state: ActionState = "cancelled"
    ) -> None:
        """Keep in the story what was to be done, and do nothing of it."""
        row = outbox.by_key(self._connection, self._intend(intention))
        self.settle(row.id, state, why)

    def _door_step(self, row: AlertRow, step: plan.Step, by: str) -> outbox.Intention:
        reason = f"verified: {row.title}"
        return plan.command(
            self._charter.words, step["door"], step["verb"], by, reason, row.id, row.incident
        )

    def _step(self, row: AlertRow, step: plan.Step, by: str) -> None:
        door, verb, reason = step["door"], step["verb"], f"verified: {row.title}"
        try:
            self.command(door, verb, by, reason, row.id, row.incident)
        except (KeyError, Refused) as error:
            # What was promised and cannot be done is an action that failed, not a silent gap.
            detail = str(error) if isinstance(error, Refused) else "it is no longer configured"
            self._only_written(self._door_step(row, step, by), detail, "failed")

    def _attach(self, event: Event, inside: set[str]) -> None:
        """Put an event into the incidents it belongs to and is not part of yet."""
        if event.type.startswith(("incident.", "alert.")):
            return  # what people did is told where they did it, never on somebody else's word
        named = event.data.get("incident")
        if isinstance(named, str) and named:
            belongs = [named] if incidents.known(self._connection, named) else []
        elif event.type.startswith(("door.", "access.")):
            belongs = incidents.concerned(self._connection, event.subject, self._now)
        else:
            return
        for incident in belongs:
            if incident not in inside:
                self._tell(incident, event)
        if event.type == "picture.saved" and belongs:
            picture, camera = event.data.get("picture"), event.data.get("camera")
            if isinstance(picture, str):
                heir = cases.heir(self._connection, belongs[0])
                alerts.give_picture(self._connection, heir, str(camera), picture)


def _facts(row: AlertRow, cause: Event) -> dict[str, Any]:
    return {
        "alert": row.id,
        "rule": row.rule,
        "title": row.title,
        "severity": row.severity,
        "place": row.place,
        "camera": row.camera,
        "door": row.door,
        "incident": row.incident,
        "count": row._mapping["count"],
        "matched": json.loads(row.matched),
        "picture": row.picture,
        "cause": cause.id,
    }
