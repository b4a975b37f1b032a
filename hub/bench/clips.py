"""Clips with truth beside them, sampled at about five frames a second.

`NAME.mp4` has its truth in `NAME.jsonl` beside it, or in `../truth/NAME.jsonl`: one line a frame
with `frame` (its number from 0), `w`, `h` and `boxes` (x1 y1 x2 y2 in pixels).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub.bench.scenes import FPS, Picture, Seen
from hub.errors import CannotCheck
from hub.perception.decode import clip_frames

MOST_FRAMES = 700
LINKED = 0.3  # least intersection over union by which two boxes are one person


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
        self._truth = _linked(_truth_of(path), numbers)

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


def _truth_of(path: Path) -> Iterator[tuple[int, list[list[float]]]]:
    file = truth_file(path)
    if file is None:
        raise CannotCheck(f"{path}: no truth; expected {path.with_suffix('.jsonl')}")
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            told = json.loads(line)
            labels = told.get("labels", ["person"] * len(told["boxes"]))
            people = [
                [float(side) for side in box]
                for box, label in zip(told["boxes"], labels, strict=True)
                if label == "person"
            ]
            yield int(told["frame"]), people
        except (ValueError, KeyError, TypeError) as error:
            raise CannotCheck(f"{file}:{number}: not a line of truth ({error})") from None


def _linked(
    truth: Iterator[tuple[int, list[list[float]]]], numbers: dict[int, int]
) -> dict[int, list[Seen]]:
    """Give boxes names that last from frame to frame."""
    out: dict[int, list[Seen]] = {}
    before: list[Seen] = []
    people = 0
    for frame, boxes in truth:
        now: list[Seen] = []
        for box in boxes:
            taken = {seen.who for seen in now}
            best = max(
                (s for s in before if s.who not in taken),
                key=lambda s: overlap(s.box, box),
                default=None,
            )
            if best is not None and overlap(best.box, box) >= LINKED:
                now.append(Seen(best.who, (box[0], box[1], box[2], box[3])))
            else:
                now.append(Seen(people, (box[0], box[1], box[2], box[3])))
                people += 1
        before = now
        if frame in numbers:
            out[numbers[frame]] = now
    return out


def overlap(a: tuple[float, ...], b: list[float]) -> float:
    """Intersection over union of two boxes."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return across * down / (both - across * down)
