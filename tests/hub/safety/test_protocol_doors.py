"""A lockdown on doors that are real up to the wire: a jam, a dead lock, a restart in the middle."""

from __future__ import annotations

from pathlib import Path

from door_school import DoorSchool, Locks, door_school
from protocol_school import DOORS, PROTOCOLS
from safety_school import EVENING
from sqlalchemy import Connection, select

from hub.protocols import Protocols
from hub.safety import outbox
from hub.storage.schema import actions
from hub.testing import FakeClock

SCHOOL = {"protocols": PROTOCOLS, "doors": DOORS, "notifiers": {
    "console": {"driver": "x"}, "post": {"driver": "x"}, "siren": {"driver": "x"},
}}  # fmt: skip


def desk_of(house: DoorSchool) -> Protocols:
    """Protocols that see the doors."""
    return Protocols(house.intake, frozenset, house.doors.views)


def _warnings(connection: Connection) -> list[str]:
    """The notices that say what was not done."""
    found = connection.scalars(select(actions.c.payload).where(actions.c.kind == "notice"))
    return [text for text in found if '"outcome"' in text]


async def test_a_jam_and_a_dead_lock_are_named_and_tried_for_ever(tmp_path: Path) -> None:
    """The others are secured at once; the jammed and the dead one are named, asked again and again,
    and counted as soon as they say so themselves.
    """
    async with door_school(tmp_path, **SCHOOL) as house:
        desk, lock = desk_of(house), house.lock
        lock.locks = dict.fromkeys(lock.locks, "unlocked")
        lock.jammed.add("store")
        lock.away.add("old_gate")
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await house.pass_time(3)
        view = await desk.run(run)
        assert {each["door"]: each["state"] for each in view["doors"]} == {
            "wing_east": "secured", "store": "retrying", "old_gate": "waiting",
        }  # fmt: skip
        assert "Chemistry store: not confirmed, retrying" in view["sentence"]
        await house.pass_time(60)
        asked = [door for door, _ in lock.asked if door == "store"]
        assert len(asked) > 3
        said = await house.journal.read(_warnings)
        assert sum("Chemistry store" in each for each in said) == 3  # once to all who were told
        assert (await desk.run(run))["secured"] == 1
        lock.jammed.clear()
        lock.away.clear()
        await house.pass_time(30)
        await desk.look()
        view = await desk.run(run)
        assert view["secured"] == 3, view["sentence"]
        assert all(each["seconds"] is not None for each in view["doors"])


async def test_a_hand_on_the_key_is_seen_and_undone(tmp_path: Path) -> None:
    """Whoever unlocks a door in a lockdown is seen on the page, and the hub locks it again."""
    async with door_school(tmp_path, **SCHOOL) as house:
        desk = desk_of(house)
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await house.pass_time(2)
        assert (await desk.run(run))["secured"] == 3
        house.lock.jammed.add("store")
        house.lock.turned("store", "unlocked")
        await house.pass_time(3)
        assert "Chemistry store: not confirmed, retrying" in (await desk.run(run))["sentence"]
        house.lock.jammed.clear()
        await house.pass_time(30)
        await desk.look()
        assert (await desk.run(run))["secured"] == 3


async def test_a_restart_in_the_middle_is_resumed_within_five_seconds(tmp_path: Path) -> None:
    """The hub ends with half of the doors unasked, also for hours: after its start all of them are
    locked within five seconds, with nothing of before sent late.
    """
    clock = FakeClock(EVENING)
    locks = {"locks": Locks(clock, list(DOORS))}
    locks["locks"].locks = dict.fromkeys(DOORS, "unlocked")
    async with door_school(tmp_path, clock, locks, **SCHOOL) as house:
        locks["locks"].deaf.update(("store", "old_gate"))
        run = (await desk_of(house).start("lockdown", "site", "head"))["id"]
        await house.pass_time(1)
    assert locks["locks"].locks == {
        "wing_east": "locked", "store": "unlocked", "old_gate": "unlocked",
    }  # fmt: skip
    await clock.advance(7200)
    locks["locks"].deaf.clear()
    before = set(locks["locks"].keys)
    async with door_school(tmp_path, clock, locks, **SCHOOL) as house:
        desk = desk_of(house)
        await house.pass_time(5)
        await desk.look()
        view = await desk.run(run)
        assert view["state"] == "in_force"
        assert view["secured"] == 3, view["sentence"]
        late = [key for key in locks["locks"].keys if key in before]
        assert len(late) == len(before)  # no command of before was handed over again


async def test_the_all_clear_puts_doors_back(tmp_path: Path) -> None:
    """What was unlocked by a person before is unlocked again, what nobody wants otherwise stays
    locked, and the page says which.
    """
    async with door_school(tmp_path, **SCHOOL) as house:
        desk = desk_of(house)
        await house.decide(lambda d: d.command("store", "unlock", "desk", "delivery"))
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await house.pass_time(2)
        assert house.lock.locks["store"] == "locked"
        await desk.ask_end(run, "head")
        await desk.end(run, "officer")
        await house.pass_time(2)
        assert house.lock.locks == {
            "wing_east": "locked", "store": "unlocked", "old_gate": "locked",
        }  # fmt: skip
        clear = (await desk.run(run))["all_clear"]
        assert clear is not None
        assert clear["sentence"] == "1 of 1 back as before; 2 doors left as they are"
        assert {each["door"]: (each["verb"], each["detail"]) for each in clear["doors"]} == {
            "store": ("unlock", ""),
            "wing_east": ("lock", "left as it is"),
            "old_gate": ("lock", "left as it is"),
        }


async def test_a_door_that_does_not_go_back_is_asked_again(tmp_path: Path) -> None:
    """The all-clear names the door whose controller was away, and asks it again once that answers;
    what somebody else wants by then is left alone.
    """
    lockdown = {"lockdown": {"doors": [{"verb": "lockdown", "place": "site"}]}}
    async with door_school(tmp_path, **SCHOOL | {"protocols": lockdown}) as house:
        desk = desk_of(house)
        run = (await desk.start("lockdown", "site", "head"))["id"]
        await house.pass_time(2)
        house.lock.away.add("store")
        await desk.ask_end(run, "head")
        await desk.end(run, "officer")
        for _ in range(7):
            await house.pass_time(10)
            await desk.look()
        clear = (await desk.run(run))["all_clear"]
        assert clear is not None
        assert clear["sentence"].startswith("2 of 3 back as before; Chemistry store: not confirmed")
        house.lock.away.clear()
        for _ in range(3):
            await house.pass_time(10)
            await desk.look()
        clear = (await desk.run(run))["all_clear"]
        assert clear is not None
        assert clear["sentence"] == "3 of 3 back as before"
        assert ("store", "lockdown_release") in house.lock.asked


async def test_evacuate_opens_what_a_lockdown_has_locked_and_nothing_else_does(
    tmp_path: Path,
) -> None:
    """A shelter around a lockdown opens none of its doors, whatever it asks; evacuate does, and
    once it is over the lockdown beneath locks again.
    """
    opens = {"shelter": {"doors": [{"verb": "unlock", "place": "site"}]}}
    async with door_school(tmp_path, **SCHOOL | {"protocols": PROTOCOLS | opens}) as house:
        desk = desk_of(house)
        below = (await desk.start("lockdown", "wing", "head"))["id"]
        assert house.lock.locks["old_gate"] == "locked"
        await desk.start("shelter", "site", "head")
        await house.pass_time(2)
        assert set(house.lock.locks.values()) == {"locked", "unlocked"}
        assert [door for door, lock in house.lock.locks.items() if lock == "unlocked"] == [
            "old_gate"
        ]
        await house.happens("fire.alarm", "site", place="site", source="input/panel")
        above = await desk.decide_fire(below, "evacuate", "head")
        await house.pass_time(2)
        assert set(house.lock.locks.values()) == {"unlocked"}
        await desk.rearm("head")
        await house.pass_time(5)
        assert set(house.lock.locks.values()) == {"unlocked"}
        await desk.ask_end(above["id"], "head")
        await desk.end(above["id"], "officer")
        await house.pass_time(3)
        await desk.look()
        assert house.lock.locks == {
            "wing_east": "locked", "store": "locked", "old_gate": "unlocked",
        }  # fmt: skip
        assert (await desk.run(below))["secured"] == 2
        pending = await house.journal.read(lambda c: outbox.waiting_doors(c))
        assert pending == []
