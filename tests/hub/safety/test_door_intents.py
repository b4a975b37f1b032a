"""What is wanted of doors: who goes before whom, how it ends, what a restart makes of it."""

from datetime import timedelta
from pathlib import Path

import pytest
from door_school import HOUR, door_school
from safety_school import SCHOOL

from hub.errors import NotReady, Refused
from hub.safety.doors import intents
from hub.safety.restored import CALLED_OFF
from hub.testing import FakeClock


async def test_what_is_wanted_is_asked_for_and_shown(tmp_path: Path) -> None:
    """A wish is a command at once, and stands on the door's page with its owner and reason."""
    async with door_school(tmp_path) as house:
        await house.intake.command_door("store", "unlock", "desk", "delivery")
        await house.settle()
        assert house.lock.asked == [("store", "unlock")]
        view = house.view("store")
        assert view["reported"]["lock"] == "unlocked"
        intent = view["intent"]
        assert intent is not None
        assert (intent["verb"], intent["by"], intent["owner_kind"]) == ("unlock", "desk", "person")
        assert (intent["reason"], intent["expires"]) == ("delivery", "2026-03-02T22:15:00.000Z")
        (asked,) = await house.told("action.requested")
        assert asked.data["intent"] == intent["id"]


async def test_an_unlock_that_expires_is_locked_again(tmp_path: Path) -> None:
    """What a person wanted is over by itself, and the door goes back to locked."""
    async with door_school(tmp_path) as house:
        await house.intake.command_door("store", "unlock", "desk", "delivery", lasts=60)
        await house.pass_time(58)
        assert house.view("store")["intent"] is not None
        await house.pass_time(4)
        assert house.lock.asked == [("store", "unlock"), ("store", "lock")]
        assert house.view("store")["intent"] is None
        (expired,) = await house.told("door.expired")
        assert house.intake.words.sentence(expired) == (
            "Chemistry store: what Front office wanted is over, it was to be unlocked", "neutral",
        )  # fmt: skip


async def test_a_lock_that_expires_is_left_as_it_is(tmp_path: Path) -> None:
    """Nobody opens a door because a wish to lock it has grown old."""
    async with door_school(tmp_path) as house:
        await house.intake.command_door("store", "lock", "desk", "", lasts=60)
        await house.pass_time(65)
        assert house.lock.asked == [("store", "lock")]
        assert house.view("store")["intent"] is None


async def test_a_door_without_attested_egress_is_not_locked_again(tmp_path: Path) -> None:
    """Law 1 holds for what the hub does by itself: such a door stays as it is."""
    async with door_school(tmp_path) as house:
        await house.intake.command_door("old_gate", "unlock", "desk", "", lasts=60)
        await house.pass_time(65)
        assert house.lock.asked == [("old_gate", "unlock")]


ORDER = ("fire", "life_safety", "responder", "protocol", "person", "rule", "schedule")


async def test_fire_goes_before_life_safety_responder_protocol_person_rule_schedule(
    tmp_path: Path,
) -> None:
    """The order of owners is fixed, however late each comes; when one ends the next holds."""
    async with door_school(tmp_path) as house:
        for kind in ORDER:
            await house.want("store", "unlock", kind, f"of {kind}")
        for kind in ORDER:
            intent = house.view("store")["intent"]
            assert intent is not None
            assert intent["owner_kind"] == kind
            await house.no_more(kind, f"of {kind}")
        assert house.view("store")["intent"] is None


async def test_of_equals_the_newest_holds(tmp_path: Path) -> None:
    """Of people the last word counts, and an earlier wish does not come back after it."""
    async with door_school(tmp_path) as house:
        await house.intake.command_door("store", "unlock", "desk", "", lasts=7200)
        await house.settle()
        await house.intake.command_door("store", "lock", "head", "", lasts=60)
        await house.pass_time(65)
        assert house.view("store")["intent"] is None
        assert house.lock.asked == [("store", "unlock"), ("store", "lock")]


async def test_only_an_evacuation_undoes_what_a_lockdown_locked(tmp_path: Path) -> None:
    """A newer protocol that opens does not win over a lock, unless people are to leave."""
    async with door_school(tmp_path) as house:
        await house.want("store", "lockdown", "protocol", "run 1")
        await house.want("store", "unlock", "protocol", "shelter")
        assert house.view("store")["intent"]["owner"] == "run 1"  # type: ignore[index]
        await house.want("store", "unlock", "protocol", "leave", evacuates=True)
        assert house.view("store")["intent"]["owner"] == "leave"  # type: ignore[index]
        await house.want("store", "lock", "protocol", "run 4")
        assert house.view("store")["intent"]["owner"] == "run 4"  # type: ignore[index]


async def test_a_person_cannot_open_what_a_protocol_locks(tmp_path: Path) -> None:
    """It is refused in words, and leaves nothing that would open the door later."""
    async with door_school(tmp_path) as house:
        await house.want("store", "lockdown", "protocol", "Lockdown in School")
        for verb in ("unlock", "hold_open", "lockdown_release"):
            with pytest.raises(Refused, match=r"lock down \(Lockdown in School\), which goes"):
                await house.intake.command_door("store", verb, "desk", "")
        await house.no_more("protocol", "Lockdown in School")
        assert house.view("store")["intent"] is None


async def test_a_person_may_lock_what_a_protocol_locks(tmp_path: Path) -> None:
    """The same wish once more is a command once more."""
    async with door_school(tmp_path) as house:
        await house.want("store", "lock", "protocol", "Secure")
        await house.intake.command_door("store", "lock", "desk", "")
        await house.settle()
        assert house.lock.asked == [("store", "lock")] * 2
        assert house.view("store")["intent"]["owner"] == "Secure"  # type: ignore[index]


async def test_a_responder_may_enter_one_door_during_a_lockdown(tmp_path: Path) -> None:
    """A passage through a door that a protocol has locked takes a permission, is a command and no
    wish, and the lockdown goes on.
    """
    async with door_school(tmp_path) as house:
        await house.want("store", "lockdown", "protocol", "Lockdown")
        with pytest.raises(Refused, match=r"takes the permission enter\.in_lockdown"):
            await house.intake.command_door("store", "momentary", "desk", "")
        await house.intake.command_door("store", "momentary", "officer", "", may_enter=True)
        await house.settle()
        assert house.lock.asked[-1] == ("store", "momentary")
        assert house.view("store")["intent"]["verb"] == "lockdown"  # type: ignore[index]


async def test_a_lockdown_ends_with_its_release_and_then_what_holds(tmp_path: Path) -> None:
    """A locked-down door is released first, then asked for what is wanted now."""
    async with door_school(tmp_path) as house:
        await house.want("store", "unlock", "person", "desk")
        await house.want("store", "lockdown", "protocol", "Lockdown")
        await house.no_more("protocol", "Lockdown")
        await house.pass_time(2)
        assert house.lock.asked == [
            ("store", "unlock"), ("store", "lockdown"),
            ("store", "lockdown_release"), ("store", "unlock"),
        ]  # fmt: skip
        assert "door.differs" not in await house.types("door.")


async def test_what_is_called_off_is_not_done_later(tmp_path: Path) -> None:
    """A command that still waits ends with the wish that it was for."""
    async with door_school(tmp_path) as house:
        house.lock.away.add("store")
        await house.want("store", "lock", "protocol", "Secure")
        await house.no_more("protocol", "Secure", "it was a mistake")
        house.lock.away.clear()
        await house.pass_time(20)
        assert house.lock.asked == []
        (asked,) = await house.told("action.requested")
        (ended,) = await house.told("action.cancelled", "action.failed", "action.timed_out")
        assert (ended.type, ended.data["key"]) == ("action.cancelled", asked.data["key"])


async def test_a_command_called_off_just_before_its_attempt_is_not_handed_over(
    tmp_path: Path,
) -> None:
    """Its attempt and the word that it is called off may be in the same commit."""
    async with door_school(tmp_path) as house:
        house.doors.call_off("store", "k")
        with pytest.raises(NotReady, match="called off"):
            await house.doors.perform("store", "lock", "k", 8)
        assert house.lock.asked == []


async def test_a_wish_of_an_unknown_door_or_a_verb_that_is_no_state(tmp_path: Path) -> None:
    """Either is refused, and nothing is written."""
    async with door_school(tmp_path) as house:
        with pytest.raises(KeyError):
            await house.want("attic", "lock", "protocol", "x")
        for verb in ("momentary", "lockdown_release"):
            with pytest.raises(ValueError, match="no state"):
                await house.want("store", verb, "protocol", "x")  # type: ignore[arg-type]
        assert await house.journal.read(intents.held) == []


# ------------------------------------------------------------------- restarts


async def test_law_6_a_restart_keeps_what_is_wanted_and_replays_nothing(tmp_path: Path) -> None:
    """Protocols persist until ended, a person's wish keeps its expiry; what was confirmed is not
    asked again, what has expired in between ends at the start.
    """
    clock = FakeClock()
    async with door_school(tmp_path, clock) as house:
        await house.want("wing_east", "lockdown", "protocol", "Lockdown")
        await house.intake.command_door("store", "unlock", "desk", "", lasts=3600)
        await house.settle()
        locks = house.locks
    clock.set(clock.now() + HOUR / 2)
    house.lock.asked.clear()
    async with door_school(tmp_path, clock, locks) as house:
        await house.pass_time(10)
        assert house.lock.asked == []
        assert house.view("wing_east")["intent"]["verb"] == "lockdown"  # type: ignore[index]
        assert house.view("store")["intent"]["verb"] == "unlock"  # type: ignore[index]
    clock.set(clock.now() + HOUR)
    async with door_school(tmp_path, clock, locks) as house:
        await house.pass_time(3)
        assert house.lock.asked == [("store", "lock")]
        assert house.view("wing_east")["intent"]["verb"] == "lockdown"  # type: ignore[index]


async def test_law_6_a_restart_in_a_lockdown_resumes_within_five_seconds(tmp_path: Path) -> None:
    """Doors that were not yet asked, or whose answer nobody saw, are asked when the hub is back;
    those that are locked are left alone.
    """
    clock = FakeClock()
    async with door_school(tmp_path, clock) as house:
        house.lock.locks = dict.fromkeys(house.lock.locks, "unlocked")
        house.lock.deaf.add("store")
        await house.want("wing_east", "lock", "protocol", "Secure")
        await house.want("store", "lock", "protocol", "Secure")
        locks = house.locks
    house.lock.deaf.clear()
    house.lock.asked.clear()
    async with door_school(tmp_path, clock, locks) as house:
        await house.pass_time(5)
        assert house.lock.asked == [("store", "lock")]
        assert house.view("store")["reported"]["lock"] == "locked"


async def test_a_command_that_expired_while_the_hub_was_away_is_not_sent(tmp_path: Path) -> None:
    """An hour later the old command is over; the door is asked anew, for what still holds."""
    clock = FakeClock()
    async with door_school(tmp_path, clock) as house:
        house.lock.locks["store"] = "unlocked"
        house.lock.away.add("store")
        await house.want("store", "lock", "protocol", "Secure")
        locks = house.locks
    old = house.lock.keys[:]
    house.lock.away.clear()
    clock.set(clock.now() + HOUR)
    async with door_school(tmp_path, clock, locks) as house:
        await house.pass_time(6)
        first = (await house.told("action.requested"))[0].data["key"]
        assert old == []
        assert first not in house.lock.keys
        assert house.view("store")["reported"]["lock"] == "locked"


async def test_law_6_a_command_is_handed_over_by_nobody_after_it_has_expired(
    tmp_path: Path,
) -> None:
    """However long its door has to answer; what is still wanted then is a command of its own."""
    doors = SCHOOL["doors"] | {"store": SCHOOL["doors"]["store"] | {"deadline": "5m"}}
    async with door_school(tmp_path, doors=doors) as house:
        house.lock.away.add("store")
        key = await house.intake.command_door("store", "lock", "desk", "")
        await house.pass_time(62)
        house.lock.away.clear()
        await house.pass_time(15)
        assert key not in house.lock.keys
        assert house.lock.asked == [("store", "lock")]
        first = (await house.told("action.timed_out"))[0]
        assert (first.data["key"], first.data["seconds"]) == (key, 60.0)


async def test_a_wish_lasts_no_longer_because_the_clock_was_set_back(tmp_path: Path) -> None:
    """What was to end in a minute ends in a minute, also where the clock now says yesterday."""
    clock = FakeClock()
    async with door_school(tmp_path, clock) as house:
        await house.intake.command_door("store", "unlock", "desk", "", lasts=60)
        await house.settle()
        clock.set(clock.now() - timedelta(days=1))
        house.performer.wake()
        await house.pass_time(64)
        assert house.view("store")["intent"] is None
        assert house.lock.asked == [("store", "unlock"), ("store", "lock")]


async def test_nothing_of_a_restored_journal_is_wanted(tmp_path: Path) -> None:
    """What a backup wanted of doors is over, whoever wanted it, and no door is asked for that."""
    async with door_school(tmp_path) as house:
        await house.want("store", "unlock", "protocol", "Evacuate")
        await house.want("wing_east", "lock", "person", "desk")
        house.lock.asked.clear()
        await house.decide(lambda d: d.forget_wanted(CALLED_OFF))
        await house.pass_time(10)
        assert house.lock.asked == []
        assert house.view("store")["intent"] is None


async def test_a_person_ends_a_lockdown_that_an_alert_asked_for(tmp_path: Path) -> None:
    """What they go before does not lock the door down again behind them."""
    async with door_school(tmp_path) as house:
        await house.want("store", "lockdown", "rule", "a1", expires=house.clock.now() + HOUR)
        await house.intake.command_door("store", "lockdown_release", "desk", "")
        await house.settle()
        assert house.view("store")["intent"] is None
        house.lock.turned("store", "unlocked")
        await house.pass_time(15)
        assert house.lock.asked == [("store", "lockdown"), ("store", "lockdown_release")]


async def test_a_person_who_locks_a_locked_down_door_takes_it_out_of_nothing(
    tmp_path: Path,
) -> None:
    """The door is asked for what wins there: `lock` alone would have ordinary badges enter."""
    async with door_school(tmp_path) as house:
        await house.want("store", "lockdown", "protocol", "Lockdown")
        await house.intake.command_door("store", "lock", "desk", "")
        await house.settle()
        assert house.lock.asked == [("store", "lockdown")] * 2


async def test_law_7_a_drill_undoes_nothing_that_is_no_drill(tmp_path: Path) -> None:
    """However late it comes, and whatever it plays; a person does not undo it in turn."""
    async with door_school(tmp_path) as house:
        await house.want("store", "lock", "protocol", "Secure")
        await house.want("store", "unlock", "protocol", "Leave", drill=True, evacuates=True)
        await house.want("wing_east", "lock", "protocol", "Played", drill=True)
        await house.pass_time(3)
        assert house.lock.asked == [("store", "lock"), ("wing_east", "lock")]
        with pytest.raises(Refused, match="Played"):
            await house.intake.command_door("wing_east", "unlock", "desk", "")
