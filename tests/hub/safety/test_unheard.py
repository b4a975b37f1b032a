"""What nobody has received is found, said, and tried through everything else."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from safety_school import SCHOOL, School, school, until
from sqlalchemy import Connection, select, update

from hub.errors import CommandFailed, NotReady
from hub.kinds.notifiers import Notice
from hub.safety.alerts.escalator import Escalator
from hub.storage.schema import alerts, events, ladder_steps

POST_ALONE = {
    "name": "Person in the closed science wing", "when": "zone.entered",
    "alert": {"severity": "high", "tell": ["sro"], "through": ["post"]},
}  # fmt: skip


def post_alone(**changes: Any) -> dict[str, Any]:
    """A school whose rule tells through the post alone."""
    return {"rules": {"wing": POST_ALONE}, **changes}


def refuse(notice: Notice) -> Any:
    """A channel that takes nothing."""
    raise CommandFailed("no such mailbox")


def unheard(connection: Connection) -> list[dict[str, Any]]:
    """What the events of unheard alerts say."""
    rows = connection.execute(select(events).where(events.c.type == "alert.unheard"))
    return [json.loads(row.data) for row in rows]


async def look(house: School, seconds: float) -> list[dict[str, Any]]:
    """Let time pass, look, and let everything be sent."""
    await house.clock.advance(seconds)
    await Escalator(house.intake).look()
    await house.settled()
    return await house.journal.read(unheard)


async def test_every_other_channel_is_tried_once(tmp_path: Path) -> None:
    """After a minute without a receipt the same people are told through what is left."""
    async with school(tmp_path, **post_alone()) as house:
        house.perform()
        house.channels["post"].answer = refuse
        await house.intake.accept(house.seen())
        await house.settled()
        assert await look(house, 50) == []
        (said,) = await look(house, 20)
        assert said["reason"] == "nothing arrived within a minute through Post"
        assert said["through"] == ["console"]
        (notice,) = house.channels["console"].sent
        assert [one.person for one in notice.to] == ["officer"]
        assert notice.text.startswith("Nobody has received this alert through Post.")
        assert house.channels["siren"].sent == []
        assert len(await look(house, 600)) == 1
        assert len(house.channels["console"].sent) == 1
        assert "Nobody has received the alert: nothing arrived" in (await house.story())[-2]


async def test_what_is_unheard_is_said_until_somebody_has_it(tmp_path: Path) -> None:
    """Health names the alert, in words; a receipt or an answer ends that."""
    async with school(tmp_path, **post_alone()) as house:
        house.perform()
        for name in ("post", "console"):
            house.channels[name].answer = refuse
        await house.intake.accept(house.seen())
        await house.settled()
        assert await Escalator(house.intake).unheard() == []
        await look(house, 70)
        words = "nobody has received the alert Person in the closed science wing (Science wing)"
        assert await Escalator(house.intake).unheard() == [f"{words}, 20:15"]
        (alert,) = await house.intake.alerts()
        assert alert["unheard"] == "2026-03-02T20:16:10.000Z"
        await house.intake.acknowledge(alert["id"], "desk")
        assert await Escalator(house.intake).unheard() == []
        assert (await house.intake.alert(alert["id"]))["unheard"] is None


async def test_a_late_receipt_ends_it(tmp_path: Path) -> None:
    """A channel that takes the notice after all makes the alert heard."""
    async with school(tmp_path, **post_alone()) as house:
        house.perform()
        post, console = house.channels["post"], house.channels["console"]
        original = post.answer
        post.answer = console.answer = lambda notice: (_ for _ in ()).throw(NotReady("down"))
        await house.intake.accept(house.seen())
        await house.clock.advance(70)
        await Escalator(house.intake).look()
        assert len(await Escalator(house.intake).unheard()) == 1
        post.answer = original
        for _ in range(130):
            await house.clock.advance(1)
        console.answer = original
        await house.pass_time(200)
        await house.settled()
        await Escalator(house.intake).look()
        assert await Escalator(house.intake).unheard() == []


async def test_what_was_received_is_left_alone(tmp_path: Path) -> None:
    """An alert that one person has is heard, and a mild one is never chased."""
    mild = POST_ALONE | {"alert": {"severity": "check", "through": ["post"]}}
    for number, rule in enumerate((POST_ALONE, mild)):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with school(folder, rules={"wing": rule}) as house:
            house.perform()
            if rule is mild:
                house.channels["post"].answer = refuse
            await house.intake.accept(house.seen())
            await house.settled()
            assert await look(house, 300) == []


async def test_there_may_be_nothing_left_to_try(tmp_path: Path) -> None:
    """Where every channel was tried already, that is said."""
    everything = POST_ALONE | {
        "alert": {"severity": "high", "tell": ["sro"], "through": ["post", "console"]}
    }
    async with school(tmp_path, rules={"wing": everything}) as house:
        house.perform()
        for name in ("post", "console"):
            house.channels[name].answer = refuse
        await house.intake.accept(house.seen())
        await house.settled()
        (said,) = await look(house, 70)
        assert said["reason"].endswith("through Post, Console; there is no other channel") or (
            said["reason"].endswith("through Console, Post; there is no other channel")
        )


async def test_an_overdue_step_is_said_and_taken(tmp_path: Path) -> None:
    """Where nobody climbed the ladder in time, whoever looks says so and takes the step."""
    ladders = {"all": {"severity": "high", "steps": [
        {"tell": ["sro"], "through": ["console"], "wait": "1m"},
        {"tell": ["principal"], "through": ["post"], "wait": "1m"},
    ]}}  # fmt: skip
    async with school(tmp_path, ladders=ladders) as house:
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        (said,) = await look(house, 85)
        assert said["reason"] == "step 2 of its ladder is 25 s overdue"
        assert any(
            notice.data.get("step") == 2 and notice.to[0].person == "head"
            for notice in house.channels["post"].sent
        )
        assert len(await look(house, 15)) == 1
        assert await Escalator(house.intake).unheard() == []


async def test_a_step_of_an_answered_alert_is_called_off(tmp_path: Path) -> None:
    """A step that is still there although somebody has the alert tells nobody."""
    ladders = {"all": {"severity": "high", "steps": [
        {"tell": ["sro"], "through": ["console"], "wait": "1m"}, {"through": ["post"]},
    ]}}  # fmt: skip
    async with school(tmp_path, ladders=ladders) as house:
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        sent = len(house.channels["post"].sent)

        def answer(connection: Connection) -> None:
            connection.execute(update(alerts).values(acknowledged_time="2026", resolved_by="x"))

        await house.journal.write(answer)
        await house.clock.advance(61)
        await Escalator(house.intake).climb()
        await house.settled()
        assert len(house.channels["post"].sent) == sent
        states = await house.journal.read(
            lambda c: list(c.scalars(select(ladder_steps.c.state).order_by(ladder_steps.c.step)))
        )
        assert states == ["told", "called_off"]


async def test_a_quiet_school_writes_nothing(tmp_path: Path) -> None:
    """A look writes to the journal only where an alert waits; answered ones are left alone."""
    async with school(tmp_path) as house:
        written: list[int] = []
        known = house.intake.decide

        async def decide(work: Any, **how: Any) -> Any:
            written.append(1)
            return await known(work, **how)

        house.intake.decide = decide  # type: ignore[method-assign]
        await Escalator(house.intake).look()
        assert written == []
        await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts()
        await Escalator(house.intake).look()
        assert len(written) == 2
        await house.intake.acknowledge(alert["id"], "officer")
        await Escalator(house.intake).look()
        assert len(written) == 3


QUIET_OFFICER = {**SCHOOL["people"]["officer"], "quiet": "night", "wake_for": "severe"}
NIGHT = {"weekly": [{"days": ["mon", "tue"], "from": "19:00", "to": "23:00"}]}


async def test_who_sleeps_hides_nobody_else(tmp_path: Path) -> None:
    """Quiet hours keep one person's notice back; that the other's did not arrive is still found,
    and whoever sleeps is left alone.
    """
    rule = POST_ALONE | {
        "alert": {"severity": "high", "tell": ["sro", "principal"], "through": ["post"]}
    }
    changes: dict[str, Any] = {
        "people": {**SCHOOL["people"], "officer": QUIET_OFFICER},
        "schedules": {**SCHOOL["schedules"], "night": NIGHT},
    }
    async with school(tmp_path, rules={"wing": rule}, **changes) as house:
        house.perform()
        house.channels["post"].answer = refuse
        await house.intake.accept(house.seen())
        await house.pass_time(2)
        await house.clock.advance(70)
        await Escalator(house.intake).look()
        await house.pass_time(2)
        (said,) = await house.journal.read(unheard)
        assert said["through"] == ["console"]
        console = house.channels["console"].sent
        assert [[one.person for one in notice.to] for notice in console] == [["head"]]


async def test_who_sleeps_alone_is_left_alone(tmp_path: Path) -> None:
    """What quiet hours keep back is not unheard; it is once they are over and nothing arrives."""
    changes: dict[str, Any] = {
        "people": {**SCHOOL["people"], "officer": QUIET_OFFICER},
        "schedules": {**SCHOOL["schedules"], "night": NIGHT},
    }
    async with school(tmp_path, **post_alone(**changes)) as house:
        house.perform()
        house.channels["post"].answer = refuse
        await house.intake.accept(house.seen())
        await house.clock.advance(2 * 3600)
        await Escalator(house.intake).look()
        assert await house.journal.read(unheard) == []
        await house.clock.advance(3600)
        await house.settled()
        assert len(await look(house, 70)) == 1


async def test_an_overdue_step_does_not_stand_for_the_look(tmp_path: Path) -> None:
    """That a step was late is said; what nobody has received is tried elsewhere all the same."""
    ladders = {"all": {"severity": "high", "steps": [
        {"tell": ["sro"], "through": ["post"], "wait": "10s"},
        {"tell": ["principal"], "through": ["post"], "wait": "1m"},
    ]}}  # fmt: skip
    async with school(tmp_path, **post_alone(ladders=ladders)) as house:
        house.perform()
        house.channels["post"].answer = refuse
        await house.intake.accept(house.seen())
        await house.settled()
        assert len(await look(house, 40)) == 1
        assert house.channels["console"].sent == []
        _, said = await look(house, 40)
        assert said["through"] == ["console"]
        assert house.channels["console"].sent


async def test_what_is_tried_elsewhere_ends_with_an_answer(tmp_path: Path) -> None:
    """Also of an alert that was verified: nobody is called once somebody has taken it on."""
    async with school(tmp_path, **post_alone()) as house:
        house.perform()
        console = house.channels["console"]
        original = console.answer
        console.answer = lambda notice: (_ for _ in ()).throw(NotReady("down"))
        house.channels["post"].answer = refuse
        await house.intake.accept(house.seen())
        await house.settled()
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "verified", "desk")
        await house.settled()
        await house.clock.advance(70)
        await Escalator(house.intake).look()
        await house.pass_time(4)
        assert console.sent
        await house.intake.acknowledge(alert["id"], "desk")
        console.answer = original
        before = len(console.sent)
        await house.pass_time(30)
        assert [notice.about for notice in console.sent[before:]] == ["acknowledgement"]


async def test_a_clock_that_is_set_makes_nothing_late(tmp_path: Path) -> None:
    """A look right after the clock was set forward finds no step overdue and takes none."""
    ladders = {"all": {"severity": "high", "steps": [
        {"tell": ["sro"], "through": ["post"], "wait": "1m"},
        {"tell": ["principal"], "through": ["post"], "wait": "1m"},
    ]}}  # fmt: skip
    async with school(tmp_path, **post_alone(ladders=ladders)) as house:
        escalator = Escalator(house.intake)
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        house.clock.set(house.clock.now() + timedelta(hours=1))
        await escalator.look()
        assert await house.journal.read(unheard) == []
        await until(lambda: moved(house))
        await escalator.look()
        assert await house.journal.read(unheard) == []
        assert len(house.channels["post"].sent) == 1


async def moved(house: School) -> bool:
    """Whether the journal says that the clock was set."""
    past = await house.intake.past_events(0)
    return any(event.type == "clock.moved" for _, event in past)
