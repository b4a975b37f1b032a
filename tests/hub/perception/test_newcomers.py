"""Somebody new is believed on the pictures that come next, and nobody is who is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hub.kinds.cameras import VideoSource
from hub.kinds.detectors import Crop, Detection, DetectorInfo
from hub.perception.boxes import Box
from hub.perception.decode import frame_from_av
from hub.perception.feed import Feed, Packet, Session
from hub.perception.frames import Frame
from hub.perception.live import LiveCamera
from hub.perception.look_times import LookTimes
from hub.perception.newcomers import Newcomers
from hub.perception.pictures import Pictures
from hub.perception.pipeline import CameraPipeline
from hub.perception.spec import CameraSpec
from hub.perception.track import Track
from hub.perception.tracking import TrackState
from hub.perception.zones import ZoneArea, ZoneWatch
from hub.testing import FakeClock

SIZE = (640, 360)
RATE, PICTURES = 5, 15  # looks and pictures a second
INFO = DetectorInfo("scripted", ("person",), (192, 256, 320, 416), "Apache-2.0", "")
WALL: NDArray[np.uint8] = np.kron(
    np.random.default_rng(1).integers(70, 170, (45, 80)), np.ones((8, 8))
).astype(np.uint8)
COMES = 2.75  # seconds until somebody shows
Path_ = Callable[[float], Box | None]
Score = Callable[[float], float]


def picture(box: Box | None) -> av.VideoFrame:
    """The wall, with a bright box on it."""
    luma = WALL.copy()
    if box is not None:
        x1, y1, x2, y2 = (round(value) for value in box)
        luma[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = 230
    return av.VideoFrame.from_ndarray(luma, format="gray").reformat(format="yuv420p")


def comes_in(time: float) -> Box | None:
    """Nobody for a while, then somebody who walks in from the left."""
    x = 80 * (time - COMES) - 40
    return (max(0.0, x), 150.0, x + 40, 270.0) if x > -40 else None


class Camera:
    """Fifteen pictures a second, five looks; the detector answers before the next picture."""

    def __init__(self, path: Path_, score: Score, info: DetectorInfo = INFO) -> None:
        self.pipeline = CameraPipeline("hall", SIZE, RATE, info, [ZoneArea("hall")])
        self.path, self.score = path, score
        self.looks = LookTimes(RATE)
        self.inferred: list[float] = []
        self.entered: list[float] = []
        self.shown: list[TrackState] = []

    def until(self, end: float) -> Camera:
        for number in range(round(end * PICTURES)):
            now = number / PICTURES
            frame = frame_from_av(picture(self.path(now)), now, number)
            if self.looks.due(now):
                self._settle(frame, self.pipeline.look(frame), now)
            elif self.pipeline.hurries(now):
                self._settle(frame, self.pipeline.look_early(frame), now)
        return self

    def _settle(self, frame: Frame, look, now: float) -> None:  # type: ignore[no-untyped-def]
        found = None
        if look.crops:
            self.inferred.append(now)
            found = self._found(self.pipeline.cut(frame, look), self.path(now), self.score(now))
        self.shown = self.pipeline.settle(frame, look, found)
        self.entered += [one.time for one in self.pipeline.occurrences() if one.kind == "entered"]

    @staticmethod
    def _found(crops: list[Crop], box: Box | None, score: float) -> list[Detection]:
        if box is None or not score:
            return []
        return [
            Detection("person", score, box)
            for crop in crops
            if box[0] >= crop.box[0] and box[2] <= crop.box[2]
        ][:1]


def test_three_finds_on_the_next_pictures_make_an_entry() -> None:
    """Who is found at each look has entered a fifth of a second after the first find, by no more
    looks than before they were believed."""
    seen: list[float] = []

    def score(now: float) -> float:
        seen.append(now)
        return 0.6

    camera = Camera(comes_in, score).until(5)
    first = next(now for now in seen if comes_in(now) is not None)
    (entered,) = camera.entered
    assert 0.19 <= entered - first <= 0.21
    assert 3 <= len([now for now in camera.inferred if first <= now <= entered]) <= 4


def test_a_single_find_however_sure_enters_nowhere() -> None:
    """A flicker that is found once and never again is looked at again at once, and is nobody."""
    found: list[float] = []

    def score(now: float) -> float:
        if comes_in(now) is None or found:
            return 0.0
        found.append(now)
        return 0.95

    camera = Camera(comes_in, score).until(6)
    assert found
    assert camera.entered == []
    assert camera.shown == []
    again = [now for now in camera.inferred if found[0] < now < found[0] + 0.2]
    assert len(again) == 1, "one early look tells that it was nobody; the next is the camera's turn"


def test_what_is_half_seen_is_looked_at_on_the_next_picture_once() -> None:
    """A faint find that grows sure is somebody a picture later; one that stays faint is left to
    the camera's turns, and never becomes anybody."""
    sure = Camera(comes_in, lambda now: 0.2 if now < 3.41 else 0.6).until(5)
    assert len(sure.entered) == 1

    faint = Camera(comes_in, lambda now: 0.2).until(9)
    assert faint.entered == []
    while_there = [now for now in faint.inferred if now > 3]
    assert len(while_there) <= 1.5 * 6 * RATE
    between = [b - a for a, b in pairwise(while_there)]
    assert not any(a < 0.1 and b < 0.1 for a, b in pairwise(between))


def test_a_guess_from_motion_is_never_hurried() -> None:
    """Its regions would be the same again, which proves nothing."""
    guess = replace(INFO, guessing=True, needs_pixels=False, input_sizes=())
    camera = Camera(comes_in, lambda now: 0.6, guess).until(5)
    assert camera.inferred
    assert all(round(now * PICTURES) % 3 == 0 for now in camera.inferred)


def test_only_who_is_new_and_not_missed_is_hurried_about() -> None:
    """A track that was missed, or is older than a moment, waits for the camera's turn; so does one
    that was found three times."""
    newcomers = Newcomers()
    track = Track(Detection("person", 0.6, (10.0, 10.0, 50.0, 130.0)), 1.0)
    assert newcomers.hurry(1.07, [track])
    assert newcomers.due(1.03, [track]) == []
    assert newcomers.due(1.07, [track]) == [track]
    track.hits = 3
    assert newcomers.hurry(1.07, [track])
    assert newcomers.due(1.07, [track]) == []
    assert not newcomers.hurry(1.4, [track])
    track.miss(1.07)
    assert not newcomers.hurry(1.13, [track])
    car = Track(Detection("car", 0.9, (10.0, 10.0, 90.0, 60.0)), 1.0)
    assert not newcomers.hurry(1.07, [car])
    assert newcomers.due(1.07, [car]) == []


def test_faint_finds_of_things_and_of_who_is_known_are_no_hint() -> None:
    """A faint dog, a find next to nothing, and a part of somebody followed ask for no look."""
    newcomers = Newcomers()
    box = (100.0, 100.0, 140.0, 220.0)
    known = Track(Detection("person", 0.8, box), 0.0)
    for find in (Detection("dog", 0.3, box), Detection("person", 0.05, box)):
        newcomers.looked(1.0, [find], 0.45, [])
        assert newcomers.take() == []
    newcomers.looked(1.0, [Detection("person", 0.3, box)], 0.45, [known])
    assert newcomers.take() == []
    newcomers.looked(1.0, [Detection("person", 0.3, box)], 0.45, [])
    assert newcomers.hurry(1.07, [])
    assert newcomers.take() == [box]
    assert not newcomers.hurry(1.07, []), "a look that is never answered is not asked for again"


def test_who_appears_inside_a_zone_needs_three_finds_or_the_usual_time() -> None:
    """With three finds a fifth of a second is enough; with fewer, or over a line, it is not."""
    hall = ZoneArea("hall", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
    box = (80.0, 80.0, 120.0, 200.0)
    there = TrackState(1, "person", 0.8, "confirmed", 5, box, born=0.0, first=box, hits=3)
    crossed = replace(there, first=(400.0, 80.0, 440.0, 200.0))
    for state, enters in ((there, [0.2]), (replace(there, hits=2), [0.4]), (crossed, [0.6])):
        watch = ZoneWatch("lobby", [hall], SIZE)
        times = [0.1, 0.2, 0.4, 0.6]
        assert [now for now in times if watch.watch(now, [state])] == enters


# -------------------------------------------------------------------------- live


class Asked(CameraPipeline):
    """Notes which pictures were looked at early."""

    early: list[float]

    def look_early(self, frame: Frame):  # type: ignore[no-untyped-def]
        self.early.append(frame.time)
        return super().look_early(frame)


@pytest.fixture(scope="module")
def packets() -> list[av.Packet]:
    """Five seconds in which somebody comes in, as a camera would send them."""
    coder = av.CodecContext.create("libx264", "w")
    coder.width, coder.height, coder.pix_fmt = *SIZE, "yuv420p"
    coder.time_base, coder.framerate = Fraction(1, PICTURES), PICTURES
    coder.options = {"preset": "ultrafast", "g": "30", "bf": "0", "tune": "zerolatency"}
    made = []
    for number in range(5 * PICTURES):
        image = picture(comes_in(number / PICTURES))
        image.pts = number
        made += coder.encode(image)
    return made + coder.encode(None)


async def _live(
    folder: Path, packets: list[av.Packet], answers_after: int, silent: float = 0.0
) -> tuple[LiveCamera, list[float], list[float], int]:
    """A live camera that is called when it asks to be; answers take so many pictures' time. At
    the end nothing comes for `silent` seconds."""
    clock, early = FakeClock(), []
    source = VideoSource("rtsp://192.0.2.1/x")
    spec = CameraSpec(id="a", slot=0, place="a", fps=RATE, source=source)
    feed = Feed("a", source, clock)

    def pipeline(size: tuple[int, int]) -> Asked:
        made = Asked("a", size, RATE, INFO, [ZoneArea("a")])
        made.early = early
        return made

    camera = LiveCamera(spec, feed, Pictures(folder / "a.jpg", folder / "m"), clock, pipeline)
    session = Session(1, av.CodecContext.create("h264", "r"))
    waiting, entered, turns = [], [], 0
    begin = due = clock.monotonic()
    sent = 0
    until = begin + len(packets) / PICTURES + silent
    while sent < len(packets) or (silent and clock.monotonic() < until):
        now = clock.monotonic()
        while sent < len(packets) and begin + sent / PICTURES <= now:
            data = packets[sent]
            data.pts = data.dts = sent
            base = begin
            camera.feed.queue.put(
                Packet(session, data, begin + sent / PICTURES, base, data.size, data.is_keyframe)
            )
            sent += 1
        for at, question in [one for one in waiting if one[0] <= now]:
            waiting.remove((at, question))
            box = comes_in(question.frame.time - begin)
            camera.answer(question, Camera._found(list(question.crops), box, 0.6))
            camera.asking -= 1
            due = now
        if due <= now:
            turns += 1
            worked = camera.work()
            entered += [now - begin for e in worked.events if e.type == "zone.entered"]
            if worked.question is not None:
                camera.asking += 1
                waiting.append((now + answers_after / PICTURES, worked.question))
            due = camera.next_turn()
        await clock.advance(0.005)
    return camera, [each - begin for each in early], entered, turns


async def test_a_live_camera_looks_early_while_somebody_is_new_and_asks_one_thing_at_a_time(
    tmp_path: Path, packets: list[av.Packet]
) -> None:
    """Early looks lie within a moment of the coming, an entry comes soon, nothing is displaced,
    and a camera with nothing in view is called about as often as it looks."""
    camera, early, entered, turns = await _live(tmp_path, packets, answers_after=0)
    assert early
    assert all(COMES < each < COMES + 0.6 for each in early)
    assert len(entered) == 1
    assert entered[0] < COMES + 0.5
    assert camera.dropped == 0
    assert camera.counters.decoded >= 5 * PICTURES - 3
    assert turns < 5 * RATE * 2.5


async def test_a_stream_that_stops_while_somebody_is_new_does_not_make_its_camera_spin(
    tmp_path: Path, packets: list[av.Packet]
) -> None:
    """Nothing is in a hurry that cannot come: the camera is called at its rate again."""
    comes = round((COMES + 0.25) * PICTURES)
    _, early, _, before = await _live(tmp_path / "a", packets[:comes], answers_after=0)
    assert early
    _, _, _, after = await _live(tmp_path / "b", packets[:comes], answers_after=0, silent=10.0)
    assert after - before < 10 * RATE + 40


async def test_answers_that_take_long_cost_early_looks_and_no_entry(
    tmp_path: Path, packets: list[av.Packet]
) -> None:
    """While a question is open no other is asked early; the entry comes all the same."""
    camera, early, entered, _ = await _live(tmp_path, packets, answers_after=2)
    assert len(entered) == 1
    assert camera.counters.dropped <= 1
    assert all(b - a > 0.1 for a, b in pairwise(early))


def test_looks_keep_their_rate_by_the_streams_own_time() -> None:
    """One picture in three is due, and the next one that is wanted is foretold."""
    looks = LookTimes(RATE)
    due = [number for number in range(30) if looks.due(number / PICTURES)]
    assert due == list(range(0, 30, 3))
    assert looks.expected == pytest.approx(2.0 - 0.04)
    assert not looks.early(2.0)
    assert looks.early(1.9)


def test_time_between_packet_and_arrival_is_learned(tmp_path: Path) -> None:
    """A feed knows how late its packets come as a rule."""
    clock = FakeClock()
    feed = Feed("a", VideoSource("rtsp://192.0.2.1/x"), clock)
    for number in range(100):
        stamp = av.Packet(b"x")
        stamp.time_base, stamp.pts, stamp.dts = 1, number, number
        feed._offset = clock.monotonic() - number - 0.08
        feed._pass_on(Session(1, None), stamp)
    assert feed.lag == pytest.approx(0.08, abs=0.01)
