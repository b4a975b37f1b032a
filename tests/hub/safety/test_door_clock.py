"""Doors and a clock that is wrong: it jumps ahead, or is years behind after a power cut."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from door_school import DoorSchool, Locks, door_school
from test_door_hours import CHANGES, at

from hub.safety.doors.keeper import Keeper
from hub.testing import FakeClock

LESSON, NIGHT = at("02 09:00"), at("02 22:30")
WRONG = datetime(2020, 1, 6, 10, 0, tzinfo=UTC)  # a Monday, by which it is lesson time


async def a_night(path: Path, clock: FakeClock) -> dict[str, Any]:
    """A hub that runs into the night and loses its power; returns its locks."""
    async with door_school(path, clock, **CHANGES) as house:
        locks: Locks = house.lock
    locks.asked.clear()
    return {"locks": locks}


async def verb(house: DoorSchool, seconds: int = 3) -> str:
    """What is wanted of the store, a few seconds later."""
    await house.pass_time(seconds)
    intent = house.view("store")["intent"]
    assert intent is not None
    return intent["verb"]


async def test_law_6_a_clock_set_forward_opens_no_door_that_a_person_locked(tmp_path: Path) -> None:
    """A lock lasts for as long as it had left, whatever the wall clock does; what opens a door ends
    by the new clock, for the machine may have slept.
    """
    async with door_school(tmp_path, FakeClock(LESSON), **CHANGES) as house:
        await house.decide(lambda d: d.command("store", "lock", "head", "somebody outside"))
        await house.decide(lambda d: d.command("wing_east", "unlock", "head", "a delivery"))
        house.clock.set(at("02 12:00"))
        assert await verb(house) == "lock"
        assert house.view("wing_east")["intent"] is None
        await house.clock.advance(7190)
        assert await verb(house, 12) == "unlock"  # two hours of its own are over now


async def test_law_6_no_timetable_opens_a_door_by_a_clock_behind_the_journal(
    tmp_path: Path,
) -> None:
    """Back from a power cut in another year, the hub keeps doors locked and says why and what to
    do, over a second start too; once the clock is set, timetables hold again.
    """
    clock = FakeClock(NIGHT)
    locks = await a_night(tmp_path, clock)
    clock.set(WRONG)
    for _ in range(2):
        async with door_school(tmp_path, clock, locks, **CHANGES) as house:
            assert await verb(house) == "lock"
            assert house.lock.asked == []
            assert house.doors.troubles() == [
                "timetables open no door: by the machine's clock it is not yet 2026-03-02 22:30, "
                "when the hub ran last; set the clock right, and unlock doors by hand meanwhile"
            ]
            await house.decide(lambda d: d.command("store", "unlock", "head", "by hand"))
            assert house.lock.asked == [("store", "unlock")]
            await house.decide(lambda d: d.command("store", "lock", "head", "again"))
            house.lock.asked.clear()
    async with door_school(tmp_path, clock, locks, **CHANGES) as house:
        await house.no_more("person", "head")
        house.clock.set(at("03 09:00"))
        assert await verb(house) == "unlock"
        assert house.doors.troubles() == []


async def test_law_6_a_lock_outlasts_a_start_with_a_wrong_clock(tmp_path: Path) -> None:
    """Two hours stay two hours: neither the start in another year nor the jump back ends them."""
    clock = FakeClock(LESSON)
    async with door_school(tmp_path, clock, **CHANGES) as house:
        await house.decide(lambda d: d.command("store", "lock", "head", "somebody outside"))
        locks = house.locks
    clock.set(WRONG)
    async with door_school(tmp_path, clock, locks, **CHANGES) as house:
        assert await verb(house) == "lock"
        house.clock.set(LESSON + timedelta(minutes=10))
        assert await verb(house) == "lock"
        await house.clock.advance(7300)
        assert await verb(house) == "unlock"


@pytest.mark.parametrize("ahead", [timedelta(minutes=8), timedelta(minutes=12)])
async def test_a_clock_that_has_caught_up_is_believed(tmp_path: Path, ahead: timedelta) -> None:
    """A few minutes make no difference; of more, timetables wait until they are over."""
    clock = FakeClock(LESSON + ahead)
    locks = await a_night(tmp_path, clock)
    clock.set(LESSON)
    async with door_school(tmp_path, clock, locks, **CHANGES) as house:
        doubted = ahead > timedelta(minutes=10)
        assert await verb(house) == ("lock" if doubted else "unlock")
        await house.clock.advance(ahead.total_seconds() + 60)
        assert await verb(house) == "unlock"
        assert house.doors.troubles() == []


async def test_a_clock_that_a_time_server_keeps_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the journal was written by a wrong one."""
    clock = FakeClock(at("02 14:00"))
    locks = await a_night(tmp_path, clock)
    clock.set(LESSON)
    load: Callable[..., Any] = Keeper.load
    monkeypatch.setattr(Keeper, "load", lambda *given: load(*given, lambda: True))
    async with door_school(tmp_path, clock, locks, **CHANGES) as house:
        assert await verb(house) == "unlock"
        assert house.doors.troubles() == []
