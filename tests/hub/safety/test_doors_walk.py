"""A whole house of doors walked at random: wishes, people, fire, faults and restarts.

As in `test_doors_never_lie`, with the journal, the keeper and the performer around the reconciler.
What must hold is looked at after every step.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from door_school import DoorSchool, config
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from lying_site import FAULTS, STALE_S, Lockset, Panel
from safety_school import EVENING
from sqlalchemy import select

from hub import Refused, Verb, from_iso, iso
from hub.kinds.access_control import LOCK_VERBS
from hub.storage.schema import actions
from hub.testing import FakeClock

DOORS = ("wing_east", "store", "old_gate")
NO_EGRESS = "old_gate"
SLACK_S = 0.05
LONGEST_BACK_OFF_S = 32
WHAT = (
    *("protocol_locks", "protocol_locks", "protocol_ends", "person_asks", "person_asks"),
    *("rule_unlocks", "time_passes", "time_passes", "time_passes", "breaks", "breaks"),
    *("hand_on_the_key", "hand_on_the_key", "fire", "restart"),
)


class Walk(RuleBasedStateMachine):
    """One school over several lives."""

    steps: ClassVar[int] = 0
    told: ClassVar[int] = 0
    confirmed: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory(prefix="vestibule-doors-")
        self.clock = FakeClock(EVENING)
        self.config = config()
        self.suspended_since: str | None = None
        self.looked_at = 0
        self.count = 0
        self.loop.run_until_complete(self.begin())

    async def begin(self) -> None:
        self.panel = Panel(self.clock, DOORS, ())
        await self.live()

    async def live(self) -> None:
        await self.panel.start()
        path = Path(self.folder.name)
        self.house = DoorSchool(path, self.config, self.clock, {"locks": self.panel})
        await self.house.start()

    def do(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something happen, and all that follows at once."""
        type(self).steps += 1
        self.count += 1

        async def done() -> None:
            with suppress(Refused):
                await work
            await self.clock.advance(0.001)
            await self.house.settle()

        self.loop.run_until_complete(done())

    def really(self, door: str) -> Lockset:
        return self.panel.doors[door]

    @rule(what=st.sampled_from(WHAT), door=st.sampled_from(DOORS), choice=st.integers(0, 11))
    def happens(self, what: str, door: str, choice: int) -> None:
        """The next thing."""
        self.do(getattr(self, what)(door, choice))

    async def protocol_locks(self, door: str, choice: int) -> None:
        verb: Verb = ("lock", "lockdown")[choice % 2]  # type: ignore[assignment]
        await self.house.want(door, verb, "protocol", f"run {choice % 2}")

    async def protocol_ends(self, door: str, choice: int) -> None:
        await self.house.no_more("protocol", f"run {choice % 2}")

    async def person_asks(self, door: str, choice: int) -> None:
        verbs: tuple[Verb, ...] = ("lock", "unlock", "hold_open", "momentary", "lockdown")
        verb = verbs[choice % len(verbs)]
        await self.house.decide(lambda d: d.command(door, verb, "desk", "", lasts=30.0))

    async def rule_unlocks(self, door: str, choice: int) -> None:
        until = self.clock.now() + timedelta(seconds=5 + choice)
        await self.house.want(door, "unlock", "rule", "a1", expires=until)

    async def time_passes(self, door: str, choice: int) -> None:
        await self.house.pass_time((1, 2, 4, 9)[choice % 4])

    async def breaks(self, door: str, choice: int) -> None:
        self.really(door).fault = FAULTS[choice]

    async def hand_on_the_key(self, door: str, choice: int) -> None:
        self.panel.turn(door, choice % 2 == 0)
        if choice < 6 and self.really(door).online and self.really(door).fault != "silent":
            self.panel.say(door)

    async def fire(self, door: str, choice: int) -> None:
        """A fire alarm; later it is over, and later still somebody re-arms the doors."""
        if self.suspended_since is None:
            await self.house.happens("fire.alarm", place="gym", source="panel")
            self.suspended_since = iso(self.clock.now())
        elif choice % 2:
            await self.house.happens("fire.clear", place="gym", source="panel")
        else:
            await self.house.decide(lambda d: d.rearm("desk"))
            self.suspended_since = None

    async def restart(self, door: str, choice: int) -> None:
        """The hub is away for a while; devices live on."""
        await self.house.stop()
        await self.clock.advance((0.1, 3, 20, 70)[choice % 4])
        await self.live()

    @invariant()
    def nothing_is_told_that_must_not_be(self) -> None:
        """No lock verb without a free way out or during a fire alarm; nothing late, in any life."""
        new = self.panel.told[self.looked_at :]
        self.looked_at = len(self.panel.told)
        if not new:
            return
        rows = {row.key: row for row in self.loop.run_until_complete(self.rows())}
        for told in new:
            type(self).told += 1
            row = rows[told.key]
            assert row.created <= told.wall <= row.expires, f"{told} is late: {row}"
            if told.verb in LOCK_VERBS:
                assert told.door != NO_EGRESS
                since = self.suspended_since
                assert since is None or told.wall < since, f"{told} during a fire alarm"

    @invariant()
    def what_is_shown_locked_was_so(self) -> None:
        """On pages, and as the end of a command."""
        now = self.clock.monotonic()
        for view in self.house.doors.views():
            door, reported, asked = view["id"], view["reported"], view["requested"]
            fresh = reported["lock"] == "locked" and not reported["stale"]
            assert fresh or view["conclusion"] != "secured"
            if fresh:
                made, locked = self.panel.made[door, str(reported["time"])]
                assert locked
                assert now - made <= STALE_S + SLACK_S
            if asked and asked["state"] == "confirmed" and asked["verb"] in LOCK_VERBS:
                type(self).confirmed += 1
                ago = (self.clock.now() - from_iso(asked["time"])).total_seconds()
                assert self.really(door).stood(True, now - ago - SLACK_S)

    async def rows(self) -> list[Any]:
        query = select(actions).where(actions.c.kind == "door")
        return await self.house.journal.read(lambda c: list(c.execute(query)))

    def teardown(self) -> None:
        """Once all is mended every door is as it is wanted, and no command is left open."""
        try:
            for lockset in self.panel.doors.values():
                lockset.fault = "none"
            self.do(self.house.pass_time(LONGEST_BACK_OFF_S))
            self.nothing_is_told_that_must_not_be()
            for view in self.house.doors.views():
                intent = view["intent"]
                if intent is None or intent["owner_kind"] != "protocol":
                    continue
                wanted = "locked" if intent["verb"] in LOCK_VERBS else "unlocked"
                assert view["reported"]["lock"] == wanted, view
                assert not view["differs"]
            assert not [row for row in self.loop.run_until_complete(self.rows()) if _open(row)]
        finally:
            self.panel.stop()
            self.loop.run_until_complete(self.house.stop())
            self.loop.close()
            self.folder.cleanup()


def _open(row: Any) -> bool:
    return bool(row.state == "pending")


def walk(examples: int, steps: int, **more: Any) -> None:
    """Walk so many times so many steps."""
    Walk.steps = Walk.told = Walk.confirmed = 0
    how = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate], **more,
    )  # fmt: skip
    run_state_machine_as_test(Walk, settings=how)


def test_law_6_a_house_of_doors_keeps_its_laws_over_restarts() -> None:
    """Some walks in the suite; they have to have something in them."""
    walk(5, 24, derandomize=True)
    assert Walk.steps >= 120
    assert Walk.told > 20
    assert Walk.confirmed > 20


@pytest.mark.slow
def test_law_6_over_ten_thousand_steps() -> None:
    """The same, longer, and otherwise each time."""
    walk(130, 80)
    assert Walk.steps >= 10_000
    assert Walk.told > 1000
