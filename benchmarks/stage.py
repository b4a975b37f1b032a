"""What the motion gate costs as a whole: many cameras in one process, at their own pace.

    python benchmarks/stage.py [--cameras 32] [--fps 5] [--seconds 20] [--json]

Every tick all cameras that are due are looked at, one after the other, as a perception worker does;
their planes are decoded ones from a ring larger than the core's L2 cache. *cpu_percent* is the
process's own time as a share of one core while it does so, *rss_mb* its highest resident memory
(planes and this benchmark's decoder left out), *start_s* how long a fresh process takes to load
the compiled gate and look at a first frame, *idle_mb* that process's memory. *tamper_us_p50* and
*tamper_us_p95* are what watching a camera's picture for tampering costs a frame at this pace: one
look every three seconds, spread over the frames between, and a note of each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from told import tell

from hub.bench.speed import encoded, ring
from hub.perception.motion import MotionGate
from hub.perception.tamper import EVERY_SECONDS, TamperWatch

ROOT = Path(__file__).resolve().parent.parent
SIZE = (640, 360)
PLANES = 160
FRESH = """\
import time
began = time.perf_counter()
import resource, sys
import numpy as np
from hub.perception.motion import MotionGate
gate = MotionGate(640, 360)
gate.update(np.zeros((360, 640), np.uint8), 0.0)
took = time.perf_counter() - began
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, gate.kernel)
"""
STAGE = """\
import json, resource, sys, time
import numpy as np
from hub.perception.motion import MotionGate

cameras, fps, seconds, planes = (float(each) for each in sys.argv[1:5])
ring = np.load(sys.argv[5], mmap_mode="r")
ring = [np.array(plane) for plane in ring]
def rss_mb():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6

MotionGate(640, 360).update(ring[0], 0.0)
before = rss_mb()
gates = [MotionGate(640, 360, fps) for _ in range(int(cameras))]
triggered = looked = 0
cpu = time.process_time()
began = time.perf_counter()
tick = 0
while time.perf_counter() - began < seconds:
    for number, gate in enumerate(gates):
        # Each camera walks the ring there and back from its own place: a scene without a cut.
        at = (tick + 5 * number) % (2 * len(ring) - 2)
        plane = ring[at if at < len(ring) else 2 * len(ring) - 2 - at]
        triggered += gate.update(plane, tick / fps).triggered
        looked += 1
    tick += 1
    time.sleep(max(0.0, began + tick / fps - time.perf_counter()))
spent = time.process_time() - cpu
took = time.perf_counter() - began
print(json.dumps({
    "cpu_percent": round(100 * spent / took, 2),
    "us_a_frame": round(1e6 * spent / looked, 1),
    "triggered": round(triggered / looked, 3),
    "gates_mb": round(rss_mb() - before, 1),
}))
"""


def fresh() -> dict[str, Any]:
    """A process that loads the gate from its cache; the best of three."""
    told = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", FRESH], cwd=ROOT, capture_output=True, text=True, check=True
        )
        told.append(done.stdout.split())
    took = min(float(each[0]) for each in told)
    return {"start_s": round(took, 2), "idle_mb": round(float(told[0][1]), 1), "on": told[0][2]}


def stage(cameras: int, fps: float, seconds: float) -> dict[str, Any]:
    """Many gates in a process of their own, on drawn and decoded planes."""
    frames = ring(encoded(*SIZE, PLANES), *SIZE)
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, np.stack([luma for _, luma in frames][:PLANES]))
        words = [str(each) for each in (cameras, fps, seconds, PLANES)]
        done = subprocess.run(
            [sys.executable, "-c", STAGE, *words, file.name],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def tamper(fps: float, looks: int = 200) -> dict[str, float]:
    """Microseconds a frame, thread CPU time, and how many times cheaper than the gate that is.

    The clock is read around gate and watch; what reading it costs is taken off.
    """
    planes = [luma for _, luma in ring(encoded(*SIZE, 120), *SIZE)]
    gate, watch = MotionGate(*SIZE, fps), TamperWatch(SIZE)
    clock = time.thread_time_ns
    idle = float(np.median([-clock() + clock() for _ in range(1000)]))
    gated, noted, looked = [], [], []
    number = 0
    while len(looked) < looks + 20:
        at = number % (2 * len(planes) - 2)
        luma = planes[at if at < len(planes) else 2 * len(planes) - 2 - at]
        begin = clock()
        result = gate.update(luma, number / fps)
        middle = clock()
        due, means = watch.note(number / fps, result.state, result.triggered), gate.means()
        watch.see(means)
        end = clock()
        gated.append(middle - begin - idle)
        noted.append(end - middle - idle)
        if due:
            begin = clock()
            watch.look(luma, means, number)
            looked.append(clock() - begin - idle)
        number += 1
    spread, note = EVERY_SECONDS * fps, float(np.median(noted))
    half, most = ((np.percentile(looked[20:], p) / spread + note) / 1000 for p in (50, 95))
    ratio = float(np.median(gated)) / 1000 / half
    told = {"tamper_us_p50": half, "tamper_us_p95": most, "gate_to_tamper": ratio}
    return {name: round(float(value), 2) for name, value in told.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, default=32)
    parser.add_argument("--fps", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    told = {"cameras": given.cameras, "fps": given.fps, **fresh()}
    told |= stage(given.cameras, given.fps, given.seconds)
    told |= tamper(given.fps)
    told["rss_mb"] = round(told["idle_mb"] + told["gates_mb"], 1)
    tell(told, given.json)


if __name__ == "__main__":
    main()
