"""Doors whose controller is asked for their state: after each command, and when it tells news.

Only what a controller says when asked, after the latest command was taken, answers. What it tells
by itself is believed at once where it is bad news (a bolt withdrawn, a door opened). Good news (a
bolt out, a door closed) makes us ask: an event may have been overtaken on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from hub import (
    VERBS,
    AccessReport,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Lock,
    NotReady,
    Position,
    Probed,
    Verb,
)
from plugins.access_control._backoff import pause
from plugins.access_control._ending import end
from plugins.access_control._http_device import HttpConfig, HttpDevice, RefusedUs, Untrusted
from plugins.access_control._reports import Reporting, Reports

START_S = 8.0
POLL_S = 2.0
POLLS = 150  # then events are tried again
LOOK_AGAIN_S = (0.2, 0.5, 1.0)
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
WANTED: Mapping[Verb, frozenset[Lock]] = {
    "lock": frozenset({"locked"}),
    "lockdown": frozenset({"locked"}),
    "unlock": frozenset({"unlocked"}),
    "hold_open": frozenset({"unlocked"}),
    "momentary": frozenset({"unlocked"}),
    "lockdown_release": frozenset({"locked", "unlocked"}),
}


class WithContact(Protocol):
    """What a door's settings say of its contact; nothing where it has none."""

    @property
    def contact(self) -> object: ...


D = TypeVar("D", bound=WithContact)


class NoEvents(Exception):
    """The controller tells nothing by itself; its doors are asked again and again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a controller said of one door when it was asked.

    `does` are the verbs that this state fulfils: a bolt that is out is no lockdown yet.
    """

    lock: Lock
    position: Position | None = None
    does: frozenset[Verb] = frozenset()
    detail: str = ""
    passage: bool = False
    tampered: bool | None = None


@dataclass(slots=True)
class Known:
    """What is known of one door: the latest command, how often one was begun or ended, and whether
    it was seen to be done.
    """

    verb: Verb | None = None
    asked: int = 0
    done: bool = True
    hinted: bool = False
    look: asyncio.Task[None] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class ReadBackDoors(Reporting[DoorReport | AccessReport], ABC, Generic[D]):
    """The doors behind one HTTP controller; what is special to its protocol is abstract here."""

    def __init__(self, config: HttpConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._clock = context.clock
        self._devices: Mapping[str, D] = dict(context.devices)
        self._known = {door: Known() for door in self._devices}
        self._http = HttpDevice(config, context)
        self._reports: Reports[DoorReport | AccessReport] = Reports()
        self._work: set[asyncio.Task[None]] = set()

    @property
    def capabilities(self) -> Capabilities:
        """All verbs, from the settings alone; a door that lacks one refuses it. `lockdown` is the
        controller's own, and no credential opens during it.
        """
        devices = self._devices.items()
        return Capabilities(
            verbs=frozenset(VERBS),
            lockdown_native=True,
            badges_still_work=False,
            has_position=any(device.contact for _, device in devices),
            stale_after_s=self._config.stale_after,
            without_position=frozenset(door for door, device in devices if not device.contact),
        )

    @abstractmethod
    async def _meet(self) -> None:
        """Learn what the controller has. Raises `NotReady`; nothing that moves a door."""

    @abstractmethod
    async def _ask(self, door: str, device: D) -> Seen:
        """Ask for one door's state. Raises `NotReady`, or `CommandFailed` where it has no such."""

    @abstractmethod
    async def _perform(self, door: str, device: D, verb: Verb) -> None:
        """Have a verb done, in as many calls as it takes; raises as `command` does.

        A passage through a door in lockdown ends that. It is the hub that asks for it again: only
        the hub knows whether the door may still be locked (a fire alarm, say, forbids it).
        """

    @abstractmethod
    async def _listen(self) -> None:
        """Take in what the controller tells, for ever. Raises `NotReady`, or `NoEvents`."""

    async def start(self) -> None:
        """Reach the controller; raises `NotReady` when it is away or refuses us."""
        await self.close()
        self._reports.begin()
        try:
            await self._http.open()
            await self._meet_in_time()
        except BaseException:
            await self._http.close()
            raise
        link = self._begin(self._keep_listening(), "events")
        self._reports.end_with(link, f"the link to {self._http.where}")
        self._look_everywhere()

    async def adopt(self, devices: Mapping[str, D]) -> None:
        """Serve these doors from now on; one whose device is the same does not notice."""
        before, known = self._devices, self._known
        fresh = [door for door, device in devices.items() if before.get(door) != device]
        self._devices = dict(devices)
        self._known = {door: Known() if door in fresh else known[door] for door in devices}
        if self._http.is_open:
            for door in fresh:
                self._look(door)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Hand a command over: the controller has taken it when this returns."""
        device = self._device(door)
        if verb not in self.capabilities.verbs:
            raise CommandFailed(f"this door takes no {verb}")
        if not self._http.is_open:
            raise NotReady(f"no link to {self._http.where}")
        known = self._known[door]
        async with known.turn:
            known.verb, known.done = verb, False
            known.asked += 1
            try:
                await self._perform(door, device, verb)
            except RefusedUs as error:
                raise CommandFailed(str(error)) from None  # tried again it might lock us out
            finally:
                known.asked += 1  # a state that was asked for before now answers nothing
        self._look(door)
        self._begin(self._settle(door, known), f"settle {door}")

    async def refresh(self, door: str) -> None:
        """Ask the controller for this door's state; it is reported before this returns."""
        self._device(door)
        await self._read(door)

    async def probe(self) -> Probed:
        """Whether the controller lets us in and knows each door; none is moved."""
        await self._http.open()
        try:
            await self._meet_in_time()
        except Untrusted as error:
            return await self._http.introduced(str(error))
        if not self._devices:
            return Probed(f"{self._http.where} answers; no door names this controller", "name one")
        said, wrong = [], []
        for door, device in self._devices.items():
            try:
                seen = await self._ask(door, device)
            except CommandFailed as error:
                wrong.append(door)
                said.append(f"{door}: {error}")
            else:
                said.append(f"{door} {seen.lock}" + (f" ({seen.detail})" if seen.detail else ""))
        remedy = f"check what `device:` says of {', '.join(wrong)}" if wrong else self._advice()
        return Probed(f"{self._http.where} answers; {'; '.join(said)}", remedy)

    async def close(self) -> None:
        """Let go of the controller."""
        work, self._work = set(self._work), set()
        await end(work)
        await self._http.close()
        self._reports.end()

    def _advice(self) -> str:
        """What somebody should do about what `_meet` found; empty where all is well."""
        return ""

    def _device(self, door: str) -> D:
        try:
            return self._devices[door]
        except KeyError:
            raise CommandFailed(f"no door of this controller is named {door}") from None

    async def _meet_in_time(self) -> None:
        try:
            async with asyncio.timeout(START_S):
                await self._meet()
        except TimeoutError:
            raise NotReady(f"no answer from {self._http.where} within {START_S:g} s") from None
        except CommandFailed as error:
            raise NotReady(f"{self._http.where} does not tell what it has: {error}") from None

    async def _read(self, door: str) -> None:
        """Ask for a door's state and report it."""
        known, device = self._known[door], self._devices[door]
        asked = known.asked
        try:
            seen = await self._ask(door, device)
        except NotReady as error:
            self._away(door, known, str(error))
            raise
        except CommandFailed as error:
            if self._known.get(door) is known:
                self._tell(door, lock="unknown", position="unknown", detail=str(error))
            raise
        if self._known.get(door) is not known:
            return  # it was taken over by another meanwhile
        verb, answers, detail = known.verb, known.asked == asked, seen.detail
        if verb is not None and verb in seen.does:
            known.done = known.done or answers
        elif verb is not None and seen.lock in WANTED[verb]:
            answers = False  # a bolt that is out is no lockdown, and one that is in holds nothing
            detail = detail or (f"{seen.lock}, but not in lockdown" if verb == "lockdown" else "")
        self._reports.tell(
            DoorReport(
                door,
                self._clock.now(),
                lock=seen.lock,
                position=seen.position,
                answers=answers,
                detail=detail,
                passage=seen.passage,
                tampered=seen.tampered,
                lockdown="lockdown" in seen.does,
            )
        )

    def _away(self, door: str, known: Known, why: str) -> None:
        if self._known.get(door) is known:
            self._reports.tell(DoorReport(door, self._clock.now(), online=False, detail=why))

    def _tell(
        self,
        door: str,
        *,
        time: datetime | None = None,
        lock: Lock | None = None,
        position: Position | None = None,
        detail: str = "",
        passage: bool = False,
        tampered: bool | None = None,
    ) -> None:
        """Report news that the controller told by itself: no answer, whatever it says."""
        now = time or self._clock.now()
        report = DoorReport(
            door, now, lock, position, detail=detail, passage=passage, tampered=tampered
        )
        self._reports.tell(report)

    def _news(
        self,
        door: str,
        time: datetime,
        *,
        lock: Lock | None = None,
        position: Position | None = None,
    ) -> None:
        """Report bad news at once; then ask, whatever the news."""
        bad_lock = lock if lock not in (None, "locked") else None
        bad_position = position if position not in (None, "closed") else None
        if bad_lock is not None or bad_position is not None:
            self._tell(door, time=time, lock=bad_lock, position=bad_position)
        self._look(door)

    def _look_everywhere(self) -> None:
        for door in self._devices:
            self._look(door)

    def _look(self, door: str) -> None:
        """Ask for a door's state soon; once, however many reasons come meanwhile."""
        known = self._known[door]
        known.hinted = True
        if self._http.is_open and (known.look is None or known.look.done()):
            known.look = self._begin(self._looking(door, known), f"look at {door}")

    async def _looking(self, door: str, known: Known) -> None:
        while known.hinted and self._known.get(door) is known:
            known.hinted = False
            with contextlib.suppress(NotReady, CommandFailed):  # it was reported
                await self._read(door)

    async def _settle(self, door: str, known: Known) -> None:
        """Ask a few times more while a command is not seen to be done."""
        asked = known.asked
        for later in LOOK_AGAIN_S:
            await self._clock.sleep(later)
            if known.done or known.asked != asked or self._known.get(door) is not known:
                return
            self._look(door)

    def _begin(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self._context.name} {what}")
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _keep_listening(self) -> None:
        attempt = 0
        while True:
            began = self._clock.monotonic()
            try:
                await self._listen()
            except NoEvents:
                await self._poll()
            except NotReady:
                self._look_everywhere()  # each door then says whether it is still reached
            lasted = self._clock.monotonic() - began
            attempt = 0 if lasted > LONGEST_RETRY_S else attempt + 1
            await self._clock.sleep(pause(attempt, FIRST_RETRY_S, LONGEST_RETRY_S))
            with contextlib.suppress(NotReady):
                await self._meet_in_time()

    async def _poll(self) -> None:
        for _ in range(POLLS):
            await self._clock.sleep(POLL_S)
            self._look_everywhere()
