"""Samples at night: dark, noisy and poorly sent, and nobody asked for whom they swallow."""

from __future__ import annotations

import numpy as np
import pytest

from training import compose, night, sprites
from training.animals import animals
from training.compose import Composer
from training.pictures import Known
from training.prepare import Material
from training.sprites import Sprite

SIZE = 128
SOMEBODY = np.array([[40, 20, 64, 100]], np.float32)


def place(shade: int) -> np.ndarray:
    """A rough grey wall with one bar of another shade before it."""
    luma = np.random.default_rng(3).normal(90, 6, (SIZE, SIZE)).clip(0, 255).astype(np.uint8)
    luma[20:100, 40:64] = shade
    return luma


def test_night_takes_light_away_and_leaves_some() -> None:
    """No place is as bright as by day on the whole, none is black, and no two are lit alike."""
    rng, ground = np.random.default_rng(1), np.full((SIZE, SIZE), 200, np.uint8)
    found = [night.lit(ground, rng) for _ in range(60)]
    means = [float(light.mean()) for light in found]
    assert all(light.shape == ground.shape and light.dtype == np.float32 for light in found)
    assert 5 < min(means) < 40
    assert np.mean([mean < 120 for mean in means]) > 0.8
    assert len({light.tobytes() for light in found}) == 60


def test_an_encoder_keeps_what_it_has_bits_for() -> None:
    """The last picture comes back at its size: nearly as it was, and coarser with fewer bits."""
    rng = np.random.default_rng(2)
    pictures = [np.roll(place(200), step, axis=1) for step in (6, 3, 0)]
    errors = [
        np.abs(night.filmed(pictures, quantiser).astype(int) - pictures[-1]).mean()
        for quantiser in (8, 28, 44)
    ]
    assert errors[0] < 2 < errors[2]
    assert errors == sorted(errors)
    for _ in range(4):
        sent = night.seen(place(60).astype(np.float32), SOMEBODY, rng)
        assert sent.shape == (SIZE, SIZE)
        assert sent.dtype == np.uint8


@pytest.mark.parametrize(("shade", "noise", "shown"), [(200, 5, True), (92, 5, False)])
def test_whom_the_dark_swallows_is_in_doubt(shade: int, noise: int, shown: bool) -> None:
    """Somebody who stands out is asked for through noise; who differs by nothing is not."""
    by_night = place(shade).astype(np.float32) * 0.2 + 10
    grain = np.random.default_rng(5).normal(0, noise, by_night.shape)
    luma = (by_night + grain).clip(0, 255).astype(np.uint8)
    assert night.told(luma, by_night, SOMEBODY).tolist() == [shown]
    flat = np.full((SIZE, SIZE), 20, np.uint8)
    assert night.told(flat, by_night, SOMEBODY).tolist() == [False]
    assert night.told(flat, by_night, SOMEBODY[:0]).tolist() == []


def test_samples_at_night_lose_nobody() -> None:
    """Darker than by day, the same for the same seed; everybody is asked for or in doubt."""
    bar = Sprite(np.full((90, 30), 230, np.uint8), np.full((90, 30), 255, np.uint8))
    known = Known("one", "s", "A", place(220), SOMEBODY, SOMEBODY[:0])
    bare = Known("none", "e", "A", place(90), SOMEBODY[:0], SOMEBODY[:0])
    material = Material([known, bare], [known, bare], [bar], [bar], list(sprites.cars(1, 4)),
                        list(animals(1, 4)), [])  # fmt: skip
    found = []
    for share in (0.0, 1.0, 1.0):
        composer, rng = Composer(material, share), np.random.default_rng(7)
        found.append([composer.sample(rng, SIZE) for _ in range(30)])
    light, dark, again = found
    assert np.mean([s.luma.mean() for s in dark]) < 0.7 * np.mean([s.luma.mean() for s in light])
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(dark, again, strict=True))
    assert sum(len(s.people) for s in dark) > 8
    plain = compose.crop(known, np.random.default_rng(1), SIZE, near=True)
    for _ in range(20):
        sample = compose._at_night(plain, rng)
        assert len(sample.people) + len(sample.doubt) == len(plain.people) + len(plain.doubt)


def test_whom_too_few_bits_swallow_is_in_doubt_by_day() -> None:
    """Through H.264 whoever stands out is asked for; whom a wall hides is in doubt, not lost."""
    rng = np.random.default_rng(3)
    clear, faint = (
        compose.Sample(place(shade), SOMEBODY, SOMEBODY[:0], SOMEBODY[:0]) for shade in (220, 90)
    )
    asked = {"clear": 0, "faint": 0}
    for name, plain in (("clear", clear), ("faint", faint)):
        for _ in range(12):
            sample = compose._filmed(plain, rng)
            assert not np.array_equal(sample.luma, plain.luma)
            assert len(sample.people) + len(sample.doubt) == 1
            asked[name] += len(sample.people)
    assert asked["clear"] == 12
    assert asked["faint"] < 6
