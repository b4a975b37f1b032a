"""The picture of `vestibule bench inference`: recall kept against time spent."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hub.bench.inference import Compared, Way
from hub.bench.inference_plot import LEFT, TALL, TOP, WIDE, draw

Colour = tuple[int, int, int]
OTHER, ALWAYS, GOAL = (0x1B, 0x6C, 0xA8), (0xD0, 0x84, 0x00), (0xB3, 0x26, 0x1E)
AXES = (0.9, 1.1, 0.6)  # least and most recall kept, most time, where all of it fits


def clip(kept: int, percent: float, always: bool = False, whole: int = 100) -> Compared:
    """So many people found of those that the whole frame finds, in so many percent of its time."""
    people = 100 if always else 10
    return Compared(100, 100, people, whole, Way(whole, 0, 9, 100.0), Way(kept, 0, 9, percent))


def pixels(file: Path) -> Image.Image:
    """The picture as RGB."""
    with Image.open(file) as picture:
        return picture.convert("RGB")


def at(picture: Image.Image, kept: float, time: float) -> Colour:
    """What is drawn there, both as shares, in the first chart."""
    low, high, long = AXES
    x, y = LEFT + time / long * WIDE, TOP + TALL - (kept - low) / (high - low) * TALL
    red, green, blue = picture.getpixel((round(x), round(y)))
    return red, green, blue


def test_each_clip_is_a_dot_where_its_figures_are(tmp_path: Path) -> None:
    """Colours tell places where people are always in view; who keeps too much is on the edge."""
    found = {
        "yard": clip(100, 15),
        "aisle": clip(96, 40, always=True),
        "car_park": clip(142, 35),
        "empty": clip(0, 10, whole=0),
        "all": clip(103, 20),
    }
    draw({"nano": found}, tmp_path / "kept.png")
    picture = pixels(tmp_path / "kept.png")
    assert at(picture, 1.0, 0.15) == OTHER
    assert at(picture, 0.96, 0.40) == ALWAYS
    assert at(picture, 1.1, 0.35) == OTHER
    assert at(picture, 0.9, 0.10) == (255, 255, 255)
    assert at(picture, 1.03, 0.20) == OTHER


def test_goals_are_lines(tmp_path: Path) -> None:
    """98 percent of recall lies across, a quarter and a half of the time upright."""
    draw({"nano": {"yard": clip(100, 15)}}, tmp_path / "kept.png")
    picture = pixels(tmp_path / "kept.png")
    assert [at(picture, 0.98, time) for time in (0.05, 0.55)] == [GOAL, GOAL]
    for time in (0.25, 0.5):
        assert [at(picture, kept, time) for kept in (0.91, 1.09)] == [GOAL, GOAL]
    assert at(picture, 0.91, 0.4) == (255, 255, 255)


@pytest.mark.parametrize("models", [1, 2, 3])
def test_every_model_has_a_chart_beside_the_others(tmp_path: Path, models: int) -> None:
    """The picture grows by the same width for each, and each shows its own dot."""
    found = {f"model {n}": {"aisle": clip(100, 10 + n, always=True)} for n in range(models)}
    draw(found, tmp_path / "kept.png")
    picture = pixels(tmp_path / "kept.png")
    assert picture.width == 550 * models + 20
    shown = [
        picture.getpixel((round(LEFT + 550 * n + (10 + n) / 60 * WIDE), TOP + TALL // 2))
        for n in range(models)
    ]
    assert shown == [ALWAYS] * models


def test_bad_figures_stay_inside_the_axes(tmp_path: Path) -> None:
    """Half of the recall in more than the whole time still is a dot of the chart."""
    draw({"nano": {"yard": clip(50, 120)}}, tmp_path / "kept.png")
    colour = pixels(tmp_path / "kept.png").getpixel((LEFT + WIDE, TOP + TALL))
    assert colour == OTHER
