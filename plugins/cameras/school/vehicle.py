"""A car: a faceted body with windows, wheels and lights, driven along way points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from plugins.cameras.school.figure import Shade, Sprite
from plugins.cameras.school.scene import Levels, Scene
from plugins.cameras.school.stage import Actor
from plugins.cameras.school.view import NEAR, Array, View, shrink

Colour = tuple[float, float, float]
PAINTS: tuple[Colour, ...] = (
    (0.42, 0.43, 0.45), (0.03, 0.035, 0.04), (0.55, 0.55, 0.53), (0.30, 0.03, 0.03),
    (0.04, 0.09, 0.24), (0.12, 0.13, 0.14), (0.06, 0.14, 0.10),
)  # fmt: skip
GLASS: Colour = (0.018, 0.022, 0.026)
RUBBER: Colour = (0.016, 0.016, 0.017)
RIM: Colour = (0.22, 0.22, 0.23)
FINE = 3
WHEELBASE = 1.30  # metres from the middle to either axle
# Stations of the lower body: metres ahead of the middle, height of the shoulder, half width.
BODY = (
    (-2.14, 0.70, 0.70), (-2.06, 0.88, 0.80), (-1.72, 0.95, 0.86), (-0.9, 0.96, 0.89),
    (0.0, 0.95, 0.90), (0.85, 0.93, 0.89), (1.45, 0.86, 0.87), (1.92, 0.76, 0.82),
    (2.10, 0.64, 0.75), (2.14, 0.50, 0.70),
)  # fmt: skip


@dataclass(frozen=True)
class Face:
    """A facet in the car's axes (x right, y up, z ahead): corners, colour, how it mirrors."""

    corners: Sequence[tuple[float, float, float]]
    colour: Colour
    mirror: float = 0.25
    glow: float = 0.0
    lift: float = 0.0  # metres nearer than it is, so that trim lies over its panel


@dataclass(frozen=True)
class Body:
    """A car's look: paint, length and height against the usual."""

    paint: Colour
    long: float = 1.0
    tall: float = 1.0
    estate: bool = False

    @staticmethod
    def draw(rng: np.random.Generator) -> Body:
        """Some car."""
        colour = PAINTS[int(rng.integers(len(PAINTS)))]
        tall = float(rng.uniform(0.97, 1.12))
        return Body(colour, float(rng.uniform(0.95, 1.06)), tall, bool(rng.random() < 0.5))


def _section(z: float, shoulder: float, half: float) -> list[tuple[float, float, float]]:
    """One rib of the lower body, from the right sill over the top to the left sill."""
    right = [
        (half * 0.93, 0.20),
        (half * 0.99, 0.34),
        (half, 0.52),
        (half * 0.985, shoulder - 0.12),
        (half * 0.93, shoulder - 0.02),
        (half * 0.5, shoulder + 0.025),
    ]
    rib = [(x, y, z) for x, y in right] + [(0.0, shoulder + 0.035, z)]
    return rib + [(-x, y, z) for x, y in reversed(right)]


def faces(body: Body, braking: bool) -> list[Face]:
    """All facets of a car."""
    out: list[Face] = []
    ribs = [_section(*station) for station in BODY]
    for back, front in pairwise(ribs):
        for i in range(len(back) - 1):
            out.append(Face((back[i], front[i], front[i + 1], back[i + 1]), body.paint))
    out.append(Face(ribs[0], body.paint))
    out.append(Face(ribs[-1], body.paint))
    out += _cabin(body) + _trim(body, braking)
    for side in (-1, 1):
        for axle in (-WHEELBASE, WHEELBASE):
            out += _wheel(side, axle)
    scale = np.array((1.0, body.tall, body.long))
    return [_outward(f, scale) for f in out]


def _outward(face: Face, scale: Array) -> Face:
    """The facet at the car's size, its corners in the order that turns its normal outward."""
    corners = np.array(face.corners, np.float32)
    inside = np.array((0, 0.55, 0.8 * float(corners[:, 2].mean())), np.float32)
    if float(_normal(corners) @ (corners.mean(0) - inside)) < 0:
        corners = corners[::-1]
    return replace(face, corners=[(float(x), float(y), float(z)) for x, y, z in corners * scale])


def _cabin(body: Body) -> list[Face]:
    back, rear = (-2.0, -1.75) if body.estate else (-1.75, -1.05)
    front, screen = 0.20, 1.02
    low, high, base, top = 0.93, 1.50, 0.84, 0.65
    roof = high + 0.03
    out = [
        Face(
            ((-top, high, rear), (-top, high, front), (0, roof, front), (0, roof, rear)), body.paint
        ),
        Face(
            ((0, roof, rear), (0, roof, front), (top, high, front), (top, high, rear)), body.paint
        ),
        Face(
            ((-base, low, screen), (base, low, screen), (top, high, front), (-top, high, front)),
            GLASS,
            0.9,
        ),
        Face(
            ((base, low, back), (-base, low, back), (-top, high, rear), (top, high, rear)),
            GLASS,
            0.4,
        ),
    ]
    for side in (-1.0, 1.0):
        outline = [(base, low, back), (base, low, screen), (top, high, front), (top, high, rear)]
        out.append(Face([(x * side, y, z) for x, y, z in outline], body.paint, 0.3))
        pillar = -0.42
        for z0, z1, z2, z3 in (
            (pillar + 0.05, screen - 0.22, front - 0.07, pillar + 0.05),
            (back + 0.26, pillar - 0.05, pillar - 0.05, rear + 0.10),
        ):
            x0, x1 = base * 0.985 * side, (top + 0.025) * side
            pane = [
                (x0, low + 0.03, z0),
                (x0, low + 0.03, z1),
                (x1, high - 0.05, z2),
                (x1, high - 0.05, z3),
            ]
            out.append(Face(pane, GLASS, 0.6, lift=0.06))
    return out


def _trim(body: Body, braking: bool) -> list[Face]:
    red: Colour = (0.55, 0.015, 0.01) if braking else (0.22, 0.012, 0.01)
    out = []
    for side in (-1, 1):
        inner, outer = 0.40 * side, 0.76 * side
        out.append(_patch(inner, outer, 0.58, 0.72, 2.10, (0.55, 0.57, 0.6), 0.25))
        out.append(_patch(inner * 1.25, outer, 0.66, 0.84, -2.11, red, 0.6 if braking else 0.1))
    out.append(_patch(-0.42, 0.42, 0.44, 0.60, 2.14, (0.02, 0.02, 0.02)))
    out.append(_patch(-0.68, 0.68, 0.24, 0.38, 2.15, (0.025, 0.025, 0.025)))
    out.append(_patch(-0.26, 0.26, 0.40, 0.50, 2.16, (0.62, 0.62, 0.56)))
    out.append(_patch(-0.26, 0.26, 0.52, 0.63, -2.15, (0.62, 0.62, 0.56)))
    out.append(_patch(-0.70, 0.70, 0.24, 0.40, -2.15, (0.025, 0.025, 0.025)))
    for side in (-1, 1):
        x = 0.98 * side
        box = [
            (0.86 * side, 0.96, 0.62),
            (x, 0.96, 0.58),
            (x, 1.08, 0.58),
            (0.86 * side, 1.08, 0.62),
        ]
        out.append(Face(box, body.paint, 0.2, lift=0.1))
    return out


def _patch(
    x0: float, x1: float, y0: float, y1: float, z: float, colour: Colour, glow: float = 0
) -> Face:
    """A rectangle on the car's nose or tail."""
    return Face([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], colour, 0.2, glow, lift=0.12)


def _disc(x: float, y: float, z: float, radius: float) -> list[tuple[float, float, float]]:
    turn = np.linspace(0, 2 * math.pi, 15)[:-1]
    return [(x, y + radius * math.sin(a), z - radius * math.cos(a)) for a in turn]


def _wheel(side: int, axle: float) -> list[Face]:
    x = 0.905 * side
    return [
        Face(_disc(x * 0.985, 0.36, axle, 0.40), (0.012, 0.012, 0.012), 0.0, lift=0.10),
        Face(_disc(x, 0.31, axle, 0.315), RUBBER, 0.05, lift=0.16),
        Face(_disc(x, 0.31, axle, 0.20), RIM, 0.2, lift=0.18),
        Face(_disc(x, 0.31, axle, 0.06), RUBBER, 0.2, lift=0.20),
    ]


def place(corners: Array, x: float, z: float, heading: float) -> Array:
    """Points of a car in the world."""
    sine, cosine = math.sin(heading), math.cos(heading)
    out = corners.copy()
    out[:, 0] = x + corners[:, 0] * cosine + corners[:, 2] * sine
    out[:, 2] = z - corners[:, 0] * sine + corners[:, 2] * cosine
    return out


class Mesh:
    """A car's facets as arrays, ready to be placed, turned and lit at once."""

    def __init__(self, parts: Sequence[Face]) -> None:
        shapes = [np.array(f.corners, np.float32) for f in parts]
        self.corners = np.concatenate(shapes)
        self.starts = np.cumsum([0] + [len(shape) for shape in shapes])
        self.normals = np.stack([_normal(shape) for shape in shapes])
        self.middles = np.stack([shape.mean(0) for shape in shapes])
        self.colours = np.array([f.colour for f in parts], np.float32)
        self.mirrors = np.array([f.mirror for f in parts], np.float32)[:, None]
        self.glows = np.array([f.glow for f in parts], np.float32)[:, None]
        self.lifts = np.array([f.lift for f in parts], np.float32)

    def light(self, normals: Array, eye: Array, shade: Shade) -> Array:
        """Paint, the sky mirrored in it (more at a grazing angle), and the sun's gleam."""
        towards = np.array(shade.towards, np.float32)
        towards /= np.linalg.norm(towards)
        ambient, key = np.array(shade.ambient, np.float32), np.array(shade.key, np.float32)
        cosine = np.maximum((normals * eye).sum(1), 0)[:, None]
        facing = np.maximum(normals @ towards, 0)[:, None]
        soft = 0.62 + 0.38 * normals[:, 1:2]
        out = self.colours * (ambient * soft + key * facing + self.glows)
        bounce = 2 * cosine * normals - eye
        sky = np.clip(0.25 + 0.75 * bounce[:, 1:2], 0.05, 1)
        out += self.mirrors * (0.05 + 0.6 * (1 - cosine) ** 3) * sky * ambient
        gleam = np.maximum(bounce @ towards, 0)[:, None] ** 24
        lit: Array = (out + self.mirrors * 0.9 * gleam * key).astype(np.float32)
        return lit


def park(view: View, mesh: Mesh, x: float, z: float, heading: float, shade: Shade) -> Sprite | None:
    """Draw a car somewhere; None when any of it is behind the camera or all out of view."""
    from PIL import Image, ImageDraw

    seen = view.project(place(mesh.corners, x, z, heading))
    if seen[:, 2].min() < NEAR * 4:
        return None
    left, top = (int(v) for v in np.maximum(np.floor(seen[:, :2].min(0)) - 1, -40))
    right = min(int(seen[:, 0].max()) + 2, view.width + 40)
    bottom = min(int(seen[:, 1].max()) + 2, view.height + 40)
    if right <= left or bottom <= top:
        return None
    middles = place(mesh.middles, x, z, heading)
    normals = place(mesh.normals, 0, 0, heading)
    eye = view.origin - middles
    eye /= np.linalg.norm(eye, axis=1, keepdims=True)
    depth = (middles - view.origin) @ view.axes[2]
    lights = np.concatenate([np.zeros((1, 3), np.float32), mesh.light(normals, eye, shade)])
    depths = np.concatenate([np.full(1, 1e4, np.float32), depth])
    image = Image.new("I", ((right - left) * FINE, (bottom - top) * FINE), 0)
    pen = ImageDraw.Draw(image)
    flat = (seen[:, :2] - (left, top)) * FINE
    showing = (normals * eye).sum(1) > 0
    for i in np.argsort(mesh.lifts - depth):
        if showing[i]:
            corners = flat[mesh.starts[i] : mesh.starts[i + 1]]
            pen.polygon(corners.ravel().tolist(), fill=int(i) + 1)
    which = np.asarray(image)
    light = shrink(np.take(lights, which, axis=0), FINE)
    cover = shrink((which > 0).astype(np.float32), FINE)
    return Sprite(left, top, light, cover, depths[which[1::FINE, 1::FINE]])


def _normal(shape: Array) -> Array:
    """The unit normal of a facet (N, 3), by the right-hand rule."""
    third = max(1, len(shape) // 3)
    normal = np.cross(shape[third] - shape[0], shape[2 * third] - shape[0])
    out: Array = (normal / max(float(np.linalg.norm(normal)), 1e-9)).astype(np.float32)
    return out


@dataclass(frozen=True)
class Leg:
    """Be at (`x`, `z`) metres heading `face` degrees at `at` seconds."""

    at: float
    x: float
    z: float
    face: float


class Drive:
    """A car's way through the scene; it is there between its first and last leg.

    Between legs place and heading ease in and out, so a car slows before it turns or stops.
    """

    def __init__(self, body: Body, legs: Sequence[Leg]) -> None:
        self.legs = legs
        self.calm, self.braked = Mesh(faces(body, False)), Mesh(faces(body, True))
        self._kept: tuple[tuple[float, ...], Actor | None] | None = None

    def where(self, time: float) -> tuple[float, float, float, bool] | None:
        """x, z in metres, heading in radians, and whether it stands."""
        if not self.legs[0].at <= time < self.legs[-1].at:
            return None
        number = max(i for i, leg in enumerate(self.legs) if leg.at <= time)
        a, b = self.legs[number], self.legs[number + 1]
        share = (time - a.at) / (b.at - a.at)
        if number > 0 and number + 2 < len(self.legs):
            share = share * 0.6 + (share * share * (3 - 2 * share)) * 0.4
        elif number == 0:
            share = 1 - (1 - share) ** 1.35
        else:
            share = share**1.35
        face = math.radians(a.face + (b.face - a.face) * share)
        still = (a.x, a.z, a.face) == (b.x, b.z, b.face)
        return a.x + (b.x - a.x) * share, a.z + (b.z - a.z) * share, face, still

    def actor(self, time: float, scene: Scene) -> Actor | None:
        """The car as it is drawn now."""
        where = self.where(time)
        if where is None:
            return None
        x, z, heading, still = where
        levels: Levels = tuple(round(level * 50) / 50 for level in scene.levels(time))
        key = (x, z, heading, *levels)
        if self._kept is not None and self._kept[0] == key:
            return self._kept[1]
        parts = self.calm if not still else self.braked
        sprite = park(scene.view, parts, x, z, heading, scene.shade(x, z, levels))
        actor = None if sprite is None else Actor("car", sprite, shadow(scene, x, z, heading))
        self._kept = (key, actor)
        return actor


def shadow(scene: Scene, x: float, z: float, heading: float) -> list[Array]:
    """Where a car keeps the sun from the ground, as polygons in pixels."""
    shapes = []
    towards = scene.light.sun.towards if scene.light.sun is not None else (0.0, 1.0, 0.0)
    for half, tall, back, front in ((0.86, 0.85, -2.05, 2.05), (0.66, 1.42, -1.5, 0.4)):
        corners = np.array(
            [(sx * half, y, sz) for sx in (-1, 1) for y in (0.05, tall) for sz in (back, front)],
            np.float32,
        )
        world = place(corners, x, z, heading)
        world[:, 0] -= world[:, 1] * towards[0] / towards[1]
        world[:, 2] -= world[:, 1] * towards[2] / towards[1]
        shapes.append(outline(world[:, [0, 2]]))
    return scene.to_pixels(shapes)


def outline(points: Array) -> Array:
    """The convex outline of points (N, 2), by Andrew's monotone chain."""
    ordered = sorted(map(tuple, points.tolist()))

    def half(run: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
        chain: list[tuple[float, ...]] = []
        for p in run:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return np.array(half(ordered) + half(ordered[::-1]), np.float32)


def _turn(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
