"""The process around a hub: what it says, and how it keeps the interpreter."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from hub.start import SWITCH_S, in_a_line, steady


async def test_what_a_library_lets_fall_is_one_line() -> None:
    """What and where, and no traceback."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(in_a_line)

    def fails() -> None:
        raise OSError("Bad file descriptor")

    with capture_logs() as said:
        loop.call_soon(fails)
        loop.call_exception_handler({"message": "a task was lost"})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    loop.set_exception_handler(None)
    lost, fell = sorted(said, key=lambda line: line["reason"])
    assert lost["what"] == "a task was lost"
    assert fell["reason"] == "OSError: Bad file descriptor"
    assert "test_start.py:" in fell["at"]
    assert all("exc_info" not in line and "Traceback" not in str(line) for line in said)


@pytest.fixture
def as_before() -> Iterator[None]:
    """The interpreter of the other tests."""
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)
    gc.unfreeze()


def test_nothing_keeps_the_hub_waiting_for_long(as_before: None) -> None:
    """Threads take short turns, and what is there already is never gone through for garbage; what
    comes later is."""
    gc.disable()
    steady()
    assert gc.isenabled()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    assert gc.get_freeze_count() > 10_000
