"""Guess what moves from the size and shape of the moving region alone.

A stand-in for when no model is installed: it never sees a pixel, so its scores stay low and it says
that it is guessing. A region that is taller than wide is called a person, a large one that is wider
than tall a car. Whatever is too small, or fills most of the picture, is not named at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hub import Crop, Detection, DetectorInfo

LABELS = ("person", "car")
_SMALLEST = 0.06  # of the frame's height: below this, leaves and noise
_LARGEST = 0.8  # of the frame's area: above this, light or the camera itself
_UPRIGHT = 0.95  # width by height of a walking person with arms and shadow, at most
_LONG = 1.3  # width by height of a vehicle, at least


class MotionGuess:
    """A detector that names movers by their size and shape."""

    def __init__(self, name: str) -> None:
        self._info = DetectorInfo(
            name=name,
            labels=LABELS,
            input_sizes=(),
            licence="Apache-2.0",
            sha256="",
            needs_pixels=False,
            guessing=True,
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        return [
            [found for region in crop.regions if (found := guess(region, crop.frame_size))]
            for crop in crops
        ]

    def close(self) -> None:
        """Nothing is held."""


def guess(region: Sequence[int] | np.ndarray, size: tuple[int, int]) -> Detection | None:
    """Name a moving region (x1, y1, x2, y2 in frame pixels); None where nothing may be said."""
    x1, y1, x2, y2 = (float(value) for value in region)
    width, height = x2 - x1, y2 - y1
    if height < _SMALLEST * size[1] or width <= 0:
        return None
    if width * height > _LARGEST * size[0] * size[1]:
        return None
    shape = width / height
    if shape <= _UPRIGHT:
        return Detection("person", 0.45, (x1, y1, x2, y2))
    if shape >= _LONG and width > 0.1 * size[0]:
        return Detection("car", 0.35, (x1, y1, x2, y2))
    return Detection("person", 0.3, (x1, y1, x2, y2))
