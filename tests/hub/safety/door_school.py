"""A school whose doors are real up to the wire: journal, performer, keeper, and scripted locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from safety_school import EVENING, SCHOOL, rests, until
from sqlalchemy import select

from hub import AccessReport, Capabilities, DoorReport, NotReady
from hub.bus import Bus
from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.kinds.access_control import VERBS, Lock, Verb
from hub.safety import outbox
from hub.safety.actions import Performer
from hub.safety.decide import Decider, Decision
from hub.safety.doors.keeper import Keeper
from hub.safety.doors.reconciler import Doors
from hub.safety.intake import Intake
from hub.storage import schema
from hub.storage.eventlog import _event
from hub.storage.journal import Journal
from hub.testing import FakeClock
from hub.views import DoorView

MAKES: dict[Verb, Lock] = {
    "lock": "locked", "lockdown": "locked", "unlock": "unlocked", "hold_open": "unlocked",
}  # fmt: skip


class Locks:
    """A controller whose locks obey at once, unless a test has broken one."""

    def __init__(self, clock: FakeClock, doors: list[str]) -> None:
        self.capabilities = Capabilities(verbs=frozenset(VERBS))
        self.clock = clock
        self.locks: dict[str, Lock] = dict.fromkeys(doors, "locked")
        self.asked: list[tuple[str, Verb]] = []
        self.keys: list[str] = []
        self.jammed: set[str] = set()
        self.deaf: set[str] = set()
        self.away: set[str] = set()
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    async def start(self) -> None:
        """Nothing to connect."""

    async def command(self, door: str, verb: Verb, key: str) -> None:
        if door in self.away:
            raise NotReady("no route to it")
        self.asked.append((door, verb))
        self.keys.append(key)
        if door in self.deaf:
            return
        if door in self.jammed:
            self.says(door, lock="jammed", answers=True)
            return
        self.locks[door] = MAKES.get(verb, self.locks[door])
        self.says(door, lock=self.locks[door], answers=True)

    async def refresh(self, door: str) -> None:
        if door not in self.away and door not in self.jammed:
            self.says(door, lock=self.locks[door], answers=True)

    async def reports(self) -> AsyncIterator[Any]:
        while True:
            yield await self.queue.get()

    async def close(self) -> None:
        """Nothing to let go of."""

    def says(self, door: str, **facts: Any) -> None:
        """Report something of a door."""
        self.queue.put_nowait(DoorReport(door, self.clock.now(), **facts))

    def turned(self, door: str, lock: Lock) -> None:
        """A hand on the key."""
        self.locks[door] = lock
        self.says(door, lock=lock)

    def used(self, door: str, access: Any = "granted", credential: str = "c1") -> None:
        """A credential at a door."""
        self.queue.put_nowait(AccessReport(door, self.clock.now(), access, credential))


class DoorSchool:
    """One life of a hub's doors."""

    def __init__(self, path: Path, config: Config, clock: FakeClock, locks: dict[str, Any]) -> None:
        self.config, self.clock = config, clock
        self.journal = Journal(path / "journal.db")
        self.intake = Intake(
            config,
            Campus(config.places),
            self.journal,
            Bus(),
            clock,
            public=lambda name: name == "siren",
            on_request=lambda door, request: self.doors.requested(door, request),
        )
        self.doors = Doors(config, Campus(config.places), clock, self.intake.accept)
        self.locks = locks
        self.performer = Performer(self.intake, self.doors, {})
        self.keeper: Keeper
        self._tasks: list[asyncio.Task[Any]] = []
        self._acting: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Bring it up as the hub does."""
        await self.journal.open()
        for name, controller in self.locks.items():
            self.doors.attach(name, controller)
        self.keeper = await Keeper.load(self.intake, self.doors)
        acting = [self.performer.run(), *(work() for work in self.keeper.tasks().values())]
        self._acting = [asyncio.create_task(work) for work in acting]
        works = [self.doors.keep_fresh(), *map(self.doors.watch, self.locks)]
        self._tasks = [*(asyncio.create_task(work) for work in works), *self._acting]
        await self.settle()

    async def stop(self) -> None:
        """End as a stopping hub does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.journal.close()

    @property
    def lock(self) -> Locks:
        """The first controller."""
        found = self.locks["locks"]
        assert isinstance(found, Locks)
        return found

    async def decide(self, work: Callable[[Decider], Any]) -> Decision:
        """One transaction, and what follows from it at once."""
        done = await self.intake.decide(work, urgent=True)
        await self.settle()
        return done

    async def want(self, door: str, verb: Verb, kind: Any, owner: str, **more: Any) -> str:
        """Want something of a door; returns the intent's id."""
        found: list[str] = []
        await self.decide(lambda d: found.append(d.want(door, verb, kind, owner, owner, **more)))
        return found[0]

    async def no_more(self, kind: Any, owner: str, why: str = "it is over") -> None:
        """An owner wants nothing any more."""
        await self.decide(lambda d: d.want_no_more(kind, owner, why))

    async def happens(self, kind: str, subject: str = "", **data: Any) -> None:
        """An event from outside."""
        await self.intake.accept(Event(kind, "test", self.clock.now(), subject, data))
        await self.settle()

    async def pass_time(self, seconds: int) -> None:
        """Let time pass, second by second; what becomes due in each is done before the next."""
        for _ in range(seconds):
            await self.clock.advance(1)
            await until(self._quiet)
        await self.settle()

    async def settle(self) -> None:
        """Wait in real time until the journal has nothing to write and nothing can go on."""
        for _ in range(3):
            await self.clock.advance(0)
            await until(self._quiet)

    async def _quiet(self) -> bool:
        await self.journal.write(lambda c: None)  # all before it is on the disk
        await self.clock.advance(0)
        due = await self.journal.read(lambda c: outbox.due(c, self.clock.now()))
        started = {row.id for row in due if row.started is not None}
        waiting = self.doors.counts()["events_waiting"]
        resting = all(map(rests, self._acting))
        return not waiting and len(started) == len(due) and resting and not self._steps_due()

    def _steps_due(self) -> bool:
        return bool(self.keeper._wanted.is_set() or self.journal.queue()["waiting"])

    def view(self, door: str) -> DoorView:
        """A door as its page shows it."""
        return next(each for each in self.doors.views() if each["id"] == door)

    async def told(self, *kinds: str) -> list[Event]:
        """Events of these types (beginnings of them), oldest first."""

        def work(connection: Any) -> list[Event]:
            rows = connection.execute(select(schema.events).order_by(schema.events.c.seq))
            return [_event(row) for row in rows if row.type.startswith(kinds)]

        return await self.journal.read(work)

    async def types(self, *kinds: str) -> list[str]:
        """Their types alone."""
        return [event.type for event in await self.told(*kinds)]


def config(**changes: Any) -> Config:
    """The school, with a timetable."""
    return Config.model_validate(SCHOOL | changes)


@asynccontextmanager
async def door_school(
    path: Path, clock: FakeClock | None = None, locks: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[DoorSchool]:
    """A school whose doors are kept until the block ends; `locks` survive it."""
    made, clock = config(**changes), clock or FakeClock(EVENING)
    house = DoorSchool(path, made, clock, locks or {"locks": Locks(clock, list(made.doors))})
    try:
        await house.start()
        yield house
    finally:
        await house.stop()


HOUR = timedelta(hours=1)
