"""A configuration that changes while a protocol is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protocol_school import DOORS, PROTOCOLS, protocol_school
from safety_school import SCHOOL, School

from hub.campus import Campus
from hub.config import Config
from hub.protocol_views import ProtocolRunView
from hub.safety.decide import Decider

LESSONS = {"name": "Lessons", "weekly": [{"days": ["mon"], "from": "00:00", "to": "24:00"}]}


async def reconfigured(house: School, **changes: Any) -> None:
    """The hub takes over another file, as the keeper of doors does then."""
    config = Config.model_validate(SCHOOL | {"protocols": PROTOCOLS, "doors": DOORS} | changes)
    house.intake.reconfigure(config, Campus(config.places))
    await house.intake.decide(Decider.see_to_hours)
    await house.settled()


def states(run: ProtocolRunView) -> dict[str, tuple[str, str]]:
    """How each door of a run stands."""
    return {each["door"]: (each["state"], each["detail"]) for each in run["doors"]}


async def test_law_5_a_door_that_is_no_longer_configured_is_not_shown_as_secured(
    tmp_path: Path,
) -> None:
    """It is named, and asked again once it is back: the lockdown is what it was."""
    async with protocol_school(tmp_path) as (house, room):
        run = await room.start("lockdown", "site", "head")
        await house.settled()
        assert (await room.run(run["id"]))["secured"] == 3
        await reconfigured(house, doors={n: b for n, b in DOORS.items() if n != "store"}, rules={})
        seen = await room.run(run["id"])
        assert states(seen)["store"] == ("suspended", "the door is no longer configured")
        assert seen["secured"] == 2
        assert "the door is no longer configured" in seen["sentence"]
        house.doors.asked.clear()
        await reconfigured(house)
        seen = await room.run(run["id"])
        assert (seen["secured"], [asked[:2] for asked in house.doors.asked]) == (
            3, [("store", "lock")],
        )  # fmt: skip
        await reconfigured(house)
        assert len(house.doors.asked) == 1


async def test_law_6_a_door_by_another_name_is_locked_while_a_lockdown_is_in_force(
    tmp_path: Path,
) -> None:
    """Who renames a door in the middle of it unlocks nothing by that, whatever its timetable says;
    what was started last still wins there, and the end lets go of it.
    """
    renamed = {name: block for name, block in DOORS.items() if name != "store"}
    renamed["chemistry"] = DOORS["store"] | {"unlocked": "lessons"}
    schedules = SCHOOL["schedules"] | {"lessons": LESSONS}
    async with protocol_school(tmp_path) as (house, room):
        await room.start("secure", "site", "head")
        run = await room.start("lockdown", "site", "head")
        await house.settled()
        house.doors.asked.clear()
        await reconfigured(house, doors=renamed, schedules=schedules, rules={})
        assert [asked[:2] for asked in house.doors.asked] == [("chemistry", "lock")]
        seen = states(await room.run(run["id"]))
        assert seen["chemistry"] == ("secured", "")
        await room.ask_end(run["id"], "head")
        await room.end(run["id"], "officer")
        await house.settled()
        assert [asked[:2] for asked in house.doors.asked][-1] == ("chemistry", "unlock")


async def test_a_drill_takes_no_further_doors(tmp_path: Path) -> None:
    """What a drill said is real is all that moves in it."""
    fewer = {name: block for name, block in DOORS.items() if name != "store"}
    async with protocol_school(tmp_path, doors=fewer, rules={}) as (house, room):
        run = await room.start("lockdown", "site", "head", drill=True, doors_real=True)
        await house.settled()
        house.doors.asked.clear()
        await reconfigured(house)
        assert house.doors.asked == []
        assert len((await room.run(run["id"]))["doors"]) == 2
