"""The local API of a UniFi Access console: one HTTPS address, a bearer token, what it answers.

Words and paths are those of the UniFi Access API reference, 1.24.6 and later. Everything is read
anew; the console's certificate is its own, so that it is known by its fingerprint or by a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hub import CommandFailed, Context, NotReady
from plugins.access_control._json_object import json_object
from plugins.access_control._unifi_config import UnifiConfig
from plugins.notifiers._reach import not_reached, refused_certificate, trusted
from plugins.notifiers._wording import one_line

if TYPE_CHECKING:
    from aiohttp import (
        ClientHandlerType,
        ClientRequest,
        ClientResponse,
        ClientSession,
        ClientWebSocketResponse,
        Fingerprint,
    )

API = "/api/v1/developer"
ANSWER_S = 5.0
ANSWER_BYTES = 4_194_304
LINES = 8  # a console is a small machine
MESSAGE_BYTES = 1_048_576
BEAT_S = 5.0  # how often the line of notifications is tried
LEAVE_S = 0.2  # for a farewell on it
SHOWN = 160
LATER = frozenset({"CODE_SYSTEM_ERROR", "CODE_DEVICE_DEVICE_OFFLINE", "CODE_DEVICE_DEVICE_BUSY"})
STRANGER = frozenset({"CODE_ACCESS_TOKEN_INVALID", "CODE_AUTH_FAILED"})
NOT_ALLOWED = frozenset({"CODE_UNAUTHORIZED", "CODE_OPERATION_FORBIDDEN"})
NO_SUCH = frozenset({"CODE_NOT_EXISTS", "CODE_RESOURCE_NOT_FOUND"})

Why = Literal["token", "permission", "unknown", "other"]
Rule = Literal["keep_lock", "keep_unlock", "reset", "lock_now"]


class Refusal(CommandFailed):
    """The console understood and said no, and why."""

    def __init__(self, words: str, why: Why = "other") -> None:
        super().__init__(words)
        self.why = why


@dataclass(frozen=True, slots=True)
class Standing:
    """What the console says of one of its doors; `bound` is whether a hub moves it."""

    id: str
    name: str
    lock: str
    position: str
    bound: bool


@dataclass(frozen=True, slots=True)
class Emergency:
    """What the console holds all its doors to."""

    lockdown: bool = False
    evacuation: bool = False


class Console:
    """One console. `open` it, ask, `close` it; a call raises `NotReady` or `Refusal`."""

    def __init__(self, config: UnifiConfig, context: Context) -> None:
        self._host, self._port = config.host, config.port
        self._token = config.token
        self._pin = config.fingerprint
        self._ca_file, self._context = config.ca_file, context
        self._reading: ClientSession | None = None
        self._telling: ClientSession | None = None
        self._trust: ssl.SSLContext | Fingerprint | None = None

    def __str__(self) -> str:
        return f"the console at {self._host}:{self._port}"

    async def open(self) -> None:
        """Get ready; the console is reached by the first call."""
        from aiohttp import ClientSession, ClientTimeout, TCPConnector

        await self.close()
        self._trust = await self._whom_to_trust()
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        timeout = ClientTimeout(total=ANSWER_S)
        few = TCPConnector(limit=LINES)
        self._reading = ClientSession(headers=headers, timeout=timeout, connector=few)
        # Each command has a line of its own, which was not closed behind our back meanwhile.
        own = TCPConnector(force_close=True)
        self._telling = ClientSession(
            headers=headers, timeout=timeout, connector=own, middlewares=(self._once,)
        )

    async def close(self) -> None:
        """Let go of every line."""
        for session in (self._reading, self._telling):
            if session is not None:
                await session.close()
        self._reading = self._telling = None

    async def doors(self) -> dict[str, Standing]:
        """Every door of the console, by its id."""
        return {door.id: door for each in _list(await self._get("/doors")) if (door := _door(each))}

    async def away(self) -> set[str]:
        """The ids of doors whose hub the console does not reach."""
        found: set[str] = set()
        for group in _list(await self._get("/devices")):
            for device in group if isinstance(group, list) else [group]:
                if not isinstance(device, dict) or device.get("is_online") is not False:
                    continue
                kinds = device.get("capabilities")
                hub = isinstance(kinds, list) and "is_hub" in kinds
                if hub or not device.get("connected_uah_id"):
                    found.add(str(device.get("location_id")))
        return found

    async def emergency(self) -> Emergency:
        """What it holds all doors to now."""
        said = _object(await self._get("/doors/settings/emergency"))
        return Emergency(said.get("lockdown") is True, said.get("evacuation") is True)

    async def rule(self, door: str) -> str:
        """The temporary rule of a door; empty where there is none."""
        return str(_object(await self._get(f"/doors/{door}/lock_rule")).get("type") or "")

    async def set_rule(self, door: str, rule: Rule) -> None:
        """Give a door a temporary rule."""
        await self._put(f"/doors/{door}/lock_rule", {"type": rule})

    async def let_in(self, door: str) -> None:
        """Open a door for one passage; never sent twice."""
        await self._put(f"/doors/{door}/unlock", {})

    async def set_emergency(self, lockdown: bool) -> None:
        """Begin or end the lockdown of all doors; never an evacuation."""
        await self._put("/doors/settings/emergency", {"lockdown": lockdown, "evacuation": False})

    async def notifications(self) -> ClientWebSocketResponse:
        """The line on which the console tells what happens; the caller closes it."""
        from aiohttp import ClientError, ClientWSTimeout, WSServerHandshakeError

        try:
            return await self._session(self._reading).ws_connect(
                self._url("/devices/notifications"),
                ssl=self._trusted(),
                heartbeat=BEAT_S,
                max_msg_size=MESSAGE_BYTES,
                timeout=ClientWSTimeout(ws_close=LEAVE_S),
            )
        except WSServerHandshakeError as error:
            raise self._refusal(error.status, "", "") from None
        except (ClientError, OSError, ValueError, TimeoutError) as error:
            raise NotReady(self._unreached(error)) from None

    async def presented(self) -> str:
        """The SHA-256 fingerprint of the certificate it presents, whoever that may be: no token is
        sent. Raises `NotReady`.
        """
        anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anyone.check_hostname = False
        anyone.verify_mode = ssl.CERT_NONE
        try:
            async with asyncio.timeout(ANSWER_S):
                _, writer = await asyncio.open_connection(self._host, self._port, ssl=anyone)
        except (OSError, TimeoutError) as error:
            raise NotReady(not_reached(self._host, self._port, error)) from None
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
        return colons(hashlib.sha256(shown).digest())

    async def _whom_to_trust(self) -> ssl.SSLContext | Fingerprint:
        from aiohttp import Fingerprint

        if self._pin is not None:
            return Fingerprint(bytes.fromhex(self._pin))
        return await trusted(self._context, self._ca_file)

    async def _once(self, request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        """The HTTP library sends a PUT again when the line breaks: one passage would become two."""
        from aiohttp import ClientConnectorError, ClientOSError, ServerDisconnectedError

        try:
            return await send(request)
        except ClientConnectorError:
            raise  # nothing was sent
        except (ClientOSError, ServerDisconnectedError):
            raise NotReady(f"{self} hung up, and may have done it") from None

    async def _get(self, path: str) -> object:
        return await self._ask(self._reading, "GET", path)

    async def _put(self, path: str, body: Mapping[str, object]) -> None:
        await self._ask(self._telling, "PUT", path, json=body)

    async def _ask(
        self, session: ClientSession | None, method: str, path: str, **more: Any
    ) -> object:
        from aiohttp import ClientError

        try:
            async with self._session(session).request(
                method, self._url(path), ssl=self._trusted(), allow_redirects=False, **more
            ) as answer:
                return self._understood(answer.status, await _body(answer))
        except TimeoutError:
            raise NotReady(f"{self} does not answer within {ANSWER_S:g} s") from None
        except (ClientError, OSError, ValueError) as error:
            # Without the error itself, whose chain may hold what was sent.
            raise NotReady(self._unreached(error)) from None

    def _understood(self, status: int, raw: bytes) -> object:
        said = json_object(raw)
        if said is None or not isinstance(said.get("code"), str):
            if status in (401, 403, 404, 429) or status >= 500:
                raise self._refusal(status, "", "")
            raise NotReady(f"{self} answers, but not as UniFi Access")
        if said["code"] == "SUCCESS" and status < 300:
            return said.get("data")
        raise self._refusal(status, said["code"], str(said.get("msg") or ""))

    def _refusal(self, status: int, code: str, said: str) -> CommandFailed | NotReady:
        if status == 401 or code in STRANGER:
            return Refusal(f"{self} does not take the token", "token")
        if status == 403 or code in NOT_ALLOWED:
            return Refusal(f"{self} does not let the token do this", "permission")
        if status == 404 or code in NO_SUCH:
            return Refusal(f"{self} knows no such door", "unknown")
        words = one_line(f"{said or code or f'HTTP {status}'}".replace(self._token, "(token)"))
        if status == 429 or status >= 500 or code in LATER:
            return NotReady(f"{self} cannot do it now: {words[:SHOWN]}")
        return Refusal(f"{self} refused: {words[:SHOWN]}")

    def _unreached(self, error: BaseException) -> str:
        from aiohttp import ClientConnectionError, ClientConnectorError, ServerFingerprintMismatch

        if isinstance(error, ServerFingerprintMismatch):
            return f"{self} has another certificate than `fingerprint` says: {colons(error.got)}"
        wrong = refused_certificate(str(self), error)
        if wrong is not None:
            return wrong.found
        if isinstance(error, ClientConnectorError):
            return not_reached(self._host, self._port, error.os_error)
        if isinstance(error, ClientConnectionError | OSError):
            return f"{self} hung up"
        return f"{self} answers, but not as UniFi Access"

    def _session(self, session: ClientSession | None) -> ClientSession:
        if session is None:
            raise NotReady(f"{self} is not connected")
        return session

    def _trusted(self) -> ssl.SSLContext | Fingerprint:
        assert self._trust is not None
        return self._trust

    def _url(self, path: str) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"https://{host}:{self._port}{API}{path}"


async def messages(line: ClientWebSocketResponse) -> AsyncIterator[Mapping[str, Any]]:
    """What the console tells, until the line ends; what is no object is left out."""
    async for message in line:
        if isinstance(message.data, str):
            said = json_object(message.data)
            if said is not None and isinstance(said.get("data"), dict):
                yield said


def colons(digest: bytes) -> str:
    """A fingerprint as people compare it: `AA:BB:…`."""
    return digest.hex(":").upper()


async def _body(answer: ClientResponse) -> bytes:
    read = bytearray()
    async for piece in answer.content.iter_chunked(65_536):
        read += piece
        if len(read) > ANSWER_BYTES:
            raise ValueError("too long")
    return bytes(read)


def _door(said: object) -> Standing | None:
    if not isinstance(said, dict) or not isinstance(said.get("id"), str):
        return None
    return Standing(
        said["id"],
        one_line(str(said.get("full_name") or said.get("name") or ""))[:SHOWN],
        str(said.get("door_lock_relay_status") or ""),
        str(said.get("door_position_status") or ""),
        said.get("is_bind_hub") is not False,
    )


def _list(said: object) -> list[object]:
    return said if isinstance(said, list) else []


def _object(said: object) -> Mapping[str, object]:
    return said if isinstance(said, dict) else {}
