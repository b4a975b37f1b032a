"""The scripted house with real protocols and real planned drills over its journal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripted_cases import ScriptedCases
from scripted_house import ScriptedHouse, _config

from hub.break_glass import BreakGlass
from hub.campus import Campus
from hub.clock import Clock
from hub.config import Config
from hub.drills import Drills
from hub.protocols import Protocols
from hub.testing import FakeClock

MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # 9:00 at the school
PROTOCOLS: dict[str, Any] = {
    "lockdown": {
        "doors": [{"verb": "lock", "place": "school"}],
        "tell": ["sro", "principal"], "through": ["console"],
        "tasks": ["Account for everyone"],
    },
    "hold": {"tell": ["sro"], "through": ["console"]},
    "evacuate": {"location": "The far side of the yard", "through": ["console"]},
}  # fmt: skip
PEOPLE: dict[str, Any] = {
    "officer": {"name": "Ms Officer", "role": "sro"},
    "head": {"name": "Mr Head", "role": "principal"},
}


def drilled(folder: Path, clock: Clock | None = None) -> ScriptedHouse:
    """A school that needs two drills of Lockdown and one of Evacuate."""
    house = ScriptedHouse(folder, clock or FakeClock(MORNING))
    config = _config()
    config["hub"]["drills"] = {"required": {"lockdown": 2, "evacuate": 1}}
    more = {"protocols": PROTOCOLS, "people": PEOPLE, "notifiers": {"console": {"driver": "x"}}}
    house.config = Config.model_validate(config | more)
    house.campus = Campus(house.config.places)
    house.cases = ScriptedCases(house)
    house.glass = BreakGlass(house.cases.intake)
    house.protocols = Protocols(house.cases.intake, lambda: frozenset())
    house.drills = Drills(house.cases.intake, house.protocols)
    return house
