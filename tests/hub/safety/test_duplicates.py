"""Two rules that fire for the same thing are one alert, where nobody misses anything by that."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from safety_school import SCHOOL, School, school

from hub.events import Event

FIRST = {
    "name": "Somebody in the wing", "when": "zone.entered", "if": {"place": "wing"},
    "alert": {"severity": "high", "tell": ["sro", "front_office"], "through": ["console", "post"]},
}  # fmt: skip
SECOND = {
    "name": "A person after hours", "when": "zone.entered", "if": {"label": "person"},
    "alert": {"severity": "check", "tell": ["sro"], "through": ["console"]},
}  # fmt: skip


def alert(**changes: Any) -> dict[str, Any]:
    """What the second rule tells, changed."""
    return {"alert": SECOND["alert"] | changes}  # type: ignore[operator]


async def alerts_of(path: Path, second: dict[str, Any], first: dict[str, Any] = FIRST) -> list[Any]:
    """The alerts after somebody was seen once, with these two rules."""
    async with school(path, rules={"first": first, "second": second}) as house:
        await house.intake.accept(house.seen())
        return await house.intake.alerts()


async def test_what_only_repeats_joins(tmp_path: Path) -> None:
    """The same event at the same place, told to fewer and no graver, is the same alert."""
    (one,) = await alerts_of(tmp_path, SECOND)
    assert (one["rule"], one["count"]) == ("first", 2)


@pytest.mark.parametrize(
    "changes",
    [
        alert(severity="severe"),
        alert(tell=["principal"]),
        alert(tell=[]),
        alert(through=["console", "off"]),
        alert(incident="intrusion"),
        {"verified": [{"door": {"verb": "lock", "place": "wing"}}]},
    ],
    ids=["graver", "others", "everyone", "another channel", "another incident", "other doors"],
)
async def test_what_says_or_does_more_is_an_alert_of_its_own(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Nobody's news, no graver word and no lock is swallowed."""
    found = await alerts_of(tmp_path, SECOND | changes)
    assert sorted(each["rule"] for each in found) == ["first", "second"]
    assert len({each["incident"] for each in found if each["incident"]}) == 1


async def test_a_report_of_something_else_is_news(tmp_path: Path) -> None:
    """A weapon where a fight was reported is told; the same report once more is counted."""
    rule = {**FIRST, "when": "report.received", "if": {}}
    other = {**SECOND, "when": "report.received", "if": {"label": "weapon"}}
    async with school(tmp_path, rules={"first": rule, "second": other}) as house:
        for number, label in enumerate(("fight", "fight", "weapon", "weapon", "fight")):
            data = {"place": "wing", "label": label}
            now = house.clock.now() + timedelta(seconds=number)
            report = Event("report.received", "inbound/eye", now, "eye", data)
            await house.intake.accept(report)
        found = await house.intake.alerts()
        told = {(each["rule"], each["label"]): each["count"] for each in found}
        assert told == {("first", "fight"): 3, ("first", "weapon"): 4}


async def test_no_cooldown_swallows_another_threat(tmp_path: Path) -> None:
    """Quiet about a fight is not quiet about a weapon, also after the hub has started again."""
    rule = {**FIRST, "when": "report.received", "if": {}, "cooldown": "1h"}

    async def told(house: School, label: str) -> list[tuple[str, int]]:
        now, data = house.clock.now(), {"place": "wing", "label": label}
        await house.intake.accept(Event("report.received", "inbound/eye", now, "eye", data))
        for each in await house.intake.alerts(open_only=True):
            await house.intake.verdict(each["id"], "dismissed", "officer")
        return sorted((each["label"], each["count"]) for each in await house.intake.alerts())

    async with school(tmp_path, rules={"first": rule}) as house:
        await told(house, "fight")
        assert await told(house, "fight") == [("fight", 1)], "kept back"
        assert await told(house, "weapon") == [("fight", 1), ("weapon", 1)]
    async with school(tmp_path, rules={"first": rule}) as house:
        assert await told(house, "weapon") == [("fight", 1), ("weapon", 1)], "kept back"
        assert len(await told(house, "knife")) == 3


async def test_a_new_place_or_kind_of_event_never_joins(tmp_path: Path) -> None:
    """Somebody next door, and a door beside somebody, are news."""
    forced = SCHOOL["rules"]["forced"]
    rules = {"first": FIRST, "second": SECOND, "forced": forced}
    async with school(tmp_path, rules=rules) as house:
        await house.intake.accept(house.seen("wing"))
        await house.intake.accept(house.seen("yard"))
        await house.intake.accept(house.door_event("door.forced", "wing_east"))
        found = await house.intake.alerts()
        assert sorted((each["rule"], each["place"]) for each in found) == [
            ("first", "wing"), ("forced", "wing"), ("second", "yard"),
        ]  # fmt: skip


async def test_after_two_minutes_it_is_news(tmp_path: Path) -> None:
    """What comes later is told again, although the first alert is still open."""
    rules = {"first": FIRST, "second": SECOND | {"if": {"label": "person", "min_score": 0.9}}}
    async with school(tmp_path, rules=rules) as house:
        await house.intake.accept(house.seen())
        await house.clock.advance(121)
        await house.intake.accept(house.seen(data={"score": 0.95}))
        assert len(await house.intake.alerts()) == 2


async def test_a_dismissed_alert_takes_nothing_in(tmp_path: Path) -> None:
    """What was called false swallows no other rule's alert."""
    labels = {"first": "person", "second": "bag"}
    rules = {
        name: rule | {"if": {"place": "wing", "label": labels[name]}}
        for name, rule in (("first", FIRST), ("second", SECOND))
    }
    async with school(tmp_path, rules=rules) as house:
        await house.intake.accept(house.seen())
        (one,) = await house.intake.alerts()
        await house.intake.verdict(one["id"], "dismissed", "head")
        await house.intake.accept(house.seen(data={"label": "bag"}))
        (two,) = await house.intake.alerts(open_only=True)
        assert (two["rule"], two["count"]) == ("second", 1)


async def test_what_only_reviewers_were_told_takes_in_no_other_rule(tmp_path: Path) -> None:
    """The alert of a rule with too many false alarms went to reviewers alone; another rule for the
    same thing tells its own people.
    """
    told = {"severity": "check", "tell": ["sro"], "through": ["post"]}
    budget = {"at_most": 0, "within": "7d", "tell": ["front_office"]}
    rules = {
        "often": {"name": "A", "when": "zone.entered", "alert": told, "false_alarms": budget},
        "sure": {"name": "B", "when": "zone.entered", "if": {"min_score": 0.9}, "alert": told},
    }
    async with school(tmp_path, rules=rules) as house:
        await house.intake.accept(house.seen())
        (alert,) = await house.intake.alerts()
        await house.intake.verdict(alert["id"], "dismissed", "desk")
        await house.clock.advance(10)
        await house.intake.accept(house.seen())
        await house.clock.advance(10)
        await house.intake.accept(house.seen(data={"score": 0.95}))
        waiting = await house.intake.alerts(open_only=True)
        assert {alert["rule"] for alert in waiting} == {"often", "sure"}


async def seen_each(house: School, minutes: int, every: int = 5) -> None:
    """Somebody is seen again and again while time passes."""
    for _ in range(minutes // every):
        await house.clock.advance(every * 60)
        await house.intake.accept(house.seen())
        await house.settled()


async def test_what_goes_on_and_nobody_answers_is_told_again(tmp_path: Path) -> None:
    """After a quarter of an hour a further match tells all who were told, marked as the same."""
    async with school(tmp_path, rules={"first": FIRST}) as house:
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        first = [len(house.channels[name].sent) for name in ("console", "post")]
        await seen_each(house, 10)
        assert [len(house.channels[name].sent) for name in ("console", "post")] == first
        await seen_each(house, 5)
        assert [len(house.channels[name].sent) for name in ("console", "post")] == [
            2 * count for count in first
        ]
        said = house.channels["post"].sent[-1]
        assert said.title == "Still going on: Somebody in the wing"
        assert said.text.startswith("Still going on: seen 4 times since 20:15. Nobody has taken")
        assert (said.about, said.data["again"], said.repeat) == ("alert", True, False)
        assert "Seen again, 4 times so far; all who were told are told again" in await house.story()
        assert len(await house.intake.alerts()) == 1


async def test_a_clock_that_is_set_back_silences_nothing_that_goes_on(tmp_path: Path) -> None:
    """What was told by a clock that was hours ahead does not hold that up, nor brings a storm."""
    async with school(tmp_path, rules={"first": FIRST}) as house:
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        house.clock.set(house.clock.now() - timedelta(hours=6))
        await seen_each(house, 30)
        assert len(await house.intake.alerts()) == 1
        told = [n for n in house.channels["post"].sent if n.data.get("again")]
        assert 2 <= len(told) <= 3 * len({n.to for n in told})


async def test_an_answer_ends_that(tmp_path: Path) -> None:
    """Somebody who has taken it on is enough: nobody is told again."""
    async with school(tmp_path, rules={"first": FIRST}) as house:
        house.perform()
        await house.intake.accept(house.seen())
        await house.settled()
        (alert,) = await house.intake.alerts()
        await house.intake.acknowledge(alert["id"], "officer")
        await seen_each(house, 60)
        assert not [n for n in house.channels["post"].sent if n.data.get("again")]


async def test_nobody_gets_a_second_while_one_waits(tmp_path: Path) -> None:
    """A channel that is away is not filled with the same thing over and over."""
    async with school(tmp_path, rules={"first": FIRST}) as house:
        await house.intake.accept(house.seen())
        for _ in range(8):
            await house.clock.advance(600)
            await house.intake.accept(house.seen())
        assert len(await house.actions()) == 3


async def test_how_long_is_said_by_the_file(tmp_path: Path) -> None:
    """`off` is for ever, and each severity has its own time."""
    for said, count in (("off", 0), ("10m", 6)):
        folder = tmp_path / said
        folder.mkdir()
        hub = {"tell_again": {"high": said}}
        async with school(folder, rules={"first": FIRST}, hub=hub) as house:
            house.perform()
            await house.intake.accept(house.seen())
            await house.settled()
            await seen_each(house, 30)
            told = [n for n in house.channels["post"].sent if n.data.get("again")]
            assert len(told) == count
