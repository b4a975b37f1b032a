"""The shared scheduler and the planning of crops: bounded, fair, never more pixels than needed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kinds.detectors import Crop, Detection, Detector, DetectorInfo
from hub.perception import inference as inference_module
from hub.perception.allowance import Allowance
from hub.perception.boxes import Box, share_inside
from hub.perception.crops import CropPlan, Want, cost_of, plan, tiles, whole_frame
from hub.perception.futile import FutileLooks
from hub.perception.inference import IMPORTANT, Inference, overload
from hub.perception.instances import best

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
        self.longest_s = 0.0
        self._cost_s = cost_s

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        self.entered.release()
        self.gate.acquire()
        began = time.monotonic()
        time.sleep(self._cost_s)
        self.longest_s = max(self.longest_s, time.monotonic() - began)
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


async def test_a_wrong_number_of_answers_is_a_failure() -> None:
    """A detector that answers for more or fewer crops than it was given is not believed."""

    class Miscounting(GatedDetector):
        def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
            return super().infer(crops) * 2

    detector = Miscounting()
    detector.gate.release()
    inference = Inference([detector])
    assert await inference.submit("lobby", [crop(1)]) is None
    assert inference.fault == "ValueError: 2 answers came for 1 crops"
    assert inference.shares()["lobby"].failed == 1
    inference.close()


async def test_answers_of_one_camera_come_in_order_on_two_threads() -> None:
    """While a call of a camera is under way the other thread serves others, not its next one."""
    detectors = [GatedDetector(), GatedDetector()]
    inference = Inference(detectors)
    order: list[int] = []
    first = asyncio.create_task(inference.submit("lobby", [crop(1)]))
    async with asyncio.timeout(20):
        while not any(detector.entered.acquire(blocking=False) for detector in detectors):
            await asyncio.sleep(0)
    first.add_done_callback(lambda _: order.append(1))
    second = asyncio.create_task(inference.submit("lobby", [crop(2)]))
    second.add_done_callback(lambda _: order.append(2))
    other = asyncio.create_task(inference.submit("yard", [crop(3)]))
    for detector in detectors:
        detector.gate.release(3)
    await asyncio.gather(first, second, other)
    assert order == [1, 2]
    inference.close()


@given(
    st.floats(0.02, 2.0),
    st.lists(st.tuples(st.floats(0.0, 0.5), st.floats(0.001, 0.3)), min_size=1, max_size=60),
)
def test_an_allowance_is_never_overdrawn_by_more_than_one_piece_of_work(
    share: float, work: list[tuple[float, float]]
) -> None:
    """Whatever is asked when, no more is worked than was allowed, the last piece apart."""
    allowance = Allowance(share, 0.0)
    now, spent, longest = 0.0, 0.0, 0.0
    for pause, length in work:
        now += pause
        now += allowance.wait(now)
        if allowance.wait(now) > 0:  # rounding
            now += 1e-3
        now += length
        allowance.spend(length, now)
        spent, longest = spent + length, max(longest, length)
        assert spent <= share * (1.0 + now) + longest + 1e-6


def test_an_allowance_saves_no_more_than_a_second() -> None:
    """An hour of rest buys one second's worth, not an hour's."""
    allowance = Allowance(0.5, 0.0)
    allowance.wait(3600.0)
    allowance.spend(0.75, 3600.0)
    assert allowance.wait(3600.0) == pytest.approx(0.5)
    assert allowance.wait(3600.51) == 0.0


async def test_a_budget_slows_all_cameras_alike_and_shows() -> None:
    """Eight cameras that flood a slow detector get equal rates within the budget, the rest is
    counted, memory stays one question each, and the report says why in words."""
    detector = GatedDetector(cost_s=0.004)
    detector.gate.release(100_000)
    inference = Inference([detector], budget=0.2)
    began = time.monotonic()
    names = [f"camera {number}" for number in range(8)]
    async with asyncio.timeout(30):
        while sum(share.inferred for share in inference.shares().values()) < 120:
            for name in names:
                inference.ask(name, [crop()], lambda found: None)
            await asyncio.sleep(0.001)
    shares = inference.shares()
    spent = sum(share.seconds for share in shares.values())
    assert spent <= 0.2 * (time.monotonic() - began + 1.0) + 0.1 + detector.longest_s
    rates = [shares[name].inferred for name in names]
    assert min(rates) >= max(rates) / 2  # time is what is shared, and a busy machine stretches it
    assert min(share.dropped for share in shares.values()) > 100
    assert sum(share.late for share in shares.values()) > 0
    assert inference.waiting() <= 8
    said = overload("eye", {"behind": inference.behind, "budget": inference.budget})
    assert said.startswith("detector eye leaves out ")
    assert said.endswith("its budget is 200ms in every second")
    assert overload("eye", {"behind": 0.0, "budget": 0.2}) == ""
    inference.close()


async def test_what_was_forgotten_while_idle_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After ten minutes of rest a question that is answered is no sign of overload."""
    now = [1000.0]
    monkeypatch.setattr(inference_module, "monotonic", lambda: now[0])
    detector = GatedDetector()
    inference = Inference([detector])
    for _ in range(60):  # the first is under way, later ones displace each other
        inference.ask("a", [crop()], lambda found: None)
    assert inference.behind > 0.3
    now[0] += 600
    assert inference.behind < 0.01
    detector.gate.release(100)
    inference.ask("b", [crop()], lambda found: None)
    assert inference.behind < 0.01
    inference.close()


class Timed(GatedDetector):
    """Takes so many seconds for a look on one and on two threads; `turn` lets one look at a time.

    The first looks, `disturbed` of them, take ten times as long, as beside a machine that starts.
    """

    def __init__(
        self, threads: int, gain: float, turn: threading.Lock | None = None, disturbed: int = 0
    ) -> None:
        super().__init__()
        self.threads, self.disturbed = threads, disturbed
        self.seconds = 0.01 / (gain if threads > 1 else 1.0)
        self.turn = turn or contextlib.nullcontext()

    def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
        self.disturbed -= 1
        with self.turn:
            time.sleep(self.seconds * (10 if self.disturbed >= 0 else 1))
        return [[] for _ in crops]


def test_detectors_side_by_side_are_kept_only_where_they_are_faster() -> None:
    """One that waits outside Python is doubled, one that holds everybody up is not, the threads of
    one that gains by them are kept, and a second that cannot be built costs nothing."""
    turn = threading.Lock()
    built: list[Timed] = []

    def made(gain: float, turn: threading.Lock | None = None) -> Callable[[int], Detector]:
        def make(threads: int) -> Detector:
            built.append(Timed(threads, gain, turn))
            return built[-1]

        return make

    assert len(best(made(1.3), cores=2)) == 2
    assert len(best(made(1.0, turn), cores=2)) == 1
    (fast,) = best(made(3.0, turn), cores=2)
    assert fast is built[-1]
    assert len(best(made(1.3), cores=1)) == 1
    assert sum(not one.closed for one in built) == 2 + 1 + 1 + 1

    def only_once(threads: int) -> Detector:
        if built:
            raise MemoryError
        return made(1.0)(threads)

    built.clear()
    assert len(best(only_once, cores=2)) == 1


def test_what_cannot_be_built_or_fails_later_takes_nothing_from_what_works() -> None:
    """Without one that uses two threads, two are still taken beside each other; where looks fail
    after the first few, the first detector works alone, and all others are closed."""
    built: list[Timed] = []

    def one_thread_only(threads: int) -> Detector:
        if threads > 1:
            raise ValueError
        return Timed(threads, 1.0)

    assert len(best(one_thread_only, cores=2)) == 2

    class Weary(Timed):
        def infer(self, crops: Sequence[Crop]) -> list[list[Detection]]:
            if self.disturbed < -4:
                raise ValueError
            return super().infer(crops)

    def weary(threads: int) -> Detector:
        built.append(Weary(threads, 1.0))
        return built[-1]

    assert best(weary, cores=2) == built[:1]
    assert [one.closed for one in built] == [False, True, True]


def test_two_threads_for_one_look_must_clearly_beat_two_looks_beside_each_other() -> None:
    """Two threads cost more processor time than two looks, so a little more speed buys nothing,
    and a machine that is busy at the start does not turn the choice."""
    pair = best(lambda threads: Timed(threads, 2.1), cores=2)
    assert [one.threads for one in pair] == [1, 1]
    pair = best(lambda threads: Timed(threads, 1.3, disturbed=4 if threads == 1 else 0), cores=2)
    assert [one.threads for one in pair] == [1, 1]
    (fast,) = best(lambda threads: Timed(threads, 4.0), cores=2)
    assert fast.threads == 2


def test_looking_in_vain_is_repeated_less_and_less_but_never_given_up() -> None:
    """Looks at a bush thin out to one a second; somebody who comes out of it is looked at at once,
    and after a calm the bush is looked at again."""
    futile = FutileLooks((640, 360))
    bush, beside = (100.0, 100.0, 200.0, 220.0), (160.0, 100.0, 300.0, 260.0)
    looks = []
    for number in range(100):
        now = number / 10
        futile.moved(bush, now)
        if futile.rested(bush, now, 0.0):
            futile.looked(bush, now, in_vain=True)
            looks.append(now)
    assert 10 <= len(looks) <= 16
    assert max(after - before for before, after in pairwise(looks)) <= 1.01
    assert futile.moved(beside, 10.0) == 0
    assert futile.rested(beside, 10.0, 0.0)
    assert futile.moved(bush, 30.0) == 1


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


def test_a_model_of_one_size_gets_one_crop_or_the_whole_frame() -> None:
    """Where every crop costs the same, two people far apart are one look at everything."""
    near, far = Want((600, 300, 640, 400), 0.9), Want((40, 300, 80, 400), 0.9, least=0.3)
    (only,) = plan([near], FRAME, (416,))
    assert share_inside(near.box, [only.box]) > 0.99
    assert only.box != (0, 0, *FRAME)
    loose = Want(near.box, 0.9, least=0.3)
    assert [crop.box for crop in plan([loose, far], FRAME, (416,))] == [(0, 0, *FRAME)]


def test_a_model_of_small_inputs_is_not_shown_a_shrunken_whole() -> None:
    """Two people far apart are two crops at full scale, not a frame a fifth as large."""
    near = Want((600, 300, 640, 360), 1.0, least=0.15)
    far = Want((40, 300, 80, 360), 1.0, least=0.15)
    crops = plan([near, far], FRAME, (192, 256))
    assert len(crops) == 2
    assert all(one.box[2] - one.box[0] <= one.side for one in crops)
    crowd = [near, far, Want((40, 40, 80, 100), 1.0, least=0.15)]
    assert len(plan(crowd, (320, 380), (192, 256))) == 1, "a small frame hardly shrinks"


def test_neighbours_share_a_crop_and_strangers_do_not() -> None:
    """Two wants side by side are one crop; at opposite ends of the picture they are two."""
    near = [Want((600, 300, 640, 400), 1.0), Want((650, 300, 690, 400), 1.0)]
    far = [Want((40, 300, 80, 400), 1.0), Want((1180, 300, 1220, 400), 1.0)]
    assert len(plan(near, FRAME, SIDES)) == 1
    assert len(plan(far, FRAME, SIDES)) == 2


def test_a_crop_says_what_it_is_looked_at_for() -> None:
    """One that holds two wants has the reasons of both, and so has the whole frame."""
    near = Want((600, 300, 640, 400), 1.0, reason="walks")
    beside = Want((650, 300, 690, 400), 1.0, reason="motion")
    (only,) = plan([near, beside], FRAME, SIDES)
    assert only.reasons == {"walks", "motion"}
    assert {tuple(one.reasons) for one in whole_frame(FRAME, SIDES, True, "scan")} == {("scan",)}


def test_somebody_who_is_where_expected_gets_a_narrow_crop() -> None:
    """A crop is half as wide as it is tall where that is asked for, and wider elsewhere."""
    (narrow,) = plan([Want((600, 300, 620, 396), 1.0, 0.25, narrow=0.5)], FRAME, SIDES)
    (usual,) = plan([Want((600, 300, 620, 396), 1.0, 0.25)], FRAME, SIDES)
    width, height = narrow.box[2] - narrow.box[0], narrow.box[3] - narrow.box[1]
    assert 0.5 <= width / height < 0.55
    assert cost_of(narrow) < cost_of(usual)


@given(boxes, st.floats(0.1, 1.0), st.sampled_from([0.5, 0.6]))
def test_a_crop_fills_the_input_that_it_needs(box: Box, scale: float, narrow: float) -> None:
    """What would be padding shows more of the picture instead, and takes no larger input."""
    (only,) = plan([Want(box, scale, narrow=narrow)], (2000, 2000), SIDES)
    edges = only.box[2] - only.box[0], only.box[3] - only.box[1]
    into = [edge * only.side / max(edges) for edge in edges]
    unused = [-round(pixels) % 32 for pixels in into]
    assert max(unused) <= 1 + 2 * only.side / max(edges)
    narrower = plan([Want((960, 900, 980, 996), 1.0, 0.25, narrow=0.55)], (2000, 2000), SIDES)
    assert cost_of(narrower[0]) == cost_of(CropPlan((0, 0, 128, 192), 192))


def test_what_is_cut_costs_as_well_as_what_goes_in() -> None:
    """Of two crops at one input size the one that has more pixels of the picture is dearer."""
    small, large = CropPlan((0, 0, 192, 192), 192), CropPlan((0, 0, 720, 720), 192)
    assert cost_of(small) < cost_of(large) < 3 * cost_of(small)


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
