"""A clock that somebody sets ahead brings no rule about early, and costs none what it has seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from safety_school import EVENING, School, school
from test_recall import LASTING, fired, named, start

from hub.safety.rules.replay import Replay
from hub.testing import FakeClock

AHEAD = timedelta(hours=3)
TWICE = named(twice={"when": "door.forced", "count": {"at_least": 2, "within": "5m"}})
QUIET = named(once={"when": "door.forced", "cooldown": "5m"})
THEN = named(then={"when": "door.forced", "followed_by": [{"when": "door.opened", "within": "5m"}]})


async def look(house: School, seconds: float) -> list[str]:
    """Let time pass, and the rules look; returns which have fired so far."""
    await house.clock.advance(seconds)
    await house.intake.lapse()
    return await fired(house)


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_lasts_has_lasted_only_when_that_time_has_passed(
    tmp_path: Path, *, restarted: bool
) -> None:
    """A door that stands open for a minute does not stand open for three hours because the clock
    was put right; it is told once five minutes are over, and so it is by a hub that was restarted
    in between.
    """
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, rules=LASTING) as house:
        await start(house)
        await clock.advance(60)
        await house.intake.accept(house.door_event("door.opened", "store"))
        assert await look(house, 60) == []
        clock.set(clock.now() + AHEAD)
        assert await look(house, 1) == []
        if not restarted:
            assert await look(house, 238) == []
            assert await look(house, 1) == ["open"]
            (alert,) = await house.intake.alerts()
            assert alert["matched"][-1].startswith("lasted 5m ")
    if restarted:
        async with school(tmp_path, clock, rules=LASTING) as house:
            await start(house)
            assert await look(house, 238) == []
            assert await look(house, 1) == ["open"]


async def test_an_event_on_its_way_while_the_clock_is_set_is_of_now(tmp_path: Path) -> None:
    """A worker said when by the clock as it was: that door has not stood open since then."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, rules=LASTING) as house:
        await start(house)
        await clock.advance(60)
        opened = house.door_event("door.opened", "store")
        clock.set(clock.now() + AHEAD)
        await clock.advance(1)
        await house.intake.accept(opened)
        assert await look(house, 298) == []
        assert await look(house, 1) == ["open"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_came_before_the_clock_was_set_counts_for_as_long_as_ever(
    tmp_path: Path, *, restarted: bool
) -> None:
    """The second of two within five minutes is the second, whatever the clock says meanwhile."""
    clock = FakeClock(EVENING)
    rules = TWICE | THEN
    async with school(tmp_path, clock, rules=rules) as house:
        await start(house)
        await house.intake.accept(house.door_event("door.forced", "store"))
        await clock.advance(60)
        clock.set(clock.now() + AHEAD)
        await house.intake.see_to_the_clock()
        if not restarted:
            await told_again(house)
    if restarted:
        async with school(tmp_path, clock, rules=rules) as house:
            await start(house)
            await told_again(house)


async def told_again(house: School) -> None:
    """The same door again, a minute later."""
    await house.clock.advance(60)
    await house.intake.accept(house.door_event("door.opened", "store"))
    await house.intake.accept(house.door_event("door.forced", "store"))
    assert await fired(house) == ["then", "twice"]


async def test_a_rule_keeps_quiet_for_as_long_as_it_is_to(tmp_path: Path) -> None:
    """A cooldown is neither over nor longer because the clock was set."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, rules=QUIET) as house:
        await start(house)
        for seconds, so_far in ((0, 1), (60, 1), (239, 1), (1, 2)):
            await clock.advance(seconds)
            await house.intake.accept(house.door_event("door.forced", "store"))
            assert len(await fired(house)) == so_far
            if seconds == 60:
                clock.set(clock.now() + AHEAD)


async def test_a_replay_over_a_clock_that_was_set_says_what_was(tmp_path: Path) -> None:
    """What it would have done is what was done."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, rules=LASTING) as house:
        await start(house)
        await clock.advance(60)
        await house.intake.accept(house.door_event("door.opened", "store"))
        clock.set(clock.now() + AHEAD)
        assert await look(house, 200) == []
        await house.intake.accept(house.door_event("door.closed", "store"))
        until = clock.now()
        only = replace(
            await house.journal.read(
                lambda c: Replay(house.intake.config, EVENING, until).run(c, lambda *_: None)
            )
        )
        assert only.firings == []
