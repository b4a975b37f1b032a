"""What events of doors, credentials and the fire alarm say, in one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hub.events import Event

Tone = Literal["neutral", "ok", "check", "severe"]
Name = Callable[[str], str]

SAYS: Mapping[str, tuple[str, Tone]] = {
    "door.opened": ("opened", "neutral"),
    "door.closed": ("closed", "neutral"),
    "door.locked": ("reports locked", "ok"),
    "door.unlocked": ("reports unlocked", "neutral"),
    "door.forced": ("forced open while locked", "severe"),
    "door.held": ("stands open too long", "check"),
    "door.jammed": ("reports a jammed bolt", "severe"),
    "door.online": ("its controller answers again", "ok"),
    "door.offline": ("its controller does not answer", "check"),
    "door.tampered": ("its device is being tampered with", "severe"),
    "door.intact": ("its device is no longer tampered with", "ok"),
    "door.tailgated": ("more people came through than were let in", "check"),
    "door.flooding": ("reports more than can be so", "check"),
    "door.calm": ("reports no more than it should", "ok"),
    "access.granted": ("a credential let its holder in", "neutral"),
    "access.denied": ("a credential was refused", "neutral"),
    "access.duress": ("a holder says that somebody forces them", "severe"),
}
IS_TO: Mapping[str, str] = {
    "lock": "is to be locked",
    "unlock": "is to be unlocked",
    "hold_open": "is to stay open",
    "lockdown": "is to be locked down",
}


def door_sentence(event: Event, door: Name, person: Name, place: Name) -> tuple[str, Tone] | None:
    """What such an event says and how grave that is; None for any other."""
    wanted = _wanted(event, door(event.subject), person)
    if wanted is not None:
        return wanted
    if event.type in SAYS:
        what, tone = SAYS[event.type]
        return f"{door(event.subject)}: {what}{_more(event)}", tone
    if event.type == "controller.misbehaved":
        return f"The controller {event.subject} reports {event.data['reason']}", "check"
    if event.type == "doors.rearmed":
        return f"{person(str(event.data['by']))} has re-armed the doors", "check"
    if event.type.startswith("fire."):
        return _fire(event, place)
    return None


def _wanted(event: Event, name: str, person: Name) -> tuple[str, Tone] | None:
    """What was wanted of a door and what became of it."""
    if event.type not in ("door.differs", "door.agrees", "door.given_up", "door.expired"):
        return None
    is_to, reason = IS_TO[str(event.data["verb"])], str(event.data.get("reason") or "")
    if event.type == "door.agrees":
        return f"{name}: is as it {_was(is_to)}", "ok"
    if event.type == "door.expired":
        who = person(str(event.data["by"]))
        return f"{name}: what {who} wanted is over, it {_was(is_to)}", "neutral"
    tone: Tone = "severe" if event.data["verb"] in ("lock", "lockdown") else "check"
    if event.type == "door.differs":
        return f"{name}: {is_to}, and is not: {reason}", tone
    tries = event.data["tries"]
    return f"{name}: {is_to}, and is not; given up after {tries} tries: {reason}", tone


def _was(is_to: str) -> str:
    return is_to.replace("is to", "was to", 1)


def _fire(event: Event, place: Name) -> tuple[str, Tone]:
    data: Mapping[str, Any] = event.data
    where = f" in {place(str(data['place']))}" if data.get("place") else ""
    if event.type == "fire.alarm":
        return f"Fire alarm{where}: no door is locked until somebody re-arms them", "severe"
    return f"The fire alarm{where} no longer sounds; the doors are not re-armed", "check"


def _more(event: Event) -> str:
    data = event.data
    if event.type == "door.tailgated":
        return f" ({data['people']} for {data['granted']})"
    if event.type == "door.calm":
        return f"; {data['count']} were only counted"
    if event.type in ("access.granted", "access.denied", "door.flooding", "door.tampered"):
        return f": {data['reason']}" if data.get("reason") else ""
    return ""
