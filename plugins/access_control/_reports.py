"""The reports of a controller while nobody reads them: so many are held, the newest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from hub import NotReady

HELD = 1024
T = TypeVar("T")


class Reports(Generic[T]):
    """A bounded queue with an end. `dropped` counts what gave way to newer ones."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[T | None] = asyncio.Queue(HELD)
        self._why = ""
        self.dropped = 0

    def begin(self) -> None:
        """Start afresh: nothing from before is read any more."""
        self._queue = asyncio.Queue(HELD)
        self._why = ""

    def tell(self, report: T) -> None:
        """Hold a report; the oldest goes where there is no room."""
        self._put(report)

    def end(self, why: str = "") -> None:
        """Let readers go: in peace, or with `NotReady` where there is a reason."""
        self._why = why
        self._put(None)

    def end_with(self, task: asyncio.Task[None], what: str) -> None:
        """Let readers go, with a reason, should a task break that never ends by itself;
        the doors would stay as they were last seen.
        """

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.end(f"{what} broke ({type(error).__name__})")

        task.add_done_callback(ended)

    async def read(self) -> AsyncIterator[T]:
        """Each report as it comes, until the end."""
        queue = self._queue
        while (report := await queue.get()) is not None:
            yield report
        if self._why:
            raise NotReady(self._why)

    def _put(self, report: T | None) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(report)


class Reporting(Generic[T]):
    """What the hub reads of a controller that keeps its reports here."""

    _reports: Reports[T]

    @property
    def dropped(self) -> int:
        """How many reports gave way to newer ones because nobody read them."""
        return self._reports.dropped

    async def reports(self) -> AsyncIterator[T]:
        """Every report until it is closed."""
        async for report in self._reports.read():
            yield report
