"""Incidents of the scripted house: real acts over its journal, scripted surroundings."""

from __future__ import annotations

from typing import Any

from hub.bus import Bus
from hub.incidents import Incidents
from hub.safety.intake import Intake


class ScriptedCases(Incidents):
    """Acts are real and know only incidents of the journal."""

    def __init__(self, house: Any) -> None:
        self.intake = Intake(
            house.config, house.campus, house.journal, Bus(), house.clock, public=lambda name: False
        )
        self.house = house
        super().__init__(self.intake, house, house.folder / "media")


def bare_case() -> dict[str, Any]:
    """What an incident's view has beside its story, where nobody has done anything."""
    return {
        "kind": "intrusion",
        "kind_name": "Somebody where nobody should be",
        "drill": False,
        "merged_into": "",
        "update_due": None,
        "people": [],
        "tasks": [],
        "links": [],
    }
