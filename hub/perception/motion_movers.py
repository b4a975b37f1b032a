"""Numba kernels that join cells to movers, and believe or refuse them."""

# Numba ships few type hints: its decorators and intrinsics are untyped.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from hub.perception import motion_grid as G
from hub.perception.motion_boxes import clear_span, enclose, near_span, span
from hub.perception.motion_cache import OPTIONS
from hub.perception.motion_grow import grow

F = np.float32
STRONG = np.uint64(0x0202020202020202)  # eight labels that may start a mover


@njit(**OPTIONS)
def _support(cells: Any, count: int, votes: Any, pitch: int, reach: int) -> Any:
    """The longest run of earlier frames with something hot within `reach` cells of this mover."""
    best: Any = 0
    n = votes.shape[0]
    for k in range(count):
        for dy in range(-reach, reach + 1):
            start = cells[k] + dy * pitch - reach
            for i in range(max(start, 0), min(start + 2 * reach + 1, n)):
                best = max(best, np.int64(votes[i]))
    return best


@njit(**OPTIONS)
def _weight(cells: Any, size: int, ratio: Any) -> Any:
    """By how much all cells of a mover together stand out, in thresholds."""
    weight = F(0)
    for k in range(size):
        weight += abs(ratio[cells[k]])
    return weight


@njit(**OPTIONS)
def _darkness(cells: Any, size: int, ratio: Any) -> Any:
    """By how much the darker cells of a mover together stand out, in thresholds."""
    weight = F(0)
    for k in range(size):
        weight -= min(ratio[cells[k]], F(0))
    return weight


@njit(**OPTIONS)
def _peak(cells: Any, size: int, ratio: Any) -> Any:
    """By how much the strongest cell of a mover stands out, in thresholds."""
    peak = F(0)
    for k in range(size):
        peak = max(peak, abs(ratio[cells[k]]))
    return peak


@njit(**OPTIONS)
def _youngest(cells: Any, size: int, field: Any) -> Any:
    """Seconds since any cell of a mover changed; 0 as soon as one is found that does now."""
    residual = field[G.RESIDUAL]
    before = field[G.BEFORE]
    limit = field[G.LIMIT]
    age = field[G.AGE]
    youngest = F(1e9)
    for k in range(size):
        i = cells[k]
        if abs(residual[i] - before[i]) > limit[i]:
            return F(0)
        youngest = min(youngest, age[i])
    return youngest


@njit(**OPTIONS)
def _vote(cells: Any, size: int, value: Any, now: Any, last: Any) -> Any:
    """Note a mover's cells for the next frame; returns how many belonged to one a frame ago."""
    known: Any = 0
    for k in range(size):
        i = cells[k]
        now[i] = value
        known += np.int64(last[i] != 0)
    return known


@njit(**OPTIONS)
def _lingers(cells: Any, size: int, field: Any) -> Any:
    """Whether a mover is faint and hardly changes: shade creeps, who walks does not."""
    residual = field[G.RESIDUAL]
    before = field[G.BEFORE]
    step = F(0)
    whole = F(0)
    for k in range(size):
        i = cells[k]
        step += abs(residual[i] - before[i])
        whole += abs(residual[i])
    faint = _weight(cells, size, field[G.RATIO]) < G.LINGER_RATIO * F(size)
    return faint and step < G.LINGER_STEP * whole


@njit(**OPTIONS)
def _is_streak(cells: Any, size: int, of: Any, ratio: Any, pitch: int) -> Any:
    """Whether a mover is narrow, no wider than tall, and brighter all over: so is a near drop."""
    for k in range(size):
        if ratio[cells[k]] < F(0):
            return False
    top, low, left, right = of
    wide = right - left + 1
    tall = low // pitch - top // pitch + 1
    return wide <= G.STREAK_WIDE and tall >= wide


@njit(**OPTIONS)
def _in_doubt(cells: Any, size: int, limit: Any) -> Any:
    """Whether thresholds are high beneath a mover, so that much of it may be hidden.

    Every fourth cell is asked.
    """
    total = F(0)
    for k in range(0, size, 4):
        total += limit[cells[k]]
    return total > G.DOUBTFUL * F((size + 3) // 4)


@njit(**OPTIONS)
def _mark(cells: Any, size: int, value: Any, out: Any) -> None:
    for k in range(size):
        out[cells[k]] = value


@njit(**OPTIONS)
def _patience(size: int, peak: float, shape: Any, knobs: Any) -> Any:
    """Seconds without any change after which a mover of this size and strength is furniture."""
    if size > G.VAST_SHARE * shape[G.LOOKED_AT]:
        return knobs[G.STILL_VAST]
    if peak > G.FAINT:
        return knobs[G.STILL]
    # A faint speck is what a camera's encoder leaves behind at a key frame.
    return knobs[G.STILL_FAINT] if size >= knobs[G.BIG] else knobs[G.STILL_SPECK]


@njit(**OPTIONS)
def _is_empty(cells: Any, size: int, field: Any, pitch: int) -> Any:
    """Whether the rim of a mover shows in the background rather than now: it is the empty place of
    somebody who has left.
    """
    mean = field[G.MEAN]
    back = field[G.BACK]
    ratio = field[G.RATIO]
    look = field[G.LOOK]
    now = F(0)
    before = F(0)
    for k in range(size):
        i = cells[k]
        for beside in (i - 1, i + 1, i - pitch, i + pitch):
            if look[beside] > F(0) and abs(ratio[beside]) < G.RIM_CALM:
                now += abs(mean[i] - mean[beside])
                before += abs(back[i] - back[beside])
    return now < G.RIM_SHARE * before


@njit(**OPTIONS)
def _is_sure(weight: Any, run: int, knobs: Any) -> Any:
    """Whether a small mover is believed: for its weight, or for its history."""
    if weight > knobs[G.WEIGHT_SURE]:
        return True
    return run >= knobs[G.RUN_NEEDED] and (weight > knobs[G.WEIGHT_LONE] or run >= G.RUN_SURE)


@njit(**OPTIONS)
def doubt(knobs: Any, weather: Any) -> None:
    """In bad weather more is asked of what is to be believed."""
    knobs[G.BIG] = F(G.BIG_CELLS + G.BIG_STRAYS * min(weather, G.BIG_MOST))
    knobs[G.WEIGHT_SURE] = F(G.SURE_WEIGHT + G.SURE_STRAYS * min(weather, G.SURE_MOST))
    needed = 0
    for strays in G.RUN_STRAYS:
        needed += weather > strays
    knobs[G.RUN_NEEDED] = F(needed)


@njit(**OPTIONS)
def _begin(front: Any, now: Any, last: Any) -> None:
    """No movers yet; this frame's votes become the last frame's. Assigning slices costs more."""
    for i in range(front.shape[0]):
        front[i] = F(0)
    for i in range(now.shape[0]):
        last[i] = now[i]
    for i in range(now.shape[0]):
        now[i] = np.uint8(0)


@njit(**OPTIONS)
def gather(
    shape: Any, knobs: Any, field: Any, labels: Any, votes: Any, cells: Any, runs: Any, boxes: Any,
    found: Any,
) -> Any:  # fmt: skip
    """Join labelled cells to movers, accept or refuse each, and box the accepted.

    Marks accepted movers in `field[FRONT]` with 1; a mover that has not changed for as long as
    its patience allows is marked with 2 and not boxed, and so with 3 is an empty place, soon after
    who stood there was adopted. With 2 as well is what shows for the first time when the light
    jumps: a lamp lights some places more than others (in rain it may be a drop). What is left of
    that in the next frame is new once more. Rain only brightens: in it, whoever is darker than the
    ground needs no history, unless dark specks fall as well. Returns the number of boxes.
    """
    pitch = shape[G.PITCH]
    ratio = field[G.RATIO]
    front = field[G.FRONT]
    across = field[G.ACROSS]
    limit = field[G.LIMIT]
    now = votes[0]
    last = votes[1]
    _begin(front, now, last)
    jumped = found[G.JUMPED] > 0.0
    wet = knobs[G.RUN_NEEDED] >= G.RUN_WET
    sways = found[G.SWAY] > G.SWAY_SHARE
    pulse = found[G.PULSE] > 0.0
    adopted = found[G.RELIT] > 0.0 and not (sways and found[G.BANDS] > 0.0)
    brightens = knobs[G.RUN_NEEDED] >= G.RUN_POURS and not sways
    brightens = brightens and found[G.SPECKS] < G.SPECKS_MOST
    specks = False
    around = 2 if knobs[G.RUN_NEEDED] < G.RUN_NEAR else 1
    stray = 0
    count = np.int64(0)
    eights = labels.view(np.uint64)
    for eight in range(eights.shape[0]):
        if eights[eight] & STRONG == 0:
            continue
        for seed in range(8 * eight, 8 * eight + 8):
            if labels[seed] != 2:
                continue
            size, many = grow(seed, labels, pitch, cells, runs)
            big = size >= knobs[G.BIG]
            run = 0 if big else _support(cells, size, last, pitch, around)
            stray += not big and run == 0
            known = _vote(cells, size, np.uint8(9 if big else min(run + 1, 9)), now, last)
            if jumped and (big or not wet) and 4 * known < size:
                _mark(cells, size, F(2), front)
                _mark(cells, size, np.uint8(0), now)
                continue
            if not (big or _is_sure(_weight(cells, size, ratio), run, knobs)):
                dark = _darkness(cells, size, ratio) > G.DARK_SURE
                specks = specks or (dark and run == 0)
                if not (dark and brightens):
                    continue
            of = span(runs, many, across)
            if wet and 4 * known < size and _is_streak(cells, size, of, ratio, pitch):
                _mark(cells, size, np.uint8(9), now)
                if _support(cells, size, last, pitch, G.STREAK_NEAR) < 9:
                    continue
            if sways and _lingers(cells, size, field):
                continue
            youngest = _youngest(cells, size, field)
            mark = F(1)
            if youngest > F(0) or (run == 0 and known == 0):
                peak = _peak(cells, size, ratio)
                # What an encoder leaves behind comes out of nowhere and then stays as it is.
                if peak < knobs[G.DIM]:
                    continue
                if not pulse and youngest > _patience(size, peak, shape, knobs):
                    mark = F(2)
                if youngest > G.EMPTY_SECONDS and adopted:
                    mark = F(3) if _is_empty(cells, size, field, pitch) else mark
            _mark(cells, size, mark, front)
            if mark > F(1):
                continue
            pads = 2 if sways and _in_doubt(cells, size, limit) else 1
            if size > G.LARGE:
                mean = _weight(cells, size, ratio) / F(size)
                if size > G.NEAR and mean > F(2) * G.CLEAR:  # half-filled cells are clear
                    of = near_span(cells, size, of, ratio, mean, across, pitch, runs)
                    pads = 0
                else:
                    of = clear_span(cells, size, of, ratio, mean, across)
            count = enclose(of, shape, pads, boxes, count)
    found[G.STRAY] = np.float64(stray)
    dt = np.float64(knobs[G.DT])
    found[G.WEATHER] += min(1.0, dt / G.WEATHER_SECONDS) * (stray - found[G.WEATHER])
    found[G.SPECKS] += min(1.0, dt / G.SPECKS_SECONDS) * (specks - found[G.SPECKS])
    return count
