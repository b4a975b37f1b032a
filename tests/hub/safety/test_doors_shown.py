"""What pages are shown of many doors."""

from __future__ import annotations

from dataclasses import dataclass

from hub.campus import Campus
from hub.config import Config
from hub.kinds.access_control import Capabilities
from hub.safety.doors.door import Door
from hub.safety.doors.shown import views


@dataclass
class Board:
    """A controller that counts how often it is asked what it can. Like any dataclass that can be
    compared, it is no key of a dictionary.
    """

    verbs: tuple[str, ...]
    asked: int = 0

    @property
    def capabilities(self):
        self.asked += 1
        return Capabilities(verbs=frozenset(self.verbs))


def _doors(count, **egress):
    config = Config.model_validate(
        {
            "places": {"hall": {"name": "Hall", "kind": "area"}},
            "access_control": {"board": {"driver": "simulated"}},
            "doors": {
                f"door_{n}": {"name": f"Door {n}", "place": "hall", "controller": "board", **egress}
                for n in range(count)
            },
        }
    )
    return Campus(config.places), [Door.of(name, each) for name, each in config.doors.items()]


def test_a_controller_is_asked_once_for_all_its_doors():
    """It may look at each of its doors for the answer, and every page shows them all."""
    campus, doors = _doors(40, egress="free")
    one, other = Board(("lock", "unlock")), Board(("unlock", "momentary"))
    for number, door in enumerate(doors):
        door.join(one if number % 2 else other)
    one.asked = other.asked = 0
    seen = views(doors, campus, 0.0)
    assert (one.asked, other.asked) == (1, 1)
    assert [each["verbs"] for each in seen[:2]] == [["unlock", "momentary"], ["lock", "unlock"]]
    assert {each["place_words"] for each in seen} == {"Hall"}


def test_a_door_without_a_controller_can_nothing():
    """It is shown all the same, beside those that have one."""
    campus, doors = _doors(2, egress="free")
    doors[0].join(Board(("lock",)))
    assert [each["verbs"] for each in views(doors, campus, 0.0)] == [["lock"], []]


def test_a_door_whose_way_out_nobody_called_free_is_offered_no_lock():
    """Whatever its controller declares."""
    campus, doors = _doors(1)
    doors[0].join(Board(("lock", "unlock", "lockdown")))
    assert views(doors, campus, 0.0)[0]["verbs"] == ["unlock"]
