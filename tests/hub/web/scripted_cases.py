"""The incident room of the scripted house: real acts over its journal, scripted surroundings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.bus import Bus
from hub.incident_room import IncidentRoom
from hub.safety.incidents.near import near
from hub.safety.intake import Intake


class ScriptedCases(IncidentRoom):
    """Acts are real and know only incidents of the journal; what is near a scripted incident comes
    from the scripted views.
    """

    def __init__(self, house: Any) -> None:
        self.intake = Intake(
            house.config, house.campus, house.journal, Bus(), house.clock, public=lambda name: False
        )
        self.house = house
        super().__init__(self.intake, house, house.folder / "media")

    async def near(self, incident: str, allowed: Callable[[str], bool]) -> Any:
        house = self.house
        if incident not in house.incident_views:
            return await super().near(incident, allowed)
        view = house.incident_views[incident]
        return near(
            house.config,
            house.campus,
            view["place"],
            house.cameras() if allowed("see.cameras") else None,
            house.doors() if allowed("see.doors") else None,
            await self._visits() if allowed("see.visitors") else None,
            await house.alerts(open_only=True) if allowed("see.alerts") else None,
            but=[each["id"] for each in view["alerts"]],
        )


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
