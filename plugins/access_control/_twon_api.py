"""The HTTP API of 2N intercoms and access units: what is asked, and what its answers mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hub import CommandFailed, NotReady
from plugins.access_control._http_device import ANSWER_S, HttpDevice, shown
from plugins.access_control._json_object import json_object

Json = dict[str, Any]
Action = Literal["on", "off", "trigger", "lock", "unlock", "hold", "release"]
NOT_US = frozenset({7, 8, 9})  # connection type, authentication method, authorisation
NO_SUCH = frozenset({1, 2, 3, 4, 5, 10})  # unknown, switched off, not licensed, not for this user
_SAID = {
    1: "it has no such function",
    4: "this part of its HTTP API is switched off",
    5: "this part of its HTTP API needs a licence",
    10: "the user lacks the privilege",
    12: "it has no such switch, port or channel",
    14: "the switch could not do that",
}


class Denied(CommandFailed):
    """The device answered that it will not. `code` is its own number for why."""

    def __init__(self, code: int, words: str) -> None:
        self.code = code
        super().__init__(f"the device said no: {words}")


@dataclass(frozen=True, slots=True)
class Switch:
    """What the device says of one switch, that is, of the relay or output behind it.

    `locked` is the device's own word: forced to rest, whoever asks. It is not "door locked".
    """

    active: bool
    locked: bool
    held: bool


class TwoN:
    """Calls to one device."""

    def __init__(self, http: HttpDevice) -> None:
        self._http = http

    async def switches(self) -> dict[int, Json]:
        """The switches that it has, by number, as it describes them."""
        found = await self._ask("GET", "/api/switch/caps")
        return {
            each["switch"]: each
            for each in objects(found, "switches")
            if isinstance(each.get("switch"), int)
        }

    async def switch(self, number: int) -> Switch:
        """The state of a switch. Raises `Denied` where there is none."""
        found = await self._ask("GET", f"/api/switch/status?switch={number}")
        for each in objects(found, "switches"):
            said = [each[key] for key in ("active", "locked", "held") if _is_bool(each, key)]
            if each.get("switch") == number and len(said) == 3:
                return Switch(*said)
        raise NotReady(f"{self._http.where} did not answer what was asked")

    async def turn(self, number: int, action: Action) -> None:
        """Have a switch do something. By POST: a lost line must never have it done twice."""
        said = {"switch": str(number), "action": action}
        await self._ask("POST", "/api/switch/ctrl", data=said)

    async def port(self, name: str) -> bool:
        """Whether an input is on. Raises `Denied` where there is none."""
        found = await self._ask("GET", f"/api/io/status?port={name}")
        for each in objects(found, "ports"):
            if each.get("port") == name and each.get("state") in (0, 1):
                return bool(each["state"])
        raise NotReady(f"{self._http.where} did not answer what was asked")

    async def subscribe(self, lasts: int) -> int:
        """Open a channel for what it logs from now on, closed when unread for `lasts` seconds."""
        found = await self._ask("GET", f"/api/log/subscribe?include=new&duration={lasts}")
        if not isinstance(found.get("id"), int):
            raise NotReady(f"{self._http.where} did not answer what was asked")
        return int(found["id"])

    async def pull(self, channel: int, wait: int) -> list[Json]:
        """What it has logged since; waits up to `wait` seconds for something."""
        path = f"/api/log/pull?id={channel}&timeout={wait}"
        found = await self._ask("GET", path, within=wait + ANSWER_S)
        return list(objects(found, "events"))

    async def unsubscribe(self, channel: int) -> None:
        """Close a channel."""
        await self._ask("GET", f"/api/log/unsubscribe?id={channel}")

    async def _ask(self, method: str, path: str, within: float = ANSWER_S, **request: Any) -> Json:
        answer = await self._http.ask(method, path, within=within, **request)
        if answer.refused_us:
            raise self._http.refused
        found = json_object(answer.body)
        if found is None or not isinstance(found.get("success"), bool):
            raise NotReady(
                f"{self._http.where} answers what is not its HTTP API (HTTP {answer.status})"
            )
        if found["success"]:
            result = found.get("result")
            return result if isinstance(result, dict) else {}
        raise self._no(found.get("error"))

    def _no(self, error: Any) -> Exception:
        error = error if isinstance(error, dict) else {}
        code = error.get("code") if isinstance(error.get("code"), int) else 0
        if code in NOT_US:
            return self._http.refused
        said = _SAID.get(code) or shown(error, "description") or "it gives no reason"
        return Denied(code, said)


def objects(data: Mapping[str, Any], key: str) -> Iterator[Json]:
    """The objects in a list of an answer."""
    found = data.get(key)
    yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def _is_bool(data: Mapping[str, Any], key: str) -> bool:
    return isinstance(data.get(key), bool)
