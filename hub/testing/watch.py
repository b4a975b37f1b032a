"""What a contract watches while a driver runs: the loop, what is left behind, what is said."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import Any
from weakref import WeakSet

import structlog

BEAT = 0.005  # seconds between two beats of the loop, and between two looks at it
RESTS = 0.1
OWN = ("selectors.py", "base_events.py", "events.py", "runners.py")


@dataclass(frozen=True, slots=True)
class Blocked:
    """The longest time, in seconds, that the loop ran nothing else, and what it was busy with."""

    seconds: float = 0.0
    where: str = ""


class LoopWatch:
    """Measures how long the running event loop is held; a thread of its own sees by what.

    Time in which the loop merely waits for the operating system, or for a processor, does not
    count, so that a busy machine is not taken for a busy driver.
    """

    def __init__(self, longest: float) -> None:
        self.worst = Blocked()
        self._longest = longest
        self._beat, self._waited = time.perf_counter(), 0.0
        self._seen = ""
        self._idle = False
        self._ended = threading.Event()
        self._thread_id = threading.get_ident()

    def __enter__(self) -> LoopWatch:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._look, name="loop watch", daemon=True)
        self._thread.start()  # first: on a busy machine it takes long until it runs
        self._beat, self._waited, self._idle = time.perf_counter(), _waited(), False
        self._next = self._loop.call_later(BEAT, self._tick)
        return self

    def __exit__(self, *exc: object) -> None:
        self._next.cancel()
        self._note()
        self._ended.set()
        self._thread.join()

    def _tick(self) -> None:
        self._note()
        self._next = self._loop.call_later(BEAT, self._tick)

    def _note(self) -> None:
        now, waited = time.perf_counter(), _waited()
        held = now - self._beat - BEAT - (waited - self._waited)
        if held > self.worst.seconds and not self._idle:
            self.worst = Blocked(held, self._seen if held > self._longest else "")
        self._beat, self._waited, self._seen, self._idle = now, waited, "", False

    def _look(self) -> None:
        while not self._ended.wait(BEAT):
            if time.perf_counter() - self._beat < self._longest / 2 + BEAT:
                continue
            frame = sys._current_frames().get(self._thread_id)
            if frame is not None:
                self._idle = frame.f_code.co_filename.endswith(OWN[0])
                self._seen = "" if self._idle else _place(frame)


def _waited() -> float:
    """Seconds in which this thread could have run and had no processor; 0.0 where the system does
    not say (not Linux).
    """
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:  # noqa: PTH123  (each 5 ms)
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _place(frame: FrameType) -> str:
    """The innermost line that is neither the loop's nor this module's."""
    stack = traceback.extract_stack(frame)
    theirs = [each for each in stack if not each.filename.endswith(OWN)]
    return f"{theirs[-1].filename}:{theirs[-1].lineno}: {theirs[-1].line}" if theirs else ""


UNDER_TEST: ContextVar[bool] = ContextVar("under_test", default=False)
_theirs: WeakSet[asyncio.Task[Any]] = WeakSet()


def noting_factory(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **how: Any
) -> asyncio.Task[Any]:
    """A task factory that notes the tasks begun by a driver, apart from those of its device."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **how)
    context = how.get("context")
    if UNDER_TEST.get() if context is None else context.get(UNDER_TEST):
        _theirs.add(task)
    return task


def _running() -> list[asyncio.Task[Any]]:
    """The driver's tasks that have not ended, but for the one that asks."""
    here = asyncio.all_tasks() & set(_theirs) - {asyncio.current_task()}
    return sorted(here, key=lambda task: task.get_name())


class Before:
    """Which tasks, threads and sockets there are now, to say later which were left behind."""

    def __init__(self) -> None:
        self._tasks = Counter(_coroutine(task) for task in _running())
        self._threads = set(threading.enumerate())
        self._sockets = _sockets()

    @classmethod
    async def now(cls) -> Before:
        """What there is once device and driver have come to rest."""
        await asyncio.sleep(RESTS)
        return cls()

    async def left(self, within: float, sockets: bool = True) -> str:
        """What is there that was not, in words, once `within` seconds gave it time to go."""
        until = time.perf_counter() + within
        while (found := self._new(sockets)) and time.perf_counter() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return found

    def _new(self, sockets: bool) -> str:
        # By what they run, not one by one: some clients begin a task for each message.
        known = self._tasks.copy()
        found = []
        for task in _running():
            if known[_coroutine(task)] > 0:
                known[_coroutine(task)] -= 1
            else:
                found.append(f"the task {task.get_name()!r} ({_coroutine(task)})")
        found += [
            f"the thread {thread.name!r}"
            for thread in set(threading.enumerate()) - self._threads
            if not thread.name.startswith("asyncio_")  # the loop's own pool, kept until it closes
        ]
        more = _sockets() - self._sockets
        if sockets and more > 0:
            found.append("an open connection" if more == 1 else f"{more} open connections")
        return ", ".join(sorted(found))


def _coroutine(task: asyncio.Task[object]) -> str:
    coroutine = task.get_coro()
    return str(getattr(coroutine, "__qualname__", "") or type(coroutine).__name__)


def _sockets() -> int:
    """How many sockets this process holds open; 0 where the system does not say (not Linux)."""
    count = 0
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  (a number of names, no paths)
            with contextlib.suppress(OSError):
                count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")  # noqa: PTH115
    return count


@contextlib.contextmanager
def unclosed() -> Iterator[list[str]]:
    """What Python had to close for somebody while the block ran, in its own words."""
    found: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", ResourceWarning)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, ResourceWarning):
                found.append(str(message))
            else:
                shown(message, category, *where, **more)

        warnings.showwarning = show
        yield found


@dataclass
class Overheard:
    """What was printed, logged and raised."""

    texts: list[tuple[str, str]] = field(default_factory=list)

    def add(self, where: str, text: object) -> None:
        """Keep a text with the name of the place where it showed."""
        self.texts.append((where, str(text)))

    def raised(self, error: BaseException) -> None:
        """Keep an error with all that led to it."""
        self.add("an exception", "".join(traceback.format_exception(error)))
        self.add("an exception", repr(error))


@contextlib.contextmanager
def overhear() -> Iterator[Overheard]:
    """Hear what is printed, logged (logging, structlog) and warned of while the block runs."""
    heard = Overheard()
    out = io.StringIO()
    root = logging.getLogger()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    level, disabled = root.level, root.manager.disable
    configured = structlog.get_config()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.disable(logging.NOTSET)
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            yield heard
    finally:
        structlog.configure(**configured)
        logging.disable(disabled)
        root.setLevel(level)
        root.removeHandler(handler)
        heard.add("the log or the output", out.getvalue())
