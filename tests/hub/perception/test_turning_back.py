"""Who comes in where somebody goes out is somebody new, with a track and an event of their own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hub.bench.tracks import LOOKS, Person, walk
from hub.bench.tracks_found import Defects, found
from hub.kinds.detectors import Detection
from hub.perception.boxes import Box, overlap
from hub.perception.tracking import Tracker
from hub.perception.turning_back import came_instead

WIDTH, HEIGHT = 640, 360
WHOLE = (0.0, 0.0, float(WIDTH), float(HEIGHT))
STEP = 0.2  # seconds between two looks
PERFECT = Defects(missed=0.0, jitter=0.0, doubles=0.0, false=0.0, score=0.85)


def box(left: float, top: float = 200.0, wide: float = 50.0, high: float = 110.0) -> Box | None:
    """Somebody whose left side is there, as much of them as the picture shows."""
    x1, x2 = max(0.0, left), min(float(WIDTH), left + wide)
    return (x1, top, x2, top + high) if x2 - x1 >= 15 else None


def mirrored(one: Box | None) -> Box | None:
    """The same at the other edge."""
    return one and (WIDTH - one[2], one[1], WIDTH - one[0], one[3])


def tracks(looks: Sequence[Box | None]) -> list[int]:
    """The numbers of all that was told of, in the order in which they came."""
    tracker, told = Tracker((WIDTH, HEIGHT)), dict[int, None]()
    for number, one in enumerate(looks):
        finds = [Detection("person", 0.8, one)] if one else []
        tracker.settle(number * STEP, finds, [WHOLE])
        told |= {track.id: None for track in tracker.tick(number * STEP)}
    return list(told)


OUT = [box(500 + 20 * i) for i in range(7)]  # 20 pixels a look: 0.9 heights a second
AT_ONCE = [*OUT, *(box(620 - 20 * i) for i in range(8))]
TALLER = [*OUT, *(box(620 - 8 * i, top=170, high=140) for i in range(12))]


@pytest.mark.parametrize("looks", [AT_ONCE, TALLER], ids=["alike", "taller and slower"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_who_comes_in_where_somebody_goes_out_is_somebody_new(
    looks: list[Box | None], side: str
) -> None:
    """Though no look was without somebody at the edge, two people are two tracks."""
    assert tracks(looks if side == "right" else [mirrored(one) for one in looks]) == [1, 2]


@pytest.mark.parametrize("side", ["right", "left"])
def test_who_leaps_beside_the_edge_is_somebody_new(side: str) -> None:
    """Head and feet of who was about to go out are lower by half a height at the next look: that
    is somebody else, even where nobody was cut off; by a tenth, it is the same one still."""

    def meeting(lower: float) -> list[Box | None]:
        out = [box(460 + 20 * i) for i in range(6)]  # 30 pixels from the edge at last
        back = [box(575 - 20 * i, top=200 + lower) for i in range(8)]
        return [*out, *back] if side == "right" else [mirrored(one) for one in (*out, *back)]

    assert tracks(meeting(55)) == [1, 2]
    assert tracks(meeting(11)) == [1]


def test_who_walks_out_or_in_or_stands_at_the_edge_is_one() -> None:
    """Neither a stride that changes the width by a third, nor a sway at the edge, makes two."""
    stride = [box(440 + 9 * i, wide=40 + 14 * (i % 2)) for i in range(22)]
    inwards = [box(620 - 12 * i, wide=40 + 14 * (i % 2)) for i in range(22)]
    sways = [box(600 + (0, 8, 14, 8)[i % 4]) for i in range(40)]
    leans = [box(560 + (0, 12, 20, 30, 40, 30, 20, 12)[i % 8]) for i in range(40)]
    for looks in (stride, inwards, sways, leans):
        assert tracks(looks) == [1]
        assert tracks([mirrored(one) for one in looks]) == [1]


def test_who_turns_in_the_middle_of_the_picture_stays_who_they_are() -> None:
    """The rule is for boxes that the edge cuts off."""
    assert tracks(
        [*(box(300 + 20 * i) for i in range(8)), *(box(440 - 20 * i) for i in range(8))]
    ) == [1]


def test_what_was_long_ago_does_not_count() -> None:
    """Somebody who stood at the edge for two seconds and comes back is who they were."""
    finds = [(i * STEP, one) for i, one in enumerate(OUT) if one]
    back = box(590)
    assert back is not None
    assert came_instead(finds, back, 8 * STEP, WIDTH)
    assert not came_instead(finds, back, 8 * STEP + 2.0, WIDTH)
    assert not came_instead([], back, 0.0, WIDTH)


def test_hardly_anybody_in_a_doorway_is_taken_for_who_went_out() -> None:
    """Of ninety people, who often meet others at an edge, one at most has no own track."""
    alone = everybody = 0
    for name in ("crossing", "doorway", "turning"):
        for seed in range(3):
            scene = walk(name, seed)
            alone += own(scene.people, found(scene, PERFECT, seed))
            everybody += len({p.who for look in scene.people for p in look})
    assert everybody > 80
    assert alone >= everybody - 1


def own(people: Sequence[Sequence[Person]], finds: Sequence[list[Detection]]) -> int:
    """How many people have a track that showed nobody else before."""
    tracker, owner = Tracker((WIDTH, HEIGHT)), dict[int, int]()
    for number, (present, look) in enumerate(zip(people, finds, strict=True)):
        tracker.settle(number / LOOKS, look, [WHOLE])
        for track in tracker.tick(number / LOOKS):
            share, who = max(((overlap(track.box, p.box), p.who) for p in present), default=(0, 0))
            if share >= 0.3:
                owner.setdefault(track.id, who)
    return len(set(owner.values()))
