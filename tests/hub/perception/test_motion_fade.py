"""When the light becomes fainter at once, thresholds that shade had raised sink with it."""

import numpy as np

from hub.bench.scenes import leaf_shadows
from hub.perception import motion_grid as G
from hub.perception.motion import MotionGate
from tests.hub.perception.test_motion_faint import BOX, Picture, covered, shown
from tests.hub.perception.test_motion_leaves import FPS, SETTLED
from tests.hub.perception.test_motion_shade import lawn
from tests.hub.perception.test_motion_twin import assert_same, both

GREY = 84.0  # little darker than the lawn of 95
BEGIN = 2 * FPS  # looks after the switch


def infrared(picture: Picture) -> Picture:
    """Everything stands out less, and is no darker on the whole."""
    return 40 + 0.4 * picture


def test_who_walks_beneath_leaves_is_seen_within_seconds_of_a_fainter_light() -> None:
    """Of the looks from two to eight seconds after it, nine tenths cover them."""
    rng, gate = np.random.default_rng(2), MotionGate(640, 360, FPS)
    shade, seen = leaf_shadows(np.random.default_rng(0)), []
    for i in range(SETTLED + 8 * FPS):
        since = i - SETTLED
        picture, corner = lawn(), (10 + 11 * (since - BEGIN), 130)
        if since >= BEGIN:
            x, y = corner
            picture[y : y + BOX[1], x : x + BOX[0]] = GREY
        picture = shade(picture, i / FPS)
        frame = infrared(picture) if since >= 0 else picture
        result = gate.update(shown(frame, rng), i / FPS)
        if since >= BEGIN + 3:
            seen.append(covered(result, corner))
    assert sum(seen) >= 0.9 * len(seen)


def test_only_what_light_does_fades_with_it() -> None:
    """Noise that may be the camera's own stays, and all of it where light changes little."""
    for light in (0.5, 0.85, 1.4):
        rng, gate = np.random.default_rng(2), MotionGate(640, 360, FPS)
        ground = np.tile(np.linspace(60, 150, 640, dtype=np.float32), (360, 1))
        for i in range(40):
            frame = ground.copy()
            frame[80:160, 80:160] += 12 * (-1) ** (i // 2)
            gate.update(shown(frame, rng), i / FPS)
        noise = gate._field[G.NOISE].copy()
        gate.update(shown(light * ground, rng), 40 / FPS)
        after = gate._field[G.NOISE]
        loud, calm = noise > 4.0, (noise > 0.02) & (noise < G.OWN_NOISE)
        assert loud.any()
        assert calm.any()
        assert (after[calm] > 0.8 * noise[calm]).all()
        assert (after[loud] < 0.5 * noise[loud]).all() == (light == 0.5)


def test_twins_agree_when_the_light_becomes_fainter() -> None:
    """By a switch and by another scene: both let the same thresholds sink."""
    for light, state in ((0.6, "watching"), (0.3, "blind")):
        ours, twin = both(320, 180)
        ground = np.random.default_rng(3).uniform(60, 200, (23, 40)).repeat(8, 0).repeat(8, 1)
        for i in range(30):
            frame = ground[:180].copy()
            frame[40:90, 40:120] += 10 * (i // 2 % 2)
            frame *= light if i >= 20 else 1.0
            assert_same(ours, twin, frame.astype(np.uint8), i / FPS)
            if i == 20:
                assert ours.update(frame.astype(np.uint8), i / FPS).state == state
                twin.update(frame.astype(np.uint8), i / FPS)
