"""Safety rules that a configuration must keep, whatever else it says.

Each is refused with its reason. What a driver does is asked of its factory alone (`channel` on the
class); nothing is built to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

from hub.campus import Campus
from hub.config import CameraBlock, Config, DoorAction, DoorBlock
from hub.kinds.access_control import LOCK_VERBS
from hub.kinds.notifiers import Channel
from hub.plainwords import Finding, findings
from hub.plugins import Registry
from hub.references import matches
from hub.typewords import KeyPath


@dataclass(frozen=True)
class House:
    """The parts of a configuration that could be read, for checks across it.

    `values` are the file's plain values: an action is looked at even where its rule is unsound.
    """

    values: Mapping[str, Any]
    config: Config
    campus: Campus
    channels: Mapping[str, Channel]

    @classmethod
    def of(cls, values: Mapping[str, Any], config: Config, registry: Registry) -> House:
        """Look up what can be known of each channel without building it."""
        channels = {}
        for name, block in config.notifiers.items():
            driver = registry.drivers("notifiers").get(block.driver)
            channel = getattr(driver.factory, "channel", None) if driver else None
            if isinstance(channel, Channel):
                chosen: Any = getattr(block.settings, "path", None)  # some let the file say it
                known = chosen in get_args(get_type_hints(Channel)["path"])
                channels[name] = replace(channel, path=chosen) if known else channel
        return cls(values, config, Campus(config.places), channels)


def safety_findings(house: House) -> Iterator[Finding]:
    """Everything in the configuration that a safety rule forbids."""
    for rule in HOUSE_RULES:
        yield from rule(house)


def egress_is_never_ours(house: House) -> Iterator[Finding]:
    """A door without `egress: free` attested takes no lock verb."""
    for path, action in _door_actions(house.values):
        doors = _named(house, path, action)
        if not doors and action.place in house.config.places:
            words = f"no door closes off {action.place}; expected a place with doors"
            yield Finding((*path, "place"), words)
        if action.verb not in LOCK_VERBS:
            continue
        for where, door, block in doors:
            if block.egress != "free":
                words = (
                    f"`{action.verb}` may not be sent to the door {door}, which does not attest "
                    "that people can always leave; expected `egress: free` there, once somebody "
                    "has tried that it opens from inside without a key"
                )
                yield Finding(where, words)


def _door_actions(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, DoorAction]]:
    for pattern in ("rules.*.verified.[].door", "protocols.*.doors.[]"):
        for path, raw in matches(values, pattern):
            action, _ = findings(DoorAction, raw)
            if action is not None:
                yield path, action


def _named(house: House, path: KeyPath, action: DoorAction) -> list[tuple[KeyPath, str, DoorBlock]]:
    """The doors an action means, each with the place in the file that names it."""
    doors = house.config.doors
    if action.place is not None:
        return [
            ((*path, "place"), name, door)
            for name, door in doors.items()
            if house.campus.within(door.place, action.place)
        ]
    return [
        ((*path, "doors", index), name, doors[name])
        for index, name in enumerate(action.doors)
        if name in doors
    ]


def detectors_propose_people_decide(house: House) -> Iterator[Finding]:
    """Nothing heard by everyone speaks before a person has verified."""
    for path, channel in matches(house.values, "rules.*.alert.through.[]"):
        known = house.channels.get(channel) if isinstance(channel, str) else None
        if known is not None and known.public:
            words = (
                f"{channel} is heard by everyone and may not speak before a person has "
                "verified the alert; expected it under `verified:`"
            )
            yield Finding(path, words)


def private_places_stay_private(house: House) -> Iterator[Finding]:
    """No camera and no zone lies in a place that is private, or part of one."""
    reason = "is private, and private places are never looked at; expected another place"
    for name, camera in house.config.cameras.items():
        for path, place in _looks_at(name, camera):
            if house.campus.private(place):
                yield Finding(path, f"{place} {reason}")


def _looks_at(name: str, camera: CameraBlock) -> Iterator[tuple[KeyPath, str]]:
    yield ("cameras", name, "place"), camera.place
    for index, zone in enumerate(camera.zones):
        yield ("cameras", name, "zones", index, "place"), zone.place


def severe_alerts_take_two_paths(house: House) -> Iterator[Finding]:
    """One broken cable must not silence a severe alert."""
    for path, alert in matches(house.values, "rules.*.alert"):
        if not isinstance(alert, dict) or alert.get("severity") != "severe":
            continue
        named = alert.get("through") or []
        if not isinstance(named, list):
            continue
        through = [each for each in named if _enabled(house.config, each)]
        if any(each not in house.channels for each in through):
            continue
        paths = {house.channels[each].path for each in through}
        if len(paths) < 2:
            shared = f"share one path ({min(paths)})" if paths else "are none"
            words = (
                f"the channels of this severe alert {shared}, so that one fault silences it; "
                "expected channels over two paths, such as the school's network and the internet"
            )
            yield Finding((*path, "through") if named else path, words, "key")


def _enabled(config: Config, notifier: object) -> bool:
    block = config.notifiers.get(notifier) if isinstance(notifier, str) else None
    return block is not None and block.enabled


HOUSE_RULES: tuple[Callable[[House], Iterator[Finding]], ...] = (
    egress_is_never_ours,
    detectors_propose_people_decide,
    private_places_stay_private,
    severe_alerts_take_two_paths,
)
