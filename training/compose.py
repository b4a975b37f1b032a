"""Samples as the gate's crops are: people at any size, cut off, pasted, in any light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.pictures import Boxes, Known, Luma, by_scene, empty
from training.prepare import Material
from training.sprites import Sprite
from training.weather import weathered

PADDING = 114
LOWEST = 14.0  # people lower than this, in pixels of the sample, are in doubt
SHOWN = 0.4  # people of whom less shows are in doubt
SHARES = {"photograph": 0.44, "school": 0.12, "pasted": 0.28, "mosaic": 0.16}
LARGEST = 3.5  # how many times a picture is enlarged at most
HIDDEN = 0.55  # share of somebody that may be covered by what is pasted over them


class Sample(NamedTuple):
    """Luma (size, size); people and those in doubt, (n, 4) corners in pixels."""

    luma: Luma
    people: Boxes
    doubt: Boxes


@dataclass
class Composer:
    """Draws samples at random from the material."""

    material: Material

    def __post_init__(self) -> None:
        self._photographs = _Pool(self.material.photographs)
        self._school = _Pool(self.material.school)
        self._empty = _Pool(empty(self.material.photographs))
        self._empty_school = _Pool(empty(self.material.school))

    def sample(self, rng: Generator, size: int) -> Sample:
        """One sample of `size` pixels a side."""
        kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
        if kind == "mosaic":
            plain = self._mosaic(rng, size)
        elif kind == "pasted":
            plain = self._pasted(rng, size)
        else:
            pool = self._photographs if kind == "photograph" else self._school
            plain = crop(pool.draw(rng), rng, size)
        return Sample(weathered(plain.luma, rng), plain.people, plain.doubt)

    def _mosaic(self, rng: Generator, size: int) -> Sample:
        """Four crops side by side."""
        half = size // 2
        luma = np.empty((size, size), np.uint8)
        people, doubt = [], []
        for left, top in ((0, 0), (half, 0), (0, half), (half, half)):
            pool = self._photographs if rng.random() < 0.8 else self._school
            part = crop(pool.draw(rng), rng, half)
            luma[top : top + half, left : left + half] = part.luma
            moved = np.array((left, top, left, top), np.float32)
            people.append(part.people + moved)
            doubt.append(part.doubt + moved)
        return Sample(luma, _joined(people), _joined(doubt))

    def _pasted(self, rng: Generator, size: int) -> Sample:
        """People, and things that are none, pasted over a place."""
        which = rng.random()
        pool = self._empty if which < 0.5 else self._photographs if which < 0.8 else self._school
        ground = crop(pool.draw(rng), rng, size, near=which >= 0.5 and rng.random() < 0.3)
        luma, people, doubt = ground.luma.copy(), list(ground.people), list(ground.doubt)
        for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.1, 0.5, 0.25, 0.15]))):
            sprites = self.material.cut if rng.random() < 0.6 else self.material.drawn
            box = paste(luma, sprites[int(rng.integers(len(sprites)))], rng)
            if box is None:
                continue
            people, hidden = _behind(people, box)
            doubt += hidden
            people.append(box)
        for _ in range(int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1]))):
            box = self._decoy(luma, rng)
            people, hidden = _behind(people, box)
            doubt += hidden
        return Sample(luma, _sized(people), _sized(doubt))

    def _decoy(self, luma: Luma, rng: Generator) -> NDArray[np.float32]:
        """Something that is nobody: a patch of another place, with an edge like a sprite's."""
        size = luma.shape[0]
        other = crop(self._empty.draw(rng), rng, size).luma
        wide, tall = (int(v) for v in rng.integers(size // 10, size // 2, 2))
        x, y = int(rng.integers(0, size - wide)), int(rng.integers(0, size - tall))
        cover = np.zeros((size, size), np.uint8)
        if rng.random() < 0.5:
            points = rng.uniform(0, 1, (int(rng.integers(4, 9)), 2)) * (wide, tall) + (x, y)
            cv2.fillConvexPoly(cover, cv2.convexHull(points.astype(np.int32)), 255)
        else:
            middle = (x + wide // 2, y + tall // 2)
            cv2.ellipse(cover, middle, (wide // 2, tall // 2), 0, 0, 360, 255, -1)
        share = cv2.GaussianBlur(cover, (3, 3), 0).astype(np.float32) / 255
        shifted = np.clip(other.astype(np.float32) + rng.uniform(-50, 50), 0, 255)
        luma[:] = (luma * (1 - share) + shifted * share).astype(np.uint8)
        return np.array([x, y, x + wide, y + tall], np.float32)


class _Pool:
    """Pictures to draw from, weighted by scene."""

    def __init__(self, pictures: list[Known]) -> None:
        self._pictures = pictures
        self._sums = np.cumsum(by_scene(pictures))

    def draw(self, rng: Generator) -> Known:
        """One of them."""
        return self._pictures[min(int(np.searchsorted(self._sums, rng.random())),
                                  len(self._pictures) - 1)]  # fmt: skip


def crop(known: Known, rng: Generator, size: int, near: bool | None = None) -> Sample:
    """A square part of a picture at a random scale, mirrored half of the time.

    With `near` around one of its people; left open, mostly so.
    """
    rows, columns = known.luma.shape
    if near is None:
        near = rng.random() < 0.85
    if near and len(known.boxes):
        x1, y1, x2, y2 = known.boxes[int(rng.integers(len(known.boxes)))]
        tall = max(y2 - y1, (x2 - x1) * 0.6, 4.0)
        lowest, highest = min(24.0, size / 5), size * 1.15
        wanted = float(np.exp(rng.uniform(np.log(lowest), np.log(highest))))
        scale = max(min(wanted / tall, LARGEST), size / max(rows, columns))
        spare = 0.5 * (x2 - x1) * scale, 0.5 * (y2 - y1) * scale
        at = [_somewhere(rng, s, size) for s in spare]
        middle = (x1 + x2) / 2, (y1 + y2) / 2
    else:
        whole = size / max(rows, columns)
        scale = float(np.exp(rng.uniform(np.log(whole), np.log(max(whole * 1.2, 2.0)))))
        at = [size / 2, size / 2]
        reach = size / 2 / scale
        middle = (_within(rng, reach, columns), _within(rng, reach, rows))
    stretch = float(np.exp(rng.uniform(-0.14, 0.14)))
    across, down = scale * stretch, scale / stretch
    if rng.random() < 0.5:
        across = -across
    left = _filled(at[0] - abs(across) * middle[0], abs(across) * columns, size)
    top = _filled(at[1] - down * middle[1], down * rows, size)
    if across < 0:
        left = size - left
    moved = np.array([[across, 0, left], [0, down, top]])
    small = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    source = known.luma
    if small == cv2.INTER_AREA:  # warpAffine knows no area mean, so shrink before
        step = 1 / scale
        source = cv2.blur(source, (int(step) | 1, int(step) | 1))
    luma = cv2.warpAffine(source, moved, (size, size), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_CONSTANT, borderValue=PADDING)  # fmt: skip
    people, doubt = _moved(known.boxes, moved, size), _moved(known.ignore, moved, size)
    kept = _large(people[0]) & (people[1] >= SHOWN)
    unsure = people[0][~kept & (people[1] > 0.05)]
    ignored = doubt[0][doubt[1] > 0.05]
    return Sample(np.asarray(luma, np.uint8), people[0][kept], np.concatenate([unsure, ignored]))


def paste(luma: Luma, sprite: Sprite, rng: Generator) -> NDArray[np.float32] | None:
    """Put a person into a picture; the box of what shows, None where nothing worthwhile does."""
    size = luma.shape[0]
    tall = float(np.exp(rng.uniform(np.log(20), np.log(size * 1.1))))
    scale = tall / sprite.luma.shape[0]
    wide = max(4, round(sprite.luma.shape[1] * scale * float(np.exp(rng.uniform(-0.12, 0.12)))))
    shape = (wide, max(8, round(tall)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grey = cv2.resize(sprite.luma, shape, interpolation=way).astype(np.float32)
    cover = cv2.resize(sprite.cover, shape, interpolation=way).astype(np.float32) / 255
    if rng.random() < 0.5:
        grey, cover = grey[:, ::-1], cover[:, ::-1]
    x = round(_somewhere(rng, shape[0] / 2, size) - shape[0] / 2)
    y = round(_somewhere(rng, shape[1] / 2, size) - shape[1] / 2)
    x1, y1, x2, y2 = max(0, x), max(0, y), min(size, x + shape[0]), min(size, y + shape[1])
    if (x2 - x1) * (y2 - y1) < SHOWN * shape[0] * shape[1] or y2 - y1 < LOWEST:
        return None
    part = slice(y1 - y, y2 - y), slice(x1 - x, x2 - x)
    grey, cover = grey[part], cover[part]
    window = luma[y1:y2, x1:x2]
    if rng.random() < 0.6:
        grey = (grey - grey.mean()) * rng.uniform(0.35, 1.4) + grey.mean() * rng.uniform(0.4, 1.5)
    if rng.random() < 0.25:  # hardly to be told from what is behind
        apart = rng.choice([-1, 1]) * rng.uniform(10, 40)
        grey = window.mean() + (grey - grey.mean()) * 0.6 + apart
    if rng.random() < 0.3:
        _shadow(luma, (x1 + x2) / 2, y2, x2 - x1, rng)
    window[:] = np.clip(window * (1 - cover) + grey * cover, 0, 255).astype(np.uint8)
    return np.array([x1, y1, x2, y2], np.float32)


def _shadow(luma: Luma, x: float, y: float, wide: float, rng: Generator) -> None:
    """Darken an ellipse under somebody's feet."""
    cover = np.zeros(luma.shape, np.uint8)
    reach = (max(2, int(wide * rng.uniform(0.4, 1.4))), max(1, int(wide * rng.uniform(0.05, 0.25))))
    cv2.ellipse(cover, (int(x + rng.uniform(-0.5, 0.5) * reach[0]), int(y)), reach, 0, 0, 360,
                int(rng.uniform(40, 140)), -1)  # fmt: skip
    cover = cv2.GaussianBlur(cover, (7, 7), 0)
    luma[:] = (luma * (1 - cover.astype(np.float32) / 255)).astype(np.uint8)


def _somewhere(rng: Generator, half: float, size: int) -> float:
    """Where the middle of something lies: inside, but now and then cut off by an edge."""
    if rng.random() < 0.2:
        return float(rng.uniform(0, size))
    low, high = min(half, size - half), max(half, size - half)
    return float(rng.uniform(low, high))


def _filled(start: float, length: float, size: int) -> float:
    """Where a picture `length` long begins so that it fills the sample, if it can."""
    if length <= size:
        return min(max(start, 0.0), size - length)
    return min(max(start, size - length), 0.0)


def _within(rng: Generator, reach: float, length: int) -> float:
    """A middle from which `reach` either way stays inside, where that is possible."""
    return float(rng.uniform(reach, length - reach)) if 2 * reach < length else length / 2


def _moved(
    boxes: Boxes, moved: NDArray[np.float64], size: int
) -> tuple[Boxes, NDArray[np.float32]]:
    """Boxes after an affine map, clipped to the sample, and the share of each that is inside."""
    x = boxes[:, [0, 2]] * moved[0, 0] + moved[0, 2]
    y = boxes[:, [1, 3]] * moved[1, 1] + moved[1, 2]
    out = np.stack([x.min(1), y.min(1), x.max(1), y.max(1)], 1).astype(np.float32)
    clipped = np.clip(out, 0, size)
    return clipped, _area(clipped) / np.maximum(_area(out), 1e-3)


def _area(boxes: Boxes) -> NDArray[np.float32]:
    out: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return out


def _large(boxes: Boxes) -> NDArray[np.bool_]:
    out: NDArray[np.bool_] = boxes[:, 3] - boxes[:, 1] >= LOWEST
    return out


def _behind(
    people: list[NDArray[np.float32]], front: NDArray[np.float32]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Those who still show with something at `front` before them, and those in doubt now."""
    shown, hidden = [], []
    for box in people:
        low, high = np.maximum(box[:2], front[:2]), np.minimum(box[2:], front[2:])
        covered = float(np.prod(np.clip(high - low, 0, None)))
        share = covered / max(1.0, float((box[2] - box[0]) * (box[3] - box[1])))
        (hidden if share > HIDDEN else shown).append(box)
    return shown, hidden


def _sized(boxes: list[NDArray[np.float32]]) -> Boxes:
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def _joined(parts: list[Boxes]) -> Boxes:
    return np.concatenate(parts).astype(np.float32)
