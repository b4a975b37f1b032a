"""Whose page is made next. Making one takes the event loop some milliseconds, and after each change
every open page is fetched again: so they are made one at a time, in short slices, never for more
than a share of the time. Nothing that only looks is begun, and no slice, while somebody asks for
something to be done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

SHARE = 0.4
LONGEST_ACT_S = 0.25
AFTER_AN_ACT_S = 0.05
LONGEST_HOLD_S = 1.0
SLICE_S = 0.001


class Turn:
    """One page that is being made."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._loop = turns, asyncio.get_running_loop()
        self._since = self._loop.time()
        self._patience_s = LONGEST_HOLD_S
        self.busy_s = 0.0

    async def pause(self) -> None:
        """Let everything else go on, where a slice has been made, and somebody's act end first."""
        now = self._loop.time()
        if now - self._since < SLICE_S:
            return
        self.busy_s += now - self._since
        try:
            await asyncio.sleep(0)
            paused = self._loop.time()
            while (wait := self._turns.held_s()) > 0 and self._patience_s > 0:
                await asyncio.sleep(min(wait, self._patience_s))
                self._patience_s -= self._loop.time() - paused
                paused = self._loop.time()
        finally:
            self._since = self._loop.time()

    def end(self) -> float:
        """How long the event loop was kept busy in all."""
        self.busy_s += self._loop.time() - self._since
        return self.busy_s


class Turns:
    """Pages that are to be made, in the order in which they were asked for; those that somebody
    opens go before those that are open and fetch themselves again.
    """

    def __init__(self) -> None:
        self._busy = False
        self._opened: deque[asyncio.Future[None]] = deque()
        self._again: deque[asyncio.Future[None]] = deque()
        self._next = 0.0
        self._acts: list[float] = []
        self._calm = 0.0

    @contextmanager
    def act(self) -> Iterator[None]:
        """Somebody asks for something to be done: no page is begun within, nor right behind it."""
        loop = asyncio.get_running_loop()
        self._acts.append(until := loop.time() + LONGEST_ACT_S)
        try:
            yield
        finally:
            self._acts.remove(until)
            self._calm = loop.time() + AFTER_AN_ACT_S

    async def calm(self) -> None:
        """Wait until nobody asks for something to be done: what only looks can wait so long."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + LONGEST_ACT_S
        while loop.time() < latest and self.held_s() > 0:  # noqa: ASYNC110
            await asyncio.sleep(AFTER_AN_ACT_S / 5)

    @asynccontextmanager
    async def turn(self, opened: bool = False) -> AsyncIterator[Turn]:
        """Wait for one's turn; what is done within is counted as making a page, besides its pauses.
        One that somebody has `opened` waits for its turn, and not for the share.
        """
        loop = asyncio.get_running_loop()
        await self._enter(self._opened if opened else self._again)
        try:
            latest = loop.time() + LONGEST_HOLD_S
            while (wait := self._wait(loop.time(), opened)) > 0 and loop.time() < latest:  # noqa: ASYNC110
                await asyncio.sleep(wait)  # for the time itself, which no event tells
            mine = Turn(self)
            try:
                yield mine
            finally:
                self._next = loop.time() + mine.end() * (1 / SHARE - 1)
        finally:
            self._leave()

    async def _enter(self, waiting: deque[asyncio.Future[None]]) -> None:
        if not self._busy:
            self._busy = True
            return
        mine = asyncio.get_running_loop().create_future()
        waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._leave()  # it was this one's turn already
            elif mine in waiting:  # nobody has passed it by yet
                waiting.remove(mine)
            raise

    def _leave(self) -> None:
        for waiting in (self._opened, self._again):
            while waiting:
                if not (first := waiting.popleft()).done():
                    first.set_result(None)
                    return
        self._busy = False

    def held_s(self) -> float:
        """How long acts hold up what only looks, in seconds from now; at most 0 where none does."""
        return max(self._calm, *self._acts, 0.0) - asyncio.get_running_loop().time()

    def _wait(self, now: float, opened: bool) -> float:
        return max(self.held_s(), 0.0 if opened else self._next - now)


TURNS: web.AppKey[Turns] = web.AppKey("turns", Turns)
