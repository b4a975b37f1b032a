"""A decoded frame: its luma for free, colour and JPEG only where somebody asks.

`luma` is a view on the decoder's own plane, row-strided, never copied. Colour is computed for one
crop at a time, since motion has already said where looking is worth it.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.perception.colour import Matrix, bgr, brightness

_HALVED = {
    "yuv420p": (1, 1),
    "yuvj420p": (1, 1),
    "nv12": (1, 1),
    "nv21": (1, 1),
    "yuv422p": (1, 0),
    "yuvj422p": (1, 0),
    "yuv444p": (0, 0),
    "yuvj444p": (0, 0),
}
_LUMA_FIRST = re.compile(r"(yuv(?:j|a)?4\d\dp|gray)(?:(9|10|12|14|16)le)?")
_BT709 = 1
_FULL_RANGE = 2


class Frame:
    """One picture of a camera.

    `luma` is uint8 (height, width), `time` seconds on the source's own clock, `index` counts the
    frames decoded before it, `size` is (width, height).
    """

    __slots__ = ("_picture", "index", "luma", "size", "time")

    def __init__(self, picture: Any, time: float, index: int) -> None:
        """`picture` is an `av.VideoFrame` of any format.

        Of more than 8 bits the highest 8 are taken; a format without a luma plane is converted.
        """
        luma_first = _LUMA_FIRST.fullmatch(picture.format.name)
        if not luma_first and picture.format.name not in _HALVED:
            picture = _planar(picture)
        self._picture = picture
        deep = luma_first and luma_first[2]
        self.luma = _high_byte(picture.planes[0], int(deep)) if deep else _plane(picture.planes[0])
        self.time = time
        self.index = index
        self.size = (int(picture.width), int(picture.height))

    def crop(self, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """BGR uint8 (height, width, 3) of `box` = x1, y1, x2, y2 in pixels, clipped."""
        inside = self._inside(box)
        if inside is None:
            return np.zeros((0, 0, 3), np.uint8)
        luma, blue, red = self._planes()
        halved = _HALVED[self._picture.format.name]
        return bgr(luma, blue, red, inside, halved, self._matrix())

    def luma_crop(self, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """Brightness from 0 to 255, uint8 (height, width), of `box`, clipped; a copy."""
        inside = self._inside(box)
        if inside is None:
            return np.zeros((0, 0), np.uint8)
        return brightness(self.luma, inside, self._matrix())

    def _inside(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
        """What of a box lies in the picture; None where nothing does."""
        width, height = self.size
        x1, x2 = max(0, box[0]), min(width, box[2])
        y1, y2 = max(0, box[1]), min(height, box[3])
        return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None

    def jpeg(self, quality: int = 80) -> bytes:
        """The picture as JPEG, from the planes where the format allows, else from BGR."""
        import simplejpeg

        luma, blue, red = self._planes()
        matrix = self._matrix()
        if _HALVED[self._picture.format.name] != (1, 1) or matrix.red != 0.299 or _odd(self.size):
            image = self.crop((0, 0, *self.size))
            return bytes(simplejpeg.encode_jpeg(image, quality, "BGR", "420"))
        if matrix.full_range:
            luma, blue, red = (np.ascontiguousarray(plane) for plane in (luma, blue, red))
        else:
            luma, blue, red = _WIDE_LUMA[luma], _WIDE_CHROMA[blue], _WIDE_CHROMA[red]
        return bytes(simplejpeg.encode_jpeg_yuv_planes(luma, blue, red, quality))

    def _planes(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Luma, blue and red as 8 bits; a format that colour is not made from is converted here."""
        if self._picture.format.name not in _HALVED:
            self._picture = _planar(self._picture)
        name, planes = self._picture.format.name, self._picture.planes
        luma = _plane(planes[0])
        if name not in ("nv12", "nv21"):
            return luma, _plane(planes[1]), _plane(planes[2])
        width, height = self.size
        rows = np.frombuffer(planes[1], np.uint8).reshape(-1, planes[1].line_size)
        pairs = rows[: (height + 1) // 2, : (width + 1) // 2 * 2]
        first, second = pairs[:, 0::2], pairs[:, 1::2]
        return (luma, first, second) if name == "nv12" else (luma, second, first)

    def _matrix(self) -> Matrix:
        picture = self._picture
        full = int(picture.color_range) == _FULL_RANGE or picture.format.name.startswith("yuvj")
        if int(picture.colorspace) == _BT709:
            return Matrix(red=0.2126, blue=0.0722, full_range=full)
        return Matrix(red=0.299, blue=0.114, full_range=full)


def _plane(plane: Any) -> NDArray[np.uint8]:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _high_byte(plane: Any, bits: int) -> NDArray[np.uint8]:
    rows = np.frombuffer(plane, np.uint16).reshape(-1, plane.line_size // 2)
    return (rows[: plane.height, : plane.width] >> (bits - 8)).astype(np.uint8)


def _planar(picture: Any) -> Any:
    return picture.reformat(format="yuv420p")


def _odd(size: tuple[int, int]) -> bool:
    return bool(size[0] % 2 or size[1] % 2)


def _stretch(low: int, high: int, centre: int) -> NDArray[np.uint8]:
    """Levels `low`..`high` spread around `centre` so that they span 0..255 (or nearly)."""
    levels = np.arange(256, dtype=np.float64)
    if centre:
        spread = (levels - centre) * 255.0 / (high - low) + centre
    else:
        spread = (levels - low) * 255.0 / (high - low)
    return np.clip(np.rint(spread), 0, 255).astype(np.uint8)


_WIDE_LUMA = _stretch(16, 235, 0)
_WIDE_CHROMA = _stretch(16, 240, 128)
