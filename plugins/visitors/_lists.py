"""The desk's lists, read from CSV: who is expected, and who must not be let in without a person."""

from __future__ import annotations

import csv
import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from hub import BadConfig, Problem, Visit

EXPECTED_COLUMNS = ("visitor", "host", "purpose", "from", "until")
STOPPED_COLUMNS = ("name", "reason")
MAX_ROWS = 20_000
# Letters that are no letter with an accent, as people write them who have no such key.
_SPELT = {
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h",
}  # fmt: skip
# An umlaut may be written out; folded in every name alike, so that nothing else comes apart.
_WRITTEN_OUT = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))
_APOSTROPHES = "'’‘ʼ´`"
_TITLES = frozenset(
    (
        "mr",
        "mrs",
        "ms",
        "miss",
        "mx",
        "dr",
        "prof",
        "sir",
        "sr",
        "sra",
        "srta",
        "herr",
        "frau",
        "jr",
    )
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list with its values by column."""

    file: Path
    line: int
    text: str
    values: dict[str, str]

    def problem(self, column: str, message: str) -> Problem:
        """Something wrong with a value of this line."""
        value = self.values.get(column, "")
        found = self.text.find(value) if value else -1
        return Problem(str(self.file), self.line, max(0, found) + 1, column, message)


@dataclass(frozen=True, slots=True)
class Expected:
    """Somebody expected, on one date or (with `day` None) every day."""

    visitor: str
    host: str
    purpose: str
    day: date | None
    start: time
    until_day: date | None
    end: time

    def visit(self, day: date, zone: ZoneInfo) -> Visit:
        """The visit of that day; one that ends before it starts ends on the next."""
        expected = datetime.combine(day, self.start, zone)
        last = self.until_day or (day if self.end > self.start else day + timedelta(days=1))
        until = datetime.combine(last, self.end, zone)
        named = "|".join((self.visitor, self.host, expected.isoformat(), until.isoformat()))
        return Visit(
            id=hashlib.sha256(named.encode()).hexdigest()[:16],
            visitor=self.visitor,
            host=self.host,
            purpose=self.purpose,
            expected=expected.astimezone(UTC),
            until=until.astimezone(UTC),
        )


@dataclass(frozen=True, slots=True)
class Stopped:
    """A name on the do-not-admit list."""

    name: str
    reason: str


def read_expected(file: Path) -> list[Expected]:
    """The pre-registered list. Raises `BadConfig` with every problem, by file, line and column."""
    return _read(file, EXPECTED_COLUMNS, _expected)


def read_stopped(file: Path) -> list[Stopped]:
    """The do-not-admit list. Raises `BadConfig`."""
    return _read(
        file, STOPPED_COLUMNS, lambda row: Stopped(_given(row, "name"), _of(row, "reason"))
    )


def visits_of(expected: Sequence[Expected], now: datetime, zone: ZoneInfo) -> list[Visit]:
    """The visits that touch the day that `now` is in, there."""
    today = now.astimezone(zone).date()
    begin = datetime.combine(today, time(0), zone)
    end = datetime.combine(today + timedelta(days=1), time(0), zone)
    made = [
        entry.visit(day, zone)
        for entry in expected
        for day in ((today - timedelta(days=1), today) if entry.day is None else (entry.day,))
    ]
    return [visit for visit in made if visit.expected < end and visit.until > begin]


def stopped_by(rows: Sequence[Stopped], visitor: str) -> Stopped | None:
    """Who on the do-not-admit list this visitor may be."""
    return next((each for each in rows if may_be_same(each.name, visitor)), None)


def may_be_same(one: str, other: str) -> bool:
    """Whether two names may be one person's: rather once too often, since a match only asks.

    Case, accents and how they are written out, order, hyphens, apostrophes and titles do not count.
    A middle name may be missing, and stand as an initial, as a first name may.
    """
    parts, others = _parts(one), _parts(other)
    if not parts or not others:
        return False
    if sorted(parts) == sorted(others) or "".join(parts) == "".join(others):
        return True
    shorter, longer = (list(each) for each in sorted((parts, others), key=len))
    whole = 0
    for part in sorted(shorter, key=len, reverse=True):  # whole names before initials
        found = next((each for each in longer if each == part), None)
        whole += found is not None
        found = found or next((each for each in longer if _initial(part, each)), None)
        if found is None:
            return False
        longer.remove(found)
    return len(shorter) > 1 and whole > 0


def _initial(one: str, other: str) -> bool:
    return one[0] == other[0] and 1 in (len(one), len(other))


@lru_cache(MAX_ROWS)
def _parts(name: str) -> tuple[str, ...]:
    """The words of a name, in letters that every keyboard has."""
    folded = unicodedata.normalize("NFKD", name.casefold()).casefold()
    letters = "".join(
        _SPELT.get(c, c if c.isalnum() else "" if _inside(c) else " ")
        for c in folded
        if not unicodedata.combining(c)
    )
    for written, letter in _WRITTEN_OUT:
        letters = letters.replace(written, letter)
    words = letters.split()
    return tuple(word for word in words if word not in _TITLES) or tuple(words)


def _inside(character: str) -> bool:
    """Whether it stands inside a word without parting it: an apostrophe, or nothing to see."""
    return character in _APOSTROPHES or unicodedata.category(character) in ("Cc", "Cf")


class _Wrong(Exception):
    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def _read(file: Path, columns: Sequence[str], parse: Callable[[Row], T]) -> list[T]:
    made: list[T] = []
    problems: list[Problem] = []
    seen: dict[T, int] = {}
    for row in _rows(file, columns):
        try:
            item = parse(row)
            if item in seen:
                raise _Wrong(columns[0], f"the same as line {seen[item]}; expected each line once")
            seen[item] = row.line
            made.append(item)
        except _Wrong as wrong:
            problems.append(row.problem(wrong.column, str(wrong)))
    if problems:
        raise BadConfig(problems)
    return made


def _rows(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    def broken(line: int, message: str) -> BadConfig:
        return BadConfig([Problem(str(file), line, 1, "", message)])

    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except OSError as error:
        raise broken(1, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise broken(1, "is not UTF-8 text; expected a CSV saved as UTF-8") from error
    reader = csv.reader(lines, strict=True)
    wanted = ", ".join(columns)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        if sorted(head) != sorted(columns):
            raise broken(1, f"has the columns {', '.join(head) or '(none)'}; expected {wanted}")
        for count, fields in enumerate(reader):
            line = reader.line_num
            if not any(field.strip() for field in fields):
                continue
            if count >= MAX_ROWS:
                raise broken(line, f"is too long; expected at most {MAX_ROWS} lines")
            if len(fields) != len(head):
                raise broken(line, f"has {len(fields)} values; expected {len(head)}: {wanted}")
            values = {name: field.strip() for name, field in zip(head, fields, strict=True)}
            yield Row(file, line, lines[line - 1], values)
    except csv.Error as error:
        raise broken(reader.line_num, f"is not CSV: {error}") from error


def _expected(row: Row) -> Expected:
    day, start = _moment(row, "from")
    until_day, end = _moment(row, "until")
    if (day is None) != (until_day is None):
        raise _Wrong("until", "expected a date in both `from` and `until`, or in neither")
    if day is not None and until_day is not None and (until_day, end) <= (day, start):
        raise _Wrong("until", "expected `until` after `from`")
    return Expected(
        _given(row, "visitor"), _given(row, "host"), _of(row, "purpose"), day, start, until_day, end
    )


def _stopped(row: Row) -> Stopped:
    return Stopped(_given(row, "name"), _of(row, "reason"))


def _moment(row: Row, column: str) -> tuple[date | None, time]:
    text = _given(row, column)
    for form in ("%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"):
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            continue
        return (None if form == "%H:%M" else moment.date()), moment.time()
    raise _Wrong(column, f"{text!r} is no time; expected HH:MM for every day or YYYY-MM-DD HH:MM")


def _given(row: Row, column: str) -> str:
    value = _of(row, column)
    if not value:
        raise _Wrong(column, "is empty; expected a value")
    return value


def _of(row: Row, column: str) -> str:
    return " ".join(row.values[column].split())
