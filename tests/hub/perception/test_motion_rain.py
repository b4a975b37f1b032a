"""In rain, which only brightens, who is darker than the ground needs no history."""

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G
from hub.perception.motion import MotionGate
from tests.hub.perception.test_motion_disbelief import covered, lawn, shown
from tests.hub.perception.test_motion_faint import in_rain
from tests.hub.perception.test_motion_twin import assert_same, both

Picture = NDArray[np.float32]
FPS, SETTLED = 5, 140
BOX = (300, 150, 316, 190)


def with_a_child(scene: Picture, by: float) -> Picture:
    """Somebody small who was not there a look before, so many grey levels off the ground."""
    scene = scene.copy()
    scene[BOX[1] : BOX[3], BOX[0] : BOX[2]] += by
    return scene


def in_specks(scene: Picture, rng: np.random.Generator) -> Picture:
    """Flakes that fall, some of them darker than the ground, as before a bright wall."""
    snow = in_rain(scene, rng)
    for x, y in zip(rng.integers(0, 637, 20), rng.integers(0, 340, 20), strict=True):
        snow[y : y + 14, x : x + 2] -= 60
    return snow


def test_who_is_dark_is_told_in_the_first_look_in_rain() -> None:
    """Out of nowhere, and too small and faint to be believed otherwise; rain itself is not."""
    rng, gate = np.random.default_rng(7), MotionGate(640, 360, FPS)
    for i in range(SETTLED):
        gate.update(shown(in_rain(lawn(), rng), rng), i / FPS)
    assert gate._knobs[G.RUN_NEEDED] == G.RUN_POURS
    result = gate.update(shown(in_rain(with_a_child(lawn(), -35), rng), rng), SETTLED / FPS)
    assert covered(result, BOX) >= 0.5
    loud = sum(
        gate.update(shown(in_rain(lawn(), rng), rng), i / FPS).triggered
        for i in range(SETTLED + 1, SETTLED + 101)
    )
    assert loud <= 5
    assert gate._found[G.SPECKS] < G.SPECKS_MOST


def test_where_dark_specks_fall_dark_is_no_sign_of_somebody() -> None:
    """Such weather triggers in a tenth of the frames at most."""
    rng, gate = np.random.default_rng(8), MotionGate(640, 360, FPS)
    said = [gate.update(shown(in_specks(lawn(), rng), rng), i / FPS) for i in range(260)]
    assert gate._knobs[G.RUN_NEEDED] == G.RUN_POURS
    assert gate._found[G.SPECKS] > G.SPECKS_MOST
    assert sum(result.triggered for result in said[SETTLED:]) <= 12


def test_twins_believe_the_same_in_rain() -> None:
    """Dark or bright, with and without dark specks, to the last bit."""
    for falls in (in_rain, in_specks):
        rng = np.random.default_rng(9)
        ours, twin = both(640, 360)
        told = 0
        for i in range(60):
            scene = with_a_child(lawn(), -35) if i % 9 == 8 else lawn()
            assert_same(ours, twin, shown(falls(scene, rng), rng), i / FPS)
            assert ours._found[G.SPECKS] == twin._found[G.SPECKS]
            told += int(ours._found[G.TOLD] > 0)
        assert told
