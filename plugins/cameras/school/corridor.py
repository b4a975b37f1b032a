"""The science wing's corridor: lockers, laboratory doors, a notice board, windows far down."""

from __future__ import annotations

import numpy as np

from plugins.cameras.school import paint
from plugins.cameras.school.figure import Outfit
from plugins.cameras.school.scene import Levels, Person, Scene
from plugins.cameras.school.stage import Stage
from plugins.cameras.school.surfaces import Lamp, Lighting, Surface, box, render
from plugins.cameras.school.view import View
from plugins.cameras.school.walk import Stop, Walk

LEFT, RIGHT, HIGH, FAR = -1.5, 1.5, 2.85, 25.0
OPENING = (7.1, 8.7)
WHITE = (1.0, 0.97, 0.90)
FLICKER_AT = 47.0
EXPOSURE = 1.8


def build(width: int, height: int, seed: int, seconds: float) -> Scene:
    """The scene for a picture of `width` by `height`; `seconds` is how long it is played."""
    rng = np.random.default_rng((seed, 101))
    view = View((0.75, 2.62, 0.0), -6.0, 15.5, 67.0, width, height)
    light = _light()
    stage = Stage(render(view, _surfaces(), light), EXPOSURE, rng, soft=height / 90)
    return Scene(view, stage, light, _levels, people=[_visitor(rng)])


def _levels(time: float) -> Levels:
    """One tube near the camera flickers for a moment; the rest burns steadily."""
    since = time - FLICKER_AT
    dips = ((0.0, 0.1), (0.3, 0.5), (0.9, 1.0))
    low = any(a - 1e-6 <= since < b - 1e-6 for a, b in dips)
    return (1.0, 0.35 if low else 1.0, 1.0)


def _visitor(rng: np.random.Generator) -> Person:
    """In from the side passage, along to the notice board, a while there, on and out."""
    outfit = Outfit.draw(rng, against=(0.07, 0.17, 0.24))
    late = float(rng.uniform(0, 1.2))
    stops = [
        Stop(8.6 + late, -2.9, 7.9),
        Stop(11.0 + late, -0.35, 7.75),
        Stop(13.6 + late, 0.55, 5.35, face=80),
        Stop(21.8 + late, 0.55, 5.35, face=80),
        Stop(24.2 + late, -0.55, 4.45, face=-75),
        Stop(27.0 + late, -0.55, 4.45, face=-75),
        Stop(30.5 + late, 0.1, 0.6),
    ]
    return Person(outfit, Walk(stops, outfit.stature))


def _light() -> Lighting:
    lamps = [Lamp((x, HIGH - 0.1, z), (0.95, 0.93, 0.88), 1 if z == 4.2 else 0)
             for z in (1.8, 4.2, 6.6, 9.0, 11.4, 13.8, 16.2, 18.6, 21.0)
             for x in (-0.45, 0.45)]  # fmt: skip
    lamps += [Lamp((1.3, 1.7, z), (1.0, 1.12, 1.3), 2, 0.15) for z in (13.0, 16.0, 19.0)]
    lamps.append(Lamp((-2.6, 2.5, 7.9), (1.0, 0.97, 0.9), 0))
    walls = ((0, LEFT), (0, RIGHT), (1, 0.0), (1, HIGH), (2, FAR))
    ambient = ((0.20, 0.20, 0.19), (0.03, 0.03, 0.028), (0.03, 0.033, 0.04))
    return Lighting(ambient, lamps, walls=walls)


def _surfaces() -> list[Surface]:
    wall = paint.plaster((0.60, 0.58, 0.50), (0.36, 0.42, 0.42), 1.15, (0.20, 0.24, 0.25))
    long = FAR + 1
    out = [
        Surface(
            (LEFT - 3, 0, -1),
            (6, 0, 0),
            (0, 0, long),
            paint.tiles((0.36, 0.35, 0.31), (0.24, 0.29, 0.31), 0.45, 0.005),
            floor=True,
            shine=0.55,
        ),
        Surface((LEFT - 3, HIGH, -1), (6, 0, 0), (0, 0, long), paint.ceiling()),
        Surface((RIGHT, 0, -1), (0, 0, long), (0, HIGH, 0), wall),
        Surface((LEFT, 0, -1), (0, 0, OPENING[0] + 1), (0, HIGH, 0), wall),
        Surface((LEFT, 0, OPENING[1]), (0, 0, FAR - OPENING[1]), (0, HIGH, 0), wall),
        Surface(
            (LEFT, 2.35, OPENING[0]),
            (0, 0, OPENING[1] - OPENING[0]),
            (0, HIGH - 2.35, 0),
            paint.plain((0.60, 0.58, 0.50)),
        ),
        Surface((LEFT - 3, 0, OPENING[1]), (3, 0, 0), (0, HIGH, 0), wall),
        Surface((LEFT - 3, 0, OPENING[0]), (3, 0, 0), (0, HIGH, 0), wall),
        Surface((LEFT, 0, FAR), (3, 0, 0), (0, HIGH, 0), wall),
    ]
    return out + _left() + _right() + _end() + _overhead()


def _left() -> list[Surface]:
    """Lockers before and after the side passage."""
    out: list[Surface] = []
    for start, end in ((0.4, 6.75), (9.3, 16.6)):
        steel = paint.lockers((0.07, 0.17, 0.24))
        deep = LEFT + 0.42
        out += [
            Surface((deep, 0, start), (0, 0, end - start), (0, 1.8, 0), steel),
            Surface(
                (LEFT, 1.8, start),
                (0.42, 0, 0),
                (0, 0, end - start),
                paint.plain((0.10, 0.2, 0.26)),
            ),
            Surface((LEFT, 0, end), (0.42, 0, 0), (0, 1.8, 0), paint.plain((0.06, 0.14, 0.2))),
            Surface((LEFT, 0, start), (0.42, 0, 0), (0, 1.8, 0), paint.plain((0.06, 0.14, 0.2))),
        ]
    oak = (0.30, 0.17, 0.075)
    out.append(_door(LEFT + 0.01, 17.6, oak))
    out.append(_door(LEFT + 0.01, 21.0, oak))
    return out


def _door(x: float, z: float, colour: paint.Colour) -> Surface:
    return Surface(
        (x, 0, z),
        (0, 0, 0.98),
        (0, 2.12, 0),
        paint.door(colour, 0.98, 2.12, (0.62, 1.05, 0.80, 1.80), (0.05, 0.06, 0.07)),
    )


def _right() -> list[Surface]:
    """Laboratory doors, a notice board, an extinguisher, windows to the courtyard."""
    x = RIGHT - 0.01
    oak = (0.30, 0.17, 0.075)
    out = [_door(x, z, oak) for z in (2.3, 7.6, 10.2)]
    out.append(Surface((x - 0.03, 0.95, 4.3), (0, 0, 2.5), (0, 1.15, 0), paint.board(2.5, 1.15, 3)))
    out.append(
        Surface((x - 0.01, 1.35, 3.5), (0, 0, 0.34), (0, 0.24, 0), paint.plain((0.05, 0.16, 0.4)))
    )
    for z in (7.25, 9.85):
        out.append(Surface((x, 1.5, z), (0, 0, 0.24), (0, 0.16, 0), paint.plain((0.62, 0.62, 0.6))))
    out += box((x - 0.13, 0.95, 9.15), (x, 1.45, 9.3), paint.plain((0.42, 0.02, 0.015)))
    for z in (11.9, 14.9, 17.9, 20.9):
        day = paint.window(2.4, 1.5, 3, 1, (2.2, 2.5, 2.9), (0.45, 0.7, 0.35), 0.5)
        out.append(Surface((x, 0.95, z), (0, 0, 2.4), (0, 1.5, 0), day, glow=2))
    return out


def _end() -> list[Surface]:
    """Double doors with glass at the far end, and the sign above them."""
    pane = (0.55, 0.62, 0.68)
    colour = (0.10, 0.15, 0.19)
    out = []
    for x in (-0.98, 0.0):
        leaf = paint.door(colour, 0.98, 2.12, (0.25, 0.9, 0.73, 1.9), pane)
        out.append(Surface((x, 0, FAR - 0.02), (0.98, 0, 0), (0, 2.12, 0), leaf))
    sign = paint.glow((0.10, 0.75, 0.28), 0.6, 0.22)
    out.append(Surface((-0.3, 2.3, FAR - 0.05), (0.6, 0, 0), (0, 0.22, 0), sign, glow=0))
    out.append(Surface((-1.2, 2.42, 12.0), (0.5, 0, 0), (0, 0.2, 0), sign, glow=0))
    return out


def _overhead() -> list[Surface]:
    """Light panels, one of them on its own circuit, and a smoke detector."""
    out = []
    for z in (1.8, 4.2, 6.6, 9.0, 11.4, 13.8, 16.2, 18.6, 21.0):
        lit = paint.glow((2.6, 2.55, 2.4), 1.2, 0.58)
        group = 1 if z == 4.2 else 0
        out.append(
            Surface((-0.6, HIGH - 0.012, z - 0.3), (1.2, 0, 0), (0, 0, 0.6), lit, glow=group)
        )
    for z in (5.4, 12.6):
        out += box((0.78, HIGH - 0.07, z), (0.92, HIGH, z + 0.14), paint.plain((0.7, 0.7, 0.68)))
    return out
