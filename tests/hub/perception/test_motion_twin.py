"""The compiled kernels and their NumPy twin must say and remember exactly the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.perception import motion_boxes, motion_numpy_boxes
from hub.perception import motion_grid as G
from hub.perception.motion import MotionGate

SIZES = [
    (640, 360), (640, 361), (640, 365), (480, 270), (641, 363),
    (640, 720), (1280, 720), (97, 61), (8, 8),
]  # fmt: skip


def scene(width: int, height: int, seed: int, frames: int) -> list[NDArray[np.uint8]]:
    """Ground with texture, two movers, noise, a light step and a change of scene."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(20, 220, (height // 6 + 1, width // 6 + 1)).astype(np.float32)
    ground = ground.repeat(6, 0).repeat(6, 1)[:height, :width]
    taken = []
    for i in range(frames):
        frame = ground + rng.normal(0, 2, ground.shape)
        frame += 25 * (i > frames // 3)
        if i > 2 * frames // 3:
            frame = 230 - frame
        for k in range(2):
            x, y = int(i * (3 + k) % width), int((seed * 7 + 40 * k) % height)
            frame[y : y + height // 5, x : x + width // 12] = 60 + 90 * k
        taken.append(np.clip(frame, 0, 255).astype(np.uint8))
    return taken


def both(width: int, height: int, fps: float = 5) -> tuple[MotionGate, MotionGate]:
    """A compiled gate and its twin."""
    return (
        MotionGate(width, height, fps, kernel="numba"),
        MotionGate(width, height, fps, kernel="numpy"),
    )


def assert_same(
    ours: MotionGate,
    twin: MotionGate,
    frame: NDArray[np.uint8],
    at: float,
    mask: NDArray[np.uint8] | None = None,
) -> None:
    """Show both a frame; nothing they say or remember may differ."""
    a, b = ours.update(frame, at, mask), twin.update(frame, at, mask)
    assert (a.triggered, a.reason, a.state) == (b.triggered, b.reason, b.state)
    np.testing.assert_array_equal(a.regions, b.regions)
    # How far it goes, what threshold it meets and how restless it is decide later frames.
    rows = [G.MEAN, G.BACK, G.NOISE, G.EDGE, G.LIMIT, G.RESIDUAL, G.BEFORE, G.RATIO, G.FRONT]
    rows += [G.AGE, G.RESTLESS, G.ABOVE, G.BELOW, G.AWAY, G.BRIGHTER, G.DARKER]
    np.testing.assert_array_equal(ours._field[rows], twin._field[rows])
    np.testing.assert_array_equal(ours._found, twin._found)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_twins_agree_to_the_last_bit_at_every_size(width: int, height: int) -> None:
    """Decisions, regions and everything remembered are equal, frame after frame."""
    ours, twin = both(width, height)
    for i, frame in enumerate(scene(width, height, seed=3, frames=24)):
        assert_same(ours, twin, frame, i / 5)


def test_twins_agree_on_somebody_near_with_a_shadow() -> None:
    """Both leave out the same faint part of a large mover."""
    ours, twin = both(640, 360)
    ground = np.random.default_rng(2).normal(120, 2, (360, 640))
    for i in range(15):
        frame = ground.copy()
        if i > 8:
            frame[60:340, 160 + 9 * i : 300 + 9 * i] -= 5
            frame[80:330, 200 + 9 * i : 270 + 9 * i] = 30
        assert_same(ours, twin, frame.astype(np.uint8), i / 5)


def test_twins_agree_beneath_shade_that_sways() -> None:
    """Both learn the same cells as restless, and as noisy."""
    ours, twin = both(320, 180)
    ground = np.random.default_rng(2).normal(120, 2, (180, 320))
    learned = 0
    for i in range(60):
        frame = ground.copy()
        frame[60:100, 120:160] -= 24 * (i // 5 % 2)
        assert_same(ours, twin, frame.astype(np.uint8), i / 5)
        learned += int((ours._field[G.RESTLESS] >= G.SHADE_AS).sum())
    assert learned


def test_twins_agree_when_rain_falls_from_the_first_frame_on_swaying_shade_in_mains_light() -> None:
    """Both average the first second, see that shade sways, and even the same lines."""
    ours, twin = both(320, 180)
    rng = np.random.default_rng(4)
    ground = rng.normal(120, 2, (180, 320))
    rows = np.arange(180)[:, None] / 180
    swayed = banded = 0
    for i in range(70):
        frame = ground.copy()
        frame[40:130, 40:250] -= 20 * (i // 4 % 2)
        if i < 10:
            for x, y in zip(rng.integers(0, 319, 40), rng.integers(0, 160, 40), strict=True):
                frame[y : y + 14, x : x + 1] += 60
        if i > 40:
            frame *= 1 + 0.06 * np.sin(2.1 * i + 9 * rows)
        assert_same(ours, twin, np.clip(frame, 0, 255).astype(np.uint8), i / 5)
        swayed += ours._found[G.SWAY] > G.SWAY_SHARE
        banded += ours._found[G.SWAY] > G.SWAY_SHARE and ours._found[G.BANDS] > 0
    assert swayed
    assert banded


@given(count=st.integers(G.LARGE, 1200), ratio=st.floats(0.5, 1.5, width=32))
def test_a_mover_that_stands_out_alike_everywhere_is_clear_everywhere(
    count: int, ratio: float
) -> None:
    """However the mean of its cells is rounded, none of them is left out, by either twin."""
    cells = np.arange(count)
    sizes = np.full(count, ratio, np.float32)
    weight = np.cumsum(sizes, dtype=np.float32)[-1]
    whole = (0, count - 1, 0, count - 1)
    columns = np.arange(count, dtype=np.float32)
    mean = weight / np.float32(count)
    assert motion_boxes.clear_span(cells, count, whole, sizes, mean, columns) == whole
    assert motion_numpy_boxes.clear_part(list(range(count)), weight, sizes) == list(range(count))


def test_twins_agree_on_a_strided_plane() -> None:
    """Padding beside the picture is read by neither, whether rows start on words or not."""
    for pitch in (704, 651):
        ours, twin = both(640, 360)
        memory = np.random.default_rng(1).integers(0, 255, (360, pitch), np.uint8)
        for i, frame in enumerate(scene(640, 360, seed=5, frames=9)):
            memory[:, :640] = frame
            assert_same(ours, twin, memory[:, :640], i / 5)


@settings(max_examples=12, deadline=None)
@given(
    width=st.integers(8, 200),
    height=st.integers(8, 150),
    seed=st.integers(0, 2**16),
    steps=st.lists(st.sampled_from([-3.0, 0.0, 0.03, 0.2, 1.0, 30.0]), min_size=5, max_size=10),
)
def test_twins_agree_on_anything(width: int, height: int, seed: int, steps: list[float]) -> None:
    """Pure noise of any size, with times that stand still, jump and go back."""
    rng = np.random.default_rng(seed)
    ours, twin = both(width, height)
    now = 0.0
    for i, step in enumerate(steps):
        now += step
        level, spread = rng.integers(0, 200), rng.integers(1, 56)
        frame = rng.integers(level, level + spread, (height, width), np.uint8)
        frame[: height // 2] //= 1 + i % 2
        assert_same(ours, twin, frame, now)
