"""One thing that is followed: where it is, how it moves, and how sure that is.

Motion is a constant-velocity Kalman filter (Kalman 1960) for the middle of the box's upper edge:
heads are hidden less often than feet. Sizes wander and have no speed.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from hub.kinds.detectors import Detection
from hub.perception.boxes import Box

_GROUPS = {"car": "vehicle", "truck": "vehicle", "bus": "vehicle"}

# for x, top, width and height, in heights: acceleration, wandering and error of a measurement; a
# walker's width swings with the gait
_JERK = np.array([0.9, 0.6, 0.0, 0.0])
_DRIFT = np.array([0.0, 0.0, 0.3, 0.3])
_NOISE = np.array([0.04, 0.04, 0.08, 0.05])
_CALM, _WILD = 0.4, 2.5  # who stands changes speed little, who runs turns sharply
_BORN = 1.0  # heights a second: how fast something new may be
SHOWN_AHEAD = 0.6  # seconds that a shown box is carried on
_FADE = 1.5  # seconds over which a speed that is not seen any more is trusted
_FINDS = 24  # finds that are remembered


def group_of(label: str) -> str:
    """Labels that a detector mixes up count as one when boxes are matched."""
    return _GROUPS.get(label, label)


class Track:
    """One thing that is followed; times are seconds on the camera's clock."""

    def __init__(self, found: Detection, time: float) -> None:
        self.id = 0
        self.hits = 1
        self.misses = 0
        self.age = 0
        self.score = found.score
        self.seen = time
        self.checked = time
        self.born = time
        self.first = found.box
        self.confirmed = False
        self.finds = deque([(time, found.box)], maxlen=_FINDS)
        self._votes = {found.label: found.score}
        self._mean = topped(found.box)
        self._speed = np.zeros(4)
        high = float(self._mean[3])
        # variances of position and speed and their covariance, for x, top, width and height
        self._spread = np.tile(np.array([(0.05 * high) ** 2, 0.0, (_BORN * high) ** 2]), (4, 1))
        self._spread[2:, 2] = 0.0

    @property
    def label(self) -> str:
        """The label with the most score behind it."""
        return max(self._votes, key=lambda name: self._votes[name])

    @property
    def group(self) -> str:
        """What its label is matched as."""
        return group_of(self.label)

    @property
    def pace(self) -> float:
        """Speed of its head, in own heights per second."""
        return float(np.hypot(*self._speed[:2]) / max(1.0, self._mean[3]))

    @property
    def moved(self) -> float:
        """How far its feet are from where they were first found, in pixels."""
        x1, _, x2, foot = self.at(self.seen)
        return float(np.hypot((x1 + x2 - self.first[0] - self.first[2]) / 2, foot - self.first[3]))

    @property
    def _jerk(self) -> NDArray[np.float64]:
        """How much its speed may change, in pixels per square second."""
        wild = min(_CALM + self.pace, _WILD)
        return _JERK * wild * float(max(1.0, self._mean[3]))

    def at(self, time: float) -> Box:
        """Its box at a time, by constant velocity for at most 0.6 s after it was last seen."""
        ahead = min(max(time - self.seen, 0.0), SHOWN_AHEAD)
        return _cornered(self._mean + self._speed * ahead)

    def expected(self, time: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where to look for it: x, top, width and height, and the variances of x and top.

        Its speed fades, and the doubt grows, with the time since it was last seen.
        """
        step = max(time - self.seen, -SHOWN_AHEAD)  # what comes late was found where it came from
        trusted = _FADE * (1.0 - np.exp(-step / _FADE))
        place, mixed, speed = self._spread[:2].T
        turned = (self._jerk[:2] * step**2 / 2) ** 2
        doubt = place + 2 * abs(step) * mixed + step**2 * speed + turned
        return self._mean + self._speed * trusted, doubt

    def meet(self, found: Detection, time: float) -> None:
        """Take a matching detection; one from before the latest only counts as seen."""
        self.hits += 1
        self.misses = 0
        self.checked = max(self.checked, time)
        self.score = 0.5 * self.score + 0.5 * found.score
        self._votes[found.label] = self._votes.get(found.label, 0.0) + found.score
        if time > self.seen:
            self._filter(topped(found.box), time - self.seen, found.score)
            self.seen = time
            self.finds.append((time, found.box))

    def miss(self, time: float) -> None:
        """It was looked for and not found."""
        self.misses += 1
        self.checked = max(self.checked, time)

    def _filter(self, measured: NDArray[np.float64], step: float, score: float) -> None:
        """Predict by `step` seconds, then correct; noise grows with the height."""
        high = float(max(1.0, self._mean[3]))
        jerk, drift = self._jerk, _DRIFT * high
        noise = (_NOISE * high * (1.5 - score)) ** 2
        place, mixed, speed = self._spread.T
        place = place + 2 * step * mixed + step**2 * speed + (jerk * step**2 / 2) ** 2
        place = place + drift**2 * step
        mixed = mixed + step * speed + jerk**2 * step**3 / 2
        speed = speed + (jerk * step) ** 2
        expected = self._mean + self._speed * step
        gain, turn = place / (place + noise), mixed / (place + noise)
        error = measured - expected
        self._mean = expected + gain * error
        self._mean[2:] = np.maximum(self._mean[2:], 1.0)
        self._speed = self._speed + turn * error
        self._spread = np.stack(
            [(1 - gain) * place, (1 - gain) * mixed, speed - turn * mixed], axis=1
        )


def topped(box: Box) -> NDArray[np.float64]:
    """Middle and height of the upper edge, width and height: (4,)."""
    x1, y1, x2, y2 = box
    return np.array([(x1 + x2) / 2, y1, max(1.0, x2 - x1), max(1.0, y2 - y1)])


def _cornered(mean: NDArray[np.float64]) -> Box:
    x, top, w, h = (float(value) for value in mean)
    return x - w / 2, top, x + w / 2, top + h
