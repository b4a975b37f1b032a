"""Z-Wave locks, behind a Z-Wave JS server.

`lock` and `unlock` set the lock's target mode; it confirms when it is asked for its mode
afterwards. The mode that the server tells unasked is only a reason to ask: it tells one as soon as
the radio took a command, whoever gave it. A jam is a notification of the lock. Each question costs
a battery, so a lock at rest is asked seldom.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from hub import (
    AccessReport,
    Block,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    NotReady,
    Probed,
    Verb,
    hookimpl,
)
from plugins.access_control._asked import Asked
from plugins.access_control._backoff import pause
from plugins.access_control._ending import end
from plugins.access_control._reports import Reporting, Reports
from plugins.access_control._zwave_lock import (
    DOOR_LOCK,
    SECURED,
    UNSECURED,
    UNSECURED_FOR_A_WHILE,
    ZwaveLock,
    used,
)
from plugins.access_control._zwave_server import ZwaveServer

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0
SETTLES_S = 60.0  # after a command, within which each question is really asked
DONE = frozenset({1, 254, 255})  # it works on it; it has it; it has it and said so
MODES: Mapping[Verb, int] = {
    "lock": SECURED,
    "unlock": UNSECURED,
    "hold_open": UNSECURED,
    "momentary": UNSECURED_FOR_A_WHILE,
}
STATUSES = {"dead": 3, "sleep": 1, "alive": 4, "wake up": 2}


class ZwaveConfig(Block):
    """The Z-Wave JS server."""

    url: str = Field(
        "ws://127.0.0.1:3000",
        pattern=r"^wss?://[^/?#@\s]+(/[^?#@\s]*)?$",
        description="Where it listens. It asks for no password, so let it listen on the hub's own "
        "machine alone.",
    )
    ask_every: Duration = Field(
        300.0,
        ge=1,
        le=3600,
        description="How often a lock that nobody commands is asked; each question costs its "
        "battery. What it says of itself comes at once. After three times this it is stale.",
    )


class ZwaveDevice(Block):
    """Which lock it is."""

    node: int = Field(ge=1, le=4000, description="The number of its node.")
    endpoint: int = Field(0, ge=0, le=127, description="Its endpoint, 0 for most locks.")
    contact: bool = Field(False, description="Whether it says if the door is closed.")
    timed: bool = Field(
        False, description="Whether it can open for a while by itself, for `momentary`."
    )


class ZwaveDoors(Reporting[DoorReport | AccessReport]):
    """The locks behind one server."""

    def __init__(self, config: ZwaveConfig, context: Context) -> None:
        self._context, self._clock, self._ask_every = context, context.clock, config.ask_every
        self._devices: Mapping[str, ZwaveDevice] = context.devices
        self._server = ZwaveServer(config.url)
        self._locks = {door: ZwaveLock(each.endpoint) for door, each in self._devices.items()}
        self._asked = {door: Asked() for door in self._devices}
        self._busy_until: dict[str, float] = {}
        self._last_ask: dict[str, float] = {}
        self._asking: Counter[str] = Counter()
        self._told: dict[str, object] = {}
        self._to_ask: set[str] = set()
        self._reports: Reports[DoorReport | AccessReport] = Reports()
        self._tasks: set[asyncio.Task[None]] = set()
        self._joined = False

    @property
    def capabilities(self) -> Capabilities:
        """Locks have no lockdown of their own: a code still opens a locked one."""
        devices = self._devices.items()
        verbs: set[Verb] = {"lock", "unlock", "hold_open"}
        if any(device.timed for _, device in devices):
            verbs.add("momentary")
        return Capabilities(
            verbs=frozenset(verbs),
            has_position=any(device.contact for _, device in devices),
            stale_after_s=3 * self._ask_every,
            without_position=frozenset(door for door, device in devices if not device.contact),
        )

    async def start(self) -> None:
        """Join the server; raises `NotReady` where it is not there."""
        await self.close()
        self._reports.begin()
        self._meet(await self._server.join())
        link = self._begin(self._keep_joined(), "link")
        self._reports.end_with(link, f"the link to {self._server}")

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Set the lock's target mode; handed over once the radio has."""
        device, lock = self._behind(door)
        if verb not in MODES or (verb == "momentary" and not device.timed):
            raise CommandFailed(f"this lock takes no {verb}")
        if lock.why:
            raise NotReady(lock.why)
        lock.stuck = False
        with self._asked[door].command():
            value = {"commandClass": DOOR_LOCK, "endpoint": device.endpoint}
            answer = await self._server.call(
                "node.set_value",
                nodeId=device.node,
                valueId={**value, "property": "targetMode"},
                value=MODES[verb],
            )
            _raise_for(answer)
        self._busy_until[door] = self._clock.monotonic() + SETTLES_S
        self._begin(self._ask_quietly(door), "ask")

    async def refresh(self, door: str) -> None:
        """Ask the lock for its mode, unless it is at rest and was asked not long ago."""
        self._behind(door)
        now = self._clock.monotonic()
        busy = now < self._busy_until.get(door, 0.0)
        if busy or now - self._last_ask.get(door, -self._ask_every) >= self._ask_every:
            await self._ask(door)

    async def probe(self) -> Probed:
        """Whether the server is there and knows the locks; none is moved, none is asked."""
        server = self._server
        try:
            self._meet(await server.join())
        finally:
            await server.leave()
        away = [f"{door}: {lock.why}" for door, lock in self._locks.items() if lock.why]
        found = f"{server}: {len(self._locks) - len(away)} of {len(self._locks)} locks are there"
        if away:
            return Probed(f"{found}; {'; '.join(away)}", "check `node`, and the lock's battery")
        if server.open_to_others:
            remedy = (
                "it asks nobody for a password, so whoever reaches it can open these doors: let it "
                "listen on 127.0.0.1 on the hub's own machine, or wall it off in the network"
            )
            return Probed(f"{found}, over the network", remedy)
        return Probed(found)

    async def close(self) -> None:
        """Leave the server; the locks stay as they are."""
        self._joined = False
        tasks, self._tasks = self._tasks, set()
        await end(tasks)
        await self._server.leave()
        self._reports.end()

    def _behind(self, door: str) -> tuple[ZwaveDevice, ZwaveLock]:
        if not self._joined:
            raise NotReady(f"{self._server} is not connected")
        if door not in self._devices:
            raise CommandFailed(f"no lock of this server is named {door}")
        return self._devices[door], self._locks[door]

    async def _ask(self, door: str) -> None:
        """The lock's own word: what it says after this is an answer, unless a command comes."""
        device, lock, asked = self._devices[door], self._locks[door], self._asked[door]
        mark = asked.question()
        self._last_ask[door] = self._clock.monotonic()
        about = {"commandClass": DOOR_LOCK, "endpoint": device.endpoint, "property": "currentMode"}
        self._asking[door] += 1
        self._told.pop(door, None)
        try:
            answer = await self._server.call("node.poll_value", nodeId=device.node, valueId=about)
        finally:
            self._asking[door] -= 1
        if "value" not in answer:
            raise NotReady("the lock has not said its mode")
        lock.answer(answer["value"])
        self._tell(door, answers=asked.answered(mark))
        if self._told.pop(door, answer["value"]) != answer["value"]:  # a hand came between
            self._ask_soon(door)

    async def _ask_quietly(self, door: str) -> None:
        with contextlib.suppress(NotReady, CommandFailed):  # the hub asks again, and is told then
            await self._ask(door)

    def _ask_soon(self, door: str) -> None:
        """Ask because something has changed, unless that comes of our own question or command."""
        ours = self._asking[door] or self._asked[door].question() < 0
        if not ours and door not in self._to_ask:
            self._to_ask.add(door)
            self._begin(self._ask_for_news(door), "ask")

    async def _ask_for_news(self, door: str) -> None:
        self._to_ask.discard(door)
        await self._ask_quietly(door)

    async def _keep_joined(self) -> None:
        attempt = 0
        while True:
            why = f"{self._server} hung up"
            try:
                if not self._joined:
                    self._meet(await self._server.join())
                attempt = 0
                for door in self._devices:
                    self._ask_soon(door)
                async for event in self._server.events():
                    self._hear(event)
            except (NotReady, CommandFailed) as error:
                why = str(error)
            self._lose(why)
            await self._server.leave()
            await self._clock.sleep(pause(attempt, FIRST_RETRY_S, LONGEST_RETRY_S))
            attempt += 1

    def _meet(self, nodes: list[Mapping[str, Any]]) -> None:
        """What the server remembers of the locks: shown, and no answer."""
        by_number = {n: node for node in nodes if isinstance(n := node.get("nodeId"), int)}
        for door, device in self._devices.items():
            lock = self._locks[door] = ZwaveLock(device.endpoint)
            node = by_number.get(device.node)
            if node is not None:
                lock.meet(node)
            self._tell(door, remembered=True)
        self._joined = True

    def _lose(self, why: str) -> None:
        if not self._joined:
            return
        self._joined = False
        for door, lock in self._locks.items():
            lock.why = why
            self._asked[door].forget()
            self._tell(door)

    def _hear(self, event: Mapping[str, Any]) -> None:
        number, kind = event.get("nodeId"), event.get("event")
        for door, device in self._devices.items():
            if device.node == number:
                self._hear_of(door, str(kind), event)

    def _hear_of(self, door: str, kind: str, event: Mapping[str, Any]) -> None:
        lock, args = self._locks[door], event.get("args")
        args = args if isinstance(args, dict) else {}
        if kind in STATUSES:
            lock.be(STATUSES[kind])
            self._tell(door)
            if not lock.why:
                self._ask_soon(door)
        elif kind in ("value updated", "value added"):
            self._hear_value(door, args)
        elif kind == "notification":
            if lock.hear(args.get("type"), args.get("event")):
                self._tell_notified(door)
            self._tell_use(door, args)

    def _hear_value(self, door: str, args: Mapping[str, Any]) -> None:
        lock = self._locks[door]
        if lock.hear_state(args, args.get("newValue")):
            self._tell_notified(door)
        elif lock.is_ours(args):
            lock.hear_value(args, args.get("newValue"))
            if args.get("property") == "doorStatus":
                self._tell(door)
            else:
                if args.get("property") == "currentMode":
                    self._told[door] = args.get("newValue")
                self._ask_soon(door)

    def _tell_notified(self, door: str) -> None:
        """What the lock notifies; stuck after it was told to move is how that command ended."""
        stuck = self._locks[door].stuck
        asked = self._asked[door]
        self._tell(door, answers=stuck and (asked.commanded or asked.question() < 0))

    def _tell_use(self, door: str, args: Mapping[str, Any]) -> None:
        found = used(args)
        if found is not None:
            access, user = found
            place = f"node {self._devices[door].node} user {user}"
            who = self._context.reference(place) if user else ""
            self._reports.tell(AccessReport(door, self._clock.now(), access, who))

    def _tell(self, door: str, *, answers: bool = False, remembered: bool = False) -> None:
        lock, now = self._locks[door], self._clock.now()
        if lock.why:
            self._reports.tell(DoorReport(door, now, online=False, detail=lock.why))
            return
        said, detail = lock.lock()
        position = lock.position() if self._devices[door].contact else None
        self._reports.tell(
            DoorReport(
                door,
                now,
                said,
                position,
                answers=answers,
                detail=detail,
                remembered=remembered,
                tampered=lock.tampered,
            )
        )

    def _begin(self, work: Any, what: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self._context.name} {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _raise_for(answer: Mapping[str, Any]) -> None:
    """How setting a value ended (`SetValueStatus` of Z-Wave JS)."""
    result = answer.get("result", answer)
    status = result.get("status") if isinstance(result, dict) else None
    if status == 2:
        raise NotReady("the lock did not take it")
    if status not in DONE:
        raise CommandFailed(f"Z-Wave JS did not send it to the lock (status {status})")


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Z-Wave locks behind a Z-Wave JS server: mode, bolt, contact, jams, codes"
    return [Driver("zwave", ZwaveDoors, ZwaveConfig, summary, device=ZwaveDevice)]
