"""Doors and the clock: timetables, holidays, single events, restarts, a clock that is set."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from door_school import Locks, config, door_school
from safety_school import SCHOOL

from hub.campus import Campus
from hub.rule_settings import Schedule
from hub.safety.rules.schedule import Timetable
from hub.testing import FakeClock

MORNING = datetime(2026, 3, 2, 7, 59, 50, tzinfo=UTC)  # a Monday
LESSONS: dict[str, Any] = {
    "name": "Lessons",
    "weekly": [{"days": ["mon", "tue"], "from": "08:00", "to": "15:00"}],
    "closed": [{"from": "2026-03-09", "to": "2026-03-10", "reason": "Spring break"}],
    "also": [
        {"date": "2026-03-02", "from": "18:00", "to": "21:00", "reason": "Parents' evening"},
        {"date": "2026-03-09", "from": "10:00", "to": "11:00"},
        {"date": "2026-03-06", "from": "22:00", "to": "01:00"},
    ],
}
DOORS = SCHOOL["doors"] | {"store": SCHOOL["doors"]["store"] | {"unlocked": "lessons"}}
CHANGES: dict[str, Any] = {
    "doors": DOORS, "schedules": SCHOOL["schedules"] | {"lessons": LESSONS},
}  # fmt: skip


def at(text: str) -> datetime:
    """A moment of March 2026, in UTC: `02 18:00`."""
    return datetime.fromisoformat(f"2026-03-{text}:00+00:00")


async def test_a_timetable_unlocks_and_locks_its_door(tmp_path: Path) -> None:
    """At the hour, once each; its page says which timetable and until when."""
    async with door_school(tmp_path, FakeClock(MORNING), **CHANGES) as house:
        assert house.lock.asked == [("store", "lock")]
        await house.pass_time(12)
        assert house.lock.asked == [("store", "lock"), ("store", "unlock")]
        intent = house.view("store")["intent"]
        assert intent is not None
        assert (intent["owner_kind"], intent["by"]) == ("schedule", "Lessons")
        assert intent["reason"] == "Lessons, until 15:00 on Monday 2 March"


async def test_people_and_protocols_go_before_a_timetable(tmp_path: Path) -> None:
    """What the timetable wants meanwhile holds once they are done, and not before."""
    async with door_school(tmp_path, FakeClock(MORNING), **CHANGES) as house:
        await house.want("store", "lock", "protocol", "Secure")
        await house.pass_time(15)
        assert ("store", "unlock") not in house.lock.asked
        await house.no_more("protocol", "Secure")
        assert house.lock.asked[-1] == ("store", "unlock")


async def test_law_6_after_a_restart_schedules_are_recomputed_for_now(tmp_path: Path) -> None:
    """A hub that was away over the end of lessons locks at its start, and replays nothing of what
    it missed; one that comes back to the same hours asks for nothing.
    """
    clock = FakeClock(MORNING)
    async with door_school(tmp_path, clock, **CHANGES) as house:
        await house.pass_time(12)
        locks = house.locks
    for moment, asked in (("02 12:00", []), ("03 12:00", []), ("03 16:00", [("store", "lock")])):
        house.lock.asked.clear()
        clock.set(at(moment))
        async with door_school(tmp_path, clock, locks, **CHANGES) as house:
            await house.pass_time(5)
            assert house.lock.asked == asked, moment


async def test_schedules_follow_a_clock_that_is_set(tmp_path: Path) -> None:
    """Forward or back: within two seconds the door is as the timetable says at that hour."""
    async with door_school(tmp_path, FakeClock(MORNING), **CHANGES) as house:
        for moment, verb in (("02 12:00", "unlock"), ("02 07:00", "lock"), ("02 19:00", "unlock")):
            house.clock.set(at(moment))
            await house.pass_time(3)
            assert house.view("store")["intent"]["verb"] == verb  # type: ignore[index]
            assert house.lock.asked[-1] == ("store", verb)


async def test_another_configuration_counts_from_now_on(tmp_path: Path) -> None:
    """A timetable that a door loses is over: the door is locked again; a door that is gone is
    asked for nothing, and nothing of it stays.
    """
    clock = FakeClock(MORNING + timedelta(minutes=1))
    async with door_school(tmp_path, clock, **CHANGES) as house:
        await house.want("wing_east", "unlock", "person", "desk")
        assert ("store", "unlock") in house.lock.asked
        house.lock.asked.clear()
        doors = {name: SCHOOL["doors"][name] for name in ("store", "old_gate")}
        new = config(doors=doors, rules={}, schedules=CHANGES["schedules"])
        house.intake.reconfigure(new, Campus(new.places))
        house.doors.reconfigure(new, Campus(new.places))
        house.doors.attach("locks", house.lock)
        await house.pass_time(3)
        assert house.lock.asked == [("store", "lock")]
        assert house.view("store")["intent"] is None


def test_a_single_event_is_in_force_and_then_all_is_as_before() -> None:
    """On its date alone, also on a closed one and past midnight."""
    times = Timetable(Schedule.model_validate(LESSONS), "UTC")
    for moment, inside in (
        ("02 17:59", False), ("02 18:00", True), ("02 20:59", True), ("02 21:00", False),
        ("03 18:30", False), ("09 09:00", False), ("09 10:30", True), ("09 11:00", False),
        ("06 21:59", False), ("06 23:00", True), ("07 00:59", True), ("07 01:00", False),
    ):  # fmt: skip
        assert times.in_force(at(moment)) is inside, moment


def test_the_changes_of_a_single_event_are_foreseen() -> None:
    """Whoever waits for the next change wakes for its beginning and its end."""
    times, moment, seen = Timetable(Schedule.model_validate(LESSONS), "UTC"), at("02 16:00"), []
    for _ in range(7):
        moment = times.next_change(moment)
        seen.append(f"{moment:%d %H:%M}")
    assert seen == [
        "02 18:00", "02 21:00", "03 08:00", "03 15:00", "06 22:00", "07 01:00", "09 10:00",
    ]  # fmt: skip


async def test_a_door_that_is_slow_does_not_hold_up_the_timetable_of_another(
    tmp_path: Path,
) -> None:
    """Each door has its own lane: at the hour the one that answers is open, whatever others do."""
    both = DOORS | {"wing_east": SCHOOL["doors"]["wing_east"] | {"unlocked": "lessons"}}
    clock = FakeClock(MORNING)
    locks = Locks(clock, list(DOORS))
    locks.away.add("store")
    changes = CHANGES | {"doors": both}
    async with door_school(tmp_path, clock, {"locks": locks}, **changes) as house:
        await house.pass_time(12)
        assert house.view("wing_east")["reported"]["lock"] == "unlocked"
        assert house.view("store")["conclusion"] == "unknown"
