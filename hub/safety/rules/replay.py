"""Rules over the recorded journal: what would have fired, beside what did. Nothing is written.

Every event is judged at the time when it was received, as the running hub does, and what only had
to wait falls due in between. The replay begins earlier than it reports, as far back as the rules
reach, so that counts and cooldowns are what they would have been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from hub.campus import Campus
from hub.clock import iso
from hub.config import Config
from hub.events import Event
from hub.safety.rules.about import HELP_RULE, quiet_about
from hub.safety.rules.book import DERIVED, FACTS, PROTOCOLS, UNSEEN, Listed, Match, RuleBook
from hub.safety.rules.memory import Cooldown, Memory
from hub.safety.rules.recall import first_since, read, set_ahead_within
from hub.storage.schema import events

STEP = 5000
DID = ("rule.fired", "alert.raised")


@dataclass(slots=True)
class Firing:
    """A rule that fired for an event, in the journal (`did`), in the replay (`would`), or both."""

    time: datetime
    rule: str
    about: str
    severity: str
    matched: tuple[str, ...]
    cause: str
    events: tuple[str, ...] = ()
    did: bool = False
    would: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "time": iso(self.time),
            "rule": self.rule,
            "about": self.about,
            "severity": self.severity,
            "did": self.did,
            "would": self.would,
            "matched": list(self.matched),
            "cause": self.cause,
            "events": list(self.events),
        }


@dataclass(slots=True)
class Replayed:
    """What a replay found: every firing in order, and what cooldowns would have kept back."""

    since: datetime
    until: datetime
    events: int = 0
    firings: list[Firing] = field(default_factory=list)
    kept_back: dict[str, int] = field(default_factory=dict)
    forgotten: int = 0

    def counts(self, rules: Iterable[str]) -> dict[str, dict[str, int]]:
        """By rule: how often it did fire, would have, both, and was kept back."""
        found = {name: {"did": 0, "would": 0, "both": 0, "kept_back": 0} for name in rules}
        for firing in self.firings:
            row = found.setdefault(firing.rule, {"did": 0, "would": 0, "both": 0, "kept_back": 0})
            row["did"] += firing.did
            row["would"] += firing.would
            row["both"] += firing.did and firing.would
        for name, count in self.kept_back.items():
            found[name]["kept_back"] = count
        return found


class TooMany(Exception):
    """There are more firings than were asked for; `moment` is when it came to that."""

    def __init__(self, moment: datetime) -> None:
        super().__init__(f"too many firings by {iso(moment)}")
        self.moment = moment


class Replay:
    """Runs the rules of a configuration over a journal; with `only`, that rule alone, and only over
    what it looks at. Finding more than `most` firings raises `TooMany`.
    """

    def __init__(
        self,
        config: Config,
        since: datetime,
        until: datetime,
        *,
        only: str = "",
        most: int | None = None,
    ) -> None:
        campus = Campus(config.places)
        if only:
            config = config.model_copy(update={"rules": {only: config.rules[only]}})
        self._only, self._most = only, most
        self.found = Replayed(since, until)
        self._campus = campus
        self._book = RuleBook(config, campus)
        self._memory = Memory()
        self._by_cause: dict[tuple[str, str], Firing] = {}

    def run(self, connection: Connection, step: Callable[[int, int], None]) -> Replayed:
        """Read the journal once; `step` is told how many of how many events are done."""
        reach = max(self._book.reach.values(), default=timedelta())
        ahead = set_ahead_within(connection, self.found.since, reach)
        first = first_since(connection, self.found.since - ahead - reach)
        last = int(connection.scalar(select(func.max(events.c.seq))) or 0)
        wanted = dict.fromkeys(self._types(), first)
        for number, (seq, event, received) in enumerate(read(connection, wanted, last)):
            if received > self.found.until:
                break
            if number % STEP == 0:
                step(seq - first, last - first)
            self._take(event, received)
        self._lapse(self.found.until)
        step(last - first, last - first)
        self.found.firings.sort(key=lambda firing: firing.time)
        self.found.forgotten = self._memory.forgotten
        return self.found

    def _types(self) -> set[str]:
        """Which types of events are read; the type "" stands for all."""
        if not self._only:
            return {""}
        parts = self._book.rules[self._only].parts
        looked_at = {type_ for part in parts for type_ in part.pattern.types}
        return looked_at | {*FACTS, *PROTOCOLS, *DID, *UNSEEN}

    def _take(self, event: Event, received: datetime) -> None:
        reported = received >= self.found.since
        if event.type not in UNSEEN:
            self._lapse(received)
        if event.type.startswith(DERIVED):
            if reported:
                self._did(event, received)
            return
        self.found.events += reported
        for match in self._book.judge(self._memory, event, received):
            self._would(match, received)

    def _lapse(self, now: datetime) -> None:
        while (due := self._memory.due()) is not None and due <= now:
            at = max(due, self._memory.now)
            for lapsed in self._book.lapse(self._memory, at):
                if not isinstance(lapsed, Listed):
                    self._would(lapsed, at)

    def _would(self, match: Match, now: datetime) -> None:
        reported = now >= self.found.since
        if match.kept_back:
            if reported:
                self.found.kept_back[match.rule] = self.found.kept_back.get(match.rule, 0) + 1
            return
        if match.spec.cooldown is not None:
            until = now + timedelta(seconds=match.spec.cooldown)
            key = (match.rule, quiet_about(match.event, match.about))
            self._memory.cool(key, Cooldown(now, until, match.severity, ""))
        if reported:
            firing = self._firing(match.rule, match.event.id, now)
            firing.would = True
            firing.severity, firing.matched, firing.events = (
                match.severity, match.matched, match.events,
            )  # fmt: skip
            firing.about = match.about.door or self._campus.name(match.about.place)

    def _did(self, event: Event, received: datetime) -> None:
        """What a rule did. A journal of before `rule.fired` has but the alerts."""
        data, rule = event.data, str(event.data.get("rule"))
        if event.type not in DID or self._only not in ("", rule):
            return
        by_hand = event.source != f"rule/{rule}" or rule == HELP_RULE
        if event.type == "alert.raised" and by_hand:
            return  # a protocol or a call for help, which no rule fired for
        firing = self._firing(rule, str(data.get("cause")), received)
        if firing.did:
            return
        firing.did = True
        if not firing.would:
            firing.severity = str(data.get("severity"))
            firing.matched = tuple(map(str, data.get("matched") or ()))
            firing.events = tuple(map(str, data.get("events") or ()))
            firing.about = str(data.get("door") or "") or self._campus.name(str(data.get("place")))

    def _firing(self, rule: str, cause: str, time: datetime) -> Firing:
        firing = self._by_cause.get((rule, cause))
        if firing is None:
            if self._most is not None and len(self.found.firings) >= self._most:
                raise TooMany(time)
            firing = self._by_cause[rule, cause] = Firing(time, rule, "", "", (), cause)
            self.found.firings.append(firing)
        return firing


def as_json(found: Replayed, rules: Iterable[str], seconds: float) -> str:
    """One JSON object."""
    return json.dumps(
        {
            "since": iso(found.since),
            "until": iso(found.until),
            "events": found.events,
            "seconds": round(seconds, 3),
            "rules": found.counts(rules),
            "firings": [firing.as_dict() for firing in found.firings],
        },
        ensure_ascii=False,
    )
