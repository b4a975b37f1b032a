"""What verifying an alert will do, worked out when the alert is raised and kept with it.

People read the plan before they press Verify, so it is what will run, also when the configuration
has changed in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.campus import Campus
from hub.config import Action, Config, DoorAction, NoticeAction
from hub.kinds.access_control import LOCK_VERBS
from hub.phrases import mark, phrase
from hub.safety.outbox import DOOR_EXPIRES, Intention
from hub.safety.words import ASK, DOES, Words

Step = dict[str, Any]


def door_ids(config: Config, campus: Campus, action: DoorAction) -> list[str]:
    """The doors an action means: those it names, or all of its place or a part of it."""
    if action.place is None:
        return list(action.doors)
    return [
        door for door, block in config.doors.items() if campus.within(block.place, action.place)
    ]


def may_take(config: Config, door: str, verb: str) -> bool:
    """Whether a door may be asked: no lock verb unless people can always leave through it."""
    return verb not in LOCK_VERBS or config.doors[door].egress == "free"


def plan(config: Config, campus: Campus, wanted: Sequence[Action]) -> list[Step]:
    """The steps of a rule's `verified` actions, as plain values: doors before notices."""
    steps: list[Step] = []
    for action in wanted:
        if action.door is not None:
            steps += _door_steps(config, campus, action.door)
    for action in wanted:
        if action.notify is not None:
            steps.append(_notice_step(action.notify))
    return steps


def will(words: Words, steps: Sequence[Step], public: Callable[[str], bool]) -> list[str]:
    """The plan in sentences: `Locks Science wing east, Science wing west`, `Sounds Siren`."""
    doors: dict[tuple[str, bool], list[str]] = {}
    said: list[str] = []
    for step in steps:
        if step["kind"] == "door":
            names = doors.setdefault((step["verb"], step["may"]), [])
            names.append(words.door(step["door"]))
        else:
            said += _telling(words, step, public)
    lines: list[str] = [
        phrase(DOES[verb], doors=", ".join(names))
        if allowed
        else phrase(
            "Cannot %(ask)s %(doors)s: free egress is not attested",
            ask=ASK[verb],
            doors=", ".join(names),
        )
        for (verb, allowed), names in doors.items()
    ]
    return lines + said


def command(
    words: Words, door: str, verb: str, by: str, reason: str, alert: str = "", incident: str = ""
) -> Intention:
    """The intention to ask a door for something."""
    block = words.config.doors.get(door)
    return Intention(
        kind="door",
        target=door,
        what=f"{words.door(door)}: {ASK[verb]}",
        payload={"verb": verb, "by": by, "reason": reason},
        lane=f"door/{door}",
        deadline_s=block.deadline if block is not None else 8.0,
        expires=DOOR_EXPIRES,
        alert=alert,
        incident=incident,
    )


def _door_steps(config: Config, campus: Campus, action: DoorAction) -> list[Step]:
    return [
        {
            "kind": "door",
            "door": door,
            "verb": action.verb,
            "may": may_take(config, door, action.verb),
        }
        for door in door_ids(config, campus, action)
        if door in config.doors
    ]


def _notice_step(action: NoticeAction) -> Step:
    return {
        "kind": "notice",
        "through": list(action.through),
        "tell": list(action.tell),
        "text": action.text,
    }


def _telling(words: Words, step: Mapping[str, Any], public: Callable[[str], bool]) -> list[str]:
    loud = [words.channel(channel) for channel in step["through"] if public(channel)]
    quiet = [words.channel(channel) for channel in step["through"] if not public(channel)]
    lines: list[str] = [phrase("Sounds %(channels)s", channels=", ".join(loud))] if loud else []
    if quiet:
        who = ", ".join(_who(words.config, name) for name in step["tell"]) or mark("everyone")
        lines.append(
            phrase("Tells %(who)s through %(channels)s", who=who, channels=", ".join(quiet))
        )
    return lines


def _who(config: Config, name: str) -> str:
    if name in config.people:
        return config.people[name].name
    role = config.roles.get(name)
    return role.name if role is not None and role.name else name.replace("_", " ").capitalize()
