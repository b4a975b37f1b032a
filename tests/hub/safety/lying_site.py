"""Controllers whose doors jam, lag, lie, drop, reboot and fall silent, and the truth of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from hub import Capabilities, CommandFailed, DoorReport, Lock, NotReady, Position, Verb, iso
from hub.kinds.access_control import LOCK_VERBS, VERBS
from hub.testing import FakeClock

Fault = Literal["none", "jam", "lag", "lie", "drop", "reboot", "silent", "half"]
FAULTS: tuple[Fault, ...] = (
    "none", "jam", "lag", "lie", "drop", "reboot", "silent", "half", "lie", "drop", "none", "none",
)  # fmt: skip
STALE_S = 5.0
LAG_S = 2.5
BACK_S = 3.0


@dataclass
class Lockset:
    """One door as it really is: `was` says since when (monotonic seconds) its bolt stood how."""

    was: list[tuple[float, bool]]
    position: Position = "closed"
    fault: Fault = "none"
    online: bool = True
    pending: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def locked(self) -> bool:
        """Whether the bolt is out now."""
        return self.was[-1][1]

    def was_locked_at(self, moment: float) -> bool:
        """Whether it was out then."""
        return next(locked for since, locked in reversed(self.was) if since <= moment)

    def stood(self, locked: bool, since: float) -> bool:
        """Whether it stood so at any moment from then on."""
        return self.was_locked_at(since) is locked or any(
            each is locked for when, each in self.was if when >= since
        )


@dataclass(frozen=True)
class Told:
    """A command that reached a device."""

    at: float
    door: str
    verb: Verb
    key: str
    wall: str


class Panel:
    """A controller of such doors. Each report says what was so when it was made, as the contract
    asks; only what a device says when it was asked is an answer.
    """

    def __init__(self, clock: FakeClock, doors: Iterable[str], contacts: Iterable[str]) -> None:
        self.clock = clock
        self.doors = {door: Lockset([(float("-inf"), True)]) for door in doors}
        self.contacts = set(contacts)
        self.capabilities = Capabilities(
            verbs=frozenset(VERBS),
            stale_after_s=STALE_S,
            without_position=frozenset(set(self.doors) - self.contacts),
        )
        self.away = False
        self.told: list[Told] = []
        self.made: dict[tuple[str, str], tuple[float, bool]] = {}
        self.newest: dict[str, tuple[float, Lock]] = dict.fromkeys(
            self.doors, (float("-inf"), "unknown")
        )
        self._reports: asyncio.Queue[DoorReport | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take part, unless it is away."""
        if self.away:
            raise NotReady("the panel is away")
        self._reports = asyncio.Queue()
        for door in self.doors:
            self.say(door)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Hand it to the device, which does with it what its fault makes of it."""
        if self.away:
            raise NotReady("the panel is away")
        lockset = self.doors[door]
        if not lockset.online:
            raise NotReady("the lock is offline")
        now = self.clock.monotonic()
        self.told.append(Told(now, door, verb, key, iso(self.clock.now())))
        fault = lockset.fault
        if fault in ("drop", "silent"):
            return
        if fault == "lie":
            self._push(DoorReport(door, self.clock.now(), lock=_made(verb), remembered=True))
        elif fault == "reboot":
            lockset.fault = "none"
            self._later(self._reboot(door))
        elif fault == "lag":
            self.say(door, lock="moving", answers=True)
            self._later(self._obey_late(door, verb))
        elif fault == "jam" and verb in LOCK_VERBS:
            lock: Lock = "locked" if lockset.locked else "jammed"
            self.say(door, lock=lock, answers=True)
            if not lockset.locked:
                raise CommandFailed("bolt jammed")
        else:
            self._obey(door, verb)

    async def refresh(self, door: str) -> None:
        """Ask the device."""
        if self.away:
            raise NotReady("the panel is away")
        lockset = self.doors[door]
        if lockset.fault == "silent" or not lockset.online:
            return
        if lockset.fault == "lag":
            self._later(self._answer_late(door))
        else:
            self.say(door, answers=True)

    async def reports(self) -> AsyncIterator[DoorReport]:
        """What the devices say, until the panel goes away."""
        reports = self._reports
        while (report := await reports.get()) is not None:
            yield report
        raise NotReady("the panel is away")

    async def close(self) -> None:
        """Nothing to let go of."""

    def turn(self, door: str, locked: bool) -> None:
        """The bolt moves, by a hand or by the device; nobody is told."""
        self.doors[door].was.append((self.clock.monotonic(), locked))

    def say(self, door: str, lock: Lock | None = None, **facts: Any) -> None:
        """The device says how it is now."""
        self._push(self.photograph(door, lock, **facts))

    def photograph(self, door: str, lock: Lock | None = None, **facts: Any) -> DoorReport:
        """A report of how the door is at this moment, to be told now or later."""
        lockset, now = self.doors[door], self.clock.now()
        position = lockset.position if door in self.contacts else None
        said: Lock | None = lock or ("locked" if lockset.locked else "unlocked")
        if lockset.fault == "half":
            said = None
        report = DoorReport(door, now, lock=said, position=position, **facts)
        self.made[door, iso(now)] = (self.clock.monotonic(), lockset.locked)
        return report

    def tell_late(self, report: DoorReport) -> None:
        """What was on its way arrives."""
        if self.doors[report.door].online and not self.away:
            self._push(report)

    def go(self) -> None:
        """The panel goes away: its reports end."""
        self.away = True
        self._reports.put_nowait(None)

    def stop(self) -> None:
        """Let go of what was begun."""
        for task in self._tasks:
            task.cancel()

    def _obey(self, door: str, verb: Verb) -> None:
        if verb == "momentary":
            self.turn(door, False)
            self.say(door, answers=True, passage=True)
            self._later(self._relock(door))
        elif verb != "lockdown_release":
            self.turn(door, verb in LOCK_VERBS)
            self.say(door, answers=True)
        else:
            self.say(door, answers=True)

    async def _relock(self, door: str) -> None:
        await self.clock.sleep(1.0)
        self.turn(door, True)
        if self.doors[door].fault != "silent":
            self.say(door)

    async def _obey_late(self, door: str, verb: Verb) -> None:
        await self.clock.sleep(LAG_S)
        if self.doors[door].online and self.doors[door].fault != "silent":
            self._obey(door, verb)

    async def _answer_late(self, door: str) -> None:
        await self.clock.sleep(LAG_S)
        if self.doors[door].online and self.doors[door].fault != "silent":
            self.say(door, answers=True)

    async def _reboot(self, door: str) -> None:
        lockset = self.doors[door]
        lockset.online = False
        self._push(DoorReport(door, self.clock.now(), online=False, detail="it restarts"))
        await self.clock.sleep(BACK_S)
        lockset.online = True
        self.say(door)

    def _push(self, report: DoorReport) -> None:
        if self.away:
            return
        self._reports.put_nowait(report)
        if report.lock is not None and not report.remembered:
            made = self.made[report.door, iso(report.time)][0]
            if made >= self.newest[report.door][0]:
                self.newest[report.door] = (made, report.lock)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _made(verb: Verb) -> Lock:
    return "locked" if verb in LOCK_VERBS else "unlocked"
