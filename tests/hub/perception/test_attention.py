"""What a camera's next look is spent on: nobody new is missed, and nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hub.kinds.detectors import Detection
from hub.perception.attention import Attention
from hub.perception.boxes import Box, share_inside
from hub.perception.crops import CropPlan
from hub.perception.motion import NOWHERE, GateResult
from hub.perception.track import Track

SIZE, SIDES, STEP = (640, 360), (192, 256, 320, 416), 0.2
Shows = Callable[[float], list[Box]]


def gate_of(moving: NDArray[np.int32]) -> GateResult:
    """What a gate says where `moving` are its regions."""
    moved = len(moving) > 0
    return GateResult(moved, "motion" if moved else "none", moving, "watching")


class Camera:
    """Five looks a second at a scripted scene; whoever a crop shows is found in it."""

    def __init__(self, moves: Shows, people: Shows, label: str = "person") -> None:
        self.attention = Attention(SIZE, SIDES)
        self.moves, self.people, self.label = moves, people, label
        self.tracks: list[Track] = []
        self.now = 0.0
        self.looks: list[tuple[float, CropPlan]] = []

    def until(self, end: float) -> Camera:
        while self.now < end - 1e-6:
            self._look()
            self.now = round(self.now + STEP, 3)
        return self

    def for_motion(self, after: float) -> list[float]:
        """When something was looked at for nothing but that it moves."""
        return [at for at, crop in self.looks if at > after and crop.reasons == {"motion"}]

    def _look(self) -> None:
        moving = np.array(self.moves(self.now), np.int32).reshape(-1, 4)
        gate = GateResult(
            bool(len(moving)), "motion" if len(moving) else "none", moving, "watching"
        )
        crops = self.attention.choose(self.now, gate, self.tracks)
        self.looks += [(self.now, crop) for crop in crops]
        if not crops:
            return
        areas = [crop.box for crop in crops]
        self.attention.expect(self.now, self.tracks)
        found = [box for box in self.people(self.now) if share_inside(box, areas) > 0.9]
        for box in found:
            self._meet(box)
        self.attention.looked(self.now, areas, moving, found, self.tracks)

    def _meet(self, box: Box) -> None:
        find = Detection(self.label, 0.9, box)
        for track in self.tracks:
            if share_inside(box, [track.at(self.now)]) > 0.5:
                track.meet(find, self.now)
                return
        self.tracks.append(Track(find, self.now))


STANDING = (300.0, 100.0, 340.0, 200.0)


def walking(now: float) -> Box:
    """Somebody who crosses the picture."""
    return (60 + 30 * now, 100.0, 100 + 30 * now, 200.0)


def mirrored(now: float) -> Box:
    """A walker with what a polished floor shows of them."""
    x1, y1, x2, y2 = walking(now)
    return (x1, y1, x2, y2 + 118)


def test_a_reflection_stays_theirs_although_their_own_crops_do_not_show_it() -> None:
    """What moves below a walker's feet is looked at now and then, and not at every other look."""
    camera = Camera(lambda now: [mirrored(now)], lambda now: [walking(now)]).until(12.0)
    assert camera.tracks[0].hits > 10
    assert 1 <= len(camera.for_motion(after=2.0)) <= 8


def test_where_only_what_is_well_known_is_found_the_next_look_waits() -> None:
    """Light that moves along with a car is asked about twice a second at most, though the car is
    found in it every time."""

    def car(now: float) -> Box:
        return (150 + 20 * now, 200.0, 250 + 20 * now, 250.0)

    def light(now: float) -> Box:
        x1, y1, x2, y2 = car(now)
        return (x1 - 130, y1 - 4, x2 + 130, y2 + 4)

    camera = Camera(lambda now: [light(now)], lambda now: [car(now)], "car").until(12.0)
    assert camera.tracks[0].hits > 10
    assert 1 <= len(camera.for_motion(after=2.0)) <= 20


def test_a_look_that_shows_a_part_was_none_at_the_rest() -> None:
    """A door moves behind somebody who stands and is looked at again and again; who comes through
    it, beside their crops, is found within a second and a half, whenever that is."""
    door = (290.0, 60.0, 420.0, 210.0)
    for comes in (10.0, 10.4, 10.8, 11.2):

        def people(now: float, comes: float = comes) -> list[Box]:
            return [STANDING, (375.0, 80.0, 405.0, 180.0)] if now >= comes else [STANDING]

        camera = Camera(lambda now: [door], people).until(comes)
        assert len(camera.tracks) == 1
        assert len(camera.until(comes + 1.6).tracks) == 2


def test_who_sets_off_is_looked_at_soon_although_their_crop_did_not_show_all_that_moves() -> None:
    """Somebody stands with a swaying shadow that reaches out of their crops; when they walk off,
    the next look comes within 0.4 seconds, whenever that is."""
    for off in (10.0, 10.2, 10.4, 10.6, 10.8):

        def person(now: float, off: float = off) -> Box:
            gone = 90 * max(0.0, now - off)
            return (300 + gone, 100.0, 340 + gone, 200.0)

        def moves(now: float, person: Callable[[float], Box] = person) -> Box:
            return (180.0, 90.0, person(now)[2] + 8, 215.0)

        camera = Camera(lambda now: [moves(now)], lambda now: [person(now)]).until(off + 1.0)
        assert camera.tracks[0].hits > 8
        assert min(at for at, _ in camera.looks if at > off + 0.15) <= off + 0.41


def test_what_two_crops_of_one_look_show_was_looked_at_once() -> None:
    """A leaf in both of two crops is asked about again as soon as after a look with one of them."""
    leaf = gate_of(np.array([[290, 100, 330, 150]], np.int32))
    one, other = (200, 50, 400, 250), (250, 60, 450, 260)
    for crops in ([one], [one, other]):
        attention = Attention(SIZE, SIDES)
        attention.choose(0.0, gate_of(NOWHERE), [])
        attention.looked(1.2, [(0, 0, *SIZE)], NOWHERE, [], [])
        assert attention.choose(2.0, leaf, [])
        attention.looked(2.0, crops, leaf.regions, [], [])
        assert not attention.choose(2.2, leaf, [])
        assert attention.choose(2.3, leaf, [])


def missed(label: str) -> Track:
    """Something found five times in a row, and then missed at 1.0."""
    track = Track(Detection(label, 0.9, STANDING), 0.0)
    for number in range(1, 5):
        track.meet(Detection(label, 0.9, STANDING), number * STEP)
    track.miss(1.0)
    return track


def test_a_person_who_was_missed_is_looked_for_at_once_and_a_thing_later() -> None:
    """A parked car that a look did not find is asked about again after 0.45 seconds, not at once;
    a person on the next turn."""
    still = gate_of(NOWHERE)
    for label, soon in (("person", True), ("car", False)):
        attention = Attention(SIZE, SIDES)
        attention.looked(0.0, [(0, 0, *SIZE)], still.regions, [], [])
        attention.choose(0.0, still, [])
        attention.looked(1.2, [(0, 0, *SIZE)], still.regions, [], [])
        track = missed(label)
        assert bool(attention.choose(1.2, still, [track])) is soon
        (crop,) = attention.choose(1.6, still, [track])
        assert crop.reasons == {"missed"}
