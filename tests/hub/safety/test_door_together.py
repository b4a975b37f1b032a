"""A controller's own lockdown: one call for all, and each door by itself where that fails."""

import asyncio
from pathlib import Path
from typing import Any

from door_school import DoorSchool, Locks, door_school
from safety_school import EVENING, SCHOOL

from hub import CommandFailed
from hub.kinds.access_control import Verb
from hub.testing import FakeClock

DOORS = {
    name: SCHOOL["doors"]["store"] | {"name": name.title()} for name in ("north", "south", "east")
}


class Panel(Locks):
    """A controller that can lock down as a whole."""

    def __init__(self, clock: FakeClock, doors: list[str]) -> None:
        super().__init__(clock, doors)
        self.whole: list[bool] = []
        self.refuses = False
        self.gate: asyncio.Event | None = None

    async def lockdown_all(self, engaged: bool, key: str) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.refuses:
            raise CommandFailed("emergency mode is not licensed")
        self.whole.append(engaged)
        for door in self.locks:
            if door in self.deaf:
                continue
            self.locks[door] = "locked"
            self.says(door, lock="locked", answers=True)


def panel() -> tuple[FakeClock, Panel]:
    """A panel and its clock."""
    clock = FakeClock(EVENING)
    made = Panel(clock, list(DOORS))
    made.locks = dict.fromkeys(DOORS, "unlocked")
    return clock, made


def school(path: Path, clock: FakeClock, made: Panel, **changes: Any) -> Any:
    """A school whose doors all hang on that panel."""
    return door_school(path, clock, {"locks": made}, rules={}, **({"doors": DOORS} | changes))


async def lock_down(house: DoorSchool, *doors: str, verb: Verb = "lockdown") -> None:
    """One transaction that wants all of these locked down, as a protocol's start does."""

    def work(decider: Any) -> None:
        for door in doors:
            decider.want(door, verb, "protocol", "Lockdown", "Lockdown")

    await house.decide(work)


async def test_a_lockdown_of_every_door_is_one_call(tmp_path: Path) -> None:
    """Each door still confirms by itself, and none is asked twice; so does the release."""
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        await house.pass_time(5)
        assert (made.whole, made.asked) == ([True], [])
        confirmed = await house.told("action.confirmed")
        assert sorted(event.subject for event in confirmed) == sorted(DOORS)
        await house.no_more("protocol", "Lockdown")
        await house.pass_time(5)
        assert (made.whole, made.asked) == ([True, False], [])


async def test_a_door_whose_turn_comes_late_joins_the_call(tmp_path: Path) -> None:
    """Each attempt is a commit of its own; who comes after the call is done asks how it stands."""
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        made.says("south", lock="unlocked")
        await house.settle()
        ending = asyncio.create_task(house.doors.perform("south", "lockdown", "late", 8))
        await house.settle()
        assert (await ending).state == "confirmed"
        assert (made.whole, made.asked) == ([True], [])


async def test_a_door_that_does_not_confirm_is_asked_by_itself(tmp_path: Path) -> None:
    """After two seconds, and only that one."""
    clock, made = panel()
    made.deaf.add("south")
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        await house.pass_time(1)
        assert made.asked == []
        made.deaf.clear()
        made.jammed.add("south")
        await house.pass_time(2)
        assert made.whole == [True]
        assert set(made.asked) == {("south", "lockdown")}


async def test_a_call_that_fails_costs_no_time(tmp_path: Path) -> None:
    """Each door is asked by itself at once."""
    clock, made = panel()
    made.refuses = True
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        assert sorted(made.asked) == sorted((door, "lockdown") for door in DOORS)
        assert made.whole == []


async def test_a_call_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """After two seconds the doors are asked by themselves, whatever becomes of it."""
    clock, made = panel()
    made.gate = asyncio.Event()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        await house.pass_time(3)
        assert sorted(made.asked) == sorted((door, "lockdown") for door in DOORS)
        await house.pass_time(15)


async def test_law_1_no_whole_lockdown_where_a_door_attests_no_egress(tmp_path: Path) -> None:
    """One door without `egress: free` behind the controller, and it is never called as a whole."""
    clock, made = panel()
    doors = DOORS | {"east": {k: v for k, v in DOORS["east"].items() if k != "egress"}}
    async with school(tmp_path, clock, made, doors=doors) as house:
        await lock_down(house, "north", "south")
        await house.pass_time(3)
        assert made.whole == []
        assert sorted(made.asked) == [("north", "lockdown"), ("south", "lockdown")]


async def test_doors_that_are_not_part_of_it_are_not_locked_down(tmp_path: Path) -> None:
    """A lockdown of one wing, or a person's word for one door, is asked door by door."""
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, "north", "south")
        await house.intake.command_door("east", "lockdown", "desk", "")
        await house.pass_time(3)
        assert made.whole == []


async def test_law_1_a_fire_alarm_stops_a_call_on_its_way(tmp_path: Path) -> None:
    """A whole lockdown that has not reached the controller yet never does."""
    clock, made = panel()
    made.gate = asyncio.Event()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        await house.happens("fire.alarm", place="gym", source="panel")
        made.gate.set()
        await house.pass_time(20)
        assert (made.whole, made.asked) == ([], [])


async def test_one_door_released_early_leaves_the_others_locked_down(tmp_path: Path) -> None:
    """While another door is still wanted locked down, each is released by itself."""
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        await house.decide(lambda d: d.want_no_more("protocol", "Lockdown", "cleared", ["north"]))
        await house.pass_time(2)
        assert (made.whole, made.asked) == ([True], [("north", "lockdown_release")])


async def test_law_7_a_drill_calls_no_controller_as_a_whole(tmp_path: Path) -> None:
    """Its own lockdown also moves, and tells, what no file names: in a drill each door is asked."""
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        for door in DOORS:
            await house.want(door, "lockdown", "protocol", "Played", drill=True)
        await house.pass_time(3)
        assert made.whole == []
        assert sorted(set(made.asked)) == sorted((door, "lockdown") for door in DOORS)


async def test_law_3_no_person_ends_a_lockdown_that_somebody_began_at_the_controller(
    tmp_path: Path,
) -> None:
    """One door that is locked down and released, or only released, is that door's concern: the
    hub ends as a whole only what it has begun as a whole.
    """
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        for verb in ("lockdown", "lockdown_release", "lockdown_release"):
            await house.intake.command_door("north", verb, "desk", "")
            await house.pass_time(3)
        assert made.whole == []
        assert made.asked[0] == ("north", "lockdown")
        assert set(made.asked[1:]) == {("north", "lockdown_release")}


async def test_law_6_a_whole_lockdown_is_ended_as_a_whole_after_a_restart(tmp_path: Path) -> None:
    """Also where one of its doors was opened for a responder since."""
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        await house.pass_time(3)
        await house.intake.command_door("north", "momentary", "desk", "", may_enter=True)
        await house.pass_time(3)
    async with school(tmp_path, clock, made) as house:
        await house.pass_time(3)
        await house.no_more("protocol", "Lockdown")
        await house.pass_time(3)
        assert (made.whole[-1], made.whole.count(False)) == (False, 1)


async def test_law_6_the_end_of_a_whole_lockdown_survives_a_kill(tmp_path: Path) -> None:
    """Its releases stand in the journal, and the hub is killed before any was handed over."""
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        await house.pass_time(3)
        made.gate = asyncio.Event()
        await house.no_more("protocol", "Lockdown")
    made.gate = None
    async with school(tmp_path, clock, made) as house:
        await house.pass_time(15)
        assert made.whole == [True, False]


async def test_an_end_that_the_controller_did_not_take_is_asked_for_again(tmp_path: Path) -> None:
    """A release of a door alone does not end a lockdown of the whole."""
    clock, made = panel()
    async with school(tmp_path, clock, made) as house:
        await lock_down(house, *DOORS)
        await house.pass_time(3)
        made.refuses = True
        await house.no_more("protocol", "Lockdown")
        await house.pass_time(12)
        made.refuses = False
        await house.intake.command_door("north", "lockdown_release", "desk", "")
        await house.pass_time(3)
        assert made.whole == [True, False]
