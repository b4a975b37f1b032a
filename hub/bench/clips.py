"""Clips with truth beside them, sampled at about five frames a second.

`NAME.mp4` has its truth in `NAME.jsonl` beside it, or in `../truth/NAME.jsonl`: one line a frame
with `frame` (its number from 0), `w`, `h`, `boxes` (x1 y1 x2 y2 in pixels) and, if need be,
`labels` of them and boxes to `ignore`, which count neither way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.bench.scenes import FPS, Picture, Seen
from hub.errors import CannotCheck
from hub.perception.boxes import Box, overlap
from hub.perception.decode import clip_frames

MOST_FRAMES = 700
LINKED = 0.3  # least intersection over union by which two boxes are one person


class Told(NamedTuple):
    """The people in one frame of a clip, and boxes that count neither way."""

    frame: int
    people: list[Box]
    ignore: list[Box]


class ClipFootage:
    """A clip of a fixed camera as `Footage`; its empty place is the median of its frames.

    Raises CannotCheck when the truth is missing or does not fit, NotAVideo when the clip is none.
    """

    def __init__(self, path: Path) -> None:
        self.name, self.crowd = path.stem, False
        frames = _lumas(path)
        self.fps, self._frames, numbers = frames
        self.height, self.width = self._frames[0].shape
        self.count = len(self._frames)
        few = np.stack(self._frames[:: max(1, self.count // 60)])
        self._median: Picture = np.median(few, axis=0).astype(np.float32)
        self._truth = _linked(truth_of(path), numbers)

    def ground(self) -> Picture:
        return self._median

    def picture(self, i: int, people: bool, contrast: float | None) -> Picture:
        if not people or i < 0:
            return self._median.copy()
        full: Picture = self._frames[i].astype(np.float32)
        if contrast is None:
            return full
        faint: Picture = self._median + np.clip(full - self._median, -contrast, contrast)
        return faint

    def truth(self, i: int) -> list[Seen] | None:
        return self._truth.get(i)


def with_truth(folder: Path) -> list[Path]:
    """The clips under `folder` (or its `clips`) that have truth, by name."""
    found = [*folder.glob("*.mp4"), *(folder / "clips").glob("*.mp4")]
    return sorted(path for path in found if truth_file(path) is not None)


def _lumas(path: Path) -> tuple[float, list[NDArray[np.uint8]], dict[int, int]]:
    """Rate, every so manieth luma plane, and the place of each frame number among them."""
    from hub.perception.decode import Clip

    with Clip(path) as clip:
        step = max(1, round(clip.fps / FPS))
        fps = clip.fps / step
    kept: list[NDArray[np.uint8]] = []
    numbers: dict[int, int] = {}
    for frame in clip_frames(path):
        if frame.index % step == 0 and len(kept) < MOST_FRAMES:
            numbers[frame.index] = len(kept)
            kept.append(np.array(frame.luma))
    if not kept:
        raise CannotCheck(f"{path}: no frame of this clip can be read")
    return fps, kept, numbers


def truth_file(path: Path) -> Path | None:
    """Where the truth of a clip lies; None where there is none."""
    beside = path.with_suffix(".jsonl")
    apart = path.parent.parent / "truth" / beside.name
    return next((file for file in (beside, apart) if file.is_file()), None)


def truth_of(path: Path) -> Iterator[Told]:
    """The truth of a clip, frame by frame. Raises CannotCheck where it is missing or not truth."""
    file = truth_file(path)
    if file is None:
        raise CannotCheck(f"{path}: no truth; expected {path.with_suffix('.jsonl')}")
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            told = json.loads(line)
            labels = told.get("labels", ["person"] * len(told["boxes"]))
            boxes = zip(told["boxes"], labels, strict=True)
            people = [_box(box) for box, label in boxes if label == "person"]
            yield Told(int(told["frame"]), people, [_box(box) for box in told.get("ignore", [])])
        except (ValueError, KeyError, TypeError) as error:
            raise CannotCheck(f"{file}:{number}: not a line of truth ({error})") from None


def _box(sides: Sequence[float]) -> Box:
    x1, y1, x2, y2 = (float(side) for side in sides)
    return x1, y1, x2, y2


def _linked(truth: Iterator[Told], numbers: dict[int, int]) -> dict[int, list[Seen]]:
    """Give boxes names that last from frame to frame."""
    out: dict[int, list[Seen]] = {}
    before: list[Seen] = []
    people = 0
    for frame, boxes, _ in truth:
        now: list[Seen] = []
        for box in boxes:
            taken = {seen.who for seen in now}
            best = max(
                (s for s in before if s.who not in taken),
                key=lambda s: overlap(s.box, box),
                default=None,
            )
            if best is not None and overlap(best.box, box) >= LINKED:
                now.append(Seen(best.who, box))
            else:
                now.append(Seen(people, box))
                people += 1
        before = now
        if frame in numbers:
            out[numbers[frame]] = now
    return out
