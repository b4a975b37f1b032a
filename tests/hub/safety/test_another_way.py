"""A notice that a channel does not take goes to the person's next channel, once, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, SCHOOL, School, ScriptedChannel, school, until

from hub.errors import CommandFailed, NotReady
from hub.kinds.notifiers import Ack, Notice, Receipt
from hub.safety.alerts.escalator import Escalator
from hub.safety.notices.hearing import Hearing
from hub.testing import FakeClock

OFFICER = {
    "name": "School resource officer",
    "role": "sro",
    "contact": {"post": "officer@school", "pager": "77", "console": "officer"},
    "prefer": ["post", "pager", "console"],
}
NOTIFIERS = {**SCHOOL["notifiers"], "pager": {"driver": "x", "name": "Pager"}}
RULE = {
    "name": "Door forced open",
    "when": "door.forced",
    "alert": {"severity": "high", "tell": ["officer"], "through": ["post"]},
}
CHANGES: dict[str, Any] = {
    "notifiers": NOTIFIERS,
    "people": {**SCHOOL["people"], "officer": OFFICER},
    "rules": {"forced": RULE},
}


def refuses(notice: Notice) -> Receipt:
    raise CommandFailed("no such mailbox")


def away(notice: Notice) -> Receipt:
    raise NotReady("no network")


def opened(house: School) -> ScriptedChannel:
    """The school's pager, and actions running."""
    pager = house.channels["pager"] = ScriptedChannel()
    house.perform()
    return pager


async def forced(house: School) -> str:
    await house.intake.accept(house.door_event("door.forced", "store"))
    return (await house.intake.alerts())[0]["id"]


async def an_hour_away(path: Path, changes: dict[str, Any]) -> FakeClock:
    """A school that could tell nobody of two doors; the clock as it starts again."""
    async with school(path, **changes) as house:
        for door in ("store", "wing_east"):
            await house.intake.accept(house.door_event("door.forced", door))
    await house.clock.advance(3600)
    return house.clock


async def test_what_is_refused_goes_the_next_way_at_once(tmp_path: Path) -> None:
    """The second channel gets the same notice to the address there, and it says why."""
    async with school(tmp_path, **CHANGES) as house:
        house.channels["post"].answer = refuses
        pager = opened(house)
        alert = await forced(house)
        await house.settled()
        (notice,) = pager.sent
        assert notice.to[0].contact == "77"
        assert notice.data["instead_of"] == ["post"]
        assert notice.text.endswith("Sent this way because Post did not take it.")
        assert (notice.title, notice.alert, notice.repeat) == ("Door forced open", alert, False)
        first, second = (await house.intake.alert(alert))["told"]
        assert first["state"] == "failed"
        assert first["words"].endswith("no such mailbox; told another way as well (Post)")
        assert second["words"] == "School resource officer: sent 20:15 (Pager)"
        assert "Post did not take a notice; sent through Pager instead" in await house.story()


async def test_what_is_not_taken_in_time_goes_the_next_way_too(tmp_path: Path) -> None:
    """After a minute the next channel gets it as well, once; the first is still tried."""
    async with school(tmp_path, **CHANGES) as house:
        post = house.channels["post"]
        post.answer = away
        pager = opened(house)
        await forced(house)
        await house.pass_time(59)
        assert pager.sent == []
        await house.pass_time(3)
        await until(lambda: pager.sent)
        await house.pass_time(300)
        assert len(pager.sent) == 1
        post.answer = lambda notice: Receipt("accepted")
        await house.pass_time(300)
        await house.settled()
        assert post.sent[-1].repeat


async def test_a_channel_that_hangs_is_overtaken(tmp_path: Path) -> None:
    """Each attempt has its deadline, and a notice behind one that hangs goes the next way too."""
    async with school(tmp_path, **CHANGES) as house:
        house.channels["post"].gate = asyncio.Event()
        pager = opened(house)
        await forced(house)
        await house.intake.accept(house.door_event("door.forced", "wing_east"))

        async def overtaken() -> bool:
            await house.clock.advance(1)
            return len(pager.sent) == 2

        await until(overtaken)


async def test_each_way_is_gone_once(tmp_path: Path) -> None:
    """Where every channel refuses, each has been asked once, and none is asked again."""
    async with school(tmp_path, **CHANGES) as house:
        pager = opened(house)
        for channel in house.channels.values():
            channel.answer = refuses
        await forced(house)
        await house.settled()
        assert [len(house.channels[one].sent) for one in ("post", "pager", "console")] == [1, 1, 1]
        assert pager.sent[0].data["instead_of"] == ["post"]
        assert house.channels["console"].sent[0].data["instead_of"] == ["post", "pager"]


async def test_what_goes_both_ways_already_is_not_doubled(tmp_path: Path) -> None:
    """A person who is told over both channels anyway is not told twice over one of them."""
    rule = {**RULE, "alert": {**RULE["alert"], "severity": "severe", "through": ["post", "pager"]}}
    async with school(tmp_path, **{**CHANGES, "rules": {"forced": rule}}) as house:
        house.channels["post"].answer = refuses
        pager = opened(house)
        await forced(house)
        await house.settled()
        assert len(pager.sent) == 1
        assert len(house.channels["console"].sent) == 0


async def test_a_notifier_names_its_own_fall_back(tmp_path: Path) -> None:
    """For people without an order, and for notices to whomever a channel reaches."""
    notifiers = {**NOTIFIERS, "console": {"driver": "x", "fallback": "pager"}}
    rule = {**RULE, "alert": {"severity": "check", "through": ["console"]}}
    changes = {**CHANGES, "notifiers": notifiers, "rules": {"forced": rule}}
    async with school(tmp_path, **changes) as house:
        house.channels["console"].answer = refuses
        pager = opened(house)
        alert = await forced(house)
        await house.settled()
        (notice,) = pager.sent
        assert notice.to == ()
        told = [one["words"] for one in (await house.intake.alert(alert))["told"]]
        assert told[-1] == "Everyone it reaches: sent 20:15 (Pager)"


async def test_nothing_goes_to_a_siren(tmp_path: Path) -> None:
    """A channel that everybody hears is nobody's other way."""
    notifiers = {**NOTIFIERS, "post": {"driver": "x", "fallback": "siren"}}
    people = {**SCHOOL["people"]}
    async with school(tmp_path, **{**CHANGES, "notifiers": notifiers, "people": people}) as house:
        house.channels["post"].answer = refuses
        opened(house)
        await forced(house)
        await house.settled()
        assert house.channels["siren"].sent == []


async def test_what_did_not_arrive_after_all_goes_the_next_way(tmp_path: Path) -> None:
    """A provider that accepted a message and later says that no phone took it."""
    async with school(tmp_path, **CHANGES) as house:
        pager = opened(house)
        alert = await forced(house)
        await house.settled()
        key = house.channels["post"].sent[0].key
        await Hearing(house.intake).take("post", Ack("failed", key=key, detail="phone is off"))
        await house.settled()
        assert len(pager.sent) == 1
        first = (await house.intake.alert(alert))["told"][0]
        assert first["words"].startswith("School resource officer: NOT reached 20:15: phone is off")


async def test_nobody_is_called_the_other_way_once_somebody_has_answered(tmp_path: Path) -> None:
    """An alert that was dismissed or taken on calls for nobody, whatever a channel then says."""
    async with school(tmp_path, **CHANGES) as house:
        pager = opened(house)
        alert = await forced(house)
        await house.settled()
        key = house.channels["post"].sent[0].key
        await house.intake.acknowledge(alert, "desk")
        await house.settled()
        await Hearing(house.intake).take("post", Ack("failed", key=key, detail="phone is off"))
        await house.settled()
        assert [notice.about for notice in pager.sent] == []


async def test_it_goes_once_over_restarts(tmp_path: Path) -> None:
    """The other way is in the journal with what it stands in for; a restart sends no second one."""
    async with school(tmp_path, FakeClock(EVENING), **CHANGES) as house:
        house.channels["post"].answer = away
        await forced(house)
        await house.clock.advance(61)
        opened(house)
        await until(lambda: house.channels["pager"].sent)
    async with school(tmp_path, house.clock, **CHANGES) as house:
        house.channels["post"].answer = away
        pager = opened(house)
        await house.pass_time(90)
        assert pager.sent == []


async def test_a_digest_that_went_another_way_reached_its_people(tmp_path: Path) -> None:
    """What it tells counts as told, by the channel that took it in the end."""
    clock = await an_hour_away(tmp_path, CHANGES)
    async with school(tmp_path, clock, **CHANGES) as house:
        house.channels["post"].answer = refuses
        pager = opened(house)
        await house.settled()
        (digest,) = pager.sent
        assert digest.title == "2 notices that could not be sent before"
        for alert in await house.intake.alerts():
            (row,) = (await house.intake.alert(alert["id"]))["told"]
            assert row["state"] == "accepted"


async def test_a_rule_may_act_on_what_did_not_arrive(tmp_path: Path) -> None:
    """`notice.failed` and `notice.rerouted` are events like others."""
    lost = {
        "name": "A channel does not take notices",
        "when": "notice.rerouted",
        "alert": {"severity": "check", "tell": ["desk"], "through": ["console"]},
    }
    async with school(tmp_path, **{**CHANGES, "rules": {"forced": RULE, "lost": lost}}) as house:
        house.channels["post"].answer = refuses
        opened(house)
        await forced(house)
        await house.settled()
        titles = {alert["title"] for alert in await house.intake.alerts()}
        assert titles == {"Door forced open", "A channel does not take notices"}


@pytest.mark.parametrize("answer", [refuses, away], ids=["refused", "away"])
async def test_a_way_that_was_lost_too_is_passed_over(
    tmp_path: Path, answer: Callable[[Notice], Receipt]
) -> None:
    """Where both channels that a person is told over fail, the third of theirs gets it, once."""
    rule = {**RULE, "alert": {**RULE["alert"], "severity": "severe", "through": ["post", "pager"]}}
    async with school(tmp_path, **{**CHANGES, "rules": {"forced": rule}}) as house:
        pager = opened(house)
        house.channels["post"].answer = pager.answer = answer
        await forced(house)
        await house.pass_time(60)

        async def passed_over() -> bool:
            await house.clock.advance(1)
            return bool(house.channels["console"].sent)

        await until(passed_over)
        await house.pass_time(10)
        assert len(house.channels["console"].sent) == 1
        if answer is refuses:
            assert len(pager.sent) == 1


async def test_what_everyone_gets_both_ways_already_is_not_doubled(tmp_path: Path) -> None:
    """A notice to whomever a channel reaches goes no second time to where it went anyway."""
    notifiers = {**NOTIFIERS, "console": {"driver": "x", "fallback": "pager"}}
    rule = {**RULE, "alert": {"severity": "check", "through": ["console", "pager"]}}
    changes = {**CHANGES, "notifiers": notifiers, "rules": {"forced": rule}}
    async with school(tmp_path, **changes) as house:
        house.channels["console"].answer = refuses
        pager = opened(house)
        await forced(house)
        await house.settled()
        assert len(pager.sent) == 1


async def test_a_step_of_what_somebody_has_taken_on_goes_no_other_way(tmp_path: Path) -> None:
    """Also where the alert was verified before the step was taken."""
    steps = [{"tell": ["sro"], "through": ["post"], "wait": wait} for wait in ("10s", "1m")]
    ladders = {"all": {"severity": "high", "steps": steps}}
    async with school(tmp_path, **CHANGES, ladders=ladders) as house:
        pager = opened(house)
        alert = await forced(house)
        await house.settled()
        await house.intake.verdict(alert, "verified", "desk")
        await house.clock.advance(11)
        await Escalator(house.intake).climb()
        await house.settled()
        step = house.channels["post"].sent[-1]
        assert step.data["step"] == 2
        await house.intake.acknowledge(alert, "desk")
        await house.settled()
        await Hearing(house.intake).take("post", Ack("failed", key=step.key, detail="off"))
        await house.settled()
        assert pager.sent == []


async def test_what_a_digest_told_another_way_is_heard(tmp_path: Path) -> None:
    """Nobody is told again of what came by the second channel."""
    clock = await an_hour_away(tmp_path, CHANGES)
    async with school(tmp_path, clock, **CHANGES) as house:
        house.channels["post"].answer = refuses
        opened(house)
        await house.settled()
        await house.clock.advance(100)
        escalator = Escalator(house.intake)
        await escalator.look()
        await house.settled()
        assert await escalator.unheard() == []
        assert house.channels["console"].sent == []


async def test_a_digest_that_reached_nobody_after_all_is_unheard(tmp_path: Path) -> None:
    """A channel takes it and says later that no phone did."""
    plain = {**CHANGES, "people": SCHOOL["people"]}
    clock = await an_hour_away(tmp_path, plain)
    async with school(tmp_path, clock, **plain) as house:
        opened(house)
        await house.settled()
        (digest,) = house.channels["post"].sent
        await Hearing(house.intake).take("post", Ack("failed", key=digest.key, detail="off"))
        await house.clock.advance(100)
        escalator = Escalator(house.intake)
        await escalator.look()
        await house.settled()
        assert len(house.channels["console"].sent) == 2
