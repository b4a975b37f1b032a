"""Packets to frames, on one thread, skipping what is damaged and counting it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from hub.errors import VestibuleError
from hub.perception.frames import Frame


class NotAVideo(VestibuleError):
    """A file cannot be opened as a video."""


@dataclass(slots=True)
class DecodeCounts:
    """How many frames came out, and how many were damaged and left out."""

    decoded: int = 0
    damaged: int = 0


class Clip:
    """A video file, read once from start to end; iterate it for its frames.

    `size` is (width, height), `fps` the average rate (10 where the file does not say), `length` the
    number of frames as the file states it (0 where unknown), `counts` what came of decoding.
    Raises `NotAVideo`, naming the file, when it is missing or holds no video.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.counts = DecodeCounts()
        self._container = _open(self.path)
        stream = self._container.streams.video[0]
        stream.codec_context.thread_count = 1
        self._stream = stream
        self.size = (int(stream.codec_context.width), int(stream.codec_context.height))
        self.fps = float(stream.average_rate or stream.guessed_rate or 10)
        self.length = int(stream.frames or 0)

    def __iter__(self) -> Iterator[Frame]:
        for picture in self._pictures():
            index = self.counts.decoded
            self.counts.decoded += 1
            if picture.is_corrupt:
                self.counts.damaged += 1
                continue
            time = index / self.fps if picture.time is None else float(picture.time)
            yield frame_from_av(picture, time, index)

    def _pictures(self) -> Iterator[Any]:
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                pictures = packet.decode()
            except StopIteration:
                return
            except (av.error.FFmpegError, ValueError):  # a damaged packet fails in many ways
                self.counts.damaged += 1
                continue
            except IndexError:  # PyAV's, at a packet of a stream that only damage invented
                self.counts.damaged += 1
                packets = self._container.demux(self._stream)
                continue
            yield from pictures

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def __enter__(self) -> Clip:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def clip_frames(path: Path | str) -> Iterator[Frame]:
    """Every sound frame of a video file, in order. Raises `NotAVideo`."""
    with Clip(path) as clip:
        yield from clip


def frame_from_av(picture: Any, time: float, index: int) -> Frame:
    """A frame from an `av.VideoFrame`, for live streams; `time` in seconds."""
    return Frame(picture, time, index)


def _open(path: Path) -> Any:
    import av

    if not path.is_file():
        raise NotAVideo(f"{path}: there is no such file")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise NotAVideo(f"{path}: this is not a video that can be read ({error})") from None
    if not container.streams.video:
        container.close()
        raise NotAVideo(f"{path}: there is no video in this file")
    if container.streams.video[0].codec_context is None:
        container.close()
        raise NotAVideo(f"{path}: its video is of a kind that cannot be decoded")
    return container
