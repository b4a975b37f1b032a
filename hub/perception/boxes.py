"""Boxes x1, y1, x2, y2 in pixels: how much they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Boxes = NDArray[np.float64]


def overlaps(first: Boxes, second: Boxes) -> Boxes:
    """Intersection over union of every pair: (n, 4) and (m, 4) to (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-9))


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    both = shared(first, second)
    return both / (area(first) + area(second) - both) if both else 0.0


def shared(a: Sequence[float], b: Sequence[float]) -> float:
    """The area that two boxes have in common."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return across * down if across > 0 and down > 0 else 0.0


def area(box: Sequence[float]) -> float:
    """Square pixels; nothing where a side is negative."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def share_inside(box: Sequence[float], areas: Iterable[Sequence[float]]) -> float:
    """The largest share of a box that one of the areas covers."""
    size = max(area(box), 1e-9)
    return max((shared(box, other) / size for other in areas), default=0.0)
