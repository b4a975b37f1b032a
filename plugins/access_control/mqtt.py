"""Locks that speak MQTT: LOCK, UNLOCK and OPEN out, state, contact and availability back.

What the broker kept for us (a retained message) is knowledge, shown as such, and never an answer.
A state that arrives live after we asked is. Commands are never retained, so none can be replayed to
a lock that comes back later.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hub import (
    VERBS,
    AccessReport,
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
from plugins.access_control._mqtt_device import MqttDevice, used
from plugins.access_control._mqtt_link import MqttLink
from plugins.access_control._mqtt_probe import probe_locks
from plugins.access_control._reports import Reports

if TYPE_CHECKING:
    from aiomqtt import Message

Report = DoorReport | AccessReport


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
        self._capabilities = self._able()  # asked for each door that is shown
        self._reports: Reports[Report] = Reports()
        self._link = MqttLink(
            f"{context.name} mqtt link",
            context.clock,
            lambda: sorted(self._readers),
            self._joined,
            self._hear,
            self._lost,
            self._reports.end,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Every verb that at least one of the locks takes."""
        return self._capabilities

    def _able(self) -> Capabilities:
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

    @property
    def dropped(self) -> int:
        """How many messages and reports gave way to newer ones because nobody read them."""
        return self._reports.dropped + self._link.dropped

    async def start(self) -> None:
        """Connect and subscribe; raises `NotReady` when the broker does not take us."""
        await self.close()
        self._reports.begin()
        address = await broker_address(self._config, self._context)
        tls = await broker_tls(self._config, self._context)
        await self._link.start(address, tls)

    async def adopt(self, devices: Mapping[str, MqttDevice]) -> None:
        """Serve these locks from now on; one whose device is the same does not notice."""
        before, topics = self._devices, set(self._readers)
        fresh = [door for door, device in devices.items() if before.get(door) != device]
        self._devices = dict(devices)
        self._known = {door: self._known.get(door) or _Known() for door in devices}
        self._known |= {door: _Known() for door in fresh}
        self._readers = _readers(self._devices)
        self._capabilities = self._able()
        if not self._link.up:
            return  # they are met when the link is back
        now = set(self._readers)
        await self._link.change(sorted(now - topics), sorted(topics - now))
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

    async def reports(self) -> AsyncIterator[Report]:
        """Reports as they come; the newest are kept when nobody reads."""
        async for report in self._reports.read():
            yield report

    async def probe(self) -> Probed:
        """Whether the broker lets us in and each lock says its state; no command is sent."""
        address = await broker_address(self._config, self._context)
        tls = await broker_tls(self._config, self._context)
        return await probe_locks(address, tls, self._devices)

    async def close(self) -> None:
        """Leave the broker."""
        await self._link.close()
        self._reports.end()

    def _device(self, door: str) -> MqttDevice:
        try:
            return self._devices[door]
        except KeyError:
            raise CommandFailed(f"no lock of this controller is named {door}") from None

    async def _send(self, door: str, topic: str, payload: str, qos: int) -> None:
        if not self._link.up:
            raise NotReady(f"no link to {self._link.where}")
        self._known[door].asked = True
        await self._link.publish(topic, payload, qos)

    async def _joined(self) -> None:
        for door in self._devices:
            await self._meet(door)

    async def _meet(self, door: str) -> None:
        """A lock that cannot say that it is there counts as there; then ask it for its state."""
        if self._devices[door].availability_topic is None:
            self._known[door].online = True
            self._reports.tell(DoorReport(door, self._context.clock.now()))
        await self.refresh(door)

    def _lost(self, why: str) -> None:
        for door, known in self._known.items():
            known.online = None
            known.asked = False
            now = self._context.clock.now()
            detail = f"no link to {self._link.where}: {why}"
            self._reports.tell(DoorReport(door, now, online=False, detail=detail))

    def _hear(self, message: Message) -> None:
        payload = bytes(message.payload or b"") if isinstance(message.payload, bytes) else b""
        text = payload.decode("utf-8", "replace").strip()
        for read in self._readers.get(message.topic.value, ()):
            report = read(self, text, bool(message.retain))
            if report is not None:
                self._reports.tell(report)

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

    def _access(self, door: str, payload: str, retained: bool) -> Report | None:
        if retained:
            return None
        if (found := used(payload)) is None:
            return self._report(door, retained, detail="cannot read who used a card")
        access, card = found
        now = self._context.clock.now()
        return AccessReport(door, now, access, self._context.reference(card))

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


async def broker_address(config: MqttConfig, context: Context) -> BrokerAddress:
    """The broker of a block: its own, or the site's."""
    if config.host is None:
        return await context.broker()
    return BrokerAddress(config.host, config.port, config.username, config.password)


async def broker_tls(config: MqttConfig, context: Context) -> ssl.SSLContext | None:
    """Whom the broker's certificate is checked by. Raises `NotReady`."""
    if not config.tls:
        return None
    where = context.config_folder / config.ca_file if config.ca_file else None
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=where)
    except OSError as error:
        raise NotReady(f"cannot use `ca_file`: {error.strerror or error}") from error


Reader = Callable[[MqttDoors, str, bool], Report | None]


def _readers(devices: Mapping[str, MqttDevice]) -> dict[str, list[Reader]]:
    """Who reads a topic; several doors may share one (a double door with one contact)."""
    readers: dict[str, list[Reader]] = {}

    def add(topic: str | None, door: str, read: Callable[..., Report | None]) -> None:
        if topic is not None:
            readers.setdefault(topic, []).append(
                lambda doors, payload, retained: read(doors, door, payload, retained)
            )

    for door, device in devices.items():
        add(device.state_topic, door, MqttDoors._state)
        add(device.contact_topic, door, MqttDoors._contact)
        add(device.availability_topic, door, MqttDoors._available)
        add(device.exit_topic, door, MqttDoors._exit)
        add(device.access_topic, door, MqttDoors._access)
    return readers


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Locks over MQTT: LOCK, UNLOCK and OPEN, with state, contact and availability"
    return [Driver("mqtt", MqttDoors, MqttConfig, summary, device=MqttDevice)]
