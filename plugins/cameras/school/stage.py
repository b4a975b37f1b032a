"""Puts a frame together: the still picture under its light, shadows, actors, weather and noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plugins.cameras.school.figure import Sprite
from plugins.cameras.school.surfaces import Still
from plugins.cameras.school.view import Array

Picture = NDArray[np.uint8]
STEPS = 1024  # tone curve entries per unit of light
BRIGHTEST = 6.0
SOLID = 0.35  # coverage from which a pixel belongs to what is drawn on it


def curve(exposure: float) -> Picture:
    """The camera's answer to light: a film-like shoulder, then the display's gamma; a table."""
    light = np.arange(int(BRIGHTEST * STEPS), dtype=np.float32) / STEPS * exposure
    return (255 * (1 - np.exp(-light)) ** (1 / 2.2) + 0.5).astype(np.uint8)


@dataclass(frozen=True)
class Actor:
    """Something drawn on a frame: its label, sprite, shadow polygons (pixels) and own layer."""

    label: str
    sprite: Sprite
    shadows: Sequence[Array] = ()
    reflects: bool = False


@dataclass
class Seen:
    """One actor in the finished frame: the box of what shows (pixels), and the share that shows."""

    label: str
    box: tuple[float, float, float, float]
    visible: float
    whole: bool


@dataclass(frozen=True)
class Fixed:
    """Something baked into the still picture that the truth knows: its window and pixel count."""

    label: str
    window: tuple[slice, slice]
    pixels: int


@dataclass
class Stage:
    """The still part of a scene, ready to be played on.

    `levels` below are how bright each group of lights is; equal levels are developed only once.
    """

    still: Still
    exposure: float
    rng: np.random.Generator
    noise: float = 2.2
    soft: float = 1.2
    shade_group: int | None = None
    _table: Picture = field(init=False)
    _developed: dict[tuple[float, ...], Picture] = field(default_factory=dict)
    _tiles: NDArray[np.int8] = field(init=False)
    _owner: NDArray[np.uint8] = field(init=False)
    _fixed: list[Fixed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._table = curve(self.exposure)
        height, width = self.still.depth.shape
        self._owner = np.zeros((height, width), np.uint8)
        raw = self.rng.normal(0, 1, (height + 64, width + 64, 3)).astype(np.float32)
        raw = raw * 0.55 + raw.mean(2, keepdims=True) * 0.9
        raw += 0.6 * np.roll(raw, 1, 1) + 0.25 * np.roll(raw, 1, 0)
        self._tiles = np.clip(raw * self.noise / raw.std(), -100, 100).astype(np.int8)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        vignette = 1 - 0.16 * (x * x + y * y * 0.6)
        self.still.layers *= vignette[None, :, :, None]

    def bake(self, label: str, sprites: Sequence[Sprite], shadows: Sequence[Array]) -> None:
        """Put something into the still picture for good: one sprite per group of lights."""
        mask = soft_shapes(shadows, self.still.depth.shape, self.soft)
        if mask is not None and self.shade_group is not None:
            top, left, cover = mask
            window = slice(top, top + cover.shape[0]), slice(left, left + cover.shape[1])
            cover = cover * self.still.floor[window]
            self.still.layers[(self.shade_group, *window)] *= 1 - cover[..., None]
            self.still.layers[(0, *window)] *= 1 - 0.25 * cover[..., None]
            self.still.sunlit[window] *= 1 - cover
        windows = self._window(sprites[0])
        if windows is None:
            return
        out, inner = windows
        cover = np.where(
            sprites[0].depth[inner] < self.still.depth[out], sprites[0].cover[inner], 0
        )
        for group, sprite in enumerate(sprites):
            part = self.still.layers[(group, *out)]
            part += (
                sprite.light[inner] / np.maximum(sprite.cover[inner], 1e-3)[..., None] - part
            ) * cover[..., None]
        solid = cover > SOLID
        self.still.depth[out][solid] = sprites[0].depth[inner][solid]
        self.still.floor[out][solid] = 0
        self._fixed.append(Fixed(label, out, int((sprites[0].cover > SOLID).sum())))
        self._owner[out][solid] = len(self._fixed)

    def light(self, levels: Sequence[float], window: tuple[slice, slice]) -> Array:
        """The still picture's linear light in a window."""
        parts = self.still.layers[(slice(None), *window)]
        return np.tensordot(np.array(levels, np.float32), parts, 1)

    def develop(self, light: Array) -> Picture:
        """Linear light to what the camera shows."""
        return self._table[np.minimum((light * STEPS).astype(np.int32), len(self._table) - 1)]

    def empty(self, levels: Sequence[float]) -> Picture:
        """The scene without actors; the caller must not write into it."""
        key = tuple(round(level * 50) / 50 for level in levels)
        if key not in self._developed:
            if len(self._developed) > 24:
                self._developed.clear()
            height, width = self.still.depth.shape
            whole = (slice(0, height), slice(0, width))
            self._developed[key] = self.develop(self.light(key, whole))
        return self._developed[key]

    def frame(
        self,
        levels: Sequence[float],
        actors: Sequence[Actor],
        stir: Callable[[Picture], Picture] | None = None,
        shadow: float = 1.0,
    ) -> tuple[Picture, list[Seen]]:
        """One frame without noise, and what shows of each actor; `stir` moves leaves."""
        key = tuple(round(level * 50) / 50 for level in levels)
        picture = self.empty(levels).copy()
        if stir is not None:
            picture = stir(picture)
        depth = self.still.depth.copy()
        owner = self._owner.copy()
        first = len(self._fixed) + 1
        for actor in actors:
            self._shadows(picture, actor, key, shadow)
        for actor in actors:
            if actor.reflects:
                self._reflect(picture, actor.sprite, key)
        ordered = sorted(
            enumerate(actors, first), key=lambda pair: -float(pair[1].sprite.depth.min())
        )
        for number, actor in ordered:
            self._place(picture, depth, owner, number, actor.sprite, key)
        return picture, self._measure(owner, actors)

    def grainy(self, picture: Picture) -> Picture:
        """The picture with this frame's sensor noise."""
        height, width = picture.shape[:2]
        y, x = (int(v) for v in self.rng.integers(0, 64, 2))
        noisy = picture.astype(np.int16)
        noisy += self._tiles[y : y + height, x : x + width]
        return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)

    def _window(self, sprite: Sprite) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
        """The part of the frame under a sprite, and the part of the sprite over the frame."""
        height, width = self.still.depth.shape
        rows, columns = sprite.cover.shape
        y0, x0 = max(sprite.top, 0), max(sprite.left, 0)
        y1, x1 = min(sprite.top + rows, height), min(sprite.left + columns, width)
        if y0 >= y1 or x0 >= x1:
            return None
        inner = (
            slice(y0 - sprite.top, y1 - sprite.top),
            slice(x0 - sprite.left, x1 - sprite.left),
        )
        return (slice(y0, y1), slice(x0, x1)), inner

    def _place(
        self,
        picture: Picture,
        depth: Array,
        owner: NDArray[np.uint8],
        number: int,
        sprite: Sprite,
        levels: Sequence[float],
    ) -> None:
        windows = self._window(sprite)
        if windows is None:
            return
        out, inner = windows
        cover = np.where(sprite.depth[inner] < depth[out], sprite.cover[inner], 0)
        if not cover.any():
            return
        colour = self.develop(
            sprite.light[inner] / np.maximum(sprite.cover[inner], 1e-3)[..., None]
        )
        share = cover[..., None]
        picture[out] = (picture[out] * (1 - share) + colour * share + 0.5).astype(np.uint8)
        solid = cover > SOLID
        depth[out][solid] = sprite.depth[inner][solid]
        owner[out][solid] = number

    def _shadows(
        self, picture: Picture, actor: Actor, levels: Sequence[float], strength: float
    ) -> None:
        """Take the main light (or, indoors, a part of all light) from under an actor."""
        mask = soft_shapes(actor.shadows, self.still.depth.shape, self.soft)
        if mask is None:
            return
        top, left, cover = mask
        window = (
            slice(top, top + cover.shape[0]),
            slice(left, left + cover.shape[1]),
        )
        cover = cover * self.still.floor[window] * strength
        light = self.light(levels, window)
        if self.shade_group is None:
            light *= 1 - cover[..., None]
        else:
            part = self.still.layers[(self.shade_group, *window)] * levels[self.shade_group]
            light -= part * cover[..., None]
            light *= 1 - 0.25 * cover[..., None]
        change = cover > 0.01
        picture[window][change] = self.develop(light)[change]

    def _reflect(self, picture: Picture, sprite: Sprite, levels: Sequence[float]) -> None:
        """A faint mirror image on a polished floor, below the feet."""
        rows = np.nonzero(sprite.cover.max(1) > 0.3)[0]
        if not len(rows):
            return
        foot = int(rows[-1]) + 1
        top = sprite.top + foot - 2
        shown = sprite.cover * self._shown(sprite)
        light, cover = sprite.light[:foot][::-1], shown[:foot][::-1]
        flat = Sprite(sprite.left, top, light, cover, sprite.depth[:foot][::-1])
        windows = self._window(flat)
        if windows is None:
            return
        out, inner = windows
        share = cover[inner] * self.still.shine[out] * 0.5
        share = share * np.linspace(1, 0.3, share.shape[0], dtype=np.float32)[:, None]
        solid = sprite.cover[:foot][::-1][inner]
        colour = self.develop(light[inner] / np.maximum(solid, 1e-3)[..., None])
        blend = picture[out] * (1 - share[..., None]) + colour * share[..., None]
        picture[out] = (blend + 0.5).astype(np.uint8)

    def _shown(self, sprite: Sprite) -> NDArray[np.bool_]:
        """Which pixels of a sprite nothing that stands still hides; true beyond the frame."""
        shown = np.ones(sprite.cover.shape, bool)
        windows = self._window(sprite)
        if windows is not None:
            out, inner = windows
            shown[inner] = sprite.depth[inner] < self.still.depth[out]
        return shown

    def _measure(self, owner: NDArray[np.uint8], actors: Sequence[Actor]) -> list[Seen]:
        """What shows of everything that has a label: only pixels of the finished frame count."""
        things = list(self._fixed)
        for actor in actors:
            windows = self._window(actor.sprite)
            window = (slice(0, 0), slice(0, 0)) if windows is None else windows[0]
            things.append(Fixed(actor.label, window, int((actor.sprite.cover > SOLID).sum())))
        seen = [_seen(owner, number, thing) for number, thing in enumerate(things, 1)]
        return [one for one in seen if one is not None and one.label]


def _seen(owner: NDArray[np.uint8], number: int, thing: Fixed) -> Seen | None:
    height, width = owner.shape
    rows, columns = np.nonzero(owner[thing.window] == number)
    if not len(rows):
        return None
    top, left = thing.window[0].start, thing.window[1].start
    x0, x1 = left + int(columns.min()), left + int(columns.max()) + 1
    y0, y1 = top + int(rows.min()), top + int(rows.max()) + 1
    whole = x0 > 0 and y0 > 0 and x1 < width and y1 < height
    box = (float(x0), float(y0), float(x1), float(y1))
    return Seen(thing.label, box, len(rows) / max(thing.pixels, 1), whole)


def soft_shapes(
    shapes: Sequence[Array], size: tuple[int, int], blur: float
) -> tuple[int, int, Array] | None:
    """Polygons (N, 2) as one soft mask: top, left, coverage; None when out of the frame."""
    from PIL import Image, ImageDraw, ImageFilter

    height, width = size
    if not shapes:
        return None
    points = np.concatenate(list(shapes))
    margin = int(blur * 3) + 2
    x0, y0 = (int(v) for v in np.maximum(np.floor(points.min(0)) - margin, 0))
    x1 = min(int(points[:, 0].max()) + margin, width)
    y1 = min(int(points[:, 1].max()) + margin, height)
    if x0 >= x1 or y0 >= y1:
        return None
    image = Image.new("L", (x1 - x0, y1 - y0), 0)
    pen = ImageDraw.Draw(image)
    for shape in shapes:
        pen.polygon([(float(x - x0), float(y - y0)) for x, y in shape], fill=255)
    image = image.filter(ImageFilter.GaussianBlur(blur))
    return y0, x0, np.asarray(image, np.float32) / np.float32(255)
