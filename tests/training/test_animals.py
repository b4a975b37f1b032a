"""Animals that are drawn for training: they vary, they can be repeated, and they are nobody."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from training import compose, pasting
from training.animals import BOXES, animals, photographed
from training.compose import Composer, Sample
from training.pasting import Layers
from training.pictures import Known
from training.prepare import Material
from training.sprites import OPAQUE, Sprite

SIZE = 160


@pytest.fixture(scope="module")
def drawn() -> list[Sprite]:
    return list(animals(40, 7))


def test_the_same_seed_draws_the_same_animals(drawn: list[Sprite]) -> None:
    """Training can be repeated; another seed draws others."""
    again, other = list(animals(40, 7)), list(animals(40, 8))
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(drawn, again, strict=True))
    assert any(a.luma.shape != b.luma.shape for a, b in zip(drawn, other, strict=True))


def test_animals_are_of_many_shapes_and_coats(drawn: list[Sprite]) -> None:
    """From the side wider than tall, from the front narrower; dark, light, and of one piece."""
    shapes = [sprite.luma.shape[1] / sprite.luma.shape[0] for sprite in drawn]
    coats = [float(sprite.luma[sprite.cover >= OPAQUE].mean()) for sprite in drawn]
    assert min(shapes) < 0.8 < 1.6 < max(shapes)
    assert min(coats) < 50 < 150 < max(coats)
    assert all(0.15 < (sprite.cover >= OPAQUE).mean() < 0.95 for sprite in drawn)


def test_an_animal_is_nobody_and_hides_who_is_behind_it(drawn: list[Sprite]) -> None:
    """It changes pixels and asks for no find; whom it covers is in doubt."""
    rng = np.random.default_rng(2)
    for sprite in drawn[:20]:
        layers = Layers(np.full((SIZE, SIZE), 90, np.uint8))
        pasting.animal(layers, sprite, rng)
        people, doubt = layers.people()
        assert not len(people)
        assert not len(doubt)
        assert (layers.luma != 90).any()
        rows, columns = np.nonzero(layers.luma != 90)
        for x1, y1, x2, y2 in layers.animals():  # a shadow may reach further
            assert columns.min() <= x1 < x2 <= columns.max() + 2
            assert rows.min() <= y1 < y2 <= rows.max() + 2
        everywhere = np.array([[0, 0, SIZE, SIZE]], np.float32)
        shown, hidden = layers.below(everywhere)
        assert len(shown) + len(hidden) == 1


def test_samples_that_look_past_people_show_animals(
    drawn: list[Sprite], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share of them has some; who stands there is still asked for, or in doubt where covered."""
    box = np.array([[40, 30, 70, 120]], np.float32)
    place = np.full((SIZE, SIZE), 90, np.uint8)
    known = Known("one", "s", "A", place, box, np.zeros((0, 4), np.float32))
    composer = Composer(Material([known], [known], drawn[:1], drawn[:1], drawn[:1], drawn, []))
    plain = Sample(place, box, np.zeros((0, 4), np.float32))
    rng = np.random.default_rng(4)
    found = [composer._with_animals(plain, rng) for _ in range(200)]
    changed = [sample for sample in found if (sample.luma != 90).any()]
    assert abs(len(changed) / len(found) - compose.ANIMALS_ALONE) < 0.1
    assert all(len(sample.animals) <= 2 * (sample is not plain) for sample in found)
    assert sum(len(sample.animals) > 0 for sample in changed) > 0.8 * len(changed)
    assert all(len(sample.people) + len(sample.doubt) == 1 for sample in found)
    assert any(len(sample.doubt) for sample in changed)
    assert (place == 90).all()
    monkeypatch.setattr(compose, "ANIMALS_ALONE", 0.0)
    assert composer._with_animals(plain, rng) is plain


def test_what_hides_most_of_an_animal_takes_it_away(drawn: list[Sprite]) -> None:
    """Only an animal of which enough shows is told as one."""
    layers = Layers(np.full((SIZE, SIZE), 90, np.uint8))
    grey = np.full((60, 80), 40, np.float32)
    layers.animal(grey, np.ones((60, 80), np.float32), (20, 30))
    assert layers.animals().tolist() == [[20, 30, 100, 90]]
    layers.cover(grey, np.ones((60, 40), np.float32), (20, 30))
    assert layers.animals().tolist() == [[60, 30, 100, 90]]
    layers.cover(grey, np.ones((60, 70), np.float32), (20, 30))
    assert not len(layers.animals())


def test_animals_in_photographs_come_with_their_place_where_they_cannot_be_cut_out(
    tmp_path: Path,
) -> None:
    """Each box of a picture that is there gives one; its edge fades out."""
    with BOXES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert not photographed(tmp_path)
    (tmp_path / "images").mkdir()
    noise = np.random.default_rng(3).integers(0, 255, (640, 640, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "images" / rows[0]["image"]), noise)
    found = photographed(tmp_path)
    assert len(found) == sum(row["image"] == rows[0]["image"] for row in rows)
    for sprite in found:
        assert sprite.luma.shape == sprite.cover.shape
        assert sprite.cover[0].max() < OPAQUE < sprite.cover.max()
