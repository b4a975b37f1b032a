"""Tracks hold through crossings, hiding places, long stands, doubles and nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest

from hub.bench.tracks import LOOKS, SCENES, SHOWN_LEAST, Person, walk
from hub.bench.tracks_found import GOOD, POOR, Defects, found
from hub.kinds.detectors import Detection
from hub.perception.boxes import overlap
from hub.perception.pairing import pairs
from hub.perception.tracking import Tracker, TrackState

SIZE = (640, 360)
WHOLE = (0.0, 0.0, 640.0, 360.0)
PERFECT = Defects(missed=0.0, jitter=0.0, doubles=0.0, false=0.0, score=0.85)


def person(x: float, y: float = 200.0, height: float = 120.0, score: float = 0.8) -> Detection:
    """Somebody whose box is centred there, a third as wide as tall."""
    half = height / 6
    return Detection("person", score, (x - half, y - height / 2, x + half, y + height / 2))


def followed(finds: Sequence[list[Detection]]) -> list[list[TrackState]]:
    """The tracks at every look of the whole picture."""
    tracker = Tracker(SIZE)
    told = []
    for i, look in enumerate(finds):
        tracker.settle(i / LOOKS, look, [WHOLE])
        told.append(tracker.tick(i / LOOKS))
    return told


def switches(people: Sequence[Sequence[Person]], told: Sequence[Sequence[TrackState]]) -> int:
    """How often somebody who shows is followed by another track than before."""
    last: dict[int, int] = {}
    count = 0
    for present, tracks in zip(people, told, strict=True):
        found_here = [track for track in tracks if track.state == "confirmed"]
        likeness = sorted(
            ((overlap(t.box, p.box), p.who, t.id) for p in present for t in found_here),
            reverse=True,
        )
        shown = {p.who for p in present if p.shown >= SHOWN_LEAST}
        met: set[int] = set()
        taken: set[int] = set()
        for share, who, track in likeness:
            if share < 0.5 or who in met or track in taken:
                continue
            met.add(who)
            taken.add(track)
            if who in shown:
                count += last.setdefault(who, track) != track
                last[who] = track
    return count


@pytest.mark.parametrize(("defects", "most"), [(PERFECT, 10), (GOOD, 10)], ids=["perfect", "good"])
def test_people_who_cross_keep_their_tracks(defects: Defects, most: int) -> None:
    """Of sixty people who pass one another, hardly any come out as somebody else.

    Who was taken for somebody on the way out, and then told apart, counts as well.
    """
    scenes = [walk("crossing", seed) for seed in range(5)]
    assert sum(len({p.who for look in scene.people for p in look}) for scene in scenes) >= 50
    lost = [
        switches(scene.people, followed(found(scene, defects, seed)))
        for seed, scene in enumerate(scenes)
    ]
    assert sum(lost) <= most


def test_a_pillar_that_hides_people_changes_nobody() -> None:
    """Behind a pillar for a second or two, most come out as who they were."""
    scene = walk("pillar", 0)
    hidden = {p.who for look in scene.people for p in look if p.shown < 0.1}
    assert len(hidden) >= 5
    assert switches(scene.people, followed(found(scene, PERFECT, 0))) <= 2


def test_a_second_behind_somebody_else_is_survived() -> None:
    """Hidden while walking on, somebody is the same track where they show again."""
    finds = [
        [person(60 + 12 * i)] if not 10 <= i <= 15 else [] for i in range(30)
    ]  # hidden for 1.2 s
    told = followed(finds)
    assert {track.id for look in told for track in look} == {1}
    assert told[-1][0].state == "confirmed"


@pytest.mark.parametrize("defects", [GOOD, POOR], ids=["good", "poor"])
def test_somebody_who_stands_for_a_minute_is_one_track(defects: Defects) -> None:
    """Missed, jittery and doubled, yet one number for sixty seconds."""
    box = person(300).box
    scene = walk("standing", 0)
    alone = [[Person(0, box, 1.0, box)] for _ in range(60 * LOOKS)]
    finds = found(type(scene)("standing alone", alone), defects, 1)
    near = [
        {track.id for track in look if overlap(track.box, box) > 0.4} for look in followed(finds)
    ]
    assert set().union(*near) == {1}


def test_who_comes_back_is_somebody_new() -> None:
    """After leaving over the edge, coming in at the same place is a new track."""
    out = [[person(520 + 16 * i)] for i in range(8)]
    back = [[person(620 - 16 * i)] for i in range(8)]
    told = followed([*out, *[[] for _ in range(3 * LOOKS)], *back])
    ids = [{track.id for track in look} for look in told]
    assert ids[7] <= {1}
    assert ids[-1] == {2}


def test_two_finds_of_one_person_are_one_track() -> None:
    """A shifted double and an upper body, surer at times than the whole, start nothing."""
    rng = np.random.default_rng(3)
    finds = []
    for i in range(60):
        whole = person(100 + 6 * i, score=0.75)
        x1, y1, x2, y2 = whole.box
        part = Detection("person", 0.65, (x1, y1, x2, y1 + 0.5 * (y2 - y1)))
        shifted = Detection("person", 0.6, (x1 + 8, y1 + 6, x2 + 8, y2))
        finds.append([whole, *(one for one in (part, shifted) if rng.random() < 0.5)])
    told = followed(finds)
    assert {track.id for look in told for track in look} == {1}


@pytest.mark.parametrize(
    ("box", "score"),
    [
        ((float("nan"), 100.0, 200.0, 300.0), 0.9),
        ((100.0, 100.0, float("inf"), 300.0), 0.9),
        ((100.0, 100.0, 200.0, 300.0), float("nan")),
        ((200.0, 300.0, 100.0, 100.0), 0.9),
        ((100.0, 100.0, 100.0, 300.0), 0.9),
        ((700.0, 100.0, 800.0, 300.0), 0.9),
        ((-300.0, 100.0, -10.0, 300.0), 0.9),
        ((-1e9, -1e9, 1e9, 1e9), 0.9),
    ],
)
def test_a_find_that_is_none_is_ignored(
    box: tuple[float, float, float, float], score: float
) -> None:
    """Numbers that are none and boxes outside the picture neither start nor disturb a track."""
    nonsense = Detection("person", score, box)
    told = followed([[nonsense, person(300)] for _ in range(10)])
    assert [[track.id for track in look] for look in told] == [[1]] * 10
    assert overlap(told[-1][0].box, person(300).box) > 0.9
    assert followed([[nonsense]] * 10) == [[]] * 10


def test_the_cheapest_pairs_are_chosen_together() -> None:
    """Against every way there is: the sum of what is gained is the largest possible."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        rows, columns = rng.integers(1, 5, 2)
        cost = np.where(
            rng.random((rows, columns)) < 0.3, np.inf, rng.uniform(0, 6, (rows, columns))
        )
        chosen = pairs(cost, 4.0)
        assert len({i for i, _ in chosen}) == len({j for _, j in chosen}) == len(chosen)
        assert sum(4.0 - cost[i, j] for i, j in chosen) == pytest.approx(_most_gained(cost, 4.0))


def _most_gained(cost: np.ndarray, most: float) -> float:
    if cost.shape[0] > cost.shape[1]:
        cost = cost.T
    gain = np.maximum(most - np.where(np.isinf(cost), most, cost), 0.0)
    ways = permutations(range(cost.shape[1]), cost.shape[0])
    return float(max(sum(gain[i, j] for i, j in enumerate(way)) for way in ways))


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_the_same_for_the_same_seed(name: str) -> None:
    """Truth and finds come from the seed alone, and another seed gives others."""
    assert walk(name, 5) == walk(name, 5)
    assert walk(name, 5) != walk(name, 6)
    assert found(walk(name, 5), POOR, 5) == found(walk(name, 5), POOR, 5)


@pytest.mark.parametrize(("defects", "share"), [(GOOD, 0.1), (POOR, 0.3)], ids=["good", "poor"])
def test_as_much_is_missed_as_was_asked_for(defects: Defects, share: float) -> None:
    """Of people who show whole, the detector misses the share that it says."""
    scene = walk("standing", 0)
    whole = hits = 0
    for present, finds in zip(scene.people, found(scene, defects, 0), strict=True):
        for one in (p for p in present if p.shown > 0.95):
            whole += 1
            hits += any(overlap(one.box, find.box) > 0.5 for find in finds)
    assert 1 - hits / whole == pytest.approx(share, abs=0.06)


@pytest.mark.slow
def test_scores_are_told_by_the_published_definitions() -> None:
    """Two people of whom one changes track once: one switch, and the IDF1 of that by hand."""
    pytest.importorskip("trackeval", reason="needs the dependency group tracks")
    from hub.bench.tracks_score import judged, scorer, summed

    scoring = scorer()
    assert scoring is not None
    left, right = person(100).box, person(400).box
    people = [[Person(0, left, 1.0, left), Person(1, right, 1.0, right)] for _ in range(10)]
    tracks = [[(1, left), (2 if i < 5 else 3, right)] for i in range(10)]
    told = summed(scoring, [judged(scoring, people, tracks)])
    assert (told["switches"], told["fragments"], told["false_tracks"]) == (1, 0, 0)
    assert told["idf1"] == pytest.approx(2 * 15 / (2 * 15 + 5 + 5))
