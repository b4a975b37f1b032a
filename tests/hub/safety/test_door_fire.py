"""A fire alarm and doors: nothing is locked by the hub until a person re-arms them."""

from pathlib import Path

import pytest
from door_school import door_school

from hub.errors import Refused
from hub.safety.doors import fire, intents
from hub.testing import FakeClock


async def test_law_1_a_fire_alarm_suspends_every_lock_verb(tmp_path: Path) -> None:
    """From the alarm on no one may lock a door, in words that say since when and what to do; the
    doors' own guard refuses too; opening goes on.
    """
    async with door_school(tmp_path) as house:
        await house.happens("fire.alarm", place="gym", source="panel")
        for verb in ("lock", "lockdown"):
            with pytest.raises(
                Refused, match=r"a fire alarm in Gym since 20:15\. Somebody has to re-arm"
            ):
                await house.intake.command_door("store", verb, "desk", "")
            with pytest.raises(Refused, match="fire alarm"):
                await house.want("store", verb, "protocol", "Lockdown")
            assert "fire alarm" in house.doors.refusal("store", verb)
            outcome = await house.doors.perform("store", verb, "k", 8)
            assert outcome.state == "failed"
        await house.intake.command_door("store", "unlock", "desk", "")
        await house.settle()
        assert house.lock.asked == [("store", "unlock")]


async def test_law_1_a_fire_alarm_calls_off_locks_that_are_under_way(tmp_path: Path) -> None:
    """A lock command that waits for its controller is not handed over once the alarm sounds, nor
    tried again.
    """
    async with door_school(tmp_path) as house:
        house.lock.away |= {"store", "wing_east"}
        await house.want("store", "lock", "protocol", "Secure")
        await house.intake.command_door("wing_east", "lock", "desk", "")
        await house.pass_time(2)
        await house.happens("fire.alarm", place="gym", source="panel")
        house.lock.away.clear()
        await house.pass_time(60)
        assert house.lock.asked == []
        ended = await house.told("action.cancelled", "action.failed", "action.timed_out")
        assert {event.data["detail"] for event in ended} == {"fire alarm"}


async def test_law_1_a_fire_alarm_clears_what_is_wanted_and_opens_nothing(tmp_path: Path) -> None:
    """What was wanted is over, but for what a protocol keeps open; no door is asked for anything:
    what the panel does to doors is its own.
    """
    async with door_school(tmp_path) as house:
        await house.want("store", "unlock", "person", "desk")
        await house.want("store", "lockdown", "protocol", "Lockdown")
        await house.want("wing_east", "unlock", "protocol", "Evacuate")
        await house.want("old_gate", "unlock", "person", "desk")
        house.lock.asked.clear()
        await house.happens("fire.alarm", place="gym", source="panel")
        await house.pass_time(60)
        assert house.lock.asked == []
        held = await house.journal.read(intents.winners)
        assert [(door, row.owner) for door, row in held.items()] == [("wing_east", "Evacuate")]


async def test_law_1_a_panel_that_unlocks_doors_is_not_fought(tmp_path: Path) -> None:
    """A lockdown's door that the panel releases stays released, however often that is looked at."""
    async with door_school(tmp_path) as house:
        await house.want("store", "lock", "protocol", "Secure")
        await house.happens("fire.alarm", place="gym", source="panel")
        house.lock.asked.clear()
        house.lock.turned("store", "unlocked")
        await house.pass_time(60)
        assert house.lock.asked == []
        assert "door.differs" not in await house.types("door.")


async def test_law_1_nothing_is_locked_again_until_a_person_rearms(tmp_path: Path) -> None:
    """Neither the end of the alarm, nor a wish that expires, nor a schedule locks a door; a person
    does, by re-arming, and then the schedules say what they say now.
    """
    timetable = {"store": {"unlocked": "wing_open"}}
    async with door_school(tmp_path, doors=_with(timetable)) as house:
        house.lock.asked.clear()
        await house.happens("fire.alarm", place="gym", source="panel")
        await house.intake.command_door("store", "unlock", "desk", "", lasts=60)
        await house.intake.command_door("wing_east", "unlock", "desk", "", lasts=60)
        await house.pass_time(10)
        await house.happens("fire.clear", source="panel")
        await house.pass_time(120)
        assert house.lock.asked == [("store", "unlock"), ("wing_east", "unlock")]
        with pytest.raises(Refused, match="nobody has re-armed the doors since"):
            await house.intake.command_door("wing_east", "lock", "desk", "")
        await house.decide(lambda d: d.rearm("head"))
        await house.settle()
        assert house.lock.asked[2:] == [("store", "lock")]
        (event,) = await house.told("doors.rearmed")
        assert house.intake.words.sentence(event)[0] == "Principal has re-armed the doors"


async def test_law_1_a_restart_does_not_rearm(tmp_path: Path) -> None:
    """The alarm outlives the hub, and is in force before anything can act."""
    clock = FakeClock()
    async with door_school(tmp_path, clock) as house:
        await house.happens("fire.alarm", place="gym", source="panel")
        locks = house.locks
    async with door_school(tmp_path, clock, locks) as house:
        assert "fire alarm" in house.doors.refusal("store", "lock")
        assert any("no door may lock: a fire alarm" in said for said in house.doors.troubles())
        with pytest.raises(Refused, match="fire alarm"):
            await house.intake.command_door("store", "lock", "desk", "")


async def test_law_1_no_passage_that_locks_behind_whoever_enters(tmp_path: Path) -> None:
    """While a fire suspends lock verbs a door is unlocked or not, never opened just once."""
    async with door_school(tmp_path) as house:
        await house.happens("fire.alarm", place="gym", source="panel")
        with pytest.raises(Refused, match="Unlock it instead"):
            await house.intake.command_door("store", "momentary", "officer", "", may_enter=True)


async def test_an_alarm_is_over_when_every_input_that_sounded_is_silent(tmp_path: Path) -> None:
    """Two panels: the first that clears does not end the alarm of the other; one that never
    sounded changes nothing.
    """
    async with door_school(tmp_path) as house:
        await house.happens("fire.alarm", place="gym", source="one")
        await house.happens("fire.alarm", place="lab", source="two")
        await house.happens("fire.clear", source="three")
        await house.happens("fire.clear", source="one")
        state = await house.journal.read(fire.read)
        assert (state.state, state.place, dict(state.inputs)) == ("alarm", "gym", {"two": "lab"})
        await house.happens("fire.clear", source="two")
        assert (await house.journal.read(fire.read)).state == "not_rearmed"


async def test_rearming_is_possible_while_it_still_sounds_and_a_new_alarm_counts_anew(
    tmp_path: Path,
) -> None:
    """A person may decide to lock in spite of an alarm; the next alarm suspends again. Re-arming
    where nothing is suspended is refused.
    """
    async with door_school(tmp_path) as house:
        with pytest.raises(Refused, match="nothing to re-arm"):
            await house.decide(lambda d: d.rearm("head"))
        await house.happens("fire.alarm", place="gym", source="panel")
        await house.decide(lambda d: d.rearm("head"))
        await house.want("store", "lock", "protocol", "Secure")
        assert house.lock.asked == [("store", "lock")]
        await house.happens("fire.alarm", place="gym", source="panel")
        assert house.view("store")["intent"] is None


async def test_what_a_fire_alarm_says_in_the_story(tmp_path: Path) -> None:
    """Alarm, silence and their gravity in words."""
    async with door_school(tmp_path) as house:
        await house.happens("fire.alarm", place="gym", source="panel")
        await house.happens("fire.clear", place="gym", source="panel")
        said = [house.intake.words.sentence(event) for event in await house.told("fire.")]
        assert said == [
            ("Fire alarm in Gym: no door is locked until somebody re-arms them", "severe"),
            ("The fire alarm in Gym no longer sounds; the doors are not re-armed", "check"),
        ]


def _with(doors: dict[str, dict[str, str]]) -> dict[str, object]:
    from safety_school import SCHOOL

    return {name: block | doors.get(name, {}) for name, block in SCHOOL["doors"].items()}


async def test_law_1_a_passage_that_waits_is_called_off_too(tmp_path: Path) -> None:
    """It would lock the door again behind whoever enters, after a panel has unlocked it."""
    async with door_school(tmp_path) as house:
        house.lock.deaf.add("store")
        await house.intake.command_door("store", "unlock", "desk", "")
        await house.settle()
        await house.intake.command_door("store", "momentary", "desk", "")
        await house.happens("fire.alarm", place="gym", source="panel")
        await house.pass_time(30)
        assert ("store", "momentary") not in house.lock.asked
        (ended,) = await house.told("action.cancelled")
        assert (ended.data["verb"], ended.data["detail"]) == ("momentary", "fire alarm")


async def test_health_says_why_no_door_may_lock(tmp_path: Path) -> None:
    """After a restore that does not know of alarms, other words than in an alarm; over a restart,
    until a person re-arms.
    """
    async with door_school(tmp_path) as house:
        await house.decide(lambda d: d.doubt_fire())
        (said,) = [each for each in house.doors.troubles() if "no door may lock" in each]
        assert "restored from a backup" in said
    async with door_school(tmp_path) as house:
        assert any("restored from a backup" in each for each in house.doors.troubles())
        assert (await house.doors.perform("store", "lock", "k", 1)).detail == (
            "lock refused: the journal was restored from a backup and does not know of any fire "
            "alarm since, and nobody has re-armed the doors"
        )
        await house.decide(lambda d: d.rearm("head"))
        assert not any("no door may lock" in each for each in house.doors.troubles())
