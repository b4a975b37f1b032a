"""Where to look next: what moves without an explanation, and whom it is time to see again.

One inference costs as much as hundreds of gated frames. So a person who stands still is confirmed
now and then, one who walks a few times a second, and motion that turned out to be nothing is asked
about less and less often, though never forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hub.perception.boxes import Box, overlap, share_inside
from hub.perception.crops import ROOMY, CropPlan, IntBox, Want, bounds, plan, whole_frame
from hub.perception.futile import FutileLooks
from hub.perception.motion import GateResult
from hub.perception.newcomers import Newcomers
from hub.perception.track import Track

_AGAIN = 1.0  # seconds after which a look at everything that came to nothing is asked for anew
_SOON = 0.09
_OFTEN, _SELDOM = 0.09, 0.29  # bounds between looks at somebody who walks
_FIRST_PACE = 0.19
_FORESEEN, _SURPRISING = 0.7, 0.58  # overlap of where somebody was expected with where they were
_STIRRING = 0.29  # where what moves around somebody who stands has another shape than before
_FIDGETING = 0.75
_LOST = 0.45
_STANDING = 1.0
_SETTLED = 2.0
_THING = 3.0  # how many times longer a thing that stands is left alone than a person
_PACE = 0.12  # own heights per second from which somebody is walking
_LEAST = 0.4  # share of a scale at which somebody is still found, as a rule
_TALL = 96.0  # somebody this many input pixels tall is found as well as at any larger size
_TALL_IN_DOUBT = 160.0
_SURE = 0.45
_HALO = (0.75, 0.5, 0.75, 1.2)  # how far beside, above and below, in own heights, it may be
_WELL_KNOWN = 3  # finds beyond which to find a thing again is nothing new
_FEW = 2  # known at once, up to whom somebody who is where they were expected gets a narrow crop
_NARROW = 0.5  # share of its longer edge that its shorter one has at least
_SHAPE = 0.15  # own heights by which motion around somebody may change unseen
_HALO_LASTS = 1.5
_EXPLAINED = 0.6  # share of a region from which it is theirs who is known to be there


@dataclass(frozen=True, slots=True)
class _Known:
    """What looks have taught about somebody.

    `beyond` is what moves along with them (a shadow, a ball, a reflection), as distances beyond
    their box in own heights; it was nobody else at `since`. `every` is how long (s) where they are
    can be foretold.
    """

    reach: Box | None = None
    beyond: Box = (0.0, 0.0, 0.0, 0.0)
    since: float = -1e9
    every: float = _FIRST_PACE


class Attention:
    """Chooses the crops of one camera of `size` (width, height) pixels.

    `sides` are the detector's input sides, ascending; empty for one that looks at regions only.
    """

    def __init__(self, size: tuple[int, int], sides: Sequence[int]) -> None:
        self._size = size
        self._sides = tuple(sides)
        self._futile = FutileLooks(size)
        self._known: dict[Track, _Known] = {}
        self._expected: dict[Track, Box] = {}
        self._whole_at = -1e9
        self._owed = False  # a look at everything that the gate asked for and that has not come
        self._tried_at = -1e9
        self._scans = [0.0, 1.2]  # seconds after the first frame: who is already there
        self._first: float | None = None
        self._cut_off: list[Box] = []
        self.newcomers = Newcomers()

    def choose(
        self, time: float, gate: GateResult, tracks: Sequence[Track]
    ) -> tuple[CropPlan, ...]:
        """The crops to infer on the frame of `time`; none when nothing is due."""
        if self._first is None:
            self._first = time
        if self._whole_is_due(time, gate):
            return self._everything("scan", tiled=gate.reason == "scan")
        regions = [_box(region) for region in gate.regions] if gate.state != "blind" else []
        wants, widen = self._strange(time, regions, tracks)
        wants += [self._track_want(t, time) for t in tracks if self._is_due(t, time, regions)]
        wants += [self._want(box, 0.6, "cut off") for box in self._cut_off]
        wants += [self._hint_want(box) for box in self.newcomers.take() if self._sides]
        if not wants:
            return ()
        if not self._sides:
            return (CropPlan((0, 0, *self._size), 0),)
        if widen:
            return self._everything("motion")
        return plan(self._with_neighbours(wants, tracks, time), self._size, self._sides)

    def choose_early(self, time: float, tracks: Sequence[Track]) -> tuple[CropPlan, ...]:
        """The crops to infer on a frame between those that are due; none where there is no hurry.

        It is for detectors with input sizes only: nothing new is known of what moves.
        """
        wants = [self._track_want(track, time) for track in self.newcomers.due(time, tracks)]
        wants += [self._hint_want(box) for box in self.newcomers.take()]
        if not wants:
            return ()
        return plan(self._with_neighbours(wants, tracks, time), self._size, self._sides)

    def looked(
        self,
        time: float,
        crops: Sequence[IntBox],
        regions: NDArray[np.int32],
        found: Sequence[Box],
        tracks: Sequence[Track],
        early: bool = False,
    ) -> None:
        """Remember what an inference on the frame of `time` was worth; `tracks` are those after.

        After an `early` one `regions` are those of the frame before, and nothing was in vain.
        """
        if any(crop == (0, 0, *self._size) for crop in crops):
            self._whole_at = max(self._whole_at, time)
            self._owed = False
            first = time if self._first is None else self._first
            self._scans = [due for due in self._scans if first + due > time + 1e-6]
        self._cut_off = []
        old = [track.at(time) for track in tracks if _is_old(track)]
        new = [box for box in found if not any(overlap(box, other) > 0.5 for other in old)]
        moving = list(map(_box, regions))
        boxes = [box for box in moving if share_inside(box, crops) >= 0.5]
        for box in () if early else boxes:
            fruitful = any(share_inside(box, [_grown(b, 0.25)]) > 0.3 for b in new)
            for part in _parts(box, crops):  # what a crop does not show was not looked at
                self._futile.looked(part, time, in_vain=not fruitful)
        shown = [box for box in boxes if share_inside(box, crops) >= 0.85]
        hidden = [box for box in moving if box not in shown]
        for track in tracks:
            if track.seen == time:
                known = self._known.get(track, _Known())
                self._known[track] = replace(
                    _learned(known, track.at(time), shown, hidden, time),
                    every=self._every(track, found),
                )

    def expect(self, time: float, tracks: Sequence[Track]) -> None:
        """Remember where everybody should be on the frame of `time`, before it is known."""
        self._expected = {track: track.at(time) for track in tracks}

    def _every(self, track: Track, found: Sequence[Box]) -> float:
        """How long to leave somebody alone: longer where they were as expected, else less."""
        every = self._known.get(track, _Known()).every
        expected = self._expected.get(track)
        if expected is None or not found:
            return every
        there = max(found, key=lambda box: overlap(box, track.at(track.seen)))
        agreed = overlap(expected, there)
        if agreed >= _FORESEEN:
            return min(every * 1.4, _SELDOM)
        return every if agreed >= _SURPRISING else max(every / 2, _OFTEN)

    def cut_off(self, boxes: Sequence[Box]) -> None:
        """Things that a crop's edge cut through: look again around them, on the next frame."""
        self._cut_off = list(boxes)

    def _everything(self, reason: str, tiled: bool = False) -> tuple[CropPlan, ...]:
        if not self._sides:
            return (CropPlan((0, 0, *self._size), 0),)
        return whole_frame(self._size, self._sides, tiled, reason)

    def _whole_is_due(self, time: float, gate: GateResult) -> bool:
        since = time - self._whole_at
        asked = gate.reason == "scan" and since > 0.3
        asked = asked or (gate.reason == "scene_change" and since > 0.5)
        if asked or (self._owed and time - self._tried_at > _AGAIN):
            self._owed, self._tried_at = True, time
            return True
        first = time if self._first is None else self._first
        return bool(self._scans) and time - first >= self._scans[0] - 1e-6

    def _is_due(self, track: Track, time: float, regions: Sequence[Box]) -> bool:
        waited = time - track.checked
        if track.hits < 3 or track.misses:  # who it is and how it moves is not known yet
            soon = track.misses <= (3 if track.label == "person" else 0)
            return waited >= (_SOON if soon else _LOST)
        if self._doubtful(track) and waited >= _SELDOM:
            return True
        known = self._known.get(track, _Known())
        walks = track.pace > _PACE
        soon = waited >= (_OFTEN if walks else _STIRRING) and not _parked(track)
        if soon and _differs(known.reach, _reach(track.at(time), regions)):
            return True
        if walks:
            return waited >= known.every - 1e-6
        calm = 1.0 if track.label == "person" else _THING
        box = _grown(track.at(time), 0.1)
        if any(share_inside(region, [box]) > 0.2 for region in regions):
            return waited >= _FIDGETING * calm
        return waited >= (_SETTLED if track.hits > 10 else _STANDING) * calm

    def _strange(
        self, time: float, regions: Sequence[Box], tracks: Sequence[Track]
    ) -> tuple[list[Want], bool]:
        """What moves beyond the tracks, unless looking there was in vain lately."""
        self._known = {track: of for track, of in self._known.items() if track in tracks}
        movers = [track for track in tracks if not _parked(track)]
        known = [_grown(track.at(time), 0.2) for track in movers]
        known += [
            _with(track.at(time), of.beyond)
            for track, of in self._known.items()
            if track in movers and time - of.since < _HALO_LASTS
        ]
        wants: list[Want] = []
        widen = False
        for region in regions:
            share = covered(region, known)
            if share > _EXPLAINED:
                continue
            in_vain = self._futile.moved(region, time)
            if not self._futile.rested(region, time, _SELDOM):
                continue
            widen = widen or in_vain % 16 == 4
            feet = in_vain == 1 and share < 0.25 and self._may_be_feet(region)
            wants.append(self._near(region) if feet else self._want(region, 0.17, "motion"))
        return wants, widen

    def _may_be_feet(self, box: Box) -> bool:
        """Whether it is cut off below, or not shaped like somebody who stands."""
        x1, y1, x2, y2 = box
        return y2 >= self._size[1] - 1 or y2 - y1 < 1.5 * (x2 - x1)

    def _want(self, box: Box, margin: float, reason: str) -> Want:
        """A look around something whose size is not known: it may be the feet of somebody near."""
        width, height = self._size
        x1, y1, x2, y2 = box
        least = 0.4 * min(width, height)
        across, down = max(x2 - x1, least) - (x2 - x1), max(y2 - y1, least) - (y2 - y1)
        wide = (x1 - across / 2, y1 - down / 2, x2 + across / 2, y2 + down / 2)
        scale = min(1.0, _TALL / max(y2 - y1, (x2 - x1) / 2, 1.0))
        return Want(wide, scale, margin, _LEAST, reason=reason)

    def _near(self, box: Box) -> Want:
        """A look from top to bottom around something: it may be the feet of somebody near."""
        width, height = self._size
        middle, half = (box[0] + box[2]) / 2, 0.3 * height
        left, right = min(box[0], middle - half), max(box[2], middle + half)
        wide = (max(0.0, left), 0.0, min(float(width), right), float(height))
        side = self._sides[0] if self._sides else height
        return Want(wide, min(1.0, side / height), 0.0, _LEAST, reason="motion")

    def _track_want(self, track: Track, time: float) -> Want:
        box = track.at(time)
        tall = _TALL_IN_DOUBT if self._doubtful(track) else _TALL
        scale, why = min(1.0, tall / max(box[3] - box[1], 1.0)), _why(track)
        few = len(self._known) <= _FEW  # else what is beside one of them is worth seeing as well
        narrow = _NARROW if few and why in ("walks", "stands") else ROOMY
        return Want(box, scale, 0.25, _LEAST, narrow, why)

    def _hint_want(self, box: Box) -> Want:
        """A look around what was half seen, larger than the last one."""
        scale = min(1.0, _TALL_IN_DOUBT / max(box[3] - box[1], 1.0))
        return Want(box, scale, 0.35, _LEAST, reason="faint")

    def _doubtful(self, track: Track) -> bool:
        """Whether the latest look hardly saw it: then it is seen again soon, and larger."""
        person = bool(self._sides) and track.label == "person"
        return person and (track.misses > 0 or track.score < _SURE)

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


def _why(track: Track) -> str:
    """Why somebody is looked at: where they are is sure only of those who walk or stand."""
    if track.misses:
        return "missed"
    if track.hits < 3:
        return "new"
    if track.score < _SURE:
        return "doubt"
    return "walks" if track.pace > _PACE else "stands"


def _parked(track: Track) -> bool:
    """Whether it is a thing that stands: what moves before it is somebody else."""
    return track.label != "person" and track.pace <= _PACE


def _is_old(track: Track) -> bool:
    """Whether it is a thing that stands or is well known: to find it again is nothing new."""
    return _parked(track) or (track.label != "person" and track.hits > _WELL_KNOWN)


def covered(box: Box, others: Sequence[Box]) -> float:
    """The share of a box that others cover together, on a grid of 8 by 8 points."""
    x1, y1, x2, y2 = box
    steps = (np.arange(8) + 0.5) / 8
    x, y = np.meshgrid(x1 + steps * (x2 - x1), y1 + steps * (y2 - y1))
    inside = np.zeros(x.shape, bool)
    for a, b, c, d in others:
        inside |= (x >= a) & (x <= c) & (y >= b) & (y <= d)
    return float(inside.mean())


def _parts(box: Box, crops: Sequence[IntBox]) -> list[Box]:
    """What of a box lies in each crop."""
    x1, y1, x2, y2 = box
    inside = [(max(x1, a), max(y1, b), min(x2, c), min(y2, d)) for a, b, c, d in crops]
    return [part for part in inside if part[0] < part[2] and part[1] < part[3]]


def _box(region: NDArray[np.int32]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in region)
    return x1, y1, x2, y2


def _reach(box: Box, regions: Sequence[Box]) -> Box | None:
    """How far the regions that touch a box reach beyond it, in its heights; None where none do."""
    x1, y1, x2, y2 = box
    high = max(1.0, y2 - y1)
    near = _grown(box, 0.1)
    touching = [
        region
        for region in regions
        if share_inside(region, [near]) >= 0.1 or share_inside(box, [region]) >= 0.3
    ]
    if not touching:
        return None
    left, top, right, bottom = bounds(touching)
    return (x1 - left) / high, (y1 - top) / high, (right - x2) / high, (bottom - y2) / high


def _differs(before: Box | None, now: Box | None) -> bool:
    """Whether what moves around somebody has another shape than when they were seen."""
    if before is None or now is None:
        return False
    return max(abs(a - b) for a, b in zip(before, now, strict=True)) > _SHAPE


def _learned(
    known: _Known, box: Box, shown: Sequence[Box], hidden: Sequence[Box], time: float
) -> _Known:
    """What a look at somebody in `box` teaches, where the regions `shown` were seen whole.

    What reached beyond them before is still theirs while something moves there unseen; only for a
    time, since it may be somebody else by then.
    """
    beyond, since = _beyond(box, shown), time
    if _beyond(box, hidden) != _beyond(box, ()) and time - known.since < _HALO_LASTS:
        left, above, right, below = map(max, beyond, known.beyond)
        beyond, since = (left, above, right, below), known.since
    return _Known(_reach(box, [*shown, *hidden]), beyond, since, known.every)


def _beyond(box: Box, regions: Sequence[Box]) -> Box:
    """How far what moves beside a box reaches beyond it, in its heights, within bounds."""
    x1, y1, x2, y2 = box
    high = max(1.0, y2 - y1)
    near = _with(box, _HALO)
    beside = [region for region in regions if share_inside(region, [near]) > 0.5]
    left, top, right, bottom = bounds([box, *beside])
    reach = ((x1 - left) / high, (y1 - top) / high, (right - x2) / high, (bottom - y2) / high)
    far = [min(each + 0.1, most) for each, most in zip(reach, _HALO, strict=True)]
    return far[0], far[1], far[2], far[3]


def _with(box: Box, beyond: Box) -> Box:
    high = box[3] - box[1]
    left, above, right, below = (far * high for far in beyond)
    return box[0] - left, box[1] - above, box[2] + right, box[3] + below


def _grown(box: Box, share: float) -> Box:
    x1, y1, x2, y2 = box
    across, down = (x2 - x1) * share, (y2 - y1) * share
    return x1 - across, y1 - down, x2 + across, y2 + down
