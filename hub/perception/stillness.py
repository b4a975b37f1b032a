"""Findings over time: what must last before it is believed, and pictures that never change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FROZEN_SECONDS = 120.0
FROZEN_KEYS = 3  # key frames that changed nothing either
FROZEN_TIMES = 4.0  # as long as the longest rest seen before
LIVELY_SECONDS = 600.0
LIVELY_SHARE = 0.8
REST_SECONDS = 30.0  # shorter rests come between the key frames of any stream
CLIPPED = (24.0, 232.0)  # grey levels a sensor may not reach beyond, noise and all
UNCLIPPED_SHARE = 1 / 3


class Hold:
    """A finding that must last to begin and be gone to end; what interrupts it counts double.

    `since` is when what is now `standing` was first seen, in seconds of the caller's clock.
    """

    def __init__(self, begin_s: float, end_s: float) -> None:
        self.standing = False
        self.since = 0.0
        self._begin = begin_s
        self._end = end_s
        self._evidence = 0.0

    def judge(self, found: bool, step: float, now: float) -> bool:
        """Count one look that stands for `step` seconds; whether that began or ended it."""
        if found == self.standing:
            self._evidence = max(0.0, self._evidence - 2 * step)
            return False
        if found and self._evidence == 0.0:
            self.since = now
        self._evidence += step
        if self._evidence < (self._end if self.standing else self._begin):
            return False
        self.standing, self._evidence = found, 0.0
        return True


class Stillness:
    """Whether pictures have come to be all the same, to the last grey level.

    A lens sees noise, so its pictures differ at each key frame at the latest. A drawn picture may
    rest for long; that shows in how it rested before, and is waited out. Where little but rest was
    ever seen, or the picture is all black or white, nothing is called frozen.
    """

    def __init__(self) -> None:
        self.frozen = False
        self.rest = 0.0  # seconds since the picture last changed
        self._last = b""
        self._keys = 0
        self._longest = 0.0
        self._lively = 0.0
        self._watched = 0.0

    def look(self, means: NDArray[np.float32], moved: bool, step: float, keys: int) -> None:
        """Count a look at cell means, `step` seconds after the one before.

        `moved` says that something moved since then, `keys` is how many key frames came so far.
        """
        picture = means.tobytes()
        if moved or picture != self._last:
            self._end_rest(step, keys)
        else:
            self.rest += step
            self.frozen = self.frozen or self._is_frozen(means, keys)
        self._last = picture

    def _end_rest(self, step: float, keys: int) -> None:
        self._watched += self.rest + step
        self._lively += step + (self.rest if self.rest < REST_SECONDS else 0.0)
        self._longest = max(self._longest, self.rest)
        self.rest, self._keys, self.frozen = 0.0, keys, False

    def _is_frozen(self, means: NDArray[np.float32], keys: int) -> bool:
        if self.rest < max(FROZEN_SECONDS, FROZEN_TIMES * self._longest):
            return False
        if self._lively < max(LIVELY_SECONDS, LIVELY_SHARE * self._watched):
            return False
        unclipped = (means > CLIPPED[0]) & (means < CLIPPED[1])
        enough = int(unclipped.sum()) >= UNCLIPPED_SHARE * means.size
        return enough and keys - self._keys >= FROZEN_KEYS
