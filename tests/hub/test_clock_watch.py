"""Somebody sets the wall clock: it is told by how much, and not for what a time server does."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.clock import CLOCK_SLACK_S, ClockWatch
from hub.testing import FakeClock


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, CLOCK_SLACK_S + 0.5])
async def test_a_clock_that_was_set_is_told_until_it_is_seen_to(seconds: float) -> None:
    """By how much, in seconds, and again as long as nobody has seen to it; time itself is none."""
    clock = FakeClock()
    watch = ClockWatch(clock)
    await clock.advance(90)
    assert watch.moved() == 0
    clock.set(clock.now() + timedelta(seconds=seconds))
    assert watch.moved() == pytest.approx(seconds)
    assert watch.moved() == pytest.approx(seconds)
    watch.seen(watch.moved())
    assert watch.moved() == 0


def test_small_corrections_are_told_once_they_have_come_to_more() -> None:
    """A clock that is nudged is not set; what nobody has seen to adds up."""
    clock = FakeClock()
    watch = ClockWatch(clock)
    for _ in range(2):
        clock.set(clock.now() + timedelta(seconds=0.9 * CLOCK_SLACK_S))
        told = watch.moved()
    assert told == pytest.approx(1.8 * CLOCK_SLACK_S)


def test_what_is_set_meanwhile_is_not_taken_for_seen() -> None:
    """Who sees to a clock that was set has seen to what they were told, and to nothing later."""
    clock = FakeClock()
    watch = ClockWatch(clock)
    clock.set(clock.now() + timedelta(hours=1))
    told = watch.moved()
    clock.set(clock.now() - timedelta(hours=3))
    watch.seen(told)
    assert watch.moved() == pytest.approx(-3 * 3600)


class PutOff(FakeClock):
    """A thread that looks at it is put off for a while, in the middle of it."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses = [0.0]

    def now(self) -> datetime:
        found = super().now()
        self._elapsed += self.pauses.pop() if self.pauses else 0.0
        return found


def test_a_thread_that_is_put_off_takes_that_for_no_clock_that_was_set() -> None:
    """On a machine that is too busy seconds pass between one look and the next."""
    clock = PutOff()
    watch = ClockWatch(clock)
    clock.pauses = [7.0, 5.0]
    assert watch.moved() == 0
    clock.set(clock.now() + timedelta(hours=1))
    clock.pauses = [7.0]
    assert watch.moved() == pytest.approx(3600)
