"""`vestibule bench prefilter`: what the motion gate costs, and what it sees and misses."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub.bench.clips import ClipFootage, with_truth
from hub.bench.scenes import Footage, drawn
from hub.bench.score import Make, Score, score
from hub.bench.speed import GOALS, medians
from hub.bench.stresses import STRESSES
from hub.errors import CannotCheck

RECALL, CROWDED, ELSEWHERE = 0.985, 0.30, 0.15
FALSE = {"rain": 0.10, "brightness step": 0.0, "slow drift": 0.0}
FALSE_ELSE, LONGEST_BLIND, LONGEST_LOUD = 0.05, 2.0, 2.0
ENOUGH_BOXES = 200
Table = dict[str, dict[str, dict[str, Score]]]


def footage(clips: Sequence[Path], scenes: Sequence[str]) -> list[Footage]:
    """The drawn scenes, then the clips named, or those of VESTIBULE_MATERIAL; `scenes` picks some.

    Raises CannotCheck for a name that no scene has and for a clip without truth.
    """
    material = os.environ.get("VESTIBULE_MATERIAL")
    paths = list(clips) or (with_truth(Path(material)) if material else [])
    names = [scene.name for scene in drawn()] + [path.stem for path in paths]
    if unknown := [name for name in scenes if name not in names]:
        raise CannotCheck(f"no scene {unknown[0]!r}; there are {', '.join(names)}")
    wanted = set(scenes) or set(names)
    found: list[Footage] = [scene for scene in drawn() if scene.name in wanted]
    return found + [ClipFootage(path) for path in paths if path.stem in wanted]


def stresses(wanted: Sequence[str]) -> list[str]:
    """The stresses named, or all. Raises CannotCheck for a name that none has."""
    if unknown := [name for name in wanted if name not in STRESSES]:
        raise CannotCheck(f"no stress {unknown[0]!r}; there are {', '.join(STRESSES)}")
    return list(wanted) or list(STRESSES)


def measure(
    places: Sequence[Footage],
    under: Sequence[str],
    makers: dict[str, Make],
    step: Callable[[], None] = lambda: None,
) -> Table:
    """Every scene under every stress, by everyone; `step` is called after each."""
    table: Table = {}
    for place in places:
        row = table.setdefault(place.name, {})
        for stress in under:
            row[stress] = score(place, stress, makers)
            step()
    return table


def missed_goals(found: Score, stress: str, crowd: bool) -> list[str]:
    """Which goals of the gate a score misses, in words; recall only where enough was counted."""
    missed = []
    if found.cov50 is not None and found.boxes >= ENOUGH_BOXES and found.cov50 < RECALL:
        missed.append("recall")
    if found.area > (CROWDED if crowd else ELSEWHERE):
        missed.append("area")
    if found.false_share > FALSE.get(stress, FALSE_ELSE):
        missed.append("quiet")
    if found.blind_s > LONGEST_BLIND or (found.quiet_s or 0.0) > LONGEST_LOUD:
        missed.append("blind")
    return missed


def recall_lines(table: Table, crowds: set[str]) -> list[str]:
    """The table as plain lines: a block for each scene, a line for each stress."""
    lines = []
    for place, rows in table.items():
        boxes = next(iter(next(iter(rows.values())).values())).boxes
        names = list(next(iter(rows.values())))
        others = "".join(f"{name:>20}" for name in names[1:])
        lines += ["", f"{place}: {boxes} moving people", _HEAD + others]
        lines += [_line(stress, scores, place in crowds) for stress, scores in rows.items()]
    return lines


_HEAD = (
    f"  {'stress':<18}{'cov50':>7}{'area':>7}{'false':>7}{'blind':>7}{'quiet':>7}  {'misses':<14}"
)


def _line(stress: str, scores: dict[str, Score], crowd: bool) -> str:
    own, *others = scores.values()
    quiet = "" if own.quiet_s is None else f"{own.quiet_s:.1f} s"
    told = f"  {stress:<18}{_percent(own.cov50):>7}{_percent(own.area):>7}"
    told += f"{_percent(own.false_share):>7}{own.blind_s:>5.1f} s{quiet:>7}  "
    told += f"{', '.join(missed_goals(own, stress, crowd)):<14}"
    for other in others:
        three = (other.cov50, other.area, other.false_share)
        told += f"{' '.join(_percent(value) for value in three):>20}"
    return told.rstrip()


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def speed_lines(found: dict[str, dict[str, NDArray[np.float64]]]) -> list[str]:
    """Times of every rival at every size, and how their medians compare with the gate's."""
    lines = [
        f"{'size':<12}{'who':<8}{'us a frame':>12}{'p95':>9}{'p99':>9}{'times gate':>12}  goal"
    ]
    for size, times in found.items():
        values = medians(times)
        own = values["gate_us"]
        for key, spent in values.items():
            name = key.removesuffix("_us")
            p95, p99 = np.percentile(times[name], (95, 99))
            told = f"{size:<12}{name:<8}{spent:>12.1f}{p95:>9.1f}{p99:>9.1f}{spent / own:>12.2f}"
            lines.append(f"{told}  {_goal(size, name)}")
    return [line.rstrip() for line in lines]


def _goal(size: str, name: str) -> str:
    goal = GOALS.get(size, {}).get(name)
    if goal is None:
        return ""
    return f"at least {1 / goal:.2f}" if name == "floor" else f"at least {goal:.0f}"
