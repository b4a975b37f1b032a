"""Rules: compiled once, found by what an event is about, and deciding purely.

`RuleBook.judge` is a function of the memory, an event and the time: the same events at the same
times give the same matches, whether they happen now, after a restart or in a replay. A match says
in words why it matched. Only what the hub itself derives from rules (alerts, incidents, their
pictures) is never shown to rules again; all other events are, so a rule may act on a failing plugin
or an unconfirmed door.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hub.campus import Campus
from hub.config import Config, Rule
from hub.events import Event
from hub.kinds.notifiers import Severity
from hub.safety.rules.about import About, about_event, camera_for, number, quiet_about
from hub.safety.rules.clauses import Compiler, Seen
from hub.safety.rules.memory import Cooldown, Memory
from hub.safety.rules.patterns import FOR_FACTS, CompiledRule, Fulfilled, Part, compiled
from hub.safety.rules.schedule import timetables
from hub.storage.eventlog import CLOCK_MOVED

__all__ = ["About", "Match", "RuleBook", "about_event", "camera_for", "number"]

DERIVED = ("alert.", "incident.", "picture.", "rule.")
OLDEST = timedelta(hours=24)
AHEAD = timedelta(minutes=1)
AFTER_TROUBLE = timedelta(minutes=1)
FACTS = ("zone.entered", "zone.left", "camera.offline", "hub.started")
UNSEEN = ("hub.started", CLOCK_MOVED)  # nobody was there in the time before, or it did not pass
PROTOCOLS = ("protocol.started", "protocol.ended")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that fires, what about, and why. `event` is what it fires for, `events` are the ids of
    all that led to it. A match that is `kept_back` by the rule's cooldown is only listed.
    """

    rule: str
    spec: Rule
    about: About
    matched: tuple[str, ...]
    severity: Severity
    event: Event
    events: tuple[str, ...]
    kept_back: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A cooldown that ended with something to list."""

    rule: str
    scope: str
    cooldown: Cooldown


def counts_at(event: Event, now: datetime) -> datetime:
    """When an event counts: by its own time, or `now` where that time cannot be right."""
    return event.time if now - OLDEST <= event.time <= now + AHEAD else now


def set_ahead(event: Event) -> timedelta:
    """By how much the clock was set ahead, where an event tells of that."""
    if event.type != CLOCK_MOVED:
        return timedelta()
    return timedelta(seconds=max(0.0, number(event.data.get("seconds")) or 0.0))


class RuleBook:
    """All rules of a configuration. Immutable, so any thread may ask it; what changes is in the
    `Memory` that it is given.
    """

    def __init__(self, config: Config, campus: Campus) -> None:
        self._config = config
        self._campus = campus
        compiler = Compiler(
            campus, timetables(config.schedules, config.hub.timezone), config.hub.timezone
        )
        self.rules: dict[str, CompiledRule] = {}
        self._shelves: dict[str, dict[str, dict[str, list[Part]]]] = {}
        for index, (name, spec) in enumerate(config.rules.items()):
            rule = compiled(index, name, spec, compiler)
            self.rules[name] = rule
            for part in rule.parts:
                self._shelve(part)
        self._inside: dict[str, tuple[str, ...]] = {
            place: tuple(campus.ancestry(place)) for place in config.places
        }

    def _shelve(self, part: Part) -> None:
        kind, names = part.pattern.shelf
        for type_ in part.pattern.types:
            if not type_.startswith(DERIVED):
                shelf = self._shelves.setdefault(type_, {}).setdefault(kind, {})
                for name in names:
                    shelf.setdefault(name, []).append(part)

    # ---------------------------------------------------------------- deciding

    def judge(self, memory: Memory, event: Event, now: datetime) -> list[Match]:
        """Every rule that fires for an event. Schedules and windows go by the event's own time, or
        by `now` when that time cannot be right (a day old, or ahead of us).
        """
        if (ahead := set_ahead(event)) > timedelta():
            memory.set_forward(ahead, now)
        memory.tick(now)
        shelves = self._shelves.get(event.type)
        if not shelves and event.type not in FACTS and event.type not in PROTOCOLS:
            return []
        about = about_event(event, self._config)
        moment = memory.counted_from(counts_at(event, now))
        memory.facts.note(event, about, moment)
        if event.type == "hub.started":
            memory.started(now)
        elif event.type == "camera.offline":
            memory.blind(about.camera)
        if not shelves:
            return []
        seen = Seen(event, about, moment, memory.facts)
        found: list[Match] = []
        for part in self._concerned(shelves, event, about):
            try:
                fulfilled = part.meet(memory, seen)
                if fulfilled is not None:
                    found += self._fired(part.rule, fulfilled, memory, seen, now)
            except Exception:
                # No rule's trouble may lose an event, or keep other rules from their turn.
                log.exception("a rule failed", rule=part.rule.name, seen=event.id)
        return found

    def lapse(self, memory: Memory, now: datetime) -> Iterator[Match | Listed]:
        """What time alone brings about up to `now`, oldest first: rules that fire because something
        has lasted, and cooldowns that end with something to list.
        """
        memory.tick(now)
        while (alarm := memory.lapsed(now)) is not None:
            if alarm.kind == "cooldown":
                ended = memory.cooldowns.pop(alarm.key)
                if ended.untold:
                    yield Listed(*alarm.key, ended)
                continue
            rule = self.rules[alarm.key[0]]
            waiting = memory.waiting[alarm.key]
            at = max(alarm.due, memory.settled)
            about = about_event(waiting.event, self._config)
            seen = Seen(waiting.event, about, at, memory.facts)
            try:
                fulfilled = rule.lasted(memory, alarm.key, waiting, seen)
                matches = (
                    [] if fulfilled is None else [*self._fired(rule, fulfilled, memory, seen, at)]
                )
            except Exception:
                # Nor may it cost the event that only happened to come now, or be tried at each.
                log.exception("a rule failed", rule=rule.name, seen=waiting.event.id)
                memory.put_off(alarm.key, now + AFTER_TROUBLE)
                continue
            yield from matches

    def _fired(
        self, rule: CompiledRule, fulfilled: Fulfilled, memory: Memory, seen: Seen, now: datetime
    ) -> Iterator[Match]:
        excused = rule.excused(memory, seen)
        if excused is None:
            return
        severity, graver = rule.severity(seen)
        why = (*fulfilled.matched, *excused, *graver)
        key = (rule.name, quiet_about(seen.event, seen.about))
        cooldown = memory.cooldowns.get(key) if rule.spec.cooldown is not None else None
        kept_back = cooldown is not None and cooldown.keeps_back(severity, now)
        if kept_back:
            memory.suppress(key, seen.event.id)
        yield Match(
            rule.name, rule.spec, seen.about, why, severity, seen.event, fulfilled.events, kept_back
        )

    def _concerned(
        self, shelves: dict[str, dict[str, list[Part]]], event: Event, about: About
    ) -> list[Part]:
        """The parts of rules that may concern an event, in the configuration's order."""
        found = list(shelves.get("", {}).get("", ()))
        alone = bool(found) and len(shelves) == 1
        for kind, name in (("door", about.door), ("camera", about.camera)):
            if name and kind in shelves:
                found += shelves[kind].get(name, ())
        if "label" in shelves:
            label = event.data.get("label")
            found += shelves["label"].get(label, ()) if isinstance(label, str) else ()
        if "place" in shelves:
            by_place = shelves["place"]
            outer = dict.fromkeys(
                step for place in about.places for step in self._inside.get(place, ())
            )
            for place in outer:
                found += by_place.get(place, ())
        return found if alone else sorted(found, key=lambda part: part.order)

    # -------------------------------------------------------------- what it needs

    @property
    def remembers(self) -> bool:
        """Whether any rule needs to know of events before."""
        return any(rule.remembers for rule in self.rules.values())

    @property
    def reach(self) -> dict[str, timedelta]:
        """By type of event from which the memory can be made again: how far back one may still
        matter.
        """
        found: dict[str, timedelta] = {}
        for rule in self.rules.values():
            if rule.remembers:
                types = {type_ for part in rule.parts for type_ in part.pattern.types}
                for type_ in types | {"hub.started", "camera.offline", CLOCK_MOVED}:
                    found[type_] = max(found.get(type_, timedelta()), rule.reach)
            if rule.asks_facts:
                for type_ in (*FACTS, *PROTOCOLS):
                    found[type_] = max(found.get(type_, timedelta()), FOR_FACTS)
        return found
