"""How long a worker had no processor for the pictures that had come.

On a machine that has more to do than it can, a worker gives way to all else. Its cameras are no
less well for that, and each of them would be told of as offline, again and again. What its threads
waited for a processor is therefore taken off a silence; but not for ever, for nobody looks then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from hub.clock import Clock
from hub.procfs import waits
from hub.silence import MOST_FORGIVEN_S

RECEIVE_AND_LOOK = ("demux", "look_")
APART_S = 0.9
KEPT = 64
BUSY_SHARE = 0.3


class Starved:
    """The waiting of one worker's threads. `look` is to be called while anything of it is late."""

    def __init__(
        self,
        pid: int,
        clock: Clock,
        waited: Callable[[int, tuple[str, ...]], Mapping[int, float]] = waits,
    ) -> None:
        self._pid, self._clock, self._waited = pid, clock, waited
        self._before: Mapping[int, float] = {}
        self._seen: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self.total = 0.0

    def look(self) -> None:
        """See, about once a second, how long each thread has waited; who waited longest counts."""
        now = self._clock.monotonic()
        if self._seen and now - self._seen[-1][0] < APART_S:
            return
        found = self._waited(self._pid, RECEIVE_AND_LOOK)
        if self._seen:
            self.total += max((found[one] - self._before.get(one, 0.0) for one in found), default=0)
        self._before = found
        self._seen.append((now, self.total))

    def since(self, moment: float) -> float:
        """How long at least some thread had no processor since a moment, as far as was looked."""
        first = next((total for at, total in self._seen if at >= moment), self.total)
        return self.total - first

    def forgiven(self, since: float) -> float:
        """What of the time since a moment does not count."""
        return min(self.since(since), MOST_FORGIVEN_S)

    def is_why(self, since: float) -> bool:
        """Whether a silence since a moment has more to do with the machine than with a camera."""
        return self.since(since) >= BUSY_SHARE * (self._clock.monotonic() - since)
