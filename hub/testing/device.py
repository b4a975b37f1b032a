"""What stands on the other side of a driver in a contract: a device that can misbehave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.kinds import BrokerAddress
from hub.testing.cable import Cable

TROUBLES = ("vanish", "fall_silent", "speak_nonsense", "flood", "lie")


class Device:
    """A device or service, real or pretended, that a driver talks to in a test.

    `start` brings it up and `stop` takes it down. `settings` are the keys of the driver's block
    that lead to it, known once it is up. Override those troubles that it can have; `come_back` ends
    any of them. Tests that need a trouble which is not overridden are left out, and listed as such
    at the end of the run. `use` is no trouble: override it where credentials are used at the doors.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Mapping[str, Any] = {}

    async def start(self) -> None:
        """Be there."""

    async def stop(self) -> None:
        """Let go of everything."""

    async def vanish(self) -> None:
        """Be gone: drop every connection and take no new one."""

    async def fall_silent(self) -> None:
        """Take connections and bytes, and answer nothing."""

    async def speak_nonsense(self) -> None:
        """Answer with bytes that are not of the protocol."""

    async def flood(self, door: str, count: int) -> None:
        """Have a door report its state `count` times, as fast as it goes; the last is locked."""

    async def lie(self, door: str) -> None:
        """Take commands for a door and say that they were obeyed, while its lock stays unlocked;
        asked how it is, say what is so.
        """

    async def come_back(self) -> None:
        """Be as at the start."""

    async def reboot(self) -> None:
        """Go down and come back at once: connections drop, and what was begun is forgotten."""
        await self.vanish()
        await self.come_back()

    async def use(self, door: str, number: str) -> None:
        """Have somebody use a card of this number (digits) at a door."""

    async def broker(self) -> BrokerAddress:
        """The site's MQTT broker, for drivers that use `Context.broker`."""
        from hub.errors import NotReady

        raise NotReady("no MQTT broker here: the device of this contract names none")

    @classmethod
    def can(cls, trouble: str) -> bool:
        """Whether this device can have a trouble (one of `TROUBLES`), or `use`."""
        return getattr(cls, trouble) is not getattr(Device, trouble)


class CabledDevice(Device):
    """A device behind a TCP line that is cut, hushed and disturbed for it.

    Override `serve` (and `end`): listen on a port of 127.0.0.1 and return it. The driver is to
    connect to `self.port`, which is the near end of the line; say so in `settings`.
    """

    port = 0

    async def serve(self) -> int:
        """Bring the device up; returns the port that it listens on."""
        raise NotImplementedError("define serve(): listen on 127.0.0.1 and return the port")

    async def end(self) -> None:
        """Take the device down."""

    async def start(self) -> None:
        self.cable = Cable("127.0.0.1", await self.serve())
        self.port = await self.cable.start()

    async def stop(self) -> None:
        await self.cable.stop()
        await self.end()

    async def vanish(self) -> None:
        self.cable.cut()

    async def fall_silent(self) -> None:
        self.cable.hush()

    async def speak_nonsense(self) -> None:
        self.cable.disturb()

    async def come_back(self) -> None:
        await self.cable.mend()
