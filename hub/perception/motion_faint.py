"""Numba kernels that follow over several looks who is too faint to be told in one.

A drop lights a cell once, and noise anywhere; a person comes back, a step further on, look after
look. So what leans to one side is summed over the cells around, and each look adds to the most
that anybody near had gained before. Rain leans farther to one side than to the other, thus each
is measured by how far it leans itself.
"""

# Numba ships few type hints: its decorators and intrinsics are untyped.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from hub.perception import motion_grid as G
from hub.perception.motion_boxes import enclose, span
from hub.perception.motion_cache import OPTIONS
from hub.perception.motion_grow import grow
from hub.perception.motion_light import add_up
from hub.perception.motion_limits import upright

F = np.float32


@njit(**OPTIONS)
def level_to_follow(knobs: Any, found: Any) -> Any:
    """What is to be gained by who is hidden in the dark, by rain or noise; 0 where nobody is.

    Beneath leaves shade comes back as people do, in bands of mains light so do the bands, and
    after another light what it has left.
    """
    relit = max(0.0, found[G.RELIT] - np.float64(knobs[G.DT]))
    found[G.RELIT] = G.RELIT_SECONDS if found[G.JUMPED] > 0.0 else relit
    bands = found[G.BANDS] > 0.0
    asked = knobs[G.RUN_NEEDED]
    wet = asked >= G.RUN_POURS or (asked >= G.RUN_WET and not bands)
    noisy = found[G.STEP] > G.NOISY_STEP and found[G.SHAKE] < G.NOISY_SHAKE and not bands
    hidden = found[G.DARK] > G.DARK_SHARE and (wet or noisy)
    if not hidden or found[G.RELIT] > 0.0 or found[G.SWAY] > G.SWAY_SHARE:
        found[G.FOLLOWING] = 0.0
        return F(0)
    return F(G.FAINT_LEVEL if wet else G.FAINT_NOISY)


@njit(**OPTIONS)
def _begin(brighter: Any, darker: Any) -> None:
    for i in range(brighter.shape[0]):
        brighter[i] = F(0)
        darker[i] = F(0)


@njit(**OPTIONS)
def _clip(ratio: Any, out: Any) -> None:
    """Each ratio, but a bright drop counts no more than somebody faint."""
    for i in range(out.shape[0]):
        out[i] = min(max(ratio[i], -G.FAINT_MOST), G.FAINT_MOST)


@njit(**OPTIONS)
def across(sums: Any, look: Any, out: Any) -> None:
    """The sum of each cell's upright sum with those left and right of it: nine cells."""
    n = sums.shape[0]
    left = sums[: n - 2]
    here = sums[1 : n - 1]
    right = sums[2:]
    seen = look[1 : n - 1]
    inner = out[1 : n - 1]
    for i in range(inner.shape[0]):
        inner[i] = seen[i] * (left[i] + here[i] + right[i])


@njit(**OPTIONS)
def mean_of(cells: Any, shape: Any, sums: Any) -> Any:
    """The mean over the cells looked at; the others are zero."""
    pitch = shape[G.PITCH]
    s0 = sums[:pitch]
    for x in range(pitch):
        s0[x] = F(0)
    for line in range(1, shape[G.LINES] + 1):
        v = cells[line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            s0[x] += v[x]
    return add_up(s0) / max(1.0, np.float64(shape[G.LOOKED_AT]))


@njit(**OPTIONS)
def _centre(lean: Any, look: Any, shape: Any, sums: Any) -> None:
    """Take the mean over the picture out: dry ground lies under a background with drops in it."""
    mean = F(mean_of(lean, shape, sums))
    for i in range(lean.shape[0]):
        lean[i] = look[i] * (lean[i] - mean)


@njit(**OPTIONS)
def _spread(lean: Any, shape: Any, sums: Any) -> Any:
    """How far the picture leans to either side: root of the mean square over all its cells."""
    pitch = shape[G.PITCH]
    s0 = sums[:pitch]
    s1 = sums[G.ROW : G.ROW + pitch]
    for x in range(pitch):
        s0[x] = F(0)
        s1[x] = F(0)
    for line in range(1, shape[G.LINES] + 1):
        v = lean[line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            above = max(v[x], F(0))
            below = min(v[x], F(0))
            s0[x] += above * above
            s1[x] += below * below
    many = max(1.0, np.float64(shape[G.LOOKED_AT]))
    brighter = max(G.FAINT_SPREAD, F(math.sqrt(add_up(s0) / many)))
    darker = max(G.FAINT_SPREAD, F(math.sqrt(add_up(s1) / many)))
    return brighter, darker


@njit(**OPTIONS)
def near_by(gained: Any, out: Any) -> None:
    """The most that anybody up to two cells to the left or right has gained."""
    n = gained.shape[0]
    far_left = gained[: n - 4]
    left = gained[1 : n - 3]
    here = gained[2 : n - 2]
    right = gained[3 : n - 1]
    far_right = gained[4:]
    inner = out[2 : n - 2]
    for i in range(inner.shape[0]):
        beside = max(max(far_left[i], far_right[i]), max(left[i], right[i]))
        inner[i] = max(beside, here[i])


@njit(**OPTIONS)
def gain(
    lean: Any, scale: Any, near: Any, look: Any, pitch: int, due: Any, cap: Any, gained: Any
) -> None:
    """Carry on what was gained near by, a line up and down as well, and add this look's lean, less
    what is `due`; nobody gains more than `cap`."""
    n = gained.shape[0]
    up = near[: n - 2 * pitch]
    here = near[pitch : n - pitch]
    down = near[2 * pitch :]
    leans = lean[pitch : n - pitch]
    seen = look[pitch : n - pitch]
    inner = gained[pitch : n - pitch]
    for i in range(inner.shape[0]):
        most = max(max(up[i], down[i]), here[i])
        more = G.FAINT_KEPT * most + scale * leans[i] - due
        inner[i] = seen[i] * min(max(more, F(0)), cap)


@njit(**OPTIONS)
def tell(gained: Any, lean: Any, scale: Any, level: Any, still: Any, labels: Any) -> None:
    """Label the cells that have gained enough and lean that way still."""
    for i in range(labels.shape[0]):
        told = (gained[i] > level) & (scale * lean[i] > still)
        labels[i] = np.uint8(told) | labels[i]


@njit(**OPTIONS)
def box_told(
    shape: Any,
    columns: Any,
    labels: Any,
    least: int,
    cells: Any,
    runs: Any,
    boxes: Any,
    count: int,
) -> Any:
    """Box what at least so many labelled cells side by side tell of; returns how many boxes."""
    eights = labels.view(np.uint64)
    for eight in range(eights.shape[0]):
        if eights[eight] == 0:
            continue
        for seed in range(8 * eight, 8 * eight + 8):
            if labels[seed] == 0:
                continue
            size, many = grow(seed, labels, shape[G.PITCH], cells, runs)
            if size >= least:
                count = enclose(span(runs, many, columns), shape, np.int64(1), boxes, count)
    return count


@njit(**OPTIONS)
def follow(
    shape: Any,
    level: Any,
    field: Any,
    labels: Any,
    sums: Any,
    found: Any,
    cells: Any,
    runs: Any,
    boxes: Any,
    count: int,
) -> Any:
    """Box who has gained `level`, behind the `count` boxes there are; returns how many.

    What is boxed here is not kept out of the background, so that a faint thing that stays is
    forgotten as before.
    """
    pitch = shape[G.PITCH]
    look = field[G.LOOK]
    lean = field[G.WEIGHT]
    spare = field[G.SPARE]
    brighter = field[G.BRIGHTER]
    darker = field[G.DARKER]
    if found[G.FOLLOWING] == 0.0:
        _begin(brighter, darker)
        found[G.FOLLOWING] = 1.0
    _clip(field[G.RATIO], lean)
    upright(lean, pitch, spare)
    across(spare, look, lean)
    _centre(lean, look, shape, sums)
    above, below = _spread(lean, shape, sums)
    for i in range(labels.shape[0]):
        labels[i] = np.uint8(0)
    near_by(brighter, spare)
    gain(lean, F(1) / above, spare, look, pitch, G.FAINT_DUE, G.FAINT_CAP, brighter)
    tell(brighter, lean, F(1) / above, level, G.FAINT_LEAN, labels)
    near_by(darker, spare)
    gain(lean, F(-1) / below, spare, look, pitch, G.FAINT_DUE, G.FAINT_CAP, darker)
    tell(darker, lean, F(-1) / below, level, G.FAINT_LEAN, labels)
    columns = field[G.ACROSS]
    return box_told(shape, columns, labels, G.FAINT_CELLS, cells, runs, boxes, count)
