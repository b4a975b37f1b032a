"""Rules match what they say, and say what they matched."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from safety_school import EVENING, SCHOOL

from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.safety.rules.book import RuleBook, about_event, camera_for
from hub.safety.rules.memory import Memory


def book(condition: dict[str, Any], when: str = "zone.entered") -> RuleBook:
    """A book with one rule."""
    rule = {"name": "R", "when": when, "if": condition, "alert": {"severity": "note"}}
    config = Config.model_validate(SCHOOL | {"rules": {"r": rule}})
    return RuleBook(config, Campus(config.places))


def event(kind: str = "zone.entered", **data: Any) -> Event:
    """A person in the laboratory, unless told otherwise."""
    facts = {"camera": "wing", "place": "lab", "label": "person", "score": 0.86} | data
    return Event(kind, "camera/wing", EVENING, "wing", facts)


def why(condition: dict[str, Any], seen: Event, now: datetime = EVENING) -> tuple[str, ...] | None:
    """What the one rule says about an event."""
    matches = book(condition, seen.type).judge(Memory(), seen, now)
    return matches[0].matched if matches else None


def test_a_match_explains_each_clause() -> None:
    """Every clause that held is named with the value that made it hold."""
    condition = {"label": "person", "min_score": 0.5, "place": "wing", "outside": "wing_open"}
    assert why(condition, event()) == (
        "zone.entered",
        "label person 0.86",
        "place Laboratory in Science wing",
        'outside "Science wing open" (it was Mon 20:15)',
    )
    assert why({"place": "wing"}, event(place="wing")) == ("zone.entered", "place Science wing")


@pytest.mark.parametrize(
    ("condition", "data"),
    [
        ({"label": "person"}, {"label": "car"}),
        ({"label": ["car", "truck"]}, {}),
        ({"label": "person"}, {"label": None}),
        ({"min_score": 0.9}, {}),
        ({"min_score": 0.1}, {"score": None}),
        ({"min_score": 0.1}, {"score": "high"}),
        ({"min_score": 0.1}, {"score": True}),
        ({"place": "yard"}, {}),
        ({"place": "lab"}, {"place": "wing"}),
        ({"place": "lab"}, {"place": ["lab"]}),
        ({"camera": "yard"}, {}),
        ({"door": "store"}, {}),
        ({"during": "wing_open"}, {}),
    ],
)
def test_one_clause_that_fails_is_enough(condition: dict[str, Any], data: dict[str, Any]) -> None:
    """A rule matches only when all its clauses hold; absurd data never match and never raise."""
    assert why(condition, event(**data)) is None


def test_other_types_are_not_looked_at() -> None:
    """Rules are found by event type."""
    assert book({}).judge(Memory(), event("zone.left"), EVENING) == []


def test_a_door_event_is_about_the_doors_place() -> None:
    """What a door reports happens at the place it closes off, though the event does not say so."""
    forced = Event("door.forced", "door/store", EVENING, "store")
    assert why({"place": "wing"}, forced) == ("door.forced", "place Laboratory in Science wing")
    assert why({"door": "store"}, forced) == ("door.forced", "door store")
    assert why({"place": "yard"}, forced) is None


def test_a_camera_event_is_about_the_cameras_place() -> None:
    """A camera that goes dark does so where it hangs."""
    dark = Event("camera.offline", "hub/perception", EVENING, "wing")
    assert why({"place": "wing", "camera": "wing"}, dark) is not None


def test_schedules_are_judged_at_the_events_own_time() -> None:
    """An event that arrives late is judged by when it happened."""
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    late = Event("zone.entered", "camera/wing", noon, "wing", {"place": "wing"})
    assert why({"during": "wing_open"}, late, EVENING) is not None


@pytest.mark.parametrize("shift", [timedelta(days=-400), timedelta(hours=3)])
def test_a_source_whose_clock_is_wrong_is_judged_by_ours(shift: timedelta) -> None:
    """A time a day old or ahead of us cannot be right; the schedule is asked about now."""
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    odd = Event("zone.entered", "camera/wing", noon + shift * 3, "wing", {"place": "wing"})
    assert why({"during": "wing_open"}, odd, noon) is not None


def test_what_rules_derive_does_not_feed_rules() -> None:
    """A rule on alerts never matches, so no rule can set itself off."""
    raised = event("alert.raised")
    assert book({}, "alert.raised").judge(Memory(), raised, EVENING) == []


def test_scopes_tell_places_and_doors_apart() -> None:
    """Two events are about the same thing when they share the door, the camera whose working they
    are about, the place, or else their subject.
    """
    config = Config.model_validate(SCHOOL | {"visitors": {"desk": {"driver": "x", "place": "gym"}}})
    door = about_event(Event("door.forced", "door/store", EVENING, "store"), config)
    place = about_event(event(), config)
    dark = about_event(event("camera.offline"), config)
    visit = about_event(
        Event("visitor.overstayed", "visitors/desk", EVENING, "v1", {"desk": "desk"}), config
    )
    assert [about.scope for about in (door, place, dark, visit)] == [
        "door/store", "place/lab", "camera/wing", "subject/v1",
    ]  # fmt: skip
    assert [about.place for about in (door, place, dark, visit)] == ["lab", "lab", "lab", "gym"]


def test_the_camera_to_look_through_is_the_nearest() -> None:
    """An event that no camera saw is shown by the camera that looks at its place."""
    config = Config.model_validate(SCHOOL)
    campus = Campus(config.places)
    forced = about_event(Event("door.forced", "door/old_gate", EVENING, "old_gate"), config)
    assert camera_for(forced, config, campus) == "yard"
    gym = about_event(event(camera="", place="gym"), config)
    assert camera_for(gym, config, campus) == "wing"  # its source says who saw it
