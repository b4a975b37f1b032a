"""What is played in a drill and what is real never take each other's turn in a rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safety_school import School, school

HIGH = {"severity": "high", "tell": ["sro"], "through": ["post"]}


def rule(**changes: Any) -> dict[str, Any]:
    """A rule about forced doors, changed."""
    return {"rules": {"forced": {"name": "Forced", "when": "door.forced", "alert": HIGH} | changes}}


async def happens(house: School, kind: str, *, drill: bool, door: str = "store") -> None:
    """Something at a door, for real or in a drill, and ten seconds."""
    event = house.door_event(kind, door)
    data = {**event.data, "drill": True} if drill else event.data
    await house.intake.accept(replace(event, data=data))
    await house.clock.advance(10)


async def raised(house: School) -> list[bool]:
    """For each alert, oldest first, whether it is part of a drill."""
    cases = {one["id"]: one["drill"] for one in await house.intake.incidents()}
    found = sorted(await house.intake.alerts(), key=lambda each: each["opened"])
    return [cases[each["incident"]] for each in found]


@pytest.mark.parametrize("drill", [True, False], ids=["after a drill", "before one"])
async def test_a_cooldown_keeps_nothing_of_the_other_back(tmp_path: Path, drill: bool) -> None:
    """A real alarm right after a drill is told, and a drill right after it is played."""
    async with school(tmp_path, **rule(cooldown="1h")) as house:
        await happens(house, "door.forced", drill=drill)
        await happens(house, "door.forced", drill=drill)
        await happens(house, "door.forced", drill=not drill)
        assert await raised(house) == [drill, not drill]
    async with school(tmp_path, house.clock, **rule(cooldown="1h")) as house:
        for again in (drill, not drill):  # the memory of a restart keeps them apart as well
            await happens(house, "door.forced", drill=again)
        assert await raised(house) == [drill, not drill]


@pytest.mark.parametrize("same", ["door", "anything", "subject"])
async def test_a_drill_does_not_count_for_what_is_real(tmp_path: Path, same: str) -> None:
    """Two real ones and a played one are not three; the third real one is."""
    count = {"at_least": 3, "within": "10m"}
    async with school(tmp_path, **rule(count=count, same=same)) as house:
        for drill in (False, False, True):
            await happens(house, "door.forced", drill=drill)
        assert await raised(house) == []
        await happens(house, "door.forced", drill=False)
        assert await raised(house) == [False]


async def test_a_drill_ends_nothing_that_is_real(tmp_path: Path) -> None:
    """A real door that stands open is told, whatever a drill says of it."""
    async with school(tmp_path, **rule(when="door.opened", lasting="1m")) as house:
        await house.clock.advance(60)
        await happens(house, "door.opened", drill=False)
        await happens(house, "door.closed", drill=True)
        await house.clock.advance(60)
        await house.intake.lapse()
        assert await raised(house) == [False]


async def test_matches_join_the_alert_of_their_own_world(tmp_path: Path) -> None:
    """A drill and the same for real beside it, in turn, are two alerts and no more."""
    async with school(tmp_path, **rule()) as house:
        for drill in (False, True, False, True, False):
            await happens(house, "door.forced", drill=drill)
        assert await raised(house) == [False, True]
        assert sorted(each["count"] for each in await house.intake.alerts()) == [2, 3]
