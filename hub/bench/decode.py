"""What decoding costs, alone and with the gate behind it, in one interleaved run.

It draws a yard, encodes it as a camera's sub-stream would be (H.264 main profile, 15 frames a
second, a key frame every two seconds, no B frames, sensor noise), and decodes it again: plainly,
and with the gate looking at every picture. Times are the thread's own CPU time in microseconds a
frame; the `ffmpeg` command, where there is one, counts with all its threads.
"""

from __future__ import annotations

import importlib
import io
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.bench.keys import motion_jpeg
from hub.bench.keys import spent as spent_on_keys
from hub.clock import SystemClock
from hub.kinds.cameras import VideoSource
from hub.perception.by_command import ByCommand
from hub.perception.decode import frame_from_av
from hub.perception.feed import Packet, Session, opened
from hub.perception.frames import Frame
from hub.perception.motion import MotionGate

SIZES = ("640x360", "1280x720", "1920x1080")
FPS, GOP_SECONDS, SECONDS = 15, 2, 4
BITS_PER_PIXEL = 0.17  # 0.6 Mb/s at 640x360
CROP = 320  # pixels, a usual input of a detector
MOVERS = 8
SHORT, LONG = 1, 4  # how often the command plays the clip; the difference leaves its start out

BY_FFMPEG = ("ffmpeg_pipe_us", "by_command_us")

Figures = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class _Coded:
    """The clip as a file, as packets, and how many frames it has."""

    file: bytes
    packets: list[Any]
    extradata: bytes
    size: tuple[int, int]


def measure(size: str, rounds: int = 12) -> Figures:
    """`decode_us`, `decode_gate_us`, `ratio`, `colour_us` (one crop of 320x320), `mjpeg_us` and
    `mjpeg_due_us` (see `hub.bench.keys`), `ffmpeg_pipe_us` and `by_command_us` (None without an
    `ffmpeg` command) of pictures of `size` ("WIDTHxHEIGHT").
    """
    width, height = (int(side) for side in size.split("x"))
    coded = _encode(width, height)
    gate = MotionGate(width, height, FPS)
    seconds = iter(range(1 << 60))

    def look(frame: Frame) -> None:
        gate.update(frame.luma, next(seconds) / FPS)

    takers: dict[str, Callable[[Frame], object]] = {
        "decode": lambda frame: frame.luma,
        "decode_gate": look,
    }
    decoders = {name: _decoder(coded) for name in takers}
    spent: dict[str, list[float]] = {name: [] for name in [*takers, "colour"]}
    for turn in range(rounds + 1):
        for name in sorted(takers, reverse=bool(turn % 2)):
            took = _decode(decoders[name], coded.packets, takers[name])
            if turn:  # the first turn compiles and warms up
                spent[name].append(took)
        took = _colour(coded)
        if turn:
            spent["colour"].append(took)
    alone, gated = (float(np.median(spent[name])) for name in ("decode", "decode_gate"))
    whole = motion_jpeg(_drawn(width, height, FPS), width, height)
    mjpeg, mjpeg_due = spent_on_keys(whole, rounds)
    ratios = np.divide(spent["decode_gate"], spent["decode"])
    return {
        "decode_us": round(alone, 1),
        "decode_gate_us": round(gated, 1),
        "ratio": round(float(np.median(ratios)), 3),
        "colour_us": round(float(np.median(spent["colour"])), 1),
        "mjpeg_us": round(mjpeg, 1),
        "mjpeg_due_us": round(mjpeg_due, 1),
        "ffmpeg_pipe_us": _ffmpeg_pipe(coded),
        "by_command_us": _by_command(coded),
    }


def table(found: dict[str, Figures]) -> Iterator[str]:
    """The lines that show the figures to a person."""
    heads: tuple[str, ...] = (
        "decode_us",
        "decode_gate_us",
        "ratio",
        "colour_us",
        "mjpeg_us",
        "mjpeg_due_us",
    )
    heads += BY_FFMPEG
    yield f"{'size':<12}" + "".join(f"{head:>16}" for head in heads)
    for size, figures in found.items():
        cells = ("-" if figures[head] is None else f"{figures[head]}" for head in heads)
        yield f"{size:<12}" + "".join(f"{cell:>16}" for cell in cells)


def decode_table(sizes: Sequence[str] = SIZES, rounds: int = 12) -> dict[str, Figures]:
    """The figures of each size."""
    return {size: measure(size, rounds) for size in sizes}


# --------------------------------------------------------------------- the parts


def _decode(decoder: Any, packets: Sequence[Any], take: Callable[[Frame], object]) -> float:
    """Microseconds a frame for all packets once."""
    count = 0
    begin = time.thread_time_ns()
    for packet in packets:
        for picture in decoder.decode(packet):
            take(frame_from_av(picture, 0.0, count))
            count += 1
    return (time.thread_time_ns() - begin) / 1000 / max(1, count)


def _colour(coded: _Coded) -> float:
    """Microseconds a crop, on pictures that were just decoded."""
    width, height = coded.size
    x, y = max(0, width - CROP) // 2, max(0, height - CROP) // 2
    spent, count = 0, 0
    decoder = _decoder(coded)
    for packet in coded.packets[:FPS]:
        for picture in decoder.decode(packet):
            frame = frame_from_av(picture, 0.0, count)
            begin = time.thread_time_ns()
            frame.crop((x, y, x + CROP, y + CROP))
            spent += time.thread_time_ns() - begin
            count += 1
    return spent / 1000 / max(1, count)


def _decoder(coded: _Coded) -> Any:
    import av

    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = coded.extradata
    decoder.thread_type, decoder.thread_count = "SLICE", 1
    return decoder


def _encode(width: int, height: int) -> _Coded:
    import av

    rate = int(BITS_PER_PIXEL * width * height * FPS)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = rate
        stream.options = {
            **{"profile": "main", "preset": "veryfast", "bf": "0", "sc_threshold": "0"},
            **{"g": str(GOP_SECONDS * FPS), "maxrate": str(2 * rate), "bufsize": str(2 * rate)},
        }
        for picture in _drawn(width, height, SECONDS * FPS):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())
    file.seek(0)
    reading: Any = av.open(file)
    with reading as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        extradata = bytes(container.streams.video[0].codec_context.extradata or b"")
    return _Coded(file.getvalue(), packets, extradata, (width, height))


def _drawn(width: int, height: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """Rough ground with sensor noise, and upright movers that cross it; planes of 4:2:0."""
    from PIL import Image

    rng = np.random.default_rng(7)
    coarse = Image.fromarray(rng.integers(50, 190, (12, 20)).astype(np.uint8))
    ground = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    ground = ground + rng.normal(0, 9, ground.shape).astype(np.float32)
    grain = rng.normal(0, 2, (height + 64, width)).astype(np.float32)
    tint = Image.fromarray(rng.integers(100, 156, (6, 10)).astype(np.uint8))
    chroma = np.asarray(tint.resize((width, height // 2), Image.Resampling.BICUBIC))
    lanes, starts = rng.uniform(0.1, 0.8, MOVERS), rng.uniform(0, 1, MOVERS)
    paces, greys = rng.uniform(-0.008, 0.008, MOVERS), rng.integers(20, 235, MOVERS)
    for number in range(count):
        shift = int(rng.integers(64))
        picture = ground + grain[shift : shift + height]
        for lane, start, pace, grey in zip(lanes, starts, paces, greys, strict=True):
            x, y = int((start + pace * number) % 1 * width), int(lane * height)
            picture[y : y + height // 6, x : x + height // 16] = grey
        planes = np.empty((height * 3 // 2, width), np.uint8)
        planes[:height], planes[height:] = np.clip(picture, 16, 235), chroma[: height // 2]
        yield planes


def _command() -> str | None:
    """An `ffmpeg` on the path, or the one that the package imageio-ffmpeg carries."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def _ffmpeg_pipe(coded: _Coded) -> float | None:
    """Microseconds a frame when a child decodes and its pictures come through a pipe; the CPU time
    of the child and of reading.
    """
    command = _command()
    if command is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        clip.write_bytes(coded.file)
        runs = []
        for _ in range(3):
            short, few = _piped(command, clip, SHORT, coded.size)
            long, many = _piped(command, clip, LONG, coded.size)
            runs.append((long - short) * 1e6 / max(1, many - few))
    return round(float(np.median(runs)), 1)


def _piped(command: str, clip: Path, times: int, size: tuple[int, int]) -> tuple[float, int]:
    """CPU seconds and the number of pictures."""
    length, count = size[0] * size[1] * 3 // 2, 0
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.thread_time()
    given = [command, "-v", "error", "-threads", "1", "-stream_loop", str(times - 1)]
    given += ["-i", str(clip), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    with subprocess.Popen(given, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:  # noqa: S603
        assert child.stdout is not None
        while len(child.stdout.read(length)) == length:
            count += 1
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent + time.thread_time() - begin, count


def _by_command(coded: _Coded) -> float | None:
    """Microseconds a frame when a camera is decoded with `decoder: ffmpeg` and no hardware: CPU
    time of the child and of all threads here.
    """
    if shutil.which("ffmpeg") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        clip.write_bytes(coded.file)
        runs = []
        for _ in range(3):
            short, few = _commanded(clip, SHORT)
            long, many = _commanded(clip, LONG)
            runs.append((long - short) * 1e6 / max(1, many - few))
    return round(float(np.median(runs)), 1)


def _commanded(clip: Path, times: int) -> tuple[float, int]:
    """CPU seconds and the number of pictures."""
    command = ByCommand("bench", "none", SystemClock())
    source, count = VideoSource(str(clip), "file"), 0
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
    with opened(source) as container:
        session = Session(1, container.decoder(), container.wrappers(1))
        packets = list(container.packets())
    for number in range(times * len(packets)):
        data = packets[number % len(packets)]
        packet = Packet(session, data, number / FPS, 0.0, data.size, bool(data.is_keyframe))
        count += len(command.decode(packet))
    command.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent + time.process_time() - begin, count
