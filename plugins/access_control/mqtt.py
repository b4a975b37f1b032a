"""Locks that speak MQTT: LOCK, UNLOCK and OPEN out, state, contact and availability back.

What the broker kept for us (a retained message) is knowledge, shown as such, and never an answer.
A state that arrives live after we asked is. Commands are never retained, so none can be replayed to
a lock that comes back later.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hub import (
    VERBS,
    Block,
    BrokerAddress,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    Lock,
    Names,
    NotReady,
    Position,
    Probed,
    Verb,
    hookimpl,
)
from plugins.access_control._ending import end
from plugins.access_control._mqtt_device import MqttDevice
from plugins.access_control._mqtt_probe import probe_locks

if TYPE_CHECKING:
    from aiomqtt import Client, Message

KEEPALIVE_S = 10
ANSWER_S = 5.0
QUEUE = 1024
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0


class MqttConfig(Block):
    """How to reach the broker; without `host` the site's own (`hub.mqtt`, or the built-in one)."""

    renamed = MappingProxyType({"stale_after_s": "stale_after"})

    host: str | None = Field(
        None, description="A broker for this controller alone; without one, that of `hub: mqtt:`."
    )
    port: int = Field(1883, ge=1, le=65535, description="Its port.")
    username: str | None = Field(None, description="Who signs in there.")
    password: str | None = Field(None, repr=False, description="Best as `!secret NAME`.")
    tls: bool = Field(False, description="Speak TLS to it.")
    ca_file: Annotated[Path, Names("file")] | None = Field(
        None, description="Whom to trust, where the broker's certificate is not publicly signed."
    )
    stale_after: Duration = Field(
        30.0, gt=0, description="How old a report may be before it is shown as stale."
    )


@dataclass(slots=True)
class _Known:
    online: bool | None = None
    asked: bool = False


class MqttDoors:
    """The locks behind one broker."""

    def __init__(self, config: MqttConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._devices: Mapping[str, MqttDevice] = context.devices
        self._known = {door: _Known() for door in self._devices}
        self._readers = _readers(self._devices)
        self._client: Client | None = None
        self._link: asyncio.Task[None] | None = None
        self._reports: asyncio.Queue[DoorReport | None] = asyncio.Queue(QUEUE)
        self._ended = ""
        self._where = "the broker"
        self.dropped = 0

    @property
    def capabilities(self) -> Capabilities:
        """Every verb that at least one of the locks takes."""
        devices = self._devices.items()
        verbs = frozenset(v for v in VERBS if any(d.payloads.of(v) is not None for _, d in devices))
        return Capabilities(
            verbs=verbs,
            lockdown_native="lockdown" in verbs,
            badges_still_work="lockdown" not in verbs,
            has_position=any(device.contact_topic for _, device in devices),
            stale_after_s=self._config.stale_after,
            without_position=frozenset(door for door, d in devices if not d.contact_topic),
        )

    async def start(self) -> None:
        """Connect and subscribe; raises `NotReady` when the broker does not take us."""
        await self.close()
        self._ended = ""
        self._reports = asyncio.Queue(QUEUE)
        address = await self._address()
        self._where = f"the broker at {address.host}:{address.port}"
        tls = await asyncio.to_thread(self._tls)
        up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        name = f"{self._context.name} mqtt link"
        self._link = asyncio.create_task(self._keep_link(address, tls, up), name=name)
        self._link.add_done_callback(self._link_ended)
        await up

    async def adopt(self, devices: Mapping[str, MqttDevice]) -> None:
        """Serve these locks from now on; one whose device is the same does not notice."""
        from aiomqtt import MqttError

        before, topics = self._devices, set(self._readers)
        fresh = [door for door, device in devices.items() if before.get(door) != device]
        self._devices = dict(devices)
        self._known = {door: self._known.get(door) or _Known() for door in devices}
        self._known |= {door: _Known() for door in fresh}
        self._readers = _readers(self._devices)
        client = self._client
        if client is None:
            return  # they are met when the link is back
        try:
            if new := sorted(set(self._readers) - topics):
                await client.subscribe([(topic, 1) for topic in new])
            for gone in sorted(topics - set(self._readers)):
                await client.unsubscribe(gone)
        except (MqttError, OSError) as error:
            raise NotReady(f"{self._where} did not take it: {error}") from error
        for door in fresh:
            await self._meet(door)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Publish the command; handed over once the broker has it."""
        device = self._device(door)
        payload = device.payloads.of(verb)
        if payload is None:
            raise CommandFailed(f"this lock takes no {verb}")
        if self._known[door].online is False:
            raise NotReady("the lock is offline")
        # At QoS 1 a broker may hand a command over twice; one passage must never become two.
        await self._send(door, device.command_topic, payload, qos=0 if verb == "momentary" else 1)

    async def refresh(self, door: str) -> None:
        """Ask the lock to publish its state; a lock without `get_topic` cannot be asked."""
        device = self._device(door)
        if device.get_topic is not None:
            await self._send(door, device.get_topic, "", qos=0)

    async def reports(self) -> AsyncIterator[DoorReport]:
        """Reports as they come; the newest are kept when nobody reads."""
        while True:
            report = await self._reports.get()
            if report is None:
                break
            yield report
        if self._ended:
            raise NotReady(self._ended)

    async def probe(self) -> Probed:
        """Whether the broker lets us in and each lock says its state; no command is sent."""
        address = await self._address()
        try:
            tls = await asyncio.to_thread(self._tls)
        except OSError as error:
            raise NotReady(f"cannot use `ca_file`: {error.strerror or error}") from error
        return await probe_locks(address, tls, self._devices)

    async def close(self) -> None:
        """Leave the broker."""
        link, self._link = self._link, None
        if link is not None:
            link.remove_done_callback(self._link_ended)
            await end({link})
            if not link.cancelled():
                link.exception()
        self._client = None
        self._push(None)

    async def _address(self) -> BrokerAddress:
        config = self._config
        if config.host is None:
            return await self._context.broker()
        return BrokerAddress(config.host, config.port, config.username, config.password)

    def _tls(self) -> ssl.SSLContext | None:
        if not self._config.tls:
            return None
        ca_file = self._config.ca_file
        where = self._context.config_folder / ca_file if ca_file else None
        return ssl.create_default_context(cafile=where)

    def _device(self, door: str) -> MqttDevice:
        try:
            return self._devices[door]
        except KeyError:
            raise CommandFailed(f"no lock of this controller is named {door}") from None

    async def _send(self, door: str, topic: str, payload: str, qos: int) -> None:
        from aiomqtt import MqttError

        client = self._client
        if client is None:
            raise NotReady(f"no link to {self._where}")
        self._known[door].asked = True
        try:
            await client.publish(topic, payload, qos=qos, retain=False)
        except (MqttError, OSError, ValueError) as error:
            raise NotReady(f"{self._where} did not take it: {error}") from error

    async def _keep_link(
        self, address: BrokerAddress, tls: ssl.SSLContext | None, up: asyncio.Future[None]
    ) -> None:
        from aiomqtt import Client, MqttError

        attempt = 0
        while True:
            client = Client(
                address.host,
                address.port,
                username=address.username,
                password=address.password,
                tls_context=tls,
                timeout=ANSWER_S,
                keepalive=KEEPALIVE_S,
                max_queued_incoming_messages=QUEUE,
            )
            client.pending_calls_threshold = QUEUE
            try:
                async with client:
                    await self._joined(client)
                    attempt = 0
                    if not up.done():
                        up.set_result(None)
                    async for message in client.messages:
                        self._hear(message)
            except (MqttError, OSError) as error:
                if not up.done():
                    up.set_exception(NotReady(f"{self._where} did not take us: {error}"))
                    return
                self._lost(str(error))
            finally:
                self._client = None
                if not up.done():
                    up.set_exception(NotReady(f"the link to {self._where} was closed"))
            await self._context.clock.sleep(_pause(attempt))
            attempt += 1

    async def _joined(self, client: Client) -> None:
        topics = sorted(self._readers)
        if topics:
            await client.subscribe([(topic, 1) for topic in topics])
        self._client = client
        for door in self._devices:
            await self._meet(door)

    async def _meet(self, door: str) -> None:
        """A lock that cannot say that it is there counts as there; then ask it for its state."""
        if self._devices[door].availability_topic is None:
            self._known[door].online = True
            self._push(DoorReport(door, self._context.clock.now()))
        await self.refresh(door)

    def _lost(self, why: str) -> None:
        for door, known in self._known.items():
            known.online = None
            known.asked = False
            now = self._context.clock.now()
            detail = f"no link to {self._where}: {why}"
            self._push(DoorReport(door, now, online=False, detail=detail))

    def _link_ended(self, link: asyncio.Task[None]) -> None:
        if link.cancelled():
            return
        error = link.exception()
        self._ended = f"the link to {self._where} broke: {error}" if error else ""
        self._push(None)

    def _hear(self, message: Message) -> None:
        payload = bytes(message.payload or b"") if isinstance(message.payload, bytes) else b""
        text = payload.decode("utf-8", "replace").strip()
        for read in self._readers.get(message.topic.value, ()):
            report = read(self, text, bool(message.retain))
            if report is not None:
                self._push(report)

    def _push(self, report: DoorReport | None) -> None:
        if self._reports.full():
            self._reports.get_nowait()
            self.dropped += 1
        self._reports.put_nowait(report)

    def _available(self, door: str, payload: str, retained: bool) -> DoorReport:
        online = payload in self._devices[door].availability.online
        self._known[door].online = online
        return DoorReport(
            door,
            self._context.clock.now(),
            online=online,
            remembered=retained,
            detail="" if online else "the lock is offline",
        )

    def _state(self, door: str, payload: str, retained: bool) -> DoorReport:
        lock = self._devices[door].lock(payload)
        detail = f"cannot read the state {payload[:40]!r}" if lock == "unknown" else ""
        return self._report(door, retained, lock=lock, detail=detail)

    def _contact(self, door: str, payload: str, retained: bool) -> DoorReport:
        position = self._devices[door].position(payload)
        detail = f"cannot read the contact {payload[:40]!r}" if position == "unknown" else ""
        return self._report(door, retained, position=position, detail=detail)

    def _exit(self, door: str, payload: str, retained: bool) -> DoorReport | None:
        return None if retained else self._report(door, retained, passage=True)

    def _report(
        self,
        door: str,
        retained: bool,
        *,
        lock: Lock | None = None,
        position: Position | None = None,
        detail: str = "",
        passage: bool = False,
    ) -> DoorReport:
        known = self._known[door]
        if not retained:
            known.online = True
        return DoorReport(
            door,
            self._context.clock.now(),
            lock=lock,
            position=position,
            online=known.online is not False,
            answers=known.asked and not retained and not passage,
            detail=detail,
            remembered=retained,
            passage=passage,
        )


Reader = Callable[[MqttDoors, str, bool], DoorReport | None]


def _readers(devices: Mapping[str, MqttDevice]) -> dict[str, list[Reader]]:
    """Who reads a topic; several doors may share one (a double door with one contact)."""
    readers: dict[str, list[Reader]] = {}

    def add(topic: str | None, door: str, read: Callable[..., DoorReport | None]) -> None:
        if topic is not None:
            readers.setdefault(topic, []).append(
                lambda doors, payload, retained: read(doors, door, payload, retained)
            )

    for door, device in devices.items():
        add(device.state_topic, door, MqttDoors._state)
        add(device.contact_topic, door, MqttDoors._contact)
        add(device.availability_topic, door, MqttDoors._available)
        add(device.exit_topic, door, MqttDoors._exit)
    return readers


def _pause(attempt: int) -> float:
    longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempt, 10))
    return longest * random.uniform(0.5, 1.0)


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Locks over MQTT: LOCK, UNLOCK and OPEN, with state, contact and availability"
    return [Driver("mqtt", MqttDoors, MqttConfig, summary, device=MqttDevice)]
