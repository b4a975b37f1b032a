"""One transaction, from event to intention: append, judge, alert, tell the story, write intentions.

A `Decider` lives as long as one transaction on the writer's thread. What it did is in `decision`,
to be told to the bus, the doors and the performer once the transaction is on the disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from hub.campus import Campus
from hub.clock import from_iso, iso
from hub.config import Config
from hub.errors import Refused
from hub.events import Event
from hub.kinds.access_control import Verb
from hub.safety import alerts, incidents, notices, outbox, plan
from hub.safety.alerts import AlertRow
from hub.safety.outbox import ActionRow
from hub.safety.rules import Match, RuleBook, camera_for
from hub.safety.words import Words
from hub.storage import eventlog
from hub.views import ActionState, Requested, Verdict

SMALL_PLACES = ("area", "room", "outdoor")


@dataclass(frozen=True)
class Charter:
    """What deciding needs to know and never changes while the hub runs."""

    config: Config
    campus: Campus
    words: Words
    rules: RuleBook
    public: Callable[[str], bool]

    @classmethod
    def of(cls, config: Config, campus: Campus, public: Callable[[str], bool]) -> Charter:
        """Compile a configuration."""
        return cls(config, campus, Words(config, campus), RuleBook(config, campus), public)


@dataclass(slots=True)
class Decision:
    """What a transaction did that others must hear of once it is committed."""

    events: list[tuple[int, Event]] = field(default_factory=list)
    repeated: int = 0
    opened: list[AlertRow] = field(default_factory=list)
    requests: list[tuple[str, Requested]] = field(default_factory=list)
    intentions: int = 0
    alert: AlertRow | None = None
    action: ActionRow | None = None
    key: str = ""


class Decider:
    """Decides inside one transaction."""

    def __init__(self, connection: Connection, charter: Charter, now: datetime) -> None:
        self.decision = Decision()
        self._connection = connection
        self._charter = charter
        self._now = now

    def accept(self, event: Event, data: str | None = None) -> None:
        """Append an event and act on the rules it fulfils; one that is already there changes
        nothing. `data` is the event's data already encoded.
        """
        if not self._append(event, data):
            return
        inside: set[str] = set()
        for match in self._charter.rules.matches(event, self._now):
            inside.add(self._alert(match, event))
        self._attach(event, inside)

    def verdict(self, alert: str, verdict: Verdict, by: str, note: str) -> None:
        """Judge an alert and do all that follows. Raises `KeyError` or `Refused`."""
        row = alerts.get(self._connection, alert)
        fresh = alerts.judge(
            self._connection, row, verdict, by, note, self._now, self._charter.words
        )
        row = alerts.get(self._connection, alert)
        if fresh:
            if verdict == "verified" and not row.incident:
                row = self._late_incident(row)
            self._spread(row, verdict, by, note)
            if verdict == "verified":
                self._carry_out(row, by)
            if verdict == "dismissed" and row.incident:
                self._maybe_close(row.incident)
        self.decision.alert = row

    def command(
        self, door: str, verb: Verb, by: str, reason: str, alert: str = "", incident: str = ""
    ) -> str:
        """Write the intention to ask a door for something; returns its key.

        An older command to the same door that is still pending is called off: what was asked last
        holds. Raises `KeyError` for an unknown door and `Refused` for a lock verb on a door that
        people cannot always leave through.
        """
        config = self._charter.config
        name = config.doors[door].name
        if not plan.may_take(config, door, verb):
            raise Refused(f"{name} takes no {verb}: its `egress: free` is not attested")
        if verb != "momentary":
            self._call_off(
                outbox.pending_commands(self._connection, door), "a newer command replaced it"
            )
        key = self._intend(
            plan.command(self._charter.words, door, verb, by, reason, alert, incident)
        )
        self._requested(door, key, verb, by, reason, alert, incident)
        return key

    def begin(self, action: int) -> None:
        """Mark an attempt, before anything acts; one that has expired ends here instead, unsent."""
        row = outbox.row(self._connection, action)
        if row.expires <= iso(self._now):
            last = f"; at last: {row.detail}" if row.detail else ""
            before = "its next attempt" if row.attempts else "it could be sent"
            self.settle(action, "timed_out", f"expired before {before}{last}")
        else:
            self.decision.action = outbox.begin(self._connection, action, self._now)

    def settle(self, action: int, state: ActionState, detail: str) -> None:
        """Write how an action ended, once; a door that did not obey is told to everyone told."""
        row = outbox.settle(self._connection, action, state, detail, self._now)
        if row is not None:
            self._ended(row)

    def retry(self, action: int, until: datetime, detail: str) -> None:
        """Plan another attempt, unless the action was called off while this one ran."""
        if not outbox.postpone(self._connection, action, until, detail):
            stopped = outbox.row(self._connection, action).stop
            self.settle(action, "cancelled", stopped or detail)

    def recover(self) -> None:
        """After a restart: attempts whose end nobody saw are tried again under the same key, except
        a momentary release, which must never happen twice.
        """
        for row in outbox.left_running(self._connection):
            if row.kind == "door" and json.loads(row.payload)["verb"] == "momentary":
                detail = "the hub stopped while it ran; a momentary release is never repeated"
                self.settle(row.id, "timed_out", detail)
            else:
                self.retry(row.id, self._now, "the hub stopped while it ran")

    def _append(self, event: Event, data: str | None = None) -> bool:
        text = eventlog.encode(event.data) if data is None else data
        seq = eventlog.append(self._connection, event, self._now, text)
        if seq is None:
            self.decision.repeated += 1
            return False
        self.decision.events.append((seq, event))
        return True

    def _derived(self, kind: str, source: str, subject: str, data: dict[str, Any]) -> Event:
        event = Event(type=kind, source=source, time=self._now, subject=subject, data=data)
        self._append(event)
        return event

    def _alert(self, match: Match, event: Event) -> str:
        going_on = alerts.joinable(self._connection, match, self._now)
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
        self._raise_voice(row, match, event)
        return incident

    def _join(self, row: AlertRow, match: Match, event: Event) -> str:
        if alerts.join(self._connection, row, event, self._now):
            row = alerts.get(self._connection, row.id)
            joined = self._derived("alert.joined", f"rule/{match.rule}", row.id, _facts(row, event))
            if row.incident:
                incidents.touch(self._connection, row.incident, row.severity, self._now)
                self._tell(row.incident, joined)
        return str(row.incident)

    def _incident_for(self, match: Match, event: Event) -> str:
        severity = match.spec.alert.severity
        named = event.data.get("incident")
        found = named if isinstance(named, str) and self._is_open(named) else None
        if found is None:
            found = incidents.ongoing(
                self._connection, self._charter.campus, match.about.places, self._now
            )
        if found is not None:
            incidents.touch(self._connection, found, severity, self._now)
            return found
        if severity not in incidents.OPENS:
            return ""
        return self._open(match.spec.name, severity, self._area(match), f"rule/{match.rule}")

    def _area(self, match: Match) -> str:
        """What an incident is about: the area the rule watches, unless that is a whole building."""
        watched = match.spec.condition.place
        places = self._charter.config.places
        if watched in places and places[watched].kind in SMALL_PLACES:
            return watched
        return match.about.place

    def _open(self, title: str, severity: Any, place: str, source: str) -> str:
        incident = incidents.open_incident(self._connection, title, severity, place, self._now)
        facts = {"incident": incident, "title": title, "severity": severity, "place": place}
        self._derived("incident.opened", source, incident, facts)
        return incident

    def _is_open(self, incident: str) -> bool:
        if not incidents.known(self._connection, incident):
            return False
        return bool(incidents.get(self._connection, incident).state == "open")

    def _late_incident(self, row: AlertRow) -> AlertRow:
        """An alert that opened no incident gets one when it turns out to be real."""
        found = incidents.ongoing(
            self._connection, self._charter.campus, [row.place], self._now
        ) or self._open(row.title, row.severity, row.place, f"alert/{row.id}")
        alerts.set_incident(self._connection, row.id, found)
        cause = eventlog.get(self._connection, row.event)
        if cause is not None:
            self._tell(found, cause)
        row = alerts.get(self._connection, row.id)
        self.decision.opened.append(row)
        return row

    def _raise_voice(self, row: AlertRow, match: Match, event: Event) -> None:
        # On a detector's word nobody but reviewers hears of it: no door, no public channel.
        charter, spec = self._charter, match.spec.alert
        quiet = [channel for channel in spec.through if not charter.public(channel)]
        message = notices.alert_message(charter.words, row, event, "detector")
        for intention in notices.intentions(
            charter.config, charter.words, message, spec.tell, quiet
        ):
            self._intend(intention)

    def _spread(self, row: AlertRow, verdict: Verdict, by: str, note: str) -> None:
        charter = self._charter
        event = self._derived(
            f"alert.{verdict}",
            f"person/{by}",
            row.id,
            {"alert": row.id, "incident": row.incident, "by": by, "note": note}
            | {"title": row.title, "place": row.place},
        )
        if row.incident:
            incidents.touch(self._connection, row.incident, row.severity, self._now)
            self._tell(row.incident, event)
        known = outbox.told(self._connection, row.id, or_waiting=verdict == "verified")
        if verdict != "unsure":
            waiting = outbox.pending_notices(self._connection, row.id)
            self._call_off(waiting, f"the alert was {verdict}")
        message = notices.verdict_message(charter.words, row, verdict, by, note, self._now)
        for earlier in known:
            self._intend(notices.again(charter.config, charter.words, message, earlier))

    def _carry_out(self, row: AlertRow, by: str) -> None:
        charter = self._charter
        cause = eventlog.get(self._connection, row.event)
        for step in json.loads(row.plan):
            if step["kind"] == "door":
                self._step(row, step, by)
                continue
            message = notices.alert_message(charter.words, row, cause, "person", step["text"])
            for intention in notices.intentions(
                charter.config, charter.words, message, step["tell"], step["through"]
            ):
                self._intend(intention)

    def _step(self, row: AlertRow, step: plan.Step, by: str) -> None:
        door, verb, reason = step["door"], step["verb"], f"verified: {row.title}"
        try:
            self.command(door, verb, by, reason, row.id, row.incident)
        except (KeyError, Refused) as error:
            # What was promised and cannot be done is an action that failed, not a silent gap.
            detail = str(error) if isinstance(error, Refused) else "it is no longer configured"
            self._intend(
                plan.command(self._charter.words, door, verb, by, reason, row.id, row.incident)
            )
            refused = outbox.pending_commands(self._connection, door)[-1]
            self.settle(refused.id, "failed", detail)

    def _intend(self, intention: outbox.Intention) -> str:
        self.decision.intentions += 1
        return outbox.add(self._connection, intention, self._now)

    def _requested(
        self, door: str, key: str, verb: Verb, by: str, reason: str, alert: str, incident: str
    ) -> None:
        block = self._charter.config.doors[door]
        data = {"key": key, "kind": "door", "target": door, "verb": verb, "by": by}
        data |= {"reason": reason, "alert": alert, "incident": incident, "place": block.place}
        source = f"alert/{alert}" if alert else f"person/{by}"
        self.accept(
            Event(type="action.requested", source=source, time=self._now, subject=door, data=data)
        )
        self._tell_door(door)

    def _call_off(self, rows: list[ActionRow], reason: str) -> None:
        for ended in outbox.stop(self._connection, rows, reason, self._now):
            self._ended(ended)

    def _ended(self, row: ActionRow) -> None:
        payload = json.loads(row.payload)
        took = from_iso(row.finished) - from_iso(row.created)
        data = {"key": row.key, "kind": row.kind, "target": row.target, "what": row.what}
        data |= {"alert": row.alert, "incident": row.incident, "detail": row.detail}
        facts: dict[str, Any] = {"seconds": took.total_seconds(), "attempts": row.attempts}
        if row.kind == "door":
            block = self._charter.config.doors.get(row.target)
            facts |= {"verb": payload["verb"], "by": payload["by"]}
            facts |= {"place": block.place if block is not None else ""}
        else:
            facts |= {"about": payload["about"], "to": [one["name"] for one in payload["to"]]}
        event = Event(
            type=f"action.{row.state}",
            source="hub/actions",
            time=self._now,
            subject=row.target,
            data=data | facts,
        )
        self.accept(event)
        if row.kind == "door":
            self._tell_door(row.target)
            if row.state in ("failed", "timed_out") and row.alert:
                self._warn(row, event)

    def _warn(self, row: ActionRow, event: Event) -> None:
        charter = self._charter
        alert = alerts.get(self._connection, row.alert)
        line, _ = charter.words.sentence(event)
        message = notices.outcome_message(charter.words, alert, line, self._now)
        for earlier in outbox.told(self._connection, row.alert, or_waiting=True):
            if not charter.public(earlier.target):
                self._intend(notices.again(charter.config, charter.words, message, earlier))

    def _tell_door(self, door: str) -> None:
        for newest in outbox.newest_commands(self._connection, door):
            self.decision.requests.append((door, outbox.requested(newest)))

    def _attach(self, event: Event, inside: set[str]) -> None:
        """Put an event into the incidents it belongs to and is not part of yet."""
        named = event.data.get("incident")
        if isinstance(named, str) and named:
            belongs = [named] if incidents.known(self._connection, named) else []
        elif event.type.startswith("door."):
            belongs = incidents.concerned(self._connection, event.subject, self._now)
        else:
            return
        for incident in belongs:
            if incident not in inside:
                self._tell(incident, event)
        if event.type == "picture.saved" and belongs:
            picture, camera = event.data.get("picture"), event.data.get("camera")
            if isinstance(picture, str):
                alerts.give_picture(self._connection, belongs[0], str(camera), picture)

    def _tell(self, incident: str, event: Event) -> None:
        incidents.tell(self._connection, incident, event, self._charter.words, self._now)

    def _maybe_close(self, incident: str) -> None:
        if incidents.close_if_false(self._connection, incident, self._now):
            closed = self._derived(
                "incident.closed", "hub/incidents", incident, {"incident": incident}
            )
            self._tell(incident, closed)


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
