"""Plugin hosts as the hub sees them: one process for each plugin from outside.

A driver that raises, blocks, hangs, leaks, floods or dies takes its host, not the hub. Every call
has a deadline; what misbehaves is named, and after so many faults left alone until the
configuration changes or the hub starts again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

from hub.calls import CALLS, MAY_PUBLISH, Call, DriverFault, Raised, granted
from hub.child_process import Exit, Launch
from hub.clock import Clock
from hub.errors import NotReady, PluginError, Refused
from hub.events import Event
from hub.kinds import Context, Kind
from hub.link import BadFrame, Link, Message
from hub.plugin_process import (
    EVENTS_A_SECOND,
    FAULTS,
    SLOW_AFTER_S,
    WITHIN_S,
    Allowance,
    environment,
)
from hub.plugins import Provider
from hub.silence import Silence
from hub.supervisor import Supervisor

log = logging.getLogger(__name__)

UP_WITHIN_S = 15.0
PING_EVERY_S = 1.0
BLOCKED_AFTER_S = 3.0
MAX_TASKS = 200
ITEMS = 1024
FLOODS_AFTER_S = 2.0
PUBLISHING = 64
MOST_A_SECOND = 5000

Misbehaved = Callable[[str, str, str], Awaitable[None]]  # plugin, what it does, in words


class PluginHost:
    """One plugin's process over all its lives. `misbehaved` is told what it does wrong."""

    def __init__(
        self,
        provider: Provider,
        clock: Clock,
        supervisor: Supervisor,
        misbehaved: Misbehaved,
    ) -> None:
        self.name = f"plugin {provider.name}"
        self.provider = provider
        self._file = str(Path(provider.file).absolute())
        self.quarantine = ""
        self.dropped = 0
        self.contexts: dict[str, tuple[Kind, Context]] = {}
        self.life = 0
        self._clock = clock
        self._supervisor = supervisor
        self._misbehaved = misbehaved
        self._ends: tuple[socket.socket, ...] = ()
        self._link: Link | None = None
        self._up = asyncio.Event()
        self.over = asyncio.Event()  # the present life has ended
        self._numbers = count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._under_way: dict[int, str] = {}
        self._streams: dict[int, asyncio.Queue[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._silence: Silence | None = None
        self._killed_for: tuple[str, str] | None = None
        self._faults: deque[float] = deque(maxlen=FAULTS)
        self._may_tell_again = 0.0
        self._allowance = Allowance()
        self._publishing = asyncio.Semaphore(PUBLISHING)

    # --------------------------------------------------------------------- lives

    def begin(self) -> None:
        """Start the process, and keep it running."""
        self._supervisor.process(self.name, self._prepare, ended=self._ended)

    async def end(self) -> None:
        """End it for good."""
        await self._supervisor.end(self.name)
        await self._gone("its plugin host was stopped")

    def _prepare(self) -> Launch:
        ours, theirs = socket.socketpair()
        self._ends = (ours, theirs)
        descriptor = theirs.fileno()
        return Launch(
            argv=(sys.executable, "-P", "-m", "hub.host", "--fd", str(descriptor)),
            pass_fds=(descriptor,),
            env=environment(),
            begun=self._begun,
        )

    def _begun(self, pid: int) -> None:
        ours, theirs = self._ends
        self._ends = ()
        theirs.close()
        self.life += 1
        self.over = asyncio.Event()
        self._silence = Silence(pid, self._clock, PING_EVERY_S)
        for work, what in ((self._converse(ours), "link"), (self._watch(), "watch")):
            self._task(work, f"{what} of {self.name}")

    def _task(self, work: Any, name: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ended(self, end: Exit) -> None:
        what, why = self._killed_for or ("dies", f"its plugin host died ({end.words})")
        self._killed_for = None
        await self._gone(why)
        if not end.asked:
            await self.fault(what, why)

    async def fault(self, what: str, why: str) -> None:
        """Count a fault; after so many within a while the plugin is left alone."""
        now = self._clock.monotonic()
        self._faults.append(now)
        await self._misbehaved(self.provider.name, what, why)
        if len(self._faults) == FAULTS and now - self._faults[0] < WITHIN_S:
            self.quarantine = f"quarantined after {FAULTS} faults in {WITHIN_S:g} s; last: {why}"
            await self._misbehaved(self.provider.name, "is quarantined", self.quarantine)
            self._task(self.end(), f"quarantine of {self.name}")

    async def _gone(self, why: str) -> None:
        self._up.clear()
        self.over.set()
        for end in self._ends:
            end.close()
        self._ends = ()
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(NotReady(why))
        for number in list(self._streams):
            self._end_stream(number, NotReady(why))

    async def _kill(self, what: str, why: str) -> None:
        log.error("%s is killed: it %s: %s", self.name, what, why)
        self._killed_for = what, why
        self._supervisor.kill(self.name)

    async def _watch(self) -> None:
        """Ask whether it still answers; what blocks is killed."""
        life = self.life
        while life == self.life:
            link = self._link
            if link is not None:
                link.offer({"t": "ping"})
                silent = self._silence.seconds() if self._silence is not None else 0.0
                if silent > BLOCKED_AFTER_S:
                    during = (
                        f", during {', '.join(calls)}"
                        if (calls := self._under_way.values())
                        else ""
                    )
                    why = f"its loop has not answered for {silent:.0f} s{during}"
                    await self._kill("blocks", f"{why}; what is slow belongs in asyncio.to_thread")
                    return
            await self._clock.sleep(PING_EVERY_S)

    # --------------------------------------------------------------------- calls

    async def ready(self) -> int:
        """Wait until the process listens; which life it is in. Raises `NotReady`, `PluginError`."""
        self._refuse_quarantined()
        try:
            async with asyncio.timeout(UP_WITHIN_S):
                await self._up.wait()
        except TimeoutError:
            raise NotReady("its plugin host does not come up") from None
        return self.life

    async def build(self, instance: str, said: Message) -> Any:
        """Build an instance there; answers with what it says of itself, as it travels."""
        plugin = {
            "name": self.provider.name,
            "source": self.provider.source,
            "file": self._file,
        }
        message = {"t": "build", "instance": instance, "plugin": plugin, **said}
        return await self._send(message, Call(within_s=UP_WITHIN_S), f"{instance}: building it")

    async def call(self, kind: Kind, instance: str, method: str, *given: Any) -> Any:
        """Call a method there; raises what it raised, or `NotReady` after its deadline."""
        self._refuse_quarantined()
        call = CALLS[kind][method]
        args = call.arguments(given)
        message = {"t": "call", "instance": instance, "method": method, "args": args}
        sent = await self._send(message, call, f"{instance}: {method}()")
        return sent if method == "start" else call.answer(sent)

    async def stream(self, kind: Kind, instance: str, method: str) -> AsyncIterator[Any]:
        """The items of a stream there. When the reader is slow the oldest go, and are counted."""
        self._refuse_quarantined()
        call = CALLS[kind][method]
        number = next(self._numbers)
        queue: asyncio.Queue[Any] = asyncio.Queue(ITEMS)
        self._streams[number] = queue
        message = {"t": "call", "id": number, "instance": instance, "method": method, "args": []}
        try:
            if self._link is None or not self._link.offer(message):
                raise NotReady("its plugin host is not running")
            while True:
                item = await queue.get()
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    return
                yield call.answer(item)
        finally:
            self._streams.pop(number, None)
            if self._link is not None:
                self._link.offer({"t": "cancel", "id": number})

    def drop(self, instance: str) -> None:
        """Forget an instance."""
        self.contexts.pop(instance, None)
        if self._link is not None:
            self._link.offer({"t": "drop", "instance": instance})

    def _refuse_quarantined(self) -> None:
        if self.quarantine:
            raise PluginError(self.quarantine)

    async def _send(self, message: Message, call: Call, what: str) -> Any:
        link = self._link
        if link is None:
            raise NotReady("its plugin host is not running")
        number = next(self._numbers)
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number], self._under_way[number] = waiting, what
        try:
            if not link.offer({**message, "id": number}):
                raise NotReady("its plugin host takes no more calls")
            return await self._answered(waiting, call.within_s, what)
        finally:
            self._pending.pop(number, None)
            self._under_way.pop(number, None)
            if not waiting.done() or waiting.cancelled():
                link.offer({"t": "cancel", "id": number})

    async def _answered(self, waiting: asyncio.Future[Any], within_s: float, what: str) -> Any:
        for limit, late in ((min(SLOW_AFTER_S, within_s), False), (within_s, True)):
            wait = limit if not late else within_s - SLOW_AFTER_S
            if wait > 0:
                await asyncio.wait({waiting}, timeout=wait)
            if waiting.done():
                return waiting.result()
            if not late and within_s > SLOW_AFTER_S:
                await self._misbehaved(
                    self.provider.name, "hangs", f"{what} has taken {SLOW_AFTER_S:g} s so far"
                )
        raise NotReady(f"{what} did not end within {within_s:g} s")

    # ------------------------------------------------------------------- talking

    async def _converse(self, ours: socket.socket) -> None:
        self._link = link = await Link.over(ours)
        self._hear()
        self._up.set()
        began, number = self._clock.monotonic(), 0
        try:
            while (message := await link.receive()) is not None:
                number += 1
                if number % MOST_A_SECOND == 0:
                    now = self._clock.monotonic()
                    if now - began < 1.0:
                        await self._kill("floods", f"{MOST_A_SECOND} messages within a second")
                        return
                    began = now
                self._take(message)
        except BadFrame as error:
            await self._kill("is not understood", str(error))

    def _hear(self) -> None:
        if self._silence is not None:
            self._silence.broken()

    def _take(self, message: Message) -> None:
        match message["t"]:
            case "pong":
                self._hear()
                if int(message["tasks"]) > MAX_TASKS:
                    why = f"{message['tasks']} tasks are running"
                    self._task(self._kill("leaks tasks", why), f"kill of {self.name}")
            case "answer" | "raised":
                self._settle(message)
            case "item":
                self._put(int(message["id"]), message["value"])
            case "ask":
                self._task(self._obey(message), f"wish of {self.name}")
            case "progress":
                if (known := self.contexts.get(str(message["instance"]))) is not None:
                    known[1].progress(message["label"], message["done"], message["total"])
            case other:
                log.warning("%s sent a message of unknown kind %r", self.name, other)

    def _settle(self, message: Message) -> None:
        number = int(message["id"])
        raised = message["t"] == "raised"
        error = None
        if raised:
            problems = list(message.get("problems", ()))
            after = message.get("after")
            error = Raised(str(message["name"]), str(message["text"]), problems, after).error()
            if isinstance(error, DriverFault):
                self._raises(str(error))
        if number in self._streams:
            self._end_stream(number, error)
            return
        waiting = self._pending.get(number)
        if waiting is None or waiting.done():
            return
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(message["value"])

    def _raises(self, why: str) -> None:
        """An error that no contract allows is told, but not each time."""
        now = self._clock.monotonic()
        if now >= self._may_tell_again:
            self._may_tell_again = now + WITHIN_S
            told = self._misbehaved(self.provider.name, "raises", why)
            self._task(told, f"word of {self.name}")

    def _put(self, number: int, item: Any) -> None:
        queue = self._streams.get(number)
        if queue is None:
            return
        if queue.full():
            queue.get_nowait()
            self.dropped += 1
        queue.put_nowait(item)

    def _end_stream(self, number: int, error: Exception | None) -> None:
        self._put(number, error)

    async def _obey(self, message: Message) -> None:
        """What a driver asks of the hub, through its context."""
        number = message["id"]
        try:
            value = await self._wish(message)
        except Exception as error:
            raised = Raised.of(error)
            answer = {"t": "raised", "id": number, "name": raised.name, "text": raised.text}
        else:
            answer = {"t": "answer", "id": number, "value": value}
        if self._link is not None:
            self._link.offer(answer)

    async def _wish(self, message: Message) -> Any:
        known = self.contexts.get(str(message["instance"]))
        if known is None:
            raise Refused("this instance is not the hub's any more")
        kind, context = known
        if message["what"] != "publish":
            return await granted(context, message)
        event = Event.from_cloudevent(message["event"])
        if not event.type.startswith(MAY_PUBLISH[kind]):
            allowed = " or ".join(f"{each}*" for each in MAY_PUBLISH[kind])
            raise Refused(f"a driver of {kind} may not publish {event.type}; it may {allowed}")
        async with self._publishing:
            await self._in_turn()
            await context.publish(event)
        return None

    async def _in_turn(self) -> None:
        """Hold an event back that comes too soon; who goes on and on about it is named."""
        now = self._clock.monotonic()
        wait = self._allowance.wait_s(now)
        since = self._allowance.short_since
        if since is not None and now - since > FLOODS_AFTER_S:
            self._allowance.short_since = now + WITHIN_S
            why = f"more than {EVENTS_A_SECOND:g} events a second; they are held back"
            await self._misbehaved(self.provider.name, "floods", why)
        await self._clock.sleep(wait)
