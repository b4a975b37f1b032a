"""The heartbeat: a test event walks the whole path, leaves nothing behind, and silence is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from safety_school import EVENING, SCHOOL, School, school, until
from sqlalchemy import Connection, func, select

from hub.events import Event
from hub.heartbeat import SETTLE_S, Heartbeat
from hub.heartbeat_settings import HeartbeatSettings
from hub.storage import eventlog
from hub.storage.schema import actions, events, receipts
from hub.testing import FakeClock

SETTINGS = HeartbeatSettings(every=60.0, within=10.0)
TELLS_IT = SCHOOL["rules"] | {
    "silence": {
        "name": "The heartbeat does not come through", "when": "heartbeat.missed",
        "alert": {"severity": "check", "tell": ["head"], "through": ["post"]},
    },
}  # fmt: skip


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school that tells somebody when the heartbeat stops."""
    async with school(tmp_path, FakeClock(EVENING), rules=TELLS_IT) as made:
        yield made


def heart(house: School, settings: HeartbeatSettings = SETTINGS) -> Heartbeat:
    return Heartbeat(house.performer, lambda: settings)


async def count(house: School, table: Any, *conditions: Any) -> int:
    def work(connection: Connection) -> int:
        found = select(func.count()).select_from(table).where(*conditions)
        return int(connection.scalar(found) or 0)

    return await house.journal.read(work)


async def events_of(house: School, prefix: str) -> list[Event]:
    found = await house.intake.past_events(0, 10_000)
    return [event for _, event in found if event.type.startswith(prefix)]


async def missed(house: School, beats: Heartbeat, times: int = 1) -> None:
    """Let beats fail for want of time, each once its event is in the journal."""
    for _ in range(times):
        before = beats._number
        task = asyncio.create_task(beats.beat(SETTINGS))
        await until(lambda number=before + 1: walked(house, number))
        await house.journal.write(lambda c: None)  # and the beat has heard so
        await house.clock.advance(10)
        await until(task.done)
        assert task.result() is False


async def walked(house: School, number: int) -> bool:
    """Whether the notice of that walk waits in the outbox."""
    return await count(house, actions, actions.c.key.like(f"heartbeat-%-{number}")) == 1


async def test_the_test_event_walks_the_whole_path(house: School) -> None:
    """Journal, rule, outbox, channel and back: measured, and no trouble."""
    house.perform()
    beats = heart(house)
    assert beats.view()["last"] is None
    assert await beats.beat(SETTINGS)
    view = beats.view()
    assert (view["age_s"], view["trouble"], view["watcher"]) == (0.0, "", "")
    assert view["took_s"] is not None
    assert beats.problems() == []


async def test_it_leaves_nothing_that_grows(house: School) -> None:
    """However often it walks: two rows of the journal in turn, none of the outbox, no alert, no
    incident, no notice to a person, and nothing for those who follow events.
    """
    house.perform()
    beats = heart(house)
    with house.bus.subscribe() as stream:
        for _ in range(12):
            assert await beats.beat(SETTINGS)
        await until(lambda: count_is(house, actions, 0))
        await house.intake.accept(Event("hub.started", "hub", house.clock.now()))
        _, first = await anext(stream)
    assert first.type == "hub.started"
    assert await count(house, events, events.c.type == eventlog.HEARTBEAT) == 2
    assert await count(house, events) == 3
    assert await count(house, receipts) == 0
    assert not await house.intake.alerts()
    assert not await house.intake.incidents()
    assert not any(channel.sent for channel in house.channels.values())
    assert [event.type for event in await events_of(house, "")] == ["hub.started"]
    assert (await house.intake.counts())["actions"]["confirmed"] == 0


async def count_is(house: School, table: Any, wanted: int) -> bool:
    return await count(house, table) == wanted


async def test_what_rules_remember_is_not_made_again_for_it(tmp_path: Path) -> None:
    """A rule that counts goes on counting: the walk does not look like a foreign hand."""
    counting = SCHOOL["rules"] | {
        "thrice": {
            "name": "Three doors", "when": "door.opened",
            "count": {"at_least": 3, "within": 600}, "same": "anything",
            "alert": {"severity": "check", "through": ["console"]},
        },
    }  # fmt: skip
    async with school(tmp_path, FakeClock(EVENING), rules=counting) as house:
        house.perform()
        beats = heart(house)
        for _ in range(3):
            await house.intake.accept(house.door_event("door.opened", "store"))
            assert await beats.beat(SETTINGS)
        assert [one["title"] for one in await house.intake.alerts()] == ["Three doors"]
        memory = house.intake._charter.memory

        async def in_step() -> bool:
            return memory.seq == await house.journal.read(eventlog.last_seq)

        await until(in_step)


async def test_a_channel_that_hangs_does_not_stop_it(house: School) -> None:
    """It has a lane of its own: only the path itself counts, not one recipient's phone."""
    house.channels["console"].gate = asyncio.Event()
    house.perform()
    await house.intake.accept(house.seen())
    assert await heart(house).beat(SETTINGS)


async def test_silence_is_told_once_and_so_is_its_end(house: School) -> None:
    """Nobody performs: the event says how far it came, a rule tells somebody, then it is over."""
    beats = heart(house)
    await missed(house, beats, 3)
    words = "it is in the journal, but its notice was not carried out within 10s"
    assert beats.problems() == [f"the heartbeat does not come through: {words}"]
    (told,) = await events_of(house, "heartbeat.missed")
    assert told.data == {"reason": words, "last": ""}
    house.perform()
    await until(lambda: bool(house.channels["post"].sent))
    assert house.channels["post"].sent[0].title == "The heartbeat does not come through"
    assert await beats.beat(SETTINGS)
    (over,) = await events_of(house, "heartbeat.recovered")
    assert over.data["missed"] == 3
    assert beats.problems() == []
    await missed_after_stop(house, beats)
    assert len(await events_of(house, "heartbeat.missed")) == 2


async def test_the_end_of_a_silence_is_told_after_a_restart(house: School) -> None:
    """The next hub reads in the journal that one was told: it tells the end, or goes on silently,
    and where none was told it tells nothing.
    """
    await missed(house, heart(house))
    restarted = heart(house)
    restarted._number = 1  # else its walk has the key of the one before, which still waits
    await missed(house, restarted)
    assert len(await events_of(house, "heartbeat.missed")) == 1
    house.perform()
    assert await heart(house).beat(SETTINGS)
    (over,) = await events_of(house, "heartbeat.recovered")
    assert over.data["missed"] == 1
    assert await heart(house).beat(SETTINGS)
    assert len(await events_of(house, "heartbeat.recovered")) == 1


async def missed_after_stop(house: School, beats: Heartbeat) -> None:
    await house.stop()
    await missed(house, beats)


async def test_a_journal_that_is_stuck_is_silence_too(house: School) -> None:
    """It cannot be journaled then; it is said on the health page, and journaled afterwards."""
    house.perform()
    beats, go_on = heart(house), threading.Event()
    stuck = asyncio.create_task(house.journal.write(lambda connection: go_on.wait(30)))
    await asyncio.sleep(0)
    task = asyncio.create_task(beats.beat(SETTINGS))

    async def over() -> bool:
        await house.clock.advance(5)
        return task.done()

    await until(over)
    assert "the journal did not take it within 10s" in beats.problems()[0]
    go_on.set()
    await stuck
    assert await beats.beat(SETTINGS)
    assert beats.problems() == []


async def test_a_walk_that_a_kill_cut_short_is_gone_after_the_restart(tmp_path: Path) -> None:
    """What was left in the outbox expires unsent and leaves no row and no event."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock) as house:
        await house.intake.decide(lambda decider: decider.walk(7, 10.0))
        assert await count(house, actions) == 1
    clock.set(EVENING + timedelta(minutes=5))
    async with school(tmp_path, clock) as house:
        house.perform()
        await until(lambda: count_is(house, actions, 0))
        assert not await events_of(house, "")
        assert await heart(house).beat(SETTINGS)


async def test_a_late_walk_is_not_taken_for_the_present_one(house: School) -> None:
    """What an earlier beat sent and arrives now does not prove that this one came through."""
    beats = heart(house)
    await missed(house, beats, 2)
    await house.intake.decide(lambda decider: decider.walk(1, 1000.0))
    house.perform()

    async def gone() -> bool:
        return not await walked(house, 1)

    await until(gone)
    assert not beats._arrived.is_set()


@asynccontextmanager
async def watcher(answer: Callable[[], web.Response]) -> AsyncIterator[tuple[str, list[str]]]:
    """A real server that hears heartbeats: its address, and the methods that it was asked with."""
    heard: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(request.method)
        return answer()

    app = web.Application()
    app.router.add_route("*", "/ping/7f3b", hear)
    async with TestServer(app) as server:
        yield str(server.make_url("/ping/7f3b")), heard


async def test_an_outside_watcher_hears_it_only_while_it_comes_through(house: School) -> None:
    """One GET for each walk that succeeded, none for one that did not."""
    async with watcher(lambda: web.Response(text="OK")) as (url, heard):
        settings = SETTINGS.model_copy(update={"url": url})
        beats = heart(house, settings)
        await missed(house, beats)
        assert heard == []
        house.perform()
        assert await beats.beat(settings)
        assert heard == ["GET"]


async def test_a_watcher_that_does_not_hear_is_said_without_its_address(house: School) -> None:
    """Its address is a secret: the words name what went wrong and nothing more."""
    house.perform()
    async with watcher(lambda: web.Response(status=503)) as (url, _):
        settings = SETTINGS.model_copy(update={"url": url})
        beats = heart(house, settings)
        assert await beats.beat(settings)
        assert beats.problems() == [
            "the outside watcher hears nothing: it answered with status 503"
        ]
    assert await beats.beat(settings)
    (said,) = beats.problems()
    assert said.startswith("the outside watcher hears nothing: it cannot be reached")
    assert "7f3b" not in said


async def test_it_beats_as_often_as_the_file_says_and_not_when_off(house: School) -> None:
    """Every minute here; `off` forgets trouble and asks nobody."""
    house.perform()
    settings = [SETTINGS]
    beats = Heartbeat(house.performer, lambda: settings[0])
    task = asyncio.create_task(beats.run())
    try:
        await house.clock.advance(SETTLE_S + 1)
        await until(lambda: beats.view()["took_s"] is not None)
        first = beats.view()["last"]
        await house.clock.advance(30)
        assert beats.view()["last"] == first

        async def again() -> bool:
            await house.clock.advance(10)
            return beats.view()["last"] != first

        await until(again)
        settings[0] = HeartbeatSettings(every="off")
        assert beats.view()["every"] == "off"
        await house.clock.advance(600)
        last = beats.view()["last"]
        await house.clock.advance(600)
        assert beats.view()["last"] == last
        assert beats.problems() == []
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_heart_that_stands_still_is_noticed(house: School) -> None:
    """When nobody has tried for twice the time, health says so although nothing was missed."""
    house.perform()
    beats = heart(house)
    assert await beats.beat(SETTINGS)
    await house.clock.advance(121)
    assert beats.problems() == ["the heartbeat does not come through: nobody has tried for 2m1s"]


def test_only_a_web_address_can_be_asked() -> None:
    """A file's address, or no address at all, is refused when the file is read."""
    for url in ("file:///etc/passwd", "ftp://x", "watcher"):
        with pytest.raises(ValueError, match="url"):
            HeartbeatSettings(url=url)


async def test_the_walk_needs_its_rule(house: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule engine that no longer fires is silence: the walk does not go around it."""
    monkeypatch.setattr("hub.safety.rules.book.RuleBook.judge", lambda *a, **k: [])
    house.perform()
    beats = heart(house)
    assert not await beats.beat(SETTINGS)
    assert "the rule of the test event did not fire" in beats.problems()[0]


async def test_silence_that_is_journaled_late_is_told_once(
    house: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal had taken it, only too late for that beat: the next does not tell it again."""
    beats, accept = heart(house), house.intake.accept

    async def late(*events: Event) -> None:
        await accept(*events)
        await asyncio.Event().wait()

    with monkeypatch.context() as slow:
        slow.setattr(house.intake, "accept", late)
        task = asyncio.create_task(beats.beat(SETTINGS))

        async def over() -> bool:
            if await walked(house, 1):
                await house.clock.advance(5)
            return task.done()

        await until(over)
    await missed(house, beats)
    assert len(await events_of(house, "heartbeat.missed")) == 1
