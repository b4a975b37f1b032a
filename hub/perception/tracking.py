"""Tracking: detections of single frames become people and things that last.

Two-pass association after ByteTrack (Zhang et al. 2022, arXiv 2110.06864): sure detections first,
then faint ones for tracks that are still without. A track's state is that of its latest measurement
and is only ever predicted from there, so detections may arrive late, out of step with the frames
that came after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hub.kinds.detectors import Detection
from hub.perception.boxes import Box, area, overlap, share_inside
from hub.perception.pairing import costs, pairs
from hub.perception.track import Track, group_of
from hub.perception.turning_back import came_instead


@dataclass(frozen=True, slots=True)
class TrackRules:
    """When a detection starts, keeps and ends a track. Scores are 0..1, times seconds.

    The costs are how badly a find may fit (see `hub.perception.pairing`): a sure one at first, a
    faint one, and a sure one that nobody else wanted. Of a person between `broad` and `lying` in
    widths for a height more is asked: `certain` at once, else one find more and a score of
    `at_once`; until they have been in one place for `stays`, or anywhere for `lasts`.
    """

    sure: float = 0.45
    at_once: float = 0.7
    fair: float = 0.55
    keep: float = 0.4
    hits: int = 2
    near_cost: float = 3.0
    faint_cost: float = 3.0
    far_cost: float = 9.0
    nested: float = 0.7
    coast: float = 2.0
    leaving: float = 0.25
    unseen: float = 8.0
    broad: float = 0.55
    lying: float = 1.1
    certain: float = 0.8
    stays: float = 0.8
    lasts: float = 2.2


@dataclass(frozen=True, slots=True)
class TrackState:
    """A track at one moment.

    `age` counts the frames since it was first seen; `box` is x1, y1, x2, y2 in source pixels.
    `confirmed`: found when last looked for. `coasting`: missed then, and followed by prediction.
    `born` and `first` are when and where it was first found; None where nobody knows. `hits` counts
    how often it was found.
    """

    id: int
    label: str
    score: float
    state: Literal["confirmed", "coasting"]
    age: int
    box: Box
    born: float | None = None
    first: Box | None = None
    hits: int = 0


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
        sound = [found for found in detections if self._is_sound(found)]
        sure = [found for found in sound if found.score >= rules.sure]
        faint = [found for found in sound if found.score < rules.sure]
        free = list(self.tracks)
        sure = self._match(free, sure, time, rules.near_cost)
        lasting = [track for track in free if track.confirmed]
        self._match(lasting, faint, time, rules.faint_cost)
        free = [track for track in free if not track.confirmed] + lasting
        sure = self._match(free, sure, time, rules.far_cost)
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
        """Every confirmed track as it stands at `time`; who is hardly known is not carried on."""
        return [
            self._state(track, time)
            for track in self.tracks
            if track.confirmed and (track.hits >= 3 or not track.misses)
        ]

    def _state(self, track: Track, time: float) -> TrackState:
        doubtful = track.score < self.rules.keep or time - track.seen > self.rules.unseen
        return TrackState(
            id=track.id,
            label=track.label,
            score=round(track.score, 4),
            state="coasting" if track.misses or doubtful else "confirmed",
            age=track.age,
            box=self._clipped(track.at(time)),
            born=track.born,
            first=self._clipped(track.first),
            hits=track.hits,
        )

    def _match(
        self, free: list[Track], found: list[Detection], time: float, most: float
    ) -> list[Detection]:
        """Pair what fits best; takes pairs out of `free`, returns what is left over."""
        if not free or not found:
            return found
        chosen = pairs(costs(free, found, time), most)
        taken, used = {i for i, _ in chosen}, set[int]()
        for i, j in chosen:
            if came_instead(free[i].finds, found[j].box, time, self._size[0]):
                self.tracks.remove(free[i])
                continue
            free[i].meet(found[j], time)
            used.add(j)
        free[:] = [track for i, track in enumerate(free) if i not in taken]
        return [one for j, one in enumerate(found) if j not in used]

    def _start(self, found: Detection, time: float) -> None:
        group = group_of(found.label)
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
            if self._convinces(track):
                track.confirmed = True
                track.id = self._next
                self._next += 1

    def _convinces(self, track: Track) -> bool:
        """Whether its finds are enough to tell of it."""
        rules, score = self.rules, track.score
        if self._may_be_an_animal(track):
            lasting = track.hits > rules.hits and score >= rules.at_once
            return lasting or score >= rules.certain
        return track.hits >= rules.hits + (score < rules.fair) or score >= rules.at_once

    def _may_be_an_animal(self, track: Track) -> bool:
        """Whether it is a person in the shape of an animal's fore part, whole, that goes about.

        Who sits or crouches has that shape too, and stays; of whom the picture's edge hides a
        part, the shape tells nothing.
        """
        rules, box = self.rules, track.at(track.seen)
        wide, high = box[2] - box[0], box[3] - box[1]
        if track.label != "person" or not rules.broad * high <= wide <= rules.lying * high:
            return False
        known = track.seen - track.born
        still = known >= rules.stays and track.moved < 0.5 * max(wide, high)
        return known < rules.lasts and not still and not self._at_edge(box)

    def _at_edge(self, box: Box) -> bool:
        width, height = self._size
        near = 0.005 * max(width, height)
        low, high = min(box[:2]), min(width - box[2], height - box[3])
        return low < near or high < near

    def _drop(self, time: float) -> None:
        self.tracks = [track for track in self.tracks if not self._over(track, time)]
        lasting = sorted(self.tracks, key=lambda t: (not t.confirmed, -t.hits))
        kept: list[Track] = []
        for track in lasting:
            twin = any(
                track.group == other.group
                and track.hits < 5  # who is known for longer may pass behind the other
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
            return gone > self.rules.leaving
        return track.misses >= 3 and gone > self.rules.coast

    def _is_out(self, track: Track, time: float) -> bool:
        """Whether its own motion has carried it out of the picture."""
        box = track.at(time)
        return time > track.seen and area(self._clipped(box)) < 0.15 * area(box)

    def _is_sound(self, found: Detection) -> bool:
        """Whether its numbers are numbers and its box is one that is in the picture."""
        x1, y1, x2, y2 = found.box
        if not (np.isfinite([*found.box, found.score]).all() and x2 > x1 and y2 > y1):
            return False
        return area(self._clipped(found.box)) > 0.15 * area(found.box)

    def _is_leaving(self, track: Track, time: float) -> bool:
        """Whether its own motion carries it out of the picture."""
        box = track.at(time + 0.3)
        left = area(self._clipped(box)) / max(area(box), 1e-9)
        return track.pace > 0.1 and left < 0.7

    def _clipped(self, box: Box) -> Box:
        width, height = self._size
        x1, x2 = min(max(0.0, box[0]), width), min(max(0.0, box[2]), width)
        y1, y2 = min(max(0.0, box[1]), height), min(max(0.0, box[3]), height)
        return round(x1, 2), round(y1, 2), round(x2, 2), round(y2, 2)
