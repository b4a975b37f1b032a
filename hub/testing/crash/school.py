"""The school that the killed hub serves: many doors, two rules, channels that differ in kind."""

from __future__ import annotations

from typing import Any

from hub.config import Config
from hub.kinds.notifiers import Channel

DOORS = 8
FORCED, HELD = "forced", "held"
RULE_OF = {"door.forced": FORCED, "door.held": HELD}
# `board` shows each key once; the others say "may be a repeat". The siren is heard by everyone.
CHANNELS = {
    "board": Channel(path="lan", deduplicates=True),
    "post": Channel(path="wan"),
    "siren": Channel(path="lan", public=True),
}
THROUGH = {FORCED: ("board", "post"), HELD: ("board",)}


def door(number: int) -> str:
    """The id of a door."""
    return f"door_{number}"


def school() -> Config:
    """The configuration, checked."""
    rooms = {f"room_{n}": {"name": f"Room {n}", "kind": "room", "in": "site"} for n in range(DOORS)}
    doors = {
        door(n): {
            "name": f"Door {n}", "controller": "locks", "place": f"room_{n}", "egress": "free",
        }
        for n in range(DOORS)
    }  # fmt: skip
    content: dict[str, Any] = {
        "places": {"site": {"name": "School", "kind": "site"}, **rooms},
        "access_control": {"locks": {"driver": "x"}},
        "doors": doors,
        "notifiers": {name: {"driver": "x"} for name in CHANNELS},
        "people": {
            "officer": {"name": "Officer", "role": "sro", "contact": {"post": "officer@school"}},
            "head": {"name": "Principal", "role": "principal", "contact": {"post": "head@school"}},
        },
        "rules": {
            FORCED: {
                "name": "Door forced open", "when": "door.forced",
                "alert": {
                    "severity": "severe", "tell": ["officer", "head"],
                    "through": list(THROUGH[FORCED]),
                },
                "verified": [
                    {"notify": {"through": ["siren"], "text": "Stay out"}},
                    {"door": {"verb": "lock", "doors": [door(0), door(1)]}},
                ],
            },
            HELD: {
                "name": "Door held", "when": "door.held",
                "alert": {"severity": "check", "tell": ["officer"], "through": ["board"]},
            },
        },
    }  # fmt: skip
    return Config.model_validate(content)


def recipients(channel: str) -> list[list[str]]:
    """The groups of people that a notice about a forced door goes to through a channel."""
    return [["officer"], ["head"]] if channel == "post" else [["officer", "head"]]
