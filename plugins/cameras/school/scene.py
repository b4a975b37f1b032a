"""A scene: what stands still, how its light changes, who comes and goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from plugins.cameras.school.figure import Outfit, Pose, Shade, cast, limbs, stand
from plugins.cameras.school.stage import Actor, Picture, Seen, Stage
from plugins.cameras.school.surfaces import Lighting
from plugins.cameras.school.view import NEAR, Array, View
from plugins.cameras.school.walk import Walk

Levels = tuple[float, ...]
_CIRCLE = np.array([(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 9)[:-1]])


@dataclass(frozen=True)
class Person:
    """Somebody with a look and a way to go."""

    outfit: Outfit
    walk: Walk


class Mover(Protocol):
    """Anything else that moves: vehicles."""

    def actor(self, time: float, scene: Scene) -> Actor | None:
        """What to draw at a moment, if it is there."""
        ...


class Weather(Protocol):
    """Something between the scene and the camera, or that stirs the still picture."""

    def stir(self, picture: Picture, time: float) -> Picture:
        """The picture with leaves moved; called before actors are drawn."""
        ...

    def fall(self, picture: Picture, time: float) -> Picture:
        """The picture with rain in front."""
        ...


@dataclass
class Scene:
    """All of one camera's picture. `levels(time)` dims each group of lights."""

    view: View
    stage: Stage
    light: Lighting
    levels: Callable[[float], Levels]
    people: Sequence[Person] = ()
    movers: Sequence[Mover] = ()
    weather: Weather | None = None
    cloth: Array = field(default_factory=lambda: _cloth())

    def draw(self, time: float) -> tuple[Picture, list[Seen]]:
        """One frame with noise, (H, W, 3) RGB, and what shows of people and vehicles."""
        levels = self.levels(time)
        actors = [a for m in self.movers if (a := m.actor(time, self)) is not None]
        for person in self.people:
            pose = person.walk.pose(time)
            actor = None if pose is None else self._person(person.outfit, pose, levels)
            if actor is not None:
                actors.append(actor)
        weather = self.weather
        if weather is None:
            picture, seen = self.stage.frame(levels, actors)
        else:
            picture, seen = self.stage.frame(levels, actors, lambda p: weather.stir(p, time))
            picture = weather.fall(picture, time)
        return self.stage.grainy(picture), seen

    def shade(self, x: float, z: float, levels: Levels) -> Shade:
        """The light at chest height somewhere on the ground."""
        here = np.array((x, 1.2, z), np.float32)
        ambient = np.zeros(3, np.float32)
        for level, colour in zip(levels, self.light.ambient, strict=True):
            ambient += level * np.array(colour, np.float32)
        flow, total = np.zeros(3, np.float32), np.zeros(3, np.float32)
        for lamp in self.light.lamps:
            away = np.array(lamp.place, np.float32) - here
            square = float(away @ away) + 0.15
            strength = levels[lamp.group] * np.array(lamp.colour, np.float32) / square
            strength *= lamp.spread * max(float(away[1]) / math.sqrt(square), 0) + 1 - lamp.spread
            flow += away / math.sqrt(square) * float(strength.mean())
            total += strength
        sun = self.light.sun
        if sun is not None:
            lit = self.sunlit(x, z) * levels[sun.group]
            towards = np.array(sun.towards, np.float32)
            flow += towards / np.linalg.norm(towards) * lit
            total += lit * np.array(sun.colour, np.float32)
        if not flow.any():
            flow[1] = 1.0
        r, g, b = (float(c) for c in total)
        ar, ag, ab = (float(c) for c in ambient)
        return Shade((ar, ag, ab), (r, g, b), (float(flow[0]), float(flow[1]), float(flow[2])))

    def sunlit(self, x: float, z: float) -> float:
        """Whether the sun reaches a place on the ground, from 0 to 1."""
        px, py, depth = self.view.project(np.array([(x, 0, z)], np.float32))[0]
        inside = 0 <= px < self.view.width and 0 <= py < self.view.height and depth > 0
        return float(self.stage.still.sunlit[int(py), int(px)]) if inside else 1.0

    def _person(self, outfit: Outfit, pose: Pose, levels: Levels) -> Actor | None:
        sprite = cast(self.view, outfit, pose, self.shade(pose.x, pose.z, levels), self.cloth)
        if sprite is None:
            return None
        world, radii = stand(outfit, pose, limbs(outfit, pose))
        sun = self.light.sun
        if sun is not None:
            shapes = self.fallen(world, radii, sun.towards)
        else:
            shapes = self.spots(world, radii)
        return Actor("person", sprite, shapes, reflects=True)

    def fallen(
        self, world: Array, radii: Array, towards: tuple[float, float, float]
    ) -> list[Array]:
        """Limbs laid on the ground along the sunlight, as polygons in pixels."""
        tx, ty, tz = towards
        ground = world.copy()
        height = np.maximum(world[..., 1], 0)
        ground[..., 0] -= height * tx / ty
        ground[..., 2] -= height * tz / ty
        shapes = []
        for (start, end), (thick, thin) in zip(ground, radii, strict=True):
            shapes.append(_hull(start, end, float(thick), float(thin)))
        return self.to_pixels(shapes)

    def spots(self, world: Array, radii: Array) -> list[Array]:
        """Soft dark spots under the feet and the body, for light from above."""
        middle = world[:, :, [0, 2]].mean((0, 1))
        feet = world[[2, 5]].mean(1)[:, [0, 2]]
        shapes = [np.stack([x + _CIRCLE[:, 0] * r, z + _CIRCLE[:, 1] * r], 1)
                  for (x, z), r in [(middle, 0.20), (feet[0], 0.13), (feet[1], 0.13)]]  # fmt: skip
        return self.to_pixels(shapes)

    def to_pixels(self, shapes: Sequence[Array]) -> list[Array]:
        """Polygons on the ground, (N, 2) metres x and z, as pixels; those behind us left out."""
        out = []
        for shape in shapes:
            points = np.zeros((len(shape), 3), np.float32)
            points[:, 0], points[:, 2] = shape[:, 0], shape[:, 1]
            seen = self.view.project(points)
            if seen[:, 2].min() > NEAR * 4:
                out.append(seen[:, :2])
        return out


def _hull(start: Array, end: Array, thick: float, thin: float) -> Array:
    """The outline on the ground of two discs and what lies between: (N, 2) metres."""
    ax, az, bx, bz = float(start[0]), float(start[2]), float(end[0]), float(end[2])
    angle = math.atan2(bz - az, bx - ax)
    turn = np.linspace(math.pi / 2, 3 * math.pi / 2, 6) + angle
    back = np.stack([ax + thick * np.cos(turn), az + thick * np.sin(turn)], 1)
    turn = turn + math.pi
    front = np.stack([bx + thin * np.cos(turn), bz + thin * np.sin(turn)], 1)
    return np.concatenate([back, front]).astype(np.float32)


def _cloth() -> Array:
    """A grain of folds and weave around 1, (512, 512)."""
    rng = np.random.default_rng(5)
    fine = rng.normal(0, 1, (512, 512)).astype(np.float32)
    coarse: Array = np.kron(rng.normal(0, 1, (64, 64)), np.ones((8, 8))).astype(np.float32)
    for _ in range(3):
        moved = (np.roll(coarse, 3, 0), np.roll(coarse, 3, 1), np.roll(coarse, -2, 0))
        coarse = (coarse + sum(moved)) / np.float32(4)
    return np.clip(1 + 0.05 * fine + 0.16 * coarse, 0.6, 1.4).astype(np.float32)
