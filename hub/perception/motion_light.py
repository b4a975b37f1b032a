"""Numba kernels that compare cells with the background in today's light.

Sums run down columns in float32, then along the row of column sums in float64, so that the
compiler cannot reorder them and `motion_numpy` gets the same bits.
"""

# Numba ships few type hints: its decorators and intrinsics are untyped.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from hub.perception import motion_grid as G
from hub.perception.motion_cache import OPTIONS
from hub.perception.motion_limits import stand_out

F = np.float32


@njit(**OPTIONS)
def add_up(columns: Any) -> Any:
    """The sum of column sums, in their order."""
    total = 0.0
    for x in range(columns.shape[0]):
        total += np.float64(columns[x])
    return total


@njit(**OPTIONS)
def _clear(sums: Any) -> None:
    for x in range(sums.shape[0]):
        sums[x] = F(0)


@njit(**OPTIONS)
def _totals(sums: Any, pitch: int) -> Any:
    """Five rows of sums, each added up: each waits for its own last addition, so five take as
    long as one.
    """
    a = 0.0
    b = 0.0
    c = 0.0
    d = 0.0
    e = 0.0
    for x in range(pitch):
        a += np.float64(sums[x])
        b += np.float64(sums[x + G.ROW])
        c += np.float64(sums[x + 2 * G.ROW])
        d += np.float64(sums[x + 3 * G.ROW])
        e += np.float64(sums[x + 4 * G.ROW])
    return a, b, c, d, e


@njit(**OPTIONS)
def _solve(sums: Any, pitch: int) -> Any:
    """Weight, offset and slope of the straight line whose sums ran down the columns.

    The slope is drawn towards 0 by four grey levels of imagined variance, so that a flat scene
    does not turn a little noise into a large gain.
    """
    total, of_x, of_xx, of_xy, of_y = _totals(sums, pitch)
    if total < 1.0:
        return total, 0.0, 0.0
    level = of_x / total
    change = of_y / total
    spread = of_xx / total - level * level
    joint = of_xy / total - level * change
    slope = joint / (spread + 4.0)
    return total, change - slope * level, slope


@njit(**OPTIONS)
def _fit(weight: Any, back: Any, mean: Any, shape: Any, sums: Any) -> Any:
    """Weighted least squares of `mean - back` on `back - 128`: (weight, offset, gain - 1)."""
    pitch = shape[G.PITCH]
    _clear(sums)
    for line in range(1, shape[G.LINES] + 1):
        w = weight[line * pitch : (line + 1) * pitch]
        b = back[line * pitch : (line + 1) * pitch]
        m = mean[line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            level = b[x] - F(128)
            change = m[x] - b[x]
            wl = w[x] * level
            wd = w[x] * change
            sums[x] += w[x]
            sums[G.ROW + x] += wl
            sums[2 * G.ROW + x] += wl * level
            sums[3 * G.ROW + x] += wl * change
            sums[4 * G.ROW + x] += wd
    return _solve(sums, pitch)


@njit(**OPTIONS)
def _fit_calm(field: Any, shape: Any, sums: Any) -> Any:
    """`_fit` on the cells of every second line that stay within their thresholds as they are.

    On most frames the light has not changed, and these are nearly all cells.
    """
    pitch = shape[G.PITCH]
    _clear(sums)
    for line in range(1, shape[G.LINES] + 1, 2):
        v = field[G.LOOK, line * pitch : (line + 1) * pitch]
        t = field[G.LIMIT, line * pitch : (line + 1) * pitch]
        b = field[G.BACK, line * pitch : (line + 1) * pitch]
        m = field[G.MEAN, line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            level = b[x] - F(128)
            change = m[x] - b[x]
            w = v[x] if abs(change) < t[x] else F(0)
            wl = w * level
            sums[x] += w
            sums[G.ROW + x] += wl
            sums[2 * G.ROW + x] += wl * level
            sums[3 * G.ROW + x] += wl * change
            sums[4 * G.ROW + x] += w * change
    return _solve(sums, pitch)


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
def _line_gain(r: Any, b: Any, w: Any, sums: Any) -> Any:
    """How much brighter one line of cells is than expected, as a share.

    Sums run in eight lanes along the line, then over the lanes.
    """
    top = sums[:8]
    bottom = sums[G.ROW : G.ROW + 8]
    for lane in range(8):
        top[lane] = F(0)
        bottom[lane] = F(0)
    for start in range(0, r.shape[0], 8):
        for lane in range(8):
            wb = w[start + lane] * b[start + lane]
            top[lane] += wb * r[start + lane]
            bottom[lane] += wb * b[start + lane]
    return F(add_up(top) / (add_up(bottom) + G.LINE_INERTIA))


@njit(**OPTIONS)
def _banded_lines(field: Any, shape: Any, sums: Any) -> Any:
    """How many lines of cells have a gain of their own that their neighbours nearly share.

    Bands of mains light are many lines wide; stripes before a shaking camera are not.
    """
    pitch = shape[G.PITCH]
    count = 0
    last = F(0)
    for line in range(1, shape[G.LINES] + 1):
        r = field[G.RESIDUAL, line * pitch : (line + 1) * pitch]
        b = field[G.BACK, line * pitch : (line + 1) * pitch]
        w = field[G.WEIGHT, line * pitch : (line + 1) * pitch]
        gain = _line_gain(r, b, w, sums)
        count += abs(gain) > G.BAND and abs(gain - last) < G.BAND_LIKE * abs(gain)
        last = gain
    return count


@njit(**OPTIONS)
def _half_of(w: Any, v: Any) -> Any:
    """Whether the weights `w` hold at least half of `v`."""
    some = F(0)
    whole = F(0)
    for x in range(w.shape[0]):
        some += w[x]
        whole += v[x]
    return F(2) * some >= whole


@njit(**OPTIONS)
def _even_lines(field: Any, shape: Any, sways: bool, sums: Any) -> None:
    """Take the bands of mains light out: a rolling shutter reads each row under another phase of
    the lamps.

    Where shade sways the light is known less well; a line of which most is then beyond what is
    fair is asked as a whole.
    """
    pitch = shape[G.PITCH]
    for line in range(1, shape[G.LINES] + 1):
        r = field[G.RESIDUAL, line * pitch : (line + 1) * pitch]
        b = field[G.BACK, line * pitch : (line + 1) * pitch]
        w = field[G.WEIGHT, line * pitch : (line + 1) * pitch]
        v = field[G.LOOK, line * pitch : (line + 1) * pitch]
        gain = _line_gain(r, b, v if sways and not _half_of(w, v) else w, sums)
        for x in range(pitch):
            r[x] -= gain * b[x]


@njit(**OPTIONS)
def _mean_size(residual: Any, look: Any, shape: Any, sums: Any) -> Any:
    """Mean absolute residual over the cells looked at."""
    pitch = shape[G.PITCH]
    for x in range(pitch):
        sums[x] = F(0)
    for line in range(1, shape[G.LINES] + 1):
        r = residual[line * pitch : (line + 1) * pitch]
        v = look[line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            sums[x] += v[x] * abs(r[x])
    return add_up(sums[:pitch]) / max(1.0, np.float64(shape[G.LOOKED_AT]))


@njit(**OPTIONS)
def _inliers(residual: Any, mean: Any, look: Any, limit: Any, out: Any) -> None:
    """1 where the light may be judged: neither moved nor saturated."""
    for i in range(out.shape[0]):
        fair = look[i] if abs(residual[i]) < limit else F(0)
        out[i] = fair if abs(mean[i] - G.MIDDLE) < G.UNSATURATED else F(0)


@njit(**OPTIONS)
def _within(residual: Any, limit: Any, look: Any, out: Any) -> None:
    """1 where a cell is looked at and within its threshold."""
    for i in range(out.shape[0]):
        out[i] = look[i] if abs(residual[i]) < limit[i] else F(0)


@njit(**OPTIONS)
def _unmoved(look: Any, front: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = look[i] if front[i] == F(0) else F(0)


@njit(**OPTIONS)
def _fit_change(shape: Any, field: Any, sums: Any) -> Any:
    """The light's offset and gain where it has changed: fitted twice, without what stands out.

    What moved in the last frame has no say at first. Leaves the cells that had a say in
    `field[WEIGHT]`, and the residuals in `field[RESIDUAL]`.
    """
    mean = field[G.MEAN]
    back = field[G.BACK]
    look = field[G.LOOK]
    residual = field[G.RESIDUAL]
    weight = field[G.WEIGHT]
    _expect(back, mean, F(0), F(0), residual)
    _unmoved(look, field[G.FRONT], weight)
    limit = 3.0 * _mean_size(residual, look, shape, sums) + 1.0
    _inliers(residual, mean, weight, F(limit), weight)
    _, offset, gain = _fit(weight, back, mean, shape, sums)
    _expect(back, mean, F(offset), F(gain), residual)
    limit = 3.0 * _mean_size(residual, look, shape, sums) + 1.0
    _inliers(residual, mean, look, F(limit), weight)
    _, offset, gain = _fit(weight, back, mean, shape, sums)
    _expect(back, mean, F(offset), F(gain), residual)
    limit = 3.0 * _mean_size(residual, look, shape, sums) + 1.0
    _inliers(residual, mean, look, F(limit), weight)
    return offset, gain


@njit(**OPTIONS)
def _shake(field: Any, size: Any, shape: Any, sums: Any) -> Any:
    """How much residuals grow with edges, and what neither noise nor edges explain.

    The first is the slope of |residual| on edge, 0 or more: a camera on a swaying pole moves
    every edge by the same fraction of a cell. The second is how far residuals are over the share
    of their thresholds that is usual, in grey levels: light that changes from place to place. The
    third is the mean change of calm cells from the frame before, likewise in grey levels.
    Every second line is asked, and there the cells that do not stand out.
    """
    pitch = shape[G.PITCH]
    limit = F(3.0 * size + 1.0)
    _clear(sums)
    for line in range(1, shape[G.LINES] + 1, 2):
        v = field[G.LOOK, line * pitch : (line + 1) * pitch]
        r = field[G.RESIDUAL, line * pitch : (line + 1) * pitch]
        e = field[G.EDGE, line * pitch : (line + 1) * pitch]
        t = field[G.LIMIT, line * pitch : (line + 1) * pitch]
        b = field[G.BEFORE, line * pitch : (line + 1) * pitch]
        for x in range(pitch):
            apart = abs(r[x])
            w = v[x] if apart < limit else F(0)
            we = w * e[x]
            sums[x] += w
            sums[G.ROW + x] += we
            sums[2 * G.ROW + x] += we * e[x]
            sums[3 * G.ROW + x] += we * apart
            sums[4 * G.ROW + x] += w * apart
            sums[5 * G.ROW + x] += w * t[x]
            c = v[x] if apart < F(0.5) * t[x] else F(0)
            sums[6 * G.ROW + x] += c
            sums[7 * G.ROW + x] += c * abs(r[x] - b[x])
    total, _, slope = _solve(sums, pitch)
    _, apart, usual, calm, step = _totals(sums[3 * G.ROW :], pitch)
    excess = max(0.0, apart - G.USUAL_SHARE * usual) / max(1.0, total)
    return max(0.0, slope), excess, step / max(1.0, calm)


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
    gain and the number of hot cells. Where nearly all cells stand as they stood, one short fit
    does; else the light is fitted with more care, and the bands of mains light are taken out, for
    as long as they are there.
    """
    mean = field[G.MEAN]
    back = field[G.BACK]
    look = field[G.LOOK]
    residual = field[G.RESIDUAL]
    total, offset, gain = _fit_calm(field, shape, sums)
    found[G.BANDS] = max(0.0, found[G.BANDS] - np.float64(knobs[G.DT]))
    unrest = found[G.UNREST]
    sways = found[G.SWAY] > G.SWAY_SHARE
    changed = 0.0
    many = total >= G.CALM_ENOUGH * np.float64(shape[G.LOOKED_AT_ODD])
    calm = many and found[G.BANDS] == 0.0
    if calm:
        _expect(back, mean, F(offset), F(gain), residual)
    else:
        offset, gain = _fit_change(shape, field, sums)
        changed = max(abs(offset) / G.JUMP_OFFSET, abs(gain) / G.JUMP_GAIN)
    jumped = changed > max(1.0, G.JUMP_AGAIN * unrest)
    if many and (knobs[G.RENEW] > F(0) or not calm):
        _within(residual, field[G.LIMIT], look, field[G.WEIGHT])
    if not jumped and (knobs[G.RENEW] > F(0) or not calm):
        if _banded_lines(field, shape, sums) > G.BAND_SHARE * shape[G.LINES]:
            found[G.BANDS] = G.BAND_SECONDS
        if found[G.BANDS] > 0.0:
            _even_lines(field, shape, sways, sums)
    found[G.JUMPED] = np.float64(jumped)
    pace = min(1.0, np.float64(knobs[G.DT]) / G.UNREST_SECONDS)
    found[G.UNREST] = unrest + pace * (changed - unrest)
    found[G.SIZE] = _mean_size(residual, look, shape, sums)
    shake, excess, step = _shake(field, found[G.SIZE], shape, sums)
    found[G.SHAKE] = max(shake, found[G.SHAKE] * np.float64(knobs[G.SHAKE_DECAY]))
    share = max(knobs[G.EDGE_SHARE], F(G.SHAKE_GAIN * found[G.SHAKE]))
    base = knobs[G.BASE] + F(min(G.EXCESS_MOST, G.EXCESS_GAIN * excess))
    many = knobs[G.NOISE_GAIN]
    if sways:
        many = many * G.SWAY_GAIN
    found[G.HOT] = np.float64(stand_out(shape, knobs, field, base, share, many, labels))
    found[G.PULSE] = np.float64(step > max(G.PULSE_LEAST, G.PULSE_TIMES * found[G.STEP]))
    found[G.STEP] += np.float64(knobs[G.PULSE_RATE]) * (step - found[G.STEP])
    found[G.OFFSET] = offset
    found[G.GAIN] = gain
