"""Doors on a board of relays and inputs that speaks Modbus TCP.

What is reported was read from the board; nothing is taken for done because it was written. One
passage is a pulse that the board itself ends: a board that has none takes no `momentary`, since a
hub that stops meanwhile would leave the door open.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

from pydantic import Field, model_validator

from hub import (
    Block,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    NotReady,
    Probed,
    Verb,
    hookimpl,
)
from plugins.access_control._asked import Asked
from plugins.access_control._ending import end
from plugins.access_control._modbus_board import Board
from plugins.access_control._relay import (
    Bolt,
    Panel,
    Seen,
    Wiring,
    capabilities,
    complete,
    refuse,
    unmixed,
)
from plugins.access_control._reports import Reports


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


class ModbusDoors:
    """One board and the doors on it."""

    def __init__(self, config: ModbusConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._clock = context.clock
        self._doors: dict[str, ModbusDevice] = dict(context.devices)
        self._bolts = {door: Bolt(device) for door, device in self._doors.items()}
        self._asked = {door: Asked() for door in self._doors}
        self._board = Board(config.host, config.port, config.unit)
        self._watch: asyncio.Task[None] | None = None
        self._reports: Reports[DoorReport] = Reports()
        self.lockdown_all = self._lockdown_all if self.capabilities.lockdown_native else None

    @property
    def capabilities(self) -> Capabilities:
        """What relays can do, and what the panel behind them does."""
        config = self._config
        return capabilities(self._doors, config.panel, config.stale_after)

    @property
    def dropped(self) -> int:
        """How many reports gave way to newer ones because nobody read them."""
        return self._reports.dropped

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

    async def adopt(self, devices: Mapping[str, ModbusDevice]) -> None:
        """Serve these doors from now on; one whose device is the same does not notice."""
        unmixed(devices)
        fresh = [door for door, device in devices.items() if self._doors.get(door) != device]
        self._doors = dict(devices)
        self._bolts = {door: self._bolts.get(door) or Bolt(devices[door]) for door in devices}
        self._asked = {door: self._asked.get(door) or Asked() for door in devices}
        self._bolts |= {door: Bolt(devices[door]) for door in fresh}
        self.lockdown_all = self._lockdown_all if self.capabilities.lockdown_native else None
        if self._watch is not None:
            with contextlib.suppress(NotReady):  # they are read once the board is back
                await self._read_all(fresh)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Write the relay, then read it back; the report says what was read."""
        device = self._behind(door)
        refuse(device, verb)
        with self._asked[door].command():
            if verb in ("lockdown", "lockdown_release"):
                await self._lockdown(device, verb == "lockdown")
            elif verb == "momentary":
                await self._let_one_through(device)
            elif device.coil is not None:
                await self._board.write(device.coil, device.for_locked(verb == "lock"))
        with contextlib.suppress(NotReady):  # it is handed over; that the line broke is told
            await self._read(door)

    async def _lockdown_all(self, engaged: bool, key: str) -> None:
        """Start or end the lockdown of the panel behind, each relay once."""
        if self._watch is None:
            raise NotReady(f"{self._board} is not connected")
        refused: CommandFailed | None = None
        with contextlib.ExitStack() as asked:
            for each in self._asked.values():
                asked.enter_context(each.command())
            for device in {device.lockdown: device for device in self._doors.values()}.values():
                try:
                    await self._lockdown(device, engaged)
                except CommandFailed as error:  # one relay that stays holds no other panel
                    refused = refused or error
            if refused is not None:
                raise refused
        with contextlib.suppress(NotReady):  # it is handed over; that the line broke is told
            await self._read_all(self._doors, asked=True)

    async def refresh(self, door: str) -> None:
        """Read the relay and the inputs of a door now."""
        self._behind(door)
        await self._read(door)

    async def reports(self) -> AsyncIterator[DoorReport]:
        """Every report until it is closed."""
        async for report in self._reports.read():
            yield report

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

    async def _let_one_through(self, device: ModbusDevice) -> None:
        """Where the door is unlocked anyway there is no pulse to make: its end would lock it."""
        if device.coil is None or device.pulse_coil is None:
            return
        if await self._board.coil(device.coil) != device.for_locked(False):
            await self._board.write(device.pulse_coil, True)

    async def _lockdown(self, device: ModbusDevice, engaged: bool) -> None:
        """Set the panel's relay and read it back: a panel that was told nothing starts nothing."""
        if device.lockdown is None:
            return
        on = device.for_lockdown(engaged)
        await self._board.write(device.lockdown, on)
        if await self._board.coil(device.lockdown) != on:
            told = f"relay {device.lockdown} of {self._board} took the command and stays"
            raise CommandFailed(told)

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

    async def _read_all(self, doors: Iterable[str], asked: bool = False) -> None:
        for door in list(doors):
            try:
                await self._read(door, asked)
            except CommandFailed as error:  # one that is ill described harms no other
                now = self._clock.now()
                self._reports.tell(DoorReport(door, now, "unknown", detail=str(error)))

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
