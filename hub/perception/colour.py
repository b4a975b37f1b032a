"""Colour or brightness for a part of a picture, straight from the decoder's planes.

Y'CbCr to R'G'B' by ITU-R BT.601 and BT.709 in fixed point with 14 fractional bits; chroma is taken
from the nearest sample, which is all a detector needs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_BITS = 14


@dataclass(frozen=True, slots=True)
class Matrix:
    """How a stream codes colour: luma weights of red and blue, and whether it spans 0..255."""

    red: float
    blue: float
    full_range: bool

    def coefficients(self) -> tuple[int, int, int, int, int, int]:
        """Luma offset and gain, then Cr to R, Cb to G, Cr to G and Cb to B, as integers."""
        luma = 1.0 if self.full_range else 255.0 / 219.0
        chroma = 1.0 if self.full_range else 255.0 / 224.0
        green = 1.0 - self.red - self.blue
        weights = (
            luma,
            2 * (1 - self.red) * chroma,
            -2 * (1 - self.blue) * self.blue / green * chroma,
            -2 * (1 - self.red) * self.red / green * chroma,
            2 * (1 - self.blue) * chroma,
        )
        scaled = [round(weight * (1 << _BITS)) for weight in weights]
        return (0 if self.full_range else 16, *scaled)  # type: ignore[return-value]


class _Spread(Protocol):
    def __call__(self, luma: NDArray[np.uint8], offset: int, gain: int) -> NDArray[np.uint8]: ...


class _Convert(Protocol):
    def __call__(
        self,
        luma: NDArray[np.uint8],
        blue: NDArray[np.uint8],
        red: NDArray[np.uint8],
        shift: tuple[int, int, int, int],
        weights: tuple[int, int, int, int, int, int],
    ) -> NDArray[np.uint8]: ...


def bgr(
    luma: NDArray[np.uint8],
    blue: NDArray[np.uint8],
    red: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    halved: tuple[int, int],
    matrix: Matrix,
) -> NDArray[np.uint8]:
    """BGR uint8 (height, width, 3) of `box` (x1, y1, x2, y2 in pixels, inside the picture).

    `blue` and `red` are the chroma planes; `halved` is how many times their width and height are
    halved against `luma` (1, 1 for 4:2:0).
    """
    x1, y1, x2, y2 = box
    shift = (x1, y1, halved[0], halved[1])
    return _converter()(luma[y1:y2, x1:x2], blue, red, shift, matrix.coefficients())


def brightness(
    luma: NDArray[np.uint8], box: tuple[int, int, int, int], matrix: Matrix
) -> NDArray[np.uint8]:
    """Luma from 0 to 255, uint8 (height, width), of `box` (x1, y1, x2, y2 in pixels, inside the
    picture): a copy, spread where the stream spans less.
    """
    x1, y1, x2, y2 = box
    part = luma[y1:y2, x1:x2]
    offset, gain, *_ = matrix.coefficients()
    return part.copy() if matrix.full_range else _spreader()(part, offset, gain)


@cache
def _converter() -> _Convert:
    loops = _compiled(_convert_loops)
    if loops is None:
        return convert_numpy

    def convert(
        luma: NDArray[np.uint8],
        blue: NDArray[np.uint8],
        red: NDArray[np.uint8],
        shift: tuple[int, int, int, int],
        weights: tuple[int, int, int, int, int, int],
    ) -> NDArray[np.uint8]:
        out = np.empty((*luma.shape, 3), np.uint8)
        loops(luma, blue, red, shift, weights, out)
        return out

    return convert


@cache
def _spreader() -> _Spread:
    loops = _compiled(_spread_loops)
    if loops is None:
        return spread_numpy

    def spread(luma: NDArray[np.uint8], offset: int, gain: int) -> NDArray[np.uint8]:
        out = np.empty(luma.shape, np.uint8)
        loops(luma, offset, gain, out)
        return out

    return spread


def _compiled(loops: Any) -> Any:
    """The loops, which make no array, as machine code; None where Numba cannot be used."""
    try:
        from numba import njit

        from hub.perception.motion_cache import OPTIONS

        return njit(**OPTIONS)(loops)
    except Exception as error:  # Numba fails in many ways: no wheel, no cache, no CPU feature
        logging.getLogger(__name__).warning("colour is converted without Numba: %s", error)
        return None


def spread_numpy(luma: NDArray[np.uint8], offset: int, gain: int) -> NDArray[np.uint8]:
    """The twin of the compiled loops, likewise."""
    levels = (np.arange(256, dtype=np.int32) - offset) * gain + (1 << (_BITS - 1)) >> _BITS
    table: NDArray[np.uint8] = np.clip(levels, 0, 255).astype(np.uint8)
    return np.take(table, luma)


def _spread_loops(luma: Any, offset: int, gain: int, out: Any) -> None:
    height, width = luma.shape
    half = 1 << (_BITS - 1)
    for y in range(height):
        for x in range(width):
            level: Any = ((np.int32(luma[y, x]) - offset) * gain + half) >> _BITS
            out[y, x] = min(255, max(0, level))


def convert_numpy(
    luma: NDArray[np.uint8],
    blue: NDArray[np.uint8],
    red: NDArray[np.uint8],
    shift: tuple[int, int, int, int],
    weights: tuple[int, int, int, int, int, int],
) -> NDArray[np.uint8]:
    """The twin of the compiled loops, for machines where Numba cannot load."""
    height, width = luma.shape
    x0, y0, right, down = shift
    rows = (np.arange(y0, y0 + height) >> down)[:, None]
    columns = (np.arange(x0, x0 + width) >> right)[None, :]
    offset, gain, red_r, blue_g, red_g, blue_b = weights
    base = (luma.astype(np.int32) - offset) * gain + (1 << (_BITS - 1))
    cb = blue[rows, columns].astype(np.int32) - 128
    cr = red[rows, columns].astype(np.int32) - 128
    out = np.empty((height, width, 3), np.uint8)
    for channel, value in enumerate((blue_b * cb, blue_g * cb + red_g * cr, red_r * cr)):
        out[:, :, channel] = np.clip((base + value) >> _BITS, 0, 255)
    return out


def _convert_loops(
    luma: Any, blue: Any, red: Any, shift: tuple[int, ...], weights: tuple[int, ...], out: Any
) -> None:
    height, width = luma.shape
    x0, y0, right, down = shift
    offset, gain, red_r, blue_g, red_g, blue_b = weights
    half = 1 << (_BITS - 1)
    for y in range(height):
        cy = (y + y0) >> down
        for x in range(width):
            cx = (x + x0) >> right
            base: Any = (np.int32(luma[y, x]) - offset) * gain + half
            cb: Any = np.int32(blue[cy, cx]) - 128
            cr: Any = np.int32(red[cy, cx]) - 128
            out[y, x, 0] = min(255, max(0, (base + blue_b * cb) >> _BITS))
            out[y, x, 1] = min(255, max(0, (base + blue_g * cb + red_g * cr) >> _BITS))
            out[y, x, 2] = min(255, max(0, (base + red_r * cr) >> _BITS))
