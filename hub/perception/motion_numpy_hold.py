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


def _goes_on(box: Box, walks: list[list[float]], leaves: bool) -> tuple[list[float], int]:
    x, y, looks, of, best = float(box[0] + box[2]), float(box[1] + box[3]), 1.0, -1, 0.0
    corners = [float(edge) for edge in box]
    for k, walk in enumerate(walks):
        least, largest = sorted((_area(corners), _area(walk)))
        if not leaves and largest > G.WALK_LIKE * least:
            continue
        share = _shared(box, walk) / max(least, 1.0)
        if share >= G.WALK_SHARE and share > best:
            best, of = share, k
    if of >= 0:
        x, y, looks = walks[of][G.FROM_X], walks[of][G.FROM_Y], walks[of][G.LOOKS] + 1.0
    return [*corners, x, y, looks, 0.0, 0.0], of


def is_inside(walk: list[float], shape: NDArray[np.int64]) -> bool:
    """Whether a walk was last away from the edges of the picture."""
    return bool(min(walk[:2]) > 0.0 and walk[2] < shape[G.WIDTH] and walk[3] < shape[G.HEIGHT])


def is_believed(walk: list[float], shape: NDArray[np.int64]) -> bool:
    """Whether a walk was told often enough, and far enough from where it began."""
    x = 0.5 * (walk[0] + walk[2] - walk[G.FROM_X]) / float(shape[G.CELL_W])
    y = 0.5 * (walk[1] + walk[3] - walk[G.FROM_Y]) / float(shape[G.CELL_H])
    return walk[G.LOOKS] >= G.WALK_LOOKS and x * x + y * y >= G.WALK_FAR * G.WALK_FAR


def _is_empty(walk: list[float], shape: NDArray[np.int64], front: NDArray[np.float32]) -> bool:
    width, height = int(shape[G.CELL_W]), int(shape[G.CELL_H])
    cells = front.reshape(-1, int(shape[G.PITCH]))[
        int(walk[1]) // height + 1 : int(walk[3] - 1.0) // height + 2,
        int(walk[0]) // width + 1 : int(walk[2] - 1.0) // width + 2,
    ]
    return bool(np.count_nonzero(cells == 3) > G.EMPTY_SHARE * float(cells.size))


def hold(
    shape: NDArray[np.int64],
    dt: float,
    field: NDArray[np.float32],
    rows: list[Box],
    most: int,
    walks: Doubles,
    found: Doubles,
) -> list[Box]:
    """The regions that are kept of walks that are told no longer, at most so many."""
    leaves = bool(found[G.SWAY] > G.SWAY_SHARE)
    last: list[list[float]] = walks[0, : int(found[G.WALKING])].tolist()
    now, gone_on = list[list[float]](), set[int]()
    for row in rows:
        walk, of = _goes_on(row, last, leaves)
        now.append(walk)
        gone_on.add(of)
    held: list[Box] = []
    for k, walk in enumerate(last):
        walk[G.UNTOLD] += dt
        stays = is_inside(walk, shape) and is_believed(walk, shape)
        longest = G.HOLD_SECONDS if stays else G.WALK_SECONDS
        if k in gone_on or walk[G.UNTOLD] > longest or len(now) >= G.MAX_REGIONS:
            continue
        if sum(_shared(row, walk) for row in rows) >= G.WALK_TAKEN * _area(walk):
            continue
        if walk[G.UNTOLD] <= dt and _is_empty(walk, shape, field[G.FRONT]):
            continue
        now.append(walk)
        if len(rows) + len(held) < most and stays:
            held.append([int(edge) for edge in walk[:4]])
    if now:
        walks[0, : len(now)] = now
    found[G.WALKING] = len(now)
    return held
