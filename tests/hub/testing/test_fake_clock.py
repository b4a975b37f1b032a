"""The clock that a test moves: who sleeps wakes when the time has come, no earlier and no later."""

from __future__ import annotations

import asyncio

from hub.testing import FakeClock


async def test_a_sleep_counts_from_the_call() -> None:
    """Who works out a wait, and whose sleep begins after time has passed, still wakes in time."""
    clock = FakeClock()
    sleep = clock.sleep(5.0)
    await clock.advance(2.0)
    sleeping = asyncio.create_task(sleep)
    await clock.advance(2.0)
    assert not sleeping.done()
    await clock.advance(1.0)
    assert sleeping.done()


async def test_a_sleep_whose_time_has_passed_ends_at_once() -> None:
    """A sleep that begins after its end needs no further time."""
    clock = FakeClock()
    sleep = clock.sleep(5.0)
    await clock.advance(5.0)
    await asyncio.wait_for(sleep, 10)
    assert clock.monotonic() == 5.0


async def test_nobody_oversleeps_whenever_they_look() -> None:
    """Whichever turn of the loop finds somebody looking at the clock, they wake at their time."""
    for turns in range(55):
        clock = FakeClock()
        waiting = asyncio.create_task(_wait_until(clock, 8.0, turns))
        await clock.advance(5.0)
        await clock.advance(5.0)
        assert await asyncio.wait_for(waiting, 10) == 8.0, turns


async def _wait_until(clock: FakeClock, moment: float, turns: int) -> float:
    for _ in range(turns):
        await asyncio.sleep(0)
    await asyncio.create_task(clock.sleep(moment - clock.monotonic()))
    return clock.monotonic()


async def test_sleepers_wake_in_order() -> None:
    """One step over several ends wakes each at its own time, the earliest first."""
    clock = FakeClock()
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(clock.monotonic())

    sleeping = [asyncio.create_task(sleep(seconds)) for seconds in (3.0, 1.0, 2.0)]
    await clock.advance(3.0)
    await asyncio.gather(*sleeping)
    assert woken == [1.0, 2.0, 3.0]
