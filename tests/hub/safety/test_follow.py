"""A consumer of the journal misses nothing that was journaled while it was not running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from safety_school import School, school, until
from sqlalchemy import Connection

from hub.events import Event
from hub.safety.follow import BEHIND, TOGETHER, Follower
from hub.storage import eventlog, offsets

OPENED = "door.opened"


async def opened(house: School, times: int) -> list[str]:
    """So many events of the type that is followed, and as many others; returns the former's ids."""
    wanted = [house.door_event(OPENED, "store") for _ in range(times)]
    for event in wanted:
        await house.intake.accept(event, house.door_event("door.closed", "store"))
    return [event.id for event in wanted]


@asynccontextmanager
async def following(
    house: School, handle: Callable[[Event], Awaitable[None]]
) -> AsyncIterator[Follower]:
    """A follower of opened doors while the block runs."""
    follower = Follower("test", house.journal, house.clock, (OPENED,), handle)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def offset(house: School, name: str = "test") -> int | None:
    """How far a follower has come, by the journal."""
    return await house.journal.read(lambda c: offsets.get(c, name))


async def caught_up(house: School, name: str = "test") -> bool:
    """Whether it is written that a follower is through with everything."""
    last = await house.journal.read(eventlog.last_seq)
    return await offset(house, name) == last


async def test_what_was_missed_is_handled_once_and_in_order(tmp_path: Path) -> None:
    """Whatever was journaled while nobody followed comes first, then what is new; of its types."""
    got: list[str] = []

    async def handle(event: Event) -> None:
        got.append(event.id)

    async with school(tmp_path) as house:
        before = await opened(house, TOGETHER + 5)
        async with following(house, handle):
            await until(lambda: len(got) == len(before))
            await until(lambda: caught_up(house))
        between = await opened(house, 2)
        async with following(house, handle) as follower:
            await until(lambda: len(got) == len(before) + 2)
            after = await opened(house, 1)
            follower.wake()
            await until(lambda: len(got) == len(before) + 3)
        assert got == [*before, *between, *after]


async def test_what_was_in_hand_at_the_end_is_handled_again(tmp_path: Path) -> None:
    """The offset is written after the work: one that was cut short is done at the next start."""
    got: list[str] = []
    stuck = asyncio.Event()

    async def hang(event: Event) -> None:
        got.append(event.id)
        await stuck.wait()

    async def handle(event: Event) -> None:
        got.append(event.id)

    async with school(tmp_path) as house:
        (event,) = await opened(house, 1)
        async with following(house, hang):
            await until(lambda: got == [event])
        async with following(house, handle):
            await until(lambda: got == [event, event])
            await until(lambda: _is(house, 2))
        async with following(house, handle) as follower:
            await opened(house, 1)
            follower.wake()
            await until(lambda: len(got) == 3)


async def _is(house: School, seq: int) -> bool:
    return await offset(house) == seq


async def test_an_event_that_cannot_be_handled_holds_up_no_other(tmp_path: Path) -> None:
    """What a consumer raises is logged, and the next event is its next."""
    got: list[str] = []

    async def handle(event: Event) -> None:
        got.append(event.id)
        if len(got) == 1:
            raise RuntimeError("not this one")

    async with school(tmp_path) as house:
        wanted = await opened(house, 3)
        async with following(house, handle):
            await until(lambda: got == wanted)


async def test_the_offset_follows_also_where_nothing_is_wanted(tmp_path: Path) -> None:
    """After many events that it does not want a restart does not read them all again."""
    async with school(tmp_path) as house:

        async def handle(event: Event) -> None:
            """Never called."""

        async with following(house, handle):
            await until(lambda: _is(house, 0))
            others = [house.door_event("door.closed", "store") for _ in range(BEHIND + 1)]
            await house.intake.accept(*others)

            async def looked_again() -> bool:
                await house.clock.advance(31)
                return await _is(house, BEHIND + 1)

            await until(looked_again)


async def test_pictures_are_asked_for_also_after_a_restart(tmp_path: Path) -> None:
    """An alert whose hub ended before it asked for pictures gets them at the next start; one that
    is too long ago does not.
    """
    async with school(tmp_path) as house:
        await house.unfollow()
        await house.intake.accept(house.seen())
        assert house.opened == []
    await house.clock.advance(60)
    async with school(tmp_path, house.clock) as house:
        await until(lambda: len(house.opened) == 1)
        await house.unfollow()
        await house.intake.accept(house.seen("lab"))
    await house.clock.advance(600)
    async with school(tmp_path, house.clock) as house:
        await house.intake.accept(house.door_event("door.forced", "old_gate"))
        await until(lambda: house.opened)
        assert [alert["place"] for alert in house.opened] == ["yard"]


async def test_an_alert_that_becomes_an_incident_late_gets_pictures_too(tmp_path: Path) -> None:
    """A light alert that turns out to be real asks for pictures when it is verified, once."""
    async with school(tmp_path) as house:
        dark = Event("camera.offline", "hub/perception", house.clock.now(), "yard")
        await house.intake.accept(dark)
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "verified", "desk")
        await until(lambda: house.opened)
        await house.intake.accept(house.seen())
        grave = next(one for one in await house.intake.alerts() if one["place"] == "wing")
        await house.intake.verdict(grave["id"], "verified", "desk")
        await until(lambda: len(house.opened) == 2)
        assert [one["id"] for one in house.opened] == [alert["id"], grave["id"]]


async def test_an_alert_verified_before_anybody_looked_gets_its_pictures_once(
    tmp_path: Path,
) -> None:
    """Raised and made an incident of while nobody followed: that is one wish, not two."""
    async with school(tmp_path) as house:
        await house.unfollow()
        await house.intake.accept(
            Event("camera.offline", "hub/perception", house.clock.now(), "yard")
        )
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "verified", "desk")
        house.follow()
        await until(lambda: caught_up(house, "pictures"))
        assert [one["id"] for one in house.opened] == [alert["id"]]


async def test_what_comes_between_two_looks_is_handled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that is journaled after the end was read, and before the events were, is no two."""
    got: list[str] = []
    earlier = [0]

    async def handle(event: Event) -> None:
        got.append(event.id)

    async with school(tmp_path) as house:
        (wanted,) = await opened(house, 1)
        async with following(house, handle) as follower:
            real = follower._after

            def after(connection: Connection, after: int) -> tuple[list[tuple[int, Event]], int]:
                found, last = real(connection, after)
                return found, earlier.pop() if earlier else last

            monkeypatch.setattr(follower, "_after", after)
            await until(lambda: got)
            (other,) = await opened(house, 1)
            follower.wake()
            await until(lambda: other in got)
        assert got == [wanted, other]
