"""When a much fainter light comes at once, all of the picture is looked at for a moment."""

import numpy as np

from hub.perception.motion import GateResult, MotionGate
from tests.hub.perception.test_motion import FPS, Picture, covered, settled, shown
from tests.hub.perception.test_motion_twin import assert_same, both

BOX = (300, 120, 340, 220)
HALF = 0.6


def dimmed(picture: Picture, fall: float = HALF) -> Picture:
    """Everything stands out less, and is no darker on the whole."""
    return 128 + fall * (picture - 128)


def watch(gate: MotionGate, picture: Picture, looks: int) -> list[GateResult]:
    """What the gate says of the same picture, look after look."""
    return [gate.update(shown(picture)) for _ in range(looks)]


def test_who_comes_with_a_much_fainter_light_is_looked_at() -> None:
    """They show first in its frame, and pass for what it has left: for 0.7 s all is looked at."""
    gate, scene = settled()
    watch(gate, scene, 10 * FPS)
    somebody = dimmed(scene)
    somebody[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 20
    said = watch(gate, somebody, 4)
    assert [result.state for result in said] == ["watching"] * 4
    assert [covered(result, BOX) for result in said] == [1.0] * 4


def test_an_empty_place_in_a_fainter_light_triggers_nothing() -> None:
    """It is looked at as in any scan, and then is quiet."""
    gate, scene = settled()
    watch(gate, scene, 10 * FPS)
    said = watch(gate, dimmed(scene), 2 * FPS)
    assert [result.reason for result in said[:4]] == ["scan"] * 4
    assert {result.reason for result in said[4:]} == {"none"}


def test_a_little_less_light_and_a_lamp_that_goes_on_and_off_are_no_such_light() -> None:
    """Only the first change in fifteen seconds is looked at whole, or a broken lamp would be."""
    gate, scene = settled()
    watch(gate, scene, 10 * FPS)
    assert "scan" not in {result.reason for result in watch(gate, dimmed(scene, 0.85), 4)}
    gate, scene = settled()
    watch(gate, scene, 10 * FPS)
    assert watch(gate, dimmed(scene), 1)[0].reason == "scan"
    watch(gate, dimmed(scene), FPS)
    watch(gate, scene, FPS)
    again = watch(gate, dimmed(scene), 4)
    assert "scan" not in {result.reason for result in again}


def test_the_twins_agree_on_a_fainter_light() -> None:
    """On what they say of it, and on all that they remember."""
    ours, twin = both(640, 360)
    _, scene = settled()
    rng = np.random.default_rng(4)
    for i in range(100):
        picture = dimmed(scene) if i > 85 else scene
        frame = shown(picture + rng.normal(0, 1, scene.shape))
        assert_same(ours, twin, frame, i / FPS)
