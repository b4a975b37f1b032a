"""What the motion gate costs, beside rivals that pip can install, in one interleaved run.

    python benchmarks/prefilter.py [--json] [--clip FILE] [--rounds N] [--sizes 640x360,...]

Rivals: `mog2` is OpenCV's MOG2 with default parameters at that size; `grid` is plain OpenCV
(area average to 160x90, difference, running average, count); `floor` is one cold pass over
the luma plane, the least that anything reading every pixel can cost. One thread, the thread's
own CPU time, microseconds a frame. Planes are decoded ones from a ring larger than the core's
L2 cache; each rival walks it from its own place, in short bursts, taking turns.

Needs OpenCV: pip install opencv-python-headless (dependency group "bench").
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub.perception.motion import MotionGate

Luma = NDArray[np.uint8]
SIZES = ("640x360", "1280x720", "1920x1080")
RING_BYTES = 48 << 20
MOVERS = 16
BURST = 8
FPS = 15


def drawn(width: int, height: int, count: int, seed: int = 7) -> Iterator[Luma]:
    """A yard of rough ground with people-sized movers crossing it, with sensor noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(50, 190, (12, 20)).astype(np.float32)
    ground = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    ground += rng.normal(0, 9, ground.shape).astype(np.float32)
    grain = rng.normal(0, 3, (height + 64, width)).astype(np.float32)
    lanes = rng.uniform(0.1, 0.85, MOVERS)
    starts = rng.uniform(0, 1, MOVERS)
    speeds = rng.uniform(-0.012, 0.012, MOVERS)
    greys = rng.integers(15, 235, MOVERS)
    for i in range(count):
        frame = ground + grain[(shift := int(rng.integers(64))) : shift + height]
        for lane, start, speed, grey in zip(lanes, starts, speeds, greys, strict=True):
            x, y = int((start + speed * i) % 1 * width), int(lane * height)
            frame[y : y + height // 8, x : x + height // 20] = grey
        yield np.clip(frame, 16, 235).astype(np.uint8)


def encoded(width: int, height: int, count: int) -> io.BytesIO:
    """The drawn yard as a camera would send it: H.264, no B frames, a key frame every 2 s."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast", "bf": "0", "g": str(2 * FPS), "crf": "26"}
        for luma in drawn(width, height, count):
            grey = np.full((height * 3 // 2, width), 128, np.uint8)
            grey[:height] = luma
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey, format="yuv420p")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    file.seek(0)
    return file


def ring(source: io.BytesIO | Path, width: int, height: int) -> list[tuple[Any, Luma]]:
    """Decoded frames (kept, so that their memory stays) and their luma planes, strided."""
    frames: list[tuple[Any, Luma]] = []
    with av.open(source if isinstance(source, io.BytesIO) else str(source)) as container:
        for frame in container.decode(video=0):
            if (frame.width, frame.height) != (width, height):
                frame = frame.reformat(width, height, "yuv420p")
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            frames.append((frame, rows[:height, :width]))
            if len(frames) * width * height > RING_BYTES:
                break
    if len(frames) < 2 * BURST:
        raise SystemExit(f"{source}: only {len(frames)} frames; a longer clip is needed")
    return frames


@njit(nogil=True)
def one_pass(words: Any) -> Any:
    """Read every word of the plane once."""
    total = np.uint64(0)
    for i in range(words.shape[0]):
        total += words[i]
    return total


def words_of(luma: Luma) -> NDArray[np.uint64]:
    """The plane's whole memory, padding included, as words in one line."""
    rows = luma if luma.base is None else luma.base
    return np.asarray(rows).reshape(-1).view(np.uint64)


def gate(width: int, height: int) -> Callable[[Luma], object]:
    """Our gate, with default parameters."""
    return MotionGate(width, height, FPS).update


def mog2() -> Callable[[Luma], object]:
    """OpenCV's mixture of Gaussians, with default parameters, at full size."""
    return cv2.createBackgroundSubtractorMOG2().apply


def grid() -> Callable[[Luma], object]:
    """Area average to 160x90, difference from a running average, count of changed cells."""
    average = np.zeros((90, 160), np.float32)

    def look(luma: Luma) -> object:
        small = cv2.resize(luma, (160, 90), interpolation=cv2.INTER_AREA)
        apart = cv2.absdiff(small, cv2.convertScaleAbs(average))
        cv2.accumulateWeighted(small, average, 0.05)
        return cv2.countNonZero(cv2.threshold(apart, 25, 255, cv2.THRESH_BINARY)[1])

    return look


def walk(count: int, start: int) -> Iterator[int]:
    """There and back again without a jump, from `start`, for ever."""
    order = [*range(count), *range(count - 2, 0, -1)]
    while True:
        for i in range(len(order)):
            yield order[(start + i) % len(order)]


def timed(size: str, source: Path | None, rounds: int) -> dict[str, NDArray[np.float64]]:
    """Microseconds of every measured frame, by rival."""
    width, height = (int(side) for side in size.split("x"))
    wanted = RING_BYTES // (width * height) + 1
    frames = ring(source or encoded(width, height, wanted), width, height)
    planes = [luma for _, luma in frames]
    lookers = {"gate": gate(width, height), "mog2": mog2(), "grid": grid(), "floor": one_pass}
    walks = {n: walk(len(planes), k * len(planes) // 4) for k, n in enumerate(lookers)}
    flat = [words_of(luma) for luma in planes]
    spent: dict[str, list[float]] = {name: [] for name in lookers}
    for turn in range(rounds + 3):
        for name, look in lookers.items():
            for _ in range(BURST if name != "mog2" else BURST // 2):
                i = next(walks[name])
                luma: Any = flat[i] if name == "floor" else planes[i]
                begin = time.thread_time_ns()
                look(luma)
                if turn >= 3:  # the first turns compile and warm up
                    spent[name].append((time.thread_time_ns() - begin) / 1000)
    return {name: np.array(values) for name, values in spent.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one object on stdout (p50)")
    parser.add_argument("--clip", type=Path, help="a real clip instead of the drawn yard")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--sizes", default=",".join(SIZES))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    found = {s: timed(s, options.clip, options.rounds) for s in options.sizes.split(",")}
    if options.json:
        print(json.dumps({s: _medians(times) for s, times in found.items()}))
        return
    for size, times in found.items():
        _print_table(size, times)


def _medians(times: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    return {f"{name}_us": round(float(np.median(values)), 1) for name, values in times.items()}


def _print_table(size: str, times: dict[str, NDArray[np.float64]]) -> None:
    own = float(np.median(times["gate"]))
    print(f"\n{size:<12}{'p50 us':>10}{'p95 us':>10}{'p99 us':>10}{'p50 / gate':>12}")
    for name, values in times.items():
        p50, p95, p99 = np.percentile(values, (50, 95, 99))
        print(f"  {name:<10}{p50:>10.1f}{p95:>10.1f}{p99:>10.1f}{p50 / own:>12.2f}")


if __name__ == "__main__":
    main()
