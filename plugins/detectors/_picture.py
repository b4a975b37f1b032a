"""A picture as a model wants it, and the way back from the model's pixels to the picture's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins.detectors._head import Floats, Output, Picture, Size


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a picture lies in an input: its scale (x, y) and its left and top edge, in pixels."""

    scale: tuple[float, float]
    left: int = 0
    top: int = 0

    def back(self, boxes: Floats) -> Floats:
        """Boxes (n, 4) of the input's pixels in those of the picture."""
        return (boxes - (self.left, self.top) * 2) / (self.scale * 2)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The input that takes the picture: its name, element type and order of dimensions."""

    name: str
    dtype: np.dtype[np.generic]
    channels_last: bool

    def fill(self, image: NDArray[np.uint8], size: Size, picture: Picture) -> tuple[Output, Placed]:
        """The tensor of a picture, uint8 (h, w, 3) BGR, and where the picture lies in it."""
        height, width = size
        rows, columns = image.shape[:2]
        down, across, even = height, width, 1.0
        if picture.fit != "stretch":
            even = min(width / columns, height / rows)
            across = max(1, min(width, round(columns * even)))
            down = max(1, min(height, round(rows * even)))
        if (down, across) != (rows, columns):
            image = resized(image, across, down)
        if picture.fit == "centre":
            left, top = (width - across) // 2, (height - down) // 2
        else:
            left = top = 0
        stretched = across / columns, down / rows
        scale = stretched if picture.fit == "stretch" else (even, even)
        if picture.rgb:
            image = image[:, :, ::-1]
        tensor = self._tensor(image, (height, width, down, across, left, top), picture)
        return tensor, Placed(scale, left, top)

    def _tensor(
        self, image: NDArray[np.uint8], place: tuple[int, int, int, int, int, int], picture: Picture
    ) -> Output:
        height, width, down, across, left, top = place
        kind = np.uint8 if self.dtype == np.uint8 else np.float32
        covered = (down, across) == (height, width)
        if self.channels_last:
            tensor = np.empty((1, height, width, 3), kind)
            inner, by_channel = tensor[0, top : top + down, left : left + across], (3,)
        else:
            tensor = np.empty((1, 3, height, width), kind)
            inner = tensor[0, :, top : top + down, left : left + across].transpose(1, 2, 0)
            by_channel = (3, 1, 1)  # type: ignore[assignment]
        if not covered:
            tensor.fill(picture.padding)
        inner[:] = image
        if kind == np.float32:
            if any(picture.mean):
                tensor -= np.array(picture.mean, np.float32).reshape(by_channel)
            if picture.spread != (1.0, 1.0, 1.0):
                tensor *= (1 / np.array(picture.spread, np.float32)).reshape(by_channel)
        return tensor.astype(self.dtype, copy=False)


def resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The picture at another size, bilinear."""
    from PIL import Image

    step = min(image.shape[1] // width, image.shape[0] // height) // 2
    if step >= 2:  # far larger than needed: reading every pixel would only cost time
        image = np.ascontiguousarray(image[::step, ::step])
    return np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), np.uint8
    )
