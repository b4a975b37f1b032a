"""What Home Assistant is told of the house by MQTT discovery: entities, and how they stand. Pure.

States go out as they are believed here: what is stale or unknown is unknown there, never locked.
No picture, no name of a person and no reference to a credential is in them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import hub
from hub.camera_views import CameraView
from hub.kinds.access_control import Verb
from hub.protocol_views import ProtocolRunView
from hub.views import AlertView, DoorView

UNKNOWN = "None"  # the word by which Home Assistant resets an entity to unknown
EXPIRES_S = 90
GRAVE = frozenset({"severe", "high"})
LOCK_WORDS = {"locked": "LOCKED", "unlocked": "UNLOCKED", "jammed": "JAMMED"}
CONTROLS: Mapping[str, Verb] = {"LOCK": "lock", "UNLOCK": "unlock"}

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: where its discovery message goes below the prefix, and that message."""

    path: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """How things are called: `topic` is the root of states, `site` the name of the hub.

    `control` offers doors as locks that take commands, not only as sensors.
    """

    topic: str
    site: str
    control: bool = False

    @property
    def node(self) -> str:
        """The part of discovery topics and identifiers that is this hub's."""
        return self.topic.replace("/", "_")

    @property
    def status(self) -> str:
        """Where the hub says that it is there, and the broker that it is not."""
        return f"{self.topic}/status"

    def of(self, kind: str, id_: str) -> str:
        """Where the state of a thing is published."""
        return f"{self.topic}/{kind}/{id_}"


def door_state(door: DoorView) -> State:
    """A door, each fact only while it is fresh."""
    reported, physical = door["reported"], door["physical"]
    lock = UNKNOWN if reported["stale"] else LOCK_WORDS.get(reported["lock"], UNKNOWN)
    position = "unknown" if physical["stale"] else physical["position"]
    return {
        "online": _on(door["online"]),
        "lock": lock,
        "unlocked": {"LOCKED": "OFF", UNKNOWN: UNKNOWN}.get(lock, "ON"),
        "open": {"open": "ON", "closed": "OFF"}.get(position, UNKNOWN),
        "conclusion": door["conclusion"],
        "detail": door["detail"],
    }


def camera_state(camera: CameraView) -> State:
    """A camera: whether pictures arrive."""
    return {"online": _on(camera["state"] == "online"), "reason": camera["reason"]}


def alerts_state(alerts: Iterable[AlertView], drills: Collection[str] = ()) -> State:
    """How many alerts are open, and the gravest of them, which comes first in the list.

    `drills` are the incidents that are played: an alert of one is none that is grave, for people
    may have set something off by that, and it is named only where there is no real one.
    """
    found = list(alerts)
    real = [alert for alert in found if alert["incident"] not in drills]
    first = next(iter(real or found), None)
    drill = "" if real else "DRILL: "
    return {
        "open": len(found),
        "grave": _on(any(alert["severity"] in GRAVE for alert in real)),
        "title": f"{drill}{first['title']}" if first else "",
        "severity": first["severity"] if first else "",
        "place": first["place_words"] if first else "",
    }


def protocol_state(runs: Iterable[ProtocolRunView]) -> State:
    """The protocol that is in force; a drill is one from its first word."""
    found = [run for run in runs if run["state"] == "in_force"]
    words = [f"DRILL {run['name']}" if run["drill"] else run["name"] for run in found]
    return {
        "name": ", ".join(words) or "none",
        "drill": bool(found) and all(run["drill"] for run in found),
        "areas": ", ".join(run["area_words"] for run in found),
        "progress": "; ".join(run["sentence"] for run in found),
    }


def entities(
    names: Names, doors: Iterable[DoorView], cameras: Iterable[CameraView]
) -> list[Entity]:
    """Everything that Home Assistant is to know of."""
    found = _site(names)
    for door in doors:
        found += _door(names, door)
    for camera in cameras:
        if camera["state"] != "disabled":
            found.append(_camera(names, camera))
    return found


def _site(names: Names) -> list[Entity]:
    device = {
        "identifiers": [names.node],
        "name": names.site,
        "manufacturer": "Vestibule",
        "model": "Hub",
        "sw_version": hub.__version__,
    }
    alerts, protocol = names.of("site", "alerts"), names.of("site", "protocol")
    return [
        _sensor(names, device, "alerts", "Open alerts", alerts, "open", icon="mdi:alert"),
        _binary(names, device, "grave_alert", "Grave alert", alerts, "grave", "safety"),
        _sensor(names, device, "protocol", "Protocol", protocol, "name", icon="mdi:shield-home"),
    ]


def _door(names: Names, door: DoorView) -> list[Entity]:
    id_ = door["id"]
    topic = names.of("door", id_)
    device = _device(names, f"door_{id_}", door["name"], "Door", door["place_words"])
    there = _while_online(topic)
    found = [
        _binary(names, device, f"door_{id_}_open", "Door", topic, "open", "door", there),
        _sensor(names, device, f"door_{id_}_state", "State", topic, "conclusion", there),
    ]
    if names.control and {"lock", "unlock"} <= set(door["verbs"]):
        config = _base(names, device, f"door_{id_}_lock", "Lock", topic, "lock", there)
        config |= {"command_topic": f"{topic}/set", "optimistic": False, "retain": False}
        return [*found, Entity(_path(names, "lock", f"door_{id_}_lock"), config)]
    return [
        *found,
        _binary(names, device, f"door_{id_}_lock", "Lock", topic, "unlocked", "lock", there),
    ]


def _camera(names: Names, camera: CameraView) -> Entity:
    id_ = camera["id"]
    topic = names.of("camera", id_)
    device = _device(names, f"camera_{id_}", camera["name"], "Camera", camera["place_words"])
    return _binary(names, device, f"camera_{id_}", "Pictures", topic, "online", "connectivity")


def _device(names: Names, id_: str, name: str, model: str, area: str) -> State:
    return {
        "identifiers": [f"{names.node}_{id_}"],
        "name": name,
        "manufacturer": "Vestibule",
        "model": model,
        "suggested_area": area,
        "via_device": names.node,
    }


def _while_online(topic: str) -> list[State]:
    template = "{{ 'online' if value_json.online == 'ON' else 'offline' }}"
    return [{"topic": topic, "value_template": template}]


def _base(
    names: Names,
    device: State,
    id_: str,
    name: str,
    topic: str,
    key: str,
    there: list[State] | None,
) -> State:
    return {
        "name": name,
        "unique_id": f"{names.node}_{id_}",
        "device": device,
        "origin": {"name": "Vestibule", "sw_version": hub.__version__},
        "state_topic": topic,
        "value_template": f"{{{{ value_json.{key} }}}}",
        "availability": [{"topic": names.status}, *(there or [])],
        "availability_mode": "all",
        "json_attributes_topic": topic,
    }


def _binary(
    names: Names,
    device: State,
    id_: str,
    name: str,
    topic: str,
    key: str,
    device_class: str,
    there: list[State] | None = None,
) -> Entity:
    config = _base(names, device, id_, name, topic, key, there)
    config |= {"device_class": device_class, "expire_after": EXPIRES_S}
    return Entity(_path(names, "binary_sensor", id_), config)


def _sensor(
    names: Names,
    device: State,
    id_: str,
    name: str,
    topic: str,
    key: str,
    there: list[State] | None = None,
    icon: str = "mdi:door-closed-lock",
) -> Entity:
    config = _base(names, device, id_, name, topic, key, there)
    config |= {"icon": icon, "expire_after": EXPIRES_S}
    return Entity(_path(names, "sensor", id_), config)


def _path(names: Names, component: str, id_: str) -> str:
    return f"{component}/{names.node}/{id_}/config"


def _on(value: bool) -> str:
    return "ON" if value else "OFF"
