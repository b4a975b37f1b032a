"""What incidents can be about, who does what in one, and what the configuration says of each kind.

The words are the school's, not the police's: nothing here says who has done something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from hub.kinds import Block
from hub.units import Duration

IncidentKind = Literal[
    "intrusion",
    "weapon",
    "threat",
    "fight",
    "medical",
    "fire",
    "hazard",
    "weather",
    "missing",
    "property",
    "technical",
    "other",
]
INCIDENT_KINDS: tuple[IncidentKind, ...] = get_args(IncidentKind)
KIND_NAMES: Mapping[str, str] = {
    "intrusion": "Somebody where nobody should be",
    "weapon": "Weapon",
    "threat": "Threat",
    "fight": "Fight",
    "medical": "Medical",
    "fire": "Fire",
    "hazard": "Gas or chemical",
    "weather": "Weather",
    "missing": "Missing person",
    "property": "Damage or theft",
    "technical": "Technical",
    "other": "Other",
}

CaseRole = Literal["commander", "on_scene", "note_taker", "liaison", "reunification"]
CASE_ROLES: Mapping[str, str] = {
    "commander": "Commander",
    "on_scene": "On scene",
    "note_taker": "Note taker",
    "liaison": "Liaison with responders",
    "reunification": "Reunification",
}
ONE_AT_A_TIME: frozenset[str] = frozenset({"commander"})

UPDATES_EVERY = 900.0

TaskText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class IncidentBlock(Block):
    """What is to be done in incidents of one kind."""

    tasks: Annotated[tuple[TaskText, ...], Field(max_length=50)] = Field(
        (), description="What has to be done, in this order; each incident of the kind gets them."
    )
    update_every: Annotated[Duration, Field(ge=60, le=86400)] | Literal["off"] = Field(
        UPDATES_EVERY,
        description="How long people may be without a situation update until the commander is "
        "reminded of it; `off` means never.",
    )
