"""Trackers to compare: the hub's own, and published ones that pip can install.

ByteTrack (Zhang et al. 2022) and OC-SORT (Cao et al. 2023) as the package `trackers` has them. It
is no dependency of the hub; it comes with the dependency group "tracks".
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hub.bench.tracks_score import Tracked
from hub.kinds.detectors import Detection
from hub.perception.track import SHOWN_AHEAD
from hub.perception.tracking import Tracker

MISSING = (
    "TrackEval and trackers are needed here: pip install trackeval trackers (dependency group "
    "tracks); they bring their own OpenCV, so an environment of its own is best"
)
Follow = Callable[[float, Sequence[Detection]], list[Tracked]]
Make = Callable[[tuple[int, int], float], Follow]


def ours(size: tuple[int, int], looks: float) -> Follow:
    """The hub's tracker, every look covering the whole picture.

    Tracks are what it reports, for as long as it carries their boxes on: 0.6 s unseen.
    """
    return _own(size, SHOWN_AHEAD + 1e-6)


def ours_found(size: tuple[int, int], looks: float) -> Follow:
    """The same, without the tracks that are only carried on by prediction."""
    return _own(size, 0.0)


def _own(size: tuple[int, int], unseen: float) -> Follow:
    tracker = Tracker(size)
    whole = (0.0, 0.0, float(size[0]), float(size[1]))
    seen: dict[int, float] = {}

    def follow(time: float, found: Sequence[Detection]) -> list[Tracked]:
        tracker.settle(time, list(found), [whole])
        tracks = tracker.tick(time)
        seen.update({track.id: time for track in tracks if track.state == "confirmed"})
        return [(t.id, t.box) for t in tracks if time - seen.get(t.id, -1e9) <= unseen]

    return follow


def makers() -> dict[str, Make] | None:
    """Everybody who is compared, by name; None where the published ones are not installed.

    The tuned settings did best, by IDF1, of those tried on seeds that are not the default ones.
    """
    rivals = {
        "rival": published("ByteTrackTracker"),
        "rival_tuned": published(
            "ByteTrackTracker",
            track_activation_threshold=0.6,
            high_conf_det_threshold=0.5,
            lost_track_buffer=60,
        ),
        "oc_sort": published("OCSORTTracker", high_conf_det_threshold=0.3, lost_track_buffer=60),
    }
    found = {name: make for name, make in rivals.items() if make is not None}
    return {"ours": ours, "ours_found": ours_found, **found} if found else None


def published(name: str, **settings: float) -> Make | None:
    """A tracker of the package `trackers`, or None where that is not installed."""
    try:
        package: Any = importlib.import_module("trackers")
        boxes: Any = importlib.import_module("supervision").Detections
    except ImportError:
        return None

    def make(size: tuple[int, int], looks: float) -> Follow:
        tracker = getattr(package, name)(frame_rate=looks, **settings)

        def follow(time: float, found: Sequence[Detection]) -> list[Tracked]:
            given = boxes(
                xyxy=np.array([one.box for one in found], float).reshape(-1, 4),
                confidence=np.array([one.score for one in found], float),
                class_id=np.zeros(len(found), int),
            )
            told = tracker.update(given)
            return [
                (int(number), tuple(map(float, box)))  # type: ignore[misc]
                for number, box in zip(told.tracker_id, told.xyxy, strict=True)
                if number >= 0
            ]

        return follow

    return make
