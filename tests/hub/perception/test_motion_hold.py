"""Who was seen to walk and is told no longer stays in view for four seconds; nobody else does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.perception import motion_grid as G
from hub.perception import motion_hold, motion_leaves, motion_numpy_hold, motion_numpy_leaves
from hub.perception.motion import GateResult, MotionGate
from tests.hub.perception.test_motion import covered, settled, shown
from tests.hub.perception.test_motion_twin import assert_same, both

FPS = 5
FIELD = np.zeros((G.PLANES, G.cut(640, 360).cells), np.float32)
Box = tuple[int, int, int, int]
Walks = NDArray[np.float64]


def at(x: int, y: int = 120) -> Box:
    """Somebody's box."""
    return (x, y, x + 32, y + 80)


def watch(
    gate: MotionGate, scene: NDArray[np.float32], boxes: list[Box | None]
) -> list[GateResult]:
    """What the gate says, look after look, of somebody in these places."""
    said = []
    for box in boxes:
        frame = scene.copy()
        if box is not None:
            frame[box[1] : box[3], box[0] : box[2]] = 20
        said.append(gate.update(shown(frame)))
    return said


@pytest.mark.parametrize("fps", [5, 10])
def test_who_walked_and_is_told_no_longer_is_held_for_four_seconds_by_the_clock(fps: int) -> None:
    """Where they were last is looked at, though nothing triggers; then it is not."""
    gate, scene = settled()
    gate._nominal = 1.0 / fps
    said = watch(gate, scene, [*(at(200 + 16 * k) for k in range(6)), *[None] * (5 * fps)])
    assert all(result.reason == "motion" for result in said[:6])
    for result in said[6 : 6 + 4 * fps]:
        assert (result.triggered, result.reason) == (False, "held")
        assert covered(result, at(280)) >= 0.9
    assert [result.reason for result in said[6 + 4 * fps :]] == ["none"] * fps


def test_who_walks_on_leaves_nothing_held_behind() -> None:
    """Every region of a look touches the walker of that look."""
    gate, scene = settled()
    places = [at(60 + 24 * k) for k in range(20)]
    for box, result in zip(places, watch(gate, scene, [*places]), strict=True):
        assert result.reason == "motion"
        assert len(result.regions) == 1
        assert covered(result, box) >= 0.9
        assert gate._found[G.TOLD] == 1


def test_who_leaves_at_an_edge_is_not_held() -> None:
    """Nothing is asked for where somebody walked out of the picture."""
    gate, scene = settled()
    said = watch(gate, scene, [*(at(600 + 12 * k) for k in range(4)), *[None] * 3])
    assert [result.reason for result in said] == ["motion"] * 4 + ["none"] * 3


@pytest.mark.parametrize("looks", [1, 2, 12])
def test_what_does_not_travel_is_not_held(looks: int) -> None:
    """A lamp that blinks, or a drop, is gone when it is gone."""
    gate, scene = settled()
    said = watch(gate, scene, [*[at(200)] * looks, *[None] * 3])
    assert said[0].reason == "motion"
    assert "held" not in {result.reason for result in said}


def test_another_scene_and_another_mask_end_every_hold() -> None:
    """Nobody is looked for where they were in a picture, or a part of it, that is gone."""
    walk: list[Box | None] = [at(200 + 16 * k) for k in range(6)]
    gate, scene = settled()
    assert watch(gate, scene, [*walk, None])[-1].reason == "held"
    assert gate.update(shown(scene[::-1])).reason == "scene_change"
    assert gate._found[G.WALKING] == 0
    gate, scene = settled()
    assert watch(gate, scene, [*walk, None])[-1].reason == "held"
    masked = np.ones((360, 640), np.uint8)
    masked[:, 200:400] = 0
    assert gate.update(shown(scene), mask=masked).reason == "none"


@pytest.mark.parametrize("sways", [False, True])
def test_a_drop_beside_somebody_does_not_go_on_with_their_walk(sways: bool) -> None:
    """What is more than four times smaller is none of them, unless leaves may hide the rest."""
    shape, walks = G.cut(640, 360).shape, np.zeros((2, G.MAX_REGIONS, G.WALK))
    found = np.zeros(G.FOUND)
    found[G.SWAY] = 0.5 if sways else 0.0
    boxes = np.zeros((G.MAX_REGIONS + 1, 4), np.int32)
    for k in range(4):
        boxes[0] = at(200 + 16 * k)
        assert motion_hold.hold(shape, 0.2, FIELD, boxes, 1, walks, found) == 1
    boxes[0] = (260, 120, 276, 144)
    many = motion_hold.hold(shape, 0.2, FIELD, boxes, 1, walks, found)
    assert many == (1 if sways else 2)
    assert sways or boxes[1].tolist() == list(at(248))


def test_a_held_region_stands_beside_what_moves_elsewhere() -> None:
    """Then the look is one of motion, and shows both."""
    gate, scene = settled()
    watch(gate, scene, [at(200 + 16 * k) for k in range(6)])
    frame = scene.copy()
    frame[60:140, 480:520] = 20
    result = gate.update(shown(frame))
    assert (result.triggered, result.reason) == (True, "motion")
    assert covered(result, at(280)) >= 0.9
    assert covered(result, (480, 60, 520, 140)) >= 0.9


def test_twins_hold_the_same() -> None:
    """Somebody who walks, hides, comes back and walks on is held alike, to the last bit."""
    ours, twin = both(320, 180)
    ground = np.random.default_rng(2).normal(120, 2, (180, 320))
    held = 0
    for i in range(60):
        frame = ground.copy()
        if i > 8 and i % 11 < 7:
            x = 20 + 9 * (i % 28)
            frame[60:120, x : x + 24] = 30
        assert_same(ours, twin, frame.astype(np.uint8), i / FPS)
        many = int(ours._found[G.WALKING])
        np.testing.assert_array_equal(
            ours._arrays[-1][0, :many, :8], twin._arrays[-1][0, :many, :8]
        )
        held += many > ours._found[G.TOLD]
    assert held


BOXES = st.tuples(st.integers(0, 50), st.integers(0, 30), st.integers(1, 20), st.integers(1, 14))
LOOKS = st.lists(st.lists(BOXES, max_size=70), min_size=2, max_size=8)


@settings(max_examples=40, deadline=None)
@given(looks=LOOKS, dt=st.sampled_from([0.0, 0.2, 0.4]), sways=st.booleans())
def test_however_many_regions_there_are_both_kernels_hold_the_same(
    looks: list[list[tuple[int, int, int, int]]], dt: float, sways: bool
) -> None:
    """Never more of them than there is room for, beneath leaves or not; mistakes alike as well."""
    shape = G.cut(640, 360).shape
    ours, twin = np.zeros((2, 2, G.MAX_REGIONS, G.WALK))
    found, other = np.zeros((2, G.FOUND))
    for row in (found, other):
        row[G.SWAY] = 0.5 * sways
    for look in looks:
        rows = [[8 * x, 8 * y, 8 * (x + w), 8 * (y + h)] for x, y, w, h in look[: G.MAX_REGIONS]]
        boxes = np.zeros((G.MAX_REGIONS + 1, 4), np.int32)
        boxes[: len(rows)] = np.array(rows, np.int32).reshape(-1, 4)
        count = motion_hold.hold(shape, dt, FIELD, boxes, len(rows), ours, found)
        motion_leaves.count_mistakes(shape, dt, ours[0], found)
        held = motion_numpy_hold.hold(shape, dt, FIELD, rows, G.MAX_REGIONS, twin, other)
        motion_numpy_leaves.count_mistakes(shape, dt, twin[0], other)
        assert boxes[len(rows) : count].tolist() == held
        assert found[G.WALKING] == other[G.WALKING] <= G.MAX_REGIONS
        assert found[G.MISTAKEN] == other[G.MISTAKEN]
