"""Which of a camera's pictures are looked at: so many a second, by the stream's own time."""

from __future__ import annotations

_EARLY = 0.2  # of a period that a picture may come before its time


class LookTimes:
    """The looks of a camera at `rate` a second. Times are seconds on the camera's clock."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._next = 0.0

    @property
    def period(self) -> float:
        """Seconds between two looks."""
        return 1.0 / self.rate

    @property
    def expected(self) -> float:
        """The least time of the next picture that is looked at."""
        return self._next - _EARLY * self.period

    def early(self, time: float) -> bool:
        """Whether a picture of `time` comes before its turn."""
        return _EARLY * self.period < self._next - time <= 2.0 * self.period

    def due(self, time: float) -> bool:
        """Whether to look at this picture; the turn passes on if so."""
        if self.early(time):
            return False
        ahead = self._next - time
        # Late, or the clock went back, which must not mean waiting until it is there again.
        begin_anew = not -self.period <= ahead <= 2.0 * self.period
        self._next = time + self.period if begin_anew else self._next + self.period
        return True
