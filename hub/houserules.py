"""Safety rules that a configuration must keep, whatever else it says.

Each is refused with its reason, and each looks at the file's plain values, so that a fault in the
same block, or a block that is switched off, opens no gap. What a driver does is asked of its
factory alone (`channel` on the class); nothing is built to find out. A rule is a function in
`HOUSE_RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hub.campus import Campus
from hub.config import Place
from hub.document import KeyPath
from hub.doorrules import DOOR_RULES
from hub.kinds.access_control import LOCK_VERBS
from hub.kinds.notifiers import Channel
from hub.ladderrules import LADDER_RULES, rotations_are_called_like_nobody
from hub.plainwords import Finding
from hub.plugins import Registry
from hub.pressrules import PRESS_RULES
from hub.references import event_types, is_off, matches
from hub.rolerules import ROLE_RULES

DERIVED = ("alert.", "incident.", "picture.", "rule.")
PATHS = get_args(get_type_hints(Channel)["path"])

MOVES_DOORS = "- door: {verb: lock, doors: [NAME]}"
TELLS_PEOPLE = "- notify: {through: [NAME]}"
ACTING: Mapping[str, str] = dict.fromkeys(
    ("door", "doors", "lock", "locks", "unlock", "lockdown", "lock_doors", "protocol", "protocols",
     "secure", "hold", "evacuate", "shelter", "then", "do", "action", "actions", "run", "execute"),
    MOVES_DOORS,
) | dict.fromkeys(
    ("notify", "announce", "announcement", "speak", "page", "intercom", "siren", "sirens",
     "broadcast", "public_address", "pa", "dispatch", "call", "phone", "police", "emergency"),
    TELLS_PEOPLE,
)  # fmt: skip


@dataclass(frozen=True)
class House:
    """What the rules look at: the file's plain `values` in today's names.

    `channels` is what can be known of each notifier without building it; `known` says whether all
    of a section could be read.
    """

    values: Mapping[str, Any]
    campus: Campus
    channels: Mapping[str, Channel]
    known: Callable[[str], bool] = lambda section: True

    @classmethod
    def of(
        cls,
        values: Mapping[str, Any],
        registry: Registry,
        known: Callable[[str], bool] = lambda section: True,
    ) -> House:
        """The house that the values describe, as far as they can be understood."""
        places = {
            name: Place.model_construct(
                None,
                name=name,
                kind="area",
                parent=outer if isinstance(outer := block.get("in"), str) else None,
                private=_is_true(block.get("private")),
            )
            for name, block in _blocks(values, "places").items()
        }
        channels = {
            name: channel
            for name, block in _blocks(values, "notifiers").items()
            if (channel := _channel(registry, block)) is not None
        }
        return cls(values, Campus(places), channels, known)


def _blocks(values: Mapping[str, Any], section: str) -> dict[str, dict[str, Any]]:
    blocks = values.get(section)
    items = blocks.items() if isinstance(blocks, dict) else ()
    return {str(name): block for name, block in items if isinstance(block, dict)}


def _is_true(value: object) -> bool:
    try:
        return TypeAdapter(bool).validate_python(value)
    except ValidationError:
        return False


def _channel(registry: Registry, block: Mapping[str, Any]) -> Channel | None:
    """What kind of channel a notifier is; some let the file say over which path it goes."""
    driver = registry.drivers("notifiers").get(str(block.get("driver")))
    channel = getattr(driver.factory, "channel", None) if driver is not None else None
    if driver is None or not isinstance(channel, Channel):
        return None
    field = driver.config.model_fields.get("path")
    chosen = block.get("path", field.default if field is not None else None)
    return replace(channel, path=chosen) if chosen in PATHS else channel


def safety_findings(house: House) -> Iterator[Finding]:
    """Everything in the configuration that a safety rule forbids."""
    for rule in (rotations_are_called_like_nobody, *HOUSE_RULES):
        yield from rule(house)


def egress_is_never_ours(house: House) -> Iterator[Finding]:
    """A door without `egress: free` attested takes no lock verb."""
    for path, action in _door_actions(house):
        place = action.get("place")
        named = _named(house, path, action)
        there = isinstance(place, str) and place in _blocks(house.values, "places")
        if there and not named and house.known("doors"):
            words = f"no door closes off {place}; expected a place with doors"
            yield Finding((*path, "place"), words)
        if str(action.get("verb")) not in LOCK_VERBS:
            continue
        for where, door, block in named:
            if block.get("egress") is None:  # anything else is right, or wrong by itself
                words = (
                    f"`{action['verb']}` may not be sent to the door {door}, which does not attest "
                    "that people can always leave; expected `egress: free` there, once somebody "
                    "has tried that it opens from inside without a key"
                )
                yield Finding(where, words)


def _door_actions(house: House) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for pattern in ("rules.*.verified.[].door", "protocols.*.doors.[]"):
        for path, raw in matches(house.values, pattern):
            if isinstance(raw, dict):
                yield path, raw


def _named(
    house: House, path: KeyPath, action: Mapping[str, Any]
) -> list[tuple[KeyPath, str, dict[str, Any]]]:
    """The doors an action means, each with the place in the file that names it."""
    doors = _blocks(house.values, "doors")
    place, listed = action.get("place"), action.get("doors")
    found = [
        ((*path, "place"), name, door)
        for name, door in doors.items()
        if isinstance(place, str) and isinstance(door.get("place"), str)
        if house.campus.within(door["place"], place)
    ]
    for index, name in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(name, str) and name in doors:
            found.append(((*path, "doors", index), name, doors[name]))
    return found


def detectors_propose_people_decide(house: House) -> Iterator[Finding]:
    """What acts, or is heard by everyone, waits until a person has verified."""
    for path, channel in matches(house.values, "rules.*.alert.through.[]"):
        known = house.channels.get(channel) if isinstance(channel, str) else None
        if known is not None and known.public:
            words = (
                f"{channel} is heard by everyone and may not speak before a person has "
                "verified the alert; expected it under `verified:`"
            )
            yield Finding(path, words)
    for pattern in ("rules.*.@", "rules.*.alert.@"):
        for path, key in matches(house.values, pattern):
            if key in ACTING:
                words = (
                    f"`{key}` would act before a person has looked: detectors propose, people "
                    "decide; expected what acts under `verified:` of the rule"
                )
                yield Finding(path, words, "key", f"such as `{ACTING[key]}`")


def only_what_can_be_verified_acts(house: House) -> Iterator[Finding]:
    """A rule hears nothing that rules themselves cause, so nobody could ever verify it."""
    for path, when in event_types(house.values):
        if when.startswith(DERIVED):
            words = (
                f"{when} comes from rules and is never shown to them, so this one raises nothing "
                "that a person could verify; expected an event from outside such as door.forced"
            )
            yield Finding(path, words)


def private_places_stay_private(house: House) -> Iterator[Finding]:
    """No camera and no zone lies in a place that is private, or part of one."""
    reason = "is private, and private places are never looked at; expected another place"
    for pattern in ("cameras.*.place", "cameras.*.zones.[].place"):
        for path, place in matches(house.values, pattern):
            if isinstance(place, str) and house.campus.private(place):
                yield Finding(path, f"{place} {reason}")


def severe_alerts_take_two_paths(house: House) -> Iterator[Finding]:
    """One broken cable must not silence a severe alert."""
    notifiers = _blocks(house.values, "notifiers")
    for path, alert in matches(house.values, "rules.*.alert"):
        if not isinstance(alert, dict) or not _ever_severe(alert):
            continue
        named = alert.get("through") or []
        if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
            continue
        through = [each for each in named if not is_off(notifiers.get(each))]
        unknown = any(each not in house.channels for each in through)
        if unknown or (named and not through):  # each is told of elsewhere
            continue
        paths = {house.channels[each].path for each in through}
        if len(paths) < 2:
            wrong = "this severe alert goes through no channel at all"
            if paths:
                wrong = f"the channels of this severe alert share one path ({min(paths)}), so that"
                wrong += " one fault silences it"
            words = (
                f"{wrong}; expected channels over two paths, such as the school's network and the "
                "internet"
            )
            yield Finding((*path, "through") if named else path, words, "key")


def _ever_severe(alert: Mapping[str, Any]) -> bool:
    graver = alert.get("graver")
    several = graver if isinstance(graver, list) else [graver]
    said = [alert, *(each for each in several if isinstance(each, dict))]
    return any(each.get("severity") == "severe" for each in said)


def no_other_way_is_heard_by_everyone(house: House) -> Iterator[Finding]:
    """What a channel does not take goes to another that reaches the same people, never to all."""
    for pattern in ("people.*.prefer.[]", "notifiers.*.fallback"):
        for path, name in matches(house.values, pattern):
            channel = house.channels.get(name) if isinstance(name, str) else None
            if channel is not None and channel.public:
                words = f"everyone hears {name}, so no notice goes there instead"
                yield Finding(path, f"{words}; expected a channel that reaches people alone")
            elif path[0] == "notifiers" and name == path[1]:
                yield Finding(path, f"{name} would stand in for itself; expected another notifier")


HOUSE_RULES: tuple[Callable[[House], Iterator[Finding]], ...] = (
    egress_is_never_ours,
    detectors_propose_people_decide,
    only_what_can_be_verified_acts,
    private_places_stay_private,
    severe_alerts_take_two_paths,
    no_other_way_is_heard_by_everyone,
    *LADDER_RULES,
    *PRESS_RULES,
    *DOOR_RULES,
    *ROLE_RULES,
)
