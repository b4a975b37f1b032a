"""What a UniFi Access console says of its doors, in our words: pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub import Access, Lock, Position, Probed
from plugins.access_control._unifi_api import Standing

LOCKS: Mapping[str, Lock] = {
    "lock": "locked", "locked": "locked", "unlock": "unlocked", "unlocked": "unlocked",
}  # fmt: skip
POSITIONS: Mapping[str, Position] = {"open": "open", "close": "closed", "closed": "closed"}
FROM_AFAR = ("REMOTE", "API")


@dataclass(frozen=True, slots=True)
class PushedState:
    """A door's state as it changes; None where the message says nothing about it."""

    door: str
    lock: Lock | None
    position: Position | None
    unavailable: bool | None


@dataclass(frozen=True, slots=True)
class PushedAccess:
    """Somebody used a credential; `holder` is the console's own id of it, or of its holder."""

    door: str
    access: Access
    holder: str


def pushed_state(data: Mapping[str, Any]) -> PushedState | None:
    """Of a message about a location; None where that is no door with a state."""
    state = data.get("state")
    if not isinstance(state, dict):
        return None
    away = state.get("is_unavailable")
    return PushedState(
        str(data.get("id")),
        LOCKS.get(str(state.get("lock"))),
        POSITIONS.get(str(state.get("dps"))),
        away if isinstance(away, bool) else None,
    )


def pushed_accesses(data: Mapping[str, Any]) -> list[PushedAccess]:
    """Of a message about an access: a badge, a code or a phone, at one door or several.

    A door that somebody opened from afar is none of these, and neither is what we did ourselves.
    """
    about = data.get("metadata")
    if data.get("event_type") != "access.door.unlock" or not isinstance(about, dict):
        return []
    how, who = one_entry(about.get("authentication")), one_entry(about.get("actor"))
    means = str(how.get("display_name") or how.get("credential_provider") or "").upper()
    if any(word in means for word in FROM_AFAR):
        return []
    access: Access = "granted" if data.get("result") == "ACCESS" else "denied"
    holder = str(how.get("id") or who.get("id") or "")
    doors = about.get("door")
    places = doors if isinstance(doors, list) else [doors]
    return [PushedAccess(str(one_entry(place).get("id")), access, holder) for place in places]


def one_entry(said: object) -> Mapping[str, Any]:
    """An object of a message; empty where it is none."""
    return said if isinstance(said, dict) else {}


def overview(console: str, doors: Mapping[str, Standing], ours: Mapping[str, str]) -> Probed:
    """What a probe says: `ours` are the ids of the doors that the hub uses, by their names here."""
    found = f"{console}: {len(doors)} door{'' if len(doors) == 1 else 's'}"
    lacking = [door for door, id_ in ours.items() if id_ not in doors]
    names = _names(each for id_, each in doors.items() if id_ not in ours.values())
    if lacking:
        remedy = f"correct `door` of {', '.join(lacking)}; not used yet: {names or 'none'}"
        return Probed(f"{found}; it does not know {', '.join(lacking)}", remedy)
    if not ours:
        return Probed(f"{found}; no door names this controller", f"add its doors: {names}")
    return Probed(f"{found}, {len(ours)} used")


def _names(doors: Iterable[Standing]) -> str:
    return ", ".join([f"{door.name} is {door.id}" for door in doors][:10])
