"""The frames on which a model did worst, as pictures with boxes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hub.bench.people import Judged

SHOWN = 30
APART = 15  # frames of one place between two that are shown
TRUTH, IGNORED, RIGHT, WRONG = (90, 255, 90), (150, 150, 150), (0, 190, 255), (255, 60, 60)


@dataclass(slots=True)
class _Kept:
    badness: float
    place: str
    index: int
    picture: bytes


class Worst:
    """Keeps the frames with most mistakes, not many of one moment; `save` writes them."""

    def __init__(self, shown: int = SHOWN) -> None:
        self._shown = shown
        self._kept: list[_Kept] = []

    def add(self, judged: Judged) -> None:
        """Take a frame in where it is among the worst so far."""
        missed = len(judged.people) - len(judged.right)
        badness = missed + 1.5 * len(judged.wrong)
        if not badness:
            return
        near = next((k for k in self._kept if self._same_moment(k, judged)), None)
        least = min(self._kept, key=lambda kept: kept.badness, default=None)
        if near is not None:
            if badness <= near.badness:
                return
            self._kept.remove(near)
        elif len(self._kept) >= self._shown and least is not None:
            if badness <= least.badness:
                return
            self._kept.remove(least)
        self._kept.append(_Kept(badness, judged.place, judged.frame.index, _drawn(judged)))

    def save(self, folder: Path) -> int:
        """Write them as PNG, worst first; returns how many. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        ranked = sorted(self._kept, key=lambda kept: -kept.badness)
        for number, kept in enumerate(ranked, 1):
            name = "".join(c if c.isalnum() else "_" for c in kept.place)
            file = folder / f"{number:02d}_{name}_{kept.index}.png"
            file.write_bytes(kept.picture)
        return len(ranked)

    def _same_moment(self, kept: _Kept, judged: Judged) -> bool:
        return kept.place == judged.place and abs(kept.index - judged.frame.index) < APART


def _drawn(judged: Judged) -> bytes:
    from PIL import Image, ImageDraw

    whole = (0, 0, *judged.frame.size)
    picture = Image.fromarray(np.ascontiguousarray(judged.frame.crop(whole)[:, :, ::-1]))
    pen = ImageDraw.Draw(picture)
    wrong = judged.wrong
    for boxes, colour, width in (
        (judged.ignore, IGNORED, 1),
        (judged.people, TRUTH, 2),
        (judged.claims, RIGHT, 2),
        (wrong, WRONG, 3),
    ):
        for x1, y1, x2, y2 in boxes:
            pen.rectangle([x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)], outline=colour, width=width)
    missed = len(judged.people) - len(judged.right)
    words = f"{judged.place} {judged.frame.index}: {missed} missed, {len(wrong)} wrong"
    pen.text((4, 4), words, fill=(255, 255, 255), stroke_width=2, stroke_fill=(0, 0, 0))
    with io.BytesIO() as out:
        picture.save(out, "PNG")
        return out.getvalue()
