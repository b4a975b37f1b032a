"""A clock that a test moves."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any


class FakeClock:
    """A clock that moves only when told to; sleepers wake as it passes them."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def set(self, moment: datetime) -> None:
        """Set the wall clock, forward or back, as a person or a time server does: no time passes,
        and nobody who sleeps wakes.
        """
        self._start = moment - timedelta(seconds=self._elapsed)

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        """Counts from this call, also where a task that is made of it begins only later: who works
        out a wait and sleeps must not oversleep because time passed in between.
        """
        return self._sleep_until(self._elapsed + seconds)

    async def _sleep_until(self, moment: float) -> None:
        if moment <= self._elapsed:
            await asyncio.sleep(0)
            return
        self._count += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (moment, self._count, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking sleepers in order and letting them run."""
        await _let_others_run()  # what was only just begun may be about to sleep
        until = self._elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, woken = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, due)
            if not woken.done():
                woken.set_result(None)
            await _let_others_run()
        self._elapsed = until
        await _let_others_run()


async def _let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
