"""Numba kernels that find who walks beneath moving leaf shadows.

There cells go as far from their background as people do, but slowly: shade creeps from one cell to
the next, while who walks is somewhere else at each look, darker in one cell and brighter in the
next. So what counts is how far a cell is from both looks before, and how far beyond all that shade
has done to it, summed over the cells around and over several looks along a walk. A drop of rain
lights a cell in one look and is no change when it has gone, thus rising and falling are each
measured by how much of it there is in the picture.

How much must be gained depends on what else gains: shade that sways changes some places by far
more than others, and for several looks. In noise, before a shaking camera, in rain and mains light
everything changes as much, and nothing but people gains much: less is asked there, unless what was
told of late went nowhere.
"""

# Numba ships few type hints: its decorators and intrinsics are untyped.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from hub.perception import motion_grid as G
from hub.perception.motion_cache import OPTIONS
from hub.perception.motion_faint import across, box_told, gain, mean_of, near_by, tell
from hub.perception.motion_hold import is_believed, is_inside
from hub.perception.motion_light import add_up
from hub.perception.motion_limits import upright

F = np.float32


@njit(**OPTIONS)
def leaves_sway(knobs: Any, found: Any) -> Any:
    """Whether leaves sway over the place and are known, which takes a while in another scene."""
    found[G.STRANGE] = max(0.0, found[G.STRANGE] - np.float64(knobs[G.DT]))
    known = found[G.SWAY] > G.SWAY_SHARE and found[G.STRANGE] == 0.0
    if not known:
        found[G.BENEATH] = 0.0
    return known


@njit(**OPTIONS)
def _begin(before: Any, earlier: Any, gained: Any) -> None:
    for i in range(earlier.shape[0]):
        earlier[i] = before[i]
        gained[i] = F(0)


@njit(**OPTIONS)
def _change(
    residual: Any, before: Any, earlier: Any, noise: Any, look: Any, rises: Any, falls: Any
) -> None:
    """How much brighter, and darker, each cell is than in both looks before, by its noise."""
    for i in range(rises.shape[0]):
        step = residual[i] - before[i]
        stride = residual[i] - earlier[i]
        usual = G.LEAF_OFFSET + F(math.sqrt(noise[i]))
        up = max(F(0), min(step, stride)) / usual
        rises[i] = look[i] * min(up, G.LEAF_CHANGE)
    for i in range(falls.shape[0]):
        step = residual[i] - before[i]
        stride = residual[i] - earlier[i]
        usual = G.LEAF_OFFSET + F(math.sqrt(noise[i]))
        down = max(F(0), min(-step, -stride)) / usual
        falls[i] = look[i] * min(down, G.LEAF_CHANGE)


@njit(**OPTIONS)
def _beyond(residual: Any, above: Any, below: Any, noise: Any, look: Any, out: Any) -> None:
    """How far each cell is beyond what it reached by itself, by half its noise."""
    for i in range(out.shape[0]):
        over = max(residual[i] - above[i], -residual[i] - below[i])
        far = max(F(0), over) / (F(1) + F(0.5) * F(math.sqrt(noise[i])))
        out[i] = look[i] * G.LEAF_BEYOND_SHARE * min(far, G.LEAF_BEYOND)


@njit(**OPTIONS)
def _around(cells: Any, look: Any, pitch: int, spare: Any) -> None:
    """Make each cell the sum of the nine around it."""
    upright(cells, pitch, spare)
    across(spare, look, cells)


@njit(**OPTIONS)
def _usual(change: Any, shape: Any, sums: Any) -> Any:
    """How much changes all over: root of the mean square, in which no cell counts for much."""
    pitch = shape[G.PITCH]
    s0 = sums[:pitch]
    for x in range(pitch):
        s0[x] = F(0)
    for line in range(1, shape[G.LINES] + 1):
        v = change[line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            most = min(v[x], G.LEAF_CAP)
            s0[x] += most * most
    many = max(1.0, np.float64(shape[G.LOOKED_AT]))
    return max(G.LEAF_USUAL, F(math.sqrt(add_up(s0) / many)))


@njit(**OPTIONS)
def _together(rises: Any, falls: Any, up: Any, down: Any, out: Any) -> None:
    """Add rising and falling, each as a share of what is usual, to what goes beyond."""
    for i in range(out.shape[0]):
        out[i] = out[i] + (up * rises[i] + down * falls[i])


@njit(**OPTIONS)
def _evenly(mean: float, knobs: Any, found: Any) -> Any:
    """From 0, some places change more than others, to 1, all of the picture changes as much.

    What is usual is the root of a mean square: the more even the changes, the nearer is their mean.
    """
    even = found[G.EVEN]
    pace = min(1.0, np.float64(knobs[G.DT]) / G.LEAF_EVEN_SECONDS)
    found[G.EVEN] = even + pace * (mean - even) if even > 0.0 else mean
    share = (found[G.EVEN] - G.LEAF_UNEVEN) / (G.LEAF_EVEN - G.LEAF_UNEVEN)
    shakes = found[G.SHAKE] > G.NOISY_SHAKE
    if knobs[G.RUN_NEEDED] >= G.RUN_POURS or found[G.BANDS] > G.BAND_LATELY or shakes:
        share = 1.0
    sure = max(0.0, 1.0 - found[G.MISTAKEN] / G.MISTAKEN_MOST)
    return sure * min(1.0, max(0.0, share))


@njit(**OPTIONS)
def _leave_out(front: Any, look: Any, pitch: int, spare: Any, nine: Any, labels: Any) -> None:
    """Clear the labels in and beside movers that were found already."""
    upright(front, pitch, spare)
    across(spare, look, nine)
    for i in range(labels.shape[0]):
        labels[i] = labels[i] if nine[i] == F(0) else np.uint8(0)


@njit(**OPTIONS)
def find_beneath(
    shape: Any,
    knobs: Any,
    field: Any,
    labels: Any,
    sums: Any,
    found: Any,
    cells: Any,
    runs: Any,
    boxes: Any,
    count: int,
) -> Any:
    """Box who has changed the picture more than leaves do, behind the `count` boxes there are.

    Returns how many there are. What is boxed here is not kept out of the background.
    """
    pitch = shape[G.PITCH]
    look = field[G.LOOK]
    residual = field[G.RESIDUAL]
    noise = field[G.NOISE]
    rises = field[G.RISES]
    falls = field[G.FALLS]
    change = field[G.WEIGHT]
    spare = field[G.SPARE]
    gained = field[G.STANDING_OUT]
    if found[G.BENEATH] == 0.0:
        _begin(field[G.BEFORE], field[G.EARLIER], gained)
        found[G.BENEATH] = 1.0
        found[G.EVEN] = 0.0
    _change(residual, field[G.BEFORE], field[G.EARLIER], noise, look, rises, falls)
    _around(rises, look, pitch, spare)
    _around(falls, look, pitch, spare)
    _beyond(residual, field[G.ABOVE], field[G.BELOW], noise, look, change)
    _around(change, look, pitch, spare)
    up = F(1) / _usual(rises, shape, sums)
    down = F(1) / _usual(falls, shape, sums)
    _together(rises, falls, up, down, change)
    evenly = _evenly(mean_of(change, shape, sums), knobs, found)
    level = F(G.LEAF_LEVEL + evenly * (G.LEAF_LEVEL_EVEN - G.LEAF_LEVEL))
    still = F(G.LEAF_STILL + evenly * (G.LEAF_STILL_EVEN - G.LEAF_STILL))
    for i in range(labels.shape[0]):
        labels[i] = np.uint8(0)
    near_by(gained, spare)
    gain(change, F(1), spare, look, pitch, G.LEAF_DUE, G.LEAF_MOST, gained)
    tell(gained, change, F(1), level, still, labels)
    _leave_out(field[G.FRONT], look, pitch, spare, rises, labels)
    for i in range(noise.shape[0]):
        field[G.EARLIER, i] = field[G.BEFORE, i]
    columns = field[G.ACROSS]
    return box_told(shape, columns, labels, G.LEAF_CELLS, cells, runs, boxes, count)


@njit(**OPTIONS)
def _is_alone(walks: Any, many: int, at: int, shape: Any) -> Any:
    """Whether nobody walks near where a walk was last."""
    x = np.float64(G.MISTAKEN_APART * shape[G.CELL_W])
    y = np.float64(G.MISTAKEN_APART * shape[G.CELL_H])
    for k in range(many):
        right = max(walks[k, 0] - walks[at, 2], walks[at, 0] - walks[k, 2])
        below = max(walks[k, 1] - walks[at, 3], walks[at, 1] - walks[k, 3])
        if right < x and below < y and is_believed(walks[k], shape):
            return False
    return True


@njit(**OPTIONS)
def count_mistakes(shape: Any, dt: float, walks: Any, found: Any) -> None:
    """Where leaves sway, count what is told no longer, and went nowhere."""
    found[G.MISTAKEN] *= max(0.0, 1.0 - dt / G.MISTAKEN_SECONDS)
    if found[G.SWAY] <= G.SWAY_SHARE:
        return
    many = np.int64(found[G.WALKING])
    for k in range(many):
        just = 0.0 < walks[k, G.UNTOLD] <= dt
        if just and is_inside(walks[k], shape) and not is_believed(walks[k], shape):
            found[G.MISTAKEN] += np.float64(_is_alone(walks, many, k, shape))
