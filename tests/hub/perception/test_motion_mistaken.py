"""Beneath leaves less is asked of who walks where nothing but people gains much, and more again
once what was told went nowhere.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.bench.scenes import drawn
from hub.bench.score import frames, moving, under
from hub.perception import motion_grid as G
from hub.perception import motion_hold, motion_leaves, motion_numpy_leaves
from hub.perception.motion import MotionGate

FPS, DT = 5, 0.2
SHAPE = G.cut(640, 360).shape
FIELD = np.zeros((G.PLANES, G.cut(640, 360).cells), np.float32)
Box = tuple[int, int, int, int]


def found(**known: float) -> NDArray[np.float64]:
    """What a gate has found out, zero but for what is given by name."""
    row = np.zeros(G.FOUND)
    for name, value in known.items():
        row[getattr(G, name)] = value
    return row


def knobs(rain: int = 0) -> NDArray[np.float32]:
    """A gate's settings in so much rain."""
    row = np.zeros(G.KNOBS, np.float32)
    row[G.DT], row[G.RUN_NEEDED] = DT, rain
    return row


@pytest.mark.parametrize(
    ("known", "mean", "rain", "least", "most"),
    [
        ({}, 1.3, 0, 0.0, 0.0),
        ({}, 1.8, 0, 1.0, 1.0),
        ({}, 1.3, G.RUN_POURS, 1.0, 1.0),
        ({"BANDS": G.BAND_SECONDS}, 1.3, 0, 1.0, 1.0),
        ({"SHAKE": 0.1}, 1.3, 0, 1.0, 1.0),
        ({"MISTAKEN": G.MISTAKEN_MOST / 2}, 1.8, 0, 0.5, 0.5),
        ({"MISTAKEN": 2 * G.MISTAKEN_MOST}, 1.8, G.RUN_POURS, 0.0, 0.0),
        ({"EVEN": 1.3}, 1.8, 0, 0.0, 0.0),
        ({"EVEN": 1.62}, 1.62, 0, 0.3, 0.6),
    ],
)
def test_less_is_asked_where_everything_changes_as_much_unless_it_was_a_mistake_of_late(
    known: dict[str, float], mean: float, rain: int, least: float, most: float
) -> None:
    """Evenly, in rain, mains light or before a shaking camera; by steps; both kernels alike."""
    ours, twin = found(**known), found(**known)
    share = motion_leaves._evenly(mean, knobs(rain), ours)
    assert least <= share <= most
    assert motion_numpy_leaves._evenly(mean, knobs(rain), twin) == share
    np.testing.assert_array_equal(ours, twin)


def watch(looks: list[list[Box]], known: NDArray[np.float64]) -> list[int]:
    """How many regions are held at each look of these boxes."""
    walks = np.zeros((2, G.MAX_REGIONS, G.WALK))
    held = []
    for look in looks:
        boxes = np.zeros((G.MAX_REGIONS + 1, 4), np.int32)
        boxes[: len(look)] = np.array(look, np.int32).reshape(-1, 4)
        count = motion_hold.hold(SHAPE, DT, FIELD, boxes, len(look), walks, known)
        motion_leaves.count_mistakes(SHAPE, DT, walks[0], known)
        held.append(count - len(look))
    return held


def at(x: int, y: int = 120) -> Box:
    """Somebody's box."""
    return (x, y, x + 32, y + 80)


WALK = [[at(200 + 16 * k)] for k in range(6)]


def test_what_is_told_beneath_leaves_and_goes_nowhere_is_a_mistake() -> None:
    """It is forgotten in time."""
    known = found(SWAY=0.5)
    watch([[at(200)], [at(204)], []], known)
    assert known[G.MISTAKEN] == pytest.approx(1.0)
    watch([[]] * 45, known)
    assert 0.3 < known[G.MISTAKEN] < 0.5


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([*WALK, []], id="who walked"),
        pytest.param([[at(600)], [at(608)], []], id="at the edge"),
        pytest.param([*[[*look, at(300, 40)] for look in WALK], WALK[-1]], id="beside a walk"),
    ],
)
def test_somebody_is_no_mistake(looks: list[list[Box]]) -> None:
    """Who walked, who leaves the picture, and what was told near somebody who walks."""
    known = found(SWAY=0.5)
    watch(looks, known)
    assert known[G.MISTAKEN] == 0.0


def test_where_no_leaves_sway_nothing_is_a_mistake() -> None:
    """There the gate asks as it always does."""
    known = found()
    watch([[at(200)], [at(204)], []], known)
    assert known[G.MISTAKEN] == 0.0


def test_in_rain_more_are_seen_beneath_leaves_because_less_is_asked() -> None:
    """Of those who walk in 20 s, 98 of 100; with as much asked as ever at least six fewer."""
    place = next(scene for scene in drawn() if scene.name == "leaf shadows")
    wanted = moving(place)
    less, as_ever = (MotionGate(640, 360, FPS) for _ in range(2))
    seen, people = {less: 0, as_ever: 0}, 0
    for i, luma in frames(place, "rain", people=True):
        if i == 100:
            break
        as_ever._found[G.MISTAKEN] = 2 * G.MISTAKEN_MOST
        people += len(wanted[i]) if i >= 0 else 0
        for gate in seen:
            regions = under(gate.update(luma, i / FPS).regions, 640, 360)
            for _, box in wanted[i] if i >= 0 else ():
                x1, y1, x2, y2 = (max(0, round(edge)) for edge in box)
                seen[gate] += float(regions[y1:y2, x1:x2].mean()) >= 0.5
    assert seen[less] >= 0.98 * people
    assert seen[less] - seen[as_ever] >= 6
