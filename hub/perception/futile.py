"""Where looking was in vain: leaves, shadows and screens move, and are nobody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_CELLS = (12, 8)  # columns and rows
_FIRST = 0.2
_LONGEST = 1.0
_CALM = 8.0


class FutileLooks:
    """Remembers, for a picture of `size` (width, height), how often looking somewhere was in vain.

    Boxes are x1, y1, x2, y2 in pixels, times seconds.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        columns, rows = _CELLS
        self._size = size
        self._count = np.zeros((rows, columns), np.int32)
        self._looked = np.full((rows, columns), -1e9)
        self._moved = np.full((rows, columns), -1e9)

    def moved(self, box: Sequence[float], time: float) -> int:
        """Note that something moves there; returns how often looking there was in vain.

        What reaches out to where nobody looked yet has never been looked at.
        """
        part = self._part(box)
        calm = time - self._moved[part] > _CALM
        self._count[part][calm] = np.minimum(self._count[part][calm], 1)
        self._moved[part] = time
        return int(self._count[part].min())

    def rested(self, box: Sequence[float], time: float, least: float) -> bool:
        """Whether it is time to look there again: after `least` (s), or twice as long after each
        look in vain.
        """
        part = self._part(box)
        count = int(self._count[part].min())
        rest = min(_LONGEST, _FIRST * 2.0 ** min(count - 1, 8)) if count else 0.0
        return time - float(self._looked[part].min()) >= max(rest, least) - 1e-6

    def looked(self, box: Sequence[float], time: float, in_vain: bool) -> None:
        """Note what a look at something that moves was worth.

        What several crops of one look show was looked at once.
        """
        part = self._part(box)
        first = self._looked[part] != time
        self._looked[part] = time
        self._count[part] = self._count[part] + first if in_vain else 0

    def _part(self, box: Sequence[float]) -> tuple[slice, slice]:
        columns, rows = _CELLS
        width, height = self._size
        left, right = _span(box[0], box[2], width / columns, columns)
        top, bottom = _span(box[1], box[3], height / rows, rows)
        return slice(top, bottom), slice(left, right)


def _span(low: float, high: float, step: float, count: int) -> tuple[int, int]:
    """The cells that hold a good part of a stretch; at least the one in its middle."""
    first, last = round(low / step), round(high / step)
    if last <= first:
        first = int((low + high) / 2 / step)
        last = first + 1
    first = min(max(first, 0), count - 1)
    return first, min(max(last, first + 1), count)
