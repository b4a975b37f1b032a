"""Whether a camera still shows what it should: covered, turned, out of focus, frozen, repeating
itself or blind.

Looked at every three seconds, on the gate's own grid of cell means. What is found must last before
it is told, and be over for a while before its end is told. Time is the pictures' own: a stream
that stops adds next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hub.perception import motion_grid as G
from hub.perception.motion import State
from hub.perception.repeats import Repeats
from hub.perception.stillness import Hold, Stillness
from hub.perception.tamper_scene import Fineness, Scene, Sharpness, Shift, Showing

Kind = Literal["covered", "moved", "defocused", "frozen", "repeating", "blind"]

EVERY_SECONDS = 3.0
LONGEST_STEP = 6.0  # what one look may count for, however long the stream was away
SHARP_EVERY = 2  # looks
SEEN_LINES = 4  # of every so many lines of cells one tells pictures apart
LEARN_EVERY = 4  # looks, on which sharpness is measured too: the scene follows over minutes

LEARN_SECONDS = 60.0  # at first, with all pictures weighing alike
USUAL_SECONDS = 300.0  # the remembered scene follows what it knows again
STRANGE_SECONDS = 1800.0  # and what it does not
ACCEPT_SECONDS = 6 * 3600.0  # another view that lasts is the camera's view

COVERED_SECONDS, BLACK_SECONDS = 15.0, 30.0
COVERED_SHARE, COVERED_ON_SHARE = 0.75, 0.5  # to begin, to go on
BLACK = 28.0  # grey levels: the mean of a picture without light

TURNED_SECONDS = 10.0  # where the scene is found elsewhere in the picture
STRANGE_VIEW_SECONDS = 90.0  # where it is not found: a bus may stand there
UNKNOWN_SHARE = 0.35
KNOWN_SHARE, WHOLLY_KNOWN_SHARE = 0.65, 0.85
STEADY_SHARE = 0.7
SHIFT_FIT, SHIFT_BETTER, SHIFT_CELLS = 0.55, 0.25, 2

DEFOCUSED_SECONDS = 20.0
SOFT_SHARE, SOFT_ON_SHARE = 0.3, 0.5  # of the usual fine structure
SAME_GAIN = 0.2  # of the usual contrast; softness itself takes some away
SHARP_LEAST = 2.0  # grey levels squared: less fine structure than this cannot be judged
SHARP_ERRORS = 5.0  # nor what noise may have made

BLIND_SECONDS = 15.0  # over which the gate's blindness is averaged
BLIND_SHARE, BLIND_ON_SHARE = 0.3, 0.1
NOTHING_SECONDS = 30.0

OVER_SECONDS = 10.0

CHANGING = "the whole picture keeps changing, so that motion cannot be told"
NOTHING = "the picture shows nothing that could be told apart"
BLACKENED = "the picture is black; the lens is covered, or there is no light at all"
COVERED = "nothing of the usual scene shows; something covers the lens"
STRANGE = "another scene shows; the camera was turned, or something fills its view"
SOFT = "edges have gone soft; the lens is out of focus, or dirty"
FROZEN = "pictures come, but they are all the same, to the last grey level"
REPEATING = "pictures that it has shown before come again, to the last grey level"
ACCEPTED = "it has lasted so long that it is taken for the usual picture"
ENDED: Mapping[Kind, str] = {
    "covered": "structure shows again",
    "moved": "the usual scene is back in its place",
    "defocused": "edges are sharp again",
    "frozen": "the picture changes again",
    "repeating": "its pictures are new again",
    "blind": "motion can be judged again",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Something has begun to be wrong, or has ended.

    `since` is when it was first seen, in seconds on the pictures' clock; `words` say what is seen.
    """

    kind: Kind
    began: bool
    since: float
    words: str


class TamperWatch:
    """What is wrong with one camera's pictures of `size` (width, height) pixels.

    `shown` (height, width) is 0 where nobody may look.
    """

    def __init__(self, size: tuple[int, int], shown: NDArray[np.uint8] | None = None) -> None:
        self._scene = Scene(_looked_at(size, shown))
        self._sharpness = Sharpness((size[1], size[0]), shown)
        self._stillness = Stillness()
        self._repeats = Repeats()
        self._holds: dict[Kind, Hold] = {
            "covered": Hold(COVERED_SECONDS, OVER_SECONDS),
            "moved": Hold(STRANGE_VIEW_SECONDS, OVER_SECONDS),
            "defocused": Hold(DEFOCUSED_SECONDS, OVER_SECONDS),
            "frozen": Hold(0.0, 0.0),
            "repeating": Hold(0.0, 0.0),
            "blind": Hold(0.0, 0.0),
        }
        self._nothing = Hold(NOTHING_SECONDS, OVER_SECONDS)
        self._time: float | None = None
        self._now = 0.0
        self._looked_at = 0.0
        self._looks = 0
        self._blind_for = 0.0
        self._unjudged = 0.0
        self._stirred = False
        self._sharp: Fineness | None = None
        self._usual_sharp: Fineness | None = None
        self._shift: Shift | None = None
        self._words: dict[Kind, str] = {}
        self._changes: list[Change] = []

    @property
    def standing(self) -> dict[Kind, str]:
        """What is wrong now, and in words what is seen of it."""
        return {kind: self._words[kind] for kind, hold in self._holds.items() if hold.standing}

    def since(self, kind: Kind) -> float:
        """When something that is wrong was first seen, in seconds on the pictures' clock."""
        return (self._time or 0.0) - (self._now - self._holds[kind].since)

    def note(self, time: float, state: State, triggered: bool) -> bool:
        """Take note of a frame's time (s) and the gate's answer; whether to `look` at it."""
        before, self._time = self._time, time
        if before is not None and time > before:  # plainly, since it is done for every frame
            gap = time - before if time - before < LONGEST_STEP else LONGEST_STEP
            self._now += gap
            if state == "blind":
                self._blind_for += gap
        if triggered:
            self._stirred = True
        return self._now - self._looked_at >= EVERY_SECONDS

    def see(self, means: NDArray[np.float32]) -> None:
        """Take note of the cell means of the frame just noted."""
        self._repeats.see(means[::SEEN_LINES].tobytes(), self._now)

    def look(self, luma: NDArray[np.uint8], means: NDArray[np.float32], keys: int) -> list[Change]:
        """Look at the frame just noted.

        `luma` is its plane (height, width), `means` the gate's cell means (lines, columns), `keys`
        how many key frames have come so far.
        """
        step = min(self._now - self._looked_at, LONGEST_STEP)
        share = self._blind_for / max(step, self._blind_for, 1e-6)
        self._unjudged += -math.expm1(-step / BLIND_SECONDS) * (share - self._unjudged)
        self._looked_at, self._blind_for = self._now, 0.0
        self._looks += 1
        self._changes = []
        self._stillness.look(means, self._stirred, step, keys)
        self._stirred = False
        self._scene.sense(means)
        self._sharp = None if self._looks % SHARP_EVERY else self._sharpness.measure(luma)
        self._judge_scene(step)
        self._judge_frozen(step)
        self._judge_repeating(step)
        self._judge_blind(step)
        return self._changes

    @property
    def knows(self) -> bool:
        """Whether the usual scene has been learned, so that another would be told."""
        return self._scene.can_judge and self._scene.learned * EVERY_SECONDS >= LEARN_SECONDS

    def memory(self) -> dict[str, NDArray[np.float32]] | None:
        """The usual scene, to be kept; None while it is not known."""
        if not self.knows or self._usual_sharp is None:
            return None
        return {**self._scene.memory(), "sharp": np.array(self._usual_sharp, np.float32)}

    def remember(self, kept: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on with a scene that was kept. Raises `ValueError` or `KeyError` for a damaged one,
        and then knows none.
        """
        power, error = kept["sharp"].tolist()
        self._scene.remember(kept)
        self._usual_sharp = Fineness(power, error)

    def give_up(self, why: str) -> list[Change]:
        """The end of all that stands, for whoever stops watching; `why` in words."""
        return [Change(kind, False, self.since(kind), why) for kind in self.standing]

    # ------------------------------------------------------------------- the scene

    def _judge_scene(self, step: float) -> None:
        scene, holds = self._scene, self._holds
        lasting: tuple[Kind, ...] = ("moved", "defocused")
        for kind in lasting:
            if holds[kind].standing and self._now - holds[kind].since > ACCEPT_SECONDS:
                self._begin_anew()
                self._count(kind, False, OVER_SECONDS, ACCEPTED)
        if not scene.can_judge and scene.is_structured and scene.learned > 1:
            self._begin_anew()  # there was nothing to see before; this is the scene
        if not self.knows:
            self._learn(step, USUAL_SECONDS)
            return
        showing = scene.showing()
        strange = self._is_covered(showing, step) or self._is_moved(showing, step)
        soft = self._is_defocused(showing, step)
        if strange or soft or any(hold.standing for hold in holds.values()):
            return
        if self._looks % LEARN_EVERY == 0:
            usual = showing.known >= KNOWN_SHARE
            self._learn(LEARN_EVERY * step, USUAL_SECONDS if usual else STRANGE_SECONDS)

    def _begin_anew(self) -> None:
        self._scene.forget()
        self._usual_sharp = None

    def _learn(self, step: float, over: float) -> None:
        rate = -math.expm1(-step / over)
        self._scene.learn(rate)
        if self._sharp is None:
            return
        if self._usual_sharp is None:
            self._usual_sharp = self._sharp
        rate = max(rate, min(1.0, SHARP_EVERY / self._scene.learned))
        power, error = (
            usual + rate * (now - usual)
            for usual, now in zip(self._usual_sharp, self._sharp, strict=True)
        )
        self._usual_sharp = Fineness(power, error)

    def _is_covered(self, showing: Showing, step: float) -> bool:
        standing = self._holds["covered"].standing
        found = showing.empty >= (COVERED_ON_SHARE if standing else COVERED_SHARE)
        black = self._scene.light < BLACK
        if found and black and not standing:
            step *= COVERED_SECONDS / BLACK_SECONDS
        self._count("covered", found, step, BLACKENED if black else COVERED)
        return found

    def _is_moved(self, showing: Showing, step: float) -> bool:
        """Whether another view shows: the scene shifted, or nothing of it and that steadily."""
        if self._holds["moved"].standing:
            shifted = showing.known < WHOLLY_KNOWN_SHARE and self._is_shifted()
            self._count("moved", shifted or showing.known < KNOWN_SHARE, step, STRANGE)
            return True
        if showing.known >= KNOWN_SHARE:
            self._shift = None
            self._count("moved", False, step, "")
            return False
        if self._is_shifted():
            assert self._shift is not None
            weight = STRANGE_VIEW_SECONDS / TURNED_SECONDS
            self._count("moved", True, weight * step, self._shift_words(self._shift))
            return True
        strange = showing.known < UNKNOWN_SHARE
        steady = strange and self._scene.as_held() >= STEADY_SHARE
        if strange and not steady:
            self._scene.hold()
        self._count("moved", steady, step, STRANGE)
        return strange

    def _is_shifted(self) -> bool:
        """Whether the scene is found elsewhere in the picture, twice at the same place."""
        before, here = self._shift, self._scene.shift()
        far = max(abs(here.right), abs(here.down)) >= SHIFT_CELLS
        fits = here.there >= SHIFT_FIT and here.there - here.here >= SHIFT_BETTER
        self._shift = here if far and fits else None
        if self._shift is None or before is None:
            return False
        return abs(here.right - before.right) < 2 and abs(here.down - before.down) < 2

    def _shift_words(self, shift: Shift) -> str:
        lines, columns = self._scene.cells
        parts = [
            f"{abs(cells) / count:.0%} {ways[cells > 0]}"
            for cells, count, ways in (
                (shift.right, columns, ("to the left", "to the right")),
                (shift.down, lines, ("up", "down")),
            )
            if abs(cells) >= SHIFT_CELLS
        ]
        return f"the scene has shifted by {' and '.join(parts)}; the camera was turned"

    def _is_defocused(self, showing: Showing, step: float) -> bool:
        """Whether edges went soft while the scene stayed, and not because its light changed."""
        if self._sharp is None or self._usual_sharp is None:
            return False
        standing = self._holds["defocused"].standing
        usual, error = self._usual_sharp
        fine_before = usual > max(SHARP_LEAST, SHARP_ERRORS * error)
        if showing.known < KNOWN_SHARE or showing.gain < SAME_GAIN:
            if not standing:
                self._count("defocused", False, SHARP_EVERY * step, SOFT)
            return standing
        share = self._sharp.power / (max(usual, SHARP_LEAST) * min(1.0, showing.gain) ** 2)
        soft = fine_before and share < (SOFT_ON_SHARE if standing else SOFT_SHARE)
        if soft and self._scene.is_relit():
            if standing:
                return True
            soft = False
        self._count("defocused", soft, SHARP_EVERY * step, SOFT)
        return soft

    # -------------------------------------------------------------------- the rest

    def _judge_frozen(self, step: float) -> None:
        began = self._now - self._stillness.rest
        self._count("frozen", self._stillness.frozen, step, FROZEN, began)

    def _judge_repeating(self, step: float) -> None:
        self._count("repeating", self._repeats.found, step, REPEATING, self._repeats.since)

    def _judge_blind(self, step: float) -> None:
        nothing = not self._scene.can_judge and self._scene.shows_nothing
        self._nothing.judge(nothing, step, self._now)
        standing = self._holds["blind"].standing
        unjudged = self._unjudged > (BLIND_ON_SHARE if standing else BLIND_SHARE)
        found = self._nothing.standing or unjudged
        self._count("blind", found, step, NOTHING if self._nothing.standing else CHANGING)

    def _count(
        self, kind: Kind, found: bool, step: float, words: str, since: float | None = None
    ) -> None:
        hold = self._holds[kind]
        if not hold.judge(found, step, self._now):
            return
        if hold.standing:
            self._words[kind] = words
            hold.since = hold.since if since is None else since
        elif words != ACCEPTED:
            words = ENDED[kind]
        self._changes.append(Change(kind, hold.standing, self.since(kind), words))


def _looked_at(size: tuple[int, int], shown: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    """(lines, columns) of the gate's cells: 1 where all of a cell may be looked at."""
    shape = G.cut(*size).shape
    lines, columns = int(shape[G.LINES]), int(shape[G.COLUMNS])
    if shown is None:
        return np.ones((lines, columns), np.float32)
    tops = np.arange(lines) * int(shape[G.CELL_H])
    lefts = np.arange(columns) * int(shape[G.CELL_W])
    least = np.minimum.reduceat(np.minimum.reduceat(shown, tops, axis=0), lefts, axis=1)
    return np.asarray(least != 0, np.float32)
