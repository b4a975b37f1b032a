"""A fire alarm during a lockdown: people decide in time, doors are not locked by the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from door_school import door_school
from protocol_school import DOORS, PROTOCOLS, protocol_school
from safety_school import School

from hub.clock import from_iso
from hub.errors import Refused
from hub.events import Event
from hub.protocols import Protocols

HUB: dict[str, Any] = {"fire": {"decide_within": "90s"}}
INPUTS: dict[str, Any] = {
    "panel": {"topic": "fire/panel", "payload": "ALARM", "does": "fire", "place": "site"},
    "panel_off": {"topic": "fire/panel", "payload": "NORMAL", "does": "fire_clear",
                  "place": "site"},
}  # fmt: skip


async def alarm(house: School, kind: str = "fire.alarm") -> None:
    """The fire panel says so."""
    data = {"place": "site", "source": "input/panel"}
    await house.intake.accept(Event(kind, "input/panel", house.clock.now(), "site", data))


async def test_the_decision_timer_is_shown_and_told(tmp_path: Path) -> None:
    """From the alarm on everyone sees until when to decide, and those who were told are asked; when
    nobody does in time that is said once, and the hub decides nothing.
    """
    async with protocol_school(tmp_path, hub=HUB) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        before = house.clock.now()
        await alarm(house)
        await house.settled()
        fire = (await desk.view())["fire"]
        assert fire["state"] == "alarm"
        assert fire["decide_by"] is not None
        assert (from_iso(fire["decide_by"]) - before).total_seconds() == 90
        asked = [n for n in house.channels["post"].sent if n.title.startswith("Fire alarm: decide")]
        assert {to.person for n in asked for to in n.to} == {"officer", "head"}
        await house.clock.advance(89)
        await desk.look()
        assert not await _events(house, "fire.undecided")
        await house.clock.advance(2)
        await desk.look()
        await desk.look()
        await house.settled()
        assert len(await _events(house, "fire.undecided")) == 1
        assert (await desk.run(run["id"]))["state"] == "in_force"


async def _events(house: School, kind: str) -> list[Event]:
    return [event for _, event in await house.intake.past_events(0) if event.type == kind]


async def test_law_2_the_timer_is_said_aloud_only_where_a_person_had_it_announced(
    tmp_path: Path,
) -> None:
    """Everyone hears once that a decision follows, once that the time is over, and what is decided;
    no name, no word of doors, and always what is in force.
    """
    async with protocol_school(tmp_path, hub=HUB) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        await alarm(house)
        await alarm(house)
        for _ in range(3):
            await house.clock.advance(60)
            await desk.look()
        await desk.decide_fire(run["id"], "stay", "head")
        await house.settled()
        heard = house.channels["siren"].sent
        assert [n.title for n in heard[1:]] == [
            "Fire alarm: a decision follows: Lockdown, School",
            "Fire alarm: no decision: Lockdown, School",
            "Fire alarm: stay: Lockdown, School",
        ]
        assert heard[1].text.splitlines() == [
            "A fire alarm goes off during the lockdown. Within 90 seconds it is to be decided "
            "whether people stay or leave. What is decided is announced.",
            "In force: Lockdown, School. Locks, lights, out of sight.",
        ]
        assert not any("Principal" in n.text or "door" in n.text for n in heard[1:])


async def test_what_the_protocol_did_not_announce_is_not_said_aloud(tmp_path: Path) -> None:
    """A channel that everyone hears stays silent where the lockdown was not announced there."""
    quiet = PROTOCOLS | {"lockdown": PROTOCOLS["lockdown"] | {"through": ["console"]}}
    async with protocol_school(tmp_path, hub=HUB, protocols=quiet) as (house, desk):
        await desk.start("lockdown", "site", "head")
        await alarm(house)
        await house.settled()
        assert house.channels["siren"].sent == []
        assert len(house.channels["console"].sent) == 2


async def test_law_7_no_timer_is_said_aloud_in_a_drill(tmp_path: Path) -> None:
    """Nor where the drill itself is announced: a fire alarm ends the drill."""
    async with protocol_school(tmp_path, hub=HUB) as (house, desk):
        run = await desk.start("lockdown", "site", "head", drill=True, announce=True)
        await house.settled()
        await alarm(house)
        await house.clock.advance(100)
        await desk.look()
        await house.settled()
        assert (await desk.run(run["id"]))["state"] == "ended"
        assert not [n for n in house.channels["siren"].sent if "Fire" in n.title]


async def test_staying_is_told_and_ends_the_timer(tmp_path: Path) -> None:
    """A decision is told to all who were told, once."""
    async with protocol_school(tmp_path, hub=HUB) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await alarm(house)
        await desk.decide_fire(run["id"], "stay", "head")
        await house.settled()
        assert (await desk.view())["fire"]["decide_by"] is None
        last = house.channels["post"].sent[-1]
        assert last.title.startswith("Fire alarm: stay")
        assert "Principal decides in the fire alarm: people stay" in await house.story()
        with pytest.raises(Refused, match="no fire alarm waits"):
            await desk.decide_fire(run["id"], "evacuate", "head")


async def test_leaving_starts_evacuate_over_the_lockdown(tmp_path: Path) -> None:
    """Whoever decides to leave starts Evacuate, which unlocks doors also while the alarm sounds."""
    async with protocol_school(tmp_path, hub=HUB) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        await alarm(house)
        above = await desk.decide_fire(run["id"], "evacuate", "head")
        await house.settled()
        above = await desk.run(above["id"])
        assert (above["protocol"], above["over"]) == ("evacuate", run["id"])
        assert [each["state"] for each in above["doors"]] == ["done"] * 3
        assert (await desk.run(run["id"]))["state"] == "covered"


@pytest.mark.parametrize("through", [("console", "siren"), ("console",)])
async def test_that_people_leave_is_said_aloud_where_a_decision_was_promised(
    tmp_path: Path, through: tuple[str, ...]
) -> None:
    """Once, by Evacuate's own announcement or in its place, with where to."""
    said = PROTOCOLS | {"evacuate": PROTOCOLS["evacuate"] | {"through": list(through)}}
    async with protocol_school(tmp_path, hub=HUB, protocols=said) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await alarm(house)
        await desk.decide_fire(run["id"], "evacuate", "head")
        await house.settled()
        heard = [n for n in house.channels["siren"].sent if "Lockdown" not in n.title]
        assert len(heard) == 1
        assert "far side of the yard" in heard[0].text


async def test_nothing_is_decided_without_an_alarm_or_without_a_lockdown(tmp_path: Path) -> None:
    """A hold has no timer; a lockdown has one only from the alarm on."""
    async with protocol_school(tmp_path, hub=HUB) as (house, desk):
        hold = await desk.start("hold", "gym", "head")
        await alarm(house)
        await house.settled()
        with pytest.raises(Refused, match="no fire alarm waits"):
            await desk.decide_fire(hold["id"], "stay", "head")
        assert (await desk.view())["fire"]["decide_by"] is None
        await alarm(house, "fire.clear")


async def test_the_alarms_end_ends_the_timer(tmp_path: Path) -> None:
    """Where the panel says that it is over there is nothing left to decide."""
    async with protocol_school(tmp_path, hub=HUB) as (house, desk):
        await desk.start("lockdown", "site", "head")
        await alarm(house)
        await alarm(house, "fire.clear")
        await house.settled()
        fire = (await desk.view())["fire"]
        assert (fire["state"], fire["decide_by"]) == ("not_rearmed", None)
        last = house.channels["siren"].sent[-1]
        assert last.title == "Fire alarm: it no longer sounds: Lockdown, School"


async def test_law_1_a_fire_alarm_suspends_a_lockdown_until_a_person_rearms(tmp_path: Path) -> None:
    """From the alarm on no door is asked to lock and the page says that they wait; once a person
    has re-armed them, the lockdown that is still in force locks again.
    """
    people = {"notifiers": {name: {"driver": "x"} for name in ("console", "post", "siren")}}
    async with door_school(tmp_path, protocols=PROTOCOLS, doors=DOORS, **people) as house:
        desk = Protocols(house.intake, frozenset, house.doors.views)
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await house.pass_time(2)
        await house.happens("fire.alarm", "site", place="site", source="input/panel")
        for door in house.lock.locks:
            house.lock.turned(door, "unlocked")  # the panel releases them
        before = len(house.lock.asked)
        await house.pass_time(30)
        assert len(house.lock.asked) == before
        view = await desk.run(run)
        assert {each["state"] for each in view["doors"]} == {"suspended"}
        assert "Science wing east: waits: fire alarm" in view["sentence"]
        started = await desk.start("lockdown", "gym", "desk")
        assert started["id"] == run
        await house.happens("fire.clear", "site", place="site", source="input/panel")
        await house.pass_time(10)
        assert len(house.lock.asked) == before
        assert (await desk.rearm("head"))["state"] == "clear"
        await house.pass_time(3)
        assert (await desk.run(run))["secured"] == 3


async def test_a_lockdown_that_starts_during_an_alarm_waits_with_its_doors(tmp_path: Path) -> None:
    """People are told at once; the doors say why they wait."""
    async with protocol_school(tmp_path) as (house, desk):
        await alarm(house)
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        run = await desk.run(run["id"])
        assert {each["state"] for each in run["doors"]} == {"suspended"}
        assert house.doors.asked == []
        assert len(house.channels["siren"].sent) == 1


async def test_a_panels_two_inputs_are_one_alarm(tmp_path: Path) -> None:
    """What one input of a panel has reported, another input on its topic ends."""
    async with protocol_school(tmp_path, inputs=INPUTS) as (_, desk):
        await desk.press("fire", "site", "Panel", source="input/panel")
        fire = await desk.fire()
        assert (fire["state"], fire["source"], fire["doors"]) == ("alarm", "Panel", 3)
        await desk.press("fire_clear", "site", "Panel off", source="input/panel_off")
        assert (await desk.fire())["state"] == "not_rearmed"
        await desk.rearm("head")
        assert (await desk.fire())["state"] == "clear"
