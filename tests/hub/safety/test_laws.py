"""The safety room's share of the laws of docs/design: each by its name."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safety_school import EVENING, SCHOOL, School, school, until
from sqlalchemy import Connection, select

from hub.campus import Campus
from hub.config import Config
from hub.errors import NotReady, Refused
from hub.events import EVENT_TYPES, Event
from hub.kinds.access_control import LOCK_VERBS, VERBS
from hub.kinds.notifiers import SEVERITIES, Notice, Receipt
from hub.safety.alerts.plan import may_take
from hub.safety.decide import Charter, Decider
from hub.storage.journal import open_engine
from hub.storage.schema import actions

# ------------------------------------------------------- 1. Egress is never ours


async def test_law_1_no_lock_verb_without_attested_egress(tmp_path: Path) -> None:
    """A door without `egress: free` takes no lock verb, from a person or from a rule; the plan says
    so beforehand, the incident afterwards, and the door is never asked.
    """
    rule = {
        "name": "R",
        "when": "door.forced",
        "alert": {"severity": "high", "through": ["console"]},
        "verified": [{"door": {"verb": "lock", "doors": ["old_gate", "store"]}}],
    }
    async with school(tmp_path, rules={"r": rule}) as house:
        house.perform()
        for verb in LOCK_VERBS:
            with pytest.raises(Refused, match="egress"):
                await house.intake.command_door("old_gate", verb, "desk", "")
        await house.intake.accept(house.door_event("door.forced", "old_gate"))
        (alert,) = await house.intake.alerts()
        assert alert["will"] == [
            "Cannot lock Old gate: free egress is not attested", "Locks Chemistry store",
        ]  # fmt: skip
        await house.intake.verdict(alert["id"], "verified", "officer")
        await house.settled()
        assert [asked[0] for asked in house.doors.asked] == ["store"]
        assert any(line.startswith("Old gate: NOT secured: ") for line in await house.story())


def test_law_1_other_verbs_need_no_attestation() -> None:
    """Opening a door never waits for a word about its egress."""
    config = Config.model_validate(SCHOOL)
    assert [verb for verb in VERBS if may_take(config, "old_gate", verb)] == [
        verb for verb in VERBS if verb not in LOCK_VERBS
    ]


# --------------------------------------- 2. Detectors propose, people decide


places = st.sampled_from(list(SCHOOL["places"]))
doors = st.sampled_from(list(SCHOOL["doors"]))
channels = st.lists(st.sampled_from(list(SCHOOL["notifiers"])), max_size=4)
conditions = st.fixed_dictionaries(
    {},
    optional={
        "place": places,
        "label": st.sampled_from(["person", "car"]),
        "min_score": st.floats(0, 1),
        "outside": st.just("wing_open"),
    },
)
some_doors = st.fixed_dictionaries(
    {"verb": st.sampled_from(VERBS), "doors": st.lists(doors, min_size=1, max_size=3)}
)
steps = st.one_of(
    st.fixed_dictionaries({"door": some_doors}),
    st.fixed_dictionaries(
        {"door": st.fixed_dictionaries({"verb": st.sampled_from(VERBS), "place": places})}
    ),
    st.fixed_dictionaries({"notify": st.just({"through": ["siren"]})}),
)
types = st.sampled_from(["zone.entered", "door.forced", *sorted(EVENT_TYPES)])
rules = st.fixed_dictionaries(
    {
        "name": st.just("R"),
        "when": types,
        "if": conditions,
        "alert": st.fixed_dictionaries(
            {
                "severity": st.sampled_from(SEVERITIES),
                "through": channels,
                "tell": st.lists(st.sampled_from(["sro", "head", "nobody"]), max_size=2),
            }
        ),
        "verified": st.lists(steps, max_size=3),
    }
)
happenings = st.lists(
    st.builds(
        lambda kind, place, door, label, score: Event(
            kind,
            "camera/wing",
            EVENING,
            door,
            {"place": place, "door": door, "label": label, "score": score},
        ),
        types,
        places,
        doors,
        st.sampled_from(["person", "car"]),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """A journal of which every example takes back what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(Path(folder) / "journal.db")
        with engine.connect() as connection:
            yield connection
        engine.dispose()


@settings(max_examples=80, deadline=None)
@given(book=st.lists(rules, min_size=1, max_size=8), seen=happenings)
def test_law_2_detectors_propose_people_decide(
    connection: Connection, book: list[dict[str, Any]], seen: list[Event]
) -> None:
    """Whatever the rules say, events alone write no door command and no notice on a public channel;
    at most reviewers are told.
    """
    config = Config.model_validate(SCHOOL | {"rules": {f"r{n}": r for n, r in enumerate(book)}})
    house = Charter.of(config, Campus(config.places), lambda name: name == "siren")
    decider = Decider(connection, house, EVENING)
    for event in seen:
        decider.accept(event)
    written = list(connection.execute(select(actions)))
    connection.rollback()
    assert {row.kind for row in written} <= {"notice"}
    assert "siren" not in {row.target for row in written}
    assert {json.loads(row.payload)["basis"] for row in written} <= {"detector"}


async def test_law_2_a_public_channel_stays_silent_even_if_asked(tmp_path: Path) -> None:
    """Should a notice on a detector's word reach a public channel all the same, it is not sent."""
    rule = {
        "name": "R", "when": "door.forced",
        "alert": {"severity": "severe", "through": ["console"]},
    }  # fmt: skip
    async with school(tmp_path, rules={"r": rule}) as house:
        house.channels["console"] = house.channels["siren"]
        house.perform()
        await house.intake.accept(house.door_event("door.forced", "store"))
        await house.settled()
        assert house.channels["siren"].sent == []
        assert (await house.actions())[0]["state"] == "failed"


# ------------------------------------------------- 4. One verdict, everywhere


async def told(house: School) -> str:
    """An alert that everyone has been told of."""
    await house.intake.accept(house.seen())
    await house.settled()
    return (await house.intake.alerts())[0]["id"]


def heard(house: School, about: str) -> set[tuple[str, tuple[str, ...]]]:
    """Which channel gave which people a notice about something."""
    return {
        (name, tuple(one.person for one in notice.to))
        for name, channel in house.channels.items()
        for notice in channel.sent
        if notice.about == about and name != "siren"
    }


@pytest.mark.parametrize(
    ("verdict", "title"),
    [("verified", "Verified: "), ("dismissed", "False alarm: "), ("unsure", "Not sure: ")],
)
async def test_law_4_one_verdict_everywhere(tmp_path: Path, verdict: Any, title: str) -> None:
    """A verdict goes to every channel of everyone who was told, by name, in plain words."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await told(house)
        assert heard(house, "alert") == {
            ("console", ("officer", "desk")), ("post", ("officer",)), ("post", ("desk",)),
        }  # fmt: skip
        await house.intake.verdict(alert, verdict, "officer", "I am there")
        await house.settled()
        assert heard(house, "verdict") == heard(house, "alert")
        notices = [n for n in house.channels["post"].sent if n.about == "verdict"]
        assert {n.title for n in notices} == {f"{title}Person in the closed science wing"}
        assert all("School resource officer" in n.text and "I am there" in n.text for n in notices)
        assert all(n.data["verdict"] == verdict for n in notices)


async def test_law_4_a_verdict_reaches_a_channel_that_was_slow_to_take_the_alert(
    tmp_path: Path,
) -> None:
    """Who is just being told hears the alert first and the verdict after it, never the reverse."""
    async with school(tmp_path) as house:
        post = house.channels["post"]
        post.gate = asyncio.Event()
        house.perform()
        await house.intake.accept(house.seen())
        await until(lambda: len(post.sent) == 2)
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "dismissed", "officer")
        await until(lambda: len(house.channels["console"].sent) == 2)
        post.gate.set()
        await house.settled()
        assert [n.about for n in post.sent] == ["alert", "alert", "verdict", "verdict"]


async def test_law_4_a_verdict_stops_what_was_still_to_be_sent(tmp_path: Path) -> None:
    """A notice that waits for another attempt is called off, and who may have got it is told."""

    def away(notice: Notice) -> Receipt:
        if notice.about == "alert":
            raise NotReady("no network")
        return Receipt("accepted")

    async with school(tmp_path) as house:
        house.channels["post"].answer = away
        house.perform()
        await house.intake.accept(house.seen())
        await until(lambda: len(house.channels["post"].sent) == 2)
        await until(lambda: house.performer.queue()["running"] == 0)
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "dismissed", "officer")
        await house.settled()
        await house.clock.advance(600)
        await house.settled()
        assert [n.about for n in house.channels["post"].sent].count("alert") == 2
        assert heard(house, "verdict") == heard(house, "alert")
        assert "Front office: no longer told through Post: the alert was dismissed" in (
            await house.story()
        )


async def test_law_4_who_was_never_told_is_not_told_of_a_false_alarm(tmp_path: Path) -> None:
    """Dismissed before anything was sent, nothing is sent; verified, everybody learns of it."""
    for verdict, wanted in (("dismissed", set()), ("verified", {"console", "post"})):
        folder = tmp_path / verdict
        folder.mkdir()
        async with school(folder) as house:
            await house.intake.accept(house.seen())
            (alert,) = await house.intake.alerts()
            await house.intake.verdict(alert["id"], verdict, "officer")
            house.perform()
            await house.settled()
            assert heard(house, "alert") == set()
            assert {name for name, _ in heard(house, "verdict")} == wanted


async def test_law_4_the_same_verdict_twice_is_told_once(tmp_path: Path) -> None:
    """A second press of the same button sends nothing and locks nothing again."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await told(house)
        await house.intake.verdict(alert, "verified", "officer")
        await house.settled()
        before = await house.intake.counts()
        await house.intake.verdict(alert, "verified", "desk")
        assert await house.intake.counts() == before


async def test_law_4_the_verdict_survives_a_restart(tmp_path: Path) -> None:
    """Stopped right after the verdict, the next run still hands it to everyone."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await told(house)
        await house.stop()
        await house.intake.verdict(alert, "dismissed", "officer")
        clock = house.clock
    async with school(tmp_path, clock) as house:
        house.perform()
        await house.settled()
        assert {name for name, _ in heard(house, "verdict")} == {"console", "post"}


# --------------------------------------------------- 6. Journal before act


async def test_law_6_nothing_acts_before_the_journal_has_it(tmp_path: Path) -> None:
    """When a channel is called, the event, the alert and the attempt are already on the disk."""
    async with school(tmp_path) as house:
        found: list[tuple[int, int, str]] = []

        def look(notice: Notice) -> Receipt:
            engine = open_engine(house.journal.path)
            with engine.begin() as connection:
                row = connection.execute(select(actions).where(actions.c.key == notice.key)).one()
                count = connection.exec_driver_sql("select count(*) from events").scalar_one()
                found.append((count, row.attempts, row.state))
            engine.dispose()
            return Receipt("accepted")

        house.channels["console"].answer = look
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        ((count, attempts, state),) = found
        assert count >= 3
        assert (attempts, state) == (1, "pending")


# ------------------------------------------------------------ 7. A drill is a drill


async def test_law_7_a_drill_is_a_drill(tmp_path: Path) -> None:
    """Verifying what was played moves no door, also not one that a real command is on its way to,
    and sounds nothing that everybody hears; the story says what was left undone. The same for real
    beside it does both.
    """
    async with school(tmp_path) as house:
        house.doors.gates["wing_east"] = asyncio.Event()
        house.perform()
        await house.intake.command_door("wing_east", "lock", "desk", "after school")
        await house.intake.accept(house.seen("wing", data={"drill": True}))
        (played,) = await house.intake.alerts()
        await house.intake.verdict(played["id"], "verified", "officer")
        house.doors.gates["wing_east"].set()
        await house.settled()
        assert [asked[:2] for asked in house.doors.asked] == [("wing_east", "lock")]
        assert not house.channels["siren"].sent
        assert all(notice.drill for notice in house.channels["console"].sent)
        view = await house.intake.incident(played["incident"])
        undone = {one["detail"] for one in view["actions"] if one["state"] == "cancelled"}
        assert undone >= {"a drill: no door moves", "a drill: nothing is announced"}
        await house.intake.accept(house.seen("wing"))
        real = next(one for one in await house.intake.alerts() if one["id"] != played["id"])
        await house.intake.verdict(real["id"], "verified", "officer")
        await house.settled()
        assert len(house.doors.asked) > 1
        assert house.channels["siren"].sent
