"""Simulated scenes that know who is who, for trackers: boxes of people, and how much of each shows.

Nothing is drawn. Everything is seeded; the same name and seed give the same scene. Paths are
float64 (looks, 3): x and y of the feet and the height, in pixels, NaN where somebody is away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Path = NDArray[np.float64]
WIDTH, HEIGHT, LOOKS = 640, 360, 5  # pixels, and looks a second
SHOWN_LEAST = 0.3  # least share that must show of somebody who counts
_WIDE = 0.36  # of the height
_STEPS = np.linspace(0.04, 0.96, 12)


class Person(NamedTuple):
    """Somebody at one look: who, the whole box clipped to the picture, and the share that shows.

    `seen` is the box of what shows.
    """

    who: int
    box: Box
    shown: float
    seen: Box


class Pillar(NamedTuple):
    """What hides people whose feet are above `foot`; a box in pixels."""

    box: Box
    foot: float


@dataclass(frozen=True)
class Walk:
    """A scene: everybody at each look, LOOKS a second."""

    name: str
    people: list[list[Person]]
    size: tuple[int, int] = (WIDTH, HEIGHT)
    looks: float = LOOKS


@dataclass
class _Stage:
    rng: Generator
    seconds: float
    paths: list[Path] = field(default_factory=list)
    pillars: list[Pillar] = field(default_factory=list)

    @property
    def count(self) -> int:
        return round(self.seconds * LOOKS)

    def add(self, points: list[tuple[float, float, float]], tall: float, after: float = 0) -> None:
        """Somebody who is at (second, x, y) points, straight in between, away before and after.

        `tall` is their height in pixels at the bottom of the picture.
        """
        at = np.arange(self.count) / LOOKS
        seconds, x, y = (np.array(column) for column in zip(*points, strict=True))
        path = np.stack([np.interp(at, seconds + after, x), np.interp(at, seconds + after, y)], 1)
        path[(at < seconds[0] + after) | (at > seconds[-1] + after)] = np.nan
        self.paths.append(np.column_stack([path, _tall(path[:, 1], tall)]))


def _tall(y: NDArray[np.float64], tall: float) -> NDArray[np.float64]:
    return np.asarray(tall * (0.25 + 0.75 * y / HEIGHT))


def _across(stage: _Stage, y: float, tall: float, pace: float, start: float) -> None:
    """Through the picture once, from the left where `pace` (heights a second) is positive."""
    speed = pace * float(_tall(np.array([y]), tall)[0])
    begin, end = (-60.0, WIDTH + 60.0) if speed > 0 else (WIDTH + 60.0, -60.0)
    stage.add([(0, begin, y), ((end - begin) / speed, end, y)], tall, start)


def crossing(stage: _Stage) -> None:
    """Pairs who come from both sides and pass each other, close in depth."""
    for start in np.arange(0, stage.seconds - 12, 5.0):
        y, tall = stage.rng.uniform(240, 330), stage.rng.uniform(120, 190)
        pace = stage.rng.uniform(0.5, 1.1, 2)
        _across(stage, y, tall, pace[0], start)
        _across(stage, y + stage.rng.uniform(4, 24), tall * stage.rng.uniform(0.9, 1.1),
                -pace[1], start + stage.rng.uniform(0, 1))  # fmt: skip


def overtaking(stage: _Stage) -> None:
    """Somebody slow in front hides somebody quicker behind for seconds."""
    for start in np.arange(0, stage.seconds - 12, 6.0):
        y, tall = stage.rng.uniform(250, 320), stage.rng.uniform(120, 180)
        slow, way = stage.rng.uniform(0.4, 0.6), stage.rng.choice([-1, 1])
        _across(stage, y + stage.rng.uniform(6, 20), tall, way * slow, start)
        quick = slow * stage.rng.uniform(1.5, 2.0)
        _across(stage, y, tall * stage.rng.uniform(0.95, 1.05), way * quick, start + 2.5)


def pillar(stage: _Stage) -> None:
    """A pillar that hides people for a second or two; some wait behind it."""
    for left in (190.0, 420.0):
        stage.pillars.append(Pillar((left, 0, left + stage.rng.uniform(35, 70), 345), 345))
    for start in np.arange(0, stage.seconds - 10, 3.0):
        y, tall = stage.rng.uniform(220, 335), stage.rng.uniform(110, 170)
        pace = stage.rng.uniform(0.5, 1.2) * stage.rng.choice([-1, 1])
        if stage.rng.random() < 0.7:
            _across(stage, y, tall, pace, start)
            continue
        hidden = stage.pillars[int(stage.rng.integers(2))].box
        middle = (hidden[0] + hidden[2]) / 2
        speed = pace * float(_tall(np.array([y]), tall)[0])
        begin, end = (-60.0, WIDTH + 60.0) if speed > 0 else (WIDTH + 60.0, -60.0)
        there = (middle - begin) / speed
        rest = there + stage.rng.uniform(0.4, 1.0)
        points = [(0.0, begin, y), (there, middle, y), (rest, middle, y)]
        stage.add([*points, (rest + (end - middle) / speed, end, y)], tall, start)


def standing(stage: _Stage) -> None:
    """People who stand for a minute, and others who walk past in front of and behind them."""
    for x in (150.0, 330.0, 500.0):
        y, tall = stage.rng.uniform(250, 290), stage.rng.uniform(120, 160)
        sway = [(t, x + stage.rng.normal(0, 2), y) for t in np.arange(0.0, stage.seconds, 2.0)]
        stage.add([*sway, (stage.seconds, x, y)], tall)
    for start in np.arange(2, stage.seconds - 8, 5.0):
        y = stage.rng.choice([stage.rng.uniform(225, 245), stage.rng.uniform(295, 330)])
        pace = stage.rng.uniform(0.6, 1.1) * stage.rng.choice([-1, 1])
        _across(stage, y, stage.rng.uniform(120, 160), pace, start)


def doorway(stage: _Stage) -> None:
    """People who come in, stay a little, leave over the edge, and others right behind them."""
    for start in np.arange(0, stage.seconds - 14, 3.5):
        y, tall = stage.rng.uniform(230, 330), stage.rng.uniform(110, 170)
        edge = float(stage.rng.choice([-50, WIDTH + 50]))
        inside = WIDTH / 2 + stage.rng.uniform(-160, 160)
        walk = abs(inside - edge) / (stage.rng.uniform(0.6, 1.1) * tall)
        rest = walk + stage.rng.uniform(1, 4)
        back = edge if stage.rng.random() < 0.6 else WIDTH - edge
        away = rest + abs(back - inside) / (0.9 * tall)
        stage.add([(0, edge, y), (walk, inside, y), (rest, inside, y), (away, back, y)],
                  tall, start)  # fmt: skip


def turning(stage: _Stage) -> None:
    """Pairs who meet, stand together for a moment, and go on or turn back."""
    for start in np.arange(0, stage.seconds - 12, 8.0):
        y, tall = stage.rng.uniform(240, 320), stage.rng.uniform(120, 170)
        meet = stage.rng.uniform(220, 420)
        gap = stage.rng.uniform(0.35, 0.6) * tall
        stay = 4 + stage.rng.uniform(0.5, 3)
        for side, depth in ((-1, 0.0), (1, stage.rng.uniform(4, 18))):
            begin, stop = WIDTH / 2 + side * 380, meet + side * gap / 2
            goal = begin if stage.rng.random() < 0.5 else WIDTH - begin
            points = [(0.0, begin, y + depth), (4, stop, y + depth), (stay, stop, y + depth)]
            stage.add([*points, (stay + 5, goal, y + depth)], tall, start)


def queue(stage: _Stage) -> None:
    """A line of people close together who move up one place now and then."""
    tall, y = stage.rng.uniform(130, 160), 300.0
    gap = stage.rng.uniform(0.34, 0.45) * tall
    moves = np.cumsum(stage.rng.uniform(4, 7, 12))
    for place in range(7):
        x, lean = 560.0 - gap * place, stage.rng.uniform(-8, 8)
        points = [(0.0, x, y + lean)]
        for moment in moves:
            begin = moment + 0.35 * place
            points += [(begin, x, y + lean), (begin + 1, x + gap, y + lean)]
            x += gap
        stage.add(points, tall * stage.rng.uniform(0.93, 1.07))


def running(stage: _Stage) -> None:
    """Children at play: quick, with sharp turns."""
    _wander(stage, 6, tall=(90, 130), pace=(1.2, 2.4), floor=(180, 350), rests=0.15)


def crowd(stage: _Stage) -> None:
    """Twenty people who walk about and stop."""
    _wander(stage, 20, tall=(60, 80), pace=(0.4, 1.1), floor=(90, 355), rests=0.4)


def _wander(
    stage: _Stage,
    people: int,
    tall: tuple[float, float],
    pace: tuple[float, float],
    floor: tuple[float, float],
    rests: float,
) -> None:
    rng = stage.rng
    for _ in range(people):
        high = rng.uniform(*tall)
        now, x, y = 0.0, rng.uniform(20, WIDTH - 20), rng.uniform(*floor)
        points = [(now, x, y)]
        while now < stage.seconds:
            goal_x, goal_y = rng.uniform(20, WIDTH - 20), rng.uniform(*floor)
            now += float(np.hypot(goal_x - x, goal_y - y)) / (rng.uniform(*pace) * high) + 0.2
            x, y = goal_x, goal_y
            points.append((now, x, y))
            if rng.random() < rests:
                now += rng.uniform(1, 5)
                points.append((now, x, y))
        stage.add(points, high)


SCENES: dict[str, tuple[Callable[[_Stage], None], float]] = {
    scene.__name__: (scene, seconds)
    for scene, seconds in (
        (crossing, 40.0),
        (overtaking, 40.0),
        (pillar, 40.0),
        (standing, 62.0),
        (doorway, 45.0),
        (turning, 45.0),
        (queue, 60.0),
        (running, 40.0),
        (crowd, 40.0),
    )
}


def walk(name: str, seed: int) -> Walk:
    """One of SCENES with a seed of its own."""
    draw, seconds = SCENES[name]
    stage = _Stage(np.random.default_rng([seed, crc32(name.encode())]), seconds)
    draw(stage)
    gait = stage.rng.uniform(0, 6, len(stage.paths))
    people = [_people(stage, i, gait) for i in range(stage.count)]
    return Walk(name, people)


def _people(stage: _Stage, i: int, gait: NDArray[np.float64]) -> list[Person]:
    """Everybody at look `i` of whom something is inside the picture."""
    boxes: dict[int, Box] = {}
    for who, path in enumerate(stage.paths):
        x, y, tall = (float(value) for value in path[i])
        if np.isnan(x):
            continue
        before = path[max(i - 1, 0), 0]
        moves = not np.isnan(before) and abs(x - before) > 0.02 * tall
        swing = 1 + 0.18 * np.sin(gait[who] + 9.0 * i / LOOKS) if moves else 0.95
        half = float(_WIDE * swing * tall / 2)
        boxes[who] = (x - half, y - tall, x + half, y)
    hiders = [(box, box[3], who) for who, box in boxes.items()]
    hiders += [(one.box, one.foot, -1) for one in stage.pillars]
    found = [_person(who, box, hiders) for who, box in boxes.items()]
    return [person for person in found if person is not None]


def _person(who: int, box: Box, hiders: list[tuple[Box, float, int]]) -> Person | None:
    x1, y1, x2, y2 = box
    clipped = (max(0.0, x1), max(0.0, y1), min(float(WIDTH), x2), min(float(HEIGHT), y2))
    if clipped[2] - clipped[0] < 4 or clipped[3] - clipped[1] < 4:
        return None
    x, y = np.meshgrid(x1 + _STEPS * (x2 - x1), y1 + _STEPS * (y2 - y1))
    free = (x >= 0) & (x <= WIDTH) & (y >= 0) & (y <= HEIGHT)
    for (a, b, c, d), foot, other in hiders:
        if other == who or foot <= y2:
            continue
        inset = 0.0 if other < 0 else 0.1 * (c - a)  # a body does not fill its box
        free &= ~((x >= a + inset) & (x <= c - inset) & (y >= b) & (y <= d))
    if not free.any():
        return Person(who, clipped, 0.0, clipped)
    seen = _around(x[free], y[free], box)
    return Person(who, clipped, float(free.mean()), (
        max(seen[0], clipped[0]), max(seen[1], clipped[1]),
        min(seen[2], clipped[2]), min(seen[3], clipped[3])))  # fmt: skip


def _around(x: NDArray[np.float64], y: NDArray[np.float64], box: Box) -> Box:
    across, down = 0.04 * (box[2] - box[0]), 0.04 * (box[3] - box[1])
    return (float(x.min()) - across, float(y.min()) - down,
            float(x.max()) + across, float(y.max()) + down)  # fmt: skip
