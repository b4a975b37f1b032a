"""How an incident ends: a drill in one act, and a last word to those who follow a case."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, School, school
from sqlalchemy import Connection, select

from hub.errors import Refused
from hub.safety.incidents.desk import CaseDesk
from hub.storage.schema import actions
from hub.testing import FakeClock
from hub.views import IncidentView


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school whose channels take everything."""
    async with school(tmp_path, FakeClock(EVENING)) as made:
        made.perform()
        yield made


@pytest.fixture
def desk(house: School) -> CaseDesk:
    """Where people work on its cases."""
    return CaseDesk(house.intake)


async def seen(house: School, *, drill: bool = False, place: str = "wing") -> IncidentView:
    """Somebody is seen, for real or in a drill; the incident of it."""
    camera = "yard" if place == "yard" else "wing"
    await house.intake.accept(house.seen(place, data={"drill": drill, "camera": camera}))
    await house.settled()
    newest = max(await house.intake.alerts(), key=lambda each: each["opened"])
    return await house.intake.incident(newest["incident"])


async def last_words(house: School) -> list[tuple[str, list[str], dict[str, Any]]]:
    """Channel, people and payload of every notice that says that a case is closed."""

    def work(connection: Connection) -> list[Any]:
        rows = connection.execute(select(actions).where(actions.c.kind == "notice"))
        return [(row.target, json.loads(row.payload), row.incident) for row in rows]

    return [
        (target, [one["person"] for one in payload["to"]], payload | {"row": incident})
        for target, payload, incident in await house.journal.read(work)
        if payload["data"].get("closed")
    ]


async def test_a_drill_is_ended_in_one_act(house: School, desk: CaseDesk) -> None:
    """Its alerts end with it, verified or not, and all who were told hear that once."""
    case = await seen(house, drill=True)
    await house.intake.verdict(case["alerts"][0]["id"], "verified", "officer")
    other = house.door_event("door.forced", "wing_east")
    other.data["drill"] = True
    await house.intake.accept(other)
    await house.settled()
    before = {name: len(channel.sent) for name, channel in house.channels.items()}
    ended = await desk.close(case["id"], "officer", why="well done")
    await house.settled()
    assert ended["state"] == "closed"
    assert sorted(each["state"] for each in ended["alerts"]) == ["dismissed", "verified"]
    assert all(each["resolved"] or each["state"] == "dismissed" for each in ended["alerts"])
    said = [
        notice
        for name, channel in house.channels.items()
        for notice in channel.sent[before[name] :]
    ]
    assert len(said) == 4  # three of the first alert, one of the second
    assert {notice.title.partition(":")[0] for notice in said} == {"DRILL"}
    assert all(notice.data["resolved"] for notice in said)
    assert said[0].text.splitlines()[:2] == [
        "School resource officer says this is over (20:15 on Monday 2 March).",
        "The drill is over.",
    ]
    assert house.channels["siren"].sent == []
    story = [entry["text"] for entry in ended["entries"]]
    assert "School resource officer ended the alert: the drill is over" in story
    assert await desk.close(case["id"], "officer") == await house.intake.incident(case["id"])
    await house.settled()
    assert len(house.channels["post"].sent) == before["post"] + 2


async def test_a_drill_that_ends_calls_nobody_further(tmp_path: Path) -> None:
    """What waits to be sent of it, and the steps of its ladder, are called off."""
    steps = [
        {"tell": ["sro"], "through": ["post"], "wait": "1m"},
        {"tell": ["principal"], "through": ["post"], "wait": "1m"},
    ]
    ladders = {"high": {"severity": "high", "steps": steps}}
    async with school(tmp_path, FakeClock(EVENING), ladders=ladders) as house:
        await house.intake.accept(house.seen(data={"drill": True}))
        (alert,) = await house.intake.alerts()
        await CaseDesk(house.intake).close(alert["incident"], "officer")
        await house.clock.advance(120)
        await house.intake.decide(lambda decider: decider.climb())
        house.perform()
        await house.settled()
        assert [channel.sent for channel in house.channels.values()] == [[], [], []]


async def test_what_is_real_waits_for_every_verdict(house: School, desk: CaseDesk) -> None:
    """Only a drill ends without one."""
    case = await seen(house)
    with pytest.raises(Refused, match="without a verdict"):
        await desk.close(case["id"], "officer")


async def test_whoever_follows_a_case_hears_that_it_is_closed(
    house: School, desk: CaseDesk
) -> None:
    """Those who were told how it stands, and nobody where nobody was; once."""
    case = await seen(house)
    await house.intake.verdict(case["alerts"][0]["id"], "verified", "officer")
    await desk.update(case["id"], "Two teachers are with them", "officer")
    await desk.close(case["id"], "officer", why="They have left")
    await desk.close(case["id"], "officer")
    told = await last_words(house)
    assert sorted((channel, *people) for channel, people, _ in told) == [
        ("console", "officer", "desk"), ("post", "desk"), ("post", "officer"),
    ]  # fmt: skip
    payload = told[0][2]
    assert payload["title"] == "Closed: Person in the closed science wing"
    assert payload["text"].splitlines() == [
        "School resource officer has closed this incident (20:15 on Monday 2 March).",
        "They have left",
    ]
    assert (payload["about"], payload["path"]) == ("update", f"/incidents/{case['id']}")
    quiet = await seen(house, place="yard")
    if quiet["id"] != case["id"]:
        await house.intake.verdict(quiet["alerts"][0]["id"], "dismissed", "officer")
    assert len(await last_words(house)) == 3


async def test_a_case_of_false_alarms_is_closed_for_them_too(house: School, desk: CaseDesk) -> None:
    """It closes by itself, and they hear why."""
    case = await seen(house)
    await desk.update(case["id"], "We are looking", "officer")
    await house.intake.verdict(case["alerts"][0]["id"], "dismissed", "officer")
    assert (await house.intake.incident(case["id"]))["state"] == "closed"
    told = await last_words(house)
    assert len(told) == 3
    assert told[0][2]["text"].startswith("Every alert of this incident was a false alarm (")


async def test_a_merged_case_says_where_it_goes_on(house: School, desk: CaseDesk) -> None:
    """Under the name that providers know it by, so that it does not stay open there."""
    first = await seen(house)
    await desk.update(first["id"], "We are looking", "officer")
    into = await desk.open("Fight", "fight", "high", "gym", "desk")
    await desk.merge(first["id"], into["id"], "officer")
    told = await last_words(house)
    assert len(told) == 3
    payload = told[0][2]
    assert payload["text"].startswith("This incident goes on in another: Fight (")
    assert payload["data"] == {"closed": first["id"], "goes_on": into["id"]}
    assert payload["row"] == into["id"]


async def test_a_channel_knows_what_it_was_given_of_the_case(house: School, desk: CaseDesk) -> None:
    """An update names all that came before it about the same incident, alerts included."""
    case = await seen(house)
    await house.intake.verdict(case["alerts"][0]["id"], "verified", "officer")
    await house.settled()
    await desk.update(case["id"], "Two teachers are with them", "officer")
    await house.settled()
    (said,) = [notice for notice in house.channels["console"].sent if notice.about == "update"]
    given = [notice.key for notice in house.channels["console"].sent if notice.key != said.key]
    assert [one["key"] for one in said.data["earlier"]] == given
    assert said.data["verified"] is True
