"""What training is shown: pictures, people pasted in, samples, and how finds are judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import pictures, sprites
from training.animals import animals
from training.compose import LEAVES, LEAVES_ALONE, Composer, Sample, crop
from training.evaluate import evaluate
from training.pasting import LOWEST, Layers, few
from training.pictures import Known, Luma
from training.prepare import Material
from training.sprites import Sprite
from training.weather import dappled, weathered

SIZE = 128


def striped(name: str, scene: str, boxes: list[list[float]], shade: int = 200) -> Known:
    """A grey picture in which people are upright bright bars."""
    luma = np.full((180, 320), 60, np.uint8)
    for x1, y1, x2, y2 in boxes:
        luma[int(y1) : int(y2), int(x1) : int(x2)] = shade
    kept = np.array(boxes, np.float32).reshape(-1, 4)
    return Known(name, scene, "A", luma, kept, np.zeros((0, 4), np.float32))


@pytest.fixture(scope="module")
def material() -> Material:
    people = [striped(f"{i}", f"s{i % 3}", [[40 + i, 50, 60 + i, 110]]) for i in range(9)]
    nobody = [striped(f"e{i}", "empty", []) for i in range(3)]
    bar = Sprite(np.full((90, 30), 230, np.uint8), np.full((90, 30), 255, np.uint8))
    drawn, cars = list(sprites.drawn(3, 4)), list(sprites.cars(2, 4))
    return Material(people + nobody, people + nobody, [bar], drawn, cars, list(animals(2, 4)), [])


def test_the_same_seed_composes_the_same_samples(material: Material) -> None:
    """Training can be repeated to the last pixel."""
    composer = Composer(material)
    one, two = ([composer.sample(rng, SIZE) for _ in range(12)]
                for rng in (np.random.default_rng(5), np.random.default_rng(5)))  # fmt: skip
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.luma, b.luma)
        assert np.array_equal(a.people, b.people)
        assert np.array_equal(a.doubt, b.doubt)


def test_boxes_of_a_sample_are_inside_it_and_large_enough(material: Material) -> None:
    """Nobody is asked for who is too small or outside."""
    composer, rng = Composer(material), np.random.default_rng(1)
    people = 0
    for _ in range(150):
        sample = composer.sample(rng, SIZE)
        assert sample.luma.shape == (SIZE, SIZE)
        assert sample.luma.dtype == np.uint8
        for boxes in (sample.people, sample.doubt):
            assert boxes.shape[1:] == (4,)
            assert (boxes >= -1e-3).all()
            assert (boxes <= SIZE + 1e-3).all()
        assert (sample.people[:, 3] - sample.people[:, 1] >= LOWEST).all()
        people += len(sample.people)
    assert people > 60


def test_a_crop_moves_the_boxes_with_the_pixels() -> None:
    """Where a box says that somebody is, the bright bar is, mirrored or not."""
    rng = np.random.default_rng(3)
    picture = striped("one", "s", [[150, 60, 180, 130]], shade=250)
    for _ in range(60):
        sample = crop(picture, rng, SIZE, near=True)
        for x1, y1, x2, y2 in sample.people:
            inner = sample.luma[int(y1) + 2 : int(y2) - 2, int(x1) + 2 : int(x2) - 2]
            assert inner.mean() > 200
        bright = np.argwhere(sample.luma > 240)
        if len(sample.people) and len(bright):
            low, high = bright.min(0), bright.max(0)
            x1, y1, x2, y2 = sample.people[0]
            assert abs(low[0] - y1) < 6
            assert abs(high[1] - x2) < 6


def test_who_is_mostly_cut_off_is_in_doubt() -> None:
    """A sliver of somebody at the edge is neither asked for nor forbidden."""
    picture = striped("edge", "s", [[0, 40, 20, 100]])
    rng = np.random.default_rng(8)
    kinds = {(len(s.people), len(s.doubt)) for s in (crop(picture, rng, SIZE) for _ in range(200))}
    assert (1, 0) in kinds
    assert kinds <= {(1, 0), (0, 1), (0, 0)}


def test_a_pasted_person_is_where_the_box_says() -> None:
    """Pixels change inside the box and the shadow, nowhere else."""
    rng = np.random.default_rng(2)
    bar = Sprite(np.full((80, 24), 255, np.uint8), np.full((80, 24), 255, np.uint8))
    seen = 0
    for _ in range(40):
        picture = Layers(np.full((SIZE, SIZE), 90, np.uint8))
        few(picture, [bar], rng)
        luma = picture.luma
        for x1, y1, x2, y2 in np.concatenate(picture.people()).astype(int):
            seen += 1
            brighter = np.argwhere(luma > 90)
            if len(brighter):
                assert brighter[:, 0].min() >= y1
                assert brighter[:, 0].max() < y2
                assert brighter[:, 1].min() >= x1
                assert brighter[:, 1].max() < x2
    assert seen > 20


def test_drawn_people_fill_their_sprite() -> None:
    """They are as tall as asked for, opaque inside, and not all alike."""
    found = list(sprites.drawn(6, 9))
    for sprite in found:
        assert 120 < sprite.luma.shape[0] < 330
        assert 0.25 < (sprite.cover > 128).mean() < 0.9
    assert len({s.luma.shape for s in found}) > 2


def test_weather_keeps_the_shape_and_changes_the_light() -> None:
    """Whatever falls on a picture, it stays a picture."""
    rng = np.random.default_rng(4)
    picture = striped("one", "s", [[150, 60, 180, 130]]).luma[:160, :160].copy()
    changed = [weathered(picture, rng) for _ in range(40)]
    assert all(c.shape == picture.shape and c.dtype == np.uint8 for c in changed)
    assert len({float(c.mean()) for c in changed}) > 20


def test_leaves_only_darken_in_blotches_and_leave_light_between_them() -> None:
    """A lit ground under leaves has shaded pixels and, mostly, untouched ones; none is brighter."""
    rng, ground = np.random.default_rng(6), np.full((96, 128), 200, np.uint8)
    shaded = [dappled(ground, rng) for _ in range(40)]
    assert all(each.shape == ground.shape and each.max() <= 200 for each in shaded)
    assert all((each < 190).mean() > 0.05 for each in shaded)
    assert np.mean([(each > 198).any() for each in shaded]) > 0.7
    assert len({each.tobytes() for each in shaded}) == 40


def test_places_without_people_are_shown_under_leaves_more_often(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sample gets leaves by the share of its kind."""
    shares: list[float] = []

    def seen(luma: Luma, rng: np.random.Generator, leaves: float) -> Luma:
        shares.append(leaves)
        return luma

    monkeypatch.setattr("training.compose.weathered", seen)
    composer, rng = Composer(material), np.random.default_rng(2)
    samples = [composer.sample(rng, SIZE) for _ in range(60)]
    assert shares == [LEAVES if len(each.people) else LEAVES_ALONE for each in samples]
    assert len(set(shares)) == 2


def test_scenes_weigh_by_the_root_of_their_pictures() -> None:
    """A hundred frames of one room do not drown one frame of another."""
    many = [striped(str(i), "room", []) for i in range(100)] + [striped("x", "yard", [])]
    weights = pictures.by_scene(many)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] == pytest.approx(1 / 11)


def test_drawn_frames_are_kept_and_read_again(tmp_path: Path) -> None:
    """What was drawn once is the same from the file, people and all."""
    frames = list(pictures.school(2, 3))
    pictures.keep(frames, tmp_path / "school.npz")
    for one, two in zip(frames, pictures.kept(tmp_path / "school.npz"), strict=True):
        assert np.array_equal(one.luma, two.luma)
        assert np.array_equal(one.boxes, two.boxes)
        assert np.array_equal(one.ignore, two.ignore)
        assert one.scene == two.scene
    people = list(sprites.drawn(2, 3))
    sprites.keep(people, tmp_path / "people.npz")
    for a, b in zip(people, sprites.kept(tmp_path / "people.npz"), strict=True):
        assert np.array_equal(a.luma, b.luma)
        assert np.array_equal(a.cover, b.cover)


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    """The first file that is not there is told by its path."""
    row = '{"image": "gone.jpg", "split": "val", "tier": "A", "source": "s", "scene": "s"}'
    (tmp_path / "labels.jsonl").write_text(row + "\n")
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg"):
        pictures.labelled(tmp_path, "val")


def shown(people: list[list[float]], doubt: list[list[float]]) -> Sample:
    def boxes(rows: list[list[float]]) -> np.ndarray:
        return np.array(rows, np.float32).reshape(-1, 4)

    return Sample(np.zeros((SIZE, SIZE), np.uint8), boxes(people), boxes(doubt))


def test_finds_are_judged_by_overlap_and_doubt_counts_neither_way() -> None:
    """One person is found once; what lies in doubt is nobody's fault."""
    right, wrong, doubtful = [10, 10, 40, 90], [80, 10, 110, 90], [50, 50, 70, 100]
    sample = shown([right], [doubtful])
    found = np.array([right, right, doubtful], np.float32), np.array([0.9, 0.5, 0.95], np.float32)
    told = evaluate([found], [sample])
    assert told.people == 1
    assert told.average == pytest.approx(1.0)
    assert told.recall == 1.0
    worse = np.array([wrong, right], np.float32), np.array([0.9, 0.5], np.float32)
    told = evaluate([worse], [sample])
    assert told.average == pytest.approx(0.5)
    assert told.recall == 0.0
