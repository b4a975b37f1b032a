"""Clips with what was seen drawn into them: regions of the gate, detections, tracks with ids."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hub.errors import VestibuleError
from hub.kinds.detectors import Detection
from hub.perception.frames import Frame
from hub.perception.pipeline import Look
from hub.perception.tracking import TrackState

_REGION = (120, 120, 120)
_DETECTION = (250, 210, 60)
_CROP = (90, 160, 255)
_CONFIRMED = (60, 220, 110)
_COASTING = (240, 140, 50)


@dataclass(frozen=True, slots=True)
class Seen:
    """One analysed frame and what was made of it; `detections` is None without inference."""

    frame: Frame
    look: Look
    detections: list[Detection] | None
    tracks: list[TrackState]


class Annotator:
    """Writes H.264 to a file; frames of another size are scaled to the first clip's."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        """Raises `VestibuleError` where the file cannot be written."""
        import av

        self._size = (size[0] - size[0] % 2, size[1] - size[1] % 2)
        try:
            path.open("ab").close()  # FFmpeg would only find out with the first picture
            self._file = av.open(str(path), "w")
            rate = Fraction(fps).limit_denominator(1000)
            self._stream: Any = self._file.add_stream("libx264", rate=rate)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise VestibuleError(f"{path}: cannot be written as a video ({reason})") from None
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"preset": "veryfast", "crf": "23"}

    def add(self, seen: Seen) -> None:
        """Draw one analysed frame and append it."""
        import av

        width, height = seen.frame.size
        image = drawn(seen)
        if (width, height) != self._size:
            from PIL import Image

            image = np.asarray(Image.fromarray(image).resize(self._size))
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        for packet in self._stream.encode(picture):
            self._file.mux(packet)

    def __enter__(self) -> Annotator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            for packet in self._stream.encode():
                self._file.mux(packet)
        self._file.close()


def drawn(seen: Seen) -> Any:
    """The frame as RGB uint8 (height, width, 3) with everything drawn in."""
    from PIL import Image, ImageDraw

    pixels = seen.frame.crop((0, 0, *seen.frame.size))[:, :, ::-1]
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(picture)
    gate = seen.look.gate
    for region in gate.regions.tolist():
        draw.rectangle(_ordered(region), outline=_REGION)
    for crop in seen.look.crops:
        draw.rectangle(_ordered(crop), outline=_CROP)
    for found in seen.detections or ():
        draw.rectangle(_ordered(found.box), outline=_DETECTION)
    for track in seen.tracks:
        colour = _CONFIRMED if track.state == "confirmed" else _COASTING
        draw.rectangle(_ordered(track.box), outline=colour, width=2)
        words = f"{track.id} {track.label} {track.score:.2f}"
        place = (track.box[0] + 2, max(0.0, track.box[1] - 12))
        draw.rectangle(draw.textbbox(place, words), fill=(0, 0, 0))
        draw.text(place, words, fill=colour)
    draw.text(
        (4, seen.frame.size[1] - 14),
        f"{seen.frame.time:8.2f} s  {gate.reason}  {len(seen.look.crops)} inferred",
        fill=(255, 255, 255),
        stroke_width=1,
        stroke_fill=(0, 0, 0),
    )
    return np.asarray(picture)


def _ordered(box: Any) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)
