"""What a person decides and what is severe goes first, in the journal, the outbox and the calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safety_school import SCHOOL, School, school, until
from sqlalchemy import Connection, select

from hub.config import Config
from hub.events import Event
from hub.safety.intake import urgent_types
from hub.storage.schema import actions, events

PANIC = "plugin.buttons.panic"
RULES: dict[str, Any] = {
    "panic": {
        "name": "Panic button", "when": PANIC,
        "alert": {"severity": "severe", "tell": ["sro"], "through": ["console", "post"]},
    },
    "held": {
        "name": "Door held", "when": "door.held",
        "alert": {"severity": "check", "tell": ["sro"], "through": ["console", "post"]},
    },
    "wing": {
        "name": "Somebody in the wing", "when": "zone.entered",
        "alert": {"severity": "severe", "through": ["console"]},
    },
}  # fmt: skip


class Flood:
    """Motion that the writer takes one at a time, each when the test lets it."""

    def __init__(self, house: School, works: int) -> None:
        self.house = house
        self.taken = 0
        self.let = threading.Semaphore(0)
        self.given_up = False
        self.tasks = [asyncio.create_task(house.journal.write(self._work)) for _ in range(works)]

    def _work(self, connection: Connection) -> None:
        self.taken += 1
        if not self.given_up:
            self.given_up = not self.let.acquire(timeout=20)

    def held_up(self) -> bool:
        """Whether something urgent waits behind what the writer has in hand."""
        return bool(self.house.journal._works._urgent)

    async def end(self) -> None:
        """Let all of it through."""
        for _ in self.tasks:
            self.let.release()
        await asyncio.gather(*self.tasks)


def panic(house: School) -> Event:
    """Somebody presses the button in the gym."""
    return Event(PANIC, "plugin/buttons", house.clock.now(), "gym", {"place": "gym"})


async def through(flood: Flood, ended: Callable[[], object]) -> int:
    """Let motion through, one work whenever it holds up what is urgent, until something has ended;
    returns how many.
    """
    let = 0
    while True:
        await until(lambda: ended() or flood.held_up())
        if ended():
            return let
        taken = flood.taken
        flood.let.release()
        let += 1
        await until(lambda taken=taken: ended() or flood.taken > taken)


async def test_a_panic_button_is_never_behind_motion(tmp_path: Path) -> None:
    """With two hundred events of motion before it, the notice of a panic button begins after a few
    of them: at most one is in hand at each of the two steps, journal and mark.
    """
    async with school(tmp_path, rules=RULES) as house:
        house.perform()
        await house.settled()
        flood = Flood(house, 200)
        await until(lambda: flood.taken == 1)
        accepted = asyncio.create_task(house.intake.accept(panic(house)))
        let = await through(flood, lambda: house.channels["console"].sent)
        assert let <= 8
        assert house.channels["console"].sent[0].title == "Panic button"
        await flood.end()
        await accepted
        await house.settled()


@pytest.mark.parametrize("what", ["verdict", "command"])
async def test_what_a_person_decides_goes_before_motion(tmp_path: Path, what: str) -> None:
    """Neither a verdict nor a door command waits for the motion that came before it."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.door_event("door.forced", "store"))
        (alert,) = await house.intake.alerts()
        flood = Flood(house, 200)
        await until(lambda: flood.taken == 1)
        if what == "verdict":
            person = house.intake.verdict(alert["id"], "dismissed", "officer")
        else:
            person = house.intake.command_door("store", "lock", "officer", "")
        deciding = asyncio.create_task(person)
        assert await through(flood, deciding.done) <= 4
        await flood.end()


async def test_motion_still_has_its_turn(tmp_path: Path) -> None:
    """While one urgent event follows another, what is not urgent is journaled too."""
    async with school(tmp_path, rules=RULES) as house:
        stop = asyncio.Event()

        async def press() -> None:
            while not stop.is_set():
                await house.intake.accept(panic(house))

        pressing = [asyncio.create_task(press()) for _ in range(4)]
        async with asyncio.timeout(30):
            for _ in range(20):
                await house.intake.accept(house.door_event("door.opened", "store"))
        stop.set()
        await asyncio.gather(*pressing)


async def test_events_keep_their_order_within_a_call(tmp_path: Path) -> None:
    """A call with one urgent event goes first as a whole, in its own order."""
    async with school(tmp_path, rules=RULES) as house:
        mixed = (house.door_event("door.opened", "store"), panic(house))
        await house.intake.accept(*mixed, house.door_event("door.closed", "store"))
        kinds = await house.journal.read(
            lambda c: list(c.scalars(select(events.c.type).order_by(events.c.seq)))
        )
        wanted = ("door.opened", PANIC, "door.closed")
        assert [kind for kind in kinds if kind in wanted] == list(wanted)
        assert house.journal.counters.urgent == 1


def test_only_severe_rules_make_an_event_urgent_and_motion_never_is() -> None:
    """A flood cannot be made urgent by a rule; a fire and a forced holder need none."""
    config = Config.model_validate(SCHOOL | {"rules": RULES})
    assert urgent_types(config) == {PANIC, "fire.alarm", "fire.clear", "access.duress"}


async def test_severe_notices_leave_the_outbox_first(tmp_path: Path) -> None:
    """An older notice of less weight waits for a severe one, also where both are to one person."""
    async with school(tmp_path, rules=RULES) as house:
        for _ in range(3):
            await house.intake.accept(house.door_event("door.held", "store"))
            (alert,) = await house.intake.alerts(open_only=True)
            await house.intake.verdict(alert["id"], "unsure", "officer")
        await house.intake.accept(panic(house))
        gates = [house.channels["console"], house.channels["post"]]
        for channel in gates:
            channel.gate = asyncio.Event()
        house.perform()
        await until(lambda: all(channel.sent for channel in gates))
        assert [channel.sent[0].severity for channel in gates] == ["severe", "severe"]
        for channel in gates:
            assert channel.gate is not None
            channel.gate.set()
        await house.settled()


async def test_a_channel_full_of_calls_still_takes_a_severe_one(tmp_path: Path) -> None:
    """Sixteen notices that hang do not hold up a severe seventeenth."""
    people = {
        f"person_{n}": {"name": f"Person {n}", "role": "sro", "contact": {"post": f"{n}@school"}}
        for n in range(20)
    }
    async with school(tmp_path, rules=RULES, people=people) as house:
        post = house.channels["post"]
        post.gate = asyncio.Event()
        house.perform()
        await house.intake.accept(house.door_event("door.held", "store"))
        await until(lambda: len(post.sent) == 16)
        await house.intake.accept(panic(house))
        await until(lambda: any(notice.severity == "severe" for notice in post.sent))
        assert sum(notice.severity == "check" for notice in post.sent) == 16
        post.gate.set()
        await house.settled()


async def test_a_verdict_stays_in_the_lane_of_its_alert(tmp_path: Path) -> None:
    """What is said of one alert to one person is said in order, severe or not."""
    async with school(tmp_path, rules=RULES) as house:
        await house.intake.accept(panic(house))
        (alert,) = await house.intake.alerts()
        house.perform()
        await house.settled()
        await house.intake.verdict(alert["id"], "dismissed", "officer")
        await house.settled()
        rows = await house.journal.read(
            lambda c: c.execute(select(actions.c.target, actions.c.lane)).all()
        )
        lanes = {target: {lane for name, lane in rows if name == target} for target, _ in rows}
        assert {target: len(found) for target, found in lanes.items()} == {"console": 1, "post": 1}
