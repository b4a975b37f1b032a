"""What settling a look costs the tracker, with twenty people in view."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from hub.bench.tracks import HEIGHT, LOOKS, WIDTH, walk
from hub.bench.tracks_found import POOR, found
from hub.perception.tracking import Tracker


def cost(rounds: int = 3) -> dict[str, float]:
    """Milliseconds for one `settle` in the crowd of twenty: p50 and p95."""
    scene = walk("crowd", 0)
    finds = found(scene, POOR, 0)
    spent = []
    for _ in range(rounds):
        tracker = Tracker(scene.size)
        for i, look in enumerate(finds):
            mark = perf_counter()
            tracker.settle(i / LOOKS, look, [(0, 0, WIDTH, HEIGHT)])
            if i >= LOOKS:
                spent.append(1000 * (perf_counter() - mark))
    low, high = np.percentile(spent, [50, 95])
    return {"p50": round(float(low), 3), "p95": round(float(high), 3)}
