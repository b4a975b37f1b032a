"""The contract of a detector: crops of a frame in, labelled boxes out.

A detector is built inside a perception worker, one from outside in a process of its own, and called
from one thread at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:  # NumPy takes a third of the time that a process needs to load the hub
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing found: a COCO label, a score in 0..1 and `box` = x1, y1, x2, y2 in frame pixels."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a frame to look at.

    `image` is uint8 (height, width, 3), BGR, the pixels of `box` (x1, y1, x2, y2 in frame pixels,
    integers); for a detector whose info says `luma` it is uint8 (height, width), brightness from 0
    to 255. `frame_size` is (width, height) of the whole frame. `regions` is int32 (N, 4): the
    motion regions inside this crop, in frame pixels. `side` is the input size that fits what is
    looked for (one of the detector's `input_sizes`); 0 leaves it to the detector.
    """

    image: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    frame_size: tuple[int, int]
    regions: NDArray[np.int32]
    side: int = 0


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    """What a detector says about itself.

    `input_sizes` are the square input sides it runs at, ascending, in pixels. `needs_pixels` is
    false for one that looks only at regions. `luma` is true for one that takes brightness alone,
    which the decoder has anyway: its crops are made without colour. `guessing` is true where labels
    are inferred from motion alone. `biometric` detectors are refused. `family` and `input` tell
    people what model it is and what goes in, such as "YOLOX" and "float32 1x3x416x416, BGR, 0 to
    255".
    """

    name: str
    labels: tuple[str, ...]
    input_sizes: tuple[int, ...]
    licence: str
    sha256: str
    needs_pixels: bool = True
    guessing: bool = False
    biometric: bool = False
    family: str = ""
    input: str = ""
    luma: bool = False

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """The shape of `Crop.image` for this detector, of a crop so many pixels high and wide."""
        return (height, width) if self.luma else (height, width, 3)


@runtime_checkable
class Detector(Protocol):
    """Finds things in crops. Raises `ModelError` when built on a file it cannot use.

    It may offer `async def probe(self) -> str | Probed` (see `hub.Probed`): whether a service or
    device that it asks is reached. `vestibule doctor` has it look at an empty picture in any case.
    """

    @property
    def info(self) -> DetectorInfo:
        """What it is and what it can name."""
        ...

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        """One list of detections per crop, boxes in frame pixels."""
        ...

    def close(self) -> None:
        """Let go of memory and threads."""
        ...
