"""What is laid over pictures: who still shows afterwards, and what counts as nobody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training import pasting, prepare, sprites
from training.compose import crop
from training.pasting import HEAD, LOWEST, Layers
from training.pictures import Known
from training.sprites import Sprite

SIZE = 128
BAR = Sprite(np.full((90, 30), 230, np.uint8), np.full((90, 30), 255, np.uint8))


def layers(shade: int = 90) -> Layers:
    return Layers(np.full((SIZE, SIZE), shade, np.uint8))


def solid(
    wide: int, tall: int, shade: float
) -> tuple[np.ndarray[tuple[int, int]], np.ndarray[tuple[int, int]]]:
    return np.full((tall, wide), shade, np.float32), np.ones((tall, wide), np.float32)


def test_who_stands_behind_somebody_has_the_box_of_what_shows() -> None:
    """The one in front is whole; of the other the box ends where they are covered."""
    picture = layers()
    assert picture.put(*solid(30, 60, 200), (20, 20))
    assert picture.put(*solid(30, 60, 30), (38, 30))
    people, doubt = picture.people()
    assert people.tolist() == [[20, 20, 50, 80], [38, 30, 68, 90]]
    assert not len(doubt)
    assert picture.luma[25, 45] == 200
    assert picture.luma[60, 45] == 30


def test_who_hardly_shows_is_in_doubt() -> None:
    """A sliver beside somebody is neither asked for nor forbidden; nothing at all is nobody."""
    picture = layers()
    picture.put(*solid(30, 60, 200), (20, 20))
    picture.put(*solid(20, 40, 120), (60, 60))
    picture.put(*solid(30, 62, 30), (26, 20))
    picture.cover(*solid(20, 40, 10), (60, 60))
    people, doubt = picture.people()
    assert people.tolist() == [[26, 20, 56, 82]]
    assert doubt.tolist() == [[20, 20, 26, 80]]


def test_head_and_shoulders_are_somebody_and_a_pair_of_legs_is_not() -> None:
    """Who stands behind a desk or too close to the camera counts; a trunk without a head not."""
    behind_a_desk = layers()
    behind_a_desk.put(*solid(30, 120, 200), (40, 4))
    behind_a_desk.cover(*solid(SIZE, 88, 60), (0, 40))
    people, doubt = behind_a_desk.people()
    assert people.tolist() == [[40, 4, 70, 40]]
    assert not len(doubt)
    legs = layers()
    legs.put(*solid(30, 120, 200), (40, 4))
    legs.cover(*solid(SIZE, 88, 60), (0, 0))
    people, doubt = legs.people()
    assert not len(people)
    assert doubt.tolist() == [[40, 88, 70, 124]]


def test_those_of_the_picture_below_are_in_doubt_when_covered() -> None:
    """A photograph's own people count as long as half of them shows."""
    picture = layers()
    picture.cover(*solid(40, 128, 10), (0, 0))
    below = np.array([[0, 10, 30, 90], [30, 10, 60, 90]], np.float32)
    shown, hidden = picture.below(below)
    assert shown.tolist() == [below[1].tolist()]
    assert hidden.tolist() == [below[0].tolist()]


@pytest.mark.parametrize("way", ["group", "close"])
def test_groups_and_near_people_lie_in_the_picture(way: str) -> None:
    """Boxes are inside, tall enough, and on the pixels of those who were pasted."""
    rng = np.random.default_rng(7)
    counts = []
    for _ in range(60):
        picture = layers(0)
        if way == "group":
            pasting.group(picture, [BAR] * 5, rng)
        else:
            pasting.close(picture, BAR, rng)
        people, doubt = picture.people()
        counts.append(len(people))
        assert len(people) + len(doubt) <= 5
        for x1, y1, x2, y2 in people:
            assert 0 <= x1 < x2 <= SIZE
            assert 0 <= y1 <= y2 - LOWEST <= SIZE
            if way == "close":
                assert y2 == SIZE
    assert (max(counts) >= 4) if way == "group" else (np.mean(counts) > 0.7)


def test_cars_counters_and_patches_are_nobody() -> None:
    """They change the picture and add no people."""
    rng = np.random.default_rng(2)
    other = np.random.default_rng(1).integers(0, 255, (SIZE, SIZE)).astype(np.uint8)
    vehicle = next(sprites.cars(1, 3))
    assert vehicle.luma.shape[1] > vehicle.luma.shape[0] * 0.8
    for paste in (
        lambda p: pasting.car(p, vehicle, rng),
        lambda p: pasting.counter(p, other, rng),
        lambda p: pasting.decoy(p, other, rng),
    ):
        changed = 0
        for _ in range(20):
            picture = layers()
            paste(picture)
            assert [len(part) for part in picture.people()] == [0, 0]
            changed += bool((picture.luma != 90).any())
        assert changed >= 15


def test_a_crop_that_is_too_close_shows_head_and_shoulders_as_a_person() -> None:
    """Without closeness such a crop never comes; with it the box is cut off at the bottom."""
    luma = np.full((400, 400), 60, np.uint8)
    box = np.array([[150, 40, 250, 360]], np.float32)
    nobody = np.zeros((0, 4), np.float32)
    picture = Known("one", "s", "A", luma, box, nobody)
    rng = np.random.default_rng(5)
    near = [crop(picture, rng, SIZE, near=True, close=1.0) for _ in range(80)]
    cut_off = [s.people[0] for s in near if len(s.people) and s.people[0][3] >= SIZE - 1]
    assert len(cut_off) > 40
    heights = [float(b[3] - b[1]) for b in cut_off]
    assert min(heights) >= max(2 * LOWEST, HEAD * SIZE)


def rows(*scenes: tuple[str, str]) -> list[str]:
    return [json.dumps({"source": "s", "scene": scene, "split": split}) for scene, split in scenes]


def test_a_scene_in_two_splits_is_refused() -> None:
    """What is validated with must never have been trained on, and the scene is named."""
    prepare.apart(rows(("hall", "train"), ("hall", "train"), ("yard", "val")))
    with pytest.raises(ValueError, match=r"the scene s/hall stands in train and in val"):
        prepare.apart(rows(("hall", "train"), ("yard", "val"), ("hall", "val")))


def test_cut_outs_follow_the_labels(tmp_path: Path) -> None:
    """Other labels or other tiers are cut anew, the same ones are read from the cache."""
    asked = [(b"one", "A"), (b"one", "AB"), (b"two", "A"), (b"one", "A")]
    files = [prepare.cut_file(tmp_path, labels, tiers) for labels, tiers in asked]
    assert files[0] == files[3]
    assert len(set(files)) == 3
    assert all(file.parent == tmp_path for file in files)
