"""The motion gate's grid: how a picture is cut into cells, and where each number is kept.

The constants here are indices shared by `motion_kernels` (Numba), `motion_numpy` (its twin)
and `motion` (the gate), so that the three read and write the same arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Rows of `field`, each one padded grid.
(
    MEAN,  # grey level of each cell of this frame
    BACK,  # the background's
    NOISE,  # power of the cell's noise, grey levels squared
    EDGE,  # steepest difference to a neighbouring cell of the background
    LIMIT,  # threshold
    LOOK,  # 1 where to look
    WEIGHT,  # 1 where the light was fitted
    RESIDUAL,  # what light does not explain
    BEFORE,  # the residual one frame ago
    RATIO,  # the residual over its threshold, signed
    FRONT,  # 1 beneath a mover, 2 beneath one that became furniture, 3 on an empty place
    AGE,  # seconds since the cell changed from one frame to the next
    RESTLESS,  # how often the cell goes back to calm, share of the frames
    ACROSS,  # the cell's column
    ABOVE,  # how far over the background the cell goes by itself, grey levels
    BELOW,  # likewise under it
    AWAY,  # share of the time for which the cell is off the background, as far as shade goes
    BRIGHTER,  # what somebody brighter than the ground has gained over the last looks
    DARKER,  # likewise darker
    SPARE,  # for sums on the way
    EARLIER,  # the residual two frames ago, kept beneath leaves
    RISES,  # by how much the cell, and then the nine around it, became brighter than in both
    FALLS,  # likewise darker
    STANDING_OUT,  # what somebody who changes the picture more than leaves has gained
) = range(24)
PLANES = 24

# Entries of `shape`.
(
    LINES,
    COLUMNS,
    PITCH,
    CELL_W,
    CELL_H,
    CELL_WORDS,
    ROW_STEP,
    WORDS,
    WIDTH,
    HEIGHT,
    LOOKED_AT,  # cells looked at
    LOOKED_AT_ODD,  # of those, the ones on every second line from the first
) = range(12)
SHAPE = 12

SUMS = 8  # rows of sums down the columns
ROW = 128  # from one to the next: fixed, so that the compiler knows them apart; no grid is wider

# Entries of `knobs`: thresholds in grey levels or ratios, rates per frame, times in seconds.
(
    BASE,
    EDGE_SHARE,
    SHAKE_DECAY,
    NOISE_GAIN,
    LOW,
    BIG,
    WEIGHT_LONE,
    RUN_NEEDED,
    STILL,
    STILL_FAINT,
    STILL_SPECK,
    STILL_VAST,
    RENEW,
    DT,
    BACK_RATE,
    BACK_SLOW,
    NOISE_RATE,
    NOISE_SLOW,
    RESTLESS_RATE,
    PULSE_RATE,
    WEIGHT_SURE,
    REACH_DECAY,
    STRETCH,
    REACH_LEAST,
    REACH_GAIN,
    DIM,
    FIRM,
    TOGETHER,
    AWAY_RATE,
    REACH_SLOW,
    START_RATE,  # 0 after the first second
) = range(31)
KNOBS = 31

# Entries of `found`.
(
    OFFSET,  # of the light, grey levels
    GAIN,  # of the light, less 1
    HOT,  # cells over their thresholds
    STRAY,  # small movers that nothing was near to one frame ago
    SHAKE,  # the camera's, share of an edge
    BANDS,  # seconds for which bands of mains light are still expected
    JUMPED,  # 1 when the light changed at once
    UNREST,  # how strongly it changed lately, on average
    STEP,  # mean change from one frame to the next, grey levels
    SIZE,  # mean size of the residuals, grey levels
    PULSE,  # 1 where this frame changed all over, as at an encoder's key frame
    HOT_BEFORE,  # share of the cells over their thresholds one frame ago; 1 when not judged
    SWAY,  # share of the cells that are often off the background
    DARK,  # share of the cells with a dark background
    RELIT,  # seconds for which what another light has left may still show
    FOLLOWING,  # 1 while who is faint is followed from look to look
    BENEATH,  # 1 while who walks beneath leaves is looked for
    STRANGE,  # seconds for which leaves are not known yet in another scene
    EVEN,  # how evenly the picture changes beneath leaves, of late; 0 when not known
    MISTAKEN,  # how often, of late, what went nowhere was told where leaves sway
    WALKING,  # how many walks are remembered
    TOLD,  # regions of what moves now; those behind them are held
    SPECKS,  # share of the frames, of late, in which something small and dark came from nowhere
    WEATHER,  # small movers from nowhere in a frame, of late
) = range(24)
FOUND = 24

# Entries of a walk, behind its last region x1 y1 x2 y2 in pixels.
(
    FROM_X,  # twice the middle of its first region
    FROM_Y,
    LOOKS,  # in which it was told
    UNTOLD,  # seconds since then
    GONE_ON,  # 1 when a region of this look goes on with it
) = range(4, 9)
WALK = 9

# What may become of a frame that was compared with the background.
(
    ADOPTED,  # it is the background to come, so that nothing in it can be judged
    WATCHED,  # it is judged, unless it shows another scene
    TRUSTED,  # it is judged, whatever it shows
) = range(3)
UNJUDGED = -1  # in place of a number of boxes
DIMMED = -2  # likewise, where a much fainter light was learned at once, and none changed of late

SCENE_SHARE = 0.6  # of the cells looked at stand out: another scene
SUDDEN_SIZE = 8.0  # grey levels by which the picture is another one at once
SUDDEN_SHARE = 0.35  # likewise, where that many more do than in the frame before
GAIN_LEAST, GAIN_MOST = 0.35, 3.0  # light alone does not leave this range

DARKEST = np.float32(4.0)
BRIGHTEST = np.float32(251.0)
WEATHER_SECONDS = 3.0
BIG_CELLS = 6.0  # a mover of this size is believed at once, in calm weather
BIG_STRAYS, BIG_MOST = 2.0, 9.0  # larger by so many for each stray a frame, up to that many strays
RUN_STRAYS = (0.7, 1.5, 3.0, 8.0)  # a frame, from which one more frame of history is asked for
SURE_WEIGHT = 14.0  # summed ratio at which a mover of any size is believed at once
SURE_STRAYS, SURE_MOST = 0.3, 20.0  # likewise
RUN_SURE = 2
START_STRAYS = 5  # small movers from nowhere that show rain at the start
RUN_WET = 3  # so long a history is asked for in rain: what shows in one frame is no light
RUN_POURS = 4  # likewise, where it is no mains light either
RUN_NEAR = 2  # from so long a history on, earlier frames must show it one cell away, not two
JUMP_OFFSET = 3.0  # grey levels between two frames: a switch was thrown
JUMP_GAIN = 0.05
USUAL_SHARE = 0.2  # of its threshold that a calm cell's residual is at most, on average
EXCESS_GAIN = 3.0
EXCESS_MOST = 12.0  # grey levels
UNREST_SECONDS = 2.0
JUMP_AGAIN = 3.0  # so many times more than lately it must change, or it is flicker
SHAKE_GAIN = 3.0
CALM_ENOUGH = 0.8  # share of the cells within their thresholds that shows unchanged light
MIDDLE = np.float32(128.0)
UNSATURATED = np.float32(118.0)  # grey levels from the middle within which light can be judged
BAND = np.float32(0.006)  # gain of its own with which a line of cells stands out
BAND_SHARE = 0.25  # of the lines must, to show mains light
BAND_LIKE = np.float32(0.5)  # of its gain by which a line in a band may differ from the last
BAND_SECONDS = 30.0
BAND_LATELY = 28.5  # of them, that are left while bands are there
LINE_INERTIA = 8 * 40.0**2  # as eight more dark cells that did not change
RESTLESS_SHARE = np.float32(0.09)
RESTLESS_MOST = np.float32(600.0)  # noise power that restless cells may learn
SHADE_LEAST = np.float32(3.8)  # grey levels from which a cell is off the background
SHADE_MOST = np.float32(0.2)  # share of the light, beside those, that moving shade takes
SHADE_SHARE = np.float32(0.45)  # of the time: no place of movers, where they come and go
SHADE_RESTLESS = np.float32(0.02)  # from which they do
SHADE_AS = np.float32(0.12)  # how restless such a cell counts at the least
SHADE_PACE = np.float32(0.3)  # at which its noise is learned, at each renewal
SWAY_SHARE = 0.1  # of the cells often away: shade sways over the place
SWAY_GAIN = np.float32(0.94)  # share of the usual standard deviations that count there
LINGER_RATIO = np.float32(1.1)  # mean ratio below which a mover is shade that creeps,
LINGER_STEP = np.float32(0.4)  # where it changes by less than that share of itself
LEAF_OFFSET = np.float32(1.0)  # grey levels beside a cell's noise, in which its changes count
LEAF_CHANGE = np.float32(3.0)  # times those that a cell's change counts at most
LEAF_BEYOND = np.float32(2.0)  # likewise what it goes beyond its own reach, of half its noise
LEAF_BEYOND_SHARE = np.float32(0.75)  # of a change that this counts for
LEAF_CAP = np.float32(6.0)  # change of nine cells that counts towards what is usual, at most
LEAF_USUAL = np.float32(0.9)  # least that is
LEAF_DUE = np.float32(5.5)  # times the usual that somebody must change at each look, or lose
LEAF_MOST = np.float32(30.0)  # that nobody gains more than
LEAF_LEVEL = 16.0  # from which somebody is there
LEAF_LEVEL_EVEN = 6.5  # likewise, where the whole picture changes as much
LEAF_STILL = 3.5  # times the usual that a cell must change in this look
LEAF_STILL_EVEN = 3.0  # likewise, where the whole picture changes as much
LEAF_UNEVEN = 1.55  # mean change of nine cells, times the usual, from which that begins
LEAF_EVEN = 1.7  # likewise, from which it is so
LEAF_EVEN_SECONDS = 3.0
MISTAKEN_SECONDS = 10.0  # in which a mistake is forgotten
MISTAKEN_MOST = 10.0  # that end every readiness to ask for less
MISTAKEN_APART = 20  # cells within which somebody who walks may have been it
LEAF_CELLS = 2  # that must do so side by side
LEAF_SECONDS = 0.8  # after which leaves are known in another scene
DARK_SURE = np.float32(2.0)  # summed ratio of a mover's darker cells: rain only brightens
SPECKS_MOST = 0.2  # of the frames, in which something else falls, and dark is as good as bright
SPECKS_SECONDS = 3.0
STREAK_WIDE = 6  # columns that a near drop, or two side by side, take at most
STREAK_NEAR = 4  # cells within which the frame before must show one as sure: who runs, not a drop
FAINT_MOST = np.float32(0.45)  # thresholds that a cell counts at most where the faint are followed
FAINT_SPREAD = np.float32(0.4)  # least lean of nine cells that counts as usual, in thresholds
FAINT_KEPT = np.float32(0.9)  # share of what somebody has gained that is left at the next look
FAINT_DUE = np.float32(2.0)  # times the usual that they must lean at each look, or lose
FAINT_CAP = np.float32(16.0)  # that nobody gains more than: who leaves is soon forgotten
FAINT_LEVEL = 11.3  # from which somebody is there, in rain; rain alone: one frame in fifty
FAINT_NOISY = 13.0  # likewise in noise, which is everywhere
FAINT_LEAN = np.float32(1.5)  # times the usual that a cell must lean still
FAINT_CELLS = 3  # that must do so side by side
NOISY_STEP = 0.3  # mean change from frame to frame, grey levels, that noise makes
NOISY_SHAKE = 0.03  # share of an edge from which it is the camera that shakes
DARK_GREY = np.float32(80.0)  # of the background below which a cell is dark
DARK_SHARE = 0.5  # of the cells that are, in the dark
RELIT_SECONDS = 15.0
FADE_FROM = 0.75  # share of the light before, below which thresholds sink with it
FADE_LEAST = 0.4  # share to which another light lets thresholds sink at the most
OWN_NOISE = np.float32(0.3)  # noise power, grey levels squared, that may be a camera's own
OWN_REACH = np.float32(0.9)  # likewise, grey levels from the background
CALM_SIDE = np.float32(1.5)  # times the reach of a side that its noise may add up to
CALM_AWAY = np.float32(0.2)  # share of the time from which no side is calm
CALM_REST = np.float32(0.3)  # likewise, grey levels more
PULSE_TIMES = 2.0
PULSE_LEAST = 0.3  # grey levels
FLUTTER_MOST = np.float32(36.0)  # noise power that movers may teach
FAINT = np.float32(2.5)  # peak ratio under which a still remainder is soon forgotten
NEW_REACH = np.float32(3.0)  # of a new scene, grey levels to a unit of its noise
EMPTY_SECONDS = np.float32(0.7)  # without change, after which a mover may be an empty place
RIM_CALM = np.float32(0.5)  # ratio of the ground beside a mover, at most
RIM_SHARE = np.float32(0.6)  # of its rim in the background that an empty place shows at most
VAST_SHARE = 0.35  # of the cells looked at

WALK_SECONDS = 1.0 + 1e-6  # for which a walk may go on that is told no longer
HOLD_SECONDS = 4.0 + 1e-6  # for which the last region of somebody who has walked is kept
WALK_SHARE = 0.25  # of the smaller of two regions that they must share to be one walk
WALK_LIKE = 4.0  # times as large as the other that one of them may be, where no leaves sway
WALK_TAKEN = 0.3  # of a last region that is told again, whoever it is by: then it is not kept
EMPTY_SHARE = 0.25  # of a last region that is an empty place: then it is not kept
WALK_LOOKS = 3.0  # in which somebody must have been told
WALK_FAR = 3.0  # cells that they must have come from where they were first

DOUBTFUL = np.float32(12.0)  # mean threshold, grey levels, from which more around is boxed
LARGE = 80  # cells beyond which only a mover's clear part is boxed
NEAR = 240  # cells beyond which one that is clear on average is boxed without a margin,
STICKS_OUT = 0.02  # and without so much of it at the most that sticks out on a side
CLEAR = np.float32(1.2)  # ratio from which a cell is clear, or the mover's mean where that is less
CLEAR_SHARE = np.float32(0.25)  # of the mover's mean ratio that a clear cell has in any case
JOIN_WASTE = 1.15  # a joined box may be this much larger than what it joins
MAX_REGIONS = 64


@dataclass(frozen=True)
class Grid:
    """A picture's cells. `scale` is 1 / pixels read of each cell, (lines, columns) float32."""

    shape: NDArray[np.int64]
    scale: NDArray[np.float32]

    @property
    def cells(self) -> int:
        """Cells of one padded grid: whole lines, and whole vectors of sixteen."""
        lines, pitch = int(self.shape[LINES]) + 2, int(self.shape[PITCH])
        return (lines + lines * pitch % 16 // 8) * pitch


def cut(width: int, height: int) -> Grid:
    """Cut a picture of `width` x `height` pixels into about 80 x 45 cells.

    Cells are whole 64-bit words wide (8 pixels), so up to 7 pixels at the right edge are not
    read; boxes that touch it still reach it. From 720 lines on only some rows of a cell are
    read: memory, not arithmetic, is what costs there.
    """
    cell_w = 8 * max(1, round(width / 640))
    cell_h = 8 * max(1, round(height / 360))
    words = width // 8
    columns = -(-words // (cell_w // 8))
    lines = -(-height // cell_h)
    row_step = max(1, cell_h // 8) if height >= 720 else 1
    pitch = (columns + 2 + 7) // 8 * 8
    shape = np.zeros(SHAPE, np.int64)
    shape[LINES], shape[COLUMNS], shape[PITCH] = lines, columns, pitch
    shape[CELL_W], shape[CELL_H], shape[CELL_WORDS] = cell_w, cell_h, cell_w // 8
    shape[ROW_STEP], shape[WORDS] = row_step, words
    shape[WIDTH], shape[HEIGHT] = width, height
    return Grid(shape, _scales(words, cell_w // 8, lines, columns, cell_h, height, row_step))


def _scales(
    words: int, per_cell: int, lines: int, columns: int, cell_h: int, height: int, step: int
) -> NDArray[np.float32]:
    across = np.minimum(per_cell, words - np.arange(columns) * per_cell) * 8
    rows = (np.minimum(cell_h, height - np.arange(lines) * cell_h) + step - 1) // step
    return np.ascontiguousarray(1.0 / (rows[:, None] * across[None, :]), np.float32)


def looked_at(
    grid: Grid, mask: NDArray[np.uint8] | NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """Which cells count, as one padded grid of 0 and 1: those that `mask` shows at least half."""
    lines, columns = int(grid.shape[LINES]), int(grid.shape[COLUMNS])
    out = np.zeros(grid.cells, np.float32).reshape(-1, int(grid.shape[PITCH]))
    if mask is None:
        out[1 : lines + 1, 1 : columns + 1] = 1
        return out.ravel()
    seen = (np.asarray(mask) != 0).astype(np.float32)
    tops = np.arange(lines) * int(grid.shape[CELL_H])
    lefts = np.arange(columns) * int(grid.shape[CELL_W])
    shown = np.add.reduceat(np.add.reduceat(seen, tops, axis=0), lefts, axis=1)
    whole = np.add.reduceat(np.add.reduceat(np.ones_like(seen), tops, axis=0), lefts, axis=1)
    out[1 : lines + 1, 1 : columns + 1] = shown * 2 >= whole
    return out.ravel()
