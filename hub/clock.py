"""Time, injected: nothing below asks the operating system for the hour itself."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


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


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-03-02T08:15:00.250Z`; sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The aware datetime that `iso` wrote (or any RFC 3339 text with an offset)."""
    return datetime.fromisoformat(text)
