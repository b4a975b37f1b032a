"""One camera's way from frames to tracks and zones; inference happens outside, whenever it can.

`look` is cheap and says which crops are worth inferring, `cut` takes their pixels, `settle` takes
what was found (or None) and answers with the tracks. Clips and live cameras use the same three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hub.kinds.detectors import Crop, Detection, DetectorInfo
from hub.perception.attention import Attention
from hub.perception.boxes import Box, overlap, share_inside
from hub.perception.crops import IntBox
from hub.perception.frames import Frame
from hub.perception.motion import GateResult, MotionGate
from hub.perception.tracking import Tracker, TrackRules, TrackState
from hub.perception.zones import Occurrence, Polygon, ZoneArea, ZoneWatch, contains

SCAN_SECONDS = 10.0
_GREY = 114
_MOST = 200  # finds of one look that are taken in; a picture has no use for more


@dataclass(frozen=True, slots=True)
class Look:
    """What `look` made of one frame.

    `crops` are boxes x1, y1, x2, y2 in frame pixels, empty when no inference is needed; `sides`
    are the detector input sizes they are meant for, `reasons` what each is looked at for. An
    `early` one has the gate's result of the frame before it.
    """

    time: float
    index: int
    gate: GateResult
    crops: tuple[IntBox, ...]
    sides: tuple[int, ...]
    early: bool = False
    reasons: tuple[frozenset[str], ...] = ()


class CameraPipeline:
    """The pipeline of one camera whose frames are `size` (width, height) pixels.

    `masks` are polygons in fractions of the picture that nobody may look into: they are left out
    of motion, painted over in crops, and detections that stand in them are dropped. After
    `scan_seconds` of silence the whole picture is looked at (0 = never).
    """

    def __init__(
        self,
        camera: str,
        size: tuple[int, int],
        fps: float,
        info: DetectorInfo,
        zones: Sequence[ZoneArea] = (),
        masks: Sequence[Polygon] = (),
        scan_seconds: float = SCAN_SECONDS,
    ) -> None:
        self.camera = camera
        self.size = size
        self.show = shown(masks, size) if masks else None
        self._masks = tuple(masks)
        self._info = info
        self._gate = MotionGate(size[0], size[1], fps, scan_seconds=scan_seconds)
        self._attention = Attention(size, info.input_sizes if info.needs_pixels else ())
        rules = (
            TrackRules(sure=0.3, keep=0.25, at_once=2.0, hits=3, coast=3.0)
            if info.guessing
            else TrackRules()
        )
        self._tracker = Tracker(size, rules)
        self._zones = ZoneWatch(camera, zones, size, info.guessing)
        self._occurrences: list[Occurrence] = []
        self._latest = -1e18
        self._gated: GateResult | None = None

    def look(self, frame: Frame) -> Look:
        """Gate a frame and decide what to infer. Frames come in order; no inference happens."""
        gate = self._gated = self._gate.update(frame.luma, frame.time, self.show)
        plans = self._attention.choose(frame.time, gate, self._tracker.tracks)
        return Look(
            time=frame.time,
            index=frame.index,
            gate=gate,
            crops=tuple(crop.box for crop in plans),
            sides=tuple(crop.side for crop in plans),
            reasons=tuple(crop.reasons for crop in plans),
        )

    def hurries(self, time: float) -> bool:
        """Whether the frame of `time` is worth `look_early` although it is not due."""
        if self._gated is None or self._info.guessing or not self._info.needs_pixels:
            return False  # nothing but motion would tell more, and that is not looked at early
        many = bool(self._info.input_sizes)
        return many and self._attention.newcomers.hurry(time, self._tracker.tracks)

    def look_early(self, frame: Frame) -> Look:
        """Decide what to infer on a frame between those that are due; it is not gated."""
        assert self._gated is not None
        plans = self._attention.choose_early(frame.time, self._tracker.tracks)
        return Look(
            time=frame.time,
            index=frame.index,
            gate=self._gated,
            crops=tuple(crop.box for crop in plans),
            sides=tuple(crop.side for crop in plans),
            early=True,
            reasons=tuple(crop.reasons for crop in plans),
        )

    def means(self) -> NDArray[np.float32]:
        """The gate's grey level of each cell (lines, columns) of the frame looked at last."""
        return self._gate.means()

    def cut(self, frame: Frame, look: Look) -> list[Crop]:
        """The pixels of a look's crops, taken from the same frame, with private parts painted."""
        regions = look.gate.regions
        return [
            Crop(
                image=self._pixels(frame, box),
                box=box,
                frame_size=self.size,
                regions=_within(regions, box),
                side=side,
            )
            for box, side in zip(look.crops, look.sides, strict=True)
        ]

    def settle(
        self, frame: Frame, look: Look, detections: list[Detection] | None
    ) -> list[TrackState]:
        """Update the tracks; `detections` is None when nothing was inferred on this frame.

        Detections may come late: settle the newer frames with None meanwhile, then settle the
        frame they belong to. The answer is the state at the newest frame settled so far.
        """
        if detections is not None:
            self._take(look, detections)
        late = frame.time <= self._latest
        self._latest = max(self._latest, frame.time)
        tracks = self._tracker.states(self._latest) if late else self._tracker.tick(frame.time)
        self._occurrences += self._zones.watch(self._latest, tracks)
        return tracks

    def occurrences(self) -> list[Occurrence]:
        """What entered or left zones since the last call."""
        happened, self._occurrences = self._occurrences, []
        return happened

    def _take(self, look: Look, detections: Sequence[Detection]) -> None:
        best = sorted(detections, key=_score, reverse=True)[:_MOST]
        sound = [sound for found in best if (sound := self._sound(found)) is not None]
        whole, cut_off = _split(sound, look.crops, self.size)
        kept = _without_doubles(whole, many=len(look.crops) > 1)
        covered: Sequence[IntBox] = look.crops
        if self._info.guessing:  # stillness is no evidence of absence
            covered = look.crops if look.gate.triggered else ()
        self._attention.expect(look.time, self._tracker.tracks)
        self._tracker.settle(look.time, kept, covered, [found.box for found in cut_off])
        boxes = [found.box for found in kept]
        self._attention.looked(
            look.time, look.crops, look.gate.regions, boxes, self._tracker.tracks, look.early
        )
        self._attention.cut_off([found.box for found in cut_off])
        sure, tracks = self._tracker.rules.sure, self._tracker.tracks
        self._attention.newcomers.looked(look.time, kept, sure, tracks)

    def _sound(self, found: Detection) -> Detection | None:
        """What shows of it in the frame; None for nonsense and where nobody may look."""
        if not (np.isfinite([*found.box, found.score]).all() and 0 < found.score <= 1):
            return None
        width, height = self.size
        x1, x2 = max(0.0, found.box[0]), min(float(width), found.box[2])
        y1, y2 = max(0.0, found.box[1]), min(float(height), found.box[3])
        if x2 - x1 < 1 or y2 - y1 < 1:
            return None
        foot = ((x1 + x2) / 2 / width, min(y2 / height, 0.999))
        if any(contains(mask, *foot) for mask in self._masks):
            return None
        return replace(found, box=(x1, y1, x2, y2))

    def _pixels(self, frame: Frame, box: IntBox) -> NDArray[np.uint8]:
        if not self._info.needs_pixels:
            return np.zeros(self._info.shape(0, 0), np.uint8)
        image = frame.luma_crop(box) if self._info.luma else frame.crop(box)
        if self.show is not None:
            image[self.show[box[1] : box[3], box[0] : box[2]] == 0] = _GREY
        return image


def _score(found: Detection) -> float:
    return found.score if np.isfinite(found.score) else -1.0


def shown(masks: Sequence[Polygon], size: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 (height, width): 0 inside any mask (corners as fractions), 1 where looking is fine."""
    from PIL import Image, ImageDraw

    width, height = size
    picture = Image.new("L", size, 1)
    draw = ImageDraw.Draw(picture)
    for mask in masks:
        draw.polygon([(x * width, y * height) for x, y in mask], fill=0)
    return np.array(picture, np.uint8)


def _within(regions: NDArray[np.int32], box: IntBox) -> NDArray[np.int32]:
    if not len(regions):
        return regions
    x = (regions[:, 0] + regions[:, 2]) / 2
    y = (regions[:, 1] + regions[:, 3]) / 2
    return regions[(x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])]


def _split(
    found: Sequence[Detection], crops: Sequence[IntBox], size: tuple[int, int]
) -> tuple[list[Detection], list[Detection]]:
    """What is seen whole, and what is only known cut through by the edge of a crop.

    Something that ends at a crop's edge is left out where another crop shows more of it.
    """
    whole: list[Detection] = []
    touching: list[Detection] = []
    for one in found:
        around = [crop for crop in crops if share_inside(one.box, [crop]) > 0.99]
        touched = [_touches(one.box, crop, size) for crop in around]
        (touching if any(touched) else whole).append(one)
    cut: list[Detection] = []
    for one in touching:
        if any(share_inside(one.box, [other.box]) > 0.75 for other in whole):
            continue
        around = [crop for crop in crops if share_inside(one.box, [crop]) > 0.99]
        if all(_touches(one.box, crop, size) for crop in around):
            if one.score >= 0.3:
                cut.append(one)
        else:
            whole.append(one)
    return whole, cut


def _touches(box: Box, crop: IntBox, size: tuple[int, int]) -> bool:
    """Whether a box ends at an edge of the crop that is not an edge of the picture."""
    near = 0.015 * max(crop[2] - crop[0], crop[3] - crop[1])
    low = any(crop[i] > 0 and box[i] - crop[i] < near for i in (0, 1))
    high = any(crop[i + 2] < size[i] and crop[i + 2] - box[i + 2] < near for i in (0, 1))
    return low or high


def _without_doubles(found: list[Detection], many: bool) -> list[Detection]:
    """One detection per thing where crops overlapped: the best, unless it is a part of another."""
    if not many:
        return found
    kept: list[Detection] = []
    for one in sorted(found, key=lambda d: -d.score):
        if not any(
            other.label == one.label
            and (overlap(one.box, other.box) > 0.45 or share_inside(one.box, [other.box]) > 0.8)
            for other in kept
        ):
            kept.append(one)
    return kept
