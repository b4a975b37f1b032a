"""The motion gate's kernels in NumPy: the same numbers as `motion_kernels`, more slowly.

Used by tests as the second opinion, and on machines where Numba cannot load. Every function
has the name, the arguments and the results of its compiled twin; sums run down columns in
float32 and then along in float64, as there, so that results agree to the last bit.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G
from hub.perception.motion_numpy_boxes import clear_part, enclose, merge, near_part
from hub.perception.motion_numpy_faint import follow, level_to_follow
from hub.perception.motion_numpy_hold import hold
from hub.perception.motion_numpy_leaves import count_mistakes, find_beneath, leaves_sway
from hub.perception.motion_numpy_light import compare, trace_edges

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
    means = field[G.MEAN].reshape(-1, int(shape[G.PITCH]))
    for line in range(lines):
        rows = luma[line * cell_h : (line + 1) * cell_h : step, :wide]
        total = np.add.reduceat(rows.sum(axis=0, dtype=np.int64), lefts)
        means[line + 1, 1 : columns + 1] = total.astype(np.float32) * scale[line]


def _take(at: int, labels: Bytes) -> range:
    """The run of labelled cells around `at`, which it clears."""
    first = past = at
    while labels[first - 1]:
        first -= 1
    while labels[past]:
        past += 1
    labels[first:past] = 0
    return range(first, past)


def _grow(seed: int, labels: Bytes, pitch: int) -> list[int]:
    runs, cells = [_take(seed, labels)], list[int]()
    for run in runs:
        cells += run
        for shift in (-pitch, pitch):
            for at in range(run.start + shift - 1, run.stop + shift + 1):
                if labels[at]:
                    runs.append(_take(at, labels))
    return cells


def _support(cells: list[int], votes: Bytes, pitch: int, reach: int) -> int:
    best = 0
    for i in cells:
        for dy in range(-reach, reach + 1):
            start = i + dy * pitch - reach
            near = votes[max(start, 0) : max(0, min(start + 2 * reach + 1, len(votes)))]
            best = max(best, int(np.max(near, initial=0)))
    return best


def _patience(size: int, peak: float, shape: Ints, knobs: Floats) -> float:
    if size > G.VAST_SHARE * int(shape[G.LOOKED_AT]):
        return float(knobs[G.STILL_VAST])
    if peak > G.FAINT:
        return float(knobs[G.STILL])
    return float(knobs[G.STILL_FAINT if size >= knobs[G.BIG] else G.STILL_SPECK])


def _doubt(knobs: Floats, weather: float) -> None:
    knobs[G.BIG] = G.BIG_CELLS + G.BIG_STRAYS * min(weather, G.BIG_MOST)
    knobs[G.WEIGHT_SURE] = G.SURE_WEIGHT + G.SURE_STRAYS * min(weather, G.SURE_MOST)
    knobs[G.RUN_NEEDED] = bisect_left(G.RUN_STRAYS, weather)


def _total(values: Floats) -> np.float32:
    total: np.float32 = np.cumsum(values, dtype=np.float32)[-1]
    return total


def _is_empty(cells: list[int], field: Floats, pitch: int) -> bool:
    here = np.array(cells)[:, None]
    beside = here + np.array([-1, 1, -pitch, pitch])
    rim = (field[G.LOOK][beside] > 0) & (abs(field[G.RATIO][beside]) < G.RIM_CALM)
    now, before = (
        _total(np.where(rim, abs(field[row][here] - field[row][beside]), F(0)).ravel())
        for row in (G.MEAN, G.BACK)
    )
    return bool(now < G.RIM_SHARE * before)


def _is_streak(cells: list[int], ratio: Floats, pitch: int) -> bool:
    ys, xs = np.divmod(np.array(cells), pitch)
    wide, tall = int(xs.max() - xs.min()) + 1, int(ys.max() - ys.min()) + 1
    upright = wide <= G.STREAK_WIDE and tall >= wide
    return upright and bool((ratio[cells] >= 0).all())


def _gather(
    shape: Ints,
    knobs: Floats,
    field: Floats,
    labels: Bytes,
    votes: Bytes,
    most: int,
    found: Doubles,
) -> list[list[int]]:
    """Join labelled cells to movers, accept or refuse each, and box at most `most`."""
    pitch = int(shape[G.PITCH])
    ratio, front, age = field[G.RATIO], field[G.FRONT], field[G.AGE]
    front[:] = 0
    votes[1], votes[0] = votes[0], 0
    residual, before, limit = field[G.RESIDUAL], field[G.BEFORE], field[G.LIMIT]
    jumped, pulse = found[G.JUMPED] > 0.0, found[G.PULSE] > 0.0
    wet, sways = knobs[G.RUN_NEEDED] >= G.RUN_WET, found[G.SWAY] > G.SWAY_SHARE
    adopted = found[G.RELIT] > 0.0 and not (sways and found[G.BANDS] > 0.0)
    steps = abs(residual - before)
    younger = np.where(abs(residual - before) <= limit, age, F(0))
    brightens = knobs[G.RUN_NEEDED] >= G.RUN_POURS and not sways
    brightens = brightens and found[G.SPECKS] < G.SPECKS_MOST
    around = 2 if knobs[G.RUN_NEEDED] < G.RUN_NEAR else 1
    stray, specks = 0, False
    rows: list[list[int]] = []
    for seed in np.flatnonzero(labels == 2).tolist():
        if labels[seed] != 2:
            continue
        mover = _grow(seed, labels, pitch)
        sizes = abs(ratio[mover])
        weight = _total(sizes)
        big = len(mover) >= knobs[G.BIG]
        run = 0 if big else _support(mover, votes[1], pitch, around)
        stray += not big and run == 0
        votes[0, mover] = 9 if big else min(run + 1, 9)
        known = np.count_nonzero(votes[1, mover])
        if jumped and (big or not wet) and 4 * known < len(mover):
            front[mover] = 2
            votes[0, mover] = 0
            continue
        needed = run >= knobs[G.RUN_NEEDED]
        sure = weight > knobs[G.WEIGHT_SURE]
        believed = needed and (weight > knobs[G.WEIGHT_LONE] or run >= G.RUN_SURE)
        if not (big or sure or believed):
            dark = bool(_total(np.maximum(-ratio[mover], F(0))) > G.DARK_SURE)
            specks = specks or (dark and run == 0)
            if not (dark and brightens):
                continue
        if wet and 4 * known < len(mover) and _is_streak(mover, ratio, pitch):
            votes[0, mover] = 9
            if _support(mover, votes[1], pitch, G.STREAK_NEAR) < 9:
                continue
        faint = weight < G.LINGER_RATIO * F(len(mover))
        if sways and faint and _total(steps[mover]) < G.LINGER_STEP * _total(abs(residual[mover])):
            continue
        youngest, peak = younger[mover].min(), sizes.max()
        if peak < knobs[G.DIM] and (youngest > 0 or (run == 0 and known == 0)):
            continue
        mark = 2 if youngest > _patience(len(mover), peak, shape, knobs) and not pulse else 1
        if youngest > G.EMPTY_SECONDS and adopted and _is_empty(mover, field, pitch):
            mark = 3
        front[mover] = mark
        if mark > 1:
            continue
        fourth = limit[mover[::4]]
        pads = 2 if sways and _total(fourth) > G.DOUBTFUL * F(len(fourth)) else 1
        part = clear_part(mover, weight, sizes) if len(mover) > G.LARGE else mover
        if len(mover) > G.NEAR and weight / F(len(mover)) > F(2) * G.CLEAR:
            part, pads = near_part(part, pitch), 0
        enclose(part, shape, pads, rows, most)
    found[G.STRAY] = stray
    dt = float(knobs[G.DT])
    found[G.WEATHER] += min(1.0, dt / G.WEATHER_SECONDS) * (stray - found[G.WEATHER])
    found[G.SPECKS] += min(1.0, dt / G.SPECKS_SECONDS) * (float(specks) - found[G.SPECKS])
    return rows


def _box_told(shape: Ints, labels: Bytes, least: int, rows: list[list[int]], most: int) -> None:
    for seed in np.flatnonzero(labels).tolist():
        if labels[seed]:
            cells = _grow(seed, labels, int(shape[G.PITCH]))
            if len(cells) >= least:
                enclose(cells, shape, 1, rows, most)


def _learn_noise(knobs: Floats, field: Floats) -> None:
    residual, noise = field[G.RESIDUAL], field[G.NOISE]
    step = residual - field[G.BEFORE]
    half = F(0.5) * step * step
    under = np.minimum(np.minimum(half, F(2) * noise + F(1)), G.FLUTTER_MOST)
    often = field[G.RESTLESS] > G.RESTLESS_SHARE
    most = np.where(often, np.minimum(half, G.RESTLESS_MOST), under)
    pace = np.where(often, knobs[G.NOISE_RATE], knobs[G.NOISE_SLOW])
    noise[:] = np.where(
        field[G.FRONT] > 0,
        noise + pace * np.maximum(F(0), most - noise),
        noise + knobs[G.NOISE_RATE] * (residual * residual - noise),
    )


def _learn_reach(knobs: Floats, field: Floats, decay: np.float32) -> None:
    moved = (field[G.FRONT] > 0) & (field[G.RESTLESS] <= G.RESTLESS_SHARE)
    for row, sign in ((G.ABOVE, 1), (G.BELOW, -1)):
        out = np.maximum(F(sign) * field[G.RESIDUAL], F(0))
        reach = field[row]
        slowly = reach + knobs[G.NOISE_SLOW] * np.maximum(F(0), out - reach)
        reach[:] = np.where(moved, slowly, np.maximum(out, reach * decay))


def _grow_old(knobs: Floats, field: Floats, pulse: bool) -> None:
    residual, before, limit = field[G.RESIDUAL], field[G.BEFORE], field[G.LIMIT]
    was_hot = abs(before) > limit
    alive = (abs(residual - before) > limit) & ~(pulse & was_hot)
    field[G.AGE] = np.where(alive, F(0), field[G.AGE] + knobs[G.DT])
    calmed = (was_hot & (abs(residual) < limit)).astype(np.float32)
    field[G.RESTLESS] += knobs[G.RESTLESS_RATE] * (calmed - field[G.RESTLESS])


def _learn_shade(knobs: Floats, field: Floats) -> None:
    residual, away, noise = field[G.RESIDUAL], field[G.AWAY], field[G.NOISE]
    size = abs(residual)
    was = np.where(residual > 0, field[G.BEFORE], -field[G.BEFORE])
    off = (size > G.SHADE_LEAST) & (was > G.SHADE_LEAST)
    longer = away + knobs[G.AWAY_RATE] * (off.astype(np.float32) - away)
    away[:] = np.where(size > G.SHADE_LEAST + G.SHADE_MOST * field[G.BACK], F(0), longer)
    sways = (away > G.SHADE_SHARE) & (field[G.RESTLESS] > G.SHADE_RESTLESS)
    grown = G.SHADE_PACE * np.maximum(F(0), residual * residual - noise)
    noise += np.where(sways, grown, F(0))
    field[G.RESTLESS] = np.maximum(field[G.RESTLESS], np.where(sways, G.SHADE_AS, F(0)))


def _learn_light(field: Floats, gain: float) -> None:
    if gain < G.FADE_FROM:
        least = F(max(gain, G.FADE_LEAST))
        noise = field[G.NOISE]
        noise[:] = np.maximum(np.minimum(noise, G.OWN_NOISE), least * least * noise)
        for row in (G.ABOVE, G.BELOW):
            field[row] = np.maximum(np.minimum(field[row], G.OWN_REACH), least * field[row])


def _learn(shape: Ints, knobs: Floats, field: Floats, found: Doubles) -> None:
    """After every judged frame: noise, light and background move on."""
    residual, front, back, ratio = (field[k] for k in (G.RESIDUAL, G.FRONT, G.BACK, G.RATIO))
    _learn_noise(knobs, field)
    slow = found[G.SWAY] > G.SWAY_SHARE
    _learn_reach(knobs, field, knobs[G.REACH_SLOW if slow else G.REACH_DECAY])
    bands = bool(found[G.BANDS] > 0.0)
    changed = bool(abs(found[G.OFFSET]) > 1.0 or abs(found[G.GAIN]) > 0.02)
    if found[G.JUMPED] > 0.0 or (changed and not bands):
        back[:] = back + F(found[G.OFFSET]) + F(found[G.GAIN]) * (back - F(128))
    if found[G.JUMPED] > 0.0:
        _learn_light(field, 1.0 + float(found[G.GAIN]))
    triple = F(3) * ratio
    square = triple * triple
    gentle = np.maximum(knobs[G.BACK_SLOW], knobs[G.BACK_RATE] / (F(1) + square * square))
    pace = np.where(front == 1, knobs[G.BACK_SLOW], gentle)
    apart = field[G.MEAN] - back
    back += np.where(front > 1, residual if bands else apart, pace * apart)
    if knobs[G.START_RATE] > 0 and found[G.STRAY] >= G.START_STRAYS:
        back += np.where(front == 1, knobs[G.START_RATE] * (field[G.MEAN] - back), F(0))
    _grow_old(knobs, field, bool(found[G.PULSE] > 0.0))
    if knobs[G.RENEW] > 0:
        _learn_shade(knobs, field)
        often = np.count_nonzero((field[G.AWAY] > G.CALM_AWAY) & (field[G.LOOK] > 0))
        found[G.SWAY] = often / max(1, int(shape[G.LOOKED_AT]))
        dark = np.count_nonzero((back < G.DARK_GREY) & (field[G.LOOK] > 0))
        found[G.DARK] = dark / max(1, int(shape[G.LOOKED_AT]))
    field[G.BEFORE] = residual


def _shows_another_scene(shape: Ints, found: Doubles) -> bool:
    gain = 1.0 + float(found[G.GAIN])
    even = found[G.BANDS] > 0.0 and found[G.SIZE] < G.SUDDEN_SIZE
    if (gain < G.GAIN_LEAST or gain > G.GAIN_MOST) and not even:
        return True
    hot = found[G.HOT] / max(1, int(shape[G.LOOKED_AT]))
    sudden = hot - found[G.HOT_BEFORE] > G.SUDDEN_SHARE and found[G.SIZE] > G.SUDDEN_SIZE
    return bool(hot > G.SCENE_SHARE or sudden)


def _is_dimmed(found: Doubles) -> bool:
    jumped = found[G.JUMPED] > 0.0 and found[G.SWAY] <= G.SWAY_SHARE
    return bool(jumped and 1.0 + found[G.GAIN] < G.FADE_FROM)


def look(
    shape: Ints,
    scale: Floats,
    words: NDArray[np.uint64],
    knobs: Floats,
    field: Floats,
    labels: Bytes,
    sums: Floats,
    found: Doubles,
    votes: Bytes,
    cells: Ints,
    runs: Ints,
    boxes: NDArray[np.int32],
    walks: Doubles,
    luma: Bytes,
    use: int,
) -> int:
    """Look at one frame; returns how many boxes there are, `G.UNJUDGED` or `G.DIMMED`."""
    _measure(luma, shape, scale, field)
    if knobs[G.RENEW] > 0:
        trace_edges(shape, field)
    shake = found[G.SHAKE]
    relit = found[G.RELIT] > 0.0
    compare(shape, knobs, field, labels, found)
    if use == G.ADOPTED or (use == G.WATCHED and _shows_another_scene(shape, found)):
        if use == G.WATCHED:
            _learn_light(field, 1.0 + float(found[G.GAIN]))
        found[G.SHAKE] = shake
        found[G.HOT_BEFORE] = 1.0
        found[G.RELIT] = G.RELIT_SECONDS
        found[G.BENEATH], found[G.STRANGE] = 0.0, G.LEAF_SECONDS
        found[G.WALKING] = 0.0
        return G.UNJUDGED
    found[G.HOT_BEFORE] = found[G.HOT] / max(1, int(shape[G.LOOKED_AT]))
    most = len(boxes) - 1
    _doubt(knobs, float(found[G.WEATHER]))
    rows = _gather(shape, knobs, field, labels, votes, most, found)
    level = level_to_follow(knobs, found)
    if level > 0:
        _box_told(shape, follow(shape, level, field, found), G.FAINT_CELLS, rows, most)
    if leaves_sway(knobs, found):
        _box_told(shape, find_beneath(shape, knobs, field, found), G.LEAF_CELLS, rows, most)
    rows = merge(rows)
    found[G.TOLD] = len(rows)
    dt = float(knobs[G.DT])
    rows += hold(shape, dt, field, rows, most, walks, found)
    count_mistakes(shape, dt, walks[0], found)
    if rows:
        boxes[: len(rows)] = rows
    _learn(shape, knobs, field, found)
    return G.DIMMED if _is_dimmed(found) and not relit else len(rows)


def adopt(shape: Ints, knobs: Floats, field: Floats, pace: float, noise: float) -> None:
    """Take the frame for the new background by `pace` (1 = wholly); start noise anew."""
    field[G.BACK] += F(pace) * (field[G.MEAN] - field[G.BACK])
    field[G.NOISE] = np.maximum(field[G.NOISE], F(noise))
    for row in (G.ABOVE, G.BELOW):
        field[row] = np.maximum(field[row], G.NEW_REACH * F(noise))
    field[G.BEFORE] = 0
    field[G.AGE] = 0
    field[G.FRONT] = 0
    trace_edges(shape, field)
