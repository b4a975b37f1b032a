"""`motion_leaves` in NumPy: who walks beneath moving leaf shadows, more slowly.

Every function has the name and the results of its compiled twin, to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G
from hub.perception.motion_numpy_faint import around, gain
from hub.perception.motion_numpy_hold import is_believed, is_inside
from hub.perception.motion_numpy_light import add_up

F = np.float32
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]


def leaves_sway(knobs: Floats, found: Doubles) -> bool:
    """Whether leaves sway over the place and are known, which takes a while in another scene."""
    found[G.STRANGE] = max(0.0, float(found[G.STRANGE]) - float(knobs[G.DT]))
    known = bool(found[G.SWAY] > G.SWAY_SHARE and found[G.STRANGE] == 0.0)
    if not known:
        found[G.BENEATH] = 0.0
    return known


def _change(field: Floats, side: np.float32) -> Floats:
    """How much brighter (`side` 1) or darker (-1) each cell is than in both looks before."""
    step = side * (field[G.RESIDUAL] - field[G.BEFORE])
    stride = side * (field[G.RESIDUAL] - field[G.EARLIER])
    usual = G.LEAF_OFFSET + np.sqrt(field[G.NOISE])
    change = np.maximum(F(0), np.minimum(step, stride)) / usual
    capped: Floats = field[G.LOOK] * np.minimum(change, G.LEAF_CHANGE)
    return capped


def _beyond(field: Floats) -> Floats:
    """How far each cell is beyond what it reached by itself, by half its noise."""
    residual = field[G.RESIDUAL]
    over = np.maximum(residual - field[G.ABOVE], -residual - field[G.BELOW])
    far = np.maximum(F(0), over) / (F(1) + F(0.5) * np.sqrt(field[G.NOISE]))
    beyond: Floats = field[G.LOOK] * G.LEAF_BEYOND_SHARE * np.minimum(far, G.LEAF_BEYOND)
    return beyond


def _usual(change: Floats, shape: Ints) -> np.float32:
    capped = np.minimum(change, G.LEAF_CAP)
    many = max(1.0, float(shape[G.LOOKED_AT]))
    return max(G.LEAF_USUAL, F(math.sqrt(add_up(capped * capped, shape) / many)))


def _evenly(mean: float, knobs: Floats, found: Doubles) -> float:
    """From 0, some places change more than others, to 1, all of the picture changes as much."""
    even = float(found[G.EVEN])
    pace = min(1.0, float(knobs[G.DT]) / G.LEAF_EVEN_SECONDS)
    found[G.EVEN] = even + pace * (mean - even) if even > 0.0 else mean
    share = (float(found[G.EVEN]) - G.LEAF_UNEVEN) / (G.LEAF_EVEN - G.LEAF_UNEVEN)
    shakes = found[G.SHAKE] > G.NOISY_SHAKE
    if knobs[G.RUN_NEEDED] >= G.RUN_POURS or found[G.BANDS] > G.BAND_LATELY or shakes:
        share = 1.0
    sure = max(0.0, 1.0 - float(found[G.MISTAKEN]) / G.MISTAKEN_MOST)
    return sure * min(1.0, max(0.0, share))


def find_beneath(shape: Ints, knobs: Floats, field: Floats, found: Doubles) -> Bytes:
    """1 for each cell in which somebody has changed the picture more than leaves do."""
    if found[G.BENEATH] == 0.0:
        field[G.EARLIER] = field[G.BEFORE]
        field[G.STANDING_OUT] = 0
        found[G.BENEATH] = 1.0
        found[G.EVEN] = 0.0
    look, pitch = field[G.LOOK], int(shape[G.PITCH])
    rises = around(_change(field, F(1)), look, pitch)
    falls = around(_change(field, F(-1)), look, pitch)
    up, down = F(1) / _usual(rises, shape), F(1) / _usual(falls, shape)
    change = around(_beyond(field), look, pitch) + (up * rises + down * falls)
    gained = field[G.STANDING_OUT]
    gain(change, look, pitch, G.LEAF_DUE, G.LEAF_MOST, gained)
    field[G.EARLIER] = field[G.BEFORE]
    mean = add_up(change, shape) / max(1.0, float(shape[G.LOOKED_AT]))
    evenly = _evenly(mean, knobs, found)
    level = F(G.LEAF_LEVEL + evenly * (G.LEAF_LEVEL_EVEN - G.LEAF_LEVEL))
    still = F(G.LEAF_STILL + evenly * (G.LEAF_STILL_EVEN - G.LEAF_STILL))
    told = (gained > level) & (change > still)
    # Movers that were found already have their boxes.
    new: Bytes = (told & (around(field[G.FRONT], look, pitch) == 0)).astype(np.uint8)
    return new


def _is_alone(walk: list[float], walks: list[list[float]], shape: Ints) -> bool:
    x = float(G.MISTAKEN_APART * shape[G.CELL_W])
    y = float(G.MISTAKEN_APART * shape[G.CELL_H])
    for other in walks:
        right = max(other[0] - walk[2], walk[0] - other[2])
        below = max(other[1] - walk[3], walk[1] - other[3])
        if right < x and below < y and is_believed(other, shape):
            return False
    return True


def count_mistakes(shape: Ints, dt: float, walks: Doubles, found: Doubles) -> None:
    """Where leaves sway, count what is told no longer, and went nowhere."""
    found[G.MISTAKEN] *= max(0.0, 1.0 - dt / G.MISTAKEN_SECONDS)
    if found[G.SWAY] <= G.SWAY_SHARE:
        return
    known: list[list[float]] = walks[: int(found[G.WALKING])].tolist()
    for walk in known:
        just = 0.0 < walk[G.UNTOLD] <= dt
        if just and is_inside(walk, shape) and not is_believed(walk, shape):
            found[G.MISTAKEN] += float(_is_alone(walk, known, shape))
