"""Samples at night: little light, a lamp or two, a sensor that grows noisy, too few bits for it.

Through H.264 a picture is sent as what changed since the last one, and what differs by a few grey
levels only is sent late or never; so somebody who walks is shown as an encoder leaves them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.pictures import Boxes, Luma
from training.weather import grain

Light = NDArray[np.float32]
FILMED = 0.6  # share that goes through H.264
QUANTISER = (26, 41)  # from good to hardly anything
TOLD = 0.6  # how much what shows of somebody must still be like what was there
PATCH = (12, 24)  # cells in which that is compared
LEVELS = 2.5  # spread, in grey levels, that somebody must have at least


def lit(luma: Luma, rng: Generator) -> Light:
    """The place by night: some light everywhere, up to three lamps, now and then a step of it."""
    rows, columns = luma.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32) / rows
    light = np.full(luma.shape, float(np.exp(rng.uniform(np.log(0.05), np.log(0.4)))), np.float32)
    for _ in range(int(rng.integers(0, 4))):
        across, down = rng.uniform(-0.3, 1.3, 2)
        wide, tall = rng.uniform(0.12, 0.9, 2)
        light += rng.uniform(0.05, 0.6) * np.exp(
            -(((x - across) / wide) ** 2) - ((y - down) / tall) ** 2
        ).astype(np.float32)
    picture = luma * light + float(rng.uniform(0, 20))
    if rng.random() < 0.3:
        picture = picture * float(rng.uniform(0.7, 1.5)) + float(rng.uniform(-5, 25))
    return np.asarray(np.clip(picture, 0, 255), np.float32)


def levels(picture: Light) -> Luma:
    """In whole grey levels."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def seen(place: Light, people: Boxes, rng: Generator) -> Luma:
    """The place as a camera sends it: with noise, mostly through H.264, those in it walking."""
    noise = float(np.exp(rng.uniform(np.log(0.8), np.log(9))))
    soft = float(rng.uniform(0.5, 0.9)) if rng.random() < 0.4 else 0.0

    def noisy(picture: Light) -> Luma:
        field = grain(picture.shape, rng) * noise
        if soft:
            field = cv2.GaussianBlur(field, (0, 0), soft) * 2
        return levels(picture + field)

    return sent(place, people, rng, noisy) if rng.random() < FILMED else noisy(place)


def sent(
    place: Light,
    people: Boxes,
    rng: Generator,
    develop: Callable[[Light], Luma] = levels,
) -> Luma:
    """The place through H.264, after up to two pictures in which those in it stood elsewhere."""
    before = [_walked(place, people, rng) for _ in range(int(rng.integers(0, 3)))]
    pictures = [develop(picture) for picture in (*before, place)]
    return filmed(pictures, int(rng.integers(*QUANTISER)))


def told(luma: Luma, place: Light, people: Boxes) -> NDArray[np.bool_]:
    """Whom the picture still shows: the others drown in the dark, in noise or for want of bits."""
    found = []
    for x1, y1, x2, y2 in people:
        spare = (x2 - x1) / 4  # they stand out by what is beside them
        part = _part(x1 - spare, y1 - spare, x2 + spare, y2 + spare)
        was, shows = (cv2.resize(plane[part].astype(np.float32), PATCH, None, 0, 0, cv2.INTER_AREA)
                      for plane in (place, luma))  # fmt: skip
        spread = float(was.std()) * float(shows.std())
        alike = float(((was - was.mean()) * (shows - shows.mean())).mean()) / max(spread, 1e-6)
        found.append(float(was.std()) >= LEVELS and alike >= TOLD)
    return np.array(found, bool)


def filmed(pictures: Sequence[Luma], quantiser: int) -> Luma:
    """The last of some pictures of one even size, after an H.264 encoder and back."""
    import av

    camera: Any = av.CodecContext.create("libx264", "w")
    hub: Any = av.CodecContext.create("h264", "r")
    rows, columns = pictures[0].shape
    camera.width, camera.height = columns, rows
    camera.thread_count = hub.thread_count = 1
    camera.pix_fmt, camera.max_b_frames = "yuv420p", 0
    camera.time_base, camera.framerate = Fraction(1, 25), 25
    camera.options = {"preset": "superfast", "tune": "zerolatency", "qp": str(quantiser)}
    packets: list[Any] = []
    for number, luma in enumerate(pictures):
        grey = np.full((rows * 3 // 2, columns), 128, np.uint8)
        grey[:rows] = luma
        frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
        frame.pts = number
        packets += camera.encode(frame)
    packets += camera.encode(None)
    *_, last = (frame for packet in (*packets, None) for frame in hub.decode(packet))
    plane = np.frombuffer(last.planes[0], np.uint8).reshape(-1, last.planes[0].line_size)
    return np.ascontiguousarray(plane[:rows, :columns])


def _walked(place: Light, people: Boxes, rng: Generator) -> Light:
    """The place a moment ago: everybody a part of a step further on or back."""
    before = place.copy()
    for x1, y1, x2, y2 in people:
        away = round(float(rng.uniform(-0.5, 0.5)) * float(x2 - x1))
        spare = abs(away) + 2
        part = _part(x1 - spare, y1, x2 + spare, y2)
        before[part] = np.roll(place[part], away, axis=1)
    return before


def _part(x1: float, y1: float, x2: float, y2: float) -> tuple[slice, slice]:
    """Rows and columns of a box, as far as they are inside."""
    return slice(max(0, int(y1)), math.ceil(y2)), slice(max(0, int(x1)), math.ceil(x2))
