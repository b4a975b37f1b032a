"""The intake: the door through which every event, verdict and command enters the journal.

Each call is one transaction. Only once it is on the disk do the bus, the doors' pages and the
performer hear of it, in the order of the commits. What a person decides, and an event that a rule
calls severe, goes before all else that waits: a panic button is never behind motion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from hub.bus import Bus
from hub.campus import Campus
from hub.clock import Clock, ClockWatch, from_iso
from hub.config import Config
from hub.errors import Refused, StateError
from hub.events import Event
from hub.kinds.access_control import Verb
from hub.safety import outbox
from hub.safety.answers import Answers
from hub.safety.decide import Charter, Decider, Decision
from hub.safety.follow import Follower
from hub.safety.notices import receipts
from hub.safety.outbox import ActionRow
from hub.secrets import Secrets
from hub.storage import eventlog, once
from hub.storage.journal import Journal
from hub.views import AlertView, Requested, Verdict

TO_THE_WIRE = 24  # turns of the loop that a command takes from its task to a socket
PICTURES_WITHIN = timedelta(minutes=5)
MOTION = "zone."
ALWAYS_URGENT = ("fire.alarm", "fire.clear", "access.duress")

log = structlog.get_logger(__name__)


async def _no_wish(alert: AlertView) -> None:
    """Nobody wants to know."""


def _no_request(door: str, request: Requested) -> None:
    """Nobody wants to know."""


async def let_go_first() -> None:
    """Let commands that have begun get to the wire before anything else is looked up: a thread that
    reads takes turns with the loop, and each turn costs a command up to a switch interval.
    """
    for _ in range(TO_THE_WIRE):
        await asyncio.sleep(0)


class Intake(Answers):
    """Accepts events and people's decisions, and answers what has become of them.

    `public` says whether a notifier is heard by everyone. `on_incident` is awaited for each
    alert that opened or joined an incident, so that pictures can be kept: while `follow` runs, and
    also for what was journaled shortly before it ran.
    `on_request` hears what was last asked of a door whenever that, or its outcome, changes;
    `on_doors`, which may be set later, what each transaction did, before anything is performed.
    `on_begun`, set by who performs for as long as they do, gets the door commands whose attempt
    began with the transaction that wanted them.
    """

    def __init__(
        self,
        config: Config,
        campus: Campus,
        journal: Journal,
        bus: Bus,
        clock: Clock,
        *,
        public: Callable[[str], bool],
        on_incident: Callable[[AlertView], Awaitable[None]] = _no_wish,
        on_request: Callable[[str, Requested], None] = _no_request,
        secrets: Secrets | None = None,
    ) -> None:
        super().__init__(journal, clock, Charter.of(config, campus, public))
        self.secrets = secrets or Secrets()
        self.config = config
        self.accepted = 0
        self.repeated = 0
        self.on_intentions: Callable[[], None] = _nothing
        self.on_doors: Callable[[Decision], None] = _no_doors
        self.on_begun: Callable[[Sequence[ActionRow]], None] | None = None
        self.public = public
        self._urgent = urgent_types(config)
        self._watch = ClockWatch(clock)
        self._seeing = asyncio.Lock()
        self._bus = bus
        self._on_incident = on_incident
        self._on_request = on_request
        self._pictures = Follower(
            "pictures", journal, clock, ("alert.raised", "alert.verified"), self._want_pictures
        )

    def private(self, notifier: str) -> bool:
        """Whether a notifier reaches people of the school alone."""
        return self._charter.private(notifier)

    def reconfigure(self, config: Config, campus: Campus) -> None:
        """Decide by another configuration, from the next transaction on."""
        self._charter = Charter.of(config, campus, self.public)
        self._urgent = urgent_types(config)
        self.config = config

    # ------------------------------------------------------------ what comes in

    async def accept(self, *events: Event) -> None:
        """Journal these events, without any secret, and all that follows from them, in one
        transaction.

        Returns once it is on the disk. An event whose id is already there changes nothing. Raises
        `ValueError` for what is not plain JSON or whole text, and `StateError` when the journal
        fails; either way none of these events was taken. Events of one source that must stay in
        order are handed over one call after the other, each after the one before has returned.
        """
        encoded = [(event, _encoded(event)) for event in map(self.secrets.clean_event, events)]

        def work(decider: Decider) -> None:
            for event, data in encoded:
                decider.accept(event, data)

        await self.decide(work, urgent=any(event.type in self._urgent for event in events))

    async def take(self, event: Event) -> bool:
        """Accept one event, and say whether it is new. Raises as `accept` does."""
        event = self.secrets.clean_event(event)
        data = _encoded(event)
        urgent = event.type in self._urgent
        done = await self.decide(lambda decider: decider.accept(event, data), urgent=urgent)
        return not done.repeated

    async def verdict(self, alert: str, verdict: Verdict, by: str, note: str = "") -> AlertView:
        """Judge an alert, act on it and tell everyone who was told. The same verdict twice is one.
        Raises `KeyError` for an unknown alert and `Refused` when another verdict stands.
        """
        said = self.secrets.clean(note)
        return await self._judged(lambda decider: decider.verdict(alert, verdict, by, said))

    async def undo(self, alert: str, by: str) -> AlertView:
        """Take a dismissal back within seconds. Raises `KeyError`, and `Refused` otherwise."""
        return await self._judged(lambda decider: decider.undo(alert, by))

    async def acknowledge(self, alert: str, by: str) -> AlertView:
        """Somebody takes an alert on: nobody else is called for it, and all who were told hear it.
        Raises `KeyError`, and `Refused` when somebody else has, or when the alert is over.
        """
        return await self._judged(lambda decider: decider.acknowledge(alert, by))

    async def resolve(self, alert: str, by: str, note: str = "") -> AlertView:
        """A verified alert is over. Raises `KeyError`, and `Refused` where it makes no sense."""
        said = self.secrets.clean(note)
        return await self._judged(lambda decider: decider.resolve(alert, by, said))

    async def _judged(self, work: Callable[[Decider], None]) -> AlertView:
        """An alert after what somebody said of it."""
        decision = await self.decide(work, urgent=True)
        assert decision.alert is not None
        return await self.alert(decision.alert.id)

    async def command_door(
        self,
        door: str,
        verb: Verb,
        by: str,
        reason: str,
        *,
        lasts: float | None = None,
        may_enter: bool = False,
    ) -> str:
        """Write a person's command to a door; returns its key. How it ends comes as an event.

        What they want lasts so many seconds, `hub.doors_keep` without; `may_enter` where they may
        pass a door that a protocol has locked. Raises `KeyError` for an unknown door and `Refused`
        where it may not be asked now.
        """

        def work(decider: Decider) -> None:
            said = outbox.writable(self.secrets.clean(reason))
            decider.decision.key = decider.command(
                door, verb, by, said, lasts=lasts, may_enter=may_enter
            )

        return (await self.decide(work, urgent=True)).key

    async def lapse(self) -> None:
        """Let rules act on what only had to wait: what has lasted, cooldowns that end."""
        if self._charter.due(self.clock.now()):
            await self.decide(Decider.lapse)

    async def decide(self, work: Callable[[Decider], None], *, urgent: bool = False) -> Decision:
        """Run `work` with a decider in one transaction, then tell of what it did; `urgent` goes
        before all that is not.
        """
        if self._watch.moved():
            with suppress(StateError):  # then this is decided by the clock as it was
                await self.see_to_the_clock()

        def transaction(connection: Connection) -> Decision:
            # The time of its turn: what is urgent may overtake what has waited long.
            decider = Decider(connection, self._charter, self._now())
            try:
                work(decider)
                once.note(connection, decider.decision.key)
                if self.on_begun is not None:
                    decider.begin_asked()
            except (KeyError, Refused):
                raise  # asked for what cannot be: nothing was begun
            except Exception:
                self._charter.memory.stale = True
                raise
            return decider.decision

        decision = await self.journal.write(transaction, after=self._tell, urgent=urgent)
        if decision.begun:
            await let_go_first()
        return decision

    async def see_to_the_clock(self) -> bool:
        """Where somebody has set the wall clock, move along what waits, before anything is decided
        by it. Says whether somebody had; who looks for what is due asks first. Raises `StateError`.
        """
        if not self._watch.moved():
            return False
        async with self._seeing:
            if not (moved := self._watch.moved()):
                return True  # somebody else has seen to it
            seen = False

            def transaction(connection: Connection) -> Decision:
                nonlocal seen
                decider = Decider(connection, self._charter, self.clock.now())
                decider.clock_moved(timedelta(seconds=moved))
                if not seen:  # what comes next in this commit goes by the clock as it is
                    self._watch.seen(moved)
                seen = True
                return decider.decision

            log.warning("the machine's clock was set", seconds=round(moved, 1))
            try:
                await self.journal.write(transaction, after=self._tell, urgent=True)
            except StateError:
                self._charter.memory.stale = True
                if seen:
                    self._watch.seen(-moved)
                raise
            except Exception:  # nor may that keep anything from being decided
                log.exception("what waits could not be moved along with the clock")
                self._charter.memory.stale = True
                if not seen:
                    self._watch.seen(moved)
            self.on_intentions()
        return True

    def _now(self) -> datetime:
        """The time to decide by: the clock as it was, until it is seen to that it was set."""
        return self.clock.now() - timedelta(seconds=self._watch.moved())

    async def opened(self, alert: str, person: str) -> None:
        """A person looks at an alert: what they were sent about it is seen."""
        if await self.journal.read(lambda c: bool(receipts.unseen(c, alert, person))):
            await self.decide(lambda decider: decider.opened(alert, person))

    def queue(self) -> dict[str, int]:
        """Counters for health and metrics, since the start."""
        return {
            "accepted": self.accepted,
            "repeated": self.repeated,
            "waiting": self._pictures.waiting,
            "forgotten": self._charter.memory.forgotten,
            "dropped": 0,
        }

    # ----------------------------------------------------------------- inside

    def _tell(self, decision: Decision) -> None:
        self.accepted += len(decision.events)
        self.repeated += decision.repeated
        try:
            for seq, event in decision.events:
                self._bus.publish(event, seq)
            for door, request in decision.requests:
                self._on_request(door, request)
            self.on_doors(decision)
        finally:  # nobody finds these in the outbox again before the next start
            if decision.begun and self.on_begun is not None:
                self.on_begun(decision.begun)
        if decision.intentions:
            self.on_intentions()
        if decision.opened:
            self._pictures.wake()

    async def follow(self) -> None:
        """Do for ever what alerts ask for beside notices and doors. Run it as one task."""
        await self._pictures.run()

    async def _want_pictures(self, event: Event) -> None:
        # What it opened or joined is in the event that did so: the alert may have joined since.
        if not event.data.get("incident" if event.type == "alert.raised" else "new_to_incident"):
            return
        alert = await self.alert(event.subject)
        age = self.clock.now() - from_iso(alert["updated"])
        if alert["incident"] and age < PICTURES_WITHIN:
            await self._on_incident(alert)


def _encoded(event: Event) -> str:
    """An event's data as it is written. Raises `ValueError` for what the journal cannot hold."""
    eventlog.check(event)
    return eventlog.encode(event.data)


def urgent_types(config: Config) -> frozenset[str]:
    """Types of events that a severe rule waits for, except those that motion makes: they come in
    floods.
    """
    kinds: set[str] = set(ALWAYS_URGENT)
    for rule in config.rules.values():
        spec = rule.alert
        if "severe" in (spec.severity, *(each.severity for each in spec.graver)):
            kinds.update(rule.when, *(step.when for step in rule.followed_by))
    return frozenset(kind for kind in kinds if not kind.startswith(MOTION))


def _nothing() -> None:
    """Nobody performs actions."""


def _no_doors(decision: Decision) -> None:
    """Nobody keeps doors."""
