"""The driver `unifi` keeps the contract of an access controller."""

from __future__ import annotations

from pathlib import Path

from hub.testing import AccessControllerContract, CabledDevice
from plugins.access_control.unifi import vestibule_access_control
from tests.plugins.access_control.pretended_console import (
    TOKEN,
    PretendedConsole,
    PretendedDoor,
    until,
)


class ConsoleOnCable(CabledDevice):
    """A pretended console behind a line that can be cut."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.console = PretendedConsole(**{"front-1": PretendedDoor("Front")})

    async def serve(self) -> int:
        return await self.console.start()

    async def start(self) -> None:
        await super().start()
        self.settings = {
            "host": "127.0.0.1",
            "port": self.port,
            "fingerprint": self.console.fingerprint,
        }

    async def end(self) -> None:
        await self.console.stop()

    async def flood(self, door: str, count: int) -> None:
        await until(lambda: self.console.lines)
        for number in range(count):
            last = number == count - 1
            await self.console.push_state("front-1", lock="locked" if last else "unlocked")

    async def lie(self, door: str) -> None:
        self.console.doors["front-1"].relay = "unlock"
        self.console.doors["front-1"].faults.add("jam")

    async def use(self, door: str, number: str) -> None:
        await until(lambda: self.console.lines)
        await self.console.push_access("front-1", "ACCESS", "NFC", card=number)


class TestUnifi(AccessControllerContract):
    driver = vestibule_access_control()[0]
    config = {"token": TOKEN}
    doors = {"main": {"door": "front-1"}}
    device = ConsoleOnCable
