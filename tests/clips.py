"""Clips that tests draw: pictures in, a video file out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def encoded(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    rate: int,
    encoder: str = "libx264",
    pixels: str = "yuv420p",
    drawn: str = "rgb24",
    **options: str,
) -> Path:
    """A file of these pictures, so many a second, as large as the first. They are `drawn` in one
    format of pixels and stored in another; `options` are the encoder's.
    """
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(encoder, rate=rate)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format=drawn)
            if number == 0:
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pixels
                stream.options = options
            file.mux(stream.encode(frame.reformat(format=pixels) if drawn == "gray" else frame))
        file.mux(stream.encode())
    return path
