"""The entrance hall, from inside: sliding glass doors to the daylight, a counter, benches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plugins.cameras.school import paint
from plugins.cameras.school.figure import Outfit, Sprite
from plugins.cameras.school.scene import Levels, Person, Scene
from plugins.cameras.school.stage import Actor, Stage
from plugins.cameras.school.surfaces import Cut, Lamp, Lighting, Surface, box, render
from plugins.cameras.school.view import Array, View
from plugins.cameras.school.walk import Stop, Walk

LEFT, RIGHT, FRONT, HIGH = -4.2, 4.4, 9.0, 3.3
DOORWAY = (-0.95, 0.95)
LEAF, DOOR_HIGH = 0.95, 2.3
EXPOSURE = 1.45
DARK = (41.5, 47.0)  # the hall's lamps are switched off for a while
NOTICE_M, OPEN_S = 2.3, 0.9


def build(width: int, height: int, seed: int, seconds: float) -> Scene:
    """The scene for a picture of `width` by `height`; `seconds` is how long it is played."""
    rng = np.random.default_rng((seed, 202))
    view = View((-2.9, 3.05, -0.6), 19.0, 17.5, 70.0, width, height)
    light = _light()
    stage = Stage(render(view, _surfaces(), light), EXPOSURE, rng, soft=height / 90)
    people = _people(rng)
    doors = SlidingDoors([p.walk for p in people], seconds)
    return Scene(view, stage, light, _levels, people, movers=doors.leaves())


def _levels(time: float) -> Levels:
    """Lamps, daylight and the glow of both; somebody switches the lamps off, then on again."""
    lamps = 0.0 if DARK[0] <= time < DARK[1] else 1.0
    return (lamps, 1.0)


def _people(rng: np.random.Generator) -> list[Person]:
    """In to the counter and on; out; two that cross; a late one."""
    late = [float(v) for v in rng.uniform(0, 0.9, 5)]
    counter = (1.9, 4.9)
    ways = [
        [
            Stop(2.0 + late[0], 0.1, 14.0),
            Stop(6.2 + late[0], 0.1, 9.2),
            Stop(8.8 + late[0], *counter, face=90),
            Stop(14.5 + late[0], *counter, face=90),
            Stop(19.0 + late[0], -0.4, 3.6),
            Stop(22.0 + late[0], -5.4, 3.5),
        ],
        [
            Stop(15.0 + late[1], -5.6, 5.4),
            Stop(19.6 + late[1], -0.3, 7.4),
            Stop(21.2 + late[1], -0.3, 9.4),
            Stop(25.0 + late[1], -1.0, 14.0),
        ],
        [Stop(27.0 + late[2], -5.6, 4.9), Stop(36.0 + late[2], 6.0, 4.4)],
        [Stop(26.5 + late[3], 5.8, 5.9), Stop(35.5 + late[3], -5.6, 6.3)],
        [
            Stop(48.2 + late[4], -0.1, 13.6),
            Stop(52.2 + late[4], 0.0, 9.0),
            Stop(57.4 + late[4], -5.5, 5.6),
        ],
    ]
    people = []
    for number, stops in enumerate(ways):
        outfit = Outfit.draw(rng, against=(0.26, 0.15, 0.07))
        people.append(Person(outfit, Walk(stops, outfit.stature, number * 0.9)))
    return people


def _light() -> Lighting:
    lamps = [Lamp((x, HIGH - 0.1, z), (1.7, 1.64, 1.52), 0)
             for x in (-2.2, 0.4, 3.0) for z in (1.2, 3.6, 6.0, 8.0)]  # fmt: skip
    lamps += [Lamp((x, 1.6, FRONT - 0.5), (2.0, 2.2, 2.5), 1, 0.0) for x in (-2.6, 0.0, 2.6)]
    walls = ((0, LEFT), (0, RIGHT), (1, 0.0), (1, HIGH), (2, FRONT))
    return Lighting(((0.16, 0.155, 0.145), (0.20, 0.22, 0.25)), lamps, walls=walls)


def _surfaces() -> list[Surface]:
    wall = paint.plaster((0.62, 0.60, 0.54), (0.42, 0.36, 0.28), 1.05, (0.24, 0.15, 0.08))
    deep = FRONT + 1.5
    out = [
        Surface(
            (LEFT - 2, 0, -1.5),
            (RIGHT - LEFT + 4, 0, 0),
            (0, 0, deep),
            paint.tiles((0.40, 0.37, 0.32), (0.33, 0.30, 0.27), 0.6, 0.006, 0.35),
            floor=True,
            shine=0.5,
        ),
        Surface(
            (-1.3, 0.006, FRONT - 2.1),
            (2.6, 0, 0),
            (0, 0, 2.05),
            paint.plain((0.045, 0.045, 0.05), 0.3, 0.03),
            floor=True,
            shine=0.0,
        ),
        Surface((LEFT - 2, HIGH, -1.5), (RIGHT - LEFT + 4, 0, 0), (0, 0, deep), paint.ceiling()),
        Surface((LEFT, 0, -1.5), (0, 0, 4.5), (0, HIGH, 0), wall),
        Surface((LEFT, 0, 6.9), (0, 0, FRONT - 6.9), (0, HIGH, 0), wall),
        Surface((LEFT, 2.5, 3.0), (0, 0, 3.9), (0, HIGH - 2.5, 0), paint.plain((0.62, 0.60, 0.54))),
        Surface((LEFT - 2, 0, 6.9), (2, 0, 0), (0, HIGH, 0), wall),
        Surface((RIGHT, 0, -1.5), (0, 0, deep), (0, HIGH, 0), wall),
    ]
    return out + _outside() + _front() + _counter() + _furniture() + _overhead()


def _outside() -> list[Surface]:
    """What one sees through the glass: forecourt, road, lawn, hedge and a bright sky."""
    left, wide = -40.0, 90.0
    out = []
    bands = (
        (FRONT + 0.02, 6.0, paint.slabs((0.78, 0.76, 0.72))),
        (15.0, 0.3, paint.plain((0.9, 0.89, 0.85))),
        (15.3, 6.0, paint.asphalt(0.30)),
        (21.3, 24.0, paint.grass((0.34, 0.48, 0.17), (0.22, 0.36, 0.11))),
    )
    for z, deep, ground in bands:
        out.append(Surface((left, 0, z), (wide, 0, 0), (0, 0, deep), ground, glow=1))
    hedge = paint.foliage((0.20, 0.30, 0.11), 3)
    out.append(Surface((left, 0, 45), (wide, 0, 0), (0, 2.2, 0), hedge, glow=1))
    air = paint.sky((1.9, 2.0, 2.15), (1.5, 1.8, 2.3), 20)
    out.append(Surface((left * 2, 0, 60), (wide * 2, 0, 0), (0, 20, 0), air, glow=1))
    return out


def _mullions(wide: float, tall: float, rows: int) -> Cut:
    """The frame of a pane, which is all of it that one sees."""

    def cut(u: Array, v: Array) -> Array:
        y = v % (tall / rows)
        out: Array = (u < 0.04) | (u > wide - 0.04) | (y < 0.04) | (y > tall / rows - 0.04)
        return out

    return cut


def _front() -> list[Surface]:
    """The wall to the street: a doorway between fixed panes, panes above."""
    out = []
    frame = paint.plain((0.13, 0.14, 0.15))
    plaster = paint.plain((0.60, 0.58, 0.52))
    out.append(Surface((LEFT, 0, FRONT), (1.1, 0, 0), (0, HIGH, 0), plaster))
    out.append(Surface((3.2, 0, FRONT), (RIGHT - 3.2, 0, 0), (0, HIGH, 0), plaster))
    out.append(Surface((LEFT, 3.05, FRONT), (RIGHT - LEFT, 0, 0), (0, HIGH - 3.05, 0), plaster))
    out.append(
        Surface((LEFT + 1.1, DOOR_HIGH, FRONT), (3.2 - LEFT - 1.1, 0, 0), (0, 0.14, 0), frame)
    )
    for x in (-3.09, -2.02, 1.01, 2.08):
        bars = _mullions(1.07, DOOR_HIGH, 2)
        out.append(Surface((x, 0, FRONT), (1.07, 0, 0), (0, DOOR_HIGH, 0), frame, bars))
    for i in range(6):
        x, y, bars = -3.1 + 1.05 * i, DOOR_HIGH + 0.14, _mullions(1.05, 0.61, 1)
        out.append(Surface((x, y, FRONT), (1.05, 0, 0), (0, 0.61, 0), frame, bars))
    for x in (DOORWAY[0] - 0.06, DOORWAY[1]):
        out += box((x, 0, FRONT - 0.08), (x + 0.06, DOOR_HIGH, FRONT + 0.02), frame)
    sign = paint.glow((0.10, 0.75, 0.28), 0.5, 0.18)
    out.append(Surface((-0.25, 2.52, FRONT - 0.12), (0.5, 0, 0), (0, 0.18, 0), sign, glow=1))
    return out


def _counter() -> list[Surface]:
    """The reception counter on the right, with a window into the office behind it."""
    wood, top = paint.plain((0.26, 0.15, 0.07), 0.25, 0.3), paint.plain((0.50, 0.49, 0.46))
    out = box((3.35, 0, 3.9), (3.95, 1.06, 6.8), wood, top)
    out += box((3.25, 1.06, 3.8), (3.95, 1.11, 6.9), top)
    office = paint.panes(2.8, 1.15, 3, 1, (0.30, 0.29, 0.26), (0.62, 0.62, 0.6))
    out.append(Surface((RIGHT - 0.02, 1.12, 3.95), (0, 0, 2.8), (0, 1.15, 0), office))
    out += box((3.55, 1.11, 5.7), (3.62, 1.5, 6.2), paint.plain((0.03, 0.03, 0.035)))
    out += box((3.5, 1.11, 4.3), (3.75, 1.17, 4.65), paint.plain((0.55, 0.55, 0.5)))
    return out


def _furniture() -> list[Surface]:
    """Benches along the left, two notice boards, a cabinet."""
    out: list[Surface] = []
    blue, leg = paint.plain((0.05, 0.12, 0.26)), paint.plain((0.2, 0.2, 0.21))
    for z in (0.9, 1.55, 2.2):
        out += box((LEFT + 0.1, 0.40, z), (LEFT + 0.6, 0.47, z + 0.55), blue)
        out += box((LEFT + 0.08, 0.47, z), (LEFT + 0.14, 0.86, z + 0.55), blue)
        out += box((LEFT + 0.3, 0, z + 0.25), (LEFT + 0.36, 0.4, z + 0.31), leg)
    out.append(
        Surface(
            (LEFT + 0.02, 1.2, 0.6),
            (0, 0, 2.1),
            (0, 1.2, 0),
            paint.board(2.1, 1.2, 9, (0.25, 0.14, 0.06)),
        )
    )
    out.append(
        Surface(
            (RIGHT - 0.02, 1.3, 7.2),
            (0, 0, 1.5),
            (0, 1.1, 0),
            paint.board(1.5, 1.1, 4, (0.06, 0.10, 0.18)),
        )
    )
    oak = paint.plain((0.24, 0.14, 0.07), 0.25, 0.2)
    out += box((3.75, 0, 7.3), (RIGHT, 0.82, 8.6), oak, paint.plain((0.48, 0.47, 0.44)))
    out += box((4.0, 0.82, 7.5), (4.2, 0.98, 7.8), paint.plain((0.08, 0.2, 0.3)))
    return out


def _overhead() -> list[Surface]:
    out = []
    for x in (-2.2, 0.4, 3.0):
        for z in (1.2, 3.6, 6.0, 8.0):
            lit = paint.glow((2.6, 2.55, 2.4), 0.58, 0.58)
            out.append(
                Surface((x - 0.3, HIGH - 0.012, z - 0.3), (0.6, 0, 0), (0, 0, 0.6), lit, glow=0)
            )
    return out


class SlidingDoors:
    """Two glass leaves that part when somebody is near the doorway."""

    def __init__(self, walks: Sequence[Walk], seconds: float) -> None:
        self.rate = 20
        count = int(seconds * self.rate) + 1
        wanted = np.zeros(count, np.float32)
        for walk in walks:
            for i in range(count):
                pose = walk.pose(i / self.rate)
                if pose is not None and abs(pose.z - FRONT) < NOTICE_M and abs(pose.x) < 1.4:
                    wanted[i : i + self.rate] = 1
        step = 1 / (OPEN_S * self.rate)
        self.open = np.zeros(count, np.float32)
        for i in range(1, count):
            self.open[i] = np.clip(self.open[i - 1] + (step if wanted[i] else -step), 0, 1)

    def leaves(self) -> list[Leaf]:
        """Both leaves, to be drawn with the rest."""
        return [Leaf(self, -1), Leaf(self, 1)]

    def share(self, time: float) -> float:
        """How far open: 0 to 1."""
        at = min(int(time * self.rate), len(self.open) - 1)
        share = float(self.open[at])
        return share * share * (3 - 2 * share)


class Leaf:
    """One glass leaf in its frame; no part of the truth."""

    def __init__(self, doors: SlidingDoors, side: int) -> None:
        self.doors, self.side = doors, side
        self._kept: tuple[float, Levels, Actor] | None = None

    def actor(self, time: float, scene: Scene) -> Actor | None:
        """The leaf where it is now."""
        share, levels = self.doors.share(time), scene.levels(time)
        if self._kept is None or self._kept[:2] != (share, levels):
            self._kept = (share, levels, Actor("", self._draw(share, levels, scene.view)))
        return self._kept[2]

    def _draw(self, share: float, levels: Levels, view: View) -> Sprite:
        from PIL import Image, ImageDraw

        fine = 3
        inner = self.side * share * LEAF * 0.94
        outer = inner + self.side * LEAF
        z = FRONT - 0.05 if share < 0.02 else FRONT - 0.03
        corners = _corners(view, inner, outer, 0.02, DOOR_HIGH, z)
        left, top = (int(v) for v in np.floor(corners[:, :2].min(0)) - 1)
        right, bottom = (int(v) for v in np.ceil(corners[:, :2].max(0)) + 1)
        image = Image.new("L", ((right - left) * fine, (bottom - top) * fine), 0)
        pen = ImageDraw.Draw(image)

        def fill(x0: float, x1: float, y0: float, y1: float, value: int) -> None:
            shape = (_corners(view, x0, x1, y0, y1, z)[:, :2] - (left, top)) * fine
            pen.polygon(shape.ravel().tolist(), fill=value)

        bar = 0.06 * self.side
        fill(inner, outer, 0.02, DOOR_HIGH, 255)
        fill(inner + bar, outer - bar, 0.14, DOOR_HIGH - 0.08, 70)
        fill(inner + bar, outer - bar, 0.98, 1.03, 255)
        blocks = (bottom - top, fine, right - left, fine)
        cover = np.asarray(image, np.float32).reshape(blocks).mean((1, 3)) / np.float32(255)
        tone = np.where(cover > 0.5, 0.10 * (0.35 * levels[0] + 0.65), 0.9)
        light = (tone * cover)[..., None] * np.ones(3, np.float32)
        depth = np.full(cover.shape, float(corners[:, 2].mean()), np.float32)
        return Sprite(left, top, light.astype(np.float32), cover, depth)


def _corners(view: View, x0: float, x1: float, y0: float, y1: float, z: float) -> Array:
    points = np.array([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], np.float32)
    return view.project(points)
