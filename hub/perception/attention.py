"""Where to look next: what moves without an explanation, and whom it is time to see again.

One inference costs as much as hundreds of gated frames. So a person who stands still is confirmed
now and then, one who walks a few times a second, and motion that turned out to be nothing is asked
about less and less often, though never forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.perception.crops import CropPlan, IntBox, Want, plan, whole_frame
from hub.perception.motion import GateResult
from hub.perception.tracking import Box, Track, share_inside

_CELLS = (8, 6)  # columns and rows of the memory of fruitless looks
_SOON = 0.09
_WALKING = 0.19
_FIDGETING = 0.45
_STANDING = 1.0
_SETTLED = 2.0
_PATIENCE = 1.0
_PACE = 0.12  # own heights per second from which somebody is walking
_TALL = 128.0  # a person this many input pixels tall is found as well as at any larger size


@dataclass(slots=True)
class _Cell:
    """How often looking here found nothing, when that was, and when it last moved here."""

    fruitless: int = 0
    looked: float = -1e9
    moved: float = -1e9


class Attention:
    """Chooses the crops of one camera of `size` (width, height) pixels.

    `sides` are the detector's input sides, ascending; empty for one that looks at regions only.
    """

    def __init__(self, size: tuple[int, int], sides: Sequence[int]) -> None:
        self._size = size
        self._sides = tuple(sides)
        self._cells = [_Cell() for _ in range(_CELLS[0] * _CELLS[1])]
        self._whole_at = -1e9
        self._scans = [0.0, 0.4, 1.2]  # seconds after the first frame: who is already there
        self._first: float | None = None
        self._cut_off: list[Box] = []

    def choose(
        self, time: float, gate: GateResult, tracks: Sequence[Track]
    ) -> tuple[CropPlan, ...]:
        """The crops to infer on the frame of `time`; none when nothing is due."""
        if self._first is None:
            self._first = time
        if self._whole_is_due(time, gate):
            return self._everything(tiled=gate.reason != "scene_change")
        regions = [_box(region) for region in gate.regions] if gate.state != "blind" else []
        wants, widen = self._strange(time, regions, tracks)
        wants += [self._track_want(t, time) for t in tracks if self._is_due(t, time, regions)]
        wants += [self._want(box, 0.6) for box in self._cut_off]
        if not wants:
            return ()
        if not self._sides:
            return (CropPlan((0, 0, *self._size), 0),)
        if widen:
            return self._everything()
        return plan(self._with_neighbours(wants, tracks, time), self._size, self._sides)

    def looked(
        self, time: float, crops: Sequence[IntBox], regions: NDArray[np.int32], found: Sequence[Box]
    ) -> None:
        """Remember what an inference on the frame of `time` was worth."""
        if any(crop == (0, 0, *self._size) for crop in crops):
            self._whole_at = max(self._whole_at, time)
            first = time if self._first is None else self._first
            self._scans = [due for due in self._scans if first + due > time + 1e-6]
        self._cut_off = []
        for region in regions:
            box = _box(region)
            if share_inside(box, crops) < 0.5:
                continue
            cell = self._cells[self._cell(box)]
            fruitful = any(share_inside(box, [_grown(b, 0.25)]) > 0.3 for b in found)
            cell.fruitless = 0 if fruitful else cell.fruitless + 1
            cell.looked = time

    def cut_off(self, boxes: Sequence[Box]) -> None:
        """Things that a crop's edge cut through: look again around them, on the next frame."""
        self._cut_off = list(boxes)

    def _everything(self, tiled: bool = False) -> tuple[CropPlan, ...]:
        if not self._sides:
            return (CropPlan((0, 0, *self._size), 0),)
        return whole_frame(self._size, self._sides, tiled)

    def _whole_is_due(self, time: float, gate: GateResult) -> bool:
        since = time - self._whole_at
        if gate.reason == "scan":
            return since > 0.3
        if gate.reason == "scene_change":
            return since > 0.5
        first = time if self._first is None else self._first
        return bool(self._scans) and time - first >= self._scans[0] - 1e-6

    def _is_due(self, track: Track, time: float, regions: Sequence[Box]) -> bool:
        waited = time - track.checked
        if track.hits < 3 or track.misses:  # who it is and how it moves is not known yet
            return waited >= (_SOON if track.misses <= 3 else _FIDGETING)
        if track.pace > _PACE:
            return waited >= _WALKING
        box = _grown(track.at(time), 0.1)
        if any(share_inside(region, [box]) > 0.2 for region in regions):
            return waited >= _FIDGETING
        return waited >= (_SETTLED if track.hits > 10 else _STANDING)

    def _strange(
        self, time: float, regions: Sequence[Box], tracks: Sequence[Track]
    ) -> tuple[list[Want], bool]:
        """What moves beyond the tracks, unless looking there was in vain lately."""
        known = [_grown(track.at(time), 0.2) for track in tracks]
        wants: list[Want] = []
        widen = False
        for region in regions:
            if covered(region, known) > 0.6:
                continue
            cell = self._cells[self._cell(region)]
            if time - cell.moved > 5.0:
                cell.fruitless = 0
            cell.moved = time
            rest = min(_PATIENCE, _SOON * cell.fruitless) if cell.fruitless else _WALKING
            if time - cell.looked < rest:
                continue
            widen = widen or cell.fruitless % 3 == 1
            wants.append(self._want(region, 0.35))
        return wants, widen

    def _want(self, box: Box, margin: float) -> Want:
        """A look around something whose size is not known: it may be the feet of somebody near."""
        width, height = self._size
        x1, y1, x2, y2 = box
        least = 0.4 * min(width, height)
        across, down = max(x2 - x1, least) - (x2 - x1), max(y2 - y1, least) - (y2 - y1)
        wide = (x1 - across / 2, y1 - down / 2, x2 + across / 2, y2 + down / 2)
        return Want(wide, min(1.0, _TALL / max(y2 - y1, (x2 - x1) / 2, 1.0)), margin)

    def _track_want(self, track: Track, time: float) -> Want:
        box = track.at(time)
        return Want(box, min(1.0, _TALL / max(box[3] - box[1], 1.0)), 0.25)

    def _with_neighbours(
        self, wants: list[Want], tracks: Sequence[Track], time: float
    ) -> list[Want]:
        """Tracks that a crop would cut through are wanted whole."""
        crops = plan(wants, self._size, self._sides)
        for track in tracks:
            box = track.at(time)
            if 0.15 < max((share_inside(box, [crop.box]) for crop in crops), default=0.0) < 0.95:
                wants = [*wants, self._track_want(track, time)]
        return wants

    def _cell(self, box: Box) -> int:
        columns, rows = _CELLS
        x = int((box[0] + box[2]) / 2 * columns / self._size[0])
        y = int((box[1] + box[3]) / 2 * rows / self._size[1])
        return min(max(y, 0), rows - 1) * columns + min(max(x, 0), columns - 1)


def covered(box: Box, others: Sequence[Box]) -> float:
    """The share of a box that others cover together, on a grid of 8 by 8 points."""
    x1, y1, x2, y2 = box
    steps = (np.arange(8) + 0.5) / 8
    x, y = np.meshgrid(x1 + steps * (x2 - x1), y1 + steps * (y2 - y1))
    inside = np.zeros(x.shape, bool)
    for a, b, c, d in others:
        inside |= (x >= a) & (x <= c) & (y >= b) & (y <= d)
    return float(inside.mean())


def _box(region: NDArray[np.int32]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in region)
    return x1, y1, x2, y2


def _grown(box: Box, share: float) -> Box:
    x1, y1, x2, y2 = box
    across, down = (x2 - x1) * share, (y2 - y1) * share
    return x1 - across, y1 - down, x2 + across, y2 + down
