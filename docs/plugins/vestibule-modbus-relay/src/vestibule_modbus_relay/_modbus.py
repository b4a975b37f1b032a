"""As much of a Modbus TCP client as a relay board needs: one question at a time."""

from __future__ import annotations

import asyncio
import struct

from hub import NotReady

READ_COILS, READ_INPUTS, WRITE_COIL = 0x01, 0x02, 0x05
ANSWER = 2.0  # seconds for one question, connecting included
HEADER = struct.Struct(">HHHB")  # transaction, protocol (0), octets that follow, unit
LONGEST = 254  # octets that may follow the length: the unit and 253 of the message
REFUSALS = {
    1: "it does not know this function",
    2: "it has no such address",
    3: "it does not take this value",
    4: "it failed while it tried",
    6: "it is busy",
}


class ModbusError(Exception):
    """The board answered, and said no."""


class Board:
    """The line to one board; it is opened by the first question, and after each failure."""

    def __init__(self, host: str, port: int, unit: int) -> None:
        self._host, self._port, self._unit = host, port, unit
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()
        self._number = 0
        self.shut = False

    def __str__(self) -> str:
        return f"the board at {self._host}:{self._port}"

    async def read(self, function: int, address: int) -> bool:
        """Whether a coil or discrete input is on. Raises `NotReady` or `ModbusError`."""
        answer = await self._ask(struct.pack(">BHH", function, address, 1))
        if len(answer) != 3 or answer[1] != 1:
            raise self._nonsense()
        return bool(answer[2] & 1)

    async def write(self, coil: int, on: bool) -> None:
        """Switch a coil. Raises `NotReady` or `ModbusError`."""
        asked = struct.pack(">BHH", WRITE_COIL, coil, 0xFF00 if on else 0)
        if await self._ask(asked) != asked:
            raise self._nonsense()

    def hang_up(self) -> None:
        """Close the line; the next question opens another, unless the board is `shut`."""
        line, self._line = self._line, None
        if line is not None:
            line[1].transport.abort()

    async def _ask(self, message: bytes) -> bytes:
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER):
                    answer = await self._exchange(message)
            except TimeoutError:
                self.hang_up()
                raise NotReady(f"{self} does not answer within {ANSWER:g} s") from None
            except ConnectionRefusedError:
                self.hang_up()
                raise NotReady(f"{self} is not reached: nothing listens there") from None
            except (OSError, asyncio.IncompleteReadError) as error:
                self.hang_up()
                why = getattr(error, "strerror", None) or "it hung up"
                raise NotReady(f"{self} is not reached: {why}") from error
            except BaseException:
                self.hang_up()  # an answer that still comes must not be taken for the next one's
                raise
        if answer[0] == message[0] | 0x80 and len(answer) == 2:
            raise ModbusError(REFUSALS.get(answer[1], f"it refused (exception {answer[1]})"))
        if answer[0] != message[0]:
            raise self._nonsense()
        return answer

    async def _exchange(self, message: bytes) -> bytes:
        if self.shut:
            raise NotReady(f"{self} was let go meanwhile")
        if self._line is None:
            self._line = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._line
        self._number = (self._number + 1) % 0x10000
        writer.write(HEADER.pack(self._number, 0, 1 + len(message), self._unit) + message)
        await writer.drain()
        number, protocol, length, unit = HEADER.unpack(await reader.readexactly(HEADER.size))
        sound = (number, protocol, unit) == (self._number, 0, self._unit)
        if not sound or not 2 <= length - 1 <= LONGEST:
            raise self._nonsense()
        return await reader.readexactly(length - 1)

    def _nonsense(self) -> NotReady:
        self.hang_up()
        return NotReady(f"{self} answers, but not as Modbus TCP")
