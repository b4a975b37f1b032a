"""What starting a protocol does, worked out from the configuration; and how far it is, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from typing import Protocol as Contract

from hub.campus import Campus
from hub.config import Config, Protocol
from hub.errors import Refused
from hub.kinds.access_control import LOCK_VERBS, Verb
from hub.kinds.notifiers import Severity
from hub.phrases import mark, phrase, phrases
from hub.safety.alerts import plan as alert_plan
from hub.safety.words import Words

NAMED = 5
LEFT = mark("left as it is")  # of a door that nobody wants otherwise once a protocol is over
AREA_KINDS = ("site", "building", "floor", "area", "room", "outdoor")


class DoorState(Contract):
    """How far one door of a run is."""

    door: str
    verb: str
    state: str
    detail: str


def block_of(config: Config, protocol: str) -> Protocol:
    """What the configuration says of a protocol. Raises `Refused` where it says nothing."""
    for name, block in config.protocols.items():
        if name == protocol:
            return block
    known = ", ".join(config.protocols) or "none"
    raise Refused(
        "there is no protocol %(protocol)r here; the configuration has: %(known)s",
        protocol=protocol,
        known=known,
    )


def severity(protocol: str) -> Severity:
    """How grave it is: a hold keeps halls clear, all others keep people from harm."""
    return "high" if protocol == "hold" else "severe"


def site_of(config: Config, place: str) -> str:
    """The outermost place that a place is part of."""
    seen: set[str] = set()
    while place in config.places and place not in seen:
        seen.add(place)
        outer = config.places[place].parent
        if outer is None:
            break
        place = outer
    return place


def area_for(config: Config, protocol: str, place: str) -> str:
    """Where a protocol is in force that is started at a place: what the configuration says, else
    the whole site.
    """
    return block_of(config, protocol).area or site_of(config, place)


def called(campus: Campus, place: str) -> str:
    """What people call a place; of the site, which is left out of other places' words, its name."""
    return campus.words(place) or campus.name(place)


def source_words(words: Words, source: str) -> str:
    """What people call whoever said that there is a fire."""
    kind, _, name = source.partition("/")
    block = words.config.inputs.get(name) if kind == "input" else None
    if block is not None:
        return block.name or name.replace("_", " ").capitalize()
    inbound = words.config.inbound.get(name) if kind == "inbound" else None
    return (inbound.name or name) if inbound is not None else words.person(name or source)


def door_steps(
    config: Config, campus: Campus, block: Protocol, area: str
) -> list[tuple[str, Verb]]:
    """The doors that a protocol moves in an area, each with its verb; what is said last of a door
    holds. A door belongs to an area that it closes off or leads to.
    """
    found: dict[str, Verb] = {}
    for action in block.doors:
        for door in alert_plan.door_ids(config, campus, action):
            if door in config.doors and touches(config, campus, door, area):
                found[door] = action.verb
    return list(found.items())


def touches(config: Config, campus: Campus, door: str, area: str) -> bool:
    """Whether a door closes off a part of an area, or leads to one."""
    block = config.doors[door]
    return any(campus.within(place, area) for place in (block.place, block.leads_to) if place)


def will(
    words: Words, campus: Campus, block: Protocol, area: str, public: Callable[[str], bool]
) -> list[str]:
    """What starting it does, in sentences."""
    config = words.config
    steps: list[dict[str, Any]] = [
        {"kind": "door", "door": door, "verb": verb, "may": alert_plan.may_take(config, door, verb)}
        for door, verb in door_steps(config, campus, block, area)
    ]
    if block.through:
        telling = {"through": list(block.through), "tell": list(block.tell), "text": ""}
        steps.append({"kind": "notice", **telling})
    return alert_plan.will(words, steps, public)


_SECURED = (
    mark("%(n)s of %(total)s secured"),
    mark("%(n)s of %(total)s secured in %(took)s s"),
)
_DONE = (mark("%(n)s of %(total)s done"), mark("%(n)s of %(total)s done in %(took)s s"))


def sentence(doors: Sequence[DoorState], seconds: Mapping[str, float | None], words: Words) -> str:
    """How far the doors are, in one line: `17 of 18 secured in 1.8 s; Gym East: not confirmed,
    retrying`.
    """
    moving = [row for row in doors if row.state != "fenced"]
    if not moving:
        count = len(doors)
        if not count:
            return phrase("No doors to move")
        return phrases(
            "No door moves in this drill (%(n)s door)",
            "No door moves in this drill (%(n)s doors)",
            count,
            n=count,
        )
    done = [row for row in moving if row.state in ("secured", "done")]
    secured = all(row.verb in LOCK_VERBS for row in moving)
    times = [each for row in done if (each := seconds.get(row.door)) is not None]
    how = {"n": len(done), "total": len(moving), "took": f"{max(times, default=0.0):.1f}"}
    form = _SECURED if secured else _DONE
    parts: list[str] = [phrase(form[bool(times)], **how)]
    open_ones = [row for row in moving if row.state not in ("secured", "done")]
    parts += [f"{words.door(row.door)}: {_trouble(row)}" for row in open_ones[:NAMED]]
    if len(open_ones) > NAMED:
        parts.append(phrase("and %(n)s more", n=len(open_ones) - NAMED))
    if n := len(doors) - len(moving):
        one, many = "%(n)s door not moved in this drill", "%(n)s doors not moved in this drill"
        parts.append(phrases(one, many, n, n=n))
    return "; ".join(parts)


def clear_sentence(doors: Sequence[DoorState], words: Words) -> str:
    """How far the doors are that a protocol has let go of: of those that were asked to go back."""
    if not doors:
        return phrase("No doors to move back")
    asked = [row for row in doors if row.detail != LEFT]
    done = sum(row.state == "done" or row.state == "secured" for row in asked)
    parts: list[str] = [phrase("No door is asked to go back")]
    if asked:
        parts = [phrase("%(n)s of %(total)s back as before", n=done, total=len(asked))]
    if asked and (left := len(doors) - len(asked)):
        parts.append(
            phrases("%(n)s door left as it is", "%(n)s doors left as they are", left, n=left)
        )
    waiting = [row for row in asked if row.state not in ("done", "secured")]
    parts += [f"{words.door(row.door)}: {_trouble(row)}" for row in waiting[:NAMED]]
    if len(waiting) > NAMED:
        parts.append(phrase("and %(n)s more", n=len(waiting) - NAMED))
    return "; ".join(parts)


def _trouble(row: DoorState) -> str:
    if row.state == "retrying":
        return mark("not confirmed, retrying")
    if row.state == "refused":
        return phrase("NOT asked: %(detail)s", detail=row.detail)
    if row.state == "suspended":
        return phrase("waits: %(why)s", why=row.detail or mark("fire alarm"))
    return row.detail or mark("not confirmed yet")
