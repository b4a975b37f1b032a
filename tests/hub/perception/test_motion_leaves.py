"""Who walks beneath moving leaf shadows is found by changing more than leaves do."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.bench.scenes import Weather, leaf_shadows
from hub.perception import motion_grid as G
from hub.perception.motion import MotionGate
from tests.hub.perception.test_motion_faint import BOX, Picture, covered, in_rain, shown
from tests.hub.perception.test_motion_shade import lawn
from tests.hub.perception.test_motion_twin import assert_same, both

FPS, SETTLED = 5, 150
GREY = 74.0  # as dark as the lawn of 95 is in a shade


def shade_of(seed: int) -> Weather:
    """Leaf shadows over most of the picture."""
    return leaf_shadows(np.random.default_rng(seed))


def walking(i: int, pace: int) -> tuple[Picture, tuple[int, int]]:
    """A lawn with somebody as grey as its shade, so many pixels on at each look; their corner."""
    x, y = 10 + pace * i, 130
    picture = lawn()
    picture[y : y + BOX[1], x : x + BOX[0]] = GREY
    return picture, (x, y)


@pytest.mark.parametrize("rains", [False, True])
def test_who_walks_beneath_leaves_is_seen_though_they_are_as_grey_as_the_shade(rains: bool) -> None:
    """Of thirty looks 28 cover them; the leaves alone trigger in at most five of fifty."""
    rng, gate, shade = np.random.default_rng(2), MotionGate(640, 360, FPS), shade_of(0)
    loud, seen = 0, []
    for i in range(SETTLED + 33):
        walks = i >= SETTLED
        picture, corner = walking(i - SETTLED, 11) if walks else (lawn(), (0, 0))
        picture = shade(picture, i / FPS)
        result = gate.update(shown(in_rain(picture, rng) if rains else picture, rng), i / FPS)
        loud += SETTLED - 50 <= i < SETTLED and result.triggered
        if i >= SETTLED + 3:
            seen.append(covered(result, corner))
    assert gate._found[G.BENEATH] == 1.0
    assert loud <= 5
    assert sum(seen) >= 28


def test_where_no_leaves_sway_nobody_is_looked_for_so() -> None:
    """On a still lawn and for a mover on it the usual way does."""
    rng, gate = np.random.default_rng(3), MotionGate(640, 360, FPS)
    for i in range(SETTLED + 30):
        picture = walking(i - SETTLED, 11)[0] if i >= SETTLED else lawn()
        gate.update(shown(picture, rng), i / FPS)
        assert gate._found[G.BENEATH] == 0.0


def test_leaves_are_learned_anew_in_another_scene() -> None:
    """For most of a second after another scene was taken over nobody is found by their changes."""
    rng, gate, shade = np.random.default_rng(4), MotionGate(640, 360, FPS), shade_of(0)
    looked = []
    for i in range(SETTLED + 60):
        picture = lawn() if i < SETTLED else 40 + 0.5 * lawn()[::-1, ::-1]
        result = gate.update(shown(shade(picture, i / FPS), rng), i / FPS)
        looked.append((result.state, bool(gate._found[G.BENEATH])))
    assert looked[SETTLED - 1] == ("watching", True)
    blind = [i for i, (state, _) in enumerate(looked) if i > SETTLED - 5 and state == "blind"]
    assert blind
    assert not any(beneath for _, beneath in looked[blind[0] : blind[-1] + FPS - 1])
    assert looked[-1] == ("watching", True)


@pytest.mark.parametrize("masked", [False, True])
def test_twins_find_the_same_people_beneath_leaves(masked: bool) -> None:
    """Masked or not, both gain and box the same, to the last bit."""
    rng, shade = np.random.default_rng(6), shade_of(1)
    ours, twin = both(320, 180)
    mask: NDArray[np.uint8] | None = None
    if masked:
        mask = np.ones((180, 320), np.uint8)
        mask[:60, :90] = 0
    gained = 0
    for i in range(120):
        picture, _ = walking(i - 80, 9) if i >= 80 else (lawn(), (0, 0))
        frame = shown(shade(picture, i / FPS), rng)[90:270, :320]
        assert_same(ours, twin, np.ascontiguousarray(frame), i / FPS, mask)
        np.testing.assert_array_equal(ours._field[G.STANDING_OUT], twin._field[G.STANDING_OUT])
        np.testing.assert_array_equal(ours._field[G.EARLIER], twin._field[G.EARLIER])
        gained += int(np.count_nonzero(ours._field[G.STANDING_OUT] > G.LEAF_LEVEL))
    assert ours._found[G.EVEN] > 0
    assert gained > 20
