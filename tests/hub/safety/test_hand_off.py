"""An incident is handed over to emergency services by a person's act, and by nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, INTRUSIONS, SCHOOL, School, ScriptedChannel, school

from hub.errors import NotReady, Refused
from hub.incident_room import IncidentRoom
from hub.kinds.notifiers import Notice, Receipt
from hub.safety.alerts.escalator import Escalator
from hub.safety.incidents.handing_over import HAND_OFF_EXPIRES, ONLY_BY_HAND
from hub.testing import FakeClock

SETTINGS: dict[str, Any] = {
    "hub": SCHOOL.get("hub", {}) | {"emergency": {"hand_off": ["station"]}},
    "notifiers": SCHOOL["notifiers"] | {"station": {"driver": "x", "name": "Monitoring station"}},
}


class Around:
    """What a call card asks of a house."""

    def __init__(self, house: School) -> None:
        self.config, self.campus = house.config, house.intake.words.campus

    def doors(self) -> list[object]:
        return []


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school with a monitoring station that takes what is handed over."""
    async with school(tmp_path, FakeClock(EVENING), **SETTINGS, rules=INTRUSIONS) as made:
        made.channels["station"] = ScriptedChannel()
        yield made


@pytest.fixture
def room(house: School, tmp_path: Path) -> IncidentRoom:
    """Where people work on its cases."""
    return IncidentRoom(house.intake, Around(house), tmp_path)  # type: ignore[arg-type]


def heard(house: School) -> list[Notice]:
    """What the station was given."""
    return house.channels["station"].sent


async def seen(house: School) -> tuple[str, str]:
    """An alert, and the incident that verifying it opened."""
    await house.intake.accept(house.seen())
    alert = (await house.intake.alerts())[0]
    await house.intake.verdict(alert["id"], "verified", "officer")
    return alert["id"], (await house.intake.alert(alert["id"]))["incident"]


async def test_law_2_nothing_is_handed_over_without_a_person(
    house: School, room: IncidentRoom
) -> None:
    """An alert, its verdict, a situation update and the end of it are none of the station's
    business, until somebody hands the incident over.
    """
    house.perform()
    _, case = await seen(house)
    await room.update(case, "Two teachers are with them", "officer")
    await room.close(case, "officer")
    await house.settled()
    assert house.channels["console"].sent
    assert heard(house) == []


@pytest.mark.parametrize("how", ["rule", "person"])
async def test_law_2_what_nobody_handed_over_ends_as_it_is_written(
    tmp_path: Path, how: str
) -> None:
    """Should a rule, or what verifying it does, name the station all the same, nothing goes out."""
    telling = {"severity": "high", "through": ["console", *(["station"] * (how == "rule"))]}
    rule = {"name": "R", "when": "zone.entered", "alert": telling}
    if how == "person":
        rule["verified"] = [{"notify": {"through": ["station"], "text": "Come"}}]
    async with school(tmp_path, FakeClock(EVENING), **SETTINGS, rules={"r": rule}) as house:
        house.channels["station"] = ScriptedChannel()
        house.perform()
        await seen(house)
        await house.settled()
        assert heard(house) == []
        held = [each for each in await house.actions() if each["detail"] == ONLY_BY_HAND]
        assert len(held) == 1
        assert held[0]["state"] == "cancelled"


async def test_the_card_goes_out_as_it_is_read(house: School, room: IncidentRoom) -> None:
    """What would be read to a dispatcher, in words and as facts; the story says who did it."""
    house.perform()
    _, case = await seen(house)
    card = await room.hand_over(case, "officer", key="k")
    assert card["hand_off"][0]["state"] == "pending"
    await house.settled()
    (notice,) = heard(house)
    assert (notice.about, notice.severity, notice.drill) == ("hand_off", "severe", False)
    for line in card["lines"]:
        assert f"{line['ask']}: {line['say']}" in notice.text
    assert notice.data["call"] == card["facts"] | {"coordinates": None}
    assert notice.data["call"]["verified"] is True
    assert (notice.data["by"], notice.data["kind"]) == ("officer", "intrusion")
    assert notice.link.endswith(f"/incidents/{case}")
    (done,) = (await room.call_card(case))["hand_off"]
    assert (done["state"], done["name"], done["by"]) == (
        "confirmed", "Monitoring station", "School resource officer",
    )  # fmt: skip
    story = " ".join(await house.story())
    assert "School resource officer hands it over to Monitoring station" in story


async def test_the_same_press_twice_is_one(house: School, room: IncidentRoom) -> None:
    """A page sent again changes nothing; another press of what was taken is refused in words."""
    house.perform()
    _, case = await seen(house)
    for _ in range(2):
        await room.hand_over(case, "officer", key="k")
    await house.settled()
    with pytest.raises(Refused, match="handed over already; a situation update tells them"):
        await room.hand_over(case, "desk", key="other")
    assert len(heard(house)) == 1


async def test_what_was_not_taken_can_be_handed_over_again(
    house: School, room: IncidentRoom
) -> None:
    """The card says why, and the next press tries anew."""
    answers = [Receipt("failed", detail="account 1234 is not known"), Receipt("accepted", "7")]
    house.channels["station"].answer = lambda notice: answers.pop(0)
    house.perform()
    _, case = await seen(house)
    await room.hand_over(case, "officer", key="k")
    await house.settled()
    (failed,) = (await room.call_card(case))["hand_off"]
    assert (failed["state"], failed["detail"]) == ("failed", "account 1234 is not known")
    await room.hand_over(case, "officer", key="again")
    await house.settled()
    assert (await room.call_card(case))["hand_off"][0]["state"] == "confirmed"


async def test_nobody_is_called_to_what_has_long_changed(house: School, room: IncidentRoom) -> None:
    """A station that cannot be reached is tried for ten minutes; then the card says it failed."""

    def away(notice: Notice) -> Receipt:
        raise NotReady("no route to the station")

    house.channels["station"].answer = away
    house.perform()
    _, case = await seen(house)
    await room.hand_over(case, "officer", key="k")
    await house.pass_time(int(HAND_OFF_EXPIRES.total_seconds()) + 1)
    await house.settled()
    (given_up,) = (await room.call_card(case))["hand_off"]
    assert given_up["state"] == "timed_out"
    assert "no route to the station" in given_up["detail"]
    count = len(heard(house))
    house.clock.set(house.clock.now() + timedelta(hours=1))
    await house.pass_time(5)
    assert len(heard(house)) == count


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_false_alarm_is_taken_back_there_too(
    house: School, room: IncidentRoom, when: str
) -> None:
    """Whoever was handed an incident hears the verdict on its alerts, and that it was closed; one
    that had not gone out yet never does.
    """
    await house.intake.accept(house.seen())
    (alert,) = await house.intake.alerts()
    case = alert["incident"]
    if when == "after":
        house.perform()
    await room.hand_over(case, "officer", key="k")
    if when == "after":
        await house.settled()
    await house.intake.verdict(alert["id"], "dismissed", "officer", "the cleaner")
    if when == "before":
        house.perform()
    await house.settled()
    if when == "after":
        assert heard(house)[-1].data["verdict"] == "dismissed"
    abouts = [(notice.about, notice.title.partition(":")[0]) for notice in heard(house)]
    assert abouts == (
        []
        if when == "before"
        else [
            ("hand_off", "Person in the closed science wing"),
            ("verdict", "False alarm"),
            ("update", "Closed"),
        ]
    )


async def test_a_situation_update_reaches_the_station(house: School, room: IncidentRoom) -> None:
    """Once, and as any other; a reminder to give one is not its business."""
    house.perform()
    _, case = await seen(house)
    await room.hand_over(case, "officer", key="k")
    await room.update(case, "They have left the building", "officer")
    house.clock.set(EVENING + timedelta(hours=1))
    await room.remind()
    await house.settled()
    assert [notice.about for notice in heard(house)] == ["hand_off", "update"]


async def test_law_7_no_drill_is_handed_over(house: School, room: IncidentRoom) -> None:
    """The press is part of the story, and what it would have done ends in the outbox."""
    house.perform()
    case = (await room.open("Fall", "medical", "high", "gym", "desk", drill=True))["id"]
    await room.hand_over(case, "officer", key="k")
    await house.settled()
    assert heard(house) == []
    (held,) = (await room.call_card(case))["hand_off"]
    assert (held["state"], held["detail"]) == ("cancelled", "a drill: nothing leaves the school")


async def test_refusals_say_what_to_do(house: School, room: IncidentRoom, tmp_path: Path) -> None:
    """No such incident, one that is closed, and a school that has no way at all."""
    with pytest.raises(KeyError):
        await room.hand_over("nothing", "officer")
    case = (await room.open("Fall", "medical", "high", "gym", "desk"))["id"]
    await room.close(case, "desk")
    with pytest.raises(Refused, match="reopen it first"):
        await room.hand_over(case, "officer")
    (tmp_path / "other").mkdir()
    async with school(tmp_path / "other", FakeClock(EVENING)) as bare:
        other = IncidentRoom(bare.intake, Around(bare), tmp_path)  # type: ignore[arg-type]
        case = (await other.open("Fall", "medical", "high", "gym", "desk"))["id"]
        with pytest.raises(Refused, match="call instead"):
            await other.hand_over(case, "officer")


async def test_an_alert_that_nobody_received_stays_in_the_school(tmp_path: Path) -> None:
    """What is tried when no channel of an alert took it never reaches people beyond the school."""
    notifiers = SCHOOL["notifiers"] | {
        "post": SCHOOL["notifiers"]["post"] | {"outside": True},
        "station": {"driver": "x"},
    }
    telling = {"severity": "high", "through": ["console"]}
    rule = {"name": "R", "when": "zone.entered", "alert": telling}
    changes: dict[str, Any] = SETTINGS | {"notifiers": notifiers, "rules": {"r": rule}}
    async with school(tmp_path, FakeClock(EVENING), **changes) as house:
        house.channels["station"] = ScriptedChannel()
        house.channels["console"].answer = lambda notice: Receipt("failed", detail="gone")
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        house.clock.set(EVENING + timedelta(minutes=2))
        await Escalator(house.intake).look()
        await house.settled()
        assert (await house.intake.alerts())[0]["unheard"]
        assert (house.channels["post"].sent, heard(house)) == ([], [])
