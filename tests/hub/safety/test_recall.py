"""What rules remember survives a restart, a rollback and a change of rules, out of the journal."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_days import at, badge, door, protocol
from safety_school import EVENING, SCHOOL, School, school
from sqlalchemy import Connection, select
from test_patterns import RULES, happenings

from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.safety.alerts import rows as alerts
from hub.safety.decide import Charter, Decider
from hub.safety.rules.recall import first_since, protocols_in_force
from hub.storage.journal import open_engine
from hub.storage.schema import events
from hub.testing import FakeClock

QUIET = {"severity": "note", "through": ["console"]}


def named(**rules: dict[str, Any]) -> dict[str, Any]:
    """Rules of a school, each a note unless it says otherwise."""
    return {name: {"name": name, "alert": QUIET} | rule for name, rule in rules.items()}


async def fired(house: School) -> list[str]:
    """The rules that fired so far, as the journal has them."""
    past = await house.intake.past_events(0, 1000)
    return [str(event.data["rule"]) for _, event in past if event.type == "rule.fired"]


async def start(house: School) -> None:
    """What a hub says first."""
    await house.intake.accept(Event("hub.started", "hub", house.clock.now()))


LASTING = named(open={"when": "door.opened", "lasting": "5m"})
COUNT = named(twice={"when": "door.forced", "count": {"at_least": 2, "within": "5m"}})


async def test_a_count_goes_on_after_a_restart(tmp_path: Path) -> None:
    """One before and one after make two, when both are within the window."""
    clock = FakeClock(EVENING)
    twice = ["twice"]
    for minutes, wanted in ((0, []), (4, twice), (5, twice), (6, twice), (4, twice * 2)):
        await clock.advance(minutes * 60)
        async with school(tmp_path, clock, rules=COUNT) as house:
            await start(house)
            await house.intake.accept(house.door_event("door.forced", "store"))
            assert await fired(house) == wanted


async def test_what_was_missed_while_down_fires_after_the_start(tmp_path: Path) -> None:
    """The hub was away when five minutes were over: it fires once doors have had time to speak."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, rules=LASTING) as house:
        await house.intake.accept(house.door_event("door.opened", "store"))
    await clock.advance(3600)
    async with school(tmp_path, clock, rules=LASTING) as house:
        await start(house)
        await clock.advance(29)
        await house.intake.lapse()
        assert await fired(house) == []
        await clock.advance(1)
        await house.intake.lapse()
        assert await fired(house) == ["open"]
        (alert,) = await house.intake.alerts()
        assert alert["matched"][-1] == "lasted 1h30s (since 2026-03-02 20:15:00)"
    await clock.advance(60)
    async with school(tmp_path, clock, rules=LASTING) as house:
        await start(house)
        await clock.advance(3600)
        await house.intake.lapse()
        assert await fired(house) == ["open"]  # it has fired, and does not again


async def test_a_door_that_was_closed_meanwhile_does_not_fire(tmp_path: Path) -> None:
    """What the controller reports after the start is heard first."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, rules=LASTING) as house:
        await house.intake.accept(house.door_event("door.opened", "store"))
    await clock.advance(3600)
    async with school(tmp_path, clock, rules=LASTING) as house:
        await start(house)
        await clock.advance(5)
        await house.intake.accept(house.door_event("door.closed", "store"))
        await clock.advance(3600)
        await house.intake.lapse()
        assert await fired(house) == []


async def test_a_new_rule_sees_what_was_there_before_it(tmp_path: Path) -> None:
    """A rule that comes with a reload knows of the door that has been open for an hour."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, rules={}) as house:
        await house.intake.accept(house.door_event("door.opened", "store"))
        await clock.advance(3600)
        config = Config.model_validate(SCHOOL | {"rules": LASTING})
        house.intake.reconfigure(config, Campus(config.places))
        await house.intake.lapse()
        await clock.advance(31)
        await house.intake.lapse()
        assert await fired(house) == ["open"]


async def test_a_cooldown_and_what_it_kept_back_survive(tmp_path: Path) -> None:
    """After a restart the rule keeps quiet on, and each event it kept back is listed once."""
    clock = FakeClock(EVENING)
    rules = named(forced={"when": "door.forced", "cooldown": "10m"})
    kept: list[str] = []
    for _ in range(3):
        async with school(tmp_path, clock, rules=rules) as house:
            await start(house)
            for _ in range(2):
                event = house.door_event("door.forced", "store")
                await house.intake.accept(event)
                kept.append(event.id)
                await clock.advance(10)
    async with school(tmp_path, clock, rules=rules) as house:
        assert await fired(house) == ["forced"]
        await clock.advance(600)
        await house.intake.lapse()
        await clock.advance(60)
        await house.intake.lapse()
        past = [event for _, event in await house.intake.past_events(0, 1000)]
        told = [one.data for one in past if one.type == "rule.suppressed"]
        assert [each for data in told for each in data["events"]] == kept[1:]
        assert told[-1]["count"] == 5
        (alert,) = await house.intake.alerts()
        assert alert["matched"][-1].startswith("the cooldown of 10m kept back 5 more, the last at")
        assert alert["count"] == 1


async def test_a_protocol_stays_in_force_over_a_restart(tmp_path: Path) -> None:
    """However long ago it began, until it is ended."""
    clock = FakeClock(EVENING)
    rules = named(r={"when": "door.opened", "if": {"protocol": "lockdown"}})
    async with school(tmp_path, clock, rules=rules) as house:
        await house.intake.accept(protocol(clock.now(), "started", "lockdown"))
    await clock.advance(40 * 86400)
    async with school(tmp_path, clock, rules=rules) as house:
        await start(house)
        await house.intake.accept(house.door_event("door.opened", "store"))
        assert await fired(house) == ["r"]
        await house.intake.accept(protocol(clock.now(), "ended", "lockdown"))
        assert await house.journal.read(protocols_in_force) == {}
        await house.intake.accept(house.door_event("door.opened", "old_gate"))
        assert await fired(house) == ["r"]


async def test_a_transaction_that_was_taken_back_is_forgotten(tmp_path: Path) -> None:
    """An event whose transaction failed does not count, though rules had seen it."""
    async with school(tmp_path, rules=COUNT) as house:
        await house.intake.accept(house.door_event("door.forced", "store"))
        await house.clock.advance(6 * 60)

        def work(decider: Decider) -> None:
            decider.accept(house.door_event("door.forced", "store"))
            raise RuntimeError("the disk is full")

        with pytest.raises(RuntimeError):
            await house.intake.decide(work)
        await house.intake.accept(house.door_event("door.forced", "store"))
        assert await fired(house) == []
        await house.intake.accept(house.door_event("door.forced", "store"))
        assert await fired(house) == ["twice"]


async def test_a_firing_explains_itself_in_the_journal(tmp_path: Path) -> None:
    """The journal has each clause with its value, and the ids of all events that led to it."""
    async with school(tmp_path, rules=COUNT) as house:
        both = [house.door_event("door.forced", "store") for _ in "ab"]
        await house.intake.accept(*both)
        past = [event for _, event in await house.intake.past_events(0)]
        (told,) = [event for event in past if event.type == "rule.fired"]
        assert told.data["events"] == [event.id for event in both]
        assert told.data["matched"] == ["door.forced", "2 times within 5m (in 0s)"]
        assert told.data["cause"] == both[1].id
        (alert,) = await house.intake.alerts()
        assert (told.data["alert"], told.source) == (alert["id"], "rule/twice")
        assert alert["matched"] == told.data["matched"]


async def test_a_graver_firing_is_an_alert_of_its_own(tmp_path: Path) -> None:
    """An open alert of a lesser severity does not swallow it: people are told."""
    alert = {"severity": "note", "graver": {"severity": "high", "if": {"where": "minute >= 30"}}}
    rules = named(r={"when": "door.forced", "alert": alert | {"through": ["console"]}})
    async with school(tmp_path, rules=rules) as house:
        await house.intake.accept(house.door_event("door.forced", "store"))
        await house.clock.advance(15 * 60)
        for _ in range(2):
            await house.intake.accept(house.door_event("door.forced", "store"))
        views = await house.intake.alerts()
        assert [(view["severity"], view["count"]) for view in views] == [("high", 2), ("note", 1)]
        assert len(await house.intake.incidents()) == 1


async def test_a_rule_that_waits_acts_without_an_event(tmp_path: Path) -> None:
    """A task that only lets time pass is enough, as it runs in a hub."""
    async with school(tmp_path, rules=LASTING) as house:
        await house.intake.accept(house.door_event("door.opened", "store"))

        async def watch() -> None:
            while True:
                await house.clock.sleep(1.0)
                await house.intake.lapse()

        task = asyncio.create_task(watch())
        await house.clock.advance(400)
        async with asyncio.timeout(20):
            while not await fired(house):
                await house.clock.advance(1)
        task.cancel()


@settings(max_examples=30, deadline=None)
@given(happenings=happenings, data=st.data())
def test_a_restart_anywhere_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, happenings: list[tuple[int, str, str]], data: Any
) -> None:
    """A hub that begins anew before any event fires for the same events, for the same reasons."""
    cut = data.draw(st.integers(0, len(happenings)))
    which = data.draw(st.sets(st.sampled_from(sorted(RULES)), min_size=1))
    rules = {name: rule for name, rule in RULES.items() if name in which}
    folder = tmp_path_factory.mktemp("restart")
    told = []
    for name, cuts in (("never", ()), ("once", (cut,))):
        engine = open_engine(folder / f"{name}.db")
        try:
            with engine.begin() as connection:
                told.append(lived(connection, rules, happenings, cuts))
        finally:
            engine.dispose()
    assert told[0] == told[1]


def lived(
    connection: Connection,
    rules: dict[str, dict[str, Any]],
    happenings: list[tuple[int, str, str]],
    cuts: tuple[int, ...],
) -> list[tuple[str, int, list[str]]]:
    """Let all of it happen, beginning anew at the cuts; what fired, for which event, and why."""
    schedules = SCHOOL["schedules"] | {"open": SCHOOL["schedules"]["wing_open"]}
    config = Config.model_validate(SCHOOL | {"rules": named(**rules), "schedules": schedules})

    def anew() -> Charter:
        charter = Charter.of(config, Campus(config.places), lambda name: False)
        charter.memory.seq = 0  # as a hub that has run for longer than devices need to speak
        return charter

    charter, moment, ids = anew(), at("15:50"), {}
    for number, (wait, kind, name) in enumerate(happenings):
        moment += timedelta(minutes=wait)
        if number in cuts:
            charter = anew()
        event = door(moment, kind, name)
        ids[event.id] = number
        Decider(connection, charter, moment).accept(event)
    Decider(connection, charter, moment + timedelta(hours=1)).lapse()
    found = connection.execute(select(events).where(events.c.type == "rule.fired"))
    facts = [json.loads(row.data) for row in found]
    return [(each["rule"], ids[each["cause"]], each["matched"]) for each in facts]


async def test_the_first_event_since_a_moment_is_found(tmp_path: Path) -> None:
    """By halving, over gaps in the numbers too."""
    async with school(tmp_path, rules={}) as house:
        for _ in range(20):
            await house.intake.accept(badge(house.clock.now(), "granted", "store"))
            await house.clock.advance(60)
        await house.journal.write(lambda c: c.execute(events.delete().where(events.c.seq == 5)))
        for minutes in (-1, 0, 0.5, 1, 4, 5, 19.5):
            moment = EVENING + timedelta(minutes=minutes)
            left = [minute for minute in range(20) if minute >= minutes and minute != 4]

            def after(connection: Connection, since: datetime = moment) -> int:
                first = first_since(connection, since)
                return len(connection.execute(select(events).where(events.c.seq > first)).all())

            assert await house.journal.read(after) == len(left), minutes


async def test_what_lasted_fires_although_its_first_write_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that is taken back takes its memory back too."""
    rules = named(r={"when": "door.opened", "lasting": "5m"})
    async with school(tmp_path, FakeClock(EVENING), rules=rules) as house:
        await start(house)
        await house.clock.advance(60)
        await house.intake.accept(house.door_event("door.opened", "store"))
        await house.clock.advance(400)

        def full(*given: object, **named_too: object) -> None:
            raise OSError("disk full")

        with monkeypatch.context() as broken:
            broken.setattr(alerts, "raise_alert", full)
            with pytest.raises(OSError, match="disk full"):
                await house.intake.lapse()
        await house.intake.lapse()
        assert await fired(house) == ["r"]


async def test_what_a_cooldown_kept_back_does_not_fire_after_a_restart(tmp_path: Path) -> None:
    """It has had its turn: a door that stands open for the second time within the hour."""
    clock = FakeClock(EVENING)
    rules = named(r={"when": "door.opened", "lasting": "5m", "cooldown": "1h"})
    async with school(tmp_path, clock, rules=rules) as house:
        await start(house)
        await clock.advance(60)
        await house.intake.accept(house.door_event("door.opened", "store"))
        await clock.advance(310)
        await house.intake.lapse()
        await house.intake.accept(house.door_event("door.closed", "store"))
        await house.intake.accept(house.door_event("door.opened", "store"))
        await clock.advance(310)
        await house.intake.lapse()
        await clock.advance(2 * 3600)
        await house.intake.lapse()
        assert await fired(house) == ["r"]
    async with school(tmp_path, clock, rules=rules) as house:
        await start(house)
        await clock.advance(60)
        await house.intake.lapse()
        assert await fired(house) == ["r"]


async def test_a_graver_firing_leaves_nothing_unlisted(tmp_path: Path) -> None:
    """Each forced door stands in the journal, as fired or as kept back."""
    clock = FakeClock(EVENING)
    graver = {"severity": "high", "if": {"where": "minute >= 30"}}
    alert = {"severity": "note", "through": ["console"], "graver": graver}
    rules = {"r": {"name": "r", "when": "door.forced", "cooldown": "1h", "alert": alert}}
    async with school(tmp_path, clock, rules=rules) as house:
        for seconds in (14 * 60 + 40, 5, 5, 5, 10):
            await clock.advance(seconds)
            await house.intake.accept(house.door_event("door.forced", "store"))
        past = [event for _, event in await house.intake.past_events(0)]
        listed: set[str] = set()
        for event in past:
            listed |= set(event.data["events"]) if event.type.startswith("rule.") else set()
        assert {event.id for event in past if event.type == "door.forced"} == listed
