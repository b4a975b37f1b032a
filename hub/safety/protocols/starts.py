"""Starting a protocol: one transaction writes the event, the run, what doors and people are asked.

One gesture is one start, however often it is sent. Whoever starts what is in force there already
joins it. A run that is started over another covers that one, which is in force again once it ends.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.clock import iso
from hub.config import Protocol, Rule
from hub.errors import Refused
from hub.events import Event, new_id
from hub.incident_settings import IncidentKind
from hub.kinds.access_control import LOCK_VERBS
from hub.rule_settings import person_of
from hub.safety.alerts import rows as alerts
from hub.safety.alerts.rows import AlertRow
from hub.safety.doors import intents
from hub.safety.drills import plans as drill_plans
from hub.safety.incidents import cases
from hub.safety.incidents import rows as incidents
from hub.safety.notices import notice as notices
from hub.safety.protocols import plan, rows, says
from hub.safety.protocols.progress import Progress, serves
from hub.safety.protocols.rows import RunDoorRow, RunRow
from hub.safety.protocols.wording import Wording, wording
from hub.safety.rules.about import IN_DRILL, About, camera_for
from hub.safety.rules.book import Match

LONGEST_REASON = 200
RECORDED = "inbound/"  # sources whose messages somebody may have overheard
SIREN = "its controller sounds a siren of its own; `hub.drills.local_siren` does not allow it"


@dataclass(frozen=True, slots=True)
class Start:
    """What somebody starts. `by` is a person, `device` what they pressed and `place` where that
    is; one of `by` and `device` is filled. `source` is the event's. `location` is where to people
    go in Evacuate, if not where the configuration says. `sirens` are the doors whose
    controller makes noise of its own in a lockdown; `decided` says that people decided so in a
    fire alarm. The same `key` twice is one start while that is in force, and of a signed message
    for ever. `viewer` is the session that is shown what comes of it. `planned` is the planned drill
    that it is started for, which means nothing where it is real.
    """

    protocol: str
    area: str
    by: str = ""
    device: str = ""
    place: str = ""
    source: str = ""
    drill: bool = False
    doors_real: bool = False
    announce: bool = False
    reason: str = ""
    hazard: str = ""
    location: str = ""
    key: str = ""
    sirens: frozenset[str] = frozenset()
    decided: bool = False
    viewer: str = ""
    planned: str = ""

    @property
    def who(self) -> str:
        """Who, or what, started it."""
        return self.by or self.device

    @property
    def recorded(self) -> bool:
        """Whether somebody may have overheard it, who sends it again once it is over."""
        return self.source.startswith(RECORDED)

    @property
    def own_key(self) -> str:
        """The key, so that neither anybody else's nor another act's is the same; empty where there
        is none.
        """
        played = "drill" if self.drill else "real"
        whole = "\0".join((self.protocol, self.area, played, self.who, self.key))
        return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest() if self.key else ""


class Starts(Progress):
    """Starts protocols inside one transaction."""

    @abstractmethod
    def _open(
        self,
        title: str,
        severity: Any,
        place: str,
        source: str,
        kind: IncidentKind = "other",
        drill: bool = False,
    ) -> str:
        """Open an incident; returns its id."""

    @abstractmethod
    def _ending_event(self, run: RunRow, by: str, what: str) -> None:
        """Tell what becomes of a run's end."""

    @abstractmethod
    def _end_run(self, run: RunRow, people: list[str], why: str, *, tell: bool = True) -> None:
        """End a run."""

    def start_protocol(self, start: Start) -> str:
        """Start a protocol; returns the run's id, of the one that is in force where it was started
        before. Raises `Refused` where the configuration does not know it, or a drill may not be.
        """
        known = rows.by_key(self._connection, start.own_key) if start.own_key else None
        if not start.drill or not start.planned:
            return self._start(start, known)
        again = known.id if known is not None else ""
        plan = drill_plans.may_begin(self._connection, start.planned, start.protocol, again)
        run = self._start(start, known)
        drill_plans.begun(self._connection, plan, run)
        return run

    def _start(self, start: Start, known: RunRow | None) -> str:
        config, campus = self._charter.config, self._charter.campus
        if known is not None and (not known.ended or start.recorded):
            return str(known.id)
        block = plan.block_of(config, start.protocol)
        if start.area not in config.places:
            raise Refused("there is no place %(area)r; expected one of `places:`", area=start.area)
        if start.hazard and start.hazard not in block.hazards:
            known_ones = ", ".join(block.hazards) or "none"
            raise Refused(
                "there is no hazard %(hazard)r here; expected: %(known_ones)s",
                hazard=start.hazard,
                known_ones=known_ones,
            )
        if start.drill and (fire := self.fire_state()).alarmed:
            raise Refused("no drill begins now: %(since)s", since=self._fire_words(fire))
        standing = rows.in_force(self._connection)
        near = [one for one in standing if rows.overlap(campus, one.area, start.area)]
        if start.drill and (real := next((one for one in near if not one.drill), None)):
            name = wording(real.protocol, None).name
            raise Refused("%(name)s is in force here and no drill: end that first", name=name)
        joined = next((one for one in reversed(near) if self._same(one, start)), None)
        if joined is not None and not rows.covered(campus, joined, standing):
            self._press_again(joined, start)
            return str(joined.id)
        self._may_go_over(start, near)
        if not start.drill:  # a real press in a drill is real at once, and the drill is over
            for one in near:
                if one.drill:
                    self._end_run(one, [start.who], "a real one was started", tell=False)
        beneath = next((one for one in reversed(near) if one.drill == start.drill), None)
        return self._begin_run(start, block, beneath)

    def _may_go_over(self, start: Start, near: Sequence[RunRow]) -> None:
        """Nobody lifts a lockdown by starting something over it: that would be ending it alone.
        Only the decision in a fire alarm has people leave.
        """
        if start.protocol == "lockdown":
            return
        for one in near:
            if one.protocol != "lockdown" or one.drill != start.drill:
                continue
            leaves = start.protocol == "evacuate"
            inside = self._charter.campus.within(start.area, one.area)
            if leaves and not start.decided:
                raise Refused(
                    "Lockdown is in force here: only the decision in a fire alarm starts Evacuate "
                    "over it; end it first, which takes two people or its commander's PIN"
                )
            if inside and not leaves:
                name = wording(start.protocol, None).name
                raise Refused(
                    "Lockdown is in force here and goes before %(name)s: end it first, "
                    "which takes two people or its commander's PIN",
                    name=name,
                )

    def _leads(self, run: RunRow, by: str) -> bool:
        """Whether somebody has the role of commander in a run's incident."""
        leaders = self._leaders(self._story_of(run))
        return bool(by) and (by in leaders or person_of(self._charter.config.people, by) in leaders)

    def _same(self, run: RunRow, start: Start) -> bool:
        """Whether a run in force is what somebody wants to start."""
        return (
            run.protocol == start.protocol
            and bool(run.drill) == start.drill
            and (not start.hazard or run.hazard == start.hazard)
            and (not start.location or rows.location(run) == start.location)
            and self._charter.campus.within(start.area, run.area)
        )

    def _begin_run(self, start: Start, block: Protocol, beneath: RunRow | None) -> str:
        charter, run_id = self._charter, new_id()
        words = wording(start.protocol, block, start.hazard, start.location)
        title = f"{words.name}: {charter.campus.name(start.area)}"
        grave = plan.severity(start.protocol)
        incident = incidents.ongoing(
            self._connection, charter.campus, [start.area], self._now, start.drill
        )
        if incident is None:
            incident = self._open(
                title, grave, start.area, start.source, block.incident, start.drill
            )
        else:
            incidents.touch(self._connection, incident, grave, self._now)
            self.plan_tasks(incident, block.incident)
        facts: dict[str, Any] = {"run": run_id, "area": start.area, "drill": start.drill}
        facts |= {"place": start.place or start.area, "by": start.by, "device": start.device}
        facts |= {"reason": start.reason[:LONGEST_REASON], "hazard": start.hazard}
        facts |= {"incident": incident, "name": words.name, "directive": words.directive}
        event = Event("protocol.started", start.source, self._now, start.protocol, facts)
        values: dict[str, Any] = {
            "id": run_id,
            "protocol": start.protocol,
            "area": start.area,
            "drill": start.drill,
            "doors_real": start.drill and start.doors_real,
            "announce": start.drill and start.announce,
            "started": iso(self._now),
            "started_by": start.by,
            "device": start.device,
            "key": start.own_key,
            "reason": start.reason[:LONGEST_REASON],
            "hazard": start.hazard,
            "over": beneath.id if beneath is not None else "",
            "incident": incident,
            "plan": json.dumps(
                {"place": start.place, "location": start.location}, ensure_ascii=False
            ),
        }
        run = rows.add(self._connection, values)
        alert = self._alert_of(run, block, event, title)
        run = rows.change(self._connection, run_id, alert=alert.id)
        if start.device:
            self._pressed(run, start, joined=False)
        self.accept(event)
        self._move_doors(run, block, start.sirens)
        self._tell_people(run, block, words, alert, start.place)
        self._add_tasks(run, block)
        self.expect_update(incident)
        self._tell_progress(run)
        self.decision.key = run_id
        return run_id

    def _alert_of(self, run: RunRow, block: Protocol, event: Event, title: str) -> AlertRow:
        """The alert that tells of a run: a person's own word, so that nobody need verify it."""
        where, campus = str(event.data["place"]), self._charter.campus
        why = f"{self._charter.words.person(run.started_by or run.device)} started it"
        why += f" in {plan.called(campus, where)}" if where in self._charter.config.places else ""
        spec = spoken_rule(title, plan.severity(run.protocol), block.incident)
        scope = f"protocol/{run.id}{IN_DRILL if run.drill else ''}"
        about = About(scope, run.area, places=(run.area,), drill=bool(run.drill))
        severity = plan.severity(run.protocol)
        rule = f"protocol.{run.protocol}"
        match = Match(rule, spec, about, (why,), severity, event, (event.id,))
        seen = replace(about, place=where, places=(where,))
        camera = camera_for(seen, self._charter.config, campus)
        row = alerts.raise_alert(
            self._connection, match, event, [], run.incident, camera, self._now
        )
        by, words = run.started_by or run.device, self._charter.words
        alerts.judge(self._connection, row, "verified", by, "", self._now, words)
        facts = {"alert": row.id, "rule": rule, "title": title, "severity": severity}
        facts |= {"place": run.area, "camera": camera, "incident": run.incident, "run": run.id}
        facts |= {"cause": event.id, "by": by, "verdict": "verified", "drill": bool(run.drill)}
        self._derived("alert.raised", event.source, row.id, facts)
        self.decision.opened.append(alerts.get(self._connection, row.id))
        return alerts.get(self._connection, row.id)

    def _move_doors(self, run: RunRow, block: Protocol, sirens: frozenset[str]) -> None:
        charter = self._charter
        steps = plan.door_steps(charter.config, charter.campus, block, run.area)
        siren = not charter.config.hub.drills.local_siren
        for door, verb in steps:
            state, detail = "waiting", ""
            if run.drill and not run.doors_real:
                state, detail = "fenced", "a drill: no door moves"
            elif run.drill and siren and door in sirens and verb == "lockdown":
                state, detail = "fenced", SIREN
            rows.add_door(self._connection, run.id, "start", door, verb, state, self._now, detail)
        incident = self._story_of(run)
        for row in rows.doors(self._connection, run.id, "start"):
            self._want_door(run, row, incident)
        self._put_beneath(run)

    def _want_door(self, run: RunRow, row: RunDoorRow, incident: str) -> None:
        """Want what a run wants of a door, unless it is fenced; what is refused says why."""
        if row.state == "fenced":
            return
        reason = wording(run.protocol, None).name
        try:
            intent = self.want(
                row.door,
                row.verb,
                "protocol",
                run.id,
                f"{reason}, a drill" if run.drill else reason,
                by=run.started_by or run.device,
                alert=run.alert,
                incident=incident,
                drill=bool(run.drill),
                evacuates=run.protocol == "evacuate",
                yields=self._yields(run, row),
            )
        except (Refused, KeyError, ValueError) as error:
            halted = isinstance(error, Refused) and self.fire_state().suspended
            state = "suspended" if halted else "refused"
            said = str(error) if not isinstance(error, KeyError) else "it is no longer configured"
            rows.change_door(self._connection, row, state=state, detail=said)
            return
        self._asked_of(run, row, intent)

    def _yields(self, run: RunRow, row: RunDoorRow) -> bool:
        """Whether a lockdown that a run was not started over keeps a door as it is: Evacuate beside
        it opens nothing of it, and Secure around it has no credential work again.
        """
        if run.protocol == "lockdown":
            return False
        winner = intents.winner(self._connection, row.door)
        if winner is None or winner.owner_kind != "protocol" or winner.owner == run.id:
            return False
        other = rows.get(self._connection, winner.owner)
        if other.protocol != "lockdown" or winner.verb not in LOCK_VERBS:
            return False
        over = rows.overlap(self._charter.campus, other.area, run.area)
        return not serves(row.verb, winner.verb) and not (run.protocol == "evacuate" and over)

    def _tell_people(
        self, run: RunRow, block: Protocol, words: Wording, alert: AlertRow, place: str
    ) -> None:
        charter = self._charter
        where = plan.called(charter.campus, place) if place in charter.config.places else ""
        message = says.in_force(charter.words, run, words, alert, where, self._now)
        for intention in notices.intentions(
            charter.config, charter.words, message, block.tell, block.through
        ):
            self._intend(says.leading_to_it(intention, run))

    def _add_tasks(self, run: RunRow, block: Protocol) -> None:
        incident = self._story_of(run)
        group = cases.family(self._connection, incident)
        known = {one["text"] for one in cases.tasks(self._connection, group)}
        wanted = [text for text in dict.fromkeys(block.tasks) if text not in known]
        if wanted:
            tasks = [{"task": new_id()[:12], "text": text} for text in wanted]
            facts = {"incident": incident, "by": "", "do": "added", "planned": True}
            facts |= {"kind": wording(run.protocol, None).name, "tasks": tasks}
            self._tell(incident, self._derived("incident.task", "hub/protocols", incident, facts))

    def _press_again(self, run: RunRow, start: Start) -> None:
        """Somebody starts what is in force: the story tells who and where. An end that waits for
        its second person is withdrawn: whoever asked for it did not know of this.
        """
        self._pressed(run, start, joined=True)
        if run.asked_by:
            rows.change(self._connection, run.id, asked_by="", asked="")
            self._ending_event(run, start.who, "pressed")
        rows.show_again(self._connection, run.id, start.viewer, self._now)
        self.decision.key = str(run.id)

    def _pressed(self, run: RunRow, start: Start, *, joined: bool) -> None:
        """Journal that a button was pressed, and where."""
        where = start.place or start.area
        facts = {"run": run.id, "does": run.protocol, "place": where, "area": run.area}
        facts |= {"by": start.by, "device": start.device, "drill": bool(run.drill)}
        facts |= {"incident": self._story_of(run), "joined": joined}
        facts |= {"reason": start.reason[:LONGEST_REASON] if joined else ""}
        self.accept(Event("panic.pressed", start.source, self._now, where, facts))


def spoken_rule(title: str, severity: str, kind: IncidentKind) -> Rule:
    """What an alert stands on that no rule has raised: a person's word."""
    alert = {"severity": severity, "incident": kind}
    return Rule.model_validate({"name": title, "when": "panic.pressed", "alert": alert})
