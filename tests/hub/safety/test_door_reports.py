"""What controllers report: credentials, tampering, floods, and what cannot be."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from door_school import DoorSchool, Locks, door_school
from safety_school import EVENING, SCHOOL

from hub import AccessReport, DoorReport, NotReady
from hub.events import Event
from hub.safety.doors.facts import News
from hub.safety.doors.flood import CALM_AFTER_S, MOST, MOST_GRAVE, Flood
from hub.safety.doors.sane import LONGEST_TEXT, Strange, nonsense
from hub.safety.doors.tidings import Tidings
from hub.safety.intake import urgent_types
from hub.testing import FakeClock


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[DoorSchool]:
    """A school whose store is closed and locked."""
    async with door_school(tmp_path) as made:
        made.lock.says("store", lock="locked", position="closed")
        await made.settle()
        yield made


async def test_a_credential_lets_its_holder_through(house: DoorSchool) -> None:
    """An opening after a grant is no break-in; one after a refusal is."""
    house.lock.used("store", "granted", "r-1")
    house.lock.says("store", position="open")
    house.lock.says("store", position="closed")
    await house.settle()
    assert await house.types("access.", "door.opened", "door.forced") == [
        "access.granted", "door.opened",
    ]  # fmt: skip
    await house.pass_time(20)
    house.lock.used("store", "denied", "r-2")
    house.lock.says("store", position="open")
    await house.settle()
    assert (await house.types("access.", "door.forced"))[-2:] == ["access.denied", "door.forced"]


async def test_a_grant_of_long_ago_lets_nobody_through(house: DoorSchool) -> None:
    """A controller that tells late what happened does not excuse what happens now."""
    late = AccessReport("store", house.clock.now() - timedelta(minutes=5), "granted", "r-1")
    house.lock.queue.put_nowait(late)
    house.lock.says("store", position="open")
    await house.settle()
    assert "door.forced" in await house.types("door.")


async def test_duress_goes_before_all_else_and_is_severe(house: DoorSchool) -> None:
    """It opens the door as usual, is urgent to the journal, and severe in a story."""
    house.lock.used("store", "duress", "r-1")
    house.lock.says("store", position="open")
    await house.settle()
    (found,) = await house.told("access.duress")
    assert house.intake.words.sentence(found) == (
        "Chemistry store: a holder says that somebody forces them", "severe",
    )  # fmt: skip
    assert "access.duress" in urgent_types(house.config)
    assert "door.forced" not in await house.types("door.")


async def test_tampering_is_told_once_and_shown_until_it_ends(house: DoorSchool) -> None:
    """A repeated word is no news; what was never so does not end."""
    house.lock.says("store", tampered=False)
    await house.settle()
    assert await house.types("door.intact") == []
    for _ in range(3):
        house.lock.says("store", tampered=True)
    await house.settle()
    assert "tampered with" in house.view("store")["detail"]
    house.lock.says("store", tampered=False)
    await house.settle()
    assert await house.types("door.tampered", "door.intact") == ["door.tampered", "door.intact"]
    assert "tampered" not in house.view("store")["detail"]


async def test_a_flood_of_state_changes_is_bounded_counted_and_told(house: DoorSchool) -> None:
    """A door that chatters fills no journal, hides no break-in, and is still known as it is."""
    for _ in range(MOST):
        house.lock.says("store", position="open", passage=True)
        house.lock.says("store", position="closed")
    house.lock.says("store", lock="jammed")
    await house.settle()
    kinds = await house.types("door.")
    assert kinds.count("door.flooding") == 1
    assert kinds.count("door.opened") + kinds.count("door.closed") <= MOST
    assert kinds[-1] == "door.jammed"
    assert house.doors.counts()["events_only_counted"] >= MOST
    assert house.view("store")["reported"]["lock"] == "jammed"
    await house.pass_time(int(CALM_AFTER_S) + 15)
    (calm,) = await house.told("door.calm")
    assert calm.data["count"] >= MOST
    house.lock.says("store", position="open", passage=True)
    await house.settle()
    assert (await house.types("door."))[-1] == "door.opened"


def test_what_is_grave_passes_every_flood() -> None:
    """Only what is ordinary is kept back."""
    flood, opened = Flood(), News("door.opened", EVENING, {})
    flood.sift([opened] * (MOST + 5), 0.0)
    for kind in ("door.forced", "door.jammed", "door.tampered", "access.duress", "door.held"):
        grave = News(kind, EVENING, {})
        assert flood.sift([opened, grave], 1.0) == [grave]
    assert flood.tick(2.0, EVENING) == []


def test_what_is_grave_has_bounds_of_its_own() -> None:
    """A contact that chatters at a locked door is a break-in sixty times a minute, and counted."""
    flood, forced = Flood(), News("door.forced", EVENING, {})
    told = [item.type for item in flood.sift([forced] * 1000, 0.0)]
    assert (told.count("door.forced"), told.count("door.flooding")) == (MOST_GRAVE, 1)
    jammed = News("door.jammed", EVENING, {})
    assert flood.sift([jammed, forced], 1.0) == [jammed]
    assert flood.sift([forced], 61.0) == [forced]
    assert flood.tick(100.0, EVENING)[0].data == {"count": 1000 - MOST_GRAVE + 1}


def test_a_door_in_ordinary_use_is_never_kept_back() -> None:
    """A school's main entrance at eight: an opening and a closing every second."""
    flood = Flood()
    for second in range(600):
        item = News("door.opened" if second % 2 else "door.closed", EVENING, {})
        assert flood.sift([item], float(second)) == [item]


# --------------------------------------------------------- what cannot be

SOUND = DoorReport("store", EVENING, lock="locked")
CARD = AccessReport("store", EVENING, "granted", "r-1")


@pytest.mark.parametrize(
    "report",
    [
        "locked",
        None,
        {"door": "store"},
        replace(SOUND, lock="bolted"),  # type: ignore[arg-type]
        replace(SOUND, position=1),  # type: ignore[arg-type]
        replace(SOUND, time=datetime(2026, 3, 2)),
        replace(SOUND, time=datetime.min.replace(tzinfo=UTC)),
        replace(SOUND, time=datetime.max.replace(tzinfo=UTC)),
        replace(SOUND, time="08:00"),  # type: ignore[arg-type]
        replace(SOUND, door=7),  # type: ignore[arg-type]
        replace(SOUND, online="yes"),  # type: ignore[arg-type]
        replace(SOUND, tampered="no"),  # type: ignore[arg-type]
        replace(SOUND, lockdown="no"),  # type: ignore[arg-type]
        replace(SOUND, detail=b"jam"),  # type: ignore[arg-type]
        replace(CARD, access="maybe"),  # type: ignore[arg-type]
        replace(CARD, credential=12345),  # type: ignore[arg-type]
        replace(CARD, credential="9" * 500),
    ],
)
def test_what_cannot_be_is_seen(report: Any) -> None:
    """Each is said in words that show nothing of the report itself."""
    why = nonsense(report)
    assert why
    assert "9999" not in why


def test_what_can_be_passes() -> None:
    """Reports as drivers make them."""
    assert nonsense(SOUND) == nonsense(CARD) == ""
    assert nonsense(replace(SOUND, tampered=True, position="open", online=False)) == ""


async def test_a_controller_that_reports_nonsense_is_told_of_and_not_believed(
    house: DoorSchool,
) -> None:
    """Its other reports count on; the journal has one event in ten minutes, with the count."""
    for _ in range(5):
        house.lock.says("store", lock="bolted")
    house.lock.queue.put_nowait("locked")
    house.lock.says("wing_east", lock="locked")
    await house.settle()
    (found,) = await house.told("controller.misbehaved")
    assert (found.subject, found.data["count"]) == ("locks", 1)
    assert house.doors.counts()["strange_reports"] == 6
    assert house.view("store")["reported"]["lock"] == "locked"
    assert house.view("wing_east")["online"]
    said = house.intake.words.sentence(found)[0]
    assert said == "The controller locks reports a lock that is in no state there is"


def test_strange_reports_are_told_again_with_their_count() -> None:
    """At once, then every ten minutes while it goes on, each controller by itself."""
    strange = Strange()
    assert [strange.count("a", float(s)) for s in range(3)] == [1, 0, 0]
    assert strange.count("b", 3.0) == 1
    assert strange.count("a", 601.0) == 3


async def test_a_device_that_talks_too_much_is_cut_short(house: DoorSchool) -> None:
    """No word of a device is kept longer than anyone reads."""
    house.lock.says("store", lock="jammed", detail="x" * 100_000)
    await house.settle()
    assert len(house.view("store")["detail"]) == LONGEST_TEXT


async def test_a_clock_jump_makes_no_state_fresh_and_none_stale(house: DoorSchool) -> None:
    """How old a state is counts by time that has passed, whatever the wall says."""
    for jump in (timedelta(days=1), timedelta(days=-2)):
        house.clock.set(house.clock.now() + jump)
        assert house.view("store")["conclusion"] == "secured"
        house.lock.says("store", lock="locked", position="closed")
        await house.settle()
        assert house.view("store")["conclusion"] == "secured"
    house.lock.away.add("store")
    await house.pass_time(31)
    assert house.view("store")["conclusion"] == "unknown"


def test_the_school_of_these_tests_has_its_doors() -> None:
    """The store closes off the laboratory."""
    assert SCHOOL["doors"]["store"]["place"] == "lab"


async def test_law_5_an_answer_that_was_overtaken_confirms_nothing(house: DoorSchool) -> None:
    """A hand on the key was faster than the answer that it was locked: it is not, and no page or
    command says so.
    """
    house.lock.deaf.add("store")
    await house.intake.command_door("store", "lock", "desk", "")
    await house.settle()
    answer = DoorReport("store", house.clock.now(), lock="locked", answers=True)
    await house.clock.advance(0.5)
    house.lock.turned("store", "unlocked")
    await house.settle()
    house.lock.queue.put_nowait(answer)
    await house.settle()
    view = house.view("store")
    assert view["conclusion"] == "unlocked"
    assert view["requested"]["state"] == "pending"  # type: ignore[index]


async def test_words_that_cannot_be_written_hold_up_no_event(house: DoorSchool) -> None:
    """Half a character in what a device says is replaced, in a credential it is nonsense."""
    house.lock.says("store", lock="jammed", detail="bolt \ud800 stuck")
    house.lock.used("store", credential="c\ud800")
    house.lock.says("wing_east", lock="locked")
    house.lock.says("wing_east", lock="unlocked")
    await house.settle()
    assert house.view("store")["detail"] == "bolt ? stuck"
    assert await house.types("door.", "access.") == ["door.jammed", "door.unlocked"]
    assert house.doors.counts()["events_waiting"] == 0


async def test_what_a_controller_raises_is_kept_as_what_it_says_is(house: DoorSchool) -> None:
    """Its last words stand on pages and in events: whole characters, and not too many."""
    house.locks["broken"] = Broken(house.clock, [])
    house.doors.attach("locks", house.locks["broken"])
    with pytest.raises(NotReady):
        await house.doors.watch("locks")
    await house.settle()
    detail = house.view("store")["detail"]
    assert (detail[:7], len(detail)) == ("gone ? ", LONGEST_TEXT)
    assert (await house.told("door.offline"))[0].data["reason"] == detail


class Broken(Locks):
    """A controller that leaves with many odd words."""

    async def reports(self) -> AsyncIterator[Any]:
        raise NotReady("gone \ud800 " * 1000)
        yield


async def test_an_event_that_can_never_be_written_is_lost_alone() -> None:
    """It is counted; all that came with it and after it is told, in order."""
    clock, told = FakeClock(EVENING), list[str]()

    async def publish(*events: Event) -> None:
        if any(event.subject == "bad" for event in events):
            raise ValueError("it cannot be written")
        told.extend(event.subject for event in events)

    tidings = Tidings(clock, publish)
    for name in ("one", "bad", "two"):
        tidings.add(Event("door.opened", "test", EVENING, name))
    running = asyncio.create_task(tidings.run())
    await clock.advance(5)
    tidings.add(Event("door.opened", "test", EVENING, "three"))
    await clock.advance(5)
    running.cancel()
    assert told == ["one", "two", "three"]
    assert (tidings.told, tidings.lost, tidings.waiting) == (3, 1, 0)
