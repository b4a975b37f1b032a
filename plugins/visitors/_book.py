"""The desk's book: who is here, who was, and who came unannounced, kept on disk."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub import StateError, Visit, from_iso, iso

KEPT_DAYS = 7


@dataclass
class Book:
    """Visits by their id, and those of which it was told that they last too long."""

    visits: dict[str, Visit] = field(default_factory=dict)
    overstayed: set[str] = field(default_factory=set)

    def having(self, visit: Visit, oldest: datetime) -> Book:
        """The book with a visit as it is now, without those that were over before `oldest`."""
        known = {**self.visits, visit.id: visit}
        kept = {id_: each for id_, each in known.items() if _goes_on(each, oldest)}
        return Book(kept, self.overstayed & kept.keys())

    def next_badge(self, now: datetime, zone: ZoneInfo) -> str:
        """The number after all that were given today, or are still worn: no two are alike."""
        today = now.astimezone(zone).date()
        given = [
            int(each.badge)
            for each in self.visits.values()
            if each.badge.isdecimal() and each.arrived is not None
            if each.state == "here" or each.arrived.astimezone(zone).date() == today
        ]
        return str(max(given, default=0) + 1)


def _goes_on(visit: Visit, oldest: datetime) -> bool:
    over = visit.left or (visit.until if visit.arrived is None else None)
    return over is None or over > oldest


def load(file: Path) -> Book:
    """The book as it was kept; an empty one where none was. Raises `StateError`."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        visits = {row["id"]: _visit(row) for row in kept["visits"]}
        return Book(visits, set(kept["overstayed"]) & visits.keys())
    except FileNotFoundError:
        return Book()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"cannot read who is here from {file}: {error}; move it away") from error


def _visit(row: dict[str, Any]) -> Visit:
    times = {
        name: from_iso(row[name]) if row[name] else None
        for name in ("expected", "until", "arrived", "left")
    }
    return Visit(**{**row, **times})


def store(file: Path, book: Book) -> None:
    """Keep the book: all of it or, if the power goes, the one before. Raises `OSError`."""
    rows = [
        {
            "id": visit.id,
            "visitor": visit.visitor,
            "host": visit.host,
            "purpose": visit.purpose,
            "expected": iso(visit.expected),
            "until": iso(visit.until),
            "arrived": iso(visit.arrived) if visit.arrived else None,
            "left": iso(visit.left) if visit.left else None,
            "badge": visit.badge,
        }
        for visit in book.visits.values()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        json.dump({"visits": rows, "overstayed": sorted(book.overstayed)}, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
