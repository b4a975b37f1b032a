"""The drivers for Axis and 2N keep the contract, each with its device over a real socket."""

from __future__ import annotations

from hub.testing import AccessControllerContract, CabledDevice
from plugins.access_control import axis, twon
from tests.plugins.access_control.axis_device import AxisController
from tests.plugins.access_control.brokers import until
from tests.plugins.access_control.twon_device import TwoNUnit

TOKEN = "Axis-1:1.0"


class HttpOnTheLine(CabledDevice):
    """A device at the end of a line that is cut, hushed and disturbed."""

    make = None

    @property
    def settings(self):
        near = {"host": "127.0.0.1", "port": self.port, "tls": False}
        return near | {"username": "hub", "password": "s3cret"}

    @settings.setter
    def settings(self, ignored):
        pass

    async def serve(self):
        self.unit = self.make()
        return await self.unit.start()

    async def end(self):
        await self.unit.stop()

    async def reboot(self):
        await self.unit.reboot()

    async def lie(self, door):
        self.unit.faults.lie = True


class AxisOnTheLine(HttpOnTheLine):
    make = AxisController

    async def flood(self, door, count):
        await until(lambda: self.unit.subscriptions)
        for _ in range(count - 1):
            self.unit.doors.by_hand(TOKEN, "Unlocked")
        self.unit.doors.by_hand(TOKEN, "Locked")

    async def use(self, door, number):
        await until(lambda: self.unit.subscriptions)
        self.unit.doors.use(TOKEN, number)


class TwoNOnTheLine(HttpOnTheLine):
    make = TwoNUnit

    async def flood(self, door, count):
        await until(lambda: self.unit.subscriptions)
        for number in range(count):
            self.unit.log("SwitchStateChanged", switch=1, state=number < count - 1)

    async def use(self, door, number):
        await until(lambda: self.unit.subscriptions)
        self.unit.use(number, session=int(number))


class TestAxis(AccessControllerContract):
    driver = axis.vestibule_access_control()[0]
    doors = {"main": {"door": TOKEN}}
    device = AxisOnTheLine


class TestTwoN(AccessControllerContract):
    driver = twon.vestibule_access_control()[0]
    doors = {"main": {"switch": 1, "contact": "input1"}}
    device = TwoNOnTheLine
