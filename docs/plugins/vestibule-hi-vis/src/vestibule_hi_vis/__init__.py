"""Detector `hi_vis`: people in high-visibility clothing, found by its yellow-green alone.

It looks for patches of the fluorescent yellow-green of vests and jackets that are about as wide as
a trunk, and takes each for the trunk of a person. Who wears none is not seen by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hub import Block, Context, Crop, Detection, DetectorInfo, Driver, hookimpl

__version__ = "0.1.0"

CELL = 4  # pixels; patches are looked for on a grid of such squares
FULL = 0.5  # part of a square that has the colour, from which the square has it
SURE, SUREST = 0.5, 0.8  # scores of a patch that fills a third of its box, and of one that fills it
WIDEST = 1.6  # width by height of a trunk, with arms spread; road marks and buses are wider
# Of the height of the vest: how far a person goes on above it, below it, and to either side.
ABOVE, BELOW, BESIDE = 0.6, 1.5, 0.15
BAND = 0.5  # gap between two patches, by the height of the lower one, that a reflecting band leaves
Patch = tuple[int, int, int, int, int]  # x1, y1, x2, y2 and how many squares, all in squares


class HiVisConfig(Block):
    """How large and how bright a patch has to be."""

    smallest: float = Field(
        0.04, gt=0, le=1, description="The least height of a vest, as a part of the picture's."
    )
    brightness: int = Field(
        120, ge=20, le=255, description="How bright its green is at least, 20 to 255."
    )


class HiVisDetector:
    """It looks at colours only, so it needs the pixels and no model."""

    info = DetectorInfo(
        name="high-visibility clothing by colour", labels=("person",), input_sizes=(),
        licence="Apache-2.0", sha256="",
    )  # fmt: skip

    def __init__(self, config: HiVisConfig, context: Context) -> None:
        self._config = config

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        """For each crop the people in it, boxes in pixels of the frame."""
        return [list(self._people(crop)) for crop in crops]

    def close(self) -> None:
        """Nothing is held."""

    def _people(self, crop: Crop) -> Iterator[Detection]:
        left, top, right, bottom = crop.box
        least = self._config.smallest * crop.frame_size[1]
        squares = coloured(crop.image, self._config.brightness)
        for x1, y1, x2, y2, count in joined(patches(squares)):
            width, height = (x2 - x1) * CELL, (y2 - y1) * CELL
            filled = count / ((x2 - x1) * (y2 - y1))
            if height < least or width > WIDEST * height or filled < 1 / 3:
                continue
            box = (
                max(float(left), left + x1 * CELL - BESIDE * height),
                max(float(top), top + y1 * CELL - ABOVE * height),
                min(float(right), left + x2 * CELL + BESIDE * height),
                min(float(bottom), top + y2 * CELL + BELOW * height),
            )
            score = SURE + (SUREST - SURE) * (filled - 1 / 3) / (2 / 3)
            yield Detection("person", round(score, 3), box)


def coloured(image: NDArray[np.uint8], brightness: int) -> NDArray[np.bool_]:
    """Which squares of a BGR picture have the colour; what is left over at its edges is dropped.

    Yellow-green: green is strong, red is 0.72 to 1.05 of it, and there is little blue.
    """
    rows, columns = image.shape[0] // CELL, image.shape[1] // CELL
    if not rows or not columns:
        return np.zeros((0, 0), np.bool_)
    pixels = image[: rows * CELL, : columns * CELL].astype(np.float32)
    blue, green, red = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    shown = (green >= brightness) & (blue <= 0.55 * green)
    shown &= (red >= 0.72 * green) & (red <= 1.05 * green)
    share = shown.reshape(rows, CELL, columns, CELL).mean(axis=(1, 3))
    found: NDArray[np.bool_] = share >= FULL
    return found


def patches(squares: NDArray[np.bool_]) -> Iterator[Patch]:
    """The connected areas of a grid, squares that touch at a side or a corner being one."""
    left = {(int(y), int(x)) for y, x in np.argwhere(squares)}
    while left:
        area = [left.pop()]
        for y, x in area:  # grows while it is walked
            around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= around
            area += around
        rows, columns = [y for y, _ in area], [x for _, x in area]
        yield min(columns), min(rows), max(columns) + 1, max(rows) + 1, len(area)


def joined(parts: Iterable[Patch]) -> list[Patch]:
    """The same with those made one that a reflecting band parts: one close below another."""
    made: list[Patch] = []
    for part in sorted(parts, key=lambda part: part[1]):
        x1, y1, x2, y2, count = part
        for number, (left, top, right, bottom, more) in enumerate(made):
            if x1 < right and left < x2 and y1 - bottom <= BAND * (y2 - y1):
                made[number] = (
                    min(x1, left), min(y1, top), max(x2, right), max(y2, bottom), count + more,
                )  # fmt: skip
                break
        else:
            made.append(part)
    return made


@hookimpl
def vestibule_detectors() -> list[Driver]:
    """Announce the driver."""
    summary = "People in yellow-green high-visibility clothing, found by its colour"
    return [Driver("hi_vis", HiVisDetector, HiVisConfig, summary)]
