"""Who is worth a look at the very next picture: somebody new, and what the last look half saw.

A camera sends more pictures than are looked at. Whether a find is somebody takes a few looks, and
so does a find too faint to count; made on the pictures that come next, they cost the same and tell
sooner. They happen between the looks that are due anyway, and only for a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.kinds.detectors import Detection
from hub.perception.boxes import Box, overlap, share_inside
from hub.perception.track import Track

_NEW = 0.35  # seconds for which somebody is new
_APART = 0.06  # seconds between two looks at somebody new
_BELIEVED = 3  # finds from which no more haste is needed
_FAINT = 0.15  # the least score of a find that is worth another look
_TRIES = 1  # looks in a row for a faint find; then it waits for the camera's turn
_KNOWN = 0.5  # share of a faint find from which it is theirs who is followed already


@dataclass(frozen=True, slots=True)
class _Hint:
    """Where something was found too faintly to count, and how many looks in a row it has had."""

    box: Box
    tries: int


class Newcomers:
    """What one camera is in a hurry about. Times are seconds, boxes x1, y1, x2, y2 in pixels."""

    def __init__(self) -> None:
        self._hints: list[_Hint] = []
        self._taken: list[_Hint] = []

    def take(self) -> list[Box]:
        """Where the last look half saw somebody, to be looked at now; said once, whether an answer
        comes or not.
        """
        self._taken, self._hints = self._hints, []
        return [hint.box for hint in self._taken]

    def hurry(self, time: float, tracks: Sequence[Track]) -> bool:
        """Whether the picture of `time` is worth more than the next one that is due anyway."""
        return bool(self._hints) or any(_is_new(track, time) for track in tracks)

    def due(self, time: float, tracks: Sequence[Track]) -> list[Track]:
        """Who is to be looked at on the picture of `time`, before the camera's turn."""
        return [
            track
            for track in tracks
            if _is_new(track, time) and track.hits < _BELIEVED and time - track.checked >= _APART
        ]

    def looked(
        self, time: float, found: Sequence[Detection], sure: float, tracks: Sequence[Track]
    ) -> None:
        """Remember which finds below the score `sure` may be somebody; `tracks` are those after."""
        before, self._taken, self._hints = self._taken, [], []
        known = [_around(track.at(time)) for track in tracks]
        for one in found:
            if one.label != "person" or not _FAINT <= one.score < sure:
                continue
            if any(share_inside(one.box, [box]) > _KNOWN for box in known):
                continue
            tried = [hint.tries for hint in before if overlap(hint.box, one.box) > 0.1]
            if (tries := 1 + max(tried, default=0)) <= _TRIES:
                self._hints.append(_Hint(one.box, tries))


def _is_new(track: Track, time: float) -> bool:
    """Whether somebody was first found just now, and not missed since. Things can wait."""
    return track.label == "person" and not track.misses and time - track.born < _NEW


def _around(box: Box) -> Box:
    x1, y1, x2, y2 = box
    across, down = 0.1 * (x2 - x1), 0.1 * (y2 - y1)
    return x1 - across, y1 - down, x2 + across, y2 + down
