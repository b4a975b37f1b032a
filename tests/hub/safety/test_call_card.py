"""The card to read to emergency services says where exactly, what, how sure, and what it lacks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hub.campus import Campus
from hub.clock import iso
from hub.config import Config
from hub.incident_views import CallCardView
from hub.safety.incidents.call_card import call_card

NOW = datetime(2026, 3, 2, 16, 4, 5, tzinfo=UTC)
REAL = {"verdict": "verified", "by": "the officer"}
FALSE = {"verdict": "dismissed", "by": "the officer"}
DOOR = {"controller": "locks", "exterior": True, "leads_to": "site"}
SCHOOL: dict[str, Any] = {
    "hub": {
        "name": "Lincoln School",
        "timezone": "America/Chicago",
        "emergency": {"number": "112", "call_back": "+1 555 0100"},
    },
    "places": {
        "site": {"name": "School", "kind": "site", "address": "1 Main Street, Springfield"},
        "main": {
            "name": "Main building", "kind": "building", "in": "site",
            "coordinates": [41.87811, -87.62980],
        },
        "ground": {"name": "Ground floor", "kind": "floor", "in": "main"},
        "upper": {"name": "First floor", "kind": "floor", "in": "main"},
        "hall": {"name": "Hall", "kind": "room", "in": "ground"},
        "lab": {"name": "Laboratory", "kind": "room", "in": "upper"},
        "gym": {"name": "Gym", "kind": "building", "in": "site"},
    },
    "access_control": {"locks": {"driver": "x"}},
    "doors": {
        "north": {"name": "North door", "place": "ground", "number": "3", **DOOR},
        "front": {"name": "Front door", "place": "hall", **DOOR},
        "inner": {"name": "Stairs", "place": "upper", "leads_to": "ground", "controller": "locks"},
        "gym": {"name": "Gym door", "place": "gym", **DOOR},
    },
}  # fmt: skip


def card(
    place: str = "lab", school: dict[str, Any] | None = None, doors: Any = (), **changed: Any
) -> CallCardView:
    """The card of an incident that began six minutes ago."""
    config = Config.model_validate(SCHOOL if school is None else school)
    incident: Any = {
        "title": "Person in the closed wing", "place": place, "kind": "intrusion",
        "kind_name": "Somebody where nobody should be", "drill": False, "alerts": [], "people": [],
        "opened": iso(NOW - timedelta(minutes=6)), **changed,
    }  # fmt: skip
    return call_card(config, Campus(config.places), incident, doors, NOW)


def said(made: CallCardView, ask: str) -> str:
    """What the card answers to a question."""
    return next(line["say"] for line in made["lines"] if line["ask"] == ask)


def test_the_first_lines_say_where_exactly() -> None:
    """School and address from the nearest place that has one, then room, floor and building."""
    made = card()
    assert [line["ask"] for line in made["lines"][:3]] == ["Where", "Exactly", "Coordinates"]
    assert said(made, "Where") == "Lincoln School, 1 Main Street, Springfield"
    assert said(made, "Exactly") == "Laboratory, First floor, Main building"
    assert said(made, "Coordinates") == "41.87811, -87.62980"


def test_the_way_in_is_a_door_of_that_building_with_its_number_and_state() -> None:
    """The nearest first; a door that nobody can vouch for is never called locked."""
    doors = [{"id": "front", "conclusion": "secured"}, {"id": "north", "conclusion": "unknown"}]
    made = card(doors=doors)
    assert said(made, "Way in") == (
        "North door (door 3), not known whether it is locked; Front door, locked"
    )
    assert "Gym" not in said(made, "Way in")
    assert said(card("gym"), "Way in").startswith("Gym door, not known")


def test_it_says_how_sure_the_school_is() -> None:
    """Only a person's word counts as verified, and a false alarm is named."""
    alert = {"title": "Weapon reported", "verdict": None, "state": "raised"}
    assert said(card(alerts=[alert]), "How sure") == "Nobody has verified it yet: say so"
    real = {**alert, "verdict": {"verdict": "verified", "by": "the officer"}, "state": "verified"}
    assert said(card(alerts=[alert, real]), "How sure") == "Verified by the officer"
    false = {**alert, "verdict": {"verdict": "dismissed", "by": "x"}, "state": "dismissed"}
    assert "false alarm" in said(card(alerts=[false]), "How sure")
    assert said(card(), "How sure") == "Opened by a person"


def test_what_nobody_has_verified_is_never_read_out_as_verified() -> None:
    """One verified alert makes no other true, and what was called false is not said at all."""
    person = {"title": "Person in the closed wing", "verdict": REAL, "state": "verified"}
    weapon = {"title": "Weapon reported", "verdict": None, "state": "raised"}
    false = {"title": "Door forced open", "verdict": FALSE, "state": "dismissed"}
    made = card(alerts=[weapon, person, false])
    assert said(made, "How sure") == (
        "Verified by the officer: Person in the closed wing. Not verified: Weapon reported"
    )
    assert said(made, "What") == (
        "Somebody where nobody should be; Person in the closed wing; Weapon reported"
    )


def test_responders_are_sent_to_where_it_was_verified() -> None:
    """An incident may have begun elsewhere, or be about all of the school; where more stands is
    said behind it.
    """
    person = {"title": "Person in the closed wing", "verdict": REAL, "state": "verified"}
    noise = {"title": "Door forced open", "verdict": None, "state": "raised", "place": "gym"}
    made = card("site", alerts=[noise, {**person, "place": "lab"}])
    assert said(made, "Exactly") == (
        "Laboratory, First floor, Main building. Door forced open: Gym"
    )
    assert said(made, "Coordinates") == "41.87811, -87.62980"
    both = card("site", alerts=[{**person, "place": "lab"}, {**person, "place": "hall"}])
    assert said(both, "Exactly") == (
        "Person in the closed wing: Laboratory, First floor, Main building. "
        "Person in the closed wing: Hall, Ground floor, Main building"
    )


def test_it_says_what_since_when_and_who_is_there() -> None:
    """On the school's clock; each title once; those on the scene with their role."""
    people = [{"role": "on_scene", "name": "Officer"}, {"role": "note_taker", "name": "Clerk"}]
    alert = {"title": "Weapon reported", "verdict": None, "state": "raised"}
    made = card(alerts=[alert, alert], people=people)
    assert said(made, "What") == (
        "Somebody where nobody should be; Person in the closed wing; Weapon reported"
    )
    assert said(made, "Since") == "09:58 (6 minutes ago)"
    assert said(made, "At the scene") == "On scene: Officer"
    assert said(card(), "At the scene") == "Nobody that the hub knows of"


def test_number_and_drill_are_the_configurations_and_the_incidents() -> None:
    """Whom to call, who calls back; a drill says so."""
    made = card(drill=True)
    assert (made["number"], made["drill"]) == ("112", True)
    assert said(made, "Call back") == "+1 555 0100"


def test_what_is_missing_is_told_and_never_made_up() -> None:
    """Without address, coordinates, doors and number the card is shorter, and says so."""
    bare = {"places": {"room": {"name": "Room", "kind": "room"}}}
    made = card("room", bare)
    assert said(made, "Where") == "Vestibule"
    assert said(made, "Way in") == "Not known"
    assert said(made, "Call back") == "Say your own number"
    assert all(line["ask"] != "Coordinates" for line in made["lines"])
    assert len(made["missing"]) == 2
    assert said(card("nowhere", bare), "Exactly") == "Not known yet"


def test_a_school_with_one_address_says_it_even_where_the_place_is_not_known() -> None:
    """Opened in haste, without a place: whoever calls still says where the school is. Where there
    are two addresses nobody can tell which, and the card asks for it.
    """
    made = card("")
    assert said(made, "Where") == "Lincoln School, 1 Main Street, Springfield"
    assert said(made, "Exactly") == "Not known yet"
    assert made["missing"] == []
    places = SCHOOL["places"] | {
        "annex": {"name": "Annex", "kind": "site", "address": "2 Elm Road"}
    }
    made = card("", SCHOOL | {"places": places})
    assert said(made, "Where") == "Lincoln School"
    assert "single `address`" in made["missing"][0]
