"""Parts of a picture that nobody may see, painted black before anything else looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Polygon = Sequence[tuple[float, float]]

_CHROMA_STEP = {
    "yuv420p": (2, 2),
    "yuvj420p": (2, 2),
    "yuv422p": (1, 2),
    "yuvj422p": (1, 2),
    "yuv444p": (1, 1),
    "yuvj444p": (1, 1),
}


class PaintedMask:
    """Masks for pictures of one size; polygons are in fractions of the picture's width and height.

    A chroma sample that touches a masked pixel is masked too, so no colour shows at the edge.
    """

    def __init__(self, polygons: Sequence[Polygon], size: tuple[int, int]) -> None:
        from PIL import Image, ImageDraw

        width, height = size
        image = Image.new("L", size)
        draw = ImageDraw.Draw(image)
        for polygon in polygons:
            draw.polygon([(x * width, y * height) for x, y in polygon], fill=1)
        self._hidden: NDArray[np.bool_] = np.asarray(image).astype(bool)
        self._smaller: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def paint(self, picture: Any) -> Any:
        """A picture with the masked parts black: this one, or a copy where its pixels are shared.

        `picture` is an `av.VideoFrame`. The decoder predicts later pictures from its own buffers,
        so those are never painted: `make_writable` copies them first.
        """
        if picture.format.name not in _CHROMA_STEP:
            converted = picture.reformat(format="yuv420p")
            converted.pts, converted.time_base = picture.pts, picture.time_base
            picture = converted
        picture.make_writable()
        full = int(picture.color_range) == 2 or picture.format.name.startswith("yuvj")
        _fill(picture.planes[0], self._hidden, 0 if full else 16)
        smaller = self._chroma(_CHROMA_STEP[picture.format.name])
        for plane in picture.planes[1:3]:
            _fill(plane, smaller, 128)
        return picture

    def _chroma(self, step: tuple[int, int]) -> NDArray[np.bool_]:
        if step not in self._smaller:
            rows, columns = step
            height, width = self._hidden.shape
            padded = np.pad(self._hidden, ((0, -height % rows), (0, -width % columns)), mode="edge")
            blocks = padded.reshape(padded.shape[0] // rows, rows, -1, columns)
            self._smaller[step] = np.any(blocks, axis=(1, 3))
        return self._smaller[step]


def _fill(plane: Any, hidden: NDArray[np.bool_], value: int) -> None:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    np.copyto(rows[: plane.height, : plane.width], np.uint8(value), where=hidden)
