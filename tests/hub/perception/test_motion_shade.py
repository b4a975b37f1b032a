"""The motion gate beneath leaves: shade that sways is learned, what takes more light is not."""

import numpy as np
from numpy.typing import NDArray

from hub.bench.scenes import leaf_shadows
from hub.perception.motion import MotionGate

Picture = NDArray[np.float32]
FPS = 5
LEARNED, WATCHED = 10 * FPS, 32 * FPS


def lawn() -> Picture:
    """A lawn with a bright path across."""
    picture = np.full((360, 640), 95, np.float32)
    picture[216:288] = 165
    return picture


def shown(picture: Picture, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as a camera with a little noise sends it."""
    return np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)


def test_swaying_shade_is_learned_within_ten_seconds() -> None:
    """After that at most a twentieth of the frames trigger beneath leaves."""
    shade, rng = leaf_shadows(np.random.default_rng(0)), np.random.default_rng(5)
    gate, ground = MotionGate(640, 360, FPS), lawn()
    results = [gate.update(shown(shade(ground, i / FPS), rng), i / FPS) for i in range(WATCHED)]
    assert any(r.triggered for r in results[:LEARNED])
    assert sum(r.triggered for r in results[LEARNED:]) <= (WATCHED - LEARNED) / 20


def triggers(grey: float) -> int:
    """In how many frames of the last 20 s something comes and goes every two seconds."""
    rng, count = np.random.default_rng(6), 0
    gate, ground = MotionGate(640, 360, FPS), lawn()
    for i in range(50 * FPS):
        frame = ground.copy()
        if i // (2 * FPS) % 2:
            frame[216:288, 300:360] = grey
        result = gate.update(shown(frame, rng), i / FPS)
        count += result.triggered and i >= 30 * FPS
    return count


def test_what_takes_more_of_the_light_than_shade_is_not_learned() -> None:
    """A door that opens and shuts triggers for as long as it does; a shade as often does not."""
    assert triggers(140.0) <= 5
    assert triggers(60.0) >= 48
