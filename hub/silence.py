"""How long a process has owed an answer, without the time that was not its own.

On a machine that has more to do than it can, a process may be ready to answer and have no
processor, and whoever asks it may come too late to hear it. Neither is a fault of the process; but
a machine that stays so is no reason to wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from hub.clock import Clock
from hub.procfs import waited_s

MOST_FORGIVEN_S = 27.0


class Silence:
    """The silence of one process that is asked every `every_s`; `waited` says how long it has
    waited for a processor in all.
    """

    def __init__(
        self, pid: int, clock: Clock, every_s: float, waited: Callable[[int], float] = waited_s
    ) -> None:
        self._pid, self._clock, self._every_s, self._waited = pid, clock, every_s, waited
        self._heard_at = self._counted_from = self._looked_at = clock.monotonic()
        self._before = waited(pid)
        self._late = 0.0

    def broken(self) -> None:
        """It has said something."""
        self._heard_at = self._clock.monotonic()

    def seconds(self) -> float:
        """How long it has said nothing although it could have; to be asked every `every_s`."""
        now = self._clock.monotonic()
        if self._counted_from != self._heard_at:
            self._counted_from, self._before, self._late = (
                self._heard_at,
                self._waited(self._pid),
                0,
            )
        else:
            self._late += max(0.0, now - self._looked_at - self._every_s)
        self._looked_at = now
        forgiven = self._waited(self._pid) - self._before + self._late
        return now - self._heard_at - min(forgiven, MOST_FORGIVEN_S)
