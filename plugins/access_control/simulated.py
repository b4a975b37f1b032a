"""Simulated locks for trying things out: real MQTT on both ends, no hardware behind it.

Each door gets a device of its own, a separate client of the site's broker that publishes state,
contact and availability as a real lock would, and is awkward when told to be. The hub's side is the
`mqtt` driver, unchanged. Nobody is ever locked in: a simulated person leaving opens the door from
inside whatever the lock says, as a real lever does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from hub import (
    AccessReport,
    Block,
    BrokerAddress,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    NotReady,
    Verb,
    hookimpl,
)
from plugins.access_control._ending import end
from plugins.access_control._mqtt_device import MqttDevice, Payloads
from plugins.access_control._simulated_lock import READY_S, SimulatedDevice, SimulatedLock, whole
from plugins.access_control.mqtt import MqttConfig, MqttDoors


class SimulatedConfig(Block):
    """The simulated controller; its devices join the site's broker."""

    renamed = MappingProxyType({"stale_after_s": "stale_after"})

    stale_after: Duration = Field(
        30.0, gt=0, description="How old a report may be before it is shown as stale."
    )
    dies_after: Annotated[Duration, Field(gt=0)] | None = Field(
        None,
        description="How long after the start the whole controller goes away, for good.",
    )


class _HubSide(MqttDoors):
    """The `mqtt` driver, and a topic for all locks at once."""

    async def tell_all(self, topic: str, payload: str) -> None:
        """One message for every lock; raises `NotReady` while the broker is away."""
        for known in self._known.values():
            known.asked = True
        await self._link.publish(topic, payload, qos=1)


class SimulatedDoors:
    """The `mqtt` driver with simulated devices behind it, on the site's own broker."""

    def __init__(self, config: SimulatedConfig, context: Context) -> None:
        self._root = f"vestibule/simulated/{context.name}"
        self._context = context
        self._dies_after = config.dies_after
        self._dies: asyncio.Task[None] | None = None
        self._dead = False
        self._devices: dict[str, SimulatedDevice] = dict(context.devices)
        self._address: BrokerAddress | None = None
        self.locks = {door: self._lock(door) for door in self._devices}
        self._doors = _HubSide(
            MqttConfig(stale_after=config.stale_after), replace(context, devices=self._topics())
        )

    @property
    def capabilities(self) -> Capabilities:
        """Those of the MQTT locks."""
        return self._doors.capabilities

    @property
    def dropped(self) -> int:
        """How many reports gave way to newer ones because nobody read them."""
        return self._doors.dropped

    async def start(self) -> None:
        """Bring up the devices, then the hub's side."""
        await self.close()
        self._refuse_dead()
        address = await self._context.broker()
        await self._bring_up(address, self.locks)
        await self._doors.start()
        for lock in self.locks.values():
            lock.let_people_come()
        self._address = address
        if self._dies_after is not None:
            name = f"end of {self._context.name}"
            self._dies = asyncio.create_task(self._die(self._dies_after), name=name)

    async def adopt(self, devices: Mapping[str, SimulatedDevice]) -> None:
        """Simulate these locks from now on; one whose device is the same stays as it is."""
        gone = [door for door, device in self._devices.items() if devices.get(door) != device]
        new = [door for door, device in devices.items() if self._devices.get(door) != device]
        await asyncio.gather(*(self.locks.pop(door).stop() for door in gone))
        self._devices = dict(devices)
        for door in new:
            self.locks[door] = self._lock(door)
        if self._address is not None:
            await self._bring_up(self._address, new)
        await self._doors.adopt(self._topics())
        if self._address is not None:
            for door in new:
                self.locks[door].let_people_come()

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Over MQTT, as to a real lock."""
        self._refuse_dead()
        await self._doors.command(door, verb, key)

    async def lockdown_all(self, engaged: bool, key: str) -> None:
        """One message that every lock hears."""
        self._refuse_dead()
        await self._doors.tell_all(whole(self._root), "LOCKDOWN" if engaged else "RELEASE")

    async def refresh(self, door: str) -> None:
        """Over MQTT, as to a real lock."""
        self._refuse_dead()
        await self._doors.refresh(door)

    async def leave(self, door: str) -> None:
        """A simulated person goes out through a door, from inside."""
        try:
            lock = self.locks[door]
        except KeyError:
            raise CommandFailed(f"no simulated lock is named {door}") from None
        await lock.leave()

    async def reports(self) -> AsyncIterator[DoorReport | AccessReport]:
        """What came over MQTT."""
        async for report in self._doors.reports():
            yield report
        self._refuse_dead()

    async def probe(self) -> str:
        """There is nothing to reach: the locks come with the hub and go with it."""
        return f"{len(self.locks)} simulated locks, which join the broker while the hub runs"

    async def close(self) -> None:
        """The hub's side first, then the devices."""
        dies, self._dies = self._dies, None
        if dies is not None:
            await end({dies})
        await self._go()

    async def _go(self) -> None:
        self._address = None
        await self._doors.close()
        await asyncio.gather(*(lock.stop() for lock in self.locks.values()))

    async def _die(self, seconds: float) -> None:
        await self._context.clock.sleep(seconds)
        self._dead = True
        await self._go()

    def _refuse_dead(self) -> None:
        if self._dead:
            raise NotReady("the simulated controller has died, as `dies_after` says")

    async def _bring_up(self, address: BrokerAddress, doors: Iterable[str]) -> None:
        starting = [self.locks[door] for door in doors]
        for lock in starting:
            lock.start(address)
        try:
            async with asyncio.timeout(READY_S):
                for lock in starting:
                    await lock.ready.wait()
        except TimeoutError:
            where = f"the broker at {address.host}:{address.port}"
            raise NotReady(f"the simulated locks could not join {where}") from None

    def _lock(self, door: str) -> SimulatedLock:
        return SimulatedLock(door, self._root, self._devices[door], self._context)

    def _topics(self) -> dict[str, MqttDevice]:
        return {
            door: _topics(f"{self._root}/{door}", device) for door, device in self._devices.items()
        }


def _topics(base: str, device: SimulatedDevice) -> MqttDevice:
    return MqttDevice(
        command_topic=f"{base}/set",
        get_topic=f"{base}/get",
        state_topic=f"{base}/state",
        availability_topic=f"{base}/availability",
        contact_topic=f"{base}/contact" if device.contact else None,
        exit_topic=f"{base}/exit",
        access_topic=f"{base}/access",
        payloads=Payloads(lockdown="LOCKDOWN", lockdown_release="RELEASE"),
    )


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Simulated locks behind real MQTT, awkward where told to be; no hardware"
    return [Driver("simulated", SimulatedDoors, SimulatedConfig, summary, device=SimulatedDevice)]
