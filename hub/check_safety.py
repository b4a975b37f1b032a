"""Safety rules that a configuration must keep, whatever else it says.

Each is refused with its reason, and each looks at the file's plain values, so that a fault in the
same block, or a block that is switched off, opens no gap. A rule is a function in `SAFETY_RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hub.check_doors import DOOR_RULES
from hub.check_drills import DRILL_RULES
from hub.check_ladders import LADDER_RULES, rotations_are_called_like_nobody
from hub.check_presses import PRESS_RULES
from hub.check_roles import ROLE_RULES
from hub.check_site import Site
from hub.document import KeyPath
from hub.kinds.access_control import LOCK_VERBS
from hub.plainwords import Finding
from hub.value_patterns import event_types, is_off, matches

DERIVED = ("alert.", "incident.", "picture.", "rule.")

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


def safety_findings(site: Site) -> Iterator[Finding]:
    """Everything in the configuration that a safety rule forbids."""
    for rule in (rotations_are_called_like_nobody, *SAFETY_RULES):
        yield from rule(site)


def egress_is_never_ours(site: Site) -> Iterator[Finding]:
    """A door without `egress: free` attested takes no lock verb."""
    for path, action in _door_actions(site):
        place = action.get("place")
        named = _named(site, path, action)
        there = isinstance(place, str) and place in site.blocks("places")
        if there and not named and site.known("doors"):
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


def _door_actions(site: Site) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for pattern in ("rules.*.verified.[].door", "protocols.*.doors.[]"):
        for path, raw in matches(site.values, pattern):
            if isinstance(raw, dict):
                yield path, raw


def _named(
    site: Site, path: KeyPath, action: Mapping[str, Any]
) -> list[tuple[KeyPath, str, dict[str, Any]]]:
    """The doors an action means, each with the place in the file that names it."""
    doors = site.blocks("doors")
    place, listed = action.get("place"), action.get("doors")
    found = [
        ((*path, "place"), name, door)
        for name, door in doors.items()
        if isinstance(place, str) and isinstance(door.get("place"), str)
        if site.campus.within(door["place"], place)
    ]
    for index, name in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(name, str) and name in doors:
            found.append(((*path, "doors", index), name, doors[name]))
    return found


def detectors_propose_people_decide(site: Site) -> Iterator[Finding]:
    """What acts, or is heard by everyone, waits until a person has verified."""
    for path, channel in matches(site.values, "rules.*.alert.through.[]"):
        known = site.channels.get(channel) if isinstance(channel, str) else None
        if known is not None and known.public:
            words = (
                f"{channel} is heard by everyone and may not speak before a person has "
                "verified the alert; expected it under `verified:`"
            )
            yield Finding(path, words)
    for pattern in ("rules.*.@", "rules.*.alert.@"):
        for path, key in matches(site.values, pattern):
            if key in ACTING:
                words = (
                    f"`{key}` would act before a person has looked: detectors propose, people "
                    "decide; expected what acts under `verified:` of the rule"
                )
                yield Finding(path, words, "key", f"such as `{ACTING[key]}`")


def only_what_can_be_verified_acts(site: Site) -> Iterator[Finding]:
    """A rule hears nothing that rules themselves cause, so nobody could ever verify it."""
    for path, when in event_types(site.values):
        if when.startswith(DERIVED):
            words = (
                f"{when} comes from rules and is never shown to them, so this one raises nothing "
                "that a person could verify; expected an event from outside such as door.forced"
            )
            yield Finding(path, words)


def private_places_stay_private(site: Site) -> Iterator[Finding]:
    """No camera and no zone lies in a place that is private, or part of one."""
    reason = "is private, and private places are never looked at; expected another place"
    for pattern in ("cameras.*.place", "cameras.*.zones.[].place"):
        for path, place in matches(site.values, pattern):
            if isinstance(place, str) and site.campus.private(place):
                yield Finding(path, f"{place} {reason}")


def severe_alerts_take_two_paths(site: Site) -> Iterator[Finding]:
    """One broken cable must not silence a severe alert."""
    notifiers = site.blocks("notifiers")
    for path, alert in matches(site.values, "rules.*.alert"):
        if not isinstance(alert, dict) or not _ever_severe(alert):
            continue
        named = alert.get("through") or []
        if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
            continue
        through = [each for each in named if not is_off(notifiers.get(each))]
        unknown = any(each not in site.channels for each in through)
        if unknown or (named and not through):  # each is told of elsewhere
            continue
        paths = {site.channels[each].path for each in through}
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


def no_other_way_is_heard_by_everyone(site: Site) -> Iterator[Finding]:
    """What a channel does not take goes to another that reaches the same people, never to all."""
    for pattern in ("people.*.prefer.[]", "notifiers.*.fallback"):
        for path, name in matches(site.values, pattern):
            channel = site.channels.get(name) if isinstance(name, str) else None
            if channel is not None and channel.public:
                words = f"everyone hears {name}, so no notice goes there instead"
                yield Finding(path, f"{words}; expected a channel that reaches people alone")
            elif path[0] == "notifiers" and name == path[1]:
                yield Finding(path, f"{name} would stand in for itself; expected another notifier")


SAFETY_RULES: tuple[Callable[[Site], Iterator[Finding]], ...] = (
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
    *DRILL_RULES,
)
