"""Doors on a board of relays and inputs that speaks Modbus TCP.

What is reported was read from the board; nothing is taken for done because it was written. One
passage is a pulse that the board itself ends: a board that has none takes no `momentary`, since a
hub that stops meanwhile would leave the door open.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from pydantic import Field, model_validator

from hub import (
    Block,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    NotReady,
    Probed,
    hookimpl,
)
from plugins.access_control._ending import end
from plugins.access_control._modbus_board import Board
from plugins.access_control._relay import Panel, Seen, Wiring, complete, unmixed
from plugins.access_control._relay_doors import RelayDoors


class ModbusConfig(Block):
    """How to reach the board."""

    host: str = Field(min_length=1, description="The name or address of the board.")
    port: int = Field(502, ge=1, le=65535, description="Its TCP port.")
    unit: int = Field(1, ge=0, le=255, description="Its unit identifier, 1 on most boards.")
    poll: Duration = Field(1.0, ge=0.2, le=10, description="How often its doors are read.")
    panel: Panel = Field(
        Panel(), description="The panel behind, where doors have a `lockdown` relay."
    )
    stale_after: Duration = Field(
        30.0, ge=1, description="How old a report may be before it is shown as stale."
    )


class ModbusDevice(Wiring):
    """What of the board belongs to a door. Addresses count from 0, labels often from 1."""

    coil: int | None = Field(None, ge=0, le=65535, description="The relay of its lock.")
    pulse_coil: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="The coil that lets the board release the lock for one passage and end that by "
        "itself; without one the door takes no `momentary`.",
    )
    lockdown: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="The relay that starts the lockdown of the panel which runs this door.",
    )
    bolt: int | None = Field(
        None, ge=0, le=65535, description="The discrete input that tells whether the bolt is out."
    )
    contact: int | None = Field(
        None, ge=0, le=65535, description="The discrete input of the door's contact."
    )

    @model_validator(mode="after")
    def can_work(self) -> ModbusDevice:
        """Its wiring is complete."""
        complete(self, self.coil, self.lockdown, self.bolt)
        if self.pulse_coil is not None and self.coil is None:
            raise ValueError("expected `coil` with `pulse_coil`: what it releases is read there")
        return self

    @property
    def relay(self) -> int | None:
        """Its own relay."""
        return self.coil

    @property
    def pulses(self) -> bool:
        """Whether the board can end a pulse by itself."""
        return self.pulse_coil is not None


class ModbusDoors(RelayDoors[ModbusDevice]):
    """One board and the doors on it."""

    def __init__(self, config: ModbusConfig, context: Context) -> None:
        super().__init__(config.panel, config.stale_after, context)
        self._config = config
        self._board = Board(config.host, config.port, config.unit)
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read every door once; raises `NotReady` when the board does not answer."""
        await self.close()
        unmixed(self._doors)
        self._reports.begin()
        self._board.shut = False
        try:
            await self._read_all(self._doors)
        except BaseException:
            self._let_go()
            raise
        name = f"{self._context.name} poll"
        self._watch = asyncio.create_task(self._keep_reading(), name=name)
        self._reports.end_with(self._watch, f"the link to {self._board}")

    async def probe(self) -> Probed:
        """Read every door on a line of its own; no relay is moved."""
        unmixed(self._doors)
        board = Board(self._config.host, self._config.port, self._config.unit)
        board.shut = False
        refused: list[str] = []
        try:
            for door, device in self._doors.items():
                try:
                    await _seen(board, device)
                except CommandFailed as error:
                    refused.append(f"{door}: {error}")
        finally:
            board.hang_up()
        count = len(self._doors)
        if not count:
            return Probed("no door names this controller", "add its doors")
        found = f"{board} answers for {count} door{'' if count == 1 else 's'}"
        if refused:
            told = f"{found}, not for all: {'; '.join(refused)}"
            return Probed(told, "correct the door's device; addresses count from 0", works=False)
        return Probed(found)

    async def close(self) -> None:
        """Stop reading and hang up; the relays stay as they are."""
        watch, self._watch = self._watch, None
        self._let_go()
        if watch is not None:
            await end({watch})
        self._reports.end()

    def _let_go(self) -> None:
        self._board.shut = True  # a question that still waits for its turn opens no new line
        self._board.hang_up()

    def _behind(self, door: str) -> ModbusDevice:
        if self._watch is None:
            raise NotReady(f"{self._board} is not connected")
        if door not in self._doors:
            raise CommandFailed(f"no relay of {self._board} belongs to {door}")
        return self._doors[door]

    def _line(self, device: ModbusDevice) -> Board:
        return self._board

    async def _set(self, device: ModbusDevice, relay: int, on: bool) -> None:
        await self._board.write(relay, on)

    async def _is_on(self, device: ModbusDevice, relay: int) -> bool:
        return await self._board.coil(relay)

    async def _let_one_through(self, device: ModbusDevice) -> None:
        if device.coil is None or device.pulse_coil is None:
            return
        if await self._board.coil(device.coil) != device.for_locked(False):
            await self._board.write(device.pulse_coil, True)

    async def _lockdown_each(self, engaged: bool) -> None:
        refused: CommandFailed | None = None
        for device in {device.lockdown: device for device in self._doors.values()}.values():
            try:
                await self._lockdown(device, engaged)
            except CommandFailed as error:  # one relay that stays holds no other panel
                refused = refused or error
        if refused is not None:
            raise refused

    async def _meet_each(self, fresh: list[str]) -> None:
        if self._watch is not None:
            with contextlib.suppress(NotReady):  # they are read once the board is back
                await self._read_all(fresh)

    async def _keep_reading(self) -> None:
        told = False
        while True:
            await self._clock.sleep(self._config.poll)
            try:
                await self._read_all(self._doors)
                told = False
            except NotReady as error:
                if not told:
                    self._lost(str(error))
                told = True

    async def _read_each(self) -> None:
        await self._read_all(self._doors, asked=True)

    async def _read_all(self, doors: Iterable[str], asked: bool = False) -> None:
        for door in list(doors):
            await self._meet(door, asked)

    def _lost(self, why: str) -> None:
        for door, asked in self._asked.items():
            asked.forget()
            self._reports.tell(DoorReport(door, self._clock.now(), online=False, detail=why))

    async def _read(self, door: str, asked: bool = True) -> None:
        """Report a door as the board has it. A poll answers what a command asked, once taken."""
        if door not in self._doors:
            return  # it went while others were read
        device, mark = self._doors[door], self._asked[door].question()
        seen = await _seen(self._board, device)
        if self._doors.get(door) is not device:
            return
        bolt = self._bolts[door]
        lock, detail = bolt.lock(seen, self._clock.monotonic())
        answers = self._asked[door].answered(mark) and (asked or self._asked[door].commanded)
        self._reports.tell(
            DoorReport(
                door,
                self._clock.now(),
                lock,
                bolt.position(seen),
                answers=answers,
                detail=detail,
                lockdown=device.in_lockdown(seen.panel),
            )
        )


async def _seen(board: Board, device: ModbusDevice) -> Seen:
    """What the board says of a door's relay and inputs."""
    return Seen(
        relay=None if device.coil is None else await board.coil(device.coil),
        panel=None if device.lockdown is None else await board.coil(device.lockdown),
        bolt=None if device.bolt is None else await board.input(device.bolt),
        contact=None if device.contact is None else await board.input(device.contact),
    )


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Relays of a Modbus TCP board that hold doors locked, with contacts and bolt sensors"
    return [Driver("modbus", ModbusDoors, ModbusConfig, summary, device=ModbusDevice)]
