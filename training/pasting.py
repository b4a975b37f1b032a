"""People, cars and other things laid over a picture, the far ones first, and who still shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.pictures import Boxes, Luma
from training.sprites import OPAQUE, Sprite

LOWEST = 14.0  # people lower than this, in pixels of the sample, are in doubt
SHOWN = 0.4  # people of whom less shows are in doubt, unless head and shoulders do
HEAD = 0.22  # share of somebody's height that head and shoulders take
HIDDEN = 0.55  # share of somebody in the picture below that may be covered
THING = -2  # who owns a pixel of what is nobody; -1 is the picture below
ANIMAL = -10  # who owns one of the first animal, the next one less
SHOWN_ANIMAL = 0.35  # animals of which less shows are not told as such
MOST_TOGETHER = 8


class _Placed(NamedTuple):
    """Somebody laid over the picture: where, how many pixels they have, and those of the head."""

    x: int
    y: int
    wide: int
    tall: int
    pixels: int
    head: int


class Layers:
    """A picture that is pasted into; it knows which pixels belong to whom."""

    def __init__(self, luma: Luma) -> None:
        self.luma = luma
        self._owner = np.full(luma.shape, -1, np.int16)
        self._placed: list[_Placed] = []
        self._animals: list[int] = []  # pixels of each

    def put(
        self, grey: NDArray[np.float32], cover: NDArray[np.float32], at: tuple[int, int]
    ) -> bool:
        """Lay somebody's grey levels and opacity (0 to 1), both (h, w), with the corner `at` x, y.

        False, and nothing changes, where all of it would be outside.
        """
        tall, wide = cover.shape
        solid = cover >= OPAQUE / 255
        head = int(np.count_nonzero(solid[: max(1, round(tall * HEAD))]))
        one = _Placed(*at, wide, tall, int(np.count_nonzero(solid)), head)
        if not self._lay(grey, cover, at, len(self._placed)):
            return False
        self._placed.append(one)
        return True

    def cover(
        self, grey: NDArray[np.float32], cover: NDArray[np.float32], at: tuple[int, int]
    ) -> None:
        """Lay a thing that is nobody over all that is there."""
        self._lay(grey, cover, at, THING)

    def animal(
        self, grey: NDArray[np.float32], cover: NDArray[np.float32], at: tuple[int, int]
    ) -> None:
        """Lay an animal over all that is there."""
        self._lay(grey, cover, at, ANIMAL - len(self._animals))
        self._animals.append(int(np.count_nonzero(cover >= OPAQUE / 255)))

    def animals(self) -> Boxes:
        """Boxes of what shows of the animals, where enough does."""
        known = []
        for number, pixels in enumerate(self._animals):
            mine = self._owner == ANIMAL - number
            if np.count_nonzero(mine) < SHOWN_ANIMAL * max(1, pixels):
                continue
            ys, xs = np.nonzero(mine.any(1))[0], np.nonzero(mine.any(0))[0]
            box = (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1)
            if max(box[3] - box[1], box[2] - box[0]) >= LOWEST:
                known.append(box)
        return boxes(known)

    def people(self) -> tuple[Boxes, Boxes]:
        """Boxes of what shows of those who were put in, and of those of whom too little does."""
        known, doubt = [], []
        for who, one in enumerate(self._placed):
            rows, columns = _inside(one, self._owner.shape)
            mine = self._owner[rows, columns] == who
            if not mine.any():
                continue
            ys, xs = np.nonzero(mine.any(1))[0], np.nonzero(mine.any(0))[0]
            top, left = rows.start, columns.start
            box = (left + xs[0], top + ys[0], left + xs[-1] + 1, top + ys[-1] + 1)
            shown = np.count_nonzero(mine) / max(1, one.pixels)
            until = max(0, one.y + round(one.tall * HEAD) - top)
            faces = np.count_nonzero(mine[:until]) >= 0.8 * one.head
            high = box[3] - box[1]
            upper = faces and high >= max(2 * LOWEST, 1.1 * HEAD * one.tall)
            sure = high >= LOWEST and (shown >= SHOWN or upper)
            (known if sure else doubt).append(box)
        return boxes(known), boxes(doubt)

    def below(self, people: Boxes) -> tuple[Boxes, Boxes]:
        """Those of the picture below who still show, and those in doubt now."""
        shown = [self._covered(box) <= HIDDEN for box in people]
        kept = np.array(shown, bool)
        return people[kept], people[~kept]

    def _covered(self, box: NDArray[np.float32]) -> float:
        x1, y1, x2, y2 = (max(0, round(float(v))) for v in box)
        part = self._owner[y1:y2, x1:x2]
        return float((part != -1).mean()) if part.size else 0.0

    def _lay(
        self,
        grey: NDArray[np.float32],
        cover: NDArray[np.float32],
        at: tuple[int, int],
        who: int,
    ) -> bool:
        tall, wide = cover.shape
        rows, columns = _inside(_Placed(*at, wide, tall, 0, 0), self.luma.shape)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return False
        part = (slice(rows.start - at[1], rows.stop - at[1]),
                slice(columns.start - at[0], columns.stop - at[0]))  # fmt: skip
        share, window = cover[part], self.luma[rows, columns]
        window[:] = np.clip(window * (1 - share) + grey[part] * share, 0, 255).astype(np.uint8)
        self._owner[rows, columns][share >= OPAQUE / 255] = who
        return True


def few(layers: Layers, sprites: Sequence[Sprite], rng: Generator) -> None:
    """Each anywhere, at a size of their own, now and then cut off by an edge."""
    size = layers.luma.shape[0]
    for sprite in sprites:
        tall = float(np.exp(rng.uniform(np.log(20), np.log(size * 1.1))))
        grey, cover = dressed(sprite, tall, layers.luma, rng)
        x, y = (somewhere(rng, v / 2, size) for v in cover.shape[::-1])
        _stand(layers, grey, cover, x, y + cover.shape[0] / 2, rng)


def group(layers: Layers, sprites: Sequence[Sprite], rng: Generator) -> None:
    """People beside and before one another, the near ones lower and taller."""
    size = layers.luma.shape[0]
    count = len(sprites)
    tall = float(np.exp(rng.uniform(np.log(26), np.log(size * 0.85))))
    apart = tall * 0.36 * float(rng.uniform(0.35, 1.2))
    middle = somewhere(rng, min(size / 2, apart * count / 2), size)
    feet = somewhere(rng, tall / 2, size) + tall / 2
    deep = np.sort(rng.uniform(-1, 1, count))
    slope = tall * float(rng.uniform(0.05, 0.5))
    places = rng.permutation(count) - (count - 1) / 2 + rng.uniform(-0.4, 0.4, count)
    for sprite, far, place in zip(sprites, deep, places, strict=True):
        own = tall * (1 + 0.15 * float(far)) * float(rng.uniform(0.85, 1.15))
        grey, cover = dressed(sprite, max(16.0, own), layers.luma, rng)
        _stand(layers, grey, cover, middle + apart * float(place), feet + slope * float(far), rng)


def close(layers: Layers, sprite: Sprite, rng: Generator) -> None:
    """Somebody so near that only head and shoulders show, or head to hip."""
    size = layers.luma.shape[0]
    shown = size * float(rng.uniform(0.25, 1.0))
    whole = sprite.luma.shape[1] < 0.5 * sprite.luma.shape[0]  # a portrait shows no more than that
    share = float(rng.uniform(0.24, 0.7) if whole else rng.uniform(0.6, 1.0))
    grey, cover = dressed(sprite, shown / share, layers.luma, rng)
    x = somewhere(rng, min(size * 0.4, cover.shape[1] / 2), size)
    _stand(layers, grey, cover, x, size - shown + cover.shape[0], rng)


def decoy(layers: Layers, other: Luma, rng: Generator) -> None:
    """Something that is nobody: a patch of another place or a plain shape, edged like a sprite."""
    size = layers.luma.shape[0]
    wide, tall = (int(size * np.exp(rng.uniform(np.log(0.1), 0.0))) for _ in range(2))
    x, y = (round(float(rng.uniform(-0.3, 1.0)) * (size - v)) for v in (wide, tall))
    cover = np.zeros((tall, wide), np.uint8)
    if rng.random() < 0.6:
        points = rng.uniform(0, 1, (int(rng.integers(3, 9)), 2)) * (wide, tall)
        cv2.fillConvexPoly(cover, cv2.convexHull(points.astype(np.int32)), 255)
    else:
        cv2.ellipse(cover, (wide // 2, tall // 2), (wide // 2, tall // 2), 0, 0, 360, 255, -1)
    share = cv2.GaussianBlur(cover, (3, 3), 0).astype(np.float32) / 255
    grey = other[:tall, :wide].astype(np.float32) + float(rng.uniform(-50, 50))
    plain = float(rng.choice([0.0, rng.uniform(0, 1), 0.95]))
    grey = grey * (1 - plain) + float(rng.uniform(0, 240)) * plain
    layers.cover(grey.astype(np.float32), share, (x, y))


def counter(layers: Layers, other: Luma, rng: Generator) -> None:
    """Something flat and wide that hides the lower part of whoever stands behind it."""
    size = layers.luma.shape[0]
    top, left = int(rng.uniform(0.35, 0.9) * size), int(rng.uniform(-0.5, 0.6) * size)
    x1, x2 = max(0, left), min(size, left + int(rng.uniform(0.4, 1.4) * size))
    down = min(size, top + int(rng.uniform(0.15, 0.6) * size))
    if x2 - x1 < 4 or down - top < 4:
        return
    grey = other[top:down, x1:x2].astype(np.float32)
    flat = float(rng.uniform(0, 1))
    grey = grey * (1 - flat) + float(rng.uniform(20, 220)) * flat
    layers.cover(grey.astype(np.float32), np.ones(grey.shape, np.float32), (x1, top))


def car(layers: Layers, sprite: Sprite, rng: Generator) -> None:
    """A drawn car, of any size, whole or cut off."""
    layers.cover(*_thing(layers, sprite, rng, (0.2, 1.6)))


def animal(layers: Layers, sprite: Sprite, rng: Generator) -> None:
    """An animal, of any size, whole or cut off."""
    layers.animal(*_thing(layers, sprite, rng, (0.08, 1.4)))


def _thing(
    layers: Layers, sprite: Sprite, rng: Generator, widths: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[int, int]]:
    """Something that is nobody, its width between these shares of the sample's, and where."""
    size = layers.luma.shape[0]
    wide = size * float(np.exp(rng.uniform(*np.log(widths))))
    tall = wide * sprite.luma.shape[0] / sprite.luma.shape[1]
    grey, cover = dressed(sprite, tall, layers.luma, rng)
    x, y = (somewhere(rng, v / 2, size) for v in cover.shape[::-1])
    if rng.random() < 0.7:
        shadow(layers.luma, x, y + cover.shape[0] / 2, cover.shape[1], rng)
    return grey, cover, (round(x - cover.shape[1] / 2), round(y - cover.shape[0] / 2))


def dressed(
    sprite: Sprite, tall: float, luma: Luma, rng: Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Grey levels and opacity (0 to 1) at a height, in other light, mirrored half of the time."""
    scale = tall / sprite.luma.shape[0]
    wide = max(4, round(sprite.luma.shape[1] * scale * float(np.exp(rng.uniform(-0.12, 0.12)))))
    shape = (wide, max(8, round(tall)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grey = cv2.resize(sprite.luma, shape, interpolation=way).astype(np.float32)
    cover = cv2.resize(sprite.cover, shape, interpolation=way).astype(np.float32) / 255
    if rng.random() < 0.5:
        grey, cover = grey[:, ::-1], cover[:, ::-1]
    if rng.random() < 0.12:  # other clothes: every level becomes another, as steadily as before
        levels = np.array([0.0, 70.0, 130.0, 190.0, 255.0])
        grey = np.interp(grey, levels, rng.uniform(0, 255, 5)).astype(np.float32)
    if rng.random() < 0.6:
        grey = (grey - grey.mean()) * rng.uniform(0.35, 1.4) + grey.mean() * rng.uniform(0.4, 1.5)
    if rng.random() < 0.2:  # hardly to be told from what is behind
        apart = rng.choice([-1, 1]) * rng.uniform(10, 40)
        grey = luma.mean() + (grey - grey.mean()) * 0.6 + apart
    return grey.astype(np.float32), cover


def shadow(luma: Luma, x: float, y: float, wide: float, rng: Generator) -> None:
    """Darken an ellipse under somebody's feet."""
    cover = np.zeros(luma.shape, np.uint8)
    reach = (max(2, int(wide * rng.uniform(0.4, 1.4))), max(1, int(wide * rng.uniform(0.05, 0.25))))
    cv2.ellipse(cover, (int(x + rng.uniform(-0.5, 0.5) * reach[0]), int(y)), reach, 0, 0, 360,
                int(rng.uniform(40, 140)), -1)  # fmt: skip
    cover = cv2.GaussianBlur(cover, (7, 7), 0)
    luma[:] = (luma * (1 - cover.astype(np.float32) / 255)).astype(np.uint8)


def somewhere(rng: Generator, half: float, size: int) -> float:
    """Where the middle of something lies: inside, but now and then cut off by an edge."""
    if rng.random() < 0.2:
        return float(rng.uniform(0, size))
    low, high = min(half, size - half), max(half, size - half)
    return float(rng.uniform(low, high))


def boxes(rows: Sequence[Sequence[float]]) -> Boxes:
    """Rows of corners as an array (n, 4), also where there are none."""
    return np.asarray(rows, np.float32).reshape(-1, 4)


def _stand(
    layers: Layers,
    grey: NDArray[np.float32],
    cover: NDArray[np.float32],
    x: float,
    feet: float,
    rng: Generator,
) -> None:
    tall, wide = cover.shape
    if rng.random() < 0.3:
        shadow(layers.luma, x, feet, wide, rng)
    layers.put(grey, cover, (round(x - wide / 2), round(feet - tall)))


def _inside(one: _Placed, shape: tuple[int, ...]) -> tuple[slice, slice]:
    rows = slice(max(0, one.y), min(shape[0], one.y + one.tall))
    return rows, slice(max(0, one.x), min(shape[1], one.x + one.wide))
