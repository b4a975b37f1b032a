"""The shared scheduler and the planning of crops: bounded, fair, never more pixels than needed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kinds.detectors import Crop, Detection, DetectorInfo
from hub.perception.crops import CropPlan, Want, cost_of, plan, tiles, whole_frame
from hub.perception.inference import IMPORTANT, Inference
from hub.perception.tracking import share_inside

SIDES = (192, 256, 320, 416)
FRAME = (1280, 720)
INFO = DetectorInfo("gated", ("person",), SIDES, "Apache-2.0", "")


def crop(number: int = 0) -> Crop:
    """A crop that carries a number in its box."""
    nothing = np.zeros((0, 4), np.int32)
    return Crop(np.zeros((2, 2, 3), np.uint8), (number, 0, number + 2, 2), (640, 360), nothing)


class GatedDetector:
    """Waits to be let through, one call at a time, and answers with its crops' boxes."""

    info = INFO

    def __init__(self, cost_s: float = 0.0) -> None:
        self.gate = threading.Semaphore(0)
        self.calls: list[tuple[int, ...]] = []
        self.threads: set[int] = set()
        self.entered = threading.Semaphore(0)
        self.closed = False
        self._cost_s = cost_s

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        self.entered.release()
        self.gate.acquire()
        time.sleep(self._cost_s)
        self.threads.add(threading.get_ident())
        self.calls.append(tuple(one.box[0] for one in crops))
        return [[Detection("person", 0.9, (float(one.box[0]), 0.0, 1.0, 1.0))] for one in crops]

    def close(self) -> None:
        self.closed = True


async def inside(detector: GatedDetector) -> None:
    """Until the detector's thread is inside a call."""
    async with asyncio.timeout(20):
        await asyncio.to_thread(detector.entered.acquire)


async def test_answers_carry_the_detections_of_every_crop() -> None:
    """All crops of one question come back together."""
    detector = GatedDetector()
    detector.gate.release()
    inference = Inference([detector])
    found = await inference.submit("lobby", [crop(1), crop(5)])
    assert [one.box[0] for one in found or []] == [1.0, 5.0]
    inference.close()
    assert detector.closed


async def test_the_newest_frame_wins_and_the_displaced_one_is_counted() -> None:
    """With a call under way, a second question waits and a third takes its place."""
    detector = GatedDetector()
    inference = Inference([detector])
    first = asyncio.create_task(inference.submit("lobby", [crop(1)]))
    await inside(detector)
    second = asyncio.create_task(inference.submit("lobby", [crop(2)]))
    await asyncio.sleep(0)
    third = asyncio.create_task(inference.submit("lobby", [crop(3)]))
    assert await second is None
    detector.gate.release(2)
    assert await first is not None
    assert await third is not None
    assert detector.calls == [(1,), (3,)]
    share = inference.shares()["lobby"]
    assert (share.inferred, share.dropped) == (2, 1)
    inference.close()


async def test_memory_is_bounded_by_the_number_of_cameras() -> None:
    """However many questions a camera floods in, one of them waits."""
    detector = GatedDetector()
    inference = Inference([detector])
    answers: list[object] = []
    for number in range(500):
        inference.ask("yard", [crop(number)], answers.append)
    assert inference.waiting() <= 1
    assert len(answers) >= 498
    inference.close()


async def flood(inference: Inference, cameras: dict[str, bool], until: int) -> list[str]:
    """Cameras (name: important) that ask anew after each answer; who was served, in order."""
    served: list[str] = []

    async def ask(camera: str, important: bool) -> None:
        while len(served) < until:
            if await inference.submit(camera, [crop()], important) is not None:
                served.append(camera)

    async with asyncio.timeout(20):
        await asyncio.gather(*(ask(name, important) for name, important in cameras.items()))
    return served[:until]


@pytest.mark.parametrize(("important", "ratio"), [(False, 1.0), (True, IMPORTANT)])
async def test_time_is_shared_fairly_and_important_cameras_get_more(
    important: bool, ratio: float
) -> None:
    """Sixteen cameras that always ask get equal turns, the important one as many as it weighs."""
    detector = GatedDetector(cost_s=0.004)
    inference = Inference([detector])
    detector.gate.release(10_000)
    cameras = {f"camera {n}": important and n == 0 for n in range(16)}
    served = await flood(inference, cameras, 320)
    others = sum(served.count(name) for name in cameras if name != "camera 0") / 15
    assert served.count("camera 0") / others == pytest.approx(ratio, rel=0.35)
    inference.close()


async def test_an_idle_camera_saves_up_no_claim() -> None:
    """One that comes late gets its share from now on, not what it did not use before."""
    detector = GatedDetector(cost_s=0.003)
    inference = Inference([detector])
    detector.gate.release(10_000)
    busy = {"one": False, "two": False, "three": False}
    await flood(inference, busy, 90)
    served = await flood(inference, {**busy, "late": False}, 40)
    assert 6 <= served.count("late") <= 14
    inference.close()


async def test_a_failing_detector_is_survived_counted_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An exception answers None and the next question is served."""

    class Broken(GatedDetector):
        def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
            if crops[0].box[0] == 13:
                raise ValueError("thirteen")
            return super().infer(crops)

    detector = Broken()
    detector.gate.release()
    inference = Inference([detector])
    assert await inference.submit("lobby", [crop(13)]) is None
    assert await inference.submit("lobby", [crop(1)]) is not None
    assert inference.shares()["lobby"].failed == 1
    assert inference.fault == "ValueError: thirteen"
    assert "gated failed" in caplog.text
    inference.close()


async def test_a_hanging_detector_is_visible_and_does_not_hold_up_the_end() -> None:
    """`busy_s` grows while a call hangs; closing answers who waits and returns in time."""
    detector = GatedDetector()
    inference = Inference([detector])
    stuck = asyncio.create_task(inference.submit("lobby", [crop()]))
    await inside(detector)
    waiting = asyncio.create_task(inference.submit("yard", [crop()]))
    await asyncio.sleep(0.02)
    assert inference.busy_s() > 0.01
    await asyncio.to_thread(inference.close, 0.05)
    assert await waiting is None
    assert await inference.submit("yard", [crop()]) is None
    detector.gate.release()
    assert await stuck is not None


async def test_each_detector_is_called_from_one_thread_only() -> None:
    """Two instances work side by side, each on a thread of its own."""
    detectors = [GatedDetector(0.002), GatedDetector(0.002)]
    for detector in detectors:
        detector.gate.release(100)
    inference = Inference(detectors)
    await asyncio.gather(*(inference.submit(f"camera {n}", [crop(n)]) for n in range(20)))
    assert all(len(detector.threads) == 1 for detector in detectors)
    assert detectors[0].threads != detectors[1].threads
    inference.close()


boxes = st.builds(
    lambda x, y, w, h: (x, y, min(x + w, FRAME[0]), min(y + h, FRAME[1])),
    st.floats(0, FRAME[0] - 8),
    st.floats(0, FRAME[1] - 8),
    st.floats(4, FRAME[0]),
    st.floats(4, FRAME[1]),
)


@given(st.lists(st.builds(Want, boxes, st.floats(0.1, 1.0)), min_size=1, max_size=6))
def test_crops_hold_every_want_inside_the_frame(wants: list[Want]) -> None:
    """Whatever is wanted lies in some crop, with even corners, at a side the detector has."""
    crops = plan(wants, FRAME, SIDES)
    for one in crops:
        x1, y1, x2, y2 = one.box
        assert 0 <= x1 < x2 <= FRAME[0]
        assert 0 <= y1 < y2 <= FRAME[1]
        assert x1 % 2 == y1 % 2 == 0
        assert one.side in SIDES
    for want in wants:
        assert share_inside(want.box, [one.box for one in crops]) > 0.99


@given(st.lists(st.builds(Want, boxes, st.floats(0.1, 0.3)), min_size=1, max_size=6))
def test_crops_never_cost_more_than_the_whole_frame_would(wants: list[Want]) -> None:
    """Where the whole frame shows everything large enough, it is the most a look may cost."""
    whole = cost_of(CropPlan((0, 0, *FRAME), SIDES[-1]))
    assert sum(map(cost_of, plan(wants, FRAME, SIDES))) <= whole + 1e-9


def test_a_small_thing_is_seen_at_full_scale_in_a_small_crop() -> None:
    """Somebody far away gets the smallest input, unscaled, and not the whole frame."""
    (only,) = plan([Want((600, 300, 620, 350), 1.0)], FRAME, SIDES)
    assert only.side == 192
    assert only.box[2] - only.box[0] <= 192


def test_neighbours_share_a_crop_and_strangers_do_not() -> None:
    """Two wants side by side are one crop; at opposite ends of the picture they are two."""
    near = [Want((600, 300, 640, 400), 1.0), Want((650, 300, 690, 400), 1.0)]
    far = [Want((40, 300, 80, 400), 1.0), Want((1180, 300, 1220, 400), 1.0)]
    assert len(plan(near, FRAME, SIDES)) == 1
    assert len(plan(far, FRAME, SIDES)) == 2


def test_a_large_frame_is_tiled_where_people_may_be_small() -> None:
    """A first look at 720p has the whole and squares that cover it; a small frame needs none."""
    looks = whole_frame(FRAME, SIDES, tiled=True)
    assert looks[0].box == (0, 0, *FRAME)
    assert {one.box for one in looks[1:]} == {(0, 0, 720, 720), (560, 0, 1280, 720)}
    assert len(whole_frame((640, 360), SIDES, tiled=True)) == 1


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(50, 900))
def test_tiles_cover_everything(width: int, height: int, edge: int) -> None:
    """Every point of a box lies in some tile, and none reaches outside."""
    parts = tiles((0, 0, width, height), edge)
    for axis, length in ((0, width), (1, height)):
        spans = sorted({(part[axis], part[axis + 2]) for part in parts})
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        assert all(after[0] <= before[1] for before, after in pairwise(spans))
