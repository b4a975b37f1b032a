"""Numba kernels that compare cells with the background in today's light.

Sums run down columns in float32, then along the row of column sums in float64, so that the
compiler cannot reorder them and `motion_numpy` gets the same bits.
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

F = np.float32


@njit(**OPTIONS)
def _total(columns: Any) -> Any:
    total = 0.0
    for x in range(columns.shape[0]):
        total += np.float64(columns[x])
    return total


@njit(**OPTIONS)
def _fit(weight: Any, back: Any, mean: Any, shape: Any, sums: Any) -> Any:
    """Weighted least squares of `mean - back` on `back - 128`: (offset, gain - 1).

    The gain is drawn towards 1 by four grey levels of imagined variance, so that a flat scene
    does not turn a little noise into a large gain.
    """
    pitch = shape[G.PITCH]
    for k in range(5):
        for x in range(pitch):
            sums[k, x] = F(0)
    s0 = sums[0]
    s1 = sums[1]
    s2 = sums[2]
    s3 = sums[3]
    s4 = sums[4]
    for line in range(1, shape[G.LINES] + 1):
        w = weight[line * pitch : (line + 1) * pitch]
        b = back[line * pitch : (line + 1) * pitch]
        m = mean[line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            level = b[x] - F(128)
            change = m[x] - b[x]
            wl = w[x] * level
            wd = w[x] * change
            s0[x] += w[x]
            s1[x] += wl
            s2[x] += wd
            s3[x] += wl * level
            s4[x] += wl * change
    total = _total(s0)
    if total < 1.0:
        return 0.0, 0.0
    level = _total(s1) / total
    change = _total(s2) / total
    spread = _total(s3) / total - level * level
    joint = _total(s4) / total - level * change
    gain = joint / (spread + 4.0)
    return change - gain * level, gain


@njit(**OPTIONS)
def _expect(back: Any, mean: Any, offset: Any, gain: Any, out: Any) -> None:
    """Signed residual of each cell against the background in today's light.

    Both sides stop at the darkest and brightest level a camera writes: where light has
    saturated the picture, more light changes nothing.
    """
    for i in range(out.shape[0]):
        level = back[i] + offset + gain * (back[i] - F(128))
        level = min(max(level, G.DARKEST), G.BRIGHTEST)
        out[i] = min(max(mean[i], G.DARKEST), G.BRIGHTEST) - level


@njit(**OPTIONS)
def _even_lines(residual: Any, back: Any, weight: Any, shape: Any, sums: Any) -> None:
    """Take the bands of mains light out: each line of cells has a gain of its own.

    A rolling shutter reads each row under another phase of the lamps. Sums run in eight lanes
    along the line, then over the lanes.
    """
    pitch = shape[G.PITCH]
    top = sums[0]
    bottom = sums[1]
    for line in range(1, shape[G.LINES] + 1):
        r = residual[line * pitch : (line + 1) * pitch]
        b = back[line * pitch : (line + 1) * pitch]
        w = weight[line * pitch : (line + 1) * pitch]
        for lane in range(8):
            top[lane] = F(0)
            bottom[lane] = F(0)
        for start in range(0, pitch, 8):
            for lane in range(8):
                wb = w[start + lane] * b[start + lane]
                top[lane] += wb * r[start + lane]
                bottom[lane] += wb * b[start + lane]
        gain = F(_total(top[:8]) / (_total(bottom[:8]) + G.LINE_INERTIA))
        for x in range(pitch):
            r[x] -= gain * b[x]


@njit(**OPTIONS)
def _mean_size(residual: Any, look: Any, shape: Any, sums: Any) -> Any:
    """Mean absolute residual over the cells looked at."""
    pitch = shape[G.PITCH]
    s0 = sums[0]
    for x in range(pitch):
        s0[x] = F(0)
    for line in range(1, shape[G.LINES] + 1):
        r = residual[line * pitch : (line + 1) * pitch]
        v = look[line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            s0[x] += v[x] * abs(r[x])
    return _total(s0) / max(1.0, np.float64(shape[G.LOOKED_AT]))


@njit(**OPTIONS)
def _inliers(residual: Any, look: Any, limit: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = look[i] if abs(residual[i]) < limit else F(0)


@njit(**OPTIONS)
def _shake(residual: Any, edge: Any, weight: Any, shape: Any, sums: Any) -> Any:
    """How much residuals grow with edges: the slope of |residual| on edge, 0 or more.

    A camera on a swaying pole moves every edge by the same fraction of a cell.
    """
    pitch = shape[G.PITCH]
    for k in range(5):
        for x in range(pitch):
            sums[k, x] = F(0)
    s0 = sums[0]
    s1 = sums[1]
    s2 = sums[2]
    s3 = sums[3]
    s4 = sums[4]
    for line in range(1, shape[G.LINES] + 1):
        w = weight[line * pitch : (line + 1) * pitch]
        r = residual[line * pitch : (line + 1) * pitch]
        e = edge[line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            we = w[x] * e[x]
            size = abs(r[x])
            s0[x] += w[x]
            s1[x] += we
            s2[x] += w[x] * size
            s3[x] += we * e[x]
            s4[x] += we * size
    total = _total(s0)
    if total < 1.0:
        return 0.0
    steep = _total(s1) / total
    spread = _total(s3) / total - steep * steep
    joint = _total(s4) / total - steep * (_total(s2) / total)
    return max(0.0, joint / (spread + 1.0))


@njit(**OPTIONS)
def _limits(noise: Any, edge: Any, knobs: Any, share: Any, out: Any) -> None:
    """Each cell's own threshold, in grey levels: more beside edges, more in noise."""
    base = knobs[G.BASE]
    k = knobs[G.NOISE_GAIN]
    for i in range(out.shape[0]):
        out[i] = base + share * edge[i] + k * math.sqrt(noise[i])


@njit(**OPTIONS)
def _ratio(residual: Any, limit: Any, look: Any, out: Any) -> None:
    """Size of each residual in units of its threshold."""
    for i in range(out.shape[0]):
        out[i] = look[i] * abs(residual[i]) / limit[i]


@njit(**OPTIONS)
def _label(ratio: Any, low: Any, labels: Any) -> Any:
    """0 calm, 1 may join a mover, 2 may start one; returns how many of the last."""
    hot: Any = 0
    for i in range(labels.shape[0]):
        strong = ratio[i] > F(1)
        hot += np.int64(strong)
        labels[i] = np.uint8(ratio[i] > low) + np.uint8(strong)
    return hot


@njit(**OPTIONS)
def _age(residual: Any, before: Any, limit: Any, age: Any, dt: Any) -> None:
    """Seconds since each cell last changed from one frame to the next."""
    for i in range(age.shape[0]):
        older = age[i] + dt
        age[i] = F(0) if abs(residual[i] - before[i]) > limit[i] else older


@njit(**OPTIONS)
def trace_edges(shape: Any, field: Any) -> None:
    """Fill `field[EDGE]` with the steepest difference of each cell to a neighbour."""
    pitch = shape[G.PITCH]
    n = field.shape[1]
    back = field[G.BACK]
    # Border cells repeat their neighbour, so that the picture's rim is no edge.
    for line in range(1, shape[G.LINES] + 1):
        back[line * pitch] = back[line * pitch + 1]
        last = line * pitch + shape[G.COLUMNS]
        back[last + 1] = back[last]
    bottom = (shape[G.LINES] + 1) * pitch
    for x in range(pitch):
        back[x] = back[pitch + x]
        back[bottom + x] = back[bottom - pitch + x]
    here = back[pitch : n - pitch]
    left = back[pitch - 1 : n - pitch - 1]
    right = back[pitch + 1 : n - pitch + 1]
    up = back[: n - 2 * pitch]
    down = back[2 * pitch :]
    out = field[G.EDGE, pitch : n - pitch]
    for i in range(out.shape[0]):
        across = max(abs(right[i] - here[i]), abs(left[i] - here[i]))
        along = max(abs(up[i] - here[i]), abs(down[i] - here[i]))
        out[i] = max(across, along)


@njit(**OPTIONS)
def compare(shape: Any, knobs: Any, field: Any, labels: Any, sums: Any, found: Any) -> None:
    """Compare this frame's means with the background in today's light.

    Writes `field[RESIDUAL]`, `field[RATIO]`, `labels`, and into `found` the light's offset and
    gain and the number of hot cells.
    """
    mean = field[G.MEAN]
    back = field[G.BACK]
    look = field[G.LOOK]
    residual = field[G.RESIDUAL]
    weight = field[G.WEIGHT]
    # First as if the light had not changed: on most frames it has not, and a large mover then
    # cannot pull the fit its way.
    _expect(back, mean, F(0), F(0), residual)
    limit = 3.0 * _mean_size(residual, look, shape, sums) + 1.0
    _inliers(residual, weight, F(limit), weight)
    offset, gain = _fit(weight, back, mean, shape, sums)
    _expect(back, mean, F(offset), F(gain), residual)
    limit = 3.0 * _mean_size(residual, look, shape, sums) + 1.0
    _inliers(residual, look, F(limit), weight)
    offset, gain = _fit(weight, back, mean, shape, sums)
    _expect(back, mean, F(offset), F(gain), residual)
    _even_lines(residual, back, weight, shape, sums)
    limits = field[G.LIMIT]
    shake = _shake(residual, field[G.EDGE], weight, shape, sums)
    found[G.SHAKE] = max(shake, found[G.SHAKE] * np.float64(knobs[G.SHAKE_DECAY]))
    share = max(knobs[G.EDGE_SHARE], F(G.SHAKE_GAIN * found[G.SHAKE]))
    _limits(field[G.NOISE], field[G.EDGE], knobs, share, limits)
    _ratio(residual, limits, look, field[G.RATIO])
    _age(residual, field[G.BEFORE], limits, field[G.AGE], knobs[G.DT])
    found[G.OFFSET] = offset
    found[G.GAIN] = gain
    found[G.HOT] = np.float64(_label(field[G.RATIO], knobs[G.LOW], labels))
