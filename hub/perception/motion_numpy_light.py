"""`motion_light` in NumPy: cells compared with the background in today's light, more slowly.

Every function has the name and the results of its compiled twin; sums run down columns in float32
and then along in float64, as there, so that results agree to the last bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G

F = np.float32
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]


def add_up(values: Floats, shape: Ints) -> float:
    """The sum of a grid, down its columns first."""
    columns = values.reshape(-1, int(shape[G.PITCH])).sum(axis=0)
    return float(np.cumsum(columns, dtype=np.float64)[-1])


def _odd(values: Floats, shape: Ints) -> Floats:
    """Every second line of cells from the first, one after the other."""
    lines: Floats = values.reshape(-1, int(shape[G.PITCH]))[1:-1:2].ravel()
    return lines


def _solve(
    weight: Floats, of_x: Floats, of_y: Floats, of_xx: Floats, of_xy: Floats, shape: Ints
) -> tuple[float, float, float]:
    """Weight, offset and slope of the straight line through weighted sums."""
    total = add_up(weight, shape)
    if total < 1.0:
        return total, 0.0, 0.0
    level, change = add_up(of_x, shape) / total, add_up(of_y, shape) / total
    spread = add_up(of_xx, shape) / total - level * level
    joint = add_up(of_xy, shape) / total - level * change
    slope = joint / (spread + 4.0)
    return total, change - slope * level, slope


def _fit(weight: Floats, back: Floats, mean: Floats, shape: Ints) -> tuple[float, float, float]:
    level, change = back - F(128), mean - back
    of_level = weight * level
    return _solve(weight, of_level, weight * change, of_level * level, of_level * change, shape)


def _fit_calm(field: Floats, shape: Ints) -> tuple[float, float, float]:
    back, mean = _odd(field[G.BACK], shape), _odd(field[G.MEAN], shape)
    look, limit = _odd(field[G.LOOK], shape), _odd(field[G.LIMIT], shape)
    return _fit(np.where(abs(mean - back) < limit, look, F(0)), back, mean, shape)


def _expect(back: Floats, mean: Floats, offset: float, gain: float) -> Floats:
    level = back + F(offset) + F(gain) * (back - F(128))
    seen: Floats = np.clip(mean, G.DARKEST, G.BRIGHTEST)
    expected: Floats = np.clip(level, G.DARKEST, G.BRIGHTEST)
    return seen - expected


def _line_gains(field: Floats, weight: Floats, shape: Ints) -> Floats:
    lanes = (-1, int(shape[G.PITCH]) // 8, 8)
    back = field[G.BACK]
    of_back = weight * back

    def along(values: Floats) -> Doubles:
        sums = values.reshape(lanes).sum(axis=1)
        return np.cumsum(sums, axis=1, dtype=np.float64)[:, -1:]

    gains = along(of_back * field[G.RESIDUAL]) / (along(of_back * back) + G.LINE_INERTIA)
    gains[0] = gains[-1] = 0  # the border is no line
    return gains.astype(np.float32)


def _half_of(field: Floats, shape: Ints) -> NDArray[np.bool_]:
    """Which lines have a weight of at least half of the cells looked at; (lines, 1)."""
    lines = (-1, int(shape[G.PITCH]))
    some, whole = (field[row].reshape(lines).sum(axis=1) for row in (G.WEIGHT, G.LOOK))
    half: NDArray[np.bool_] = (2 * some >= whole)[:, None]
    return half


def _banded(gains: Floats) -> int:
    """How many lines of cells have a gain of their own that their neighbours nearly share."""
    like = abs(np.diff(gains, axis=0)) < G.BAND_LIKE * abs(gains[1:])
    return int(np.count_nonzero((abs(gains[1:]) > G.BAND) & like))


def _shake(field: Floats, size: float, shape: Ints) -> tuple[float, float, float]:
    apart, edge = abs(_odd(field[G.RESIDUAL], shape)), _odd(field[G.EDGE], shape)
    look = _odd(field[G.LOOK], shape)
    weight = np.where(apart < F(3.0 * size + 1.0), look, F(0))
    of_edge = weight * edge
    total, _, slope = _solve(
        weight, of_edge, weight * apart, of_edge * edge, of_edge * apart, shape
    )
    limit = _odd(field[G.LIMIT], shape)
    usual = G.USUAL_SHARE * add_up(weight * limit, shape)
    excess = max(0.0, add_up(weight * apart, shape) - usual) / max(1.0, total)
    calm = np.where(apart < F(0.5) * limit, look, F(0))
    step = abs(_odd(field[G.RESIDUAL], shape) - _odd(field[G.BEFORE], shape))
    return max(0.0, slope), excess, add_up(calm * step, shape) / max(1.0, add_up(calm, shape))


def _mean_size(field: Floats, shape: Ints) -> float:
    size = add_up(field[G.LOOK] * abs(field[G.RESIDUAL]), shape)
    return size / max(1.0, float(shape[G.LOOKED_AT]))


def _inliers(field: Floats, look: Floats, shape: Ints) -> Floats:
    limit = F(3.0 * _mean_size(field, shape) + 1.0)
    fair = np.where(abs(field[G.RESIDUAL]) < limit, look, F(0))
    unsaturated = abs(field[G.MEAN] - G.MIDDLE) < G.UNSATURATED
    weight: Floats = np.where(unsaturated, fair, F(0))
    return weight


def _fit_change(shape: Ints, field: Floats) -> tuple[float, float]:
    mean, back, look = field[G.MEAN], field[G.BACK], field[G.LOOK]
    offset = gain = 0.0
    field[G.RESIDUAL] = _expect(back, mean, offset, gain)
    unmoved = np.where(field[G.FRONT] == 0, look, F(0))
    field[G.WEIGHT] = _inliers(field, unmoved, shape)
    for _ in range(2):
        _, offset, gain = _fit(field[G.WEIGHT], back, mean, shape)
        field[G.RESIDUAL] = _expect(back, mean, offset, gain)
        field[G.WEIGHT] = _inliers(field, look, shape)
    return offset, gain


def _light(shape: Ints, knobs: Floats, field: Floats, found: Doubles) -> tuple[float, float]:
    """Offset and gain of today's light; fills `field[RESIDUAL]`."""
    total, offset, gain = _fit_calm(field, shape)
    found[G.BANDS] = max(0.0, float(found[G.BANDS]) - float(knobs[G.DT]))
    unrest = float(found[G.UNREST])
    changed = 0.0
    many = total >= G.CALM_ENOUGH * float(shape[G.LOOKED_AT_ODD])
    calm = many and found[G.BANDS] == 0.0
    if calm:
        field[G.RESIDUAL] = _expect(field[G.BACK], field[G.MEAN], offset, gain)
    else:
        offset, gain = _fit_change(shape, field)
        changed = max(abs(offset) / G.JUMP_OFFSET, abs(gain) / G.JUMP_GAIN)
    jumped = changed > max(1.0, G.JUMP_AGAIN * unrest)
    often = bool(knobs[G.RENEW] > 0)
    if many and (often or not calm):
        within = abs(field[G.RESIDUAL]) < field[G.LIMIT]
        field[G.WEIGHT] = np.where(within, field[G.LOOK], F(0))
    if not jumped and (often or not calm):
        gains = _line_gains(field, field[G.WEIGHT], shape)
        if _banded(gains) > G.BAND_SHARE * int(shape[G.LINES]):
            found[G.BANDS] = G.BAND_SECONDS
        if found[G.BANDS] > 0.0:
            if found[G.SWAY] > G.SWAY_SHARE:
                whole = _line_gains(field, field[G.LOOK], shape)
                gains = np.where(_half_of(field, shape), gains, whole)
            of_line = gains * field[G.BACK].reshape(len(gains), -1)
            field[G.RESIDUAL] -= of_line.ravel()
    pace = min(1.0, float(knobs[G.DT]) / G.UNREST_SECONDS)
    found[G.JUMPED], found[G.UNREST] = float(jumped), unrest + pace * (changed - unrest)
    return offset, gain


def _limits(
    field: Floats, base: np.float32, share: np.float32, many: np.float32, knobs: Floats
) -> Floats:
    sigma = np.sqrt(field[G.NOISE])
    reach = np.where(field[G.RESIDUAL] > 0, field[G.ABOVE], field[G.BELOW])
    floor = sigma * (knobs[G.REACH_LEAST] + knobs[G.REACH_GAIN] * sigma)
    often = (field[G.RESTLESS] > G.RESTLESS_SHARE) | (field[G.AWAY] > G.CALM_AWAY)
    gentle = np.minimum(floor, G.CALM_SIDE * reach + G.CALM_REST)
    reach = np.maximum(reach, np.where(often, floor, gentle))
    wide = np.minimum(many * sigma, knobs[G.STRETCH] * reach)
    limits: Floats = base + share * field[G.EDGE] + wide
    return limits


def _label(ratio: Floats, pitch: int, knobs: Floats, labels: Bytes) -> int:
    n = len(ratio)
    upright = np.zeros_like(ratio)
    upright[pitch : n - pitch] = ratio[: n - 2 * pitch] + ratio[pitch : n - pitch]
    upright[pitch : n - pitch] += ratio[2 * pitch :]
    middle, alone = upright[1 : n - 1], abs(ratio[1 : n - 1])
    wide = np.maximum(abs(middle + upright[: n - 2]), abs(middle + upright[2:]))
    pooled = (wide > knobs[G.TOGETHER]) & (alone > knobs[G.FIRM])
    strong = alone > 1
    labels[1 : n - 1] = ((alone > knobs[G.LOW]) | pooled).astype(np.uint8) + (strong | pooled)
    return int(np.count_nonzero(strong))


def compare(shape: Ints, knobs: Floats, field: Floats, labels: Bytes, found: Doubles) -> None:
    """Compare this frame's means with the background in today's light."""
    offset, gain = _light(shape, knobs, field, found)
    found[G.SIZE] = _mean_size(field, shape)
    shake, excess, step = _shake(field, float(found[G.SIZE]), shape)
    found[G.SHAKE] = max(shake, float(found[G.SHAKE]) * float(knobs[G.SHAKE_DECAY]))
    share = max(knobs[G.EDGE_SHARE], F(G.SHAKE_GAIN * float(found[G.SHAKE])))
    base = knobs[G.BASE] + F(min(G.EXCESS_MOST, G.EXCESS_GAIN * excess))
    many = knobs[G.NOISE_GAIN]
    if found[G.SWAY] > G.SWAY_SHARE:
        many = many * G.SWAY_GAIN
    field[G.LIMIT] = _limits(field, base, share, many, knobs)
    field[G.RATIO] = field[G.LOOK] * field[G.RESIDUAL] / field[G.LIMIT]
    found[G.PULSE] = step > max(G.PULSE_LEAST, G.PULSE_TIMES * float(found[G.STEP]))
    found[G.STEP] += float(knobs[G.PULSE_RATE]) * (step - float(found[G.STEP]))
    found[G.OFFSET], found[G.GAIN] = offset, gain
    found[G.HOT] = _label(field[G.RATIO], int(shape[G.PITCH]), knobs, labels)


def trace_edges(shape: Ints, field: Floats) -> None:
    """Fill `field[EDGE]` with the steepest difference of each cell to a neighbour."""
    lines, columns = int(shape[G.LINES]), int(shape[G.COLUMNS])
    back = field[G.BACK].reshape(-1, int(shape[G.PITCH]))
    back[1 : lines + 1, 0] = back[1 : lines + 1, 1]
    back[1 : lines + 1, columns + 1] = back[1 : lines + 1, columns]
    back[0], back[lines + 1] = back[1], back[lines]
    flat, pitch = field[G.BACK], int(shape[G.PITCH])
    n = len(flat)
    here = flat[pitch : n - pitch]
    across = np.maximum(
        abs(flat[pitch + 1 : n - pitch + 1] - here), abs(flat[pitch - 1 : n - pitch - 1] - here)
    )
    along = np.maximum(abs(flat[: n - 2 * pitch] - here), abs(flat[2 * pitch :] - here))
    field[G.EDGE, pitch : n - pitch] = np.maximum(across, along)
