"""`motion_faint` in NumPy: who is too faint to be told in one look, more slowly.

Every function has the name and the results of its compiled twin, to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G
from hub.perception.motion_numpy_light import add_up

F = np.float32
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]


def level_to_follow(knobs: Floats, found: Doubles) -> np.float32:
    """What is to be gained by who is hidden in the dark, by rain or noise; 0 where nobody is."""
    relit = max(0.0, float(found[G.RELIT]) - float(knobs[G.DT]))
    found[G.RELIT] = G.RELIT_SECONDS if found[G.JUMPED] > 0.0 else relit
    bands, asked = bool(found[G.BANDS] > 0.0), float(knobs[G.RUN_NEEDED])
    wet = asked >= G.RUN_POURS or (asked >= G.RUN_WET and not bands)
    noisy = found[G.STEP] > G.NOISY_STEP and found[G.SHAKE] < G.NOISY_SHAKE and not bands
    hidden = found[G.DARK] > G.DARK_SHARE and (wet or noisy)
    if not hidden or found[G.RELIT] > 0.0 or found[G.SWAY] > G.SWAY_SHARE:
        found[G.FOLLOWING] = 0.0
        return F(0)
    return F(G.FAINT_LEVEL if wet else G.FAINT_NOISY)


def _lean(field: Floats, shape: Ints) -> Floats:
    """How far the nine cells around each lean, less the mean over the picture."""
    pitch = int(shape[G.PITCH])
    ratio = np.clip(field[G.RATIO], -G.FAINT_MOST, G.FAINT_MOST)
    lean = around(ratio, field[G.LOOK], pitch)
    mean = F(add_up(lean, shape) / max(1.0, float(shape[G.LOOKED_AT])))
    centred: Floats = field[G.LOOK] * (lean - mean)
    return centred


def _spread(side: Floats, shape: Ints) -> np.float32:
    many = max(1.0, float(shape[G.LOOKED_AT]))
    return max(G.FAINT_SPREAD, F(math.sqrt(add_up(side * side, shape) / many)))


def around(cells: Floats, look: Floats, pitch: int) -> Floats:
    """The sum of the nine cells around each."""
    upright, nine = np.zeros_like(cells), np.zeros_like(cells)
    upright[pitch:-pitch] = cells[: -2 * pitch] + cells[pitch:-pitch] + cells[2 * pitch :]
    nine[1:-1] = look[1:-1] * (upright[:-2] + upright[1:-1] + upright[2:])
    return nine


def gain(
    lean: Floats, look: Floats, pitch: int, due: np.float32, cap: np.float32, gained: Floats
) -> None:
    """Carry on what was gained near by, and add this look's `lean` in units of what is usual."""
    near = np.zeros_like(gained)
    n = len(gained)
    near[2:-2] = np.max([gained[k : n - 4 + k] for k in range(5)], axis=0)
    most = np.max([near[: -2 * pitch], near[pitch:-pitch], near[2 * pitch :]], axis=0)
    more = G.FAINT_KEPT * most + lean[pitch:-pitch] - due
    gained[pitch:-pitch] = look[pitch:-pitch] * np.clip(more, F(0), cap)


def follow(shape: Ints, level: np.float32, field: Floats, found: Doubles) -> Bytes:
    """1 for each cell in which somebody has gained `level` and leans that way still."""
    if found[G.FOLLOWING] == 0.0:
        field[G.BRIGHTER] = field[G.DARKER] = 0
        found[G.FOLLOWING] = 1.0
    lean = _lean(field, shape)
    labels = np.zeros(len(lean), np.bool_)
    for row, sign in ((G.BRIGHTER, F(1)), (G.DARKER, F(-1))):
        side = np.maximum(sign * lean, F(0))
        leans = sign / _spread(side, shape) * lean
        gain(leans, field[G.LOOK], int(shape[G.PITCH]), G.FAINT_DUE, G.FAINT_CAP, field[row])
        labels |= (field[row] > level) & (leans > G.FAINT_LEAN)
    return labels.astype(np.uint8)
