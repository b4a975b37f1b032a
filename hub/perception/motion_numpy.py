"""The motion gate's kernels in NumPy: the same numbers as `motion_kernels`, more slowly.

Used by tests as the second opinion, and on machines where Numba cannot load. Every function
has the name, the arguments and the results of its compiled twin; sums run down columns in
float32 and then along in float64, as there, so that results agree to the last bit.
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


def _measure(luma: Bytes, shape: Ints, scale: Floats, field: Floats) -> None:
    """Fill `field[MEAN]` with the mean grey level of every cell."""
    lines, columns, cell_h = int(shape[G.LINES]), int(shape[G.COLUMNS]), int(shape[G.CELL_H])
    step, wide = int(shape[G.ROW_STEP]), int(shape[G.WORDS]) * 8
    lefts = np.arange(columns) * int(shape[G.CELL_W])
    means = field[G.MEAN].reshape(lines + 2, -1)
    for line in range(lines):
        rows = luma[line * cell_h : (line + 1) * cell_h : step, :wide]
        total = np.add.reduceat(rows.sum(axis=0, dtype=np.int64), lefts)
        means[line + 1, 1 : columns + 1] = total.astype(np.float32) * scale[line]


def _total(values: Floats, shape: Ints) -> float:
    columns = values.reshape(-1, int(shape[G.PITCH])).sum(axis=0)
    return float(np.cumsum(columns, dtype=np.float64)[-1])


def _fit(weight: Floats, back: Floats, mean: Floats, shape: Ints) -> tuple[float, float]:
    total = _total(weight, shape)
    if total < 1.0:
        return 0.0, 0.0
    level = back - F(128)
    change = mean - back
    of_level, of_change = weight * level, weight * change
    mean_level = _total(of_level, shape) / total
    mean_change = _total(of_change, shape) / total
    spread = _total(of_level * level, shape) / total - mean_level * mean_level
    joint = _total(of_level * change, shape) / total - mean_level * mean_change
    gain = joint / (spread + 4.0)
    return mean_change - gain * mean_level, gain


def _expect(back: Floats, mean: Floats, offset: float, gain: float) -> Floats:
    level = back + F(offset) + F(gain) * (back - F(128))
    seen: Floats = np.clip(mean, G.DARKEST, G.BRIGHTEST)
    expected: Floats = np.clip(level, G.DARKEST, G.BRIGHTEST)
    return seen - expected


def _even_lines(residual: Floats, back: Floats, weight: Floats, shape: Ints) -> Floats:
    lanes = (-1, int(shape[G.PITCH]) // 8, 8)
    of_back = weight * back

    def along(values: Floats) -> Doubles:
        sums = values.reshape(lanes).sum(axis=1)
        return np.cumsum(sums, axis=1, dtype=np.float64)[:, -1:]

    gains = along(of_back * residual) / (along(of_back * back) + G.LINE_INERTIA)
    gains[0] = gains[-1] = 0  # the border is no line
    of_line = gains.astype(np.float32) * back.reshape(len(gains), -1)
    return residual - of_line.ravel()


def _shake(residual: Floats, edge: Floats, weight: Floats, shape: Ints) -> float:
    total = _total(weight, shape)
    if total < 1.0:
        return 0.0
    of_edge, size = weight * edge, abs(residual)
    steep = _total(of_edge, shape) / total
    spread = _total(of_edge * edge, shape) / total - steep * steep
    joint = _total(of_edge * size, shape) / total - steep * (_total(weight * size, shape) / total)
    return max(0.0, joint / (spread + 1.0))


def _compare(shape: Ints, knobs: Floats, field: Floats, labels: Bytes, found: Doubles) -> None:
    """Compare this frame's means with the background in today's light."""
    mean, back, look = field[G.MEAN], field[G.BACK], field[G.LOOK]
    residual = _expect(back, mean, 0.0, 0.0)
    size = _total(look * abs(residual), shape) / max(1.0, float(shape[G.LOOKED_AT]))
    weight = np.where(abs(residual) < F(3.0 * size + 1.0), field[G.WEIGHT], F(0))
    residual = _expect(back, mean, *_fit(weight, back, mean, shape))
    size = _total(look * abs(residual), shape) / max(1.0, float(shape[G.LOOKED_AT]))
    limit = F(3.0 * size + 1.0)
    field[G.WEIGHT] = np.where(abs(residual) < limit, look, F(0))
    offset, gain = _fit(field[G.WEIGHT], back, mean, shape)
    residual = _expect(back, mean, offset, gain)
    residual = _even_lines(residual, back, field[G.WEIGHT], shape)
    field[G.RESIDUAL] = residual
    limits = field[G.LIMIT]
    shake = _shake(residual, field[G.EDGE], field[G.WEIGHT], shape)
    found[G.SHAKE] = max(shake, float(found[G.SHAKE]) * float(knobs[G.SHAKE_DECAY]))
    share = max(knobs[G.EDGE_SHARE], F(G.SHAKE_GAIN * float(found[G.SHAKE])))
    limits[:] = knobs[G.BASE] + share * field[G.EDGE]
    limits += knobs[G.NOISE_GAIN] * np.sqrt(field[G.NOISE])
    # Border cells have no slack before the first frame; they are never looked at.
    with np.errstate(divide="ignore", invalid="ignore"):
        field[G.RATIO] = look * abs(residual) / limits
    changed = abs(residual - field[G.BEFORE]) > limits
    field[G.AGE] = np.where(changed, F(0), field[G.AGE] + knobs[G.DT])
    strong = field[G.RATIO] > 1
    labels[:] = (field[G.RATIO] > knobs[G.LOW]).astype(np.uint8) + strong
    found[G.OFFSET], found[G.GAIN], found[G.HOT] = offset, gain, np.count_nonzero(strong)


def _trace_edges(shape: Ints, field: Floats) -> None:
    lines, columns = int(shape[G.LINES]), int(shape[G.COLUMNS])
    back = field[G.BACK].reshape(lines + 2, -1)
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


def _grow(seed: int, labels: Bytes, pitch: int) -> list[int]:
    around = (-pitch - 1, -pitch, -pitch + 1, -1, 1, pitch - 1, pitch, pitch + 1)
    cells = [seed]
    labels[seed] = 0
    for i in cells:
        for step in around:
            if labels[i + step]:
                labels[i + step] = 0
                cells.append(i + step)
    return cells


def _support(cells: list[int], votes: Bytes, pitch: int) -> int:
    best = 0
    for i in cells:
        for dy in range(-2, 3):
            start = i + dy * pitch - 2
            near = votes[max(start, 0) : max(0, min(start + 5, len(votes)))]
            best = max(best, int(np.max(near, initial=0)))
    return best


def _patience(size: int, peak: float, shape: Ints, knobs: Floats) -> float:
    if size > G.VAST_SHARE * int(shape[G.LOOKED_AT]):
        return float(knobs[G.STILL_VAST])
    if peak > G.FAINT:
        return float(knobs[G.STILL])
    return float(knobs[G.STILL_FAINT if size >= knobs[G.BIG] else G.STILL_SPECK])


def _box(cells: list[int], shape: Ints) -> list[int]:
    lines, columns, pitch, width, height = (int(v) for v in shape[: G.CELL_H + 1])
    ys, xs = np.divmod(np.array(cells), pitch)
    right, bottom = int(shape[G.WIDTH]), int(shape[G.HEIGHT])
    x0, y0, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())
    return [
        max(0, (x0 - 1) * width - width // 2),
        max(0, (y0 - 1) * height - height // 2),
        right if x1 == columns else min(right, x1 * width + width // 2),
        bottom if y1 == lines else min(bottom, y1 * height + height // 2),
    ]


def _area(box: list[int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _belong(a: list[int], b: list[int]) -> bool:
    shared = [max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])]
    if shared[0] >= shared[2] or shared[1] >= shared[3]:
        return False
    both = _area(a) + _area(b) - _area(shared)
    return _area(_joined(a, b)) <= G.JOIN_WASTE * both


def _joined(a: list[int], b: list[int]) -> list[int]:
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]


def _merge(boxes: list[list[int]]) -> list[list[int]]:
    i = 0
    while i < len(boxes):
        j, joined = i + 1, False
        while j < len(boxes):
            if not _belong(boxes[i], boxes[j]):
                j += 1
                continue
            boxes[i] = _joined(boxes[i], boxes[j])
            boxes[j] = boxes[-1]
            boxes.pop()
            joined, j = True, i + 1
        i = 0 if joined else i + 1
    return boxes


def _gather(
    shape: Ints,
    knobs: Floats,
    field: Floats,
    labels: Bytes,
    votes: Bytes,
    boxes: NDArray[np.int32],
    found: Doubles,
) -> int:
    """Join labelled cells to movers, accept or refuse each, and box the accepted."""
    pitch = int(shape[G.PITCH])
    ratio, front, age = field[G.RATIO], field[G.FRONT], field[G.AGE]
    front[:] = 0
    votes[1], votes[0] = votes[0], 0
    jumped = abs(found[G.OFFSET]) > G.JUMP_OFFSET or abs(found[G.GAIN]) > G.JUMP_GAIN
    stray = 0
    rows: list[list[int]] = []
    for seed in np.flatnonzero(labels == 2).tolist():
        if labels[seed] != 2:
            continue
        mover = _grow(seed, labels, pitch)
        weight = np.cumsum(ratio[mover], dtype=np.float32)[-1]
        big = len(mover) >= knobs[G.BIG]
        run = 0 if big else _support(mover, votes[1], pitch)
        stray += not big and run == 0
        votes[0, mover] = 9 if big else min(run + 1, 9)
        needed = run >= knobs[G.RUN_NEEDED]
        if not (big or (needed and (weight > knobs[G.WEIGHT_LONE] or run >= G.RUN_SURE))):
            continue
        stale = age[mover].min() > _patience(len(mover), ratio[mover].max(), shape, knobs)
        known = np.count_nonzero(votes[1, mover])
        stale = stale or (jumped and 4 * known < len(mover))
        front[mover] = 2 if stale else 1
        if stale:
            continue
        if len(rows) < len(boxes) - 1:
            rows.append(_box(mover, shape))
        else:
            rows[-1] = _joined(rows[-1], _box(mover, shape))
    found[G.STRAY] = stray
    rows = _merge(rows)
    if rows:
        boxes[: len(rows)] = rows
    return len(rows)


def _learn(knobs: Floats, field: Floats, found: Doubles) -> None:
    """After every judged frame: noise, light and background move on."""
    residual, before, noise = field[G.RESIDUAL], field[G.BEFORE], field[G.NOISE]
    front, back, ratio = field[G.FRONT], field[G.BACK], field[G.RATIO]
    step = residual - before
    under = np.minimum(F(0.5) * step * step, F(4) * noise + F(1))
    under = np.minimum(under, G.FLUTTER_MOST)
    noise[:] = np.where(
        front > 0,
        noise + knobs[G.NOISE_SLOW] * np.maximum(F(0), under - noise),
        noise + knobs[G.NOISE_RATE] * (residual * residual - noise),
    )
    if abs(found[G.OFFSET]) > 1.0 or abs(found[G.GAIN]) > 0.02:
        back[:] = back + F(found[G.OFFSET]) + F(found[G.GAIN]) * (back - F(128))
    triple = F(3) * ratio
    square = triple * triple
    gentle = np.maximum(knobs[G.BACK_SLOW], knobs[G.BACK_RATE] / (F(1) + square * square))
    pace = np.where(front == 1, knobs[G.BACK_SLOW], gentle)
    pace = np.where(front == 2, F(1), pace)
    back += pace * (field[G.MEAN] - back)
    before[:] = residual


def sense(
    luma: Bytes,
    shape: Ints,
    scale: Floats,
    words: NDArray[np.uint64],
    knobs: Floats,
    field: Floats,
    labels: Bytes,
    sums: Floats,
    found: Doubles,
) -> None:
    """Measure a frame and compare it with the background."""
    _measure(luma, shape, scale, field)
    if knobs[G.RENEW] > 0:
        _trace_edges(shape, field)
    _compare(shape, knobs, field, labels, found)


def settle(
    shape: Ints,
    knobs: Floats,
    field: Floats,
    labels: Bytes,
    votes: Bytes,
    cells: Ints,
    boxes: NDArray[np.int32],
    found: Doubles,
) -> int:
    """Find the movers of a compared frame and learn from it; returns how many boxes."""
    count = _gather(shape, knobs, field, labels, votes, boxes, found)
    _learn(knobs, field, found)
    return count


def adopt(shape: Ints, knobs: Floats, field: Floats, pace: float, noise: float) -> None:
    """Take the frame for the new background by `pace` (1 = wholly); start noise anew."""
    field[G.BACK] += F(pace) * (field[G.MEAN] - field[G.BACK])
    field[G.NOISE] = np.maximum(field[G.NOISE], F(noise))
    field[G.BEFORE] = 0
    field[G.AGE] = 0
    field[G.FRONT] = 0
    field[G.WEIGHT] = field[G.LOOK]
    _trace_edges(shape, field)
