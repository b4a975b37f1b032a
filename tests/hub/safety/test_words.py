"""Events and plans in words that need no manual."""

from typing import Any

import pytest
from safety_school import EVENING, SCHOOL

from hub.campus import Campus
from hub.config import Action, Config, DoorAction
from hub.events import EVENT_TYPES, Event
from hub.safety.alerts.plan import door_ids, plan, will
from hub.safety.notices.notice import groups
from hub.safety.words import Words

CONFIG = Config.model_validate(SCHOOL)
CAMPUS = Campus(CONFIG.places)
WORDS = Words(CONFIG, CAMPUS)


def line(type_: str, subject: str = "", **data: Any) -> str:
    """The sentence of an event."""
    return WORDS.sentence(Event(type_, "test", EVENING, subject, data))[0]


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_every_event_has_a_line_whatever_it_lacks(kind: str) -> None:
    """No event, however bare, keeps a story from being told."""
    assert line(kind)
    assert line(kind, "x", place=3, label=[], kind="door", target=None, verb="fly", offset_s="x")


def test_a_guess_is_called_a_guess() -> None:
    """What was only guessed from motion says so."""
    seen = {"label": "person", "place": "lab"}
    assert line("zone.entered", **seen) == "Person seen in Laboratory"
    guessed = line("zone.entered", guessing=True, **seen)
    assert guessed == "Person (guessed from motion) seen in Laboratory"


def test_visitors_and_plugins_are_named() -> None:
    """Who is still here, and what failed and why."""
    assert line("visitor.overstayed", "v1", visitor="Plumber") == (
        "Plumber is still here after the agreed time"
    )
    assert line("plugin.failed", "post", reason="no route") == "post failed: no route"


def test_a_plan_reads_as_sentences() -> None:
    """Doors with the same verb share a sentence; loud channels sound, quiet ones tell people."""
    steps = plan(
        CONFIG,
        CAMPUS,
        [
            Action.model_validate(step)
            for step in (
                {"notify": {"through": ["console", "siren", "post"], "tell": ["sro", "head"]}},
                {"door": {"verb": "lock", "place": "site"}},
                {"door": {"verb": "unlock", "doors": ["old_gate"]}},
            )
        ],
    )
    assert will(WORDS, steps, lambda name: name == "siren") == [
        "Locks Science wing east, Chemistry store",
        "Cannot lock Old gate: free egress is not attested",
        "Unlocks Old gate",
        "Sounds Siren",
        "Tells Sro, Principal through Console, Post",
    ]


def test_doors_of_a_place_are_those_within_it() -> None:
    """A place means its own doors and those of everything inside it."""
    inside = DoorAction.model_validate({"verb": "lock", "place": "wing"})
    assert door_ids(CONFIG, CAMPUS, inside) == ["wing_east", "store"]


def test_people_with_an_address_get_a_notice_each() -> None:
    """A person named twice is told once; without an address people share one; nobody is anybody."""
    people = [[one.person for one in group] for group in groups(CONFIG, ["sro", "officer"], "post")]
    assert people == [["officer"]]
    mixed = groups(CONFIG, ["head", "desk", "sro"], "post")
    assert [[one.person for one in group] for group in mixed] == [["head"], ["officer"], ["desk"]]
    assert groups(CONFIG, [], "post") == [()]
    assert groups(CONFIG, ["nobody"], "console") == [()]
