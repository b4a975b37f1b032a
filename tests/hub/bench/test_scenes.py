"""The scenes and stresses that the gate is measured on: seeded, true, and what they claim."""

import numpy as np
import pytest

from hub.bench.scenes import drawn
from hub.bench.score import moving, under
from hub.bench.stresses import STRESSES, Run, stressed


@pytest.mark.parametrize("scene", drawn(), ids=lambda scene: scene.name)
def test_a_scene_is_drawn_alike_each_time(scene) -> None:
    """The same seed gives the same pictures and the same truth, in any order."""
    again = {other.name: other for other in drawn()}[scene.name]
    later = again.picture(60, True, None)
    again.picture(5, True, None)
    np.testing.assert_array_equal(scene.picture(60, True, None), later)
    assert scene.truth(60) == again.truth(60)


@pytest.mark.parametrize("scene", drawn(), ids=lambda scene: scene.name)
def test_a_scene_has_enough_moving_people(scene) -> None:
    """At least 200 boxes of moving people, but none where only cars drive."""
    boxes = sum(len(people) for people in moving(scene).values())
    assert boxes == 0 if scene.name == "cars alone" else boxes >= 200


def test_people_differ_from_the_ground_where_truth_says() -> None:
    """Inside the boxes the picture is another one than the empty place, outside it is the same."""
    scene = {scene.name: scene for scene in drawn()}["yard"]
    apart = np.abs(scene.picture(50, True, None) - scene.picture(50, False, None)) > 1
    boxes = np.array([seen.box for seen in scene.truth(50) or ()], np.int32)
    assert len(boxes)
    inside = under(boxes, scene.width, scene.height)
    assert apart[inside].mean() > 0.3
    assert apart[~inside].mean() < 0.01


def test_low_contrast_bounds_how_far_people_stand_out() -> None:
    """Eight grey levels are eight grey levels."""
    scene = {scene.name: scene for scene in drawn()}["crowd"]
    apart = np.abs(scene.picture(40, True, 8.0) - scene.picture(40, False, 8.0))
    assert 7.9 < apart.max() <= 8.001


@pytest.mark.parametrize("stress", STRESSES)
def test_a_stress_is_seeded_and_keeps_every_frame(stress: str) -> None:
    """Each frame comes out once, in order, as uint8 of its size, the same each time."""
    scene = drawn()[0]

    def sent() -> list[tuple[int, np.ndarray]]:
        run = Run(scene.width, scene.height, scene.count, scene.fps, seed=3)
        pictures = ((i, scene.picture(i, True, None)) for i in range(-2, 9))
        return list(stressed(stress, run, pictures))

    first, second = sent(), sent()
    assert [i for i, _ in first] == list(range(-2, 9))
    for (_, a), (_, b) in zip(first, second, strict=True):
        assert a.dtype == np.uint8
        assert a.shape == (scene.height, scene.width)
        np.testing.assert_array_equal(a, b)


def test_low_bitrate_is_really_encoded() -> None:
    """What comes back from the encoder differs from what went in, more than by rounding."""
    scene = drawn()[0]
    made = {}
    for stress in ("clean", "H.264 low"):
        run = Run(scene.width, scene.height, scene.count, scene.fps, seed=3)
        pictures = ((i, scene.picture(i, True, None)) for i in range(6))
        made[stress] = list(stressed(stress, run, pictures))[-1][1].astype(np.float32)
    assert np.abs(made["clean"] - made["H.264 low"]).mean() > 1.0
