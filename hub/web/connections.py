"""Who is connected to the pages, and who gives way where there is no more room.

A connection takes an open file, and of those the doors, the notices and the journal need theirs. So
there is room for a number of connections, and where it is full whoever has not shown who they are
gives way: the oldest of the network that has the most of them. No stranger keeps out anybody who
signed in, or who comes now.
"""

from __future__ import annotations

import asyncio
import math
import resource
import ssl
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RDWR, socket

import structlog
from aiohttp import web

from hub.identity.throttle import network_of

MOST = 1024
MOST_FILES = 16_384
HANDSHAKE_S = 10.0
GOODBYE_S = 2.0
IDLE_S = 75.0
FULL_PAUSE_S = 0.005  # where strangers press in: what else has to be done goes first
NO_FILES_PAUSE_S = 0.5
SAID_EVERY_S = 60.0

log = structlog.get_logger(__name__)


def more_files() -> None:
    """Let this process open as many files as the system lets it, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def room() -> int:
    """For how many connections there is room: half of all files, and never more than `MOST`."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, soft // 2))


class _Line(asyncio.Protocol):
    """One connection: what arrives is the web server's; that it is lost is noted."""

    def __init__(self, accepted: socket, lost: Callable[[_Line], None]) -> None:
        self.network = network_of(str(accepted.getpeername()[0]))
        self.known = False
        self.opening: asyncio.Task[None] | None = None
        self.server = asyncio.Protocol()  # says nothing, until there is a web server's
        self._accepted, self._lost = accepted, lost
        self._transport: asyncio.Transport | None = None

    def end(self) -> None:
        """Close it at once, whatever it waits for. What is not open yet finds its end when it
        reads: the event loop still holds the socket, so it is not closed under it.
        """
        if self._transport is not None:
            self._transport.abort()
            return
        with suppress(OSError):
            self._accepted.shutdown(SHUT_RDWR)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.server.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.server.data_received(data)

    def eof_received(self) -> bool | None:
        return self.server.eof_received()

    def pause_writing(self) -> None:
        self.server.pause_writing()

    def resume_writing(self) -> None:
        self.server.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)
        self.server.connection_lost(exc)


class Connections:
    """All connections to the pages. `most` is for how many there is room."""

    def __init__(self, most: int | None = None) -> None:
        self._most = room() if most is None else most
        self._lines: dict[_Line, None] = {}
        self._strangers: dict[str, dict[_Line, None]] = {}
        self._of: dict[object, _Line] = {}
        self._said = -math.inf
        self.gave_way = 0
        self.refused = 0

    def counts(self) -> dict[str, int]:
        """For health: `gave_way` strangers had to go, `dropped` are those that were refused."""
        return {
            "open": len(self._lines),
            "gave_way": self.gave_way,
            "dropped": self.refused,
        }

    def know(self, request: web.Request) -> None:
        """Whoever sent this has shown who they are: their connection is kept."""
        line = self._of.get(request.protocol)
        if line is not None and not line.known:
            line.known = True
            self._no_stranger(line)

    async def take(
        self,
        listener: socket,
        server: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
    ) -> None:
        """Accept connections for ever, and hand each to the web server."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        try:
            while True:
                try:
                    accepted, _ = await loop.sock_accept(listener)
                except OSError as error:  # most likely no file is left
                    self._make_room(error.strerror or str(error))
                    await asyncio.sleep(NO_FILES_PAUSE_S)
                    continue
                full = len(self._lines) >= self._most
                if full and not self._make_room("full"):
                    self.refused += 1
                    accepted.close()
                else:
                    self._open(accepted, server, context)
                if full:
                    await asyncio.sleep(FULL_PAUSE_S)
        finally:
            listener.close()
            opening = [line for line in self._lines if line.opening is not None]
            for line in opening:
                line.end()
            await asyncio.gather(*(line.opening for line in opening if line.opening))

    def _open(
        self,
        accepted: socket,
        server: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
    ) -> None:
        try:
            line = _Line(accepted, self._forget)
        except OSError:  # gone again
            accepted.close()
            return
        self._lines[line] = None
        self._strangers.setdefault(line.network, {})[line] = None
        line.opening = asyncio.create_task(
            self._greet(line, accepted, server, context), name="web-connection"
        )

    async def _greet(
        self,
        line: _Line,
        accepted: socket,
        server: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
    ) -> None:
        def speaks() -> _Line:
            line.server = server()
            self._of[line.server] = line
            return line

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                speaks,
                accepted,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_S if context is not None else None,
                ssl_shutdown_timeout=GOODBYE_S if context is not None else None,
            )
        except OSError:  # no TLS, or gone again
            self._forget(line)
        finally:
            line.opening = None

    def _forget(self, line: _Line) -> None:
        self._lines.pop(line, None)
        self._of.pop(line.server, None)
        self._no_stranger(line)

    def _no_stranger(self, line: _Line) -> None:
        others = self._strangers.get(line.network)
        if others is not None:
            others.pop(line, None)
            if not others:
                del self._strangers[line.network]

    def _make_room(self, why: str) -> bool:
        """Whether a stranger gave way. A line in the log says why, once a minute."""
        now = asyncio.get_running_loop().time()
        if now - self._said >= SAID_EVERY_S:
            self._said = now
            log.warning(
                "no room for more connections", reason=why, room=self._most, **self.counts()
            )
        if not self._strangers:
            return False
        of_one = max(self._strangers.values(), key=len)
        line = next(iter(of_one))
        self.gave_way += 1
        self._forget(line)
        line.end()
        return True


CONNECTIONS: web.AppKey[Connections] = web.AppKey("connections", Connections)
