"""What the motion gate costs, and what it sees and misses, beside rivals in the same run.

    python benchmarks/prefilter.py [--recall] [--json] [--clip FILE] [--rounds N] [--sizes WxH,...]

Without `--recall` it times one frame; `--json` then prints, for each size, `gate_us`, `mog2_us`,
`grid_us` and `floor_us` (what they are: hub/bench/speed.py). With `--recall` it scores every drawn
scene, and the clips of VESTIBULE_MATERIAL, under every stress. `vestibule bench prefilter` does
both. OpenCV's rivals need the dependency group "bench" (pip install opencv-python-headless).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub.bench.prefilter import footage, measure, recall_lines, speed_lines, stresses
from hub.bench.rivals import MISSING, makers, opencv
from hub.bench.speed import SIZES, medians, timed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--recall", action="store_true", help="what is seen and missed")
    parser.add_argument("--clip", type=Path, help="time a real clip instead of the drawn yard")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--sizes", default=",".join(SIZES))
    asked = parser.parse_args()
    if opencv() is None:
        print(MISSING, file=sys.stderr)
    if asked.recall:
        recall(asked.json)
        return
    found = {size: timed(size, asked.clip, asked.rounds) for size in asked.sizes.split(",")}
    if asked.json:
        print(json.dumps({size: medians(times) for size, times in found.items()}))
        return
    print("\n".join(speed_lines(found)))


def recall(as_json: bool) -> None:
    """Score every scene and clip under every stress."""
    places = footage([], [])
    table = measure(places, stresses([]), makers())
    if as_json:
        told = {
            place: {
                stress: {name: score.as_dict() for name, score in scores.items()}
                for stress, scores in rows.items()
            }
            for place, rows in table.items()
        }
        print(json.dumps(told))
        return
    print("\n".join(recall_lines(table, {place.name for place in places if place.crowd})))


if __name__ == "__main__":
    main()
