"""Who is on call: people in turn, on the wall clock, except where somebody stands in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.config import Config, Rotation


def on_call(rotation: Rotation, timezone: str, moment: datetime) -> str:
    """The person who is on call at an aware moment. Before the first turn the others count back
    from it.
    """
    day = turn_day(rotation, timezone, moment)
    for override in rotation.overrides:
        if override.start <= day <= override.end:
            return override.person
    days = (day - rotation.start).days
    turn = days if rotation.every == "day" else days // 7
    return rotation.people[turn % len(rotation.people)]


def turn_day(rotation: Rotation, timezone: str, moment: datetime) -> date:
    """The day whose turn it is: a day lasts from the hour `at` to that hour of the next one, also
    where the clocks change. An hour that comes twice changes turns once, the first time.
    """
    zone = ZoneInfo(timezone)
    day = moment.astimezone(zone).date()
    changes = datetime.combine(day, rotation.at.replace(tzinfo=None), zone).astimezone(UTC)
    return day if moment >= changes else day - timedelta(days=1)


def resolved(config: Config, tell: Iterable[str], moment: datetime) -> tuple[str, ...]:
    """Whom to tell at a moment, each rotation replaced by the person who is on call then."""
    rotations, timezone = config.rotations, config.hub.timezone
    found = (
        on_call(rotations[name], timezone, moment) if name in rotations else name for name in tell
    )
    return tuple(dict.fromkeys(found))
