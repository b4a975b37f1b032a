"""Flat surfaces with procedural paint, seen through a depth buffer and lit once.

The still part of a scene is drawn here, at twice the final resolution. Every group of lights gets a
picture of its own, in linear light, so that switching a lamp or a cloud passing is a weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plugins.cameras.school.view import NEAR, Array, View, box_blur

Paint = Callable[[Array, Array], Array]
Cut = Callable[[Array, Array], NDArray[np.bool_]]
SUPERSAMPLE = 2
REFLECTION_ROUGHNESS = 0.012
UNLIT = 0.7  # how light the cover of a lamp is that does not burn


@dataclass(frozen=True)
class Surface:
    """A parallelogram from `corner` along `along` and `up` (metres).

    `paint(u, v)` gives linear colours (N, 3) at metres along the two edges; `cut(u, v)`, where
    present, says which points exist. `glow` names the group of lights the surface is itself a part
    of, whose paint is then the light it sends out. `floor` surfaces take shadows and reflections.
    """

    corner: tuple[float, float, float]
    along: tuple[float, float, float]
    up: tuple[float, float, float]
    paint: Paint
    cut: Cut | None = None
    glow: int | None = None
    floor: bool = False
    shine: float = 0.0
    leafy: bool = False


@dataclass(frozen=True)
class Lamp:
    """A lamp that shines downward: place, linear colour (strength at one metre), group."""

    place: tuple[float, float, float]
    colour: tuple[float, float, float]
    group: int = 0
    spread: float = 1.0


@dataclass(frozen=True)
class Sun:
    """Sunlight: the direction towards the sun, its linear colour, its group."""

    towards: tuple[float, float, float]
    colour: tuple[float, float, float]
    group: int = 1


@dataclass(frozen=True)
class Blocker:
    """Something that throws a shadow in the sun: a box (`low`, `high`), or the ball in it."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    round: bool = False


@dataclass(frozen=True)
class Lighting:
    """All light of a scene; `ambient` per group is light from everywhere, more from above."""

    ambient: Sequence[tuple[float, float, float]]
    lamps: Sequence[Lamp] = ()
    sun: Sun | None = None
    blockers: Sequence[Blocker] = ()
    walls: Sequence[tuple[int, float]] = ()  # (axis, value): corners along these planes darken

    @property
    def groups(self) -> int:
        """How many groups of lights can be dimmed on their own."""
        return len(self.ambient)


@dataclass
class Still:
    """What does not move: light per group (G, H, W, 3), depth (H, W), floor and sunlit (H, W)."""

    layers: Array
    depth: Array
    floor: Array
    sunlit: Array
    shine: Array = field(default_factory=lambda: np.zeros(0, np.float32))


def box(
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    paint: Paint,
    top: Paint | None = None,
) -> list[Surface]:
    """The four sides and the top of an upright box."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    dx, dy, dz = x1 - x0, y1 - y0, z1 - z0
    return [
        Surface((x0, y0, z0), (dx, 0, 0), (0, dy, 0), paint),
        Surface((x1, y0, z1), (-dx, 0, 0), (0, dy, 0), paint),
        Surface((x0, y0, z1), (0, 0, -dz), (0, dy, 0), paint),
        Surface((x1, y0, z0), (0, 0, dz), (0, dy, 0), paint),
        Surface((x0, y1, z0), (dx, 0, 0), (0, 0, dz), top or paint),
        Surface((x0, y0, z0), (dx, 0, 0), (0, 0, dz), paint),
    ]


@dataclass
class Hits:
    """Per pixel: depth, which surface (-1 for none), and metres along its edges; all (H, W)."""

    depth: Array
    which: NDArray[np.int16]
    u: Array
    v: Array


def _window(view: View, surface: Surface, mirrored: bool) -> tuple[slice, slice] | None:
    """The rows and columns the surface can touch; None when it is all behind the camera."""
    corner, along, up = (
        np.array(e, np.float32) for e in (surface.corner, surface.along, surface.up)
    )
    points = np.stack([corner, corner + along, corner + up, corner + along + up])
    if mirrored:
        points = points * np.array([1, -1, 1], np.float32)
    seen = view.project(points)
    if (seen[:, 2] <= NEAR).all():
        return None
    if (seen[:, 2] <= NEAR).any():
        return slice(0, view.height), slice(0, view.width)
    x0, y0 = np.floor(seen[:, :2].min(0)).astype(int)
    x1, y1 = np.ceil(seen[:, :2].max(0)).astype(int) + 1
    rows = slice(max(0, y0), min(view.height, y1))
    columns = slice(max(0, x0), min(view.width, x1))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def trace(view: View, surfaces: Sequence[Surface], mirrored: bool = False) -> Hits:
    """What each pixel sees; `mirrored` sees the world in a mirror that lies on the ground."""
    shape = (view.height, view.width)
    hits = Hits(
        np.full(shape, 1e4, np.float32),
        np.full(shape, -1, np.int16),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
    )
    ys, xs = np.mgrid[0 : view.height, 0 : view.width].astype(np.float32) + 0.5
    rays = view.rays(xs, ys)
    origin = view.origin.copy()
    if mirrored:
        rays, origin = rays * np.array([1, -1, 1], np.float32), origin * [1, -1, 1]
    for number, surface in enumerate(surfaces):
        window = None if mirrored and surface.floor else _window(view, surface, mirrored)
        if window is not None:
            _cast(hits, number, surface, window, origin.astype(np.float32), rays[window])
    return hits


def _cast(
    hits: Hits,
    number: int,
    surface: Surface,
    window: tuple[slice, slice],
    origin: Array,
    rays: Array,
) -> None:
    """Let one surface claim the pixels of its window where it is nearest."""
    along, up = np.array(surface.along, np.float32), np.array(surface.up, np.float32)
    offset = origin - np.array(surface.corner, np.float32)
    normal = np.cross(along, up).astype(np.float32)
    slope = rays @ normal
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -(offset @ normal) / slope
        u = offset @ along + depth * (rays @ along)
        v = offset @ up + depth * (rays @ up)
    width, height = float(along @ along), float(up @ up)
    inside = (depth > NEAR) & (depth < hits.depth[window])
    inside &= (u >= 0) & (u <= width) & (v >= 0) & (v <= height)
    u /= np.sqrt(width)
    v /= np.sqrt(height)
    if surface.cut is not None and inside.any():
        inside[inside] = surface.cut(u[inside], v[inside])
    hits.depth[window][inside] = depth[inside]
    hits.which[window][inside] = number
    hits.u[window][inside] = u[inside]
    hits.v[window][inside] = v[inside]


def _shadowed(points: Array, towards: Array, blockers: Sequence[Blocker]) -> NDArray[np.bool_]:
    """Which points (N, 3) cannot see the sun."""
    dark = np.zeros(len(points), bool)
    aside = np.cross(towards, (0.0, 0.0, 1.0)).astype(np.float32)
    aside /= np.linalg.norm(aside)
    axes = np.stack([aside, np.cross(towards, aside), towards]).astype(np.float32)
    across, along, toward = np.ascontiguousarray((points @ axes.T).T)
    for blocker in blockers:
        low, high = np.array(blocker.low, np.float32), np.array(blocker.high, np.float32)
        if blocker.round:
            x, y, z = (axes @ ((low + high) / 2)).tolist()
            radius = float(high[0] - low[0]) / 2
            dark |= ((across - x) ** 2 + (along - y) ** 2 < radius * radius) & (toward < z)
            continue
        first, last = np.full(len(points), 0.02, np.float32), np.full(len(points), 1e4, np.float32)
        for axis in range(3):
            step = 1 / float(towards[axis])
            a, b = (low[axis] - points[:, axis]) * step, (high[axis] - points[:, axis]) * step
            first, last = np.maximum(first, np.minimum(a, b)), np.minimum(last, np.maximum(a, b))
        dark |= last > first
    return dark


def irradiance(
    points: Array, normal: Array, light: Lighting, leafy: bool = False
) -> tuple[Array, Array]:
    """Light that falls on points (N, 3) of one facing: (G, N, 3), and how sunlit each is (N,)."""
    out = np.empty((light.groups, len(points), 3), np.float32)
    corners = np.ones(len(points), np.float32)
    for axis, value in light.walls:
        distance = np.abs(points[:, axis] - value)
        corners *= np.where(distance < 2e-3, 1.0, 1 - 0.4 * np.exp(-distance / 0.22))
    for group, ambient in enumerate(light.ambient):
        out[group] = (0.75 + 0.25 * normal[1]) * corners[:, None] * np.array(ambient, np.float32)
    for lamp in light.lamps:
        away = np.array(lamp.place, np.float32) - points
        square = (away * away).sum(1) + 0.15
        reach = np.sqrt(square)
        facing = np.maximum(away @ normal, 0) / reach
        below = np.maximum(away[:, 1] / reach, 0) * lamp.spread + (1 - lamp.spread)
        out[lamp.group] += (facing * below / square)[:, None] * np.array(lamp.colour, np.float32)
    sunlit = np.zeros(len(points), np.float32)
    if light.sun is not None:
        towards = np.array(light.sun.towards, np.float32)
        towards /= np.linalg.norm(towards)
        share = 0.55 if leafy else float(normal @ towards)
        if share > 0:
            lit = (
                np.ones(len(points), bool) if leafy else ~_shadowed(points, towards, light.blockers)
            )
            sunlit = lit.astype(np.float32)
            out[light.sun.group] += (sunlit * share)[:, None] * np.array(
                light.sun.colour, np.float32
            )
    return out, sunlit


def _light(
    view: View, surfaces: Sequence[Surface], hits: Hits, light: Lighting, mirrored: bool
) -> tuple[Array, Array]:
    """Colours per group (G, H, W, 3) and the sunlit mask (H, W) of what was hit."""
    layers = np.zeros((light.groups, view.height, view.width, 3), np.float32)
    sunlit = np.zeros((view.height, view.width), np.float32)
    flip = np.array([1, -1, 1], np.float32) if mirrored else np.ones(3, np.float32)
    origin = view.origin * flip
    for number, surface in enumerate(surfaces):
        window = _window(view, surface, mirrored)
        if window is None:
            continue
        rows, columns = np.nonzero(hits.which[window] == number)
        if not len(rows):
            continue
        rows, columns = rows + window[0].start, columns + window[1].start
        colour = surface.paint(hits.u[rows, columns], hits.v[rows, columns])
        if surface.glow is not None:
            for group, ambient in enumerate(light.ambient):
                layers[group, rows, columns] = UNLIT * np.array(ambient, np.float32)
            layers[surface.glow, rows, columns] = colour
            continue
        rays = view.rays(columns.astype(np.float32) + 0.5, rows.astype(np.float32) + 0.5) * flip
        points = origin + rays * hits.depth[rows, columns][:, None]
        normal = np.cross(surface.along, surface.up).astype(np.float32)
        normal /= np.linalg.norm(normal)
        if (view.origin - np.array(surface.corner, np.float32)) @ normal < 0:
            normal = -normal
        fall, lit = irradiance(points.astype(np.float32), normal, light, surface.leafy)
        layers[:, rows, columns] = fall * colour
        sunlit[rows, columns] = lit
    return layers, sunlit


def _shrink(picture: Array) -> Array:
    """Half the size: the mean of each two by two pixels of (..., H, W, C)."""
    a = picture[..., 0::2, 0::2, :] + picture[..., 1::2, 0::2, :]
    return (a + picture[..., 0::2, 1::2, :] + picture[..., 1::2, 1::2, :]) / np.float32(4)


def render(view: View, surfaces: Sequence[Surface], light: Lighting) -> Still:
    """Draw everything that stands still, once; `view` has the final size in pixels."""
    fine = view.scaled(SUPERSAMPLE)
    hits = trace(fine, surfaces)
    layers, sunlit = _light(fine, surfaces, hits, light, mirrored=False)
    shine = np.zeros(hits.depth.shape, np.float32)
    floor = np.zeros(hits.depth.shape, np.float32)
    for number, surface in enumerate(surfaces):
        if surface.floor:
            mine = hits.which == number
            floor[mine] = 1
            shine[mine] = surface.shine
    if shine.any():
        layers += _reflection(fine, surfaces, light, shine)
    return Still(
        layers=_shrink(layers),
        depth=np.ascontiguousarray(hits.depth[0::2, 0::2]),
        floor=_shrink(floor[..., None])[..., 0],
        sunlit=_shrink(sunlit[..., None])[..., 0],
        shine=_shrink(shine[..., None])[..., 0],
    )


def _reflection(view: View, surfaces: Sequence[Surface], light: Lighting, shine: Array) -> Array:
    """What a polished floor adds, per group; more at a grazing angle (Schlick's form)."""
    mirror = trace(view, surfaces, mirrored=True)
    picture, _ = _light(view, surfaces, mirror, light, mirrored=True)
    reach = max(1, round(view.height * REFLECTION_ROUGHNESS))
    for _ in range(2):
        picture = box_blur(box_blur(picture, reach, 1), max(1, reach // 3), 2)
    ys, xs = np.mgrid[0 : view.height, 0 : view.width].astype(np.float32)
    rays = view.rays(xs, ys)
    cosine = np.abs(rays[..., 1]) / np.linalg.norm(rays, axis=-1)
    weight = shine * (0.12 + 0.88 * (1 - cosine) ** 4)
    out: Array = (picture * weight[..., None]).astype(np.float32)
    return out
