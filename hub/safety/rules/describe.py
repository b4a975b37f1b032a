"""A rule as people read it: what it waits for, where and when, and what it then does.

Each item is a phrase of its own, so that a page can say it in the language of its reader. Names of
places, doors and people are as the configuration has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hub.conditions import Condition, Step, Unless
from hub.config import Config, Rule
from hub.kinds.notifiers import Severity
from hub.phrases import mark, phrase
from hub.safety.alerts import plan
from hub.safety.words import Words
from hub.units import duration_words

TYPES: Mapping[str, str] = {
    "zone.entered": mark("Somebody or something comes into view"),
    "zone.left": mark("Somebody or something leaves the view"),
    "camera.online": mark("A camera delivers pictures again"),
    "camera.offline": mark("A camera delivers no pictures"),
    "camera.covered": mark("A camera is covered"),
    "camera.moved": mark("A camera is turned"),
    "camera.defocused": mark("A camera is out of focus"),
    "camera.frozen": mark("A camera's picture freezes"),
    "camera.repeating": mark("A camera shows again what it has shown before"),
    "camera.blind": mark("A camera cannot see"),
    "camera.clear": mark("A camera is well again"),
    "door.opened": mark("A door opens"),
    "door.closed": mark("A door closes"),
    "door.locked": mark("A lock reports locked"),
    "door.unlocked": mark("A lock reports unlocked"),
    "door.forced": mark("A door is forced open"),
    "door.held": mark("A door is held open"),
    "door.jammed": mark("A lock jams"),
    "door.online": mark("A door's controller answers again"),
    "door.offline": mark("A door's controller stops answering"),
    "door.tampered": mark("A door's device is tampered with"),
    "door.tailgated": mark("More people come in than were let in"),
    "door.differs": mark("A door is not as it is wanted"),
    "door.given_up": mark("A door cannot be brought to what is wanted"),
    "access.granted": mark("A credential lets somebody in"),
    "access.denied": mark("A credential is refused"),
    "access.duress": mark("A holder says that somebody forces them"),
    "fire.alarm": mark("A fire alarm sounds"),
    "fire.clear": mark("A fire alarm no longer sounds"),
    "action.failed": mark("A command or a notice fails"),
    "action.timed_out": mark("A command or a notice has no answer"),
    "visitor.checked_in": mark("A visitor checks in"),
    "visitor.checked_out": mark("A visitor checks out"),
    "visitor.overstayed": mark("A visitor stays too long"),
    "visitor.matched": mark("A visitor may be somebody not to admit"),
    "visitor.admitted": mark("A visitor is let in after a look"),
    "report.received": mark("Another system reports something"),
    "report.ended": mark("Another system says that it is over"),
    "protocol.started": mark("A protocol begins"),
    "protocol.ended": mark("A protocol ends"),
    "panic.pressed": mark("Somebody presses for a protocol"),
    "help.pressed": mark("Somebody calls for help"),
    "plugin.failed": mark("A driver fails"),
    "plugin.misbehaved": mark("A plugin misbehaves"),
    "process.died": mark("A process of the hub dies"),
    "backup.failed": mark("A backup fails"),
    "heartbeat.missed": mark("The hub's own test fails"),
    "input.silent": mark("An input falls silent"),
}
"""What rules mostly wait for; any other type of event stands as it is written."""

SEVERITIES: Mapping[Severity, str] = {
    "severe": mark("Severe alert"),
    "high": mark("High alert"),
    "check": mark("Alert to check on"),
    "note": mark("Note"),
}


@dataclass(frozen=True, slots=True)
class Described:
    """What a rule waits for, where and when, and what it then does; an item for each."""

    when: list[str]
    where: list[str]
    then: list[str]


class Describer:
    """Describes rules of one configuration. `public` says whether everyone hears a notifier."""

    def __init__(self, words: Words, public: Callable[[str], bool]) -> None:
        self._words = words
        self._config: Config = words.config
        self._public = public

    def rule(self, spec: Rule) -> Described:
        """All of a rule."""
        return Described(
            list(self.triggers(spec)), list(self._where(spec)), list(self._consequences(spec))
        )

    # ------------------------------------------------------------ what it waits for

    def event(self, types: tuple[str, ...]) -> str:
        """What an event of these types is."""
        said = [phrase(TYPES[each]) if each in TYPES else each for each in types]
        *others, last = said
        return phrase("%(some)s, or: %(last)s", some=listed(others), last=last) if others else last

    def triggers(self, spec: Rule) -> Iterator[str]:
        """What has to happen."""
        yield self.event(spec.when)
        if spec.count is not None:
            yield self.count(spec)
        for step in spec.followed_by:
            yield self.step(step)
        if spec.lasting is not None:
            yield self.lasting(spec)

    def count(self, spec: Rule) -> str:
        """How often."""
        assert spec.count is not None
        span = duration_words(spec.count.within)
        if spec.count.different:
            return phrase(
                "%(n)s different by %(what)s within %(span)s",
                n=spec.count.at_least,
                what=spec.count.different,
                span=span,
            )
        return phrase("%(n)s times within %(span)s", n=spec.count.at_least, span=span)

    def step(self, step: Step) -> str:
        """What has to follow."""
        span = duration_words(step.within)
        what = self.event(step.when)
        if not (asked := listed(list(self.conditions(step.condition)))):
            return phrase("then within %(span)s: %(what)s", span=span, what=what)
        return phrase(
            "then within %(span)s: %(what)s (%(asked)s)", span=span, what=what, asked=asked
        )

    def lasting(self, spec: Rule) -> str:
        """For how long, and what ends it."""
        span = duration_words(spec.lasting or 0.0)
        ends = self.event(spec.ended_by())
        return phrase("and that for %(span)s, until: %(ends)s", span=span, ends=ends)

    # --------------------------------------------------------------- where and when

    def _where(self, spec: Rule) -> Iterator[str]:
        yield from self.conditions(spec.condition)
        for each in spec.unless:
            yield self.exception(each)
        if spec.cooldown is not None:
            yield self.cooldown(spec.cooldown)

    def conditions(self, condition: Condition) -> Iterator[str]:
        """What is asked of an event, key by key."""
        for key in KEYS:
            if said := self.condition(key, condition):
                yield said

    def condition(self, key: str, asked: Condition) -> str:
        """What one key asks, in words; empty where it is not given."""
        words, schedules = self._words, self._config.schedules
        if key == "label" and asked.label:
            return phrase("what is seen: %(labels)s", labels=", ".join(asked.label))
        if key == "min_score" and asked.min_score:
            return phrase("at least %(score)s sure", score=f"{asked.min_score:.2f}")
        if key == "place" and asked.place is not None:
            return phrase("in %(place)s", place=words.campus.name(asked.place))
        if key == "camera" and asked.camera is not None:
            return phrase("seen by %(camera)s", camera=words.camera(asked.camera))
        if key == "door" and asked.door is not None:
            return phrase("at the door %(door)s", door=words.door(asked.door))
        if key == "during" and asked.during is not None:
            return phrase("during %(hours)s", hours=schedules[asked.during].name or asked.during)
        if key == "outside" and asked.outside is not None:
            return phrase("outside %(hours)s", hours=schedules[asked.outside].name or asked.outside)
        if key == "protocol" and asked.protocol:
            named = ", ".join(each.capitalize() for each in asked.protocol)
            return phrase("while in force: %(protocols)s", protocols=named)
        if key == "where" and asked.where.strip():
            return phrase("where %(expression)s", expression=asked.where.strip())
        return self._present(asked) if key == "present" else ""

    def _present(self, asked: Condition) -> str:
        if (wanted := asked.present) is None:
            return ""
        if wanted.at_most is None:
            return phrase("at least %(n)s in view", n=wanted.at_least)
        if wanted.at_least is None:
            return phrase("at most %(n)s in view", n=wanted.at_most)
        return phrase("%(n)s to %(m)s in view", n=wanted.at_least, m=wanted.at_most)

    def exception(self, each: Unless) -> str:
        """What keeps it from firing."""
        asked = listed(list(self.conditions(each.condition)))
        if each.within is None:
            return phrase("unless %(asked)s", asked=asked)
        span, what = duration_words(each.within), self.event(each.when)
        if not asked:
            return phrase("unless in the %(span)s before: %(what)s", span=span, what=what)
        return phrase(
            "unless in the %(span)s before: %(what)s (%(asked)s)",
            span=span,
            what=what,
            asked=asked,
        )

    def cooldown(self, seconds: float) -> str:
        """For how long it keeps quiet."""
        return phrase("then quiet about the same for %(span)s", span=duration_words(seconds))

    # ------------------------------------------------------------------- what it does

    def _consequences(self, spec: Rule) -> Iterator[str]:
        alert = spec.alert
        who = ", ".join(self._who(each) for each in alert.tell)
        ways = ", ".join(map(self._words.channel, alert.through))
        said = phrase(SEVERITIES[alert.severity])
        if who and ways:
            yield phrase("%(alert)s to %(who)s through %(ways)s", alert=said, who=who, ways=ways)
        elif ways:
            yield phrase("%(alert)s through %(ways)s", alert=said, ways=ways)
        else:
            yield said
        for each in alert.graver:
            graver = phrase(SEVERITIES[each.severity])
            asked = listed(list(self.conditions(each.condition)))
            yield phrase("%(alert)s if %(asked)s", alert=graver, asked=asked)
        if (within := spec.gathers()) is not None:
            span = duration_words(within)
            yield phrase("what else stops or answers within %(span)s is told with it", span=span)
        steps = plan.plan(self._config, self._words.campus, spec.verified)
        for line in plan.will(self._words, steps, self._public):
            yield phrase("once verified: %(what)s", what=line)

    def _who(self, name: str) -> str:
        if name in self._config.people:
            return self._config.people[name].name
        role = self._config.roles.get(name)
        named = role.name if role is not None else ""
        return named or name.replace("_", " ").capitalize()


def listed(phrases: Sequence[str]) -> str:
    """One phrase after the other; each stays one that can be said in another language."""
    if len(phrases) < 2:
        return phrases[0] if phrases else ""
    return phrase("%(some)s, %(one)s", some=listed(phrases[:-1]), one=phrases[-1])


KEYS = (
    "label", "min_score", "place", "camera", "door", "present", "where", "during", "outside",
    "protocol",
)  # fmt: skip
"""The keys of a condition, in the order in which they are looked at."""
