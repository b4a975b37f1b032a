"""A board of relays and inputs on pymodbus's own simulator server, with faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

RELAYS, INPUTS, PULSES = 16, 16, 32
READ_COILS, READ_INPUTS, WRITE_COIL = 1, 2, 5


class ModbusBoard:
    """Sixteen relays (coils 0 to 15), a pulse coil for each (32 to 47), sixteen inputs.

    Writing a pulse coil turns its relay over for `pulse` seconds; the board ends that. `bolts` are
    relays with a bolt behind (relay: input). `faults`: `jam` the bolt does not follow, `lag` it
    follows after a while, `lie` a write is taken and the relay stays, `drop` nothing is answered,
    `busy` everything is refused. `asked` keeps function and address of every question.
    """

    def __init__(self) -> None:
        self.coils = [False] * RELAYS
        self.inputs = [False] * INPUTS
        self.bolts: dict[int, int] = {}
        self.faults: set[str] = set()
        self.pulse, self.lag = 60.0, 0.05
        self.timers: dict[int, asyncio.TimerHandle] = {}
        self.asked: list[tuple[int, int]] = []
        self._server: ModbusTcpServer | None = None
        self._later: set[asyncio.TimerHandle] = set()

    async def start(self, port: int = 0) -> int:
        """Listen on a port of 127.0.0.1 and return it."""
        if not port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
        bits = [SimData(0, values=[False] * 48, datatype=DataType.BITS)]
        words = [SimData(0, values=0, datatype=DataType.REGISTERS)]
        inputs = [SimData(0, values=[False] * INPUTS, datatype=DataType.BITS)]
        device = SimDevice(1, (bits, inputs, words, list(words)), action=self._acted)
        self._server = ModbusTcpServer(device, address=("127.0.0.1", port))
        await self._server.serve_forever(background=True)
        return port

    async def stop(self) -> None:
        """Listen no more."""
        for handle in [*self._later, *self.timers.values()]:
            handle.cancel()
        if self._server is not None:
            await self._server.shutdown()

    def reboot(self) -> None:
        """As after a power cut: every relay has fallen."""
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        self.coils = [False] * RELAYS

    def end_pulse(self, relay: int) -> None:
        """The board's own timer runs out."""
        self.timers.pop(relay).cancel()
        self._turn(relay, not self.coils[relay])

    async def _acted(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[Any] | None,
    ) -> ExcCodes | None:
        if function == WRITE_COIL and values is None:
            return None  # the echo of what was just written
        self.asked.append((function, address))
        if "busy" in self.faults:
            return ExcCodes.DEVICE_BUSY
        if "drop" in self.faults:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            return ExcCodes.DEVICE_BUSY
        if function == WRITE_COIL and values is not None:
            self._written(address, bool(values[0]))
        if function == READ_COILS:
            _lay(registers, [*self.coils, *[False] * 32])
        elif function == READ_INPUTS:
            _lay(registers, self.inputs)
        return None

    def _written(self, address: int, on: bool) -> None:
        if "lie" in self.faults:
            return
        if address < RELAYS:
            self._turn(address, on)
        elif on:
            relay = address - PULSES
            self._turn(relay, not self.coils[relay])
            loop = asyncio.get_running_loop()
            self.timers[relay] = loop.call_later(self.pulse, self.end_pulse, relay)

    def _turn(self, relay: int, on: bool) -> None:
        self.coils[relay] = on
        if relay not in self.bolts or "jam" in self.faults:
            return
        follow = asyncio.get_running_loop().call_later(
            self.lag if "lag" in self.faults else 0, self.inputs.__setitem__, self.bolts[relay], on
        )
        self._later.add(follow)


def _lay(registers: list[int], bits: list[bool]) -> None:
    """Put bits into the simulator's registers, sixteen each."""
    for at in range(0, len(bits), 16):
        registers[at // 16] = sum(bit << place for place, bit in enumerate(bits[at : at + 16]))
