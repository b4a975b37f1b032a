"""What is asked of rules: what each is, what it did, why it fired or not, what another would do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from hub.campus import Campus
from hub.clock import Clock, from_iso, iso
from hub.config import Config, Rule
from hub.events import Event
from hub.phrases import phrase
from hub.ports import ConfigurationFacade
from hub.rule_text import rule_text
from hub.rule_trials import RuleTrials
from hub.rules_port import (
    CauseView,
    CheckView,
    ExplanationView,
    FalseAlarmsView,
    FiringView,
    ReviewedView,
    RuleDetailView,
    RuleReadView,
    RuleView,
    TrialView,
    TrustView,
)
from hub.safety.alerts.budget import DemotionRow, demoted
from hub.safety.rules import firings
from hub.safety.rules.describe import Describer
from hub.safety.rules.explain import Explainer, Explanation
from hub.safety.words import Words
from hub.storage import eventlog
from hub.storage.folder import StateFolder
from hub.storage.journal import Journal

WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
FIRINGS = 10
NEAR = 12
AHEAD = timedelta(seconds=1)


class RuleAnswers:
    """Satisfies `hub.rules_port.RulesFacade`. `public` says whether everyone hears a notifier."""

    def __init__(
        self,
        journal: Journal,
        state: StateFolder,
        clock: Clock,
        known: Callable[[], tuple[Config, Campus]],
        public: Callable[[str], bool],
        configuration: ConfigurationFacade,
    ) -> None:
        self._journal, self._clock = journal, clock
        self._known, self._public, self._configuration = known, public, configuration
        self._trials = RuleTrials(journal, state, clock, configuration)
        self.trial = self._trials.view

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run while the hub does, by name."""
        return self._trials.tasks()

    async def rules(self) -> list[RuleView]:
        """Every rule, in file order."""
        config, campus = self._known()
        words, now = Words(config, campus), self._clock.now()
        return await self._journal.read(lambda c: self._views(c, words, now))

    async def rule(self, rule: str) -> RuleDetailView:
        """One rule. Raises `KeyError`."""
        config, campus = self._known()
        spec, words, now = config.rules[rule], Words(config, campus), self._clock.now()

        def work(connection: Connection) -> RuleDetailView:
            view = next(each for each in self._views(connection, words, now) if each["id"] == rule)
            written = rule_text(self._configuration.running(), rule, _values(spec))
            fired = firings.newest(connection, rule, FIRINGS)
            seen = firings.seen(connection, spec.when, None, NEAR)
            return RuleDetailView(
                **view,
                text=written.text,
                file=written.file,
                line=written.line,
                firings=[self._firing(connection, words, each) for each in fired],
                seen=[_cause(words, event) for _, event in seen],
            )

        return await self._journal.read(work)

    async def explain(
        self, rule: str, event: str = "", at: str = "", alert: str = ""
    ) -> ExplanationView:
        """Why it fired for an event, or why not; see `RulesFacade`. Raises `KeyError`."""
        config, campus = self._known()
        spec, words = config.rules[rule], Words(config, campus)
        moment = from_iso(at) if at else None
        explainer = Explainer(words, campus, self._public, rule)

        def work(connection: Connection) -> ExplanationView:
            wanted = firings.begin_of(connection, rule, alert) if alert else event
            named = None if wanted == "" else _named(connection, wanted or alert)
            until = moment
            if named is not None:
                until = named[1].time
            until = None if until is None else until + AHEAD
            near = firings.seen(connection, spec.when, until, NEAR)
            chosen = named or (near[0] if near else None)
            found = _nothing() if chosen is None else explainer.explain(connection, *chosen)
            return _explanation(words, rule, chosen, found, near)

        return await self._journal.read(work)

    async def try_out(self, rule: str, by: str, *, days: int = 7, text: str = "") -> TrialView:
        """Run a rule over recorded events; see `RulesFacade`. Raises `KeyError` and `Refused`."""
        config, _ = self._known()
        if rule not in config.rules:
            raise KeyError(rule)
        return await self._trials.begin(rule, by, days, text)

    # ---------------------------------------------------------------------------- inside

    def _views(self, connection: Connection, words: Words, now: datetime) -> list[RuleView]:
        fired = firings.fired(connection, now - WEEK)
        judged = firings.judged(connection, now - MONTH)
        reviewed = demoted(connection)
        says = Describer(words, self._public)
        return [
            self._view(
                name, spec, says, fired.get(name), judged.get(name, {}),
                [_reviewed(words, row) for row in reviewed if row.rule == name],
            )
            for name, spec in words.config.rules.items()
        ]  # fmt: skip

    @staticmethod
    def _view(
        name: str,
        spec: Rule,
        says: Describer,
        fired: firings.Fired | None,
        judged: Mapping[str, int],
        reviewed: list[ReviewedView],
    ) -> RuleView:
        read, budget = says.rule(spec), spec.false_alarms
        return RuleView(
            id=name,
            name=spec.name,
            severity=spec.alert.severity,
            read=RuleReadView(when=read.when, where=read.where, then=read.then),
            last=None if fired is None else fired.last,
            fired=0 if fired is None else fired.count,
            trust=TrustView(
                alerts=sum(judged.values()),
                verified=judged.get("verified", 0),
                dismissed=judged.get("dismissed", 0),
                unsure=judged.get("unsure", 0),
            ),
            false_alarms=None
            if budget is None
            else FalseAlarmsView(at_most=budget.at_most, within_s=budget.within),
            reviewed=reviewed,
        )

    @staticmethod
    def _firing(connection: Connection, words: Words, event: Event) -> FiringView:
        data = event.data
        causes = [eventlog.get(connection, str(each)) for each in data.get("events") or ()]
        place, door = str(data.get("place") or ""), str(data.get("door") or "")
        return FiringView(
            event=event.id,
            time=iso(event.time),
            alert=str(data.get("alert") or ""),
            severity=str(data.get("severity") or ""),
            where=words.door(door) if door else words.campus.name(place) if place else "",
            matched=[str(each) for each in data.get("matched") or ()],
            events=[_cause(words, each) for each in causes if each is not None],
        )


def _values(spec: Rule) -> dict[str, Any]:
    """A rule's values as a file would have them, where its own text is not to be had."""
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _reviewed(words: Words, row: DemotionRow) -> ReviewedView:
    camera = str(row.camera)
    name = words.camera(camera) if camera else ""
    return ReviewedView(
        camera=camera, name=name, since=str(row.since), count=int(row._mapping["count"])
    )


def _cause(words: Words, event: Event) -> CauseView:
    said = words.sentence(event)[0]
    return CauseView(id=event.id, type=event.type, time=iso(event.time), words=said)


def _named(connection: Connection, event: str) -> tuple[int, Event]:
    """An event of the journal with its number. Raises `KeyError`."""
    found = eventlog.get(connection, event)
    if found is None:
        raise KeyError(event)
    return eventlog.seq_of(connection, event), found


def _nothing() -> Explanation:
    return Explanation(
        "not", phrase("Nothing has happened lately for which this rule could have fired."), []
    )


def _explanation(
    words: Words,
    rule: str,
    chosen: tuple[int, Event] | None,
    found: Explanation,
    near: list[tuple[int, Event]],
) -> ExplanationView:
    firing = found.firing
    return ExplanationView(
        rule=rule,
        event=None if chosen is None else _cause(words, chosen[1]),
        came=found.came,
        words=found.words,
        checks=[
            CheckView(key=each.key, asks=each.asks, value=each.value, met=each.met)
            for each in found.checks
        ],
        alert="" if firing is None else str(firing.data.get("alert") or ""),
        time="" if firing is None else iso(firing.time),
        near=[_cause(words, event) for _, event in near],
    )
