"""What the motion gate does not believe: near drops, and what is left of a step of the light."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.bench.scenes import drawn
from hub.bench.score import gate as judged
from hub.bench.score import score
from hub.perception.motion import GateResult, MotionGate

Picture = NDArray[np.float32]
FPS = 5


def lawn() -> Picture:
    """Rough ground in middle grey."""
    rng = np.random.default_rng(1)
    coarse = rng.uniform(-20, 20, (46, 81)).astype(np.float32)
    return 110 + coarse.repeat(8, 0).repeat(8, 1)[:360, :640]


def shown(picture: Picture, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as a camera with a little noise sends it."""
    return np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)


def covered(result: GateResult, box: tuple[int, int, int, int]) -> float:
    """The share of a box under the regions."""
    seen = np.zeros((360, 640), bool)
    for x1, y1, x2, y2 in result.regions.tolist():
        seen[y1:y2, x1:x2] = True
    return float(seen[box[1] : box[3], box[0] : box[2]].mean())


def in_thick_rain(scene: Picture, rng: np.random.Generator) -> Picture:
    """Drops three pixels wide, every eighth of them near: wider, and 72 pixels long."""
    wet = scene.copy()
    for k in range(58):
        x, y = int(rng.integers(0, 634)), int(rng.integers(-20, 360))
        long, wide, light = (72, 4, 36) if k % 8 == 0 else (30, 3, 45)
        wet[max(0, y) : max(0, y + long), x : x + wide] += light
    return wet


@pytest.mark.parametrize("grey", [20, 230])
def test_near_drops_do_not_trigger_and_hide_nobody(grey: int) -> None:
    """In thick rain a fifth of the frames trigger at most; a walker, dark or bright, is seen."""
    rng, gate, scene = np.random.default_rng(3), MotionGate(640, 360, FPS), lawn()
    results = [gate.update(shown(in_thick_rain(scene, rng), rng), i / FPS) for i in range(300)]
    assert sum(r.triggered for r in results[100:]) <= 40
    seen = 0
    for i in range(300, 330):
        frame, x = in_thick_rain(scene, rng), 30 + 15 * (i - 300)
        frame[150:230, x : x + 28] = grey
        seen += covered(gate.update(shown(frame, rng), i / FPS), (x, 150, x + 28, 230)) >= 0.5
    assert seen >= 29


def test_who_runs_through_rain_is_doubted_for_one_frame_only() -> None:
    """A small bright runner looks like a drop, but is near in the next frame; the twin agrees."""
    rng, scene = np.random.default_rng(4), lawn()
    gate, twin = (MotionGate(640, 360, FPS, kernel=kernel) for kernel in ("numba", "numpy"))
    seen = 0
    for i in range(138):
        frame, x = in_thick_rain(scene, rng), 20 + 22 * max(0, i - 120)
        if i >= 120:
            frame[150:206, x : x + 20] = 200
        luma = shown(frame, rng)
        result, other = gate.update(luma, i / FPS), twin.update(luma, i / FPS)
        np.testing.assert_array_equal(result.regions, other.regions)
        np.testing.assert_array_equal(gate.ratios(), twin.ratios())
        seen += i >= 120 and covered(result, (x, 150, x + 20, 206)) >= 0.5
    assert seen >= 17


def test_a_light_step_that_saturates_the_floor_triggers_nothing() -> None:
    """Nor does what is left of it in the frame after, which shows nobody."""
    place = next(scene for scene in drawn() if scene.name == "gym")
    assert score(place, "brightness step", {"gate": judged})["gate"].false_share == 0.0
