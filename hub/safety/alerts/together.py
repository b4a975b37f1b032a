"""What one alert tells of many: cameras or doors that stop answering, or answer again, at once.

A dead switch takes its cameras within seconds. The first is told as ever, and what follows soon
joins its alert, which knows each of them as a `Part`: since when it is gone, when it was back, and
whether people were last told that it is gone. A word is owed while what people were told is no
longer so: soon after something joined, a while after something came back, and at once when all are
back. Of what is gone who was told lately is told later, so that what comes and goes is no storm.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, update

from hub.clock import from_iso, iso
from hub.conditions import BACK_TOGETHER_S, COMES_BACK
from hub.safety.rules.about import IN_DRILL
from hub.safety.rules.book import Match
from hub.safety.words import Words
from hub.storage.schema import alerts
from hub.views import PartView

AlertRow: TypeAlias = Row[Any]

WAITING = ("raised", "unsure", "verified")
MOST_PARTS = 1000
STRAGGLERS = timedelta(seconds=BACK_TOGETHER_S)
SELDOM = timedelta(minutes=5)


@dataclass(slots=True)
class Part:
    """A camera or a door of an alert. `joined` is when it first was, `since` since when it is gone,
    `back` when it answered again (empty while it does not); `told` whether people were last told
    that it is gone.
    """

    place: str
    joined: str
    since: str
    back: str = ""
    told: bool = False

    @property
    def gone(self) -> bool:
        """Whether it does not answer."""
        return not self.back


@dataclass(slots=True)
class Parts:
    """The parts of an alert by their scope (`camera/yard`), and when people were last told that
    some are gone. Where `returns`, its rule is about what answers again, and none of them is gone.
    """

    told_at: str
    returns: bool = False
    by_scope: dict[str, Part] = field(default_factory=dict)

    @classmethod
    def of(cls, row: AlertRow) -> Parts:
        """Those of an alert; none of one that tells of one thing alone."""
        if not row.together:
            return cls(row.opened)
        kept = json.loads(row.together)
        parts = {scope: Part(**each) for scope, each in kept["parts"].items()}
        return cls(kept["told_at"], kept["returns"], parts)

    def text(self) -> str:
        """As they are kept."""
        parts = {scope: asdict(each) for scope, each in self.by_scope.items()}
        kept = {"told_at": self.told_at, "returns": self.returns, "parts": parts}
        return json.dumps(kept)

    def many(self) -> bool:
        """Whether there is more than one."""
        return len(self.by_scope) > 1

    def gone(self) -> list[str]:
        """The scopes of those that do not answer."""
        return [scope for scope, each in self.by_scope.items() if each.gone]

    def news(self) -> bool:
        """Whether what people were last told is no longer so."""
        return self.many() and any(each.told != each.gone for each in self.by_scope.values())

    def over(self, now: datetime) -> bool:
        """Whether all have been back for so long that what fails now fails anew."""
        if not self.many() or self.gone():
            return False
        latest = max(each.back for each in self.by_scope.values())
        return latest < iso(now - SELDOM)


def begun(match: Match, now: datetime) -> str:
    """What is kept of a new alert's first part; nothing where its rule tells one by one."""
    if match.spec.gathers() is None:
        return ""
    stamp = iso(now)
    first = Part(match.about.place, stamp, stamp, told=True)
    returns = match.event.type in COMES_BACK.values()
    return Parts(stamp, returns, {match.about.scope: first}).text()


def of_same_cause(
    connection: Connection, going_on: Select[Any], match: Match, now: datetime
) -> AlertRow | None:
    """Of these alerts of a rule the one that a match belongs to although it is about another camera
    or door: something else joined it only just now.
    """
    within = match.spec.gathers()
    if within is None:
        return None
    since = iso(now - timedelta(seconds=within))
    lately = going_on.where(alerts.c.together != "", alerts.c.updated >= since)
    for row in connection.execute(lately):
        parts = Parts.of(row).by_scope
        played = row.scope.endswith(IN_DRILL) == match.about.drill
        room = len(parts) < MOST_PARTS or match.about.scope in parts
        if played and room and since <= max(each.joined for each in parts.values()):
            return row
    return None


def joined(connection: Connection, row: AlertRow, match: Match, now: datetime) -> None:
    """Note in an alert what has joined it, or is gone again."""
    within = match.spec.gathers()
    if not row.together or within is None:
        return
    parts, stamp, scope = Parts.of(row), iso(now), match.about.scope
    known = parts.by_scope.get(scope)
    if known is None:
        parts.by_scope[scope] = Part(match.about.place, stamp, stamp)
    elif not known.gone:
        known.since, known.back = stamp, ""
    _keep(connection, row, parts, now, timedelta(seconds=within))


def came_back(connection: Connection, scope: str, now: datetime) -> None:
    """Note in every alert that waits for its end that a part of it answers again."""
    waiting = select(alerts).where(
        alerts.c.together != "",
        alerts.c.state.in_(WAITING),
        alerts.c.resolved_time == "",
        holds(scope),
    )
    for row in connection.execute(waiting).all():
        parts = Parts.of(row)
        if parts.by_scope[scope].gone:
            parts.by_scope[scope].back = iso(now)
            _keep(connection, row, parts, now, STRAGGLERS if parts.gone() else timedelta())


def holds(scope: str) -> ColumnElement[bool]:
    """That an alert has such a part."""
    return func.instr(alerts.c.together, f"{json.dumps(scope)}: {{") > 0


def _keep(
    connection: Connection, row: AlertRow, parts: Parts, now: datetime, after: timedelta
) -> None:
    """Keep the parts, and when people are owed a word on them: never later than they were."""
    owed = ""
    if parts.news():
        told_at = from_iso(parts.told_at)
        lasted = told_at - from_iso(row.opened)
        pause = min(lasted, SELDOM) if parts.gone() else timedelta()
        # Told ahead of now: the clock was set back, and nobody knows when that was.
        next_word = told_at + pause if told_at <= now else now
        due = iso(max(now + after, next_word))
        owed = min(due, row.owed) if row.owed else due
    changes = {"together": parts.text(), "owed": owed}
    connection.execute(update(alerts).where(alerts.c.id == row.id).values(**changes))


def gone(connection: Connection) -> set[str]:
    """The scopes of all that is gone by an alert that waits for its end."""
    waiting = select(alerts).where(
        alerts.c.together != "", alerts.c.state.in_(WAITING), alerts.c.resolved_time == ""
    )
    every = (Parts.of(row) for row in connection.execute(waiting))
    return {scope for parts in every if not parts.returns for scope in parts.gone()}


def next_owed(connection: Connection) -> datetime | None:
    """When people are next owed a word; None where nobody is."""
    found = connection.scalar(select(func.min(alerts.c.owed)).where(alerts.c.owed != ""))
    return None if found is None else from_iso(found)


def owed(connection: Connection, now: datetime) -> list[AlertRow]:
    """The alerts of which people are owed a word by now."""
    due = select(alerts).where(alerts.c.owed != "", alerts.c.owed <= iso(now))
    return list(connection.execute(due.order_by(alerts.c.owed)))


def told(connection: Connection, row: AlertRow, parts: Parts, now: datetime) -> None:
    """People know now how it is."""
    for each in parts.by_scope.values():
        each.told = each.gone
    if parts.gone():
        parts.told_at = iso(now)
    changes = {"together": parts.text(), "owed": ""}
    connection.execute(update(alerts).where(alerts.c.id == row.id).values(**changes))


def shift(connection: Connection, by: timedelta) -> None:
    """The wall clock was set: people are owed a word for as long as they were."""
    for row in connection.execute(select(alerts).where(alerts.c.owed != "")).all():
        later = iso(from_iso(row.owed) + by)
        connection.execute(update(alerts).where(alerts.c.id == row.id).values(owed=later))


def views(row: AlertRow, words: Words) -> list[PartView]:
    """The parts of an alert as pages show them; none where it tells of one thing alone."""
    parts = Parts.of(row)
    scopes = in_order(parts.by_scope, words) if parts.many() else []
    return [_view(scope, parts.by_scope[scope], parts.returns, words) for scope in scopes]


def in_order(scopes: Iterable[str], words: Words) -> list[str]:
    """Important cameras first, then all as they stand in the configuration."""
    cameras = words.config.cameras
    known = [f"camera/{name}" for name in cameras] + [f"door/{name}" for name in words.config.doors]
    ranks = {scope: rank for rank, scope in enumerate(known)}

    def rank(scope: str) -> tuple[bool, int]:
        camera = cameras.get(device(scope)[1])
        important = camera is not None and camera.important and device(scope)[0] == "camera"
        return not important, ranks.get(scope.removesuffix(IN_DRILL), len(ranks))

    return sorted(scopes, key=rank)


def _view(scope: str, part: Part, returns: bool, words: Words) -> PartView:
    kind, name = device(scope)
    return PartView(
        camera=name if kind == "camera" else "",
        door=name if kind == "door" else "",
        name=named(scope, words),
        place=part.place,
        place_words=words.campus.words(part.place),
        since=part.since,
        back=part.since if returns else part.back or None,
    )


def device(scope: str) -> tuple[str, str]:
    """`camera` or `door`, and which."""
    kind, _, name = scope.removesuffix(IN_DRILL).partition("/")
    return kind, name


def named(scope: str, words: Words) -> str:
    """What people call it."""
    kind, name = device(scope)
    return words.door(name) if kind == "door" else words.camera(name)
