"""The example's cameras, drawn once for all hubs of a run of the tests, and kept for the next run.

What is kept stands under a digest of what draws it: other code, another NumPy or another encoder
draws anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import yaml

from hub.perception import motion_cache
from plugins.cameras.simulated import SimulatedConfig

ROOT = Path(__file__).resolve().parent.parent
DRAWN_WITHIN_S = 600.0  # some 15 s on two cores that have nothing else to do


def prepare(folder: Path) -> None:
    """Fill a cache folder with the clips and the compiled motion gate, unless they are there.

    Processes that share the folder wait for each other: two hubs that draw the same clip at the
    same time take it from each other, and both begin anew.
    """
    (folder / "cameras").mkdir(parents=True, exist_ok=True)
    with (folder / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if compiled := motion_cache.place():
            goal = folder / "vestibule" / "numba" / compiled.name
            shutil.copytree(compiled, goal, dirs_exist_ok=True)
        if (kept := place()) is None:
            draw(folder / "cameras")
            return
        with (kept / "drawn.lock").open("w") as other_runs:
            fcntl.flock(other_runs, fcntl.LOCK_EX)
            draw(kept)
            for clip, _ in clips(kept):
                for part in (clip, clip.with_suffix(".jsonl")):
                    if not (folder / "cameras" / part.name).exists():  # another process plays it
                        shutil.copy(part, folder / "cameras")


def place() -> Path | None:
    """Where drawings are kept from run to run; None where nothing can be written."""
    kept = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/")) / ".cache"
    folder = Path(kept) / "vestibule" / "drawn" / _digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _digest() -> str:
    made = hashlib.sha256(f"{np.__version__} {av.__version__}".encode())
    for file in sorted((ROOT / "plugins" / "cameras" / "school").glob("*.py")):
        made.update(file.read_bytes())
    return made.hexdigest()[:16]


def draw(folder: Path) -> None:
    """Draw what is not there yet, all at the same time."""
    drawing = [subprocess.Popen(each, cwd=ROOT, stdout=subprocess.DEVNULL)
               for each in commands(folder)]  # fmt: skip
    try:
        statuses = [process.wait(DRAWN_WITHIN_S) for process in drawing]
    finally:
        for process in drawing:
            process.kill()
            process.wait()
    assert not any(statuses), f"a camera of the example could not be drawn: {statuses}"


def commands(cache: Path) -> Iterator[list[str]]:
    """What draws each simulated camera of the example that is not drawn yet."""
    for clip, config in clips(cache):
        if not (clip.exists() and clip.with_suffix(".jsonl").exists()):
            width, height = config.size
            yield [
                sys.executable, "-m", "plugins.cameras.school.encode", config.scene, str(clip),
                "--seed", str(config.seed), "--size", f"{width}x{height}",
                "--fps", str(config.stream_fps), "--seconds", str(int(config.length)),
            ]  # fmt: skip


def clips(cache: Path) -> Iterator[tuple[Path, SimulatedConfig]]:
    """The clip of each simulated camera of the example, and how it is drawn."""
    blocks = yaml.safe_load((ROOT / "config.example.yaml").read_text(encoding="utf-8"))["cameras"]
    for block in blocks.values():
        if block["driver"] == "simulated":
            own = {key: block[key] for key in SimulatedConfig.model_fields if key in block}
            config = SimulatedConfig.model_validate(own)
            yield cache / f"{config.stem()}.mp4", config
