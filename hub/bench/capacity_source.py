"""The cameras of a capacity run, in a process of their own: `python -m hub.bench.capacity_source`.

It draws or reads the clips of one scene, serves them over RTSP, and says on standard output, one
JSON object a line, `port`, then for each camera `camera` and `began` (when the clip's first picture
would have been shown, in the monotonic clock's seconds), and every second `late` and `left_out`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub.bench.capacity_scenes import FPS, GOP, TAKES, Clip, clip
from hub.bench.rtsp import Server, film
from hub.procfs import die_with_parent


def clips(scene: str, seconds: int, folder: Path) -> list[Clip]:
    """The clips of a scene, one for each take, kept in `folder` (this run's own) once drawn."""
    file = folder / f"{scene}-{seconds}.pickle"
    if not file.exists():
        drawn = [clip(scene, place, take, seconds) for place, take in TAKES]
        beside = file.with_suffix(".part")
        beside.write_bytes(pickle.dumps(drawn))
        beside.replace(file)
    kept: list[Clip] = pickle.loads(file.read_bytes())  # noqa: S301 - written by this run
    return kept


def film_of(camera: int) -> int:
    """Which of the clips a camera shows."""
    return camera % len(TAKES)


def first_of(camera: int, pictures: int) -> int:
    """With which picture it begins: a key frame, and not the one that others begin with."""
    groups = pictures // GOP
    return camera * 7 % groups * GOP if groups else 0


async def serve(scene: str, seconds: int, folder: Path) -> None:
    """Serve until whoever started this is gone."""
    shown = clips(scene, seconds, folder)
    films = {each.name: film(each.pictures, FPS) for each in shown}

    def told(camera: str, at: float) -> None:
        _say({"camera": int(camera), "began": at})

    server = Server(films, lambda camera: first_of(int(camera), len(shown[0].pictures)), told)
    _say({"port": await server.start()})
    while True:
        await asyncio.sleep(1.0)
        _say({"late": round(server.late(), 3), "left_out": server.left_out()})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """The process."""
    parser = argparse.ArgumentParser(prog="hub.bench.capacity_source")
    parser.add_argument("--scene", required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where clips are kept")
    given = parser.parse_args(arguments)
    die_with_parent()
    asyncio.run(serve(given.scene, given.seconds, given.folder))


if __name__ == "__main__":
    main()
