"""One rule, compiled: its parts, each of which meets events and knows what to do with them.

A part is the rule's start, a step that has to follow, what ends that something lasts, or what keeps
the rule from firing. Each works on the memory alone, so that the outcome follows from the events.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from hub.config import Condition, Rule
from hub.kinds.notifiers import SEVERITIES, Severity
from hub.safety.rules.about import IN_DRILL, SHARED, slim
from hub.safety.rules.clauses import Compiler, Pattern, Seen
from hub.safety.rules.memory import Key, Mark, Memory, Partial, Waiting
from hub.units import duration_words

LONGEST_LASTING = timedelta(days=7)
LONGEST_IN_VIEW = timedelta(days=2)  # what cameras see is so much that it is not read for longer
FOR_FACTS = timedelta(hours=12)
FOR_LISTS = 3600.0  # seconds that a hub may be down without losing what a cooldown has to list


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """Why a rule has everything it waits for, and the ids of the events that led to it."""

    matched: tuple[str, ...]
    events: tuple[str, ...]


Meet = Callable[[Memory, Seen], Fulfilled | None]


@dataclass(frozen=True, slots=True)
class Part:
    """What a rule does with events that a pattern is about; `order` is its place among all."""

    rule: CompiledRule
    pattern: Pattern
    order: tuple[int, int]
    meet: Meet


@dataclass(slots=True)
class CompiledRule:
    """A rule and its parts. Its methods change nothing but the memory."""

    index: int
    name: str
    spec: Rule
    start: Pattern
    steps: tuple[tuple[Pattern, timedelta], ...]
    before: tuple[tuple[int, Pattern, timedelta], ...]
    excuses: tuple[Pattern, ...]
    gravers: tuple[tuple[Severity, Pattern], ...]
    zone: ZoneInfo
    ending: Pattern | None = None
    parts: tuple[Part, ...] = field(default=(), repr=False)

    @property
    def remembers(self) -> bool:
        """Whether it needs to know of events before the one it fires for."""
        spec = self.spec
        several = spec.count or spec.followed_by or spec.lasting or spec.cooldown
        return bool(several or self.before or self.asks_facts)

    @property
    def reach(self) -> timedelta:
        """How far back an event may still matter to it."""
        spec = self.spec
        listed = 0.0 if spec.cooldown is None else spec.cooldown + FOR_LISTS
        spans = [listed, spec.count.within if spec.count is not None else 0.0]
        spans.append(sum(within.total_seconds() for _, within in self.steps))
        spans += [within.total_seconds() for _, _, within in self.before]
        found = timedelta(seconds=max(spans))
        if self.asks_facts:
            found = max(found, FOR_FACTS)
        if spec.lasting is None:
            return found
        floods = any(type_.startswith("zone.") for type_ in spec.when)
        return max(found, LONGEST_IN_VIEW if floods else LONGEST_LASTING)

    @property
    def asks_facts(self) -> bool:
        """Whether it asks for a protocol or for who is in view."""
        conditions = [self.spec.condition, *(each.condition for each in self.spec.followed_by)]
        conditions += [each.condition for each in self.spec.unless]
        conditions += [each.condition for each in self.spec.alert.graver]
        return any(each.protocol or each.present is not None for each in conditions)

    def key(self, seen: Seen) -> str:
        """What the event shares with others of this rule; empty where it has no such thing. A drill
        shares nothing with what is real.
        """
        shared = SHARED[self.spec.same](seen.event, seen.about)
        return f"{shared}{IN_DRILL}" if shared and seen.about.drill else shared

    # ------------------------------------------------------------ what comes first

    def begin(self, memory: Memory, seen: Seen) -> Fulfilled | None:
        """An event as the rule's start."""
        lasting = self.spec.lasting is not None
        why = self.start.reasons(seen, rule=self.name, timed=not lasting)
        if why is None:
            return None
        matched = (seen.event.type, *why)
        if self.spec.count is not None:
            return self._counted(memory, seen, matched)
        if self.steps:
            self._expect(memory, seen, 0, Partial(seen.moment, (seen.event.id,), matched))
        elif lasting:
            self._lasts(memory, seen, matched)
        else:
            return Fulfilled(matched, (seen.event.id,))
        return None

    def _counted(self, memory: Memory, seen: Seen, matched: tuple[str, ...]) -> Fulfilled | None:
        count, shared = self.spec.count, self.key(seen)
        assert count is not None
        differs = SHARED[count.different](seen.event, seen.about) if count.different else "-"
        if not shared or not differs:
            return None
        key = (self.name, shared)
        marks = memory.marks.get(key, [])
        if count.different:
            marks = [mark for mark in marks if mark.value != differs]
        insort(marks, Mark(seen.moment, seen.event.id, differs), key=lambda mark: mark.moment)
        oldest = marks[-1].moment - timedelta(seconds=count.within)
        marks = [mark for mark in marks if mark.moment >= oldest][-count.at_least :]
        if len(marks) < count.at_least:
            memory.keep(memory.marks, key, marks)
            return None
        memory.marks.pop(key, None)
        took = duration_words(round((marks[-1].moment - marks[0].moment).total_seconds(), 3))
        words = f"{len(marks)} times within {duration_words(count.within)} (in {took})"
        if count.different:
            named = ", ".join(mark.value for mark in marks[:8])
            words = f"{len(marks)} different by {count.different} ({named}) in {took}"
        return Fulfilled((*matched, words), tuple(mark.event for mark in marks))

    # ------------------------------------------------------------ one after another

    def _expect(self, memory: Memory, seen: Seen, step: int, partial: Partial) -> None:
        if shared := self.key(seen):
            memory.keep(memory.steps, (self.name, step, shared), partial)

    def follow(self, step: int) -> Meet:
        """An event as a step that has to follow."""
        pattern, within = self.steps[step]

        def meet(memory: Memory, seen: Seen) -> Fulfilled | None:
            key = (self.name, step, self.key(seen))
            partial = memory.steps.get(key)
            if partial is None or not timedelta() <= seen.moment - partial.moment <= within:
                return None
            why = pattern.reasons(seen, rule=self.name)
            if why is None or seen.event.id in partial.events:
                return None
            after = duration_words(round((seen.moment - partial.moment).total_seconds(), 3))
            matched = (*partial.matched, f"then {seen.event.type} after {after}", *why)
            del memory.steps[key]
            done = Partial(seen.moment, (*partial.events, seen.event.id), matched)
            if step + 1 == len(self.steps):
                return Fulfilled(done.matched, done.events)
            self._expect(memory, seen, step + 1, done)
            return None

        return meet

    # ------------------------------------------------------------------- lasting

    def _lasts(self, memory: Memory, seen: Seen, matched: tuple[str, ...]) -> None:
        shared = self.key(seen)
        key = (self.name, shared)
        going_on = memory.waiting.get(key)
        if not shared or (going_on is not None and not going_on.fired):
            return
        due = seen.moment + timedelta(seconds=self.spec.lasting or 0.0)
        memory.wait(key, Waiting(slim(seen.event), seen.moment, due, matched))

    def end(self, memory: Memory, seen: Seen) -> Fulfilled | None:
        """An event as the end of what lasts."""
        if self.ending is not None and self.ending.reasons(seen, rule=self.name) is not None:
            memory.waiting.pop((self.name, self.key(seen)), None)
        return None

    def lasted(self, memory: Memory, key: Key, waiting: Waiting, seen: Seen) -> Fulfilled | None:
        """What is due at the moment of `seen`: it fires, or is looked at again later."""
        lasting = timedelta(seconds=self.spec.lasting or 0.0)
        since = waiting.since
        why: list[str] = []
        for clause in self.start.timed:
            reason = clause(seen)
            if reason is None:
                memory.put_off(key, max(clause.again(seen), seen.moment + timedelta(seconds=1)))
                return None
            why.append(reason)
            since = max(since, clause.since(seen))
        if since + lasting > seen.moment:
            memory.put_off(key, since + lasting)
            return None
        if self.excused(memory, seen) is None:
            memory.put_off(key, seen.moment + timedelta(seconds=60))
            return None
        waiting.fired = True
        lasted = duration_words(float(round((seen.moment - since).total_seconds())))
        local = since.astimezone(self.zone)
        words = f"lasted {lasted} (since {local:%Y-%m-%d %H:%M:%S})"
        return Fulfilled((*waiting.matched, *why, words), (waiting.event.id,))

    # ------------------------------------------------------------------ exceptions

    def note(self, number: int) -> Meet:
        """An event that keeps the rule from firing for a while."""
        pattern = next(each for index, each, _ in self.before if index == number)

        def meet(memory: Memory, seen: Seen) -> Fulfilled | None:
            shared = self.key(seen)
            if shared and pattern.reasons(seen, rule=self.name) is not None:
                mark = Mark(seen.moment, seen.event.id)
                memory.keep(memory.before, (self.name, number, shared), mark)
            return None

        return meet

    def excused(self, memory: Memory, seen: Seen) -> list[str] | None:
        """Which exceptions did not hold, in words; None when one does and nothing fires."""
        why: list[str] = []
        for number, pattern, within in self.before:
            mark = memory.before.get((self.name, number, self.key(seen)))
            own = mark is not None and mark.event == seen.event.id
            if mark is not None and not own and seen.moment - mark.moment <= within:
                return None
            span = duration_words(within.total_seconds())
            why.append(f"no {' or '.join(pattern.types)} in the {span} before")
        for pattern in self.excuses:
            if pattern.reasons(seen, rule=self.name) is not None:
                return None
        return why

    def severity(self, seen: Seen) -> tuple[Severity, list[str]]:
        """How grave it is, and why graver than usual."""
        best, why = self.spec.alert.severity, list[str]()
        for severity, pattern in self.gravers:
            reasons = pattern.reasons(seen, rule=self.name)
            if reasons is not None and SEVERITIES.index(severity) < SEVERITIES.index(best):
                best, why = severity, [f"{severity} because: {', '.join(reasons)}"]
        return best, why


def compiled(index: int, name: str, spec: Rule, compiler: Compiler) -> CompiledRule:
    """Compile a rule."""
    rule = CompiledRule(
        index=index,
        name=name,
        spec=spec,
        start=compiler.pattern(spec.when, spec.condition),
        steps=tuple(
            (_narrowed(compiler, spec, each.when, each.condition), timedelta(seconds=each.within))
            for each in spec.followed_by
        ),
        before=tuple(
            (
                number,
                _narrowed(compiler, spec, each.when, each.condition),
                timedelta(seconds=each.within),
            )
            for number, each in enumerate(spec.unless)
            if each.within is not None
        ),
        excuses=tuple(
            compiler.pattern(spec.when, each.condition) for each in spec.unless if not each.when
        ),
        gravers=tuple(
            (each.severity, compiler.pattern(spec.when, each.condition))
            for each in spec.alert.graver
        ),
        zone=compiler.zone,
    )
    meets: list[tuple[Pattern, Meet]] = []
    if spec.lasting is not None:
        rule.ending = _ending(compiler, spec)
        meets.append((rule.ending, rule.end))
    for step in reversed(range(len(rule.steps))):  # so that no event is two steps at once
        meets.append((rule.steps[step][0], rule.follow(step)))
    meets.append((rule.start, rule.begin))
    # Last, so that an event that is its own exception finds the one before and not itself.
    meets += [(pattern, rule.note(number)) for number, pattern, _ in rule.before]
    rule.parts = tuple(
        Part(rule, pattern, (index, place), meet) for place, (pattern, meet) in enumerate(meets)
    )
    return rule


def _narrowed(
    compiler: Compiler, spec: Rule, types: tuple[str, ...], condition: Condition
) -> Pattern:
    """What has the rule's own subject has its door and place too: said, it is found faster."""
    if spec.same == "subject":
        given = condition.model_fields_set
        wanted = spec.condition.model_dump(include={"door", "place"} - given)
        condition = condition.model_copy(update=wanted)
    return compiler.pattern(types, condition)


def _ending(compiler: Compiler, spec: Rule) -> Pattern:
    """What ends that something lasts: as narrow as the rule itself, in what such events say."""
    types, own = spec.ended_by(), spec.condition
    areas = {type_.partition(".")[0] for type_ in types}
    kept: set[str] = set()
    if areas == {"zone"}:
        kept.add("label")
    if spec.same in ("subject", "track", "door", "camera"):
        kept.add("place")
        kept |= {"door"} if areas == {"door"} else set()
        kept |= {"camera"} if areas <= {"zone", "camera"} else set()
    return compiler.pattern(types, Condition(**own.model_dump(include=kept & own.model_fields_set)))
