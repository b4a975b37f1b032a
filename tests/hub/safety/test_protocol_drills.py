"""Drills: each says what is real, the outbox itself fences off everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from protocol_school import PROTOCOLS, protocol_school
from safety_school import SCHOOL, ScriptedChannel

from hub.errors import Refused
from hub.safety import outbox
from hub.safety.alerts import plan
from hub.safety.outbox import Intention

OUTSIDE: dict[str, Any] = SCHOOL["notifiers"] | {"dispatch": {"driver": "x", "outside": True}}
LOUD = PROTOCOLS | {
    "lockdown": PROTOCOLS["lockdown"] | {"through": ["console", "siren", "dispatch"]}
}


async def test_a_drill_moves_no_door_and_is_heard_by_nobody_unasked(tmp_path: Path) -> None:
    """Without more said, a drill is told to those it is for, marked as one, and that is all."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("lockdown", "site", "head", drill=True)
        await house.settled()
        run = await desk.run(run["id"])
        assert {each["state"] for each in run["doors"]} == {"fenced"}
        assert run["sentence"] == "No door moves in this drill (3 doors)"
        assert house.doors.asked == []
        assert house.channels["siren"].sent == []
        states = {each["channel"]: each["state"] for each in run["channels"]}
        assert states == {"console": "confirmed", "post": "confirmed", "siren": "fenced"}
        assert all(n.drill and n.title.startswith("DRILL: ") for n in house.channels["post"].sent)
        assert (await house.intake.incident(run["incident"]))["drill"]


async def test_a_drill_may_move_doors_and_speak(tmp_path: Path) -> None:
    """`doors_real` and `announce` make just these real; one person ends it, and the all-clear takes
    the same ways.
    """
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start(
            "lockdown", "site", "head", drill=True, doors_real=True, announce=True
        )
        await house.settled()
        assert len(house.doors.asked) == 3
        assert [n.drill for n in house.channels["siren"].sent] == [True]
        over = await desk.ask_end(run["id"], "head")
        assert over["state"] == "ended"
        await house.settled()
        assert [n.title for n in house.channels["siren"].sent][-1].startswith("DRILL: All clear")
        report = [
            line for line in await house.story() if line.startswith("DRILL: Lockdown ended by")
        ]
        assert "3 of 3 secured in " in report[0]
        assert "3 channels told within " in report[0]


@pytest.mark.parametrize("announce", [False, True])
async def test_law_7_nothing_of_a_drill_leaves_the_school(tmp_path: Path, announce: bool) -> None:
    """Dispatch, parents and the public never hear of a drill, whatever it says is real."""
    async with protocol_school(tmp_path, notifiers=OUTSIDE, protocols=LOUD) as (house, desk):
        house.channels["dispatch"] = ScriptedChannel()
        run = await desk.start(
            "lockdown", "site", "head", drill=True, doors_real=True, announce=announce
        )
        await house.settled()
        await desk.end(run["id"], "head")
        await house.settled()
        assert house.channels["dispatch"].sent == []
        channels = (await desk.run(run["id"]))["channels"]
        fenced = next(each for each in channels if each["channel"] == "dispatch")
        assert (fenced["state"], fenced["detail"]) == (
            "fenced", "a drill: nothing leaves the school",
        )  # fmt: skip
        real = await desk.start("lockdown", "site", "head")
        await house.settled()
        assert [n.drill for n in house.channels["dispatch"].sent] == [False]
        assert (await desk.run(real["id"]))["channels"][-1]["state"] == "confirmed"


async def test_law_7_the_outbox_itself_is_the_fence(tmp_path: Path) -> None:
    """Whoever writes an intention for a drill, by whatever way, a door does not move by it and
    nobody outside hears it.
    """
    async with protocol_school(tmp_path, notifiers=OUTSIDE) as (house, desk):
        house.channels["dispatch"] = ScriptedChannel()
        run = await desk.start("lockdown", "site", "head", drill=True)
        await house.settled()

        def by_another_way(decider: Any) -> None:
            words = decider._charter.words
            command = plan.command(words, "store", "lock", "head", "why", "", run["incident"])
            decider._intend(command)
            for channel in ("dispatch", "siren"):
                payload: dict[str, Any] = {
                    "about": "alert", "severity": "severe", "title": "T", "text": "t",
                    "time": "2026-03-02T20:15:00.000Z", "place": "", "basis": "person",
                    "data": {"verdict": "verified"}, "facts": {}, "to": [], "path": "",
                }  # fmt: skip
                decider._intend(
                    Intention(
                        "notice",
                        channel,
                        "tell",
                        payload,
                        f"notice/{channel}/",
                        5.0,
                        outbox.NOTICE_EXPIRES,
                        incident=run["incident"],
                    )
                )

        await house.intake.decide(by_another_way)
        await house.settled()
        assert house.doors.asked == []
        assert house.channels["dispatch"].sent == house.channels["siren"].sent == []


async def test_law_7_a_real_press_during_a_drill_is_real_at_once(tmp_path: Path) -> None:
    """The real one moves doors, sounds, has an incident of its own and no mark of a drill; the
    drill is over, and nobody is told an all-clear.
    """
    async with protocol_school(tmp_path) as (house, desk):
        drill = await desk.start("lockdown", "site", "head", drill=True)
        await house.settled()
        pressed = await desk.press("lockdown", "lab", "Button", source="device/lab")
        await house.settled()
        real = await desk.run(str(pressed["run"]))
        assert (real["drill"], real["secured"], real["over"]) == (False, 3, None)
        assert real["incident"] != drill["incident"]
        assert [n.drill for n in house.channels["siren"].sent] == [False]
        assert (await desk.run(drill["id"]))["state"] == "ended"
        said = [n.title for channel in house.channels.values() for n in channel.sent]
        assert not any("All clear" in title for title in said)
        assert not any(n.drill for n in house.channels["siren"].sent)


async def test_no_drill_begins_where_it_is_real(tmp_path: Path) -> None:
    """While a protocol is in force nobody plays one over it; elsewhere they may."""
    async with protocol_school(tmp_path) as (house, desk):
        await desk.start("lockdown", "wing", "head")
        with pytest.raises(Refused, match="Lockdown is in force here and no drill"):
            await desk.start("hold", "site", "head", drill=True)
        assert (await desk.start("hold", "gym", "head", drill=True))["drill"]
        await house.settled()


async def test_a_siren_of_the_controllers_own_needs_an_explicit_yes(tmp_path: Path) -> None:
    """A door that makes noise when it is locked down stays as it is in a drill, unless the
    configuration says yes; in a real lockdown it locks.
    """
    loud = {"lockdown": {"doors": [{"verb": "lockdown", "place": "site"}]}}
    sirens = frozenset({"store"})
    async with protocol_school(tmp_path, sirens=sirens, protocols=loud) as (house, desk):
        run = await desk.start("lockdown", "site", "head", drill=True, doors_real=True)
        await house.settled()
        door = next(e for e in (await desk.run(run["id"]))["doors"] if e["door"] == "store")
        assert door["state"] == "fenced"
        assert "local_siren" in door["detail"]
        assert "store" not in {asked[0] for asked in house.doors.asked}
        await desk.start("lockdown", "site", "head")
        await house.settled()
        assert "store" in {asked[0] for asked in house.doors.asked}
    hub = {"drills": {"local_siren": True}}
    yes = tmp_path / "yes"
    yes.mkdir()
    async with protocol_school(yes, sirens=sirens, protocols=loud, hub=hub) as (house, desk):
        await desk.start("lockdown", "site", "head", drill=True, doors_real=True)
        await house.settled()
        assert "store" in {asked[0] for asked in house.doors.asked}


async def test_closing_a_drills_incident_ends_the_drill(tmp_path: Path) -> None:
    """A drill is over when its incident is closed."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("hold", "site", "head", drill=True)
        await house.intake.decide(lambda d: d.close_case(run["incident"], "head"))
        await house.settled()
        assert (await desk.run(run["id"]))["state"] == "ended"
        assert [each["id"] for each in (await desk.view())["lately"]] == [run["id"]]
