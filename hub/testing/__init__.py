"""What vendors' tests and our own share: contracts for drivers, stand-ins, a clock and a real hub.

A contract is a class of tests that a driver must pass. A vendor's whole test file, `test_lamp.py`
beside `lamp.py`, for a lamp that is reached over TCP:

    import asyncio
    from hub.testing import CabledDevice, NotifierContract
    from lamp import vestibule_notifiers

    class PretendedLamp(CabledDevice):
        async def serve(self) -> int:
            self.server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
            return self.server.sockets[0].getsockname()[1]

        async def start(self) -> None:
            await super().start()
            self.settings = {"host": "127.0.0.1", "port": self.port}

        async def talk(self, reader, writer) -> None:
            while await reader.readline():
                writer.write(b"lit\\n")
            writer.close()

        async def end(self) -> None:
            self.server.close()

    class TestLamp(NotifierContract):
        driver = vestibule_notifiers()[0]
        config = {"colour": "amber"}
        device = PretendedLamp

`pytest` finds the class and runs its tests; no other plugin is needed. Where a driver has nothing
to reach, the last class alone is enough, with `alone = True` in place of `device`.
"""

from __future__ import annotations

from hub.testing.access_control import AccessControllerContract
from hub.testing.cable import Cable
from hub.testing.cameras import CameraContract
from hub.testing.clock import FakeClock
from hub.testing.contract import CANARY, ContractBroken, Trial, needs, promise
from hub.testing.detectors import DetectorContract
from hub.testing.device import CabledDevice, Device
from hub.testing.notifiers import NotifierContract
from hub.testing.running_hub import RunningHub, running_hub
from hub.testing.stand_ins import FakeDoorPanel, RecordingNotifier, ScriptedCamera
from hub.testing.visitors import VisitorSystemContract

__all__ = [
    "CANARY", "AccessControllerContract", "Cable", "CabledDevice", "CameraContract",
    "ContractBroken", "DetectorContract", "Device", "FakeClock", "FakeDoorPanel",
    "NotifierContract", "RecordingNotifier", "RunningHub", "ScriptedCamera", "Trial",
    "VisitorSystemContract", "needs", "promise", "running_hub",
]  # fmt: skip
