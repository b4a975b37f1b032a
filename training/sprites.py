"""What is pasted into other pictures: people, drawn or cut from photographs, and drawn cars.

A sprite is luma and opacity, both uint8 (h, w), cropped to what is opaque.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from plugins.cameras.school.figure import Outfit, Pose, Shade, cast
from plugins.cameras.school.scene import _cloth
from plugins.cameras.school.vehicle import Body, Mesh, faces, park
from plugins.cameras.school.view import View
from training.pictures import Known, Luma

Step = Callable[[], None]
TALL = 200  # pixels that drawn people are drawn tall
LEAST_CUT = 80  # people lower than this are not cut out
FILLS = (0.3, 0.82)  # share of its box that a person who was cut out well fills
OPAQUE = 128


class Sprite(NamedTuple):
    """Luma and opacity, 0 to 255."""

    luma: Luma
    cover: Luma


def drawn(count: int, seed: int, step: Step = lambda: None) -> Iterator[Sprite]:
    """People as the simulated school draws them, in any pose, light and clothes."""
    rng = np.random.default_rng(seed)
    cloth = _cloth()
    for _ in range(count):
        sprite = None
        while sprite is None:
            sprite = _figure(rng, cloth)
        yield sprite
        step()


def _figure(rng: Generator, cloth: NDArray[np.float32]) -> Sprite | None:
    pitch = float(rng.choice([rng.uniform(0, 20), rng.uniform(15, 50)]))
    far = float(rng.uniform(3.5, 7))
    up = 0.9 + far * math.sin(math.radians(pitch))
    away = far * math.cos(math.radians(pitch))
    fov = 2 * math.degrees(math.atan(1.75 / far))
    view = View((float(rng.uniform(-1.5, 1.5)), up, 0.0), 0.0, pitch, fov, 2 * TALL, 2 * TALL)
    walking = rng.random() < 0.65
    pose = Pose(
        x=view.position[0],
        z=away,
        heading=float(rng.uniform(0, 2 * math.pi)),
        phase=float(rng.uniform(0, 2 * math.pi)),
        stride=float(rng.uniform(0.5, 1.25)) if walking else float(rng.uniform(0, 0.15)),
        idle=float(rng.uniform(0, 2 * math.pi)),
    )
    outfit = Outfit.draw(rng, against=tuple(rng.uniform(0.03, 0.6, 3).tolist()))
    found = cast(view, outfit, pose, _shade(rng), cloth)
    if found is None:
        return None
    return _developed(found.light, found.cover)


def cars(count: int, seed: int, step: Step = lambda: None) -> Iterator[Sprite]:
    """Cars as the simulated school draws them, from any side, in any light."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        sprite = _car(rng)
        if sprite is not None:
            made += 1
            yield sprite
            step()


def _car(rng: Generator) -> Sprite | None:
    pitch, far = float(rng.uniform(2, 40)), float(rng.uniform(6, 14))
    up = 0.7 + far * math.sin(math.radians(pitch))
    away = far * math.cos(math.radians(pitch))
    fov = 2 * math.degrees(math.atan(2.8 / far))
    view = View((0.0, up, 0.0), 0.0, pitch, fov, 2 * TALL, 2 * TALL)
    mesh = Mesh(faces(Body.draw(rng), bool(rng.random() < 0.5)))
    found = park(view, mesh, 0.0, away, float(rng.uniform(0, 2 * math.pi)), _shade(rng))
    return None if found is None else _developed(found.light, found.cover)


def _shade(rng: Generator) -> Shade:
    ambient, key = float(rng.uniform(0.25, 1.0)), float(rng.uniform(0, 1.6))
    towards = (float(rng.normal()), float(rng.uniform(0.2, 2)), float(rng.normal()))
    return Shade((ambient,) * 3, (key,) * 3, towards)


def _developed(linear: NDArray[np.float32], opacity: NDArray[np.float32]) -> Sprite | None:
    """Linear light (h, w, 3), times coverage, and coverage as luma and opacity."""
    cover = np.clip(opacity, 0, 1)
    light = linear / np.maximum(cover, 1e-3)[..., None]
    grey = np.clip(light @ np.array([0.2126, 0.7152, 0.0722], np.float32), 0, None)
    luma = 255 * np.clip(1 - np.exp(-4 * grey), 0, 1) ** (1 / 2.2)
    return trimmed(np.asarray(luma, np.uint8), np.asarray(255 * cover, np.uint8))


def cut(pictures: Sequence[Known], folder: Path, step: Step = lambda: None) -> list[Sprite]:
    """People cut from the coloured photographs by GrabCut (Rother et al. 2004), the good ones."""
    found = []
    for picture in pictures:
        step()
        boxes = [b for b in picture.boxes if b[3] - b[1] >= LEAST_CUT]
        if not boxes or picture.scene.startswith("school/"):
            continue
        colour = cv2.imread(str(folder / "images" / picture.name))
        for box in boxes:
            sprite = _cut(np.asarray(colour, np.uint8), box)
            if sprite is not None:
                found.append(sprite)
    return found


def _cut(colour: NDArray[np.uint8], box: NDArray[np.float32]) -> Sprite | None:
    x1, y1, x2, y2 = (int(v) for v in box)
    wide, tall = x2 - x1, y2 - y1
    if wide < 20 or wide > tall * 1.2:
        return None
    return cut_out(colour, box, FILLS)


def cut_out(
    colour: NDArray[np.uint8], box: NDArray[np.float32], fills: tuple[float, float]
) -> Sprite | None:
    """What is in a box of a coloured picture (h, w, 3), where it fills about so much of it."""
    x1, y1, x2, y2 = (int(v) for v in box)
    wide, tall = x2 - x1, y2 - y1
    left, top = max(0, x1 - wide // 3), max(0, y1 - tall // 8)
    right, bottom = x2 + wide // 3, y2 + tall // 8
    around = colour[top:bottom, left:right]
    scale = min(1.0, 240 / tall)
    around = cv2.resize(around, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    inner = tuple(round(v * scale) for v in (x1 - left, y1 - top, wide, tall))
    if inner[0] + inner[2] > around.shape[1] or inner[1] + inner[3] > around.shape[0]:
        inner = (inner[0], inner[1], min(inner[2], around.shape[1] - inner[0]),
                 min(inner[3], around.shape[0] - inner[1]))  # fmt: skip
    mask = np.zeros(around.shape[:2], np.uint8)
    try:
        cv2.grabCut(around, mask, inner, np.zeros((1, 65)), np.zeros((1, 65)), 4,
                    cv2.GC_INIT_WITH_RECT)  # fmt: skip
    except cv2.error:
        return None
    sure = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    sure = cv2.morphologyEx(sure, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(sure)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    _, _, w, h, area = stats[largest]
    if (
        not fills[0] <= area / max(1, w * h) <= fills[1]
        or h < 0.85 * inner[3]
        or w < 0.6 * inner[2]
    ):
        return None
    cover = cv2.GaussianBlur(np.where(parts == largest, 255, 0).astype(np.uint8), (3, 3), 0)
    grey = cv2.cvtColor(around, cv2.COLOR_BGR2GRAY)
    return trimmed(np.asarray(grey, np.uint8), np.asarray(cover, np.uint8))


def trimmed(luma: Luma, cover: Luma) -> Sprite | None:
    """Cropped to what is opaque; None where nothing is."""
    rows, columns = np.nonzero((cover >= OPAQUE).any(1))[0], np.nonzero((cover >= OPAQUE).any(0))[0]
    if len(rows) < 8 or len(columns) < 4:
        return None
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Sprite(np.ascontiguousarray(luma[part]), np.ascontiguousarray(cover[part]))


def keep(sprites: Sequence[Sprite], file: Path) -> None:
    """Write sprites into a file that `kept` reads."""
    shapes = np.array([s.luma.shape for s in sprites])
    flat = np.concatenate([np.stack([s.luma, s.cover]).ravel() for s in sprites])
    np.savez_compressed(file, shapes=shapes, flat=flat)


def kept(file: Path) -> list[Sprite]:
    """Sprites that `keep` wrote."""
    with np.load(file) as data:
        shapes, flat = data["shapes"], data["flat"]
    found, at = [], 0
    for rows, columns in shapes.tolist():
        size = rows * columns
        both = flat[at : at + 2 * size].reshape(2, rows, columns)
        found.append(Sprite(both[0], both[1]))
        at += 2 * size
    return found
