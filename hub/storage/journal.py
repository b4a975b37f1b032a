"""The journal: one SQLite file, one thread that writes, a few that read.

Works handed to `write` while a commit is under way wait together and share the next one (group
commit), each inside a savepoint of its own so that one that fails harms no other. `write` returns
only after the commit is on the disk. Urgent works have a queue of their own: a commit under way
ends early for them, and they share one among themselves.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from hub.errors import StateError
from hub.storage import once
from hub.storage.database import is_busy, is_full, open_engine, open_readers, state_error
from hub.storage.reserve import Reserve

__all__ = ["Journal", "JournalCounters", "open_engine"]

T = TypeVar("T")
READERS = 2
READS_WAITING = 256
GROUP = 256
URGENT_ROOM = 256
BUSY_RETRIES = 6

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Work:
    run: Callable[[Connection], Any]
    done: asyncio.Future[Any]
    after: Callable[[Any], None] | None
    result: Any = None
    error: Exception | None = None
    ran: bool = False


class _Queues:
    """Works that wait for the writer, urgent ones apart; both lots have their turn.

    After urgent works others come next when some wait, so that neither starves the other.
    """

    def __init__(self) -> None:
        self._urgent: deque[_Work] = deque()
        self._others: deque[_Work] = deque()
        self._changed = threading.Condition()
        self._others_next = False
        self._closed = False

    def put(self, work: _Work, urgent: bool) -> None:
        with self._changed:
            (self._urgent if urgent else self._others).append(work)
            self._changed.notify()

    def close(self) -> None:
        """Let the writer end once nothing waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def first(self) -> tuple[_Work, bool, int] | None:
        """Wait for a work; says too whether it is urgent, and how many of its kind wait behind it.
        None when there will be no more.
        """
        with self._changed:
            while not (self._urgent or self._others or self._closed):
                self._changed.wait()
            urgent = bool(self._urgent) and not (self._others_next and self._others)
            self._others_next = urgent
            waiting = self._urgent if urgent else self._others
            return (waiting.popleft(), urgent, len(waiting)) if waiting else None

    def another(self, urgent: bool) -> _Work | None:
        """A work for the same commit; none where it is time to end that."""
        if urgent:
            return self._urgent.popleft() if self._urgent else None
        return None if self._urgent or not self._others else self._others.popleft()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)


@dataclass(slots=True)
class JournalCounters:
    """What the journal has done since opened; `waited` counts writes that met a full queue."""

    works: int = 0
    urgent: int = 0
    commits: int = 0
    failed: int = 0
    waited: int = 0
    largest_group: int = 0
    reads: int = 0


class Journal:
    """The hub's memory; what it writes and reads are functions of an SQLAlchemy connection."""

    def __init__(
        self,
        path: Path,
        *,
        queue_size: int = 2048,
        readers: int = READERS,
        reserve: Reserve | None = None,
    ) -> None:
        self.path = path
        self._reserve = reserve
        self.counters = JournalCounters()
        self._queue_size = queue_size
        self._readers = readers
        self._room = asyncio.Semaphore(queue_size)
        self._urgent_room = asyncio.Semaphore(URGENT_ROOM)
        self._read_room = asyncio.Semaphore(READS_WAITING)
        self._works = _Queues()
        self._writer: threading.Thread | None = None
        self._write_engine: Engine | None = None
        self._read_engine: Engine | None = None
        self._read_threads: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open the file, making it when new. Raises `StateError` (see `open_engine`)."""
        self._loop = asyncio.get_running_loop()
        self._works = _Queues()
        self._write_engine, connection = await asyncio.to_thread(self._open)
        self._read_engine = open_readers(self.path, self._readers)
        self._read_threads = ThreadPoolExecutor(self._readers, "journal-read")
        self._writer = threading.Thread(
            target=self._write_until_closed, args=(connection,), name="journal-write", daemon=True
        )
        self._writer.start()

    async def close(self) -> None:
        """Write what was handed over, then close; later writes and reads raise `StateError`."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        self._works.close()
        await asyncio.to_thread(writer.join)
        assert self._read_threads is not None
        await asyncio.to_thread(self._read_threads.shutdown)
        for engine in (self._read_engine, self._write_engine):
            if engine is not None:
                engine.dispose()

    async def write(
        self,
        work: Callable[[Connection], T],
        after: Callable[[T], None] | None = None,
        *,
        urgent: bool = False,
    ) -> T:
        """Run `work` in a write transaction and return its result once it is on the disk.

        `work` runs in the writer's thread and must only touch the connection and what it was given;
        what it raises is raised here, and leaves nothing written. `after` is called on the event
        loop with the result, in commit order, even when whoever waits here was cancelled.
        Waits while the queue is full. `urgent` goes before all that is not. Raises `StateError`
        when the file fails or is closed.
        """
        room = self._urgent_room if urgent else self._room
        if room.locked():
            self.counters.waited += 1
        async with room:
            if self._writer is None:
                raise StateError(f"the journal {self.path} is closed")
            here = copy_context()  # what is done is audited with where it was asked for

            def run(connection: Connection) -> T:
                return here.run(once.run, work, connection)

            item = _Work(run, asyncio.get_running_loop().create_future(), after)
            self._works.put(item, urgent)
            result: T = await item.done
            return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that only reads: one consistent view, beside the writer."""
        async with self._read_room:
            if self._writer is None or self._read_threads is None:
                raise StateError(f"the journal {self.path} is closed")
            self.counters.reads += 1
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._read_threads, self._read, work)

    def queue(self) -> dict[str, int]:
        """Counters for health and metrics; `waiting` is how many works are in the queue now."""
        return {
            "waiting": len(self._works),
            "limit": self._queue_size,
            "waited": self.counters.waited,
            "works": self.counters.works,
            "urgent": self.counters.urgent,
            "commits": self.counters.commits,
            "failed": self.counters.failed,
            "largest_group": self.counters.largest_group,
            "reads": self.counters.reads,
            "dropped": 0,
        }

    def _read(self, work: Callable[[Connection], T]) -> T:
        assert self._read_engine is not None
        try:
            with self._read_engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            trouble = state_error(error, self.path)
            if trouble is None:
                raise
            raise trouble from error

    def _write_until_closed(self, connection: Connection) -> None:
        try:
            while (first := self._works.first()) is not None:
                group = self._commit(connection, *first)
                self._hand_back(group)
        finally:
            connection.close()

    def _commit(
        self, connection: Connection, first: _Work, urgent: bool, behind: int
    ) -> list[_Work]:
        """Commit a work, and with it what waits behind it; returns what was in the commit."""
        most = min(GROUP, 1 + behind)
        group: list[_Work] = []
        item: _Work | None = first
        try:
            if self._reserve is not None:
                self._reserve.admit(urgent)
            self._begin(connection)
            while item is not None:
                group.append(item)
                if not item.done.cancelled():
                    self._run(connection, item)
                item = self._works.another(urgent) if len(group) < most else None
            connection.commit()
        except Exception as error:
            group = group or [first]
            if is_full(error) and self._reserve is not None and self._reserve.give_up():
                self._once_more(connection, group)
            else:
                self._give_up(connection, group, error)
        self.counters.commits += 1
        self.counters.works += sum(item.ran for item in group)
        self.counters.urgent += len(group) if urgent else 0
        self.counters.failed += sum(1 for item in group if item.error is not None)
        self.counters.largest_group = max(self.counters.largest_group, len(group))
        return group or [first]

    def _once_more(self, connection: Connection, group: list[_Work]) -> None:
        """Commit these works again, now that there is room: nothing of them was written."""
        try:
            connection.rollback()
            self._begin(connection)
            for item in group:
                item.error = None
                if not item.done.cancelled():
                    self._run(connection, item)
            connection.commit()
        except Exception as error:
            self._give_up(connection, group, error)

    def _open(self) -> tuple[Engine, Connection]:
        """Open the file for writing; a disk that is full gets the room that was kept for that."""
        try:
            opened = self._connected()
        except StateError as error:
            full = isinstance(error.__cause__, DBAPIError) and is_full(error.__cause__)
            if not full or self._reserve is None or not self._reserve.give_up():
                raise
            opened = self._connected()
        if self._reserve is not None:
            self._reserve.keep()
        return opened

    def _connected(self) -> tuple[Engine, Connection]:
        """The file and the writer's connection to it: a disk may fill up between the two, and a
        writer that cannot begin would leave everybody waiting.
        """
        engine = open_engine(self.path, forward=True)
        try:
            return engine, engine.connect()
        except DBAPIError as error:
            engine.dispose()
            trouble = state_error(error, self.path)
            words = f"cannot open the journal {self.path}: {error.orig}"
            raise (trouble or StateError(words)) from error

    def _begin(self, connection: Connection) -> None:
        for attempt in range(BUSY_RETRIES):
            try:
                connection.begin()
                return
            except DBAPIError as error:
                connection.rollback()
                if not is_busy(error) or attempt == BUSY_RETRIES - 1:
                    raise
                log.warning("the journal is busy", path=str(self.path), attempt=attempt + 1)
                time.sleep(0.05)

    def _run(self, connection: Connection, item: _Work) -> None:
        item.ran = True
        connection.exec_driver_sql("SAVEPOINT work")
        try:
            item.result = item.run(connection)
        except Exception as error:
            item.error = self._in_words(error)
            try:
                connection.exec_driver_sql("ROLLBACK TO work")
            except DBAPIError:
                # A full disk or a damaged page has already ended the whole transaction.
                raise error from None
        connection.exec_driver_sql("RELEASE work")

    def _give_up(self, connection: Connection, group: list[_Work], error: Exception) -> None:
        try:
            connection.rollback()
        except DBAPIError:
            connection.invalidate()
        words = self._in_words(error)
        log.error("the journal could not commit", path=str(self.path), error=str(words))
        for item in group:
            item.error = item.error or words

    def _in_words(self, error: Exception) -> Exception:
        if isinstance(error, DBAPIError):
            return state_error(error, self.path) or error
        if isinstance(error, StopIteration):  # no future can carry one
            return RuntimeError("a work for the journal raised StopIteration")
        return error

    def _hand_back(self, group: list[_Work]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(_resolve, group)
        except RuntimeError:
            log.warning("the event loop was closed before the journal", works=len(group))


def _resolve(group: list[_Work]) -> None:
    for item in group:
        if item.ran and item.error is None and item.after is not None:
            try:
                item.after(item.result)
            except Exception:
                log.exception("what follows a commit failed")
        if item.done.done():
            continue
        if item.error is None:
            item.done.set_result(item.result)
        else:
            item.done.set_exception(item.error)
