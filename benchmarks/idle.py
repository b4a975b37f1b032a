"""What an idle hub costs: four still cameras (640x360, 5 pictures a second), nothing happening.

    python benchmarks/idle.py [--seconds 60] [--json]

Prints, for every process of the hub, the CPU it used per second once started up (percent of one
core) and the highest resident memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from hub.testing import RunningHub

WIDTH, HEIGHT, FPS, CLIP_SECONDS = 640, 360, 5, 30
CONFIG = """
hub: {name: Idle school}
places:
  site: {name: Idle school, kind: site}
detectors:
  movers: {driver: motion}
cameras:
"""


def draw_still_clip(path: Path) -> None:
    """A scene without movers, with a sensor's noise (sigma 2), as camera-like H.264."""
    chance = np.random.default_rng(1)
    scene = np.kron(chance.integers(60, 180, (9, 16)), np.ones((40, 40)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 600_000
        stream.options = {"bf": "0", "g": str(2 * FPS), "preset": "veryfast"}
        stream.time_base = Fraction(1, FPS)
        for index in range(FPS * CLIP_SECONDS):
            noisy = np.clip(scene + chance.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.repeat(noisy[..., None], 3, axis=2), "rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def measure(seconds: float) -> dict[str, dict[str, float]]:
    """CPU and memory per process over `seconds`, after the hub has been up for a while."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "still.mp4"
        draw_still_clip(clip)
        config = Path(folder) / "idle.yaml"
        cameras = "".join(
            f"  camera_{n}: {{driver: file, path: still.mp4, place: site, detector: movers,"
            f" fps: {FPS}}}\n"
            for n in range(1, 5)
        )
        config.write_text(CONFIG + cameras, encoding="utf-8")
        with RunningHub(config, Path(folder) / "state") as hub:
            hub.until("cameras", lambda all_: all(c["state"] == "online" for c in all_), 90)
            time.sleep(15)
            before = {p["name"]: p["cpu_s"] for p in hub.get("health")["processes"]}
            began = time.monotonic()
            time.sleep(seconds)
            after = hub.get("health")["processes"]
            took = time.monotonic() - began
    return {
        process["name"]: {
            "cpu_percent": round(100 * (process["cpu_s"] - before[process["name"]]) / took, 2),
            "rss_peak_mb": process["rss_peak_mb"],
        }
        for process in after
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.seconds)
    if options.json:
        print(json.dumps(found))
        return 0
    print(f"{'process':<14}{'CPU, % of a core':>18}{'peak memory, MB':>18}")
    for name, figures in found.items():
        print(f"{name:<14}{figures['cpu_percent']:>18.2f}{figures['rss_peak_mb']:>18.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
