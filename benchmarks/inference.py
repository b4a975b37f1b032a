"""Looking where it matters against looking at every whole frame, on clips and scenes with truth.

    python benchmarks/inference.py [--json] [--model FILE]... [--fps N] [--no-scenes] [CLIP...]

Without clips it takes those of VESTIBULE_MATERIAL that have truth, and a minute of each drawn scene
of the simulated cameras (drawn once, kept in .vestibule/cache). `--json` prints, for each clip and
for `all`, `recall_ratio` and `time_ratio` of the first model, and those of the other models in
`other_models`. What is counted, and how: hub/bench/inference.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub.bench.inference import FPS, as_json, clips, detector, lines, models, table
from hub.errors import VestibuleError


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clips", nargs="*", type=Path, help="clips with truth")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--model", action="append", help="a model by name or file")
    parser.add_argument("--fps", type=float, default=FPS, help="looks a second; 0 is every frame")
    parser.add_argument("--no-scenes", action="store_true", help="only clips, nothing drawn")
    asked = parser.parse_args()
    measured = {}
    try:
        paths = clips(asked.clips, not asked.no_scenes, Path(".vestibule/cache"))
        for model in asked.model or models():
            with_ = detector(model)
            measured[with_.info.name] = table(paths, with_, asked.fps or None)
            with_.close()
    except (VestibuleError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if asked.json:
        print(json.dumps(as_json(measured)))
    else:
        print("\n".join(line for name, rows in measured.items() for line in lines(name, rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
