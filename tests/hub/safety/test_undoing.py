"""A dismissal is taken back within seconds, by whoever gave it, and nothing is lost by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING, School, ScriptedChannel, school
from sqlalchemy import select
from test_budget import budget, give, told
from test_ends import seen
from test_hand_off import SETTINGS, Around
from test_ladders import Climb, raised, settings

from hub.errors import Refused
from hub.incidents import Incidents
from hub.safety.alerts.steps import of_alerts
from hub.safety.alerts.undoing import UNDO_WITHIN
from hub.safety.incidents.desk import CaseDesk
from hub.storage.audit_tables import lines
from hub.storage.schema import demotions, events
from hub.testing import FakeClock
from hub.views import Verdict


async def steps(house: School, alert: str) -> list[str]:
    """The states of an alert's ladder."""
    return [row.state for row in (await house.journal.read(lambda c: of_alerts(c, [alert])))[alert]]


async def test_it_is_open_again_and_everyone_who_was_told_hears_it(tmp_path: Path) -> None:
    """On the same channels as the word that it was false; the next verdict counts."""
    async with school(tmp_path) as house:
        house.perform()
        alert = await raised(house)
        await house.settled()
        await house.intake.verdict(alert, "dismissed", "officer")
        await house.settled()
        view = await house.intake.undo(alert, "officer")
        assert view["state"] == "raised"
        assert view["verdict"] is None
        await house.settled()
        for name in ("console", "post"):
            said = [notice for notice in house.channels[name].sent if notice.alert == alert]
            assert said[-1].title.startswith("Open again: ")
            assert said[-1].about == "alert"
            assert "School resource officer took the word back" in said[-1].text
            told_false = [notice for notice in said if notice.title.startswith("False alarm")]
            assert {p.person for n in told_false for p in n.to} <= {
                p.person for n in said if n.title.startswith("Open again") for p in n.to
            }
        assert house.channels["siren"].sent == []
        story = await house.story()
        assert "School resource officer took that back: the alert is open again" in story
        await house.intake.verdict(alert, "verified", "officer")
        assert (await house.intake.alert(alert))["state"] == "verified"


async def test_its_incident_goes_on(tmp_path: Path) -> None:
    """One that closed because every alert was false is open again, and says why."""
    async with school(tmp_path) as house:
        alert = await raised(house)
        await house.intake.verdict(alert, "dismissed", "officer")
        assert (await house.intake.incidents())[0]["state"] == "closed"
        await house.intake.undo(alert, "officer")
        assert (await house.intake.incidents())[0]["state"] == "open"


async def test_the_ladder_goes_on_where_it_was_called_off(tmp_path: Path) -> None:
    """Nobody answered for it, so those who come next are called when they would have been."""
    async with school(tmp_path, **settings()) as house:
        house.perform()
        climb = Climb(house)
        alert = await raised(house)
        before = await steps(house, alert)
        await house.intake.verdict(alert, "dismissed", "officer")
        assert "waiting" not in await steps(house, alert)
        await house.intake.undo(alert, "officer")
        assert await steps(house, alert) == before
        await climb.pass_time(130)
        assert {step for _, _, step in climb.steps()} == {2}


async def test_what_was_not_sent_because_of_it_is_said_after_all(tmp_path: Path) -> None:
    """Those who had heard nothing yet hear that it is open."""
    async with school(tmp_path) as house:
        alert = await raised(house)
        await house.intake.verdict(alert, "dismissed", "officer")
        await house.intake.undo(alert, "officer")
        house.perform()
        await house.settled()
        for name in ("console", "post"):
            titles = [notice.title for notice in house.channels[name].sent]
            assert titles, name
            assert all(title.startswith("Open again: ") for title in titles), titles


async def test_the_rule_is_trusted_as_before(tmp_path: Path) -> None:
    """A demotion by that dismissal is over; earlier false alarms still count."""
    async with school(tmp_path, **budget()) as house:
        for _ in range(2):
            await give(house)
            await house.clock.advance(60)
        last = await give(house)
        assert len(await told(house, "rule.demoted")) == 1
        await house.intake.undo(last["id"], "officer")
        (said,) = await told(house, "rule.restored")
        assert said["reason"] == "the dismissal was taken back"
        row = await house.journal.read(lambda c: c.execute(select(demotions)).one())
        assert (row.since, row.forgiven or "") == ("", "")
        await house.intake.verdict(last["id"], "dismissed", "officer")
        assert len(await told(house, "rule.demoted")) == 2


@pytest.mark.parametrize(
    ("verdict", "by", "after_s", "words"),
    [
        ("verified", "officer", 0, "a verified alert is not taken back"),
        ("unsure", "officer", 0, "the alert is open; decide anew"),
        ("dismissed", "head", 0, "only School resource officer, who dismissed it"),
        ("dismissed", "officer", 13, "more than ten seconds ago"),
    ],
)
async def test_where_safety_forbids_it_nothing_changes(
    tmp_path: Path, verdict: Verdict, by: str, after_s: int, words: str
) -> None:
    """Not what has moved doors, not another's word, not once everybody has gone on."""
    async with school(tmp_path) as house:
        alert = await raised(house)
        await house.intake.verdict(alert, verdict, "officer")
        before = await house.intake.alert(alert)
        count = len(await house.actions())
        await house.clock.advance(after_s)
        with pytest.raises(Refused, match=words):
            await house.intake.undo(alert, by)
        after: dict[str, Any] = {**await house.intake.alert(alert), "age_s": before["age_s"]}
        assert after == before
        assert len(await house.actions()) == count
        with pytest.raises(KeyError):
            await house.intake.undo("nobody", by)


@pytest.mark.parametrize("dismissed", ["before", "by the end"])
async def test_nothing_of_a_drill_opens_again_once_it_is_over(
    tmp_path: Path, dismissed: str
) -> None:
    """Whoever ended it ended all that was played in it; while it lasts, what is false can be taken
    back as ever.
    """
    async with school(tmp_path, FakeClock(EVENING)) as house:
        house.perform()
        desk, case = CaseDesk(house.intake), await seen(house, drill=True)
        alert = case["alerts"][0]["id"]
        await house.intake.verdict(alert, "dismissed", "officer")
        assert (await house.intake.incident(case["id"]))["state"] == "closed"
        await house.intake.undo(alert, "officer")
        assert (await house.intake.incident(case["id"]))["state"] == "open"
        if dismissed == "before":
            await house.intake.verdict(alert, "dismissed", "officer")
            await desk.reopen(case["id"], "officer")
        await desk.close(case["id"], "officer")
        with pytest.raises(Refused, match="the drill is over"):
            await house.intake.undo(alert, "officer")
        assert (await house.intake.incident(case["id"]))["state"] == "closed"
        assert (await house.intake.alert(alert))["state"] == "dismissed"


async def test_a_call_for_help_that_it_called_off_goes_out_after_all(tmp_path: Path) -> None:
    """Somebody handed the incident over; the false word that closed it must not have the last."""
    async with school(tmp_path, FakeClock(EVENING), **SETTINGS) as house:
        house.channels["station"] = ScriptedChannel()
        desk = Incidents(house.intake, Around(house), tmp_path)  # type: ignore[arg-type]
        await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts()
        await desk.hand_over(alert["incident"], "desk", key="k")
        for _ in range(2):
            await house.intake.verdict(alert["id"], "dismissed", "officer")
            (handed,) = (await desk.call_card(alert["incident"]))["hand_off"]
            assert handed["state"] == "cancelled"
            await house.intake.undo(alert["id"], "officer")
        house.perform()
        await house.settled()
        (heard,) = house.channels["station"].sent
        assert (heard.about, heard.title) == ("hand_off", "Person in the closed science wing")
        (handed,) = (await desk.call_card(alert["incident"]))["hand_off"]
        assert (handed["state"], handed["by"]) == ("confirmed", "Front office")


async def test_a_second_press_changes_nothing(tmp_path: Path) -> None:
    """Sent twice it is once; and it stands in the audit, with the dismissal before it."""
    async with school(tmp_path) as house:
        alert = await raised(house)
        await house.intake.verdict(alert, "dismissed", "officer")
        await house.clock.advance(UNDO_WITHIN.total_seconds() - 1)
        await house.intake.undo(alert, "officer")
        await house.intake.undo(alert, "officer")
        kinds = await house.journal.read(
            lambda c: list(c.scalars(select(events.c.type).where(events.c.type.like("alert.%"))))
        )
        assert kinds == ["alert.raised", "alert.dismissed", "alert.reopened"]
        acts = await house.journal.read(
            lambda c: list(c.scalars(select(lines.c.act).where(lines.c.act.like("alert.%"))))
        )
        assert acts == ["alert.dismissed", "alert.reopened"]
