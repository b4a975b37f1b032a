"""What looking at one frame costs, beside rivals that pip can install, in one interleaved run.

`gate` is the motion gate with default parameters; `mog2` is OpenCV's MOG2 with default parameters
at that size; `grid` is plain OpenCV (area average to 160x90, difference, running average, count);
`small` is a running average of the picture at 100 lines, with boxes (`rivals.small_average`);
`floor` is one cold pass over the luma plane, the least that anything reading every pixel can cost.
One thread, the thread's own CPU time, microseconds a frame. Planes are decoded ones from a ring
larger than the core's L2 cache; each rival walks it from its own place, in short bursts, in turns.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.bench.rivals import opencv, small_average
from hub.errors import CannotCheck
from hub.perception.motion import MotionGate

Luma = NDArray[np.uint8]
Look = Callable[[Luma], object]
SIZES = ("640x360", "1280x720", "1920x1080")
GOALS = {  # most times one cold pass, and at 360p the least times cheaper than each rival
    "640x360": {"floor": 4.5, "mog2": 60.0, "grid": 3.0},
    "1280x720": {"floor": 3.0},
    "1920x1080": {"floor": 3.0},
}
RING_BYTES = 48 << 20
MOVERS, BURST, FPS = 16, 8, 15
WARM_UP = 3  # turns that compile and warm up


def drawn(width: int, height: int, count: int, seed: int = 7) -> Iterator[Luma]:
    """A yard of rough ground with people-sized movers crossing it, with sensor noise."""
    from hub.bench.grounds import blotches

    rng = np.random.default_rng(seed)
    ground = 120 + 70 * blotches(rng, width, height, max(1, width // 20))
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
            frame[y : y + height // 8, x : x + width // 20] = grey
        yield np.clip(frame, 16, 235).astype(np.uint8)


def encoded(width: int, height: int, count: int) -> io.BytesIO:
    """The drawn yard as a camera would send it: H.264, no B frames, a key frame every 2 s."""
    import av

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
    import av

    frames: list[tuple[Any, Luma]] = []
    opened: Any = av.open(source if isinstance(source, io.BytesIO) else str(source))
    with opened as container:
        for picture in container.decode(video=0):
            frame: Any = picture
            if (frame.width, frame.height) != (width, height) or frame.format.name != "yuv420p":
                frame = frame.reformat(width, height, "yuv420p")
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            frames.append((frame, rows[:height, :width]))
            if len(frames) * width * height > RING_BYTES:
                break
    if len(frames) < 2 * BURST:
        raise CannotCheck(f"{source}: only {len(frames)} frames; a longer clip is needed")
    return frames


def words_of(luma: Luma) -> NDArray[np.uint64]:
    """The plane's whole memory, padding included, as words in one line."""
    rows = luma if luma.base is None else luma.base
    return np.asarray(rows).reshape(-1).view(np.uint64)


def _one_pass() -> Callable[[NDArray[np.uint64]], object]:
    """Read every word of the plane once; in NumPy where Numba cannot load."""
    try:
        from numba import njit
    except Exception:  # Numba fails in many ways: no wheel, no cache, no CPU feature
        return lambda words: words.sum()

    @njit(nogil=True)
    def one_pass(words: Any) -> Any:
        total = np.uint64(0)
        for i in range(words.shape[0]):
            total += words[i]
        return total

    return one_pass


def _grid(cv2: Any) -> Look:
    """Area average to 160x90, difference from a running average, count of changed cells."""
    average = np.zeros((90, 160), np.float32)

    def look(luma: Luma) -> object:
        small = cv2.resize(luma, (160, 90), interpolation=cv2.INTER_AREA)
        apart = cv2.absdiff(small, cv2.convertScaleAbs(average))
        cv2.accumulateWeighted(small, average, 0.05)
        return cv2.countNonZero(cv2.threshold(apart, 25, 255, cv2.THRESH_BINARY)[1])

    return look


def _walk(count: int, start: int) -> Iterator[int]:
    """There and back again without a jump, from `start`, for ever."""
    order = [*range(count), *range(count - 2, 0, -1)]
    while True:
        for i in range(len(order)):
            yield order[(start + i) % len(order)]


def timed(
    size: str, source: Path | None, rounds: int, step: Callable[[], None] = lambda: None
) -> dict[str, NDArray[np.float64]]:
    """Microseconds of every measured frame, by rival; `step` is called once a round.

    Without OpenCV its three rivals are left out. Raises CannotCheck for a clip that is too short.
    """
    width, height = (int(side) for side in size.split("x"))
    wanted = RING_BYTES // (width * height) + 1
    frames = ring(source or encoded(width, height, wanted), width, height)
    planes = [luma for _, luma in frames]
    lookers: dict[str, Callable[[Any], object]] = {"gate": MotionGate(width, height, FPS).update}
    cv2 = opencv()
    if cv2 is not None:
        lookers |= {"mog2": cv2.createBackgroundSubtractorMOG2().apply, "grid": _grid(cv2)}
        small = small_average(cv2, width, height)
        lookers["small"] = lambda luma: small(luma, 0.0)
    lookers["floor"] = _one_pass()
    walks = {n: _walk(len(planes), k * len(planes) // len(lookers)) for k, n in enumerate(lookers)}
    flat = [words_of(luma) for luma in planes]
    spent: dict[str, list[float]] = {name: [] for name in lookers}
    for turn in range(rounds + WARM_UP):
        for name, look in lookers.items():
            for _ in range(BURST if name != "mog2" else BURST // 2):
                i = next(walks[name])
                luma: Any = flat[i] if name == "floor" else planes[i]
                begin = time.thread_time_ns()
                look(luma)
                if turn >= WARM_UP:
                    spent[name].append((time.thread_time_ns() - begin) / 1000)
        step()
    return {name: np.array(values) for name, values in spent.items()}


def checked(size: str) -> str:
    """The size, when it is one. Raises CannotCheck."""
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) >= 64 and int(height) >= 64):
        raise CannotCheck(f"size {size!r}: expected WIDTHxHEIGHT such as 640x360")
    return size


def medians(times: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """`NAME_us` of every rival: the median, in microseconds a frame."""
    return {f"{name}_us": round(float(np.median(values)), 1) for name, values in times.items()}
