"""How the hub and a perception worker talk: JSON objects, each after its length, on a Unix socket.

Worker to hub: `hello`, `event` (numbered; kept and sent again until acknowledged), `health`, `log`.
Hub to worker: `start` (detectors and cameras), `camera` (one camera, new or changed), `forget` (one
camera), `detectors` (all of them, as they are now), `ack`, `keep` (pictures around a moment),
`stop`. Every message is an object with its name under `t`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.clock import Clock
from hub.events import Event

log = logging.getLogger(__name__)

MAX_MESSAGE = 1 << 20
MAX_WAITING = 1024
MAX_IN_FLIGHT = 64
RESEND_AFTER_S = 5.0
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


@dataclass(slots=True)
class _Sent:
    event: Event
    seq: int
    at: float


class Outbox:
    """Events on their way to the hub: kept until acknowledged, sent again when that takes long.

    At most `in_flight` are out at a time and `waiting` more are kept; beyond that an event is
    refused and counted in `lost`, which the hub shows.
    """

    def __init__(
        self,
        link: Link,
        clock: Clock,
        *,
        waiting: int = MAX_WAITING,
        in_flight: int = MAX_IN_FLIGHT,
        resend_after_s: float = RESEND_AFTER_S,
    ) -> None:
        self._link = link
        self._clock = clock
        self._limits = (waiting, in_flight)
        self._resend_after_s = resend_after_s
        self._waiting: deque[_Sent] = deque()
        self._out: dict[int, _Sent] = {}
        self._seq = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self.lost = 0
        self.resent = 0

    @property
    def unacknowledged(self) -> int:
        """How many events the hub has not confirmed."""
        return len(self._waiting) + len(self._out)

    def put(self, event: Event) -> bool:
        """Send an event as soon as there is room; false, and counted, where none is left."""
        if len(self._waiting) >= self._limits[0]:
            self.lost += 1
            return False
        self._seq += 1
        self._waiting.append(_Sent(event, self._seq, 0.0))
        self._empty.clear()
        self._fill()
        return True

    def acknowledged(self, seq: int) -> None:
        """The hub has journaled this one; an unknown number is an old one, repeated."""
        self._out.pop(seq, None)
        self._fill()
        if not self.unacknowledged:
            self._empty.set()

    def resend_late(self) -> None:
        """Send again what has been out for too long; call it now and then."""
        late = self._clock.monotonic() - self._resend_after_s
        for sent in [sent for sent in self._out.values() if sent.at <= late]:
            self.resent += 1
            self._send(sent)

    async def empty(self) -> None:
        """Wait until everything is acknowledged."""
        await self._empty.wait()

    def _fill(self) -> None:
        while self._waiting and len(self._out) < self._limits[1]:
            sent = self._waiting.popleft()
            self._out[sent.seq] = sent
            self._send(sent)

    def _send(self, sent: _Sent) -> None:
        sent.at = self._clock.monotonic()
        self._link.offer({"t": "event", "seq": sent.seq, "event": sent.event.to_cloudevent()})
