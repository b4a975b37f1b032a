"""The contract of a detector."""

from __future__ import annotations

import math
import re
import threading
import time
import tracemalloc
from typing import Any, ClassVar

import numpy as np

from hub.errors import ModelError
from hub.kinds.detectors import Crop, Detection, Detector, DetectorInfo
from hub.testing.contract import CANARY, Trial, promise
from hub.testing.described import DescribedContract
from hub.testing.watch import overhear

SIZES = ((64, 64), (1, 1), (3, 200), (0, 10), (417, 31), (720, 1280))
FLOOD = 60
KEPT = 10_000_000  # bytes that may still be held after it


class DetectorContract(DescribedContract):
    """What the hub relies on in a detector.

    `damaged` are settings that name a model which cannot be used, where there is one. `infers` is
    how long, in seconds, one crop of 1280x720 may take.
    """

    kind = "detectors"
    protocol = Detector
    builds: ClassVar[float] = 10.0  # its model is loaded and tried
    damaged: ClassVar[dict[str, Any]] = {}
    infers: ClassVar[float] = 5.0

    def crop(self, height: int, width: int, side: int = 0, luma: bool = False) -> Crop:
        """A crop of noise at (100, 50) of a large frame, with one region in it."""
        noise = np.random.default_rng(height * 10_000 + width)
        shape = (height, width) if luma else (height, width, 3)
        image = noise.integers(0, 256, shape, np.uint8)
        box = (100, 50, 100 + width, 50 + height)
        region = np.array([[100, 50, 100 + width // 2, 50 + height]], np.int32)
        return Crop(image, box, (1920, 1080), region, side)

    def test_it_says_what_it_is(self) -> None:
        """Labels, sizes, licence and hash are sound and always the same; faces are not its work."""

        async def scenario(trial: Trial) -> None:
            detector = trial.build()
            info, again = detector.info, detector.info
            detector.close()
            promise(
                isinstance(info, DetectorInfo) and info == again,
                f"expected one hub.DetectorInfo, always the same, found {info!r}",
                "make it once, when the detector is built",
            )
            wrong = {
                "labels, each once": not info.labels or len(set(info.labels)) < len(info.labels),
                "sizes in ascending order": list(info.input_sizes) != sorted(set(info.input_sizes))
                or any(size <= 0 for size in info.input_sizes),
                "a licence": not info.licence,
                "a SHA-256 of 64 digits, or none": not re.fullmatch(
                    r"([0-9a-f]{64})?", info.sha256
                ),
                "no biometric detector": info.biometric,
            }
            for what, is_wrong in wrong.items():
                promise(not is_wrong, f"expected {what}, found {info}", "correct `info`")

        self.run(scenario)

    def test_every_crop_has_its_list(self) -> None:
        """No crop, one or many: there is one list for each, and none for none."""

        async def scenario(trial: Trial) -> None:
            detector = trial.build()
            for count in (0, 1, 3):
                found = detector.infer([self.crop(64, 96, luma=detector.info.luma)] * count)
                promise(
                    isinstance(found, list) and len(found) == count,
                    f"expected {count} lists for {count} crops, found {found!r}",
                    "return one list per crop, an empty one where nothing was found",
                )
            detector.close()

        self.run(scenario)

    def test_detections_lie_in_their_crop(self) -> None:
        """Known labels, scores in 0..1, and boxes within the crop, in the frame's pixels."""

        async def scenario(trial: Trial) -> None:
            detector = trial.build()
            for side in (0, *detector.info.input_sizes[:1]):
                for height, width in SIZES:
                    crop = self.crop(height, width, side, luma=detector.info.luma)
                    for found in _infer(detector, crop):
                        self._lies_in(found, crop, detector.info)
            detector.close()

        self.run(scenario)

    def test_a_crop_is_only_looked_at(self) -> None:
        """The picture is unchanged, may be a strided view, and gives the same answer twice."""

        async def scenario(trial: Trial) -> None:
            detector = trial.build()
            crop = self.crop(120, 160, luma=detector.info.luma)
            strided = Crop(
                np.repeat(crop.image, 2, 1)[:, ::2], crop.box, crop.frame_size, crop.regions
            )
            before = crop.image.copy()
            first, second = _infer(detector, crop), _infer(detector, strided)
            detector.close()
            promise(
                np.array_equal(before, crop.image),
                "expected the picture to be left as it is, found it changed",
                "work on a copy",
            )
            promise(
                first == second,
                f"expected the same answer to the same picture, found {first} and {second}",
                "keep nothing between two crops",
            )

        self.run(scenario)

    def test_it_is_quick_and_keeps_no_picture(self) -> None:
        """A large crop is answered in time, and none is held afterwards."""

        async def scenario(trial: Trial) -> None:
            detector = trial.build()
            large = self.crop(720, 1280, luma=detector.info.luma)
            _infer(detector, large)
            began = time.perf_counter()
            _infer(detector, large)
            took = time.perf_counter() - began
            promise(
                took <= self.infers,
                f"expected 1280x720 to be looked at within {self.infers:g} s, found {took:.1f} s",
                "make the picture smaller first, or raise `infers` in the contract",
            )
            tracemalloc.start()
            try:
                for number in range(FLOOD):
                    _infer(detector, self.crop(240, 320 + number, luma=detector.info.luma))
                held, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            detector.close()
            promise(
                held < KEPT,
                f"expected no picture to be kept, found {held / 1e6:.1f} MB after {FLOOD} crops",
                "bound what you remember",
            )

        self.run(scenario)

    def test_close_comes_twice_and_ends_its_threads(self) -> None:
        """Close may come again, and ends what the detector started."""

        async def scenario(trial: Trial) -> None:
            before = set(threading.enumerate())
            detector = trial.build()
            _infer(detector, self.crop(64, 64, luma=detector.info.luma))
            for _ in range(2):
                try:
                    detector.close()
                except Exception as error:
                    what = f"expected close() to be no error, found {type(error).__name__}: {error}"
                    promise(False, what, "let close() end what there is")
            left = [each.name for each in set(threading.enumerate()) - before if each.is_alive()]
            promise(
                not left,
                f"expected no thread after close(), found {left}",
                "join your threads in close()",
            )

        self.run(scenario)

    def test_a_model_that_cannot_be_used_is_a_model_error(self) -> None:
        """With `damaged` settings building it raises ModelError with the reason."""

        async def scenario(trial: Trial) -> None:
            if not self.damaged:
                return
            try:
                trial.build(**self.damaged).close()
            except ModelError as error:
                promise(str(error), "expected a reason in words, found none", "say what is wrong")
            except Exception as error:
                what = f"expected ModelError, found {type(error).__name__}: {error}"
                promise(False, what, "raise hub.ModelError with the file and the reason")
            else:
                what = "expected ModelError for a damaged model, found it built"
                promise(False, what, "read the model when the detector is built")

        self.run(scenario)

    def test_no_secret_leaves_the_driver(self) -> None:
        """A secret of the settings is in no answer, log line or output."""

        async def scenario(trial: Trial) -> None:
            with overhear() as heard:
                try:
                    detector = trial.build(**dict.fromkeys(self.secret_keys(), CANARY))
                    heard.add(
                        "an answer",
                        repr(detector.infer([self.crop(64, 64, luma=detector.info.luma)])),
                    )
                    heard.add("what it says of itself", repr(detector.info))
                    detector.close()
                except Exception as error:
                    heard.raised(error)
            for where, text in heard.texts:
                what = f"expected no secret to be shown, found one in {where}"
                promise(CANARY not in text, what, "leave it out of what you log and raise")

        self.run(scenario)

    def _lies_in(self, found: Any, crop: Crop, info: DetectorInfo) -> None:
        __tracebackhide__ = True
        promise(
            isinstance(found, Detection) and found.label in info.labels,
            f"expected a hub.Detection of {info.labels}, found {found!r}",
            "name only labels of `info`",
        )
        x1, y1, x2, y2 = found.box
        sound = all(math.isfinite(value) for value in (*found.box, found.score))
        inside = crop.box[0] <= x1 < x2 <= crop.box[2] and crop.box[1] <= y1 < y2 <= crop.box[3]
        promise(
            sound and 0 <= found.score <= 1 and inside,
            f"expected a score in 0..1 and a box within {crop.box}, found {found}",
            "scale from the crop's pixels to crop.box, add its corner, and clip",
        )


def _infer(detector: Any, crop: Crop) -> list[Detection]:
    try:
        found: list[Detection] = detector.infer([crop])[0]
    except Exception as error:
        height, width = crop.image.shape[:2]
        promise(
            False,
            f"expected a crop of {width}x{height} to be looked at, found {type(error).__name__}: "
            f"{error}",
            "return an empty list for what is too small or odd to look at",
        )
        raise
    return found
