"""Doors of a UniFi Access console, over its local API.

`lock` ends what held the door open (`lock_now`); badges go on working. `lockdown` is the console's
own rule (`keep_lock`): badges stop, and it may sound its siren. What the console pushes or sends
(webhooks) is shown at once and confirms nothing; only what it says when asked afterwards does. It
reports the relay, not the bolt, and for a door whose hub is away what it last knew: it is offline.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from hub import (
    VERBS,
    AccessReport,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    NotReady,
    Position,
    Probed,
    Verb,
    hookimpl,
)
from plugins.access_control._backoff import pause
from plugins.access_control._ending import end
from plugins.access_control._reports import Reporting, Reports
from plugins.access_control._unifi_api import Console, Emergency, Refusal, Standing, messages
from plugins.access_control._unifi_config import UnifiConfig, UnifiDevice
from plugins.access_control._unifi_hook import LOOKS, POSITION, USE, Told, hooked, hooked_use
from plugins.access_control._unifi_words import (
    LOCKS,
    POSITIONS,
    PushedAccess,
    overview,
    pushed_accesses,
    pushed_state,
)

SETTLES_S = 10.0  # for how long after a command each push makes us ask
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
EVACUATES = "the console holds its doors open: an evacuation is on"
NO_RULE_YET = "the console has not taken up the lockdown yet"
PERMISSIONS = "give the token the permissions view:space, edit:space and view:device"


class UnifiDoors(Reporting[DoorReport | AccessReport]):
    """The doors of one console."""

    def __init__(self, config: UnifiConfig, context: Context) -> None:
        self._context, self._clock = context, context.clock
        self._poll = config.poll
        self._devices: Mapping[str, UnifiDevice] = context.devices
        self._by_id = {device.door: door for door, device in self._devices.items()}
        self._console = Console(config, context)
        self._reports: Reports[DoorReport | AccessReport] = Reports()
        self._running = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._count = 0
        self._asks: dict[str, int] = {}  # doors that were asked, and the number of the latest ask
        self._settles: dict[str, float] = {}
        self._locking_down: set[str] = set()
        self._keeps: dict[str, bool | None] = {}  # whether a door's rule is `keep_lock`
        self._unavailable: set[str] = set()
        self._emergency = Emergency()
        self._lost_told = False
        self._told = Told()

    @property
    def capabilities(self) -> Capabilities:
        """All verbs; `lockdown` is the console's own and may be heard."""
        bare = frozenset(door for door, device in self._devices.items() if not device.contact)
        return Capabilities(
            verbs=frozenset(VERBS),
            lockdown_native=True,
            badges_still_work=False,
            local_siren=True,
            has_position=len(bare) < len(self._devices),
            without_position=bare,
        )

    async def start(self) -> None:
        """Read every door once; raises `NotReady` where the console does not let us."""
        await self.close()
        self._reports.begin()
        await self._console.open()
        self._running = True
        self._asks, self._settles, self._lost_told = {}, {}, False
        self._unavailable, self._locking_down, self._keeps = set(), set(), {}
        try:
            await self._read()
        except BaseException as error:
            await self.close()
            if isinstance(error, CommandFailed):
                raise NotReady(str(error)) from None
            raise
        for keeps, what in ((self._keep_reading(), "poll"), (self._keep_listening(), "push")):
            self._reports.end_with(self._begin(keeps, what), f"the {what} of {self._console}")

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Hand a command to the console; it counts as done when the door, asked again, says so."""
        device = self._behind(door)
        acts: Mapping[Verb, Callable[[str], Coroutine[Any, Any, None]]] = {
            "lock": self._lock,
            "unlock": lambda id_: self._console.set_rule(id_, "keep_unlock"),
            "hold_open": lambda id_: self._console.set_rule(id_, "keep_unlock"),
            "momentary": self._console.let_in,
            "lockdown": lambda id_: self._console.set_rule(id_, "keep_lock"),
            "lockdown_release": self._release,
        }
        if verb in ("lock", "lockdown") and self._emergency.evacuation:
            raise CommandFailed(EVACUATES)
        self._asks.pop(door, None)  # what is on its way was said before this
        self._locking_down.discard(door)
        self._keeps.pop(door, None)
        await acts[verb](device.door)
        if verb == "lockdown":
            self._locking_down.add(door)
        self._asked(door)
        self._settles[door] = self._clock.monotonic() + SETTLES_S
        self._soon()

    async def lockdown_all(self, engaged: bool, key: str) -> None:
        """The console's own lockdown of all doors, also of those that the hub does not know."""
        if not self._running:
            raise NotReady(f"{self._console} is not connected")
        if (await self._console.emergency()).evacuation:
            raise CommandFailed(EVACUATES)
        self._asks.clear()
        await self._console.set_emergency(engaged)
        self._locking_down = set(self._devices) if engaged else set()
        for door in self._devices:
            self._asked(door)
            self._settles[door] = self._clock.monotonic() + SETTLES_S
        self._soon()

    async def refresh(self, door: str) -> None:
        """Read all doors anew, with whoever else asks at this moment."""
        self._behind(door)
        self._asked(door)
        await self._read()

    async def hear(self, message: str) -> str:
        """A webhook of the console, which the hub has proven: news, as what it pushes is."""
        if not self._running:
            raise NotReady(f"{self._console} is not connected")
        event, data = hooked(message)
        if event == POSITION:
            self._hear_door(data)
        elif event == USE:
            self._used("webhook", hooked_use(data))
        elif event in LOOKS:
            self._soon()
        else:
            return f"{event} is of no interest here"
        return ""

    async def probe(self) -> Probed:
        """Whether the console lets us in and knows the doors; none is moved."""
        console = self._console
        try:
            await console.open()
            doors, _, _ = await asyncio.gather(console.doors(), console.away(), console.emergency())
        except Refusal as error:
            remedy = "make an API token in its settings" if error.why == "token" else PERMISSIONS
            return Probed(str(error), remedy, works=False)
        except NotReady as error:
            if "certificate" not in str(error):
                raise
            shown = await console.presented()
            remedy = f"compare {shown} with what the console shows, and write it as `fingerprint`"
            return Probed(str(error), remedy, works=False)
        finally:
            await console.close()
        ours = {door: device.door for door, device in self._devices.items()}
        return overview(str(console), doors, ours)

    async def close(self) -> None:
        """Stop reading and listening; the doors stay as they are."""
        self._running = False
        tasks, self._tasks, self._next = self._tasks, set(), None
        await end(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()
        await self._console.close()
        self._reports.end()

    async def _lock(self, id_: str) -> None:
        """End the schedule and whatever holds it open; older hubs know only the latter."""
        try:
            await self._console.set_rule(id_, "lock_now")
        except Refusal as error:
            if error.why != "other":
                raise
            await self._console.set_rule(id_, "reset")

    async def _release(self, id_: str) -> None:
        """End a lockdown of this door, and nothing else that may be set there."""
        if (await self._console.emergency()).lockdown:
            raise CommandFailed("the console holds all doors in lockdown; end that for all of them")
        if await self._console.rule(id_) == "keep_lock":
            await self._console.set_rule(id_, "reset")

    def _behind(self, door: str) -> UnifiDevice:
        if not self._running:
            raise NotReady(f"{self._console} is not connected")
        if door not in self._devices:
            raise CommandFailed(f"no door of this console is named {door}")
        return self._devices[door]

    def _asked(self, door: str) -> None:
        self._count += 1
        self._asks[door] = self._count

    async def _read(self) -> None:
        """Read all doors; who comes while that is under way waits for the next, with others."""
        if self._next is None:
            self._next = self._begin(self._read_in_turn(), "read")
        reading = self._next
        try:
            await asyncio.shield(reading)
        except asyncio.CancelledError:
            if reading.cancelled() and not self._running:
                raise NotReady(f"{self._console} was let go meanwhile") from None
            raise

    def _soon(self) -> None:
        if self._running and self._next is None:
            self._next = self._begin(self._read_in_turn(), "read")

    async def _read_in_turn(self) -> None:
        async with self._turn:
            self._next = None
            asked = dict(self._asks)
            try:
                doors, away, self._emergency = await asyncio.gather(
                    self._console.doors(), self._console.away(), self._console.emergency()
                )
                gone = away | self._unavailable
                held = await self._held({id_ for id_ in doors if id_ not in gone})
            except (NotReady, CommandFailed) as error:
                self._lose(str(error))
                raise
            self._lost_told = False
            for door, device in self._devices.items():
                answers = door in asked and asked[door] == self._asks.get(door)
                self._tell(door, doors.get(device.door), away, answers, door in held)

    async def _held(self, doors: Collection[str]) -> set[str]:
        """Doors that were asked for a lockdown and are not known to be in it.

        A rule is read when nothing is known of it, and again while it is, or is to be, `keep_lock`:
        it may have been lifted at the console, which the relay does not show.
        """
        if self._emergency.lockdown:
            self._locking_down.clear()
        asked = [
            door
            for door, device in self._devices.items()
            if device.door in doors and (door in self._locking_down or self._keeps.get(door, True))
        ]
        await asyncio.gather(*(self._learn_rule(door) for door in asked))
        self._locking_down -= {door for door in asked if self._keeps.get(door)}
        return self._locking_down & set(asked)

    async def _learn_rule(self, door: str) -> None:
        """What goes wrong with one door here is not told of the others."""
        try:
            rule = await self._console.rule(self._devices[door].door)
        except Refusal:
            self._keeps[door] = None  # its hub has no rules
        except NotReady:
            self._keeps.pop(door, None)  # it is away, say: asked again
        else:
            self._keeps[door] = rule == "keep_lock"

    def _in_lockdown(self, door: str) -> bool | None:
        return self._emergency.lockdown or self._keeps.get(door)

    def _tell(
        self, door: str, found: Standing | None, away: set[str], answers: bool, held: bool
    ) -> None:
        now, device = self._clock.now(), self._devices[door]
        gone = ""
        if found is None:
            gone = "the console has no door with this id"
        elif not found.bound:
            gone = "no hub is bound to this door"
        elif found.id in away or found.id in self._unavailable:
            gone = "the console does not reach the hub of this door"
        if found is None or gone:
            self._reports.tell(DoorReport(door, now, online=False, detail=gone))
            return
        lock = LOCKS.get(found.lock, "unknown")
        detail = NO_RULE_YET if held and lock == "locked" else ""
        if self._emergency.evacuation:
            detail = EVACUATES
        position: Position | None = None
        if device.contact:
            position = POSITIONS.get(found.position, "unknown")
            if position == "unknown" and not detail:
                detail = "the console has no word from a door position sensor"
        sure, engaged = answers and not held, self._in_lockdown(door)
        self._reports.tell(
            DoorReport(door, now, lock, position, answers=sure, detail=detail, lockdown=engaged)
        )

    def _lose(self, why: str) -> None:
        if not self._lost_told:
            now = self._clock.now()
            for door in self._devices:
                self._reports.tell(DoorReport(door, now, online=False, detail=why))
        self._lost_told = True

    async def _keep_reading(self) -> None:
        while True:
            await self._clock.sleep(self._poll)
            with contextlib.suppress(NotReady, CommandFailed):  # told to the doors already
                await self._read()

    async def _keep_listening(self) -> None:
        attempt = 0
        while True:
            with contextlib.suppress(NotReady, CommandFailed):
                line = await self._console.notifications()
                self._unavailable, attempt = set(), 0
                self._soon()  # what changed while nobody listened
                try:
                    async for message in messages(line):
                        self._hear(message["data"], str(message.get("event") or ""))
                finally:
                    await line.close()
                self._soon()  # whether the console is gone altogether
            await self._clock.sleep(pause(attempt, FIRST_RETRY_S, LONGEST_RETRY_S))
            attempt += 1

    def _hear(self, data: Mapping[str, Any], event: str) -> None:
        if event in ("access.data.v2.location.update", "access.data.device.location_update_v2"):
            self._hear_door(data)
        elif event == "access.data.setting.update":
            evacuation = data.get("evacuation") is True
            self._emergency = Emergency(data.get("lockdown") is True, evacuation)
            self._soon()
        elif event == "access.data.v2.device.update":
            self._soon()
        elif event == "access.logs.insights.add":
            self._used("push", pushed_accesses(data))

    def _hear_door(self, data: Mapping[str, Any]) -> None:
        """A door's state as it changes: news, never an answer."""
        said = pushed_state(data)
        door = self._by_id.get(said.door) if said else None
        if said is None or door is None:
            return
        if said.unavailable is not None:
            change = self._unavailable.add if said.unavailable else self._unavailable.discard
            change(said.door)
        position = said.position if self._devices[door].contact else None
        here = said.door not in self._unavailable
        if here and (said.lock is not None or position is not None):
            now, engaged = self._clock.now(), self._in_lockdown(door)
            self._reports.tell(DoorReport(door, now, said.lock, position, lockdown=engaged))
        if not here or self._clock.monotonic() < self._settles.get(door, 0.0):
            self._soon()

    def _used(self, way: str, uses: Sequence[PushedAccess]) -> None:
        now = self._clock.monotonic()
        for said in uses:
            door = self._by_id.get(said.door)
            if door is not None and not self._told.again(way, door, said.access, now):
                who = self._context.reference(said.holder) if said.holder else ""
                self._reports.tell(AccessReport(door, self._clock.now(), said.access, who))

    def _begin(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self._context.name} {what}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to the doors, and to who waited


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Doors of a UniFi Access console: rules, lockdown of all doors, live state"
    return [Driver("unifi", UnifiDoors, UnifiConfig, summary, device=UnifiDevice)]
