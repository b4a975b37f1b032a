"""Who is on call: people in turn on the wall clock, across changed clocks and stand-ins."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from hub.config import Config, Rotation
from hub.safety.alerts.rotations import on_call, resolved, turn_day

BERLIN = "Europe/Berlin"


def rotation(**changes: Any) -> Rotation:
    """Three people in turn, a week each, from Monday 2 March 2026 at eight."""
    said = {"people": ["anna", "ben", "carl"], "from": "2026-03-02", "at": "08:00"}
    return Rotation.model_validate(said | changes)


def berlin(text: str, fold: int = 0) -> datetime:
    """A moment on Berlin's clock; `fold` 1 is the second of an hour that comes twice."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN), fold=fold)


def test_each_week_is_the_next_persons_turn() -> None:
    """Turns change at the hour `at`, and begin again after the last person."""
    weekly = rotation()
    assert on_call(weekly, BERLIN, berlin("2026-03-02T08:00")) == "anna"
    assert on_call(weekly, BERLIN, berlin("2026-03-09T07:59:59")) == "anna"
    assert on_call(weekly, BERLIN, berlin("2026-03-09T08:00")) == "ben"
    assert on_call(weekly, BERLIN, berlin("2026-03-16T12:00")) == "carl"
    assert on_call(weekly, BERLIN, berlin("2026-03-23T12:00")) == "anna"


def test_days_in_turn_and_before_the_first() -> None:
    """A turn may be a day; before the first turn the order counts back."""
    daily = rotation(every="day")
    days = [on_call(daily, BERLIN, berlin(f"2026-03-0{n}T12:00")) for n in (2, 3, 4, 5)]
    assert days == ["anna", "ben", "carl", "anna"]
    assert on_call(daily, BERLIN, berlin("2026-03-01T12:00")) == "carl"


def test_the_wall_clock_counts_where_clocks_change() -> None:
    """Eight o'clock stays eight o'clock, before and after the clocks change in spring."""
    daily = rotation(every="day")
    for day in ("2026-03-28", "2026-03-29", "2026-03-30"):
        before, after = berlin(f"{day}T07:59"), berlin(f"{day}T08:00")
        assert on_call(daily, BERLIN, before) != on_call(daily, BERLIN, after)


def test_an_hour_that_comes_twice_changes_turns_once() -> None:
    """Nobody is on call, off, and on again in the hour that is repeated in autumn."""
    daily = rotation(every="day", at="02:30")
    start = berlin("2026-10-25T01:00").astimezone(UTC)
    days = [turn_day(daily, BERLIN, start + timedelta(minutes=n)) for n in range(240)]
    assert days == sorted(days)
    assert len(set(days)) == 2
    assert turn_day(daily, BERLIN, berlin("2026-10-25T02:10", fold=1)) == days[-1]


def test_somebody_stands_in_by_the_day() -> None:
    """An override holds from its first day's hour to the end of its last day's turn."""
    stands_in = rotation(overrides=[{"from": "2026-03-03", "to": "2026-03-04", "person": "dora"}])
    assert on_call(stands_in, BERLIN, berlin("2026-03-03T07:00")) == "anna"
    assert on_call(stands_in, BERLIN, berlin("2026-03-03T08:00")) == "dora"
    assert on_call(stands_in, BERLIN, berlin("2026-03-05T07:59")) == "dora"
    assert on_call(stands_in, BERLIN, berlin("2026-03-05T08:00")) == "anna"


def test_a_rotation_stands_for_who_is_on_call() -> None:
    """Whom a step tells is named once, however they were meant."""
    config = Config.model_validate(
        {"rotations": {"on_call": {"people": ["anna", "ben"], "from": "2026-03-02"}}}
    )
    moment = datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert resolved(config, ["on_call", "anna", "sro"], moment) == ("anna", "sro")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"people": []}, "at least 1"),
        ({"overrides": [{"from": "2026-03-04", "to": "2026-03-03", "person": "x"}]}, "on or after"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused(changes: dict[str, Any], words: str) -> None:
    """Nobody in turn is no rotation, and no stand-in ends before it begins."""
    with pytest.raises(ValidationError, match=words):
        rotation(**changes)
