"""Doors whose controller leaves a lockdown for one passage, as ONVIF's and 2N's do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from door_school import DoorSchool, Locks, door_school
from protocol_school import DOORS, PROTOCOLS
from safety_school import EVENING
from test_protocol_doors import SCHOOL, desk_of

from hub.kinds.access_control import Verb
from hub.protocols import Protocols
from hub.safety.alerts import plan
from hub.safety.decide import Decider
from hub.testing import FakeClock

OPEN_FOR_S = 5.0
STRICT = PROTOCOLS | {
    "lockdown": {"doors": [{"verb": "lockdown", "place": "site"}], "through": ["console"]}
}


class Panel(Locks):
    """A controller with a lockdown of its own, which a passage ends."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock, list(DOORS))
        self.down: set[str] = set()
        self.passes: dict[str, float] = {}

    async def command(self, door: str, verb: Verb, key: str) -> None:
        if door in self.deaf:
            return
        self.passes.pop(door, None)
        self.down -= {door}
        if verb == "momentary":
            self.asked.append((door, verb))
            self.passes[door] = self.clock.monotonic() + OPEN_FOR_S
            self.locks[door] = "unlocked"
            self._says(door)
            return
        if verb == "lockdown":
            self.down.add(door)
        await super().command(door, verb, key)
        self._says(door)

    async def refresh(self, door: str) -> None:
        if self.clock.monotonic() >= self.passes.get(door, float("inf")):
            del self.passes[door]
            self.locks[door] = "locked"
        self._says(door)

    def _says(self, door: str) -> None:
        self.says(door, lock=self.locks[door], answers=True, lockdown=door in self.down)


def school(path: Path) -> Any:
    """A school whose doors are behind such a panel."""
    clock = FakeClock(EVENING)
    return door_school(path, clock, {"locks": Panel(clock)}, **SCHOOL | {"protocols": STRICT})


async def locked_down(house: DoorSchool, desk: Protocols) -> str:
    """The run of a lockdown that is in force at every door."""
    run = (await desk.start("lockdown", "site", "head"))["id"]
    await house.pass_time(12)
    house.lock.asked.clear()
    return str(run)


async def enter(house: DoorSchool) -> None:
    """A responder is let in at the store."""
    await house.intake.command_door("store", "momentary", "officer", "", may_enter=True)


async def test_a_responders_entry_is_no_difference_and_the_lockdown_is_asked_for_again(
    tmp_path: Path,
) -> None:
    """Nobody hears that the door is otherwise: it was to be. It is locked down again at once, and
    the protocol's page counts it all the while.
    """
    async with school(tmp_path) as house:
        desk = desk_of(house)
        run = await locked_down(house, desk)
        for _ in range(2):
            await enter(house)
            for _ in range(30):
                await house.pass_time(1)
                assert (await desk.run(run))["secured"] == 3
        assert house.lock.asked == [("store", "momentary"), ("store", "lockdown")] * 2
        assert await house.types("door.differs", "door.agrees") == []


async def test_an_entry_behind_which_no_lockdown_comes_is_told(tmp_path: Path) -> None:
    """What was asked for again and did not come is as any door that is otherwise."""
    async with school(tmp_path) as house:
        desk = desk_of(house)
        run = await locked_down(house, desk)
        await enter(house)
        await house.pass_time(4)
        house.lock.deaf.add("store")
        await house.pass_time(40)
        assert await house.types("door.differs") == ["door.differs"]
        assert (await desk.run(run))["secured"] == 2


async def test_evacuating_in_a_fire_alarm_releases_a_lockdown_before_it_opens(
    tmp_path: Path,
) -> None:
    """Also where the alarm has ended the wish for it: a controller that holds its doors would open
    none; and where a responder is just passing, the door stays open behind them. Nothing of it is
    told as a difference.
    """
    async with school(tmp_path) as house:
        desk = desk_of(house)
        run = await locked_down(house, desk)
        await enter(house)
        await house.pass_time(1)
        await house.happens("fire.alarm", "site", place="site", source="input/panel")
        out = (await desk.decide_fire(run, "evacuate", "head"))["id"]
        await house.pass_time(4)
        for door in DOORS:
            asked = [verb for each, verb in house.lock.asked if each == door]
            assert [verb for verb in asked if verb != "momentary"] == ["lockdown_release", "unlock"]
        await house.pass_time(30)
        assert (await desk.run(out))["secured"] == 3
        assert await house.types("door.differs") == []


async def test_a_lockdown_that_was_only_played_is_not_released(tmp_path: Path) -> None:
    """What a drill left undone locked no door down: it is opened at once, with nothing before it,
    also after what was really asked of it once.
    """

    def play(decider: Decider) -> None:
        words = decider._charter.words
        asked = plan.command(words, "store", "lockdown", "officer", "drill", "", "")
        decider._only_written(asked, "a drill: no door moves")

    async with school(tmp_path) as house:
        await house.intake.command_door("store", "lock", "head", "")
        await house.pass_time(4)
        await house.decide(play)
        await house.intake.command_door("store", "unlock", "head", "")
        await house.pass_time(4)
        assert house.lock.asked == [("store", "lock"), ("store", "unlock")]
