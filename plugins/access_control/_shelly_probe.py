"""Who the Shelly devices are and whether their settings suit a door: for probes only, over HTTP.

HTTP takes none of the few WebSocket channels of a device that a running hub may need.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from hub import NotReady, Probed
from plugins.access_control._json_object import json_object
from plugins.access_control._shelly_rpc import USER
from plugins.access_control._unreached import unreached

if TYPE_CHECKING:
    from aiohttp import ClientSession

CALL_S = 4.0
LONGEST = 65_536
OLDEST_GENERATION = 2


class Door(Protocol):
    """What of a door is looked at."""

    @property
    def host(self) -> str:
        """Where its device is."""

    def components(self) -> list[tuple[str, int]]:
        """What of the device belongs to it."""


async def probe_devices(
    session: ClientSession, password: str | None, doors: Mapping[str, Door]
) -> Probed:
    """Ask each device who it is and how it is set. Raises `NotReady` where one does not answer."""
    found: list[str] = []
    remedies: list[str] = []
    for host in sorted({door.host for door in doors.values()}):
        device = _Device(session, host, password)
        found.append(await device.names_itself())
        if (trouble := await device.lets_us_in()) is not None:
            return Probed("; ".join([*found, trouble[0]]), trouble[1], works=False)
        mine = [door for door in doors.values() if door.host == host]
        parts = {part for door in mine for part in door.components()}
        remedies += await device.ill_set(sorted(parts))
    if not doors:
        return Probed("no door names this controller", "add its doors")
    return Probed("; ".join(found), "; ".join(remedies))


class _Device:
    def __init__(self, session: ClientSession, host: str, password: str | None) -> None:
        self._session, self._host, self._password = session, host, password

    async def names_itself(self) -> str:
        status, told = await self._ask("Shelly.GetDeviceInfo", {}, signed=False)
        generation = told.get("gen")
        if status != 200 or not isinstance(generation, int) or generation < OLDEST_GENERATION:
            raise NotReady(f"{self._host} answers, but not as a Shelly of the second generation")
        return f"{str(told.get('id'))[:60]} at {self._host}"

    async def lets_us_in(self) -> tuple[str, str] | None:
        """What is wrong with the password, and the remedy; None where nothing is."""
        status, _ = await self._ask("Shelly.GetStatus", {})
        if status == 200:
            return None
        if status == 401 and self._password:
            return f"{self._host} does not take the password", "correct `password`"
        if status == 401:
            return f"{self._host} wants a password", "write `password`, best as `!secret NAME`"
        return (
            f"{self._host} answers HTTP {status}",
            "look at its web page; it may need a restart",
        )

    async def ill_set(self, components: list[tuple[str, int]]) -> list[str]:
        """What in the device's settings moves a door by itself, or hides how it stands."""
        remedies: list[str] = []
        for kind, number in components:
            status, set_ = await self._ask(f"{kind.capitalize()}.GetConfig", {"id": number})
            if status != 200:
                remedies.append(f"{self._host} has no {kind} {number}; correct the door's device")
            elif kind == "switch":
                remedies += self._ill_relay(number, set_)
            elif set_.get("type", "switch") != "switch":
                remedies.append(f"set input {number} of {self._host} to the type `switch`")
        return remedies

    def _ill_relay(self, number: int, set_: Mapping[str, Any]) -> list[str]:
        relay, found = f"relay {number} of {self._host}", []
        if set_.get("auto_on") is True or set_.get("auto_off") is True:
            found.append(f"switch the timers of {relay} off: it would move the lock by itself")
        if set_.get("in_mode", "detached") != "detached":
            found.append(f"set the input of {relay} to `detached`: it would move the lock")
        return found

    async def _ask(
        self, method: str, params: Mapping[str, Any], *, signed: bool = True
    ) -> tuple[int, Mapping[str, Any]]:
        """HTTP status and result. Raises `NotReady`."""
        from aiohttp import ClientError, DigestAuthMiddleware

        body = {"id": 1, "method": method, "params": dict(params)}
        digest = (DigestAuthMiddleware(USER, self._password),) if self._password and signed else ()
        try:
            async with (
                asyncio.timeout(CALL_S),
                self._session.post(
                    f"http://{self._host}/rpc", json=body, middlewares=digest
                ) as answer,
            ):
                text = await answer.content.read(LONGEST)
                status = answer.status
        except TimeoutError:
            raise NotReady(f"no answer from {self._host}") from None
        except (ClientError, OSError, ValueError) as error:
            raise NotReady(f"{self._host} is not reached: {unreached(error)}") from error
        return _result(status, text)


def _result(status: int, text: bytes) -> tuple[int, Mapping[str, Any]]:
    frame = json_object(text) or {}
    error, result = frame.get("error"), frame.get("result")
    if isinstance(error, dict):
        return 500, {}
    return status, result if isinstance(result, dict) else {}
