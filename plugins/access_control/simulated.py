"""Simulated locks for trying things out: real MQTT on both ends, no hardware behind it.

Each door gets a device of its own, a separate client of the site's broker that publishes state,
contact and availability as a real lock would, and is awkward when told to be. The hub's side is the
`mqtt` driver, unchanged. Nobody is ever locked in: a simulated person leaving opens the door from
inside whatever the lock says, as a real lever does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hub import (
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
from plugins.access_control._mqtt_device import MqttDevice
from plugins.access_control.mqtt import MqttConfig, MqttDoors

if TYPE_CHECKING:
    from aiomqtt import Client

Behaviour = Literal["prompt", "slow", "jams", "silent"]
BOLT_S: dict[Behaviour, float] = {"prompt": 0.2, "slow": 3.0, "jams": 0.8, "silent": 0.0}
FORCED_OPEN_S = 6.0
SWING_S = 1.0
READY_S = 5.0
RETRY_S = 1.0


class SimulatedDevice(Block):
    """A simulated lock and door.

    `jams`: locking tries, then reports the bolt stuck. `silent`: connected, but never answers.
    """

    renamed = MappingProxyType({"passage_s": "passage", "forced_after_s": "forced_after"})

    behaviour: Behaviour = Field(
        "prompt",
        description="How it takes commands: at once, slowly, with a stuck bolt, or never.",
    )
    start_locked: bool = Field(True, description="Whether it is locked at the start.")
    contact: bool = Field(True, description="Whether it has a door contact.")
    passage: Duration = Field(
        5.0, gt=0, le=60, description="How long `momentary` leaves it unlocked."
    )
    forced_after: Annotated[Duration, Field(gt=0)] | None = Field(
        None,
        description="How long after the start somebody pulls it open by force, once.",
    )


class SimulatedConfig(Block):
    """The simulated controller; its devices join the site's broker."""

    renamed = MappingProxyType({"stale_after_s": "stale_after"})

    stale_after: Duration = Field(
        30.0, gt=0, description="How old a report may be before it is shown as stale."
    )


class SimulatedLock:
    """One device: a bolt, a door with a contact, and a client of the broker."""

    def __init__(self, door: str, base: str, device: SimulatedDevice, context: Context) -> None:
        self._device = device
        self._base = base
        self._clock = context.clock
        self._client: Client | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._bolt: asyncio.Task[None] | None = None
        self._run: asyncio.Task[None] | None = None
        self._forced = False
        self._name = f"simulated lock {door}"
        self.ready = asyncio.Event()
        self.state = "LOCKED" if device.start_locked else "UNLOCKED"
        self.contact = "CLOSED"

    def start(self, address: BrokerAddress) -> None:
        """Join the broker, and come back to it when it goes away."""
        self._run = asyncio.create_task(self._keep_joined(address), name=self._name)
        self._begin(self._force_once(), "force")

    async def stop(self) -> None:
        """Leave the broker."""
        self._client = None
        await end(task for task in (self._run, *self._work) if task is not None)
        self._run = None
        self._work.clear()
        self.ready.clear()

    async def leave(self) -> None:
        """Somebody goes out: the lever withdraws the latch, whatever the lock says."""
        await self._publish("exit", "PRESSED")
        await self._swing(SWING_S)

    async def pass_with_force(self, seconds: float = FORCED_OPEN_S) -> None:
        """The door is pulled open from outside and falls shut after a while."""
        await self._swing(seconds)

    async def _keep_joined(self, address: BrokerAddress) -> None:
        from aiomqtt import Client, MqttError, Will

        while True:
            client = Client(
                address.host,
                address.port,
                username=address.username,
                password=address.password,
                will=Will(f"{self._base}/availability", "offline", qos=1, retain=True),
                timeout=READY_S,
                max_queued_incoming_messages=64,
            )
            with contextlib.suppress(MqttError, OSError):
                async with client:
                    try:
                        await self._serve(client)
                    finally:
                        await self._farewell(client)
            await self._clock.sleep(RETRY_S)

    async def _serve(self, client: Client) -> None:
        await client.subscribe([(f"{self._base}/set", 1), (f"{self._base}/get", 1)])
        self._client = client
        await self._publish("availability", "online", retain=True)
        if self._device.contact:
            await self._publish("contact", self.contact, retain=True)
        if self._device.behaviour != "silent":
            await self._publish("state", self.state, retain=True)
        self.ready.set()
        async for message in client.messages:
            if self._device.behaviour == "silent":
                continue
            if message.topic.value.endswith("/get"):
                await self._tell_all()
            elif not message.retain:
                payload = message.payload
                self._obey(payload.decode("utf-8", "replace") if isinstance(payload, bytes) else "")

    async def _farewell(self, client: Client) -> None:
        from aiomqtt import MqttError

        self._client = None
        with contextlib.suppress(MqttError, OSError):
            topic = f"{self._base}/availability"
            await client.publish(topic, "offline", qos=1, retain=True, timeout=0.5)

    async def _tell_all(self) -> None:
        await self._publish("state", self.state, retain=True)
        if self._device.contact:
            await self._publish("contact", self.contact, retain=True)

    def _obey(self, command: str) -> None:
        moves: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "LOCK": self._lock,
            "UNLOCK": self._unlock,
            "OPEN": self._let_one_through,
        }
        if command in moves:
            if self._bolt is not None:
                self._bolt.cancel()
            self._bolt = self._begin(moves[command](), command.lower())

    async def _lock(self) -> None:
        await self._turn("LOCKING")
        await self._turn("JAMMED" if self._device.behaviour == "jams" else "LOCKED")

    async def _unlock(self) -> None:
        await self._turn("UNLOCKING")
        await self._turn("UNLOCKED")

    async def _let_one_through(self) -> None:
        before = self.state
        await self._unlock()
        stays = self._device.passage
        await self._clock.sleep(min(SWING_S, stays / 4))
        await self._swing(min(SWING_S, stays / 2))
        await self._clock.sleep(stays / 4)
        if before != "UNLOCKED":
            await self._lock()

    async def _turn(self, state: str) -> None:
        if not state.endswith("ING"):
            await self._clock.sleep(BOLT_S[self._device.behaviour])
        self.state = state
        await self._publish("state", state, retain=True)

    async def _swing(self, seconds: float) -> None:
        await self._set_contact("OPEN")
        try:
            await self._clock.sleep(seconds)
        finally:
            await self._set_contact("CLOSED")

    async def _set_contact(self, contact: str) -> None:
        self.contact = contact
        if self._device.contact:
            await self._publish("contact", contact, retain=True)

    async def _force_once(self) -> None:
        if self._device.forced_after is None or self._forced:
            return
        await self._clock.sleep(self._device.forced_after)
        while self.state != "LOCKED":
            await self._clock.sleep(SWING_S)
        self._forced = True
        await self.pass_with_force()

    async def _publish(self, topic: str, payload: str, retain: bool = False) -> None:
        from aiomqtt import MqttError

        if self._client is not None:
            with contextlib.suppress(MqttError, OSError):
                await self._client.publish(f"{self._base}/{topic}", payload, qos=1, retain=retain)

    def _begin(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self._name} {what}")
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


class SimulatedDoors:
    """The `mqtt` driver with simulated devices behind it, on the site's own broker."""

    def __init__(self, config: SimulatedConfig, context: Context) -> None:
        self._root = f"vestibule/simulated/{context.name}"
        self._context = context
        self._devices: dict[str, SimulatedDevice] = dict(context.devices)
        self._address: BrokerAddress | None = None
        self.locks = {door: self._lock(door) for door in self._devices}
        self._doors = MqttDoors(
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
        address = await self._context.broker()
        await self._bring_up(address, self.locks)
        await self._doors.start()
        self._address = address

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

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Over MQTT, as to a real lock."""
        await self._doors.command(door, verb, key)

    async def refresh(self, door: str) -> None:
        """Over MQTT, as to a real lock."""
        await self._doors.refresh(door)

    async def leave(self, door: str) -> None:
        """A simulated person goes out through a door, from inside."""
        try:
            lock = self.locks[door]
        except KeyError:
            raise CommandFailed(f"no simulated lock is named {door}") from None
        await lock.leave()

    async def reports(self) -> AsyncIterator[DoorReport]:
        """What came over MQTT."""
        async for report in self._doors.reports():
            yield report

    async def probe(self) -> str:
        """There is nothing to reach: the locks come with the hub and go with it."""
        return f"{len(self.locks)} simulated locks, which join the broker while the hub runs"

    async def close(self) -> None:
        """The hub's side first, then the devices."""
        self._address = None
        await self._doors.close()
        await asyncio.gather(*(lock.stop() for lock in self.locks.values()))

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
        return SimulatedLock(door, f"{self._root}/{door}", self._devices[door], self._context)

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
    )


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Simulated locks behind real MQTT: prompt, slow, jamming or silent; no hardware"
    return [Driver("simulated", SimulatedDoors, SimulatedConfig, summary, device=SimulatedDevice)]
