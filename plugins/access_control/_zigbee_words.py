"""What Zigbee2MQTT says of a lock, a contact and itself: pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub import Access, Lock, Position
from plugins.access_control._json_object import json_object

LONGEST = 4096
INFO_LONGEST = 4_000_000  # bridge/info carries every device's settings
FAILED = re.compile(r"Publish '(set|get)' '[^']{0,60}' to '(.{1,200}?)' failed", re.S)
CREDENTIALS = frozenset({"keypad", "rfid"})
DENIED = frozenset({"unlock_failure_invalid_pin_or_id", "unlock_failure_invalid_schedule"})


def read_object(payload: bytes, longest: int = LONGEST) -> Mapping[str, Any]:
    """A message as an object; empty where it is none."""
    return {} if len(payload) > longest else json_object(payload) or {}


def is_online(payload: bytes) -> bool | None:
    """What an availability topic says, as an object or as one word; None where it says nothing."""
    word = read_object(payload).get("state") or payload[:16].decode("utf-8", "replace").strip()
    return {"online": True, "offline": False}.get(str(word))


def lock_of(message: Mapping[str, Any], state_is_read: bool) -> Lock | None:
    """What the lock says; None where it says nothing.

    `lock_state` comes from the lock alone. `state` may be what Zigbee2MQTT makes of a command, so
    alone it is believed only where somebody says that it is read (`state_is_read`). `moving` stands
    for a bolt that is neither in nor out; what that means depends on what was asked of it.
    """
    words: dict[str, Lock] = {"locked": "locked", "unlocked": "unlocked"}
    if "lock_state" in message:
        words["not_fully_locked"] = "moving"
        return words.get(str(message["lock_state"]), "unknown")
    if "state" not in message:
        return None
    words = {"LOCK": "locked", "UNLOCK": "unlocked"}
    return words.get(str(message["state"]), "unknown") if state_is_read else "unknown"


def position_of(message: Mapping[str, Any]) -> tuple[Position, str] | None:
    """What a lock's own door sensor or a contact says, and words for what is wrong with it."""
    if "door_state" in message:
        said = str(message["door_state"])
        if said == "open" or said == "error_forced_open":
            return "open", ""
        return ("closed", "") if said == "closed" else ("unknown", f"its door sensor says {said!r}")
    if isinstance(contact := message.get("contact"), bool):
        return ("closed" if contact else "open"), ""
    return None


def access_of(message: Mapping[str, Any]) -> tuple[Access, str] | None:
    """Whether somebody used a credential, and which place in the lock's memory it has."""
    action = message.get("action")
    if action in DENIED:
        return "denied", ""
    if action == "unlock" and message.get("action_source_name") in CREDENTIALS:
        return "granted", str(message.get("action_user", ""))
    return None


def failure_of(payload: bytes) -> tuple[str, str] | None:
    """Of a line of the log: what failed (`set` or `get`), and for which device."""
    line = read_object(payload)
    if line.get("level") != "error":
        return None
    found = FAILED.search(str(line.get("message", "")))
    return (found[1], found[2]) if found else None


def keeps_state(payload: bytes) -> bool | None:
    """Whether Zigbee2MQTT repeats what it remembers with every message; None where not told."""
    advanced = read_object(payload, INFO_LONGEST).get("config", {})
    found = advanced.get("advanced", {}) if isinstance(advanced, dict) else {}
    kept = found.get("cache_state", True) if isinstance(found, dict) else None
    return kept if isinstance(kept, bool) else None
