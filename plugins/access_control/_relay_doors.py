"""Doors on relays, whatever carries the words: a board's registers, or a device on the network.

A relay is set and then read back, and the report says what was read. A panel's lockdown is one
relay for all of its doors.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from hub import Capabilities, CommandFailed, Context, DoorReport, NotReady, Verb
from plugins.access_control._asked import Asked
from plugins.access_control._relay import (
    LOCKDOWN_VERBS,
    Bolt,
    Panel,
    Wired,
    capabilities,
    refuse,
    unmixed,
)
from plugins.access_control._reports import Reporting, Reports

D = TypeVar("D", bound=Wired)


class RelayDoors(Reporting[DoorReport], ABC, Generic[D]):
    """The doors of one block; how their relays are reached is abstract here."""

    def __init__(self, panel: Panel, stale_after_s: float, context: Context) -> None:
        self._panel, self._stale_after_s = panel, stale_after_s
        self._context = context
        self._clock = context.clock
        self._doors: dict[str, D] = dict(context.devices)
        self._bolts = {door: Bolt(device) for door, device in self._doors.items()}
        self._asked = {door: Asked() for door in self._doors}
        self._reports: Reports[DoorReport] = Reports()
        self.lockdown_all = self._lockdown_all if self.capabilities.lockdown_native else None

    @abstractmethod
    def _behind(self, door: str) -> D:
        """Its device. Raises `NotReady` while not started, `CommandFailed` for no door of ours."""

    @abstractmethod
    def _line(self, device: D) -> object:
        """What its relays are reached by; its text names it."""

    @abstractmethod
    async def _set(self, device: D, relay: int, on: bool) -> None:
        """Switch a relay. Raises as `command` does."""

    @abstractmethod
    async def _is_on(self, device: D, relay: int) -> bool | None:
        """How a relay is set; None where that is not told. Raises as `command` does."""

    @abstractmethod
    async def _let_one_through(self, device: D) -> None:
        """A pulse that the device ends. Where the door is unlocked anyway there is none to make:
        its end would lock it.
        """

    @abstractmethod
    async def _lockdown_each(self, engaged: bool) -> None:
        """Start or end the lockdown of every panel, each relay once; one that stays holds no other.
        Raises what failed.
        """

    @abstractmethod
    async def _read(self, door: str, asked: bool = True) -> None:
        """Read a door and report it; what was not `asked` for is no answer by itself."""

    @abstractmethod
    async def _read_each(self) -> None:
        """Read every door as an answer."""

    @abstractmethod
    async def _meet_each(self, fresh: list[str]) -> None:
        """Meet doors that came while it runs, and let go of what belongs to none."""

    @property
    def capabilities(self) -> Capabilities:
        """What relays can do, and what the panel behind them does."""
        return capabilities(self._doors, self._panel, self._stale_after_s)

    async def adopt(self, devices: Mapping[str, D]) -> None:
        """Serve these doors from now on; one whose device is the same does not notice."""
        unmixed(devices)
        fresh = [door for door, device in devices.items() if self._doors.get(door) != device]
        self._doors = dict(devices)
        self._bolts = {door: self._bolts.get(door) or Bolt(devices[door]) for door in devices}
        self._asked = {door: self._asked.get(door) or Asked() for door in devices}
        self._bolts |= {door: Bolt(devices[door]) for door in fresh}
        self.lockdown_all = self._lockdown_all if self.capabilities.lockdown_native else None
        await self._meet_each(fresh)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Set the relay, then read it back; the report says what was read."""
        device = self._behind(door)
        refuse(device, verb)
        with self._asked[door].command():
            if verb in LOCKDOWN_VERBS:
                await self._lockdown(device, verb == "lockdown")
            elif verb == "momentary":
                await self._let_one_through(device)
            elif device.relay is not None:
                await self._set(device, device.relay, device.for_locked(verb == "lock"))
        with contextlib.suppress(NotReady):  # it is handed over; that the line broke is told
            await self._read(door)

    async def refresh(self, door: str) -> None:
        """Read the relay and the inputs of a door now."""
        self._behind(door)
        await self._read(door)

    async def _lockdown_all(self, engaged: bool, key: str) -> None:
        """Start or end the lockdown of the panels behind, each relay once."""
        for door in self._doors:
            refuse(self._behind(door), "lockdown")
        with contextlib.ExitStack() as asked:
            for each in self._asked.values():
                asked.enter_context(each.command())
            await self._lockdown_each(engaged)
        with contextlib.suppress(NotReady):  # it is handed over; that a line broke is told
            await self._read_each()

    async def _lockdown(self, device: D, engaged: bool) -> None:
        """Set the panel's relay and read it back: a panel that was told nothing starts nothing."""
        if device.lockdown is None:
            return
        on = device.for_lockdown(engaged)
        await self._set(device, device.lockdown, on)
        if await self._is_on(device, device.lockdown) is not on:
            told = f"relay {device.lockdown} of {self._line(device)} took the command and stays"
            raise CommandFailed(told)

    async def _meet(self, door: str, asked: bool = False) -> None:
        """Read a door; one that is ill described is told so, and harms no other."""
        try:
            await self._read(door, asked)
        except CommandFailed as error:
            now = self._clock.now()
            self._reports.tell(DoorReport(door, now, "unknown", detail=str(error)))
