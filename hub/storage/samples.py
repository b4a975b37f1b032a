"""What was measured: rows kept for so long and no longer, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from hub.clock import from_iso, iso
from hub.storage.sample_tables import samples

Figures = Mapping[str, float]
KEPT: Mapping[int, timedelta] = {1: timedelta(hours=25), 10: timedelta(days=7, hours=1)}


def keep(connection: Connection, minutes: int, now: datetime, body: Mapping[str, Any]) -> None:
    """Add a row, and let go of those that are too old. A clock that was set back writes over."""
    text = json.dumps(body, separators=(",", ":"))
    same = (samples.c.minutes == minutes, samples.c.time >= iso(now))
    connection.execute(delete(samples).where(*same))
    connection.execute(insert(samples), {"minutes": minutes, "time": iso(now), "body": text})
    oldest = iso(now - KEPT[minutes])
    old = (samples.c.minutes == minutes, samples.c.time < oldest)
    connection.execute(delete(samples).where(*old))


def rows(connection: Connection, minutes: int, since: datetime) -> list[tuple[str, str]]:
    """The rows since a moment, oldest first, as they stand there."""
    wanted = (samples.c.minutes == minutes, samples.c.time >= iso(since))
    found = connection.execute(
        select(samples.c.time, samples.c.body).where(*wanted).order_by(samples.c.time)
    )
    return [(row.time, row.body) for row in found]


def figures(row: tuple[str, str], about: str) -> tuple[float, Figures]:
    """When a row was written (s since the epoch) and what it says of the hub, or `camera/ID`."""
    kind, _, name = about.partition("/")
    body = json.loads(row[1])
    found = body["hub"] if kind == "hub" else body["cameras"].get(name, {})
    return from_iso(row[0]).timestamp(), found
