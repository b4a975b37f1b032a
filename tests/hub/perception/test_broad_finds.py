"""Of a broad shape that goes about more is asked before it is told of: it may be an animal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.kinds.detectors import Detection
from hub.perception.boxes import Box
from hub.perception.tracking import Tracker

SIZE = (640, 360)
WHOLE = (0.0, 0.0, 640.0, 360.0)
STEP = 0.2  # seconds between two looks
Path = Callable[[float], Detection]


def found(x: float, score: float, wide: float = 60.0, high: float = 60.0) -> Detection:
    """A person, says the detector, whose feet are in the middle of the picture."""
    return Detection("person", score, (x - wide / 2, 200 - high, x + wide / 2, 200))


def told_at(path: Path, looks: int = 20) -> int | None:
    """The number of the look after which somebody is told of; None where nobody ever is."""
    tracker = Tracker(SIZE)
    for number in range(looks):
        time = number * STEP
        tracker.settle(time, [path(time)], [WHOLE])
        if tracker.tick(time):
            return number + 1
    return None


def test_a_broad_shape_that_trots_by_is_told_of_late_or_never() -> None:
    """What goes about and is as broad as tall, found unsurely, waits for many finds."""
    assert told_at(lambda t: found(60 + 100 * t, 0.62), looks=11) is None
    assert told_at(lambda t: found(60 + 100 * t, 0.62, wide=24)) == 2


def test_somebody_broad_who_is_found_again_and_again_is_told_of_in_the_end() -> None:
    """After 2.2 seconds the finds are enough for anybody: nobody who is seen stays unseen."""
    assert told_at(lambda t: found(60 + 100 * t, 0.5)) == 12


@pytest.mark.parametrize(("score", "looks"), [(0.8, 1), (0.75, 3), (0.7, 3)])
def test_somebody_broad_who_is_found_surely_is_told_of_soon(score: float, looks: int) -> None:
    """One find of 0.8, or three of 0.7: who crawls or rolls by in a chair is not held back long."""
    assert told_at(lambda t: found(60 + 100 * t, score)) == looks


def test_somebody_who_sits_or_lies_is_told_of_where_they_stay() -> None:
    """0.8 seconds in one place are enough for who sits, and who lies is no broad shape at all."""
    sits = told_at(lambda t: found(300, 0.5, wide=50, high=70))
    lies = told_at(lambda t: found(300, 0.5, wide=140, high=50))
    assert (sits, lies) == (5, 3)


@pytest.mark.parametrize("box", [(0, 100, 90, 200), (550, 100, 640, 200), (200, 270, 300, 360)])
def test_of_whom_the_picture_shows_a_part_is_told_as_of_anybody(box: Box) -> None:
    """At an edge of the picture the shape says nothing about who it is."""
    assert told_at(lambda t: Detection("person", 0.6, box)) == 2


def test_somebody_known_stays_known_when_they_fall() -> None:
    """Once told of, the shape is not asked about again: a fall is never lost for being broad."""
    tracker = Tracker(SIZE)
    told = []
    for number in range(15):
        time = number * STEP
        lying = min(1.0, max(0.0, (time - 1) / 0.8))
        one = found(200 + 20 * time, 0.6, wide=30 + 60 * lying, high=90 - 60 * lying)
        tracker.settle(time, [one], [WHOLE])
        told.append([track.id for track in tracker.tick(time)])
    assert told == [[]] + [[1]] * 14


def test_a_vehicle_is_not_asked_for_more() -> None:
    """Cars are broad: the rule is about people alone."""
    assert told_at(lambda t: Detection("car", 0.6, (60 + 40 * t, 100, 180 + 40 * t, 160))) == 2
