"""Somebody sets the clock: it is seen to once, in one place, before anything is decided by it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, School, school

from hub.errors import StateError
from hub.safety.decide import Decider
from hub.storage import eventlog


async def told(house: School) -> list[str]:
    """The types of all events so far."""
    return [event.type for _, event in await house.intake.past_events(0, 1000)]


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1)])
async def test_whoever_comes_first_sees_to_it_and_nobody_after(
    tmp_path: Path, by: timedelta
) -> None:
    """Of many that come at once, and of all that look for what is due, none has to think of it."""
    async with school(tmp_path) as house:
        await house.clock.advance(5)
        house.clock.set(house.clock.now() + by)
        forced = [house.door_event("door.forced", "store") for _ in range(20)]
        await asyncio.gather(*(house.intake.accept(each) for each in forced))
        assert not await house.intake.see_to_the_clock()
        happened = await told(house)
        assert happened.count(eventlog.CLOCK_MOVED) == 1
        assert happened[0] == eventlog.CLOCK_MOVED


async def test_what_waits_for_its_turn_is_decided_by_the_clock_as_it_was(tmp_path: Path) -> None:
    """Until it is seen to, no transaction goes by the new one, and none is kept waiting for it."""
    times: list[Any] = []
    async with school(tmp_path) as house:
        house.clock.set(EVENING + timedelta(hours=1))
        see = house.intake.see_to_the_clock

        async def full() -> bool:
            raise StateError("the disk is full")

        house.intake.see_to_the_clock = full  # type: ignore[method-assign]
        await house.intake.decide(lambda d: times.append(d._now))
        house.intake.see_to_the_clock = see  # type: ignore[method-assign]
        await house.intake.decide(lambda d: times.append(d._now))
    assert times == [EVENING, EVENING + timedelta(hours=1)]


async def test_a_journal_that_fails_leaves_it_to_be_seen_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half moved along: the next that comes sees to all of it."""
    async with school(tmp_path) as house:
        await house.clock.advance(5)
        moved = Decider.clock_moved

        def fails(decider: Decider, by: timedelta) -> None:
            moved(decider, by)
            raise StateError("the disk is full")

        monkeypatch.setattr(Decider, "clock_moved", fails)
        house.clock.set(house.clock.now() + timedelta(hours=1))
        with pytest.raises(StateError):
            await house.intake.see_to_the_clock()
        monkeypatch.setattr(Decider, "clock_moved", moved)
        assert eventlog.CLOCK_MOVED not in await told(house)
        await house.intake.accept(house.door_event("door.forced", "store"))
        assert (await told(house))[0] == eventlog.CLOCK_MOVED
