"""A pretended UniFi Access console: HTTPS with a certificate of its own, a token, rules, a push."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

TOKEN = "wHFmHRuX4I7sB2oDkD6wHg"
API = "/api/v1/developer"


@dataclass
class PretendedDoor:
    """One door. `rule` is temporary; without one it is open while the console's schedule says so.

    `faults`: `jam` (the relay does not move), `lag` (it moves when told `catch_up`), `no rule now`
    (the rule is taken and comes later, likewise), `old` (it does not know `lock_now`).
    """

    name: str
    relay: str = "lock"
    contact: str | None = "close"
    rule: str = ""
    scheduled_open: bool = False
    online: bool = True
    faults: set[str] = field(default_factory=set)
    later: list[tuple[str, str]] = field(default_factory=list)

    def move(self, relay: str) -> None:
        """Move the relay, as far as it moves."""
        if "lag" in self.faults:
            self.later.append(("relay", relay))
        elif "jam" not in self.faults:
            self.relay = relay


class PretendedConsole:
    """The console. `requests` are those with a right token; `refused` those without one.

    `faults`: `drop` (hang up once a command was read), `nonsense`, `busy`, `huge`.
    """

    def __init__(self, **doors: PretendedDoor) -> None:
        self.doors = doors or {"front-1": PretendedDoor("Front")}
        self.token = TOKEN
        self.may: set[str] = {"view:space", "edit:space", "view:device"}
        self.faults: set[str] = set()
        self.lockdown = self.evacuation = False
        self.requests: list[tuple[str, str, Any]] = []
        self.refused = 0
        self.lines: set[web.WebSocketResponse] = set()
        self.fingerprint, self._tls = _certificate()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> int:
        """Listen; returns the port."""
        app = web.Application()
        for method, path, takes in (
            ("GET", "/doors", self._doors),
            ("GET", "/devices", self._devices),
            ("GET", "/doors/settings/emergency", self._tell_emergency),
            ("PUT", "/doors/settings/emergency", self._set_emergency),
            ("GET", "/doors/{id}/lock_rule", self._tell_rule),
            ("PUT", "/doors/{id}/lock_rule", self._set_rule),
            ("PUT", "/doors/{id}/unlock", self._unlock),
            ("GET", "/devices/notifications", self._push_line),
        ):
            app.router.add_route(method, API + path, self._guarded(takes))
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self._tls)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Listen no more."""
        for line in list(self.lines):
            await line.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def sent(self, method: str = "PUT") -> list[tuple[str, Any]]:
        """Path and body of each request of a method."""
        return [(path, body) for how, path, body in self.requests if how == method]

    async def push(self, event: str, data: dict[str, Any]) -> None:
        """Tell all who listen."""
        for line in list(self.lines):
            with contextlib.suppress(ConnectionError):
                await line.send_json({"event": event, "receiver_id": "", "data": data})

    async def push_state(self, id_: str, **changes: Any) -> None:
        """Tell a door's state, or another than it has."""
        door = self.doors[id_]
        state = {"lock": f"{door.relay}ed", "dps": door.contact or "none", **changes}
        data = {"id": id_, "location_type": "door", "name": door.name, "state": state}
        await self.push("access.data.v2.location.update", data)

    async def push_access(self, id_: str, result: str, how: str, **who: str) -> None:
        """Tell that somebody used a credential."""
        metadata = {
            "actor": {"id": who.get("actor", ""), "type": "user", "display_name": "J. Doe"},
            "authentication": {"id": who.get("card", ""), "display_name": how},
            "door": {"id": id_, "type": "door", "display_name": self.doors[id_].name},
        }
        data = {"event_type": "access.door.unlock", "result": result, "metadata": metadata}
        await self.push("access.logs.insights.add", data)

    async def catch_up(self) -> None:
        """Do at last what lagged."""
        for id_, door in self.doors.items():
            for what, value in door.later:
                setattr(door, what, value)
            door.later.clear()
            await self.push_state(id_)

    def _guarded(self, takes: Any) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                self.refused += 1
                said = {"code": "CODE_ACCESS_TOKEN_INVALID", "msg": "Invalid", "data": None}
                return web.json_response(said, status=401)
            edits = request.method == "PUT"
            kind = "device" if "/devices" in request.path else "space"
            if f"{'edit' if edits else 'view'}:{kind}" not in self.may:
                return _no("CODE_OPERATION_FORBIDDEN", 403)
            body = await request.json() if edits else None
            self.requests.append((request.method, request.path.removeprefix(API), body))
            if edits and "drop" in self.faults:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            if "busy" in self.faults:
                return _no("CODE_SYSTEM_ERROR", 500, f"busy, {self.token}")
            if "nonsense" in self.faults:
                return web.Response(text="<html>Sign in</html>", content_type="text/html")
            if "huge" in self.faults:
                return web.Response(body=b'"' + b"x" * 5_000_000 + b'"')
            result: web.StreamResponse = await takes(request)
            return result

        return answer

    async def _doors(self, request: web.Request) -> web.StreamResponse:
        return _yes([
            {
                "id": id_, "name": door.name, "full_name": f"UNVR - 1F - {door.name}",
                "type": "door", "is_bind_hub": True,
                "door_lock_relay_status": door.relay, "door_position_status": door.contact,
            }
            for id_, door in self.doors.items()
        ])  # fmt: skip

    async def _devices(self, request: web.Request) -> web.StreamResponse:
        return _yes([
            [
                {
                    "id": f"hub-{id_}", "type": "UAH-DOOR", "location_id": id_,
                    "capabilities": ["is_hub"], "connected_uah_id": "", "is_online": door.online,
                },
                {
                    "id": f"reader-{id_}", "type": "UA-G2-PRO", "location_id": id_,
                    "capabilities": ["is_reader"], "connected_uah_id": f"hub-{id_}",
                    "is_online": True,
                },
            ]
            for id_, door in self.doors.items()
        ])  # fmt: skip

    async def _tell_emergency(self, request: web.Request) -> web.StreamResponse:
        return _yes({"lockdown": self.lockdown, "evacuation": self.evacuation})

    async def _set_emergency(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.lockdown, self.evacuation = body["lockdown"], body["evacuation"]
        for id_, door in self.doors.items():
            door.move(self._at_rest(door))
            await self.push_state(id_)
        state = {"lockdown": self.lockdown, "evacuation": self.evacuation}
        await self.push("access.data.setting.update", state)
        return _yes("success")

    async def _tell_rule(self, request: web.Request) -> web.StreamResponse:
        door = self.doors.get(request.match_info["id"])
        if door is None:
            return _no("CODE_NOT_EXISTS", 404)
        return _yes({"type": door.rule, "ended_time": 3602128309} if door.rule else {})

    async def _set_rule(self, request: web.Request) -> web.StreamResponse:
        id_, rule = request.match_info["id"], (await request.json())["type"]
        door = self.doors.get(id_)
        if door is None:
            return _no("CODE_NOT_EXISTS", 404)
        if rule == "lock_now" and "old" in door.faults:
            return _no("CODE_PARAMS_INVALID", 400)
        if rule == "lock_now":
            door.scheduled_open = False
        becomes = rule if rule.startswith("keep") else ""
        if "no rule now" in door.faults:
            door.later.append(("rule", becomes))
        else:
            door.rule = becomes
        door.move(self._at_rest(door))
        await self.push_state(id_)
        return _yes("success")

    async def _unlock(self, request: web.Request) -> web.StreamResponse:
        id_ = request.match_info["id"]
        self.doors[id_].move("unlock")
        await self.push_state(id_)
        return _yes("success")

    def _at_rest(self, door: PretendedDoor) -> str:
        if self.evacuation or self.lockdown:
            return "unlock" if self.evacuation else "lock"
        if door.rule:
            return door.rule.removeprefix("keep_")
        return "unlock" if door.scheduled_open else "lock"

    async def _push_line(self, request: web.Request) -> web.StreamResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        self.lines.add(line)
        try:
            await line.send_json("Hello")
            async for _ in line:
                pass
        finally:
            self.lines.discard(line)
        return line


def _yes(data: object) -> web.Response:
    return web.json_response({"code": "SUCCESS", "data": data, "msg": "success"})


def _no(code: str, status: int, said: str = "no") -> web.Response:
    return web.json_response({"code": code, "msg": said, "data": None}, status=status)


@lru_cache
def _certificate() -> tuple[str, ssl.SSLContext]:
    """Its fingerprint, and a server's side of TLS with it: issued by itself, for another name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "unifi.local")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=900))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "console.pem")
        file.write_bytes(made.public_bytes(pem) + private)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    return digest, context


async def until(found: Any, seconds: float = 30.0) -> Any:
    """What `found()` returns once it is true."""
    async with asyncio.timeout(seconds):
        while not (result := found()):
            await asyncio.sleep(0.005)
        return result
