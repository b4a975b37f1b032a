"""A rule with too many false alarms is only reviewed, by that camera, until that is over."""

import json
from pathlib import Path
from typing import Any

import pytest
from safety_school import SCHOOL, School, school
from sqlalchemy import select

from hub.safety.alerts.escalator import Escalator
from hub.storage.schema import events
from hub.views import Verdict

DAY_S = 86400.0


def budget(severity: str = "high", **changes: Any) -> dict[str, Any]:
    """The usual rule, with at most two false alarms within a week."""
    rule = SCHOOL["rules"]["closed_wing"]
    alert = {**rule["alert"], "severity": severity}
    agreed = {"at_most": 2, "within": "7d"} | changes
    rule = rule | {"alert": alert, "false_alarms": agreed, "if": {"label": "person"}}
    return {"rules": {"closed_wing": rule}}


async def give(house: School, verdict: Any = "dismissed", camera: str = "wing") -> Any:
    """One alert of a camera and the verdict on it; the alert as it was raised."""
    await house.intake.accept(house.seen("wing", data={"camera": camera}))
    (alert,) = await house.intake.alerts(open_only=True)
    await house.intake.verdict(alert["id"], verdict, "officer")
    return alert


async def told(house: School, kind: str) -> list[dict[str, Any]]:
    """What the events of a type say."""
    rows = await house.journal.read(
        lambda c: list(c.scalars(select(events.c.data).where(events.c.type == kind)))
    )
    return [json.loads(row) for row in rows]


async def test_one_too_many_demotes_and_says_so(tmp_path: Path) -> None:
    """Above the budget an alert is only reviewed, by the front desk, and says why."""
    async with school(tmp_path, **budget()) as house:
        severities = [(await give(house))["severity"] for _ in range(3)]
        assert severities == ["high"] * 3
        (said,) = await told(house, "rule.demoted")
        assert (said["rule"], said["camera"], said["count"]) == ("closed_wing", "wing", 3)
        await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts(open_only=True)
        assert alert["severity"] == "check"
        assert alert["incident"] == ""
        assert alert["matched"][-1] == (
            "only reviewed, for this rule gave 3 false alarms by Wing camera within 7d, "
            "at most 2 are agreed"
        )
        assert alert["will"]  # what verifying does stays the same
        house.perform()
        await house.settled()
        last = house.channels["console"].sent[-1]
        assert [one.person for one in last.to] == ["desk"]
        (view,) = await Escalator(house.intake).demotions()
        assert (view["rule"], view["camera"], view["count"]) == ("closed_wing", "wing", 3)
        assert await Escalator(house.intake).unheard() == []  # the hub is well
        (said,) = await Escalator(house.intake).notes()
        assert said == (
            "the rule Person in the closed science wing is only reviewed by Wing camera since "
            "20:15 on Monday 2 March, after 3 false alarms: mend it, or trust it again on the page "
            "of an alert of it"
        )


async def test_another_camera_is_not_blamed(tmp_path: Path) -> None:
    """The budget is for a rule and a camera."""
    async with school(tmp_path, **budget()) as house:
        for _ in range(3):
            await give(house)
        assert (await give(house, camera="yard"))["severity"] == "high"


async def test_what_is_demoted_joins_itself(tmp_path: Path) -> None:
    """Further matches of a demoted rule are one alert, as ever."""
    async with school(tmp_path, **budget()) as house:
        for _ in range(3):
            await give(house)
        for _ in range(5):
            await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts(open_only=True)
        assert alert["count"] == 5


async def test_severe_is_never_demoted_and_says_so_loudly(tmp_path: Path) -> None:
    """A severe alert goes to everyone as ever, with the rule's record beside it."""
    async with school(tmp_path, **budget("severe")) as house:
        for _ in range(3):
            await give(house)
        alert = await give(house)
        assert alert["severity"] == "severe"
        assert alert["matched"][-1].startswith("NOT demoted, for it is severe, although this rule")
        assert not (await house.intake.alert(alert["id"]))["reviewed"]


async def test_a_verified_alert_restores_the_rule(tmp_path: Path) -> None:
    """One that was real shows that the rule is needed: it begins anew."""
    async with school(tmp_path, **budget()) as house:
        for _ in range(3):
            await give(house)
        assert (await give(house, "verified"))["severity"] == "check"
        (said,) = await told(house, "rule.restored")
        assert said["reason"] == "an alert of it was verified"
        await house.clock.advance(700)
        assert [(await give(house))["severity"] for _ in range(3)] == ["high"] * 3
        await house.clock.advance(1)
        assert (await give(house))["severity"] == "check"


async def test_verified_alerts_pay_for_false_ones(tmp_path: Path) -> None:
    """Dismissals from before a verified alert count no more, also where nothing was demoted."""
    async with school(tmp_path, **budget()) as house:
        for verdict in ("dismissed", "dismissed", "verified"):
            await give(house, verdict)
            await house.clock.advance(700)
        for _ in range(2):
            await give(house)
        assert await told(house, "rule.demoted") == []


async def test_it_ends_by_itself(tmp_path: Path) -> None:
    """When its false alarms are long ago the rule alerts as before, and an event says so."""
    async with school(tmp_path, **budget()) as house:
        for _ in range(3):
            await give(house)
        await house.clock.advance(6 * DAY_S)
        await Escalator(house.intake).look()
        assert await told(house, "rule.restored") == []
        await house.clock.advance(1.1 * DAY_S)
        await Escalator(house.intake).look()
        (said,) = await told(house, "rule.restored")
        assert said["reason"] == "its false alarms are long ago"
        assert (await give(house))["severity"] == "high"


async def test_a_person_ends_it(tmp_path: Path) -> None:
    """Whoever may give verdicts may trust a rule again."""
    async with school(tmp_path, **budget()) as house:
        for _ in range(3):
            await give(house)
        escalator = Escalator(house.intake)
        (alert, *_) = await house.intake.alerts()
        assert (await house.intake.alert(alert["id"]))["reviewed"]
        await escalator.restore("closed_wing", "wing", "head")
        await escalator.restore("closed_wing", "wing", "head")
        assert not (await house.intake.alert(alert["id"]))["reviewed"]
        (said,) = await told(house, "rule.restored")
        assert said["by"] == "head"
        assert (await give(house))["severity"] == "high"
        with pytest.raises(KeyError):
            await escalator.restore("no_rule", "wing", "head")


async def test_without_a_budget_nothing_is_counted(tmp_path: Path) -> None:
    """A rule that says nothing of false alarms is never demoted."""
    rule = dict(budget()["rules"]["closed_wing"])
    del rule["false_alarms"]
    async with school(tmp_path, rules={"closed_wing": rule}) as house:
        assert {(await give(house))["severity"] for _ in range(6)} == {"high"}
        assert await told(house, "rule.demoted") == []


async def test_reviewers_that_nobody_is_are_those_of_the_rule(tmp_path: Path) -> None:
    """Where nobody has the role that reviews, those whom the rule names do."""
    async with school(tmp_path, **budget(tell=["nurse"])) as house:
        for _ in range(3):
            await give(house)
        await house.intake.accept(house.seen())
        house.perform()
        await house.settled()
        people = {one.person for one in house.channels["post"].sent[-1].to}
        assert people <= {"officer", "desk"}
        assert people


@pytest.mark.parametrize("severity", ["high", "check"])
async def test_a_drill_says_nothing_about_a_rule(tmp_path: Path, severity: str) -> None:
    """What was dismissed in a drill is no false alarm, and what was verified in one restores no
    rule.
    """
    told = {"severity": severity, "tell": ["sro"], "through": ["post"]}
    budget = {"at_most": 0, "within": "7d"}
    rules = {"often": {"name": "A", "when": "zone.entered", "alert": told, "false_alarms": budget}}

    async def judged(house: School, verdict: Verdict, **data: Any) -> bool:
        """Whether the next alert is only reviewed; it is judged."""
        await house.clock.advance(60)
        await house.intake.accept(house.seen(data=data))
        (alert,) = await house.intake.alerts(open_only=True)
        await house.intake.verdict(alert["id"], verdict, "desk")
        return any("only reviewed" in line for line in alert["matched"])

    async with school(tmp_path, rules=rules) as house:
        assert not await judged(house, "dismissed", drill=True)
        assert not await judged(house, "dismissed")
        assert await judged(house, "verified", drill=True)
        await house.clock.advance(1200)
        assert await judged(house, "dismissed")
