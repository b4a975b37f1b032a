"""What a contract measures of the loop is the driver's doing, not the machine's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from hub.testing.watch import LoopWatch

HELD = 0.05  # seconds


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """Twice as many processes as processors, none of which ever rests."""
    spin = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(spin) for _ in range(2 * (os.cpu_count() or 1))]
    yield
    for process in spinning:
        process.kill()
        process.wait()


async def test_a_busy_machine_is_not_taken_for_a_busy_driver(busy_machine: None) -> None:
    """A loop that nobody holds is free, however long it waits for a processor; one that somebody
    holds is found all the same, with the line that does."""
    for _ in range(40):
        with LoopWatch(HELD) as watch:
            await asyncio.sleep(0.01)
        assert watch.worst.seconds < HELD, watch.worst
    with LoopWatch(HELD) as watch:
        await asyncio.sleep(0.01)
        time.sleep(0.3)
        await asyncio.sleep(0.01)
    assert watch.worst.seconds > 0.2
    assert "time.sleep(0.3)" in watch.worst.where
