"""School years: from which moment to which, and what people call them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Year:
    """A school year, by the calendar year it begins in; `ends` is when the next begins."""

    year: int
    name: str
    begins: datetime
    ends: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        return self.begins <= moment < self.ends


class Years:
    """The school years of a school; `first_day` is month and day, such as `08-01`."""

    def __init__(self, first_day: str, timezone: str) -> None:
        self._month, self._day = (int(part) for part in first_day.split("-"))
        self._zone = ZoneInfo(timezone)

    def of(self, moment: datetime) -> int:
        """The calendar year in which the school year of a moment began."""
        local = moment.astimezone(self._zone)
        return local.year - ((local.month, local.day) < (self._month, self._day))

    def year(self, year: int) -> Year:
        """One school year. Raises `ValueError` for one that no calendar has."""
        whole = (self._month, self._day) == (1, 1)
        name = str(year) if whole else f"{year}/{(year + 1) % 100:02d}"
        return Year(year, name, self._first(year), self._first(year + 1))

    def _first(self, year: int) -> datetime:
        return datetime.combine(date(year, self._month, self._day), time(), self._zone)
