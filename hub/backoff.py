"""How long to wait before trying again: longer each time, never quite alike, never for ever."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Delays that double from `first` to `cap` seconds, each shortened by up to a quarter.

    The shortening keeps many that failed together from trying again together. `chance` gives
    numbers in 0..1 and is replaced in tests.
    """

    def __init__(
        self, first: float = 1.0, cap: float = 60.0, chance: Callable[[], float] = random.random
    ) -> None:
        self._first = first
        self._cap = cap
        self._chance = chance
        self._next = first

    def delay(self) -> float:
        """The seconds to wait now; the next answer is about twice as long."""
        base = self._next
        self._next = min(self._cap, base * 2)
        return base * (1.0 - 0.25 * self._chance())

    def reset(self) -> None:
        """Start over: what was tried has worked for a while."""
        self._next = self._first
