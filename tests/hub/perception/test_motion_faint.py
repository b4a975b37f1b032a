"""Who is too faint for one look is followed over several, where somebody may be hidden."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.perception import motion_grid as G
from hub.perception.motion import GateResult, MotionGate
from tests.hub.perception.test_motion_twin import assert_same, both

Picture = NDArray[np.float32]
FPS, SETTLED = 5, 140
BOX = (28, 64)  # of who walks: width and height


def dark(rng: np.random.Generator) -> Picture:
    """Rough dark ground."""
    coarse = rng.uniform(26, 36, (46, 81)).astype(np.float32)
    return coarse.repeat(8, 0).repeat(8, 1)[:360, :640]


def in_rain(scene: Picture, rng: np.random.Generator) -> Picture:
    """Drops one pixel wide, every 25th of them near, as heavy as in the benchmark."""
    wet = scene.copy()
    for k in range(153 * scene.size // (640 * 360)):
        x, y = int(rng.integers(0, scene.shape[1] - 3)), int(rng.integers(-20, scene.shape[0]))
        long, wide, light = (34, 2, 45) if k % 25 == 0 else (14, 1, 60)
        wet[max(0, y) : max(0, y + long), x : x + wide] += light
    return wet


def shown(picture: Picture, rng: np.random.Generator, noise: float = 1.5) -> NDArray[np.uint8]:
    """The picture as a camera with noise sends it."""
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def with_somebody(scene: Picture, i: int, by: float) -> tuple[Picture, tuple[int, int]]:
    """Somebody `by` grey levels off the ground, 11 pixels on at each look; and their corner."""
    x, y = 40 + 11 * i, 150
    scene = scene.copy()
    scene[y : y + BOX[1], x : x + BOX[0]] += by
    return scene, (x, y)


def covered(result: GateResult, corner: tuple[int, int]) -> bool:
    """Whether at least half of who walks is under the regions."""
    seen = np.zeros((360, 640), bool)
    for x1, y1, x2, y2 in result.regions.tolist():
        seen[y1:y2, x1:x2] = True
    x, y = corner
    return bool(seen[y : y + BOX[1], x : x + BOX[0]].mean() >= 0.5)


@pytest.mark.parametrize("by", [3.0, -1.2])
def test_who_is_fainter_than_the_drops_is_followed_through_rain_at_night(by: float) -> None:
    """Little brighter or darker, they are seen from the third second on; rain alone is not."""
    rng, gate = np.random.default_rng(2), MotionGate(640, 360, FPS)
    ground = dark(rng)
    loud = 0
    for i in range(SETTLED + 100):
        result = gate.update(shown(in_rain(ground, rng), rng), i / FPS)
        loud += i >= SETTLED and result.triggered
    assert gate._found[G.FOLLOWING] == 1.0
    assert loud <= 10
    seen = []
    for i in range(45):
        scene, corner = with_somebody(ground, i, by)
        at = (SETTLED + 100 + i) / FPS
        seen.append(covered(gate.update(shown(in_rain(scene, rng), rng), at), corner))
    assert sum(seen[15:]) >= 29


def test_a_faint_thing_that_stays_in_the_rain_is_forgotten() -> None:
    """Following keeps nothing out of the background: after half a minute it is furniture."""
    rng, gate = np.random.default_rng(3), MotionGate(640, 360, FPS)
    ground = dark(rng)
    there, _ = with_somebody(ground, 10, 4.0)
    for i in range(SETTLED):
        gate.update(shown(in_rain(ground, rng), rng), i / FPS)
    found = [
        gate.update(shown(in_rain(there, rng), rng), (SETTLED + i) / FPS).triggered
        for i in range(250)
    ]
    assert sum(found[:50]) >= 10
    assert sum(found[150:]) <= 10


@pytest.mark.parametrize(("grey", "noise", "rains"), [(80, 1.5, True), (0, 1.5, False)])
def test_by_day_and_in_a_clear_night_nobody_is_followed(
    grey: float, noise: float, rains: bool
) -> None:
    """There everybody shows in one look, and following would only cost."""
    rng, gate = np.random.default_rng(4), MotionGate(640, 360, FPS)
    ground = dark(rng) + np.float32(grey)
    for i in range(SETTLED):
        picture = in_rain(ground, rng) if rains else ground
        gate.update(shown(picture, rng, noise), i / FPS)
        assert gate._found[G.FOLLOWING] == 0.0


def test_nobody_is_followed_soon_after_another_light() -> None:
    """What a lamp has left on the ground comes back as well: following waits for 15 seconds."""
    rng, gate = np.random.default_rng(5), MotionGate(640, 360, FPS)
    ground = dark(rng)
    follows = []
    for i in range(SETTLED + 100):
        lit = 12 if i >= SETTLED else 0
        gate.update(shown(in_rain(ground + lit, rng), rng), i / FPS)
        follows.append(bool(gate._found[G.FOLLOWING]))
    assert follows[SETTLED - 1]
    assert not any(follows[SETTLED : SETTLED + 70])
    assert all(follows[SETTLED + 80 :])


def test_twins_follow_the_same_people() -> None:
    """In rain and in noise, masked or not, both gain and box the same."""
    for rains, noise, masked in ((True, 1.5, False), (False, 8.0, True)):
        rng = np.random.default_rng(6)
        ours, twin = both(320, 180)
        ground = dark(rng)[:180, :320]
        mask = np.ones((180, 320), np.uint8)
        mask[:60, :90] = 0
        gained = 0
        for i in range(115):
            scene = ground.copy()
            if i > 85:
                scene[80:140, 9 * (i - 85) : 9 * (i - 85) + 28] += 5
            frame = shown(in_rain(scene, rng) if rains else scene, rng, noise)
            assert_same(ours, twin, frame, i / FPS, mask if masked else None)
            told = ours._field[[G.BRIGHTER, G.DARKER]] > G.FAINT_NOISY
            gained += int(np.count_nonzero(told.any(axis=0) & (ours._field[G.FRONT] == 0)))
        assert gained > 20
