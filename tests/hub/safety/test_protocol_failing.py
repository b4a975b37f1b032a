"""Doors that do not obey a protocol are told together, and again only where further doors fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from door_school import DoorSchool, door_school
from protocol_school import DOORS, PROTOCOLS, protocol_school
from safety_school import SCHOOL
from sqlalchemy import Connection, select

from hub.ports import Outcome
from hub.protocols import Protocols
from hub.storage.schema import actions

MANY: dict[str, Any] = {
    f"door_{number:02}": {
        "name": f"Door {number}", "controller": "locks", "place": "wing", "egress": "free",
    }
    for number in range(1, 21)
}  # fmt: skip
NOTIFIERS: dict[str, Any] = {name: {"driver": "x"} for name in ("console", "post", "siren")}
NOTIFIERS["parents"] = {"driver": "x", "outside": True}
LOUD = PROTOCOLS | {
    "lockdown": PROTOCOLS["lockdown"] | {"through": ["console", "post", "siren", "parents"]}
}
PEOPLE: dict[str, Any] = SCHOOL["people"] | {
    "officer": SCHOOL["people"]["officer"] | {"language": "es"},
}


def school(path: Path, **changes: Any) -> Any:
    """Twenty doors up to the wire."""
    wanted = {"protocols": LOUD, "doors": MANY, "notifiers": NOTIFIERS} | changes
    return door_school(path, **wanted)


def desk_of(house: DoorSchool) -> Protocols:
    """Protocols that see the doors."""
    return Protocols(house.intake, frozenset, house.doors.views)


async def named(house: Any) -> list[dict[str, Any]]:
    """What was said of doors that do not obey, each notice with when it was written."""

    def work(connection: Connection) -> list[dict[str, Any]]:
        found = connection.execute(
            select(actions).where(actions.c.kind == "notice").order_by(actions.c.id)
        )
        said = [{**json.loads(row.payload), "channel": row.target} for row in found]
        return [each for each in said if each["data"].get("phase") == "doors"]

    return await house.journal.read(work)


async def watched(house: DoorSchool, desk: Protocols, seconds: int) -> None:
    """Let time pass as in a running hub, which looks once a second."""
    for _ in range(seconds):
        await house.pass_time(1)
        await desk.look()
        await house.settle()


async def test_twenty_doors_that_fail_are_one_notice(tmp_path: Path) -> None:
    """Each who was told of a lockdown is told once of twenty jammed doors, and of which; neither
    through what everyone hears nor beyond the school.
    """
    async with school(tmp_path) as house:
        desk = desk_of(house)
        house.lock.locks = dict.fromkeys(house.lock.locks, "unlocked")
        house.lock.jammed |= set(MANY)
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await watched(house, desk, 20)
        told = await named(house)
        assert sorted(each["channel"] for each in told) == ["console", "post", "post"]
        assert all(each["title"] == "Lockdown: 20 doors not secured" for each in told)
        assert all(each["path"] == f"/protocols/{run}" for each in told)
        assert all(f"Door {number}" in told[0]["text"] for number in range(1, 21))
        assert "0 of 20 secured" in told[0]["text"]


async def test_the_first_is_told_within_two_seconds_and_others_once_they_fail(
    tmp_path: Path,
) -> None:
    """A jam is told although other doors have not answered, with what fails until then; a dead
    controller's doors are told once they are given up, and nothing is told twice.
    """
    async with school(tmp_path) as house:
        desk, dead = desk_of(house), {"door_19", "door_20"}
        house.lock.locks = dict.fromkeys(house.lock.locks, "unlocked")
        house.lock.jammed |= {"door_01", "door_02"}
        house.lock.away |= dead
        await house.pass_time(12)  # what they said before is not what they say to the lockdown
        run = (await desk.start("lockdown", "site", "head"))["id"]
        for _ in range(10):
            await watched(house, desk, 1)
            if any(each["state"] == "retrying" for each in (await desk.run(run))["doors"]):
                break
        failed = house.clock.now()
        assert not await named(house)
        await watched(house, desk, 1)
        first = await named(house)
        assert len(first) == 3
        assert first[0]["title"] == "Lockdown: Door 1 and Door 2 not secured"
        assert (house.clock.now() - failed).total_seconds() <= 2
        assert "16 of 20 secured" in first[0]["text"]
        await watched(house, desk, 40)
        later = (await named(house))[3:]
        assert len(later) == 3
        assert {tuple(each["data"]["doors"]) for each in later} == {tuple(sorted(dead))}
        assert "Door 1:" not in later[0]["text"]


async def test_a_door_that_obeys_meanwhile_is_not_told(tmp_path: Path) -> None:
    """What was only otherwise for a moment, such as by a key, disturbs nobody; what stays so is
    told.
    """
    async with school(tmp_path) as house:
        desk = desk_of(house)
        await desk.start("lockdown", "site", "head")
        await watched(house, desk, 2)
        house.lock.turned("door_03", "unlocked")
        await watched(house, desk, 20)
        assert not await named(house)
        house.lock.jammed.add("door_03")
        house.lock.turned("door_03", "unlocked")
        await watched(house, desk, 6)
        told = await named(house)
        assert [each["data"]["doors"] for each in told] == [["door_03"]] * 3


async def test_where_every_door_has_answered_nothing_is_waited_for(tmp_path: Path) -> None:
    """The last door's answer is told at once, to each in their language, and never by a channel
    that everyone hears; in a drill it says so.
    """
    async with protocol_school(tmp_path, people=PEOPLE) as (house, desk):
        house.doors.answers["store"] = lambda: Outcome("failed", "bolt jammed")
        run = await desk.start("lockdown", "site", "head", drill=True, doors_real=True)
        await house.settled()
        assert len(await named(house)) == 3
        spanish, english = sorted(
            (n for n in house.channels["post"].sent if n.about == "outcome"),
            key=lambda n: n.title, reverse=True,
        )  # fmt: skip
        assert english.title == "DRILL: Lockdown: Chemistry store not secured"
        assert english.text.splitlines()[0] == "Chemistry store: bolt jammed."
        assert spanish.title == "DRILL: Lockdown: Chemistry store sin cerrar"
        assert "El sistema lo sigue intentando." in spanish.text
        assert len(house.channels["siren"].sent) == 0
        assert (await desk.run(run["id"]))["secured"] == 2


async def test_where_nobody_was_told_nothing_is_looked_for(tmp_path: Path) -> None:
    """A protocol without channels writes nothing about its doors, however often one looks."""
    quiet = {"lockdown": {"doors": [{"verb": "lock", "place": "site"}]}}
    async with protocol_school(tmp_path, protocols=quiet, doors=DOORS) as (house, desk):
        house.doors.answers["store"] = lambda: Outcome("failed", "bolt jammed")
        await desk.start("lockdown", "site", "head")
        await house.settled()
        before = await house.intake.past_events(0)
        for _ in range(3):
            await house.clock.advance(1)
            await desk.look()
        assert await house.intake.past_events(0) == before
        assert not await named(house)
