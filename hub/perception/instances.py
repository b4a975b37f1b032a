"""How many detectors to run side by side, and on how many threads each: measured at the start.

Two runs on one thread each usually give more looks a second than one run on two threads, and
neither gives more than a single one where cores are shared or missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np

from hub.kinds.detectors import Crop, Detector

log = logging.getLogger(__name__)

Make = Callable[[int], Detector]  # a detector that uses so many threads

ROUNDS, RUNS = 3, 2
WORTH = 1.2  # how many times faster something must be to be worth its memory and its cores


def best(make: Make, cores: int) -> list[Detector]:
    """The detectors that together give most looks a second, on at most two of `cores`.

    `make(threads)` builds one; whatever it raises for the first is passed on. Those that are not
    needed are closed. What takes more must give `WORTH` times as many looks as what takes less:
    one look on two threads costs more processor time than two looks beside each other.
    """
    first = make(1)
    if cores < 2 or not first.info.needs_pixels or not first.info.input_sizes:
        return [first]
    try:
        rate([first])
    except Exception:  # whoever looks with it counts and tells what it does wrong
        log.warning("detector %s: it cannot be timed", first.info.name)
        return [first]
    ways, others = {"one": [first]}, list[Detector]()
    try:
        others.append(make(1))
        ways["two beside each other"] = [first, others[0]]
        others.append(make(2))
        ways["one on two threads"] = [others[1]]
    except Exception:  # more than one is a gain, not a need
        log.warning("detector %s: not all can be built that might be faster", first.info.name)
    try:
        rates = in_turns(ways)
    except Exception:  # likewise
        log.warning("detector %s: looks beside each other fail, one works alone", first.info.name)
        rates = {}
    chosen = "one"
    for name in rates:
        if rates[name] >= WORTH * rates[chosen]:
            chosen = name
    told = ", ".join(f"{name} {looks:.0f}" for name, looks in rates.items())
    log.info("detector %s, looks a second: %s; taken: %s", first.info.name, told, chosen)
    for detector in (first, *others):
        if detector not in ways[chosen]:
            detector.close()
    return ways[chosen]


def in_turns(ways: Mapping[str, Sequence[Detector]]) -> dict[str, float]:
    """Looks a second of each way, the best of a few rounds in turns: what else the machine does
    at the start slows some rounds, and says nothing of the way.
    """
    rates = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, detectors in ways.items():
            rates[name] = max(rates[name], rate(detectors))
    return rates


def rate(detectors: Sequence[Detector], runs: int = RUNS) -> float:
    """Looks a second at one full input, by all detectors at the same time."""
    info = detectors[0].info
    side = info.input_sizes[-1]
    image = np.random.default_rng(0).integers(0, 255, info.shape(side, side), np.uint8)
    crop = Crop(image, (0, 0, side, side), (side, side), np.zeros((0, 4), np.int32), side)

    def look(detector: Detector) -> None:
        for _ in range(runs):
            detector.infer([crop])

    with ThreadPoolExecutor(len(detectors)) as pool:
        list(pool.map(lambda each: each.infer([crop]), detectors))
        began = perf_counter()
        list(pool.map(look, detectors))
        return runs * len(detectors) / max(perf_counter() - began, 1e-9)
