"""The line to a board of relays and inputs that speaks Modbus TCP: single coils and inputs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NoReturn

from hub import CommandFailed, NotReady
from plugins.access_control._unreached import unreached

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusTcpClient
    from pymodbus.pdu import ModbusPDU

READ_COILS, READ_INPUTS, WRITE_COIL = 0x01, 0x02, 0x05
ANSWER_S = 2.0  # for one question
JOIN_S = 2.0  # to be connected
REFUSALS = {
    1: "it does not know this function",
    2: "it has no such address",
    3: "it does not take this value",
    4: "it failed while it tried",
    6: "it is busy",
    11: "no device answers behind it",
}

Ask = Callable[["AsyncModbusTcpClient"], "Awaitable[ModbusPDU]"]


class Board:
    """One board. The line is opened by the first question, and again after each failure."""

    def __init__(self, host: str, port: int, unit: int) -> None:
        self._host, self._port, self._unit = host, port, unit
        self._client: AsyncModbusTcpClient | None = None
        self._opening = asyncio.Lock()
        self.shut = True

    def __str__(self) -> str:
        return f"the board at {self._host}:{self._port}"

    async def coil(self, address: int) -> bool:
        """Whether a relay is on (function 0x01). Raises `NotReady` or `CommandFailed`."""
        unit = self._unit
        answer = await self._ask(
            f"coil {address}",
            READ_COILS,
            lambda client: client.read_coils(address, count=1, device_id=unit),
        )
        return self._bit(answer)

    async def input(self, address: int) -> bool:
        """Whether a discrete input is on (function 0x02). Raises as `coil` does."""
        unit = self._unit
        answer = await self._ask(
            f"input {address}",
            READ_INPUTS,
            lambda client: client.read_discrete_inputs(address, count=1, device_id=unit),
        )
        return self._bit(answer)

    async def write(self, address: int, on: bool) -> None:
        """Switch a relay (function 0x05). Raises as `coil` does."""
        unit = self._unit
        answer = await self._ask(
            f"coil {address}",
            WRITE_COIL,
            lambda client: client.write_coil(address, on, device_id=unit),
        )
        if (answer.address, answer.bits[:1]) != (address, [on]):
            self._mixes_up()

    def hang_up(self) -> None:
        """Close the line; the next question opens another, unless the board is `shut`."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _ask(self, what: str, function: int, ask: Ask) -> ModbusPDU:
        from pymodbus import ModbusException

        client = await self._line()
        try:
            answer = await ask(client)
        except ModbusException as error:  # no answer in time, or one that is none
            self.hang_up()
            raise NotReady(f"{self} does not answer within {ANSWER_S:g} s") from error
        except OSError as error:
            self.hang_up()
            raise NotReady(f"{self} is not reached: {unreached(error)}") from error
        if answer.isError():
            code = int(getattr(answer, "exception_code", 0))
            why = REFUSALS.get(code, f"it refused (exception {code})")
            raise CommandFailed(f"{what} of {self}: {why}")
        if answer.function_code != function:
            self._mixes_up()
        return answer

    def _mixes_up(self) -> NoReturn:
        """An answer to another question says nothing, and nor do those that follow on its line: a
        gateway to a serial line may be one answer behind.
        """
        self.hang_up()
        raise NotReady(f"{self} did not answer what was asked")

    async def _line(self) -> AsyncModbusTcpClient:
        from pymodbus.client import AsyncModbusTcpClient

        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # the doors tell what is wrong
        async with self._opening:
            if self.shut:
                raise NotReady(f"{self} is not connected")
            if self._client is not None and self._client.connected:
                return self._client
            self.hang_up()
            client = AsyncModbusTcpClient(
                self._host, port=self._port, timeout=ANSWER_S, retries=0, reconnect_delay=0
            )
            try:
                joined = await client.connect()
            except BaseException:
                client.close()
                raise
            if not joined:
                client.close()
                await self._why()
            if self.shut:
                client.close()
                raise NotReady(f"{self} was let go meanwhile")
            self._client = client
            return client

    async def _why(self) -> NoReturn:
        """Knock once more: the client says that a connection failed, not why."""
        try:
            async with asyncio.timeout(JOIN_S):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except TimeoutError:
            raise NotReady(f"{self} is not reached: no answer") from None
        except OSError as error:
            raise NotReady(f"{self} is not reached: {unreached(error)}") from error
        writer.transport.abort()
        raise NotReady(f"{self} took no connection at first; it is asked again")

    def _bit(self, answer: ModbusPDU) -> bool:
        bits = answer.bits
        if not bits:
            self.hang_up()
            raise NotReady(f"{self} answers, but not as Modbus TCP")
        return bool(bits[0])
