"""The pipeline of one camera: what it asks for, what it makes of the answers, and what it hides."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hub.kinds.detectors import Crop, Detection, DetectorInfo
from hub.perception.boxes import Box, overlap, share_inside
from hub.perception.decode import frame_from_av
from hub.perception.frames import Frame
from hub.perception.pipeline import CameraPipeline, Look
from hub.perception.tracking import TrackState
from hub.perception.zones import ZoneArea

SIZE = (640, 360)
INFO = DetectorInfo("scripted", ("person",), (192, 256, 320, 416), "Apache-2.0", "")
GUESS = DetectorInfo("guess", ("person",), (), "Apache-2.0", "", needs_pixels=False, guessing=True)
WALL: NDArray[np.uint8] = np.kron(
    np.random.default_rng(1).integers(70, 170, (45, 80)), np.ones((8, 8))
).astype(np.uint8)
Path_ = Callable[[float], Box | None]


def frame_at(time: float, box: Box | None, colour: int = 230) -> Frame:
    """The wall, with a bright box on it."""
    luma = WALL.copy()
    if box is not None:
        x1, y1, x2, y2 = (round(value) for value in box)
        luma[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = colour
    picture = av.VideoFrame.from_ndarray(luma, format="gray").reformat(format="yuv420p")
    return frame_from_av(picture, time, round(time * 10))


def frame_with(time: float, *boxes: Box) -> Frame:
    """The wall, with bright boxes on it."""
    luma = WALL.copy()
    for box in boxes:
        x1, y1, x2, y2 = (round(value) for value in box)
        luma[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = 230
    picture = av.VideoFrame.from_ndarray(luma, format="gray").reformat(format="yuv420p")
    return frame_from_av(picture, time, round(time * 10))


def seen(crops: list[Crop], box: Box | None, score: float = 0.8) -> list[Detection]:
    """What a perfect detector says of crops: the part of the box that each one shows."""
    found = []
    for crop in crops:
        if box is None or share_inside(box, [crop.box]) < 0.3:
            continue
        x1, y1, x2, y2 = crop.box
        cut = (max(box[0], x1), max(box[1], y1), min(box[2], x2), min(box[3], y2))
        found.append(Detection("person", score, cut))
    return found


class Walk:
    """Frames at 10 a second through a pipeline, every inference answered on the spot."""

    def __init__(self, path: Path_, info: DetectorInfo = INFO, **options: object) -> None:
        self.pipeline = CameraPipeline("lobby", SIZE, 10, info, **options)  # type: ignore[arg-type]
        self.path = path
        self.inferred: list[float] = []
        self.tracks: dict[float, list[TrackState]] = {}

    def until(self, end: float) -> Walk:
        start = len(self.tracks)
        for number in range(start, round(end * 10)):
            time = number / 10
            box = self.path(time)
            frame = frame_at(time, box)
            look = self.pipeline.look(frame)
            found = None
            if look.crops:
                self.inferred.append(time)
                found = seen(self.pipeline.cut(frame, look), box)
            self.tracks[time] = self.pipeline.settle(frame, look, found)
        return self


def walker(time: float) -> Box:
    """Somebody who comes in from the left, at 60 pixels a second."""
    return (60 * time - 60, 150.0, 60 * time - 20, 270.0)


def stander(time: float) -> Box:
    """Somebody who has always stood there."""
    return (300.0, 120.0, 345.0, 260.0)


def test_the_first_frame_is_looked_at_whole() -> None:
    """Whoever already stands there when the camera starts is found at once."""
    walk = Walk(stander).until(0.1)
    assert walk.inferred == [0.0]
    assert [track.state for track in walk.tracks[0.0]] == ["confirmed"]


def test_an_empty_scene_costs_next_to_nothing() -> None:
    """After the first seconds nobody is asked about a wall, save for the scans."""
    walk = Walk(lambda t: None).until(30)
    assert len([time for time in walk.inferred if time > 2]) <= 3


def test_somebody_who_walks_in_is_followed_at_half_the_frames() -> None:
    """Found soon after appearing, one id, boxes on the person between inferences too."""
    walk = Walk(walker).until(8)
    first = next(time for time, tracks in walk.tracks.items() if tracks)
    assert first < 1.3
    for time, tracks in walk.tracks.items():
        if time > 2:
            assert [track.id for track in tracks] == [1]
            assert overlap(tracks[0].box, walker(time)) > 0.5
    assert len(walk.inferred) <= 0.55 * len(walk.tracks)


def test_somebody_standing_still_is_confirmed_now_and_then() -> None:
    """A person who stands for half a minute stays one person, at about one look in two seconds."""
    walk = Walk(stander).until(30)
    assert all([track.id for track in tracks] == [1] for tracks in walk.tracks.values())
    assert len([time for time in walk.inferred if time > 5]) <= 25


def test_somebody_standing_who_vanishes_unseen_is_let_go() -> None:
    """Taken away between two frames, a stander is not claimed for long."""
    walk = Walk(lambda t: stander(t) if t < 10 else None).until(20)
    claimed = [
        time
        for time, tracks in walk.tracks.items()
        if time >= 10 and any(track.state == "confirmed" for track in tracks)
    ]
    assert len(claimed) <= 3
    assert walk.tracks[19.9] == []


def test_motion_that_is_never_anybody_is_asked_about_less_and_less() -> None:
    """A lamp that swings costs at most about a look a second in the end."""

    def lamp(time: float) -> Box:
        x = 300 + 60 * math.sin(4 * time)
        return (x, 100.0, x + 50, 160.0)

    walk = Walk(lamp)
    pipeline = walk.pipeline
    looks = []
    for number in range(200):
        time = number / 10
        frame = frame_at(time, lamp(time))
        look = pipeline.look(frame)
        pipeline.settle(frame, look, [] if look.crops else None)
        if look.crops:
            looks.append(time)
    assert 3 <= len([time for time in looks if time > 10]) <= 30


def test_detections_may_come_late() -> None:
    """Answers three frames late still give one track, where the person is now."""
    pipeline = CameraPipeline("lobby", SIZE, 10, INFO)
    flying: tuple[int, Frame, Look, list[Detection]] | None = None
    ids = set()
    for number in range(90):
        time = number / 10
        frame = frame_at(time, walker(time))
        if flying is not None and number - flying[0] == 3:
            pipeline.settle(*flying[1:])
            flying = None
        look = pipeline.look(frame)
        if look.crops and flying is None:
            answer = seen(pipeline.cut(frame, look), walker(time))
            flying = (number, frame, look, answer)
            continue
        tracks = pipeline.settle(frame, look, None)
        ids |= {track.id for track in tracks}
        if time > 4:
            assert overlap(tracks[0].box, walker(time)) > 0.5
    assert ids == {1}


def test_a_person_in_a_zone_is_one_occurrence() -> None:
    """Somebody who walks through gives one entry and one leave, and asking twice gives no more."""
    walk = Walk(walker, zones=[ZoneArea("hall", name="door")]).until(16)
    happened = walk.pipeline.occurrences()
    assert [(one.kind, one.place, one.label) for one in happened] == [
        ("entered", "hall", "person"),
        ("left", "hall", "person"),
    ]
    assert walk.pipeline.occurrences() == []


def test_private_places_stay_private_masked_parts_are_never_inferred() -> None:
    """Under a mask nothing moves, nobody is found, and crops show grey there."""
    mask = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    walk = Walk(lambda t: (100.0, 100.0, 150.0 + 10 * (t % 2), 250.0), masks=[mask]).until(3)
    assert all(tracks == [] for tracks in walk.tracks.values())
    frame = frame_at(0.0, stander(0))
    pipeline = CameraPipeline("lobby", SIZE, 10, INFO, masks=[mask])
    look = pipeline.look(frame)
    (crop,) = pipeline.cut(frame, look)
    assert crop.box == (0, 0, *SIZE)
    assert (crop.image[:, :316] == 114).all()
    assert crop.image[:, 324:].std() > 5


def test_nonsense_from_a_detector_is_left_out() -> None:
    """NaN, infinite and inside-out boxes make no track and raise nothing."""
    pipeline = CameraPipeline("lobby", SIZE, 10, INFO)
    nan = float("nan")
    bad = [
        Detection("person", 0.9, (nan, 0.0, 10.0, 10.0)),
        Detection("person", nan, (0.0, 0.0, 10.0, 10.0)),
        Detection("person", 0.9, (0.0, 0.0, float("inf"), 10.0)),
        Detection("person", 0.9, (50.0, 50.0, 10.0, 10.0)),
    ]
    for number in range(10):
        frame = frame_at(number / 10, None)
        look = pipeline.look(frame)
        assert pipeline.settle(frame, look, bad) == []


def test_boxes_outside_the_frame_are_cut_or_left_out_and_a_flood_is_bounded() -> None:
    """A box that reaches out is cut at the frame, one beside it is nobody, and 50 000 boxes, or
    scores that are none, neither raise nor become thousands of tracks."""
    pipeline = CameraPipeline("lobby", SIZE, 10, INFO)
    frame = frame_at(0.0, None)
    outside = [
        Detection("person", 0.9, (-50.0, 100.0, 60.0, 900.0)),
        Detection("person", 0.9, (900.0, 100.0, 960.0, 300.0)),
        Detection("person", 7.0, (200.0, 100.0, 260.0, 300.0)),
    ]
    (track,) = pipeline.settle(frame, pipeline.look(frame), outside)
    assert track.box == (0.0, 100.0, 60.0, 360.0)
    flood = [
        Detection("person", 0.9, (x % 640 / 2, x % 360 / 2, x % 640 / 2 + 40, x % 360 / 2 + 90))
        for x in range(50_000)
    ]
    frame = frame_at(0.1, None)
    assert len(pipeline.settle(frame, pipeline.look(frame), flood)) <= 200


def test_what_moves_along_with_somebody_is_theirs_and_a_second_person_is_not() -> None:
    """A shadow beside a walker asks for no look of its own; somebody else beside them does."""

    def moving(time: float) -> tuple[Box, Box]:
        x = 60 + 30 * time
        return (x, 120.0, x + 40, 260.0), (x + 44, 235.0, x + 110, 262.0)

    pipeline = CameraPipeline("lobby", SIZE, 10, INFO)
    looks = []
    for number in range(60):
        time = number / 10
        person, shadow = moving(time)
        frame = frame_with(time, person, shadow)
        look = pipeline.look(frame)
        found = seen(pipeline.cut(frame, look), person) if look.crops else None
        pipeline.settle(frame, look, found)
        looks += [time] * bool(look.crops)
    assert len([time for time in looks if time > 2]) <= 0.6 * 40
    second = (400.0, 100.0, 445.0, 240.0)
    time = 6.0
    crops: list[Box] = []
    while time < 7.0:
        frame = frame_with(time, *moving(time), second)
        look = pipeline.look(frame)
        crops += [tuple(float(v) for v in crop) for crop in look.crops]  # type: ignore[misc]
        pipeline.settle(frame, look, None)
        time += 0.1
    assert share_inside(second, crops) > 0.9


def test_a_change_of_somebodys_shape_is_looked_at_at_once() -> None:
    """One who has stood for long and falls is looked at within two frames."""

    def falls(time: float) -> Box:
        return stander(time) if time < 12 else (230.0, 220.0, 400.0, 262.0)

    walk = Walk(falls).until(12.5)
    assert any(12 <= time <= 12.2 for time in walk.inferred)


def test_somebody_cut_by_the_edge_of_a_crop_is_not_two_people() -> None:
    """In a large picture looked at in tiles, one person between two tiles is one track."""
    size = (1280, 720)
    person = (500.0, 200.0, 800.0, 700.0)
    pipeline = CameraPipeline("yard", size, 10, INFO)
    luma = np.full((720, 1280), 120, np.uint8)
    picture = av.VideoFrame.from_ndarray(luma, format="gray").reformat(format="yuv420p")
    frame = frame_from_av(picture, 0.0, 0)
    look = pipeline.look(frame)
    assert len(look.crops) == 3
    tracks = pipeline.settle(frame, look, seen(pipeline.cut(frame, look), person))
    assert [track.box for track in tracks] == [pytest.approx(person)]


def test_guessing_needs_no_pixels_and_says_so(tmp_path: Path) -> None:
    """A detector that looks at regions gets them without pixels; its events are marked."""
    pipeline = CameraPipeline("lobby", SIZE, 10, GUESS, [ZoneArea("hall")])
    found = None
    for number in range(60):
        time = number / 10
        frame = frame_at(time, walker(time))
        look = pipeline.look(frame)
        if look.crops:
            (crop,) = pipeline.cut(frame, look)
            assert crop.image.size == 0
            boxes = [tuple(float(v) for v in region) for region in crop.regions]
            found = [Detection("person", 0.45, box) for box in boxes]  # type: ignore[arg-type]
        pipeline.settle(frame, look, found if look.crops else None)
    entered = [one for one in pipeline.occurrences() if one.kind == "entered"]
    assert entered
    assert all(one.guessing for one in entered)
