"""How long `vestibule check` thinks about a large file, beside what reading it costs at least.

    python benchmarks/check.py [--lines 2000] [--runs 30] [--json]

*floor* is PyYAML's C parser making plain values of the same text, *python* its parser in Python;
both know no keys, no places and no drivers. *broken* is the same file with a fault on every third
camera. All are interleaved in one process, after one run of each that does not count.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import yaml
from told import tell

from hub.check import check
from hub.plugins import load_registry

HEAD = """\
places:
  site: {name: School, kind: site}
  hall: {name: Hall, kind: room, in: site}
detectors:
  people: {driver: motion}
cameras:
"""
CAMERA = """\
  camera_{number}:
    driver: rtsp
    place: hall
    detector: people
    fps: {fps}
    url: rtsp://192.0.2.7:554/stream{number}
    zones:
      - place: hall
        polygon: [[0, 0], [1, 0], [1, 1]]
"""


def school(lines: int, broken: bool) -> str:
    """A configuration of about so many lines."""
    count = (lines - HEAD.count("\n")) // CAMERA.count("\n") + 1
    return HEAD + "".join(
        CAMERA.format(number=number, fps="fast" if broken and number % 3 == 0 else 5)
        for number in range(count)
    )


def timed(work: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each, interleaved."""
    found: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(runs + 1):
        for name, each in work.items():
            began = perf_counter()
            each()
            if turn:
                found[name].append(perf_counter() - began)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    registry = load_registry()
    with tempfile.TemporaryDirectory() as folder:
        sound, faulty = Path(folder) / "school.yaml", Path(folder) / "broken.yaml"
        sound.write_text(text := school(given.lines, broken=False), encoding="utf-8")
        faulty.write_text(school(given.lines, broken=True), encoding="utf-8")
        problems = len(check(faulty, registry))
        found = timed(
            {
                "check": lambda: check(sound, registry),
                "broken": lambda: check(faulty, registry),
                "floor": lambda: yaml.load(text, yaml.CSafeLoader),
                "python": lambda: yaml.load(text, yaml.SafeLoader),
            },
            given.runs,
        )
    percentiles = {
        name: quantiles(times, n=100, method="inclusive") for name, times in found.items()
    }
    told = {
        "lines": text.count("\n"),
        "problems": problems,
        **{
            f"{name}_ms": {
                "p50": round(1000 * median(found[name]), 1),
                "p95": round(1000 * cuts[94], 1),
                "p99": round(1000 * cuts[98], 1),
            }
            for name, cuts in percentiles.items()
        },
        "check_over_floor": round(median(found["check"]) / median(found["floor"]), 2),
        "python_over_check": round(median(found["python"]) / median(found["check"]), 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    tell(told, given.json)


if __name__ == "__main__":
    main()
