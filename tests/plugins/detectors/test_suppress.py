"""Which of the boxes that overlap stay."""

from __future__ import annotations

import numpy as np
import pytest

from hub.perception.boxes import Box, overlap
from plugins.detectors._boxes import suppress


@pytest.mark.parametrize("seed", range(20))
def test_the_best_of_those_that_overlap_stays_each_class_by_itself(seed: int) -> None:
    """A box stays where no better one of its class that stays covers too much of it."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 30, (30, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (30, 2))], 1).astype(np.float32)
    classes = rng.integers(0, 2, 30)
    all_of_them: list[Box] = [(float(a), float(b), float(c), float(d)) for a, b, c, d in boxes]
    kept: list[int] = []
    for number, box in enumerate(all_of_them):
        better = [all_of_them[i] for i in kept if classes[i] == classes[number]]
        if all(overlap(box, other) <= 0.45 for other in better):
            kept.append(number)
    assert suppress(boxes, classes, 0.45).tolist() == kept
    assert 2 < len(kept) < 30


def test_without_boxes_none_stays() -> None:
    """A look that found nothing keeps nothing."""
    assert not len(suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.intp), 0.45))
