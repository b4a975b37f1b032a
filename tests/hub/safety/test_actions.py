"""Intentions are carried out, tried again, given up and recorded; a restart forgets none."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from safety_school import SCHOOL, School, ScriptedChannel, school, until

from hub.errors import CommandFailed, NotReady, Refused, StateError
from hub.kinds.notifiers import Notice, Receipt
from hub.ports import Outcome
from hub.safety.decide import Decider

CHILD = Path(__file__).with_name("performer_child.py")


def raising(error: BaseException, times: int = 1_000_000) -> Callable[[Notice], Receipt]:
    """An answer that raises so many times, then accepts."""
    left = [times]

    def answer(notice: Notice) -> Receipt:
        if left[0]:
            left[0] -= 1
            raise error
        return Receipt("accepted")

    return answer


async def raised(house: School) -> str:
    """The id of a fresh alert in the closed wing."""
    await house.intake.accept(house.seen())
    return (await house.intake.alerts())[0]["id"]


async def states(house: School) -> dict[str, tuple[str, str]]:
    """State and detail of every action, by what it is."""
    return {one["what"]: (one["state"], one["detail"]) for one in await house.actions()}


async def test_an_alert_reaches_those_it_should_in_plain_words(tmp_path: Path) -> None:
    """People with an address get a notice each, the others share one; place, time and link stand
    in it, and that nobody has verified it.
    """
    async with school(tmp_path) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        (shared,) = house.channels["console"].sent
        assert [one.person for one in shared.to] == ["officer", "desk"]
        assert [[one.person for one in n.to] for n in house.channels["post"].sent] == [
            ["officer"], ["desk"],
        ]  # fmt: skip
        notice = house.channels["post"].sent[0]
        assert notice.to[0].contact == "officer@school"
        assert (notice.about, notice.severity, notice.repeat) == ("alert", "high", False)
        assert notice.title == "Person in the closed science wing"
        assert notice.text.splitlines() == [
            "Science wing, at 20:15 on Monday 2 March.",
            "Person seen in Science wing (score 0.86).",
            "Why: zone.entered; label person 0.86; place Science wing; "
            'outside "Science wing open" (it was Mon 20:15).',
            "It could be: a cleaner.",
            "Nobody has verified this yet.",
        ]
        assert notice.link == f"http://hub:8480/alerts/{alert}"
        assert (await house.intake.counts())["actions"]["confirmed"] == 3
        assert "School resource officer: told through Post" in await house.story()


async def test_verifying_locks_the_doors_and_names_the_one_that_jams(tmp_path: Path) -> None:
    """Each door's outcome stands in the story; everyone who was told hears what is not secured."""
    async with school(tmp_path) as house:
        house.doors.answers["store"] = lambda: Outcome("failed", "bolt jammed")
        house.perform()
        alert = await raised(house)
        await house.settled()
        await house.intake.verdict(alert, "verified", "officer")
        await house.settled()
        assert {(door, verb) for door, verb, _ in house.doors.asked} == {
            ("wing_east", "lock"), ("store", "lock"),
        }  # fmt: skip
        story = await house.story()
        assert "School resource officer verified the alert" in story
        assert "Science wing east: asked to lock by School resource officer" in story
        assert "Science wing east: lock confirmed after 0.0 s" in story
        assert "Chemistry store: NOT secured: bolt jammed" in story
        warned = [n for n in house.channels["post"].sent if n.about == "outcome"]
        assert [n.title for n in warned] == ["Chemistry store: NOT secured: bolt jammed"] * 2
        (siren,) = house.channels["siren"].sent
        assert (siren.about, siren.data["verdict"]) == ("alert", "verified")
        assert siren.text.startswith("Stay out\n")
        incident = (await house.intake.incidents())[0]
        tones = {
            entry["text"]: entry["tone"]
            for entry in (await house.intake.incident(incident["id"]))["entries"]
        }
        assert tones["Chemistry store: NOT secured: bolt jammed"] == "severe"


async def test_a_door_that_did_not_lock_is_told_inside_the_school_alone(tmp_path: Path) -> None:
    """Where the school is open is no word for those beyond it, although they know of the alert."""
    notifiers = SCHOOL["notifiers"] | {"post": SCHOOL["notifiers"]["post"] | {"outside": True}}
    async with school(tmp_path, notifiers=notifiers) as house:
        house.doors.answers["store"] = lambda: Outcome("failed", "bolt jammed")
        house.perform()
        alert = await raised(house)
        await house.settled()
        await house.intake.verdict(alert, "verified", "officer")
        await house.settled()
        warned = {
            name: [n.title for n in channel.sent if n.about == "outcome"]
            for name, channel in house.channels.items()
        }
        assert warned["console"] == ["Chemistry store: NOT secured: bolt jammed"]
        assert warned["post"] == []
        assert "alert" in {n.about for n in house.channels["post"].sent}


async def test_the_door_page_hears_every_change_of_a_request(tmp_path: Path) -> None:
    """What was asked of a door is told once it is on the disk and again when it ended, and is
    there after a restart.
    """
    async with school(tmp_path) as house:
        house.perform()
        key = await house.intake.command_door("store", "lock", "desk", "end of lesson")
        await house.settled()
        assert [(door, r["state"]) for door, r in house.requests] == [
            ("store", "pending"), ("store", "confirmed"),
        ]  # fmt: skip
        assert house.doors.asked == [("store", "lock", key)]
    async with school(tmp_path) as house:
        assert (await house.intake.requests())["store"] == {
            "verb": "lock", "by": "desk", "reason": "end of lesson",
            "time": "2026-03-02T20:15:00.000Z", "state": "confirmed", "detail": "reported locked",
        }  # fmt: skip


async def test_a_newer_command_replaces_an_older_one(tmp_path: Path) -> None:
    """What was asked last holds: an older command that waits is called off, one under way is not
    tried again, and neither delays the newer.
    """
    async with school(tmp_path) as house:
        house.doors.gates["store"] = asyncio.Event()
        house.perform()
        first = await house.intake.command_door("store", "lock", "desk", "")
        await until(lambda: len(house.doors.asked) == 1)
        second = await house.intake.command_door("store", "unlock", "desk", "")
        await until(lambda: len(house.doors.asked) == 2)
        assert [key for _, _, key in house.doors.asked] == [first, second]
        house.doors.gates["store"].set()
        await house.settled()
    (tmp_path / "other").mkdir()
    async with school(tmp_path / "other") as house:
        await house.intake.command_door("store", "lock", "desk", "")
        await house.intake.command_door("store", "unlock", "desk", "")
        house.perform()
        await house.settled()
        assert [verb for _, verb, _ in house.doors.asked] == ["unlock"]
        counts = await house.intake.counts()
        assert (counts["actions"]["cancelled"], counts["actions"]["confirmed"]) == (1, 1)


async def test_a_slow_door_and_a_hanging_channel_delay_no_other(tmp_path: Path) -> None:
    """Every door and every recipient has a lane of its own."""
    async with school(tmp_path) as house:
        house.doors.gates["wing_east"] = asyncio.Event()
        house.channels["post"].gate = asyncio.Event()
        house.perform()
        alert = await raised(house)
        await house.intake.verdict(alert, "verified", "officer")
        await until(lambda: ("store", "lock") in {asked[:2] for asked in house.doors.asked})
        await until(lambda: house.channels["siren"].sent)
        await until(lambda: len(house.channels["console"].sent) >= 1)
        assert house.performer.queue()["running"] >= 2
        house.doors.gates["wing_east"].set()
        house.channels["post"].gate.set()
        await house.settled()


async def test_a_channel_that_is_not_ready_is_tried_again_and_marked(tmp_path: Path) -> None:
    """Every attempt carries the same key, and from the second on says that it may be a repeat."""
    async with school(tmp_path) as house:
        console = house.channels["console"]
        console.answer = raising(NotReady("no network"), times=3)
        house.perform()
        await raised(house)
        await house.pass_time(20)
        await house.settled()
        assert len({notice.key for notice in console.sent}) == 1
        assert [notice.repeat for notice in console.sent] == [False, True, True, True]
        assert (await house.actions())[0]["attempts"] == 4


async def test_tries_come_further_and_further_apart(tmp_path: Path) -> None:
    """A channel that stays away is not hammered."""
    async with school(tmp_path) as house:
        console = house.channels["console"]
        console.answer = raising(NotReady("no network"))
        house.perform()
        await raised(house)
        await house.pass_time(120)
        assert 5 <= len(console.sent) <= 9


@pytest.mark.parametrize(
    ("error", "detail", "attempts"),
    [
        (CommandFailed("no such topic"), "no such topic", 1),
        (ValueError("a bug"), "given up after 4 attempts: ValueError: a bug", 4),
        (asyncio.CancelledError(), "given up after 4 attempts: RuntimeError: it cancelled", 4),
    ],
)
async def test_a_channel_that_raises_is_survived(
    tmp_path: Path, error: Exception, detail: str, attempts: int
) -> None:
    """A refusal ends the notice, a bug ends it after some attempts, and others go out meanwhile."""
    async with school(tmp_path) as house:
        house.channels["console"].answer = raising(error)
        house.perform()
        await raised(house)
        await until(lambda: len(house.channels["post"].sent) == 2)
        await house.pass_time(12)
        await house.settled()
        (failed,) = [one for one in await house.actions() if one["target"] == "console"]
        assert failed["state"] == "failed"
        assert failed["detail"].startswith(detail)
        assert failed["attempts"] == attempts


async def test_a_channel_that_hangs_is_left_and_tried_again(tmp_path: Path) -> None:
    """Past its timeout a call is given up; what it sent may have arrived, so the next is marked."""
    async with school(tmp_path) as house:
        post = house.channels["post"]
        post.gate = asyncio.Event()
        house.perform()
        await raised(house)
        await until(lambda: len(post.sent) == 2)
        await house.clock.advance(3)
        await until(lambda: house.performer.queue()["running"] == 0)
        post.gate.set()
        await house.clock.advance(2)
        await house.settled()
        assert [notice.repeat for notice in post.sent] == [False, False, True, True]


class Stubborn(ScriptedChannel):
    """A channel that will not be cancelled."""

    async def send(self, notice: Notice) -> Receipt:
        self.sent.append(notice)
        end = asyncio.get_running_loop().time() + 0.3
        while asyncio.get_running_loop().time() < end:
            try:
                await asyncio.sleep(0.3)
            except asyncio.CancelledError:
                continue
        return Receipt("accepted")


async def test_a_call_that_ignores_its_deadline_is_counted(tmp_path: Path) -> None:
    """A driver that swallows cancellation holds up nothing, and shows in the counters."""
    async with school(tmp_path) as house:
        house.channels["console"] = Stubborn()
        house.perform()
        await raised(house)
        await until(lambda: house.channels["console"].sent)
        await house.clock.advance(10)
        await until(lambda: house.performer.queue()["overdue"] == 1)
        await house.stop()
        await until(lambda: house.performer.queue()["overdue"] == 0)


@pytest.mark.parametrize("target", ["off", "unknown"])
async def test_a_channel_that_is_off_or_missing_fails_with_the_reason(
    tmp_path: Path, target: str
) -> None:
    """A notice nobody can send is a failure that is shown, never a silence."""
    rule = {
        "name": "R", "when": "door.forced", "alert": {"severity": "high", "through": [target]},
    }  # fmt: skip
    async with school(tmp_path, rules={"r": rule}) as house:
        house.perform()
        await house.intake.accept(house.door_event("door.forced", "store"))
        await house.settled()
        (one,) = await house.actions()
        reason = "switched off" if target == "off" else "not configured"
        assert (one["state"], one["detail"]) == ("failed", f"the notifier {target} is {reason}")
        assert any("NOT told" in line for line in await house.story())


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Outcome("failed", "bolt jammed"), "failed"),
        (Outcome("timed_out", "no answer within 8 s"), "timed_out"),
        (CommandFailed("says no"), "failed"),
    ],
)
async def test_law_5_every_command_ends(
    tmp_path: Path, answer: Outcome | Exception, state: str
) -> None:
    """Fail visible: a command ends confirmed, failed or timed out, with an event that says so."""

    def act() -> Outcome:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with school(tmp_path) as house:
        house.doors.answers["store"] = act
        house.perform()
        with house.bus.subscribe(types=(f"action.{state}",)) as told:
            key = await house.intake.command_door("store", "lock", "desk", "")
            async with asyncio.timeout(10):
                _, first = await anext(aiter(told))
            await house.settled()
        events = [first, *[event async for _, event in told]]
        assert [event.data["key"] for event in events] == [key]
        assert house.requests[-1][1]["state"] == state


async def test_law_5_a_door_that_hangs_for_ever_times_out(tmp_path: Path) -> None:
    """A controller that never answers ends in a time-out, though it was to end by itself."""
    async with school(tmp_path) as house:
        house.doors.gates["store"] = asyncio.Event()
        house.perform()
        await house.intake.command_door("store", "lock", "desk", "")
        await until(lambda: house.doors.asked)
        await house.clock.advance(11)
        await house.settled()
        assert house.requests[-1][1]["detail"] == "no answer within 8 s"
        assert house.requests[-1][1]["state"] == "timed_out"


async def test_a_door_out_of_reach_is_tried_until_the_command_expires(tmp_path: Path) -> None:
    """A lock that comes back soon still gets the command; one that does not never gets it late."""

    def away() -> Outcome:
        raise NotReady("controller away")

    async with school(tmp_path) as house:
        house.doors.answers["store"] = away
        house.perform()
        key = await house.intake.command_door("store", "lock", "desk", "")
        await house.pass_time(70)
        await house.settled()
        assert 4 <= len(house.doors.asked) <= 15
        assert {asked[2] for asked in house.doors.asked} == {key}
        assert house.requests[-1][1]["state"] == "timed_out"
        assert "controller away" in house.requests[-1][1]["detail"]


async def test_law_6_a_stale_command_is_never_replayed(tmp_path: Path) -> None:
    """A command that waited while the hub was down past its expiry is not sent, and says so."""
    async with school(tmp_path) as house:
        await house.intake.command_door("store", "lock", "desk", "")
        clock = house.clock
    await clock.advance(61)
    async with school(tmp_path, clock) as house:
        house.perform()
        await house.settled()
        assert house.doors.asked == []
        request = (await house.intake.requests())["store"]
        assert (request["state"], request["detail"]) == (
            "timed_out", "expired before it could be sent",
        )  # fmt: skip


async def test_law_6_what_was_pending_is_done_after_a_restart(tmp_path: Path) -> None:
    """Stopped between decision and act, the next run carries the intention out."""
    async with school(tmp_path) as house:
        key = await house.intake.command_door("store", "lock", "desk", "")
        alert = await raised(house)
        clock = house.clock
    async with school(tmp_path, clock) as house:
        house.perform()
        await house.settled()
        assert house.doors.asked == [("store", "lock", key)]
        assert len(house.channels["post"].sent) == 2
        assert (await house.intake.alerts(open_only=True))[0]["id"] == alert
        assert not any(notice.repeat for notice in house.channels["post"].sent)


async def test_law_6_an_attempt_cut_short_is_repeated_under_its_key(tmp_path: Path) -> None:
    """A hub that ends while a lock is being asked asks again, with the key of the first time."""
    async with school(tmp_path) as house:
        house.doors.gates["store"] = asyncio.Event()
        house.perform()
        key = await house.intake.command_door("store", "lock", "desk", "")
        await until(lambda: house.doors.asked)
        await house.stop()
        clock = house.clock
    async with school(tmp_path, clock) as house:
        house.perform()
        await house.settled()
        assert house.doors.asked == [("store", "lock", key)]
        assert (await house.intake.requests())["store"]["state"] == "confirmed"


async def test_law_6_momentary_is_at_most_once(tmp_path: Path) -> None:
    """A release that was under way when the hub ended is not repeated: it timed out and says so."""
    async with school(tmp_path) as house:
        house.doors.gates["store"] = asyncio.Event()
        house.perform()
        await house.intake.command_door("store", "momentary", "desk", "visitor")
        await until(lambda: house.doors.asked)
        await house.stop()
        clock = house.clock
    async with school(tmp_path, clock) as house:
        house.perform()
        await house.settled()
        assert house.doors.asked == []
        request = (await house.intake.requests())["store"]
        assert request["state"] == "timed_out"
        assert "never repeated" in request["detail"]


async def test_law_6_a_momentary_that_failed_on_the_way_is_not_repeated(tmp_path: Path) -> None:
    """Whatever went wrong, a second release is never sent."""

    def away() -> Outcome:
        raise NotReady("controller away")

    async with school(tmp_path) as house:
        house.doors.answers["store"] = away
        house.perform()
        await house.intake.command_door("store", "momentary", "desk", "visitor")
        await house.settled()
        await house.clock.advance(60)
        assert len(house.doors.asked) == 1
        assert house.requests[-1][1]["state"] == "failed"


def test_law_6_killed_between_start_and_outcome_the_key_is_the_same(tmp_path: Path) -> None:
    """Killed by the operating system in the middle of sending, the next run sends the same notice
    under the same key, marked as a possible repeat.
    """
    environment = {**os.environ, "PYTHONPATH": f"{CHILD.parents[3]}:{CHILD.parent}"}
    runs = []
    for mode in ("die", "live"):
        done = subprocess.run(
            [sys.executable, str(CHILD), str(tmp_path), mode],
            capture_output=True, text=True, env=environment, check=False, timeout=30,
        )  # fmt: skip
        runs.append((done.returncode, done.stdout.split(), done.stderr))
    (died, first, _), (lived, second, errors) = runs
    assert died == -signal.SIGKILL
    assert lived == 0, errors
    assert first == [first[0], "False"]
    assert second == [first[0], "True"]


async def test_the_outcome_waits_for_the_journal(tmp_path: Path) -> None:
    """When the disk is full as a door answers, the outcome is written later and the door is not
    asked a second time.
    """

    def pages(more: int):
        def work(connection):
            used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={used + more}").scalar_one()

        return work

    async with school(tmp_path) as house:
        gate = house.doors.gates["store"] = asyncio.Event()
        house.perform()
        await house.intake.command_door("store", "lock", "desk", "")
        await until(lambda: house.doors.asked)
        await house.journal.write(pages(0))
        with suppress(StateError):
            for _ in range(200):
                await house.intake.accept(house.door_event("door.opened", "wing_east"))
        with pytest.raises(StateError, match="full"):
            await house.intake.accept(house.door_event("door.opened", "wing_east"))
        gate.set()
        await asyncio.sleep(0.1)
        await house.journal.write(pages(1000))
        await house.clock.advance(2)
        await house.settled()
        assert len(house.doors.asked) == 1
        assert house.requests[-1][1]["state"] == "confirmed"


async def test_a_command_to_an_unknown_door_is_refused(tmp_path: Path) -> None:
    """Nothing is written for a door that does not exist."""
    async with school(tmp_path) as house:
        with pytest.raises(KeyError):
            await house.intake.command_door("nowhere", "lock", "desk", "")
        with pytest.raises(Refused, match="Old gate takes no lock"):
            await house.intake.command_door("old_gate", "lock", "desk", "")
        assert (await house.intake.counts())["actions"]["pending"] == 0


@pytest.mark.parametrize("broken", ["refused", "accepted", "away"])
async def test_words_that_cannot_be_written_hold_up_no_lane(tmp_path: Path, broken: str) -> None:
    """Half a character in what a provider answers is replaced, and the notice ends."""
    answers = 0

    def answer(notice: Notice) -> Receipt:
        nonlocal answers
        answers += 1
        if broken == "refused":
            raise CommandFailed("no \ud800")
        if broken == "away" and answers == 1:
            raise NotReady("no \ud800")
        return Receipt("accepted", "id-\ud800", "ok \ud800")

    async with school(tmp_path) as house:
        house.channels["console"].answer = answer
        house.perform()
        await house.intake.accept(house.door_event("door.forced", "store"))
        await house.pass_time(3)
        (ended,) = await house.actions()
        wanted = ("failed", "no ?") if broken == "refused" else ("confirmed", "ok ?")
        assert (ended["state"], ended["detail"]) == wanted


@pytest.mark.parametrize("after", [float("nan"), float("inf"), -1e300])
async def test_an_impossible_wait_holds_up_no_lane(tmp_path: Path, after: float) -> None:
    """Whatever a provider says of when to come again, the notice is tried again in the end."""
    answers = [lambda: NotReady("busy", after=after)]

    def answer(notice: Notice) -> Receipt:
        if answers:
            raise answers.pop()()
        return Receipt("accepted")

    async with school(tmp_path) as house:
        house.channels["console"].answer = answer
        house.perform()
        await house.intake.accept(house.door_event("door.forced", "store"))
        await house.pass_time(3)
        if after == float("inf"):
            assert len(house.channels["console"].sent) == 1
            await house.clock.advance(900)
        await house.settled()
        assert len(house.channels["console"].sent) == 2


async def test_an_outcome_that_cannot_be_written_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the hub's own while an outcome is written leaves no notice under way for ever."""
    known = Decider.settle

    def settle(self: Decider, action: int, state: Any, *more: Any) -> None:
        if state == "confirmed":
            raise ValueError("something that nobody thought of")
        known(self, action, state, *more)

    monkeypatch.setattr(Decider, "settle", settle)
    async with school(tmp_path) as house:
        house.perform()
        await house.intake.accept(house.door_event("door.forced", "store"))

        async def ended() -> bool:
            await house.clock.advance(1)
            return (await house.actions())[0]["state"] == "failed"

        await until(ended)
        (action,) = await house.actions()
        assert action["detail"] == "how it ended could not be written down"
        assert len(house.channels["console"].sent) == 1
