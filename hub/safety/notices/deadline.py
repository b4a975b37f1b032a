"""Calls into drivers, each with a deadline that holds also where the driver ignores its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from hub.clock import Clock
from hub.errors import VestibuleError

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Deadlines:
    """Foreign calls under way; those that run on past their deadline are counted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._strays: set[asyncio.Task[Any]] = set()

    @property
    def overdue(self) -> int:
        """How many calls run on past their deadline."""
        return len(self._strays)

    async def within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of a foreign call, or `TimeoutError`, also when it will not be cancelled."""
        call = asyncio.create_task(work, name="actions: call")
        alarm = asyncio.create_task(self._clock.sleep(seconds), name="actions: deadline")
        try:
            await asyncio.wait((call, alarm), return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise TimeoutError
            if call.cancelled():
                raise RuntimeError("it cancelled itself")
            return call.result()
        finally:
            alarm.cancel()
            if not call.done():
                call.cancel()
                self._strays.add(call)
                call.add_done_callback(self._gone)

    def _gone(self, call: asyncio.Task[Any]) -> None:
        self._strays.discard(call)
        if not call.cancelled() and call.exception() is not None:
            log.warning("a call failed after its deadline", error=in_words(call.exception()))


def in_words(error: BaseException | None) -> str:
    """An error in one line; the class too of one that is not the hub's own."""
    if isinstance(error, VestibuleError):
        return str(error)
    return f"{type(error).__name__}: {error}"
