"""A hard limit on working time: so many seconds of every second, and no debt is forgiven."""

from __future__ import annotations

_SAVED = 1.0  # seconds for which what is not used stays usable


class Allowance:
    """`share` is how many seconds of each second may be spent, by all threads together.

    Work may begin while something is left, so a single piece of work overdraws by its own length at
    most; that is paid back before the next one. Times are seconds of one clock that never goes
    back. Not thread-safe: its user holds a lock.
    """

    def __init__(self, share: float, now: float) -> None:
        self.share = share
        self._left = share * _SAVED
        self._at = now

    def wait(self, now: float) -> float:
        """For how long nothing may begin; 0 when something may."""
        self._refill(now)
        return 0.0 if self._left > 0 else max(1e-3, -self._left / self.share)

    def spend(self, seconds: float, now: float) -> None:
        """Take off what was worked."""
        self._refill(now)
        self._left -= seconds

    def _refill(self, now: float) -> None:
        earned = max(0.0, now - self._at) * self.share
        self._left = min(self.share * _SAVED, self._left + earned)
        self._at = max(self._at, now)
