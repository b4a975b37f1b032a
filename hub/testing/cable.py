"""A TCP line that a test cuts, hushes and disturbs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

NOISE = bytes(range(128, 256)) + b"\x00\xff HTTP/9 {]\r\n\r\n"
BLOCK = 65_536


class Cable:
    """A line from a free port of 127.0.0.1 to a server.

    While it is whole all bytes go through. `cut` drops every connection and refuses new ones.
    `hush` takes connections and what is sent, and nothing comes back. `disturb` answers with noise
    and hangs up. Each drops what was connected before; `mend` makes the line whole again.
    """

    def __init__(self, host: str, port: int) -> None:
        self._far = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._near: set[asyncio.StreamWriter] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._state: Literal["whole", "cut", "hushed", "disturbed"] = "whole"
        self.port = 0
        self.taken = 0

    async def start(self) -> int:
        """Listen; returns the port of the near end."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    def cut(self) -> None:
        """Drop every connection; a new one is refused."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self._be("cut")

    def hush(self) -> None:
        """Take connections and bytes; nothing comes back."""
        self._be("hushed")

    def disturb(self) -> None:
        """Put bytes of no protocol on each connection, old and new, and hang up."""
        for writer in self._near:
            with contextlib.suppress(RuntimeError):  # that end has said its last word
                writer.write(NOISE)
        self._be("disturbed", gently=True)

    async def mend(self) -> None:
        """Take connections again at the same port, and let everything through."""
        self._be("whole")
        if self._server is None:
            await self.start()

    async def stop(self) -> None:
        """Drop everything and listen no more."""
        self.cut()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _be(
        self, state: Literal["whole", "cut", "hushed", "disturbed"], *, gently: bool = False
    ) -> None:
        self._state = state
        for writer in self._writers:
            if gently and writer in self._near:
                writer.close()  # what was written goes first
            else:
                writer.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.current_task()
        assert call is not None
        self._calls.add(call)
        self._writers.add(writer)
        self._near.add(writer)
        self.taken += 1
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._talk(reader, writer)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._near.discard(writer)
            self._calls.discard(call)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state == "whole":
            await self._join(reader, writer)
        elif self._state == "hushed":
            while await reader.read(BLOCK):
                pass
        elif self._state == "disturbed":
            writer.write(NOISE)
            await writer.drain()
            writer.write_eof()
            while await reader.read(BLOCK):
                pass

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._far)
        self._writers.add(far_writer)
        there = asyncio.create_task(_pour(reader, far_writer), name="cable there")
        back = asyncio.create_task(_pour(far_reader, writer), name="cable back")
        try:
            await asyncio.gather(there, back)
        finally:
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            far_writer.transport.abort()
            self._writers.discard(far_writer)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(BLOCK):
            writer.write(block)
            await writer.drain()
    with contextlib.suppress(OSError):  # also after a reset: the other end must hear of it
        writer.write_eof()
