"""What a UniFi Access console says by webhook, in the words of what it pushes: pure, no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from hub import Access, CommandFailed
from plugins.access_control._json_object import json_object
from plugins.access_control._unifi_words import FROM_AFAR, PushedAccess, one_entry

POSITION, USE = "access.device.dps_status", "access.door.unlock"
LOOKS = (
    "access.device.emergency_status",
    "access.unlock_schedule.activate",
    "access.unlock_schedule.deactivate",
    "access.temporary_unlock.start",
    "access.temporary_unlock.end",
)
SAME_USE_S = 10.0
REMEMBERED = 32


def hooked(message: str) -> tuple[str, Mapping[str, Any]]:
    """The event of a webhook and its data; a door's position as what is pushed of a location.
    Raises `CommandFailed` where it is no such message.
    """
    said = json_object(message)
    if said is None or not isinstance(said.get("event"), str):
        raise CommandFailed("expected a webhook of UniFi Access, with `event` and `data`")
    event, data = said["event"], one_entry(said.get("data"))
    if event == POSITION:
        status = one_entry(data.get("object")).get("status")
        return event, {"id": _door(data), "state": {"dps": status}}
    return event, data


def hooked_use(data: Mapping[str, Any]) -> list[PushedAccess]:
    """A badge, a code or a phone at a door; not where somebody opened it from afar."""
    how, who = one_entry(data.get("object")), one_entry(data.get("actor"))
    means = str(how.get("authentication_type") or "").upper()
    if any(word in means for word in FROM_AFAR):
        return []
    result = str(how.get("result") or "").upper()
    access: Access = "granted" if result in ("ACCESS", "ACCESS GRANTED") else "denied"
    return [PushedAccess(_door(data), access, str(who.get("id") or ""))]


def _door(data: Mapping[str, Any]) -> str:
    where = one_entry(data.get("location"))
    return str(where.get("id") or one_entry(data.get("device")).get("location_id") or "")


class Told:
    """Each use of a credential once, although a console tells it in two ways."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, str, str, Access]] = deque(maxlen=REMEMBERED)

    def again(self, way: str, door: str, access: Access, now: float) -> bool:
        """Whether the other way has told this use already; `now` is monotonic, in seconds."""
        for one in self._waiting:
            at, other, *same = one
            if other != way and same == [door, access] and now - at <= SAME_USE_S:
                self._waiting.remove(one)
                return True
        self._waiting.append((now, way, door, access))
        return False
