"""Names that must lead somewhere: one table of who may name what, and a few rules beside it.

Everything here looks at plain values, so that a block with another fault is still followed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.events import EVENT_TYPES
from hub.identity.permissions import PERMISSIONS, ROLES
from hub.plainwords import Finding, describe, meant
from hub.typewords import KeyPath

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """Values at `pattern` must name one of `known`. In a pattern `*` is any value of a mapping,
    `@` any key of one and `[]` any item of a list."""

    pattern: str
    what: str
    known: Callable[[Values], Collection[str]]


def _section(name: str) -> Callable[[Values], Collection[str]]:
    return lambda values: _names(values, name)


def _names(values: Values, section: str) -> list[str]:
    block = values.get(section)
    return [str(key) for key in block] if isinstance(block, dict) else []


def _roles(values: Values) -> list[str]:
    return [*ROLES, *(name for name in _names(values, "roles") if name not in ROLES)]


def _tellable(values: Values) -> list[str]:
    """People, and roles that somebody has."""
    people = values.get("people")
    blocks = people.values() if isinstance(people, dict) else ()
    held = [str(block.get("role")) for block in blocks if isinstance(block, dict)]
    return [*_names(values, "people"), *dict.fromkeys(held)]


PLACE = ("a place under `places:`", _section("places"))
DOOR = ("a door under `doors:`", _section("doors"))
CAMERA = ("a camera under `cameras:`", _section("cameras"))
DETECTOR = ("a detector under `detectors:`", _section("detectors"))
CONTROLLER = ("a controller under `access_control:`", _section("access_control"))
CHANNEL = ("a notifier under `notifiers:`", _section("notifiers"))
SCHEDULE = ("a schedule under `schedules:`", _section("schedules"))
TELLABLE = ("a person under `people:` or a role that one of them has", _tellable)

REFERENCES: tuple[Reference, ...] = tuple(
    Reference(pattern, *target)
    for pattern, target in (
        ("places.*.in", PLACE),
        ("cameras.*.place", PLACE),
        ("cameras.*.detector", DETECTOR),
        ("cameras.*.zones.[].place", PLACE),
        (
            "doors.*.controller",
            ("a controller under `access_control:`", _section("access_control")),
        ),
        ("doors.*.place", PLACE),
        ("doors.*.leads_to", PLACE),
        ("visitors.*.place", PLACE),
        ("people.*.role", ("a role under `roles:` or a built-in one", _roles)),
        ("people.*.contact.@", CHANNEL),
        ("roles.*.may.[]", ("a permission", lambda values: list(PERMISSIONS))),
        ("rules.*.if.place", PLACE),
        ("rules.*.if.camera", CAMERA),
        ("rules.*.if.door", DOOR),
        ("rules.*.if.during", SCHEDULE),
        ("rules.*.if.outside", SCHEDULE),
        ("rules.*.alert.tell.[]", TELLABLE),
        ("rules.*.alert.through.[]", CHANNEL),
        ("rules.*.verified.[].door.doors.[]", DOOR),
        ("rules.*.verified.[].door.place", PLACE),
        ("rules.*.verified.[].notify.tell.[]", TELLABLE),
        ("rules.*.verified.[].notify.through.[]", CHANNEL),
        ("protocols.*.doors.[].doors.[]", DOOR),
        ("protocols.*.doors.[].place", PLACE),
        ("protocols.*.tell.[]", TELLABLE),
        ("protocols.*.through.[]", CHANNEL),
    )
)


def reference_findings(values: Values, hidden: Collection[KeyPath] = ()) -> Iterator[Finding]:
    """Every name that leads nowhere, places that contain themselves, unknown event types.

    What stands at a `hidden` path is never shown.
    """
    for reference in REFERENCES:
        known = reference.known(values)
        for path, value in matches(values, reference.pattern):
            if isinstance(value, str) and value not in known:
                yield _unknown(path, value, reference, known, path in hidden)
    yield from _place_cycles(values)
    yield from _event_types(values)
    yield from _deaf_channels(values)


def _unknown(
    path: KeyPath, value: str, reference: Reference, known: Collection[str], hidden: bool
) -> Finding:
    choices = (
        f" ({', '.join(known)})" if 0 < len(known) <= 8 else "" if known else " (there is none)"
    )
    words = f"{describe(value)} names nothing; expected {reference.what}{choices}"
    at_key = reference.pattern.endswith("@")
    return Finding(path, words, "key" if at_key else "value", meant(value, known))


def matches(values: Any, pattern: str) -> Iterator[tuple[KeyPath, Any]]:
    """The paths and values that a pattern of `Reference` fits, in the file's order."""
    yield from _matches(values, pattern.split("."), ())


def _matches(value: Any, parts: list[str], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if not parts:
        yield path, value
        return
    part, rest = parts[0], parts[1:]
    if part == "[]":
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _matches(item, rest, (*path, index))
    elif isinstance(value, dict):
        if part == "@":
            for key in value:
                yield (*path, key), key
        else:
            for key in value if part == "*" else (part,):
                if key in value:
                    yield from _matches(value[key], rest, (*path, key))


def _place_cycles(values: Values) -> Iterator[Finding]:
    inside = {str(path[1]): value for path, value in matches(values, "places.*.in")}
    for place in inside:
        chain = [place]
        while (outer := inside.get(chain[-1])) is not None and outer not in chain:
            chain.append(outer)
        if outer == place:
            words = f"a place inside itself ({' in '.join([*chain, place])}); expected an end"
            yield Finding(("places", place, "in"), words)


def _event_types(values: Values) -> Iterator[Finding]:
    for path, value in matches(values, "rules.*.when"):
        if not isinstance(value, str) or value in EVENT_TYPES:
            continue
        if value.startswith("plugin.") and len(value) > len("plugin."):
            continue
        words = f"{describe(value)} is no event type; expected one such as zone.entered"
        hint = meant(value, EVENT_TYPES) or "all are in docs/reference/config.md#events"
        yield Finding(path, words, "value", hint)


def _deaf_channels(values: Values) -> Iterator[Finding]:
    """Lists of channels of which every one is switched off."""
    notifiers = values.get("notifiers")
    blocks = notifiers if isinstance(notifiers, dict) else {}
    off = {
        name
        for name, block in blocks.items()
        if isinstance(block, dict) and block.get("enabled") in (False, "no", "off", "false")
    }
    for pattern in (
        "rules.*.alert.through",
        "rules.*.verified.[].notify.through",
        "protocols.*.through",
    ):
        for path, value in matches(values, pattern):
            names = [name for name in value if isinstance(name, str)] if value else []
            if isinstance(value, list) and names and off.issuperset(names):
                words = "every channel here is switched off; expected one that is enabled"
                yield Finding(path, words, "key")
    for path, value in matches(values, "cameras.*.detector"):
        detectors = values.get("detectors")
        block = detectors.get(value) if isinstance(detectors, dict) and value else None
        camera = values["cameras"][path[1]]
        camera_on = camera.get("enabled") not in (False, "no", "off", "false")
        if isinstance(block, dict) and block.get("enabled") is False and camera_on:
            words = f"the detector {value!r} is switched off; expected one that is enabled"
            yield Finding(path, words)
