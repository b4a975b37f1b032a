"""Which detection belongs to which track: what each pair costs, and the cheapest set of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hub.kinds.detectors import Detection
from hub.perception.track import Track, group_of, topped

Costs = NDArray[np.float64]
_ERROR = 0.07  # heights: how far a detector's box may be off
_SIZE = 0.16, 0.3  # how far heights and widths may be off, as logarithms
_REACH, _FARTHEST = 0.3, 1.3  # heights from where it is expected: at once, and at most
_STIR, _TURN = 0.7, 1.8  # heights a second more: at rest, and for each of its own pace
_FRESH = 2.2  # the same for a track whose pace is not known yet
_LOST = 0.5  # heights: no place is more doubtful than this
_TAIL = 4.0  # degrees of freedom of the t distribution of errors
_NEW = 1.0  # where both fit, a track already known goes first
_NEVER = 1e6


def costs(tracks: Sequence[Track], found: Sequence[Detection], time: float) -> Costs:
    """How badly each detection fits each track: (tracks, detections), infinite where it cannot.

    Errors of place and size are taken with long tails (Student's t), so that somebody who turns
    sharply costs more but is not given up; what nobody has seen for a while is less sure of its
    place and pays for that too.
    """
    expected = [track.expected(time) for track in tracks]
    at = np.array([mean for mean, _ in expected])
    doubt = np.array([variance for _, variance in expected])
    there = np.array([topped(one.box) for one in found])
    height = np.maximum(at[:, None, 3], 1.0)
    apart = (at[:, None, :2] - there[None, :, :2]) / height[..., None]
    variance = np.minimum(doubt / height**2, _LOST**2) + _ERROR**2
    error = _tailed(apart**2 / variance[:, None, :]).sum(axis=2)
    sizes = np.log(at[:, None, :1:-1] / there[None, :, :1:-1])  # height, width
    error += _tailed((sizes / np.array(_SIZE)) ** 2).sum(axis=2)
    error += 0.5 * np.log(variance / _ERROR**2).sum(axis=1)[:, None]
    error += np.array([0.0 if track.confirmed else _NEW for track in tracks])[:, None]
    gone = np.array([abs(time - track.seen) for track in tracks])[:, None]
    drift = np.array([_FRESH if t.hits < 3 else _STIR + _TURN * t.pace for t in tracks])[:, None]
    far = np.hypot(apart[..., 0], apart[..., 1]) > np.minimum(_REACH + drift * gone, _FARTHEST)
    groups = [group_of(one.label) for one in found]
    other = np.array([[track.group != group for group in groups] for track in tracks])
    return np.where(far | other, np.inf, error)


def _tailed(square: Costs) -> Costs:
    return np.asarray((_TAIL + 1) / 2 * np.log1p(square / _TAIL))


def pairs(cost: Costs, most: float) -> list[tuple[int, int]]:
    """The cheapest pairs (row, column) of all below `most`; a row or column is used once.

    To leave both sides of a pair alone costs `most`.
    """
    open_ = cost < most
    chosen = []
    for rows, columns in _islands(open_):
        if len(rows) == 1:
            best = min(columns, key=lambda j: float(cost[rows[0], j]))
            chosen.append((rows[0], best))
        elif len(columns) == 1:
            best = min(rows, key=lambda i: float(cost[i, columns[0]]))
            chosen.append((best, columns[0]))
        else:
            part = np.where(open_, cost - most, 0.0)[np.ix_(rows, columns)]
            chosen += [(rows[i], columns[j]) for i, j in _assigned(part) if part[i, j] < 0.0]
    return sorted(chosen)


def _islands(open_: NDArray[np.bool_]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that hang together; most are one of each."""
    islands = []
    free = set(range(open_.shape[0]))
    beside = [np.flatnonzero(row).tolist() for row in open_]
    above = [np.flatnonzero(column).tolist() for column in open_.T]
    while free:
        rows, columns, todo = set[int](), set[int](), [min(free)]
        while todo:
            row = todo.pop()
            if row in rows:
                continue
            rows.add(row)
            for column in beside[row]:
                if column not in columns:
                    columns.add(column)
                    todo += above[column]
        free -= rows
        if columns:
            islands.append((sorted(rows), sorted(columns)))
    return islands


def _assigned(cost: Costs) -> list[tuple[int, int]]:
    """The assignment of least sum, every row or every column used (Jonker and Volgenant 1987)."""
    if cost.shape[0] > cost.shape[1]:
        return [(i, j) for j, i in _assigned(cost.T)]
    n, m = cost.shape
    u, v = np.zeros(n), np.zeros(m)
    owner = np.full(m, -1)
    for row in range(n):
        least, before = np.full(m, np.inf), np.full(m, -1)
        done = np.zeros(m, bool)
        current, column = row, -1
        reach = 0.0
        while True:
            way = reach + cost[current] - u[current] - v
            nearer = ~done & (way < least)
            least[nearer], before[nearer] = way[nearer], column
            column = int(np.argmin(np.where(done, np.inf, least)))
            reach = float(least[column])
            done[column] = True
            if owner[column] < 0:
                break
            current = int(owner[column])
        past = done.copy()
        past[column] = False
        u[row] += reach
        u[owner[past]] += reach - least[past]
        v[past] -= reach - least[past]
        while column >= 0:
            back = int(before[column])
            owner[column] = owner[back] if back >= 0 else row
            column = back
    return [(int(owner[j]), j) for j in range(m) if owner[j] >= 0]
