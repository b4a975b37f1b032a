"""Walking people and cars in grey, drawn four times too large and shrunk, each with its alpha."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

FINER = 4
STEPS = 8  # drawn phases of a stride
Point = tuple[float, float]


class Sprite(NamedTuple):
    """Grey levels and opacity (0 to 1), both float32 (height, width)."""

    grey: NDArray[np.float32]
    alpha: NDArray[np.float32]


class _Canvas:
    """A picture and its outline, drawn together; sizes are in units of the thing drawn."""

    def __init__(self, width: int, height: int, unit: float) -> None:
        self.unit = unit * FINER
        size = (width * FINER, height * FINER)
        self.grey, self.outline = Image.new("L", size), Image.new("L", size)
        self._pens = ImageDraw.Draw(self.grey), ImageDraw.Draw(self.outline)

    def limb(self, start: Point, end: Point, width: float, grey: int) -> None:
        """A thick line with round ends."""
        a, b = self._at(start), self._at(end)
        radius = width * self.unit / 2
        for pen, fill in zip(self._pens, (grey, 255), strict=True):
            pen.line([a, b], fill=fill, width=max(1, round(2 * radius)))
            for x, y in (a, b):
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)

    def shape(self, points: list[Point], grey: int) -> None:
        """A filled polygon."""
        for pen, fill in zip(self._pens, (grey, 255), strict=True):
            pen.polygon([self._at(p) for p in points], fill=fill)

    def finished(self, texture: float, seed: int) -> Sprite:
        """Shrunk, shaded from left to right and given cloth or paint of this roughness."""
        size = (self.grey.width // FINER, self.grey.height // FINER)
        alpha = _shrunk(self.outline, size) / np.float32(255)
        grey = _shrunk(self.grey, size)
        grey = grey / np.maximum(alpha, np.float32(1 / 255))
        rng = np.random.default_rng(seed)
        grain = rng.normal(0, texture, grey.shape).astype(np.float32)
        shade = np.linspace(1.12, 0.88, size[0]).astype(np.float32)
        shaded: NDArray[np.float32] = np.clip(grey * shade + grain, 0, 255)
        return Sprite(shaded, alpha)

    def _at(self, point: Point) -> Point:
        return point[0] * self.unit, point[1] * self.unit


def _shrunk(drawn: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.array(drawn.resize(size, Image.Resampling.BOX)).astype(np.float32)


@lru_cache(maxsize=4096)
def person(height: int, step: int, look: int) -> Sprite:
    """A person `height` pixels tall at `step` of STEPS of a stride; `look` picks the clothes."""
    rng = np.random.default_rng(look)
    shirt, trousers, hair = (int(g) for g in rng.choice([25, 45, 70, 110, 150, 190, 225], 3, False))
    swing = 0.55 * math.sin(2 * math.pi * step / STEPS)
    canvas = _Canvas(max(3, round(height * 0.46)), height, height / 7.6)
    middle, hip, shoulder = 1.75, 3.9, 1.55
    for side in (-1, 1):
        angle = side * swing
        knee = (middle + math.sin(angle) * 1.8, hip + math.cos(angle) * 1.75)
        ankle = (knee[0] + math.sin(angle - 0.15) * 1.6, min(7.3, knee[1] + 1.65))
        darker = trousers if side > 0 else round(trousers * 0.75)
        canvas.limb((middle, hip), knee, 0.85, darker)
        canvas.limb(knee, ankle, 0.55, darker)
        canvas.limb(ankle, (min(3.3, ankle[0] + 0.4), ankle[1]), 0.3, 25)
    canvas.limb((middle, shoulder + 0.4), (middle, hip), 1.35, shirt)
    for side in (-1, 1):
        angle = -side * swing
        elbow = (middle + side * 0.35 + math.sin(angle), shoulder + 1.5)
        canvas.limb((middle + side * 0.5, shoulder + 0.3), elbow, 0.45, round(shirt * 0.85))
        canvas.limb(elbow, (elbow[0] + math.sin(angle + 0.3), elbow[1] + 1.1), 0.35, shirt)
    canvas.limb((middle, 0.75), (middle, 1.2), 0.5, 150)
    canvas.limb((middle, 0.55), (middle, 0.9), 0.85, 150)
    canvas.limb((middle, 0.4), (middle, 0.5), 0.78, hair)
    return canvas.finished(6, look)


@lru_cache(maxsize=64)
def car(length: int, look: int) -> Sprite:
    """A car from the side, `length` pixels long."""
    paint = int(np.random.default_rng(look).choice([30, 60, 120, 190, 225]))
    canvas = _Canvas(length, max(6, round(length * 0.36)), length / 10)
    canvas.shape([(0.2, 2.9), (0.3, 1.7), (2.2, 1.3), (9.2, 1.5), (9.8, 2.1), (9.8, 2.9)], paint)
    canvas.shape([(2.0, 1.5), (3.2, 0.2), (6.6, 0.2), (8.0, 1.5)], round(paint * 0.9))
    canvas.shape([(2.7, 1.4), (3.5, 0.5), (6.3, 0.5), (7.2, 1.4)], 70)
    for wheel in (2.1, 7.8):
        canvas.limb((wheel, 2.75), (wheel + 0.01, 2.75), 1.5, 25)
    return canvas.finished(3, look)
