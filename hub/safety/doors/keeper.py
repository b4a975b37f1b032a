"""The keeper: brings every door to what is wanted of it, for as long as that is wanted.

It looks at all doors side by side and writes what it has to in one transaction, so that no door
waits for another. Schedules and expiries are seen to here as well, by the wall clock as it is now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from hub.clock import from_iso
from hub.errors import StateError
from hub.events import Event
from hub.phrases import phrase
from hub.safety.decide import Decider, Decision
from hub.safety.doors import doubt, fire, intents
from hub.safety.doors.door import Door
from hub.safety.doors.reconciler import Doors
from hub.safety.doors.tailgate import Passages
from hub.safety.doors.watchful import Seen, Step, Watchful
from hub.safety.intake import Intake

TICK_S = 1.0

log = structlog.get_logger("doors")


def _nobody_knows() -> bool:
    """Nobody says that the clock is right."""
    return False


class Keeper:
    """Keeps the doors of a hub; `load` it before anything acts, then run its `tasks`.
    `synchronised` says whether a time server keeps the machine's clock.
    """

    def __init__(self, intake: Intake, doors: Doors, synchronised: Callable[[], bool]) -> None:
        self._intake = intake
        self._doors = doors
        self._synchronised = synchronised
        self._clock = intake.clock
        self._passages = Passages(intake.config)
        self._tailgated: list[Event] = []
        self._watched: dict[str, Watchful] = {}
        self._wanted = asyncio.Event()
        self._due: datetime | None = None
        self._hours_change = True
        self._known = intake.config

    @classmethod
    async def load(
        cls, intake: Intake, doors: Doors, synchronised: Callable[[], bool] = _nobody_knows
    ) -> Keeper:
        """Show the doors what the journal knows: what was asked and is wanted of them, and whether
        a fire alarm has suspended them. From now on they hear of each change.
        """
        keeper, now = cls(intake, doors, synchronised), intake.clock.now()
        if await intake.journal.read(lambda c: doubt.is_behind(c, now)):
            await intake.journal.write(lambda c: doubt.begin(c, now))
        for door, request in (await intake.requests()).items():
            doors.requested(door, request)
            if request["verb"] == "lockdown_release" and request["state"] != "confirmed":
                doors.may_be_locked_down(door)
        for door, row in (await intake.journal.read(intents.winners)).items():
            doors.wanted(door, intents.view(row))
            if row.verb == "lockdown" and row.owner_kind == "protocol" and not row.drill:
                doors.may_be_locked_down(door)
        state = await intake.journal.read(fire.read)
        doors.suspend(state.suspended, state.why)
        intake.on_doors = keeper._heard
        return keeper

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run while the hub does, by name."""
        return {"keeper of doors": self.run}

    async def run(self) -> None:
        """Keep the doors for ever."""
        self._watched.clear()  # what was to be written when it last ended may not have been
        self._hours_change = True
        while True:
            self._wanted.clear()
            try:
                await self._see_to_hours()
                await self._look()
            except StateError as error:
                log.error("doors wait for the journal", error=str(error))
                self._watched.clear()
                self._hours_change = True
                await self._clock.sleep(TICK_S)
            else:
                await self._rest()

    def _heard(self, decision: Decision) -> None:
        """A transaction is on the disk; this runs before anything is performed."""
        for door, key in decision.called_off:
            self._doors.call_off(door, key)
        if decision.fire is not None:
            self._doors.suspend(decision.fire.suspended, decision.fire.why)
        for door, intent in decision.wanted:
            self._doors.wanted(door, intent)
            if intent is not None and intent["expires"] is not None:
                self._due = _earlier(self._due, from_iso(intent["expires"]))
        for _, event in decision.events:
            if (tailgated := self._passages.hear(event)) is not None:
                self._tailgated.append(tailgated)
        self._hours_change |= decision.doors_due
        if decision.wanted or decision.requests or decision.doors_due or self._tailgated:
            self._wanted.set()

    async def _see_to_hours(self) -> None:
        """Let schedules and expiries act: when they are due, at the start, with another
        configuration, and when somebody has set the clock.
        """
        await self._intake.see_to_the_clock()
        config = self._intake.config
        due = self._due is not None and self._due <= self._clock.now()
        if not (due or self._hours_change or config is not self._known):
            return
        if config is not self._known:
            self._passages = Passages(config)
        self._known, self._hours_change, self._due = config, False, None
        found: list[tuple[datetime | None, datetime | None]] = []

        def work(decider: Decider) -> None:
            if decider.doubted_until() is None or self._synchronised():
                decider.believe_clock()
            decider.see_to_hours()
            found.append((decider.next_hour(), decider.doubted_until()))

        await self._intake.decide(work)
        next_hour, doubted = found[-1]
        self._due = _earlier(self._due, next_hour)
        self._doors.doubt = "" if doubted is None else self._words_of(doubted)

    def _words_of(self, doubted: datetime) -> str:
        """Why timetables open no door, and what to do."""
        local = doubted.astimezone(ZoneInfo(self._known.hub.timezone))
        return phrase(
            "timetables open no door: by the machine's clock it is not yet %(moment)s, when the "
            "hub ran last; set the clock right, and unlock doors by hand meanwhile",
            moment=f"{local:%Y-%m-%d %H:%M}",
        )

    async def _look(self) -> None:
        steps = [step for door in self._doors.all() for step in self._steps(door)]
        for gone in self._watched.keys() - {door.id for door in self._doors.all()}:
            del self._watched[gone]
        tailgated = list(self._tailgated)
        if not steps and not tailgated:
            return

        def work(decider: Decider) -> None:
            for step in steps:
                _take(decider, step)
            for event in tailgated:
                decider.accept(event)

        await self._intake.decide(work, urgent=any(step.act == "ask" for step in steps))
        del self._tailgated[: len(tailgated)]

    def _steps(self, door: Door) -> list[Step]:
        watched = self._watched.setdefault(door.id, Watchful())
        now, steps = self._clock.monotonic(), []
        seen = _seen(door, now)
        while (step := watched.look(door.intent, seen, now)) is not None:
            steps.append(replace(step, words=self._intake.secrets.clean(step.words)))
        self._doors.differs(door.id, watched.words)
        return steps

    async def _rest(self) -> None:
        alarm = asyncio.create_task(self._clock.sleep(TICK_S), name="doors: look again")
        wanted = asyncio.create_task(self._wanted.wait(), name="doors: wanted")
        try:
            await asyncio.wait((alarm, wanted), return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            wanted.cancel()


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _seen(door: Door, now: float) -> Seen:
    facts, requested = door.facts, door.facts.requested
    verb = requested["verb"] if requested is not None else ""
    done = requested is not None and requested["state"] == "confirmed"
    position = facts.position
    fresh = facts.online and position.fresh(now, facts.stale_after)
    return Seen(
        lock=facts.known_lock(now),
        online=facts.online,
        open=fresh and position.value == "open",
        busy=requested is not None and requested["state"] == "pending",
        outside=facts.lockdown is False,
        released=verb == "lockdown_release",
        passing=facts.let_through(now),
        let_in=verb == "momentary" and facts.let_through(now),
        unconfirmed=None if verb == "momentary" else not (done and verb == "lockdown"),
        detail=facts.detail,
    )


def _take(decider: Decider, step: Step) -> None:
    if step.act == "ask":
        decider.ask_again(step.intent)
    elif step.act == "differs":
        decider.door_differs(step.intent, step.words)
    elif step.act == "agrees":
        decider.door_agrees(step.intent)
    else:
        decider.give_up(step.intent, step.tries, step.words)
