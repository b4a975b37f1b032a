"""Numba kernels that box movers, and join boxes that belong together."""

# Numba ships few type hints: its decorators and intrinsics are untyped.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from hub.perception import motion_grid as G
from hub.perception.motion_cache import OPTIONS

F = np.float32


@njit(**OPTIONS)
def span(runs: Any, many: int, across: Any) -> Any:
    """The first and the last cell of a mover, its first and its last column, by its runs."""
    top: Any = runs[0, 0]
    low: Any = top
    left = np.int64(across[top])
    right = left
    for k in range(many):
        first = runs[k, 0]
        last = runs[k, 1] - 1
        top = min(top, first)
        low = max(low, last)
        left = min(left, np.int64(across[first]))
        right = max(right, np.int64(across[last]))
    return top, low, left, right


@njit(**OPTIONS)
def _clear(mean: Any) -> Any:
    """From how far on a cell is clear, of a mover that stands out so far on average."""
    return max(G.CLEAR_SHARE * mean, min(G.CLEAR, mean))


@njit(**OPTIONS)
def clear_span(cells: Any, size: int, of: Any, ratio: Any, mean: Any, across: Any) -> Any:
    """Of a mover's span, that of its clear cells.

    Somebody near has soft shadows and mirrored light around them, fainter than they are. Where all
    stand out alike the mean may be rounded to above all of them: then every cell is clear.
    """
    clear = _clear(mean)
    low, top, right, left = of  # turned round: the clear cells draw it together
    found = False
    for k in range(size):
        i = cells[k]
        if abs(ratio[i]) >= clear:
            x = np.int64(across[i])
            top = min(top, i)
            low = max(low, i)
            left = min(left, x)
            right = max(right, x)
            found = True
    return (top, low, left, right) if found else of


@njit(**OPTIONS)
def _trim(counts: Any, first: Any, last: Any, most: Any) -> Any:
    """Leave out the lines or columns at both ends that have `most` of the cells together."""
    spare = most
    while first < last and counts[first] <= spare:
        spare -= counts[first]
        first += 1
    spare = most
    while last > first and counts[last] <= spare:
        spare -= counts[last]
        last -= 1
    return first, last


@njit(**OPTIONS)
def near_span(
    cells: Any, size: int, of: Any, ratio: Any, mean: Any, across: Any, pitch: Any, counts: Any
) -> Any:
    """Of the span of somebody near, that of the clear cells, but for what sticks out.

    `counts` is room for how many there are in each column and each line.
    """
    clear = _clear(mean)
    top, low, left, right = of
    top //= pitch
    low //= pitch
    for x in range(left, right + 1):
        counts[x, 0] = 0
    for y in range(top, low + 1):
        counts[y, 1] = 0
    count = 0
    for k in range(size):
        i = cells[k]
        if abs(ratio[i]) >= clear:
            counts[np.int64(across[i]), 0] += 1
            counts[i // pitch, 1] += 1
            count += 1
    most = np.int64(G.STICKS_OUT * np.float64(count))
    left, right = _trim(counts[:, 0], left, right, most)
    top, low = _trim(counts[:, 1], top, low, most)
    return top * pitch, low * pitch, left, right


@njit(**OPTIONS)
def _box(of: Any, shape: Any, pads: int, box: Any) -> None:
    """A mover's box in pixels from its span: padded `pads` times by half a cell, above and below
    by one.
    """
    top, low, left, right = of
    pitch = shape[G.PITCH]
    width = shape[G.CELL_W]
    height = shape[G.CELL_H]
    box[0] = max(0, (left - 1) * width - pads * (width // 2))
    box[1] = max(0, (top // pitch - 1 - pads) * height)
    box[2] = shape[G.WIDTH]
    box[3] = shape[G.HEIGHT]
    if right < shape[G.COLUMNS]:
        box[2] = min(box[2], right * width + pads * (width // 2))
    if low // pitch < shape[G.LINES]:
        box[3] = min(box[3], (low // pitch + pads) * height)


@njit(**OPTIONS)
def _join(boxes: Any, at: int, other: int) -> None:
    boxes[at, 0] = min(boxes[at, 0], boxes[other, 0])
    boxes[at, 1] = min(boxes[at, 1], boxes[other, 1])
    boxes[at, 2] = max(boxes[at, 2], boxes[other, 2])
    boxes[at, 3] = max(boxes[at, 3], boxes[other, 3])


@njit(inline="always", **OPTIONS)  # a call would cost a fiftieth of the gate
def enclose(of: Any, shape: Any, pads: int, boxes: Any, count: int) -> Any:
    """Put the box of a span behind the `count` there are, or into the last; returns how many."""
    _box(of, shape, pads, boxes[count])
    if count < boxes.shape[0] - 1:
        return count + 1
    _join(boxes, count - 1, count)
    return count


@njit(**OPTIONS)
def _belong(boxes: Any, i: int, j: int) -> Any:
    """True for boxes that overlap, unless joining them would cover much unmoved ground."""
    x1 = max(boxes[i, 0], boxes[j, 0])
    y1 = max(boxes[i, 1], boxes[j, 1])
    x2 = min(boxes[i, 2], boxes[j, 2])
    y2 = min(boxes[i, 3], boxes[j, 3])
    if x1 >= x2 or y1 >= y2:
        return False
    width = max(boxes[i, 2], boxes[j, 2]) - min(boxes[i, 0], boxes[j, 0])
    height = max(boxes[i, 3], boxes[j, 3]) - min(boxes[i, 1], boxes[j, 1])
    both = np.int64(boxes[i, 2] - boxes[i, 0]) * np.int64(boxes[i, 3] - boxes[i, 1])
    both += np.int64(boxes[j, 2] - boxes[j, 0]) * np.int64(boxes[j, 3] - boxes[j, 1])
    both -= np.int64(x2 - x1) * np.int64(y2 - y1)
    return np.float64(width) * np.float64(height) <= G.JOIN_WASTE * np.float64(both)


@njit(**OPTIONS)
def merge(boxes: Any, count: int) -> Any:
    """Join boxes that belong together until none do; returns how many are left."""
    i = np.int64(0)  # a literal would have what is called compiled once more
    while i < count:
        j = i + 1
        joined = False
        while j < count:
            if not _belong(boxes, i, j):
                j += 1
                continue
            _join(boxes, i, j)
            count -= 1
            for k in range(4):
                boxes[j, k] = boxes[count, k]
            joined = True
            j = i + 1
        # A grown box may now reach one that was passed over before it.
        i = np.int64(0) if joined else i + 1
    return count
