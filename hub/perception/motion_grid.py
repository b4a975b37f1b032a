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
    RATIO,  # size of the residual over its threshold
    FRONT,  # 1 beneath a mover, 2 beneath one that became furniture
    AGE,  # seconds since the cell changed from one frame to the next
    ACROSS,  # the cell's column
) = range(13)
PLANES = 13

# Entries of `shape`.
LINES, COLUMNS, PITCH, CELL_W, CELL_H, CELL_WORDS, ROW_STEP, WORDS, WIDTH, HEIGHT, LOOKED_AT = (
    range(11)
)

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
) = range(18)
KNOBS = 18

# Entries of `found`.
OFFSET, GAIN, HOT, STRAY, SHAKE = range(5)
FOUND = 5

DARKEST = np.float32(4.0)
BRIGHTEST = np.float32(251.0)
RUN_SURE = 2
JUMP_OFFSET = 3.0  # grey levels between two frames: a switch was thrown
JUMP_GAIN = 0.05
SHAKE_GAIN = 3.0
LINE_INERTIA = 8 * 100.0**2  # as eight more cells of mid grey that did not change
FLUTTER_MOST = np.float32(6.0)  # noise power that movers may teach
FAINT = np.float32(2.5)  # peak ratio under which a still remainder is soon forgotten
VAST_SHARE = 0.35  # of the cells looked at

JOIN_WASTE = 1.3  # a joined box may be this much larger than what it joins
MAX_REGIONS = 64


@dataclass(frozen=True)
class Grid:
    """A picture's cells. `scale` is 1 / pixels read of each cell, (lines, columns) float32."""

    shape: NDArray[np.int64]
    scale: NDArray[np.float32]

    @property
    def cells(self) -> int:
        """Cells of one padded grid."""
        return int((self.shape[LINES] + 2) * self.shape[PITCH])


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
    shape = np.zeros(11, np.int64)
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
    out = np.zeros((lines + 2, int(grid.shape[PITCH])), np.float32)
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
