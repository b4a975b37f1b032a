"""The keeper: notices that a door is not as wanted, asks again, and says what it cannot do."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from door_school import DoorSchool, Locks, door_school
from safety_school import EVENING, SCHOOL

from hub.door_views import DoorIntentView
from hub.kinds.access_control import LOCK_VERBS
from hub.safety.doors.watchful import LONGEST_DELAY_S, TRIES, Seen, Watchful
from hub.testing import FakeClock

SECURED = Seen("locked", True)


def wanted(kind: Any = "protocol", verb: Any = "lock", **more: Any) -> DoorIntentView:
    """A wish that wins at a door."""
    facts: dict[str, Any] = {
        "id": "i", "verb": verb, "by": "desk", "owner_kind": kind, "owner": "o", "reason": "",
        "since": "", "expires": None, "differs": None, "given_up": None, "incident": "",
        "drill": False,
    }  # fmt: skip
    return DoorIntentView(**(facts | more))  # type: ignore[typeddict-item]


def looks(
    watched: Watchful, wish: DoorIntentView | None, seen: Seen, start: int, seconds: int
) -> list[tuple[int, str]]:
    """What is done in so many seconds, each look repeated until nothing is left to do."""
    done = []
    for second in range(start, start + seconds):
        while (step := watched.look(wish, seen, float(second))) is not None:
            done.append((second - start, step.act))
    return done


def test_a_door_as_it_is_wanted_needs_nothing() -> None:
    """Nothing is said or asked, however often one looks."""
    assert looks(Watchful(), wanted(), SECURED, 0, 100) == []
    assert looks(Watchful(), None, Seen("unlocked", True), 0, 100) == []


def test_a_protocol_asks_again_with_growing_pauses_and_never_gives_up() -> None:
    """The difference is told once; the pauses grow to half a minute and no further."""
    done = looks(Watchful(), wanted(), Seen("unlocked", True), 0, 600)
    assert done[:6] == [(2, "differs"), (2, "ask"), (3, "ask"), (5, "ask"), (9, "ask"), (17, "ask")]
    asked = [second for second, act in done if act == "ask"]
    assert {act for _, act in done[1:]} == {"ask"}
    assert {late - early for early, late in pairwise(asked[6:])} == {int(LONGEST_DELAY_S)}


def test_a_door_that_fell_out_of_its_lockdown_is_not_as_wanted() -> None:
    """Its bolt is out and badges enter: that is told and asked again; for a plain lock it is fine,
    and so is a device that cannot tell.
    """
    outside = Seen("locked", True, outside=True)
    done = looks(Watchful(), wanted(verb="lockdown"), outside, 0, 10)
    assert done[:2] == [(2, "differs"), (2, "ask")]
    assert looks(Watchful(), wanted(verb="lock"), outside, 0, 10) == []
    assert looks(Watchful(), wanted(verb="lockdown"), SECURED, 0, 10) == []


@pytest.mark.parametrize("kind", ["person", "rule", "schedule"])
def test_others_are_given_up_loudly(kind: str) -> None:
    """After some tries the hub says that it tries no more, and means it."""
    done = looks(Watchful(), wanted(kind), Seen("unlocked", True), 0, 600)
    acts = [act for _, act in done]
    assert acts == ["differs", *["ask"] * TRIES, "give_up"]


def test_a_door_that_comes_back_is_tried_once_more_after_giving_up() -> None:
    """What has changed since may work now; one that comes and goes is not asked each time."""
    watched = Watchful()
    looks(watched, wanted("person"), Seen("unlocked", True), 0, 600)
    acts: list[tuple[int, str]] = []
    for moment in range(600, 1200, 4):
        acts += looks(watched, wanted("person"), Seen("unknown", False), moment, 1)
        acts += looks(watched, wanted("person"), Seen("unlocked", True), moment + 1, 3)
    assert 10 <= sum(act == "ask" for _, act in acts) <= 60


def test_a_command_under_way_is_waited_for() -> None:
    """Nobody asks a door that is just answering."""
    watched = Watchful()
    assert looks(watched, wanted(), Seen("unlocked", True, busy=True), 0, 20) == []
    assert looks(watched, wanted(), SECURED, 20, 5) == []


def test_somebody_who_is_let_through_is_no_difference() -> None:
    """A credential unlocks a door for a moment; only a protocol does not wait for that."""
    through = Seen("unlocked", True, passing=True)
    assert looks(Watchful(), wanted("schedule"), through, 0, 60) == []
    assert looks(Watchful(), wanted("protocol"), through, 0, 60)[0] == (2, "differs")


def test_a_responder_who_was_let_in_meets_no_bolt() -> None:
    """A passage that a person asked for is left its time, also in a lockdown."""
    entering = Seen("unlocked", True, passing=True, let_in=True)
    watched = Watchful()
    assert looks(watched, wanted("protocol", "lockdown"), entering, 0, 15) == []
    over = Seen("unlocked", True)
    assert looks(watched, wanted("protocol", "lockdown"), over, 15, 3)[0] == (1, "differs")


@pytest.mark.parametrize("outside", [True, False])
def test_a_lockdown_that_a_passage_has_ended_is_asked_for_again(outside: bool) -> None:
    """The door has locked behind the responder; whether or not its device tells that it is in no
    lockdown, the hub asks for it, and where nothing is wanted (a fire alarm) it does not.
    """
    watched, wish = Watchful(), wanted("protocol", "lockdown")
    looks(watched, wish, Seen("unlocked", True, passing=True, let_in=True), 0, 5)
    over = Seen("locked", True, outside=outside, let_in=True, unconfirmed=True)
    assert (2, "ask") in looks(watched, wish, over, 5, 3)
    assert looks(watched, None, over, 8, 60) == []


def test_a_lockdown_that_ended_long_ago_hides_no_later_difference() -> None:
    """Right after its end a door is asked at once for what holds; once it has been so for a while,
    a hand on the key is told, and whoever is let through meets no bolt.
    """
    watched, wish = Watchful(), wanted("schedule")
    after = Seen("unlocked", True, released=True)
    assert looks(watched, wish, after, 0, 1) == [(0, "ask")]
    assert looks(watched, wish, Seen("locked", True, released=True), 1, 60) == []
    let_in = Seen("unlocked", True, released=True, passing=True)
    assert looks(watched, wish, let_in, 61, 5) == []
    assert looks(watched, wish, after, 66, 10) == [(7, "differs"), (7, "ask"), (9, "ask")]


def test_what_is_unknown_is_asked_for_again_too() -> None:
    """A door that says nothing is not as it is wanted."""
    for seen in (Seen("unknown", False, detail="no route"), Seen("moving", True)):
        done = looks(Watchful(), wanted(), seen, 0, 5)
        assert done[:2] == [(3, "differs"), (3, "ask")]


def test_a_locked_door_that_stands_open_is_told_in_a_protocol_and_not_asked() -> None:
    """No command closes a door; at other times people just pass."""
    ajar = Seen("locked", True, open=True)
    watched = Watchful()
    assert looks(watched, wanted(), ajar, 0, 60) == [(10, "differs")]
    assert watched.words == "it reports locked, but stands open"
    assert looks(watched, wanted(), SECURED, 60, 5) == [(0, "agrees")]
    assert watched.words == ""
    assert looks(Watchful(), wanted("schedule"), ajar, 0, 60) == []


def test_a_hand_on_the_key_time_and_again_is_not_fought_without_pause() -> None:
    """Who turns the key back at once meets the grown pauses; a minute of peace forgives."""
    watched, tries = Watchful(), []
    for moment in range(0, 60, 6):
        done = looks(watched, wanted("person"), Seen("unlocked", True), moment * 10, 9)
        tries += [act for _, act in done if act == "ask"]
        looks(watched, wanted("person"), SECURED, moment * 10 + 9, 2)
    assert len(tries) <= TRIES
    looks(watched, wanted("person"), SECURED, 1000, 120)
    done = looks(watched, wanted("person"), Seen("unlocked", True), 2000, 9)
    assert (8, "ask") in done


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    """The journal says since when a door differs."""
    known = wanted(differs="2026-03-02T20:15:00.000Z")
    assert [act for _, act in looks(Watchful(), known, Seen("unlocked", True), 0, 3)] == ["ask"]
    assert looks(Watchful(), known, SECURED, 0, 3) == [(0, "agrees")]


# ------------------------------------------------------------- with a journal


async def _ticks(house: DoorSchool, seconds: int) -> list[tuple[str, str]]:
    house.lock.asked.clear()
    await house.pass_time(seconds)
    return list(house.lock.asked)


async def test_a_hand_on_the_key_is_noticed_told_and_put_right(tmp_path: Path) -> None:
    """A door of a lockdown that somebody unlocks is locked again within three seconds, and its
    page and the journal say what was found.
    """
    async with door_school(tmp_path) as house:
        await house.want("store", "lock", "protocol", "Secure", by="head")
        house.lock.turned("store", "unlocked")
        assert await _ticks(house, 4) == [("store", "lock")]
        assert await house.types("door.differs", "door.agrees") == ["door.differs", "door.agrees"]
        (differs, agrees) = await house.told("door.differs", "door.agrees")
        said = [house.intake.words.sentence(event) for event in (differs, agrees)]
        assert said == [
            ("Chemistry store: is to be locked, and is not: it reports unlocked", "severe"),
            ("Chemistry store: is as it was to be locked", "ok"),
        ]
        retried = (await house.told("action.requested"))[-1]
        assert retried.data["again"] is True
        assert retried.data["by"] == "head"


async def test_a_jam_is_never_shown_as_locked_and_tried_for_as_long_as_it_is_wanted(
    tmp_path: Path,
) -> None:
    """Each attempt fails by name; the door's page says how it differs; once free it is locked."""
    async with door_school(tmp_path) as house:
        house.lock.locks["store"] = "unlocked"
        house.lock.jammed.add("store")
        await house.want("store", "lock", "protocol", "Secure")
        await house.pass_time(120)
        view = house.view("store")
        assert view["conclusion"] != "secured"
        assert view["differs"]
        assert f"door store is not as it is wanted: {view['differs']}" in house.doors.troubles()
        assert view["intent"] is not None
        assert view["intent"]["differs"] is not None
        assert "door.given_up" not in await house.types("door.")
        house.lock.jammed.clear()
        await house.pass_time(45)
        assert house.view("store")["differs"] == ""
        assert house.view("store")["reported"]["lock"] == "locked"


async def test_what_a_person_wanted_is_given_up_in_words(tmp_path: Path) -> None:
    """After six tries the door's page and the journal say so, and nothing more is asked."""
    async with door_school(tmp_path) as house:
        house.lock.locks["store"] = "unlocked"
        house.lock.jammed.add("store")
        await house.intake.command_door("store", "lock", "desk", "end of lesson")
        await house.pass_time(200)
        (given_up,) = await house.told("door.given_up")
        assert given_up.data["tries"] == TRIES
        assert "given up after 6 tries" in house.intake.words.sentence(given_up)[0]
        assert house.view("store")["intent"]["given_up"] is not None  # type: ignore[index]
        assert await _ticks(house, 120) == []


async def test_a_dead_controller_delays_no_other_door(tmp_path: Path) -> None:
    """While every door of one controller hangs, those of another are locked at once."""
    clock = FakeClock(EVENING)
    doors = {
        **SCHOOL["doors"], "gym": SCHOOL["doors"]["store"] | {"controller": "dead", "name": "Gym"},
    }  # fmt: skip
    locks = {"locks": Locks(clock, list(doors)), "dead": Locks(clock, list(doors))}
    locks["dead"].away.add("gym")
    locks["locks"].locks = dict.fromkeys(doors, "unlocked")
    control = {"locks": {"driver": "x"}, "dead": {"driver": "x"}}
    async with door_school(tmp_path, clock, locks, doors=doors, access_control=control) as house:
        for door in ("gym", "store", "wing_east"):
            await house.want(door, "lock", "protocol", "Secure")
        assert house.lock.asked == [("store", "lock"), ("wing_east", "lock")]
        await house.pass_time(30)
        assert house.view("gym")["conclusion"] == "unknown"
        locks["dead"].away.clear()
        locks["dead"].says("gym", lock="unlocked")
        await house.pass_time(8)
        assert locks["dead"].asked == [("gym", "lock")]


async def test_retries_write_no_line_into_the_incident(tmp_path: Path) -> None:
    """An incident tells of the first attempt, of the difference and of its end, not of each try;
    and of who used a credential at a door that is part of it.
    """
    rule = {
        "name": "R", "when": "door.forced",
        "alert": {"severity": "high", "through": ["console"]},
        "verified": [{"door": {"verb": "lock", "doors": ["store"]}}],
    }  # fmt: skip
    async with door_school(tmp_path, rules={"r": rule}) as house:
        house.lock.locks["store"] = "unlocked"
        house.lock.jammed.add("store")
        await house.happens("door.forced", "store", door="store")
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "verified", "officer")
        await house.pass_time(200)
        (incident,) = await house.intake.incidents()
        house.lock.used("store", "denied", "r-1")
        await house.settle()
        story = (await house.intake.incident(incident["id"]))["entries"]
        lines = [entry["text"] for entry in story]
        assert sum(line.startswith("Chemistry store: asked to lock") for line in lines) == 1
        assert sum("is to be locked, and is not" in line for line in lines) == 2
        assert sum("given up after" in line for line in lines) == 1
        assert lines[-1] == "Chemistry store: a credential was refused"
        intent = house.view("store")["intent"]
        assert intent is not None
        assert (intent["owner_kind"], intent["owner"], intent["by"]) == (
            "rule", alert["id"], "officer",
        )  # fmt: skip


async def test_no_secret_of_a_controller_stands_in_what_is_told(tmp_path: Path) -> None:
    """A driver's words about a door may hold its password, also cut off; the journal does not."""
    secret = "correct-horse-battery"
    async with door_school(tmp_path) as house:
        house.intake.secrets.add([secret])
        for number, words in enumerate((f"{secret}@lock is away", "x" * 490 + secret)):
            house.lock.away.add("store")
            house.lock.says("store", online=False, detail=words)
            await house.want("store", "lock", "protocol", f"run {number}")
            await house.pass_time(12)
            told = await house.told("door.differs")
            assert len(told) == number + 1
            assert "correct-h" not in str(told[-1].data)


def test_the_verbs_that_are_states_are_all_known_to_the_keeper() -> None:
    """Each is either a lock verb or one that opens."""
    for verb in (*LOCK_VERBS, "unlock", "hold_open"):
        right = Seen("locked" if verb in LOCK_VERBS else "unlocked", True)
        assert looks(Watchful(), wanted(verb=verb), right, 0, 30) == []
