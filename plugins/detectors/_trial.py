"""A model tried in a process of its own, before this one loads it.

`python -m plugins.detectors._trial QUESTION` reads the model from standard input, looks at grey and
noisy pictures with it at every input size, and answers in JSON what it is. A model may crash the
runtime, load for minutes, loop for ever or want all memory: that takes the process, which has
limits, and not the cameras.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from plugins.detectors._families import head_of
from plugins.detectors._head import Asked, Graph, Head, Port, Size
from plugins.detectors._onnxfile import free_picture_size, weights_elsewhere
from plugins.detectors._picture import Entrance
from plugins.detectors._runtime import (
    SIZES,
    Session,
    entrance,
    first_line,
    first_size,
    found_graph,
    sides_told,
)

ROOT = Path(__file__).resolve().parent.parent.parent
WITHIN_S = 20.0  # of processor time
PATIENCE = 3  # times as long by the clock, on a machine with more to do than it can
MOST_MEMORY = 4 << 30  # bytes of address space
MOST_ANSWER = 1 << 20
EDITION = 2  # of what is found, for what is remembered
LOOKS = 2
CLOSE = 1e-3


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trial found: the size first looked at, the shapes of the outputs at that size, whether
    other sizes may be used, and the milliseconds of a look by input side.
    """

    size: Size
    shapes: tuple[tuple[int, ...], ...]
    free: bool
    milliseconds: Mapping[int, float]

    def graph(self, session: Session) -> Graph:
        """The graph as it was found. Raises `ValueError` where this is another's."""
        if len(self.shapes) != len(session.outputs):
            raise ValueError("it is not the model that was tried")
        ports = [
            Port(port.name, port.kind, shape)
            for port, shape in zip(session.outputs, self.shapes, strict=True)
        ]
        return Graph(session.inputs, tuple(ports), self.size, session.metadata)


def tried(
    data: bytes, names: int, cache: Path | None = None, digest: str = "",
    within_s: float = WITHIN_S, most_memory: int = MOST_MEMORY,
) -> Tried:  # fmt: skip
    """Try a model, `names` being how many class names are told; blocking.

    What was found is kept in the folder `cache` under the model's SHA-256. Raises `ValueError` with
    the reason where it cannot be used. `within_s` is processor time, in whole seconds.
    """
    import onnxruntime

    kept = cache / f"{digest}-{names}.json" if cache is not None and digest else None
    key = f"{EDITION} {onnxruntime.__version__}"
    if kept is not None and (known := _kept(kept, key)):
        return known
    said = _asked(data, {"names": names, "memory": most_memory, "within_s": within_s}, within_s)
    if "error" in said:
        raise ValueError(str(said["error"]))
    found = _found(said)
    if kept is not None:
        _keep(kept, {"key": key, **said})
    return found


def _asked(data: bytes, question: Mapping[str, Any], within_s: float) -> dict[str, Any]:
    paths = (str(ROOT), os.environ.get("PYTHONPATH"))
    with tempfile.TemporaryFile() as answer:
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "plugins.detectors._trial", json.dumps(question)],
                input=data, stdout=answer, stderr=subprocess.DEVNULL,
                timeout=PATIENCE * within_s,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"error": f"it was not loaded and tried within {PATIENCE * within_s:g} s"}
        except OSError as error:
            return {"error": f"it cannot be tried ({error.strerror})"}
        answer.seek(0)
        text = answer.read(MOST_ANSWER)
    if done.returncode == -signal.SIGXCPU:
        spent = f"{within_s:g} s of processor time"
        return {"error": f"it was not loaded and tried within {spent}"}
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        return {"error": f"it ends the process that loads it ({how})"}
    said: dict[str, Any] = json.loads(text)
    return said


def _found(said: Mapping[str, Any]) -> Tried:
    height, width = said["size"]
    shapes = tuple(tuple(map(int, shape)) for shape in said["shapes"])
    times = {int(side): float(spent) for side, spent in said["milliseconds"].items()}
    return Tried((int(height), int(width)), shapes, bool(said["free"]), times)


def _kept(path: Path, key: str) -> Tried | None:
    try:
        said = json.loads(path.read_text("utf-8"))
        return _found(said) if said["key"] == key else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _keep(path: Path, said: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}.new")
        new.write_text(json.dumps(said), "utf-8")
        new.replace(path)


# ------------------------------------------------------------------- in the process that tries


def look(data: bytes, names: int) -> Tried:
    """Load a model and look with it. Raises `ValueError` where it cannot be used."""
    if weights_elsewhere(data):
        raise ValueError(
            "its weights lie in other files, which the hub does not read; expected one file that "
            "holds them all (onnx.save with save_as_external_data=False)"
        )
    session = Session(data)
    way, fixed = entrance(session.inputs)
    size = first_size(session, fixed, way.channels_last)
    given = {
        port.name: np.array([size[::-1]], np.int64 if port.kind == "int64" else np.float32)
        for port in session.inputs
        if port.name == "orig_target_sizes" and port.kind in ("int64", "float")
    }
    missing = [port for port in session.inputs if port.name not in {way.name, *given}]
    if missing:
        told = ", ".join(map(str, missing))
        raise ValueError(f"it wants more than a picture ({told}); expected a picture alone")
    blank = np.zeros(way.shape(size), way.dtype)
    outputs = session.run({way.name: blank, **given})
    graph = found_graph(session, outputs, size)
    head = head_of(graph, names)
    free = head.resizable and not way.channels_last and _is_free(data, session, fixed, head)
    runner = session
    if free and fixed:
        runner = Session(free_picture_size(data, way.name, way.channels))
    sides = (sides_told(session.metadata) or SIZES) if free else (max(size),)
    times = {side: _looked(runner, head, (side, side) if free else size) for side in sides}
    shapes = tuple(port.shape for port in graph.outputs)
    return Tried(size, tuple(tuple(n or 0 for n in s) for s in shapes), free, times)


def _is_free(data: bytes, session: Session, fixed: Size | None, head: Head) -> bool:
    """Whether it takes other sizes, and gives the same at its own once that is freed."""
    way, _ = entrance(session.inputs)
    try:
        freed = session
        if fixed:
            freed = Session(free_picture_size(data, way.name, way.channels))
        small = freed.run({way.name: _noise(way, (128, 192)), **head.feed((128, 192))})
        head.read(small, (128, 192), _everything(head))
        if fixed:
            noise = {way.name: _noise(way, fixed), **head.feed(fixed)}
            both = zip(session.run(noise), freed.run(noise), strict=True)
            return all(np.allclose(a, b, CLOSE, CLOSE, equal_nan=True) for a, b in both)
    except ValueError:
        return False
    return True


def _looked(session: Session, head: Head, size: Size) -> float:
    """Milliseconds of a look; raises `ValueError` where what comes is not of the family."""
    way, _ = entrance(session.inputs)
    spent = []
    for number in range(LOOKS + 1):
        tensor, _ = way.fill(_picture(number, size, way.channels), size, head.picture)
        began = perf_counter()
        outputs = session.run({way.name: tensor, **head.feed(size)})
        spent.append(perf_counter() - began)
        head.read(outputs, size, _everything(head))
    return round(min(spent[1:]) * 1000, 2)


def _everything(head: Head) -> Asked:
    count = head.classes or 1 << 16
    return Asked(np.arange(count), 0.05, 1 << 16)


def _picture(number: int, size: Size, channels: int) -> Any:
    shape = size if channels == 1 else (*size, channels)
    if not number:
        return np.full(shape, 114, np.uint8)
    return np.random.default_rng(number).integers(0, 256, shape, np.uint8)


def _noise(way: Entrance, size: Size) -> Any:
    return np.random.default_rng(4).integers(0, 2, way.shape(size)).astype(way.dtype)


def _limit(memory: int, within_s: float) -> None:
    """Little memory, little time, no files, and the first to go when memory runs out."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    seconds = math.ceil(within_s)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_ANSWER, MOST_ANSWER))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main(arguments: Sequence[str]) -> None:
    """The process."""
    question = json.loads(arguments[0])
    data = sys.stdin.buffer.read()
    _limit(int(question["memory"]), float(question["within_s"]))
    answer = os.dup(1)
    os.dup2(2, 1)
    try:
        said = asdict(look(data, int(question["names"])))
    except ValueError as error:
        said = {"error": str(error)}
    except MemoryError:
        said = {"error": f"it wants more than {question['memory'] >> 20} MiB of memory"}
    except Exception as error:
        said = {"error": f"it cannot be tried ({type(error).__name__}: {first_line(error)})"}
    os.write(answer, json.dumps(said).encode())
    os._exit(0)  # a model's threads must not keep the process


if __name__ == "__main__":
    main(sys.argv[1:])
