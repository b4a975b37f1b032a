"""What follows while nobody answers: the ladder that was fixed, step by step, and what ends it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, SCHOOL, School, school, until
from sqlalchemy import Connection, select

from hub.campus import Campus
from hub.clock import from_iso
from hub.config import Config
from hub.errors import Refused
from hub.kinds.notifiers import Notice
from hub.safety.alerts.escalator import Escalator
from hub.safety.alerts.ladders import Ladders
from hub.safety.alerts.steps import of_alerts
from hub.safety.incidents.desk import CaseDesk
from hub.safety.words import Words
from hub.storage.schema import events
from hub.testing import FakeClock
from hub.views import Verdict

LADDERS: dict[str, Any] = {
    "wing": {
        "name": "Science wing", "severity": "high", "place": "wing", "outside": "wing_open",
        "steps": [
            {"tell": ["sro"], "through": ["post"], "wait": "2m"},
            {"tell": ["on_call"], "through": ["console", "post"], "wait": "3m"},
            {"tell": ["principal", "front_office"], "through": ["console"], "wait": "5m"},
        ],
    },
    "other": {"severity": ["high"], "steps": [{"through": ["console"], "wait": "1m"}], "repeat": 2},
}  # fmt: skip
ROTATIONS = {"on_call": {"people": ["desk", "head"], "every": "day", "from": "2026-03-02"}}


class Climb:
    """A school whose ladders are climbed as time passes."""

    def __init__(self, house: School) -> None:
        self.house = house
        self.escalator = Escalator(house.intake)

    async def pass_time(self, seconds: float, step: float = 10.0) -> None:
        """Let time pass, a few seconds at a time, all that is due being done."""
        while seconds > 0:
            await self.house.clock.advance(min(step, seconds))
            seconds -= step
            await self.escalator.climb()
            await self.house.settled()

    def sent(self, about: str = "alert") -> list[tuple[str, str, int]]:
        """Channel, people and step of every notice, channel by channel."""
        return [
            (name, "+".join(one.person for one in notice.to), notice.data.get("step", 0))
            for name, channel in self.house.channels.items()
            for notice in channel.sent
            if notice.about == about
        ]

    def steps(self) -> set[tuple[str, str, int]]:
        """The notices that steps of a ladder sent."""
        return {each for each in self.sent() if each[2]}


def settings(**changes: Any) -> dict[str, Any]:
    """Sections that differ from the usual school."""
    return {"ladders": LADDERS, "rotations": ROTATIONS, **changes}


async def raised(house: School, place: str = "wing") -> str:
    """An alert of somebody in the closed wing."""
    await house.intake.accept(house.seen(place))
    return (await house.intake.alerts())[0]["id"]


def kinds(connection: Connection) -> list[str]:
    """The types of all journaled events, in order."""
    return list(connection.scalars(select(events.c.type).order_by(events.c.seq)))


async def test_the_steps_come_one_after_the_other(tmp_path: Path) -> None:
    """Each step tells its people at its time, and says which step it is."""
    async with school(tmp_path, **settings()) as house:
        house.perform()
        climb = Climb(house)
        await raised(house)
        await house.settled()
        assert climb.steps() == set()  # the rule has just told the officer through that channel
        await climb.pass_time(110)
        assert climb.steps() == set()
        await climb.pass_time(20)
        assert climb.steps() == {("console", "desk", 2), ("post", "desk", 2)}
        await climb.pass_time(180)
        assert ("console", "head", 3) not in climb.steps()
        assert ("console", "head+desk", 3) in climb.steps()
        text = house.channels["console"].sent[-1].text
        assert text.startswith("Nobody has taken this on yet: step 3 of 3.")
        assert "Nobody has verified this yet." in text
        await climb.pass_time(900, step=60)
        assert len(climb.steps()) == 3


async def test_the_ladder_is_fixed_when_the_alert_is_raised(tmp_path: Path) -> None:
    """People read what follows before it does, and a changed configuration changes nothing."""
    async with school(tmp_path, **settings()) as house:
        house.perform()
        climb = Climb(house)
        alert = await raised(house)
        ladder = (await house.intake.alert(alert))["ladder"]
        assert ladder is not None
        assert ladder["name"] == "Science wing"
        assert [each["due"][11:16] for each in ladder["steps"]] == ["20:15", "20:17", "20:20"]
        assert ladder["steps"][1]["who"] == "Front office through Console, Post"
        assert [each["state"] for each in ladder["steps"]] == ["told", "waiting", "waiting"]
        other = Config.model_validate(SCHOOL | settings(ladders={}, rotations={}))
        house.intake.reconfigure(other, Campus(other.places))
        await climb.pass_time(310)
        assert {step for _, _, step in climb.steps()} == {2, 3}
        after = (await house.intake.alert(alert))["ladder"]
        assert after is not None
        assert [each["state"] for each in after["steps"]] == ["told"] * 3


def test_the_first_ladder_that_fits_is_taken() -> None:
    """Severity, building and time choose, in the order of the file."""
    config = Config.model_validate(SCHOOL | settings())
    campus = Campus(config.places)
    ladders = Ladders(config, campus, Words(config, campus), lambda name: name == "siren")

    def chosen(severity: Any, place: str, hour: int) -> str | None:
        ladder = ladders.fix(severity, place, EVENING.replace(hour=hour))
        return None if ladder is None else ladder.id

    assert chosen("high", "lab", 20) == "wing"
    assert chosen("high", "lab", 10) == "other"  # the wing is open
    assert chosen("high", "yard", 20) == "other"
    assert chosen("high", "", 20) == "other"
    assert chosen("check", "lab", 20) is None


def test_a_ladder_repeats_and_leads_to_the_next() -> None:
    """Repeats begin again after the last wait; a ring of ladders ends."""
    ladders = {
        "first": {
            "severity": "high", "repeat": 1, "next": "second",
            "steps": [{"through": ["console"], "wait": "1m"}, {"through": ["post"], "wait": "2m"}],
        },
        "second": {
            "severity": "note", "next": "first", "steps": [{"through": ["off", "siren", "post"]}],
        },
    }  # fmt: skip
    config = Config.model_validate(SCHOOL | {"ladders": ladders})
    campus = Campus(config.places)
    book = Ladders(config, campus, Words(config, campus), lambda name: name == "siren")
    fixed = book.fix("high", "wing", EVENING)
    assert fixed is not None
    offsets = [(each.due - EVENING).total_seconds() for each in fixed.steps]
    assert offsets == [0, 60, 180, 240, 360]
    assert [list(each.groups) for each in fixed.steps] == [
        ["console"], ["post"], ["console"], ["post"], ["post"],
    ]  # fmt: skip


async def test_taking_it_on_ends_the_ladder_and_tells_everyone_told(tmp_path: Path) -> None:
    """After an acknowledgement no step comes, and all who were told hear who has it."""
    async with school(tmp_path, **settings()) as house:
        house.perform()
        climb = Climb(house)
        alert = await raised(house)
        await climb.pass_time(130)
        view = await house.intake.acknowledge(alert, "officer")
        assert view["acknowledged"] is not None
        assert view["acknowledged"]["by"] == "officer"
        assert view["state"] == "raised"
        await climb.pass_time(900, step=60)
        assert {step for _, _, step in climb.steps()} == {2}
        told = {each[:2] for each in climb.sent()}
        assert {each[:2] for each in climb.sent("acknowledgement")} == told
        assert told
        again = await house.intake.acknowledge(alert, "officer")
        assert again["acknowledged"] == view["acknowledged"]
        assert (await house.journal.read(kinds)).count("alert.acknowledged") == 1
        rows = (await house.journal.read(lambda c: of_alerts(c, [alert])))[alert]
        assert [row.state for row in rows] == ["told", "told", "called_off"]


async def test_dismissing_ends_the_ladder(tmp_path: Path) -> None:
    """A false alarm calls nobody else; verifying goes on until somebody takes it on."""
    async with school(tmp_path, **settings()) as house:
        house.perform()
        climb = Climb(house)
        alert = await raised(house)
        await house.intake.verdict(alert, "verified", "desk")
        await climb.pass_time(130)
        assert {step for _, _, step in climb.steps()} == {2}
        assert "A person verified this." in house.channels["console"].sent[-1].text
        other = await raised(house, "lab")
        await house.intake.verdict(other, "dismissed", "desk")
        rows = (await house.journal.read(lambda c: of_alerts(c, [other])))[other]
        assert {row.state for row in rows[1:]} == {"called_off"}
        assert not any(
            notice.alert == other and notice.data.get("step")
            for channel in house.channels.values()
            for notice in channel.sent
        )


async def test_what_was_waiting_to_be_sent_is_called_off(tmp_path: Path) -> None:
    """A notice that a channel did not take yet is not sent after somebody has it."""
    async with school(tmp_path, **settings()) as house:
        alert = await raised(house)
        await house.intake.acknowledge(alert, "officer")
        house.perform()
        await house.settled()
        assert all(not channel.sent for channel in house.channels.values())


async def test_a_restart_goes_on_at_its_step(tmp_path: Path) -> None:
    """A hub that was away for a moment takes the steps it missed as one, then goes on."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, **settings()) as house:
        house.perform()
        await raised(house)
        await house.settled()
    await clock.advance(310)  # both remaining steps have come due
    async with school(tmp_path, clock, **settings()) as house:
        house.perform()
        climb = Climb(house)
        await climb.pass_time(10)
        assert climb.steps() == {
            ("console", "desk", 3), ("post", "desk", 3), ("console", "head", 3),
        }  # fmt: skip
        await climb.pass_time(600, step=60)
        assert len(climb.steps()) == 3


async def test_what_is_long_overdue_comes_as_a_digest(tmp_path: Path) -> None:
    """After hours away each person gets one notice for all the alerts, never a storm."""
    clock = FakeClock(EVENING)
    async with school(tmp_path, clock, **settings()) as house:
        house.perform()
        for place in ("wing", "lab"):
            await house.intake.accept(house.seen(place))
        await house.settled()
        before = len(house.channels["post"].sent)
        assert before
    await clock.advance(7200)
    async with school(tmp_path, clock, **settings()) as house:
        climb = Climb(house)
        await climb.escalator.climb()
        house.perform()
        await house.settled()
        sent = [notice for channel in house.channels.values() for notice in channel.sent]
        assert sent
        told = [
            (name, one.person)
            for name, channel in house.channels.items()
            for notice in channel.sent
            for one in notice.to
        ]
        assert sorted(told) == [("console", "desk"), ("console", "head"), ("post", "desk")]
        assert all(notice.data["digest"] == 2 for notice in sent)


async def test_a_clock_that_is_set_takes_no_step_early(tmp_path: Path) -> None:
    """Set forward by an hour, the clock brings no step before its time, nor loses one."""
    async with school(tmp_path, **settings()) as house:
        house.perform()
        climb = Climb(house)
        await raised(house)
        await house.settled()
        house.clock.set(house.clock.now().replace(hour=21))
        await climb.escalator.climb()
        await until(lambda: _has(house, "clock.moved"))
        await climb.pass_time(60)
        assert climb.steps() == set()
        await climb.pass_time(70)
        assert {step for _, _, step in climb.steps()} == {2}


async def _has(house: School, kind: str) -> bool:
    return kind in await house.journal.read(kinds)


async def test_a_life_is_told_and_refused_in_words(tmp_path: Path) -> None:
    """Each step of an alert's life happens once, and what makes no sense says why."""
    async with school(tmp_path, **settings()) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        with pytest.raises(Refused, match="nobody has said yet whether this is real"):
            await house.intake.resolve(alert, "officer")
        await house.intake.acknowledge(alert, "officer")
        with pytest.raises(Refused, match=r"School resource officer already took this alert on"):
            await house.intake.acknowledge(alert, "head")
        await house.intake.verdict(alert, "verified", "officer")
        await house.settled()
        view = await house.intake.resolve(alert, "officer", "he has left")
        assert view["resolved"] is not None
        assert view["resolved"]["note"] == "he has left"
        assert (await house.intake.resolve(alert, "officer"))["resolved"] == view["resolved"]
        with pytest.raises(Refused, match="resolved this alert at 20:15"):
            await house.intake.resolve(alert, "head")
        with pytest.raises(Refused, match="nothing left to take on"):
            await house.intake.acknowledge(alert, "head")
        await house.settled()
        over = [notice for notice in house.channels["post"].sent if notice.data.get("resolved")]
        said = [(notice.to[0].person, notice.about, notice.data["verdict"]) for notice in over]
        assert said == [("officer", "verdict", "resolved"), ("desk", "verdict", "resolved")]
        story = await house.story()
        assert "School resource officer has taken the alert on" in story
        assert "School resource officer says that this is over: he has left" in story
        false = await raised(house, "yard") if await _forced(house) else ""
        await house.intake.verdict(false, "dismissed", "head")
        for act in (house.intake.acknowledge, house.intake.resolve):
            with pytest.raises(Refused, match="Principal dismissed this alert at"):
                await act(false, "officer")
        with pytest.raises(KeyError):
            await house.intake.acknowledge("nothing", "officer")


async def _forced(house: School) -> bool:
    await house.intake.accept(house.door_event("door.forced", "store"))
    return True


async def test_after_it_is_resolved_the_next_match_is_news(tmp_path: Path) -> None:
    """What was said to be over and is seen again is a new alert."""
    async with school(tmp_path) as house:
        alert = await raised(house)
        await house.intake.verdict(alert, "verified", "officer")
        await house.intake.resolve(alert, "officer")
        await house.intake.accept(house.seen())
        assert len(await house.intake.alerts(open_only=True)) == 1


async def test_no_public_channel_speaks_in_a_ladder(tmp_path: Path) -> None:
    """A siren in a ladder is left out, whatever the configuration says."""
    ladders = {
        "loud": {"severity": "high", "steps": [{"through": ["siren", "console"], "wait": "10s"}]}
    }
    async with school(tmp_path, ladders=ladders) as house:
        house.perform()
        await raised(house)
        await Climb(house).pass_time(30)
        assert house.channels["siren"].sent == []


async def test_whoever_answers_on_a_channel_too_late_does_no_harm(tmp_path: Path) -> None:
    """Two people press the button on their phones: the first has it, the second breaks nothing."""
    async with school(tmp_path, **settings()) as house:
        alert = await raised(house)
        await house.intake.decide(lambda d: d.acknowledge(alert, "officer", "post"))
        await house.intake.decide(lambda d: d.acknowledge(alert, "head", "post"))
        view = await house.intake.alert(alert)
        assert view["acknowledged"] is not None
        assert view["acknowledged"]["by"] == "officer"


async def test_a_verdict_waits_behind_no_other_alert(tmp_path: Path) -> None:
    """In a lane an answer goes before what waits of other alerts, never before a digest."""
    async with school(tmp_path) as house:
        house.perform()
        channel = house.channels["console"]
        channel.gate = asyncio.Event()
        alert = await raised(house)
        await until(lambda: len(channel.sent) >= 1)
        await house.intake.accept(house.seen("lab"))
        await house.intake.verdict(alert, "dismissed", "head")
        channel.gate.set()
        await house.settled()
        order = [(one.alert == alert, one.data.get("verdict", "")) for one in channel.sent]
        assert order == [(True, ""), (True, "dismissed"), (False, "")]


async def test_a_verdict_waits_behind_no_back_off(tmp_path: Path) -> None:
    """While a notice waits for its next attempt the verdict on it goes out at once."""
    async with school(tmp_path) as house:
        house.perform()
        failing = house.channels["post"]

        def down(notice: Notice) -> Any:
            if notice.about == "alert":
                raise OSError("the line is down")
            return original(notice)

        original, failing.answer = failing.answer, down
        alert = await raised(house)
        await until(lambda: len(failing.sent) >= 1 and not house.performer.queue()["running"])
        await house.intake.verdict(alert, "dismissed", "head")
        await until(lambda: any(one.about == "verdict" for one in failing.sent))


async def test_an_alert_since_the_clock_was_set_keeps_its_times(tmp_path: Path) -> None:
    """Steps of before wait for as long as they had left, and pages say when; those of an alert that
    was raised by the new clock are not moved along.
    """
    async with school(tmp_path, **settings()) as house:
        first = await raised(house)
        await house.clock.advance(60)
        house.clock.set(house.clock.now() + timedelta(hours=1))
        await raised(house, "lab")
        second = (await house.intake.alerts())[-1]["id"]
        assert second != first
        await house.clock.advance(1)
        ladders = [(await house.intake.alert(one))["ladder"] for one in (first, second)]
        dues = [[from_iso(each["due"]) for each in one["steps"]] for one in ladders if one]
        assert dues[0][1] == EVENING + timedelta(hours=1, minutes=2)
        assert dues[1][1] == EVENING + timedelta(hours=1, minutes=3)


async def test_what_somebody_took_on_long_ago_swallows_no_news(tmp_path: Path) -> None:
    """A match joins the alert while it goes on; long after, people are told anew."""
    async with school(tmp_path) as house:
        house.perform()
        first = await raised(house)
        await house.intake.acknowledge(first, "officer")
        for _ in range(3):
            await house.clock.advance(9 * 60)
            assert await raised(house) == first
        await house.settled()
        before = len(house.channels["post"].sent)
        await house.clock.advance(11 * 60)
        await house.intake.accept(house.seen())
        await house.settled()
        assert len(await house.intake.alerts()) == 2
        news = house.channels["post"].sent[before:]
        assert [notice.about for notice in news] == ["alert", "alert"]
        assert {notice.to[0].person for notice in news} == {"officer", "desk"}


@pytest.mark.parametrize("verdict", ["verified", "dismissed", "unsure"])
async def test_a_channel_that_everyone_hears_since_takes_no_step(
    tmp_path: Path, verdict: Verdict
) -> None:
    """A configuration that makes a channel public while a ladder waits: neither its steps nor the
    verdict go to everyone.
    """
    async with school(tmp_path, **settings()) as house:
        house.perform()
        climb = Climb(house)
        alert = await raised(house)
        await house.settled()
        console = house.channels["console"]
        before = len(console.sent)
        assert before
        console.channel = replace(console.channel, public=True)
        house.intake.public = lambda name: name in ("siren", "console")
        house.intake.reconfigure(house.config, Campus(house.config.places))
        await house.intake.verdict(alert, verdict, "desk")
        await climb.pass_time(700, step=60)
        assert console.sent[before:] == []


async def test_nobody_is_called_for_an_incident_that_is_closed(tmp_path: Path) -> None:
    """Closing it ends the ladders of its verified alerts, and opening it again begins none."""
    async with school(tmp_path, **settings()) as house:
        house.perform()
        climb, desk = Climb(house), CaseDesk(house.intake)
        alert = await raised(house)
        await house.intake.verdict(alert, "verified", "officer")
        incident = (await house.intake.alert(alert))["incident"]
        await desk.close(incident, "officer", why="all is well")
        await desk.reopen(incident, "officer")
        await climb.pass_time(900, step=60)
        assert climb.steps() == set()
        ladder = (await house.intake.alert(alert))["ladder"]
        assert ladder is not None
        assert {each["state"] for each in ladder["steps"][1:]} == {"called_off"}
