"""Animals on four legs: drawn from the side, slantwise or from the front, in any step and coat,
light or heavy, and sitting; and a few that are cut from photographs.

What a detector of people takes for somebody is mostly a part of one, a pair of legs with the trunk
above it; so shapes and steps vary much, and likeness counts little.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.pictures import Luma
from training.sprites import TALL, Sprite, cut_out, trimmed

Step = Callable[[], None]
Place = tuple[float, float]
SIDE = 3 * TALL  # of the square that one is drawn in
UNIT = TALL / 2.0  # pixels of what is 1: about from the ground to the back
GROUND = 2.6  # how far below the upper edge it stands
HEAVY, SITS = 0.35, 0.15  # shares of those on thick legs, and of those that sit
BOXES = Path(__file__).with_name("animals.csv")  # where photographs show some
FILLS = (0.3, 0.95)


class _Build(NamedTuple):
    """How one is built, in heights of its back: lengths and thicknesses."""

    leg: float
    trunk: float
    thick: float
    neck: float
    head: float
    limb: float
    tail: float


def animals(count: int, seed: int, step: Step = lambda: None) -> Iterator[Sprite]:
    """So many of them; the same seed draws the same."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        sprite = _animal(rng)
        if sprite is not None:
            made += 1
            yield sprite
            step()


def photographed(labelled: Path) -> list[Sprite]:
    """Those of `animals.csv` that are in the labelled pictures."""
    found = []
    with BOXES.open(newline="") as file:
        for row in csv.DictReader(file):
            path = labelled / "images" / row["image"]
            if path.exists():
                colour = np.asarray(cv2.imread(str(path)), np.uint8)
                box = np.array([row[side] for side in ("x1", "y1", "x2", "y2")], np.float32)
                found.append(cut_out(colour, box, FILLS) or _with_its_place(colour, box))
    return found


def _with_its_place(colour: NDArray[np.uint8], box: NDArray[np.float32]) -> Sprite:
    """One that cannot be cut out, with what is about it, fading out at the edge."""
    x1, y1, x2, y2 = (int(v) for v in box)
    luma = cv2.cvtColor(colour[max(0, y1) : y2, max(0, x1) : x2], cv2.COLOR_BGR2GRAY)
    cover, edge = np.zeros(luma.shape, np.uint8), max(2, min(luma.shape) // 16)
    cover[edge:-edge, edge:-edge] = 255
    cover = cv2.blur(cover, (2 * edge + 1, 2 * edge + 1))
    return Sprite(np.asarray(luma, np.uint8), np.asarray(cover, np.uint8))


def _animal(rng: Generator) -> Sprite | None:
    pen = _Pen(rng)
    build = _heavy(rng) if rng.random() < HEAVY else _light(rng)
    if rng.random() < SITS:
        _sitting(pen, build, rng)
        return trimmed(pen.luma(rng), pen.cover)
    turn = float(rng.choice([rng.uniform(0.75, 1.0), rng.uniform(0.2, 0.75)]))  # 1: from the side
    _legs(pen, build, turn, rng, far=True)
    _trunk(pen, build, turn, rng)
    _legs(pen, build, turn, rng, far=False)
    _head(pen, build, turn, rng)
    return trimmed(pen.luma(rng), pen.cover)


def _light(rng: Generator) -> _Build:
    return _Build(
        leg=float(rng.uniform(0.3, 0.75)),
        trunk=float(rng.uniform(0.7, 1.9)),
        thick=float(rng.uniform(0.25, 0.62)),
        neck=float(rng.uniform(0.05, 0.7)),
        head=float(rng.uniform(0.22, 0.5)),
        limb=float(rng.uniform(0.06, 0.2)),
        tail=float(rng.uniform(0, 0.8)),
    )


def _heavy(rng: Generator) -> _Build:
    """A bear, a cow, a ram: a deep trunk, thick legs, hardly a neck or tail."""
    return _Build(
        leg=float(rng.uniform(0.28, 0.55)),
        trunk=float(rng.uniform(0.8, 1.7)),
        thick=float(rng.uniform(0.5, 0.85)),
        neck=float(rng.uniform(0.0, 0.35)),
        head=float(rng.uniform(0.25, 0.5)),
        limb=float(rng.uniform(0.16, 0.36)),
        tail=float(rng.uniform(0, 0.35)),
    )


def _sitting(pen: _Pen, build: _Build, rng: Generator) -> None:
    """On its haunches, upright on the fore legs, from the side or towards the camera."""
    lean, turn = float(rng.uniform(0.8, 1.35)), float(rng.uniform(0, 1))
    long = min(1.15, build.trunk)
    hips = (0.0, GROUND - build.thick * 0.4)
    chest = (long * math.cos(lean) * turn, hips[1] - long * math.sin(lean))
    pen.round((hips[0], hips[1]), build.thick * float(rng.uniform(0.9, 1.3)), 0.9)
    pen.line(hips, chest, build.thick * float(rng.uniform(0.7, 1.0)), 1.0)
    for side in (-1.0, 1.0):
        x = chest[0] + side * build.thick * 0.25 * (1.3 - turn)
        shade = 0.8 if side < 0 else 1.0
        pen.line((x, chest[1] + build.thick * 0.2), (x, GROUND), build.limb * 1.2, shade)
        out = hips[0] + side * build.thick * 0.5 * (1.2 - turn)
        pen.line((out, hips[1]), (out, GROUND - 0.05), build.thick * 0.45, shade * 0.95)
    tip = (hips[0] - build.tail * float(rng.uniform(-1, 1)), GROUND - 0.05)
    pen.line(hips, tip, build.limb * 0.6, 0.9)
    _skull(pen, build, (chest[0], chest[1]), max(turn, 0.3), rng)


def _trunk(pen: _Pen, build: _Build, turn: float, rng: Generator) -> None:
    half, back = build.trunk * turn / 2, GROUND - build.leg - build.thick / 2
    sway = float(rng.uniform(-0.06, 0.06))
    pen.line((-half, back), (half, back + sway), build.thick * float(rng.uniform(0.8, 1)), 1.0)
    pen.round((-half, back), build.thick * float(rng.uniform(0.85, 1.15)), 1.0)
    pen.round((half, back + sway), build.thick * float(rng.uniform(0.9, 1.25)), 1.0)
    if rng.random() < 0.4:  # a lighter or darker belly
        low = back + build.thick * 0.3
        pen.line((-half, low), (half, low), build.thick * 0.4, float(rng.uniform(0.6, 1.5)))
    lift = float(rng.uniform(-0.9, 1.2))
    end = (-half - build.tail * turn * math.cos(lift), back - build.tail * math.sin(lift))
    pen.line((-half, back - build.thick * 0.3), end, build.limb * 0.6, 0.9)


def _legs(pen: _Pen, build: _Build, turn: float, rng: Generator, far: bool) -> None:
    """A fore and a hind leg, the far ones darker and a little higher."""
    moves, phase = float(rng.uniform(0, 0.75)), float(rng.uniform(0, 2 * math.pi))
    hip = GROUND - build.leg - build.thick * 0.35
    apart = build.thick * (1 - turn) * (0.35 if far else -0.35)
    for side, own in ((-1, 0.0), (1, math.pi * float(rng.uniform(0.7, 1.3)))):
        x = side * build.trunk * turn * 0.46 + apart
        swing = moves * math.sin(phase + own) * turn
        knee = (x + math.sin(swing) * build.leg * 0.6, hip + (GROUND - hip) * 0.5)
        lift = max(0.0, math.cos(phase + own)) * moves * 0.25 + (0.05 if far else 0.0)
        foot = (knee[0] + math.sin(swing - 0.3 * side * moves) * build.leg * 0.5, GROUND - lift)
        shade = 0.72 if far else float(rng.uniform(0.85, 1.0))
        pen.line((x, hip), knee, build.limb * float(rng.uniform(1.2, 2.0)), shade)
        pen.line(knee, foot, build.limb, shade)
        pen.line(foot, (foot[0] + build.limb * 0.7, foot[1]), build.limb * 0.8, shade * 0.9)


def _head(pen: _Pen, build: _Build, turn: float, rng: Generator) -> None:
    _skull(pen, build, (build.trunk * turn / 2, GROUND - build.leg - build.thick * 0.65), turn, rng)


def _skull(pen: _Pen, build: _Build, chest: Place, turn: float, rng: Generator) -> None:
    rise = float(rng.uniform(-0.4, 1.4))
    poll = (chest[0] + build.neck * turn * math.cos(rise), chest[1] - build.neck * math.sin(rise))
    pen.line(chest, poll, build.thick * float(rng.uniform(0.35, 0.7)), 1.0)
    pen.round(poll, build.head * float(rng.uniform(0.7, 1.0)), 1.0)
    nod = float(rng.uniform(-0.2, 1.0))
    nose = (poll[0] + build.head * turn * math.cos(nod), poll[1] + build.head * math.sin(nod))
    pen.line(poll, nose, build.head * float(rng.uniform(0.35, 0.6)), float(rng.uniform(0.8, 1.1)))
    for side in (-0.3, 0.3):
        ear = (poll[0] + side * build.head, poll[1] - build.head * float(rng.uniform(0.4, 0.9)))
        pen.line((poll[0] + side * 0.5 * build.head, poll[1]), ear, build.head * 0.25, 0.85)
    if rng.random() < 0.15:  # horns or antlers
        for side in (-1.0, 1.0):
            tip = (poll[0] + side * build.head, poll[1] - build.head * float(rng.uniform(0.8, 2.0)))
            pen.line(poll, tip, build.head * 0.12, float(rng.uniform(0.7, 1.6)))


class _Pen:
    """Draws luma and opacity together; places are in heights, the middle of the picture is 0."""

    def __init__(self, rng: Generator) -> None:
        self.cover: Luma = np.zeros((SIDE, SIDE), np.uint8)
        self._shade = np.ones((SIDE, SIDE), np.float32)
        self._coat = float(rng.uniform(15, 220))

    def line(self, start: Place, end: Place, thick: float, shade: float) -> None:
        """A thick line with round ends."""
        width = max(2, round(thick * UNIT))
        for plane, value in ((self.cover, 255), (self._shade, shade)):
            cv2.line(plane, _at(start), _at(end), value, width, cv2.LINE_AA)

    def round(self, middle: Place, thick: float, shade: float) -> None:
        """A disc."""
        radius = max(1, round(thick * UNIT / 2))
        for plane, value in ((self.cover, 255), (self._shade, shade)):
            cv2.circle(plane, _at(middle), radius, value, -1, cv2.LINE_AA)

    def luma(self, rng: Generator) -> Luma:
        """The coat: lit from above, rough, now and then in patches."""
        deep = cv2.distanceTransform((self.cover > 127).astype(np.uint8), cv2.DIST_L2, 3)
        light = 0.75 + 0.25 * np.clip(deep / max(1.0, float(deep.max())), 0, 1)
        down = np.linspace(1.2, 0.8, SIDE, dtype=np.float32)[:, None]
        grey = self._coat * self._shade * light * (1 + (down - 1) * float(rng.uniform(0, 1.5)))
        if rng.random() < 0.35:
            patches = _blots(rng, float(rng.uniform(12, 60))) > float(rng.uniform(0.2, 1.0))
            grey = np.where(patches, float(rng.uniform(15, 235)), grey)
        grey = grey + _blots(rng, 2.0) * float(rng.uniform(2, 14))
        out: NDArray[np.uint8] = np.clip(grey, 0, 255).astype(np.uint8)
        return out


def _blots(rng: Generator, reach: float) -> NDArray[np.float32]:
    """A smooth random field of spread 1, about `reach` pixels from hill to valley."""
    few = max(4, int(SIDE / reach))
    field = cv2.resize(rng.standard_normal((few, few)).astype(np.float32), (SIDE, SIDE),
                       interpolation=cv2.INTER_CUBIC)  # fmt: skip
    return np.asarray(field / max(1e-6, float(field.std())), np.float32)


def _at(place: Place) -> tuple[int, int]:
    return round(SIDE / 2 + place[0] * UNIT), round(place[1] * UNIT)
