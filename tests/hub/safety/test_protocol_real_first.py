"""What is real is never hidden by what is played."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from protocol_school import protocol_school
from safety_school import until
from test_protocol_fire import HUB, _events, alarm

from hub.errors import Refused


async def test_law_7_no_drill_begins_in_a_fire_alarm(tmp_path: Path) -> None:
    """Nobody is told to play that they stay in a room while a panel says that there is a fire; a
    real one can be started at any time, and a drill once a person has re-armed the doors.
    """
    async with protocol_school(tmp_path, hub=HUB) as (house, room):
        await alarm(house)
        for kind in ("fire.alarm", "fire.clear"):
            await alarm(house, kind)
            with pytest.raises(Refused, match=r"no drill begins now: .* fire alarm"):
                await room.start("lockdown", "gym", "head", drill=True, announce=True)
        assert (await room.start("lockdown", "site", "head"))["state"] == "in_force"
        await room.rearm("head")
        with pytest.raises(Refused, match="Lockdown is in force here"):
            await room.start("lockdown", "gym", "head", drill=True)
        await house.settled()


async def test_law_7_no_drill_is_announced_where_something_real_is_told(
    tmp_path: Path,
) -> None:
    """A siren, speaker or screen that tells of the lockdown in the wing says nothing of a drill in
    the gym, neither that it begins nor that it is over.
    """
    async with protocol_school(tmp_path) as (house, room):
        before = await room.start("lockdown", "gym", "head", drill=True, announce=True)
        await house.settled()
        await room.start("lockdown", "wing", "head")
        await house.settled()
        await room.ask_end(before["id"], "head")
        after = await room.start("evacuate", "gym", "head", drill=True, announce=True)
        await house.settled()
        heard = [(n.drill, n.title) for n in house.channels["siren"].sent]
        assert [played for played, _ in heard] == [True, False], heard
        channels = (await room.run(after["id"]))["channels"]
        siren = next(each for each in channels if each["channel"] == "siren")
        assert (siren["state"], siren["detail"]) == (
            "fenced", "a drill: this channel tells of a protocol that is real",
        )  # fmt: skip


@pytest.mark.parametrize("how", ["page", "device"])
async def test_law_3_a_press_withdraws_an_end_that_waits_for_a_second_person(
    tmp_path: Path, how: str
) -> None:
    """Whoever asked for the end did not know that somebody still presses: no all-clear goes out
    over them, and the end can be asked for anew.
    """
    async with protocol_school(tmp_path) as (house, room):
        run = await room.start("lockdown", "site", "head")
        await room.ask_end(run["id"], "head")
        if how == "page":
            await room.start("lockdown", "site", "desk")
        else:
            await room.press("lockdown", "gym", "Button", source="device/gym")
        with pytest.raises(Refused, match="nobody has asked for its end"):
            await room.end(run["id"], "officer")
        assert (await room.run(run["id"]))["state"] == "in_force"
        await room.ask_end(run["id"], "head")
        assert (await room.end(run["id"], "officer"))["state"] == "ended"
        await house.settled()
        who = "Front office" if how == "page" else "Button"
        line = f"{who} has started Lockdown again: its end has to be asked for anew"
        assert line in await house.story()


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_set_leaves_whoever_decides_in_a_fire_their_time(
    tmp_path: Path, hours: int
) -> None:
    """Nobody hears that the time is over because a time server set the clock, nor an hour late."""
    async with protocol_school(tmp_path, hub=HUB) as (house, room):
        await room.start("lockdown", "site", "head")
        await alarm(house)
        await house.settled()
        house.clock.set(house.clock.now() + timedelta(hours=hours))
        await room.look()

        async def moved() -> bool:
            return bool(await _events(house, "clock.moved"))

        await until(moved)
        await room.look()
        await house.clock.advance(80)
        await room.look()
        assert not await _events(house, "fire.undecided")
        await house.clock.advance(11)
        await room.look()
        assert len(await _events(house, "fire.undecided")) == 1
        await house.settled()
