"""Procedural paint: what walls, floors, doors and grass look like, in linear colours.

Every function returns a paint: metres along a surface's two edges (N,), (N,) to colours (N, 3).
"""

from __future__ import annotations

import numpy as np

from plugins.cameras.school.surfaces import Cut, Paint
from plugins.cameras.school.view import Array

Colour = tuple[float, float, float]


class Grain:
    """Smooth noise that repeats every 256 cells; `at` gives values from 0 to 1."""

    def __init__(self, seed: int) -> None:
        self.table = np.random.default_rng(seed).random((257, 257), np.float32)
        self.table[256], self.table[:, 256] = self.table[0], self.table[:, 0]

    def at(self, u: Array, v: Array, scale: float) -> Array:
        """Noise with cells of `scale` metres."""
        u, v = u / scale, v / scale
        fu, fv = np.floor(u), np.floor(v)
        iu, iv = fu.astype(np.int32) & 255, fv.astype(np.int32) & 255
        u, v = u - fu, v - fv
        u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
        table = self.table
        upper = table[iv, iu] * (1 - u) + table[iv, iu + 1] * u
        lower = table[iv + 1, iu] * (1 - u) + table[iv + 1, iu + 1] * u
        out: Array = upper * (1 - v) + lower * v
        return out

    def rough(self, u: Array, v: Array, scale: float) -> Array:
        """Three octaves of noise, from 0 to 1."""
        return (
            self.at(u, v, scale) * 0.5
            + self.at(u + 9.1, v, scale / 2.3) * 0.3
            + self.at(u, v + 5.3, scale / 5.1) * 0.2
        )


GRAIN = Grain(7)


def _mix(low: Colour, high: Colour, share: Array) -> Array:
    a, b = np.array(low, np.float32), np.array(high, np.float32)
    return a + (b - a) * np.asarray(share, np.float32)[:, None]


def _cell(value: Array, size: float) -> tuple[Array, Array]:
    """Which cell of `size` metres, and where in it (metres)."""
    number = np.floor(value / size)
    return number, value - number * size


def _chance(a: Array, b: Array, seed: int) -> Array:
    """A fixed random number from 0 to 1 per pair of whole numbers."""
    x = a.astype(np.int64) * 374761393 + b.astype(np.int64) * 668265263 + seed * 144665
    x = (x ^ (x >> 13)) * 1274126177
    return ((x ^ (x >> 16)) & 0xFFFF).astype(np.float32) / np.float32(65535)


def _inside(u: Array, v: Array, x0: float, y0: float, x1: float, y1: float) -> Array:
    out: Array = (u >= x0) & (u < x1) & (v >= y0) & (v < y1)
    return out


def plain(colour: Colour, wear: float = 0.08, scale: float = 0.7) -> Paint:
    """One colour, a little uneven."""

    def paint(u: Array, v: Array) -> Array:
        return (
            np.array(colour, np.float32) * (1 - wear + 2 * wear * GRAIN.rough(u, v, scale))[:, None]
        )

    return paint


def plaster(upper: Colour, lower: Colour, split: float, trim: Colour) -> Paint:
    """A painted wall: one colour above `split` metres, another below, a rail and a skirting."""

    def paint(u: Array, v: Array) -> Array:
        share = np.clip((v - split) / 0.01, 0, 1)
        out = _mix(lower, upper, share) * (0.94 + 0.12 * GRAIN.rough(u, v, 0.9))[:, None]
        scuff = (GRAIN.rough(u * 0.4, v, 0.16) > 0.66) & (v < 0.9)
        out *= (1 - 0.10 * scuff)[:, None]
        rail = np.abs(v - split) < 0.04
        out[rail] = np.array(trim, np.float32)
        out[np.abs(v - split + 0.05) < 0.01] *= 0.75
        out[v < 0.11] = np.array((0.035, 0.035, 0.04), np.float32)
        return out

    return paint


def bricks(colour: Colour, mortar: Colour, long: float = 0.225, high: float = 0.075) -> Paint:
    """A brick wall in stretcher bond."""

    def paint(u: Array, v: Array) -> Array:
        row, y = _cell(v, high)
        column, x = _cell(u + (row % 2) * long / 2, long)
        tone = 0.75 + 0.5 * _chance(row, column, 3)
        out = np.array(colour, np.float32) * tone[:, None]
        out *= (0.88 + 0.24 * GRAIN.rough(u, v, 0.5))[:, None]
        joint = (x < 0.010) | (y < 0.010)
        out[joint] = np.array(mortar, np.float32)
        return out

    return paint


def tiles(first: Colour, second: Colour, size: float, joint: float, speckle: float = 0.2) -> Paint:
    """Square tiles, most of the first colour, flecked; joints of `joint` metres."""

    def paint(u: Array, v: Array) -> Array:
        column, x = _cell(u, size)
        row, y = _cell(v, size)
        share = (_chance(row, column, 5) < 0.16).astype(np.float32)
        out = _mix(first, second, share) * (0.96 + 0.08 * _chance(column, row, 8))[:, None]
        out *= (1 - speckle / 2 + speckle * GRAIN.at(u, v, 0.018))[:, None]
        out *= (0.9 + 0.2 * GRAIN.rough(u, v, 1.7))[:, None]
        out[(x < joint) | (y < joint)] *= 0.62
        return out

    return paint


def ceiling(size: float = 0.6) -> Paint:
    """A hung ceiling of mineral tiles in a metal grid."""

    def paint(u: Array, v: Array) -> Array:
        _, x = _cell(u, size)
        _, y = _cell(v, size)
        out = np.full((len(u), 3), 0.66, np.float32)
        out *= (0.93 + 0.14 * GRAIN.at(u, v, 0.03))[:, None]
        out[(x < 0.024) | (y < 0.024)] = 0.80
        out[(np.abs(x - 0.03) < 0.006) | (np.abs(y - 0.03) < 0.006)] *= 0.6
        return out

    return paint


def lockers(colour: Colour, wide: float = 0.32, tall: float = 1.75) -> Paint:
    """A row of steel lockers on a plinth: doors, vents, handles, number plates."""
    plinth = 0.10

    def paint(u: Array, v: Array) -> Array:
        column, x = _cell(u, wide)
        tone = 0.9 + 0.16 * _chance(column, column, 11)
        out = np.array(colour, np.float32) * tone[:, None]
        out *= (0.92 + 0.16 * GRAIN.rough(u, v, 0.6))[:, None]
        out *= (0.9 + 0.25 * np.clip(x / wide, 0, 1))[:, None]
        for base in (1.32, 0.40):
            slot = ((v - base) % 0.045 < 0.016) & (v > base) & (v < base + 0.20)
            out[slot & (np.abs(x - wide / 2) < 0.085)] *= 0.38
        plate = _inside(x, v, wide / 2 - 0.04, 1.56, wide / 2 + 0.04, 1.60)
        out[plate] = 0.5
        out[_inside(x, v, wide - 0.075, 0.92, wide - 0.045, 1.06)] = 0.30
        out[_inside(x, v, wide - 0.085, 0.90, wide - 0.075, 1.06)] *= 0.5
        out[(x < 0.009) | (x > wide - 0.006)] *= 0.30
        out[v > tall - 0.02] *= 0.5
        out[v < plinth] = 0.03
        return out

    return paint


def door(
    colour: Colour, wide: float, tall: float, glass: tuple[float, float, float, float], pane: Colour
) -> Paint:
    """A flush door in its frame; `glass` is the vision panel (x0, y0, x1, y1) in metres."""
    x0, y0, x1, y1 = glass

    def paint(u: Array, v: Array) -> Array:
        streak = GRAIN.at(u, v * 0.12, 0.02) * 0.5 + GRAIN.rough(u, v * 0.3, 0.2) * 0.5
        out = np.array(colour, np.float32) * (0.84 + 0.32 * streak)[:, None]
        rim = (u < 0.06) | (u > wide - 0.06) | (v > tall - 0.06)
        out[rim] = np.array((0.23, 0.24, 0.25), np.float32)
        out[(np.abs(u - 0.065) < 0.006) | (np.abs(u - wide + 0.065) < 0.006)] *= 0.35
        out[(v < 0.28) & ~rim] = np.array((0.30, 0.30, 0.31), np.float32)
        out[_inside(u, v, x0 - 0.03, y0 - 0.03, x1 + 0.03, y1 + 0.03)] *= 0.45
        inner = _inside(u, v, x0, y0, x1, y1)
        fade = 0.7 + 0.6 * np.clip((v - y0) / max(y1 - y0, 0.1), 0, 1) * GRAIN.at(u, v, 0.5)
        out[inner] = np.array(pane, np.float32) * fade[inner][:, None]
        bar = inner & ((np.abs(u - (x0 + x1) / 2) < 0.004) | ((v - y0) % 0.22 < 0.007))
        out[bar] *= 0.6
        out[_inside(u, v, wide - 0.19, 0.98, wide - 0.09, 1.03)] = 0.42
        out[_inside(u, v, wide - 0.17, 0.92, wide - 0.12, 1.10)] *= 1.15
        return out

    return paint


def board(wide: float, tall: float, seed: int, felt: Colour = (0.10, 0.16, 0.13)) -> Paint:
    """A notice board with sheets of paper pinned to it."""
    rng = np.random.default_rng(seed)
    sheets = []
    x = 0.08
    while x < wide - 0.3:
        w, h = float(rng.uniform(0.18, 0.34)), float(rng.uniform(0.22, 0.42))
        y = float(rng.uniform(0.08, max(0.09, tall - h - 0.08)))
        hue = rng.uniform(0.35, 0.8, 3) if rng.random() < 0.5 else np.full(3, 0.72)
        sheets.append((x, y, x + w, y + h, hue.astype(np.float32)))
        x += w + float(rng.uniform(0.02, 0.10))

    def paint(u: Array, v: Array) -> Array:
        out = np.array(felt, np.float32) * (0.9 + 0.2 * GRAIN.at(u, v, 0.02))[:, None]
        for x0, y0, x1, y1, hue in sheets:
            on = _inside(u, v, x0, y0, x1, y1)
            out[_inside(u, v, x0 + 0.01, y0 - 0.012, x1 + 0.012, y1) & ~on] *= 0.6
            out[on] = hue
            line = on & ((v - y0) % 0.035 < 0.012) & (u > x0 + 0.02) & (u < x1 - 0.03)
            out[line] *= 0.55
            out[on & (v > y1 - 0.07) & (v < y1 - 0.025)] *= 0.45
        out[(u < 0.03) | (u > wide - 0.03) | (v < 0.03) | (v > tall - 0.03)] = 0.34
        return out

    return paint


def glow(colour: Colour, wide: float = 1.0, tall: float = 1.0) -> Paint:
    """A lit panel behind a prismatic cover, in a frame."""

    def paint(u: Array, v: Array) -> Array:
        fade = 0.86 + 0.28 * GRAIN.at(u, v, 0.05) * 0.3
        out = np.array(colour, np.float32) * fade[:, None]
        edge = (u < 0.03) | (u > wide - 0.03) | (v < 0.03) | (v > tall - 0.03)
        out[edge] *= 0.35
        return out

    return paint


def window(
    wide: float, tall: float, columns: int, rows: int, sky: Colour, ground: Colour, horizon: float
) -> Paint:
    """Daylight through a framed window: sky above `horizon` metres, trees and ground below."""

    def paint(u: Array, v: Array) -> Array:
        trees = horizon + 0.5 * GRAIN.rough(u, u * 0 + 2, 0.7)
        out = _mix(ground, sky, np.clip((v - trees) / 0.05, 0, 1))
        out[v < trees] *= (0.6 + 0.8 * GRAIN.rough(u, v, 0.25))[v < trees][:, None]
        _, x = _cell(u, wide / columns)
        _, y = _cell(v, tall / rows)
        bar = (x < 0.035) | (x > wide / columns - 0.035) | (y < 0.035) | (y > tall / rows - 0.035)
        out[bar] = np.array((0.16, 0.165, 0.17), np.float32)
        return out

    return paint


def panes(wide: float, tall: float, columns: int, rows: int, inside: Colour, sky: Colour) -> Paint:
    """Windows of a building seen from outside: dark rooms, blinds, a touch of sky."""

    def paint(u: Array, v: Array) -> Array:
        column, x = _cell(u, wide / columns)
        row, y = _cell(v, tall / rows)
        height = tall / rows
        share = np.clip(y / height, 0, 1) ** 1.5 * (0.35 + 0.4 * GRAIN.rough(u, v, 1.3))
        out = _mix(inside, sky, share)
        blind = y > height * (1 - 0.7 * _chance(column, row, 4) * (_chance(row, column, 6) < 0.5))
        out[blind] = np.array((0.34, 0.33, 0.30), np.float32)
        slat = blind & (y % 0.06 < 0.015)
        out[slat] *= 0.75
        bar = (x < 0.04) | (x > wide / columns - 0.04) | (y < 0.04) | (y > height - 0.04)
        out[bar] = np.array((0.42, 0.43, 0.44), np.float32)
        return out

    return paint


def grass(light: Colour = (0.085, 0.135, 0.035), dark: Colour = (0.045, 0.085, 0.022)) -> Paint:
    """Mown grass with worn patches."""

    def paint(u: Array, v: Array) -> Array:
        fine = GRAIN.at(u, v, 0.05) * 0.5 + GRAIN.at(u, v, 0.13) * 0.5
        stripe = 0.5 + 0.5 * np.tanh(4 * np.sin(u * np.pi / 1.1))
        out = _mix(dark, light, np.clip(fine * 0.8 + stripe * 0.15, 0, 1))
        out *= (0.75 + 0.5 * GRAIN.rough(u, v, 2.3))[:, None]
        bare = np.clip((GRAIN.rough(u + 3, v, 3.1) - 0.62) * 6, 0, 0.7)
        return out * (1 - bare[:, None]) + np.array((0.16, 0.12, 0.075), np.float32) * bare[:, None]

    return paint


def asphalt(tone: float = 0.075) -> Paint:
    """Asphalt with patches, cracks and oil."""

    def paint(u: Array, v: Array) -> Array:
        out = np.full((len(u), 3), tone, np.float32) * np.array((1, 1, 1.03), np.float32)
        out *= (0.8 + 0.4 * GRAIN.at(u, v, 0.025))[:, None]
        out *= (0.75 + 0.5 * GRAIN.rough(u, v, 2.8))[:, None]
        ridge = np.abs(GRAIN.rough(u, v, 3.7) - 0.5)
        out[ridge < 0.004] *= 0.55
        patch = GRAIN.rough(u + 40, v + 11, 4.0) > 0.66
        out[patch] *= 0.82
        return out

    return paint


def slabs(colour: Colour, long: float = 0.6, wide: float = 0.4) -> Paint:
    """Concrete paving slabs."""

    def paint(u: Array, v: Array) -> Array:
        row, y = _cell(v, wide)
        column, x = _cell(u + (row % 2) * long / 2, long)
        out = np.array(colour, np.float32) * (0.86 + 0.28 * _chance(row, column, 9))[:, None]
        out *= (0.82 + 0.36 * GRAIN.rough(u, v, 0.9))[:, None]
        out *= (0.93 + 0.14 * GRAIN.at(u, v, 0.02))[:, None]
        out[(x < 0.012) | (y < 0.012)] *= 0.55
        return out

    return paint


def foliage(colour: Colour, seed: int) -> Paint:
    """Leaves: clumps lit from above."""

    def paint(u: Array, v: Array) -> Array:
        clump = GRAIN.rough(u + seed, v + seed * 1.7, 0.55)
        leaf = GRAIN.at(u + seed, v, 0.07)
        tone = np.maximum(0.25 + 1.1 * clump + 0.75 * (leaf - 0.4), 0.12)
        return np.array(colour, np.float32) * tone[:, None]

    return paint


def crown(wide: float, tall: float, seed: int, gaps: float = 0.3) -> Cut:
    """The ragged outline of a tree's crown or a hedge, an ellipse with holes."""

    def cut(u: Array, v: Array) -> Array:
        x, y = u / wide * 2 - 1, v / tall * 2 - 1
        reach = x * x + y * y
        edge = 0.55 + 0.75 * GRAIN.rough(u + seed * 3.3, v + seed, 0.8)
        hole = GRAIN.rough(u + seed, v + 8.8, 0.28) < gaps * (0.55 + 0.6 * reach)
        out: Array = (reach < edge) & ~hole
        return out

    return cut


def sky(horizon: Colour, zenith: Colour, tall: float) -> Paint:
    """A bright, cloudy sky."""

    def paint(u: Array, v: Array) -> Array:
        out = _mix(horizon, zenith, np.clip(v / tall, 0, 1))
        cloud = np.clip((GRAIN.rough(u * 0.5, v * 1.6, tall * 0.4) - 0.42) * 2.6, 0, 1)
        return out * (1 - 0.6 * cloud[:, None]) + 0.95 * 0.6 * cloud[:, None]

    return paint
