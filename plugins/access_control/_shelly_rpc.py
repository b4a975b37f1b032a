"""JSON-RPC of a Shelly of the second generation or later, over its WebSocket.

Words and frames are those of the maker's RPC protocol. A device that has a password asks for a
digest (SHA-256) in the frame itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from hub import Clock, CommandFailed, NotReady
from plugins.access_control._json_object import json_object
from plugins.access_control._socket_line import Frame, SocketLine

if TYPE_CHECKING:
    from aiohttp import ClientSession

USER = "admin"  # the only user there is
SOURCE = "vestibule"  # without a source a device notifies of nothing
UNAUTHORISED = 401
HA2 = hashlib.sha256(b"dummy_method:dummy_uri").hexdigest()


class Shelly:
    """One device. `joined` is awaited when the line is up, `lost` told why it went, `notified` gets
    the status that the device tells by itself.
    """

    def __init__(
        self,
        host: str,
        password: str | None,
        clock: Clock,
        joined: Callable[[], Awaitable[None]],
        lost: Callable[[str], None],
        notified: Callable[[Frame], None],
    ) -> None:
        self._what = f"the Shelly at {host}"
        self._password = password
        self._notified = notified
        self._challenge: Frame = {}
        self._line = SocketLine(
            self._what,
            f"ws://{host}/rpc",
            clock,
            joined=joined,
            lost=lost,
            heard=self._hear,
        )

    def __str__(self) -> str:
        return self._what

    def keep(self, session: ClientSession, name: str) -> asyncio.Task[None]:
        """Begin to keep the line; `up` tells how the first try went."""
        return self._line.keep(session, name)

    async def up(self) -> None:
        """Wait for the first try. Raises `NotReady` where it failed."""
        await self._line.up()

    async def call(self, method: str, params: Frame) -> Frame:
        """What a method answers. Raises `NotReady`, or `CommandFailed` where the device says no."""
        for last in (False, True):
            frame: dict[str, Any] = {"src": SOURCE, "method": method, "params": dict(params)}
            if self._challenge and self._password:
                frame["auth"] = digest(self._challenge, self._password)
            answer = await self._line.ask(frame)
            error = answer.get("error")
            if error is None:
                result = answer.get("result")
                return result if isinstance(result, dict) else {}
            code = error.get("code") if isinstance(error, dict) else None
            if code != UNAUTHORISED:
                said = str(error.get("message", ""))[:120] if isinstance(error, dict) else ""
                told = f"{self} refused {method}: {said or 'no reason given'} ({code})"
                raise CommandFailed(told)
            self._learn(error, last)
        raise NotReady(f"{self} does not take the password")

    def _hear(self, frame: Frame) -> None:
        params = frame.get("params")
        if frame.get("method") in ("NotifyStatus", "NotifyFullStatus") and isinstance(params, dict):
            self._notified(params)

    def _learn(self, error: Frame, last: bool) -> None:
        """Take the challenge of a device that wants a password."""
        if not self._password:
            raise NotReady(f"{self} wants a password; write `password`")
        if last:
            raise NotReady(f"{self} does not take the password")
        challenge = json_object(str(error.get("message"))) or {}
        if not {"realm", "nonce"} <= challenge.keys():
            raise NotReady(f"{self} asks for a password in a way that is not known")
        self._challenge = {"realm": str(challenge["realm"]), "nonce": challenge["nonce"]}


def digest(challenge: Frame, password: str) -> dict[str, Any]:
    """What proves the password for a challenge, without telling it."""
    realm, nonce = challenge["realm"], challenge["nonce"]
    cnonce = secrets.randbits(31)
    ha1 = hashlib.sha256(f"{USER}:{realm}:{password}".encode()).hexdigest()
    proof = hashlib.sha256(f"{ha1}:{nonce}:1:{cnonce}:auth:{HA2}".encode()).hexdigest()
    return {
        "realm": realm,
        "username": USER,
        "nonce": nonce,
        "cnonce": cnonce,
        "response": proof,
        "algorithm": "SHA-256",
    }
