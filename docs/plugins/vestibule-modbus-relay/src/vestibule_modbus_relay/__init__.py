"""Access controller `modbus_relay`: a board of relays that hold doors locked, over Modbus TCP.

A coil of the board is the relay of a lock, a discrete input may be the contact of its door. What is
reported was read from the board; nothing is taken for done because it was written. The words of the
protocol are those of the MODBUS Application Protocol Specification V1.1b3.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

from pydantic import Field

from hub import (
    Block,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    Lock,
    NotReady,
    Position,
    Verb,
    hookimpl,
)
from vestibule_modbus_relay._modbus import READ_COILS, READ_INPUTS, Board, ModbusError

__version__ = "0.1.0"

HELD = 256  # reports kept while nobody reads them
Current = Literal["on", "off"]


class ModbusRelayConfig(Block):
    """How to reach the board."""

    host: str = Field(min_length=1, description="The name or address of the board.")
    port: int = Field(502, ge=1, le=65535, description="Its TCP port.")
    unit: int = Field(1, ge=0, le=255, description="Its unit identifier, 1 on most boards.")
    poll: Duration = Field(1.0, ge=0.2, le=10, description="How often its doors are read.")


class ModbusRelayDevice(Block):
    """What of the board belongs to a door."""

    coil: int = Field(ge=0, le=65535, description="The coil of its lock; the first is 0.")
    locked_when: Current = Field(
        description="The coil while it is locked: `on` for a magnet that needs current to hold "
        "(fail-safe), `off` for a strike that needs current to release (fail-secure)."
    )
    contact: int | None = Field(
        None, ge=0, le=65535, description="The discrete input of its contact; the first is 0."
    )
    closed_when: Current = Field("on", description="The contact while the door is closed.")


class ModbusRelayDoors:
    """One board and the doors on it."""

    def __init__(self, config: ModbusRelayConfig, context: Context) -> None:
        self._clock, self._name, self._poll = context.clock, context.name, config.poll
        self._doors: dict[str, ModbusRelayDevice] = dict(context.devices)
        self._board = Board(config.host, config.port, config.unit)
        self._reports: asyncio.Queue[DoorReport | None] = asyncio.Queue(HELD)
        self._watch: asyncio.Task[None] | None = None
        self.dropped = 0
        bare = frozenset(door for door, device in self._doors.items() if device.contact is None)
        self.capabilities = Capabilities(
            verbs=frozenset({"lock", "unlock"}),
            has_position=len(bare) < len(self._doors),
            stale_after_s=max(10.0, 5 * config.poll),
            without_position=bare,
        )

    async def start(self) -> None:
        """Read every door once; raises `NotReady` when the board does not answer."""
        await self.close()
        self._reports = asyncio.Queue(HELD)
        self._board.shut = False
        try:
            for door in self._doors:
                await self._read(door)
        except BaseException:
            self._board.hang_up()
            raise
        self._watch = asyncio.create_task(self._keep_reading(), name=f"{self._name} poll")

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Write the coil, then read it back: the report says what was read."""
        device = self._behind(door)
        if verb not in self.capabilities.verbs:
            raise CommandFailed(f"this board cannot {verb}; it can lock and unlock")
        try:
            await self._board.write(device.coil, (verb == "lock") == (device.locked_when == "on"))
        except ModbusError as error:
            raise CommandFailed(f"coil {device.coil} of {self._board}: {error}") from error
        await self._read(door, answers=True)

    async def refresh(self, door: str) -> None:
        """Read the coil and the contact of a door now."""
        self._behind(door)
        await self._read(door, answers=True)

    async def reports(self) -> AsyncIterator[DoorReport]:
        """Every report until it is closed."""
        queue = self._reports
        while (report := await queue.get()) is not None:
            yield report

    async def probe(self) -> str:
        """Read every door; no relay is moved."""
        for door in self._doors:
            await self._read(door)
        count = len(self._doors)
        return f"{self._board} answers for {count} door{'' if count == 1 else 's'}"

    async def close(self) -> None:
        """Stop reading and hang up; the relays stay as they are."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})
        self._board.shut = True  # a question that still waits for its turn opens no new line
        self._board.hang_up()
        self._tell(None)

    def _behind(self, door: str) -> ModbusRelayDevice:
        if self._watch is None:
            raise NotReady(f"{self._board} is not connected")
        if door not in self._doors:
            raise CommandFailed(f"no relay of {self._board} belongs to {door}")
        return self._doors[door]

    async def _keep_reading(self) -> None:
        told = False
        while True:
            await self._clock.sleep(self._poll)
            try:
                for door in self._doors:
                    await self._read(door)
                told = False
            except NotReady as error:
                if not told:
                    self._lost(str(error))
                told = True

    def _lost(self, why: str) -> None:
        for door in self._doors:
            self._tell(DoorReport(door, self._clock.now(), online=False, detail=why))

    async def _read(self, door: str, answers: bool = False) -> None:
        """Report a door as the board has it; what the board refuses to say is unknown."""
        device = self._doors[door]
        lock: Lock = "unknown"
        position: Position | None = None
        detail = ""
        try:
            coil = await self._board.read(READ_COILS, device.coil)
            lock = "locked" if coil == (device.locked_when == "on") else "unlocked"
            if device.contact is not None:
                position = "unknown"
                closed = await self._board.read(READ_INPUTS, device.contact)
                position = "closed" if closed == (device.closed_when == "on") else "open"
        except ModbusError as error:
            detail = f"{self._board}: {error}"
        now = self._clock.now()
        self._tell(DoorReport(door, now, lock, position, answers=answers, detail=detail))

    def _tell(self, report: DoorReport | None) -> None:
        if self._reports.full():  # the oldest goes: what counts is how the door is now
            self._reports.get_nowait()
            self.dropped += 1
        self._reports.put_nowait(report)


@hookimpl
def vestibule_access_control() -> list[Driver]:
    """Announce the driver."""
    summary = "Relays of a Modbus TCP board that hold doors locked, with their contacts"
    model = ModbusRelayDevice
    return [Driver("modbus_relay", ModbusRelayDoors, ModbusRelayConfig, summary, device=model)]
