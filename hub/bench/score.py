"""What a motion stage sees and misses: run over footage under a stress, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from hub.bench.scenes import Footage, Picture, Seen
from hub.bench.stresses import CONTRAST, Luma, Run, stressed
from hub.perception.motion import MotionGate

SETTLE_SECONDS = 24.0
QUIET_SECONDS = 2.0  # granted after a change that lasts
LASTING = ("infrared switch",)
MOVED = 0.25  # of its height within a second either way: a moving person
COVERED = 0.5


class Look(NamedTuple):
    """One frame's answer: triggered by motion, not judged now, and regions int (N, 4)."""

    triggered: bool
    blind: bool
    regions: NDArray[np.int32]


Watcher = Callable[[Luma, float], Look]
Make = Callable[[int, int, float], Watcher]


@dataclass
class Score:
    """One scene under one stress. `boxes` moving people were looked for, `covered` were found;
    `area` is the mean share of the frame under regions, `false_share` the share of frames that
    trigger on the empty scene, `blind_s` the longest blindness there, `quiet_s` how long after a
    lasting change the last trigger came (None without such a change)."""

    boxes: int = 0
    covered: int = 0
    area: float = 0.0
    false_share: float = 0.0
    blind_s: float = 0.0
    quiet_s: float | None = None
    misses: list[int] = field(default_factory=list)

    @property
    def cov50(self) -> float | None:
        """Share of moving people at least half of whose box is under regions."""
        return self.covered / self.boxes if self.boxes else None

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON, rounded."""
        told = asdict(self) | {"cov50": self.cov50}
        del told["misses"]
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in told.items()}


def gate(width: int, height: int, fps: float) -> Watcher:
    """The motion gate with default parameters. While it is blind everything is to be looked at."""
    motion = MotionGate(width, height, fps)

    def look(luma: Luma, at: float) -> Look:
        result = motion.update(luma, at)
        return Look(result.triggered, result.state == "blind", result.regions)

    return look


def moving(footage: Footage) -> dict[int, list[Seen]]:
    """Who moves in which frame; frames without truth are left out."""
    reach = max(1, round(footage.fps))
    truth = {i: seen for i in range(footage.count) if (seen := footage.truth(i)) is not None}
    places = {i: {seen.who: seen.box for seen in people} for i, people in truth.items()}
    found: dict[int, list[Seen]] = {}
    for i, people in truth.items():
        near = [places[j] for j in range(i - reach, i + reach + 1) if j in places]
        found[i] = [seen for seen in people if _moves(seen, near)]
    return found


def _moves(seen: Seen, near: Sequence[Mapping[int, tuple[float, ...]]]) -> bool:
    x, y = _centre(seen.box)
    others = [_centre(boxes[seen.who]) for boxes in near if seen.who in boxes]
    far = max((float(np.hypot(ox - x, oy - y)) for ox, oy in others), default=0.0)
    return far > MOVED * (seen.box[3] - seen.box[1])


def _centre(box: tuple[float, ...]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def under(regions: NDArray[np.int32], width: int, height: int) -> NDArray[np.bool_]:
    """Which pixels are under any region."""
    seen = np.zeros((height, width), np.bool_)
    for x1, y1, x2, y2 in regions.tolist():
        seen[y1:y2, x1:x2] = True
    return seen


def frames(footage: Footage, stress: str, people: bool) -> Iterator[tuple[int, Luma]]:
    """The settling frames and then all others, as seen under `stress`; seeded by their names."""
    settle = round(SETTLE_SECONDS * footage.fps)
    seed = crc32(f"{footage.name} {stress} {people}".encode())
    run = Run(footage.width, footage.height, footage.count, footage.fps, seed)
    contrast = CONTRAST if stress == "low contrast" else None

    def pictures() -> Iterator[tuple[int, Picture]]:
        for i in range(-settle, footage.count):
            yield i, footage.picture(i, people, contrast)

    return stressed(stress, run, pictures())


def score(footage: Footage, stress: str, makers: dict[str, Make]) -> dict[str, Score]:
    """Every watcher over the same frames of one scene under one stress."""
    sizes = footage.width, footage.height, footage.fps
    scores = {name: Score() for name in makers}
    watchers = {name: make(*sizes) for name, make in makers.items()}
    wanted = moving(footage)
    for i, luma in frames(footage, stress, people=True):
        for name, watch in watchers.items():
            _count(scores[name], watch(luma, i / footage.fps), i, footage, wanted)
    watchers = {name: make(*sizes) for name, make in makers.items()}
    said: dict[str, list[Look]] = {name: [] for name in makers}
    for i, luma in frames(footage, stress, people=False):
        for name, watch in watchers.items():
            look = watch(luma, i / footage.fps)
            if i >= 0:
                said[name].append(look)
    for name, looks in said.items():
        _judge_empty(scores[name], looks, footage, stress)
    return scores


def _count(
    score: Score, look: Look, i: int, footage: Footage, wanted: dict[int, list[Seen]]
) -> None:
    if i < 0:
        return
    seen = under(look.regions, footage.width, footage.height)
    score.area += float(seen.mean()) / footage.count
    for _, (x1, y1, x2, y2) in wanted.get(i, ()):
        part = seen[max(0, round(y1)) : round(y2), max(0, round(x1)) : round(x2)]
        score.boxes += 1
        if part.size and float(part.mean()) >= COVERED:
            score.covered += 1
        else:
            score.misses.append(i)


def _judge_empty(score: Score, looks: list[Look], footage: Footage, stress: str) -> None:
    change = footage.count // 3 if stress in LASTING else None
    judged, last = 0, None
    blind = 0
    for i, look in enumerate(looks):
        blind = blind + 1 if look.blind else 0
        score.blind_s = max(score.blind_s, blind / footage.fps)
        if change is not None and i >= change and look.triggered:
            last = i
        if change is None or i < change or i >= change + QUIET_SECONDS * footage.fps:
            judged += 1
            score.false_share += look.triggered
    score.false_share /= max(1, judged)
    if change is not None:
        score.quiet_s = 0.0 if last is None else (last - change + 1) / footage.fps
