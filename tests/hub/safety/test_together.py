"""One cause is one alert: what a dead switch takes is told once, with how many, and again when that
has changed.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from safety_school import SCHOOL, School, school

from hub.config import Rule
from hub.events import Event
from hub.kinds.notifiers import Notice
from hub.safety.alerts.escalator import Escalator

MANY = 64
OFFLINE: dict[str, Any] = {
    "name": "Camera offline", "when": "camera.offline",
    "alert": {"severity": "check", "tell": ["sro"], "through": ["post"]},
}  # fmt: skip
PLACES = {
    "site": {"name": "School", "kind": "site"},
    "a": {"name": "Building A", "kind": "building", "in": "site"},
    "b": {"name": "Building B", "kind": "building", "in": "site"},
    "hall": {"name": "Hall", "kind": "room", "in": "a"},
    "attic": {"name": "Attic", "kind": "room", "in": "b"},
}


def building(path: Path, *, also: dict[str, Any] | None = None, **rule: Any) -> Any:
    """A school with 64 cameras in one building, one in another, and three doors."""
    rooms = {f"r{n}": {"name": f"Room {n}", "kind": "room", "in": "b"} for n in range(8)}
    cameras = {
        f"c{n}": {"driver": "x", "name": f"Camera {n}", "place": f"r{n % 8}"} for n in range(MANY)
    }
    cameras["hall"] = {"driver": "x", "name": "Hall camera", "place": "hall"}
    doors = {
        f"d{n}": {"name": f"Door {n}", "controller": "locks", "place": f"r{n}"} for n in range(3)
    }
    rules = {"offline": OFFLINE | rule} | (also or {})
    changes = {"places": PLACES | rooms, "cameras": cameras, "doors": doors, "rules": rules}
    opened: AbstractAsyncContextManager[School] = school(path, **changes)
    return opened


async def happens(house: School, kind: str, names: list[str]) -> None:
    """So many cameras or doors say so, one after the other."""
    area = kind.partition(".")[0]
    for name in names:
        event = Event(kind, f"{area}/{name}", house.clock.now(), name, {area: name})
        await house.intake.accept(event)


async def gone(house: School, *numbers: int) -> None:
    await happens(house, "camera.offline", [f"c{n}" for n in numbers or range(MANY)])


async def back(house: School, *numbers: int) -> None:
    await happens(house, "camera.online", [f"c{n}" for n in numbers or range(MANY)])


async def later(house: School, seconds: int, step: int = 2) -> list[Notice]:
    """So much later, with what was due done every `step` seconds; returns all that was sent."""
    escalator = Escalator(house.intake)
    for _ in range(0, seconds, step):
        await house.clock.advance(min(step, seconds))
        await escalator.climb()
    await house.settled()
    return house.channels["post"].sent


def titles(sent: list[Notice]) -> list[str]:
    return [each.title for each in sent]


async def test_a_dead_switch_is_told_twice_and_its_return_once(tmp_path: Path) -> None:
    """The first of 64 cameras is told at once, all of them half a minute later, with how many,
    which and where; that all are back is told at once. Each event stands in the journal.
    """
    async with building(tmp_path) as house:
        house.perform()
        await gone(house)
        assert titles(await later(house, 0)) == ["Camera offline"]
        (alert,) = await house.intake.alerts()
        assert len(alert["together"]) == MANY
        sent = await later(house, 40)
        assert titles(sent)[1:] == ["Camera offline: 64 cameras"]
        assert sent[1].text.splitlines()[:2] == [
            "64 cameras since 20:15, all in Building B: Camera 0, Camera 1, Camera 2, Camera 3, "
            "Camera 4, Camera 5 and 58 more.",
            "Building B, at 20:15 on Monday 2 March.",
        ]
        assert len(await later(house, 600, 30)) == 2
        await back(house)
        sent = await later(house, 0)
        sent = await later(house, 1)
        assert titles(sent)[2:] == ["Camera offline: all 64 answer again"]
        assert "All answer again: 64 cameras, gone since 20:15." in sent[2].text
        assert len(await later(house, 600, 30)) == 3
        kinds = [event.type for _, event in await house.intake.past_events(0, 5000)]
        assert kinds.count("camera.offline") == kinds.count("camera.online") == MANY
        assert kinds.count("rule.fired") == MANY


async def test_one_camera_alone_is_told_as_ever(tmp_path: Path) -> None:
    """A camera that goes dark by itself is one notice, and its return none."""
    async with building(tmp_path) as house:
        house.perform()
        await gone(house, 5)
        await later(house, 60)
        await back(house, 5)
        assert titles(await later(house, 200)) == ["Camera offline"]
        (alert,) = await house.intake.alerts()
        assert alert["together"] == []


async def test_what_fails_later_or_is_graver_is_told_at_once(tmp_path: Path) -> None:
    """A camera that goes dark a minute after the others has a cause of its own; and an important
    one, told as graver, waits for nobody even among them.
    """
    graver = {"severity": "high", "if": {"camera": "hall"}}
    alert = OFFLINE["alert"] | {"graver": graver}
    async with building(tmp_path, alert=alert) as house:
        house.perform()
        await gone(house, 1, 2)
        await happens(house, "camera.offline", ["hall"])
        sent = await later(house, 0)
        assert sorted((each.title, each.severity) for each in sent) == [
            ("Camera offline", "check"), ("Camera offline", "high"),
        ]  # fmt: skip
        await later(house, 60)
        await gone(house, 3)
        assert titles(await later(house, 0))[2:] == ["Camera offline: 2 cameras", "Camera offline"]


async def test_more_that_go_and_some_that_come_back_are_told(tmp_path: Path) -> None:
    """Who follows within the time joins, also after a first word; stragglers are named."""
    async with building(tmp_path) as house:
        house.perform()
        await gone(house, 0, 1)
        await later(house, 20)
        await gone(house, 2)
        await later(house, 20)
        await gone(house, 3, 4)
        sent = await later(house, 60)
        assert titles(sent) == [
            "Camera offline", "Camera offline: 3 cameras", "Camera offline: 5 cameras",
        ]  # fmt: skip
        await back(house, 0, 1, 2)
        assert len(await later(house, 60)) == 3
        sent = await later(house, 60)
        assert titles(sent)[3:] == ["Camera offline: 2 of 5 still gone"]
        assert sent[3].text.startswith(
            "3 of 5 cameras answer again. 2 still gone, all in Building B: Camera 3 and Camera 4."
        )
        await back(house, 3, 4)
        assert titles(await later(house, 2))[4:] == ["Camera offline: all 5 answer again"]


async def test_a_switch_that_comes_and_goes_is_no_storm(tmp_path: Path) -> None:
    """An hour of a minute without and a minute with: some two dozen notices for each person
    instead of hundreds, and at the end people know how it is.
    """
    async with building(tmp_path) as house:
        house.perform()
        for _ in range(30):
            await gone(house, 0, 1, 2)
            await later(house, 60, 10)
            await back(house, 0, 1, 2)
            await later(house, 60, 10)
        sent = await later(house, 400, 10)
        assert 4 <= len(sent) <= 30
        assert sent[-1].title == "Camera offline: all 3 answer again"


async def test_what_fails_anew_after_all_were_back_is_told_at_once(tmp_path: Path) -> None:
    """Once all have answered for five minutes the next failure is a new alert."""
    async with building(tmp_path) as house:
        house.perform()
        await gone(house, 0, 1)
        await later(house, 60)
        await back(house, 0, 1)
        count = len(await later(house, 400, 10))
        await gone(house, 1, 0)
        assert titles(await later(house, 0))[count:] == ["Camera offline"]
        assert len(await house.intake.alerts()) == 2


async def test_a_second_outage_soon_after_all_were_back_is_told_within_a_minute(
    tmp_path: Path,
) -> None:
    """People were told that all is well: only words that something is gone are minutes apart."""
    async with building(tmp_path) as house:
        house.perform()
        await gone(house, 0, 1)
        await later(house, 600, 30)
        await back(house, 0, 1)
        count = len(await later(house, 60))
        await gone(house, 0, 1)
        sent = await later(house, 40)
        assert titles(sent)[count:] == ["Camera offline: 2 cameras"]


async def test_a_verdict_ends_what_was_still_to_be_told(tmp_path: Path) -> None:
    """A dismissed alert says nothing more, neither that more are gone nor that all are back; one
    that somebody has taken on does.
    """
    async with building(tmp_path) as house:
        house.perform()
        await gone(house, 0, 1)
        assert titles(await later(house, 0)) == ["Camera offline"]
        (alert,) = await house.intake.alerts()
        await house.intake.acknowledge(alert["id"], "head")
        sent = await later(house, 40)
        assert titles(sent)[1:] == ["Taken on: Camera offline", "Camera offline: 2 cameras"]
        await house.intake.verdict(alert["id"], "dismissed", "head")
        await back(house, 0, 1)
        assert titles(await later(house, 100))[3:] == ["False alarm: Camera offline"]


async def test_nothing_that_is_owed_is_lost_with_the_hub(tmp_path: Path) -> None:
    """A hub that is killed between the first notice and the second tells it after its start, and a
    clock that was set meanwhile neither hastens nor delays it.
    """
    async with building(tmp_path) as house:
        await gone(house)
    async with building(tmp_path) as again:
        again.perform()
        for hours in (1, -2):
            again.clock.set(again.clock.now() + timedelta(hours=hours))
            assert titles(await later(again, 10)) == ["Camera offline"]
        assert titles(await later(again, 20))[1:] == ["Camera offline: 64 cameras"]


async def test_doors_and_cameras_of_one_switch_are_one_alert(tmp_path: Path) -> None:
    """A rule for both counts both, and says where they are."""
    both = ["camera.offline", "door.offline"]
    async with building(tmp_path, when=both) as house:
        house.perform()
        await gone(house, 0, 1)
        await happens(house, "door.offline", ["d0", "d1", "d2"])
        await happens(house, "camera.offline", ["hall"])
        sent = await later(house, 40)
        assert titles(sent) == ["Camera offline", "Camera offline: 3 cameras and 3 doors"]
        assert sent[1].place == "Building B, Building A"
        assert "since 20:15, 5 in Building B, 1 in Building A: Camera 0," in sent[1].text


async def test_what_comes_back_is_told_together_too(tmp_path: Path) -> None:
    """A rule on `camera.online` tells the first at once and the others as one."""
    online = {"online": OFFLINE | {"name": "Camera back", "when": "camera.online"}}
    async with building(tmp_path, also=online, when="camera.frozen") as house:
        house.perform()
        await back(house)
        assert titles(await later(house, 100)) == ["Camera back", "Camera back: 64 cameras"]
        (alert,) = await house.intake.alerts()
        assert all(each["back"] for each in alert["together"]), "none of them is gone"


async def test_an_incident_tells_how_many_they_were(tmp_path: Path) -> None:
    """Where a rule is grave enough for an incident, its story says how many are gone and that all
    are back, and has one line for each of that alone.
    """
    async with building(tmp_path, alert=OFFLINE["alert"] | {"severity": "high"}) as house:
        house.perform()
        await gone(house)
        await later(house, 40)
        await back(house)
        await later(house, 60)
        story = await house.story()
        assert story.count("64 of 64 do not answer; everyone who was told hears it") == 1
        assert story.count("All 64 answer again; everyone who was told hears it") == 1
        assert len(await house.intake.incidents()) == 1
        assert len(story) < 20


async def test_two_rules_about_the_same_cameras_join(tmp_path: Path) -> None:
    """Where a second rule tells nobody anything new, its matches join what the first tells."""
    async with building(tmp_path, also={"again": OFFLINE | {"name": "Dark"}}) as house:
        house.perform()
        await gone(house)
        assert len(await later(house, 40)) == 2
        assert len(await house.intake.alerts()) == 1


async def test_a_rule_may_tell_each_by_itself(tmp_path: Path) -> None:
    """`together: off` is one alert for each camera."""
    async with building(tmp_path, together="off") as house:
        house.perform()
        await gone(house, 0, 1, 2)
        assert len(await later(house, 40)) == 3


async def test_it_is_told_in_the_language_of_whom_it_is_for(tmp_path: Path) -> None:
    """An officer who reads Spanish is told in Spanish how many, which and where."""
    officer = {**SCHOOL["people"]["officer"], "language": "es"}
    async with building(tmp_path) as house:
        people = {**SCHOOL["people"], "officer": officer}
        config = type(house.config).model_validate(
            house.config.model_dump(by_alias=True, exclude_unset=True) | {"people": people}
        )
        house.intake.reconfigure(config, house.intake.words.campus)
        house.perform()
        await gone(house, 0, 1)
        title, text = (sent := (await later(house, 40))[1]).title, sent.text
        assert title == "Camera offline: 2 cámaras"
        assert text.startswith(
            "2 cámaras desde las 20:15, todas en Building B: Camera 0 y Camera 1."
        )
        await back(house)
        assert (await later(house, 60))[2].title == "Camera offline: las 2 responden de nuevo"


NEVER = (
    "zone.entered", "door.forced", "door.held", "camera.covered", "camera.moved", "camera.blind",
    "help.pressed", "report.received", "fire.alarm",
)  # fmt: skip


@pytest.mark.parametrize("kind", NEVER)
def test_what_is_seen_or_done_is_never_told_together(kind: str) -> None:
    """A weapon before two cameras is two alerts, two forced doors are two, whatever a file says."""
    assert Rule.model_validate(OFFLINE | {"when": kind}).gathers() is None
    for when in (kind, ["camera.offline", kind]):
        with pytest.raises(ValidationError, match="told one by one"):
            Rule.model_validate(OFFLINE | {"when": when, "together": "30s"})


def test_what_fails_and_what_comes_back_are_not_one(tmp_path: Path) -> None:
    """A rule for both tells one by one: nobody could say how many are gone."""
    assert (
        Rule.model_validate(OFFLINE | {"when": ["camera.offline", "camera.online"]}).gathers()
        is None
    )


async def test_many_at_once_are_one_transaction_without_loss(tmp_path: Path) -> None:
    """Events that come side by side are all counted."""
    async with building(tmp_path) as house:
        await asyncio.gather(*(gone(house, n) for n in range(MANY)))
        (alert,) = await house.intake.alerts()
        assert (alert["count"], len(alert["together"])) == (MANY, MANY)
        assert json.dumps(alert)
