"""What a page says of a protocol is so, and no one person undoes a lockdown beside its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from door_school import DoorSchool, Locks, door_school
from protocol_school import DOORS, PROTOCOLS, commander, protocol_school
from safety_school import EVENING, SCHOOL, School, ScriptedChannel
from test_protocol_doors import SCHOOL as REAL
from test_protocol_doors import desk_of

from hub.errors import CommandFailed, Refused
from hub.events import Event
from hub.protocols import Protocols
from hub.testing import FakeClock

FIRE: dict[str, Any] = {"place": "site", "source": "input/panel"}
STRICT = PROTOCOLS | {
    "lockdown": {"doors": [{"verb": "lockdown", "place": "site"}], "through": ["console"]},
    "secure": {"doors": [{"verb": "lock", "place": "site"}]},
}


async def states(desk: Protocols, run: str) -> dict[str, str]:
    """The doors of a run."""
    return {each["door"]: each["state"] for each in (await desk.run(run))["doors"]}


async def test_law_3_a_commander_opens_no_lockdown_without_a_pin(tmp_path: Path) -> None:
    """Whoever takes the lead of an incident themselves unlocks nothing by starting Evacuate."""
    async with protocol_school(tmp_path) as (house, desk):
        run = await desk.start("lockdown", "site", "head")
        await house.settled()
        await commander(house, run, "desk")
        with pytest.raises(Refused, match="only the decision in a fire alarm"):
            await desk.start("evacuate", "site", "desk")
        assert {verb for _, verb, *_ in house.doors.asked} == {"lock"}


async def test_law_3_evacuating_beside_a_lockdown_opens_none_of_its_doors(tmp_path: Path) -> None:
    """A door between both stays locked; the page of Evacuate says which goes before it."""
    doors = DOORS | {"wing_east": DOORS["wing_east"] | {"leads_to": "yard"}}
    async with door_school(tmp_path, **REAL | {"doors": doors}) as house:
        desk = desk_of(house)
        locked = (await desk.start("lockdown", "wing", "head"))["id"]
        await house.pass_time(2)
        out = (await desk.start("evacuate", "yard", "officer"))["id"]
        await house.pass_time(5)
        assert ("wing_east", "unlock") not in house.lock.asked
        assert (await states(desk, locked))["wing_east"] == "secured"
        assert (await states(desk, out)) == {"wing_east": "suspended", "old_gate": "done"}
        assert "Lockdown goes before it" in (await desk.run(out))["sentence"]


async def test_secure_around_a_lockdown_lets_no_credential_work_again(tmp_path: Path) -> None:
    """Where a door is locked down, a later wish to lock it waits until that is over."""
    async with door_school(tmp_path, **REAL | {"protocols": STRICT}) as house:
        desk = desk_of(house)
        inner = (await desk.start("lockdown", "wing", "head"))["id"]
        await house.pass_time(2)
        around = (await desk.start("secure", "site", "officer"))["id"]
        await house.pass_time(3)
        await desk.look()
        assert "lockdown_release" not in {verb for _, verb in house.lock.asked}
        assert set((await states(desk, around)).values()) == {"secured"}
        await desk.ask_end(inner, "head")
        await desk.end(inner, "officer")
        await house.pass_time(5)
        await desk.look()
        assert ("store", "lockdown_release") in house.lock.asked
        assert (await desk.run(around))["secured"] == 3


async def test_doors_that_evacuate_has_opened_are_no_longer_shown_as_secured(
    tmp_path: Path,
) -> None:
    """The lockdown beneath says that it waits; once it is in force again it counts anew."""
    async with door_school(tmp_path, **REAL) as house:
        desk = desk_of(house)
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await house.pass_time(2)
        await house.happens("fire.alarm", "site", **FIRE)
        above = (await desk.decide_fire(run, "evacuate", "head"))["id"]
        await house.pass_time(3)
        assert set((await states(desk, above)).values()) == {"done"}
        await house.happens("fire.clear", "site", **FIRE)
        await desk.rearm("head")
        await house.pass_time(5)
        await desk.look()
        assert set(house.lock.locks.values()) == {"unlocked"}
        assert set((await states(desk, run)).values()) == {"suspended"}
        assert "Evacuate goes before it" in (await desk.run(run))["sentence"]
        house.lock.jammed.add("store")
        await desk.ask_end(above, "head")
        await desk.end(above, "officer")
        await house.pass_time(5)
        await desk.look()
        assert await states(desk, run) == {
            "wing_east": "secured", "store": "retrying", "old_gate": "secured",
        }  # fmt: skip


async def test_a_door_that_stands_open_is_not_counted_as_secured(tmp_path: Path) -> None:
    """Its bolt is out and its leaf is open: it is named for as long as it stands so."""
    async with door_school(tmp_path, **REAL) as house:
        desk = desk_of(house)
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await house.pass_time(2)
        house.lock.says("store", position="open")
        for _ in range(20):
            await house.pass_time(1)
            await desk.look()
        assert (await states(desk, run))["store"] == "retrying"
        house.lock.says("store", position="closed")
        await house.pass_time(2)
        await desk.look()
        assert (await states(desk, run))["store"] == "secured"


class Refusing(Locks):
    """Locks that are locked and refuse to be locked down."""

    async def command(self, door: str, verb: Any, key: str) -> None:
        if verb == "lockdown" and door in self.deaf:
            self.asked.append((door, verb))
            raise CommandFailed("the controller refuses it")
        await super().command(door, verb, key)


async def test_that_a_door_is_locked_does_not_show_a_lockdown(tmp_path: Path) -> None:
    """One that refuses it is named and asked again, although it reports locked all the time."""
    clock = FakeClock(EVENING)
    locks = Refusing(clock, list(SCHOOL["doors"]))
    locks.deaf.add("store")
    changes = REAL | {"protocols": STRICT}
    async with door_school(tmp_path, clock, {"locks": locks}, **changes) as house:
        desk = desk_of(house)
        run = (await desk.start("lockdown", "site", "head"))["id"]
        for _ in range(20):
            await house.pass_time(1)
            await desk.look()
        assert (await states(desk, run))["store"] == "retrying"
        assert locks.asked.count(("store", "lockdown")) > 2
        locks.deaf.clear()
        await house.pass_time(30)
        assert (await states(desk, run))["store"] == "secured"


async def _alarm(house: School | DoorSchool, source: str = "input/panel") -> None:
    data = {"place": "site", "source": source}
    await house.intake.accept(Event("fire.alarm", source, house.clock.now(), "site", data))


async def test_an_input_that_repeats_itself_asks_for_no_second_decision(tmp_path: Path) -> None:
    """People have decided; another input that sounds asks them anew."""
    async with protocol_school(tmp_path) as (house, desk):
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await _alarm(house)
        await desk.decide_fire(run, "stay", "head")
        await _alarm(house)
        await house.settled()
        assert (await desk.view())["fire"]["decide_by"] is None
        await _alarm(house, "input/other")
        assert (await desk.view())["fire"]["decide_by"] is not None
        await house.settled()


async def test_law_7_a_fire_alarm_ends_a_drill_and_is_never_told_as_one(tmp_path: Path) -> None:
    """It is real: nothing marked as a drill asks for a decision, and nobody hears an all-clear."""
    async with protocol_school(tmp_path) as (house, desk):
        run = (await desk.start("lockdown", "site", "head", drill=True))["id"]
        await house.settled()
        await _alarm(house)
        await house.settled()
        assert (await desk.run(run))["state"] == "ended"
        fire = (await desk.view())["fire"]
        assert (fire["state"], fire["decide_by"]) == ("alarm", None)
        said = [n.title for channel in house.channels.values() for n in channel.sent]
        assert not any("Fire" in title or "All clear" in title for title in said)


async def test_after_a_restore_no_door_is_asked_to_go_back(tmp_path: Path) -> None:
    """What an end of before has left undone is not asked again by the hub that was restored."""
    async with door_school(tmp_path, **REAL | {"protocols": STRICT}) as house:
        desk = desk_of(house)
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await house.pass_time(2)
        house.lock.away.add("store")
        await desk.ask_end(run, "head")
        await desk.end(run, "officer")
        await house.pass_time(20)
        await house.happens("journal.restored")
        house.lock.away.clear()
        house.lock.asked.clear()
        for _ in range(4):
            await house.pass_time(10)
            await desk.look()
        assert house.lock.asked == []


async def test_parents_are_not_asked_to_decide(tmp_path: Path) -> None:
    """What reaches beyond the school tells of the lockdown and of its end, not of decisions."""
    notifiers = SCHOOL["notifiers"] | {"parents": {"driver": "x", "outside": True}}
    told = {"lockdown": PROTOCOLS["lockdown"] | {"through": ["console", "parents"]}}
    async with protocol_school(tmp_path, notifiers=notifiers, protocols=told) as (house, desk):
        house.channels["parents"] = ScriptedChannel()
        await desk.start("lockdown", "site", "head")
        await house.settled()
        await _alarm(house)
        await house.settled()
        assert any("Fire alarm" in n.title for n in house.channels["console"].sent)
        assert [n.title for n in house.channels["parents"].sent] == ["Lockdown: School"]
