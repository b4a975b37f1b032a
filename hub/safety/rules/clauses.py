"""The clauses of a condition: each holds or not, and says in words by which value.

Compiled once and pure: a clause looks at what was seen and at nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from hub.campus import Campus
from hub.conditions import Present
from hub.config import DAYS, Condition
from hub.events import Event
from hub.expression import Expression, compile_expression
from hub.safety.rules.about import About, number, text, track
from hub.safety.rules.schedule import Timetable

MOST_PRESENT = 2000
PROTOCOL_CHECKED_EVERY = timedelta(seconds=60)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Facts:
    """What holds now: the protocols in force, since when, and who is in view where."""

    protocols: dict[str, datetime] = field(default_factory=dict)
    present: dict[str, tuple[str, str]] = field(default_factory=dict)

    def note(self, event: Event, about: About, moment: datetime) -> None:
        """Take in what an event says about either."""
        kind = event.type
        if kind == "zone.entered" and (who := track(event, about)):
            place, label = about.place, text(event.data, "label")
            self.present[f"{who} {place}"] = (place, label)
            if len(self.present) > MOST_PRESENT:
                self._forget_of_the_fullest()
        elif kind == "zone.left" and (who := track(event, about)):
            self.present.pop(f"{who} {about.place}", None)
        elif kind == "camera.offline":
            gone = f"{about.camera}/"
            self.present = {k: v for k, v in self.present.items() if not k.startswith(gone)}
        elif kind == "hub.started":
            self.present.clear()  # cameras tell anew who is there
        elif kind == "protocol.started":
            self.protocols.setdefault(event.subject, moment)
        elif kind == "protocol.ended":
            self.protocols.pop(event.subject, None)

    def _forget_of_the_fullest(self) -> None:
        """Let go of the oldest that the camera with most has seen: a flood costs no other."""
        camera, most = Counter(each.partition("/")[0] for each in self.present).most_common(1)[0]
        of_it = (each for each in self.present if each.startswith(f"{camera}/"))
        for each in list(islice(of_it, 1 + most // 100)):
            del self.present[each]


@dataclass(frozen=True, slots=True)
class Seen:
    """An event as clauses look at it; `moment` is when it counts."""

    event: Event
    about: About
    moment: datetime
    facts: Facts


Clause = Callable[[Seen], str | None]


class OnSchedule:
    """While a schedule is in force, or while it is not."""

    def __init__(self, table: Timetable, *, wanted: bool) -> None:
        self._table = table
        self._wanted = wanted

    def __call__(self, seen: Seen) -> str | None:
        if self._table.in_force(seen.moment) is not self._wanted:
            return None
        word = "during" if self._wanted else "outside"
        return f'{word} "{self._table.name}" (it was {self._table.local(seen.moment):%a %H:%M})'

    def since(self, seen: Seen) -> datetime:
        """Since when it has held."""
        return self._table.since(seen.moment)

    def again(self, seen: Seen) -> datetime:
        """When it may hold next."""
        return self._table.next_change(seen.moment)


class InForce:
    """While one of some protocols is in force."""

    def __init__(self, wanted: tuple[str, ...], zone: ZoneInfo) -> None:
        self._wanted = wanted
        self._zone = zone

    def __call__(self, seen: Seen) -> str | None:
        for name in self._wanted:
            if name in seen.facts.protocols:
                local = seen.facts.protocols[name].astimezone(self._zone)
                return f"protocol {name} in force since {local:%H:%M:%S}"
        return None

    def since(self, seen: Seen) -> datetime:
        """Since when it has held."""
        begun = [
            seen.facts.protocols[name] for name in self._wanted if name in seen.facts.protocols
        ]
        return min(begun, default=seen.moment)

    def again(self, seen: Seen) -> datetime:
        """When to look again."""
        return seen.moment + PROTOCOL_CHECKED_EVERY


Timed = OnSchedule | InForce


@dataclass(frozen=True, slots=True)
class Pattern:
    """A condition, compiled. `shelf` is the kind and the names under which events find it."""

    types: tuple[str, ...]
    clauses: tuple[Clause, ...]
    timed: tuple[Timed, ...]
    shelf: tuple[str, tuple[str, ...]]

    def reasons(self, seen: Seen, *, rule: str, timed: bool = True) -> list[str] | None:
        """Why it holds, clause by clause; None when it does not. `timed` False leaves out those
        about time.
        """
        why = []
        try:
            for clause in self.clauses:
                if not timed and isinstance(clause, Timed):
                    continue
                reason = clause(seen)
                if reason is None:
                    return None
                why.append(reason)
        except Exception:
            # An event with absurd data must neither be lost nor keep other rules from their turn.
            log.exception("a rule could not judge an event", rule=rule, seen=seen.event.id)
            return None
        return why


class Compiler:
    """Makes patterns of conditions, for one configuration."""

    def __init__(self, campus: Campus, tables: Mapping[str, Timetable], timezone: str) -> None:
        self._campus = campus
        self._tables = tables
        self.zone = ZoneInfo(timezone)

    def pattern(self, types: tuple[str, ...], condition: Condition) -> Pattern:
        """Compile a condition on events of these types."""
        clauses = tuple(clause for _, clause in self.clauses(condition))
        timed = tuple(clause for clause in clauses if isinstance(clause, Timed))
        return Pattern(types, clauses, timed, _shelf(condition))

    def clauses(self, condition: Condition) -> Iterator[tuple[str, Clause]]:
        """What each key asks, by the key: what is about time comes last."""
        if condition.label or condition.min_score:
            yield "label", _seen(condition)
        if condition.place is not None:
            yield "place", _at(condition.place, self._campus)
        if condition.camera is not None:
            yield "camera", _camera(condition.camera)
        if condition.door is not None:
            yield "door", _door(condition.door)
        if condition.present is not None:
            yield "present", _present(condition.present, condition, self._campus)
        if condition.where.strip():
            yield "where", _where(compile_expression(condition.where), self.zone)
        if condition.during is not None:
            yield "during", OnSchedule(self._tables[condition.during], wanted=True)
        if condition.outside is not None:
            yield "outside", OnSchedule(self._tables[condition.outside], wanted=False)
        if condition.protocol:
            yield "protocol", InForce(condition.protocol, self.zone)


def _shelf(condition: Condition) -> tuple[str, tuple[str, ...]]:
    """What narrows the condition down most: events that are elsewhere never meet it."""
    for kind, name in (
        ("door", condition.door),
        ("camera", condition.camera),
        ("place", condition.place),
    ):
        if name is not None:
            return kind, (name,)
    return ("label", condition.label) if condition.label else ("", ("",))


def _seen(condition: Condition) -> Clause:
    labels, least = frozenset(condition.label), condition.min_score

    def clause(seen: Seen) -> str | None:
        label, score = text(seen.event.data, "label"), number(seen.event.data.get("score"))
        if labels and label not in labels:
            return None
        if least and (score is None or score < least):
            return None
        shown = "" if score is None else f"{score:.2f}"
        return f"label {label} {shown}".rstrip() if labels else f"score {shown}"

    return clause


def _at(wanted: str, campus: Campus) -> Clause:
    def clause(seen: Seen) -> str | None:
        for place in seen.about.places:
            if campus.within(place, wanted):
                if place == wanted:
                    return f"place {campus.name(place)}"
                return f"place {campus.name(place)} in {campus.name(wanted)}"
        return None

    return clause


def _camera(wanted: str) -> Clause:
    return lambda seen: f"camera {wanted}" if seen.about.camera == wanted else None


def _door(wanted: str) -> Clause:
    return lambda seen: f"door {wanted}" if seen.about.door == wanted else None


def _present(wanted: Present, condition: Condition, campus: Campus) -> Clause:
    labels, place = frozenset(condition.label), condition.place
    least = 0 if wanted.at_least is None else wanted.at_least
    most = MOST_PRESENT if wanted.at_most is None else wanted.at_most

    def clause(seen: Seen) -> str | None:
        where = place or seen.about.place
        count = in_view(seen, labels, where, campus)
        return f"{count} in view at {campus.name(where)}" if least <= count <= most else None

    return clause


def in_view(seen: Seen, labels: frozenset[str], where: str, campus: Campus) -> int:
    """How many are in view at a place, of these kinds or of any."""
    return sum(
        (not labels or label in labels) and campus.within(at, where)
        for at, label in seen.facts.present.values()
    )


def values_of(seen: Seen, zone: ZoneInfo) -> dict[str, Any]:
    """What an expression may ask of an event."""
    local = seen.moment.astimezone(zone)
    return {
        "type": seen.event.type,
        "source": seen.event.source,
        "subject": seen.event.subject,
        "place": seen.about.place,
        "camera": seen.about.camera,
        "door": seen.about.door,
        "label": text(seen.event.data, "label"),
        "score": seen.event.data.get("score"),
        "hour": local.hour,
        "minute": local.minute,
        "weekday": DAYS[local.weekday()],
        "month": local.month,
        "data": seen.event.data,
    }


def _where(expression: Expression, zone: ZoneInfo) -> Clause:
    def clause(seen: Seen) -> str | None:
        values = values_of(seen, zone)
        if not expression.holds(values):
            return None
        return f"where {expression.text.strip()} ({expression.seen(values)})"

    return clause
