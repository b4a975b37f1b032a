"""The motion gate's kernels, compiled by Numba: `look` and `adopt`.

The picture is cut into a grid of cells, about 80x45 at every size. All that is remembered
lives in one float32 array `field` of shape (PLANES, n): each row is one padded grid of
`lines + 2` lines of `pitch` cells, with a border of cells that are never looked at, so that no
loop tests bounds. The kernels are small on purpose: a loop with few arrays, one store and no
branch is what the compiler turns into vector code.

`hub.perception.motion_numpy` computes the same numbers with NumPy, to the last bit: no kernel
lets the compiler reorder float sums.
"""

# Numba ships few type hints: its decorators and intrinsics are untyped.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from hub.perception import motion_grid as G
from hub.perception.motion_boxes import merge
from hub.perception.motion_cache import OPTIONS
from hub.perception.motion_faint import follow, level_to_follow
from hub.perception.motion_hold import hold
from hub.perception.motion_leaves import count_mistakes, find_beneath, leaves_sway
from hub.perception.motion_light import compare, trace_edges
from hub.perception.motion_movers import doubt, gather
from hub.perception.motion_plane import measure

F = np.float32
PLANE = types.Array(types.uint8, 2, "A", readonly=True)


@njit(**OPTIONS)
def _learn_noise(field: Any, rate: Any, slow: Any) -> None:
    """Per-cell noise power. Beneath a mover only its flutter counts, and slowly.

    A cell that goes back to calm again and again is no place of movers: leaves, water, or an edge
    before a swaying camera. There flutter is learned as fast as noise.
    """
    residual = field[G.RESIDUAL]
    before = field[G.BEFORE]
    noise = field[G.NOISE]
    front = field[G.FRONT]
    restless = field[G.RESTLESS]
    for i in range(noise.shape[0]):
        step = residual[i] - before[i]
        power = noise[i]
        calm = residual[i] * residual[i]
        half = F(0.5) * step * step
        under = min(min(half, F(2) * power + F(1)), G.FLUTTER_MOST)
        often = restless[i] > G.RESTLESS_SHARE
        most = min(half, G.RESTLESS_MOST) if often else under
        pace = rate if often else slow
        if front[i] > F(0):
            noise[i] = power + pace * max(F(0), most - power)
        else:
            noise[i] = power + rate * (calm - power)


@njit(**OPTIONS)
def _learn_reach(
    residual: Any, front: Any, restless: Any, decay: Any, slow: Any, above: Any, below: Any
) -> None:
    """How far each cell goes by itself, over and under the background.

    Both are peaks that fade. Beneath a mover they grow slowly, but where a cell comes and goes.
    """
    for i in range(above.shape[0]):
        moved = (front[i] > F(0)) & (restless[i] <= G.RESTLESS_SHARE)
        out = max(residual[i], F(0))
        before = above[i]
        slowly = before + slow * max(F(0), out - before)
        peak = max(out, before * decay)
        above[i] = slowly if moved else peak
        out = max(-residual[i], F(0))
        before = below[i]
        slowly = before + slow * max(F(0), out - before)
        peak = max(out, before * decay)
        below[i] = slowly if moved else peak


@njit(**OPTIONS)
def _grow_old(field: Any, dt: Any, rate: Any, pulse: Any) -> None:
    """Seconds since each cell last changed from one frame to the next; and how restless it is.

    What changes where the whole picture does (`pulse`) is no sign of life.
    """
    residual = field[G.RESIDUAL]
    before = field[G.BEFORE]
    limit = field[G.LIMIT]
    age = field[G.AGE]
    restless = field[G.RESTLESS]
    for i in range(age.shape[0]):
        older = age[i] + dt
        alive = abs(residual[i] - before[i]) > limit[i] and not (
            pulse and abs(before[i]) > limit[i]
        )
        age[i] = F(0) if alive else older
    for i in range(age.shape[0]):
        back = abs(before[i]) > limit[i] and abs(residual[i]) < limit[i]
        restless[i] += rate * (F(back) - restless[i])


@njit(**OPTIONS)
def _learn_shade(field: Any, rate: Any) -> None:
    """Make cells restless in which shade sways: leaves before the sun, slower than water.

    Such a cell is off its background for much of the time, comes and goes, and is never far off
    it. Who walks through takes most cells seldom, and many of them by more than shade does. Shade
    was there at the look before as well: a camera that shakes shows its edges now here, now there.
    """
    residual = field[G.RESIDUAL]
    before = field[G.BEFORE]
    back = field[G.BACK]
    noise = field[G.NOISE]
    restless = field[G.RESTLESS]
    away = field[G.AWAY]
    for i in range(away.shape[0]):
        size = abs(residual[i])
        was = before[i] if residual[i] > F(0) else -before[i]
        off = F((size > G.SHADE_LEAST) & (was > G.SHADE_LEAST))
        longer = away[i] + rate * (off - away[i])
        away[i] = F(0) if size > G.SHADE_LEAST + G.SHADE_MOST * back[i] else longer
    for i in range(away.shape[0]):
        sways = (away[i] > G.SHADE_SHARE) & (restless[i] > G.SHADE_RESTLESS)
        grown = G.SHADE_PACE * max(F(0), residual[i] * residual[i] - noise[i])
        noise[i] += grown if sways else F(0)
        restless[i] = max(restless[i], G.SHADE_AS) if sways else restless[i]


@njit(**OPTIONS)
def _swaying(away: Any, look: Any) -> Any:
    """How many of the cells looked at are often off the background."""
    count = np.int32(0)
    for i in range(away.shape[0]):
        count = np.int32(count + np.int32(look[i] * away[i] > G.CALM_AWAY))
    return count


@njit(**OPTIONS)
def _darkened(back: Any, look: Any) -> Any:
    """How many of the cells looked at are dark."""
    count = np.int32(0)
    for i in range(back.shape[0]):
        count = np.int32(count + np.int32((back[i] < G.DARK_GREY) & (look[i] > F(0))))
    return count


@njit(**OPTIONS)
def _learn_back(field: Any, rate: Any, slow: Any, bands: Any) -> None:
    """Draw the background towards the frame: less the more a cell stands out.

    What became furniture is taken over as it is, but without the `bands` (1 or 0) of mains light.
    """
    mean = field[G.MEAN]
    back = field[G.BACK]
    ratio = field[G.RATIO]
    front = field[G.FRONT]
    residual = field[G.RESIDUAL]
    for i in range(back.shape[0]):
        triple = F(3) * ratio[i]
        square = triple * triple
        gentle = max(slow, rate / (F(1) + square * square))
        pace = slow if front[i] == F(1) else gentle
        step = pace * (mean[i] - back[i])
        whole = residual[i] if bands else mean[i] - back[i]
        back[i] += whole if front[i] > F(1) else step


@njit(**OPTIONS)
def _average(mean: Any, back: Any, front: Any, rate: Any) -> None:
    """Beneath movers too make the background a mean: drops in the first frame are no ghosts."""
    for i in range(back.shape[0]):
        back[i] += rate * (mean[i] - back[i]) if front[i] == F(1) else F(0)


@njit(**OPTIONS)
def _remember(residual: Any, before: Any) -> None:
    for i in range(before.shape[0]):
        before[i] = residual[i]


@njit(**OPTIONS)
def _relight(back: Any, offset: Any, gain: Any) -> None:
    for i in range(back.shape[0]):
        back[i] = back[i] + offset + gain * (back[i] - F(128))


@njit(**OPTIONS)
def _fade(noise: Any, above: Any, below: Any, gain: Any) -> None:
    """In fainter light what cells do by themselves is fainter too, and people are: shade of leaves
    by infrared. What may be a camera's own noise stays as it is.
    """
    for i in range(noise.shape[0]):
        noise[i] = max(min(noise[i], G.OWN_NOISE), gain * gain * noise[i])
    for i in range(noise.shape[0]):
        above[i] = max(min(above[i], G.OWN_REACH), gain * above[i])
        below[i] = max(min(below[i], G.OWN_REACH), gain * below[i])


@njit(**OPTIONS)
def _learn_light(field: Any, gain: Any) -> None:
    """Let thresholds follow a light that has changed by `gain` at once, where it became much
    fainter: shade that sways over the whole of a place changes the light a little as well.
    """
    if gain < G.FADE_FROM:
        least = F(max(gain, G.FADE_LEAST))
        _fade(field[G.NOISE], field[G.ABOVE], field[G.BELOW], least)


@njit(**OPTIONS)
def _learn(shape: Any, knobs: Any, field: Any, found: Any) -> None:
    """After every judged frame: noise, light and background move on."""
    _learn_noise(field, knobs[G.NOISE_RATE], knobs[G.NOISE_SLOW])
    decay = knobs[G.REACH_SLOW if found[G.SWAY] > G.SWAY_SHARE else G.REACH_DECAY]
    _learn_reach(
        field[G.RESIDUAL], field[G.FRONT], field[G.RESTLESS], decay, knobs[G.NOISE_SLOW],
        field[G.ABOVE], field[G.BELOW],
    )  # fmt: skip
    bands = found[G.BANDS] > 0.0
    changed = abs(found[G.OFFSET]) > 1.0 or abs(found[G.GAIN]) > 0.02
    if found[G.JUMPED] > 0.0 or (changed and not bands):
        _relight(field[G.BACK], F(found[G.OFFSET]), F(found[G.GAIN]))
    if found[G.JUMPED] > 0.0:
        _learn_light(field, 1.0 + found[G.GAIN])
    _learn_back(field, knobs[G.BACK_RATE], knobs[G.BACK_SLOW], bands)
    if knobs[G.START_RATE] > F(0) and found[G.STRAY] >= G.START_STRAYS:
        _average(field[G.MEAN], field[G.BACK], field[G.FRONT], knobs[G.START_RATE])
    _grow_old(field, knobs[G.DT], knobs[G.RESTLESS_RATE], found[G.PULSE] > 0.0)
    if knobs[G.RENEW] > F(0):
        _learn_shade(field, knobs[G.AWAY_RATE])
        often = _swaying(field[G.AWAY], field[G.LOOK])
        found[G.SWAY] = np.float64(often) / max(1, shape[G.LOOKED_AT])
        dark = _darkened(field[G.BACK], field[G.LOOK])
        found[G.DARK] = np.float64(dark) / max(1, shape[G.LOOKED_AT])
    _remember(field[G.RESIDUAL], field[G.BEFORE])


@njit(**OPTIONS)
def _shows_another_scene(shape: Any, found: Any) -> Any:
    """Whether no light explains the picture, or it is another one all at once.

    Bands of mains light on even ground pass for a gain that is none; there the picture is nearly
    as it was.
    """
    gain = 1.0 + found[G.GAIN]
    even = found[G.BANDS] > 0.0 and found[G.SIZE] < G.SUDDEN_SIZE
    if (gain < G.GAIN_LEAST or gain > G.GAIN_MOST) and not even:
        return True
    hot = found[G.HOT] / max(1, shape[G.LOOKED_AT])
    sudden = hot - found[G.HOT_BEFORE] > G.SUDDEN_SHARE and found[G.SIZE] > G.SUDDEN_SIZE
    return hot > G.SCENE_SHARE or sudden


@njit(**OPTIONS)
def _is_dimmed(found: Any) -> Any:
    """Whether the light is much fainter at once. Beneath leaves shade may pass for that."""
    jumped = found[G.JUMPED] > 0.0 and found[G.SWAY] <= G.SWAY_SHARE
    return jumped and 1.0 + found[G.GAIN] < G.FADE_FROM


@njit(types.int64(types.int64[::1], types.float32[:, ::1], types.uint64[::1],
                  types.float32[::1], types.float32[:, ::1], types.uint8[::1],
                  types.float32[::1], types.float64[::1], types.uint8[:, ::1], types.int64[::1],
                  types.int64[:, ::1], types.int32[:, ::1], types.float64[:, :, ::1], PLANE,
                  types.int64),
      **OPTIONS)  # fmt: skip
def look(
    shape: Any, scale: Any, words: Any, knobs: Any, field: Any, labels: Any, sums: Any,
    found: Any, votes: Any, cells: Any, runs: Any, boxes: Any, walks: Any, luma: Any, use: Any,
) -> Any:  # fmt: skip
    """Look at one frame: the whole of the gate in one call, since calls cost as much as loops do.

    `use` is what may become of the frame, `G.ADOPTED` and so on. Returns how many boxes there are,
    or `G.UNJUDGED`: then nothing was learned from the frame, or `G.DIMMED`.
    """
    measure(luma, shape, scale, words, field)
    if knobs[G.RENEW] > F(0):
        trace_edges(shape, field)
    shake = found[G.SHAKE]
    relit = found[G.RELIT] > 0.0
    compare(shape, knobs, field, labels, sums, found)
    if use == G.ADOPTED or (use == G.WATCHED and _shows_another_scene(shape, found)):
        if use == G.WATCHED:
            _learn_light(field, 1.0 + found[G.GAIN])
        found[G.SHAKE] = shake  # edges differ because the scene does, and not for a swaying camera
        found[G.HOT_BEFORE] = 1.0
        found[G.RELIT] = G.RELIT_SECONDS
        found[G.BENEATH], found[G.STRANGE] = 0.0, G.LEAF_SECONDS
        found[G.WALKING] = 0.0
        return G.UNJUDGED
    found[G.HOT_BEFORE] = found[G.HOT] / max(1, shape[G.LOOKED_AT])
    doubt(knobs, found[G.WEATHER])
    count = gather(shape, knobs, field, labels, votes, cells, runs, boxes, found)
    level = level_to_follow(knobs, found)
    if level > F(0):
        count = follow(shape, level, field, labels, sums, found, cells, runs, boxes, count)
    if leaves_sway(knobs, found):
        count = find_beneath(shape, knobs, field, labels, sums, found, cells, runs, boxes, count)
    count = merge(boxes, count)
    found[G.TOLD] = np.float64(count)
    dt = np.float64(knobs[G.DT])
    count = hold(shape, dt, field, boxes, count, walks, found)
    count_mistakes(shape, dt, walks[0], found)
    _learn(shape, knobs, field, found)
    return G.DIMMED if _is_dimmed(found) and not relit else count


@njit(types.void(types.int64[::1], types.float32[::1], types.float32[:, ::1], types.float32,
                 types.float32), **OPTIONS)  # fmt: skip
def adopt(shape: Any, knobs: Any, field: Any, pace: Any, noise: Any) -> None:
    """Take the frame for the new background by `pace` (1 = wholly); start noise anew."""
    mean = field[G.MEAN]
    back = field[G.BACK]
    for i in range(back.shape[0]):
        back[i] += pace * (mean[i] - back[i])
    for i in range(back.shape[0]):
        field[G.NOISE, i] = max(field[G.NOISE, i], noise)
        field[G.ABOVE, i] = max(field[G.ABOVE, i], G.NEW_REACH * noise)
        field[G.BELOW, i] = max(field[G.BELOW, i], G.NEW_REACH * noise)
        field[G.BEFORE, i] = F(0)
        field[G.AGE, i] = F(0)
        field[G.FRONT, i] = F(0)
    trace_edges(shape, field)
