"""Schedules follow the wall clock, past midnight, on closed dates and through clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.config import DAYS, Schedule
from hub.safety.rules.schedule import Timetable

BERLIN = ZoneInfo("Europe/Berlin")


def table(weekly: object = None, closed: object = (), zone: str = "Europe/Berlin") -> Timetable:
    """A timetable from plain values."""
    values: dict[str, object] = {"closed": closed}
    if weekly is not None:
        values["weekly"] = weekly
    return Timetable(Schedule.model_validate(values), zone)


def local(text: str, fold: int = 0) -> datetime:
    """A moment by Berlin's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


WEEKDAYS = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "16:00"}


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        ("2026-03-02T07:59:59", False),
        ("2026-03-02T08:00:00", True),
        ("2026-03-02T15:59:59.999999", True),
        ("2026-03-02T16:00:00", False),
        ("2026-03-07T10:00:00", False),
    ],
)
def test_hours_begin_with_from_and_end_before_to(moment: str, wanted: bool) -> None:
    """A span holds from its first instant to just before its last, on its days."""
    assert table([WEEKDAYS]).in_force(local(moment)) is wanted


def test_the_default_is_always() -> None:
    """A schedule without hours is in force all day, every day, to the last instant."""
    always = table()
    assert always.in_force(local("2026-03-02T00:00"))
    assert always.in_force(local("2026-03-02T23:59:59.999999"))


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        ("2026-03-06T21:59", False),
        ("2026-03-06T22:00", True),
        ("2026-03-07T05:59", True),
        ("2026-03-07T06:00", False),
        ("2026-03-08T05:00", False),
    ],
)
def test_hours_past_midnight_belong_to_the_day_they_begin(moment: str, wanted: bool) -> None:
    """Friday 22:00 to 06:00 reaches into Saturday, and only then."""
    night = table([{"days": ["fri"], "from": "22:00", "to": "06:00"}])
    assert night.in_force(local(moment)) is wanted


def test_sunday_night_reaches_into_monday() -> None:
    """The week wraps around."""
    night = table([{"days": ["sun"], "from": "23:00", "to": "01:00"}])
    assert night.in_force(local("2026-03-02T00:30"))


def test_24_00_is_the_end_of_the_day() -> None:
    """To 24:00 means to the last instant, and not a moment of the next day."""
    late = table([{"days": ["mon"], "from": "18:00", "to": "24:00"}])
    assert late.in_force(local("2026-03-02T23:59:59"))
    assert not late.in_force(local("2026-03-03T00:00"))


def test_closed_dates_include_both_ends() -> None:
    """On the first and the last closed day nothing is in force; around them it is."""
    term = table([WEEKDAYS], closed=[{"from": "2026-03-03", "to": "2026-03-04"}])
    hours = [term.in_force(local(f"2026-03-0{day}T10:00")) for day in (2, 3, 4, 5)]
    assert hours == [True, False, False, True]


def test_a_closed_day_has_no_night_and_no_early_morning() -> None:
    """The night that begins on a closed day is off, and the one before it ends at midnight."""
    night = table(
        [{"from": "22:00", "to": "06:00"}], closed=[{"from": "2026-03-03", "to": "2026-03-03"}]
    )
    assert night.in_force(local("2026-03-02T23:00"))
    assert not night.in_force(local("2026-03-03T01:00"))
    assert not night.in_force(local("2026-03-03T23:00"))
    assert not night.in_force(local("2026-03-04T01:00"))
    assert night.in_force(local("2026-03-04T22:00"))


def test_the_time_zone_decides_the_hour() -> None:
    """The same instant is inside in one zone and outside in another."""
    moment = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
    assert table([WEEKDAYS]).in_force(moment)
    assert not table([WEEKDAYS], zone="America/Chicago").in_force(moment)


def test_clock_changes_move_no_hours() -> None:
    """School begins at eight by the wall clock on both sides of a change, in UTC an hour apart."""
    daily = table([{"from": "08:00", "to": "16:00"}])
    for day, first in (("2026-03-28", 7), ("2026-03-29", 6), ("2026-10-24", 6), ("2026-10-25", 7)):
        start = datetime.fromisoformat(day).replace(hour=first, tzinfo=UTC)
        assert daily.in_force(start)
        assert not daily.in_force(start - timedelta(seconds=1))


def test_the_hour_that_comes_twice_counts_twice() -> None:
    """When clocks go back, both passes of the hour are in force; the skipped one never comes."""
    night = table([{"from": "02:00", "to": "03:00"}])
    assert night.in_force(local("2026-10-25T02:30", fold=0))
    assert night.in_force(local("2026-10-25T02:30", fold=1))
    skipped = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert not any(night.in_force(skipped + timedelta(minutes=n)) for n in range(90))


def plainly(schedule: Schedule, moment: datetime) -> bool:
    """The meaning, spelt out minute by minute instead of by comparing spans."""
    for back in (0, 1):
        day = moment.date() - timedelta(days=back)
        if any(r.start <= d <= r.end for r in schedule.closed for d in (day, moment.date())):
            continue
        for weekly in schedule.weekly:
            if DAYS[day.weekday()] not in weekly.days:
                continue
            start = weekly.start.hour * 60 + weekly.start.minute
            end = 1440 if weekly.end == "24:00" else weekly.end.hour * 60 + weekly.end.minute
            minute = back * 1440 + moment.hour * 60 + moment.minute
            if start <= minute < (end if end > start else end + 1440):
                return True
    return False


clock_times = st.times().map(lambda t: time(t.hour, t.minute).isoformat("minutes"))
spans = st.fixed_dictionaries(
    {
        "days": st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
        "from": clock_times,
        "to": st.one_of(clock_times, st.just("24:00")),
    }
)
days = st.dates(date(2026, 1, 1), date(2026, 1, 20))
closings = st.tuples(days, st.integers(0, 3)).map(
    lambda c: {"from": c[0].isoformat(), "to": (c[0] + timedelta(days=c[1])).isoformat()}
)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(spans, min_size=1, max_size=3),
    st.lists(closings, max_size=2),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 20)),
)
def test_any_schedule_means_what_it_says(weekly: object, closed: object, moment: datetime) -> None:
    """Whatever the hours and closed dates, the answer is the one spelt out minute by minute."""
    schedule = Schedule.model_validate({"weekly": weekly, "closed": closed})
    moment = moment.replace(tzinfo=UTC)
    assert Timetable(schedule, "UTC").in_force(moment) is plainly(schedule, moment)


LESSONS = {
    "weekly": [
        {"days": ["mon"], "from": "08:00", "to": "08:45"},
        {"days": ["mon"], "from": "08:50", "to": "09:35"},
        {"days": ["mon"], "from": "10:05", "to": "10:50"},
        {"days": ["tue"], "from": "08:00", "to": "08:45"},
    ],
    "closed": [{"from": "2026-03-09", "to": "2026-03-13"}],
}


def made_from(**keys: object) -> Timetable:
    """A timetable made from the lessons."""
    lessons = Schedule.model_validate(LESSONS)
    return Timetable(Schedule.model_validate(keys), "Europe/Berlin", "x", lessons)


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        ("2026-03-02T08:44:59", False),
        ("2026-03-02T08:45:00", True),
        ("2026-03-02T08:49:59", True),
        ("2026-03-02T08:50:00", False),
        ("2026-03-02T09:40:00", False),  # half an hour is no passing period
        ("2026-03-02T11:00:00", False),
        ("2026-03-03T08:47:00", False),
        ("2026-03-09T08:47:00", False),  # closed with the lessons
    ],
)
def test_passing_periods_are_the_short_gaps_between_lessons(moment: str, wanted: bool) -> None:
    """Between the hours of one day, no longer than `longest`, and never on closed dates."""
    assert made_from(between="lessons").in_force(local(moment)) is wanted


def test_a_longer_gap_counts_where_it_may() -> None:
    """`longest` says what is still a gap."""
    assert made_from(between="lessons", longest="30m").in_force(local("2026-03-02T09:40:00"))


def test_holidays_are_the_closed_dates_of_another() -> None:
    """All day, from the first to the last of them."""
    holidays = made_from(holidays_of="lessons")
    days = ["2026-03-08T23:59", "2026-03-09T00:00", "2026-03-13T23:59", "2026-03-14T00:00"]
    assert [holidays.in_force(local(f"{day}:30")) for day in days] == [False, True, True, False]


@settings(max_examples=80, deadline=None)
@given(
    minutes=st.integers(0, 60 * 24 * 21),
    spans=st.lists(
        st.tuples(st.sampled_from(DAYS), st.integers(0, 23), st.integers(0, 23)), max_size=4
    ),
)
def test_since_and_next_change_agree_with_in_force(
    minutes: int, spans: list[tuple[str, int, int]]
) -> None:
    """It has been so since then, was otherwise just before, and will be so until it changes."""
    weekly = [{"days": [d], "from": f"{a:02}:00", "to": f"{b:02}:30"} for d, a, b in spans]
    found = table(weekly, [{"from": "2026-03-25", "to": "2026-03-26"}])
    moment = datetime(2026, 3, 15, tzinfo=UTC) + timedelta(minutes=minutes)
    state, begun, end = found.in_force(moment), found.since(moment), found.next_change(moment)
    assert begun <= moment < end
    if begun > moment - timedelta(days=3):
        assert found.in_force(begun - timedelta(seconds=1)) is not state
    if end < moment + timedelta(days=8):
        assert found.in_force(end) is not state
    step = begun
    while step < end:
        assert found.in_force(step) is state
        step += timedelta(minutes=30)
