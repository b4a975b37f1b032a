"""Rules: compiled once, indexed by event type, and pure. A match says in words why it matched.

Only what the hub itself derives from rules (alerts, incidents, their pictures) is never shown to
rules again; all other events are, so a rule may act on a failing plugin or an unconfirmed door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from hub.campus import Campus
from hub.config import Condition, Config, Rule
from hub.events import Event
from hub.safety.schedule import Timetable, timetables

DERIVED = ("alert.", "incident.", "picture.")
OLDEST = timedelta(hours=24)
AHEAD = timedelta(minutes=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class About:
    """What an event is about; an empty text where it does not say. Two events with the same `scope`
    are about the same thing: a door, a camera's working, a place, or else the event's subject.
    """

    scope: str
    place: str = ""
    camera: str = ""
    door: str = ""
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that an event fulfils, what about, and why."""

    rule: str
    spec: Rule
    about: About
    matched: tuple[str, ...]


Clause = Callable[[Event, About, datetime], str | None]


class RuleBook:
    """All rules of a configuration. Immutable, so any thread may ask it."""

    def __init__(self, config: Config, campus: Campus) -> None:
        self._config = config
        self._by_type: dict[str, list[tuple[str, Rule, Sequence[Clause]]]] = {}
        tables = timetables(config.schedules, config.hub.timezone)
        for name, rule in config.rules.items():
            if not rule.when.startswith(DERIVED):
                clauses = _clauses(rule.condition, campus, tables)
                self._by_type.setdefault(rule.when, []).append((name, rule, clauses))

    def matches(self, event: Event, now: datetime) -> list[Match]:
        """Every rule that the event fulfils. Schedules are judged at the event's own time, or at
        `now` when that time cannot be right (a day old, or ahead of us).
        """
        rules = self._by_type.get(event.type)
        if not rules:
            return []
        about = about_event(event, self._config)
        moment = event.time if now - OLDEST <= event.time <= now + AHEAD else now
        found = []
        for name, rule, clauses in rules:
            why = _reasons(name, clauses, event, about, moment)
            if why is not None:
                found.append(Match(name, rule, about, (event.type, *why)))
        return found


def about_event(event: Event, config: Config) -> About:
    """The place, camera and door of an event, filled in from the configuration."""
    area, _, name = event.source.partition("/")
    door = _text(event.data, "door") or (event.subject if event.type.startswith("door.") else "")
    camera = _text(event.data, "camera") or (name if area == "camera" else "")
    if event.type.startswith("camera."):
        camera = camera or event.subject
    place = _text(event.data, "place")
    scope = f"place/{place}" if place else f"subject/{event.subject}"
    if door:
        scope = f"door/{door}"
    elif event.type.startswith("camera."):
        scope = f"camera/{camera}"
    places = [place] if place else []
    desk = config.visitors.get(_text(event.data, "desk"))
    if door in config.doors:
        block = config.doors[door]
        places += [block.place, *((block.leads_to,) if block.leads_to else ())]
    elif not place and camera in config.cameras:
        places.append(config.cameras[camera].place)
    elif not place and desk is not None and desk.place is not None:
        places.append(desk.place)
    return About(scope, places[0] if places else "", camera, door, tuple(places))


def camera_for(about: About, config: Config, campus: Campus) -> str:
    """The camera that saw it, else the one that looks closest at its places; empty for none."""
    if about.camera:
        return about.camera
    found: list[tuple[bool, str]] = []
    for camera, block in config.cameras.items():
        seen = {block.place, *(zone.place for zone in block.zones)}
        inside = any(campus.within(one, place) for one in seen for place in about.places)
        if block.enabled and inside:
            found.append((seen.isdisjoint(about.places), camera))
    return min(found, key=lambda ranked: ranked[0])[1] if found else ""


def _reasons(
    name: str, clauses: Sequence[Clause], event: Event, about: About, moment: datetime
) -> list[str] | None:
    why = []
    try:
        for clause in clauses:
            reason = clause(event, about, moment)
            if reason is None:
                return None
            why.append(reason)
    except Exception:
        # An event with absurd data must neither be lost nor keep other rules from their turn.
        log.exception("a rule could not judge an event", rule=name, event=event.id)
        return None
    return why


def _clauses(
    condition: Condition, campus: Campus, tables: Mapping[str, Timetable]
) -> Sequence[Clause]:
    clauses: list[Clause] = []
    if condition.label or condition.min_score:
        clauses.append(_seen(condition))
    if condition.place is not None:
        clauses.append(_at(condition.place, campus))
    if condition.camera is not None:
        clauses.append(_camera(condition.camera))
    if condition.door is not None:
        clauses.append(_door(condition.door))
    if condition.during is not None:
        clauses.append(_time(tables[condition.during], wanted=True))
    if condition.outside is not None:
        clauses.append(_time(tables[condition.outside], wanted=False))
    return clauses


def _seen(condition: Condition) -> Clause:
    labels, least = frozenset(condition.label), condition.min_score

    def clause(event: Event, about: About, moment: datetime) -> str | None:
        label, score = _text(event.data, "label"), number(event.data.get("score"))
        if labels and label not in labels:
            return None
        if least and (score is None or score < least):
            return None
        shown = "" if score is None else f"{score:.2f}"
        return f"label {label} {shown}".rstrip() if labels else f"score {shown}"

    return clause


def _at(wanted: str, campus: Campus) -> Clause:
    def clause(event: Event, about: About, moment: datetime) -> str | None:
        for place in about.places:
            if campus.within(place, wanted):
                if place == wanted:
                    return f"place {campus.name(place)}"
                return f"place {campus.name(place)} in {campus.name(wanted)}"
        return None

    return clause


def _camera(wanted: str) -> Clause:
    def clause(event: Event, about: About, moment: datetime) -> str | None:
        return f"camera {wanted}" if about.camera == wanted else None

    return clause


def _door(wanted: str) -> Clause:
    def clause(event: Event, about: About, moment: datetime) -> str | None:
        return f"door {wanted}" if about.door == wanted else None

    return clause


def _time(table: Timetable, *, wanted: bool) -> Clause:
    word = "during" if wanted else "outside"

    def clause(event: Event, about: About, moment: datetime) -> str | None:
        if table.in_force(moment) is not wanted:
            return None
        return f'{word} "{table.name}" (it was {table.local(moment):%a %H:%M})'

    return clause


def number(value: Any) -> float | None:
    """A finite number as it came in JSON; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""
