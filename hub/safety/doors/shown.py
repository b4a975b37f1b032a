"""A door as pages, the API and health show it."""

from __future__ import annotations

from collections.abc import Sequence

from hub.campus import Campus
from hub.kinds.access_control import Verb
from hub.phrases import phrase
from hub.safety.doors.door import Door
from hub.views import DoorView


def view(door: Door, campus: Campus, verbs: Sequence[Verb], now: float) -> DoorView:
    """Everything that is known and wanted of a door at a moment (monotonic, in seconds)."""
    facts = door.facts
    return DoorView(
        id=door.id,
        name=door.block.name,
        place=door.block.place,
        place_words=campus.words(door.block.place),
        online=facts.online,
        egress=door.block.egress,
        verbs=list(verbs),
        requested=facts.requested,
        reported=facts.reported(now),
        physical=facts.physical(now),
        conclusion=facts.conclusion(now),
        detail=facts.detail,
        intent=door.intent,
        differs=door.differs,
    )


def trouble(door: Door) -> str:
    """What is not as it should be, in a line; empty where nothing is."""
    if not door.facts.online:
        return phrase("door %(door)s: its controller does not answer", door=door.id)
    if door.differs:
        return phrase(
            "door %(door)s is not as it is wanted: %(why)s", door=door.id, why=door.differs
        )
    return ""
