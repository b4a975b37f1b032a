"""Numba kernels that judge each cell by its own threshold, and together with its neighbours."""

# Numba ships few type hints: its decorators and intrinsics are untyped.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from hub.perception import motion_grid as G
from hub.perception.motion_cache import OPTIONS

F = np.float32


@njit(**OPTIONS)
def _limits(
    residual: Any, above: Any, below: Any, noise: Any, restless: Any, away: Any, edge: Any,
    base: Any, share: Any, many: Any, knobs: Any, out: Any,
) -> None:  # fmt: skip
    """Each cell's threshold: what every cell needs, more beside edges, and what its noise adds.

    Noise counts with `many` standard deviations, yet with no more than a stretch of how far the
    cell went by itself lately on the side on which it is now: rain only brightens. On a side that
    stayed calm the noise of the other counts for little, unless the cell is restless or often
    away.
    """
    stretch = knobs[G.STRETCH]
    least = knobs[G.REACH_LEAST]
    more = knobs[G.REACH_GAIN]
    for i in range(out.shape[0]):
        high = above[i]
        low = below[i]
        went = high if residual[i] > F(0) else low
        sigma = F(math.sqrt(noise[i]))
        floor = sigma * (least + more * sigma)
        gentle = min(floor, G.CALM_SIDE * went + G.CALM_REST)
        often = (restless[i] > G.RESTLESS_SHARE) | (away[i] > G.CALM_AWAY)
        reach = max(went, floor if often else gentle)
        out[i] = base + share * edge[i] + min(many * sigma, stretch * reach)


@njit(**OPTIONS)
def _ratio(residual: Any, limit: Any, look: Any, out: Any) -> None:
    """Each residual in units of its threshold, signed."""
    for i in range(out.shape[0]):
        out[i] = look[i] * residual[i] / limit[i]


@njit(**OPTIONS)
def upright(ratio: Any, pitch: int, out: Any) -> None:
    """The sum of each cell's ratio with those above and below."""
    n = ratio.shape[0]
    up = ratio[: n - 2 * pitch]
    here = ratio[pitch : n - pitch]
    down = ratio[2 * pitch :]
    inner = out[pitch : n - pitch]
    for i in range(inner.shape[0]):
        inner[i] = up[i] + here[i] + down[i]


@njit(**OPTIONS)
def _label(ratio: Any, upright: Any, low: Any, firm: Any, together: Any, labels: Any) -> Any:
    """0 calm, 1 may join a mover, 2 may start one; returns how many stand out alone.

    A cell that does not may still start one together with the five beside it, above and below
    that lean to the same side (`upright` holds sums of three): noise does not.
    """
    hot = np.int32(0)
    n = labels.shape[0]
    left = upright[: n - 2]
    right = upright[2:]
    middle = upright[1 : n - 1]
    size = ratio[1 : n - 1]
    inner = labels[1 : n - 1]
    for i in range(inner.shape[0]):
        alone = abs(size[i])
        wide = max(abs(middle[i] + left[i]), abs(middle[i] + right[i]))
        strong = alone > F(1)
        hot = np.int32(hot + np.int32(strong))
        pooled = (wide > together) & (alone > firm)
        inner[i] = np.uint8((alone > low) | pooled) + np.uint8(strong | pooled)
    return hot


@njit(**OPTIONS)
def stand_out(
    shape: Any, knobs: Any, field: Any, base: Any, share: Any, many: Any, labels: Any
) -> Any:
    """Fill `field[LIMIT]`, `field[RATIO]` and `labels`; returns how many cells stand out alone.

    `base`, `share` and `many` are what every cell's threshold holds: grey levels, a part of its
    edge, and standard deviations of its noise.
    """
    residual = field[G.RESIDUAL]
    limit = field[G.LIMIT]
    ratio = field[G.RATIO]
    sums = field[G.WEIGHT]
    _limits(
        residual, field[G.ABOVE], field[G.BELOW], field[G.NOISE], field[G.RESTLESS],
        field[G.AWAY], field[G.EDGE], base, share, many, knobs, limit,
    )  # fmt: skip
    _ratio(residual, limit, field[G.LOOK], ratio)
    upright(ratio, shape[G.PITCH], sums)
    return _label(ratio, sums, knobs[G.LOW], knobs[G.FIRM], knobs[G.TOGETHER], labels)
