"""ONNX Runtime: a model opened, described, and run with a limit on its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from plugins.detectors._head import Graph, Output, Outputs, Port, Size
from plugins.detectors._picture import Entrance

SIZES = (192, 256, 320, 416)
DETR_SIZE = 640
LARGEST = 2048
SMALLEST = 32
MOST_SIDES = 8
KINDS = {"float": np.float32, "float16": np.float16, "uint8": np.uint8}
LOOK_WITHIN_S = 8.0


class Session:
    """A model in ONNX Runtime. Raises `ValueError` where the bytes are none that can be run."""

    def __init__(self, data: bytes, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that wait by spinning take three times the processor time of the look itself.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        self._runtime = onnxruntime
        try:
            self._session: Any = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises kinds of its own for every sort of damage
            raise ValueError(f"not an ONNX model that can be run ({first_line(error)})") from None
        self.inputs = tuple(_port(each) for each in self._session.get_inputs())
        self.outputs = tuple(_port(each) for each in self._session.get_outputs())
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._names = [port.name for port in self.outputs]

    def run(self, given: Mapping[str, Output], watch: Watch | None = None) -> Outputs:
        """Its outputs. Raises `ValueError` where it fails, `TimeoutError` where `watch` ends it."""
        options = self._runtime.RunOptions()
        options.log_severity_level = 4
        if watch is not None:
            watch.begin(options)
        try:
            found: Outputs = self._session.run(self._names, dict(given), options)
        except Exception as error:  # likewise
            if watch is not None and watch.end():
                raise TimeoutError from None
            raise ValueError(f"it fails ({first_line(error)})") from None
        if watch is not None:
            watch.end()
        if any(not isinstance(each, np.ndarray) for each in found):
            raise ValueError("an output is no tensor")
        return found


def own_time() -> Callable[[], float]:
    """Tells, from any thread and while this one lives, the seconds of processor time it has had."""
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)


class Watch:
    """Ends a run that takes too long, from a thread of its own; `close` ends that.

    What counts is the processor time of the thread that runs: a machine that sleeps, or has more
    to do than it can, says nothing of a model.
    """

    def __init__(self, within_s: float = LOOK_WITHIN_S) -> None:
        self.within_s = within_s
        self._turn = threading.Lock()
        self._run: Any = None
        self._spent: Callable[[], float] = time.monotonic
        self._until = 0.0
        self._late = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch a model", daemon=True)
        self._thread.start()

    def begin(self, options: Any) -> None:
        """A run begins in this thread, with these RunOptions."""
        spent = own_time()
        with self._turn:
            self._run, self._late = options, False
            self._spent, self._until = spent, spent() + self.within_s

    def end(self) -> bool:
        """A run is over; returns whether it was ended for being late."""
        with self._turn:
            self._run = None
            return self._late

    def look(self) -> None:
        """End the run at hand if it has taken too long."""
        with self._turn:
            if self._run is not None and self._spent() > self._until:
                self._run.terminate = self._late = True

    def close(self) -> None:
        """Watch no more."""
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Watch no more, soon."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self.within_s / 8):
            self.look()


def entrance(inputs: tuple[Port, ...]) -> tuple[Entrance, Size | None]:
    """The input that takes a picture, and its size where that is fixed.

    Raises `ValueError` where there is none that can be filled.
    """
    pictures = [port for port in inputs if len(port.shape) == 4]
    told = ", ".join(map(str, inputs)) or "none"
    wanted = (
        "expected one input [1, 3, h, w] or [1, h, w, 3] of float, float16 or uint8, or with 1 in "
        "place of 3 for luma"
    )
    if len(pictures) != 1:
        raise ValueError(f"it has {len(pictures)} inputs for a picture (inputs {told}); {wanted}")
    port = pictures[0]
    batch, *rest = port.shape
    if batch not in (1, None):
        raise ValueError(f"it takes {batch} pictures at once (inputs {told}); {wanted}")
    channels = next((count for count in (3, 1) if count in (rest[0], rest[2])), 0)
    if port.kind not in KINDS or not channels:
        raise ValueError(f"its input is no picture (inputs {told}); {wanted}")
    last = rest[2] == channels and rest[0] != channels
    height, width = rest[:2] if last else rest[1:]
    way = Entrance(port.name, np.dtype(KINDS[port.kind]), last, channels)
    if any(side is not None and not SMALLEST <= side <= LARGEST for side in (height, width)):
        sides = f"expected sides of {SMALLEST} to {LARGEST} pixels"
        raise ValueError(f"its input is {height}x{width} pixels (inputs {told}); {sides}")
    return way, (height, width) if height is not None and width is not None else None


def first_size(session: Session, fixed: Size | None, channels_last: bool) -> Size:
    """The input size to look at a model with: its own, else what its metadata says, else a usual
    one. Raises `ValueError` for metadata that cannot be meant.
    """
    if fixed is not None:
        return fixed
    if sides := sides_told(session.metadata):
        return sides[-1], sides[-1]
    said = [int(part) for part in session.metadata.get("imgsz", "").strip("[]()").split(",")
            if part.strip().isdigit()]  # fmt: skip
    if len(said) == 2 and all(SMALLEST <= side <= LARGEST and side % 32 == 0 for side in said):
        return said[0], said[1]
    names = {port.name for port in session.inputs}
    side = DETR_SIZE if names & {"orig_target_sizes", "pixel_values"} else SIZES[-1]
    return (SIZES[-2], SIZES[-2]) if channels_last else (side, side)


def sides_told(metadata: Mapping[str, str]) -> tuple[int, ...]:
    """The input sides that a model's metadata wants it run at (`sizes`, such as "192,256"),
    ascending; none where it says none. Raises `ValueError` where they cannot be used.
    """
    parts = metadata.get("sizes", "").strip().strip("[]()").split(",")
    if not all(part.strip().isdecimal() for part in parts):
        return ()
    sides = sorted({int(part) for part in parts[: MOST_SIDES + 1]})
    if len(sides) > MOST_SIDES or any(
        side % 32 or not SMALLEST <= side <= LARGEST for side in sides
    ):
        raise ValueError(
            f"its metadata says sizes {metadata['sizes'][:60]!r}; expected at most {MOST_SIDES} "
            f"sides in pixels, each a multiple of 32 from {SMALLEST} to {LARGEST}, such as 192,256"
        )
    return tuple(sides)


def found_graph(session: Session, outputs: Outputs, size: Size) -> Graph:
    """The graph with the shapes that a run gave."""
    ports = [
        Port(port.name, port.kind, tuple(map(int, output.shape)))
        for port, output in zip(session.outputs, outputs, strict=True)
    ]
    return Graph(session.inputs, tuple(ports), size, session.metadata)


def first_line(error: BaseException) -> str:
    """An exception's first line, without what a terminal could make of it."""
    lines = str(error).splitlines() or [type(error).__name__]
    return "".join(letter for letter in lines[0][:200] if letter.isprintable())


def _port(each: Any) -> Port:
    kind = str(each.type).removeprefix("tensor(").removesuffix(")")
    lengths = each.shape if isinstance(each.shape, list) else []
    shape = tuple(length if isinstance(length, int) else None for length in lengths)
    return Port(each.name, kind, shape)
