"""How well tracks follow people: identity switches, fragments, false tracks, IDF1, HOTA.

TrackEval counts them as published: CLEAR MOT (Bernardin and Stiefelhagen 2008), IDF1 (Ristani et
al. 2016), HOTA (Luiten et al. 2021), at an overlap of one half. People of whom little shows count
neither way, as MOTChallenge treats what nobody need find.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.bench.tracks import SHOWN_LEAST, Box, Person
from hub.perception.boxes import overlaps

MATCH = 0.5  # least overlap of a track with whom it follows
Tracked = tuple[int, Box]  # a track's number and its box
Looks = Sequence[Sequence[Tracked]]


class Scorer(NamedTuple):
    """What scores tracks: TrackEval's three metrics and SciPy's assignment."""

    metrics: dict[str, Any]
    assign: Callable[..., Any]


def scorer() -> Scorer | None:
    """The scorer, or None where TrackEval is not installed."""
    try:
        told: Any = importlib.import_module("trackeval.metrics")
        assign: Any = importlib.import_module("scipy.optimize").linear_sum_assignment
    except ImportError:
        return None
    quiet = {"PRINT_CONFIG": False, "THRESHOLD": MATCH}
    clear, identity = told.CLEAR(quiet), told.Identity(quiet)
    return Scorer({"clear": clear, "identity": identity, "hota": told.HOTA()}, assign)


@dataclass(frozen=True)
class Outcome:
    """What one run came to: TrackEval's results by metric, and the tracks that followed nobody."""

    results: dict[str, dict[str, Any]]
    false_tracks: int


def judged(scorer: Scorer, people: Sequence[Sequence[Person]], tracks: Looks) -> Outcome:
    """Score tracks against who was there, look by look."""
    kept: list[list[Tracked]] = []
    wanted: list[list[Tracked]] = []
    on, off = Counter[int](), Counter[int]()
    for present, claimed in zip(people, tracks, strict=True):
        similar = _overlaps([p.box for p in present], [box for _, box in claimed])
        pairs = _pairs(scorer, similar)
        spared = {j for i, j in pairs if present[i].shown < SHOWN_LEAST}
        met = {j for _, j in pairs}
        for j, (track, _) in enumerate(claimed):
            (on if j in met else off)[track] += 1
        wanted.append([(p.who, p.box) for p in present if p.shown >= SHOWN_LEAST])
        kept.append([one for j, one in enumerate(claimed) if j not in spared])
    data = _data(wanted, kept)
    results = {name: metric.eval_sequence(data) for name, metric in scorer.metrics.items()}
    false = sum(count > on[track] for track, count in off.items())
    return Outcome(results, false)


def summed(scorer: Scorer, outcomes: Sequence[Outcome]) -> dict[str, float | int | None]:
    """Several runs as one line: counts are added, shares weighted as TrackEval does.

    Shares are None where there was nobody and nobody was claimed.
    """
    whole = {
        name: metric.combine_sequences({i: o.results[name] for i, o in enumerate(outcomes)})
        for name, metric in scorer.metrics.items()
    }
    clear = whole["clear"]
    nobody = not clear["CLR_TP"] + clear["CLR_FN"] + clear["CLR_FP"]
    shares = {
        "idf1": whole["identity"]["IDF1"],
        "hota": np.mean(whole["hota"]["HOTA"]),
        "recall": clear["CLR_Re"],
        "precision": clear["CLR_Pr"],
    }
    return {
        "switches": int(clear["IDSW"]),
        "fragments": int(clear["Frag"]),
        "false_tracks": sum(outcome.false_tracks for outcome in outcomes),
        **{name: None if nobody else round(float(of), 4) for name, of in shares.items()},
    }


def _pairs(scorer: Scorer, similar: NDArray[np.float64]) -> list[tuple[int, int]]:
    rows, columns = scorer.assign(np.where(similar >= MATCH, similar, 0.0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if similar[i, j] >= MATCH]


def _overlaps(first: list[Box], second: list[Box]) -> NDArray[np.float64]:
    return overlaps(np.array(first).reshape(-1, 4), np.array(second).reshape(-1, 4))


def _data(wanted: Looks, claimed: Looks) -> dict[str, Any]:
    """What TrackEval's metrics take: numbers from 0 on, and the overlaps of every look."""
    data: dict[str, Any] = {}
    for name, looks in (("gt", wanted), ("tracker", claimed)):
        known = {one: i for i, one in enumerate(sorted({who for look in looks for who, _ in look}))}
        data[f"{name}_ids"] = [np.array([known[who] for who, _ in look], int) for look in looks]
        data[f"num_{name}_ids"] = len(known)
        data[f"num_{name}_dets"] = sum(len(look) for look in looks)
    data["similarity_scores"] = [
        _overlaps([box for _, box in there], [box for _, box in here])
        for there, here in zip(wanted, claimed, strict=True)
    ]
    data["num_timesteps"] = len(wanted)
    return data
