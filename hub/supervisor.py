"""Named tasks and child processes that are kept running, and stopped in order.

A task that raises is started again after a growing delay; one that has run well for a while is
forgiven. Child processes likewise. Nothing here knows what the work is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hub.backoff import Backoff
from hub.child_process import Child, Exit, Launch
from hub.clock import Clock
from hub.errors import BadConfig, VestibuleError
from hub.events import Event
from hub.output import spawn
from hub.procfs import Usage, usage
from hub.secrets import Secrets
from hub.views import ProcessView

log = logging.getLogger(__name__)

TELL_WITHIN_S = 5.0
CANCEL_WITHIN_S = 5.0
GONE_WITHIN_S = 5.0  # who is killed needs the processor once more, which others may have
SAMPLE_EVERY_S = 2.0
Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class TaskState:
    """A supervised task as it is now; `reason` says why it last failed."""

    name: str
    state: Literal["running", "retrying", "failed", "ended", "stopped"] = "running"
    reason: str = ""
    restarts: int = 0


class Supervisor:
    """Owns the hub's long-lived tasks and child processes.

    `on_event` receives `plugin.failed` and `plugin.recovered` for tasks (once per run of
    failures), `process.started` and `process.died` for children. Delays grow from `first_delay`
    to `cap` seconds and start over after `healthy_after` seconds of running well.
    """

    def __init__(
        self,
        clock: Clock,
        on_event: Callable[[Event], Awaitable[None]],
        *,
        first_delay: float = 0.25,
        cap: float = 60.0,
        healthy_after: float = 30.0,
        secrets: Secrets | None = None,
    ) -> None:
        self._secrets = secrets or Secrets()
        self._clock = clock
        self._on_event = on_event
        self._delays = (first_delay, cap)
        self._healthy_after = healthy_after
        self._tasks: dict[str, tuple[TaskState, asyncio.Task[None]]] = {}
        self._children: dict[str, Child] = {}
        self._sampler: asyncio.Task[None] | None = None
        self._stopping = False

    # ------------------------------------------------------------------ tasks

    def run(self, name: str, work: Work) -> None:
        """Keep `work()` running under this name. Raises `ValueError` for a name in use.

        Work that returns is done; work that raises is started again, except after `BadConfig`,
        which no repetition cures.
        """
        if name in self._tasks and not self._tasks[name][1].done():
            raise ValueError(f"a task named {name!r} is running already")
        state = TaskState(name)
        self._tasks[name] = (state, asyncio.create_task(self._keep_running(state, work), name=name))

    async def cancel(self, name: str, within_s: float = CANCEL_WITHIN_S) -> None:
        """Stop one task for good and forget it; a name that is unknown is no error.

        One that does not end when told is left behind, and said so, rather than waited for.
        """
        if name in self._tasks:
            _, task = self._tasks.pop(name)
            task.cancel()
            _, stuck = await asyncio.wait({task}, timeout=within_s)
            if stuck:
                log.error("task %s did not stop when cancelled", name)

    def tasks(self) -> list[TaskState]:
        """Every task in the order it was first started."""
        return [state for state, _ in self._tasks.values()]

    async def _keep_running(self, state: TaskState, work: Work) -> None:
        backoff = Backoff(*self._delays)
        failing = False
        while True:
            state.state = "running"
            forgive = asyncio.create_task(
                self._forgive(state, backoff, failing), name=f"{state.name} is well"
            )
            try:
                await work()
            except asyncio.CancelledError:
                if self._being_cancelled():
                    state.state = "stopped"
                    raise
                state.reason = "was cancelled from within"
            except BadConfig as error:
                state.state, state.reason = "failed", str(error)
                await self._tell("plugin.failed", state.name, reason=state.reason, retry_s=None)
                return
            except Exception as error:
                state.reason = str(error) or type(error).__name__
                # What an error of ours says is enough, again and again while a broker is away.
                unforeseen = None if isinstance(error, VestibuleError) else error
                log.warning("%s failed: %s", state.name, state.reason, exc_info=unforeseen)
            else:
                state.state = "ended"
                return
            finally:
                forgiven = forgive.done() and not forgive.cancelled()
                forgive.cancel()
            state.restarts += 1
            state.state = "retrying"
            delay = backoff.delay()
            if not failing or forgiven:
                await self._tell(
                    "plugin.failed", state.name, reason=state.reason, retry_s=round(delay, 2)
                )
            failing = True
            await self._clock.sleep(delay)

    @staticmethod
    def _being_cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    async def _forgive(self, state: TaskState, backoff: Backoff, failing: bool) -> None:
        await self._clock.sleep(self._healthy_after)
        backoff.reset()
        state.reason = ""
        if failing:
            await self._tell("plugin.recovered", state.name, restarts=state.restarts)

    # -------------------------------------------------------------- processes

    def process(
        self,
        name: str,
        prepare: Callable[[], Launch],
        *,
        ended: Callable[[Exit], Awaitable[None]] | None = None,
    ) -> None:
        """Keep a child process running; `prepare()` says how, afresh for every start.

        The child leads a session of its own, so a Ctrl-C at the terminal reaches only the hub.
        `ended` is awaited after each end, before the next start. Raises `ValueError` for a name in
        use.
        """
        if name in self._children:
            raise ValueError(f"a process named {name!r} is running already")
        child = Child(name)
        self._children[name] = child
        child.keeper = asyncio.create_task(
            self._keep_process(child, prepare, ended), name=f"process {name}"
        )
        if self._sampler is None:
            self._sampler = asyncio.create_task(self._sample(), name="process usage")

    def kill(self, name: str) -> None:
        """End a child that no longer answers, at once; it is started again."""
        if name in self._children:
            self._children[name].sample()
            self._children[name].signal(signal.SIGKILL)

    async def end(self, name: str, within_s: float = 2.0) -> None:
        """End one child for good: SIGTERM, then SIGKILL when the time is up; then forget it."""
        child = self._children.get(name)
        if child is None:
            return
        await self._end_children([child], within_s)
        self._children.pop(name, None)

    def views(self) -> list[ProcessView]:
        """The hub's own process first, then every child; ended ones keep their last figures."""
        own = usage(os.getpid()) or Usage()
        views: list[ProcessView] = [
            {
                "name": "hub",
                "pid": os.getpid(),
                "state": "running",
                "restarts": 0,
                "cpu_s": round(own.cpu_s, 3),
                "rss_peak_mb": round(own.rss_peak_mb, 1),
            }
        ]
        for child in self._children.values():
            child.sample()
            views.append(child.view())
        return views

    async def _keep_process(
        self,
        child: Child,
        prepare: Callable[[], Launch],
        ended: Callable[[Exit], Awaitable[None]] | None,
    ) -> None:
        backoff = Backoff(*self._delays)
        while not child.asked.is_set():
            end = await self._one_life(child, prepare)
            if ended is not None:
                try:
                    await ended(end)
                except Exception:
                    log.exception("what follows the end of %s failed", child.name)
            if end.asked:
                break
            if end.ran_s >= self._healthy_after:
                backoff.reset()
            delay = backoff.delay()
            child.state = "restarting"
            child.restarts += 1
            log.warning("%s ended (%s), starting again in %.1f s", child.name, end.words, delay)
            await self._tell(
                "process.died", child.name, pid=end.pid, reason=end.words, restarts=child.restarts,
                ran_s=round(end.ran_s, 2), retry_s=round(delay, 2),
            )  # fmt: skip
            await self._pause(child, delay)
        child.state = "stopped"

    async def _one_life(self, child: Child, prepare: Callable[[], Launch]) -> Exit:
        started = self._clock.monotonic()
        try:
            launch = prepare()
            environment = self._secrets.environment(launch.env or os.environ)
            launched = await spawn(launch.argv, launch.pass_fds, environment)
            child.process = launched.process
        except OSError as error:
            log.error("%s could not be started: %s", child.name, error)
            return Exit(child.name, 0, 127, 0.0, child.asked.is_set())
        pid = child.process.pid
        if launch.begun is not None:
            launch.begun(pid)
        child.state = "running"
        if child.asked.is_set():
            child.signal(signal.SIGTERM)
        else:
            await self._tell("process.started", child.name, pid=pid, restarts=child.restarts)
        code = await launched.ended()
        child.settle_usage()
        return Exit(child.name, pid, code, self._clock.monotonic() - started, child.asked.is_set())

    async def _pause(self, child: Child, delay: float) -> None:
        """Wait, unless the hub asks the child to end."""
        sleep = asyncio.ensure_future(self._clock.sleep(delay))
        asked = asyncio.create_task(child.asked.wait(), name=f"{child.name} is asked to end")
        _, waiting = await asyncio.wait({sleep, asked}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _end_children(self, children: Sequence[Child], within_s: float) -> None:
        for child in children:
            child.sample()
            child.asked.set()
            child.signal(signal.SIGTERM)
        keepers = {child.keeper for child in children if child.keeper is not None}
        if not keepers:
            return
        _, slow = await asyncio.wait(keepers, timeout=max(0.1, within_s - 0.5))
        if not slow:
            return
        for child in children:
            child.signal(signal.SIGKILL)
        _, stuck = await asyncio.wait(slow, timeout=GONE_WITHIN_S)
        for keeper in stuck:
            keeper.cancel()
            log.error("%s did not end even when killed", keeper.get_name())

    async def _sample(self) -> None:
        while True:
            for child in self._children.values():
                child.sample()
            await self._clock.sleep(SAMPLE_EVERY_S)

    # ------------------------------------------------------------------- both

    async def stop(self, within_s: float = 2.5) -> None:
        """End everything within this time: tasks are cancelled, children told, then killed."""
        self._stopping = True
        last = time.monotonic() + within_s
        tasks = {task for _, task in self._tasks.values()}
        for task in tasks:
            task.cancel()
        await self._end_children(list(self._children.values()), within_s - 0.5)
        if self._sampler is not None:
            self._sampler.cancel()
            tasks.add(self._sampler)
        if tasks:
            left = max(0.5, last - time.monotonic())
            _, stuck = await asyncio.wait(tasks, timeout=left)
            for task in stuck:
                log.error("task %s did not stop when cancelled", task.get_name())

    async def _tell(self, kind: str, subject: str, **data: Any) -> None:
        """Report; a journal that is slow or broken never stops the supervisor."""
        if self._stopping:
            return
        event = Event(kind, "hub/supervisor", self._clock.now(), subject, {"name": subject} | data)
        try:
            async with asyncio.timeout(TELL_WITHIN_S):
                await self._on_event(event)
        except Exception as error:
            log.error("%s of %s could not be recorded: %s", kind, subject, error)
