"""What looking where it matters keeps of the whole frame's recall, and spends of its time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hub.bench.inference import RECALL, TIME, TIME_IN_VIEW, Compared

LEFT, TOP, WIDE, TALL, APART = 70, 80, 440, 380, 550
UNDER, LINE, KEYS = 50, 20, 4  # below the axis, height of a line, names beside each other
LOW, HIGH, LONG = 0.9, 1.1, 0.6  # recall and time that are shown in any case
OTHER, ALWAYS, GOAL = "#1b6ca8", "#d08400", "#b3261e"
INK, PALE = "#222222", "#dddddd"
SUMS = ("always in view", "all")
Space = tuple[float, float, float, float]


def draw(found: Mapping[str, Mapping[str, Compared]], file: Path) -> None:
    """One chart for each model, a dot for each clip, the goals as lines; raises `OSError`.

    Dots of places where people are always in view have a colour of their own, sums are squares. Who
    keeps more than HIGH lies on the upper edge; clips with nobody to find are hollow, on the lower.
    """
    names = list(next(iter(found.values()), {}))
    below = TOP + TALL + UNDER
    wide = max(1, len(found)) * APART + 20
    beside = max(2, round(KEYS * wide / (2 * APART)))
    size = (wide, below + (math.ceil(len(names) / beside) + 2) * LINE)
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for number, (model, rows) in enumerate(found.items()):
        _Chart(pen, LEFT + number * APART, rows).draw(model, names)
    for number, name in enumerate(names):
        at = (LEFT + number % beside * (wide // beside), below + number // beside * LINE)
        pen.text(at, f"{number + 1}  {name}", INK, _font(13))
    told = (
        (0, "people always in view", ALWAYS, ALWAYS),
        (210, "other clips", OTHER, OTHER),
        (330, "nobody to find", "white", OTHER),
        (470, "goals", GOAL, GOAL),
    )
    for x, words, fill, line in told:
        y = size[1] - LINE
        pen.ellipse([LEFT + x, y - 5, LEFT + x + 10, y + 5], fill, line, 2)
        pen.text((LEFT + x + 16, y), words, INK, _font(13), anchor="lm")
    image.save(file, "PNG")


class _Chart:
    """One model's chart, and where there is still room for words."""

    def __init__(self, pen: ImageDraw.ImageDraw, left: int, rows: Mapping[str, Compared]) -> None:
        self._pen, self._left, self._rows = pen, left, rows
        kept = [one.recall_ratio for one in rows.values() if one.recall_ratio is not None]
        self._low = math.floor(min([LOW, *kept]) * 20) / 20
        self._long = math.ceil(max([LONG, *(one.time_ratio for one in rows.values())]) * 10) / 10
        self._taken: list[Space] = []

    def draw(self, model: str, names: list[str]) -> None:
        """Axes, goals, dots and their numbers."""
        self._axes(model)
        self._goals()
        self._taken += [_around(*self._at(one), 6) for one in self._rows.values()]
        for name, one in self._rows.items():
            colour = ALWAYS if one.always or name == SUMS[0] else OTHER
            x, y = self._at(one)
            shape = self._pen.rectangle if name in SUMS else self._pen.ellipse
            far = 6 if name in SUMS else 4
            fill = "white" if one.recall_ratio is None else colour
            shape([x - far, y - far, x + far, y + far], fill, INK if name in SUMS else colour, 2)
            self._number(str(names.index(name) + 1), x, y)

    def _at(self, one: Compared) -> tuple[float, float]:
        kept = self._low if one.recall_ratio is None else min(HIGH, one.recall_ratio)
        return self._x(one.time_ratio), self._y(kept)

    def _x(self, share: float) -> float:
        return self._left + share / self._long * WIDE

    def _y(self, share: float) -> float:
        return TOP + TALL - (share - self._low) / (HIGH - self._low) * TALL

    def _axes(self, model: str) -> None:
        title = f"{model}: recall kept, % of the whole frame's"
        self._pen.text((self._left, TOP - 64), title, INK, _font(15))
        for percent in _ticks(self._low, HIGH, 2):
            y = self._y(percent / 100)
            self._pen.line([(self._left, y), (self._left + WIDE, y)], PALE)
            more = "+" if percent == round(100 * HIGH) else ""
            self._pen.text((self._left - 8, y), f"{percent}{more}", INK, _font(12), anchor="rm")
        for percent in _ticks(0, self._long, 10):
            at = (self._x(percent / 100), TOP + TALL + 6)
            self._pen.text(at, str(percent), INK, _font(12), anchor="ma")
        at = (self._left + WIDE / 2, TOP + TALL + 22)
        self._pen.text(at, "time spent, % of the whole frame's", INK, _font(13), anchor="ma")

    def _goals(self) -> None:
        y = self._y(RECALL)
        self._pen.line([(self._left, y), (self._left + WIDE, y)], GOAL, 2)
        for share, words in ((TIME, "all"), (TIME_IN_VIEW, "always in view")):
            x = self._x(share)
            self._pen.line([(x, TOP - 18), (x, TOP + TALL)], GOAL, 2)
            self._pen.text((x, TOP - 36), f"{words}: {share:.0%}", GOAL, _font(12), anchor="ma")

    def _number(self, words: str, x: float, y: float) -> None:
        """Write beside a dot, where nothing else is if there is such a place."""
        places = [_around(cx, cy, 7) for cx, cy in _near(x, y)]
        free = (one for one in places if not any(_meet(one, other) for other in self._taken))
        space = next(free, places[0])
        self._taken.append(space)
        middle = ((space[0] + space[2]) / 2, (space[1] + space[3]) / 2)
        self._pen.text(
            middle, words, INK, _font(12), anchor="mm", stroke_width=2, stroke_fill="white"
        )


def _near(x: float, y: float) -> Iterator[tuple[float, float]]:
    for far in (14, 20, 28):
        for turn in range(8):
            angle = turn * math.pi / 4
            yield x + far * math.cos(angle), y - far * math.sin(angle)


def _around(x: float, y: float, far: float) -> Space:
    return x - far, y - far, x + far, y + far


def _meet(one: Space, other: Space) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _ticks(low: float, high: float, step: int) -> range:
    """Whole percents for an axis, ten times as far apart where it is long."""
    first, last = round(100 * low), round(100 * high)
    return range(first + -first % step, last + 1, step * (1 if last - first <= 16 * step else 10))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
