"""Draw one scene and encode it as a camera would: `python -m plugins.cameras.school.encode --help`.

Run by the `simulated` driver in a process of its own. Every line on standard output is
`DONE TOTAL` in frames. The clip and its truth appear under their final names only when complete.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from plugins.cameras.school import SCENES
from plugins.cameras.school.scene import Scene
from plugins.cameras.school.stage import Picture, Seen

GOP_S = 2
BITS_PER_PIXEL = 600_000 / (640 * 360 * 10)
VISIBLE, SMALLEST = 0.7, 24  # what shows less, or is lower in pixels, counts neither way


def build(scene: str, size: tuple[int, int], seed: int, seconds: float) -> Scene:
    """The named scene, ready to be drawn frame by frame in order."""
    module = importlib.import_module(f"{__package__}.{scene}")
    built: Scene = module.build(*size, seed, seconds)
    return built


def frames(scene: Scene, seconds: float, fps: int) -> Iterator[tuple[Picture, list[Seen]]]:
    """Every frame of the clip with what shows in it."""
    for number in range(round(seconds * fps)):
        yield scene.draw(number / fps)


def truth(clip: str, frame: int, picture: Picture, seen: list[Seen]) -> dict[str, object]:
    """One line of truth: boxes in pixels, their labels, how much shows, and what to ignore."""
    height, width = picture.shape[:2]
    counted = [s for s in seen if s.visible >= VISIBLE and s.box[3] - s.box[1] >= SMALLEST]
    return {
        "clip": clip,
        "frame": frame,
        "w": width,
        "h": height,
        "boxes": [list(s.box) for s in counted],
        "labels": [s.label for s in counted],
        "visible": [round(s.visible, 3) for s in counted],
        "whole": [s.whole for s in counted],
        "ignore": [list(s.box) for s in seen if s not in counted],
    }


def encode(
    clip: Path, scene: Scene, seconds: float, fps: int, progress: Callable[[int, int], None]
) -> None:
    """Write `clip` (H.264 main profile, no B-frames, MP4) and beside it its truth, `.jsonl`."""
    import av

    total = round(seconds * fps)
    part, lines = clip.with_suffix(".mp4.part"), clip.with_suffix(".jsonl.part")
    width, height = scene.view.width, scene.view.height
    rate = int(BITS_PER_PIXEL * width * height * fps)
    try:
        with av.open(str(part), "w", format="mp4") as container, lines.open("w") as sidecar:
            stream = container.add_stream("libx264", rate=fps)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.bit_rate, stream.gop_size, stream.max_b_frames = rate, GOP_S * fps, 0
            stream.options = {
                "profile": "main",
                "preset": "veryfast",
                "bf": "0",
                "sc_threshold": "0",
                "threads": "1",
                "maxrate": str(rate * 2),
                "bufsize": str(rate * 2),
            }
            for number, (picture, seen) in enumerate(frames(scene, seconds, fps)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                sidecar.write(json.dumps(truth(clip.stem, number, picture, seen)) + "\n")
                progress(number + 1, total)
            container.mux(stream.encode(None))
        lines.replace(clip.with_suffix(".jsonl"))
        part.replace(clip)
    finally:
        part.unlink(missing_ok=True)
        lines.unlink(missing_ok=True)


def _size(text: str) -> tuple[int, int]:
    width, height = (int(part) for part in text.split("x"))
    return width, height


def _report(done: int, total: int) -> None:
    if done == total or done % 5 == 0:
        sys.stdout.write(f"{done} {total}\n")
        sys.stdout.flush()


def main() -> None:
    """Draw the clip that the command line asks for."""
    parser = argparse.ArgumentParser(description="Draw one scene of the example school.")
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("clip", type=Path, help="where to write the MP4; its truth goes beside it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=_size, default=(640, 360), metavar="WIDTHxHEIGHT")
    parser.add_argument("--fps", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args()
    if hasattr(os, "nice"):
        os.nice(5)
    scene = build(asked.scene, asked.size, asked.seed, asked.seconds)
    encode(asked.clip, scene, asked.seconds, asked.fps, _report)


if __name__ == "__main__":
    main()
