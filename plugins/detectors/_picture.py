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
    channels: int = 3

    def shape(self, size: Size) -> tuple[int, ...]:
        """The shape of the tensor of a picture."""
        return (1, *size, self.channels) if self.channels_last else (1, self.channels, *size)

    def fill(self, image: NDArray[np.uint8], size: Size, picture: Picture) -> tuple[Output, Placed]:
        """The tensor of a picture, uint8 (h, w, 3) BGR or, for one channel, also (h, w) luma, and
        where the picture lies in it.
        """
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
        if self.channels == 1:
            pixels: Output = (luma_of(image) if image.ndim == 3 else image)[:, :, None]
        else:
            pixels = image[:, :, ::-1] if picture.rgb else image
        tensor = self._tensor(pixels, (height, width, down, across, left, top), picture)
        return tensor, Placed(scale, left, top)

    def _tensor(
        self, pixels: Output, place: tuple[int, int, int, int, int, int], picture: Picture
    ) -> Output:
        height, width, down, across, left, top = place
        kind = np.uint8 if self.dtype == np.uint8 else np.float32
        covered = (down, across) == (height, width)
        tensor = np.empty(self.shape((height, width)), kind)
        rows_first = tensor[0] if self.channels_last else tensor[0].transpose(1, 2, 0)
        if not covered:
            tensor.fill(picture.padding)
        rows_first[top : top + down, left : left + across] = pixels
        if kind == np.float32:
            if any(picture.mean):
                tensor -= self._by_channel(picture.mean)
            if picture.spread != (1.0, 1.0, 1.0):
                tensor *= 1 / self._by_channel(picture.spread)
        return tensor.astype(self.dtype, copy=False)

    def _by_channel(self, values: tuple[float, float, float]) -> NDArray[np.float32]:
        """Three values, or their mean for one channel, as they apply to the tensor."""
        each = np.array(values, np.float32)
        if self.channels == 1:
            each = each.mean(keepdims=True)
        return each if self.channels_last else each.reshape(-1, 1, 1)


def luma_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness, uint8 (h, w), of a BGR picture (h, w, 3), by the weights of ITU-R BT.601."""
    weights = np.array([0.114, 0.587, 0.299], np.float32)
    return (image.astype(np.float32) @ weights + 0.5).astype(np.uint8)


def resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The picture at another size, bilinear."""
    from PIL import Image

    step = min(image.shape[1] // width, image.shape[0] // height) // 2
    if step >= 2:  # far larger than needed: reading every pixel would only cost time
        image = np.ascontiguousarray(image[::step, ::step])
    return np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), np.uint8
    )
