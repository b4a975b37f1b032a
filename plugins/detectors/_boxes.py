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
    x1, y1, x2, y2 = boxes.T
    areas = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    while order.size and len(kept) < MOST_KEPT:
        first, rest = order[0], order[1:]
        kept.append(int(first))
        across = np.minimum(x2[first], x2[rest]) - np.maximum(x1[first], x1[rest])
        down = np.minimum(y2[first], y2[rest]) - np.maximum(y1[first], y1[rest])
        shared = np.maximum(across, 0) * np.maximum(down, 0)
        union = np.maximum(areas[first] + areas[rest] - shared, 1e-6)
        order = rest[(shared / union <= overlap) | (classes[rest] != classes[first])]
    return np.array(kept, np.intp)
