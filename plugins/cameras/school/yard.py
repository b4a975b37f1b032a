"""The school yard: a paved walk along the lawn, benches, trees, the hall behind; some rain."""

from __future__ import annotations

import numpy as np

from plugins.cameras.school import paint
from plugins.cameras.school.figure import Outfit
from plugins.cameras.school.outdoors import Clouds, Outdoors, Rain, tree
from plugins.cameras.school.scene import Person, Scene
from plugins.cameras.school.stage import Stage
from plugins.cameras.school.surfaces import Blocker, Lighting, Sun, Surface, box, render
from plugins.cameras.school.view import View
from plugins.cameras.school.walk import Stop, Walk

SUN = Sun((0.60, 0.78, -0.20), (2.2, 2.05, 1.75))
AMBIENT = (0.62, 0.70, 0.80)
EXPOSURE = 1.15
RAIN = (24.0, 44.0)


def build(width: int, height: int, seed: int, seconds: float) -> Scene:
    """The scene for a picture of `width` by `height`; `seconds` is how long it is played."""
    rng = np.random.default_rng((seed, 303))
    view = View((0.0, 3.9, 0.0), -4.0, 15.0, 64.0, width, height)
    trees = [
        tree(-8.2, 17.5, 6.6, 11),
        tree(6.4, 19.5, 7.4, 12),
        tree(-1.2, 27.0, 8.0, 13),
        tree(13.5, 24.0, 7.0, 14),
    ]
    blockers = [b for t in trees for b in t.blockers]
    light = Lighting((AMBIENT, (0.0, 0.0, 0.0)), sun=SUN, blockers=[*blockers, *_blockers()])
    surfaces = _surfaces() + [s for t in trees for s in t.surfaces]
    stage = Stage(render(view, surfaces, light), EXPOSURE, rng, soft=height / 300, shade_group=1)
    middle = sum(RAIN) / 2 / seconds
    clouds = Clouds(seconds, ((middle, 0.18),), wide=18.0 / seconds)
    weather = Outdoors(view, trees, rng, seconds, Rain(*RAIN, 0.8))
    return Scene(view, stage, light, clouds.levels, _people(rng), weather=weather)


def _people(rng: np.random.Generator) -> list[Person]:
    """Two along the walk in opposite ways, one over the lawn to a bench, one home in the rain."""
    late = [float(v) for v in rng.uniform(0, 1.0, 4)]
    ways = [
        [Stop(2.5 + late[0], -7.5, 8.4), Stop(14.0 + late[0], 8.0, 9.0)],
        [Stop(5.0 + late[1], 8.0, 7.9), Stop(17.0 + late[1], -7.5, 7.3)],
        [
            Stop(22.0 + late[2], -7.8, 9.0), Stop(27.5 + late[2], 0.4, 8.7, face=150),
            Stop(30.5 + late[2], 0.4, 8.7, face=150), Stop(36.5 + late[2], 8.5, 9.6),
        ],
        [
            Stop(46.0 + late[3], 8.0, 8.8), Stop(49.0 + late[3], 3.6, 8.2, face=215),
            Stop(50.5 + late[3], 3.6, 8.2, face=215), Stop(57.5 + late[3], -7.0, 7.8),
        ],
    ]  # fmt: skip
    people = []
    for number, stops in enumerate(ways):
        outfit = Outfit.draw(rng, against=(0.07, 0.11, 0.03))
        people.append(Person(outfit, Walk(stops, outfit.stature, number * 1.3)))
    return people


def _blockers() -> list[Blocker]:
    return [
        Blocker((-26, 0, 32.0), (12, 6.4, 36.0)),
        Blocker((-3.4, 0.38, 15.2), (-1.6, 0.46, 15.65)),
        Blocker((2.6, 0.38, 15.2), (4.4, 0.46, 15.65)),
    ]


def _surfaces() -> list[Surface]:
    """Lawn and walk, benches, a low wall, the hall, hedge and sky."""
    pave = paint.slabs((0.36, 0.34, 0.31))
    out = [
        Surface((-60, 0, -5), (120, 0, 0), (0, 0, 10.6), paint.grass(), floor=True),
        Surface((-60, 0, 5.6), (120, 0, 0), (0, 0, 4.9), pave, floor=True),
        Surface((-120, 0, 10.5), (240, 0, 0), (0, 0, 240), paint.grass(), floor=True),
        Surface((-0.2, 0.004, 10.5), (2.4, 0, 0), (0, 0, 21.5), pave, floor=True),
        Surface((-400, -2, 250), (800, 0, 0), (0, 150, 0),
                paint.sky((1.25, 1.32, 1.4), (0.50, 0.74, 1.15), 90), glow=0),
    ]  # fmt: skip
    far = paint.foliage((0.06, 0.10, 0.035), 5)
    out.append(
        Surface(
            (-110, 0, 60), (220, 0, 0), (0, 9, 0), far, paint.crown(220, 17, 3, 0.0), leafy=True
        )
    )
    out.append(Surface((-60, 0, 33.5), (120, 0, 0), (0, 1.6, 0), far, leafy=True))
    kerb = paint.plain((0.40, 0.39, 0.36))
    out += box((-60, 0, 5.5), (60, 0.07, 5.6), kerb) + box((-60, 0, 10.5), (-0.2, 0.07, 10.6), kerb)
    out += box((2.2, 0, 10.5), (60, 0.07, 10.6), kerb)
    for x in (-3.4, 2.6):
        out += _bench(x, 15.2)
    out += box((5.4, 0, 15.2), (5.85, 0.85, 15.65), paint.plain((0.06, 0.10, 0.08)))
    return out + _hall()


def _bench(x: float, z: float) -> list[Surface]:
    """Two metal legs, a wooden seat and back, 1.8 m wide."""
    wood, metal = paint.plain((0.24, 0.14, 0.07), 0.3, 0.15), paint.plain((0.05, 0.05, 0.055))
    out = []
    for leg in (x + 0.1, x + 1.62):
        out += box((leg, 0, z), (leg + 0.08, 0.4, z + 0.42), metal)
    out += box((x, 0.40, z), (x + 1.8, 0.46, z + 0.42), wood)
    out += box((x, 0.60, z + 0.42), (x + 1.8, 0.88, z + 0.46), wood)
    return out


def _hall() -> list[Surface]:
    """The hall: brick below, render above, tall windows, a flat roof."""
    z, left, wide, tall = 32.0, -26.0, 38.0, 6.4
    brick = paint.bricks((0.30, 0.15, 0.095), (0.36, 0.33, 0.29))
    out = [
        Surface((left, 0, z), (wide, 0, 0), (0, 3.4, 0), brick),
        Surface((left, 3.4, z), (wide, 0, 0), (0, tall - 3.4, 0), paint.plain((0.50, 0.48, 0.42))),
        Surface((left + wide, 0, z), (0, 0, 12), (0, tall, 0), brick),
        Surface(
            (left - 0.2, tall, z - 0.3),
            (wide + 0.5, 0, 0),
            (0, 0.4, 0),
            paint.plain((0.30, 0.31, 0.32)),
        ),
    ]
    glass = ((0.035, 0.045, 0.055), (0.55, 0.65, 0.75))
    for x in np.arange(left + 1, left + wide - 3, 4.2):
        door = abs(x + 1.3 - 1.0) < 2.0
        base, high = (0.0, 2.4) if door else (0.9, 2.0)
        out.append(
            Surface(
                (float(x), base, z - 0.02),
                (2.8, 0, 0),
                (0, high, 0),
                paint.panes(2.8, high, 3, 1, *glass),
            )
        )
        out.append(
            Surface(
                (float(x), 4.0, z - 0.02),
                (2.8, 0, 0),
                (0, 1.6, 0),
                paint.panes(2.8, 1.6, 3, 1, *glass),
            )
        )
    return out
