"""Score `vestibule perceive` against truth files.

    VESTIBULE_MATERIAL=FOLDER python benchmarks/perceive_truth.py [CLIP...] [--json]

FOLDER holds clips/NAME.mp4, truth/NAME.jsonl and the model. Counted per clip: whether any confirmed
person is there when truth has one and none when it has none (`present`), recall and precision of
confirmed person tracks at IoU 0.5, and the share of frames that were inferred. A frame whose truth
is only `ignore` is left out; a track on an `ignore` box counts neither way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Box = Sequence[float]


@dataclass
class Score:
    """What one clip came to; ratios are None where nothing could be counted."""

    clip: str
    frames: int = 0
    scored: int = 0
    truth: int = 0
    found: int = 0
    claimed: int = 0
    right: int = 0
    present_right: int = 0
    frames_inferred: int = 0
    inferences: int = 0
    frames_with_person: int = 0

    def summary(self) -> dict[str, Any]:
        """The counts and the ratios made of them."""
        return asdict(self) | {
            "present": _ratio(self.present_right, self.scored),
            "recall": _ratio(self.found, self.truth),
            "precision": _ratio(self.right, self.claimed),
            "inferred": _ratio(self.frames_inferred, self.frames),
        }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    shared = _shared(a, b)
    return shared / (_area(a) + _area(b) - shared) if shared else 0.0


def _shared(a: Box, b: Box) -> float:
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return across * down if across > 0 and down > 0 else 0.0


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def matched(truth: Sequence[Box], claims: Sequence[Box]) -> set[int]:
    """Which claims sit on a truth box at IoU 0.5, each used once, best pairs first."""
    pairs = sorted(
        ((iou(t, c), i, j) for i, t in enumerate(truth) for j, c in enumerate(claims)),
        reverse=True,
    )
    used: set[int] = set()
    taken: set[int] = set()
    for overlap, i, j in pairs:
        if overlap >= 0.5 and i not in used and j not in taken:
            used.add(i)
            taken.add(j)
    return taken


def score(clip: str, lines: Iterable[dict[str, Any]], truth: dict[int, dict[str, Any]]) -> Score:
    """Compare the lines that `perceive --json` wrote for one clip with its truth by frame."""
    total = Score(clip)
    for line in lines:
        total.frames += 1
        total.inferences += line["inferences"]
        total.frames_inferred += line["inferences"] > 0
        people = [
            track["box"]
            for track in line["tracks"]
            if track["state"] == "confirmed" and track["label"] == "person"
        ]
        total.frames_with_person += bool(people)
        expected = truth.get(line["frame"])
        if expected is None or (expected["ignore"] and not expected["boxes"]):
            continue
        _count(total, expected, people)
    return total


def _count(total: Score, expected: dict[str, Any], people: list[Box]) -> None:
    boxes, ignore = expected["boxes"], expected["ignore"]
    hits = matched(boxes, people)
    left = [c for j, c in enumerate(people) if j not in hits and not _ignored(c, ignore)]
    total.scored += 1
    total.truth += len(boxes)
    total.found += len(hits)
    total.right += len(hits)
    total.claimed += len(hits) + len(left)
    total.present_right += bool(boxes) == bool(len(hits) + len(left))


def _ignored(box: Box, ignore: Sequence[Box]) -> bool:
    """On an `ignore` box: as an object of its own, or mostly inside it."""
    return any(
        iou(box, other) >= 0.5 or _shared(box, other) >= 0.7 * _area(box) for other in ignore
    )


def _perceive(clip: Path, model: Path) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.jsonl"
        command = [sys.executable, "-m", "hub", "perceive", str(clip)]
        command += ["--model", str(model), "--json", str(out)]
        subprocess.run(command, check=True)
        return [json.loads(line) for line in out.read_text().splitlines()]


def _truth(path: Path) -> dict[int, dict[str, Any]]:
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return {line["frame"]: line for line in lines}


def main() -> int:
    """Run, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", help="names of clips; all with truth if none is given")
    parser.add_argument("--model", help="model file; models/yolox_nano_416.onnx of the material")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if "VESTIBULE_MATERIAL" not in os.environ:
        print("set VESTIBULE_MATERIAL to the folder with clips, truth and models", file=sys.stderr)
        return 2
    material = Path(os.environ["VESTIBULE_MATERIAL"])
    model = Path(options.model or material / "models" / "yolox_nano_416.onnx")
    names = options.clips or sorted(path.stem for path in (material / "truth").glob("*.jsonl"))
    results = []
    for name in names:
        lines = _perceive(material / "clips" / f"{name}.mp4", model)
        results.append(score(name, lines, _truth(material / "truth" / f"{name}.jsonl")).summary())
    print(json.dumps(results, indent=2) if options.json else _table(results))
    return 0


def _table(results: list[dict[str, Any]]) -> str:
    keys = ("clip", "frames", "scored", "present", "recall", "precision", "inferred", "inferences")
    rows = [[str(result[key]) for key in keys] for result in results]
    widths = [max(len(row[i]) for row in [list(keys), *rows]) for i in range(len(keys))]
    lines = [[*keys], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


if __name__ == "__main__":
    sys.exit(main())
