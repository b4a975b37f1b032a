"""The staff car park: bays before the brick wing, a lane, a kerb, a hedge and trees behind."""

from __future__ import annotations

import math

import numpy as np

from plugins.cameras.school import paint
from plugins.cameras.school.figure import Outfit, Shade
from plugins.cameras.school.outdoors import Clouds, Outdoors, tree
from plugins.cameras.school.scene import Person, Scene
from plugins.cameras.school.stage import Stage
from plugins.cameras.school.surfaces import Blocker, Lighting, Paint, Sun, Surface, box, render
from plugins.cameras.school.vehicle import Body, Drive, Leg, Mesh, faces, park, shadow
from plugins.cameras.school.view import Array, View
from plugins.cameras.school.walk import Stop, Walk

SUN = Sun((-0.55, 0.80, -0.42), (2.3, 2.15, 1.85))
AMBIENT = (0.62, 0.68, 0.78)
EXPOSURE = 1.15
BAY, FIRST, NEAR_END, FAR_END = 2.6, -9.1, 10.4, 15.4
EMPTY = 4  # which bay the arriving car takes


def build(width: int, height: int, seed: int, seconds: float) -> Scene:
    """The scene for a picture of `width` by `height`; `seconds` is how long it is played."""
    rng = np.random.default_rng((seed, 404))
    view = View((0.2, 4.3, 0.9), 2.0, 18.5, 66.0, width, height)
    trees = [tree(-14.5, 27.0, 6.5, 31), tree(9.0, 30.0, 7.5, 32), tree(16.0, 26.0, 6.0, 33)]
    blockers = [b for t in trees for b in t.blockers]
    light = Lighting((AMBIENT, (0.0, 0.0, 0.0)), sun=SUN, blockers=[*blockers, *_blockers()])
    surfaces = _surfaces() + [s for t in trees for s in t.surfaces]
    stage = Stage(render(view, surfaces, light), EXPOSURE, rng, soft=height / 300, shade_group=1)
    clouds = Clouds(seconds, ((0.30, 0.6), (0.70, 0.5)))
    weather = Outdoors(view, trees, rng, seconds)
    scene = Scene(view, stage, light, clouds.levels, weather=weather)
    _fill(scene, rng)
    driver = Outfit.draw(rng, against=(0.08, 0.08, 0.08))
    scene.movers = [_arrival(rng)]
    scene.people = [*_driver(driver), *_passers(rng)]
    return scene


def _bay(number: int) -> float:
    """The middle of a bay, metres to the right."""
    return FIRST + BAY * (number + 0.5)


def _fill(scene: Scene, rng: np.random.Generator) -> None:
    """Park cars in most bays."""
    for number in (0, 1, 2, 6, 7):
        x, z = _bay(number), 12.9 + float(rng.uniform(-0.15, 0.15))
        heading = math.pi if rng.random() < 0.6 else 0.0
        parts = Mesh(faces(Body.draw(rng), braking=False))
        full, none = AMBIENT, (0.0, 0.0, 0.0)
        ambient = park(scene.view, parts, x, z, heading, Shade(full, none, SUN.towards))
        sunny = park(scene.view, parts, x, z, heading, Shade(none, SUN.colour, SUN.towards))
        if ambient is not None and sunny is not None:
            scene.stage.bake("car", [ambient, sunny], shadow(scene, x, z, heading))


def _arrival(rng: np.random.Generator) -> Drive:
    """A car comes along the lane, parks nose first, and leaves again before the clip ends."""
    x = _bay(EMPTY)
    legs = [
        Leg(2.0, -17.0, 7.2, 90), Leg(6.0, x - 4.6, 7.2, 90), Leg(7.6, x - 1.4, 8.2, 50),
        Leg(9.0, x, 10.4, 4), Leg(11.0, x, 12.8, 0), Leg(48.0, x, 12.8, 0),
        Leg(50.4, x, 10.0, 0), Leg(52.4, x - 1.5, 7.4, 52), Leg(53.4, x - 2.2, 7.0, 86),
        Leg(54.0, x - 2.2, 7.0, 90), Leg(58.0, x + 17.0, 7.0, 90),
    ]  # fmt: skip
    return Drive(Body(PAINT_OF_ARRIVAL, 1.0, 1.0, bool(rng.random() < 0.5)), legs)


PAINT_OF_ARRIVAL = (0.20, 0.018, 0.018)


def _driver(outfit: Outfit) -> list[Person]:
    """Gets out, walks off to the school; comes back later and gets in."""
    x = _bay(EMPTY)
    out = [
        Stop(13.0, x - 0.3, 12.6, sink=0.75), Stop(14.6, x - 1.5, 12.4, face=180, sink=0.0),
        Stop(15.4, x - 1.6, 12.2, face=200), Stop(18.4, x - 2.6, 8.4), Stop(25.0, x - 9.0, 7.6),
        Stop(27.5, x - 12.5, 7.6),
    ]  # fmt: skip
    back = [
        Stop(34.0, x - 12.5, 7.8), Stop(36.4, x - 9.0, 7.8), Stop(41.6, x - 2.6, 8.6),
        Stop(44.6, x - 1.6, 12.2, face=60), Stop(45.6, x - 1.5, 12.4, face=60),
        Stop(47.2, x - 0.3, 12.6, sink=0.75),
    ]  # fmt: skip
    return [Person(outfit, Walk(stops, outfit.stature)) for stops in (out, back)]


def _passers(rng: np.random.Generator) -> list[Person]:
    """Somebody crosses the lane near the camera."""
    outfit = Outfit.draw(rng, against=(0.08, 0.08, 0.08))
    late = float(rng.uniform(0, 1.0))
    stops = [Stop(19.5 + late, 8.0, 7.0), Stop(30.5 + late, -7.0, 6.5)]
    return [Person(outfit, Walk(stops, outfit.stature, 1.0))]


def _blockers() -> list[Blocker]:
    return [Blocker((-40, 0, 19.0), (40, 5.2, 24.0))]


def _surfaces() -> list[Surface]:
    """Ground, bays, kerbs, hedge, the brick wing and sky."""
    out = [
        Surface((-60, 0, -5), (120, 0, 0), (0, 0, 21.2), _bays(), floor=True),
        Surface(
            (-60, 0.0, 16.2), (120, 0, 0), (0, 0, 2.8), paint.slabs((0.34, 0.33, 0.30)), floor=True
        ),
        Surface((-120, 0, 19.0), (240, 0, 0), (0, 0, 232), paint.grass(), floor=True),
        Surface(
            (-400, -2, 250),
            (800, 0, 0),
            (0, 150, 0),
            paint.sky((1.25, 1.32, 1.4), (0.55, 0.78, 1.15), 90),
            glow=0,
        ),
    ]
    out += box((-60, 0, 16.05), (60, 0.13, 16.2), paint.plain((0.42, 0.41, 0.39)))
    out += _wing()
    far = paint.foliage((0.07, 0.12, 0.04), 5)
    out.append(
        Surface(
            (-110, 0, 78), (220, 0, 0), (0, 9, 0), far, paint.crown(220, 16, 3, 0.0), leafy=True
        )
    )
    out.append(Surface((-110, 0, 79), (220, 0, 0), (0, 5, 0), far, leafy=True))
    for x in (-1.3, 6.5):
        out += box((x - 0.07, 0, 16.6), (x + 0.07, 4.6, 16.74), paint.plain((0.18, 0.19, 0.2)))
    return out


def _wing() -> list[Surface]:
    """Two storeys of brick with windows and an entrance."""
    z, tall = 19.0, 6.6
    brick = paint.bricks((0.30, 0.13, 0.085), (0.36, 0.33, 0.29))
    out = [
        Surface((-26, 0, z), (34, 0, 0), (0, tall, 0), brick),
        Surface((-26, tall, z - 0.25), (34.2, 0, 0), (0, 0.35, 0), paint.plain((0.36, 0.36, 0.35))),
        Surface((8, 0, z), (0, 0, 14), (0, tall, 0), brick),
    ]  # fmt: skip
    glass = ((0.035, 0.045, 0.055), (0.55, 0.65, 0.75))
    for x in range(-24, 6, 4):
        for y in (0.95, 4.1):
            if (x, y) == (-8, 0.95):
                continue
            out.append(Surface((x + 0.5, y, z - 0.02), (2.8, 0, 0), (0, 1.65, 0),
                               paint.panes(2.8, 1.65, 3, 1, *glass)))  # fmt: skip
            out.append(
                Surface(
                    (x + 0.4, y - 0.1, z - 0.06),
                    (3.0, 0, 0),
                    (0, 0.1, 0),
                    paint.plain((0.45, 0.44, 0.41)),
                )
            )
    out.append(
        Surface((-7.9, 0, z - 0.02), (3.0, 0, 0), (0, 2.5, 0), paint.panes(3.0, 2.5, 3, 1, *glass))
    )
    out += box((-8.4, 2.6, z - 1.4), (-4.4, 2.8, z), paint.plain((0.40, 0.41, 0.42)))
    return out


def _bays() -> Paint:
    """Asphalt with the white lines of the bays and an arrow for the lane."""
    ground = paint.asphalt(0.085)

    def draw(u: Array, v: Array) -> Array:
        x, z = u - 60, v - 5
        out = ground(u, v)
        worn = paint.GRAIN.rough(u, v, 0.22) > 0.36
        edge = np.abs((x - FIRST) - np.round((x - FIRST) / BAY) * BAY) < 0.055
        edge &= (x > FIRST - 0.2) & (x < FIRST + BAY * 9 + 0.2) & (z > NEAR_END) & (z < FAR_END)
        stop = (np.abs(z - 4.1) < 0.06) & ((x % 2.0) < 1.1)
        shaft = (np.abs(z - 6.6) < 0.06) & (np.abs(x - 5.0) < 0.8)
        head = (x > 5.7) & (x < 6.5) & (np.abs(z - 6.6) < (6.5 - x) * 0.45)
        out[(edge | stop | shaft | head) & worn] = 0.42
        return out

    return draw
