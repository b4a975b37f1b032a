"""How well people are found in pictures with known people, seen as the pipeline would crop them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.perception.boxes import overlap, share_inside
from training.compose import Sample, crop
from training.pictures import Known

Boxes = tuple[NDArray[np.float32], NDArray[np.float32]]
SIDE, PER_PICTURE = 192, 2
ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """Average precision, and recall at the score that gives a precision of 0.85."""

    average: float
    recall: float
    score: float
    people: int


def samples(pictures: Sequence[Known], seed: int = 5, side: int = SIDE) -> list[Sample]:
    """The same crops each time: some around people, some anywhere."""
    rng = np.random.default_rng(seed)
    return [crop(p, rng, side) for p in pictures for _ in range(PER_PICTURE)]


def evaluate(found: Iterable[Boxes], shown: Sequence[Sample], tall: float = 24.0) -> Found:
    """`found` are boxes (n, 4) and scores (n,) of each; people below `tall` are in doubt."""
    rows: list[tuple[float, bool]] = []
    people = 0
    for (boxes, scores), sample in zip(found, shown, strict=True):
        large = sample.people[:, 3] - sample.people[:, 1] >= tall
        doubt = np.concatenate([sample.doubt, sample.people[~large]])
        wanted = sample.people[large]
        people += len(wanted)
        rows += _judged(boxes, scores, wanted, doubt)
    return _summed(rows, people)


def _judged(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    wanted: NDArray[np.float32],
    doubt: NDArray[np.float32],
) -> list[tuple[float, bool]]:
    """For each box its score and whether it is right; those in doubt are left out."""
    out, taken = [], np.zeros(len(wanted), bool)
    for i in np.argsort(-scores):
        shares = np.array([0.0 if took else overlap(boxes[i], one)
                           for one, took in zip(wanted, taken, strict=True)])  # fmt: skip
        if len(shares) and shares.max() >= ENOUGH:
            taken[int(shares.argmax())] = True
            out.append((float(scores[i]), True))
        elif share_inside(boxes[i], doubt) < ENOUGH:
            out.append((float(scores[i]), False))
    return out


def _summed(rows: list[tuple[float, bool]], people: int) -> Found:
    rows.sort(key=lambda row: -row[0])
    right = np.cumsum([row[1] for row in rows]) if rows else np.zeros(0)
    precision = right / np.arange(1, len(rows) + 1)
    recall = right / max(1, people)
    envelope = np.maximum.accumulate(precision[::-1])[::-1] if rows else precision
    steps = np.diff(np.concatenate([[0.0], recall]))
    good = np.nonzero(precision >= 0.85)[0]
    last = int(good[-1]) if len(good) else -1
    return Found(
        float((steps * envelope).sum()),
        float(recall[last]) if last >= 0 else 0.0,
        rows[last][0] if last >= 0 else 1.0,
        people,
    )
