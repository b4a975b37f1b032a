"""Zigbee locks behind Zigbee2MQTT, over the broker that it uses.

What Zigbee2MQTT repeats from its memory is no answer. One is what the lock itself said after it was
asked: a state that changed, or one that follows a question. Commands are never retained.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from hub import (
    AccessReport,
    Block,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Lock,
    NotReady,
    Position,
    Probed,
    Verb,
    hookimpl,
)
from plugins.access_control._mqtt_link import MqttLink
from plugins.access_control._reports import Reports
from plugins.access_control._zigbee_lock import LockMemory
from plugins.access_control._zigbee_words import (
    access_of,
    failure_of,
    is_online,
    keeps_state,
    lock_of,
    position_of,
    read_object,
)
from plugins.access_control.mqtt import MqttConfig, broker_address, broker_tls

if TYPE_CHECKING:
    from aiomqtt import Message

PROBE_S = 4.0
UNREAD = "its state cannot be read"
UNTRUSTED = "it tells no `lock_state`, and `state` may be what Zigbee2MQTT makes of a command"
ASK = json.dumps({"state": ""})
VERBS_TAKEN: frozenset[Verb] = frozenset({"lock", "unlock", "hold_open"})
PAYLOADS = {"lock": "LOCK", "unlock": "UNLOCK", "hold_open": "UNLOCK"}

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^#+\x00/]+(/[^#+\x00/]+)*$")
]


class Zigbee2MqttConfig(MqttConfig):
    """How to reach the broker that Zigbee2MQTT uses, and its topics there."""

    base_topic: Name = Field("zigbee2mqtt", description="Its `mqtt: base_topic`.")


class Zigbee2MqttDevice(Block):
    """One lock, and the contact of its door."""

    name: Name = Field(description="The lock's friendly name in Zigbee2MQTT.")
    contact: Name | None = Field(
        None, description="The friendly name of the door's contact, where the lock has none."
    )
    state_is_read: bool = Field(
        False,
        description="For a device without `lock_state`: whether its `state` is always read from "
        "it, which needs `optimistic: false` for it in Zigbee2MQTT.",
    )
    door_sensor: bool = Field(
        False, description="Whether the lock itself tells if the door is open (`door_state`)."
    )


class Zigbee2MqttDoors:
    """The locks behind one Zigbee2MQTT."""

    def __init__(self, config: Zigbee2MqttConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._clock = context.clock
        self._doors: dict[str, Zigbee2MqttDevice] = dict(context.devices)
        self._locks = {door: LockMemory() for door in self._doors}
        self._bridge: bool | None = None
        self._kept = True
        self._news = asyncio.Event()
        self._reports: Reports[DoorReport | AccessReport] = Reports()
        self._link = MqttLink(
            f"{context.name} zigbee2mqtt link",
            context.clock,
            self._topics,
            self._joined,
            self._hear,
            self._lost,
            self._reports.end,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Lock and unlock; Zigbee2MQTT has no word for one passage."""
        bare = frozenset(
            door for door, each in self._doors.items() if not (each.contact or each.door_sensor)
        )
        return Capabilities(
            verbs=VERBS_TAKEN,
            has_position=len(bare) < len(self._doors),
            stale_after_s=self._config.stale_after,
            without_position=bare,
        )

    @property
    def dropped(self) -> int:
        """How many messages and reports gave way to newer ones because nobody read them."""
        return self._reports.dropped + self._link.dropped

    async def start(self) -> None:
        """Join the broker; raises `NotReady` when it does not take us."""
        await self.close()
        self._reports.begin()
        self._locks = {door: LockMemory() for door in self._doors}
        address = await broker_address(self._config, self._context)
        await self._link.start(address, await broker_tls(self._config, self._context))

    async def adopt(self, devices: Mapping[str, Zigbee2MqttDevice]) -> None:
        """Serve these locks from now on; one whose device is the same does not notice."""
        before = set(self._topics())
        fresh = [door for door, device in devices.items() if self._doors.get(door) != device]
        self._doors = dict(devices)
        self._locks = {door: self._locks.get(door) or LockMemory() for door in devices}
        self._locks |= {door: LockMemory() for door in fresh}
        now = set(self._topics())
        await self._link.change(sorted(now - before), sorted(before - now))
        with contextlib.suppress(NotReady):  # they are met when the link is back
            await self._meet(fresh if self._link.up else [])

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Publish the command; handed over once the broker has it."""
        device = self._device(door)
        if verb not in VERBS_TAKEN:
            raise CommandFailed(f"this lock takes no {verb}; it takes lock, unlock and hold_open")
        self._reachable(door)
        wanted: Lock = "locked" if verb == "lock" else "unlocked"
        self._locks[door].command(wanted, self._clock.monotonic())
        payload = json.dumps({"state": PAYLOADS[verb]})
        await self._link.publish(self._topic(device.name, "set"), payload, qos=1)

    async def refresh(self, door: str) -> None:
        """Have Zigbee2MQTT ask the lock for its state."""
        device = self._device(door)
        self._reachable(door)
        await self._link.publish(self._topic(device.name, "get"), ASK, qos=0)
        self._locks[door].questioned = True

    async def reports(self) -> AsyncIterator[DoorReport | AccessReport]:
        """Every report until it is closed."""
        async for report in self._reports.read():
            yield report

    async def probe(self) -> Probed:
        """Join beside the running hub, and ask each lock for its state; no lock is moved."""
        beside = Zigbee2MqttDoors(self._config, self._context)
        await beside.start()
        try:
            await beside._wait_for_all()
            return beside._found()
        finally:
            await beside.close()

    async def close(self) -> None:
        """Leave the broker."""
        await self._link.close()
        self._bridge = None
        self._reports.end()

    def _device(self, door: str) -> Zigbee2MqttDevice:
        if not self._link.up:
            raise NotReady(f"no link to {self._link.where}")
        if door not in self._doors:
            raise CommandFailed(f"no lock of this controller is named {door}")
        return self._doors[door]

    def _reachable(self, door: str) -> None:
        if why := self._away(door):
            raise NotReady(why)

    def _away(self, door: str) -> str:
        """Why a lock cannot be reached; empty while nothing says so."""
        if self._bridge is False:
            return "Zigbee2MQTT is offline"
        return "the lock is offline" if self._locks[door].available is False else ""

    def _topic(self, name: str, what: str = "") -> str:
        return f"{self._config.base_topic}/{name}" + (f"/{what}" if what else "")

    def _topics(self) -> list[str]:
        topics = {self._topic("bridge", each) for each in ("state", "info", "logging")}
        for device in self._doors.values():
            topics |= {self._topic(device.name), self._topic(device.name, "availability")}
            topics |= {self._topic(device.contact)} if device.contact else set()
        return sorted(topics)

    async def _joined(self) -> None:
        await self._meet(list(self._doors))

    async def _meet(self, doors: Iterable[str]) -> None:
        for door in doors:
            if not self._away(door):
                self._reports.tell(DoorReport(door, self._clock.now()))
                await self.refresh(door)

    def _lost(self, why: str) -> None:
        self._bridge = None
        for door in self._doors:
            self._locks[door] = LockMemory()
            detail = f"no link to {self._link.where}: {why}"
            self._tell_away(door, detail)

    def _hear(self, message: Message) -> None:
        payload = bytes(message.payload or b"") if isinstance(message.payload, bytes) else b""
        topic, retained = message.topic.value, bool(message.retain)
        self._news.set()
        if topic.startswith(self._topic("bridge") + "/"):
            self._hear_bridge(topic.rpartition("/")[2], payload)
            return
        for door, device in self._doors.items():
            if topic == self._topic(device.name, "availability"):
                self._hear_available(door, payload)
            if topic == self._topic(device.name):
                self._hear_lock(door, payload, retained)
            if device.contact is not None and topic == self._topic(device.contact):
                self._hear_contact(door, payload, retained)

    def _hear_bridge(self, what: str, payload: bytes) -> None:
        if what == "state" and (online := is_online(payload)) is not None:
            self._bridge = online
            for door in self._doors:
                self._tell_presence(door)
        elif what == "info" and (kept := keeps_state(payload)) is not None:
            self._kept = kept
        elif what == "logging" and (failed := failure_of(payload)) is not None:
            for door, device in self._doors.items():
                if device.name == failed[1]:
                    detail = f"Zigbee2MQTT did not reach the lock ({failed[0]} failed)"
                    now = self._clock.now()
                    self._reports.tell(DoorReport(door, now, "unknown", detail=detail))

    def _hear_available(self, door: str, payload: bytes) -> None:
        if (online := is_online(payload)) is not None:
            self._locks[door].available = online
            self._tell_presence(door)

    def _tell_presence(self, door: str) -> None:
        if away := self._away(door):
            self._tell_away(door, away)
        else:
            self._reports.tell(DoorReport(door, self._clock.now()))

    def _tell_away(self, door: str, detail: str) -> None:
        self._reports.tell(DoorReport(door, self._clock.now(), online=False, detail=detail))

    def _hear_lock(self, door: str, payload: bytes, retained: bool) -> None:
        message, known = read_object(payload), self._locks[door]
        position: Position | None = None
        answers, words = False, ""
        lock = lock_of(message, self._doors[door].state_is_read)
        if lock is not None:
            now = self._clock.monotonic()
            news, answers = (True, False) if retained else known.take(lock, self._kept, now)
            if retained:
                known.said = lock
            if lock == "moving":
                lock, words = known.between(now)
            elif lock == "unknown":
                words = UNREAD if "lock_state" in message else UNTRUSTED
            lock = lock if news else None
        if self._doors[door].door_sensor and (found := position_of(message)) is not None:
            position, more = found
            words = words or more
        self._tell(door, lock, position, answers, retained, words, _tampered(message))
        if not retained and (access := access_of(message)) is not None:
            slot = access[1]
            reference = self._context.reference(f"{self._doors[door].name} {slot}") if slot else ""
            self._reports.tell(AccessReport(door, self._clock.now(), access[0], reference))

    def _hear_contact(self, door: str, payload: bytes, retained: bool) -> None:
        message = read_object(payload)
        if (found := position_of(message)) is not None:
            position, words = found
            self._tell(door, None, position, False, retained, words, _tampered(message))

    def _tell(
        self,
        door: str,
        lock: Lock | None,
        position: Position | None,
        answers: bool,
        retained: bool,
        detail: str,
        tampered: bool | None,
    ) -> None:
        if lock is None and position is None and tampered is None:
            return
        if self._away(door) and not retained:
            self._locks[door].available = None  # it speaks, whatever was said of it
        report = DoorReport(
            door,
            self._clock.now(),
            lock,
            position,
            online=not self._away(door),
            answers=answers,
            detail=self._away(door) or detail,
            remembered=retained,
            tampered=tampered,
        )
        self._reports.tell(report)

    async def _wait_for_all(self) -> None:
        """Until each lock and Zigbee2MQTT itself have spoken, or long enough."""
        try:
            async with asyncio.timeout(PROBE_S):
                while self._bridge is None or self._silent():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass

    def _silent(self) -> list[str]:
        return sorted(door for door, lock in self._locks.items() if lock.said is None)

    def _found(self) -> Probed:
        where = f"{self._link.where} reached"
        if self._bridge is not True:
            topic = self._topic("bridge", "state")
            found = f"{where}; Zigbee2MQTT is not there ({topic} does not say online)"
            return Probed(found, "start Zigbee2MQTT, or correct `base_topic`", works=False)
        said = ", ".join(f"{door} {lock.said}" for door, lock in self._locks.items() if lock.said)
        found = f"{where}; Zigbee2MQTT is online; {said or 'no lock has said its state'}"
        if not self._doors:
            return Probed(found, "add its doors")
        if silent := self._silent():
            names = ", ".join(self._doors[door].name for door in silent)
            remedy = f"check the lock's batteries, and that its friendly name is {names}"
            return Probed(f"{found}; silent: {', '.join(silent)}", remedy)
        if self._kept:
            remedy = "set `advanced: cache_state: false` in Zigbee2MQTT, so that it repeats nothing"
            return Probed(f"{found}; it repeats what it remembers", remedy)
        return Probed(found)


def _tampered(message: object) -> bool | None:
    found = message.get("tamper") if isinstance(message, dict) else None
    return found if isinstance(found, bool) else None


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Zigbee locks behind Zigbee2MQTT, with a contact of the lock's own or beside it"
    return [
        Driver(
            "zigbee2mqtt", Zigbee2MqttDoors, Zigbee2MqttConfig, summary, device=Zigbee2MqttDevice
        )
    ]
