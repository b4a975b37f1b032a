"""Drills that are planned for a date: people are reminded, and a person starts each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from protocol_school import account, protocol_school
from safety_school import EVENING, SCHOOL, School, ScriptedChannel
from sqlalchemy import select

from hub.clock import iso
from hub.drill_views import DrillWanted
from hub.drills import Drills
from hub.errors import Refused
from hub.ports import Outcome
from hub.protocols import Protocols
from hub.safety.drills.years import Years
from hub.storage.schema import events
from hub.testing import FakeClock

DUE = EVENING + timedelta(days=3)
NEEDS: dict[str, Any] = {"drills": {"required": {"lockdown": 2, "evacuate": 1}}}


def wanted(**changes: Any) -> DrillWanted:
    """A drill of Lockdown in three days that the officer leads."""
    fields: dict[str, Any] = {"protocol": "lockdown", "area": "site", "due": DUE}
    return DrillWanted(**fields | {"leader": "officer", "note": "Bring the list"} | changes)


@asynccontextmanager
async def planning(
    path: Path, hub: dict[str, Any] = NEEDS, clock: FakeClock | None = None, **changes: Any
) -> AsyncIterator[tuple[School, Protocols, Drills]]:
    """The small school whose actions run, its protocols and its planned drills."""
    async with protocol_school(path, clock, hub=hub, **changes) as (house, desk):
        yield house, desk, Drills(house.intake, desk)


async def told(house: School, channel: str = "post") -> list[tuple[str, list[str]]]:
    """The notices of a channel, each with whom it went to; it is empty afterwards."""
    await house.settled()
    sent = house.channels[channel].sent
    said = [(notice.title, [one.person for one in notice.to]) for notice in sent]
    sent.clear()
    return said


async def test_the_leader_is_reminded_a_day_and_an_hour_before_and_nothing_starts(
    tmp_path: Path,
) -> None:
    """Each reminder goes out once, to the leader alone, also over a restart; the hub starts
    nothing when the time has come.
    """
    async with planning(tmp_path) as (house, desk, drills):
        plan = await drills.make(wanted(), "head")
        assert await told(house) == [("DRILL: Lockdown is planned", ["officer"])]
        await house.later(DUE - timedelta(days=1, seconds=1))
        await drills.look()
        assert await told(house) == []
        await house.later(DUE - timedelta(days=1))
        await drills.look()
        await Drills(house.intake, desk).look()
        assert await told(house) == [("DRILL: Lockdown is planned", ["officer"])]
        await house.later(DUE - timedelta(hours=1))
        await drills.look()
        await drills.look()
        assert await told(house) == [("DRILL: Lockdown is planned", ["officer"])]
        await house.later(DUE + timedelta(minutes=1))
        await drills.look()
        assert await told(house) == []
        assert (await drills.plan(plan["id"]))["state"] == "due"
        assert (await desk.view())["in_force"] == []
        assert house.doors.asked == []


async def test_a_reminder_says_what_where_when_who_and_that_a_person_starts_it(
    tmp_path: Path,
) -> None:
    """In the language of whom it is for, leading to the plan's page, through channels that reach
    people of the school alone.
    """
    people = SCHOOL["people"] | {"officer": SCHOOL["people"]["officer"] | {"language": "es"}}
    notifiers = SCHOOL["notifiers"] | {"dispatch": {"driver": "x", "outside": True}}
    async with planning(tmp_path, people=people, notifiers=notifiers) as (house, _, drills):
        house.channels["dispatch"] = ScriptedChannel()
        plan = await drills.make(wanted(), "head")
        await house.later(DUE - timedelta(hours=1))
        await drills.look()
        await house.settled()
        notice = house.channels["post"].sent[-1]
        assert notice.title == "DRILL: Lockdown está planificado"
        assert notice.text == (
            "School, 20:15 del jueves 5 de marzo.\nLo dirige School resource officer.\n"
            "Lo inicia una persona en su página; nada se inicia solo.\nBring the list"
        )
        assert notice.link.endswith(f"/drills/{plan['id']}")
        assert house.channels["siren"].sent == house.channels["dispatch"].sent == []


async def test_without_a_leader_all_who_may_plan_drills_are_reminded(tmp_path: Path) -> None:
    """The principal and the officer plan drills; the front office does not."""
    async with planning(tmp_path) as (house, _, drills):
        await drills.make(wanted(leader=""), "head")
        assert await told(house) == []
        await house.later(DUE - timedelta(hours=20))
        await drills.look()
        names = sorted(name for _, to in await told(house) for name in to)
        assert names == ["head", "officer"]


async def test_no_reminders_where_the_school_wants_none(tmp_path: Path) -> None:
    """`remind: []` is silent until a drill is missed."""
    async with planning(tmp_path, {"drills": {"remind": []}}) as (house, _, drills):
        await drills.make(wanted(), "officer")
        await house.later(DUE - timedelta(minutes=1))
        await drills.look()
        assert await told(house) == []


async def test_quiet_hours_keep_a_reminder_back_whatever_was_told_before(tmp_path: Path) -> None:
    """What is coming tomorrow wakes nobody; it is told when the quiet hours end."""
    nights = {"weekly": [{"from": "20:00", "to": "07:00"}]}
    officer = SCHOOL["people"]["officer"] | {"quiet": "nights"}
    more = {"schedules": SCHOOL["schedules"] | {"nights": nights}}
    people = SCHOOL["people"] | {"officer": officer}
    noon = FakeClock(EVENING - timedelta(hours=8))
    async with planning(tmp_path, clock=noon, people=people, **more) as (house, _, drills):
        await drills.make(wanted(), "head")
        assert len(await told(house)) == 1
        await house.later(DUE - timedelta(days=1))
        await drills.look()
        await house.pass_time(1)
        assert house.channels["post"].sent == []
        await house.later(DUE - timedelta(hours=13))
        assert [title for title, _ in await told(house)] == ["DRILL: Lockdown is planned"]


async def test_a_plan_that_nobody_starts_is_told_as_missed_once_and_stays_on_record(
    tmp_path: Path,
) -> None:
    """After four hours; it can neither be changed nor called off any more, only started late."""
    async with planning(tmp_path) as (house, desk, drills):
        plan = await drills.make(wanted(), "officer")
        await house.later(DUE + timedelta(hours=4))
        await drills.look()
        await drills.look()
        missed = await told(house)
        assert {title for title, _ in missed} == {"DRILL: Lockdown was not started"}
        assert sorted(name for _, to in missed for name in to) == ["head", "officer"]
        assert (await drills.plan(plan["id"]))["state"] == "missed"
        for act in (
            drills.call_off(plan["id"], "head"),
            drills.change(plan["id"], wanted(due=DUE + timedelta(days=9)), "head"),
        ):
            with pytest.raises(Refused, match="was missed, and stays on record"):
                await act
        year = await drills.year()
        assert [each["state"] for each in year["plans"]] == ["missed"]
        run = await desk.start("lockdown", "site", "head", drill=True, plan=plan["id"])
        assert (await drills.plan(plan["id"]))["run"] == run["id"]


async def test_a_clock_that_was_ahead_for_a_while_leaves_no_plan_missed(tmp_path: Path) -> None:
    """Once it is right again the drill is ahead: reminded of, and missed, by the right time."""
    async with planning(tmp_path) as (house, _, drills):
        plan = await drills.make(wanted(), "officer")
        house.clock.set(DUE + timedelta(days=9))
        await drills.look()
        assert (await drills.plan(plan["id"]))["state"] == "missed"
        house.clock.set(EVENING + timedelta(minutes=1))
        await told(house)
        await drills.look()
        assert (await drills.plan(plan["id"]))["state"] == "planned"
        assert await told(house) == []
        await house.later(DUE - timedelta(hours=1))
        await drills.look()
        assert await told(house) == [("DRILL: Lockdown is planned", ["officer"])]
        await house.later(DUE + timedelta(hours=4))
        await drills.look()
        assert {title for title, _ in await told(house)} == {"DRILL: Lockdown was not started"}


async def test_a_clock_that_was_ahead_by_a_day_takes_no_reminder_away(tmp_path: Path) -> None:
    """The reminder of the last hour that came by it comes again in the last hour."""
    async with planning(tmp_path) as (house, _, drills):
        await drills.make(wanted(), "officer")
        house.clock.set(DUE - timedelta(minutes=30))
        await drills.look()
        assert len(await told(house)) == 1
        house.clock.set(DUE - timedelta(hours=30))
        await drills.look()
        for hours in (24, 1):
            await house.later(DUE - timedelta(hours=hours))
            await drills.look()
            assert len(await told(house)) == 1


async def test_who_was_told_hears_that_it_is_moved_or_called_off(tmp_path: Path) -> None:
    """The leader, and one who leads it no more; not whoever did it. The reminders begin anew."""
    async with planning(tmp_path) as (house, _, drills):
        plan = await drills.make(wanted(leader=""), "head")
        await house.later(DUE - timedelta(hours=2))
        await drills.look()
        await told(house)
        later = DUE + timedelta(days=2)
        await drills.change(plan["id"], wanted(due=later, leader=""), "head")
        assert await told(house) == [("DRILL: Lockdown is planned otherwise", ["officer"])]
        await drills.change(plan["id"], wanted(due=later, leader=""), "head")
        assert await told(house) == [], "nothing has changed"
        await house.later(later - timedelta(hours=3))
        await drills.look()
        assert len(await told(house)) == 2
        await drills.change(plan["id"], wanted(due=later), "head")
        await told(house)
        await drills.call_off(plan["id"], "head", "Snow")
        await house.settled()
        [notice] = house.channels["post"].sent
        assert notice.title == "DRILL: Lockdown is called off"
        assert notice.text.endswith("Principal has called it off.\nSnow")
        await house.later(later + timedelta(days=1))
        await told(house)
        await drills.look()
        assert await told(house) == []
        assert (await drills.plan(plan["id"]))["state"] == "called_off"


async def test_a_started_drill_belongs_to_its_plan_and_an_old_one_is_refused(
    tmp_path: Path,
) -> None:
    """The same press twice is one start; another is refused, as are another protocol, a plan that
    was called off and one that nobody knows; then nothing is started.
    """
    async with planning(tmp_path) as (house, desk, drills):
        plan = await drills.make(wanted(), "head", key="a")
        assert (await drills.make(wanted(), "head", key="a"))["id"] == plan["id"]
        off = await drills.make(wanted(), "head")
        await drills.call_off(off["id"], "head")
        drill: dict[str, Any] = {"drill": True, "plan": plan["id"]}
        for words, refused in (
            ("a drill of Lockdown was planned", ("hold", drill)),
            ("has been called off", ("lockdown", drill | {"plan": off["id"]})),
            ("there is no such planned drill", ("lockdown", drill | {"plan": "x"})),
        ):
            with pytest.raises(Refused, match=words):
                await desk.start(refused[0], "site", "head", **refused[1])
        assert (await desk.view())["in_force"] == []
        run = await desk.start("lockdown", "site", "head", key="k", **drill)
        again = await desk.start("lockdown", "site", "head", key="k", **drill)
        assert again["id"] == run["id"]
        with pytest.raises(Refused, match="has been started before"):
            await desk.start("lockdown", "site", "officer", key="n", **drill)
        assert (await drills.plan(plan["id"]))["state"] == "held"
        await house.later(DUE + timedelta(days=1))
        await told(house)
        await drills.look()
        assert await told(house) == [], "a drill that was held is neither reminded of nor missed"


async def test_law_7_a_plan_never_stands_before_what_is_real(tmp_path: Path) -> None:
    """A real lockdown starts whatever plan is named with it, and no plan counts as held by it."""
    async with planning(tmp_path) as (_, desk, drills):
        plan = await drills.make(wanted(), "head")
        await drills.call_off((off := await drills.make(wanted(), "head"))["id"], "head")
        for protocol, named in (("hold", "gone"), ("secure", off["id"]), ("lockdown", plan["id"])):
            run = await desk.start(protocol, "site", "head", plan=named)
            assert (run["drill"], run["state"]) == (False, "in_force")
        assert (await drills.plan(plan["id"]))["state"] == "planned"


async def test_a_year_says_what_is_required_held_planned_and_missing(tmp_path: Path) -> None:
    """Drills without a plan count too; real protocols and drills that people say do not count are
    left out.
    """
    async with planning(tmp_path) as (_, desk, drills):
        await drills.make(wanted(), "head")
        before = await drills.year()
        [lockdown, evacuate] = before["needs"]
        assert (before["name"], before["current"]) == ("2025/26", True)
        assert (lockdown["required"], lockdown["held"], lockdown["planned"]) == (2, 0, 1)
        assert (lockdown["missing"], lockdown["unplanned"]) == (2, 1)
        assert (evacuate["missing"], evacuate["unplanned"]) == (1, 1)
        run = await desk.start("lockdown", "site", "head", drill=True)
        await desk.ask_end(run["id"], "head")
        await desk.start("lockdown", "site", "head")
        [lockdown, _] = (await drills.year())["needs"]
        assert (lockdown["held"], lockdown["missing"], lockdown["unplanned"]) == (1, 1, 0)
        await drills.evaluate(run["id"], "head", {}, "Broken off", False)
        year = await drills.year()
        assert year["needs"][0]["held"] == 0
        assert [(each["counts"], each["told"]) for each in year["held"]] == [(False, 1)]
        assert (await drills.year(2024))["held"] == []
        with pytest.raises(KeyError):
            await drills.year(0)


async def test_a_report_says_what_was_measured_and_what_people_saw(tmp_path: Path) -> None:
    """Each door after how many seconds, which failed, whom it reached, the tasks; and each
    person's own words once, the newest.
    """
    async with planning(tmp_path) as (house, desk, drills):
        house.doors.answers["old_gate"] = lambda: Outcome("failed", "the bolt is stuck")
        run = await desk.start("lockdown", "site", "head", drill=True, doors_real=True)
        await house.pass_time(1)
        with pytest.raises(Refused, match="the drill goes on"):
            await drills.evaluate(run["id"], "head", {}, "", True)
        await house.clock.advance(120)
        await desk.ask_end(run["id"], "head")
        await house.settled()
        with pytest.raises(Refused, match="halls is no question"):
            await drills.evaluate(run["id"], "head", {"halls": "yes"}, "", True)
        await drills.evaluate(run["id"], "head", {"lights": "no"}, "One light", True)
        await drills.evaluate(run["id"], "officer", {}, "All quiet", True)
        await house.clock.advance(60)
        report = await drills.evaluate(run["id"], "head", {"lights": "yes"}, "No light", True)
        assert report["lasted_s"] == pytest.approx(121, abs=2)
        assert report["doors_failed"] == ["Old gate"]
        assert [each["text"] for each in report["tasks"]][-1] == "Account for everyone"
        reached = {each["who"] for each in report["reached"] if each["reached_s"] is not None}
        assert {"School resource officer", "Principal"} <= reached
        said = [(each["by"], each["text"]) for each in report["evaluations"]]
        assert said == [("School resource officer", "All quiet"), ("Principal", "No light")]
        real = await desk.start("lockdown", "site", "head")
        with pytest.raises(KeyError):
            await drills.report(real["id"])


async def test_a_drill_that_was_ended_under_duress_looks_ended_there_alone(tmp_path: Path) -> None:
    """The list and the report show on that session what its other pages show."""
    async with planning(tmp_path) as (house, desk, drills):
        await account(house, "head", "principal")
        run = await desk.start("lockdown", "site", "head", drill=True)
        await house.intake.decide(
            lambda d: d.give_role(run["incident"], "commander", "head", "head")
        )
        await house.intake.decide(lambda d: d.under_duress(run["id"], "head", "s1", [], []))
        [there] = (await drills.year(to="s1"))["held"]
        [elsewhere] = (await drills.year(to="s2"))["held"]
        assert there["ended"] is not None
        assert elsewhere["ended"] is None
        assert (await drills.report(run["id"], "s1"))["run"]["state"] == "ended"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": "panic"}, "there is no protocol 'panic'"),
        ({"area": "moon"}, "there is no place 'moon'"),
        ({"leader": "nobody"}, "nobody of `people:` is called 'nobody'"),
        ({"due": EVENING}, "that time is over"),
        ({"due": EVENING + timedelta(days=900)}, "more than two years away"),
    ],
)
async def test_what_cannot_be_planned_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    """Each says why, and nothing is planned."""
    async with planning(tmp_path) as (_, _, drills):
        with pytest.raises(Refused) as refused:
            await drills.make(wanted(**changes), "head")
        assert words in str(refused.value)
        assert (await drills.year())["plans"] == []


async def test_each_act_is_an_event_with_who_and_what(tmp_path: Path) -> None:
    """So that the audit has a line of each, the hub's own of what was missed included."""
    async with planning(tmp_path) as (house, desk, drills):
        plan = await drills.make(wanted(), "head")
        await drills.change(plan["id"], wanted(note=""), "officer")
        await drills.call_off(plan["id"], "head", "Snow")
        await drills.make(wanted(), "head")
        await house.later(DUE + timedelta(hours=5))
        await drills.look()
        run = await desk.start("lockdown", "site", "head", drill=True)
        await desk.ask_end(run["id"], "head")
        await drills.evaluate(run["id"], "officer", {}, "", True)
        await drills.exported(2025, "head")
        rows = await house.journal.read(
            lambda c: list(c.execute(select(events).where(events.c.type.startswith("drill."))))
        )
        assert [(row.type, row.source) for row in rows] == [
            ("drill.planned", "person/head"),
            ("drill.changed", "person/officer"),
            ("drill.called_off", "person/head"),
            ("drill.planned", "person/head"),
            ("drill.missed", "hub"),
            ("drill.evaluated", "person/officer"),
            ("drill.exported", "person/head"),
        ]


@pytest.mark.parametrize(
    ("first_day", "zone", "moment", "year", "name", "begins"),
    [
        ("08-01", "UTC", "2026-07-31T23:59:00+00:00", 2025, "2025/26", "2025-08-01T00:00:00.000Z"),
        ("08-01", "UTC", "2026-08-01T00:00:00+00:00", 2026, "2026/27", "2026-08-01T00:00:00.000Z"),
        ("01-01", "UTC", "2026-03-01T00:00:00+00:00", 2026, "2026", "2026-01-01T00:00:00.000Z"),
        ("08-01", "America/Chicago", "2026-08-01T04:59:00+00:00", 2025, "2025/26",
         "2025-08-01T05:00:00.000Z"),
        ("01-15", "America/Chicago", "2027-01-15T06:00:00+00:00", 2027, "2027/28",
         "2027-01-15T06:00:00.000Z"),
    ],
)  # fmt: skip
def test_a_school_year_begins_on_its_day_at_the_school(
    first_day: str, zone: str, moment: str, year: int, name: str, begins: str
) -> None:
    """Midnight there, in the time zone as it is on that day."""
    years = Years(first_day, zone)
    assert years.of(datetime.fromisoformat(moment).astimezone(UTC)) == year
    found = years.year(year)
    assert (found.name, iso(found.begins)) == (name, begins)
    assert found.holds(datetime.fromisoformat(moment))
    assert years.year(year + 1).begins == found.ends
