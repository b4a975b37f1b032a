"""Rules that can never fire, or want opposite things, are refused with what contradicts what."""

from typing import Any

import pytest

from hub.config import Config
from hub.contradictions import contradictions

SCHOOL: dict[str, Any] = {
    "places": {
        "site": {"name": "School", "kind": "site"},
        "wing": {"name": "Wing", "kind": "area", "in": "site"},
        "gym": {"name": "Gym", "kind": "room", "in": "site"},
    },
    "cameras": {
        "wing": {
            "driver": "x",
            "place": "wing",
            "zones": [{"place": "gym", "polygon": [[0, 0], [1, 0], [1, 1]]}],
        },
        "gym": {"driver": "x", "place": "gym"},
    },
    "access_control": {"locks": {"driver": "x"}},
    "doors": {
        "front": {"name": "Front", "controller": "locks", "place": "wing", "leads_to": "site"},
        "back": {"name": "Back", "controller": "locks", "place": "wing"},
    },
    "schedules": {
        "hours": {"weekly": [{"days": ["mon"], "from": "08:00", "to": "16:00"}]},
        "empty": {"weekly": []},
    },
}
LOCK = [{"door": {"verb": "lock", "doors": ["front"]}}]
UNLOCK = [{"door": {"verb": "hold_open", "place": "wing"}}]


def found(*rules: dict[str, Any]) -> list[tuple[str, str]]:
    """Where something contradicts, and how."""
    whole = {f"r{n}": {"name": "R", "alert": {"severity": "note"}} | r for n, r in enumerate(rules)}
    config = Config.model_validate(SCHOOL | {"rules": whole})
    return [
        (".".join(str(part) for part in each.path[1:]), each.message)
        for each in contradictions(config)
    ]


@pytest.mark.parametrize(
    ("rule", "path", "words"),
    [
        (
            {"when": ["zone.entered", "visitor.checked_in"], "if": {"min_score": 0.5}},
            "r0.if.min_score",
            "visitor.checked_in says nothing of that",
        ),
        ({"when": "zone.entered", "if": {"door": "front"}}, "r0.if.door", "zone.entered says"),
        ({"when": "config.changed", "if": {"place": "wing"}}, "r0.if.place", "config.changed"),
        (
            {"when": "zone.entered", "if": {"camera": "gym", "place": "wing"}},
            "r0.if.camera",
            "the camera gym does not look at wing",
        ),
        (
            {
                "when": "door.opened",
                "followed_by": {"when": "door.closed", "within": "5m", "if": {"label": "person"}},
            },
            "r0.followed_by.0.if.label",
            "door.closed says nothing of that",
        ),
        (
            {
                "when": "door.opened",
                "alert": {
                    "severity": "note",
                    "graver": {"severity": "high", "if": {"during": "hours", "outside": "hours"}},
                },
            },
            "r0.alert.graver.0.if.outside",
            "never holds beside",
        ),
        (
            {
                "when": "door.opened",
                "unless": {"when": "zone.entered", "within": "5s"},
                "same": "door",
            },
            "r0.same",
            "zone.entered has no door to share",
        ),
        (
            {"when": "door.opened", "lasting": "5m", "until": "hub.stopped"},
            "r0.same",
            "hub.stopped has no subject to share",
        ),
        (
            {
                "when": "door.opened",
                "count": {"at_least": 2, "within": "5m", "different": "door"},
                "same": "door",
            },
            "r0.count.different",
            "what has the same door never differs in it",
        ),
        (
            {
                "when": "camera.covered",
                "count": {"at_least": 3, "within": "5m", "different": "camera"},
                "same": "anything",
            },
            "r0.count.at_least",
            "never so many: cameras are 2",
        ),
        (
            {
                "when": "door.opened",
                "if": {"place": "wing", "during": "hours"},
                "unless": [{"if": {"during": "hours"}}],
            },
            "r0.unless.0",
            "the rule never fires",
        ),
        (
            {"when": "door.opened", "unless": {"if": {"place": "site"}}},
            "r0.unless.0",
            "the rule never fires",
        ),
        (
            {
                "when": "zone.entered",
                "if": {"place": "gym", "label": "person", "min_score": 0.7},
                "unless": {"if": {"place": "site", "label": ["person", "dog"], "min_score": 0.5}},
            },
            "r0.unless.0",
            "the rule never fires",
        ),
        (
            {"when": "door.opened", "if": {"during": "empty"}},
            "r0.if.during",
            "empty has no hours, so this never holds",
        ),
        ({"when": "door.opened", "verified": [*LOCK, *UNLOCK]}, "r0.verified", "lock at once"),
    ],
)
def test_a_contradiction_is_told_where_it_stands(
    rule: dict[str, Any], path: str, words: str
) -> None:
    """Each with the key that is too much, and why."""
    ((where, told),) = found(rule)
    assert where == path
    assert words in told


@pytest.mark.parametrize(
    "rule",
    [
        {"when": "plugin.vendor.seen", "if": {"label": "car", "door": "front", "min_score": 0.1}},
        {"when": "zone.entered", "if": {"camera": "wing", "place": "gym"}},
        {"when": "door.opened", "if": {"door": "front", "place": "site"}},
        {"when": "door.opened", "unless": {"if": {"during": "hours"}}, "if": {"place": "wing"}},
        {"when": "hub.started", "count": {"at_least": 3, "within": "1h"}, "same": "anything"},
        {"when": "report.received", "if": {"label": ["weapon", "gun"], "min_score": 0.5}},
        {"when": "report.received", "if": {"place": "wing", "door": "front", "camera": "wing"}},
        {"when": "panic.pressed", "if": {"place": "wing"}},
        {"when": "door.opened", "verified": LOCK},
    ],
)
def test_what_may_hold_is_not_refused(rule: dict[str, Any]) -> None:
    """A vendor's event may say anything; a zone, a larger place and an exception are in order."""
    assert found(rule) == []


def test_two_rules_that_want_opposite_things_of_a_door() -> None:
    """For the very same events one locks what the other opens; for others they may."""
    rule = {"when": "door.forced", "if": {"door": "back"}}
    ((where, told),) = found(rule | {"verified": LOCK}, rule | {"verified": UNLOCK})
    assert where == "r1.verified"
    assert "wants the opposite of front that r0 wants" in told
    assert not found(rule | {"verified": LOCK}, {"when": "door.forced", "verified": UNLOCK})
