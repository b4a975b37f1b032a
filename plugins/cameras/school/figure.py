"""A person: a jointed skeleton of tapered, rounded limbs, walking or standing, shaded by the light.

Lengths are fractions of stature after the usual anthropometric tables (hip 0.53, knee 0.285,
shoulder 0.815 of standing height). Nobody in particular: there is no face.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from plugins.cameras.school.view import NEAR, Array, View, box_blur, shrink

STRIDE = 0.82  # metres walked per radian-free step pair, as a fraction of stature
Colour = tuple[float, float, float]
Point = tuple[float, float, float]

SKINS: tuple[Colour, ...] = (
    (0.62, 0.40, 0.29), (0.50, 0.30, 0.20), (0.36, 0.20, 0.12), (0.20, 0.11, 0.07),
    (0.68, 0.46, 0.35), (0.12, 0.065, 0.042),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.015, 0.012, 0.010), (0.05, 0.028, 0.016), (0.11, 0.060, 0.030), (0.26, 0.17, 0.08),
    (0.02, 0.015, 0.014), (0.30, 0.29, 0.28),
)  # fmt: skip
TOPS: tuple[Colour, ...] = (
    (0.35, 0.05, 0.05), (0.05, 0.10, 0.30), (0.03, 0.03, 0.04), (0.55, 0.54, 0.50),
    (0.06, 0.18, 0.10), (0.40, 0.26, 0.06), (0.22, 0.06, 0.18), (0.12, 0.22, 0.34),
    (0.16, 0.16, 0.17), (0.45, 0.12, 0.04),
)  # fmt: skip
BOTTOMS: tuple[Colour, ...] = (
    (0.03, 0.05, 0.11), (0.02, 0.02, 0.025), (0.08, 0.09, 0.12), (0.20, 0.16, 0.10),
    (0.06, 0.08, 0.15), (0.09, 0.08, 0.07),
)  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """How one person looks: metres, linear colours, and what is worn."""

    stature: float
    build: float
    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    shoes: Colour
    long_hair: bool
    short_sleeves: bool
    shorts: bool
    backpack: Colour | None

    @staticmethod
    def draw(rng: Generator, against: Colour = (0.3, 0.3, 0.3)) -> Outfit:
        """Somebody new, not dressed in the colour of what is `against` their back."""

        def pick(colours: tuple[Colour, ...]) -> Colour:
            r, g, b = (float(c) for c in colours[int(rng.integers(len(colours)))])
            change = float(rng.uniform(0.85, 1.2))
            return r * change, g * change, b * change

        return Outfit(
            stature=float(rng.uniform(1.60, 1.86)),
            build=float(rng.uniform(0.94, 1.16)),
            skin=pick(SKINS),
            hair=pick(HAIRS),
            top=pick(tuple(c for c in TOPS if _apart(c, against) > 0.45)),
            bottom=pick(BOTTOMS),
            shoes=(0.5, 0.5, 0.5) if rng.random() < 0.3 else (0.025, 0.022, 0.02),
            long_hair=bool(rng.random() < 0.4),
            short_sleeves=bool(rng.random() < 0.35),
            shorts=bool(rng.random() < 0.12),
            backpack=pick(TOPS) if rng.random() < 0.4 else None,
        )


def _apart(one: Colour, other: Colour) -> float:
    """How different two linear colours look: in brightness (logarithmic) and in hue."""
    a, b = np.array(one, np.float64), np.array(other, np.float64)
    hue = np.abs(a / a.sum() - b / b.sum()).sum()
    return float(hue + 0.25 * abs(math.log(a.sum() / b.sum())))


@dataclass(frozen=True)
class Pose:
    """Where somebody is and what the body does.

    `x`, `z` in metres; `heading` in radians, 0 away from the camera and growing to the right;
    `phase` of the gait in radians; `stride` from 0 (standing) to 1 (walking); `sink` in metres
    lowers the body (getting out of a car); `idle` in radians drives the small sway of standing.
    """

    x: float
    z: float
    heading: float
    phase: float
    stride: float
    sink: float = 0.0
    idle: float = 0.0


@dataclass(frozen=True)
class Limb:
    """A rounded cone from `start` to `end`, in the body's axes and fractions of stature."""

    start: Point
    end: Point
    thick: float
    thin: float
    colour: Colour
    shade: float = 1.0
    trunk: bool = False


def _swing(point: Point, length: float, angle: float, aside: float = 0.0) -> Point:
    """The far end of a bone that hangs from `point`, swung forward by `angle`."""
    x, y, z = point
    return (
        x + length * math.sin(aside),
        y - length * math.cos(angle) * math.cos(aside),
        z + length * math.sin(angle),
    )


def limbs(outfit: Outfit, pose: Pose) -> list[Limb]:
    """The body in a pose: x to its right, y up from the ground, z ahead."""
    legs = [_leg(outfit, pose, side) for side in (-1, 1)]
    lift = -min(min(limb.end[1] - 0.012, limb.start[1] - 0.02) for leg in legs for limb in leg)
    body = [*legs[0], *legs[1], *_trunk(outfit, pose)]
    for side in (-1, 1):
        body += _arm(outfit, pose, side)
    return [replace(p, start=_raise(p.start, lift), end=_raise(p.end, lift)) for p in body]


def _raise(point: Point, lift: float) -> Point:
    return point[0], point[1] + lift, point[2]


def _leg(outfit: Outfit, pose: Pose, side: int) -> list[Limb]:
    phase = pose.phase + (0 if side > 0 else math.pi)
    thigh = (0.08 + 0.40 * math.sin(phase)) * pose.stride
    flex = pose.stride * (0.06 + 0.78 * max(0.0, math.cos(phase - 0.15)) ** 2) + 0.04
    wide = outfit.build
    hip = (side * 0.05, 0.52, 0.0)
    knee = _swing(hip, 0.245, thigh, side * 0.01)
    ankle = _swing(knee, 0.24, thigh - flex)
    tilt = math.pi / 2 + (thigh - flex) * 0.6
    heel = (ankle[0], ankle[1] - 0.012, ankle[2] - 0.02)
    toe = _swing(heel, 0.115, tilt - 0.1)
    shin = outfit.skin if outfit.shorts else outfit.bottom
    return [
        Limb(hip, knee, 0.062 * wide, 0.044 * wide, outfit.bottom),
        Limb(knee, ankle, 0.042 * wide, 0.030 * wide, shin, 0.92),
        Limb(heel, (toe[0] + side * 0.008, toe[1], toe[2]), 0.026, 0.020, outfit.shoes),
    ]


def _trunk(outfit: Outfit, pose: Pose) -> list[Limb]:
    wide = outfit.build
    lean = 0.012 * pose.stride
    sway = 0.004 * math.sin(pose.idle) * (1 - pose.stride)
    nod = 0.006 * math.sin(pose.idle * 0.7 + 1)
    top, skin, hair = outfit.top, outfit.skin, outfit.hair
    hem, waist = 0.065 * wide, 0.060 * wide
    parts = [
        Limb((-0.042, 0.53, 0), (0.042, 0.53, 0), 0.062 * wide, 0.062 * wide, outfit.bottom, 0.9),
        Limb((-0.042, 0.56, 0), (0.042, 0.56, 0), hem, hem, top, 0.9, True),
        Limb((0, 0.60, 0.010 * wide), (0, 0.74, 0.018 + lean), waist, waist, top, 1.0, True),
    ]
    for side in (-1, 1):
        low = (side * 0.042 * wide, 0.57, 0.0)
        high = (side * 0.060 * wide + sway, 0.745, lean)
        cap = (side * 0.096 * wide + sway, 0.778, lean)
        parts.append(Limb(low, high, 0.058 * wide, 0.060 * wide, top, 1.0, True))
        parts.append(Limb((sway, 0.805, lean), cap, 0.034, 0.037, top, 1.0, True))
    head = (sway + nod, 0.912, 0.018 + lean)
    crown = (sway + nod, 0.945, 0.008 + lean)
    back = (crown[0], 0.916, lean - 0.020)
    parts += [
        Limb((sway, 0.81, lean), head, 0.031, 0.029, skin, 0.8),
        Limb((head[0], 0.906, head[2]), crown, 0.040, 0.047, skin),
        Limb((crown[0], 0.956, lean - 0.004), back, 0.047, 0.044, hair),
    ]
    if outfit.long_hair:
        nape = (sway, 0.84, lean - 0.032)
        parts.append(Limb((crown[0], 0.93, lean - 0.022), nape, 0.045, 0.036, hair))
    if outfit.backpack is not None:
        pack, behind = outfit.backpack, -0.085 * wide
        for side in (-1, 1):
            low, high = (side * 0.035, 0.63, behind), (side * 0.03, 0.76, behind)
            parts.append(Limb(low, high, 0.055, 0.045, pack))
    return parts


def _arm(outfit: Outfit, pose: Pose, side: int) -> list[Limb]:
    phase = pose.phase + (math.pi if side > 0 else 0)
    idle = 0.05 * math.sin(pose.idle * 0.8 + side) * (1 - pose.stride)
    angle = 0.40 * math.sin(phase) * pose.stride - 0.02 + idle
    bend = 0.14 + pose.stride * (0.18 + 0.16 * math.sin(phase))
    shoulder = (side * 0.114 * outfit.build, 0.775, 0.012 * pose.stride)
    elbow = _swing(shoulder, 0.172, angle, side * 0.10)
    wrist = _swing(elbow, 0.135, angle + bend, side * 0.02)
    hand = _swing(wrist, 0.045, angle + bend)
    fore = outfit.skin if outfit.short_sleeves else outfit.top
    return [
        Limb(shoulder, elbow, 0.036 * outfit.build, 0.029 * outfit.build, outfit.top, 0.95),
        Limb(elbow, wrist, 0.027 * outfit.build, 0.021, fore, 0.95),
        Limb(wrist, hand, 0.019, 0.021, outfit.skin),
    ]


def stand(outfit: Outfit, pose: Pose, body: list[Limb]) -> tuple[Array, Array]:
    """The limbs' ends in the world, (N, 2, 3) metres, and their radii there, (N, 2) metres."""
    tall = outfit.stature
    ends = np.array([[limb.start, limb.end] for limb in body], np.float32) * tall
    sine, cosine = math.sin(pose.heading), math.cos(pose.heading)
    world = np.empty_like(ends)
    world[..., 0] = pose.x + ends[..., 0] * cosine + ends[..., 2] * sine
    world[..., 1] = ends[..., 1] - pose.sink
    world[..., 2] = pose.z - ends[..., 0] * sine + ends[..., 2] * cosine
    radii = np.array([[limb.thick, limb.thin] for limb in body], np.float32) * tall
    return world, radii


@dataclass
class Sprite:
    """A piece of picture: linear light (H, W, 3) times coverage, coverage and depth (H, W)."""

    left: int
    top: int
    light: Array
    cover: Array
    depth: Array


@dataclass(frozen=True)
class Shade:
    """Light where somebody stands: linear colours, and the direction towards the main light."""

    ambient: Colour
    key: Colour
    towards: Point


def cast(view: View, outfit: Outfit, pose: Pose, shade: Shade, cloth: Array) -> Sprite | None:
    """Draw somebody; None when out of view. `cloth` is a (512, 512) grain around 1."""
    body = limbs(outfit, pose)
    world, radii = stand(outfit, pose, body)
    seen = view.project(world.reshape(-1, 3)).reshape(-1, 2, 3)
    if seen[..., 2].min() < NEAR * 3:
        return None
    sizes = view.focal * radii / seen[..., 2]
    low = (seen[..., :2] - sizes[..., None]).min((0, 1))
    high = (seen[..., :2] + sizes[..., None]).max((0, 1))
    left, top = (int(v) for v in np.floor(low) - 1)
    right, bottom = (int(v) for v in np.ceil(high) + 1)
    left, top = max(left, -8), max(top, -8)
    right, bottom = min(right, view.width + 8), min(bottom, view.height + 8)
    if right - left < 2 or bottom - top < 2:
        return None
    fine = 2 if bottom - top > 110 else 3
    seen[..., 0] = (seen[..., 0] - left) * fine
    seen[..., 1] = (seen[..., 1] - top) * fine
    plate = _Plate((bottom - top) * fine, (right - left) * fine, body)
    for number, (ends, size) in enumerate(zip(seen, sizes * fine, strict=True)):
        plate.add(number, ends, size, radii[number])
    plate.soften(round((bottom - top) * fine * 0.014))
    return plate.sprite(left, top, fine, plate.lit(view.axes, shade, cloth))


class _Plate:
    """A small picture on which limbs are drawn, nearest first by depth, and then lit as a whole."""

    def __init__(self, rows: int, columns: int, body: list[Limb]) -> None:
        self.depth = np.full((rows, columns), np.inf, np.float32)
        self.normal = np.zeros((rows, columns, 3), np.float32)
        self.which = np.full((rows, columns), -1, np.int16)
        self.body = body

    def add(self, number: int, ends: Array, size: Array, metres: Array) -> None:
        """Draw one limb: `ends` (2, 3) pixels and metres, `size` and `metres` its radii."""
        (x0, y0, z0), (x1, y1, z1) = ends.tolist()
        r0, r1 = size.tolist()
        rows, columns = self.depth.shape
        left, right = int(min(x0 - r0, x1 - r1)), math.ceil(max(x0 + r0, x1 + r1)) + 1
        top, bottom = int(min(y0 - r0, y1 - r1)), math.ceil(max(y0 + r0, y1 + r1)) + 1
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, columns), min(bottom, rows)
        if left >= right or top >= bottom:
            return
        xs = np.arange(left, right, dtype=np.float32)[None, :] + np.float32(0.5 - x0)
        ys = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5 - y0)
        dx, dy = x1 - x0, y1 - y0
        along = np.clip((xs * dx + ys * dy) / max(dx * dx + dy * dy, 1e-3), 0, 1)
        radius = r0 + (r1 - r0) * along
        nx, ny = (xs - along * dx) / radius, (ys - along * dy) / radius
        inner = 1 - nx * nx - ny * ny
        nz = np.sqrt(np.maximum(inner, 0))
        thick = metres[0] + (metres[1] - metres[0]) * along
        depth = z0 + (z1 - z0) * along - nz * thick
        window = (slice(top, bottom), slice(left, right))
        mine = (inner > 0) & (depth < self.depth[window])
        self.depth[window][mine] = depth[mine]
        self.which[window][mine] = number
        self.normal[window][mine] = np.stack([nx[mine], -ny[mine], -nz[mine]], 1)

    def soften(self, reach: int) -> None:
        """Blend the trunk's own bulges into one body."""
        trunk = np.array([limb.trunk for limb in self.body] + [False])[self.which]
        if reach < 1 or not trunk.any():
            return
        rows, columns = np.nonzero(trunk.any(1))[0], np.nonzero(trunk.any(0))[0]
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        weight = trunk[part].astype(np.float32)[..., None]
        blurred = np.concatenate([self.normal[part] * weight, weight], axis=2)
        for _ in range(2):
            blurred = box_blur(box_blur(blurred, reach, 0), reach, 1)
        smooth = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-4)
        length = np.linalg.norm(smooth, axis=2, keepdims=True)
        self.normal[part][trunk[part]] = (smooth / np.maximum(length, 1e-4))[trunk[part]]

    def lit(self, axes: Array, shade: Shade, cloth: Array) -> Array:
        """Linear light (rows, columns, 3); zero where nobody is."""
        there = self.which >= 0
        normal, which = self.normal[there], self.which[there]
        towards = np.array(shade.towards, np.float32)
        towards = axes @ (towards / np.linalg.norm(towards))
        grain = np.tile(cloth, [-(-n // 512) for n in there.shape])
        base = np.array([limb.shade for limb in self.body], np.float32)[which]
        base = base * grain[: there.shape[0], : there.shape[1]][there]
        base = base * (0.70 - 0.30 * normal[:, 2])
        soft = (0.66 + 0.34 * (normal @ axes[:, 1])) * base
        hard = np.maximum((normal @ towards) * 0.85 + 0.15, 0) * base
        fall = soft[:, None] * np.array(shade.ambient, np.float32)
        fall += hard[:, None] * np.array(shade.key, np.float32)
        light = np.zeros((*there.shape, 3), np.float32)
        light[there] = fall * np.array([limb.colour for limb in self.body], np.float32)[which]
        return light

    def sprite(self, left: int, top: int, fine: int, light: Array) -> Sprite:
        """The picture at final size."""
        cover = shrink(np.isfinite(self.depth).astype(np.float32), fine)
        depth = self.depth[fine // 2 :: fine]
        depth = np.minimum(depth, self.depth[0::fine])[:, fine // 2 :: fine]
        return Sprite(left, top, shrink(light, fine), cover, depth)
