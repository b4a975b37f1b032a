"""Time, injected: nothing below asks the operating system for the hour itself."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

CLOCK_SLACK_S = 2.0  # corrections of up to so much are not told
APART_S = 0.1
LOOKS = 5


class Clock(Protocol):
    """Where time comes from. Tests pass `hub.testing.FakeClock`."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; for deadlines and ages."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; returns at once when `seconds` is not positive."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class ClockWatch:
    """Notices that somebody has set the wall clock, by the one that only ever grows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = self._wall_ahead()

    def moved(self) -> float:
        """Seconds by which it was set, forward or back (negative), and that nobody has `seen` to; 0
        where that is a correction of at most two seconds.
        """
        moved = self._wall_ahead() - self._ahead
        return moved if abs(moved) > CLOCK_SLACK_S else 0.0

    def seen(self, seconds: float) -> None:
        """That it was set by so much has been seen to; negative where that came to nothing."""
        self._ahead += seconds

    def _wall_ahead(self) -> float:
        """By how much the wall clock is ahead of the other. A thread that was put off between the
        two looks has seen nothing, and looks again.
        """
        ahead = 0.0
        for _ in range(LOOKS):
            before = self._clock.monotonic()
            ahead = self._clock.now().timestamp() - before
            if self._clock.monotonic() - before < APART_S:
                break
        return ahead


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-03-02T08:15:00.250Z`; sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The aware datetime that `iso` wrote (or any RFC 3339 text with an offset)."""
    return datetime.fromisoformat(text)
