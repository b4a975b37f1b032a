"""What the pages remember for a while, in bounded memory: who somebody is, what they have said."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from hub.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Remembers at most so many things by key, each for `life_s`; what was kept longest ago makes
    room.
    """

    def __init__(self, clock: Clock, life_s: float = math.inf, most: int = 1024) -> None:
        self._clock, self._life_s, self._most = clock, life_s, most
        self._kept: dict[K, tuple[float, V]] = {}

    def keep(self, key: K, value: V) -> None:
        """Remember this from now on."""
        self._kept.pop(key, None)
        self._kept[key] = (self._clock.monotonic(), value)
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def correct(self, key: K, value: V) -> None:
        """Remember something else under a key, no longer than what was there; nothing where nothing
        is remembered.
        """
        if key in self._kept:
            self._kept[key] = (self._kept[key][0], value)

    def __contains__(self, key: K) -> bool:
        return key in self._kept and self._lasts(self._kept[key][0])

    def get(self, key: K) -> V | None:
        """What is remembered; None where nothing is."""
        return self._kept[key][1] if key in self else None

    def keys(self) -> list[K]:
        """The keys under which something is remembered, the oldest first."""
        return [key for key, (since, _) in self._kept.items() if self._lasts(since)]

    def drop(self, key: K) -> None:
        """Forget this."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def _lasts(self, since: float) -> bool:
        return self._clock.monotonic() - since < self._life_s
