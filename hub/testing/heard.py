"""Listening to an access controller: what it has reported so far, and waiting for more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from hub.errors import VestibuleError
from hub.kinds.access_control import AccessReport, DoorReport

QUIET = 0.2  # seconds without a report after which no more is expected
FEW = 10  # reports that polling brings meanwhile
LOOK = 0.01  # seconds between two looks at what came


class Heard:
    """The reports of a controller so far, and how reading them ended."""

    def __init__(self, instance: Any) -> None:
        self.reports: list[Any] = []
        self.error: BaseException | None = None
        self.task = asyncio.create_task(self._listen(instance), name="contract reader")

    @property
    def doors(self) -> list[DoorReport]:
        """Those that say how a door is."""
        return [report for report in self.reports if isinstance(report, DoorReport)]

    @property
    def uses(self) -> list[AccessReport]:
        """Those that say who used a credential."""
        return [report for report in self.reports if isinstance(report, AccessReport)]

    def since(self, before: int, door: str) -> list[DoorReport]:
        """How a door was said to be, after the first so many reports."""
        new = self.reports[before:]
        return [each for each in new if isinstance(each, DoorReport) and each.door == door]

    async def until(self, found: Callable[[], bool], within: float) -> bool:
        """Whether it is found within so many seconds; sooner not, once reading has ended."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while not found():
            if loop.time() >= until or self.task.done():
                return False
            await asyncio.sleep(LOOK)
        return True

    async def hears(self, wanted: Callable[[DoorReport], bool], within: float) -> bool:
        """Whether a report of a door that is wanted came, or comes within so many seconds."""
        return await self.until(lambda: any(wanted(report) for report in self.doors), within)

    async def drained(self, enough: Callable[[], bool], within: float) -> None:
        """Wait until it is enough and hardly a report has come for a while, or the time is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        count = -FEW - 1
        while loop.time() < until and (len(self.reports) - count > FEW or not enough()):
            count = len(self.reports)
            await asyncio.sleep(QUIET)

    async def _listen(self, instance: Any) -> None:
        try:
            async for report in instance.reports():
                self.reports.append(report)
        except VestibuleError as error:
            self.error = error


@contextlib.asynccontextmanager
async def listening(instance: Any) -> AsyncIterator[Heard]:
    """Read the reports of a started controller for as long as the block runs."""
    heard = Heard(instance)
    try:
        yield heard
    finally:
        heard.task.cancel()
        await asyncio.gather(heard.task, return_exceptions=True)
