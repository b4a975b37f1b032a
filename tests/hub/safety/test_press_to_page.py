"""One press from the button to the page: wire, read-back, a fire alarm in the middle, a kill."""

from pathlib import Path
from typing import Any

import pytest
from door_school import DoorSchool, Locks, door_school
from protocol_school import DOORS, PROTOCOLS, protocol_school
from safety_school import EVENING

from hub.kinds.access_control import LOCK_VERBS
from hub.protocol_settings import Does
from hub.protocols import Protocols
from hub.safety.protocols.starts import Start
from hub.testing import FakeClock

LOCKDOWN = PROTOCOLS["lockdown"] | {"doors": [{"verb": "lockdown", "place": "site"}]}
CHANGES: dict[str, Any] = {
    "protocols": PROTOCOLS | {"lockdown": LOCKDOWN}, "doors": DOORS, "rules": {},
}  # fmt: skip
PRESS = Start("lockdown", "site", device="button", place="gym", source="device/button", key="k1")


async def page(house: DoorSchool) -> tuple[str, dict[str, str]]:
    """What the page of the run says, and how each of its doors stands there."""
    desk = Protocols(house.intake, frozenset)
    (shown,) = (await desk.view())["in_force"]
    run = await desk.run(shown["id"])
    return run["sentence"], {door["door"]: door["state"] for door in run["doors"]}


async def test_one_press_from_the_button_to_the_page_and_through_a_fire_and_a_kill(
    tmp_path: Path,
) -> None:
    """Pressed twice it is one start. What has answered is secured, what has not is named; from a
    fire alarm on nothing locks, over a kill, until a person re-arms: then all of it is asked again.
    """
    clock = FakeClock(EVENING)
    locks = Locks(clock, list(DOORS))
    locks.locks = dict.fromkeys(DOORS, "unlocked")
    locks.deaf.add("store")
    locks.jammed.add("old_gate")
    async with door_school(tmp_path, clock, {"locks": locks}, **CHANGES) as house:
        for _ in range(2):
            await house.decide(lambda d: d.start_protocol(PRESS))
        assert sorted(locks.asked) == sorted((door, "lockdown") for door in DOORS)
        locks.says("wing_east", position="closed")
        await house.settle()
        words, states = await page(house)
        assert words.startswith("1 of 3 secured in 0.0 s; ")
        assert states == {"wing_east": "secured", "store": "waiting", "old_gate": "retrying"}
        assert house.view("wing_east")["conclusion"] == "secured"
        assert {house.view(door)["conclusion"] for door in ("store", "old_gate")} <= {
            "unknown", "unlocked", "not_secured",
        }  # fmt: skip
        await house.happens("fire.alarm", place="gym", source="panel")
        asked = len(locks.asked)
        locks.says("store", lock="locked", answers=True)  # of before: it confirms nothing now
        await house.pass_time(20)
        assert not [verb for _, verb in locks.asked[asked:] if verb in LOCK_VERBS]
        assert house.view("store")["requested"]["state"] == "failed"  # type: ignore[index]
        _, states = await page(house)
        assert set(states.values()) == {"suspended"}
    asked = len(locks.asked)
    locks.deaf.clear()
    locks.jammed.clear()
    locks.locks = dict.fromkeys(DOORS, "unlocked")  # the panel's own doing
    async with door_school(tmp_path, clock, {"locks": locks}, **CHANGES) as house:
        await house.pass_time(20)
        assert locks.asked[asked:] == []
        await house.decide(lambda d: d.rearm("head"))
        await house.pass_time(3)
        assert sorted(locks.asked[asked:]) == sorted((door, "lockdown") for door in DOORS)
        words, states = await page(house)
        assert set(states.values()) == {"secured"}
        assert words.startswith("3 of 3 secured")
        assert {house.view(door)["reported"]["lock"] for door in DOORS} == {"locked"}
    async with door_school(tmp_path, clock, {"locks": locks}, **CHANGES) as house:
        asked = len(locks.asked)
        locks.turned("store", "unlocked")
        await house.pass_time(5)
        assert locks.asked[asked:] == [("store", "lockdown")]
        locks.says("store", position="closed")
        await house.settle()
        assert house.view("store")["conclusion"] == "secured"


async def test_law_5_a_locked_door_that_stands_open_is_not_counted_as_secured(
    tmp_path: Path,
) -> None:
    """Its bolt says locked at once; it counts once it has been closed, and not before."""
    clock = FakeClock(EVENING)
    locks = Locks(clock, list(DOORS))
    async with door_school(tmp_path, clock, {"locks": locks}, **CHANGES) as house:
        for door in DOORS:
            locks.says(door, lock="unlocked", position="open" if door == "store" else "closed")
        await house.settle()
        await house.decide(lambda d: d.start_protocol(PRESS))
        for seconds, said in ((5, "it stands open"), (10, "not confirmed, retrying")):
            words, states = await page(house)
            assert states["store"] != "secured"
            await house.pass_time(seconds)
            words, states = await page(house)
            assert words == f"2 of 3 secured in 0.0 s; Chemistry store: {said}"
        locks.says("store", position="closed")
        await house.pass_time(2)
        assert (await page(house))[1]["store"] == "secured"


async def test_a_door_that_is_closed_soon_is_secured_then(tmp_path: Path) -> None:
    """Somebody was just passing."""
    clock = FakeClock(EVENING)
    locks = Locks(clock, list(DOORS))
    async with door_school(tmp_path, clock, {"locks": locks}, **CHANGES) as house:
        locks.says("store", lock="unlocked", position="open")
        await house.settle()
        await house.decide(lambda d: d.start_protocol(PRESS))
        await house.pass_time(3)
        assert (await page(house))[1]["store"] == "waiting"
        locks.says("store", position="closed")
        await house.settle()
        assert await page(house) == ("3 of 3 secured in 3.0 s", dict.fromkeys(DOORS, "secured"))


async def test_a_door_that_was_closed_while_the_hub_was_away_is_secured(tmp_path: Path) -> None:
    """What the contact says after a restart is no event, and counts all the same."""
    clock = FakeClock(EVENING)
    locks = Locks(clock, list(DOORS))
    async with door_school(tmp_path, clock, {"locks": locks}, **CHANGES) as house:
        locks.says("store", lock="unlocked", position="open")
        await house.settle()
        await house.decide(lambda d: d.start_protocol(PRESS))
    async with door_school(tmp_path, clock, {"locks": locks}, **CHANGES) as house:
        desk = Protocols(house.intake, frozenset, house.doors.views)
        for position, state in (("open", "waiting"), ("closed", "secured")):
            locks.says("store", lock="locked", position=position)
            await house.pass_time(1)
            await desk.look()
            assert (await page(house))[1]["store"] == state


@pytest.mark.parametrize("does", ["lockdown", "help"])
async def test_no_press_is_lost_for_words_that_cannot_be_written(
    tmp_path: Path, does: Does
) -> None:
    """Half a character in what a device or a program says is replaced; a command's reason too."""
    async with protocol_school(tmp_path) as (house, desk):
        pressed = await desk.press(does, "gym", "button", source="device/b", text="now \ud800")
        assert pressed["run"] or pressed["alert"]
        if pressed["run"]:
            assert (await desk.run(pressed["run"]))["reason"] == "now ?"
        await house.intake.command_door("store", "lock", "desk", "\ud800")
