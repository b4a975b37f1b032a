"""Zones: who came into a part of the picture and who left it, said once each.

A thing is where it stands: the middle of its box's lower edge. It has entered after it stood inside
for a while and left after it was outside, or lost, for longer; so a box that trembles on the line
says nothing. Who was first found inside has crossed no line that was seen, and only has to be
believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hub.perception.boxes import Box
from hub.perception.tracking import TrackState

Polygon = Sequence[tuple[float, float]]

_BELIEVED = 3  # finds

WHOLE: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True, slots=True)
class ZoneArea:
    """A polygon in a camera's picture, corners as fractions of its width and height."""

    place: str
    polygon: Polygon = WHOLE
    name: str = ""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something entered or left a zone. `box` is in source pixels, `time` on the camera's clock."""

    kind: Literal["entered", "left"]
    camera: str
    place: str
    zone: str
    track: int
    label: str
    score: float
    box: Box
    time: float
    guessing: bool = False


def contains(polygon: Polygon, x: float, y: float) -> bool:
    """Whether a point is inside, by the even-odd rule; points on a lower or left edge are."""
    inside = False
    before_x, before_y = polygon[-1]
    for corner_x, corner_y in polygon:
        if (corner_y > y) != (before_y > y):
            crossing = corner_x + (y - corner_y) / (before_y - corner_y) * (before_x - corner_x)
            if x < crossing:
                inside = not inside
        before_x, before_y = corner_x, corner_y
    return inside


@dataclass(slots=True)
class _Stay:
    """One track and one zone: whether it is inside, since when the opposite has been seen.

    `appeared` is true for who was first found inside, until seen outside.
    """

    inside: bool = False
    changing: float | None = None
    appeared: bool = False
    last: TrackState | None = None


class ZoneWatch:
    """Watches the zones of one camera of `size` (width, height) pixels."""

    def __init__(
        self,
        camera: str,
        zones: Iterable[ZoneArea],
        size: tuple[int, int],
        guessing: bool = False,
        enter_after: float = 0.35,
        appear_after: float = 0.19,
        leave_after: float = 1.5,
    ) -> None:
        self._camera = camera
        self._zones = tuple(zones)
        self._size = size
        self._guessing = guessing
        self._enter_after = enter_after
        self._appear_after = appear_after
        self._leave_after = leave_after
        self._stays: dict[tuple[int, int], _Stay] = {}

    def watch(self, time: float, tracks: Sequence[TrackState]) -> list[Occurrence]:
        """What happened by `time`, given every track of the frame; frames come in order."""
        happened: list[Occurrence] = []
        seen = {track.id: track for track in tracks}
        for track in tracks:
            for number in range(len(self._zones)):
                stay = self._stays.get((track.id, number)) or self._met(track, number)
                if track.state == "confirmed":
                    stay.last = track
                    inside = self._stands_in(track.box, self._zones[number])
                    happened += self._change(number, stay, inside, time)
        for (track_id, number), stay in list(self._stays.items()):
            if track_id in seen:
                continue
            happened += self._change(number, stay, False, time)
            if not stay.inside:
                del self._stays[track_id, number]
        return happened

    def _met(self, track: TrackState, number: int) -> _Stay:
        """Somebody new. The time that it took to believe in them counts, if they stood inside."""
        stay = self._stays[track.id, number] = _Stay()
        if track.first is not None and self._stands_in(track.first, self._zones[number]):
            stay.changing, stay.appeared = track.born, True
        return stay

    def _change(self, number: int, stay: _Stay, inside: bool, time: float) -> list[Occurrence]:
        if inside == stay.inside:
            stay.changing, stay.appeared = None, False
            return []
        if stay.changing is None:
            stay.changing = time
        wait = self._enter_after if inside else self._leave_after
        if inside and stay.appeared and stay.last is not None and stay.last.hits >= _BELIEVED:
            wait = self._appear_after
        if time - stay.changing < wait or stay.last is None:
            return []
        stay.inside, stay.changing = inside, None
        zone, track = self._zones[number], stay.last
        return [
            Occurrence(
                kind="entered" if inside else "left",
                camera=self._camera,
                place=zone.place,
                zone=zone.name,
                track=track.id,
                label=track.label,
                score=track.score,
                box=track.box,
                time=time,
                guessing=self._guessing,
            )
        ]

    def _stands_in(self, box: Box, zone: ZoneArea) -> bool:
        x1, _, x2, y2 = box
        width, height = self._size
        # a box that reaches the lower edge of the picture still stands inside it
        foot = min(y2 / height, 0.999)
        return contains(zone.polygon, min((x1 + x2) / 2 / width, 0.999), foot)
