"""What every page asks for: what stands in the banner, in short, and what a door did lately."""

from __future__ import annotations

from pathlib import Path

import pytest
from protocol_school import DURESS, account, commander, protocol_school
from safety_school import SCHOOL

from hub.events import Event
from hub.safety.doors.past import MOST, door_past


async def test_the_banner_knows_what_is_in_force_and_the_fire_alarm(tmp_path: Path) -> None:
    """Each run in one line, the newest first, one that lies beneath named so; and no door."""
    async with protocol_school(tmp_path) as (house, desk):
        assert await desk.standing() == {
            "in_force": [],
            "duress": [],
            "fire": (await desk.view())["fire"],
        }
        hold = await desk.start("hold", "site", "head")
        lockdown = await desk.start("lockdown", "site", "head")
        standing = await desk.standing()
        assert [(each["id"], each["state"]) for each in standing["in_force"]] == [
            (lockdown["id"], "in_force"),
            (hold["id"], "covered"),
        ]
        first = standing["in_force"][0]
        assert first["directive"] == "Locks, lights, out of sight."
        assert first["area_words"] == lockdown["area_words"]
        assert not {"doors", "channels"} & set(first)
        await house.intake.accept(Event("fire.alarm", "input/panel", house.clock.now(), "wing"))
        assert (await desk.standing())["fire"]["state"] == "alarm"


async def test_under_duress_the_banner_is_gone_for_that_session_alone(tmp_path: Path) -> None:
    """Whoever gave the PIN for duress sees no banner; everybody else does."""
    async with protocol_school(tmp_path) as (house, desk):
        desk._pad._threads.matches = plain  # type: ignore[method-assign]
        await account(house, "head")
        run = await desk.start("lockdown", "site", "head")
        await commander(house, run, "head")
        await desk.end_by_pin(run["id"], "head", DURESS, "their session")
        assert (await desk.standing("their session"))["in_force"] == []
        assert len((await desk.standing("another"))["in_force"]) == 1
        assert len((await desk.standing())["in_force"]) == 1


async def test_under_duress_nothing_else_tells_that_it_goes_on(tmp_path: Path) -> None:
    """A fire alarm asks that session for no decision in a lockdown that it sees ended, and what
    lies beneath it is in force again there, as after a true end.
    """
    async with protocol_school(tmp_path) as (house, desk):
        desk._pad._threads.matches = plain  # type: ignore[method-assign]
        await account(house, "head")
        hold = await desk.start("hold", "site", "head")
        run = await desk.start("lockdown", "site", "head")
        await commander(house, run, "head")
        await desk.end_by_pin(run["id"], "head", DURESS, "their session")
        await house.intake.accept(Event("fire.alarm", "input/panel", house.clock.now(), "wing"))
        for shown in (await desk.standing("their session"), await desk.view("their session")):
            assert shown["fire"]["state"] == "alarm"
            assert shown["fire"]["decide_by"] is None
            assert [(each["id"], each["state"]) for each in shown["in_force"]] == [
                (hold["id"], "in_force")
            ]
        assert (await desk.run(hold["id"], "their session"))["state"] == "in_force"
        assert (await desk.run(hold["id"]))["state"] == "covered"
        assert (await desk.standing("another"))["fire"]["decide_by"] is not None
        await house.settled()


async def plain(stored: str | None, given: str) -> bool:
    """Compares a PIN that is stored in the open."""
    return stored == f"plain {given}"


async def test_a_door_tells_what_it_did_lately_in_words(tmp_path: Path) -> None:
    """The newest first, of this door alone, and not without end."""
    async with protocol_school(tmp_path) as (house, _):
        door, other = list(SCHOOL["doors"])[:2]
        for _ in range(MOST + 5):
            await house.intake.accept(Event("door.opened", "door/x", house.clock.now(), door))
        await house.intake.accept(Event("door.jammed", "door/x", house.clock.now(), door))
        await house.intake.accept(Event("door.closed", "door/y", house.clock.now(), other))
        past = await door_past(house.journal, lambda: house.intake.words, door)
        assert len(past) == MOST
        assert past[0]["type"] == "door.jammed"
        assert past[0]["text"].startswith(SCHOOL["doors"][door]["name"])
        assert past[0]["tone"] == "severe"
        assert {each["type"] for each in past[1:]} == {"door.opened"}
        with pytest.raises(KeyError):
            await door_past(house.journal, lambda: house.intake.words, "nowhere")
