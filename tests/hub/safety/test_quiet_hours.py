"""Quiet hours keep back what can wait, lose nothing, and never keep back what is severe."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from safety_school import EVENING, SCHOOL, School, ScriptedChannel, school, until

from hub.config import Config
from hub.errors import NotReady
from hub.testing import FakeClock

NIGHT = {"nights": {"name": "Nights", "weekly": [{"from": "20:00", "to": "07:00"}]}}
HOURS_TO_MORNING = 10 * 3600 + 45 * 60


def quiet(severity: str = "high", **more: Any) -> dict[str, Any]:
    """A school whose officer has quiet hours at night, told by post of doors that are forced."""
    officer = {**SCHOOL["people"]["officer"], "quiet": "nights", **more}
    alert = {"severity": severity, "tell": ["officer", "head"], "through": ["post", "console"]}
    forced = {"name": "Door forced open", "when": "door.forced", "alert": alert}
    return {
        "people": {**SCHOOL["people"], "officer": officer},
        "schedules": {**SCHOOL["schedules"], **NIGHT},
        "rules": {"forced": forced},
    }


async def forced(house: School, *doors: str) -> str:
    for door in doors or ("store",):
        await house.intake.accept(house.door_event("door.forced", door))
    return (await house.intake.alerts())[0]["id"]


def to(channel: ScriptedChannel, person: str) -> list[str]:
    """The titles of what a person was sent alone."""
    return [n.title for n in channel.sent if [one.person for one in n.to] == [person]]


async def test_what_can_wait_waits_until_morning(tmp_path: Path) -> None:
    """Others are told at once, shared channels too; in the morning it comes as it was."""
    async with school(tmp_path, **quiet()) as house:
        house.perform()
        alert = await forced(house)
        await house.pass_time(1)
        assert to(house.channels["post"], "officer") == []
        assert to(house.channels["post"], "head") == ["Door forced open"]
        assert len(house.channels["console"].sent) == 1
        (held,) = [
            one
            for one in (await house.intake.alert(alert))["told"]
            if (one["person"], one["channel"]) == ("officer", "post")
        ]
        assert (held["state"], held["held"]) == ("held", "2026-03-03T07:00:00.000Z")
        assert held["words"] == (
            "School resource officer: kept back until 07:00 (quiet hours) (Post)"
        )
        await house.clock.advance(HOURS_TO_MORNING)
        await house.settled()
        assert to(house.channels["post"], "officer") == ["Door forced open"]


async def test_several_come_as_one(tmp_path: Path) -> None:
    """All that was kept back over a night is one notice, over a restart too."""
    async with school(tmp_path, **quiet()) as house:
        house.perform()
        await forced(house, "store", "wing_east", "old_gate")
        await house.pass_time(1)
    await house.clock.advance(3600)
    async with school(tmp_path, house.clock, **quiet()) as house:
        house.perform()
        await house.pass_time(1)
        assert house.channels["post"].sent == []
        await house.clock.advance(HOURS_TO_MORNING - 3600)
        await house.settled()
        (digest,) = house.channels["post"].sent
        assert digest.title == "3 notices from your quiet hours"
        assert len(digest.text.splitlines()) == 3
        assert digest.data["digest"] == 3
        alert = (await house.intake.alerts())[0]["id"]
        (row,) = [
            one
            for one in (await house.intake.alert(alert))["told"]
            if (one["person"], one["channel"]) == ("officer", "post")
        ]
        assert row["accepted"] is not None


async def test_a_hub_that_was_off_in_the_morning_still_tells(tmp_path: Path) -> None:
    """What was due at seven comes at nine, as one."""
    async with school(tmp_path, **quiet()) as house:
        await forced(house, "store", "wing_east")
    await house.clock.advance(HOURS_TO_MORNING + 7200)
    async with school(tmp_path, house.clock, **quiet()) as house:
        house.perform()
        await house.settled()
        assert [one.data["digest"] for one in house.channels["post"].sent] == [2, 2]


async def test_a_severe_notice_never_waits(tmp_path: Path) -> None:
    """Whatever the hour."""
    async with school(tmp_path, **quiet("severe")) as house:
        house.perform()
        await forced(house)
        await house.settled()
        assert to(house.channels["post"], "officer") == ["Door forced open"]


async def test_a_person_may_be_woken_for_what_is_high(tmp_path: Path) -> None:
    """`wake_for: high` lets high ones through, and keeps back the rest."""
    async with school(tmp_path, **quiet("high", wake_for="high")) as house:
        house.perform()
        await forced(house)
        await house.settled()
        assert to(house.channels["post"], "officer") == ["Door forced open"]
    (tmp_path / "check").mkdir()
    async with school(tmp_path / "check", **quiet("check", wake_for="high")) as house:
        house.perform()
        await forced(house)
        await house.pass_time(1)
        assert to(house.channels["post"], "officer") == []


async def test_nobody_is_woken_for_the_verdict_on_what_they_were_not_told(tmp_path: Path) -> None:
    """A false alarm of the night is never told; one that was real is, in the morning, and once."""
    async with school(tmp_path, **quiet()) as house:
        house.perform()
        false = await forced(house, "store")
        await house.pass_time(1)
        await house.intake.verdict(false, "dismissed", "desk")
        real = await forced(house, "wing_east")
        await house.pass_time(1)
        await house.intake.verdict(real, "verified", "desk")
        await house.pass_time(1)
        assert to(house.channels["post"], "officer") == []
        assert "Verified: Door forced open" in to(house.channels["post"], "head")
        await house.clock.advance(HOURS_TO_MORNING)
        await house.settled()
        assert to(house.channels["post"], "officer") == ["Verified: Door forced open"]


async def test_the_verdict_on_what_they_were_told_comes_at_once(tmp_path: Path) -> None:
    """Told at a quarter to eight, they hear of the verdict in their quiet hours."""
    clock = FakeClock(EVENING - timedelta(minutes=30))
    async with school(tmp_path, clock, **quiet()) as house:
        house.perform()
        alert = await forced(house)
        await house.settled()
        await house.pass_time(1)
        await clock.advance(1800)
        await house.intake.verdict(alert, "dismissed", "desk")
        await house.settled()
        assert to(house.channels["post"], "officer") == [
            "Door forced open", "False alarm: Door forced open",
        ]  # fmt: skip


async def test_a_clock_that_is_set_back_holds_nothing_for_ever(tmp_path: Path) -> None:
    """A night of the wrong year ends with the night of the right one."""
    async with school(tmp_path, FakeClock(EVENING + timedelta(days=900)), **quiet()) as house:
        await forced(house)
    async with school(tmp_path, FakeClock(EVENING), **quiet()) as house:
        house.perform()
        await house.pass_time(1)
        assert to(house.channels["post"], "officer") == []
        await house.clock.advance(HOURS_TO_MORNING)
        await house.settled()
        assert to(house.channels["post"], "officer") == ["Door forced open"]


async def test_quiet_hours_that_are_taken_away_end(tmp_path: Path) -> None:
    """After a restart without them what was kept back goes out."""
    async with school(tmp_path, **quiet()) as house:
        await forced(house)
    async with school(tmp_path, house.clock, rules=quiet()["rules"]) as house:
        house.perform()
        await house.settled()
        assert to(house.channels["post"], "officer") == ["Door forced open"]


async def test_a_reload_without_quiet_hours_ends_them(tmp_path: Path) -> None:
    """What was kept back goes out within half a minute, without a restart."""
    async with school(tmp_path, **quiet()) as house:
        house.perform()
        await forced(house)
        await house.pass_time(1)
        assert to(house.channels["post"], "officer") == []
        config = Config.model_validate(SCHOOL | {"rules": quiet()["rules"]})
        house.intake.reconfigure(config, house.intake.words.campus)
        await house.pass_time(40)
        await house.settled()
        assert to(house.channels["post"], "officer") == ["Door forced open"]


async def test_a_digest_goes_over_the_channel_a_person_prefers(tmp_path: Path) -> None:
    """Two channels, one digest, with each alert once; a severe one goes over both."""
    officer = {
        **SCHOOL["people"]["officer"],
        "contact": {"post": "officer@school", "console": "officer"},
        "prefer": ["console", "post"],
    }
    for severity, digests in (("high", [2, None]), ("severe", [2, 2])):
        changes = quiet(severity)
        changes["people"] = {**SCHOOL["people"], "officer": officer}
        changes["rules"]["forced"]["alert"]["tell"] = ["officer"]
        (tmp_path / severity).mkdir()
        async with school(tmp_path / severity, **changes) as house:
            await forced(house, "store", "wing_east")
        await house.clock.advance(3600)
        async with school(tmp_path / severity, house.clock, **changes) as house:
            house.perform()
            await house.settled()
            sent = [house.channels[one].sent for one in ("console", "post")]
            assert [one[0].data["digest"] if one else None for one in sent] == digests
            assert all(len(one) <= 1 for one in sent)


def test_the_order_names_only_what_reaches_them() -> None:
    """`prefer` with a notifier that has no address is a mistake, said so."""
    import pytest
    from pydantic import ValidationError

    officer = {**SCHOOL["people"]["officer"], "prefer": ["post", "console"]}
    with pytest.raises(ValidationError, match="how console of `prefer` reaches them"):
        Config.model_validate(SCHOOL | {"people": {"officer": officer}})


async def test_what_is_tried_since_morning_does_not_stall_by_the_clock(tmp_path: Path) -> None:
    """A notice that was kept back and whose channel is away: a clock that is set back by days does
    not put off the next attempt by days.
    """
    async with school(tmp_path, **quiet()) as house:
        post = house.channels["post"]
        original = post.answer
        post.answer = lambda notice: (_ for _ in ()).throw(NotReady("no network"))
        house.perform()
        await forced(house)
        await house.clock.advance(HOURS_TO_MORNING)
        await until(lambda: to(post, "officer"))
        await house.pass_time(20)
        before = len(to(post, "officer"))
        post.answer = original
        house.clock.set(house.clock.now() - timedelta(days=2))
        await house.pass_time(330)
        assert len(to(post, "officer")) == before + 1
