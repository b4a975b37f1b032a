"""A door as pages, the API and health show it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hub.campus import Campus
from hub.kinds.access_control import LOCK_VERBS, VERBS, Capabilities, Verb
from hub.phrases import phrase
from hub.safety.doors.door import Door
from hub.views import DoorView


def verbs(door: Door, can: Capabilities | None) -> list[Verb]:
    """What a door may be asked now, whose controller declares this; None for one without any."""
    allowed = can.verbs if can else frozenset()
    if door.block.egress != "free":
        allowed = allowed - LOCK_VERBS
    return [verb for verb in VERBS if verb in allowed]


def views(doors: Collection[Door], campus: Campus, now: float) -> list[DoorView]:
    """Every door at a moment (monotonic, in seconds). A controller is asked once what it can, for
    all its doors: it may have to look at each of them for that.
    """
    behind = {id(door.controller): door.controller for door in doors}
    can = {key: each.capabilities for key, each in behind.items() if each is not None}
    return [_view(door, campus, verbs(door, can.get(id(door.controller))), now) for door in doors]


def _view(door: Door, campus: Campus, can: Sequence[Verb], now: float) -> DoorView:
    facts = door.facts
    return DoorView(
        id=door.id,
        name=door.block.name,
        place=door.block.place,
        place_words=campus.words(door.block.place),
        online=facts.online,
        egress=door.block.egress,
        verbs=list(can),
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
