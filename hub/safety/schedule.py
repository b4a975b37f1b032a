"""When a schedule is in force: weekly hours on the wall clock, except on closed dates.

Hours are compared with the local wall clock, so they mean the same before and after the clocks
change: an hour that is skipped never comes, one that comes twice counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hub.config import DAYS, Schedule, Weekly


class Timetable:
    """A schedule in a time zone, ready to be asked."""

    def __init__(self, schedule: Schedule, timezone: str, name: str = "") -> None:
        self.name = schedule.name or name
        self._zone = ZoneInfo(timezone)
        self._closed = tuple((dates.start, dates.end) for dates in schedule.closed)
        self._hours: dict[int, list[tuple[time, time | None, bool]]] = {day: [] for day in range(7)}
        for weekly in schedule.weekly:
            for day in weekly.days:
                self._hours[DAYS.index(day)].append(_span(weekly))

    def in_force(self, moment: datetime) -> bool:
        """Whether the schedule is in force at an aware moment.

        Hours that pass midnight belong to the day they begin on: they are off when that day is
        closed, and they end with midnight when the next one is.
        """
        local = moment.astimezone(self._zone)
        today, now = local.date(), local.time()
        if self._is_closed(today):
            return False
        if any(_began(span, now) for span in self._hours[today.weekday()]):
            return True
        yesterday = today - timedelta(days=1)
        return not self._is_closed(yesterday) and any(
            _runs_over(span, now) for span in self._hours[yesterday.weekday()]
        )

    def local(self, moment: datetime) -> datetime:
        """The moment on the school's wall clock."""
        return moment.astimezone(self._zone)

    def _is_closed(self, day: date) -> bool:
        return any(first <= day <= last for first, last in self._closed)


def timetables(schedules: Mapping[str, Schedule], timezone: str) -> dict[str, Timetable]:
    """Every schedule of a configuration, by id."""
    return {name: Timetable(schedule, timezone, name) for name, schedule in schedules.items()}


def _span(weekly: Weekly) -> tuple[time, time | None, bool]:
    start = weekly.start.replace(tzinfo=None)
    if weekly.end == "24:00":
        return start, None, False
    assert isinstance(weekly.end, time)
    end = weekly.end.replace(tzinfo=None)
    return start, end, end <= start


def _began(span: tuple[time, time | None, bool], now: time) -> bool:
    start, end, over_midnight = span
    return start <= now and (end is None or over_midnight or now < end)


def _runs_over(span: tuple[time, time | None, bool], now: time) -> bool:
    _, end, over_midnight = span
    return over_midnight and end is not None and now < end
