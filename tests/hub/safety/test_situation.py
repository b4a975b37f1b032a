"""Situation updates: everyone who was told hears how it stands, and somebody is asked to say so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, INTRUSIONS, SCHOOL, School, school, until
from sqlalchemy import Connection, select

from hub.clock import iso
from hub.identity import accounts
from hub.safety.incidents.desk import REMIND_EACH_S, CaseDesk
from hub.safety.incidents.situation import ASKED
from hub.safety.notices.templates import TEXTS
from hub.storage.schema import actions
from hub.testing import FakeClock
from hub.views import IncidentView

SETTINGS = {
    "intrusion": {"update_every": "10m"},
    "fight": {"update_every": "off"},
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school that expects updates about intrusions every ten minutes."""
    async with school(tmp_path, FakeClock(EVENING), incidents=SETTINGS, rules=INTRUSIONS) as made:
        yield made


@pytest.fixture
def desk(house: School) -> CaseDesk:
    """Where people work on its cases."""
    return CaseDesk(house.intake)


async def verified(house: School) -> IncidentView:
    """An intrusion that somebody has verified: people and the siren were told."""
    await house.intake.accept(house.seen())
    alert = (await house.intake.alerts())[0]
    await house.intake.verdict(alert["id"], "verified", "officer")
    return await house.intake.incident(alert["incident"])


async def updates(house: School) -> list[tuple[str, list[str], dict[str, Any]]]:
    """Channel, people and payload of every notice about how it stands."""

    def work(connection: Connection) -> list[Any]:
        rows = connection.execute(select(actions).where(actions.c.kind == "notice"))
        return [(row.target, json.loads(row.payload), row.alert) for row in rows]

    found = await house.journal.read(work)
    assert all(not alert for _, payload, alert in found if payload["about"] == "update")
    return [
        (target, [one["person"] for one in payload["to"]], payload)
        for target, payload, _ in found
        if payload["about"] == "update"
    ]


async def test_an_update_goes_to_all_who_were_told_and_never_to_a_siren(
    house: School, desk: CaseDesk
) -> None:
    """Each through the channels they were told through; it leads to the incident."""
    case = await verified(house)
    case = await desk.update(case["id"], "Two teachers are with them", "officer")
    told = await updates(house)
    assert sorted((channel, *people) for channel, people, _ in told) == [
        ("console", "officer", "desk"),
        ("post", "desk"),
        ("post", "officer"),
    ]
    payload = told[0][2]
    assert payload["title"] == "How it stands: Person in the closed science wing"
    assert payload["text"].startswith("Two teachers are with them\nSchool resource officer, 20:15")
    assert payload["path"] == f"/incidents/{case['id']}"
    assert case["entries"][-1]["type"] == "incident.update"
    assert case["update_due"] == iso(EVENING + timedelta(minutes=10))


async def test_the_commander_is_reminded_when_people_have_waited(
    house: School, desk: CaseDesk
) -> None:
    """Once each ten minutes without an update, and the commander alone."""
    case = await verified(house)
    await desk.role(case["id"], "commander", "head", "head")
    await house.later(EVENING + timedelta(minutes=9, seconds=59))
    await desk.remind()
    assert not await updates(house)
    await house.later(EVENING + timedelta(minutes=10))
    await desk.remind()
    await desk.remind()
    told = await updates(house)
    assert {tuple(people) for _, people, _ in told} == {("head",)}
    assert [channel for channel, _, _ in told] == ["post"]
    assert all(payload["data"]["reminder"] for _, _, payload in told)
    assert "No situation update since 20:15." in told[0][2]["text"]
    case = await house.intake.incident(case["id"])
    assert [entry["type"] for entry in case["entries"]].count("incident.reminder") == 1
    await desk.update(case["id"], "All is well", "head")
    await house.later(EVENING + timedelta(minutes=19, seconds=59))
    await desk.remind()
    assert len([one for one in await updates(house) if one[2]["data"].get("reminder")]) == 1
    await house.later(EVENING + timedelta(minutes=20))
    await desk.remind()
    last = (await updates(house))[-1][2]
    assert last["text"].startswith("No situation update since 20:25.")


async def test_a_reminder_is_heard_by_the_commander_alone(tmp_path: Path) -> None:
    """Also where a channel that everyone hears knows them, and where they lead by the name of their
    account.
    """
    head = SCHOOL["people"]["head"] | {"contact": {"siren": "hall", "post": "head@school"}}
    people = SCHOOL["people"] | {"head": head}
    async with school(tmp_path, FakeClock(EVENING), people=people) as house:
        desk = CaseDesk(house.intake)
        await house.journal.write(
            lambda c: accounts.add_user_with_hash(c, "Principal", "admin", "none", roles={})
        )
        case = await desk.open("Fall", "medical", "high", "gym", "desk")
        await desk.role(case["id"], "commander", "Principal", "Principal")
        await house.later(EVENING + timedelta(minutes=15))
        await desk.remind()
        assert [(each[0], each[1]) for each in await updates(house)] == [("post", ["head"])]


async def test_without_a_commander_everyone_who_was_told_is_asked(
    house: School, desk: CaseDesk
) -> None:
    """An incident that nobody leads does not go quiet: the reminder says that nobody does."""
    await verified(house)
    await house.later(EVENING + timedelta(minutes=10))
    await desk.remind()
    told = await updates(house)
    assert {person for _, people, _ in told for person in people} == {"officer", "desk"}
    assert "If nobody leads, take the role." in told[0][2]["text"]


async def test_three_reminders_that_nobody_heeds_are_the_last(
    house: School, desk: CaseDesk
) -> None:
    """An incident that everybody has forgotten does not nag all night, nor does it stay lively: an
    alert there an hour later opens one of its own. Whoever acts in it is reminded again.
    """
    case = await verified(house)

    async def pass_minutes(start: int, count: int) -> int:
        for minute in range(start, start + count):
            await house.later(EVENING + timedelta(minutes=minute))
            await desk.remind()
        story = (await house.intake.incident(case["id"]))["entries"]
        return [entry["type"] for entry in story].count("incident.reminder")

    assert await pass_minutes(1, 60) == 3
    assert (await house.intake.incident(case["id"]))["update_due"] is None
    await house.intake.accept(house.seen())
    assert len(await house.intake.incidents()) == 2
    await desk.role(case["id"], "commander", "head", "head")
    assert await pass_minutes(61, 60) == 6


async def test_nobody_is_reminded_of_what_is_not_known_to_be_real(
    house: School, desk: CaseDesk
) -> None:
    """An alert that nobody has verified and nobody leads asks for no updates."""
    await house.intake.accept(house.seen())
    await house.later(EVENING + timedelta(hours=2))
    await desk.remind()
    assert not await updates(house)


async def test_a_closed_or_switched_off_case_reminds_nobody(house: School, desk: CaseDesk) -> None:
    """Closing ends the waiting; a kind with `update_every: off` never begins it."""
    case = await verified(house)
    await desk.close(case["id"], "officer")
    fight = await desk.open("Fight", "fight", "high", "gym", "desk")
    fight = await desk.role(fight["id"], "commander", "head", "head")
    assert fight["update_due"] is None
    await house.later(EVENING + timedelta(hours=2))
    await desk.remind()
    assert not await updates(house)


async def test_a_drill_says_so_in_each_update(house: School, desk: CaseDesk) -> None:
    """Whoever hears of a drill hears that it is one."""
    drill = await desk.open("Fire drill", "fire", "high", "wing", "head", drill=True)
    await desk.role(drill["id"], "commander", "head", "head")
    await house.later(EVENING + timedelta(minutes=15))
    await desk.remind()
    assert (await updates(house))[0][2]["data"]["drill"] is True
    house.perform()
    await house.settled()
    (said,) = house.channels["post"].sent
    assert (said.drill, said.title) == (True, "DRILL: Give a situation update: Fire drill")


async def test_a_merged_case_is_waited_for_once(house: School, desk: CaseDesk) -> None:
    """Those who were told of either hear the update; only the one that goes on reminds."""
    case = await verified(house)
    other = await desk.open("Break-in", "intrusion", "high", "site", "desk")
    await desk.merge(case["id"], other["id"], "officer")
    await desk.update(other["id"], "Police are here", "head")
    assert len(await updates(house)) == 3
    await house.later(EVENING + timedelta(minutes=10))
    await desk.remind()
    story = (await house.intake.incident(other["id"]))["entries"]
    assert [entry["type"] for entry in story].count("incident.reminder") == 1


async def test_reminders_come_by_themselves(house: School, desk: CaseDesk) -> None:
    """The task that looks every so often is enough; nobody has to open a page."""
    await verified(house)
    task = asyncio.create_task(desk.run(), name="reminders")
    try:

        async def told() -> bool:
            await house.clock.advance(REMIND_EACH_S)
            return bool(await updates(house))

        await until(told)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("templates", [False, True], ids=["written", "by the English template"])
async def test_updates_are_said_in_the_language_of_each(tmp_path: Path, templates: bool) -> None:
    """Spanish for who has chosen it; the English template says what is said without it."""
    people = SCHOOL["people"] | {"officer": SCHOOL["people"]["officer"] | {"language": "es"}}
    changes: dict[str, Any] = {"people": people, "incidents": SETTINGS, "rules": INTRUSIONS}
    if templates:
        (tmp_path / "texts" / "en").mkdir(parents=True)
        source = (TEXTS / "en" / "update.txt").read_text(encoding="utf-8")
        (tmp_path / "texts" / "en" / "update.txt").write_text(source, encoding="utf-8")
        changes["hub"] = {"templates": tmp_path / "texts"}
    async with school(tmp_path, FakeClock(EVENING), **changes) as house:
        desk, post = CaseDesk(house.intake), house.channels["post"]
        house.perform()
        case = await verified(house)
        await house.settled()
        await desk.update(case["id"], "Two teachers are with them", "head")
        await house.settled()
        assert {(one.title, one.text) for one in post.sent if one.about == "update"} == {
            (
                "How it stands: Person in the closed science wing",
                "Two teachers are with them\nPrincipal, 20:15 on Monday 2 March.",
            ),
            (
                "Situación: Person in the closed science wing",
                "Two teachers are with them\nPrincipal, 20:15 del lunes 2 de marzo.",
            ),
        }
        post.sent.clear()
        await house.later(EVENING + timedelta(minutes=10))
        await desk.remind()
        await house.settled()
        said = sorted((one.title, one.text) for one in post.sent if one.about == "update")
        assert [title for title, _ in said] == [
            "Give a situation update: Person in the closed science wing",
            "Informe de la situación: Person in the closed science wing",
        ]
        assert said[0][1] == f"No situation update since 20:15. {ASKED}"
        assert said[1][1].startswith("Sin noticias de la situación desde las 20:15.")
