"""Days of a school as rules see them: events at times, and what fires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.safety.rules.book import Listed, Match, RuleBook
from hub.safety.rules.memory import Cooldown, Memory

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def at(clock: str, day: int = 0) -> datetime:
    """A time of Monday 2 March 2026, or so many days later: `08:15` or `08:15:30`."""
    hours, minutes, *seconds = map(int, clock.split(":"))
    return MONDAY + timedelta(days=day, hours=hours, minutes=minutes, seconds=sum(seconds))


def person(
    moment: datetime, place: str, kind: str = "entered", track: int = 1, **data: Any
) -> Event:
    """Somebody comes into view, or leaves."""
    facts = {"camera": place, "place": place, "track": track, "label": "person", "score": 0.8}
    return Event(f"zone.{kind}", f"camera/{place}", moment, place, facts | data)


def door(moment: datetime, kind: str, name: str) -> Event:
    """Something that a door reports."""
    return Event(f"door.{kind}", f"door/{name}", moment, name, {"door": name})


def camera(moment: datetime, kind: str, name: str) -> Event:
    """Something about a camera."""
    return Event(f"camera.{kind}", f"camera/{name}", moment, name, {"camera": name})


def badge(moment: datetime, kind: str, name: str) -> Event:
    """A badge that was held to a door's reader."""
    return Event(f"plugin.badges.{kind}", "access_control/locks", moment, name, {"door": name})


def protocol(moment: datetime, kind: str, name: str) -> Event:
    """A protocol begins or ends."""
    return Event(f"protocol.{kind}", "person/officer", moment, name)


@dataclass
class Day:
    """Rules that see events as they come; `fired` and `kept_back` are what came of it."""

    config: Config
    memory: Memory = field(default_factory=Memory)
    fired: list[Match] = field(default_factory=list)
    kept_back: list[Match] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.book = RuleBook(self.config, Campus(self.config.places))

    def see(self, *events: Event, late: float = 0.0) -> None:
        """Events happen, each received so many seconds later."""
        for event in events:
            now = event.time + timedelta(seconds=late)
            self.wait(now)
            self._take(self.book.judge(self.memory, event, now), now)

    def wait(self, until: datetime) -> None:
        """Nothing happens until then."""
        for lapsed in self.book.lapse(self.memory, until):
            if isinstance(lapsed, Listed):
                self.listed.append(lapsed)
            else:
                self._take([lapsed], until)

    def names(self) -> list[str]:
        """The rules that fired, in order."""
        return [match.rule for match in self.fired]

    def _take(self, matches: Sequence[Match], now: datetime) -> None:
        for match in matches:
            (self.kept_back if match.kept_back else self.fired).append(match)
            if not match.kept_back and match.spec.cooldown is not None:
                until = now + timedelta(seconds=match.spec.cooldown)
                key = (match.rule, match.about.scope)
                self.memory.cool(key, Cooldown(now, until, match.severity, "alert"))
