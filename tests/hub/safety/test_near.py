"""What else is near an incident: by doors and halls, nearest first."""

from __future__ import annotations

from typing import Any

import pytest

from hub.campus import Campus
from hub.config import Config
from hub.safety.incidents.near import around, near

PLACES = {
    "site": {"name": "School", "kind": "site"},
    "main": {"name": "Main building", "kind": "building", "in": "site"},
    "ground": {"name": "Ground floor", "kind": "floor", "in": "main"},
    "upper": {"name": "First floor", "kind": "floor", "in": "main"},
    "lobby": {"name": "Lobby", "kind": "room", "in": "ground"},
    "office": {"name": "Office", "kind": "room", "in": "ground"},
    "wing": {"name": "Science wing", "kind": "area", "in": "upper"},
    "lab1": {"name": "Laboratory 1", "kind": "room", "in": "wing"},
    "lab2": {"name": "Laboratory 2", "kind": "room", "in": "wing"},
    "yard": {"name": "Yard", "kind": "outdoor", "in": "site"},
    "park": {"name": "Car park", "kind": "outdoor", "in": "site"},
}
DOOR = {"controller": "locks", "egress": "free"}


def config(**more: Any) -> Config:
    camera = {"driver": "x"}
    return Config.model_validate(
        {
            "places": PLACES,
            "access_control": {"locks": {"driver": "x"}},
            "cameras": {
                "lobby": camera | {"place": "lobby"},
                "wing": camera | {"place": "wing"},
                "park": camera | {"place": "park"},
                "roof": camera
                | {
                    "place": "park",
                    "zones": [{"place": "yard", "polygon": [[0, 0], [1, 0], [1, 1]]}],
                },
            },
            "doors": {
                "entrance": DOOR | {"name": "Entrance", "place": "lobby", "leads_to": "yard"},
                "stairs": DOOR | {"name": "Stairs", "place": "upper", "leads_to": "ground"},
                "lab1": DOOR | {"name": "Laboratory 1", "place": "lab1", "leads_to": "wing"},
                "gate": DOOR | {"name": "Gate", "place": "park"},
            },
        }
        | more
    )


CONFIG = config()
CAMPUS = Campus(CONFIG.places)


def named(*ids: str, **more: Any) -> list[Any]:
    return [{"id": each} | more for each in ids]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("lab1", {"lab1": 0, "wing": 1, "lab2": 2, "upper": 2}),
        ("wing", {"wing": 0, "lab1": 0, "lab2": 0, "upper": 1, "ground": 2}),
        ("yard", {"yard": 0, "lobby": 1, "ground": 2}),
        ("park", {"park": 0}),
        ("nowhere", {}),
        ("", {}),
    ],
)
def test_places_are_as_far_as_the_doors_and_halls_between(
    place: str, expected: dict[str, int]
) -> None:
    """A door is one step, a room's own floor is one, and a building joins nothing."""
    found = around(CONFIG, CAMPUS, place)
    assert found == expected
    assert list(found.values()) == sorted(found.values())


def test_a_whole_site_is_all_here() -> None:
    """About the site itself, every place of it is 0 away."""
    assert set(around(CONFIG, CAMPUS, "site").values()) == {0}


def test_doors_that_lead_round_in_a_ring_end() -> None:
    """Two doors between the same rooms, and a door that leads to where it is, count once."""
    doors = {
        "a": DOOR | {"name": "A", "place": "yard", "leads_to": "park"},
        "b": DOOR | {"name": "B", "place": "park", "leads_to": "yard"},
        "c": DOOR | {"name": "C", "place": "park", "leads_to": "park"},
    }
    ring = config(doors=doors)
    assert around(ring, Campus(ring.places), "yard", steps=50) == {"yard": 0, "park": 1}


def test_near_are_cameras_that_look_there_and_doors_on_either_side() -> None:
    """By a camera's zones too, and by both sides of a door; what is nearest comes first."""
    cameras, doors = named("park", "lobby", "roof", "wing"), named("gate", "stairs", "entrance")
    found = near(CONFIG, CAMPUS, "yard", cameras, doors, [], [])
    assert [one["id"] for one in found["cameras"] or ()] == ["roof", "lobby"]
    assert [one["id"] for one in found["doors"] or ()] == ["entrance", "stairs"]
    assert found["steps"] == {"roof": 0, "lobby": 1, "entrance": 0, "stairs": 2}
    assert [one["name"] for one in found["places"]] == ["Yard", "Lobby", "Ground floor"]


def test_near_are_visitors_on_site_and_open_alerts_of_others() -> None:
    """Visitors are all who are here, overdue ones first; the incident's own alerts are not news."""
    visits = [
        {"id": "1", "state": "here", "overstayed": False, "until": "10:00"},
        {"id": "2", "state": "left", "overstayed": False, "until": "09:00"},
        {"id": "3", "state": "here", "overstayed": True, "until": "11:00"},
    ]
    alerts = [
        *named("own", place="lab1", state="raised"),
        *named("close", place="lab2", state="unsure"),
        *named("far", place="yard", state="raised"),
        *named("over", place="lab1", state="verified"),
    ]
    found = near(CONFIG, CAMPUS, "lab1", [], [], visits, alerts, but=["own"])  # type: ignore[arg-type]
    assert [one["id"] for one in found["visitors"] or ()] == ["3", "1"]
    assert [one["id"] for one in found["alerts"] or ()] == ["close"]
    assert found["alerts_elsewhere"] == 1


def test_what_the_reader_may_not_see_is_left_out() -> None:
    """A list that was not given is none, which is not the same as an empty one."""
    found = near(CONFIG, CAMPUS, "lab1", None, [], None, None)
    assert found["cameras"] is found["visitors"] is found["alerts"] is None
    assert found["doors"] == []


def test_a_camera_and_a_door_of_the_same_name_are_each_where_they_are() -> None:
    """The nearest camera stays first, however far the door is that shares its id."""
    doors = {"roof": DOOR | {"name": "Hatch", "place": "lobby", "leads_to": "wing"}}
    same = config(doors=CONFIG.model_dump()["doors"] | doors)
    found = near(same, Campus(same.places), "yard", named("lobby", "roof"), named("roof"), [], [])
    assert [one["id"] for one in found["cameras"] or ()] == ["roof", "lobby"]
    assert found["steps"] == {"roof": 0, "lobby": 1}
