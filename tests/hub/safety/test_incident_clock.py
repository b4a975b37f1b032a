"""Somebody sets the clock while an incident goes on: nobody is reminded early, no story ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from safety_school import EVENING, INTRUSIONS, School, school
from test_situation import SETTINGS, updates, verified

from hub.clock import from_iso
from hub.safety.incidents import rows
from hub.safety.incidents.desk import CaseDesk
from hub.testing import FakeClock
from hub.views import EntryView


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[School]:
    """A school that expects updates about intrusions every ten minutes."""
    async with school(tmp_path, FakeClock(EVENING), incidents=SETTINGS, rules=INTRUSIONS) as made:
        yield made


async def reminders(house: School) -> int:
    """How many notices ask for a situation update."""
    return len([one for one in await updates(house) if one[2]["data"].get("reminder")])


async def story(house: School) -> list[EntryView]:
    """What the one incident tells."""
    (known,) = await house.intake.incidents()
    return (await house.intake.incident(known["id"]))["entries"]


def set_by(house: School, **span: float) -> None:
    """Somebody sets the machine's clock."""
    house.clock.set(house.clock.now() + timedelta(**span))


@pytest.mark.parametrize("hours", [3, -3])
async def test_a_reminder_comes_when_it_would_have_come(house: School, hours: int) -> None:
    """Six minutes before the jump and four after it, whichever way the clock was set."""
    desk = CaseDesk(house.intake)
    await verified(house)
    await house.clock.advance(6 * 60)
    set_by(house, hours=hours)
    await desk.remind()
    assert await reminders(house) == 0
    await house.clock.advance(4 * 60 - 5)
    await desk.remind()
    assert await reminders(house) == 0
    await house.clock.advance(10)
    await desk.remind()
    assert await reminders(house) > 0


async def test_an_incident_goes_on_over_a_jump_ahead(house: School) -> None:
    """What happens a minute later, three hours later by the clock, belongs to the same incident,
    which tells why its times leap; left alone for half an hour it is quiet.
    """
    await verified(house)
    await house.clock.advance(60)
    set_by(house, hours=3)
    await house.clock.advance(60)
    await house.intake.accept(house.seen("wing"))
    assert len(await house.intake.incidents()) == 1
    (told,) = [each for each in await story(house) if each["type"] == "clock.moved"]
    assert told["text"] == "The machine's clock was set forward by 3h"
    assert from_iso(told["time"]) == EVENING + timedelta(hours=3, minutes=2)
    await house.clock.advance(31 * 60)
    assert await house.journal.read(lambda c: rows.lively(c, house.clock.now())) == []


async def test_a_clock_that_is_put_right_by_seconds_is_no_news(house: School) -> None:
    """A time server's small correction stands in no story."""
    await verified(house)
    set_by(house, seconds=20)
    await house.intake.see_to_the_clock()
    assert [each["type"] for each in await story(house)].count("clock.moved") == 0


async def test_what_is_quiet_is_not_woken(house: School) -> None:
    """An incident in which nothing happened for long stays as it is, whoever sets the clock."""
    await verified(house)
    await house.clock.advance(40 * 60)
    before = await house.intake.incidents()
    set_by(house, hours=1)
    await house.intake.see_to_the_clock()
    after = await house.intake.incidents()
    assert [each["updated"] for each in after] == [each["updated"] for each in before]
