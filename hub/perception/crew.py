"""One worker process as the hub sees it: its socket, its events, its health."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from hub.backoff import Backoff
from hub.child_process import Launch
from hub.clock import Clock
from hub.events import Event
from hub.link import BadFrame, Link, Message
from hub.perception.link import MAX_IN_FLIGHT
from hub.perception.spec import WorkerSpec
from hub.perception.starved import Starved
from hub.plugin_process import environment
from hub.ports import Accept

log = logging.getLogger(__name__)

READY_WITHIN_S = 180.0
MOST_WAITED_S = 1800.0
TRIES = 3
FAULTS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError)
REMEMBERED = 4 * MAX_IN_FLIGHT
TOGETHER = 32  # events in one transaction: what is urgent waits for one that has begun
SENT_BY_WORKERS = (
    "zone.entered", "zone.left", "picture.saved", "plugin.misbehaved", "camera.covered",
    "camera.moved", "camera.defocused", "camera.frozen", "camera.repeating", "camera.blind",
    "camera.clear",
)  # fmt: skip


class Crew:
    """A worker over all its lives: a new socket, a new start, each time it is started.

    `heard(crew, health)` is called with every health message; events go to `accept` in order, as
    many at a time as have come, and are acknowledged once it returns.
    """

    def __init__(
        self,
        name: str,
        cameras: list[str],
        spec: Callable[[str, Iterable[str]], WorkerSpec],
        clock: Clock,
        accept: Accept,
        heard: Callable[[Crew, Message], None],
        state: Path,
    ) -> None:
        self.name = name
        self.cameras = cameras
        self.health: Message = {}
        self.refused = 0
        self._spec = spec
        self._clock = clock
        self._accept = accept
        self._heard = heard
        self._state = state
        self._ends: tuple[socket.socket, ...] = ()
        self._link: Link | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue(REMEMBERED)
        self._accepted: deque[int] = deque(maxlen=REMEMBERED)
        self._waiting: set[int] = set()
        self._heard_at: float | None = None
        self._began: float | None = None
        self.lives = 0
        self._starved: Starved | None = None

    @property
    def connected(self) -> bool:
        """Whether the worker runs and has spoken."""
        return self._link is not None and self._heard_at is not None

    def tell(self, message: Message) -> bool:
        """Send to the worker; false where none runs (the next one starts from the spec anyway)."""
        return self._link is not None and self._link.offer(message)

    def queue(self) -> dict[str, int]:
        """Counters of the event channel."""
        waiting = int(self.health.get("events_waiting", 0)) + self._events.qsize()
        return {
            "depth": waiting,
            "dropped": int(self.health.get("events_lost", 0)) + self.refused,
            "refused": int(self.health.get("refused", 0)),
        }

    def preparing(self, within_s: float) -> bool:
        """Whether the worker still loads its detectors, and has not taken too long over it."""
        if self._began is None or self.health.get("detectors"):
            return False
        return self._clock.monotonic() - self._began < within_s

    def unwell(self, silent_after_s: float, stuck_after_s: float) -> str:
        """Why the worker should be killed; empty while it is well or not there."""
        if self._link is None or self._heard_at is None:
            return ""
        now = self._clock.monotonic()
        silent = now - self._heard_at
        if silent - self.forgiven(self._heard_at) > silent_after_s:
            return f"it has been silent for {silent:.0f} s"
        if not self.health.get("detectors") and not self.preparing(READY_WITHIN_S + self._waited()):
            return f"it was not ready within {READY_WITHIN_S:.0f} s"
        for what, key in (("a picture", "busy_s"), ("the detector", "asking_s")):
            spent = float(self.health.get(key, 0.0))
            if spent - self.forgiven(now - spent) > stuck_after_s:
                return f"it has been stuck with {what} for {spent:.0f} s"
        return ""

    def late(self, after_s: float) -> bool:
        """Whether it has said nothing, or is at one thing, for so long."""
        if self._heard_at is None:
            return False
        if not self.health.get("detectors"):
            return True
        spent = (float(self.health.get(key, 0.0)) for key in ("busy_s", "asking_s"))
        return max(self._clock.monotonic() - self._heard_at, *spent) > after_s

    def look(self) -> None:
        """See whether it has a processor: to be called while anything of it is late."""
        if self._starved is not None:
            self._starved.look()

    def forgiven(self, since: float) -> float:
        """What of the time since a moment does not count, for it had no processor."""
        return self._starved.forgiven(since) if self._starved is not None else 0.0

    def _waited(self) -> float:
        """How long it had no processor while it prepares, which on a machine with much to do, and
        with all to compile, is most of the time: killed, it would begin anew.
        """
        return min(self._starved.total, MOST_WAITED_S) if self._starved is not None else 0.0

    def is_starved(self, since: float) -> bool:
        """Whether that is why nothing has come of it since a moment."""
        return self._starved is not None and self._starved.is_why(since)

    # ------------------------------------------------------------------- lives

    def prepare(self) -> Launch:
        """How to start the process: with one end of a fresh pair of sockets."""
        ours, theirs = socket.socketpair()
        self._ends = (ours, theirs)
        variables = {"MALLOC_ARENA_MAX": "2"} | environment()
        descriptor = theirs.fileno()
        module = "hub.perception.worker"
        return Launch(
            argv=(sys.executable, "-P", "-m", module, "--fd", str(descriptor)),
            pass_fds=(descriptor,),
            env=variables,
            begun=self._begun,
        )

    def _begun(self, pid: int) -> None:
        ours, theirs = self._ends
        self._ends = ()
        theirs.close()
        self._accepted.clear()
        self._waiting.clear()
        self.lives += 1
        self._heard_at = self._began = self._clock.monotonic()
        self._starved = Starved(pid, self._clock)
        self._tasks = [
            asyncio.create_task(self._converse(ours), name=f"link to {self.name}"),
            asyncio.create_task(self._journal(), name=f"events of {self.name}"),
        ]

    async def gone(self) -> None:
        """The process has ended: read what it still sent, then let go of the socket."""
        for end in self._ends:
            end.close()
        self._ends = ()
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=0.5)
            await self._drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self.health = {}
        self._heard_at = self._began = None
        self._starved = None

    async def close(self) -> None:
        """Let go of everything."""
        await self.gone()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(0.5):
                await self._events.join()
        except TimeoutError:
            log.error("%d events of %s came too late", self._events.qsize(), self.name)

    # ----------------------------------------------------------------- talking

    async def _converse(self, ours: socket.socket) -> None:
        self._link = link = await Link.over(ours)
        try:
            spec = self._spec(self.name, self.cameras)
            link.offer({"t": "start", "spec": spec.model_dump(mode="json")})
            while (message := await link.receive()) is not None:
                self._heard_at = self._clock.monotonic()
                self._take(message)
        except BadFrame as error:
            log.error("%s is not understood: %s", self.name, error)
        finally:
            self._link = None
            await link.close()

    def _take(self, message: Message) -> None:
        match message["t"]:
            case "event":
                self._take_event(message)
            case "health":
                self.health = message
                self._heard(self, message)
            case "log":
                level = int(message["level"])
                logging.getLogger(f"hub.{self.name}").log(level, "%s", message["text"])
            case other:
                log.warning("%s sent a message of unknown kind %r", self.name, other)

    def _take_event(self, message: Message) -> None:
        seq = int(message["seq"])
        if seq in self._waiting:
            return
        if seq in self._accepted:
            self.tell({"t": "ack", "seq": seq})
            return
        try:
            event = Event.from_cloudevent(message["event"])
            if event.type not in SENT_BY_WORKERS:
                raise ValueError(f"a worker sends no {event.type}")
        except (KeyError, ValueError, TypeError) as error:
            self._refuse(seq, str(error))
            return
        try:
            self._events.put_nowait((seq, event))
            self._waiting.add(seq)
        except asyncio.QueueFull:  # not acknowledged, so the worker keeps it and sends it again
            log.warning("%s sends events faster than they are journaled", self.name)

    async def _journal(self) -> None:
        while True:
            batch = [await self._events.get()]
            while not self._events.empty() and len(batch) < TOGETHER:
                batch.append(self._events.get_nowait())
            try:
                await self._accept_all(batch)
            finally:
                for _ in batch:
                    self._events.task_done()

    async def _accept_all(self, batch: list[tuple[int, Event]]) -> None:
        """One transaction for all that have come; where that fails, each by itself."""
        try:
            await self._accept(*(event for _, event in batch))
        except Exception as error:
            log.error("events of %s could not be journaled together: %s", self.name, error)
        else:
            for seq, _ in batch:
                self._acknowledge(seq)
            return
        for seq, event in batch:
            await self._accept_one(seq, event)

    async def _accept_one(self, seq: int, event: Event) -> None:
        """Try for as long as it takes, unless it is the event that is at fault."""
        backoff = Backoff(0.1, 5.0)
        tries = 0
        while True:
            try:
                await self._accept(event)
            except FAULTS as error:
                tries += 1
                if tries == TRIES:
                    self._refuse(seq, f"{type(error).__name__}: {error}")
                    return
            except Exception as error:
                log.error("an event of %s waits for the journal: %s", self.name, error)
            else:
                self._acknowledge(seq)
                return
            await self._clock.sleep(backoff.delay())

    def _acknowledge(self, seq: int) -> None:
        self._waiting.discard(seq)
        self._accepted.append(seq)
        self.tell({"t": "ack", "seq": seq})

    def _refuse(self, seq: int, reason: str) -> None:
        """Given up for good, visibly: counted and logged, so that those behind it get through."""
        self.refused += 1
        log.error("an event of %s was not journaled: %s", self.name, reason)
        self._acknowledge(seq)
