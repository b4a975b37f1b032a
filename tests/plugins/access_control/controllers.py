"""Scenarios of a controller on a clock of their own, and hearing what it reports in time."""

from __future__ import annotations

import asyncio
from typing import Any

from hub import Clock, DoorReport, SystemClock
from hub.testing import AccessControllerContract, FakeClock


class ScenarioContract(AccessControllerContract):
    """The promises of an access controller, and scenarios of the driver's own."""

    time: FakeClock | None = None

    def clock(self) -> Clock:
        return self.time or SystemClock()

    def go(self, scenario: Any, **doors: Any) -> None:
        """Run a scenario with a fake clock, and other doors where some are given."""
        self.time = FakeClock()
        self.doors = doors or type(self).doors  # type: ignore[misc]
        self.run(scenario)


class Heard:
    """What a controller reports, as it comes."""

    def __init__(self, instance: Any) -> None:
        self.heard: list[DoorReport] = []
        self._task = asyncio.create_task(self._listen(instance))

    async def _listen(self, instance: Any) -> None:
        async for report in instance.reports():
            self.heard.append(report)

    async def until(self, wanted: Any, time: FakeClock | None = None) -> DoorReport:
        """The first report that is wanted, from now on or before; `time` goes on meanwhile, for
        whoever tries again later.
        """
        async with asyncio.timeout(30):
            while True:
                for report in self.heard:
                    if wanted(report):
                        return report
                if time is not None:
                    await time.advance(0.5)
                await asyncio.sleep(0.005)

    async def __aenter__(self) -> Heard:
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def listening(instance: Any) -> Heard:
    """Hear what a controller reports."""
    return Heard(instance)


async def answer(instance: Any, door: str, lock: str | None = None) -> DoorReport:
    """The next report of a door that answers, and says this of its lock."""
    reports = instance.reports()
    try:
        async with asyncio.timeout(30):
            while True:
                report: DoorReport = await anext(reports)
                if report.door == door and (report.lock == lock or (report.answers and not lock)):
                    return report
    finally:
        await reports.aclose()
