"""Motion stages that pip can install, for scale: OpenCV's MOG2, plain frame difference and a small
running average.

OpenCV is no dependency of the hub; it comes with the dependency group "bench". Where it is
missing, its rivals are left out.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from hub.bench.score import Look, Make, Watcher, gate
from hub.bench.stresses import Luma

SMALL_LINES, SMALL_STRETCH, SMALL_WEIGHT, SMALL_LEAST = 100, (4, 96), 0.01, 10
LEAST_SHARE = 0.0005  # of the frame that a contour must fill
MISSING = (
    "OpenCV is not installed: its rivals are left out "
    "(pip install opencv-python-headless, dependency group bench)"
)


def opencv() -> Any:
    """The cv2 module on one thread, or None where it is not installed."""
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        return None
    cv2.setNumThreads(1)
    return cv2


def makers() -> dict[str, Make]:
    """The gate and every rival that can run here, by name."""
    cv2 = opencv()
    if cv2 is None:
        return {"gate": gate}
    return {
        "gate": gate,
        "mog2": lambda width, height, fps: _mog2(cv2, width, height),
        "difference": lambda width, height, fps: _difference(cv2, width, height),
        "small": lambda width, height, fps: small_average(cv2, width, height),
    }


def _boxes(cv2: Any, mask: Any, least: float) -> Look:
    mask = cv2.dilate(cv2.erode(mask, None), None, iterations=2)
    contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    found = [cv2.boundingRect(c) for c in contours if cv2.contourArea(c) >= least]
    boxes = [[x, y, x + w, y + h] for x, y, w, h in found]
    return Look(bool(boxes), False, np.array(boxes, np.int32).reshape(-1, 4))


def _mog2(cv2: Any, width: int, height: int) -> Watcher:
    """MOG2 with default parameters at full size, shadows left out, cleaned and boxed."""
    model = cv2.createBackgroundSubtractorMOG2()
    least = LEAST_SHARE * width * height

    def look(luma: Luma, at: float) -> Look:
        mask = cv2.threshold(model.apply(luma), 200, 255, cv2.THRESH_BINARY)[1]
        return _boxes(cv2, mask, least)

    return look


def _difference(cv2: Any, width: int, height: int) -> Watcher:
    """Absolute difference of 25 grey levels to the frame before, cleaned and boxed."""
    before: list[Luma] = []
    least = LEAST_SHARE * width * height

    def look(luma: Luma, at: float) -> Look:
        apart = cv2.absdiff(luma, before[0] if before else luma)
        before[:] = [luma.copy()]
        mask = cv2.threshold(apart, 25, 255, cv2.THRESH_BINARY)[1]
        return _boxes(cv2, mask, least)

    return look


def small_average(cv2: Any, width: int, height: int) -> Watcher:
    """After what Frigate's configuration reference says of its motion settings, in own code: 100
    lines, stretched contrast, a running average of weight 0.01, threshold 30, contours of 10 pixels
    of the small picture. Its handling of lightning and its masks are left out.
    """
    lines, columns = SMALL_LINES, max(1, round(width * SMALL_LINES / height))
    average: list[Any] = []

    def look(luma: Luma, at: float) -> Look:
        little = cv2.resize(luma, (columns, lines), interpolation=cv2.INTER_NEAREST)
        low, high = np.percentile(little, SMALL_STRETCH)
        scale = 255.0 / max(1.0, float(high - low))
        clipped = np.clip((little - np.float32(low)) * np.float32(scale), 0, 255)
        blurred = cv2.GaussianBlur(clipped.astype(np.uint8), (3, 3), 0)
        if not average:
            average.append(blurred.astype(np.float32))
        apart = cv2.absdiff(blurred, cv2.convertScaleAbs(average[0]))
        cv2.accumulateWeighted(blurred, average[0], SMALL_WEIGHT)
        mask = cv2.dilate(cv2.threshold(apart, 30, 255, cv2.THRESH_BINARY)[1], None)
        contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        found = [cv2.boundingRect(c) for c in contours if cv2.contourArea(c) >= SMALL_LEAST]
        across, down = width / columns, height / lines
        boxes = [[x * across, y * down, (x + w) * across, (y + h) * down] for x, y, w, h in found]
        return Look(bool(boxes), False, np.array(boxes).reshape(-1, 4).astype(np.int32))

    return look
