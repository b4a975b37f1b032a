"""Empty places in grey, seeded: float32 (height, width), 0 to 255."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from hub.bench.figures import car

Picture = NDArray[np.float32]


def blotches(rng: Generator, width: int, height: int, size: int) -> Picture:
    """Soft random blotches about `size` pixels wide, from -1 to 1."""
    coarse = rng.uniform(-1, 1, (height // size + 3, width // size + 3)).astype(np.float32)
    soft = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(soft, np.float32), -1, 1)


def _grass(rng: Generator, width: int, height: int, grey: float) -> Picture:
    picture = grey + 14 * blotches(rng, width, height, 60) + 10 * blotches(rng, width, height, 5)
    return np.asarray(picture + rng.normal(0, 5, picture.shape), np.float32)


def _front(picture: Picture, rng: Generator, bottom: int) -> None:
    """A building's front with windows, down to row `bottom`."""
    picture[:bottom] = 150 + 6 * blotches(rng, picture.shape[1], bottom, 40)
    wide, tall = picture.shape[1] // 16, max(4, bottom // 4)
    for top in range(tall // 2, bottom - tall, round(tall * 1.7)):
        for left in range(wide // 2, picture.shape[1] - wide, round(wide * 1.6)):
            picture[top : top + tall, left : left + wide] = rng.uniform(35, 75)
            picture[top : top + tall, left + wide // 2] = 190


def yard(rng: Generator, width: int, height: int) -> Picture:
    """Lawn, a bright path, a building behind, and shrubs."""
    picture = _grass(rng, width, height, 95)
    _front(picture, rng, height // 4)
    path = slice(height * 6 // 10, height * 8 // 10)
    picture[path] = 165 + 8 * blotches(rng, width, height, 9)[path]
    for _ in range(6):
        x, y = int(rng.integers(0, width - 60)), int(rng.integers(height // 4, height - 50))
        picture[y : y + 40, x : x + 50] = 60 + 30 * blotches(rng, 50, 40, 3)
    return picture


def corridor(rng: Generator, width: int, height: int) -> Picture:
    """Smooth walls with doors, a shining floor, lockers with hard edges."""
    across = np.linspace(0.8, 1.1, width, dtype=np.float32)
    picture = np.repeat(140 * across[None, :], height, 0)
    floor = height * 45 // 100
    picture[floor:] = np.linspace(120, 185, height - floor, dtype=np.float32)[:, None]
    for left in range(20, width - 60, 90):
        picture[floor // 4 : floor, left : left + 45] = rng.uniform(70, 110)
        picture[floor // 4 : floor, left + 22 : left + 24] = 40
    return picture + 2 * blotches(rng, width, height, 4)


def gym(rng: Generator, width: int, height: int) -> Picture:
    """A bright floor with lines, wall bars, lamps that shine back from the floor."""
    picture = 185 + 8 * blotches(rng, width, height, 120)
    wall = height * 3 // 10
    picture[:wall] = 120 + 5 * blotches(rng, width, wall, 50)
    picture[8:wall:10] = 70
    for y in np.linspace(wall + 15, height - 15, 4).astype(int):
        picture[y : y + 3] = 60
    for x in np.linspace(40, width - 40, 6).astype(int):
        picture[wall:, x : x + 3] = 235
    shine = np.exp(-(np.linspace(-2, 2, width, dtype=np.float32) ** 2))
    picture[wall:] += 30 * shine[None, :]
    planks = np.arange(height - wall) // 7 % 2
    picture[wall:] += 4 * planks.astype(np.float32)[:, None]
    return np.clip(picture, 0, 250)


def car_park(rng: Generator, width: int, height: int) -> Picture:
    """Asphalt with bays, and a row of parked cars."""
    picture = 85 + 6 * blotches(rng, width, height, 30) + 6 * blotches(rng, width, height, 3)
    picture[: height // 5] = _grass(rng, width, height // 5, 110)
    for left in range(10, width - 90, 92):
        picture[height // 5 : height * 2 // 5, left - 6 : left - 3] = 200
        parked = car(78, int(rng.integers(1 << 20)))
        rows = slice(height // 4, height // 4 + parked.grey.shape[0])
        place = picture[rows, left : left + 78]
        place += parked.alpha * (parked.grey - place)
    return np.asarray(picture + rng.normal(0, 3, picture.shape), np.float32)


def square(rng: Generator, width: int, height: int) -> Picture:
    """Paving seen from high up."""
    picture = 140 + 12 * blotches(rng, width, height, 80)
    rows, columns = np.arange(height) % 14 == 0, np.arange(width) % 22 == 0
    picture[rows] -= 22
    picture[:, columns] -= 22
    return np.asarray(picture + rng.normal(0, 4, picture.shape), np.float32)
