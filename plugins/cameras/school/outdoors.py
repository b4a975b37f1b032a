"""Out of doors: trees that move a little, clouds before the sun, rain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from plugins.cameras.school import paint
from plugins.cameras.school.scene import Levels
from plugins.cameras.school.stage import Picture
from plugins.cameras.school.surfaces import Blocker, Surface
from plugins.cameras.school.view import Array, View

SWAY_S = 4.0  # seconds of one sway, about: a clip is a whole number of them
STEPS = 16


@dataclass(frozen=True)
class Tree:
    """A trunk and a few leafy sheets: what is drawn, what throws shadow, where the crown is."""

    surfaces: Sequence[Surface]
    blockers: Sequence[Blocker]
    crown: tuple[tuple[float, float, float], tuple[float, float, float]]


def tree(
    x: float, z: float, tall: float, seed: int, colour: paint.Colour = (0.10, 0.17, 0.045)
) -> Tree:
    """A broad tree at (`x`, `z`), `tall` metres high."""
    wide = tall * 0.72
    low = tall * 0.28
    bark = paint.plain((0.12, 0.09, 0.065), 0.4, 0.12)
    surfaces = [
        Surface((x - 0.14, 0, z), (0.28, 0, 0), (0, tall * 0.6, 0), bark),
        Surface((x, 0, z - 0.14), (0, 0, 0.28), (0, tall * 0.6, 0), bark),
    ]
    sheets = (
        (0.0, 0.5, 1.0, 0.8),
        (-0.18, 0.15, 0.75, 1.0),
        (0.2, -0.2, 0.7, 1.15),
        (0.0, -0.5, 0.6, 1.3),
    )
    for number, (aside, ahead, size, bright) in enumerate(sheets):
        w, h = wide * size, (tall - low) * size
        r, g, b = colour
        left = x + aside * wide - w / 2
        bottom = low + (tall - low - h) * 0.55
        leaves = paint.foliage((r * bright, g * bright, b * bright), seed + number)
        cut = paint.crown(w, h, seed + number * 7)
        surfaces.append(
            Surface((left, bottom, z + ahead), (w, 0, 0), (0, h, 0), leaves, cut, leafy=True)
        )
    return Tree(
        surfaces,
        _clumps(x, z, low, tall, wide, seed),
        ((x - wide / 2, low, z), (x + wide / 2, tall, z)),
    )


def _clumps(x: float, z: float, low: float, tall: float, wide: float, seed: int) -> list[Blocker]:
    """A crown as balls of leaves, so that its shadow has a ragged edge and light in it."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(13):
        turn, out_by = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0, 0.36)) * wide
        cx, cz = x + out_by * math.cos(turn), z + out_by * math.sin(turn)
        cy = low + (tall - low) * float(rng.uniform(0.2, 0.8))
        r = wide * float(rng.uniform(0.10, 0.19))
        out.append(Blocker((cx - r, cy - r, cz - r), (cx + r, cy + r, cz + r), True))
    return out


class Clouds:
    """Sunlight that comes and goes; the same at the clip's beginning and end.

    `dips` are (share of the clip at which it is darkest, sun left then).
    """

    def __init__(
        self, seconds: float, dips: Sequence[tuple[float, float]], wide: float = 0.10
    ) -> None:
        self.seconds, self.dips, self.wide = seconds, dips, wide

    def levels(self, time: float) -> Levels:
        """Sky and sun; the sky dims less."""
        share = (time / self.seconds) % 1
        sun = 1.0
        for middle, left in self.dips:
            sun -= (1 - left) * math.exp(-(((share - middle) / self.wide) ** 4))
        sun = max(sun, 0.0)
        return (0.86 + 0.14 * sun, sun)


@dataclass
class Rain:
    """Rain between two moments (seconds), as heavy as `strength` (0 to 1)."""

    begin: float
    end: float
    strength: float = 1.0

    def now(self, time: float) -> float:
        """How hard it rains: it takes four seconds to start and to stop."""
        up, down = (time - self.begin) / 4, (self.end - time) / 4
        return self.strength * max(0.0, min(1.0, up, down))


@dataclass
class Outdoors:
    """Weather between scene and camera: swaying crowns, rain."""

    view: View
    trees: Sequence[Tree]
    rng: np.random.Generator
    seconds: float
    rain: Rain | None = None
    reach: float = 1.0
    _windows: list[tuple[slice, slice, float]] = field(init=False)
    _maps: list[list[tuple[Array, Array]]] = field(init=False)
    _sheets: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._windows = [w for t in self.trees if (w := self._window(t)) is not None]
        self._maps = [
            [self._bend(window, step) for step in range(STEPS)] for window in self._windows
        ]
        if self.rain is not None:
            self._sheets = [self._streaks() for _ in range(6)]

    def stir(self, picture: Picture, time: float) -> Picture:
        """Bend the crowns: their lower edge and sides stay where they are."""
        sways = max(1, round(self.seconds / SWAY_S))
        step = int(time / self.seconds * sways * STEPS) % STEPS
        for (rows, columns, _), maps in zip(self._windows, self._maps, strict=True):
            ys, xs = maps[step]
            picture[rows, columns] = picture[rows, columns][ys, xs]
        return picture

    def fall(self, picture: Picture, time: float) -> Picture:
        """Streaks of rain, and the haze it makes."""
        strength = 0.0 if self.rain is None else self.rain.now(time)
        if strength <= 0:
            return picture
        sheet = self._sheets[int(self.rng.integers(len(self._sheets)))]
        shift = int(self.rng.integers(picture.shape[0]))
        streaks = np.roll(sheet, shift, axis=0) * np.float32(38 * strength)
        out = picture * np.float32(1 - 0.07 * strength) + np.float32(11 * strength)
        wet: Picture = np.clip(out + streaks[..., None], 0, 255).astype(np.uint8)
        return wet

    def _window(self, plant: Tree) -> tuple[slice, slice, float] | None:
        low, high = plant.crown
        seen = self.view.project(np.array([low, high, (low[0], high[1], low[2])], np.float32))
        x0, y0 = (int(v) for v in np.maximum(seen[:, :2].min(0), 0))
        x1 = min(int(seen[:, 0].max()), self.view.width)
        y1 = min(int(seen[:, 1].max()), self.view.height)
        metre = self.view.focal / float(seen[:, 2].mean())
        return (slice(y0, y1), slice(x0, x1), metre) if x1 - x0 > 8 and y1 - y0 > 8 else None

    def _bend(self, window: tuple[slice, slice, float], step: int) -> tuple[Array, Array]:
        """Where each pixel of a crown comes from at one step of the sway."""
        rows, columns, metre = window
        high, wide = rows.stop - rows.start, columns.stop - columns.start
        ys, xs = np.mgrid[0:high, 0:wide].astype(np.float32)
        edge = np.sin(np.pi * (xs + 0.5) / wide) * np.minimum(1, (high - ys) / (0.4 * high))
        turn = 2 * math.pi * step / STEPS
        wave = np.sin(turn + ys / (0.7 * metre) + xs / (0.9 * metre)) * 0.6
        wave += np.sin(2 * turn + xs / (0.35 * metre)) * 0.4
        aside = wave * edge * 0.035 * metre * self.reach
        down = np.cos(turn + xs / (0.5 * metre)) * edge * 0.012 * metre * self.reach
        xs = np.clip(np.round(xs + aside), 0, wide - 1).astype(np.intp)
        ys = np.clip(np.round(ys + down), 0, high - 1).astype(np.intp)
        return ys, xs

    def _streaks(self) -> Array:
        from PIL import Image, ImageDraw, ImageFilter

        width, height = self.view.width, self.view.height
        image = Image.new("L", (width, height), 0)
        pen = ImageDraw.Draw(image)
        for _ in range(int(width * height / 900)):
            x, y = float(self.rng.uniform(0, width)), float(self.rng.uniform(0, height))
            long = float(self.rng.uniform(0.02, 0.07)) * height
            pen.line([(x, y), (x - long * 0.12, y + long)], fill=int(self.rng.integers(60, 255)))
        image = image.filter(ImageFilter.GaussianBlur(0.5))
        return np.asarray(image, np.float32) / np.float32(255)
