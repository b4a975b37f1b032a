"""What rules remember between events: counts, sequences, what lasts, cooldowns and facts.

All of it follows from the events of the journal, in their order, and from when each was received;
it can be lost and made again (`hub.safety.rules.recall`). Everything is bounded: past `MOST_KEYS`
the rule that remembers most forgets its oldest, and that is counted.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from hub.events import Event
from hub.kinds.notifiers import SEVERITIES, Severity
from hub.safety.rules.clauses import Facts

MOST_KEYS = 5000
MOST_LISTED = 100
SET_BACK = timedelta(minutes=1)
SETTLING = timedelta(seconds=30)
TOLD_EVERY = timedelta(seconds=30)
ON_ITS_WAY = timedelta(minutes=1)
NEVER = datetime.min.replace(tzinfo=UTC)

Key = tuple[str, str]
StepKey = tuple[str, int, str]


@dataclass(slots=True)
class Mark:
    """An event that counts: when, which, and in what it may have to differ."""

    moment: datetime
    event: str
    value: str = ""


@dataclass(slots=True)
class Partial:
    """A sequence under way: its events so far and why each matched."""

    moment: datetime
    events: tuple[str, ...]
    matched: tuple[str, ...]


@dataclass(slots=True)
class Waiting:
    """Something that lasts; `fired` once its rule has said so."""

    event: Event
    since: datetime
    due: datetime
    matched: tuple[str, ...]
    fired: bool = False


@dataclass(slots=True)
class Cooldown:
    """A rule keeping quiet about a subject, and the events that it kept back."""

    since: datetime
    until: datetime
    severity: Severity
    alert: str
    count: int = 0
    untold: list[str] = field(default_factory=list)
    told: datetime = NEVER

    def keeps_back(self, severity: Severity, now: datetime) -> bool:
        """Whether a firing of this severity is kept back: never one that is graver."""
        graver = SEVERITIES.index(severity) < SEVERITIES.index(self.severity)
        return now < self.until and not graver

    def owes_a_list(self, now: datetime) -> bool:
        """Whether what was kept back is to be written down by now: in time, or for its number."""
        return now - self.told >= TOLD_EVERY or len(self.untold) >= MOST_LISTED


@dataclass(slots=True)
class Alarm:
    """A moment to look at something again; which sorts by time."""

    due: datetime
    kind: str
    key: Key

    def __lt__(self, other: Alarm) -> bool:
        return (self.due, self.kind, self.key) < (other.due, other.kind, other.key)


class Memory:
    """The state that rules decide by. `seq` is the newest event of the journal that is in it; it is
    `stale` once a transaction that changed it was taken back.
    """

    def __init__(self) -> None:
        self.seq = -1
        self.stale = False
        self.now = NEVER
        self.settled = NEVER
        self.set_at = NEVER
        self.set_by = timedelta()
        self.forgotten = 0
        self.facts = Facts()
        self.marks: dict[Key, list[Mark]] = {}
        self.steps: dict[StepKey, Partial] = {}
        self.before: dict[StepKey, Mark] = {}
        self.waiting: dict[Key, Waiting] = {}
        self.cooldowns: dict[Key, Cooldown] = {}
        self._alarms: list[Alarm] = []

    def clear(self) -> None:
        """Forget everything, to be filled anew."""
        self.__dict__.update(Memory().__dict__)

    def tick(self, now: datetime) -> None:
        """Time has come so far. Where the clock was set back everything goes back with it, so that
        what has waited a minute has still waited a minute.
        """
        if self.now is not NEVER and now < self.now - SET_BACK:
            self._shift(now - self.now)
        self.now = now

    def set_forward(self, by: timedelta, now: datetime) -> None:
        """The clock was set ahead by so much: what has waited a minute has still waited a minute,
        and what came a minute ago still did.
        """
        self._shift(by)
        self.set_at, self.set_by, self.now = now, by, now

    def counted_from(self, moment: datetime) -> datetime:
        """The moment of an event by the clock as it is, where that was set ahead on its way."""
        since = self.now - self.set_at if self.set_at is not NEVER else None
        late = since is not None and timedelta() <= since <= ON_ITS_WAY
        return moment + self.set_by if late and moment <= self.set_at - self.set_by else moment

    def due(self) -> datetime | None:
        """When something is to be looked at next; None when nothing waits."""
        first = self._alarms[:1]  # another thread may take it meanwhile
        return max(first[0].due, self.settled) if first else None

    def remind(self, due: datetime, kind: str, key: Key) -> None:
        """Look at this again then."""
        if len(self._alarms) > 2 * MOST_KEYS:
            self._alarms = [alarm for alarm in self._alarms if self._stands(alarm)]
            heapq.heapify(self._alarms)
        heapq.heappush(self._alarms, Alarm(due, kind, key))

    def lapsed(self, now: datetime) -> Alarm | None:
        """Take the next thing whose time has come; None when there is none yet."""
        while self._alarms and max(self._alarms[0].due, self.settled) <= now:
            alarm = heapq.heappop(self._alarms)
            if self._stands(alarm):
                return alarm
        return None

    def wait(self, key: Key, waiting: Waiting) -> None:
        """Remember that something lasts from now on."""
        self.waiting[key] = waiting
        self.remind(waiting.due, "lasting", key)
        self._bounded(self.waiting)

    def put_off(self, key: Key, due: datetime) -> None:
        """Look at what lasts again, later."""
        self.waiting[key].due = due
        self.remind(due, "lasting", key)

    def keep(self, marks: dict[Any, Any], key: Any, value: Any) -> None:
        """Remember something under a key, the oldest of a rule with too many being forgotten."""
        marks.pop(key, None)  # so that what was renewed is not the oldest
        marks[key] = value
        self._bounded(marks)

    def counted(self, rule: str, causes: set[str]) -> None:
        """A count of the rule was full with one of these events: what led there counts no more."""
        for key, marks in self.marks.items():
            ends = [n for n, mark in enumerate(marks) if mark.event in causes]
            if key[0] == rule and ends:
                del marks[: ends[-1] + 1]

    def cool(self, key: Key, cooldown: Cooldown) -> None:
        """A rule keeps quiet about a subject from now on."""
        self.keep(self.cooldowns, key, cooldown)
        self.remind(cooldown.until, "cooldown", key)

    def suppress(self, key: Key, event: str) -> None:
        """Note that a cooldown kept an event back."""
        cooldown = self.cooldowns[key]
        cooldown.count += 1
        cooldown.untold.append(event)
        if len(cooldown.untold) > MOST_LISTED:
            del cooldown.untold[0]

    def started(self, now: datetime) -> None:
        """The hub has started: devices are given a while to say how things stand, and who was in
        view is not known any more.
        """
        self.settled = now + SETTLING
        self._drop("zone.entered", "")

    def blind(self, camera: str) -> None:
        """A camera sees nothing any more: nobody is known to be there still."""
        self._drop("zone.entered", camera)

    def _drop(self, kind: str, camera: str) -> None:
        for key, each in list(self.waiting.items()):
            from_it = not camera or each.event.data.get("camera") == camera
            if each.event.type == kind and from_it:
                del self.waiting[key]

    def _stands(self, alarm: Alarm) -> bool:
        if alarm.kind == "lasting":
            waiting = self.waiting.get(alarm.key)
            return waiting is not None and not waiting.fired and waiting.due == alarm.due
        cooldown = self.cooldowns.get(alarm.key)
        return cooldown is not None and cooldown.until == alarm.due

    def _bounded(self, kept: dict[Any, Any]) -> None:
        """Make room where there is too much: the rule with most forgets its oldest hundredth, so
        that a flood of one rule costs no other what it knows, and counting is seldom needed.
        """
        if len(kept) <= MOST_KEYS:
            return
        rule, most = Counter(key[0] for key in kept).most_common(1)[0]
        for key in list(islice((key for key in kept if key[0] == rule), 1 + most // 100)):
            del kept[key]
            self.forgotten += 1

    def _shift(self, by: timedelta) -> None:
        for marks in self.marks.values():
            for mark in marks:
                mark.moment += by
        for partial in self.steps.values():
            partial.moment += by
        for mark in self.before.values():
            mark.moment += by
        for waiting in self.waiting.values():
            waiting.since += by
            waiting.due += by
        for cooldown in self.cooldowns.values():
            cooldown.since += by
            cooldown.until += by
        if self.settled is not NEVER:
            self.settled += by
        self.facts.protocols = {name: at + by for name, at in self.facts.protocols.items()}
        for alarm in self._alarms:
            alarm.due += by
