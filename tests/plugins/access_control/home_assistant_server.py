"""A Home Assistant pretended on real sockets: its WebSocket and the part of REST that is used.

It holds what Home Assistant's developer documents say: sign-in in the first frames, a service call
that ends once the integration has acted, `state_changed` for what differs and `last_reported` alone
for what was only said again, calls for unavailable entities that succeed and do nothing.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import WSMsgType, web

STATES = {"lock": "locked", "unlock": "unlocked", "open": "open"}
CALLED_FOR = {"domain", "service", "target", "service_data"}


class HomeAssistantServer:
    """Entities, and the lock behind each (`bolts`).

    `polls` are entities whose integration asks the lock when told to update; another's only says
    again what it knows. `faults`: `jam`, `lag` (the lock arrives with `settle`), `lie` a service
    ends well and nothing happens, `drop` a service never ends, `refuse` it raises.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.states: dict[str, dict[str, Any]] = {}
        self.bolts: dict[str, str] = {}
        self.polls: set[str] = set()
        self.faults: set[str] = set()
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.code: str | None = None
        self._sockets: dict[web.WebSocketResponse, int] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on a free port of 127.0.0.1 and return it."""
        app = web.Application()
        app.add_routes([web.get("/api/websocket", self._socket), web.get("/api/config", self._me)])
        app.add_routes([web.get("/api/states/{entity}", self._state)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Listen no more."""
        await self._hang_up()
        await self._runner.cleanup()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def reboot(self) -> None:
        """Go, and come back before any integration has reached its device."""
        for entity in self.states:
            self.write(entity, "unavailable")
        await self._hang_up()

    def write(self, entity: str, state: str, *, ago: float = 0.0, **attributes: Any) -> None:
        """An integration writes a state: an event where it differs, else only its time."""
        now = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
        old = self.states.get(entity)
        if old is not None and (old["state"], old["attributes"]) == (state, attributes):
            old["last_reported"] = now
            return
        new = {
            "entity_id": entity, "state": state, "attributes": attributes, "last_changed": now,
            "last_reported": now, "last_updated": now, "context": {"id": "01HX", "user_id": None},
        }  # fmt: skip
        self.states[entity] = new
        data = {"entity_id": entity, "old_state": old, "new_state": new}
        event = {"event_type": "state_changed", "data": data, "origin": "LOCAL", "time_fired": now}
        for socket, number in self._sockets.items():
            if number and not socket.closed:
                frame = {"id": number, "type": "event", "event": event}
                task = asyncio.ensure_future(socket.send_json(frame))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    def add_lock(self, entity: str, state: str = "unlocked", *, polls: bool = False) -> None:
        """A lock whose integration just reported it."""
        self.bolts[entity] = state
        self.polls |= {entity} if polls else set()
        self.write(entity, state)

    def settle(self, entity: str) -> None:
        """A lock that lagged arrives, and its integration hears of it."""
        self.write(entity, self.bolts[entity])

    async def _hang_up(self) -> None:
        sockets, self._sockets = self._sockets, {}
        for socket in sockets:
            await socket.close()

    def _known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self.token}"

    async def _me(self, request: web.Request) -> web.Response:
        if not self._known(request):
            return web.Response(status=401)
        return web.json_response({"version": "2026.11.1", "location_name": "School"})

    async def _state(self, request: web.Request) -> web.Response:
        if not self._known(request):
            return web.Response(status=401)
        found = self.states.get(request.match_info["entity"])
        if found is None:
            return web.json_response({"message": "Entity not found."}, status=404)
        return web.json_response(found)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "auth_required", "ha_version": "2026.11.1"})
        first = await socket.receive()
        if first.type is not WSMsgType.TEXT:
            return socket
        if json.loads(first.data) != {"type": "auth", "access_token": self.token}:
            await socket.send_json({"type": "auth_invalid", "message": "Invalid access token"})
            await socket.close()
            return socket
        await socket.send_json({"type": "auth_ok", "ha_version": "2026.11.1"})
        self._sockets[socket] = 0
        answering: set[asyncio.Task[None]] = set()
        try:
            async for message in socket:
                task = asyncio.create_task(self._asked(socket, json.loads(message.data)))
                answering.add(task)
        finally:
            self._sockets.pop(socket, None)
            for task in answering:
                task.cancel()
            await asyncio.gather(*answering, return_exceptions=True)
        return socket

    async def _asked(self, socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        result: dict[str, Any] = {"id": frame["id"], "type": "result", "success": True}
        if frame["type"] == "subscribe_events" and frame["event_type"] == "state_changed":
            self._sockets[socket] = frame["id"]
            result["result"] = None
        elif frame["type"] == "call_service" and frame.keys() >= CALLED_FOR:
            error = await self._called(frame)
            if error:
                result |= {"success": False, "error": {"code": "home_assistant_error"} | error}
            else:
                result["result"] = {"context": {"id": "01HX", "parent_id": None, "user_id": "u"}}
        else:
            result |= {"success": False, "error": {"code": "unknown_command", "message": "?"}}
        await socket.send_json(result)

    async def _called(self, frame: dict[str, Any]) -> dict[str, str]:
        entity, service = frame["target"]["entity_id"], frame["service"]
        self.calls.append((f"{frame['domain']}.{service}", entity, frame["service_data"]))
        if "drop" in self.faults:
            await asyncio.sleep(60)
        if "refuse" in self.faults:
            said = f"Failed to {service} with {frame['service_data']}: node is dead"
            return {"message": said}
        if entity not in self.states or self.states[entity]["state"] == "unavailable":
            return {}
        if service == "update_entity":
            known = self.states[entity]
            state = self.bolts[entity] if entity in self.polls else known["state"]
            self.write(entity, state, **known["attributes"])
            return {}
        if self.code is not None and frame["service_data"].get("code") != self.code:
            return {"message": "The code is not valid"}
        if "lie" not in self.faults:
            self._turn(entity, service)
        return {}

    def _turn(self, entity: str, service: str) -> None:
        attributes = self.states[entity]["attributes"]
        if "jam" in self.faults:
            self.bolts[entity] = "jammed"
        else:
            self.bolts[entity] = STATES[service]
        if "lag" in self.faults:
            self.write(entity, f"{service}ing", **attributes)
        else:
            self.write(entity, self.bolts[entity], **attributes)
