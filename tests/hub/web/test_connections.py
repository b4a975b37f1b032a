"""Room for connections, and who gives way: real sockets before the real web server."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from hub import certificate
from hub.start import listen
from hub.web.connections import MOST, MOST_FILES, Connections, more_files, room

ROOM = 6
GET = b"GET /%s HTTP/1.1\r\nHost: here\r\n\r\n"


class Served:
    """A web server whose page `known` is what somebody sees who has shown who they are."""

    def __init__(self, connections: Connections) -> None:
        self.connections, self.port = connections, 0
        self.open: list[asyncio.StreamWriter] = []
        self.over = asyncio.Event()

    async def connect(self, **how: ssl.SSLContext) -> tuple[asyncio.StreamReader, bytes]:
        """Connect and say nothing; returns what can be read, and this end's address in bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **how)
        self.open.append(writer)
        return reader, str(writer.get_extra_info("sockname")).encode()

    async def ask(self, path: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """A request on a connection of its own, and the first line of its answer."""
        reader, _ = await self.connect()
        return reader, self.open[-1], await self.again(reader, self.open[-1], path)

    async def again(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: bytes
    ) -> bytes:
        """One more request on that connection."""
        writer.write(GET % path)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        await reader.readexactly(4)
        return head.split(b"\r\n")[0]


@asynccontextmanager
async def serving(
    connections: Connections, context: ssl.SSLContext | None = None
) -> AsyncIterator[Served]:
    """The server on a port of its own, until the block ends."""
    served = Served(connections)

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/known":
            connections.know(request)
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/{any}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    assert runner.server is not None
    listener = listen("127.0.0.1", 0)
    served.port = listener.getsockname()[1]
    taking = asyncio.create_task(connections.take(listener, runner.server, context))
    try:
        yield served
    finally:
        taking.cancel()
        with suppress(asyncio.CancelledError):
            await taking
        await runner.cleanup()
        for writer in served.open:
            writer.transport.abort()
    async with asyncio.timeout(20):
        while connections.counts()["open"]:
            await asyncio.sleep(0)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the other end closes this; waits for it."""
    with suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(1), 20) == b""
    return True


async def test_strangers_who_say_nothing_keep_nobody_out() -> None:
    """The oldest of them go; who has shown who they are stays, and who comes now is served."""
    connections = Connections(ROOM)
    async with serving(connections) as served:
        first, writer, line = await served.ask(b"known")
        assert b" 200 " in line
        silent = [(await served.connect())[0] for _ in range(3 * ROOM)]
        assert b" 200 " in (await served.ask(b"new"))[2]
        assert b" 200 " in await served.again(first, writer, b"known")
        assert all([await ended(reader) for reader in silent[: 2 * ROOM]])
        counts = connections.counts()
        assert (counts["open"], counts["dropped"]) == (ROOM, 0)
        assert counts["gave_way"] >= 2 * ROOM


async def test_where_everybody_is_known_who_comes_has_to_wait() -> None:
    """Nobody who signed in is cut for a stranger; it is counted, and there is room afterwards."""
    connections = Connections(ROOM)
    async with serving(connections) as served:
        for _ in range(ROOM):
            assert b" 200 " in (await served.ask(b"known"))[2]
        reader, _ = await served.connect()
        assert await ended(reader)
        assert connections.counts() == {"open": ROOM, "gave_way": 0, "dropped": 1}
        served.open[0].close()
        while connections.counts()["open"] == ROOM:
            await asyncio.sleep(0)
        assert b" 200 " in (await served.ask(b"new"))[2]


async def test_half_a_handshake_is_a_stranger_too(tmp_path: Path) -> None:
    """Who never ends what TLS begins with takes no room from who does."""
    made = certificate.own(tmp_path, ["localhost"], datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.file, made.key)
    trusting = ssl.create_default_context(cafile=str(made.file))
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    connections = Connections(ROOM)
    async with serving(connections, context) as served:
        silent = [(await served.connect())[0] for _ in range(2 * ROOM)]
        reader, _ = await served.connect(ssl=trusting)
        assert b" 200 " in await served.again(reader, served.open[-1], b"known")
        assert await ended(silent[0])
        for _ in range(ROOM):
            await served.connect()
        assert b" 200 " in await served.again(reader, served.open[-1 - ROOM], b"known")


@contextmanager
def few_files(more: int) -> Iterator[None]:
    """This process may open only so many more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_a_file_left_the_loop_goes_on() -> None:
    """A line in the log, not thousands, and everything else has its turn; then a stranger goes."""
    connections = Connections(1000)
    async with serving(connections) as served:
        waiting = [socket.socket() for _ in range(12)]
        with capture_logs() as said, few_files(4):
            for each in waiting:
                each.connect(("127.0.0.1", served.port))
            for _ in range(200):
                await asyncio.sleep(0)
            assert 1 <= connections.counts()["open"] <= 4
        assert [line["event"] for line in said] == ["no room for more connections"]
        assert b" 200 " in (await served.ask(b"new"))[2]
        assert connections.gave_way == 1
        for each in waiting:
            each.close()


def test_there_is_room_for_half_of_the_files() -> None:
    """Doors, notices and the journal need files too; a service gets as many as it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, hard))
        assert room() == 300
        more_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(MOST_FILES, hard)
        assert room() == min(MOST, min(MOST_FILES, hard) // 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("given", [b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01"])
async def test_what_is_lost_is_forgotten(given: bytes) -> None:
    """Nothing is kept of a connection that is gone, whatever it said."""
    connections = Connections(ROOM)
    async with serving(connections) as served:
        await served.connect()
        served.open[0].write(given)
        while not connections.counts()["open"]:
            await asyncio.sleep(0)
        served.open[0].close()
        while connections.counts()["open"]:
            await asyncio.sleep(0)
