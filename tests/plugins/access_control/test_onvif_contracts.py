"""The ONVIF driver keeps the contract, with a controller over a real socket."""

from __future__ import annotations

from hub.testing import AccessControllerContract, CabledDevice
from plugins.access_control import onvif
from tests.plugins.access_control.brokers import until
from tests.plugins.access_control.onvif_device import OnvifController


class OnvifOnTheLine(CabledDevice):
    """A controller at the end of a line that is cut, hushed and disturbed."""

    @property
    def settings(self):
        return {"host": "127.0.0.1", "port": self.port, "tls": False, "username": "hub"} | {
            "password": "s3cret"
        }

    @settings.setter
    def settings(self, ignored):
        pass

    async def serve(self):
        self.controller = OnvifController()
        return await self.controller.start()

    async def end(self):
        await self.controller.stop()

    async def flood(self, door, count):
        await until(lambda: self.controller.subscriptions)
        for _ in range(count - 1):
            self.controller.doors.by_hand("d1", "Unlocked")
        self.controller.doors.by_hand("d1", "Locked")

    async def lie(self, door):
        self.controller.faults.lie = True

    async def use(self, door, number):
        await until(lambda: self.controller.subscriptions)
        self.controller.doors.use("d1", number)

    async def reboot(self):
        await self.controller.reboot()


class TestOnvif(AccessControllerContract):
    driver = onvif.vestibule_access_control()[0]
    doors = {"main": {"door": "d1"}}
    device = OnvifOnTheLine
