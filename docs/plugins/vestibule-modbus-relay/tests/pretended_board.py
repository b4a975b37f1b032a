"""A pretended board: a Modbus TCP server with relays and contacts, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import struct


class PretendedBoard:
    """Eight relays and eight contacts behind functions 0x01, 0x02 and 0x05; the rest is refused.

    `stuck` are coils that take a write and do not move. `asked` keeps the messages it was sent.
    """

    def __init__(self) -> None:
        self.coils = [False] * 8
        self.inputs = [True] * 8
        self.stuck: set[int] = set()
        self.asked: list[bytes] = []

    async def start(self) -> int:
        """Listen on a free port and return it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                number, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                message = await reader.readexactly(length - 1)
                answer = self._answer(message)
                writer.write(struct.pack(">HHHB", number, 0, 1 + len(answer), unit) + answer)
                await writer.drain()
        writer.close()

    def _answer(self, message: bytes) -> bytes:
        self.asked.append(message)
        function, address, value = struct.unpack(">BHH", message)
        if function not in (0x01, 0x02, 0x05):
            return bytes((function | 0x80, 1))
        if address >= 8:
            return bytes((function | 0x80, 2))
        if function == 0x05:
            if value not in (0, 0xFF00):
                return bytes((function | 0x80, 3))
            if address not in self.stuck:
                self.coils[address] = value == 0xFF00
            return message
        bits = self.coils if function == 0x01 else self.inputs
        packed = sum(bit << place for place, bit in enumerate(bits[address : address + value]))
        return bytes((function, 1, packed))
