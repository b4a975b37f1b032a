"""What waited too long comes as one, and a clock that is set neither stalls nor ends what waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from safety_school import EVENING, SCHOOL, School, school, until

from hub.errors import NotReady
from hub.kinds.notifiers import Notice, Receipt
from hub.safety.decide import Decider
from hub.storage import eventlog
from hub.testing import FakeClock

DOORS = ("wing_east", "store", "old_gate")


async def forced(house: School, *doors: str) -> None:
    """Doors are forced open, each an alert of its own; a notice to the officer on the console."""
    for door in doors:
        await house.intake.accept(house.door_event("door.forced", door))


def down(notice: Notice) -> Receipt:
    """A channel that is away."""
    raise NotReady("no network")


async def moved(house: School) -> list[float]:
    """By how much the journal says that the clock was set."""
    past = await house.intake.past_events(0)
    return [event.data["seconds"] for _, event in past if event.type == eventlog.CLOCK_MOVED]


async def ends(house: School) -> list[tuple[str, str]]:
    """State and detail of every notice about an alert, in order."""
    return [(one["state"], one["detail"]) for one in await house.actions()]


async def test_what_waited_shortly_goes_out_as_it_is(tmp_path: Path) -> None:
    """After a restart of nine minutes each notice still comes by itself."""
    async with school(tmp_path) as house:
        await forced(house, *DOORS)
    await house.clock.advance(9 * 60)
    async with school(tmp_path, house.clock) as house:
        house.perform()
        await house.settled()
        titles = [notice.title for notice in house.channels["console"].sent]
        assert titles == ["Door forced open"] * 3


async def test_what_waited_long_comes_as_one_digest(tmp_path: Path) -> None:
    """After eleven minutes each person gets one notice through each channel; it names every alert
    with its time and place, is as grave as the gravest, and each notice it replaces says so.
    """
    async with school(tmp_path) as house:
        await forced(house, *DOORS)
        await house.intake.accept(house.seen("wing"), house.seen("lab"))
    await house.clock.advance(11 * 60)
    async with school(tmp_path, house.clock) as house:
        house.perform()
        await house.settled()
        digests = [*house.channels["console"].sent, *house.channels["post"].sent]
        lists = {(one.title, tuple(who.person for who in one.to)) for one in digests}
        assert lists == {
            ("3 notices that could not be sent before", ("officer",)),
            ("2 notices that could not be sent before", ("officer", "desk")),
            ("2 notices that could not be sent before", ("officer",)),
            ("2 notices that could not be sent before", ("desk",)),
        }
        first = house.channels["console"].sent[0]
        assert first.severity == "high"
        assert first.text.splitlines()[0] == "20:15 on Monday 2 March: Door forced open " + (
            "(Science wing)"
        )
        assert first.link == "http://hub:8480/"
        assert set(await ends(house)) == {("cancelled", "told together with others that came late")}


def many(count: int) -> dict[str, Any]:
    """A school with so many doors, and one rule about them."""
    doors = {
        f"door_{n}": {"name": f"Door {n}", "controller": "locks", "place": "gym"}
        for n in range(count)
    }
    return {"doors": doors, "rules": {"forced": SCHOOL["rules"]["forced"]}}


async def test_a_storm_of_sixty_is_one_notice(tmp_path: Path) -> None:
    """However much piled up, a phone rings once; twenty are named, the rest counted."""
    changes = many(60)
    async with school(tmp_path, **changes) as house:
        await forced(house, *changes["doors"])
    await house.clock.advance(3600)
    async with school(tmp_path, house.clock, **changes) as house:
        house.perform()
        await house.settled()
        (digest,) = house.channels["console"].sent
        assert digest.title == "60 notices that could not be sent before"
        assert len(digest.text.splitlines()) == 21
        assert digest.text.endswith("and 40 more; the first page shows what is open.")


async def test_a_single_late_notice_is_no_digest(tmp_path: Path) -> None:
    """One that came late says what it would have said."""
    async with school(tmp_path) as house:
        await forced(house, "store")
    await house.clock.advance(3600)
    async with school(tmp_path, house.clock) as house:
        house.perform()
        await house.settled()
        (notice,) = house.channels["console"].sent
        assert (notice.title, notice.repeat) == ("Door forced open", False)


async def test_a_siren_does_not_sound_an_hour_late(tmp_path: Path) -> None:
    """What everyone hears is not said late; that it was not is there to be seen."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "verified", "officer")
    await house.clock.advance(3600)
    async with school(tmp_path, house.clock) as house:
        house.perform()
        await house.settled()
        assert house.channels["siren"].sent == []
        (siren,) = [one for one in await house.actions() if one["target"] == "siren"]
        assert siren["state"] == "timed_out"
        assert siren["detail"] == "came too late for a channel that everyone hears"


async def test_a_verdict_reaches_those_whom_a_digest_told(tmp_path: Path) -> None:
    """Whoever heard of an alert in a digest hears what became of it."""
    async with school(tmp_path) as house:
        await forced(house, *DOORS)
    await house.clock.advance(3600)
    async with school(tmp_path, house.clock) as house:
        house.perform()
        await house.settled()
        for alert in await house.intake.alerts():
            await house.intake.verdict(alert["id"], "dismissed", "officer")
        await house.settled()
        digest, *verdicts = house.channels["console"].sent
        assert digest.data["digest"] == 3
        assert [notice.data["verdict"] for notice in verdicts] == ["dismissed"] * 3


async def test_a_channel_that_works_again_is_no_storm(tmp_path: Path) -> None:
    """After an hour without network what was just being tried goes out, and all the rest as one."""
    changes = many(30)
    async with school(tmp_path, **changes) as house:
        console = house.channels["console"]
        console.answer = down
        house.perform()
        await forced(house, *changes["doors"])
        await house.pass_time(5)
        await house.clock.advance(3600)
        console.answer = lambda notice: Receipt("accepted")
        console.sent.clear()
        await house.pass_time(301)
        await house.settled()
        told = [notice.data.get("digest", 1) for notice in console.sent]
        assert sum(told) == 30
        assert len(told) <= 8


async def test_a_clock_set_back_stalls_nothing(tmp_path: Path) -> None:
    """A notice that waits for its next attempt does not wait for the clock to catch up, and what
    was asked for just before is done now; the journal tells how far the clock was set.
    """
    async with school(tmp_path) as house:
        console = house.channels["console"]
        console.answer = down
        house.perform()
        await forced(house, "store")
        await until(lambda: console.sent)
        await until(lambda: not house.performer.queue()["running"])
        house.clock.set(EVENING - timedelta(hours=5))
        console.answer = lambda notice: Receipt("accepted")
        await house.pass_time(35)
        await house.settled()
        assert (await ends(house))[0] == ("confirmed", "accepted")
        assert await moved(house) == [-5 * 3600.0]


async def test_a_clock_set_back_while_the_hub_was_down_stalls_nothing(tmp_path: Path) -> None:
    """The next start notices by the journal, once, and sends what waits; but no door moves by a
    command of which nobody knows how old it is, and it says so.
    """
    async with school(tmp_path) as house:
        await forced(house, "store")
        await house.intake.command_door("store", "lock", "desk", "")
    earlier = FakeClock(EVENING - timedelta(days=2))
    for _ in range(2):
        async with school(tmp_path, earlier) as house:
            house.perform()
            await house.settled()
            assert (await ends(house))[0] == ("confirmed", "accepted")
            assert (await house.intake.requests())["store"]["state"] == "timed_out"
            assert await moved(house) == [-2 * 86400.0]


async def test_a_clock_set_forward_ends_no_notice(tmp_path: Path) -> None:
    """A machine that started in the year 2000 and then heard the time still sends what waits; a
    door command of before is not sent any more, and says so.
    """
    async with school(tmp_path, FakeClock(EVENING.replace(year=2000))) as house:
        console = house.channels["console"]
        console.answer = down

        def away() -> Any:
            raise NotReady("controller away")

        house.doors.answers["store"] = away
        house.perform()
        await forced(house, "store")
        await house.intake.command_door("store", "lock", "desk", "")
        await until(lambda: console.sent and house.doors.asked)
        await until(lambda: not house.performer.queue()["running"])
        house.clock.set(EVENING)
        console.answer = lambda notice: Receipt("accepted")
        house.doors.answers.clear()
        await house.pass_time(35)
        await house.settled()
        assert (await ends(house))[0] == ("confirmed", "accepted")
        assert (await house.intake.requests())["store"]["state"] == "timed_out"
        assert len(house.doors.asked) == 1


async def test_a_clock_that_drifts_is_not_told(tmp_path: Path) -> None:
    """A second's correction is no event."""
    async with school(tmp_path) as house:
        house.perform()
        house.clock.set(EVENING + timedelta(seconds=1.5))
        await house.pass_time(35)
        assert await moved(house) == []


async def test_a_digest_that_did_not_get_out_is_told_whole_by_the_next(tmp_path: Path) -> None:
    """Two long absences one after the other: no alert of the first is lost from the text."""
    async with school(tmp_path) as house:
        await forced(house, *DOORS)
    await house.clock.advance(11 * 60)
    async with school(tmp_path, house.clock) as house:
        await house.intake.decide(Decider.recover)
    await house.clock.advance(11 * 60)
    async with school(tmp_path, house.clock) as house:
        await forced(house, "lab")
    await house.clock.advance(11 * 60)
    async with school(tmp_path, house.clock) as house:
        house.perform()
        await house.settled()
        (notice,) = house.channels["console"].sent
        assert notice.title == "4 notices that could not be sent before"
        assert len(notice.text.splitlines()) == 4
        assert notice.text.count("Door forced open") == 4


async def test_what_a_digest_tells_of_a_drill_says_so(tmp_path: Path) -> None:
    """A digest of a drill alone is marked as a whole; in another the line of the drill is."""
    async with school(tmp_path) as house:
        for door in DOORS[:2]:
            event = house.door_event("door.forced", door)
            await house.intake.accept(replace(event, data={**event.data, "drill": True}))
    await house.clock.advance(11 * 60)
    async with school(tmp_path, house.clock) as house:
        console = house.channels["console"]
        house.perform()
        await house.settled()
        (digest,) = console.sent
        assert digest.drill
        assert digest.title == "DRILL: 2 notices that could not be sent before"
        assert digest.text.count(": DRILL: Door forced open") == 2
        await house.stop()
        event = house.door_event("door.forced", DOORS[2])
        await house.intake.accept(replace(event, data={**event.data, "drill": True}))
        await forced(house, DOORS[0])
        await house.clock.advance(11 * 60)
        house.perform()
        await house.settled()
        mixed = console.sent[-1]
        assert not mixed.drill
        lines = mixed.text.splitlines()
        assert ["DRILL: " in line for line in lines] == [True, False]
