"""The empty place of somebody whom the background shows is no mover for long; people are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.perception import motion_boxes, motion_numpy_boxes
from hub.perception import motion_grid as G
from hub.perception.motion import MotionGate
from tests.hub.perception.test_motion import covered, settled, shown
from tests.hub.perception.test_motion_twin import assert_same, both

FPS = 5
STOOD = (300, 120, 348, 240)


def painted(picture: np.ndarray, box: tuple[int, int, int, int], grey: float) -> np.ndarray:
    """A copy of a picture with something of one grey in a box."""
    copy = picture.copy()
    copy[box[1] : box[3], box[0] : box[2]] = grey
    return copy


def adopted(frame: np.ndarray) -> MotionGate:
    """A gate that took this for its background, whoever stands in it."""
    gate = MotionGate(640, 360, FPS)
    for _ in range(4 * FPS):
        gate.update(shown(frame))
    return gate


@pytest.mark.parametrize("grey", [20.0, 240.0])
def test_the_place_of_somebody_who_was_background_is_empty_within_two_seconds(grey: float) -> None:
    """They leave it in one direction; it is told for a moment, then neither told nor held."""
    _, scene = settled()
    gate = adopted(painted(scene, STOOD, grey))
    said = []
    for k in range(3 * FPS):
        box = (STOOD[0] + 24 * k, STOOD[1], STOOD[2] + 24 * k, STOOD[3])
        said.append(gate.update(shown(painted(scene, box, grey))))
    assert covered(said[2], STOOD) > 0.9
    assert covered(said[2 * FPS], STOOD) == 0.0
    assert {result.reason for result in said[2 * FPS + 5 :]} <= {"none", "scan"}


@pytest.mark.parametrize("grey", [20.0, 240.0])
def test_somebody_who_stands_on_calm_ground_is_no_empty_place(grey: float) -> None:
    """Their rim shows now, and not in the background: they are told for as long as ever."""
    gate, scene = settled()
    frame = shown(painted(scene, STOOD, grey))
    said = [gate.update(frame) for _ in range(10 * FPS)]
    assert all(covered(result, STOOD) > 0.9 for result in said[1:])


def test_somebody_who_fills_a_dark_doorway_is_told_for_as_long_as_ever() -> None:
    """The door shows in the background, they look like the wall: long after the start that is no
    empty place.
    """
    _, scene = settled()
    gate = MotionGate(640, 360, FPS)
    door = painted(scene, STOOD, 20.0)
    for _ in range(17 * FPS):
        gate.update(shown(door))
    frame = shown(scene)
    said = [gate.update(frame) for _ in range(10 * FPS)]
    assert all(covered(result, STOOD) > 0.9 for result in said[1:])


def test_the_twins_agree_on_an_empty_place() -> None:
    """Rim by rim, to the last bit, and in what is held of who left it."""
    _, scene = settled()
    ours, twin = both(640, 360)
    for i in range(40):
        x = STOOD[0] + 24 * max(0, i - 15)
        box = (min(x, 700), STOOD[1], min(x + 48, 748), STOOD[3])
        assert_same(ours, twin, shown(painted(scene, box, 20)), i / FPS)
    assert not ours._field[G.FRONT].any()


CELLS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 30)), min_size=1, max_size=400, unique=True
)


@settings(max_examples=40, deadline=None)
@given(places=CELLS)
def test_what_sticks_out_of_somebody_near_is_a_fiftieth_on_a_side_at_most(
    places: list[tuple[int, int]],
) -> None:
    """Both kernels leave out the same lines and columns, and no more of the cells than that."""
    pitch = 48
    cells = [y * pitch + x for x, y in places]
    mover, ratio = np.array(cells), np.ones(40 * pitch, np.float32)
    across = (np.arange(ratio.size) % pitch).astype(np.float32)
    xs, ys = mover % pitch, mover // pitch
    whole = (mover.min(), mover.max(), xs.min(), xs.max())
    room = np.zeros((ratio.size // 2, 2), np.int64)
    one = np.float32(1)
    top, low, left, right = motion_boxes.near_span(
        mover, mover.size, whole, ratio, one, across, pitch, room
    )
    inside = (xs >= left) & (xs <= right), (ys >= top // pitch) & (ys <= low // pitch)
    for side in inside:
        assert np.count_nonzero(~side) <= 2 * G.STICKS_OUT * mover.size
    assert motion_numpy_boxes.near_part(cells, pitch) == [top + left, low + right]
