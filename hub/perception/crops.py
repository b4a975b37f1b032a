"""Which parts of a frame to infer, and how large, so that the fewest pixels tell the most.

A want is a box and the scale at which what is in it should be seen. Each gets context around it and
the smallest input that keeps the scale; two crops become one where that costs less, and the whole
frame is taken where crops would cost as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

IntBox = tuple[int, int, int, int]
Sides = TypeVar("Sides", IntBox, tuple[float, float, float, float])

_FIXED = 0.1  # what every run costs beside its pixels, as a share of the largest input's cost
_CUT = 0.13  # what it costs to cut and convert as many pixels as the largest input has, likewise
_STEP = 32
ROOMY = 0.6  # share of a crop's longer edge that the shorter one has at least, as a rule
_SMALL = 320  # a model of inputs below it sees a whole frame so small that it is seldom enough
_LEAST_OF_SMALL = 0.65  # share of a scale at which somebody is still found by such a model


@dataclass(frozen=True, slots=True)
class Want:
    """Something to look at: `box` in frame pixels, `scale` of the input against the frame.

    At `least` of that scale it is still found, as a rule. The shorter edge of its crop has at least
    the share `narrow` of the longer one. `reason` says why, for whoever counts.
    """

    box: tuple[float, float, float, float]
    scale: float
    margin: float = 0.3
    least: float = 0.9
    narrow: float = ROOMY
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CropPlan:
    """A part of the frame, the input side it is to be seen at, and why."""

    box: IntBox
    side: int
    reasons: frozenset[str] = frozenset()


def plan(
    wants: Sequence[Want], size: tuple[int, int], sides: Sequence[int]
) -> tuple[CropPlan, ...]:
    """Crops that hold every want. `size` is the frame's (width, height), `sides` ascending.

    With a single side every crop costs the same, so several are given up for the whole frame.
    Models of small inputs are shown the whole frame instead of crops only where it hardly shrinks.
    """
    crops = [_around(want, size, sides) for want in wants]
    crops = _merged(crops, size, sides)
    whole = CropPlan((0, 0, *size), sides[-1], frozenset(want.reason for want in wants))
    floor = _LEAST_OF_SMALL if len(sides) > 1 and sides[-1] < _SMALL else 0.0
    needed = max((want.scale * max(want.least, floor) for want in wants), default=0.0)
    enough = sides[-1] / max(size) >= needed
    dearer = sum(map(cost_of, crops)) >= cost_of(whole) if len(sides) > 1 else len(crops) > 1
    if crops and enough and dearer:
        return (whole,)
    return tuple(crops)


def whole_frame(
    size: tuple[int, int], sides: Sequence[int], tiled: bool = False, reason: str = ""
) -> tuple[CropPlan, ...]:
    """The whole frame; if `tiled`, also tiles where people might be too small to be found in it."""
    width, height = size
    side = sides[-1]
    why = frozenset({reason})
    crops = [CropPlan((0, 0, width, height), side, why)]
    if tiled and max(size) > 2.4 * side:
        crops += [CropPlan(box, side, why) for box in tiles((0, 0, width, height), min(size))]
    return tuple(crops)


def tiles(box: IntBox, edge: int, overlap: float = 0.2) -> list[IntBox]:
    """Squares of `edge` pixels that cover a box, neighbours sharing at least `overlap`."""
    x1, y1, x2, y2 = box
    return [
        (x, y, min(x + edge, x2), min(y + edge, y2))
        for y in _starts(y1, y2, edge, overlap)
        for x in _starts(x1, x2, edge, overlap)
    ]


def _starts(low: int, high: int, edge: int, overlap: float) -> list[int]:
    length = high - low
    if length <= edge:
        return [low]
    count = -(-(length - edge) // max(1, int(edge * (1 - overlap)))) + 1
    return [low + round(i * (length - edge) / (count - 1)) for i in range(count)]


def cost_of(crop: CropPlan) -> float:
    """What a crop costs to cut and to infer, where 1 is to infer a full square at 416.

    Measured: linear in the pixels that go in and in those that are cut.
    """
    x1, y1, x2, y2 = crop.box
    scale = crop.side / max(x2 - x1, y2 - y1, 1)
    across = -(-int((x2 - x1) * scale) // _STEP) * _STEP
    down = -(-int((y2 - y1) * scale) // _STEP) * _STEP
    inside, cut = across * down / 416**2, (x2 - x1) * (y2 - y1) / 416**2
    return _FIXED + (1 - _FIXED) * inside + _CUT * cut


def _around(want: Want, size: tuple[int, int], sides: Sequence[int]) -> CropPlan:
    x1, y1, x2, y2 = want.box
    width, height = x2 - x1, y2 - y1
    margin = want.margin * max(width, height)
    least = sides[0] / max(want.scale, 1e-6)
    across, down = width + 2 * margin, height + 2 * margin
    longest = max(across, down, least)
    short = want.narrow * longest
    across, down = max(across, short), max(down, short)
    if max(across, down) < longest:
        down = longest
    middle = (x1 + x2) / 2, (y1 + y2) / 2
    box = _placed(*middle, across, down, size)
    side = _side(box, want.scale, sides)
    if len(sides) > 1:
        box = _placed(*middle, *_filled(box, side), size)
    return CropPlan(box, side, frozenset({want.reason}))


def _filled(box: IntBox, side: int) -> tuple[int, int]:
    """Width and height of a crop that fills its input, which would be padded with grey else."""
    across, down = box[2] - box[0], box[3] - box[1]
    longest = max(across, down)
    return _full(across, longest, side), _full(down, longest, side)


def _full(edge: int, longest: int, side: int) -> int:
    """The most even pixels that need no more of the input than `edge` does."""
    steps = -(-round(edge * side / longest) // _STEP)
    return max(edge, min(longest, int(steps * _STEP * longest / side / 2) * 2))


def _side(box: IntBox, scale: float, sides: Sequence[int]) -> int:
    longest = max(box[2] - box[0], box[3] - box[1])
    return next((side for side in sides if side >= 0.97 * longest * scale), sides[-1])


def _placed(x: float, y: float, across: float, down: float, size: tuple[int, int]) -> IntBox:
    """A box of that size around a point, moved inside the frame rather than cut by it."""
    x1, x2 = _moved(x, across, size[0])
    y1, y2 = _moved(y, down, size[1])
    return x1, y1, x2, y2


def _moved(centre: float, length: float, limit: int) -> tuple[int, int]:
    span = min(round(length), limit)
    start = min(max(0, round(centre - length / 2)), limit - span)
    start -= start % 2  # even corners keep chroma samples whole
    return start, min(limit, start + span + span % 2)


def _merged(crops: list[CropPlan], size: tuple[int, int], sides: Sequence[int]) -> list[CropPlan]:
    """Join the pair that saves most, again and again, while joining saves anything."""
    crops = list(crops)
    while len(crops) > 1:
        best: tuple[float, int, int, CropPlan] | None = None
        for i, j in combinations(range(len(crops)), 2):
            joined = _joined(crops[i], crops[j], sides)
            saved = cost_of(crops[i]) + cost_of(crops[j]) - cost_of(joined)
            if _scale(joined) >= 0.9 * max(_scale(crops[i]), _scale(crops[j])) and (
                best is None or saved > best[0]
            ):
                best = (saved, i, j, joined)
        if best is None or best[0] < 0:
            return crops
        _, i, j, joined = best
        crops = [crop for k, crop in enumerate(crops) if k not in (i, j)] + [joined]
    return crops


def _joined(a: CropPlan, b: CropPlan, sides: Sequence[int]) -> CropPlan:
    box = bounds([a.box, b.box])
    side = _side(box, max(_scale(a), _scale(b)), sides)
    return CropPlan(box, side, a.reasons | b.reasons)


def _scale(crop: CropPlan) -> float:
    return crop.side / max(crop.box[2] - crop.box[0], crop.box[3] - crop.box[1], 1)


def bounds(boxes: Iterable[Sides]) -> Sides:
    """The smallest box around some."""
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)
