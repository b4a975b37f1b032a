"""What crosses between a worker and the process of a detector: what to build, crops, detections.

Pixels cross in memory that both share; the rest as JSON. Both ends use this module.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.kinds import Context
from hub.kinds.detectors import Crop, Detection
from hub.link import Message
from hub.plugins import Provider

SHARED = 64 << 20  # bytes; pages are taken as they are used
MOST_FOUND = 1000  # detections for one crop


@dataclass(frozen=True, slots=True)
class Build:
    """What to build: the plugin, its driver, the block's settings and what the driver is told."""

    plugin: str
    source: str
    file: str
    driver: str
    settings: dict[str, Any]
    name: str
    state: str
    cache: str
    config_folder: str

    @classmethod
    def of(
        cls, provider: Provider, driver: str, settings: dict[str, Any], context: Context
    ) -> Build:
        """For a block with these settings, whose driver this plugin offers."""
        return cls(
            provider.name,
            provider.source,
            str(Path(provider.file).absolute()),
            driver,
            settings,
            context.name,
            str(context.state.absolute()),
            str(context.cache.absolute()),
            str(context.config_folder.absolute()),
        )


def batches(crops: Sequence[Crop]) -> list[list[Crop]]:
    """Crops in groups that fit into the shared memory. Raises `ValueError` where one does not."""
    batches: list[list[Crop]] = []
    room = 0
    for crop in crops:
        size = crop.image.nbytes
        if size > SHARED:
            raise ValueError(f"a crop of {size} bytes is larger than {SHARED}")
        if size > room or not batches:
            batches.append([])
            room = SHARED
        batches[-1].append(crop)
        room -= size
    return batches


def crops_out(shared: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Message]:
    """Copy the pixels into the shared memory; the rest of each crop, and where its pixels are."""
    told, at = [], 0
    for crop in crops:
        image = crop.image
        np.copyto(shared[at : at + image.nbytes].reshape(image.shape), image)
        told.append(
            {
                "at": at,
                "shape": image.shape,
                "box": [int(each) for each in crop.box],
                "frame_size": [int(each) for each in crop.frame_size],
                "regions": np.asarray(crop.regions).tolist(),
                "side": int(crop.side),
            }
        )
        at += image.nbytes
    return told


def crops_in(memory: memoryview, told: Sequence[Message]) -> list[Crop]:
    """The crops of a question, their pixels where they lie in the shared memory."""
    crops = []
    for each in told:
        image = np.frombuffer(memory, np.uint8, math.prod(each["shape"]), each["at"])
        crops.append(
            Crop(
                image.reshape(each["shape"]),
                tuple(each["box"]),
                tuple(each["frame_size"]),
                np.array(each["regions"], np.int32).reshape(-1, 4),
                each["side"],
            )
        )
    return crops


def found_in(sent: Any, crops: int) -> list[list[Detection]]:
    """Detections as they arrive. Raises `ValueError`, `TypeError` for what are none."""
    if len(sent) != crops:
        raise ValueError(f"expected a list for each of {crops} crops, found {len(sent)}")
    if any(len(each) > MOST_FOUND for each in sent):
        raise ValueError(f"more than {MOST_FOUND} detections for one crop")
    return [[_detection(*one) for one in each] for each in sent]


def _detection(label: str, score: float, box: Sequence[float]) -> Detection:
    left, top, right, bottom = (float(each) for each in box)
    return Detection(str(label), float(score), (left, top, right, bottom))
