"""What of a camera's usual scene a picture still shows.

The gate's grid of cell means is halved, freed of light and shading (each value less the mean
around it) and compared, block by block, with the same of a scene remembered over minutes. Light
switches and dusk change how strong a structure is, hardly ever where it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCK = 4  # values of the halved grid along a block's side, about
AROUND = 3  # values a mean around a value is taken over
FLAT = 0.6  # grey levels (rms) up to which a block holds nothing but noise
FLAT_SHARE = 0.3  # of a block's usual structure, likewise
TEXTURED = 1.0  # grey levels (rms) from which a block can be known again
ALIKE = 0.5  # correlation from which a block shows what it used to, whatever its sign
NEEDED = 0.15  # share of the blocks that must be textured before anything is judged
RELIT, RELIT_TIMES = 8.0, 2.5  # grey levels; times the usual change of light
OVERLAP = 0.35  # share of the picture that two views must have in common to be laid over
SHARP_ROWS, LAGS = 24, (1, 2, 4)


class Showing(NamedTuple):
    """What a picture shows of the scene, in shares of the blocks that can be known again.

    `known` show what they used to, `empty` show nothing at all and nothing known. `gain` is the
    structure's strength over its usual one.
    """

    known: float
    empty: float
    gain: float


class Shift(NamedTuple):
    """Where the scene is found now: cells right and down, and how well it fits there and here."""

    right: int
    down: int
    there: float
    here: float


class Scene:
    """The remembered structure of one camera's scene, on a grid of (lines, columns) cells.

    `looked_at` (lines, columns) is 1 in cells that may be looked at. `light` is the mean grey level
    of the picture, `learned` the number of pictures that were learned from, and `can_judge` says
    whether the remembered scene has structure enough to be known again.
    """

    def __init__(self, looked_at: Floats) -> None:
        self.cells = lines, columns = looked_at.shape
        self._half = 2 if lines >= 20 and columns >= 40 else 1
        halved = _halved(looked_at, self._half)
        valid = _ring(halved) >= 0.999
        self._valid = valid.astype(np.float32)
        down, across = (_means_of_three(size) for size in halved.shape)
        self._around = down, np.ascontiguousarray(across.T)
        self._blocks = Blocks(valid)
        self._cells_valid = (_ring(_smooth(looked_at)) >= 0.999).astype(np.float32)
        self.blocks = len(self._blocks)
        self._needed = max(4.0, NEEDED * self.blocks)
        self.forget()

    def forget(self) -> None:
        """Begin with no scene."""
        self.learned = 0
        self.can_judge = False
        self.light = 0.0
        self._usual = np.zeros(self._valid.shape, np.float32)
        self._usual_means = np.zeros(self.cells, np.float32)
        self._textured = np.zeros(self.blocks, np.bool_)
        self._texture = np.zeros(0, np.float32)
        self._usual_lights = np.zeros(self.blocks, np.float32)
        self._usual_relit = 0.0
        self._lights: Floats | None = None
        self._held = self._usual
        self._held_power = np.zeros(self.blocks, np.float32)

    def memory(self) -> dict[str, NDArray[np.float32]]:
        """What is remembered, to be kept."""
        return {
            "usual": self._usual,
            "means": self._usual_means,
            "lights": self._usual_lights,
            "numbers": np.array([self.learned, self._usual_relit], np.float32),
        }

    def remember(self, kept: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on with what was kept. Raises `ValueError` where it is of another grid or damaged."""
        learned, relit = kept["numbers"].tolist()
        mine = (self._usual, self._usual_means, self._usual_lights)
        usual, means, lights = (kept[name] for name in ("usual", "means", "lights"))
        for own, other in zip(mine, (usual, means, lights), strict=True):
            if own.shape != other.shape or not np.isfinite(other).all():
                raise ValueError("a scene of another grid")
        self.learned, self._usual_relit = int(learned), float(relit)
        self._usual, self._usual_means, self._usual_lights = usual, means, lights
        self._judge_structure()

    def sense(self, means: Floats) -> None:
        """Take in a picture's cell means (lines, columns), for the questions below."""
        self._means = means
        halved = _halved(means, self._half)
        down, across = self._around
        around = _between(down, halved, across)
        self.light = float(np.add.reduce(halved, axis=None)) / halved.size
        self._halved = halved[1:-1, 1:-1]
        self._lights = None
        self._now: Floats = (self._halved - around) * self._valid
        self._power = self._blocks.means(np.square(self._now))

    @property
    def is_structured(self) -> bool:
        """Whether the picture itself has structure that could be known again."""
        return bool(np.count_nonzero(self._power > TEXTURED**2) >= self._needed)

    @property
    def shows_nothing(self) -> bool:
        """Whether there is nothing in the picture but noise and shading."""
        with_structure = np.count_nonzero(self._power > FLAT**2)
        return bool(self.blocks > 0 and with_structure <= 0.02 * self.blocks)

    def showing(self) -> Showing:
        """Compare the picture with the remembered scene, which must be one that `can_judge`."""
        count = len(self._texture)
        joint = self._blocks.means(self._now * self._usual)[self._textured]
        power = self._power[self._textured]
        known = joint * joint > power * self._alike
        return Showing(
            known=np.count_nonzero(known) / count,
            empty=np.count_nonzero((power < self._flat) & ~known) / count,
            gain=float(np.add.reduce(np.abs(joint))) / self._strength,
        )

    def is_relit(self) -> bool:
        """Whether the light has changed by more than it often does, with clouds or people."""
        return self._relit() > max(RELIT, RELIT_TIMES * self._usual_relit)

    def as_held(self) -> float:
        """The share of blocks, among those that show something, that are as in the picture held."""
        something = self._power >= FLAT**2
        same = self._blocks.means(self._now * self._held)
        still = (same > ALIKE * np.sqrt(self._power * self._held_power)) & something
        return int(np.count_nonzero(still)) / max(1, int(np.count_nonzero(something)))

    def hold(self) -> None:
        """Hold this picture, to see whether those that follow stay as it is."""
        self._held, self._held_power = self._now, self._power

    def learn(self, rate: float) -> None:
        """Draw the remembered scene towards the picture; the first pictures weigh alike."""
        self.learned += 1
        rate = max(rate, 1.0 / self.learned)
        self._usual = self._usual + np.float32(rate) * (self._now - self._usual)
        self._judge_structure()
        if self.learned > 1:
            self._usual_relit += rate * (min(RELIT, self._relit()) - self._usual_relit)
        self._usual_lights += np.float32(rate) * (self._light_of_blocks() - self._usual_lights)
        self._usual_means += np.float32(rate) * (self._means - self._usual_means)

    def _judge_structure(self) -> None:
        power = self._blocks.means(np.square(self._usual))
        self._textured = power > TEXTURED**2
        self._texture = texture = power[self._textured]
        self._strength = float(np.add.reduce(texture))
        self._alike = ALIKE**2 * texture
        self._flat = np.maximum(FLAT**2, FLAT_SHARE**2 * texture)
        self.can_judge = bool(np.count_nonzero(self._textured) >= self._needed)

    def _light_of_blocks(self) -> Floats:
        if self._lights is None:
            self._lights = self._blocks.means(self._halved * self._valid)
        return self._lights

    def _relit(self) -> float:
        """By how many grey levels the light is another than usual, on average over the blocks."""
        change = np.abs(self._light_of_blocks() - self._usual_lights)
        return float(np.add.reduce(change)) / max(1, self.blocks)

    def shift(self) -> Shift:
        """Where in the picture the remembered scene fits best."""
        before = _ring_band(self._usual_means) * self._cells_valid
        now = _ring_band(self._means) * self._cells_valid
        return _best_shift(before, now, self._cells_valid)


class Fineness(NamedTuple):
    """Fine structure, and how far noise alone may put it out; both grey levels squared."""

    power: float
    error: float


class Sharpness:
    """How much fine structure a plane of (height, width) pixels has, whatever its noise.

    Second differences over one pixel are small where edges are soft, those over two are not.
    White noise adds the same to both and drops out of their difference.
    """

    def __init__(self, shape: tuple[int, int], shown: NDArray[np.uint8] | None) -> None:
        height = shape[0]
        count = min(SHARP_ROWS, height)
        self._rows = slice(height // (2 * count), None, height // count)
        self._seen: list[Floats] = []
        if shown is not None:
            seen = shown[self._rows] != 0
            self._seen = [(seen[:, k:] & seen[:, :-k]).astype(np.float32) for k in LAGS]

    def measure(self, luma: NDArray[np.uint8]) -> Fineness:
        """The fine structure of a plane; its power is near 0 for noise, blur and emptiness."""
        rows = luma[self._rows].astype(np.float32)
        flat, powers = rows.ravel(), []
        for number, lag in enumerate(LAGS):
            step = np.empty_like(rows)  # in one line, which costs half of what rows do
            line = step.ravel()
            np.subtract(flat[lag:], flat[:-lag], out=line[:-lag])
            step[:, -lag:] = 0
            if self._seen:
                step[:, :-lag] *= self._seen[number]
            powers.append(float(np.dot(line, line)) / (line.size - lag * len(rows)))
        one, two, four = powers
        narrow, wide = 4.0 * one - two, 4.0 * two - four
        return Fineness(wide - narrow, 2.8 * narrow / math.sqrt(rows.size))


def _halved(cells: Floats, half: int) -> Floats:
    if half == 1:
        return cells
    lines, columns = cells.shape[0] // 2 * 2, cells.shape[1] // 2 * 2
    top, bottom = cells[0:lines:2], cells[1:lines:2]
    whole = top + bottom
    out: Floats = (whole[:, 0:columns:2] + whole[:, 1:columns:2]) * np.float32(0.25)
    return out


def _ring(values: Floats) -> Floats:
    """The mean of the 3 x 3 values around each that has all its neighbours."""
    rows = values[:-2] + values[1:-1] + values[2:]
    out: Floats = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) * np.float32(1 / 9)
    return out


def _between(left: Floats, plane: Floats, right: Floats) -> Floats:
    return np.asarray(left @ plane @ right, np.float32)


def _means_of_three(size: int) -> Floats:
    """(size - 2, size): a row takes the mean of a value and its two neighbours."""
    out = np.zeros((max(0, size - 2), size), np.float32)
    for row in range(len(out)):
        out[row, row : row + 3] = 1 / 3
    return out


def _smooth(cells: Floats) -> Floats:
    whole = cells[:-1] + cells[1:]
    out: Floats = (whole[:, :-1] + whole[:, 1:]) * np.float32(0.25)
    return out


def _ring_band(cells: Floats) -> Floats:
    """Each cell less the mean around it; not halved, so that a shift of one cell is seen."""
    smooth = _smooth(cells)
    centre = smooth[1:-1, 1:-1]
    wide = np.pad(smooth, 1, mode="edge")
    lines, columns = centre.shape
    rows = np.stack([wide[k : k + lines] for k in range(5)]).sum(0)
    around = np.stack([rows[:, k : k + columns] for k in range(5)]).sum(0)
    out: Floats = (centre - around / 25).astype(np.float32)
    return out


class Blocks:
    """Means over blocks of a plane (lines, columns); those half hidden are left out.

    `valid` (lines, columns) is false where nobody may look. Two small products are cheaper than a
    large one, whose matrix would have to be fetched from memory each time.
    """

    def __init__(self, valid: NDArray[np.bool_]) -> None:
        down, across = (_gathering(size) for size in valid.shape)
        inside = down @ valid.astype(np.float32) @ across.T
        whole = down @ np.ones(valid.shape, np.float32) @ across.T
        self._kept = (2 * inside >= whole).ravel() & (inside > 0).ravel()
        self._down: Floats = down
        self._across: Floats = np.ascontiguousarray(across.T)
        self._shares: Floats = (1 / inside.ravel()[self._kept]).astype(np.float32)
        self._all = bool(self._kept.all())

    def __len__(self) -> int:
        return len(self._shares)

    def means(self, plane: Floats) -> Floats:
        """(blocks,): the mean of each block of a plane that is nought where nobody may look."""
        sums = _between(self._down, plane, self._across).ravel()
        kept = sums if self._all else sums[self._kept]
        out: Floats = np.multiply(kept, self._shares, dtype=np.float32)
        return out


def _gathering(size: int) -> Floats:
    """(blocks, size): which values along a side belong to which block, as 0 and 1."""
    count = max(1, round(size / BLOCK))
    number = np.arange(size) * count // max(1, size)
    return np.asarray(np.arange(count)[:, None] == number, np.float32)


def _best_shift(before: Floats, now: Floats, valid: Floats) -> Shift:
    """Normalised correlation over every shift that leaves enough in common."""
    lines, columns = before.shape
    size = (2 * lines, 2 * columns)

    def spectrum(values: Floats) -> NDArray[np.complex128]:
        return np.fft.rfft2(values, size)

    def across(left: NDArray[np.complex128], right: NDArray[np.complex128]) -> NDArray[np.float64]:
        return np.fft.irfft2(np.conj(left) * right, size)

    seen = spectrum(valid)
    joint = across(spectrum(before), spectrum(now))
    power = across(spectrum(before * before), seen) * across(seen, spectrum(now * now))
    enough = across(seen, seen) > OVERLAP * float(valid.sum())
    least = 0.05 * float((before * before).sum()) * float((now * now).sum())
    fit = np.where(enough & (power > max(least, 1e-3)), joint / np.sqrt(np.maximum(power, 1e-3)), 0)
    at = int(np.argmax(fit))
    down, right = divmod(at, size[1])
    return Shift(
        right - size[1] if right > columns else right,
        down - size[0] if down > lines else down,
        float(fit[down, right]),
        float(fit[0, 0]),
    )
