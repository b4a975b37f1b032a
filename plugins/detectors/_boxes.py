"""Boxes of one picture: which of those that overlap stay, and where they lie in the frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plugins.detectors._head import MOST_KEPT


def suppress(
    boxes: NDArray[np.float32], classes: NDArray[np.intp], overlap: float
) -> NDArray[np.intp]:
    """Which boxes stay (indices), greedily, best first, each class by itself; at most 300."""
    order = np.arange(len(boxes))
    kept: list[int] = []
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    while order.size and len(kept) < MOST_KEPT:
        first, rest = order[0], order[1:]
        kept.append(int(first))
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        high = np.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        union = np.maximum(areas[first] + areas[rest] - shared, 1e-6)
        order = rest[(shared / union <= overlap) | (classes[rest] != classes[first])]
    return np.array(kept, np.intp)
