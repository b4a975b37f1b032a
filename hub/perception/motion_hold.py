"""Numba kernels that keep in view who was seen to walk and is told no longer.

Somebody who stops before they are sure, or whom leaves, rain or noise hide for a look, is where
they were. So the last region of whoever has surely travelled stays for four seconds. What flickers,
sways or falls does not travel, where a mover goes on from there, it has the region, and an empty
place that somebody has left is not kept.
"""

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
def _shared(boxes: Any, at: int, walk: Any) -> Any:
    """How many pixels a region shares with the last region of a walk."""
    x = min(np.float64(boxes[at, 2]), walk[2]) - max(np.float64(boxes[at, 0]), walk[0])
    y = min(np.float64(boxes[at, 3]), walk[3]) - max(np.float64(boxes[at, 1]), walk[1])
    return max(x, 0.0) * max(y, 0.0)


@njit(**OPTIONS)
def _area(walk: Any) -> Any:
    return (walk[2] - walk[0]) * (walk[3] - walk[1])


@njit(**OPTIONS)
def _goes_on(boxes: Any, at: int, walk: Any, known: Any, walks: Any, leaves: Any) -> Any:
    """Let a region go on with the walk that it overlaps most, or begin one.

    A drop beside somebody is no part of them: one is not much larger than the other, unless leaves
    hide much of them.
    """
    for k in range(4):
        walk[k] = np.float64(boxes[at, k])
    best = 0.0
    of: Any = -1
    here = _area(walk)
    for k in range(known):
        shared = _shared(boxes, at, walks[k])
        if shared <= 0.0:  # most are elsewhere
            continue
        there = _area(walks[k])
        least = min(here, there)
        if not leaves and max(here, there) > G.WALK_LIKE * least:
            continue
        share = shared / max(least, 1.0)
        if share >= G.WALK_SHARE and share > best:
            best = share
            of = k
    walk[G.UNTOLD] = 0.0
    walk[G.LOOKS] = 1.0
    walk[G.FROM_X] = walk[0] + walk[2]
    walk[G.FROM_Y] = walk[1] + walk[3]
    if of >= 0:
        walk[G.LOOKS] = walks[of, G.LOOKS] + 1.0
        walk[G.FROM_X] = walks[of, G.FROM_X]
        walk[G.FROM_Y] = walks[of, G.FROM_Y]
    return of


@njit(**OPTIONS)
def _is_taken(boxes: Any, count: int, walk: Any) -> Any:
    """Whether what is told now lies where a walk was last seen."""
    shared = 0.0
    for at in range(count):
        shared += _shared(boxes, at, walk)
    return shared >= G.WALK_TAKEN * _area(walk)


@njit(**OPTIONS)
def is_inside(walk: Any, shape: Any) -> Any:
    """Whether a walk was last away from the edges of the picture, over which people leave."""
    if walk[0] <= 0.0 or walk[1] <= 0.0:
        return False
    return walk[2] < np.float64(shape[G.WIDTH]) and walk[3] < np.float64(shape[G.HEIGHT])


@njit(**OPTIONS)
def is_believed(walk: Any, shape: Any) -> Any:
    """Whether a walk was told often enough, and far enough from where it began."""
    x = 0.5 * (walk[0] + walk[2] - walk[G.FROM_X]) / np.float64(shape[G.CELL_W])
    y = 0.5 * (walk[1] + walk[3] - walk[G.FROM_Y]) / np.float64(shape[G.CELL_H])
    return walk[G.LOOKS] >= G.WALK_LOOKS and x * x + y * y >= G.WALK_FAR * G.WALK_FAR


@njit(**OPTIONS)
def _is_empty(walk: Any, shape: Any, front: Any) -> Any:
    """Whether a good part of a last region was just found to be an empty place."""
    left = np.int64(walk[0]) // shape[G.CELL_W] + 1
    right = np.int64(walk[2] - 1.0) // shape[G.CELL_W] + 1
    top = np.int64(walk[1]) // shape[G.CELL_H] + 1
    low = np.int64(walk[3] - 1.0) // shape[G.CELL_H] + 1
    many = 0
    for y in range(top, low + 1):
        for x in range(left, right + 1):
            many += front[y * shape[G.PITCH] + x] == F(3)
    return many > G.EMPTY_SHARE * np.float64((right - left + 1) * (low - top + 1))


@njit(**OPTIONS)
def hold(shape: Any, dt: float, field: Any, boxes: Any, count: int, walks: Any, found: Any) -> Any:
    """Put behind the `count` regions those of walks that are told no longer; returns how many
    there are then.

    `walks` is (2, MAX_REGIONS, G.WALK): those of now, and room for those of the look before.
    """
    known = np.int64(found[G.WALKING])
    if known == 0 and count == 0:
        return count
    now = walks[0]
    last = walks[1]
    for k in range(known):
        for i in range(G.WALK):
            last[k, i] = now[k, i]
        last[k, G.UNTOLD] += dt
        last[k, G.GONE_ON] = 0.0
    leaves = found[G.SWAY] > G.SWAY_SHARE
    told: Any = min(count, G.MAX_REGIONS)
    for at in range(told):
        of = _goes_on(boxes, at, now[at], known, last, leaves)
        if of >= 0:
            last[of, G.GONE_ON] = 1.0
    many = told
    held = count
    for k in range(known):
        if last[k, G.GONE_ON] > 0.0 or many >= G.MAX_REGIONS:
            continue
        stays = is_inside(last[k], shape) and is_believed(last[k], shape)
        longest = G.HOLD_SECONDS if stays else G.WALK_SECONDS
        if last[k, G.UNTOLD] > longest or _is_taken(boxes, count, last[k]):
            continue
        if last[k, G.UNTOLD] <= dt and _is_empty(last[k], shape, field[G.FRONT]):
            continue
        for i in range(G.WALK):
            now[many, i] = last[k, i]
        many += 1
        if held < boxes.shape[0] - 1 and stays:
            for i in range(4):
                boxes[held, i] = np.int32(last[k, i])
            held += 1
    found[G.WALKING] = np.float64(many)
    return held
