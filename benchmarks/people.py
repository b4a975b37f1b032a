"""How well models find people, through the cameras' pipeline, beside one another.

    python benchmarks/people.py [--json] [--model NAME]... [--annotate FOLDER] [CLIP...]

Without clips it takes those of VESTIBULE_MATERIAL that have truth; then come drawn scenes, each
under some stresses, with people and without. Without `--model` it takes the built-in model and
those of VESTIBULE_MATERIAL. For each: recall and precision at IoU 0.5 of people at least 60 pixels
tall, the share of frames on which "anybody is there" is right (`pres`), and the share of frames
with a person where nobody is (`false`); milliseconds of CPU a crop on one thread, measured in
turns, and the size of the file. `--annotate` writes the thirty worst frames of the first model:
green is the truth, blue a find on it, red one on nobody, grey counts neither way. What is counted,
and how: hub/bench/people.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub.bench.people import (
    SCENES,
    STRESSES,
    Found,
    Model,
    Place,
    judged,
    lines,
    milliseconds,
    models,
    places,
    school,
    with_sums,
)
from hub.bench.people_worst import Worst
from hub.errors import VestibuleError


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clips", nargs="*", type=Path, help="clips with truth")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--model", action="append", default=[], help="a model by name or file")
    parser.add_argument("--fps", type=float, default=0, help="looks a second; 0 is every frame")
    parser.add_argument("--scene", action="append", help="only this drawn scene; may be repeated")
    parser.add_argument("--stress", action="append", help="only under this; may be repeated")
    parser.add_argument("--no-scenes", action="store_true", help="only clips, nothing drawn")
    parser.add_argument("--school", action="store_true", help="the simulated school as well")
    parser.add_argument("--annotate", type=Path, help="write the thirty worst frames here")
    asked = parser.parse_args()
    try:
        tried = models(asked.model)
        worst = Worst() if asked.annotate else None
        measured = _measured(asked, tried, worst)
        speeds = milliseconds(tried)
        if worst is not None:
            count = worst.save(asked.annotate)
            print(f"{count} frames of {tried[0].name} in {asked.annotate}", file=sys.stderr)
    except (VestibuleError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if asked.json:
        told = {
            model.name: {
                "bytes": model.bytes,
                "milliseconds": speeds[model.name],
                "places": {name: row.as_dict() for name, row in measured[model.name].items()},
            }
            for model in tried
        }
        print(json.dumps(told))
        return 0
    print("\n".join(lines(measured)))
    for model in tried:
        cost = ", ".join(f"{ms:.2f} ms at {side}" for side, ms in speeds[model.name].items())
        print(f"{model.name}: {model.bytes / 1e6:.2f} MB; one crop {cost}")
    return 0


def _measured(
    asked: argparse.Namespace, tried: list[Model], worst: Worst | None
) -> dict[str, dict[str, Found]]:
    scenes = [] if asked.no_scenes else asked.scene or SCENES
    found: dict[str, dict[str, Found]] = {model.name: {} for model in tried}
    groups: dict[str, str] = {}
    every: Iterator[Place] = places(
        asked.clips, scenes, asked.stress or STRESSES, asked.fps or None
    )
    if asked.school:
        every = chain(every, school(Path(".vestibule/cache"), asked.fps or 5.0))
    for place in every:  # drawn one after another: all at once would not fit
        if sys.stderr.isatty():
            print(f"\r{place.name:<50}", end="", file=sys.stderr)
        groups[place.name] = place.group
        for model in tried:
            row = found[model.name].setdefault(place.name, Found())
            for one in judged(place, model.detector, row):
                if worst is not None and model is tried[0]:
                    worst.add(one)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return {name: with_sums(rows, groups) for name, rows in found.items()}


if __name__ == "__main__":
    sys.exit(main())
