"""After a restore nothing of the past acts, and the journal says by whom it was brought back."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from safety_school import EVENING, School, school
from sqlalchemy import select

from hub.errors import Refused
from hub.events import Event
from hub.protocols import Protocols
from hub.safety.doors import intents
from hub.safety.restored import settle_restored
from hub.storage.backup import create
from hub.storage.backup_restore import NOTE, lost, restore
from hub.storage.backup_shelf import Shelf
from hub.storage.folder import StateFolder
from hub.storage.schema import meta
from hub.testing import FakeClock

NOTES = select(meta).where(meta.c.key == NOTE)
NOW = datetime(2026, 3, 2, 20, 45, tzinfo=UTC)


async def backed_up_while_things_wait(path: Path, later: str = "a door") -> StateFolder:
    """A state restored from a backup in which notices and door commands were still to go out.
    After the backup something happened `later`, or nothing did; or the journal of then is gone.
    """
    state = StateFolder(path / "state")
    state.open()
    async with school(state.path) as house:
        await house.intake.accept(house.seen())
        alert = (await house.intake.alerts())[0]["id"]
        await house.intake.verdict(alert, "verified", "officer")
        assert await house._pending(0) is False
        made = create(state, Shelf(path / "backups"), house.clock, "tests")
        if later == "a door":
            await house.intake.accept(house.door_event("door.opened", "store"))
        elif later == "a fire":
            await house.intake.accept(fire_alarm(house))
    assert made.manifest is not None
    if later == "gone":
        state.journal.unlink()
    with state.lock():
        losses = lost(state, made.path, made.manifest)
        restore(state, made.path, made.manifest, losses, "teacher on this machine", NOW)
    return state


def fire_alarm(house: School) -> Event:
    """The panel says so."""
    data = {"place": "gym", "source": "input/panel"}
    return Event("fire.alarm", "input/panel", house.clock.now(), "gym", data)


async def restored_events(house: School) -> list[Event]:
    past = await house.intake.past_events(0)
    return [event for _, event in past if event.type == "journal.restored"]


async def test_no_door_moves_for_a_command_of_before(tmp_path: Path) -> None:
    """What was asked of a door before the backup is called off, each with the reason, and nothing
    is wanted of one any more.
    """
    state = await backed_up_while_things_wait(tmp_path)
    async with school(state.path, FakeClock(EVENING + timedelta(seconds=5))) as house:
        assert await house.journal.read(intents.held)
        await settle_restored(house.intake)
        assert await house.journal.read(intents.held) == []
        house.perform()
        await house.settled()
        assert house.doors.asked == []
        doors = [one for one in await house.actions() if one["kind"] == "door"]
        assert doors
        assert {one["state"] for one in doors} == {"cancelled"}
        assert all("no command of before is sent again" in one["detail"] for one in doors)


async def test_a_notice_in_time_goes_out_as_a_possible_repeat(tmp_path: Path) -> None:
    """Nobody knows whether it went out before: told twice is better than never, and it says so."""
    state = await backed_up_while_things_wait(tmp_path)
    async with school(state.path, FakeClock(EVENING + timedelta(seconds=30))) as house:
        await settle_restored(house.intake)
        house.perform()
        await house.settled()
        waiting = [notice for notice in house.channels["siren"].sent if "Stay out" in notice.text]
        assert [notice.repeat for notice in waiting] == [True]


async def test_a_notice_past_its_expiry_does_not_go_out(tmp_path: Path) -> None:
    """A restore days later tells nobody of what is over."""
    state = await backed_up_while_things_wait(tmp_path)
    async with school(state.path, FakeClock(EVENING + timedelta(days=3))) as house:
        await settle_restored(house.intake)
        house.perform()
        await house.settled()
        assert house.channels["siren"].sent == []
        waiting = [one for one in await house.actions() if one["target"] == "siren"]
        assert [one["state"] for one in waiting] == ["timed_out"]


async def test_the_journal_tells_of_its_restore_once(tmp_path: Path) -> None:
    """Who, when, from what and as of when; a second start adds nothing."""
    state = await backed_up_while_things_wait(tmp_path)
    for _ in range(2):
        async with school(state.path) as house:
            await settle_restored(house.intake)
            (event,) = await restored_events(house)
            assert event.data["by"] == "teacher on this machine"
            assert event.data["time"] == "2026-03-02T20:45:00.000Z"
            assert event.data["as_of"] == "2026-03-02T20:15:00.000Z"
            assert event.data["backup"].startswith("backup-2026")
            assert event.data["lost"]["known"] is True


async def test_a_start_that_is_cut_off_is_done_again(tmp_path: Path) -> None:
    """The note stays until everything it asks for is in the journal; doing it twice is once."""
    state = await backed_up_while_things_wait(tmp_path)
    async with school(state.path) as house:
        (note,) = await house.journal.read(lambda c: c.execute(NOTES).all())
        await settle_restored(house.intake)
        await house.journal.write(lambda c: c.execute(meta.insert(), note._asdict()))
    async with school(state.path) as house:
        await settle_restored(house.intake)
        assert len(await restored_events(house)) == 1
        assert await house.journal.read(lambda c: c.execute(NOTES).all()) == []


async def test_an_ordinary_start_says_nothing(tmp_path: Path) -> None:
    """Without a restore nothing is called off and no event is written."""
    async with school(tmp_path) as house:
        await house.intake.accept(house.seen())
        before = await house.actions()
        await settle_restored(house.intake)
        assert await restored_events(house) == []
        assert await house.actions() == before


async def test_a_rule_can_act_on_a_restore(tmp_path: Path) -> None:
    """`when: journal.restored` raises an alert like any other event."""
    state = await backed_up_while_things_wait(tmp_path)
    rule = {
        "name": "The journal was restored",
        "when": "journal.restored",
        "alert": {"severity": "check", "through": ["console"]},
    }
    async with school(state.path, rules={"restored": rule}) as house:
        await settle_restored(house.intake)
        titles = [alert["title"] for alert in await house.intake.alerts()]
        assert "The journal was restored" in titles
    shutil.rmtree(state.path)


@pytest.mark.parametrize("later", ["a fire", "gone"])
async def test_law_1_a_restored_journal_locks_nothing_before_a_person_rearms(
    tmp_path: Path, later: str
) -> None:
    """A fire alarm after the backup may be what is forgotten: until somebody re-arms, no door takes
    a lock verb, a lockdown says that its doors wait, and an alarm that sounds now is one.
    """
    state = await backed_up_while_things_wait(tmp_path, later)
    async with school(state.path) as house:
        await settle_restored(house.intake)
        desk = Protocols(house.intake, frozenset)
        fire = await desk.fire()
        assert (fire["state"], fire["source"], fire["decide_by"]) == ("restored", "", None)
        with pytest.raises(Refused, match="does not know of any fire alarm since"):
            await house.intake.command_door("store", "lock", "head", "")
        assert await house.intake.command_door("store", "unlock", "head", "")
        await house.intake.accept(fire_alarm(house))
        assert (await desk.fire())["place_words"] == "Gym"
        assert await house.journal.read(intents.held) == []  # nobody keeps it open in a fire
    async with school(state.path) as house:  # over a restart it is known still
        desk = Protocols(house.intake, frozenset)
        assert (await desk.rearm("head"))["state"] == "clear"
        assert await house.intake.command_door("store", "lock", "head", "")


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize(("later", "locks"), [("gone", False), ("a fire", False), ("a door", True)])
async def test_law_1_another_restore_clears_no_doubt(
    tmp_path: Path, later: str, locks: bool, started: bool
) -> None:
    """A journal that was restored does not know of an alarm before that, whether a hub has run on
    it since or not; where it had no doubt, there is none.
    """
    state = await backed_up_while_things_wait(tmp_path, later)
    if started:
        async with school(state.path) as house:
            await settle_restored(house.intake)
    made = Shelf(tmp_path / "backups").newest()
    assert made is not None
    assert made.manifest is not None
    with state.lock():
        losses = lost(state, made.path, made.manifest)
        assert losses.known
        restore(state, made.path, made.manifest, losses, "teacher on this machine", NOW)
    async with school(state.path) as house:
        await settle_restored(house.intake)
        desk = Protocols(house.intake, frozenset)
        assert (await desk.fire())["state"] == ("clear" if locks else "restored")


@pytest.mark.parametrize("later", ["nothing", "a door"])
async def test_what_is_known_needs_no_rearming(tmp_path: Path, later: str) -> None:
    """Where the journal of then held no fire alarm beyond the backup, doors lock as before."""
    state = await backed_up_while_things_wait(tmp_path, later)
    async with school(state.path) as house:
        await settle_restored(house.intake)
        assert await house.intake.command_door("store", "lock", "head", "")
