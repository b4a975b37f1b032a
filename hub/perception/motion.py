"""The motion gate: every frame looked at, almost none paid for.

The gate reads the decoder's luma plane where it lies, shrinks it to a grid of cell means and
compares those with a background that follows the day's light. What stands out, holds together
and is no mere noise becomes regions for the detector; all other frames cost no inference.

It fails open. It looks at the whole frame now and then although nothing moved, it adopts a
changed scene within two seconds, and while it adopts it says so (`state` is "blind").
"""

from __future__ import annotations

import importlib
import logging
import math
from functools import partial
from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G

Reason = Literal["motion", "held", "scan", "scene_change", "none"]
State = Literal["warming", "watching", "blind"]
Luma = NDArray[np.uint8]
Mask = NDArray[np.uint8] | NDArray[np.bool_]

BASE_THRESHOLD = 0.8  # grey levels of a cell's mean, before noise and edges are added
NOISE_THRESHOLD = 5.0  # standard deviations of the cell's own noise
EDGE_THRESHOLD = 0.02  # share of the steepest difference to a neighbouring cell
LOW = 0.5  # share of its threshold at which a cell may join a mover
FIRM = 0.35  # likewise, at which it may start one together with its neighbours
TOGETHER = 2.4  # summed ratio of six cells, two across and three down, that start one
DIM = 1.5  # highest ratio under which a mover must move at every look, and not be new
LONE_WEIGHT = 4.0  # summed ratio that a small mover needs without a history

BACK_SECONDS = 5.0  # background follows calm cells
FRONT_SECONDS = 1800.0  # background creeps beneath movers; so slowly that no shade of them stays
NOISE_SECONDS = 6.0
FLUTTER_SECONDS = 8.0  # noise learned beneath movers: leaves, water, flags
RESTLESS_SECONDS = 10.0
AWAY_SECONDS = 20.0
PULSE_SECONDS = 10.0
SHAKE_SECONDS = 6.0  # a gust is remembered
STILL_SECONDS = 15.0  # a thing that has not changed for so long is furniture
STILL_FAINT_SECONDS = 1.0  # likewise, where little is left to see
STILL_SPECK_SECONDS = 1.0  # likewise, where that is also small
STILL_VAST_SECONDS = 1.0  # likewise, where it fills a third of the picture
REACH_SECONDS = 20.0  # in which what a cell reached by itself fades
REACH_SWAY_SECONDS = 120.0  # likewise, where shade sways: gusts come and go
REACH_STRETCH = 1.6  # times its own reach that a cell must go
REACH_LEAST = 1.2  # standard deviations that count as reached in any case
REACH_GAIN = 0.5  # likewise, more for each grey level of them
EDGE_FRAMES = 8

WARM_SECONDS = 1.0
CALM_SHARE = 0.02
BLIND_SECONDS = 1.5
ADOPT_SECONDS = 0.25
FIRST_NOISE = 1.0  # noise power, grey levels squared, at the start
NEW_NOISE = 0.3  #  noise power of a scene just adopted
FRESH_SECONDS = 0.7  # for which all of it is looked at: who is in it was adopted as well
REST_SECONDS = 2.0  # after a change was adopted, the next one is judged as motion

LONGEST_GAP = 2.0  # seconds that one frame may teach
SAME_STEP = 1e-4  # seconds by which frames may be apart otherwise and teach as fast


class GateResult(NamedTuple):
    """What the gate says of one frame.

    `regions` is int32 (N, 4): x1 y1 x2 y2 in frame pixels, clipped, (0, 4) when empty. A "scan"
    asks for a look at its regions although nothing triggered; "held" ones are where somebody was
    who walked until a moment ago.
    """

    triggered: bool
    reason: Reason
    regions: NDArray[np.int32]
    state: State


NOWHERE = np.zeros((0, 4), np.int32)
NOWHERE.flags.writeable = False
QUIET = GateResult(False, "none", NOWHERE, "watching")
BYTE = np.dtype(np.uint8)


def _aligned(rows: int, cells: int) -> NDArray[np.float32]:
    """Zeros whose rows begin where vectors are read fastest; `cells` is a multiple of sixteen."""
    room = np.zeros(rows * cells + 16, np.float32)
    first = -room.ctypes.data // room.itemsize % 16
    return room[first : first + rows * cells].reshape(rows, cells)


def kernels(name: str | None = None) -> tuple[str, ModuleType]:
    """The kernels to use: compiled ones, or their NumPy twin where Numba cannot load."""
    if name != "numpy":
        try:
            return "numba", importlib.import_module("hub.perception.motion_kernels")
        except Exception as error:  # Numba fails in many ways: no wheel, no cache, no CPU feature
            if name == "numba":
                raise
            logging.getLogger(__name__).warning("motion gate runs without Numba: %s", error)
    return "numpy", importlib.import_module("hub.perception.motion_numpy")


class MotionGate:
    """Decides, frame by frame, where a detector should look.

    `fps` is only used for frames that come without a time. `scan_seconds` is the longest the
    gate stays silent before it asks for a look at the whole frame (0 = never). `kernel` says
    what it runs on: "numba", or "numpy" where Numba cannot load.
    """

    def __init__(
        self,
        width: int,
        height: int,
        fps: float = 5.0,
        *,
        scan_seconds: float = 10.0,
        kernel: str | None = None,
    ) -> None:
        if width < 8 or height < 8:
            raise ValueError(f"a frame of {width}x{height} is too small; at least 8x8 is needed")
        self.width, self.height = width, height
        self.kernel, self._do = kernels(kernel)
        self._nominal = 1.0 / fps if fps > 0 else 0.2
        self._scan_seconds = scan_seconds
        self._whole = np.array([[0, 0, width, height]], np.int32)
        self._whole.flags.writeable = False
        self._make_arrays()
        self.reset()

    def _make_arrays(self) -> None:
        grid = G.cut(self.width, self.height)
        n = grid.cells
        self._grid = grid
        self._size = self.height, self.width
        self._shape = grid.shape
        self._field = _aligned(G.PLANES, n)
        self._field[G.ACROSS] = np.arange(n) % int(grid.shape[G.PITCH])
        lines, columns, pitch = (int(count) for count in grid.shape[: G.PITCH + 1])
        padded = self._field.reshape(G.PLANES, -1, pitch)
        self._shown = padded[:, 1 : lines + 1, 1 : columns + 1]
        self._knobs = np.zeros(G.KNOBS, np.float32)
        self._found = np.zeros(G.FOUND, np.float64)
        self._votes = np.zeros((2, n), np.uint8)
        self._boxes = np.zeros((G.MAX_REGIONS + 1, 4), np.int32)
        self._arrays = (
            grid.shape,
            grid.scale,
            np.zeros(int(grid.shape[G.WORDS]), np.uint64),  # word sums of a line of cells
            self._knobs,
            self._field,
            np.zeros(n + 8, np.uint8)[:n],  # labels; eight are read at once
            np.zeros(G.SUMS * G.ROW, np.float32),  # sums down the columns
            self._found,
            self._votes,
            np.zeros(n + 8, np.int64),  # cells of a mover; eight are written at once
            np.zeros((n // 2 + 1, 2), np.int64),  # runs of them
            self._boxes,
            np.zeros((2, G.MAX_REGIONS, G.WALK)),
        )
        self._look = partial(self._do.look, *self._arrays)
        self._knobs[G.BASE] = BASE_THRESHOLD
        self._knobs[G.EDGE_SHARE] = EDGE_THRESHOLD
        self._knobs[G.NOISE_GAIN] = NOISE_THRESHOLD
        self._knobs[G.LOW] = LOW
        self._knobs[G.STRETCH] = REACH_STRETCH
        self._knobs[G.REACH_LEAST] = REACH_LEAST
        self._knobs[G.REACH_GAIN] = REACH_GAIN
        self._knobs[G.DIM] = DIM
        self._knobs[G.FIRM] = FIRM
        self._knobs[G.TOGETHER] = TOGETHER
        self._knobs[G.WEIGHT_LONE] = LONE_WEIGHT
        self._knobs[G.STILL] = STILL_SECONDS
        self._knobs[G.STILL_FAINT] = STILL_FAINT_SECONDS
        self._knobs[G.STILL_SPECK] = STILL_SPECK_SECONDS
        self._knobs[G.STILL_VAST] = STILL_VAST_SECONDS

    def reset(self) -> None:
        """Forget the scene, as after a reconnect to a camera that may have been turned."""
        self._frames = 0
        self._now = 0.0
        self._time: float | None = None
        self._last_look = 0.0
        self._blind_since: float | None = None
        self._rest_until = 0.0
        self._fresh_until = 0.0
        self._rated = 0.0  # the time step that the rates in `knobs` are for
        self._settled_at = math.inf
        self._found[:] = 0
        self._found[G.HOT_BEFORE] = 1.0
        self._found[G.MISTAKEN] = G.MISTAKEN_MOST  # until the place is known
        self._votes[:] = 0
        self._use_mask(None)

    def update(self, luma: Luma, time: float | None = None, mask: Mask | None = None) -> GateResult:
        """Look at one frame.

        `luma` is uint8 (height, width); rows may be strided, nothing is copied. `time` is the
        frame's own time in seconds; without it frames are 1 / fps apart. `mask` (height, width)
        is non-zero where to look; pass another array to change it, it is read once. Raises
        ValueError for another size or type of picture.
        """
        if luma.shape != self._size or luma.dtype != BYTE:
            raise ValueError(
                f"expected a uint8 plane of {self.height} rows x {self.width} columns, "
                f"not {luma.dtype} {luma.shape}"
            )
        if mask is not self._mask:
            self._use_mask(mask)
        dt = self._step_clock(time)
        self._frames += 1
        settled = self._now >= self._settled_at
        if not settled or abs(dt - self._rated) >= SAME_STEP:
            self._set_rates(dt)
        if (beat := self._frames % EDGE_FRAMES) < 2:
            self._renew(beat == 0)
        count = self._look(luma, G.WATCHED if settled else self._use())
        if count >= 0:
            return self._judge(count) if settled else self._judge_unsettled(count)
        return self._start_anew(dt) if count == G.UNJUDGED else self._look_on()

    def means(self) -> NDArray[np.float32]:
        """Grey level of each cell (lines, columns) of the frame looked at last; a copy."""
        return self._cells_of(G.MEAN)

    def ratios(self) -> NDArray[np.float32]:
        """How far each cell (lines, columns) stands out, in units of its threshold; a copy."""
        return np.abs(self._cells_of(G.RATIO))

    @property
    def cell(self) -> tuple[int, int]:
        """Width and height of a cell in pixels."""
        return int(self._shape[G.CELL_W]), int(self._shape[G.CELL_H])

    def _cells_of(self, row: int) -> NDArray[np.float32]:
        cells: NDArray[np.float32] = self._shown[row].copy()
        return cells

    def _step_clock(self, time: float | None) -> float:
        gap = self._nominal
        if time is not None:
            if self._time is not None and time > self._time:
                gap = time - self._time
            self._time = time
        self._now += gap
        return min(gap, LONGEST_GAP)

    def _use_mask(self, mask: Mask | None) -> None:
        if mask is not None and mask.shape != (self.height, self.width):
            raise ValueError(f"mask is {mask.shape}, the frame {(self.height, self.width)}")
        self._found[G.WALKING] = 0  # nobody is held where nobody may look any more
        look = G.looked_at(self._grid, mask)
        self._field[G.LOOK] = look
        self._shape[G.LOOKED_AT] = int(look.sum())
        odd = look.reshape(-1, int(self._shape[G.PITCH]))[1:-1:2]
        self._shape[G.LOOKED_AT_ODD] = int(odd.sum())
        self._mask = mask

    def _set_rates(self, dt: float) -> None:
        """Rates for frames that are so far apart; at first a mean of all there was."""
        knobs = self._knobs
        first = 1.0 / self._frames if self._now < 2 * WARM_SECONDS else 0.0
        if first == 0.0 and abs(dt - self._rated) < SAME_STEP:
            return
        self._rated = dt if first == 0.0 else 0.0
        knobs[G.DT] = dt
        knobs[G.START_RATE] = first if self._now < WARM_SECONDS else 0.0
        knobs[G.BACK_RATE] = max(first, 1.0 - math.exp(-dt / BACK_SECONDS))
        knobs[G.BACK_SLOW] = dt / FRONT_SECONDS
        knobs[G.NOISE_RATE] = max(first, 1.0 - math.exp(-dt / NOISE_SECONDS))
        knobs[G.NOISE_SLOW] = dt / FLUTTER_SECONDS
        knobs[G.RESTLESS_RATE] = 1.0 - math.exp(-dt / RESTLESS_SECONDS)
        knobs[G.REACH_DECAY] = math.exp(-dt / REACH_SECONDS)
        knobs[G.REACH_SLOW] = math.exp(-dt / REACH_SWAY_SECONDS)
        knobs[G.PULSE_RATE] = 1.0 - math.exp(-dt / PULSE_SECONDS)
        knobs[G.SHAKE_DECAY] = math.exp(-dt / SHAKE_SECONDS)

    def _renew(self, now: bool) -> None:
        """Have edges, shade and darkness learned in this frame, or no longer."""
        self._knobs[G.RENEW] = now
        if now:
            dt = self._knobs.item(G.DT)
            later = 1.0 - math.exp(-dt * EDGE_FRAMES / AWAY_SECONDS)
            # A mean of all there was, until that is long enough.
            self._knobs[G.AWAY_RATE] = max(min(EDGE_FRAMES / self._frames, 1.0), later)

    def _use(self) -> int:
        """What may become of this frame."""
        if self._frames == 1 or self._blind_since is not None:
            return G.ADOPTED
        return G.TRUSTED if self._now < self._rest_until else G.WATCHED

    def _hot_share(self) -> float:
        return float(self._found[G.HOT]) / max(1, int(self._shape[G.LOOKED_AT]))

    def _start_anew(self, dt: float) -> GateResult:
        """What this frame shows is a scene to be adopted."""
        if self._frames == 1:
            self._settled_at = 2 * WARM_SECONDS
            self._adopt(1.0, FIRST_NOISE)
            return self._scan("warming")
        result = self._while_blind(dt)
        watching = self._blind_since is None
        self._settled_at = max(self._rest_until, self._fresh_until) if watching else math.inf
        return result

    def _look_on(self) -> GateResult:
        """The light is much fainter at once, and whoever came with that was taken for it."""
        self._fresh_until = self._now + FRESH_SECONDS
        self._settled_at = max(self._settled_at, self._fresh_until)
        return self._look_at_all("warming" if self._now < WARM_SECONDS else "watching")

    def _judge_unsettled(self, count: int) -> GateResult:
        state: State = "warming" if self._now < WARM_SECONDS else "watching"
        if self._now < self._fresh_until:
            return self._look_at_all(state)
        return self._judge(count, state)

    def _judge(self, count: int, state: State = "watching") -> GateResult:
        if count and self._found[G.TOLD]:
            self._last_look = self._now
            return GateResult(True, "motion", self._boxes[:count].copy(), state)
        if self._scan_seconds and self._now - self._last_look >= self._scan_seconds:
            return self._scan(state)
        if count:
            return GateResult(False, "held", self._boxes[:count].copy(), state)
        return QUIET if state == "watching" else GateResult(False, "none", NOWHERE, state)

    def _look_at_all(self, state: State) -> GateResult:
        if self._found.item(G.TOLD):
            self._last_look = self._now
            return GateResult(True, "scene_change", self._whole, state)
        return self._scan(state)

    def _scan(self, state: State) -> GateResult:
        self._last_look = self._now
        return GateResult(False, "scan", self._whole, state)

    def _while_blind(self, dt: float) -> GateResult:
        """Adopt what is there now; bounded by the clock, whatever the scene does."""
        began = self._blind_since is None
        if self._blind_since is None:
            self._blind_since = self._now
        hot = self._hot_share()
        blind_for = self._now - self._blind_since
        if blind_for + dt > BLIND_SECONDS or (blind_for > 0.3 and hot < CALM_SHARE):
            self._adopt(1.0)
            self._blind_since = None
            self._rest_until = self._now + REST_SECONDS
            self._fresh_until = self._now + FRESH_SECONDS
            if hot < CALM_SHARE:
                return self._scan("watching")
            self._last_look = self._now
            return GateResult(True, "scene_change", self._whole, "watching")
        self._adopt(1.0 - math.exp(-dt / ADOPT_SECONDS))
        self._last_look = self._now
        if hot < CALM_SHARE and not began:
            return GateResult(False, "none", NOWHERE, "blind")
        return GateResult(True, "scene_change", self._whole, "blind")

    def _adopt(self, pace: float, noise: float = NEW_NOISE) -> None:
        self._do.adopt(self._shape, self._knobs, self._field, pace, noise)
