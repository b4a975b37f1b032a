"""Access controller `sample`: a box with two relays, each of which holds a door locked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

from pydantic import Field

from hub import (
    Block,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    NotReady,
    Verb,
    hookimpl,
)

__version__ = "0.1.0"
HELD = 256  # reports kept while nobody reads them


class SampleConfig(Block):
    """The keys of a block; a real box has its address here."""


class SampleDevice(Block):
    """What a door says about itself."""

    # Change this (1 of 3): how a door is told from others of the same controller.
    relay: Literal[1, 2] = Field(1, description="The relay that locks this door.")


class SampleDoors:
    """Two relays that are only pretended."""

    # Change this (2 of 3): what the box can do.
    capabilities = Capabilities(verbs=frozenset({"lock", "unlock"}), has_position=False)

    def __init__(self, config: SampleConfig, context: Context) -> None:
        self._clock = context.clock
        self._relays = {door: device.relay for door, device in context.devices.items()}
        self._locked = {1: True, 2: True}
        self._reports: asyncio.Queue[DoorReport | None] | None = None
        self.dropped = 0

    async def start(self) -> None:
        """Connect; there is nothing to connect to."""
        if self._reports is None:
            self._reports = asyncio.Queue(HELD)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Set the relay of a door. Returning says that the box has it, a report that it is done."""
        if self._reports is None:
            raise NotReady("the relays are not connected")
        if door not in self._relays or verb not in self.capabilities.verbs:
            raise CommandFailed(f"no relay here can {verb} {door}")
        # Change this (3 of 3): tell the box, and report what it answers, not what it was told.
        self._locked[self._relays[door]] = verb == "lock"
        await self.refresh(door)

    async def refresh(self, door: str) -> None:
        """Report how the relay of a door is now."""
        if self._reports is None or door not in self._relays:
            raise NotReady(f"nothing is known of {door}")
        locked = self._locked[self._relays[door]]
        lock: Literal["locked", "unlocked"] = "locked" if locked else "unlocked"
        self._tell(self._reports, DoorReport(door, self._clock.now(), lock, answers=True))

    async def reports(self) -> AsyncIterator[DoorReport]:
        """Every report until it is closed."""
        queue = self._reports
        while queue is not None and (report := await queue.get()) is not None:
            yield report

    async def close(self) -> None:
        """Let whoever reads the reports go."""
        queue, self._reports = self._reports, None
        if queue is not None:
            self._tell(queue, None)

    def _tell(self, queue: asyncio.Queue[DoorReport | None], report: DoorReport | None) -> None:
        if queue.full():  # the oldest goes: what counts is how the door is now
            queue.get_nowait()
            self.dropped += 1
        queue.put_nowait(report)


@hookimpl
def vestibule_access_control() -> list[Driver]:
    """Announce the driver."""
    summary = "Two pretended relays"
    return [Driver("sample", SampleDoors, SampleConfig, summary, device=SampleDevice)]
