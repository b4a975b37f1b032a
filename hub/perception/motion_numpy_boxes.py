"""`motion_boxes` in NumPy: boxing movers, with the same results."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G

F = np.float32
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


def clear_part(cells: list[int], weight: np.float32, sizes: Floats) -> list[int]:
    """The clear cells of a mover, or all of them."""
    mean = weight / F(len(cells))
    clear = max(G.CLEAR_SHARE * mean, min(G.CLEAR, mean))
    return [cell for cell, size in zip(cells, sizes, strict=True) if size >= clear] or cells


def _trim(places: Ints, most: int) -> tuple[int, int]:
    """The first and last of the places but for those at both ends that `most` cells have."""
    first, last = int(places.min()), int(places.max())
    counts = np.bincount(places)
    spare = most
    while first < last and counts[first] <= spare:
        spare -= int(counts[first])
        first += 1
    spare = most
    while last > first and counts[last] <= spare:
        spare -= int(counts[last])
        last -= 1
    return first, last


def near_part(cells: list[int], pitch: int) -> list[int]:
    """The corners of the clear cells of somebody near, but for what sticks out."""
    ys, xs = np.divmod(np.array(cells), pitch)
    most = int(G.STICKS_OUT * float(len(cells)))
    left, right = _trim(xs, most)
    top, low = _trim(ys, most)
    return [top * pitch + left, low * pitch + right]


def _box(cells: list[int], shape: Ints, pads: int) -> list[int]:
    lines, columns, pitch, width, height = (int(v) for v in shape[: G.CELL_H + 1])
    ys, xs = np.divmod(np.array(cells), pitch)
    right, bottom = int(shape[G.WIDTH]), int(shape[G.HEIGHT])
    x0, y0, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())
    return [
        max(0, (x0 - 1) * width - pads * (width // 2)),
        max(0, (y0 - 1 - pads) * height),
        right if x1 == columns else min(right, x1 * width + pads * (width // 2)),
        bottom if y1 == lines else min(bottom, (y1 + pads) * height),
    ]


def enclose(cells: list[int], shape: Ints, pads: int, rows: list[list[int]], most: int) -> None:
    """Put the box of some cells behind the `rows` there are, or into the last."""
    box = _box(cells, shape, pads)
    if len(rows) < most:
        rows.append(box)
    else:
        rows[-1] = _joined(rows[-1], box)


def _area(box: list[int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _belong(a: list[int], b: list[int]) -> bool:
    shared = [max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])]
    if shared[0] >= shared[2] or shared[1] >= shared[3]:
        return False
    both = _area(a) + _area(b) - _area(shared)
    return _area(_joined(a, b)) <= G.JOIN_WASTE * both


def _joined(a: list[int], b: list[int]) -> list[int]:
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]


def merge(boxes: list[list[int]]) -> list[list[int]]:
    """Join boxes that belong together until none do."""
    i = 0
    while i < len(boxes):
        j, joined = i + 1, False
        while j < len(boxes):
            if not _belong(boxes[i], boxes[j]):
                j += 1
                continue
            boxes[i] = _joined(boxes[i], boxes[j])
            boxes[j] = boxes[-1]
            boxes.pop()
            joined, j = True, i + 1
        i = 0 if joined else i + 1
    return boxes
