"""Random days at the doors: persons, protocols, fires, keys, jams, dead controllers, restarts."""

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from door_school import DoorSchool, Locks, config
from safety_school import EVENING, SCHOOL

from hub.errors import Refused
from hub.kinds.access_control import LOCK_VERBS
from hub.safety.doors import fire, intents
from hub.testing import FakeClock

DOORS = ("wing_east", "store", "old_gate")
VERBS = ("lock", "unlock", "hold_open", "lockdown", "momentary", "lockdown_release")
LESSONS = {"weekly": [{"from": "20:20", "to": "20:30"}]}
CHANGES: dict[str, Any] = {
    "doors": SCHOOL["doors"] | {"store": SCHOOL["doors"]["store"] | {"unlocked": "lessons"}},
    "schedules": SCHOOL["schedules"] | {"lessons": LESSONS},
    "rules": {},
}
STEPS = 70


class Day:
    """One random day, over as many lives of the hub as it takes."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.chance = path, random.Random(seed)
        self.clock = FakeClock(EVENING)
        self.locks = Locks(self.clock, list(DOORS))
        self.house: DoorSchool
        self.runs: list[str] = []

    async def begin(self) -> None:
        """Another life of the hub."""
        locks = {"locks": self.locks}
        self.house = DoorSchool(self.path, config(**CHANGES), self.clock, locks)
        await self.house.start()

    async def step(self) -> None:
        """Something happens, and what must never be is looked for."""
        asked, before = len(self.locks.asked), await self._suspended()
        door, what = self.chance.choice(DOORS), self.chance.choice(STEP)
        await what(self, door)
        await self.house.settle()
        after = await self._suspended()
        for where, verb in self.locks.asked[asked:]:
            assert verb not in LOCK_VERBS or where != "old_gate", "a door without attested egress"
            if before and after:
                assert verb not in (*LOCK_VERBS, "momentary"), "during a fire alarm"
        for view in self.house.doors.views():
            if view["reported"]["stale"]:
                assert view["conclusion"] != "secured"

    async def _suspended(self) -> bool:
        return (await self.house.journal.read(fire.read)).suspended

    async def person(self, door: str) -> None:
        verb: Any = self.chance.choice(VERBS)
        with suppress(Refused):
            await self.house.intake.command_door(door, verb, "desk", "", lasts=30)

    async def protocol(self, door: str) -> None:
        run, verb = f"run {len(self.runs)}", self.chance.choice(("lock", "lockdown", "unlock"))
        self.runs.append(run)
        for each in DOORS:
            with suppress(Refused):
                await self.house.want(each, verb, "protocol", run)  # type: ignore[arg-type]

    async def all_clear(self, door: str) -> None:
        if self.runs:
            await self.house.no_more("protocol", self.runs.pop())

    async def fire(self, door: str) -> None:
        await self.house.happens("fire.alarm", source="panel", place="gym")

    async def rearm(self, door: str) -> None:
        with suppress(Refused):
            await self.house.decide(lambda d: d.rearm("head"))

    async def key(self, door: str) -> None:
        self.locks.turned(door, self.chance.choice(("locked", "unlocked")))  # type: ignore[arg-type]

    async def trouble(self, door: str) -> None:
        kind = self.chance.choice((self.locks.away, self.locks.jammed, self.locks.deaf))
        kind.symmetric_difference_update({door})

    async def time(self, door: str) -> None:
        await self.house.pass_time(self.chance.choice((1, 3, 7)))

    async def restart(self, door: str) -> None:
        await self.house.stop()
        await self.begin()


STEP = (
    *(Day.person, Day.protocol, Day.all_clear, Day.fire, Day.rearm, Day.rearm, Day.key),
    *(Day.trouble, Day.time, Day.time, Day.restart),
)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_law_1_and_6_hold_on_any_day_and_doors_end_as_they_are_wanted(
    tmp_path: Path, seed: int
) -> None:
    """No lock verb where or while there may be none; once every trouble is mended and a minute has
    passed, each door is as what wins there wants it, and no page says otherwise.
    """
    day = Day(tmp_path, seed)
    await day.begin()
    for _ in range(STEPS):
        await day.step()
    for trouble in (day.locks.away, day.locks.jammed, day.locks.deaf):
        trouble.clear()
    for door in DOORS:
        day.locks.says(door, lock=day.locks.locks[door])
    await day.house.pass_time(45)
    for door, row in (await day.house.journal.read(intents.winners)).items():
        wanted = "locked" if row.verb in LOCK_VERBS else "unlocked"
        view = day.house.view(door)
        if not row.given_up:
            assert (day.locks.locks[door], view["reported"]["lock"]) == (wanted, wanted), row
            assert view["differs"] == ""
    assert (await day.house.intake.counts())["actions"]["pending"] == 0
    await day.house.stop()
