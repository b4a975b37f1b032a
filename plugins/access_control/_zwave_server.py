"""The WebSocket API of a Z-Wave JS server: one line, numbered questions, events.

The Python library for it that runs on Python 3.11 is no longer kept (0.56, of 2024), and models the
whole network; six commands and a handful of events are all that doors need. Words are those of
`@zwave-js/server`, schema 35.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hub import CommandFailed, NotReady
from plugins.access_control._json_object import json_object
from plugins.access_control._unreached import unreached

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientWebSocketResponse

SCHEMA = 35
OLDEST = 29  # from which on the server says how a command ended
ANSWER_S = 7.0
JOIN_S = 10.0
BEAT_S = 5.0
LONGEST = 64 * 1024 * 1024
LARGE = 262_144  # octets from which on a message is read in a thread
SAID = 160


class ZwaveServer:
    """One server. `join` it, read `events` in a task of your own, `call`, `leave`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.host = urlsplit(url).hostname or ""
        self._session: ClientSession | None = None
        self._line: ClientWebSocketResponse | None = None
        self._waiting: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self._count = 0

    def __str__(self) -> str:
        parts = urlsplit(self._url)
        return f"the Z-Wave server at {parts.hostname}:{parts.port or 3000}"

    @property
    def open_to_others(self) -> bool:
        """Whether it is reached over a network, where anybody may speak to it: it asks for no name
        and no password.
        """
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    async def join(self) -> list[Mapping[str, Any]]:
        """Connect and listen; returns every node as it is now. Raises `NotReady`."""
        from aiohttp import (
            ClientError,
            ClientSession,
            ClientTimeout,
            ClientWSTimeout,
            WSServerHandshakeError,
        )

        await self.leave()
        self._session = ClientSession(timeout=ClientTimeout(total=None, sock_connect=JOIN_S))
        try:
            async with asyncio.timeout(JOIN_S):
                self._line = await self._session.ws_connect(
                    self._url,
                    heartbeat=BEAT_S,
                    max_msg_size=LONGEST,
                    timeout=ClientWSTimeout(ws_close=0.2),
                )
                await self._agree(await self._next())
                return await self._nodes()
        except TimeoutError:
            await self.leave()
            raise NotReady(f"{self} does not answer within {JOIN_S:g} s") from None
        except WSServerHandshakeError:
            await self.leave()
            raise NotReady(f"{self} answers, but not as a Z-Wave JS server") from None
        except (ClientError, OSError, ValueError) as error:
            await self.leave()
            raise NotReady(f"{self} is not reached: {unreached(error)}") from None
        except BaseException:
            await self.leave()
            raise

    async def events(self) -> AsyncIterator[Mapping[str, Any]]:
        """What happens, until the line ends; answers go to who asked."""
        while self._line is not None:
            message = await self._next()
            if message.get("type") == "result":
                waiting = self._waiting.pop(str(message.get("messageId")), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            elif message.get("type") == "event" and isinstance(message.get("event"), dict):
                yield message["event"]

    async def call(self, command: str, **about: object) -> Mapping[str, Any]:
        """Ask, and wait for the answer. Raises `NotReady`, or `CommandFailed` where it says no."""
        answer = await self._ask(command, about)
        if answer.get("success") is True:
            result = answer.get("result")
            return result if isinstance(result, dict) else {}
        code = str(answer.get("errorCode") or "")
        words = str(answer.get("zwaveErrorMessage") or answer.get("message") or code)[:SAID]
        if code == "zwave_error":  # no answer from the lock, a full queue: it may be better later
            raise NotReady(f"{self}: {words}")
        raise CommandFailed(f"{self} refused: {words}")

    async def leave(self) -> None:
        """Hang up; who waits for an answer is told."""
        line, self._line = self._line, None
        session, self._session = self._session, None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NotReady(f"{self} hung up"))
        self._waiting.clear()
        if line is not None:
            await line.close()
        if session is not None:
            await session.close()

    async def _agree(self, hello: Mapping[str, Any]) -> None:
        newest = hello.get("maxSchemaVersion")
        if hello.get("type") != "version" or not isinstance(newest, int):
            raise NotReady(f"{self} answers, but not as a Z-Wave JS server")
        if newest < OLDEST:
            raise NotReady(f"{self} is too old (schema {newest}): update Z-Wave JS")
        await self._direct("set_api_schema", schemaVersion=min(newest, SCHEMA))

    async def _nodes(self) -> list[Mapping[str, Any]]:
        result = await self._direct("start_listening")
        state = result.get("state")
        nodes = state.get("nodes") if isinstance(state, dict) else None
        if not isinstance(nodes, list):
            raise NotReady(f"{self} answers, but not as a Z-Wave JS server")
        return [node for node in nodes if isinstance(node, dict)]

    async def _direct(self, command: str, **about: object) -> Mapping[str, Any]:
        """Ask while nobody reads `events` yet."""
        number = await self._send(command, about)
        while True:
            message = await self._next()
            if message.get("messageId") == number:
                if message.get("success") is not True:
                    raise NotReady(f"{self} refused {command}")
                result = message.get("result")
                return result if isinstance(result, dict) else {}

    async def _ask(self, command: str, about: Mapping[str, object]) -> Mapping[str, Any]:
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        number = await self._send(command, about, answer)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            raise NotReady(f"{self} has no answer within {ANSWER_S:g} s") from None
        finally:
            self._waiting.pop(number, None)

    async def _send(
        self,
        command: str,
        about: Mapping[str, object],
        answer: asyncio.Future[Mapping[str, Any]] | None = None,
    ) -> str:
        line = self._line
        if line is None or line.closed:
            raise NotReady(f"{self} is not connected")
        self._count += 1
        number = str(self._count)
        if answer is not None:
            self._waiting[number] = answer
        try:
            await line.send_json({"messageId": number, "command": command, **about})
        except (ConnectionError, RuntimeError) as error:
            self._waiting.pop(number, None)
            raise NotReady(f"{self} hung up") from error
        return number

    async def _next(self) -> Mapping[str, Any]:
        """The next message; raises `NotReady` when the line has ended or talks nonsense."""
        from aiohttp import WSMsgType

        line = self._line
        if line is None:
            raise NotReady(f"{self} is not connected")
        message = await line.receive()
        if message.type is not WSMsgType.TEXT:
            raise NotReady(f"{self} hung up")
        large = len(message.data) > LARGE
        said = (
            await asyncio.to_thread(json_object, message.data)
            if large
            else json_object(message.data)
        )
        if said is None:
            raise NotReady(f"{self} answers, but not as a Z-Wave JS server")
        return said
