"""Where somebody is at each moment: way points in, a smooth walk out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plugins.cameras.school.figure import STRIDE, Pose
from plugins.cameras.school.view import Array

RATE = 20  # samples per second
SMOOTH_S = 0.5


@dataclass(frozen=True)
class Stop:
    """Be at (`x`, `z`) metres at `at` seconds; `face` degrees is where to look while standing.

    `sink` in metres lowers the body there: somebody who gets out of a car comes up from its seat.
    """

    at: float
    x: float
    z: float
    face: float | None = None
    sink: float = 0.0


def _smooth(values: Array) -> Array:
    reach = int(SMOOTH_S * RATE / 2)
    padded = np.pad(values, reach, mode="edge")
    kernel = np.hanning(2 * reach + 3)[1:-1].astype(np.float32)
    return np.convolve(padded, kernel / kernel.sum(), "valid").astype(np.float32)


class Walk:
    """One person's way through the scene; nobody before its first stop and after its last."""

    def __init__(self, stops: Sequence[Stop], stature: float, start_phase: float = 0.0) -> None:
        self.begin, self.end = stops[0].at, stops[-1].at
        self.offset = start_phase
        when = np.arange(self.begin, self.end + 1 / RATE, 1 / RATE, dtype=np.float32)
        at = [stop.at for stop in stops]
        self.x = _smooth(np.interp(when, at, [stop.x for stop in stops]).astype(np.float32))
        self.z = _smooth(np.interp(when, at, [stop.z for stop in stops]).astype(np.float32))
        self.sink = np.interp(when, at, [stop.sink for stop in stops]).astype(np.float32)
        dx, dz = np.gradient(self.x) * RATE, np.gradient(self.z) * RATE
        speed = np.hypot(dx, dz)
        self.stride = _smooth(np.clip((speed - 0.08) / 0.75, 0, 1).astype(np.float32))
        self.phase = np.cumsum(speed) / RATE / (STRIDE * stature) * 2 * math.pi
        self.heading = self._headings(when, dx, dz, speed, stops)

    @staticmethod
    def _headings(when: Array, dx: Array, dz: Array, speed: Array, stops: Sequence[Stop]) -> Array:
        """Face where one walks; standing, where the last stop says, else as before."""
        raw = np.arctan2(dx, dz)
        last = float(raw[np.argmax(speed > 0.25)])
        out = np.empty_like(raw)
        number = 0
        for i, moment in enumerate(when):
            while number + 1 < len(stops) and stops[number + 1].at <= moment + 1e-3:
                number += 1
            face = stops[number].face
            if speed[i] > 0.25:
                last = float(raw[i])
            elif face is not None:
                last = math.radians(face)
            out[i] = last
        return _smooth(np.unwrap(out).astype(np.float32))

    def pose(self, time: float) -> Pose | None:
        """The body at a moment; None when not there."""
        if not self.begin <= time < self.end:
            return None
        place = (time - self.begin) * RATE
        low = min(int(place), len(self.x) - 2)
        share = min(place - low, 1.0)

        def at(values: Array) -> float:
            return float(values[low] * (1 - share) + values[low + 1] * share)

        return Pose(
            x=at(self.x),
            z=at(self.z),
            heading=at(self.heading),
            phase=at(self.phase) + self.offset,
            stride=at(self.stride),
            sink=at(self.sink),
            idle=time * 1.7 + self.offset,
        )
