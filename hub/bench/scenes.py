"""Footage with truth: drawn scenes, where it is perfect, and clips that come with it.

Everything is seeded; the same scene gives the same pictures. Frames with a negative number come
before anybody arrives, so that a gate can settle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from zlib import crc32

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hub.bench import grounds
from hub.bench.figures import STEPS, Sprite, car, person

Picture = NDArray[np.float32]
WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 5, 40
VISIBLE, SMALLEST = 0.7, 24  # what shows less, or is lower in pixels, is not counted


class Seen(NamedTuple):
    """A person in a frame: who, and the box x1 y1 x2 y2 in pixels, clipped to the frame."""

    who: int
    box: tuple[float, float, float, float]


class Footage(Protocol):
    """What a gate can be shown. `crowd` says that many people are in view."""

    name: str
    width: int
    height: int
    fps: float
    count: int
    crowd: bool

    def ground(self) -> Picture:
        """The empty place."""
        ...

    def picture(self, i: int, people: bool, contrast: float | None) -> Picture:
        """Frame `i`; `contrast` bounds how far people stand out, in grey levels."""
        ...

    def truth(self, i: int) -> list[Seen] | None:
        """Who shows in frame `i`; None where nobody looked."""
        ...


@dataclass(frozen=True)
class Cast:
    """Who acts in a scene. Heights are in pixels at the top and at the bottom of where they walk,
    `walk` is that part of the frame (top, bottom), `pace` in body heights a second."""

    people: int
    heights: tuple[int, int]
    walk: tuple[float, float]
    pace: float = 0.8
    cars: int = 0
    mirrored: float = 0.0


Weather = Callable[[Picture, float], Picture]


@dataclass(frozen=True)
class _Actor:
    """One mover: its place (x and y of the feet, height) at every frame."""

    look: int
    car: bool
    path: NDArray[np.float32]


def _walk(rng: Generator, cast: Cast, count: int) -> NDArray[np.float32]:
    """From one random place to the next, now and then standing for a while; (count, 3)."""
    low, high = cast.walk[0] * HEIGHT, cast.walk[1] * HEIGHT

    def place() -> NDArray[np.float64]:
        return np.array([rng.uniform(-0.1, 1.1) * WIDTH, rng.uniform(low, high)])

    here, goal, rest = place(), place(), 0
    pace = cast.pace * rng.uniform(0.7, 1.3)
    out = np.zeros((count, 3), np.float32)
    for i in range(count):
        share = (here[1] - low) / max(1.0, high - low)
        tall = cast.heights[0] + share * (cast.heights[1] - cast.heights[0])
        out[i] = here[0], here[1], tall
        if rest > 0:
            rest -= 1
            continue
        way = goal - here
        step, far = pace * tall / FPS, float(np.hypot(*way))
        if far <= step:
            goal, rest = place(), int(rng.integers(2, 6) * FPS * (rng.random() < 0.4))
        here = here + way * min(1.0, step / max(far, 1e-6))
    return out


def _drive(rng: Generator, cast: Cast, count: int, lane: int) -> NDArray[np.float32]:
    """Along a lane, once through every 15 s or so; (count, 3)."""
    speed = rng.uniform(60, 140) * (1 if lane % 2 else -1) / FPS
    start = rng.uniform(0, 1200)
    x = (start + speed * np.arange(count)) % 1400 - 300
    y = np.full(count, HEIGHT * (0.62 + 0.16 * lane))
    return np.stack([x, y, np.full(count, 42 + 16 * lane)], 1).astype(np.float32)


class Scene:
    """A drawn scene of SECONDS at FPS; see `Footage`."""

    def __init__(
        self,
        name: str,
        draw: Callable[[Generator, int, int], Picture],
        cast: Cast,
        weather: Callable[[Generator], Weather] | None = None,
        crowd: bool = False,
        seed: int = 1,
    ) -> None:
        self.name, self.crowd = name, crowd
        self.width, self.height, self.fps, self.count = WIDTH, HEIGHT, float(FPS), SECONDS * FPS
        rng = np.random.default_rng([seed, crc32(name.encode())])
        self._ground = draw(rng, WIDTH, HEIGHT)
        self._cast = cast
        self._weather = weather(rng) if weather else None
        self._actors = [
            _Actor(int(rng.integers(1 << 30)), False, _walk(rng, cast, self.count))
            for _ in range(cast.people)
        ]
        self._actors += [
            _Actor(int(rng.integers(1 << 30)), True, _drive(rng, cast, self.count, lane))
            for lane in range(cast.cars)
        ]

    def ground(self) -> Picture:
        return self._ground

    def picture(self, i: int, people: bool, contrast: float | None) -> Picture:
        at = i / FPS
        empty = self._weather(self._ground, at) if self._weather else self._ground
        if not people or i < 0:
            return empty.copy()
        picture = self._ground.copy()
        self._paint(picture, i)
        full = self._weather(picture, at) if self._weather else picture
        return full if contrast is None else empty + np.clip(full - empty, -contrast, contrast)

    def truth(self, i: int) -> list[Seen] | None:
        owner = np.full((HEIGHT, WIDTH), -1, np.int16)
        placed = self._placed(i)
        for who, sprite, x, y in placed:
            cut = _cut(sprite, x, y)
            if cut is not None:
                rows, columns, part = cut
                owner[rows, columns][part.alpha > 0.5] = who
        found = []
        for who, sprite, x, y in placed:
            whole = max(1, int(np.count_nonzero(sprite.alpha > 0.5)))
            shown = int(np.count_nonzero(owner == who)) / whole
            box = (max(0, x), max(0, y), min(WIDTH, x + sprite.grey.shape[1]),
                   min(HEIGHT, y + sprite.grey.shape[0]))  # fmt: skip
            person_like = not self._actors[who].car and box[3] - box[1] >= SMALLEST
            if person_like and shown >= VISIBLE:
                found.append(Seen(who, box))
        return found

    def doubts(self, i: int) -> list[tuple[float, float, float, float]]:
        """Boxes of the people in frame `i` whom `truth` leaves out: too small, or too little shows.

        A find there is neither right nor wrong.
        """
        told = {seen.who for seen in self.truth(i) or ()}
        left = []
        for who, sprite, x, y in self._placed(i):
            if who not in told and not self._actors[who].car and _cut(sprite, x, y) is not None:
                tall, wide = sprite.grey.shape
                left.append((max(0.0, x), max(0.0, y), min(WIDTH, x + wide), min(HEIGHT, y + tall)))
        return left

    def _placed(self, i: int) -> list[tuple[int, Sprite, int, int]]:
        """Who stands where, the far ones first: (who, sprite, left, top)."""
        placed = []
        for who, actor in enumerate(self._actors):
            x, y, tall = (float(v) for v in actor.path[i])
            before = actor.path[max(0, i - 1)]
            moves = abs(x - float(before[0])) + abs(y - float(before[1])) > 0.5
            step = (2 * i + who) % STEPS if moves else 0
            sprite = car(round(tall * 2.4), actor.look) if actor.car else person(
                round(tall), step, actor.look
            )  # fmt: skip
            left = round(x - sprite.grey.shape[1] / 2)
            placed.append((y, who, sprite, left, round(y) - sprite.grey.shape[0]))
        return [(who, sprite, left, top) for _, who, sprite, left, top in sorted(
            placed, key=lambda p: p[:2])]  # fmt: skip

    def _paint(self, picture: Picture, i: int) -> None:
        for _, sprite, x, y in self._placed(i):
            if self._cast.mirrored:
                upside = Sprite(sprite.grey[::-1], sprite.alpha[::-1] * self._cast.mirrored)
                _blend(picture, upside, x, y + sprite.grey.shape[0])
            _blend(picture, sprite, x, y)


def _blend(picture: Picture, sprite: Sprite, x: int, y: int) -> None:
    cut = _cut(sprite, x, y)
    if cut is not None:
        rows, columns, part = cut
        picture[rows, columns] += part.alpha * (part.grey - picture[rows, columns])


def _cut(sprite: Sprite, x: int, y: int) -> tuple[slice, slice, Sprite] | None:
    """The part of a sprite inside the frame, and where it goes."""
    tall, wide = sprite.grey.shape
    x0, y0, x1, y1 = max(0, x), max(0, y), min(WIDTH, x + wide), min(HEIGHT, y + tall)
    if x0 >= x1 or y0 >= y1:
        return None
    inside = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
    return slice(y0, y1), slice(x0, x1), Sprite(sprite.grey[inside], sprite.alpha[inside])


def leaf_shadows(rng: Generator) -> Weather:
    """Dappled shade that sways, more in gusts."""
    layers = [grounds.blotches(rng, WIDTH + 64, HEIGHT + 64, size) > 0.15 for size in (26, 14)]
    soft = [np.asarray(layer, np.float32) for layer in layers]
    pace, phase = rng.uniform(0.15, 0.5, (2, 2)), rng.uniform(0, 6, (2, 2))

    def shade(picture: Picture, at: float) -> Picture:
        gust = 0.6 + 0.4 * np.sin(at / 7)
        light = np.ones_like(picture)
        for k, layer in enumerate(soft):
            y, x = (32 + 9 * gust * np.sin(2 * np.pi * pace[k] * at + phase[k])).astype(int)
            light -= 0.16 * layer[y : y + HEIGHT, x : x + WIDTH]
        shaded = picture.copy()
        shaded[HEIGHT // 4 :, : WIDTH * 2 // 3] *= light[HEIGHT // 4 :, : WIDTH * 2 // 3]
        return shaded

    return shade


def darkness(rng: Generator) -> Weather:
    """Night by the light of two lamps."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    light = np.full((HEIGHT, WIDTH), 0.16, np.float32)
    for centre in (0.25, 0.8):
        far = ((x - centre * WIDTH) / (0.16 * WIDTH)) ** 2 + ((y / HEIGHT - 0.6) / 0.3) ** 2
        light += 0.35 * np.exp(-far)
    return lambda picture, at: picture * light + 6


def drawn() -> list[Scene]:
    """Every drawn scene."""
    return [
        Scene("yard", grounds.yard, Cast(4, (34, 80), (0.4, 0.98))),
        Scene("corridor", grounds.corridor, Cast(2, (70, 170), (0.55, 1.0))),
        Scene("crowd", grounds.square, Cast(22, (28, 44), (0.08, 1.0)), crowd=True),
        Scene("gym", grounds.gym, Cast(7, (60, 100), (0.42, 0.98), 1.6, mirrored=0.3), crowd=True),
        Scene("night", grounds.yard, Cast(4, (36, 84), (0.4, 0.98)), darkness),
        Scene("car park", grounds.car_park, Cast(3, (34, 60), (0.5, 0.98), cars=2)),
        Scene("cars alone", grounds.car_park, Cast(0, (34, 60), (0.5, 0.98), cars=2)),
        Scene("leaf shadows", grounds.yard, Cast(4, (34, 80), (0.4, 0.98)), leaf_shadows),
    ]
