"""What all model families have in common: ports of a graph, how a picture goes in, what comes out.

A family is a module that looks at a graph and says which heads it could have. A head turns the
graph's outputs into rows: boxes, scores and class numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_ROWS = 1000  # considered for one picture, the best of them
MOST_KEPT = 300  # finds in one picture
MOST_SHOWN = 60  # letters of a name in a message
SURE = 1.01  # above which a score is none; sixteen-bit floats round up to a little over one
LEAST = -0.01  # likewise, below which
IMAGENET_MEAN, IMAGENET_SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # R, G, B

Floats = NDArray[np.float32]
Output = NDArray[Any]
Outputs = Sequence[Output]
Size = tuple[int, int]  # height, width of the input


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output: its name, element type (`float`, `int64`, ...) and shape."""

    name: str
    kind: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        inner = ", ".join("?" if length is None else str(length) for length in self.shape)
        name = "".join(letter for letter in self.name[:MOST_SHOWN] if letter.isprintable())
        return f"{name} {self.kind} [{inner}]"


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph as it was found: `outputs` have the shapes that a picture of `size` really gave."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    size: Size
    metadata: Mapping[str, str] = field(default_factory=dict)

    def output(self, *parts: str) -> int | None:
        """The number of the output whose name has one of these parts: the only one, or the one
        that is named as TensorFlow's models name what is found at last.
        """
        found = [
            number
            for number, port in enumerate(self.outputs)
            if any(part in port.name.lower() for part in parts)
        ]
        last = {f"detection_{part}" for part in parts}
        named = [n for n in found if self.outputs[n].name.lower().partition(":")[0] in last]
        single = found if len(found) == 1 else named
        return single[0] if len(single) == 1 else None

    def __str__(self) -> str:
        parts = "inputs", self.inputs, "outputs", self.outputs
        return "{} {}; {} {}".format(
            *(each if isinstance(each, str) else ", ".join(map(str, each)) for each in parts)
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """How a picture goes in: value = (pixel - mean) / spread, by channel of the model's order.

    `fit` is `corner` or `centre` (scaled evenly, the rest padded) or `stretch`.
    """

    rgb: bool
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spread: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fit: str = "corner"
    padding: int = 114

    @classmethod
    def unit(cls, fit: str = "centre") -> Picture:
        """RGB, 0 to 1."""
        return cls(True, spread=(255.0,) * 3, fit=fit)

    @classmethod
    def imagenet(cls, *, rgb: bool, fit: str) -> Picture:
        """Mean and deviation of ImageNet's pixels, as torchvision publishes them."""
        step = 1 if rgb else -1
        r, g, b = IMAGENET_MEAN[::step]
        x, y, z = IMAGENET_SPREAD[::step]
        return cls(rgb, (r, g, b), (x, y, z), fit)

    def is_imagenet(self) -> bool:
        """Whether pixels go in by ImageNet's mean and deviation."""
        return sorted(self.mean) == sorted(IMAGENET_MEAN)

    def words(self, channels: int) -> str:
        """What goes in, such as "BGR, 0 to 255"."""
        colour = "luma" if channels == 1 else "RGB" if self.rgb else "BGR"
        if self.is_imagenet():
            return f"{colour} by ImageNet's mean"
        low, high = (
            sorted({round((end - mean) / spread, 1) for mean, spread in self._pairs()})
            for end in (0, 255)
        )
        return f"{colour}, {low[0]:g} to {high[-1]:g}"

    def _pairs(self) -> list[tuple[float, float]]:
        return list(zip(self.mean, self.spread, strict=True))


@dataclass(frozen=True, slots=True)
class Rows:
    """What was found: boxes (n, 4) x1 y1 x2 y2 in input pixels, scores (n,) and class numbers (n,).

    Best first.
    """

    boxes: Floats
    scores: Floats
    classes: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of an output: class numbers, the lowest score, how many classes have names."""

    classes: NDArray[np.intp]
    least: float
    known: int


Read = Callable[[Outputs, Size, Asked], Rows]
Feed = Callable[[Size], dict[str, Output]]


def _nothing_more(size: Size) -> dict[str, Output]:
    return {}


@dataclass(frozen=True, slots=True)
class Head:
    """One way to read a graph. `read` raises `ValueError` for outputs that are not of its shape.

    `classes` is how many the outputs have, None where they do not say. `first` is the number of the
    first class, where names are told without a background. `distinct` ones need no suppression,
    `resizable` ones may be tried at other input sizes than their own.
    """

    family: str
    classes: int | None
    picture: Picture
    read: Read
    feed: Feed = _nothing_more
    first: int = 0
    distinct: bool = False
    resizable: bool = True
    usual: tuple[str, ...] = ()  # the names where nobody tells any


def best_of(scores: Floats, asked: Asked) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Row numbers, scores and classes of the rows whose best wanted class is good enough.

    `scores` is (rows, classes). Best first, at most 1000. Raises `ValueError` where they are none.
    """
    wanted = scores if scores.shape[1] == len(asked.classes) else scores[:, asked.classes]
    column = wanted.argmax(axis=1)
    best = wanted[np.arange(len(column)), column]
    rows = ranked(best, asked.least)
    return rows, np.minimum(best[rows], 1).astype(np.float32), asked.classes[column[rows]]


def sane(scores: Floats) -> None:
    """Raise `ValueError` where scores are not between 0 and 1, or all are no numbers."""
    found = scores[np.isfinite(scores)]
    if not len(found):
        if len(scores):
            raise ValueError("not one of its scores is a finite number")
        return
    for score in (float(found.min()), float(found.max())):
        if not LEAST <= score <= SURE:
            raise ValueError(
                f"a score is {score:.3g}; expected 0 to 1 (was it exported without its last "
                "sigmoid?)"
            )


def ranked(scores: Floats, least: float) -> NDArray[np.intp]:
    """The rows with a score of at least `least`, best first, at most 1000.

    Raises `ValueError` where scores are not between 0 and 1, or all are no numbers.
    """
    sane(scores)
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero((scores >= least) & np.isfinite(scores))
    return rows[np.argsort(-scores[rows], kind="stable")][:MOST_ROWS]


def listed(boxes: Floats, scores: Floats, classes: Output, asked: Asked) -> Rows:
    """Rows of a list of finds: boxes (n, 4), scores (n,) and class numbers (n,)."""
    if not len(scores):
        return finite(boxes, scores, np.zeros(0, np.intp))
    with np.errstate(invalid="ignore"):
        numbers = np.where(np.isfinite(classes), classes, -1).clip(-1, 1 << 20)
    whole = numbers.astype(np.intp)
    rows = ranked(scores, asked.least)
    if (numbers[rows] != whole[rows]).any():
        raise ValueError("a class number is no whole number")
    if len(rows) and not 0 <= whole[rows].min() <= whole[rows].max() < asked.known:
        strange = next(int(n) for n in whole[rows] if not 0 <= n < asked.known)
        raise ValueError(f"it answers with class {strange}, and {asked.known} classes have names")
    rows = rows[np.isin(whole[rows], asked.classes)]
    return finite(boxes[rows], np.minimum(scores[rows], 1), whole[rows])


def finite(boxes: Floats, scores: Floats, classes: NDArray[np.intp]) -> Rows:
    """The rows whose boxes are finite."""
    sound = np.isfinite(boxes).all(axis=1)
    return Rows(boxes[sound].astype(np.float32), scores[sound].astype(np.float32), classes[sound])


def corners(centres: Floats) -> Floats:
    """Boxes given as centre x, centre y, width, height (n, 4) as x1 y1 x2 y2."""
    half = centres[:, 2:] / 2
    return np.concatenate([centres[:, :2] - half, centres[:, :2] + half], axis=1)


def scaled(boxes: Floats, size: Size) -> Floats:
    """Boxes in parts of the input (n, 4) as boxes in its pixels."""
    height, width = size
    return boxes * np.array([width, height, width, height], np.float32)


def shaped(output: Output, *shape: int | None) -> Floats:
    """A float output without its batch dimension. Raises `ValueError` for another shape."""
    if len(output.shape) != len(shape) + 1 or output.shape[0] != 1 or any(
        length not in (None, found)
        for length, found in zip(shape, output.shape[1:], strict=True)
    ):  # fmt: skip
        wanted = ", ".join("N" if length is None else str(length) for length in (1, *shape))
        raise ValueError(f"an output has the shape {list(output.shape)}; expected [{wanted}]")
    return np.asarray(output[0], np.float32)


def cells(size: Size, strides: Sequence[int]) -> int:
    """How many cells the grids of these strides have together, cut cells counted."""
    height, width = size
    return sum(-(-height // stride) * -(-width // stride) for stride in strides)
