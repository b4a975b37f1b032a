"""Messages between the hub and its child processes: JSON objects, each after its length.

They travel over a Unix socket that the child inherits. Every message is an object with its name
under `t`. Sending never waits: what does not fit is refused and counted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)

MAX_MESSAGE = 1 << 20
MAX_WAITING = 1024
_LENGTH = struct.Struct(">I")

Message = dict[str, Any]


class BadFrame(ValueError):
    """What came is not a message: too long, not JSON, or not an object with a name."""


def encode(message: Mapping[str, Any]) -> bytes:
    """The message as it travels. Raises `BadFrame` for one that is too long."""
    body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    if len(body) > MAX_MESSAGE:
        raise BadFrame(f"a message of {len(body)} bytes is over the limit of {MAX_MESSAGE}")
    return _LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Message:
    """The message in a frame's body. Raises `BadFrame`."""
    try:
        message = json.loads(body)
    except ValueError:
        raise BadFrame("a frame holds no JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("t"), str):
        raise BadFrame("a frame holds no object with a name under `t`")
    return message


class Link:
    """One end of the socket. Sending never waits: what does not fit is refused and counted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING)
        self._sender = asyncio.create_task(self._send_all(), name="link sender")
        self.refused = 0

    @classmethod
    async def over(cls, end: socket.socket) -> Link:
        """Take over a connected socket."""
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end, limit=MAX_MESSAGE))

    def offer(self, message: Mapping[str, Any]) -> bool:
        """Hand a message to the sender; false where the other end has stopped reading."""
        try:
            self._queue.put_nowait(encode(message))
        except asyncio.QueueFull:
            self.refused += 1
            return False
        return True

    async def receive(self) -> Message | None:
        """The next message; None once the other end is gone. Raises `BadFrame`, then is of no use.

        A length beyond the limit is refused before anything is read for it.
        """
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > MAX_MESSAGE:
                raise BadFrame(f"a frame of {length} bytes is over the limit of {MAX_MESSAGE}")
            return decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def close(self) -> None:
        """Let go of the socket; what was not sent yet is not sent."""
        self._sender.cancel()
        await asyncio.gather(self._sender, return_exceptions=True)
        self._writer.transport.abort()  # an orderly close would wait for the other end to read
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            log.debug("the other end of a link was gone before it was closed")

    async def _send_all(self) -> None:
        try:
            while True:
                self._writer.write(await self._queue.get())
                await self._writer.drain()
        except ConnectionError:
            log.debug("the other end of a link is gone")
