"""What became of an event in the eyes of one rule: its memory as it was just before, and what came
after as far as the rule waits for something. Made again from the journal; nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.safety.rules.about import about_event
from hub.safety.rules.book import (
    FACTS,
    PROTOCOLS,
    UNSEEN,
    Match,
    RuleBook,
    counts_at,
    set_ahead,
)
from hub.safety.rules.clauses import Seen
from hub.safety.rules.memory import Memory
from hub.safety.rules.patterns import CompiledRule, Fulfilled
from hub.safety.rules.recall import (
    RECORDS,
    first_since,
    protocols_in_force,
    read,
    recorded,
    set_ahead_within,
)
from hub.storage.schema import events

MOST_BACK = 20_000
MOST_AHEAD = 5_000
LONGEST_AHEAD = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Check:
    """One condition: what it asks, the value it met, whether it held; None where nobody asked."""

    key: str
    asks: str
    value: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """That a rule had all it waits for, and what it was then asked besides. Where all of that held
    it `fires`, unless its cooldown kept it back.
    """

    fulfilled: Fulfilled
    at: datetime
    checks: list[Check]
    fires: bool
    kept_back: bool


@dataclass(slots=True)
class Course:
    """What became of an event, as far as the journal tells. `came` are the steps that followed,
    with when; `ended` is what ended that it lasts, `began` since when it lasted already. It is
    `over` where nothing can come of it any more.
    """

    fulfilment: Fulfilment | None = None
    came: list[tuple[Event, datetime]] = field(default_factory=list)
    ended: Event | None = None
    began: datetime | None = None
    over: bool = False


Besides = Callable[[CompiledRule, Fulfilled, Memory, Seen, datetime], Fulfilment]


class _Watched(RuleBook):
    """A book with one rule, which notes when that has all it waits for."""

    def __init__(self, config: Config, campus: Campus, besides: Besides) -> None:
        super().__init__(config, campus)
        self.fulfilments: list[Fulfilment] = []
        self.watches = False
        self._besides = besides

    def _fired(
        self, rule: CompiledRule, fulfilled: Fulfilled, memory: Memory, seen: Seen, now: datetime
    ) -> Iterator[Match]:
        if self.watches:
            self.fulfilments.append(self._besides(rule, fulfilled, memory, seen, now))
        yield from super()._fired(rule, fulfilled, memory, seen, now)


class Hindsight:
    """Goes back to an event of the journal with one rule of a configuration. `besides` says what
    the rule is asked once it has all it waits for.
    """

    def __init__(self, config: Config, campus: Campus, rule: str, besides: Besides) -> None:
        self._name, self._spec = rule, config.rules[rule]
        self._config = config.model_copy(update={"rules": {rule: self._spec}})
        self._book = _Watched(self._config, campus, besides)
        self.rule = self._book.rules[rule]

    def memory(self, connection: Connection, seq: int, received: datetime) -> Memory:
        """What the rule remembered just before an event."""
        memory, rules = Memory(), self._book
        rules.watches = False
        rules.fulfilments.clear()
        longest = max(rules.reach.values(), default=timedelta())
        begin = received - set_ahead_within(connection, received, longest)
        after = {
            type_: max(first_since(connection, begin - span), seq - MOST_BACK)
            for type_, span in {**rules.reach, **dict.fromkeys(RECORDS, longest)}.items()
        }
        known = protocols_in_force(connection).items()
        memory.facts.protocols = {name: since for name, since in known if since <= received}
        for _, earlier, when in read(connection, after, seq - 1):
            self._live(memory, earlier, when)
        list(rules.lapse(memory, received))
        rules.watches = True
        return memory

    def seen(self, memory: Memory, event: Event, received: datetime) -> Seen:
        """The event as the rule's clauses look at it."""
        memory.tick(received)
        about = about_event(event, self._config)
        moment = memory.counted_from(counts_at(event, received))
        memory.facts.note(event, about, moment)
        return Seen(event, about, moment, memory.facts)

    def course(
        self, connection: Connection, memory: Memory, seq: int, event: Event, received: datetime
    ) -> Course:
        """Let the rule judge the event, and what came after it while it waits."""
        course, key = Course(), (self._name, self.rule.key(self.seen(memory, event, received)))
        going_on = memory.waiting.get(key)
        if going_on is not None and not going_on.fired:
            course.began = going_on.since
            return course
        self._book.judge(memory, event, received)
        if self._settled(course, memory, event) or self._spec.count is not None:
            return course
        until, newest = received + self._waits(), received
        for later, when in self._after(connection, seq):
            until += set_ahead(later)
            if when > until:
                course.over = True
                break
            newest = when
            self._live(memory, later, when)
            if self._settled(course, memory, event, later):
                return course
        list(self._book.lapse(memory, until if course.over else newest))
        self._settled(course, memory, event)
        return course

    def _after(self, connection: Connection, seq: int) -> Iterator[tuple[Event, datetime]]:
        """What came after, as far as it may matter; and the newest event of all, which says until
        when the journal knows.
        """
        last = int(connection.scalar(select(func.max(events.c.seq))) or 0)
        types = {type_ for part in self.rule.parts for type_ in part.pattern.types}
        after = dict.fromkeys([*types, *FACTS, *PROTOCOLS, *UNSEEN, *RECORDS], seq)
        for count, (number, later, when) in enumerate(read(connection, after, last)):
            if count >= MOST_AHEAD:
                return
            yield later, when
            seq = number
        if seq < last:
            yield from ((later, when) for _, later, when in read(connection, {"": last - 1}, last))

    def _live(self, memory: Memory, event: Event, received: datetime) -> None:
        """Take in an event as the hub did when it came."""
        if event.type not in UNSEEN:
            list(self._book.lapse(memory, received))
        if event.type not in RECORDS:
            self._book.judge(memory, event, received)
        elif event.subject == self._name:
            recorded(memory, self._book, event, received)

    def _waits(self) -> timedelta:
        """For how long what follows an event may still matter."""
        if self._spec.lasting is not None:
            return timedelta(seconds=self._spec.lasting) + LONGEST_AHEAD
        return sum((within for _, within in self.rule.steps), timedelta(seconds=1))

    def _settled(
        self, course: Course, memory: Memory, event: Event, later: Event | None = None
    ) -> bool:
        """Note how far it has come; whether nothing more can come of the event."""
        for each in self._book.fulfilments:
            if event.id in each.fulfilled.events:
                course.fulfilment = each
                return True
        if self._spec.lasting is not None:
            waiting = any(each.event.id == event.id for each in memory.waiting.values())
            course.ended = None if waiting else later
            return not waiting
        under_way = [key[1] for key, each in memory.steps.items() if event.id in each.events]
        if later is not None and under_way and under_way[0] > len(course.came):
            course.came.append((later, later.time))
        return not under_way
