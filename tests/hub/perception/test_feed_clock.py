"""Where a stream's own stamps lie on the camera's clock."""

from __future__ import annotations

import pytest

from hub.kinds.cameras import VideoSource
from hub.perception.feed import Feed
from hub.testing import FakeClock


def _feed(transport: str = "tcp") -> Feed:
    return Feed("gate", VideoSource("rtsp://192.0.2.1/x", transport), FakeClock())  # type: ignore[arg-type]


def test_what_was_held_back_while_opening_does_not_lie_in_the_future() -> None:
    """Half a second that is read in one go anchors the clock at the newest picture, for good."""
    feed = _feed()
    placed = [feed._place(number / 10, 50.0) for number in range(6)]
    assert max(placed) == 50.0
    later = feed._place(0.6, 50.1)
    assert later == 50.1
    assert feed._place(0.7, 50.2) == pytest.approx(50.2)


def test_time_never_goes_back_while_it_is_anchored() -> None:
    """Jitter on the way moves no picture behind the one before it."""
    feed = _feed()
    arrivals = [50.0, 50.3, 50.31, 50.32, 50.4, 50.55]
    placed = [feed._place(number / 10, now) for number, now in enumerate(arrivals)]
    assert placed == sorted(placed)
    assert all(time <= now for time, now in zip(placed, arrivals, strict=True))


def test_a_file_may_be_read_ahead_of_its_time() -> None:
    """Files are paced by their stamps, which therefore lie in the future when they are read."""
    feed = _feed("file")
    assert feed._place(0.0, 50.0) == 50.0
    assert feed._place(3.0, 50.0) == 53.0
