"""A Shelly of the second generation, pretended on real sockets: HTTP and WebSocket JSON-RPC.

It holds what the maker's documents say: `/shelly` and Shelly.GetDeviceInfo are open to all, the
rest wants a digest (SHA-256), in the header over HTTP and in the frame over the WebSocket. It
notifies only those sockets on which a frame with `src` has come. Its timers are its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import re
from typing import Any

from aiohttp import WSMsgType, web

ID = "shellypro4pm-0cb815fcaff4"
FAULTS = ("jam", "lag", "lie", "drop")


class ShellyDevice:
    """Relays and inputs, and a bolt behind each relay named in `bolts` (relay: input).

    `faults`: `jam` the bolt does not follow, `lag` it follows after a while, `lie` a relay says it
    was set and stays, `drop` frames are swallowed, `freeze` a line opened then gets not even pings
    answered. `reboot` forgets timers, drops all sockets and puts every relay as after power on.
    `calls` keeps each method with its params.
    """

    def __init__(self, password: str | None = None, switches: int = 4, inputs: int = 8) -> None:
        self.password = password
        self.outputs = [False] * switches
        self.states: list[bool | None] = [False] * inputs
        self.timers: dict[int, tuple[float, asyncio.TimerHandle]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.bolts: dict[int, int] = {}
        self.lag = 0.05
        self.faults: set[str] = set()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.nonces = itertools.count(0x60DC2A3C)
        self.valid: set[int] = set()
        self._sockets: dict[web.WebSocketResponse, str] = {}
        self._later: set[asyncio.TimerHandle] = set()
        self._sending: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on a free port of 127.0.0.1 and return it."""
        app = web.Application()
        app.add_routes([web.get("/shelly", self._about), web.get("/rpc", self._socket)])
        app.add_routes([web.post("/rpc", self._posted)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Listen no more."""
        for handle in [*self._later, *(timer for _, timer in self.timers.values())]:
            handle.cancel()
        await self._hang_up()
        await self._runner.cleanup()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def reboot(self) -> None:
        """As after a power cut."""
        for _, timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        self.valid.clear()
        self.outputs = [False] * len(self.outputs)
        await self._hang_up()

    def set_input(self, number: int, state: bool) -> None:
        """Something at an input changes; told to who listens."""
        self.states[number] = state
        self._notify(f"input:{number}", {"id": number, "state": state})

    async def _hang_up(self) -> None:
        sockets, self._sockets = self._sockets, {}
        for socket in sockets:
            await socket.close()

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response(self._info())

    async def _posted(self, request: web.Request) -> web.Response:
        body = await request.text()
        frame = json.loads(body)
        method = frame.get("method")
        if method != "Shelly.GetDeviceInfo" and not self._signed(request):
            nonce = next(self.nonces)
            self.valid.add(nonce)
            challenge = f'Digest qop="auth", realm="{ID}", nonce="{nonce:x}", algorithm=SHA-256'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if "drop" in self.faults:
            await asyncio.sleep(60)
        answer = self._answer(frame)
        return web.json_response(answer, status=500 if "error" in answer else 200)

    def _signed(self, request: web.Request) -> bool:
        if self.password is None:
            return True
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("Authorization", "")))
        try:
            known = int(said["nonce"], 16) in self.valid
            ha2 = _hash(f"{request.method}:{request.path}")
            wanted = _hash(
                f"{self._ha1()}:{said['nonce']}:{said['nc']}:{said['cnonce']}:{said['qop']}:{ha2}"
            )
        except (KeyError, ValueError):
            return False
        return known and said["response"] == wanted and said["uri"] == request.path

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping="freeze" not in self.faults)
        await socket.prepare(request)
        self._sockets[socket] = ""
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._framed(socket, message.data)
        finally:
            self._sockets.pop(socket, None)
        return socket

    async def _framed(self, socket: web.WebSocketResponse, text: str) -> None:
        frame = json.loads(text)
        if frame.get("src"):
            self._sockets[socket] = frame["src"]
        if "drop" in self.faults:
            return
        if frame.get("method") != "Shelly.GetDeviceInfo" and not self._proved(frame):
            nonce = next(self.nonces)
            self.valid.add(nonce)
            challenge = {"auth_type": "digest", "nonce": nonce, "nc": 1, "realm": ID}
            challenge["algorithm"] = "SHA-256"
            error = {"code": 401, "message": json.dumps(challenge)}
            answer = {"id": frame["id"], "src": ID, "dst": frame.get("src"), "error": error}
        else:
            answer = self._answer(frame)
        await socket.send_json(answer)

    def _proved(self, frame: dict[str, Any]) -> bool:
        if self.password is None:
            return True
        auth = frame.get("auth")
        if not auth or auth.get("nonce") not in self.valid or auth.get("username") != "admin":
            return False
        ha2 = _hash("dummy_method:dummy_uri")
        wanted = _hash(f"{self._ha1()}:{auth['nonce']}:1:{auth['cnonce']}:auth:{ha2}")
        return bool(auth["response"] == wanted and auth["algorithm"] == "SHA-256")

    def _ha1(self) -> str:
        return _hash(f"admin:{ID}:{self.password}")

    def _info(self) -> dict[str, Any]:
        return {
            "name": None, "id": ID, "mac": "0CB815FCAFF4", "model": "SPSW-104PE16EU", "gen": 2,
            "fw_id": "20240425-141453/1.3.0-ga3fdd3d", "ver": "1.3.0", "app": "Pro4PM",
            "auth_en": self.password is not None, "auth_domain": ID if self.password else None,
        }  # fmt: skip

    def _answer(self, frame: dict[str, Any]) -> dict[str, Any]:
        method, params = frame["method"], frame.get("params") or {}
        self.calls.append((method, params))
        head = {"id": frame["id"], "src": ID, "dst": frame.get("src")}
        number = params.get("id", 0)
        try:
            match method:
                case "Shelly.GetDeviceInfo":
                    result = self._info()
                case "Shelly.GetStatus":
                    result = {f"switch:{i}": self._switch(i) for i in range(len(self.outputs))}
                case "Switch.GetStatus":
                    result = self._switch(number)
                case "Switch.Set":
                    result = self._set(number, params["on"], params.get("toggle_after"))
                case "Input.GetStatus":
                    result = {"id": number, "state": self.states[number]}
                case "Switch.GetConfig":
                    self.outputs[number]
                    result = {"id": number, "in_mode": "detached", "auto_on": False}
                    result |= self.configs.get(f"switch:{number}", {})
                case "Input.GetConfig":
                    self.states[number]
                    result = {"id": number, "type": "switch"}
                    result |= self.configs.get(f"input:{number}", {})
                case _:
                    return head | {"error": {"code": 404, "message": f"No handler for {method}"}}
        except IndexError:
            what = f"Argument 'id', value {number} not found!"
            return head | {"error": {"code": -105, "message": what}}
        return head | {"result": result}

    def _switch(self, number: int) -> dict[str, Any]:
        status = {"id": number, "source": "WS_in", "output": self.outputs[number]}
        if number in self.timers:
            status |= {"timer_started_at": 1700000000.0, "timer_duration": self.timers[number][0]}
        return status

    def _set(self, number: int, on: bool, toggle_after: float | None) -> dict[str, Any]:
        was = self.outputs[number]
        if number in self.timers:
            self.timers.pop(number)[1].cancel()
        if toggle_after is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(toggle_after, self._turn, number, not on)
            self.timers[number] = (toggle_after, timer)
        if "lie" not in self.faults:
            self._turn(number, on, keep_timer=True)
        return {"was_on": was}

    def _turn(self, number: int, on: bool, keep_timer: bool = False) -> None:
        if not keep_timer:
            self.timers.pop(number, None)
        self.outputs[number] = on
        self._notify(f"switch:{number}", self._switch(number))
        if number in self.bolts and "jam" not in self.faults:
            if "lag" in self.faults:
                loop = asyncio.get_running_loop()
                self._later.add(loop.call_later(self.lag, self.set_input, self.bolts[number], on))
            else:
                self.set_input(self.bolts[number], on)

    def _notify(self, component: str, status: dict[str, Any]) -> None:
        params = {"ts": 1700000000.0, component: status}
        for socket, name in self._sockets.items():
            if name and not socket.closed:
                frame = {"src": ID, "dst": name, "method": "NotifyStatus", "params": params}
                task = asyncio.ensure_future(socket.send_json(frame))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    async def flood(self, number: int, count: int) -> None:
        """Notify of a relay many times; the last time it is on."""
        for each in range(count):
            on = each == count - 1 or each % 2 == 0
            params = {"ts": 1700000000.0, f"switch:{number}": {"id": number, "output": on}}
            frame = {"src": ID, "dst": "user", "method": "NotifyStatus", "params": params}
            for socket in list(self._sockets):
                await socket.send_json(frame)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
