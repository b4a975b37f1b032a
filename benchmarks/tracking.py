"""Whether one person is one track: the hub's tracker beside ByteTrack and OC-SORT.

    python benchmarks/tracking.py [--json] [--seeds N] [--first SEED] [--scenes NAME,...] [--clips]

Simulated scenes that know who is who, at five looks a second, under a good and a poor detector
(hub/bench/tracks.py, tracks_found.py); everybody gets the same detections. `ours` is what
the hub reports for as long as it carries boxes on (0.6 s unseen), `ours_found` only what was found
at that look, as rivals report; `rival` is ByteTrack with the settings of its package, `rival_tuned`
with thresholds that suit these scores, `oc_sort` OC-SORT likewise.
With `--clips` the clips of VESTIBULE_MATERIAL that have truth are added, looked at with its
YOLOX-nano; who is who there is only linked by overlap. Needs the dependency group "tracks".
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hub.bench.tracks import LOOKS, SCENES, Person, walk
from hub.bench.tracks_cost import cost
from hub.bench.tracks_found import DETECTORS, found
from hub.bench.tracks_rivals import MISSING, Make, makers
from hub.bench.tracks_score import Outcome, Scorer, judged, scorer, summed
from hub.errors import VestibuleError
from hub.kinds.detectors import Detection

Run = tuple[str, tuple[int, int], float, list[list[Person]], list[list[Detection]]]
SHOWN = ("switches", "fragments", "false_tracks", "idf1", "hota", "recall", "precision")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--seeds", type=int, default=4, help="how many of each scene")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument("--clips", action="store_true", help="the clips of VESTIBULE_MATERIAL too")
    asked = parser.parse_args()
    names = asked.scenes.split(",")
    if unknown := [name for name in names if name not in SCENES]:
        print(f"no scene {unknown[0]!r}; there are {', '.join(SCENES)}", file=sys.stderr)
        return 2
    scoring, rivals = scorer(), makers()
    if scoring is None or rivals is None:
        print(MISSING, file=sys.stderr)
        return 2
    seeds = range(asked.first, asked.first + asked.seeds)
    try:
        table = measured(scoring, rivals, simulated(names, seeds))
        if asked.clips:
            table |= measured(scoring, rivals, real(), whole=False)
    except VestibuleError as error:
        print(error, file=sys.stderr)
        return 2
    spent = cost()
    if asked.json:
        print(json.dumps(table | {"settle_ms": spent}))
        return 0
    print("\n".join(lines(table)))
    told = ", ".join(f"{name} {value:.2f} ms" for name, value in spent.items())
    print(f"\na settle with 20 tracks: {told}")
    return 0


def simulated(names: list[str], seeds: range) -> Iterator[Run]:
    """Every scene with every seed under every detector."""
    for name in names:
        for seed in seeds:
            scene = walk(name, seed)
            for defects in DETECTORS.values():
                yield name, scene.size, LOOKS, scene.people, found(scene, defects, seed)


def real() -> Iterator[Run]:
    """The clips that have truth, with what a real detector finds."""
    from hub.bench.clips import with_truth
    from hub.bench.tracks_clips import looked_at

    if "VESTIBULE_MATERIAL" not in os.environ:
        raise VestibuleError("set VESTIBULE_MATERIAL to the folder with clips, truth and models")
    material = Path(os.environ["VESTIBULE_MATERIAL"])
    for path in with_truth(material):
        yield looked_at(path, material / "models" / "yolox_nano_416.onnx")


def measured(
    scoring: Scorer, rivals: dict[str, Make], runs: Iterator[Run], whole: bool = True
) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Scores by scene and tracker, and of all scenes together where `whole`."""
    outcomes: dict[str, dict[str, list[Outcome]]] = {}
    for name, size, looks, people, finds in runs:
        for rival, make in rivals.items():
            follow = make(size, looks)
            tracks = [follow(i / looks, list(found)) for i, found in enumerate(finds)]
            row = outcomes.setdefault(name, {}).setdefault(rival, [])
            row.append(judged(scoring, people, tracks))
    if whole:
        outcomes["all"] = {
            rival: [one for row in outcomes.values() for one in row[rival]] for rival in rivals
        }
    return {
        name: {rival: summed(scoring, each) for rival, each in row.items()}
        for name, row in outcomes.items()
    }


def lines(table: dict[str, dict[str, dict[str, float | int | None]]]) -> list[str]:
    """A line for each scene and tracker."""
    told = [f"{'scene':<24}{'who':<14}" + "".join(f"{key:>14}" for key in SHOWN)]
    for name, row in table.items():
        for rival, score in row.items():
            told.append(
                f"{name:<24}{rival:<14}" + "".join(f"{_told(score[key]):>14}" for key in SHOWN)
            )
    return told


def _told(value: float | int | None) -> str:
    return "-" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
