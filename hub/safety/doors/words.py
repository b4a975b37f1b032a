"""What events of doors, credentials and the fire alarm say, in one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hub.events import Event
from hub.phrases import phrase

Tone = Literal["neutral", "ok", "check", "severe"]
Name = Callable[[str], str]

SAYS: Mapping[str, tuple[str, Tone]] = {
    "door.opened": ("opened", "neutral"),
    "door.closed": ("closed", "neutral"),
    "door.locked": (phrase("reports locked"), "ok"),
    "door.unlocked": (phrase("reports unlocked"), "neutral"),
    "door.forced": (phrase("forced open while locked"), "severe"),
    "door.held": (phrase("stands open too long"), "check"),
    "door.jammed": (phrase("reports a jammed bolt"), "severe"),
    "door.online": (phrase("its controller answers again"), "ok"),
    "door.offline": (phrase("its controller does not answer"), "check"),
    "door.tampered": (phrase("its device is being tampered with"), "severe"),
    "door.intact": (phrase("its device is no longer tampered with"), "ok"),
    "door.tailgated": (phrase("more people came through than were let in"), "check"),
    "door.flooding": (phrase("reports more than can be so"), "check"),
    "door.calm": (phrase("reports no more than it should"), "ok"),
    "access.granted": (phrase("a credential let its holder in"), "neutral"),
    "access.denied": (phrase("a credential was refused"), "neutral"),
    "access.duress": (phrase("a holder says that somebody forces them"), "severe"),
}
IS_TO: Mapping[str, str] = {
    "lock": phrase("is to be locked"),
    "unlock": phrase("is to be unlocked"),
    "hold_open": phrase("is to stay open"),
    "lockdown": phrase("is to be locked down"),
}


def door_sentence(event: Event, door: Name, person: Name, place: Name) -> tuple[str, Tone] | None:
    """What such an event says and how grave that is; None for any other."""
    wanted = _wanted(event, door(event.subject), person)
    if wanted is not None:
        return wanted
    if event.type in SAYS:
        what, tone = SAYS[event.type]
        line = phrase("%(door)s: %(what)s", door=door(event.subject), what=what)
        return _more(event, line), tone
    if event.type == "controller.misbehaved":
        return phrase(
            "The controller %(subject)s reports %(reason)s",
            subject=event.subject,
            reason=event.data["reason"],
        ), "check"
    if event.type == "doors.rearmed":
        return phrase(
            "%(person)s has re-armed the doors", person=person(str(event.data["by"]))
        ), "check"
    if event.type.startswith("fire."):
        return _fire(event, place)
    return None


def _wanted(event: Event, name: str, person: Name) -> tuple[str, Tone] | None:
    """What was wanted of a door and what became of it."""
    if event.type not in ("door.differs", "door.agrees", "door.given_up", "door.expired"):
        return None
    is_to, reason = IS_TO[str(event.data["verb"])], str(event.data.get("reason") or "")
    if event.type == "door.agrees":
        if (tries := event.data.get("tries") or 0) > 1:
            return phrase(
                "%(name)s: is as it %(was)s, after %(tries)s tries",
                name=name,
                was=_was(is_to),
                tries=tries,
            ), "ok"
        return phrase("%(name)s: is as it %(was)s", name=name, was=_was(is_to)), "ok"
    if event.type == "door.expired":
        who = person(str(event.data["by"]))
        return phrase(
            "%(name)s: what %(who)s wanted is over, it %(was)s", name=name, who=who, was=_was(is_to)
        ), "neutral"
    tone: Tone = "severe" if event.data["verb"] in ("lock", "lockdown") else "check"
    if event.type == "door.differs":
        return phrase(
            "%(name)s: %(is_to)s, and is not: %(reason)s", name=name, is_to=is_to, reason=reason
        ), tone
    tries = event.data["tries"]
    return phrase(
        "%(name)s: %(is_to)s, and is not; given up after %(tries)s tries: %(reason)s",
        name=name,
        is_to=is_to,
        tries=tries,
        reason=reason,
    ), tone


def _was(is_to: str) -> str:
    return is_to.replace("is to", "was to", 1)


def _fire(event: Event, place: Name) -> tuple[str, Tone]:
    data: Mapping[str, Any] = event.data
    where = place(str(data["place"])) if data.get("place") else ""
    if event.type == "fire.alarm":
        if where:
            return phrase(
                "Fire alarm in %(place)s: no door is locked until somebody re-arms them",
                place=where,
            ), "severe"
        return phrase("Fire alarm: no door is locked until somebody re-arms them"), "severe"
    if where:
        return phrase(
            "The fire alarm in %(place)s no longer sounds; the doors are not re-armed", place=where
        ), "check"
    return phrase("The fire alarm no longer sounds; the doors are not re-armed"), "check"


def _more(event: Event, line: str) -> str:
    data = event.data
    if event.type == "door.tailgated":
        people, granted = data["people"], data["granted"]
        return phrase(
            "%(line)s (%(people)s for %(granted)s)", line=line, people=people, granted=granted
        )
    if event.type == "door.calm":
        return phrase("%(line)s; %(n)s were only counted", line=line, n=data["count"])
    if event.type in ("access.granted", "access.denied", "door.flooding", "door.tampered"):
        reason = data.get("reason")
        return phrase("%(line)s: %(reason)s", line=line, reason=reason) if reason else line
    return line
