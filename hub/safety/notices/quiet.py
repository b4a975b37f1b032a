"""Quiet hours: what comes to a person's own address and is not grave enough waits until they end.

A severe notice never waits. What is held is no less in the outbox: it comes as one digest, or by
itself where it is the only one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.config import Config
from hub.kinds.notifiers import SEVERITIES
from hub.safety.rules.schedule import Timetable, timetables


@dataclass(frozen=True)
class QuietHours:
    """Who is not to be disturbed when, and from which severity on all the same."""

    _of: Mapping[str, tuple[Timetable, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config) -> QuietHours:
        """The quiet hours of everybody who has some."""
        times = timetables(config.schedules, config.hub.timezone)
        return cls(
            {
                person: (times[block.quiet], SEVERITIES.index(block.wake_for))
                for person, block in config.people.items()
                if block.quiet is not None and block.quiet in times
            }
        )

    def until(self, payload: Mapping[str, Any], now: datetime) -> datetime | None:
        """Until when a notice waits; None where it goes at once. One that a channel spreads to
        several people, or that has no address of the person's own, goes at once.
        """
        to = payload["to"]
        if len(to) != 1 or not to[0]["contact"] or to[0]["person"] not in self._of:
            return None
        times, wakes = self._of[to[0]["person"]]
        if SEVERITIES.index(payload["severity"]) <= wakes or not times.in_force(now):
            return None
        return times.next_change(now)
