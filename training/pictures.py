"""Pictures with known people: the labelled set, and frames of the simulated school."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from plugins.cameras.school.encode import build

Luma = NDArray[np.uint8]
Boxes = NDArray[np.float32]
Step = Callable[[], None]

SCHOOL = ("corridor", "entrance", "yard", "car_park")
SCHOOL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Known:
    """A picture and who is in it: luma (h, w); boxes and ignore (n, 4), x1 y1 x2 y2 in pixels.

    What lies in an `ignore` box is neither a person nor none.
    """

    name: str
    scene: str
    tier: str
    luma: Luma
    boxes: Boxes
    ignore: Boxes


def labelled(folder: Path, split: str, tiers: str = "AB", step: Step = lambda: None) -> list[Known]:
    """The pictures of a split ("train" or "val"). Raises `FileNotFoundError`."""
    found = []
    for line in (folder / "labels.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["split"] != split or row["tier"] not in tiers:
            continue
        path = folder / "images" / row["image"]
        luma = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if luma is None:
            raise FileNotFoundError(f"{path} is missing or no picture")
        scene = f"{row['source']}/{row['scene']}"
        found.append(
            Known(row["image"], scene, row["tier"], np.asarray(luma, np.uint8),
                  _boxes(row["boxes"]), _boxes(row["ignore"]))
        )  # fmt: skip
        step()
    return found


def school(
    count: int, seed: int, size: tuple[int, int] = (640, 360), step: Step = lambda: None
) -> Iterator[Known]:
    """`count` frames of the simulated school, at random moments of many seeds' days."""
    rng = np.random.default_rng(seed)
    each = 25
    for number in range(0, count, each):
        scene = SCHOOL[number // each % len(SCHOOL)]
        stage = build(scene, size, int(rng.integers(1 << 30)), SCHOOL_SECONDS)
        for _ in range(min(each, count - number)):
            picture, seen = stage.draw(float(rng.uniform(0, SCHOOL_SECONDS)))
            luma = cv2.cvtColor(np.asarray(picture, np.uint8), cv2.COLOR_RGB2GRAY)
            people = [s for s in seen if s.label == "person"]
            shown = [s.box for s in people if s.visible >= 0.5]
            hidden = [s.box for s in people if s.visible < 0.5]
            yield Known(scene, f"school/{scene}", "A", np.asarray(luma, np.uint8), _boxes(shown),
                        _boxes(hidden))  # fmt: skip
            step()


def empty(pictures: Iterable[Known]) -> list[Known]:
    """Those in which nobody is and nothing is in doubt."""
    return [p for p in pictures if not len(p.boxes) and not len(p.ignore)]


def by_scene(pictures: Sequence[Known], power: float = 0.5) -> NDArray[np.float64]:
    """How often to draw each picture, summing to 1: a scene of n pictures counts as n ** power."""
    counts: dict[str, int] = {}
    for picture in pictures:
        counts[picture.scene] = counts.get(picture.scene, 0) + 1
    weights = np.array([counts[p.scene] ** (power - 1) for p in pictures])
    return weights / weights.sum()


def keep(pictures: Iterable[Known], file: Path) -> None:
    """Write pictures of one size into a file that `kept` reads."""
    kept = list(pictures)
    counts = [[len(p.boxes), len(p.ignore)] for p in kept]
    np.savez(
        file,
        luma=np.stack([p.luma for p in kept]),
        names=np.array([[p.name, p.scene, p.tier] for p in kept]),
        counts=np.array(counts),
        boxes=np.concatenate([np.concatenate([p.boxes, p.ignore]) for p in kept]),
    )


def kept(file: Path) -> list[Known]:
    """Pictures that `keep` wrote."""
    with np.load(file) as data:
        luma, names, counts, boxes = (data[k] for k in ("luma", "names", "counts", "boxes"))
    found, at = [], 0
    for picture, (name, scene, tier), (people, doubt) in zip(luma, names, counts, strict=True):
        middle, end = at + people, at + people + doubt
        found.append(
            Known(str(name), str(scene), str(tier), picture, boxes[at:middle], boxes[middle:end])
        )
        at = end
    return found


def without_people(picture: Known) -> Known:
    """The same, all of its people in doubt: for pasting others over them."""
    both = np.concatenate([picture.boxes, picture.ignore])
    return replace(picture, boxes=_boxes([]), ignore=both)


def _boxes(rows: Sequence[Sequence[float]]) -> Boxes:
    return np.asarray(rows, np.float32).reshape(-1, 4)
