"""Why a rule fired for an event, or why it did not: each condition with the value that it met.

The clauses are those by which the rule decides; what it remembered, and what came after, is made
again from the journal (`hub.safety.rules.course`). Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from hub.campus import Campus
from hub.clock import from_iso
from hub.conditions import Condition
from hub.events import Event
from hub.expression import compile_expression
from hub.phrases import phrase
from hub.rules_port import Came
from hub.safety.rules.about import number, quiet_about, text
from hub.safety.rules.clauses import Clause, Compiler, Seen, Timed, in_view, values_of
from hub.safety.rules.course import Check, Course, Fulfilment, Hindsight
from hub.safety.rules.describe import Describer, listed
from hub.safety.rules.firings import firing_for
from hub.safety.rules.memory import Cooldown, Memory
from hub.safety.rules.patterns import CompiledRule, Fulfilled
from hub.safety.rules.schedule import timetables
from hub.safety.words import Words
from hub.storage.schema import events
from hub.units import duration_words


@dataclass(frozen=True, slots=True)
class Explanation:
    """What came of an event, in words, condition by condition; `firing` is the journal's own."""

    came: Came
    words: str
    checks: list[Check]
    firing: Event | None = None


class Explainer:
    """Explains one rule of a configuration. `public` says whether everyone hears a notifier."""

    def __init__(
        self, words: Words, campus: Campus, public: Callable[[str], bool], rule: str
    ) -> None:
        config, zone = words.config, words.config.hub.timezone
        self._words, self._campus = words, campus
        self._name, self._spec = rule, config.rules[rule]
        self._compiler = Compiler(campus, timetables(config.schedules, zone), zone)
        self._says = Describer(words, public)
        self._hindsight = Hindsight(config, campus, rule, self._besides)
        self._rule = self._hindsight.rule

    def explain(self, connection: Connection, seq: int, event: Event) -> Explanation:
        """What came of an event of the journal."""
        if event.type not in self._spec.when:
            asks = self._says.event(self._spec.when)
            checks = [Check("when", asks, self._words.sentence(event)[0], False)]
            return Explanation("not", phrase("This rule does not begin with such events."), checks)
        came = select(events.c.received).where(events.c.seq == seq)
        received = from_iso(str(connection.scalar(came)))
        memory = self._hindsight.memory(connection, seq, received)
        seen = self._hindsight.seen(memory, event, received)
        checks, holds = self._begins(seen)
        course = Course()
        if holds:
            course = self._hindsight.course(connection, memory, seq, event, received)
        checks += self._goes_on(memory, seen, course, holds)
        return self._summed_up(
            checks, course, firing_for(connection, self._name, event.id, received)
        )

    # ---------------------------------------------------------------- condition by condition

    def _begins(self, seen: Seen) -> tuple[list[Check], bool]:
        """What is asked of the event itself, and whether it all held."""
        spec = self._spec
        what = self._says.event(spec.when)
        checks = [Check("when", what, self._words.sentence(seen.event)[0], True)]
        checks += self._clauses(spec.condition, seen, timed=spec.lasting is None)
        several = spec.count is not None or spec.followed_by or spec.lasting is not None
        if several and not self._rule.key(seen):
            asks = phrase("it says its %(what)s", what=spec.same)
            checks.append(Check("same", asks, phrase("it does not"), False))
        return checks, all(check.met for check in checks)

    def _clauses(self, condition: Condition, seen: Seen, *, timed: bool = True) -> list[Check]:
        found = []
        for key, clause in self._compiler.clauses(condition):
            if timed or not isinstance(clause, Timed):
                value = self._value(key, condition, clause, seen)
                found.append(Check(key, self._asks(key, condition), value, _holds(clause, seen)))
        return found

    def _asks(self, key: str, condition: Condition) -> str:
        keys = ("label", "min_score") if key == "label" else (key,)
        said = [self._says.condition(each, condition) for each in keys]
        return listed([each for each in said if each])

    def _value(self, key: str, condition: Condition, clause: Clause, seen: Seen) -> str:
        """What the event has there, whether or not that is enough."""
        about, words = seen.about, self._words
        if key == "label":
            return _seen_as(seen)
        if key == "place":
            places = ", ".join(self._campus.name(each) for each in about.places)
            return places or phrase("no place")
        if key == "camera":
            return words.camera(about.camera) if about.camera else phrase("no camera")
        if key == "door":
            return words.door(about.door) if about.door else phrase("no door")
        if key == "present":
            where = condition.place or about.place
            count = in_view(seen, frozenset(condition.label), where, self._campus)
            return phrase("%(n)s in view", n=count)
        if key == "where":
            expression = compile_expression(condition.where)
            return expression.seen(values_of(seen, self._compiler.zone))
        if key == "protocol":
            in_force = ", ".join(each.capitalize() for each in seen.facts.protocols)
            return phrase("in force: %(names)s", names=in_force) if in_force else phrase("none is")
        return self._hour(clause, seen)

    def _hour(self, clause: Clause, seen: Seen) -> str:
        assert isinstance(clause, Timed)
        if _holds(clause, seen):
            return phrase("it was %(time)s", time=self._time(seen.moment))
        now, again = self._time(seen.moment), self._time(clause.again(seen))
        return phrase("it was %(time)s; not before %(again)s", time=now, again=again)

    def _time(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._compiler.zone):%Y-%m-%d %H:%M:%S}"

    def _clock(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._compiler.zone):%H:%M:%S}"

    # --------------------------------------------------------------------- what it waits for

    def _goes_on(self, memory: Memory, seen: Seen, course: Course, holds: bool) -> list[Check]:
        checks: list[Check] = []
        if self._spec.count is not None:
            checks.append(self._counted(memory, seen, course, holds))
        for index in range(len(self._spec.followed_by)):
            checks.append(self._followed(index, course, holds))
        if self._spec.lasting is not None:
            checks += self._meanwhile(seen, course)
            checks.append(self._lasted(seen, course, holds))
        if course.fulfilment is not None:
            return checks + course.fulfilment.checks
        exceptions = (self._says.exception(each) for each in self._spec.unless)
        return checks + [Check("unless", asks, "", None) for asks in exceptions]

    def _counted(self, memory: Memory, seen: Seen, course: Course, holds: bool) -> Check:
        asks = self._says.count(self._spec)
        if not holds:
            return Check("count", asks, "", None)
        if course.fulfilment is not None:
            count = len(course.fulfilment.fulfilled.events)
        else:
            count = len(memory.marks.get((self._name, self._rule.key(seen)), []))
        value = phrase("%(n)s so far", n=count)
        return Check("count", asks, value, course.fulfilment is not None)

    def _followed(self, index: int, course: Course, holds: bool) -> Check:
        asks, steps = self._says.step(self._spec.followed_by[index]), len(course.came)
        end = course.fulfilment
        if not holds or (end is None and index > steps):
            return Check("followed_by", asks, "", None)
        if index < steps:
            event, moment = course.came[index]
            what = self._words.sentence(event)[0]
            value = phrase("%(what)s, %(time)s", what=what, time=self._clock(moment))
            return Check("followed_by", asks, value, True)
        if end is not None:
            value = phrase("it came at %(time)s", time=self._clock(end.at))
            return Check("followed_by", asks, value, True)
        if course.over:
            return Check("followed_by", asks, phrase("it did not come"), False)
        return Check("followed_by", asks, phrase("it has not come yet"), None)

    def _meanwhile(self, seen: Seen, course: Course) -> Iterator[Check]:
        """What is asked about the time for as long as it lasts."""
        end = course.fulfilment
        at = seen if end is None else replace(seen, moment=end.at)
        for key, clause in self._compiler.clauses(self._spec.condition):
            if isinstance(clause, Timed):
                asks = self._asks(key, self._spec.condition)
                value = self._value(key, self._spec.condition, clause, at)
                yield Check(key, asks, value, None if end is None else True)

    def _lasted(self, seen: Seen, course: Course, holds: bool) -> Check:
        asks = self._says.lasting(self._spec)
        if not holds:
            return Check("lasting", asks, "", None)
        if course.fulfilment is not None:
            value = phrase("it lasted until %(time)s", time=self._clock(course.fulfilment.at))
            return Check("lasting", asks, value, True)
        if course.began is not None:
            value = phrase("it had begun at %(time)s", time=self._time(course.began))
            return Check("lasting", asks, value, None)
        if course.ended is not None:
            span = duration_words(round((course.ended.time - seen.moment).total_seconds()))
            what = self._words.sentence(course.ended)[0]
            value = phrase("it ended after %(span)s: %(what)s", span=span, what=what)
            return Check("lasting", asks, value, False)
        return Check("lasting", asks, phrase("it still lasts"), None)

    # ---------------------------------------------------------------- when it has everything

    def _besides(
        self, rule: CompiledRule, fulfilled: Fulfilled, memory: Memory, seen: Seen, now: datetime
    ) -> Fulfilment:
        """Exceptions, cooldown and severity, as they were when the rule had all it waits for."""
        checks = list(self._exceptions(rule, memory, seen))
        fires = all(check.met for check in checks)
        cooldown = memory.cooldowns.get((rule.name, quiet_about(seen.event, seen.about)))
        severity, why = rule.severity(seen)
        kept_back = False
        if self._spec.cooldown is not None:
            kept_back = cooldown is not None and cooldown.keeps_back(severity, now)
            asks = self._says.cooldown(self._spec.cooldown)
            checks.append(Check("cooldown", asks, self._quiet(cooldown, now), not kept_back))
        if why:
            checks.append(Check("graver", phrase("graver than usual"), "; ".join(why), True))
        return Fulfilment(fulfilled, now, checks, fires, kept_back)

    def _quiet(self, cooldown: Cooldown | None, now: datetime) -> str:
        if cooldown is None or now >= cooldown.until:
            return phrase("it had not fired")
        since, until = self._clock(cooldown.since), self._clock(cooldown.until)
        return phrase("it fired at %(since)s, quiet until %(until)s", since=since, until=until)

    def _exceptions(self, rule: CompiledRule, memory: Memory, seen: Seen) -> Iterator[Check]:
        for index, each in enumerate(self._spec.unless):
            asks = self._says.exception(each)
            if each.within is None:
                clauses = self._clauses(each.condition, seen)
                value = listed([check.value for check in clauses])
                yield Check("unless", asks, value, not all(check.met for check in clauses))
                continue
            mark = memory.before.get((self._name, index, rule.key(seen)))
            span = timedelta(seconds=each.within)
            own = mark is not None and mark.event == seen.event.id
            came = mark is not None and not own and seen.moment - mark.moment <= span
            value = phrase("none came")
            if came and mark is not None:
                value = phrase("it came at %(time)s", time=self._clock(mark.moment))
            yield Check("unless", asks, value, not came)

    # --------------------------------------------------------------------------- in a word

    def _summed_up(self, checks: list[Check], course: Course, firing: Event | None) -> Explanation:
        end = course.fulfilment
        would = end is not None and end.fires and not end.kept_back
        if firing is not None and would:
            said = phrase("It fired at %(time)s.", time=self._clock(firing.time))
            return Explanation("fired", said, checks, firing)
        if firing is not None and end is None and _only_counted(checks):
            time = self._clock(firing.time)
            said = phrase(
                "It was counted, and with what came after it fired at %(time)s.", time=time
            )
            return Explanation("fired", said, checks, firing)
        if firing is not None:
            time = self._clock(firing.time)
            said = phrase("It fired at %(time)s. As the rule is now, it would not.", time=time)
            return Explanation("fired", said, checks, firing)
        if would:
            said = phrase(
                "As the rule is now, it fires for this. Then it did not: the rule was another, or "
                "the hub had just started."
            )
            return Explanation("would", said, checks)
        if end is not None and end.fires:
            said = phrase("Everything held. It had just fired about the same, so it kept quiet.")
            return Explanation("kept_back", said, checks)
        failed = sum(check.met is False for check in checks)
        if not failed:
            return Explanation("waits", phrase("Everything held so far. It still waits."), checks)
        return Explanation("not", phrase("It did not fire: see what did not hold."), checks)


def _only_counted(checks: list[Check]) -> bool:
    """Whether all held that is asked of an event, and more of its kind were waited for."""
    missing = {check.key for check in checks if check.met is False}
    return missing == {"count"}


def _holds(clause: Clause, seen: Seen) -> bool:
    try:
        return clause(seen) is not None
    except Exception:
        return False  # as where a rule cannot judge an event: see `Pattern.reasons`


def _seen_as(seen: Seen) -> str:
    label, score = text(seen.event.data, "label"), number(seen.event.data.get("score"))
    if label and score is not None:
        return phrase("%(label)s, %(score)s sure", label=label, score=f"{score:.2f}")
    if score is not None:
        return phrase("%(score)s sure", score=f"{score:.2f}")
    return label or phrase("nothing is named")
