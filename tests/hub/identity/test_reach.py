"""How far a role reaches: places with what is part of them, cameras, both sides of a door."""

from typing import Any

import pytest

from hub.campus import Campus
from hub.config import Config, RoleBlock
from hub.identity.permissions import (
    AT_ANY_HOUR,
    BREAKABLE,
    NEVER_ASKED_WHY,
    PERMISSIONS,
    WHOLE_HOUSE,
    may,
)
from hub.identity.reach import EVERYTHING, reach_of, within


def school(**role: Any) -> tuple[Config, Campus]:
    """Two floors; the gym has a camera of its own and a door to the ground floor."""
    door = {"controller": "main", "egress": "free"}
    config = Config.model_validate(
        {
            "places": {
                "school": {"name": "School", "kind": "site"},
                "ground": {"name": "Ground floor", "kind": "floor", "in": "school"},
                "gym": {"name": "Gym", "kind": "room", "in": "ground"},
                "store": {"name": "Store", "kind": "room", "in": "gym"},
                "upper": {"name": "First floor", "kind": "floor", "in": "school"},
            },
            "cameras": {
                "gym": {"driver": "simulated", "place": "gym"},
                "store": {"driver": "simulated", "place": "store"},
                "upper": {"driver": "simulated", "place": "upper"},
            },
            "access_control": {"main": {"driver": "simulated"}},
            "doors": {
                "gym": {**door, "name": "Gym", "place": "gym", "leads_to": "ground"},
                "hall": {**door, "name": "Hall", "place": "upper", "leads_to": "gym"},
                "roof": {**door, "name": "Roof", "place": "upper"},
            },
            "visitors": {
                "front": {"driver": "desk", "place": "ground"},
                "sports": {"driver": "desk", "place": "gym"},
            },
            "roles": {"guard": {"may": ["see.cameras"], **role}},
        }
    )
    return config, Campus(config.places)


def test_a_role_without_places_and_cameras_reaches_everything() -> None:
    """Nothing is narrowed that nobody has narrowed; and unknown roles may nothing anyway."""
    assert reach_of("guard", *school()) is EVERYTHING
    assert reach_of("admin", *school()) is EVERYTHING
    assert EVERYTHING.whole


def test_a_place_reaches_what_is_part_of_it_and_no_further() -> None:
    """The gym's store is part of the gym; the floor around the gym is not."""
    reach = reach_of("guard", *school(places=["gym"]))
    assert reach.cameras == {"gym", "store"}
    assert reach.alerts == reach.incidents == {"gym", "store"}
    assert reach.desks == {"sports"}
    assert not reach.whole


def test_a_door_is_seen_from_both_sides_and_commanded_from_the_one_it_closes_off() -> None:
    """Who guards the gym sees the hall's door that leads to it, and does not move that."""
    reach = reach_of("guard", *school(places=["gym"]))
    assert reach.doors == {"gym", "hall"}
    assert reach.commanded == {"gym"}


def test_cameras_narrow_the_cameras_alone() -> None:
    """A list of cameras without places leaves doors, alerts and desks as they are."""
    reach = reach_of("guard", *school(cameras=["upper"]))
    assert reach.cameras == {"upper"}
    assert (reach.doors, reach.alerts, reach.desks) == (None, None, None)
    assert not reach.whole


def test_places_and_cameras_narrow_each_other() -> None:
    """A camera has to be listed and to hang in one of the places."""
    assert reach_of("guard", *school(places=["gym"], cameras=["store", "upper"])).cameras == {
        "store"
    }


def test_what_is_taken_in_an_emergency_reaches_everywhere() -> None:
    """A freed permission widens its own things and no others."""
    reach = reach_of("guard", *school(places=["gym"]), frozenset({"see.cameras"}))
    assert reach.cameras is None
    assert reach.doors == {"gym", "hall"}
    assert reach_of("guard", *school(places=["gym"]), frozenset({"command.doors"})).doors is None


def test_outside_of_its_hours_a_role_reaches_nothing() -> None:
    """Neither with places nor without; what is taken in an emergency still does."""
    for role in ("guard", "admin"):
        reach = reach_of(role, *school(), off_duty=True)
        assert reach.cameras == reach.doors == reach.commanded == frozenset()
        assert reach.alerts == reach.incidents == reach.desks == frozenset()
        freed = reach_of(role, *school(), frozenset({"see.cameras"}), off_duty=True)
        assert freed.cameras is None
        assert freed.doors == frozenset()


def test_nothing_is_within_nothing() -> None:
    """No name and an unknown name are beyond every reach but the whole one."""
    assert within(None, None)
    assert not within(frozenset(), None)
    assert not within(frozenset({"gym"}), "")


@pytest.mark.parametrize("permission", sorted(WHOLE_HOUSE))
@pytest.mark.parametrize("limit", [{"places": ("gym",)}, {"cameras": ("gym",)}])
def test_a_role_with_places_or_cameras_never_holds_what_is_of_the_whole_house(
    permission: str, limit: dict[str, tuple[str, ...]]
) -> None:
    """Neither by its own list nor as a built-in role: the audit shows everybody everywhere."""
    roles = {"guard": RoleBlock(may=(permission,), **limit), "admin": RoleBlock(**limit)}
    assert not may("guard", permission, roles)
    assert not may("admin", permission, roles)
    assert may("admin", permission)


def test_the_sets_of_permissions_name_only_what_there_is() -> None:
    """And nobody breaks a glass for what ends a protocol, calls for help or manages the hub."""
    assert set(PERMISSIONS) >= WHOLE_HOUSE | BREAKABLE | NEVER_ASKED_WHY | AT_ANY_HOUR
    never = {"end.protocols", "call.emergency", "rearm.doors", "invite.guests", "see.audit"}
    assert not BREAKABLE & (never | {each for each in PERMISSIONS if each.startswith("manage.")})
