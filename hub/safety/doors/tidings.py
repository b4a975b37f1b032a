"""Events of doors on their way to the journal: in order, bounded, none told twice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice

import structlog

from hub.clock import Clock
from hub.events import Event

log = structlog.get_logger("doors")

UNTOLD_LIMIT = 10_000
LOGGED_EVERY = 1000
WRITE_AGAIN_S = 1.0


class Tidings:
    """A queue of events; `publish(*events)` returns once they are committed. Run it as one task."""

    def __init__(self, clock: Clock, publish: Callable[..., Awaitable[None]]) -> None:
        self.told = 0
        self.lost = 0
        self._clock = clock
        self._publish = publish
        self._untold: deque[Event] = deque()
        self._something = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many are not in the journal yet."""
        return len(self._untold)

    def add(self, event: Event) -> None:
        """Have it told; where too many wait, the oldest is lost, which is counted."""
        if len(self._untold) >= UNTOLD_LIMIT:
            lost = self._untold.popleft()
            self.lost += 1
            if self.lost % LOGGED_EVERY == 1:
                log.error("event lost: too many wait for the journal", type=lost.type)
        self._untold.append(event)
        self._something.set()

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            await self._something.wait()
            self._something.clear()
            most = UNTOLD_LIMIT
            while self._untold:
                batch = list(islice(self._untold, most))
                try:
                    await self._publish(*batch)
                except ValueError as error:  # one of them can never be written
                    if len(batch) == 1:
                        self._lose(batch, error)
                    most = 1
                    continue
                except Exception as error:
                    log.error("door events wait for the journal", reason=repr(error))
                    await self._clock.sleep(WRITE_AGAIN_S)
                    continue
                self._forget(batch)
                self.told += len(batch)

    def _lose(self, batch: list[Event], error: ValueError) -> None:
        """It must not hold up what comes after it."""
        log.error("event lost: it cannot be written", type=batch[0].type, reason=str(error))
        self._forget(batch)
        self.lost += len(batch)

    def _forget(self, batch: list[Event]) -> None:
        told = {event.id for event in batch}
        while self._untold and self._untold[0].id in told:
            self._untold.popleft()
