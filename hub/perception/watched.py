"""What the hub knows about one camera that its workers watch."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hub.perception.spec import CameraSpec

COUNTED = ("decoded", "triggered", "inferred", "dropped", "damaged", "faults", "missed")

RATE_OVER_S = 10.0
RATE_KNOWN_AFTER_S = 2.0

State = Literal["starting", "online", "offline"]


@dataclass(frozen=True, slots=True)
class CameraCounters:
    """One camera as perception sees it; counts go on over restarts of the worker.

    `picture_age_s` is the age of the newest decoded picture, `reason` why none comes, or what is
    wrong with those that come, `since` since when that is its state, `rate` pictures a second.
    """

    state: State
    reason: str
    since: datetime | None
    rate: float
    decoded: int
    triggered: int
    inferred: int
    dropped: int
    damaged: int
    faults: int
    missed: int
    gate: str
    picture_time: datetime | None
    picture_age_s: float | None
    detector: str
    guessing: bool
    worker: str


@dataclass(slots=True)
class Watched:
    """One camera: what its worker is told, and what it has said.

    `wrong` is what is wrong with its pictures by the latest health, in words; `told` is what of
    that the journal has, and has not been told to be over.
    """

    spec: CameraSpec
    since: float
    state: State = "starting"
    changed: datetime | None = None
    reason: str = ""
    gate: str = "warming"
    wrong: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    picture_at: float | None = None
    before: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    now: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    kills: int = 0
    counted: deque[tuple[float, int]] = field(default_factory=deque)

    def total(self, name: str) -> int:
        """A count over all lives of its worker."""
        return self.before[name] + self.now[name]

    def new_life(self) -> None:
        """Its worker is gone: what was counted is history."""
        self.before = {name: self.total(name) for name in COUNTED}
        self.now = dict.fromkeys(COUNTED, 0)

    def count(self, at: float) -> None:
        """Remember how many pictures had come by this moment (s, monotonic)."""
        self.counted.append((at, self.total("decoded")))
        while self.counted[0][0] < at - RATE_OVER_S:
            self.counted.popleft()

    def rate(self, at: float) -> float:
        """Pictures a second over the last ten seconds; 0 while too little is known."""
        if not self.counted or at - self.counted[-1][0] > RATE_OVER_S:
            return 0.0
        (since, before), (until, after) = self.counted[0], self.counted[-1]
        took = until - since
        return (after - before) / took if took >= RATE_KNOWN_AFTER_S else 0.0
