"""What light, lenses, weather and compression do to a picture, at random."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.pictures import Luma

_FIELD = np.random.default_rng(11).standard_normal((640, 640)).astype(np.float32)
STUDIO = (16.0, 219 / 255)  # luma of video goes from 16 to 235


def weathered(luma: Luma, rng: Generator, leaves: float = 0.12) -> Luma:
    """The picture in other light, noise, blur and compression; a share `leaves` under leaves."""
    luma = _lit(luma, rng)
    if rng.random() < leaves:
        luma = dappled(luma, rng)
    if rng.random() < 0.15:
        luma = _shaded(luma, rng)
    if rng.random() < 0.05:
        luma = _rained(luma, rng)
    if rng.random() < 0.25:
        luma = _soft(luma, rng)
    if rng.random() < 0.4:
        luma = _noisy(luma, rng)
    if rng.random() < 0.35:
        quality = int(rng.integers(12, 85))
        _, packed = cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, quality])
        luma = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return luma


def _lit(luma: Luma, rng: Generator) -> Luma:
    """Another exposure, contrast and gamma, as one table; now and then the range of video."""
    levels = np.arange(256, dtype=np.float32) / 255
    if rng.random() < 0.6:
        levels = levels ** float(np.exp(rng.uniform(-0.7, 0.7)))
    levels *= 255
    if rng.random() < 0.6:
        contrast = float(np.exp(rng.uniform(-0.9, 0.35)))
        middle = float(rng.uniform(40, 180))
        levels = (levels - middle) * contrast + middle + float(rng.uniform(-40, 40))
    if rng.random() < 0.5:
        levels = np.clip(levels, 0, 255) * STUDIO[1] + STUDIO[0]
    table = np.clip(levels, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(luma, table), np.uint8)


def _shaded(luma: Luma, rng: Generator) -> Luma:
    """Part of it in shadow or in light."""
    size = luma.shape[0]
    points = (rng.uniform(-0.2, 1.2, (4, 2)) * size).astype(np.int32)
    cover = np.zeros(luma.shape, np.float32)
    cv2.fillConvexPoly(cover, cv2.convexHull(points), 1.0)
    blur = int(rng.integers(1, 8)) * 2 + 1
    cover = cv2.GaussianBlur(cover, (blur, blur), 0)
    share = 1 + cover * float(rng.uniform(-0.55, 0.6))
    return np.clip(luma * share, 0, 255).astype(np.uint8)


def dappled(luma: Luma, rng: Generator) -> Luma:
    """Shadows of leaves over all of it or a part: blotches of one or more sizes, hard or soft."""
    rows, columns = luma.shape
    light = np.ones(luma.shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        reach = float(np.exp(rng.uniform(np.log(2.5), np.log(rows / 8))))  # half a blotch
        coarse = max(1.0, reach / 2)  # few pixels are enough for what is smooth
        small = rng.standard_normal((int(rows / coarse) + 2, int(columns / coarse) + 2))
        soft = cv2.GaussianBlur(small.astype(np.float32), (0, 0), max(0.8, reach / coarse))
        field = cv2.resize(soft, (columns, rows), interpolation=cv2.INTER_CUBIC)
        edge = float(field.std()) * float(np.exp(rng.uniform(np.log(0.02), np.log(0.8))))
        middle = float(np.quantile(field, rng.uniform(0.3, 0.8)))
        shade = np.clip((field - middle) / max(edge, 1e-6) + 0.5, 0, 1)
        light *= 1 - float(rng.uniform(0.08, 0.5)) * shade
    if rng.random() < 0.5:  # only beyond one straight edge
        y, x = np.mgrid[:rows, :columns].astype(np.float32) / rows - 0.5
        turn = float(rng.uniform(0, 2 * np.pi))
        beyond = np.cos(turn) * x + np.sin(turn) * y > float(rng.uniform(-0.35, 0.35))
        light = np.where(beyond, light, 1).astype(np.float32)
    return np.clip(luma * light, 0, 255).astype(np.uint8)


def _rained(luma: Luma, rng: Generator) -> Luma:
    """Bright streaks."""
    out = luma.copy()
    lean = float(rng.uniform(-0.3, 0.3))
    for _ in range(int(rng.integers(10, 60))):
        x, y = (int(v) for v in rng.integers(0, luma.shape[0], 2))
        length = int(rng.integers(4, 20))
        cv2.line(out, (x, y), (int(x + lean * length), y + length), int(rng.uniform(150, 240)), 1)
    share = float(rng.uniform(0.3, 0.8))
    return np.asarray(cv2.addWeighted(out, share, luma, 1 - share, 0), np.uint8)


def _soft(luma: Luma, rng: Generator) -> Luma:
    """Out of focus, or enlarged from fewer pixels."""
    size = luma.shape[0]
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(luma, (0, 0), float(rng.uniform(0.5, 2.0))), np.uint8)
    fewer = int(size * rng.uniform(0.3, 0.8))
    small = cv2.resize(luma, (fewer, fewer), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _noisy(luma: Luma, rng: Generator) -> Luma:
    """Noise of a sensor, grainier in some."""
    noise = grain(luma.shape, rng) * float(rng.uniform(1, 12))
    return np.clip(luma + noise, 0, 255).astype(np.uint8)


def grain(shape: tuple[int, ...], rng: Generator) -> NDArray[np.float32]:
    """Noise of spread 1, every pixel for itself."""
    rows, columns = shape
    y, x = int(rng.integers(0, 640 - rows)), int(rng.integers(0, 640 - columns))
    return _FIELD[y : y + rows, x : x + columns]
