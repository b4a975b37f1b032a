"""What a registration system exports: a CSV file with a line for each expected visit."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from hub import NotReady, Visit

COLUMNS = ("visitor", "host", "purpose", "from", "until")
FORM = "%Y-%m-%d %H:%M"
MOST = 20_000  # lines; a longer file is no list of visitors
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Listed:
    """The visits of a file, what is wrong with its other lines, and which file it was."""

    stamp: Stamp = (0, 0, 0)
    visits: tuple[Visit, ...] = ()
    wrong: tuple[str, ...] = field(default=())


def stamp(file: Path) -> Stamp:
    """What changes when the file does. Raises `NotReady` where there is none."""
    try:
        found = file.stat()
    except OSError as error:
        raise NotReady(f"cannot read {file}: {error.strerror}") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def read(file: Path, zone: ZoneInfo) -> Listed:
    """Every sound line. Raises `NotReady` where the file cannot be read or is another file."""
    seen = stamp(file)
    visits: dict[str, Visit] = {}
    wrong: list[str] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            lacking = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if lacking:
                expected, lack = ", ".join(COLUMNS), ", ".join(lacking)
                raise NotReady(f"{file}:1: expected the columns {expected}; found no {lack}")
            for row in rows:
                if rows.line_num > MOST:
                    raise NotReady(f"{file}: expected at most {MOST} lines")
                try:
                    visit = _visit(row, zone)
                    visits[visit.id] = visit
                except ValueError as error:
                    wrong.append(f"{file}:{rows.line_num}: {error}")
    except OSError as error:
        raise NotReady(f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotReady(f"cannot read {file}: expected CSV in UTF-8") from error
    return Listed(seen, tuple(visits.values()), tuple(wrong))


def _visit(row: dict[str, str | None], zone: ZoneInfo) -> Visit:
    """The visit of a line. Raises `ValueError` with its column and what was expected."""
    if None in row or None in row.values():
        raise ValueError("expected a value for each column of line 1")
    given = {name: " ".join((row[name] or "").split()) for name in COLUMNS}
    if not given["visitor"]:
        raise ValueError("visitor: expected a name, found nothing")
    begin, end = (_moment(given, name, zone) for name in ("from", "until"))
    if end <= begin:
        raise ValueError(f"until: expected a time after {given['from']}, found {given['until']}")
    named = "|".join((given["visitor"], given["host"], begin.isoformat()))
    id_ = uuid5(NAMESPACE_OID, named).hex
    return Visit(id_, given["visitor"], given["host"], given["purpose"], begin, end)


def _moment(given: dict[str, str], column: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(given[column], FORM).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        found = repr(given[column][:20])
        raise ValueError(
            f"{column}: expected a time such as 2026-03-02 09:30, found {found}"
        ) from None
