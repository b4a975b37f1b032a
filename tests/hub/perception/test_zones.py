"""Zones: entering and leaving are said once each, whatever the boxes do on the line."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.perception.tracking import TrackState
from hub.perception.zones import WHOLE, Occurrence, ZoneArea, ZoneWatch, contains

SIZE = (640, 360)
LEFT = ZoneArea("hall", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), "left half")
RIGHT = ZoneArea("stairs", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))


def at(
    x: float, track: int = 1, state: Literal["confirmed", "coasting"] = "confirmed"
) -> TrackState:
    """A person whose feet are at x in the middle of the picture."""
    return TrackState(track, "person", 0.8, state, 5, (x - 20, 80.0, x + 20, 200.0))


def watch(zone: ZoneWatch, *path: list[TrackState], step: float = 0.2) -> list[Occurrence]:
    """Everything that happened along a path of frames."""
    return [one for i, tracks in enumerate(path) for one in zone.watch(i * step, tracks)]


def test_somebody_who_comes_in_enters_once() -> None:
    """One event with place, zone, track and box, however long they stay."""
    (one,) = watch(ZoneWatch("lobby", [LEFT], SIZE), *[[at(100)]] * 50)
    assert (one.kind, one.camera, one.place, one.zone) == ("entered", "lobby", "hall", "left half")
    assert (one.track, one.label, one.box) == (1, "person", at(100).box)


def test_the_time_it_took_to_believe_in_somebody_counts() -> None:
    """Who was first found inside enters as soon as they are believed, with the first look."""
    inside = at(100)
    known = replace(inside, born=-0.5, first=inside.box)
    happened = ZoneWatch("lobby", [LEFT, RIGHT], SIZE).watch(0.0, [known])
    assert [(one.kind, one.place) for one in happened] == [("entered", "hall")]


def test_who_was_first_found_elsewhere_has_to_stay() -> None:
    """Somebody first found outside, or just now, waits like everybody else."""
    for born, first in ((-0.5, at(500).box), (-0.1, at(100).box)):
        known = replace(at(100), born=born, first=first)
        zone = ZoneWatch("lobby", [LEFT], SIZE)
        assert zone.watch(0.0, [known]) == []
        assert [one.kind for one in zone.watch(0.4, [known])] == ["entered"]


def test_a_glimpse_is_no_entry() -> None:
    """Feet inside for a single frame say nothing."""
    path = [[at(400)]] * 3 + [[at(300)]] + [[at(400)]] * 20
    assert watch(ZoneWatch("lobby", [LEFT], SIZE), *path) == []


def test_somebody_who_walks_over_leaves_one_zone_and_enters_the_next() -> None:
    """Passing from zone to zone gives exactly four events, in order for each zone."""
    path = [[at(40 + 4 * i)] for i in range(141)] + [[]] * 20
    happened = watch(ZoneWatch("lobby", [LEFT, RIGHT], SIZE), *path)
    assert [(one.kind, one.place) for one in happened] == [
        ("entered", "hall"),
        ("entered", "stairs"),
        ("left", "hall"),
        ("left", "stairs"),
    ]


@given(st.lists(st.floats(-25, 25), min_size=30, max_size=120))
def test_trembling_on_the_line_makes_no_storm(jitter: list[float]) -> None:
    """However a box trembles over a zone's edge, events stay rarer than one in 1.5 seconds."""
    path = [[at(320 + offset)] for offset in jitter]
    happened = watch(ZoneWatch("lobby", [LEFT], SIZE), *path)
    kinds = [one.kind for one in happened]
    assert all(kinds[i] != kinds[i + 1] for i in range(len(kinds) - 1))
    assert len(kinds) <= 1 + len(jitter) * 0.2 / 1.5


def test_somebody_lost_for_a_moment_has_not_left() -> None:
    """A track that coasts, or is absent for a second, stays inside."""
    path = [[at(100)]] * 5 + [[at(100, state="coasting")]] * 30 + [[]] * 5 + [[at(100)]] * 5
    assert [one.kind for one in watch(ZoneWatch("lobby", [LEFT], SIZE), *path)] == ["entered"]


def test_somebody_whose_track_ended_leaves() -> None:
    """Once the track is gone for longer than the patience, they have left, at their last box."""
    happened = watch(ZoneWatch("lobby", [LEFT], SIZE), *[[at(100)]] * 5, *[[]] * 20)
    assert [one.kind for one in happened] == ["entered", "left"]
    assert happened[1].box == at(100).box


def test_a_coasting_track_enters_nowhere() -> None:
    """What was not found when looked for opens no event."""
    path = [[at(100, state="coasting")]] * 30
    assert watch(ZoneWatch("lobby", [LEFT], SIZE), *path) == []


def test_memory_ends_with_the_track() -> None:
    """Nothing is kept about tracks that are gone."""
    zone = ZoneWatch("lobby", [LEFT, RIGHT], SIZE)
    for number in range(200):
        zone.watch(number * 0.5, [at(100, track=number)])
    zone.watch(200.0, [])
    zone.watch(210.0, [])
    assert zone._stays == {}


@pytest.mark.parametrize(
    ("point", "inside"), [((0.5, 0.2), True), ((0.5, 0.7), False), ((0.1, 0.7), True)]
)
def test_a_hollow_polygon_is_hollow(point: tuple[float, float], inside: bool) -> None:
    """Even-odd rule on a shape like the letter U, upside down."""
    arch = [(0, 0), (1, 0), (1, 1), (0.8, 1), (0.8, 0.4), (0.2, 0.4), (0.2, 1), (0, 1)]
    assert contains(arch, *point) is inside


@given(st.floats(0, 0.999), st.floats(0, 0.999))
def test_every_point_is_in_the_whole_picture_and_in_one_half(x: float, y: float) -> None:
    """Zones that tile the picture leave no gap and no overlap, on their shared edge either."""
    assert contains(WHOLE, x, y)
    assert contains(LEFT.polygon, x, y) != contains(RIGHT.polygon, x, y)


def test_somebody_cut_by_the_lower_edge_stands_in_the_picture() -> None:
    """Feet below the picture count as standing at its edge."""
    near = TrackState(1, "person", 0.8, "confirmed", 1, (200.0, 100.0, 300.0, 360.0))
    happened = watch(ZoneWatch("lobby", [ZoneArea("hall")], SIZE), *[[near]] * 5)
    assert [one.place for one in happened] == ["hall"]
