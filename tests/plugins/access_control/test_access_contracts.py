"""The built-in access controllers keep the contract, on the hub's own broker and on mosquitto."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, ClassVar

import aiomqtt
import pytest

from hub import BrokerAddress, Context
from hub.broker import EmbeddedBroker
from hub.testing import AccessControllerContract, CabledDevice
from plugins.access_control import _simulated_lock, mqtt, simulated
from plugins.access_control._ending import end
from tests.plugins.access_control.brokers import Mosquitto

AT_REST_S = 0.1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bolt that takes a moment less: each promise waits for it."""
    monkeypatch.setitem(_simulated_lock.BOLT_S, "prompt", 0.03)


class LockOnBroker(CabledDevice):
    """A broker at the end of the line, and a lock of two topics that joined it directly."""

    topic = "lock"
    lies = False

    def make_broker(self) -> Any:
        return EmbeddedBroker()

    async def serve(self) -> int:
        self._broker = self.make_broker()
        self._address = await self._broker.start()
        self._ready = asyncio.Event()
        self._lock = asyncio.create_task(self.be_a_lock(), name="the lock")
        await asyncio.wait_for(self._ready.wait(), 10)
        return int(self._address.port)

    async def end(self) -> None:
        await end({self._lock})
        await self._broker.stop()

    async def broker(self) -> BrokerAddress:
        near = self._address
        return BrokerAddress("127.0.0.1", self.port, near.username, near.password)

    def client(self) -> aiomqtt.Client:
        near = self._address
        return aiomqtt.Client(near.host, near.port, username=near.username, password=near.password)

    async def be_a_lock(self) -> None:
        """Answer every command and question with a state."""
        async with self.client() as client:
            await client.subscribe([("lock/set", 1), ("lock/get", 1)])
            self._ready.set()
            state = "LOCKED"
            async for message in client.messages:
                said = bytes(message.payload or b"").decode()  # type: ignore[arg-type]
                if not self.lies:
                    state = {"LOCK": "LOCKED", "UNLOCK": "UNLOCKED"}.get(said, state)
                await client.publish("lock/state", state, qos=1)

    async def fall_silent(self) -> None:
        # amqtt keeps a connection that breaks while it hands a message over, and it is our process
        await asyncio.sleep(AT_REST_S)
        await super().fall_silent()

    async def lie(self, door: str) -> None:
        self.lies = True

    async def use(self, door: str, number: str) -> None:
        async with self.client() as client:
            used = json.dumps({"access": "granted", "card": number})
            await client.publish(f"{self.topic}/access", used, qos=1)

    async def flood(self, door: str, count: int) -> None:
        async with self.client() as client:
            for number in range(count):
                state = "LOCKED" if number == count - 1 else "UNLOCKED"
                await client.publish(f"{self.topic}/state", state, qos=0)
            await client.publish(f"{self.topic}/state", "LOCKED", qos=1)


class LockOnMosquitto(LockOnBroker):
    """The same on mosquitto."""

    def make_broker(self) -> Any:
        return Mosquitto(self.folder)


class SimulatedLocks(LockOnBroker):
    """A broker alone: the driver brings its own locks."""

    topic = "vestibule/simulated/contract/main"
    made: ClassVar[list[simulated.SimulatedDoors]] = []

    async def be_a_lock(self) -> None:
        self.made.clear()
        self._ready.set()

    @classmethod
    def build(cls, config: simulated.SimulatedConfig, context: Context) -> simulated.SimulatedDoors:
        """A controller whose locks the device of the contract reaches."""
        cls.made.append(simulated.SimulatedDoors(config, context))
        return cls.made[-1]

    async def lie(self, door: str) -> None:
        self.made[-1].locks[door].behaviour = "lies"


class SimulatedLocksOnMosquitto(SimulatedLocks):
    def make_broker(self) -> Any:
        return Mosquitto(self.folder)


class TestMqtt(AccessControllerContract):
    driver = mqtt.vestibule_access_control()[0]
    doors = {
        "main": {
            "command_topic": "lock/set",
            "state_topic": "lock/state",
            "get_topic": "lock/get",
            "access_topic": "lock/access",
        }
    }
    device = LockOnBroker


@pytest.mark.mosquitto
class TestMqttOnMosquitto(TestMqtt):
    device = LockOnMosquitto


class TestSimulated(AccessControllerContract):
    driver = replace(simulated.vestibule_access_control()[0], factory=SimulatedLocks.build)
    device = SimulatedLocks


@pytest.mark.mosquitto
class TestSimulatedOnMosquitto(TestSimulated):
    device = SimulatedLocksOnMosquitto
