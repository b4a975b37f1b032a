"""Tracking: detections of single frames become people and things that last.

Two-pass association after ByteTrack (Zhang et al. 2022, arXiv 2110.06864): sure detections first,
then faint ones for tracks that are still without. Motion is a constant-velocity Kalman filter per
box coordinate. A track's state is that of its latest measurement and is only ever predicted from
there, so detections may arrive late, out of step with the frames that came after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hub.kinds.detectors import Detection

Box = tuple[float, float, float, float]
Boxes = NDArray[np.float64]

_GROUPS = {"car": "vehicle", "truck": "vehicle", "bus": "vehicle"}

# for x, y, width and height, in heights: acceleration, wandering and error of a measurement; a
# walker's width swings with the gait, so sizes wander but have no speed
_JERK = np.array([1.5, 1.0, 0.0, 0.0])
_DRIFT = np.array([0.0, 0.0, 0.3, 0.3])
_NOISE = np.array([0.04, 0.04, 0.08, 0.05])


@dataclass(frozen=True, slots=True)
class TrackRules:
    """When a detection starts, keeps and ends a track. Scores are 0..1, times seconds."""

    sure: float = 0.45
    at_once: float = 0.7
    fair: float = 0.55
    keep: float = 0.4
    hits: int = 2
    first_overlap: float = 0.2
    faint_overlap: float = 0.4
    nested: float = 0.7
    coast: float = 2.0
    unseen: float = 8.0


@dataclass(frozen=True, slots=True)
class TrackState:
    """A track at one moment.

    `age` counts the frames since it was first seen; `box` is x1, y1, x2, y2 in source pixels.
    `confirmed`: found when last looked for. `coasting`: missed then, and followed by prediction.
    """

    id: int
    label: str
    score: float
    state: Literal["confirmed", "coasting"]
    age: int
    box: Box


class Track:
    """One thing that is followed; times are seconds on the camera's clock."""

    def __init__(self, found: Detection, time: float) -> None:
        self.id = 0
        self.hits = 1
        self.misses = 0
        self.age = 0
        self.score = found.score
        self.seen = time
        self.checked = time
        self.born = time
        self.confirmed = False
        self._votes = {found.label: found.score}
        self._mean = _centred(found.box)
        self._speed = np.zeros(4)
        high = float(self._mean[3])
        # variances of position and speed and their covariance, for x, y, width and height
        self._spread = np.tile(np.array([(0.05 * high) ** 2, 0.0, (0.7 * high) ** 2]), (4, 1))
        self._spread[2:, 2] = 0.0

    @property
    def label(self) -> str:
        """The label with the most score behind it."""
        return max(self._votes, key=lambda name: self._votes[name])

    @property
    def group(self) -> str:
        """Labels that a detector mixes up count as one when boxes are matched."""
        return _GROUPS.get(self.label, self.label)

    @property
    def pace(self) -> float:
        """Speed of its centre, in own heights per second."""
        return float(np.hypot(*self._speed[:2]) / max(1.0, self._mean[3]))

    def at(self, time: float) -> Box:
        """Its box at a time, by constant velocity for at most 0.6 s after it was last seen."""
        ahead = min(max(time - self.seen, 0.0), 0.6)
        return _cornered(self._mean + self._speed * ahead)

    def meet(self, found: Detection, time: float) -> None:
        """Take a matching detection; one from before the latest only counts as seen."""
        self.hits += 1
        self.misses = 0
        self.checked = max(self.checked, time)
        self.score = 0.5 * self.score + 0.5 * found.score
        self._votes[found.label] = self._votes.get(found.label, 0.0) + found.score
        if time > self.seen:
            self._filter(_centred(found.box), time - self.seen, found.score)
            self.seen = time

    def miss(self, time: float) -> None:
        """It was looked for and not found."""
        self.misses += 1
        self.checked = max(self.checked, time)

    def _filter(self, measured: NDArray[np.float64], step: float, score: float) -> None:
        """Predict by `step` seconds, then correct (Kalman 1960); noise grows with the height."""
        high = float(max(1.0, self._mean[3]))
        jerk, drift = _JERK * high, _DRIFT * high
        noise = (_NOISE * high * (1.5 - score)) ** 2
        place, mixed, speed = self._spread.T
        place = place + 2 * step * mixed + step**2 * speed + (jerk * step**2 / 2) ** 2
        place = place + drift**2 * step
        mixed = mixed + step * speed + jerk**2 * step**3 / 2
        speed = speed + (jerk * step) ** 2
        expected = self._mean + self._speed * step
        gain, turn = place / (place + noise), mixed / (place + noise)
        error = measured - expected
        self._mean = expected + gain * error
        self._mean[2:] = np.maximum(self._mean[2:], 1.0)
        self._speed = self._speed + turn * error
        self._spread = np.stack(
            [(1 - gain) * place, (1 - gain) * mixed, speed - turn * mixed], axis=1
        )


class Tracker:
    """Follows everything in one camera's picture of `size` (width, height) pixels."""

    def __init__(self, size: tuple[int, int], rules: TrackRules | None = None) -> None:
        self.rules = rules or TrackRules()
        self.tracks: list[Track] = []
        self._size = size
        self._next = 1

    def settle(
        self,
        time: float,
        detections: Sequence[Detection],
        covered: Iterable[Sequence[float]],
        partial: Sequence[Box] = (),
    ) -> None:
        """Take what an inference on the frame of `time` found; `covered` is where it looked.

        `partial` are things that were seen only in part: no measurement, but no miss either.
        """
        rules = self.rules
        looked = list(covered)
        sure = [found for found in detections if found.score >= rules.sure]
        faint = [found for found in detections if found.score < rules.sure]
        free = list(self.tracks)
        sure = self._match(free, sure, time, rules.first_overlap)
        sure = self._match_by_distance(free, sure, time)
        lasting = [track for track in free if track.confirmed]
        self._match(lasting, faint, time, rules.faint_overlap)
        for track in self.tracks:
            box = track.at(time)
            if track.checked >= time or share_inside(self._clipped(box), looked) < 0.7:
                continue
            if not any(share_inside(part, [box]) > 0.6 for part in partial):
                track.miss(time)
        for found in sure:
            self._start(found, time)
        self._confirm(time)
        self._drop(time)

    def tick(self, time: float) -> list[TrackState]:
        """Every confirmed track as it stands at `time`; call once per frame, in order."""
        self.tracks = [track for track in self.tracks if not self._is_out(track, time)]
        for track in self.tracks:
            track.age += 1
        return self.states(time)

    def states(self, time: float) -> list[TrackState]:
        """Every confirmed track as it stands at `time`."""
        return [self._state(track, time) for track in self.tracks if track.confirmed]

    def _state(self, track: Track, time: float) -> TrackState:
        doubtful = track.score < self.rules.keep or time - track.seen > self.rules.unseen
        return TrackState(
            id=track.id,
            label=track.label,
            score=round(track.score, 4),
            state="coasting" if track.misses or doubtful else "confirmed",
            age=track.age,
            box=self._clipped(track.at(time)),
        )

    def _match(
        self, free: list[Track], found: list[Detection], time: float, least: float
    ) -> list[Detection]:
        """Pair by overlap, best first; takes pairs out of `free`, returns what is left over."""
        if not free or not found:
            return found
        overlap = overlaps(
            np.array([track.at(time) for track in free]), np.array([f.box for f in found])
        )
        return self._pair(free, found, overlap, time, least)

    def _match_by_distance(
        self, free: list[Track], found: list[Detection], time: float
    ) -> list[Detection]:
        """Pair what moved further than its own width: near, and of about the same height."""
        if not free or not found:
            return found
        at = np.array([_centred(track.at(time)) for track in free])
        there = np.array([_centred(f.box) for f in found])
        apart = np.hypot(*(at[:, None, :2] - there[None, :, :2]).transpose(2, 0, 1))
        height = np.maximum(at[:, None, 3], there[None, :, 3])
        alike = np.minimum(at[:, None, 3], there[None, :, 3]) / np.maximum(height, 1.0)
        near = np.where(alike > 0.6, 1.0 - apart / np.maximum(0.6 * height, 1.0), 0.0)
        return self._pair(free, found, near, time, 0.01)

    def _pair(
        self,
        free: list[Track],
        found: list[Detection],
        likeness: Boxes,
        time: float,
        least: float,
    ) -> list[Detection]:
        groups = [_GROUPS.get(f.label, f.label) for f in found]
        for i, track in enumerate(free):
            if not track.confirmed:
                likeness[i] *= 0.8  # where both fit, the one already known goes first
            likeness[i, [group != track.group for group in groups]] = 0.0
        taken: set[int] = set()
        used: set[int] = set()
        for flat in np.argsort(-likeness, axis=None, kind="stable"):
            i, j = divmod(int(flat), len(found))
            if likeness[i, j] < least:
                break
            if i not in taken and j not in used:
                free[i].meet(found[j], time)
                taken.add(i)
                used.add(j)
        free[:] = [track for i, track in enumerate(free) if i not in taken]
        return [f for j, f in enumerate(found) if j not in used]

    def _start(self, found: Detection, time: float) -> None:
        group = _GROUPS.get(found.label, found.label)
        for track in self.tracks:
            if track.group != group:
                continue
            box = track.at(time)
            if overlap(box, found.box) > 0.5:
                return
            nested = max(share_inside(found.box, [box]), share_inside(box, [found.box]))
            weaker = found.score < 0.6 or (track.seen == time and track.score > found.score)
            if nested > self.rules.nested and weaker:
                return
        self.tracks.append(Track(found, time))

    def _confirm(self, time: float) -> None:
        for track in self.tracks:
            if track.confirmed or track.seen < time:
                continue
            hits = self.rules.hits + (track.score < self.rules.fair)
            if track.hits >= hits or track.score >= self.rules.at_once:
                track.confirmed = True
                track.id = self._next
                self._next += 1

    def _drop(self, time: float) -> None:
        self.tracks = [track for track in self.tracks if not self._over(track, time)]
        lasting = sorted(self.tracks, key=lambda t: (not t.confirmed, -t.hits))
        kept: list[Track] = []
        for track in lasting:
            twin = any(
                track.group == other.group
                and (other.misses < track.misses or track.hits < 5)
                and overlap(track.at(time), other.at(time)) > 0.75
                for other in kept
            )
            if not twin:
                kept.append(track)
        self.tracks = sorted(kept, key=lambda t: (t.id == 0, t.id, t.born))

    def _over(self, track: Track, time: float) -> bool:
        if self._is_out(track, time):
            return True
        if not track.misses:
            return False
        if not track.confirmed:
            return track.misses >= 2
        gone = time - track.seen
        if self._is_leaving(track, time):
            return gone > 0.15
        return track.misses >= 3 and gone > self.rules.coast

    def _is_out(self, track: Track, time: float) -> bool:
        """Whether its own motion has carried it out of the picture."""
        box = track.at(time)
        return time > track.seen and _area(self._clipped(box)) < 0.15 * _area(box)

    def _is_leaving(self, track: Track, time: float) -> bool:
        """Whether its own motion carries it out of the picture."""
        box = track.at(time + 0.3)
        left = _area(self._clipped(box)) / max(_area(box), 1e-9)
        return track.pace > 0.1 and left < 0.7

    def _clipped(self, box: Box) -> Box:
        width, height = self._size
        x1, x2 = min(max(0.0, box[0]), width), min(max(0.0, box[2]), width)
        y1, y2 = min(max(0.0, box[1]), height), min(max(0.0, box[3]), height)
        return round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2)


def overlaps(first: Boxes, second: Boxes) -> Boxes:
    """Intersection over union of every pair: (n, 4) and (m, 4) to (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-9))


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    shared = _shared(first, second)
    return shared / (_area(first) + _area(second) - shared) if shared else 0.0


def _shared(a: Sequence[float], b: Sequence[float]) -> float:
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return across * down if across > 0 and down > 0 else 0.0


def _area(box: Sequence[float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def share_inside(box: Sequence[float], areas: Iterable[Sequence[float]]) -> float:
    """The largest share of a box that one of the areas covers."""
    size = max(_area(box), 1e-9)
    return max((_shared(box, area) / size for area in areas), default=0.0)


def _centred(box: Sequence[float]) -> NDArray[np.float64]:
    x1, y1, x2, y2 = box
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, max(1.0, x2 - x1), max(1.0, y2 - y1)])


def _cornered(mean: NDArray[np.float64]) -> Box:
    x, y, w, h = (float(value) for value in mean)
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2
