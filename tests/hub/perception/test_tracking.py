"""Tracks: one person is one track, from the first sight to the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from hub.kinds.detectors import Detection
from hub.perception.boxes import Box, overlap, overlaps
from hub.perception.tracking import Tracker, TrackRules, TrackState

SIZE = (640, 360)
WHOLE = (0.0, 0.0, 640.0, 360.0)


def person(x: float, y: float = 200.0, height: float = 120.0, score: float = 0.8) -> Detection:
    """Somebody whose box is centred there, a third as wide as tall."""
    half = height / 6
    return Detection("person", score, (x - half, y - height / 2, x + half, y + height / 2))


def follow(
    tracker: Tracker, path: Callable[[float], list[Detection]], until: float, step: float = 0.2
) -> Iterator[tuple[float, list[TrackState]]]:
    """Infer every frame; each frame's time and tracks."""
    for number in range(round(until / step) + 1):
        time = number * step
        tracker.settle(time, path(time), [WHOLE])
        yield time, tracker.tick(time)


def test_somebody_walking_is_one_track() -> None:
    """One id from start to end, with a box that stays on the person."""
    tracker = Tracker(SIZE)
    ids = set()
    for time, tracks in follow(tracker, lambda t: [person(50 + 80 * t)], 6):
        for track in tracks:
            ids.add(track.id)
            assert overlap(track.box, person(50 + 80 * time).box) > 0.7
    assert ids == {1}


def test_a_sure_detection_is_confirmed_at_once_and_a_faint_one_needs_more() -> None:
    """One look is enough at 0.8; at 0.55 two are needed, at 0.45 three, below 0.4 none help."""
    needed = {}
    for score in (0.8, 0.55, 0.45, 0.3):
        tracker = Tracker(SIZE)
        looks = list(follow(tracker, lambda t, score=score: [person(300, score=score)], 3))
        needed[score] = next((i + 1 for i, (_, tracks) in enumerate(looks) if tracks), None)
    assert needed == {0.8: 1, 0.55: 2, 0.45: 3, 0.3: None}


def test_a_flash_that_is_never_seen_again_is_never_reported() -> None:
    """A single unsure detection leaves no track behind."""
    tracker = Tracker(SIZE)
    for _, tracks in follow(tracker, lambda t: [person(300, score=0.55)] if t < 0.1 else [], 2):
        assert tracks == []
    assert tracker.tracks == []


def test_a_faint_detection_keeps_a_track_but_starts_none() -> None:
    """Second pass: at 0.3 a known person is still followed, by the same id."""
    tracker = Tracker(SIZE)
    scores = [0.8, 0.8, 0.3, 0.35, 0.8]
    seen = [
        tracks
        for _, tracks in follow(tracker, lambda t: [person(300, score=scores[round(t / 0.2)])], 0.8)
    ]
    assert [[track.id for track in tracks] for tracks in seen] == [[1]] * 5
    assert all(tracks[0].state == "confirmed" for tracks in seen)


def test_somebody_missed_is_coasting_and_comes_back_as_the_same_person() -> None:
    """A short occlusion changes the state, not the id."""
    tracker = Tracker(SIZE)
    states = {}
    for time, tracks in follow(
        tracker, lambda t: [] if 2 <= t <= 2.7 else [person(50 + 60 * t)], 5
    ):
        assert [track.id for track in tracks] == [1]
        states[round(time, 1)] = tracks[0].state
    assert states[1.8] == "confirmed"
    assert states[2.0] == states[2.6] == "coasting"
    assert states[2.8] == "confirmed"


def test_somebody_gone_is_removed() -> None:
    """Looked for and not found for longer than the patience, a track ends."""
    tracker = Tracker(SIZE)
    last = [tracks for _, tracks in follow(tracker, lambda t: [person(300)] if t < 1 else [], 4)]
    assert last[-1] == []


def test_a_standing_person_survives_while_nobody_looks() -> None:
    """Without inference nothing is forgotten: the id holds for minutes, then is confirmed again."""
    tracker = Tracker(SIZE)
    list(follow(tracker, lambda t: [person(300)], 1))
    held = [tracker.tick(1 + 0.2 * i) for i in range(1, 300)]
    assert all([track.id for track in tracks] == [1] for tracks in held)
    assert held[10][0].state == "confirmed"
    assert held[-1][0].state == "coasting"  # unseen for a minute: not claimed any more
    tracker.settle(61.2, [person(302)], [WHOLE])
    assert [(track.id, track.state) for track in tracker.tick(61.2)] == [(1, "confirmed")]


def test_looking_elsewhere_is_no_evidence_against_a_track() -> None:
    """An inference that did not cover a person says nothing about them."""
    tracker = Tracker(SIZE)
    list(follow(tracker, lambda t: [person(100)], 1))
    for number in range(20):
        tracker.settle(1.2 + number * 0.2, [], [(400.0, 0.0, 640.0, 360.0)])
    assert [track.state for track in tracker.tick(5.2)] == ["confirmed"]


def test_two_people_who_cross_keep_their_ids() -> None:
    """Motion tells them apart where boxes alone would not."""
    tracker = Tracker(SIZE)

    def path(time: float) -> list[Detection]:
        return [person(100 + 80 * time, 200), person(500 - 80 * time, 216)]

    tracks = [t for _, t in follow(tracker, path, 5)][-1]
    ends = {track.id: (track.box[0] + track.box[2]) / 2 for track in tracks}
    assert len(ends) == 2
    assert ends[1] == pytest.approx(500, abs=15)
    assert ends[2] == pytest.approx(100, abs=15)


def test_a_runner_whose_boxes_do_not_overlap_is_one_track() -> None:
    """At 5 frames a second somebody running leaves their own box between two frames."""
    tracker = Tracker(SIZE)
    path = [t for _, t in follow(tracker, lambda t: [person(40 + 240 * t)], 2)]
    assert {track.id for tracks in path for track in tracks} == {1}


def test_a_part_of_a_person_is_no_second_person() -> None:
    """An upper body found beside the whole one starts no track."""
    tracker = Tracker(SIZE)
    whole = person(300, height=200)
    x1, y1, x2, _ = whole.box
    part = Detection("person", 0.5, (x1 + 2, y1 + 2, x2 - 2, y1 + 90))
    tracks = [t for _, t in follow(tracker, lambda t: [whole, part], 2)][-1]
    assert [track.id for track in tracks] == [1]


def test_late_detections_move_a_track_without_breaking_it() -> None:
    """Found on an older frame while newer ones were settled, a walker stays one track in place."""
    tracker = Tracker(SIZE)
    for number in range(25):
        time = number * 0.2
        tracker.tick(time)
        if number >= 2:
            late = time - 0.4
            tracker.settle(late, [person(50 + 80 * late)], [WHOLE])
        tracks = tracker.states(time)
    assert [track.id for track in tracks] == [1]
    assert overlap(tracks[0].box, person(50 + 80 * 4.8).box) > 0.6


def test_an_answer_from_before_the_latest_moves_nothing_back() -> None:
    """Out of order, an older sighting leaves the newer place and speed as they were."""
    tracker = Tracker(SIZE)
    list(follow(tracker, lambda t: [person(50 + 80 * t)], 3))
    before = tracker.states(3.0)[0].box
    tracker.settle(2.5, [person(262)], [WHOLE])
    (track,) = tracker.states(3.0)
    assert (track.id, track.box) == (1, before)


def test_somebody_who_walks_out_of_the_picture_is_gone_soon() -> None:
    """Nobody is claimed in an empty picture once they have left over its edge."""
    tracker = Tracker(SIZE)
    empty_since = None
    for time, tracks in follow(tracker, lambda t: [person(500 + 80 * t)] if t < 1.8 else [], 3):
        assert not (time > 2 and any(track.state == "confirmed" for track in tracks))
        if not tracks and empty_since is None and time > 1:
            empty_since = time
    assert empty_since is not None
    assert empty_since < 2.5


def test_a_vehicle_called_by_several_names_is_one_track() -> None:
    """Car, truck and bus are one group; the label is the one most often heard."""
    tracker = Tracker(SIZE)
    names = ["car", "truck", "car", "car"]
    box = (100.0, 100.0, 260.0, 200.0)
    path = list(follow(tracker, lambda t: [Detection(names[round(t / 0.2)], 0.8, box)], 0.6))
    assert [(track.id, track.label) for track in path[-1][1]] == [(1, "car")]


def test_boxes_are_clipped_and_ages_count_frames() -> None:
    """Reported boxes lie inside the picture; age grows by one a frame."""
    tracker = Tracker(SIZE)
    ages = []
    for _, tracks in follow(tracker, lambda t: [person(5, y=340)], 1):
        x1, y1, x2, y2 = tracks[0].box
        assert 0 <= x1 < x2 <= SIZE[0]
        assert 0 <= y1 < y2 <= SIZE[1]
        ages.append(tracks[0].age)
    assert ages == list(range(1, len(ages) + 1))


def test_detections_in_any_order_give_the_same_tracks() -> None:
    """Nothing depends on the order in which a detector lists what it found."""

    def run(turn: int) -> list[TrackState]:
        tracker = Tracker(SIZE, TrackRules())
        path = [person(100), person(250), person(400, height=90)]
        for number in range(10):
            found = [Detection(p.label, p.score, _moved(p.box, 5 * number)) for p in path]
            tracker.settle(number * 0.2, found[turn:] + found[:turn], [WHOLE])
        return tracker.tick(1.8)

    boxes = [sorted(track.box for track in run(turn)) for turn in range(3)]
    assert boxes[0] == boxes[1] == boxes[2]


def _moved(box: Box, x: float) -> Box:
    return box[0] + x, box[1], box[2] + x, box[3]


def test_overlap_of_boxes_is_intersection_over_union() -> None:
    """Known pairs: the same, half, apart, touching."""
    first = np.array([[0.0, 0.0, 10.0, 10.0]])
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [10, 0, 20, 10]], float)
    assert overlaps(first, second)[0] == pytest.approx([1.0, 1 / 3, 0.0, 0.0])
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
