"""Detector `sample`: calls what moves, and is large enough, a person."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from hub import Block, Context, Crop, Detection, DetectorInfo, Driver, hookimpl

__version__ = "0.1.0"


class SampleConfig(Block):
    """The keys of a block."""

    # Change this (1 of 3): what somebody may set in the configuration.
    smallest: float = Field(
        0.1, gt=0, le=1, description="The least height of a person, as a part of the picture's."
    )


class SampleDetector:
    """It looks at where something moves, and at no pixel."""

    # Change this (2 of 3): what it can name. With needs_pixels=True each crop has its picture.
    info = DetectorInfo(
        name="sample", labels=("person",), input_sizes=(), licence="Apache-2.0", sha256="",
        needs_pixels=False, guessing=True,
    )  # fmt: skip

    def __init__(self, config: SampleConfig, context: Context) -> None:
        self._smallest = config.smallest

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        """A list for each crop."""
        return [self._people(crop) for crop in crops]

    def close(self) -> None:
        """Nothing is held."""

    def _people(self, crop: Crop) -> list[Detection]:
        # Change this (3 of 3): look at crop.image, or at the regions that move; boxes are in
        # pixels of the whole frame and lie within crop.box.
        found = []
        left, top, right, bottom = crop.box
        for x1, y1, x2, y2 in crop.regions.tolist():
            box = max(x1, left), max(y1, top), min(x2, right), min(y2, bottom)
            large = box[3] - box[1] >= self._smallest * crop.frame_size[1]
            if large and box[0] < box[2]:
                found.append(Detection("person", 0.4, box))
        return found


@hookimpl
def vestibule_detectors() -> list[Driver]:
    """Announce the driver."""
    return [
        Driver("sample", SampleDetector, SampleConfig, "Calls what moves and is large a person")
    ]
