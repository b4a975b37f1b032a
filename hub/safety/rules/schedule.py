"""When a schedule is in force: weekly hours on the wall clock, except on closed dates.

Hours are compared with the local wall clock, so they mean the same before and after the clocks
change: an hour that is skipped never comes, one that comes twice counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hub.config import DAYS, Schedule, Weekly
from hub.rule_settings import OneOff

Hours = tuple[time, time | None, bool]
BACK = timedelta(days=3)
AHEAD = timedelta(days=8)


class Timetable:
    """A schedule in a time zone, ready to be asked. `other` is the schedule it is made from, where
    it is `between` its hours or on its holidays.
    """

    def __init__(
        self, schedule: Schedule, timezone: str, name: str = "", other: Schedule | None = None
    ) -> None:
        self.name = schedule.name or name
        self._zone = ZoneInfo(timezone)
        self._on_closed_dates = schedule.holidays_of is not None
        closed = schedule.closed
        if other is not None:
            closed = (*closed, *other.closed)
        self._closed = tuple((dates.start, dates.end) for dates in closed)
        self._hours = _hours(schedule)
        self._also: dict[date, list[Hours]] = {}
        for event in schedule.also:
            self._also.setdefault(event.day, []).append(_span(event))
        if other is not None and schedule.between is not None:
            longest = timedelta(seconds=schedule.longest)
            self._hours = {day: _gaps(spans, longest) for day, spans in _hours(other).items()}

    def in_force(self, moment: datetime) -> bool:
        """Whether the schedule is in force at an aware moment.

        Hours that pass midnight belong to the day they begin on: they are off when that day is
        closed, and they end with midnight when the next one is.
        """
        local = moment.astimezone(self._zone)
        today, now = local.date(), local.time()
        if self._at_an_event(today, now):
            return True
        if self._on_closed_dates:
            return self._is_closed(today)
        if self._is_closed(today):
            return False
        if any(_began(span, now) for span in self._hours[today.weekday()]):
            return True
        yesterday = today - timedelta(days=1)
        return not self._is_closed(yesterday) and any(
            _runs_over(span, now) for span in self._hours[yesterday.weekday()]
        )

    def since(self, moment: datetime) -> datetime:
        """Since when it has been as it is at the moment, without a break; three days at most."""
        state, first = self.in_force(moment), moment - BACK
        for edge in sorted(self._edges(first, moment), reverse=True):
            before = edge - timedelta(microseconds=1)
            if self.in_force(before) is not state:
                return edge
        return first

    def next_change(self, moment: datetime) -> datetime:
        """When it will next be otherwise; eight days later where that is further away."""
        state, last = self.in_force(moment), moment + AHEAD
        for edge in sorted(self._edges(moment, last)):
            if edge > moment and self.in_force(edge) is not state:
                return edge
        return last

    def local(self, moment: datetime) -> datetime:
        """The moment on the school's wall clock."""
        return moment.astimezone(self._zone)

    def _edges(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Every moment in between at which it may change, in no order."""
        day, end = self.local(first).date(), self.local(last).date()
        while day <= end:
            spans = [*self._hours[day.weekday()], *self._also.get(day, ())]
            hours = {time(0, 0), *(begin for begin, _, _ in spans)}
            hours |= {until for _, until, over in spans if until is not None and not over}
            yesterday = day - timedelta(days=1)
            before = [*self._hours[yesterday.weekday()], *self._also.get(yesterday, ())]
            hours |= {until for _, until, over in before if until is not None and over}
            for hour in hours:
                edge = datetime.combine(day, hour, self._zone).astimezone(UTC)
                if first <= edge <= last:
                    yield edge
            day += timedelta(days=1)

    def _at_an_event(self, today: date, now: time) -> bool:
        """Whether a single event goes on, which no closed date prevents."""
        if any(_began(span, now) for span in self._also.get(today, ())):
            return True
        yesterday = self._also.get(today - timedelta(days=1), ())
        return any(_runs_over(span, now) for span in yesterday)

    def _is_closed(self, day: date) -> bool:
        return any(first <= day <= last for first, last in self._closed)


def timetables(schedules: Mapping[str, Schedule], timezone: str) -> dict[str, Timetable]:
    """Every schedule of a configuration, by id."""
    return {
        name: Timetable(
            schedule, timezone, name, schedules.get(schedule.between or schedule.holidays_of or "")
        )
        for name, schedule in schedules.items()
    }


def _hours(schedule: Schedule) -> dict[int, list[Hours]]:
    hours: dict[int, list[Hours]] = {day: [] for day in range(7)}
    for weekly in schedule.weekly:
        for day in weekly.days:
            hours[DAYS.index(day)].append(_span(weekly))
    return hours


def _gaps(spans: list[Hours], longest: timedelta) -> list[Hours]:
    """What lies between the hours of one day, as far as it is no longer than that."""
    gaps: list[Hours] = []
    end: time | None = None
    for begin, until, over in sorted(spans, key=lambda span: span[0]):
        if end is not None and end < begin and _minutes(begin) - _minutes(end) <= longest:
            gaps.append((end, begin, False))
        if until is None or over:
            break
        end = until if end is None else max(end, until)
    return gaps


def _minutes(hour: time) -> timedelta:
    return timedelta(
        hours=hour.hour, minutes=hour.minute, seconds=hour.second, microseconds=hour.microsecond
    )


def _span(weekly: Weekly | OneOff) -> Hours:
    start = weekly.start.replace(tzinfo=None)
    if weekly.end == "24:00":
        return start, None, False
    assert isinstance(weekly.end, time)
    end = weekly.end.replace(tzinfo=None)
    return start, end, end <= start


def _began(span: Hours, now: time) -> bool:
    start, end, over_midnight = span
    return start <= now and (end is None or over_midnight or now < end)


def _runs_over(span: Hours, now: time) -> bool:
    _, end, over_midnight = span
    return over_midnight and end is not None and now < end
