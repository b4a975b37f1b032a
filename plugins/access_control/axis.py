"""Doors of an Axis network door controller: VAPIX door control in JSON, events by WebSocket.

The words are ONVIF's, carried by JSON with a digest sign-in. An older controller that speaks SOAP
alone is reached with the driver `onvif`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hub import CommandFailed, Driver, NotReady, hookimpl
from plugins.access_control._door_control import (
    DoorControl,
    DoorControlDevice,
    DoorNote,
    DoorState,
    Operation,
    points,
)
from plugins.access_control._http_device import ANSWER_S, HttpConfig, RefusedUs, shown
from plugins.access_control._json_object import json_object
from plugins.access_control._read_back import NoEvents

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

DOORS = "/vapix/doorcontrol"
ACCESS = "/vapix/pacs"
STREAM = "/vapix/ws-data-stream?sources=events"
TOPICS = ("tns1:Door//.", "tns1:AccessControl//.")
PAGES = 50
Json = dict[str, Any]


class AxisConfig(HttpConfig):
    """An Axis door controller, signed in to with a digest."""


class AxisDoors(DoorControl):
    """The doors behind one Axis controller."""

    async def _meet(self) -> None:
        try:
            doors = [each async for each in self._all(DOORS, "tdc:GetDoorInfoList", "DoorInfo")]
        except CommandFailed as error:
            raise NotReady(f"{self._http.where} does not tell its doors: {error}") from None
        self._known_doors({_text(each, "token"): _capabilities(each) for each in doors})
        try:
            found = [
                each
                async for each in self._all(ACCESS, "tac:GetAccessPointInfoList", "AccessPointInfo")
            ]
        except (CommandFailed, RefusedUs, _Absent):
            found = []
        self._points = points((_text(each, "token"), _text(each, "Entity")) for each in found)

    async def _state(self, token: str) -> DoorState:
        answer = await self._call(DOORS, "tdc:GetDoorState", {"Token": token})
        state = answer.get("DoorState")
        if not isinstance(state, dict):
            raise NotReady(f"{self._http.where} did not answer what was asked")
        tamper, fault = _object(state, "Tamper"), _object(state, "Fault")
        return DoorState(
            mode=_text(state, "DoorMode"),
            lock=_text(state, "LockPhysicalState"),
            position=_text(state, "DoorPhysicalState"),
            alarm=_text(state, "Alarm"),
            tamper=_text(tamper, "State"),
            fault=_text(fault, "State"),
            reason=_text(fault, "Reason"),
        )

    async def _do(self, operation: Operation, token: str) -> None:
        await self._call(DOORS, f"tdc:{operation}", {"Token": token})

    async def _listen(self) -> None:
        try:
            async with self._http.socket(STREAM) as line:
                await self._configure(line)
                self._look_everywhere()
                while True:
                    self._hear_frame(await self._frame(line))
        except LookupError:
            raise NoEvents from None

    async def _configure(self, line: ClientWebSocketResponse) -> None:
        wanted = [{"topicFilter": topic} for topic in TOPICS]
        await line.send_str(
            json.dumps(
                {
                    "apiVersion": "1.0",
                    "context": "vestibule",
                    "method": "events:configure",
                    "params": {"eventFilterList": wanted},
                }
            )
        )
        async with asyncio.timeout(ANSWER_S):
            answer = await self._frame(line)
        if answer.get("method") != "events:configure" or "error" in answer:
            raise LookupError

    async def _frame(self, line: ClientWebSocketResponse) -> Json:
        from aiohttp import WSMsgType

        message = await line.receive()
        if message.type is not WSMsgType.TEXT:
            raise NotReady(f"{self._http.where} ended its stream of events")
        return self._json(message.data)

    def _hear_frame(self, frame: Json) -> None:
        if frame.get("method") != "events:notify":
            return
        note = _object(_object(frame, "params"), "notification")
        message = _object(note, "message")
        self._hear(
            DoorNote(
                topic=_text(note, "topic"),
                time=self._clock.now(),
                source=_texts(_object(message, "source")),
                data=_texts(_object(message, "data")),
            )
        )

    async def _call(self, path: str, operation: str, said: Json) -> Json:
        """Have one operation done. Raises `CommandFailed` where the controller says no."""
        answer = await self._http.ask("POST", path, json={operation: said})
        if answer.refused_us:
            raise self._http.refused
        if answer.status in (404, 405, 501, 503):
            raise _Absent(
                f"{self._http.where} has no door control in JSON (HTTP {answer.status}); "
                "an older one speaks SOAP: try the driver `onvif`"
            )
        found = self._json(answer.body)
        if answer.status >= 400 or any(key in found for key in ("Fault", "fault", "error")):
            error = found.get("error")
            words = shown(found, "FaultReason", "FaultMsg", "FaultSubCode", "FaultCode", "Fault")
            words = words or (shown(error, "message") if isinstance(error, dict) else "")
            raise CommandFailed(f"the controller said no: {words or f'HTTP {answer.status}'}")
        return found

    async def _all(self, path: str, operation: str, name: str) -> Any:
        """Each entry of a list that is told in pages."""
        said: Json = {}
        for _ in range(PAGES):
            found = await self._call(path, operation, said)
            for each in _objects(found, name):
                yield each
            following = _text(found, "NextStartReference")
            if not following:
                return
            said = {"StartReference": following}

    def _json(self, raw: bytes | str) -> Json:
        found = json_object(raw)
        if found is None:
            raise NotReady(f"{self._http.where} answers what is no JSON object")
        return found


class _Absent(NotReady):
    """The controller has no such service."""


def _object(data: Mapping[str, Any], key: str) -> Json:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _objects(data: Mapping[str, Any], key: str) -> Iterator[Json]:
    found = data.get(key)
    yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def _text(data: Mapping[str, Any], key: str) -> str:
    found = data.get(key)
    return found if isinstance(found, str) else ""


def _texts(data: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in data.items() if isinstance(value, str)}


def _capabilities(door: Json) -> frozenset[str]:
    return frozenset(key for key, value in _object(door, "Capabilities").items() if value is True)


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Axis door controllers: VAPIX door control in JSON, with the device's own lockdown"
    return [Driver("axis", AxisDoors, AxisConfig, summary, device=DoorControlDevice)]
