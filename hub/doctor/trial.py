"""What a perception worker does at its start, tried in a process of its own.

`python -m hub.doctor.trial` reads a question as JSON from standard input and answers on standard
output: compiling holds the interpreter for tens of seconds, and a detector may be anybody's code.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

TIMED = 3
GREY = 114


def kernels() -> dict[str, Any]:
    """Load or compile the motion kernels and judge one picture with them."""
    import numpy as np

    from hub.perception.motion import MotionGate, kernels
    from hub.perception.motion_cache import place

    folder = place()
    kept = folder is not None and any(folder.rglob("*.nbc"))
    began = perf_counter()
    name, _ = kernels()
    gate = MotionGate(640, 360, 5.0)
    gate.update(np.zeros((360, 640), np.uint8), 0.0)
    return {
        "kernels": name,
        "folder": str(folder) if folder is not None else "",
        "kept": kept,
        "seconds": perf_counter() - began,
        "chosen": os.environ.get("NUMBA_CACHE_DIR", ""),
    }


def built(question: dict[str, Any]) -> Any:
    """The detector of a question; raises what its driver raises."""
    from hub.clock import SystemClock
    from hub.kinds import Context
    from hub.plugins import load_registry

    folder = question["plugins_dir"]
    state = Path(question["state"])
    registry = load_registry(Path(folder) if folder else None)
    driver = registry.driver("detectors", question["driver"])
    context = Context(
        name=question["id"],
        clock=SystemClock(),
        state=state,
        cache=_cache(state),
        config_folder=Path(question["config_folder"]),
    )
    return driver.factory(driver.config.model_validate(question["settings"]), context)


def _cache(state: Path) -> Path:
    """Where to keep what was found: with the hub's, or for now where the hub has no folder yet."""
    if state.is_dir():
        return state / "cache"
    folder = Path(tempfile.mkdtemp(prefix="vestibule-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def detector(question: dict[str, Any]) -> dict[str, Any]:
    """Build a detector as a worker does, probe it where it can be, and time a look at each size."""
    from hub.errors import VestibuleError

    try:
        instance = built(question)
        said = asyncio.run(_probe(instance))
        info = instance.info
        times = {side: _time(instance, side) for side in info.input_sizes or (0,)}
        instance.close()
    except VestibuleError as error:
        return {"error": str(error).splitlines()[0]}
    except Exception as error:  # anybody's code may raise anything
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "name": info.name, "guessing": info.guessing, "biometric": info.biometric,
        "sha256": info.sha256, "probed": said, "family": info.family, "input": info.input,
        "milliseconds": {str(side): spent for side, spent in times.items()},
    }  # fmt: skip


async def _probe(instance: Any) -> dict[str, Any] | None:
    from dataclasses import asdict

    from hub.doctor.drivers import probed

    said = await probed(instance)
    return None if said is None else asdict(said)


def _time(instance: Any, side: int) -> float:
    """Milliseconds that one look at a picture takes, the first one aside."""
    import numpy as np

    from hub.kinds.detectors import Crop

    side = side or 416
    crop = Crop(
        image=np.full(instance.info.shape(side, side), GREY, np.uint8),
        box=(0, 0, side, side),
        frame_size=(side, side),
        regions=np.array([[0, 0, side // 4, side // 2]], np.int32),
        side=side,
    )
    instance.infer([crop])
    began = perf_counter()
    for _ in range(TIMED):
        instance.infer([crop])
    return (perf_counter() - began) / TIMED * 1000


def main() -> None:
    """Answer the one question. Whatever else is printed goes to standard error."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    question: dict[str, Any] = json.load(sys.stdin)
    try:
        said = kernels() if question["try"] == "kernels" else detector(question)
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    json.dump(said, answer)
    answer.flush()


if __name__ == "__main__":
    main()
