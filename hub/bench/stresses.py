"""What cameras and weather do to a picture, seeded.

A stress is made for one run and then given its frames in order, the settling ones first (their
numbers are negative): `Stress(picture, i) -> luma`. Every camera adds a little noise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.bench.grounds import blotches
from hub.bench.scenes import Picture

Luma = NDArray[np.uint8]
Stress = Callable[[Picture, int], Picture]

SENSOR = 1.5  # grey levels of noise in every camera
CONTRAST = 8.0
BITS_PER_PIXEL = 0.03  # 100 kbit/s at 640x360 and 15 frames a second
NOMINAL_FPS = 25


class Run:
    """What a stress is made for: the size of the picture, how many frames, their rate, a seed."""

    def __init__(self, width: int, height: int, count: int, fps: float, seed: int) -> None:
        self.width, self.height, self.count, self.fps = width, height, count, fps
        self.rng = np.random.default_rng(seed)

    def changes(self) -> tuple[int, int]:
        """The frames at which lasting stresses begin and end."""
        return self.count // 3, self.count * 2 // 3


class Noise:
    """Gaussian noise, drawn from one large field of it at random places."""

    def __init__(self, run: Run, sigma: float) -> None:
        self._rng, self._size = run.rng, (run.height, run.width)
        field = run.rng.standard_normal((run.height + 97, run.width + 89), np.float32)
        self._field = sigma * field

    def __call__(self, picture: Picture, i: int) -> Picture:
        """Add a frame's noise."""
        y, x = self._rng.integers(97), self._rng.integers(89)
        part = self._field[y : y + self._size[0], x : x + self._size[1]]
        return picture + part * (1 if self._rng.random() < 0.5 else -1)


def _clean(run: Run) -> Stress:
    return lambda picture, i: picture


def _step(run: Run) -> Stress:
    on, off = run.changes()
    return lambda picture, i: picture * 1.25 + 12 if on <= i < off else picture


def _drift(run: Run) -> Stress:
    return lambda picture, i: picture * (1 - 0.4 * max(0, i) / run.count)


def _shake(run: Run) -> Stress:
    def moved(picture: Picture, i: int) -> Picture:
        dy, dx = (int(d) for d in run.rng.integers(-2, 3, 2))
        wide = np.pad(picture, 2, mode="edge")
        return wide[2 + dy : 2 + dy + run.height, 2 + dx : 2 + dx + run.width]

    return moved


def _rain(run: Run) -> Stress:
    drops = run.width * run.height // 1500

    def wet(picture: Picture, i: int) -> Picture:
        picture = picture.copy()
        xs, ys = run.rng.integers(0, run.width - 3, drops), run.rng.integers(-20, run.height, drops)
        for k, (x, y) in enumerate(zip(xs.tolist(), ys.tolist(), strict=True)):
            near = k % 25 == 0
            long, wide, light = (34, 2, 45.0) if near else (14, 1, 60.0)
            picture[max(0, y) : max(0, y + long), x : x + wide] += light
        return picture

    return wet


def _infrared(run: Run) -> Stress:
    """Materials look otherwise by infrared, and the lamp lights the middle."""
    on, _ = run.changes()
    y, x = np.mgrid[-1 : 1 : run.height * 1j, -1 : 1 : run.width * 1j].astype(np.float32)
    lamp = 0.35 + 0.75 * np.exp(-1.3 * (x * x + y * y))
    cloth = 18 * blotches(run.rng, run.width, run.height, 34)
    grain = Noise(run, 2.5)

    def seen(picture: Picture, i: int) -> Picture:
        if i < on:
            return picture
        return grain((60 + 0.55 * picture + cloth) * lamp, i)

    return seen


def _flicker(run: Run) -> Stress:
    rows = np.arange(run.height, dtype=np.float32)[:, None] / run.height
    return lambda picture, i: (
        picture * (1 + np.float32(0.06) * np.sin(np.float32(2.1 * i) + 9 * rows))
    )


STRESSES: dict[str, Callable[[Run], Stress]] = {
    "clean": _clean,
    "brightness step": _step,
    "slow drift": _drift,
    "noise 5": lambda run: Noise(run, 5),
    "noise 10": lambda run: Noise(run, 10),
    "shake 2 px": _shake,
    "rain": _rain,
    "infrared switch": _infrared,
    "H.264 low": _clean,
    "low contrast": _clean,
    "flicker": _flicker,
}


def stressed(
    stress: str, run: Run, pictures: Iterable[tuple[int, Picture]]
) -> Iterator[tuple[int, Luma]]:
    """Each numbered picture as a camera under `stress` sends it."""
    change, sensor = STRESSES[stress](run), Noise(run, SENSOR)

    def sent() -> Iterator[tuple[int, Luma]]:
        for i, picture in pictures:
            noisy = sensor(change(picture, i), i)
            yield i, np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return encoded(sent(), run) if stress == "H.264 low" else sent()


def encoded(frames: Iterable[tuple[int, Luma]], run: Run) -> Iterator[tuple[int, Luma]]:
    """Through an H.264 encoder with too few bits and back, as on a thin line."""
    import av

    width, height = run.width // 2 * 2, run.height // 2 * 2
    camera: Any = av.CodecContext.create("libx264", "w")
    camera.width, camera.height, camera.pix_fmt = width, height, "yuv420p"
    camera.thread_count, camera.max_b_frames = 1, 0
    camera.gop_size = max(1, round(2 * run.fps))
    camera.time_base, camera.framerate = Fraction(1, NOMINAL_FPS), NOMINAL_FPS
    camera.bit_rate = int(BITS_PER_PIXEL * width * height * NOMINAL_FPS)
    camera.options = {"preset": "veryfast", "tune": "zerolatency", "sc_threshold": "0"}
    hub: Any = av.CodecContext.create("h264", "r")
    hub.thread_count = 1
    sent: deque[tuple[int, Luma]] = deque()

    def arrived(packets: Iterable[Any]) -> Iterator[tuple[int, Luma]]:
        for packet in packets:
            for picture in hub.decode(packet):
                i, luma = sent.popleft()
                plane = picture.planes[0]
                rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                luma = luma.copy()
                luma[:height, :width] = rows[:height, :width]
                yield i, luma

    for number, (i, luma) in enumerate(frames):
        sent.append((i, luma))
        grey = np.full((height * 3 // 2, width), 128, np.uint8)
        grey[:height] = luma[:height, :width]
        frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
        frame.pts = number
        yield from arrived(camera.encode(frame))
    yield from arrived([*camera.encode(None), None])
