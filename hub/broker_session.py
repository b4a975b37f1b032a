"""The session at the site's broker in which presses wait while the hub is away.

The broker keeps what arrives for a client that comes back under the same name: with MQTT 5 for
`HELD_S`, with MQTT 3.1.1 for ever. A note in the state folder says which name that is and when the
hub was last there, so that what is older is thrown away unread, whatever the broker speaks. It
holds for one boot of the machine: no other hub takes the name, and no clock that was wrong for a
while makes an old press a new one.

A message is acknowledged once it has been seen to, and not before. What the broker hands over twice
for that comes with the key it was first carried out under.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import structlog
from aiomqtt import Client, Message, MqttCodeError, MqttError, ProtocolVersion
from paho.mqtt.client import Client as Paho
from paho.mqtt.client import ConnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.clock import Clock
from hub.events import new_id
from hub.kinds import BrokerAddress

HELD_S = 60  # so old a press may be when it is carried out
NOTE_EVERY_S = 10.0
KEEPALIVE_S = 10
SETTLED_S = 2 * KEEPALIVE_S  # on a link that lives so long after it, an acknowledgement has arrived
ANSWER_S = 5.0
QUEUE = 1000
UNSUPPORTED = 132  # CONNACK: not this version of the protocol
WORDS = {ProtocolVersion.V5: "MQTT 5", ProtocolVersion.V311: "MQTT 3.1.1"}

log = structlog.get_logger("inputs")


class Link(Client):
    """A connection to the broker that acknowledges what its reader has seen to."""

    def __init__(self, address: BrokerAddress, **how: Any) -> None:
        super().__init__(
            address.host,
            address.port,
            username=address.username,
            password=address.password,
            timeout=ANSWER_S,
            keepalive=KEEPALIVE_S,
            max_queued_incoming_messages=QUEUE,
            **how,
        )
        self._client.manual_ack_set(True)
        self._again: set[int] = set()
        self.holds_for: float = HELD_S

    async def __aenter__(self) -> Self:
        """Connect; a connection that comes to nothing is not left open."""
        try:
            return await super().__aenter__()
        except BaseException:
            self._client.disconnect()
            raise

    def handed_over_again(self, message: Message) -> bool:
        """Whether the broker says that it may have handed it over before."""
        return message.mid in self._again

    @contextlib.contextmanager
    def seen_to(self, message: Message) -> Iterator[None]:
        """Acknowledge it afterwards, also where that failed, but not where it was cut off."""
        try:
            yield
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._client.ack(message.mid, message.qos)
            raise
        self._client.ack(message.mid, message.qos)

    def _on_connect(
        self,
        client: Paho,
        userdata: Any,
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.holds_for = getattr(properties, "SessionExpiryInterval", HELD_S)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: Paho, userdata: Any, message: MQTTMessage) -> None:
        (self._again.add if message.dup else self._again.discard)(message.mid)
        super()._on_message(client, userdata, message)


@dataclass(slots=True)
class Act:
    """What was made of one message: the key of the press, and when that was carried out."""

    input: str
    message: int
    key: str
    done: float | None = None


@dataclass(slots=True)
class Note:
    """What a hub knows of its session after a restart; the times are `Clock.monotonic`."""

    boot: str = ""
    client: str = field(default_factory=lambda: f"vestibule-{os.urandom(6).hex()}")
    broker: str = ""
    left: float = 0.0
    acts: list[Act] = field(default_factory=list)


@dataclass
class BrokerSession:
    """One session. Without a `file` nothing is kept anywhere: for a broker that lives no longer
    than the hub.
    """

    file: Path | None
    clock: Clock
    boot: str = field(default_factory=lambda: boot_id())
    _note: Note | None = None
    _speaks: dict[str, ProtocolVersion] = field(default_factory=dict)
    _told: tuple[str, str, float] | None = None
    _saves: int = 0
    _written: int = 0
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.asynccontextmanager
    async def join(self, address: BrokerAddress) -> AsyncIterator[Link]:
        """Be connected, with what has waited since before. Raises `MqttError`."""
        if self.file is None:
            async with Link(address) as link:
                yield link
            return
        note, where = await self._recalled(), f"{address.host}:{address.port}"
        afresh = not self._may_take_up(note, where)
        if afresh:
            note.acts.clear()
        link, version = await self._connect(address, where, note.client, afresh)
        note.broker, self._speaks[where] = where, version
        async with _joined(link):
            self._tell(where, WORDS[version], link.holds_for)
            noting = asyncio.create_task(self._keep_noting(), name="inputs: session note")
            try:
                yield link
            finally:
                noting.cancel()
                await asyncio.gather(noting, return_exceptions=True)
                await self._save()

    async def key_of(self, name: str, link: Link, message: Message) -> str | None:
        """The key under which a message presses an input, the same when it comes again; None where
        that is done.
        """
        note = self._note
        if note is None or message.qos == 0:
            return new_id()
        known = next((a for a in note.acts if (a.input, a.message) == (name, message.mid)), None)
        if known is not None and link.handed_over_again(message):
            return None if known.done is not None else known.key
        if known is not None:
            note.acts.remove(known)
        note.acts.append(Act(name, message.mid, new_id()))
        await self._save()
        return note.acts[-1].key

    async def done(self, key: str) -> None:
        """The press of that key is in the journal."""
        for act in self._note.acts if self._note is not None else ():
            if act.key == key:
                act.done = self.clock.monotonic()
                await self._save()

    def _may_take_up(self, note: Note, where: str) -> bool:
        away = self.clock.monotonic() - note.left
        return note.boot == self.boot != "" and note.broker == where and 0 <= away <= HELD_S

    async def _connect(
        self, address: BrokerAddress, where: str, name: str, afresh: bool
    ) -> tuple[Link, ProtocolVersion]:
        """By the newest version that the broker speaks: one that does not know MQTT 5 says so, or
        says nothing at all.
        """
        known = self._speaks.pop(where, None)
        if known is not ProtocolVersion.V311:
            try:
                return await _entered(_five(address, name, afresh)), ProtocolVersion.V5
            except MqttCodeError as error:
                if getattr(error.rc, "value", error.rc) != UNSUPPORTED:
                    raise
            except MqttError:
                pass
        if afresh:
            async with Link(address, identifier=name, clean_session=True):
                pass  # a broker forgets a session with the next that is clean
        link = Link(address, identifier=name, clean_session=False)
        return await _entered(link), ProtocolVersion.V311

    def _tell(self, where: str, speaks: str, holds: float) -> None:
        told = (where, speaks, holds)
        if told == self._told:
            return
        self._told = told
        if holds:
            seconds = min(holds, HELD_S)
            log.info("the broker keeps presses", broker=where, speaks=speaks, seconds=seconds)
        else:
            log.warning("the broker keeps no press while the hub is away", broker=where)

    async def _keep_noting(self) -> None:
        while True:
            await self._save()
            await self.clock.sleep(NOTE_EVERY_S)

    async def _recalled(self) -> Note:
        if self._note is None:
            assert self.file is not None
            note = await asyncio.to_thread(_read, self.file)
            self._note = note if note is not None and note.boot == self.boot else Note(self.boot)
        return self._note

    async def _save(self) -> None:
        """Write the note; where that fails a press may act twice after a restart, or not at all."""
        assert self.file is not None
        assert self._note is not None
        note, now = self._note, self.clock.monotonic()
        note.left = now
        note.acts = [a for a in note.acts if a.done is None or now - a.done < SETTLED_S]
        self._saves += 1
        await asyncio.to_thread(self._write, self._saves, json.dumps(asdict(note)))

    def _write(self, number: int, text: str) -> None:
        """In a thread; one that was overtaken by a later one writes nothing."""
        assert self.file is not None
        part = self.file.with_suffix(".part")
        with self._writing, contextlib.suppress(OSError):
            if number > self._written:
                part.write_text(text, encoding="utf-8")
                part.replace(self.file)
                self._written = number


@contextlib.asynccontextmanager
async def _joined(link: Link) -> AsyncIterator[None]:
    """Leaves a link that was entered before."""
    try:
        yield
    finally:
        await link.__aexit__(None, None, None)


async def _entered(link: Link) -> Link:
    return await link.__aenter__()


def _five(address: BrokerAddress, name: str, afresh: bool) -> Link:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = HELD_S
    return Link(
        address,
        identifier=name,
        protocol=ProtocolVersion.V5,
        clean_start=afresh,
        properties=properties,
    )


def boot_id() -> str:
    """Which boot of the machine this is; empty where nobody says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _read(file: Path) -> Note | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        acts = [Act(**each) for each in found.pop("acts")]
        return Note(acts=acts, **found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


@dataclass(frozen=True)
class Delivery:
    """One message as the broker handed it over."""

    session: BrokerSession
    link: Link
    message: Message

    @property
    def kept(self) -> bool:
        """Whether the broker would have kept it for a hub that was away."""
        return bool(self.message.qos)

    async def key(self, name: str) -> str | None:
        """The key under which it presses an input; None where it has."""
        return await self.session.key_of(name, self.link, self.message)

    async def done(self, key: str) -> None:
        """That press is in the journal."""
        await self.session.done(key)
