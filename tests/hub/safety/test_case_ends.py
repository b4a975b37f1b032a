"""What must not be lost in a case: what a person opened, a second note, who is seen again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from safety_school import EVENING, School, school

from hub.errors import Refused
from hub.events import Event
from hub.incidents import Incidents
from hub.safety.decide import Decider
from hub.safety.incidents.acts import MOST_TASKS
from hub.safety.incidents.desk import CaseDesk
from hub.testing import FakeClock


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school that expects updates after a quarter of an hour."""
    async with school(tmp_path, FakeClock(EVENING)) as made:
        yield made


@pytest.fixture
def desk(house: School) -> CaseDesk:
    """Where people work on its cases."""
    return CaseDesk(house.intake)


async def reminders(house: School, desk: CaseDesk, case: str, start: int, count: int) -> int:
    for minute in range(start, start + count):
        await house.later(EVENING + timedelta(minutes=minute))
        await desk.remind()
    story = (await house.intake.incident(case))["entries"]
    return [entry["type"] for entry in story].count("incident.reminder")


async def test_a_false_alarm_does_not_close_what_a_person_opened(
    house: School, desk: CaseDesk
) -> None:
    """A camera's mistake beside a fight says nothing about the fight, also once they are one."""
    case = await desk.open("Fight", "fight", "high", "wing", "desk")
    await house.intake.accept(house.seen())
    (alert,) = await house.intake.alerts()
    assert alert["incident"] == case["id"]
    await house.intake.verdict(alert["id"], "dismissed", "officer")
    assert (await house.intake.incident(case["id"]))["state"] == "open"
    await house.later(EVENING + timedelta(hours=1))
    await house.intake.accept(house.seen())
    (alert,) = await house.intake.alerts(open_only=True)
    assert alert["incident"] != case["id"]
    await desk.merge(case["id"], alert["incident"], "officer")
    await house.intake.verdict(alert["id"], "dismissed", "officer")
    assert (await house.intake.incident(alert["incident"]))["state"] == "open"


async def test_one_false_alarm_of_two_ends_nothing(house: School, desk: CaseDesk) -> None:
    """Nobody is told that all was false, nor does the story say so, while another alert of the case
    stands; with the last one it is closed, once.
    """
    house.perform()
    await house.intake.accept(house.seen())
    await house.intake.accept(house.door_event("door.forced", "store"))
    first, second = await house.intake.alerts()
    case = first["incident"]
    assert second["incident"] == case
    await desk.update(case, "On my way", "officer")
    await house.settled()
    for number, alert in enumerate((first, second)):
        await house.intake.verdict(alert["id"], "dismissed", "officer")
        await house.settled()
        told = [one for one in house.channels["post"].sent if one.data.get("closed")]
        view = await house.intake.incident(case)
        closed = [each for each in view["entries"] if each["type"] == "incident.closed"]
        assert (bool(told), len(closed)) == (bool(number), number)
        assert view["state"] == ("closed" if number else "open")


async def test_what_is_seen_after_a_case_was_closed_is_news(house: School, desk: CaseDesk) -> None:
    """Somebody has said that it is over: who is seen there again is news."""
    await house.intake.accept(house.seen())
    (alert,) = await house.intake.alerts()
    await house.intake.verdict(alert["id"], "verified", "officer")
    await desk.close(alert["incident"], "officer")
    await house.later(EVENING + timedelta(minutes=5))
    await house.intake.accept(house.seen())
    assert len(await house.intake.alerts()) == 2
    assert {one["state"] for one in await house.intake.incidents()} == {"open", "closed"}


async def test_another_text_under_the_same_key_is_another_act(
    house: School, desk: CaseDesk
) -> None:
    """A page that is gone back to has its old key: what is written there then is not lost."""
    case = await desk.open("Fall", "medical", "high", "gym", "desk", key="k")
    other = await desk.open("Fire", "fire", "high", "gym", "desk", key="k")
    assert case["id"] != other["id"]
    for text in ("She is awake", "She is awake", "An ambulance is here"):
        await desk.note(case["id"], text, "desk", key="k")
        await desk.update(case["id"], text, "desk", key="k")
        await desk.add_task(case["id"], text, "desk", key="k")
    view = await house.intake.incident(case["id"])
    kinds = [entry["type"] for entry in view["entries"]]
    assert kinds.count("incident.note") == kinds.count("incident.update") == 2
    assert len(view["tasks"]) == 2


async def test_who_acts_in_a_forgotten_case_is_reminded_again(
    house: School, desk: CaseDesk
) -> None:
    """Three reminders are the last until somebody does something there, if only a note."""
    case = await desk.open("Fall", "medical", "high", "gym", "desk")
    await desk.role(case["id"], "commander", "head", "head")
    assert await reminders(house, desk, case["id"], 1, 60) == 3
    await desk.note(case["id"], "She is in hospital", "desk")
    assert await reminders(house, desk, case["id"], 61, 16) == 4


async def test_a_case_that_goes_on_is_waited_for_again(house: School, desk: CaseDesk) -> None:
    """Reopened, it has its commander still, and people wait for news still."""
    case = await desk.open("Fall", "medical", "high", "gym", "desk")
    await desk.role(case["id"], "commander", "head", "head")
    await desk.close(case["id"], "head")
    case = await desk.reopen(case["id"], "head")
    assert case["update_due"] is not None
    other = await desk.open("Noise", "other", "high", "yard", "desk")
    await desk.close(other["id"], "head")
    assert (await desk.reopen(other["id"], "head"))["update_due"] is None


async def test_a_reminder_knows_what_was_told_before_the_merge(
    house: School, desk: CaseDesk
) -> None:
    """What people heard in the other half of a case, they have heard."""
    case = await desk.open("Fall", "medical", "high", "gym", "desk")
    await desk.role(case["id"], "commander", "head", "head")
    other = await desk.open("Fire", "fire", "high", "gym", "desk")
    await house.later(EVENING + timedelta(minutes=5))
    await desk.update(case["id"], "She is awake", "desk")
    await desk.merge(case["id"], other["id"], "desk")
    assert await reminders(house, desk, other["id"], 20, 1) == 1
    told = (await house.intake.incident(other["id"]))["entries"][-1]
    assert told["data"]["since"] == "2026-03-02T20:20:00.000Z"


async def test_no_word_of_a_door_hinders_splitting(house: School, desk: CaseDesk) -> None:
    """A driver may call anything `alert`, also what is no name."""
    await house.intake.accept(house.seen())
    await house.intake.accept(Event("door.forced", "door/wing_east", EVENING, "wing_east"))
    alerts = await house.intake.alerts()
    case = alerts[0]["incident"]
    odd = {"alert": ["tamper"], "incident": case}
    await house.intake.accept(Event("door.held", "door/wing_east", EVENING, "wing_east", odd))
    new = await desk.split(case, [alerts[0]["id"]], "Another matter", "officer")
    assert len(new["alerts"]) == 1


async def test_the_call_card_of_a_merged_case_is_that_of_the_one_that_goes_on(
    house: School, tmp_path: Path
) -> None:
    """A telephone that still shows the old one reads out what is known, not what was moved away."""
    desk = Incidents(house.intake, Surroundings(house), tmp_path)  # type: ignore[arg-type]
    await house.intake.accept(house.seen())
    (alert,) = await house.intake.alerts()
    await house.intake.verdict(alert["id"], "verified", "officer")
    other = await desk.open("Break-in", "intrusion", "high", "wing", "desk")
    await desk.merge(alert["incident"], other["id"], "officer")
    assert await desk.call_card(alert["incident"]) == await desk.call_card(other["id"])


class Surroundings:
    """What a call card asks of a house."""

    def __init__(self, house: School) -> None:
        self.config, self.campus = house.config, house.intake.words.campus

    def doors(self) -> list[object]:
        return []


async def test_tasks_that_are_ended_make_room_for_others(house: School, desk: CaseDesk) -> None:
    """The refusal says to finish some first: that has to help."""
    case = await desk.open("Fire", "fire", "high", "gym", "desk")

    def fill(decider: Decider) -> None:
        for number in range(MOST_TASKS):
            decider.add_task(case["id"], f"Room {number}", "desk")

    await house.intake.decide(fill)
    with pytest.raises(Refused, match="finish some first"):
        await desk.add_task(case["id"], "The attic", "desk")
    first = (await house.intake.incident(case["id"]))["tasks"][0]
    await desk.task(case["id"], first["id"], "done", "desk")
    view = await desk.add_task(case["id"], "The attic", "desk")
    assert view["tasks"][-1]["text"] == "The attic"
