"""Samples as the gate's crops are: people at any size, cut off, pasted, in any light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training import night, pasting
from training.pasting import HEAD, LOWEST, MOST_TOGETHER, SHOWN, Layers, somewhere
from training.pictures import Boxes, Known, Luma, by_scene, empty
from training.prepare import Material
from training.sprites import Sprite
from training.weather import weathered

PADDING = 114
SHARES = {"photograph": 0.34, "school": 0.12, "pasted": 0.32, "mosaic": 0.1, "nobody": 0.12}
PASTED = {"few": 0.4, "group": 0.4, "close": 0.2}
CLOSE = 0.12  # share of the crops around somebody that are too close to show all of them
LEAVES, LEAVES_ALONE = 0.12, 0.45  # shares under leaves: with people, and without anybody
ANIMALS, ANIMALS_ALONE = 0.2, 0.5  # shares with animals: of what is pasted into, of nobody
FILMED = 0.1  # share of those by day that go through H.264
PHOTOGRAPHED = 0.3  # share of the animals that are cut from photographs
LARGEST = 3.5  # how many times a picture is enlarged at most


class Sample(NamedTuple):
    """Luma (size, size); people, those in doubt and animals, (n, 4) corners in pixels."""

    luma: Luma
    people: Boxes
    doubt: Boxes
    animals: Boxes = pasting.boxes([])


@dataclass
class Composer:
    """Draws samples at random from the material, a share `dark` of them at night."""

    material: Material
    dark: float = 0.0

    def __post_init__(self) -> None:
        self._photographs = _Pool(self.material.photographs)
        self._school = _Pool(self.material.school)
        self._empty = _Pool(empty(self.material.photographs))

    def sample(self, rng: Generator, size: int) -> Sample:
        """One sample of `size` pixels a side."""
        kind = _kind(rng, SHARES)
        if kind == "mosaic":
            plain = self._mosaic(rng, size)
        elif kind == "pasted":
            plain = self._pasted(rng, size)
        elif kind == "nobody":
            pool = self._empty if rng.random() < 0.6 else self._school
            plain = self._with_animals(crop(pool.draw(rng), rng, size, near=False), rng)
        else:
            pool = self._photographs if kind == "photograph" else self._school
            plain = crop(pool.draw(rng), rng, size, close=CLOSE)
        if self.dark and rng.random() < self.dark:
            return _at_night(plain, rng)
        leaves = LEAVES if len(plain.people) else LEAVES_ALONE
        by_day = plain._replace(luma=weathered(plain.luma, rng, leaves))
        return _filmed(by_day, rng) if rng.random() < FILMED else by_day

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
        """People, cars, and things that are neither, pasted over a place."""
        which = rng.random()
        pool = self._empty if which < 0.5 else self._photographs if which < 0.8 else self._school
        ground = crop(pool.draw(rng), rng, size, near=which >= 0.5 and rng.random() < 0.3)
        layers, kind = Layers(ground.luma.copy()), _kind(rng, PASTED)
        if rng.random() < 0.25:
            pasting.car(layers, self._car(rng), rng)
        if rng.random() < ANIMALS:
            self._add_animals(layers, rng)
        if kind == "group":
            pasting.group(layers, self._people(rng, int(rng.integers(2, MOST_TOGETHER + 1))), rng)
        else:
            count = rng.choice([0, 1, 2, 3], p=[0.15, 0.45, 0.25, 0.15])
            pasting.few(layers, self._people(rng, int(count) if kind == "few" else 0), rng)
        if kind == "close":
            pasting.close(layers, self._people(rng, 1)[0], rng)
        for _ in range(int(rng.choice([0, 1, 2], p=[0.65, 0.25, 0.1]))):
            pasting.decoy(layers, self._elsewhere(rng, size), rng)
        if rng.random() < 0.12:
            pasting.counter(layers, self._elsewhere(rng, size), rng)
        if rng.random() < 0.1:
            pasting.car(layers, self._car(rng), rng)
        shown, hidden = layers.below(ground.people)
        people, doubt = layers.people()
        unsure = _joined([ground.doubt, hidden, doubt])
        return Sample(layers.luma, _joined([shown, people]), unsure, layers.animals())

    def _people(self, rng: Generator, count: int) -> list[Sprite]:
        """Cut out or drawn; those of one sample are of one kind, mostly."""
        drawn = 0.35 if rng.random() < 0.3 else float(rng.random() < 0.4)
        found = []
        for _ in range(count):
            sprites = self.material.drawn if rng.random() < drawn else self.material.cut
            found.append(sprites[int(rng.integers(len(sprites)))])
        return found

    def _with_animals(self, plain: Sample, rng: Generator) -> Sample:
        """A share of samples that look past whoever is there, with animals that hide some more."""
        if rng.random() >= ANIMALS_ALONE:
            return plain
        layers = Layers(plain.luma.copy())
        self._add_animals(layers, rng)
        shown, hidden = layers.below(plain.people)
        return Sample(layers.luma, shown, _joined([plain.doubt, hidden]), layers.animals())

    def _add_animals(self, layers: Layers, rng: Generator) -> None:
        for _ in range(int(rng.integers(1, 3))):
            photographed = self.material.photographed and rng.random() < PHOTOGRAPHED
            kept = self.material.photographed if photographed else self.material.animals
            pasting.animal(layers, kept[int(rng.integers(len(kept)))], rng)

    def _car(self, rng: Generator) -> Sprite:
        return self.material.cars[int(rng.integers(len(self.material.cars)))]

    def _elsewhere(self, rng: Generator, size: int) -> Luma:
        return crop(self._empty.draw(rng), rng, size).luma


def _at_night(plain: Sample, rng: Generator) -> Sample:
    """The same in the dark."""
    place = night.lit(plain.luma, rng)
    return _shown(plain, place, night.seen(place, plain.people, rng))


def _filmed(plain: Sample, rng: Generator) -> Sample:
    """The same as a camera with few bits sends it."""
    place = plain.luma.astype(np.float32)
    return _shown(plain, place, night.sent(place, plain.people, rng))


def _shown(plain: Sample, place: night.Light, luma: Luma) -> Sample:
    """The place as `luma` shows it; those whom it no longer does are in doubt."""
    told = night.told(luma, place, plain.people)
    doubt = _joined([plain.doubt, plain.people[~told]])
    return plain._replace(luma=luma, people=plain.people[told], doubt=doubt)


class _Pool:
    """Pictures to draw from, weighted by scene."""

    def __init__(self, pictures: list[Known]) -> None:
        self._pictures = pictures
        self._sums = np.cumsum(by_scene(pictures))

    def draw(self, rng: Generator) -> Known:
        """One of them."""
        return self._pictures[min(int(np.searchsorted(self._sums, rng.random())),
                                  len(self._pictures) - 1)]  # fmt: skip


def crop(
    known: Known, rng: Generator, size: int, near: bool | None = None, close: float = 0.0
) -> Sample:
    """A square part of a picture at a random scale, mirrored half of the time.

    With `near` around one of its people; left open, mostly so. A share `close` of those is too
    close to show all of somebody, and head and shoulders are enough for a person then.
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
        at = [somewhere(rng, s, size) for s in spare]
        if close and rng.random() < close:
            wanted = size * float(np.exp(rng.uniform(0.0, np.log(2.6))))
            scale = max(min(wanted / tall, LARGEST), size / max(rows, columns))
            at = [size * float(rng.uniform(0.2, 0.8)),
                  size * float(rng.uniform(0.02, 0.5)) + 0.5 * (y2 - y1) * scale]  # fmt: skip
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
    if close:
        kept |= _upper(known.boxes, moved, people[0])
    unsure = people[0][~kept & (people[1] > 0.05)]
    ignored = doubt[0][doubt[1] > 0.05]
    return Sample(np.asarray(luma, np.uint8), people[0][kept], np.concatenate([unsure, ignored]))


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


def _upper(boxes: Boxes, moved: NDArray[np.float64], clipped: Boxes) -> NDArray[np.bool_]:
    """Of whom head and shoulders are inside, large enough to be told."""
    top = boxes[:, 1] * moved[1, 1] + moved[1, 2]
    tall = (boxes[:, 3] - boxes[:, 1]) * moved[1, 1]
    wide = (boxes[:, 2] - boxes[:, 0]) * abs(moved[0, 0])
    high, broad = clipped[:, 3] - clipped[:, 1], clipped[:, 2] - clipped[:, 0]
    told = (high >= 1.1 * HEAD * tall) & (high >= 2 * LOWEST) & (broad >= 0.7 * wide)
    out: NDArray[np.bool_] = (top > -2) & told
    return out


def _area(boxes: Boxes) -> NDArray[np.float32]:
    out: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return out


def _large(boxes: Boxes) -> NDArray[np.bool_]:
    out: NDArray[np.bool_] = boxes[:, 3] - boxes[:, 1] >= LOWEST
    return out


def _kind(rng: Generator, shares: dict[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _joined(parts: list[Boxes]) -> Boxes:
    return np.concatenate(parts).astype(np.float32)
