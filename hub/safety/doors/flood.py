"""What one door may report in a minute, and what becomes of the rest: pure, time handed in.

A door that chatters must not fill the journal, nor hide behind its own noise what is grave: of each
kind of that as many are told as anyone can act on. What is known of a door stays true; only the
telling is bounded.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import datetime

from hub.safety.doors.facts import News

WINDOW_S = 60.0
MOST = 120
MOST_GRAVE = 60  # of one kind
CALM_AFTER_S = 30.0
ORDINARY = frozenset(
    {
        "door.opened",
        "door.closed",
        "door.locked",
        "door.unlocked",
        "door.online",
        "door.offline",
        "access.granted",
        "access.denied",
    }
)


class Flood:
    """Lets news of one door pass, at most so many in a minute."""

    def __init__(self) -> None:
        self.kept_back = 0
        self._passed: defaultdict[str, deque[float]] = defaultdict(deque)
        self._flooding = False
        self._last = float("-inf")

    def sift(self, news: Sequence[News], now: float) -> list[News]:
        """What of it is told. The first that is kept back is told of once, as `door.flooding`."""
        told: list[News] = []
        for item in news:
            ordinary = item.type in ORDINARY
            most, passed = MOST if ordinary else MOST_GRAVE, self._lately(item.type, now)
            if len(passed) < most and not (ordinary and self._flooding):
                passed.append(now)
                told.append(item)
            else:
                self.kept_back, self._last = self.kept_back + 1, now
                if not self._flooding:
                    self._flooding = True
                    facts = {"reason": f"more than {most} in a minute; the rest is only counted"}
                    told.append(News("door.flooding", item.time, facts))
        return told

    def _lately(self, kind: str, now: float) -> deque[float]:
        """When news of a kind passed in the last minute; all that is ordinary is one kind."""
        passed = self._passed["" if kind in ORDINARY else kind]
        while passed and now - passed[0] > WINDOW_S:
            passed.popleft()
        return passed

    def tick(self, now: float, wall: datetime) -> list[News]:
        """That it is over, once the door has been quiet for long enough."""
        if not self._flooding or now - self._last < CALM_AFTER_S:
            return []
        count, self.kept_back, self._flooding = self.kept_back, 0, False
        self._passed.clear()
        return [News("door.calm", wall, {"count": count})]
