"""Seeded scenes and what may befall them, drawn cheaply enough for hours of a camera's time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hub.perception.motion import MotionGate
from hub.perception.tamper import Change, TamperWatch

Plane = NDArray[np.uint8]
Grey = NDArray[np.float32]

WIDTH, HEIGHT = 320, 240
FPS = 2.0
KEY_EVERY = 10  # frames


def blurred(grey: Grey, radius: int) -> Grey:
    """Three box means of 2 x radius + 1 pixels: nearly what a lens out of focus does."""
    out = grey.astype(np.float64)
    size = 2 * radius + 1
    for axis in (0, 1) * 3:
        pad = [(radius + 1, radius) if each == axis else (0, 0) for each in (0, 1)]
        total = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis)
        out = (
            total[size:] - total[:-size] if axis == 0 else total[:, size:] - total[:, :-size]
        ) / size
    return out.astype(np.float32)


class Place:
    """A place of surfaces, things and edges, wider than the picture; `light` is its shading."""

    def __init__(self, seed: int, low: float = 30.0, high: float = 200.0) -> None:
        self.rng = rng = np.random.default_rng(seed)
        tall, wide = HEIGHT + 160, WIDTH + 400
        self.surface = np.full((tall, wide), (low + high) / 2, np.float32)
        self.answer = np.ones((tall, wide), np.float32)  # to infrared light, by material
        for _ in range(260):
            h, w = rng.integers(6, 90, 2)
            y, x = rng.integers(-20, tall), rng.integers(-20, wide)
            part = np.s_[max(0, y) : y + h, max(0, x) : x + w]
            self.surface[part] = rng.uniform(low, high)
            self.answer[part] = rng.uniform(0.5, 1.6)
        self.surface = blurred(self.surface, 1)
        self._noise = rng.normal(0, 1, (6, HEIGHT * 2, WIDTH * 2)).astype(np.float32)

    def view(self, right: int = 0, down: int = 0) -> Grey:
        """What the camera sees when it is turned by so many pixels."""
        part = self.surface[80 + down : 80 + down + HEIGHT, 200 + right : 200 + right + WIDTH]
        return part.copy()

    def infrared(self) -> Grey:
        """The same view by the camera's own infrared lamp: other brightness of each material."""
        lines, columns = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
        lamp = np.exp(-(lines**2 + columns**2))
        seen = self.surface * self.answer
        part: Grey = seen[80 : 80 + HEIGHT, 200 : 200 + WIDTH] * (0.2 + 0.7 * lamp)
        return part.astype(np.float32)

    def plane(self, grey: Grey, sigma: float = 3.0) -> Plane:
        """As a sensor gives it: with noise, in whole grey levels from 16 to 235."""
        noise = self._noise[self.rng.integers(6)]
        y, x = self.rng.integers(0, HEIGHT), self.rng.integers(0, WIDTH)
        noisy = grey + np.float32(sigma) * noise[y : y + HEIGHT, x : x + WIDTH]
        return np.clip(noisy, 16, 235).astype(np.uint8)


class Watcher:
    """A gate and a watch over one camera, shown planes at `FPS`."""

    def __init__(self, shown: Plane | None = None, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        self.gate = MotionGate(*size, FPS)
        self.watch = TamperWatch(size, shown)
        self.shown = shown
        self.time = 1000.0
        self.frames = 0
        self.told: list[tuple[float, Change]] = []

    def show(
        self, seconds: float, picture: Callable[[float], Plane], fps: float = FPS
    ) -> list[str]:
        """Show what `picture(seconds from now)` gives; returns what was told, as words."""
        before = len(self.told)
        for number in range(round(seconds * fps)):
            plane = picture(number / fps)
            self.time += 1 / fps
            self.frames += 1
            found = self.gate.update(plane, self.time, self.shown)
            due, means = self.watch.note(self.time, found.state, found.triggered), self.gate.means()
            self.watch.see(means)
            if due:
                keys = self.frames // KEY_EVERY
                for change in self.watch.look(plane, means, keys):
                    self.told.append((self.time, change))
        return [kind_of(change) for _, change in self.told[before:]]


def kind_of(change: Change) -> str:
    """`covered`, or `covered ended`."""
    return change.kind if change.began else f"{change.kind} ended"


def walkers(place: Place, view: Grey, count: int, tall: int) -> Callable[[float], Plane]:
    """People of `tall` pixels who walk to and fro before the view."""
    rng = np.random.default_rng(place.rng.integers(1 << 30))
    looks = [blurred(rng.uniform(20, 220, (tall, tall // 3)).astype(np.float32), 3)
             for _ in range(count)]  # fmt: skip
    starts, speeds = rng.uniform(0, WIDTH, count), rng.uniform(15, 50, count)
    feet = rng.uniform(0.55, 1.0, count) * HEIGHT

    def picture(time: float) -> Plane:
        grey = view.copy()
        for look, start, speed, foot in zip(looks, starts, speeds, feet, strict=True):
            x = int((start + speed * time) % (WIDTH + 60)) - 30
            top = max(0, int(foot) - tall)
            part = grey[top : int(foot), max(0, x) : max(0, x + tall // 3)]
            part[:] = look[: part.shape[0], : part.shape[1]]
        return place.plane(grey)

    return picture


def rainy(place: Place) -> Plane:
    """Streaks in front of a paler view."""
    grey = place.view() * np.float32(0.85) + 20
    for _ in range(250):
        x, y = place.rng.integers(0, WIDTH), place.rng.integers(0, HEIGHT - 30)
        grey[y : y + place.rng.integers(8, 30), x] += 50
    return place.plane(grey)


def bus_stop(place: Place, seconds: float) -> Callable[[float], Plane]:
    """A bus drives in, fills the picture for a while and drives on."""
    parts = np.random.default_rng(4).uniform(30, 220, (12, 16)).astype(np.float32)
    bus = blurred(np.kron(parts, np.ones((20, 20), np.float32)), 1)

    def picture(time: float) -> Plane:
        grey = place.view()
        edge = int(min(1.0, time / 3, max(0.0, seconds - time) / 3) * WIDTH)
        grey[:, :edge] = bus[:, :edge]
        return place.plane(grey)

    return picture
