"""The driver `osdp` keeps the contract of an access controller, against libosdp's own device."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.testing import AccessControllerContract, Device
from plugins.access_control import _osdp_line, osdp
from plugins.access_control.osdp import vestibule_access_control
from tests.plugins.access_control.osdp_reader import Reader

KEY = bytes(range(0xA0, 0xB0))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without a line's own slowness, and a start that waits for a busy machine."""
    monkeypatch.setattr(_osdp_line, "TICK_S", 0.002)
    monkeypatch.setattr(osdp, "READY_S", 8.0)


class ReaderOnLine(Device):
    """A reader with a relay, on a line that can be pulled out."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reader = Reader(folder, KEY)

    async def start(self) -> None:
        self.reader.plug_in()
        self.settings = {"line": str(self.reader.line)}

    async def stop(self) -> None:
        await self.come_back()
        self.reader.pull_out()

    async def vanish(self) -> None:
        self.reader.pull_out()

    async def fall_silent(self) -> None:
        self.reader.faults.add("mute")

    async def speak_nonsense(self) -> None:
        self.reader.faults.add("noise")

    async def lie(self, door: str) -> None:
        self.reader.faults.add("jam")

    async def come_back(self) -> None:
        self.reader.faults.clear()
        if not self.reader.line.exists():
            self.reader.plug_in()

    async def use(self, door: str, number: str) -> None:
        self.reader.read_card(int(number))


class TestOsdp(AccessControllerContract):
    driver = vestibule_access_control()[0]
    doors = {
        "main": {
            "address": 5,
            "scbk": KEY.hex(),
            "output": 0,
            "energised": "unlocked",
            "contact": 0,
        }
    }
    device = ReaderOnLine
