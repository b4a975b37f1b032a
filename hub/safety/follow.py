"""A consumer that follows the journal and misses nothing, whatever it was doing when the hub ended.

It has an offset: the sequence number up to which everything it cares for is done. What comes after
is handled at least once, also what was journaled while it was not running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
from sqlalchemy import Connection

from hub.clock import Clock
from hub.errors import StateError
from hub.events import Event
from hub.storage import eventlog, offsets
from hub.storage.journal import Journal

TOGETHER = 32
LOOK_AGAIN_S = 30.0
AFTER_TROUBLE_S = 1.0
BEHIND = 1000

log = structlog.get_logger(__name__)


class Follower:
    """Hands events of some types to `handle`, at most 32 side by side, in the journal's order.

    What `handle` raises is logged, and the event counts as done. One that is new to the journal
    begins a thousand events back. Run it as one task.
    """

    def __init__(
        self,
        name: str,
        journal: Journal,
        clock: Clock,
        types: Sequence[str],
        handle: Callable[[Event], Awaitable[None]],
    ) -> None:
        self.name = name
        self.waiting = 0
        self._journal = journal
        self._clock = clock
        self._types = tuple(types)
        self._handle = handle
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Look at the journal again, soon."""
        self._wanted.set()

    async def run(self) -> None:
        """Follow for ever."""
        kept = seen = await self._begin()
        while True:
            self._wanted.clear()
            try:
                found, last = await self._journal.read(partial(self._after, after=seen))
                await self._do([event for _, event in found])
                full = len(found) == TOGETHER
                newest = found[-1][0] if found else 0  # it may have come after `last` was read
                seen = newest if full else max(last, newest)
                if found or seen - kept > BEHIND:
                    await self._journal.write(partial(offsets.put, consumer=self.name, seq=seen))
                    kept = seen
            except StateError as error:
                log.error("a consumer waits for the journal", name=self.name, error=str(error))
                await self._clock.sleep(AFTER_TROUBLE_S)
            else:
                if not full:
                    await self._rest()

    async def _begin(self) -> int:
        def work(connection: Connection) -> int:
            known = offsets.get(connection, self.name)
            if known is None:
                known = max(0, eventlog.last_seq(connection) - BEHIND)
                offsets.put(connection, self.name, known)
            return known

        return await self._journal.write(work)

    def _after(self, connection: Connection, after: int) -> tuple[list[tuple[int, Event]], int]:
        last = eventlog.last_seq(connection)
        return eventlog.after(connection, after, TOGETHER, self._types), last

    async def _do(self, events: Sequence[Event]) -> None:
        self.waiting = len(events)
        await asyncio.gather(*(self._one(event) for event in events))
        self.waiting = 0

    async def _one(self, event: Event) -> None:
        try:
            await self._handle(event)
        except Exception:
            log.exception("a consumer failed at an event", name=self.name, type=event.type)

    async def _rest(self) -> None:
        alarm = asyncio.create_task(self._clock.sleep(LOOK_AGAIN_S), name="follow: look again")
        wanted = asyncio.create_task(self._wanted.wait(), name="follow: wanted")
        try:
            await asyncio.wait((alarm, wanted), return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            wanted.cancel()
