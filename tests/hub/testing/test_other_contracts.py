"""The contracts of cameras, detectors and visitor systems: bad drivers fail for what is bad."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from hub import (
    Block,
    Context,
    Detection,
    DetectorInfo,
    Driver,
    Purpose,
    Screening,
    VideoSource,
    Visit,
)
from hub.clock import Clock
from hub.testing import (
    CameraContract,
    DetectorContract,
    Device,
    FakeClock,
    ScriptedCamera,
    VisitorSystemContract,
)
from plugins.visitors.desk import Desk, DeskConfig
from tests.hub.testing.broken_promises import failing, on


class Nothing(Block):
    """There is nothing to set."""


# ------------------------------------------------------------------ cameras

PICTURES = [np.full((48, 64, 3), shade, np.uint8) for shade in (0, 80, 160, 240)]


def camera(kind: type[ScriptedCamera] = ScriptedCamera) -> Driver:
    """A driver for a kind of scripted camera."""

    def build(config: Nothing, context: Context) -> ScriptedCamera:
        return kind(PICTURES, context.cache / "clip.mp4")

    return Driver("scripted", build, Nothing, "Shows what a test drew")


class OnlyAnalysis(ScriptedCamera):
    async def source(self, purpose: Purpose) -> VideoSource:
        found = await super().source(purpose)
        return found if purpose == "analysis" else None  # type: ignore[return-value]


class InAddress(ScriptedCamera):
    async def source(self, purpose: Purpose) -> VideoSource:
        return VideoSource("rtsp://guard:sesame@127.0.0.1/main")


BAD_CAMERAS = {
    "no picture for recording": (OnlyAnalysis, {"every_purpose_has_a_source"}),
    "a password in the address": (InAddress, {"a_source_hides_its_credentials"}),
}


def test_the_scripted_camera_passes() -> None:
    """What tests play with keeps the contract itself."""
    assert failing(on(CameraContract, camera())) == set()


@pytest.mark.parametrize("bad", BAD_CAMERAS)
def test_a_bad_camera_fails_for_what_is_bad_about_it(bad: str) -> None:
    """Each promise that is broken is named by its test, and no other test is."""
    kind, expected = BAD_CAMERAS[bad]
    assert failing(on(CameraContract, camera(kind))) == expected


# ------------------------------------------------------------------ detectors


class Finder:
    """A sound detector: a person where its region is."""

    def __init__(self, config: Block, context: Context) -> None:
        self.info = DetectorInfo("finder", ("person",), (64, 128), "Apache-2.0", "")

    def infer(self, crops: Any) -> list[list[Detection]]:
        return [self.look(crop) for crop in crops]

    def look(self, crop: Any) -> list[Detection]:
        x1, y1, x2, y2 = (float(value) for value in crop.box)
        if min(crop.image.shape[:2]) < 3:
            return []
        score = round(float(crop.image.mean()) / 255, 3)
        return [Detection("person", score, (x1, y1, (x1 + x2) / 2, y2))]

    def close(self) -> None:
        """Nothing is held."""


class Biometric(Finder):
    def __init__(self, config: Block, context: Context) -> None:
        super().__init__(config, context)
        self.info = replace(self.info, biometric=True)


class Unsorted(Finder):
    def __init__(self, config: Block, context: Context) -> None:
        super().__init__(config, context)
        self.info = replace(self.info, input_sizes=(128, 64))


class OneList(Finder):
    def infer(self, crops: Any) -> list[list[Detection]]:
        return [[each for crop in crops for each in self.look(crop)]]


class CropPixels(Finder):
    def look(self, crop: Any) -> list[Detection]:
        corner = (*crop.box[:2], *crop.box[:2])
        return [
            replace(found, box=tuple(np.subtract(found.box, corner)))
            for found in super().look(crop)
        ]


class SmallRaises(Finder):
    def look(self, crop: Any) -> list[Detection]:
        assert crop.image.size, "an empty picture"
        return super().look(crop)


class OwnLabel(Finder):
    def look(self, crop: Any) -> list[Detection]:
        return [replace(found, label="human") for found in super().look(crop)]


class DrawsIn(Finder):
    def look(self, crop: Any) -> list[Detection]:
        found = super().look(crop)
        crop.image[:1] = 0
        return found


class Remembers(Finder):
    calls = 0

    def look(self, crop: Any) -> list[Detection]:
        self.calls += 1
        return [replace(found, score=1 / self.calls) for found in super().look(crop)]


class Slow(Finder):
    def look(self, crop: Any) -> list[Detection]:
        if crop.image.shape[0] == 720:
            time.sleep(0.3)
        return super().look(crop)


class KeepsPictures(Finder):
    def __init__(self, config: Block, context: Context) -> None:
        super().__init__(config, context)
        self.kept: list[Any] = []

    def look(self, crop: Any) -> list[Detection]:
        self.kept.append(crop.image)
        return super().look(crop)


class CloseOnce(Finder):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class LeavesThread(Finder):
    def look(self, crop: Any) -> list[Detection]:
        if not hasattr(self, "thread"):
            self.thread = threading.Timer(3, int)
            self.thread.start()
        return super().look(crop)


class Lenient(Finder):
    """It takes any model."""


class Damaged(Finder):
    def __init__(self, config: Any, context: Context) -> None:
        super().__init__(config, context)
        if config.model:
            raise ValueError("no such model")


BAD_DETECTORS = {
    "it knows faces": (Biometric, {"it_says_what_it_is"}),
    "sizes out of order": (Unsorted, {"it_says_what_it_is"}),
    "one list for all": (OneList, {"every_crop_has_its_list"}),
    "boxes in the crop's pixels": (CropPixels, {"detections_lie_in_their_crop"}),
    "an empty crop raises": (SmallRaises, {"detections_lie_in_their_crop"}),
    "a label nobody knows": (OwnLabel, {"detections_lie_in_their_crop"}),
    "it draws in the picture": (DrawsIn, {"a_crop_is_only_looked_at"}),
    "it remembers": (Remembers, {"a_crop_is_only_looked_at"}),
    "it is slow": (Slow, {"it_is_quick_and_keeps_no_picture"}),
    "it keeps pictures": (KeepsPictures, {"it_is_quick_and_keeps_no_picture"}),
    "close only once": (CloseOnce, {"close_comes_twice_and_ends_its_threads"}),
    "a thread stays": (LeavesThread, {"close_comes_twice_and_ends_its_threads"}),
    "any model is taken": (Lenient, {"a_model_that_cannot_be_used_is_a_model_error"}),
    "another error than ModelError": (Damaged, {"a_model_that_cannot_be_used_is_a_model_error"}),
}


class WithModel(Block):
    """Which model."""

    model: str = ""


class FinderContract(DetectorContract):
    infers = 0.2


def test_a_sound_detector_passes() -> None:
    """A detector of a dozen lines that does its work keeps the contract."""
    driver = Driver("finder", Finder, Nothing, "Finds a person in everything")
    assert failing(on(FinderContract, driver)) == set()


@pytest.mark.parametrize("bad", BAD_DETECTORS)
def test_a_bad_detector_fails_for_what_is_bad_about_it(bad: str) -> None:
    """Each promise that is broken is named by its test, and no other test is."""
    kind, expected = BAD_DETECTORS[bad]
    damaged = kind in (Lenient, Damaged)
    driver = Driver("finder", kind, WithModel if damaged else Nothing, "Finds a person")
    more = {"damaged": {"model": "gone.onnx"}} if damaged else {}
    found = failing(on(FinderContract, driver, **more))
    assert found - {"every_key_is_explained"} == expected


# ------------------------------------------------------------------ visitors


class Lists(Device):
    """One visitor is expected."""

    async def start(self) -> None:
        (self.folder / "visitors.csv").write_text(
            "visitor,host,purpose,from,until\n"
            "Reading volunteer,Library,Reading hour,09:00,10:30\n"
            "Piano tuner,Music department,Tuning,08:30,12:00\n"
        )


class DeskContract(VisitorSystemContract):
    device = Lists
    config = MappingProxyType({"file": "visitors.csv"})

    def clock(self) -> Clock:
        return FakeClock()


class Shuffled(Desk):
    async def visits(self) -> list[Visit]:
        return (await super().visits())[::-1]


class NoName(Desk):
    async def screen(self, visitor: str) -> Screening:
        return await super().screen(visitor) if visitor else None  # type: ignore[return-value]


class TwiceIn(Desk):
    async def check_in(self, visit: str) -> Visit:
        for known in await self.visits():
            if known.id == visit and known.state == "here":
                return known
        return await super().check_in(visit)


class Untold(Desk):
    async def _tell(self, type_: str, visit: Visit, id_: str | None = None) -> None:
        """Nobody hears of it."""


class Forgets(Desk):
    def __init__(self, config: DeskConfig, context: Context) -> None:
        super().__init__(config, context)
        self._file = Path(self._file).with_name(f"{id(self)}.json")


BAD_DESKS = {
    "out of order": (Shuffled, {"visits_are_in_order_and_timed"}),
    "no answer to an empty name": (NoName, {"screening_answers_any_name"}),
    "in twice": (TwiceIn, {"a_visit_goes_from_expected_to_here_to_left"}),
    "nobody is told": (Untold, {"a_visit_goes_from_expected_to_here_to_left"}),
    "a restart forgets": (Forgets, {"who_is_here_is_known_after_a_restart"}),
}


@pytest.mark.parametrize("bad", BAD_DESKS)
def test_a_bad_desk_fails_for_what_is_bad_about_it(bad: str) -> None:
    """Each promise that is broken is named by its test, and no other test is."""
    kind, expected = BAD_DESKS[bad]
    driver = Driver("desk", kind, DeskConfig, "A desk")
    assert failing(on(DeskContract, driver)) == expected
