"""A pinhole camera in metres: world points to pixels, pixels to rays.

World axes: x to the right, y up, z away from the camera at yaw 0; the ground is y = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32 unless a docstring says otherwise
NEAR = 0.15


@dataclass(frozen=True)
class View:
    """Where a camera hangs and how it looks.

    `position` is in metres, `yaw` and `pitch` in degrees (positive yaw turns right, positive pitch
    looks down), `fov` is the horizontal field of view in degrees, `width` and `height` are pixels.
    """

    position: tuple[float, float, float]
    yaw: float
    pitch: float
    fov: float
    width: int
    height: int

    @cached_property
    def focal(self) -> float:
        """Focal length in pixels."""
        return self.width / 2 / math.tan(math.radians(self.fov) / 2)

    @cached_property
    def axes(self) -> Array:
        """Rows: the camera's right, up and forward in world axes, shape (3, 3)."""
        yaw, pitch = math.radians(self.yaw), math.radians(self.pitch)
        right = (math.cos(yaw), 0.0, -math.sin(yaw))
        forward = (
            math.sin(yaw) * math.cos(pitch),
            -math.sin(pitch),
            math.cos(yaw) * math.cos(pitch),
        )
        up = np.cross(forward, right)
        return np.array([right, up, forward], np.float32)

    @cached_property
    def origin(self) -> Array:
        """The camera's place as an array of 3."""
        return np.array(self.position, np.float32)

    def project(self, points: Array) -> Array:
        """Points (N, 3) in metres to (N, 3): x and y in pixels, and depth along the view."""
        local = (np.asarray(points, np.float32) - self.origin) @ self.axes.T
        depth = np.maximum(local[:, 2], 1e-3)
        x = self.width / 2 + self.focal * local[:, 0] / depth
        y = self.height / 2 - self.focal * local[:, 1] / depth
        return np.stack([x, y, local[:, 2]], axis=1)

    def rays(self, x: Array, y: Array) -> Array:
        """Directions (N, 3) through pixels; one unit along a ray is one metre of depth."""
        right = ((x - self.width / 2) / self.focal)[..., None] * self.axes[0]
        up = ((self.height / 2 - y) / self.focal)[..., None] * self.axes[1]
        out: Array = (right + up + self.axes[2]).astype(np.float32)
        return out

    def scaled(self, factor: float) -> View:
        """The same view with `factor` times as many pixels each way."""
        width, height = round(self.width * factor), round(self.height * factor)
        return View(self.position, self.yaw, self.pitch, self.fov, width, height)


def box_blur(picture: Array, reach: int, axis: int) -> Array:
    """A box blur of `reach` pixels either way along one axis."""
    if reach < 1:
        return picture
    pad = [(0, 0)] * picture.ndim
    pad[axis] = (reach + 1, reach)
    total = np.cumsum(np.pad(picture, pad, mode="edge"), axis=axis, dtype=np.float32)
    size = 2 * reach + 1
    upper = np.take(total, range(size, total.shape[axis]), axis=axis)
    lower = np.take(total, range(total.shape[axis] - size), axis=axis)
    return (upper - lower) / np.float32(size)


def shrink(picture: Array, factor: int) -> Array:
    """The mean of each block of `factor` by `factor` pixels of (H, W) or (H, W, C)."""
    rows = picture[0::factor].copy()
    for start in range(1, factor):
        rows += picture[start::factor]
    out: Array = rows[:, 0::factor].copy()
    for start in range(1, factor):
        out += rows[:, start::factor]
    out *= np.float32(1 / (factor * factor))
    return out
