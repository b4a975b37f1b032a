"""A door command is marked as begun by the transaction that wants it: whatever happens between that
mark and the act, it goes out once, or not at all, and says how it ended.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from door_school import config, door_school
from safety_school import SCHOOL, School, school, until
from sqlalchemy import Connection

from hub.campus import Campus
from hub.clock import iso
from hub.errors import NotReady, StateError
from hub.events import Event
from hub.kinds.access_control import Verb
from hub.safety import outbox
from hub.safety.decide import Decider
from hub.safety.doors import commands, reconciler
from hub.safety.doors.reconciler import Doors
from hub.safety.incidents import rows as incidents
from hub.testing import FakeClock

Work = Callable[[Decider], Any]
HOUR = timedelta(hours=1)
MANY = 100


def ask(verb: Verb, door: str = "store") -> Work:
    """What a person presses."""
    return lambda decider: decider.command(door, verb, "desk", "")


def fire(decider: Decider) -> None:
    """A fire panel's input."""
    decider.accept(Event("fire.alarm", "panel", decider._now, "", {"source": "input 1"}))


@asynccontextmanager
async def held(house: Any) -> AsyncIterator[None]:
    """The journal writes nothing else until the block ends; what was asked meanwhile, and is
    urgent, shares one commit.
    """
    busy, gate = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        busy.set()
        gate.wait(20)

    waits = asyncio.create_task(house.journal.write(work))
    await until(busy.is_set)
    try:
        yield
        await asyncio.sleep(0)
    finally:
        gate.set()
        await waits


async def in_one_commit(house: Any, *works: Work) -> list[Any]:
    """Decide all of this, each in a transaction of its own, in a single commit."""
    async with held(house):
        before = house.journal.counters.largest_group
        tasks = [asyncio.create_task(house.intake.decide(work, urgent=True)) for work in works]
        await until(lambda: house.journal.queue()["waiting"] >= len(works))
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert house.journal.counters.largest_group >= max(before, len(works))
    return done


@asynccontextmanager
async def between(house: Any, work: Work) -> AsyncIterator[asyncio.Task[Any]]:
    """What happens in the block happens once a transaction was run, and before its commit."""
    ran, gate = threading.Event(), threading.Event()

    def rest(connection: Connection) -> None:
        ran.set()
        gate.wait(20)

    async with held(house):
        asked = asyncio.create_task(house.intake.decide(work, urgent=True))
        await until(lambda: house.journal.queue()["waiting"] == 1)
        after = asyncio.create_task(house.journal.write(rest, urgent=True))
        await until(lambda: house.journal.queue()["waiting"] == 2)
    await until(ran.is_set)
    try:
        yield asked
    finally:
        gate.set()
        await asyncio.gather(asked, after, return_exceptions=True)


async def commands_of(house: Any) -> list[tuple[str, str, int, str]]:
    """Verb, state, attempts and detail of each door command, oldest first."""

    def work(connection: Connection) -> list[tuple[str, str, int, str]]:
        rows = connection.exec_driver_sql("SELECT * FROM actions WHERE kind = 'door' ORDER BY id")
        return [(outbox.verb(row), row.state, row.attempts, row.detail) for row in rows]

    return await house.journal.read(work)


async def ended(house: Any) -> list[tuple[str, str, int, str]]:
    """The same, once all have ended."""

    async def none_pending() -> bool:
        return all(state != "pending" for _, state, _, _ in await commands_of(house))

    await until(none_pending)
    return await commands_of(house)


def asked(house: School) -> list[tuple[str, str]]:
    """What doors were asked for."""
    return [(door, verb) for door, verb, _ in house.doors.asked]


# ------------------------------------------------- called off in the same commit


async def test_law_6_a_command_replaced_in_the_same_commit_is_not_sent(tmp_path: Path) -> None:
    """Two people press at once: what was asked last is all that the door is asked for."""
    async with door_school(tmp_path) as house:
        await in_one_commit(house, ask("unlock"), ask("lock"))
        first, second = await ended(house)
        assert house.lock.asked == [("store", "lock")]
        assert first == ("unlock", "cancelled", 1, commands.REPLACED)
        assert second[:3] == ("lock", "confirmed", 1)


@pytest.mark.parametrize("verb", ["lock", "lockdown", "momentary"])
async def test_law_5_a_fire_alarm_in_the_same_commit_stops_a_lock(
    tmp_path: Path, verb: Verb
) -> None:
    """What would lock a door, or lock it behind somebody, is not sent once the alarm is known."""
    async with door_school(tmp_path) as house:
        await in_one_commit(house, ask(verb), fire)
        ((_, state, attempts, detail),) = await ended(house)
        assert house.lock.asked == []
        assert (state, attempts) == ("failed", 1)
        assert "fire alarm" in detail or "called off" in detail


async def test_a_fire_alarm_in_the_same_commit_lets_a_door_open(tmp_path: Path) -> None:
    """What opens a door goes out all the same."""
    async with door_school(tmp_path) as house:
        await in_one_commit(house, ask("unlock"), fire)
        assert [each[:2] for each in await ended(house)] == [("unlock", "confirmed")]
        assert house.lock.asked == [("store", "unlock")]


async def test_a_wish_that_ends_in_the_same_commit_locks_nothing(tmp_path: Path) -> None:
    """A protocol that is closed at once never locked its doors down, and they are released."""
    async with door_school(tmp_path) as house:
        await in_one_commit(
            house,
            lambda d: d.want("store", "lockdown", "protocol", "run", "a drill"),
            lambda d: d.want_no_more("protocol", "run", "the drill is over"),
        )
        first, second = await ended(house)
        assert house.lock.asked == [("store", "lockdown_release")]
        assert first == ("lockdown", "cancelled", 1, "the drill is over")
        assert second[:2] == ("lockdown_release", "confirmed")


async def test_the_keeper_asks_nothing_while_a_begun_command_waits(tmp_path: Path) -> None:
    """In the same commit as the wish, an attempt more is not made."""
    async with door_school(tmp_path) as house:
        wanted: list[str] = []
        await in_one_commit(
            house,
            lambda d: wanted.append(d.want("store", "lock", "protocol", "run", "")),
            lambda d: d.ask_again(wanted[0]),
        )
        assert [each[:3] for each in await ended(house)] == [("lock", "confirmed", 1)]
        assert house.lock.asked == [("store", "lock")]


async def test_however_many_commands_are_called_off_the_first_is_known(tmp_path: Path) -> None:
    """A lockdown of more doors than any bound, called off before it goes out: none is sent."""
    made = config()
    doors = Doors(made, Campus(made.places), FakeClock(), lambda *events: asyncio.sleep(0))
    async with door_school(tmp_path) as house:
        doors.attach("locks", house.lock)
        doors.call_off("store", "first")
        for number in range(4 * reconciler.CALLED_OFF):
            doors.call_off("wing_east", f"other {number}")
        async with asyncio.timeout(20):
            with pytest.raises(NotReady, match="called off"):
                await doors.perform("store", "lock", "first", 5)
        assert house.lock.asked == []


@pytest.mark.parametrize("verb", ["lock", "lockdown"])
@pytest.mark.parametrize("by", ["fire", "call off"])
async def test_what_ends_before_its_hand_over_has_its_turn_is_not_sent(
    tmp_path: Path, verb: Verb, by: str
) -> None:
    """The task that hands a command over is made, and has not run yet, when its end comes."""
    async with door_school(tmp_path) as house:
        asking = asyncio.create_task(house.doors.perform("store", verb, "k", 5))
        await asyncio.sleep(0)
        assert house.doors._doors["store"].command is not None
        if by == "fire":
            house.doors.suspend(True)
        else:
            house.doors.call_off("store", "k")
        await asyncio.gather(asking, return_exceptions=True)
        await house.settle()
        assert house.lock.asked == []


async def test_a_whole_controller_is_not_called_for_what_ended_before(tmp_path: Path) -> None:
    """The controller's own call, made once for all its doors, is handed over no more either."""
    async with door_school(tmp_path) as house:
        calls: list[bool] = []

        async def lockdown_all(engaged: bool, key: str) -> None:
            calls.append(engaged)

        house.lock.lockdown_all = lockdown_all  # type: ignore[attr-defined]
        house.doors.may_be_locked_down("store")
        release = house.doors.perform("store", "lockdown_release", "k", 5)
        asking = asyncio.create_task(release)
        await asyncio.sleep(0)
        house.doors.call_off("store", "k")
        await asyncio.gather(asking, return_exceptions=True)
        await house.settle()
        assert (calls, house.lock.asked) == ([], [])


# -------------------------------------------------------- the mark and the commit


async def test_a_commit_that_fails_sends_nothing(tmp_path: Path) -> None:
    """What was decided and is not on the disk is not done, and the door can be asked again."""

    def break_off(decider: Decider) -> None:
        decider._connection.exec_driver_sql("ROLLBACK")
        raise RuntimeError("the disk is gone")

    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        done = await in_one_commit(house, ask("lock"), break_off)
        assert [type(each) for each in done] == [RuntimeError, RuntimeError]
        assert (asked(house), await commands_of(house)) == ([], [])
        await house.intake.decide(ask("momentary"))
        assert [each[:3] for each in await ended(house)] == [("momentary", "confirmed", 1)]
        assert asked(house) == [("store", "momentary")]


async def test_who_asked_may_go_before_it_is_on_the_disk(tmp_path: Path) -> None:
    """A browser that hangs up takes nothing back: the command is decided, and goes out once."""
    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        async with between(house, ask("momentary")) as asking:
            asking.cancel()
        assert [each[:3] for each in await ended(house)] == [("momentary", "confirmed", 1)]
        assert asked(house) == [("store", "momentary")]


async def test_an_outcome_that_waits_for_the_journal_asks_no_door_twice(tmp_path: Path) -> None:
    """The disk is full as the door answers: what it did is written later, and was done once."""
    async with school(tmp_path) as house:
        gate = house.doors.gates["store"] = asyncio.Event()
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        await house.intake.decide(ask("momentary"))
        await until(lambda: house.doors.asked)
        decide, full = house.intake.decide, asyncio.Event()

        async def cannot(work: Work, *, urgent: bool = False) -> Any:
            full.set()
            raise StateError("the disk is full")

        house.intake.decide = cannot  # type: ignore[method-assign]
        gate.set()
        await until(full.is_set)
        house.intake.decide = decide  # type: ignore[method-assign]
        assert (await commands_of(house))[0][1:3] == ("pending", 1)
        await house.clock.advance(2)
        assert [each[:3] for each in await ended(house)] == [("momentary", "confirmed", 1)]
        assert asked(house) == [("store", "momentary")]


@pytest.mark.parametrize("again", ["before the commit", "after it"])
@pytest.mark.parametrize("verb", ["lock", "momentary"])
async def test_law_6_a_performer_that_stops_before_it_was_told(
    tmp_path: Path, verb: Verb, again: str
) -> None:
    """What was marked and nobody was told of is found by the next run: a state is asked for once,
    under its key; a release is not, and says so.
    """
    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        async with between(house, ask(verb)):
            await house.stop()
            if again == "before the commit":
                house.perform()
        if again == "after it":
            assert (await commands_of(house))[0][1:3] == ("pending", 1)
            assert asked(house) == []
            house.perform()
        ((_, state, attempts, detail),) = await ended(house)
        if verb == "momentary":
            assert (state, attempts, asked(house)) == ("timed_out", 1, [])
            assert "never repeated" in detail
        else:
            assert (state, attempts, asked(house)) == ("confirmed", 2, [("store", "lock")])


@pytest.mark.parametrize("verb", ["lock", "momentary"])
async def test_what_is_decided_before_the_performer_has_recovered(
    tmp_path: Path, verb: Verb
) -> None:
    """While it starts nothing is marked, so that its look at what was left finds no attempt: what
    is asked then is done once, a release too.
    """
    async with school(tmp_path) as house:
        async with held(house):
            house.perform()
            await until(lambda: house.journal.queue()["waiting"] == 1)
            asking = asyncio.create_task(house.intake.decide(ask(verb), urgent=True))
            await until(lambda: house.journal.queue()["waiting"] == 2)
        assert (await asking).begun == []
        assert [each[:3] for each in await ended(house)] == [(verb, "confirmed", 1)]
        assert asked(house) == [("store", verb)]


async def test_law_6_looking_twice_at_what_was_left_asks_once(tmp_path: Path) -> None:
    """A start that is cut off and made again repeats a state once and a release never."""
    async with school(tmp_path) as house:
        house.intake.on_begun = lambda begun: None
        await house.intake.decide(ask("lock", "wing_east"))
        await house.intake.decide(ask("momentary"))
        house.intake.on_begun = None
        for _ in range(2):
            await house.intake.decide(Decider.recover)
        house.perform()
        assert [each[:3] for each in await ended(house)] == [
            ("lock", "confirmed", 2), ("momentary", "timed_out", 1),
        ]  # fmt: skip
        assert asked(house) == [("wing_east", "lock")]


async def test_what_is_marked_and_not_yet_told_is_left_alone(tmp_path: Path) -> None:
    """The performer sees it in the outbox first: it neither begins it itself nor spins over it."""
    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        kept: list[Any] = []
        go_on, house.intake.on_begun = house.intake.on_begun, kept.extend
        await house.intake.decide(ask("momentary"))
        for _ in range(3):
            house.performer.wake()
            await until(house._performer_rests)
        reads = house.journal.counters.reads
        await asyncio.sleep(0.05)
        assert house.journal.counters.reads == reads
        assert (asked(house), house.performer.queue()["running"]) == ([], 0)
        assert go_on is not None
        go_on(kept)
        assert house.performer.queue()["running"] == 1
        assert [each[:3] for each in await ended(house)] == [("momentary", "confirmed", 1)]
        assert asked(house) == [("store", "momentary")]


async def test_a_command_goes_out_whoever_stumbles_over_the_news_of_it(tmp_path: Path) -> None:
    """One who only shows what was asked and raises keeps no door waiting."""
    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)

        def stumble(door: str, request: Any) -> None:
            raise RuntimeError("no page can show this")

        house.intake._on_request = stumble
        await house.intake.decide(ask("momentary"))
        assert [each[:3] for each in await ended(house)] == [("momentary", "confirmed", 1)]
        assert asked(house) == [("store", "momentary")]


# ------------------------------------------------------- time, drills, configuration


@pytest.mark.parametrize("verb", ["lock", "momentary"])
async def test_law_6_what_expires_between_mark_and_act_is_not_sent(
    tmp_path: Path, verb: Verb
) -> None:
    """A commit that takes longer than a command lives, or a machine that slept: nothing stale."""
    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        async with between(house, ask(verb)):
            house.clock.set(house.clock.now() + outbox.DOOR_EXPIRES)
        assert await ended(house) == [
            (verb, "timed_out", 1, "expired before it could be sent"),
        ]  # fmt: skip
        assert asked(house) == []


async def test_a_clock_set_back_between_mark_and_act_delays_nothing(tmp_path: Path) -> None:
    """The command goes out at once, and its deadline is no longer for it."""
    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        async with between(house, ask("lock")):
            house.clock.set(house.clock.now() - HOUR)
        assert [each[:3] for each in await ended(house)] == [("lock", "confirmed", 1)]
        assert asked(house) == [("store", "lock")]


async def test_what_a_drill_may_not_move_is_never_marked(tmp_path: Path) -> None:
    """The fence ends it as it is written, so that there is nothing to begin."""

    def played(decider: Decider) -> None:
        incident = incidents.open_incident(
            decider._connection, "Drill", "high", "lab", decider._now, drill=True
        )
        decider.command("store", "lock", "desk", "", "", incident)

    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        assert (await house.intake.decide(played)).begun == []
        assert await ended(house) == [("lock", "cancelled", 0, "a drill: no door moves")]
        assert asked(house) == []


async def test_a_door_taken_away_between_mark_and_act_ends_the_command(tmp_path: Path) -> None:
    """Another configuration without the door: the command fails, and says why."""
    async with door_school(tmp_path) as house:
        left = config(doors={k: v for k, v in SCHOOL["doors"].items() if k != "store"})
        async with between(house, ask("lock")):
            house.intake.reconfigure(left, Campus(left.places))
            house.doors.reconfigure(left, Campus(left.places))
        assert await ended(house) == [("lock", "failed", 1, "there is no door named store")]
        assert house.lock.asked == []


# --------------------------------------------------------------- lanes and crowds


async def test_a_release_waits_for_its_turn_and_a_lock_does_not(tmp_path: Path) -> None:
    """Behind a release that hangs a second one waits; a lock calls both off and goes at once."""
    async with school(tmp_path) as house:
        gate = house.doors.gates["store"] = asyncio.Event()
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        first = await house.intake.decide(ask("momentary"))
        second = await house.intake.decide(ask("momentary"))
        assert ([len(each.begun) for each in (first, second)]) == [1, 0]
        await until(lambda: house.doors.asked)
        await house.intake.decide(ask("lock"))
        await until(lambda: len(house.doors.asked) == 2)
        gate.set()
        assert [each[:3] for each in await ended(house)] == [
            ("momentary", "confirmed", 1), ("momentary", "cancelled", 0), ("lock", "confirmed", 1),
        ]  # fmt: skip
        assert asked(house) == [("store", "momentary"), ("store", "lock")]


async def test_two_releases_in_one_commit_are_two_one_after_the_other(tmp_path: Path) -> None:
    """Neither is lost, neither goes out twice."""
    async with school(tmp_path) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        await in_one_commit(house, ask("momentary"), ask("momentary"))
        assert [each[:3] for each in await ended(house)] == [("momentary", "confirmed", 1)] * 2
        assert len({key for _, _, key in house.doors.asked}) == len(house.doors.asked) == 2


async def test_a_hundred_doors_at_once_with_a_slow_journal(tmp_path: Path) -> None:
    """Each is asked once, and the counters agree with the outbox."""
    names = [f"door_{number}" for number in range(MANY)]
    doors = {name: SCHOOL["doors"]["store"] | {"name": name} for name in names}

    def all_of_them(decider: Decider) -> None:
        for name in names:
            decider.want(name, "lockdown", "protocol", "run", "")

    async with school(tmp_path, doors=SCHOOL["doors"] | doors) as house:
        house.perform()
        await until(lambda: house.intake.on_begun is not None)
        async with between(house, all_of_them) as asking:
            assert house.performer.queue()["running"] == 0
        assert len((await asking).begun) == MANY
        assert {each[:3] for each in await ended(house)} == {("lockdown", "confirmed", 1)}
        assert sorted(door for door, _, _ in house.doors.asked) == sorted(names)
        await until(lambda: house.performer.queue()["running"] == 0)
        assert house.performer.queue()["attempts"] == MANY


async def test_without_a_performer_nothing_is_marked(tmp_path: Path) -> None:
    """A command that nobody can carry out waits as it is, and is due."""
    async with school(tmp_path) as house:
        done = await house.intake.decide(ask("lock"))
        (waiting,) = await house.journal.read(lambda c: outbox.due(c, house.clock.now()))
        assert (done.begun, waiting.started, waiting.attempts) == ([], None, 0)
        assert waiting.due == iso(house.clock.now())
