"""Clips with truth for trackers: every look is inferred whole, so that all get the same finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hub.bench.clips import ClipFootage
from hub.bench.scenes import FPS
from hub.bench.tracks import Person
from hub.kinds import Context
from hub.kinds.detectors import Crop, Detection, Detector
from hub.perception.decode import Clip, clip_frames
from hub.plugins import load_registry

_NO_REGIONS = np.zeros((0, 4), np.int32)
Looked = tuple[str, tuple[int, int], float, list[list[Person]], list[list[Detection]]]


def looked_at(path: Path, model: Path) -> Looked:
    """Name, size, looks a second, the people and the finds of each look that has truth.

    Raises CannotCheck without truth, ModelError for a model that cannot be used.
    """
    footage = ClipFootage(path)
    size = footage.width, footage.height
    with Clip(path) as clip:
        step = max(1, round(clip.fps / FPS))
    people: list[list[Person]] = []
    finds: list[list[Detection]] = []
    detector = _detector(model)
    try:
        for frame in clip_frames(path):
            number, over = divmod(frame.index, step)
            truth = footage.truth(number) if over == 0 else None
            if truth is None:
                continue
            box = (0, 0, *size)
            image = frame.luma_crop(box) if detector.info.luma else frame.crop(box)
            crop = Crop(image, box, size, _NO_REGIONS, max(detector.info.input_sizes))
            found = detector.infer([crop])[0]
            people.append([Person(seen.who, seen.box, 1.0, seen.box) for seen in truth])
            finds.append([one for one in found if one.label == "person"])
    finally:
        detector.close()
    looks = footage.fps * len(people) / max(1, footage.count)
    return footage.name, size, looks, people, finds


def _detector(model: Path) -> Detector:
    driver = load_registry().driver("detectors", "onnx")
    context = Context(name="bench", state=Path(".vestibule"))
    built: Detector = driver.factory(driver.config.model_validate({"model": str(model)}), context)
    return built
