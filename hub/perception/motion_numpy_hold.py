"""The twin of `motion_hold`: the same answers in plain Python, for there are few regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G

Box = list[int]
Doubles = NDArray[np.float64]


def _area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _shared(box: Box, walk: list[float]) -> float:
    x = min(box[2], walk[2]) - max(box[0], walk[0])
    y = min(box[3], walk[3]) - max(box[1], walk[1])
    return max(x, 0.0) * max(y, 0.0)


def _goes_on(box: Box, walks: list[list[float]]) -> tuple[list[float], int]:
    x, y, looks, of, best = float(box[0] + box[2]), float(box[1] + box[3]), 1.0, -1, 0.0
    corners = [float(edge) for edge in box]
    for k, walk in enumerate(walks):
        share = _shared(box, walk) / max(min(_area(corners), _area(walk)), 1.0)
        if share >= G.WALK_SHARE and share > best:
            best, of = share, k
    if of >= 0:
        x, y, looks = walks[of][G.FROM_X], walks[of][G.FROM_Y], walks[of][G.LOOKS] + 1.0
    return [*corners, x, y, looks, 0.0, 0.0], of


def _stays(walk: list[float], shape: NDArray[np.int64]) -> bool:
    if min(walk[:2]) <= 0.0 or walk[2] >= shape[G.WIDTH] or walk[3] >= shape[G.HEIGHT]:
        return False
    x = 0.5 * (walk[0] + walk[2] - walk[G.FROM_X]) / float(shape[G.CELL_W])
    y = 0.5 * (walk[1] + walk[3] - walk[G.FROM_Y]) / float(shape[G.CELL_H])
    return walk[G.LOOKS] >= G.WALK_LOOKS and x * x + y * y >= G.WALK_FAR * G.WALK_FAR


def hold(
    shape: NDArray[np.int64], dt: float, rows: list[Box], most: int, walks: Doubles, found: Doubles
) -> list[Box]:
    """The regions that are kept of walks that are told no longer, at most so many."""
    last: list[list[float]] = walks[0, : int(found[G.WALKING])].tolist()
    now, gone_on = list[list[float]](), set[int]()
    for row in rows:
        walk, of = _goes_on(row, last)
        now.append(walk)
        gone_on.add(of)
    held: list[Box] = []
    for k, walk in enumerate(last):
        walk[G.UNTOLD] += dt
        if k in gone_on or walk[G.UNTOLD] > G.HOLD_SECONDS or len(now) >= G.MAX_REGIONS:
            continue
        if sum(_shared(row, walk) for row in rows) >= G.WALK_TAKEN * _area(walk):
            continue
        now.append(walk)
        if len(rows) + len(held) < most and _stays(walk, shape):
            held.append([int(edge) for edge in walk[:4]])
    if now:
        walks[0, : len(now)] = now
    found[G.WALKING] = len(now)
    return held
