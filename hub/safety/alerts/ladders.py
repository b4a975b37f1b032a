"""Ladders: which one an alert gets, and its steps, worked out when the alert is raised.

What is fixed then is what runs, whatever the configuration says later: when each step is due, and
who is told through what, with the person of a rotation who is on call at that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from hub.alert_settings import MOST_STEPS
from hub.campus import Campus
from hub.config import Config, Ladder, LadderStep
from hub.kinds.notifiers import Recipient, Severity
from hub.safety.alerts.rotations import resolved
from hub.safety.notices import notice as notices
from hub.safety.rules.schedule import timetables
from hub.safety.words import Words

# By channel, the groups of people who get a notice each.
Groups: TypeAlias = dict[str, list[list[Recipient]]]


@dataclass(frozen=True, slots=True)
class FixedStep:
    """A step as it will run. `number` counts from 1; `who` is in words."""

    number: int
    due: datetime
    who: str
    groups: Groups

    def payload(self) -> dict[str, Any]:
        """The step as plain values, to be kept."""
        groups = {
            channel: [[asdict(one) for one in group] for group in every]
            for channel, every in self.groups.items()
        }
        return {"who": self.who, "groups": groups}


@dataclass(frozen=True, slots=True)
class FixedLadder:
    """The ladder of one alert."""

    id: str
    name: str
    steps: tuple[FixedStep, ...]


class Ladders:
    """The ladders of a configuration. `public` says whether a notifier is heard by everyone: such a
    one is never part of a step.
    """

    def __init__(
        self, config: Config, campus: Campus, words: Words, public: Callable[[str], bool]
    ) -> None:
        self._config = config
        self._campus = campus
        self._words = words
        self._public = public
        self._timetables = timetables(config.schedules, config.hub.timezone)

    def fix(self, severity: Severity, place: str, now: datetime) -> FixedLadder | None:
        """The ladder of an alert raised now; None where none fits."""
        for name, ladder in self._config.ladders.items():
            if self._fits(ladder, severity, place, now):
                steps = tuple(self._steps(name, now))
                return FixedLadder(name, ladder.name or name.replace("_", " "), steps)
        return None

    def _fits(self, ladder: Ladder, severity: Severity, place: str, now: datetime) -> bool:
        if severity not in ladder.severity:
            return False
        if ladder.place is not None and not (place and self._campus.within(place, ladder.place)):
            return False
        if ladder.during is not None and not self._timetables[ladder.during].in_force(now):
            return False
        return ladder.outside is None or not self._timetables[ladder.outside].in_force(now)

    def _steps(self, name: str, now: datetime) -> Iterator[FixedStep]:
        due = now
        for number, step in enumerate(self._in_order(name), start=1):
            if number > MOST_STEPS:
                return
            yield self._fixed(number, step, due)
            due += timedelta(seconds=step.wait)

    def _in_order(self, name: str) -> Iterator[LadderStep]:
        """Every step, repeats and the ladders that follow included; none follows itself."""
        done: set[str] = set()
        following: str | None = name
        while following in self._config.ladders and following not in done:
            done.add(following)
            ladder = self._config.ladders[following]
            for _ in range(ladder.repeat + 1):
                yield from ladder.steps
            following = ladder.following

    def _fixed(self, number: int, step: LadderStep, due: datetime) -> FixedStep:
        config = self._config
        tell = resolved(config, step.tell, due)
        groups: Groups = {}
        for channel in dict.fromkeys(step.through):
            block = config.notifiers.get(channel)
            if block is not None and block.enabled and not self._public(channel):
                groups[channel] = [list(each) for each in notices.groups(config, tell, channel)]
        names = dict.fromkeys(
            one.name for every in groups.values() for group in every for one in group
        )
        everyone = any(not group for every in groups.values() for group in every)
        who = [*names, *(["everyone they reach"] if everyone else [])]
        through = ", ".join(self._words.channel(channel) for channel in groups)
        words = f"{', '.join(who) or 'nobody'} through {through or 'no channel'}"
        return FixedStep(number, due, words, groups)


def kept_groups(payload: dict[str, Any]) -> Groups:
    """The groups of a step as it was kept."""
    return {
        channel: [[Recipient(**one) for one in group] for group in every]
        for channel, every in payload["groups"].items()
    }


def merged(every: Sequence[Groups]) -> Groups:
    """The groups of several steps, each person once on a channel."""
    found: Groups = {}
    for groups in every:
        told = [
            (channel, [one.person for one in group])
            for channel, several in found.items()
            for group in several
        ]
        for channel, several in without(groups, told).items():
            found.setdefault(channel, []).extend(several)
    return found


def without(groups: Groups, told: Sequence[tuple[str, Sequence[str]]]) -> Groups:
    """The groups without those who have just been told through the same channel: pairs of a channel
    and the people of one notice, none of them where it went to whoever is reached.
    """
    found: Groups = {}
    for channel, several in groups.items():
        people = {person for via, group in told if via == channel for person in group}
        everyone = any(via == channel and not group for via, group in told)
        for group in several:
            left = [one for one in group if one.person not in people]
            if left or (not group and not everyone):
                found.setdefault(channel, []).append(left)
    return found
