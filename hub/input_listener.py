"""Hardware inputs over the site's MQTT broker: buttons, contacts, panels.

What the broker kept for us (a retained message) is never a press, and shows no life either. What
waited in our session while the hub was away for a moment is one (`hub.broker_session`). An input
that should report and does not is an event.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from hub.clock import Clock
from hub.config import Config
from hub.errors import NotReady, StateError
from hub.events import Event, new_id
from hub.inbound.mapping import at
from hub.kinds import BrokerAddress
from hub.phrases import phrase
from hub.protocol_settings import Does, InputBlock

if TYPE_CHECKING:
    from hub.broker_session import BrokerSession, Delivery, Link

AGAIN_AFTER_S = 2.0  # within so long it is one press, however often it is reported
LOOK_EVERY_S = 1.0
WRITE_AGAIN_S = 0.5
PRESS_WITHIN_S = 5.0
PANELS = ("fire", "fire_clear")
LONGEST_PAYLOAD = 65_536

log = structlog.get_logger("inputs")


class Memory(Protocol):
    """Keeps names of inputs; see `hub.storage.inputs.ClosedInputs`."""

    async def recall(self) -> frozenset[str]:
        """Those of before."""
        ...

    async def keep(self, names: frozenset[str]) -> None:
        """Those of now."""
        ...


class Press(Protocol):
    """Carries a press out; see `hub.protocols.Protocols.press_or_call`."""

    def __call__(
        self, does: Does, place: str, device: str, *, source: str, key: str
    ) -> Awaitable[None]:
        """Returns once it is in the journal. The same key twice is one."""
        ...


@dataclass(slots=True)
class _Input:
    heard: float
    pressed: float = -math.inf
    closed: bool = False
    silent: bool = False


@dataclass
class InputListener:
    """Listens to every input of the configuration that is in force. Run `tasks` under supervision.

    `accept` journals an event; `broker` says where the site's broker is. `memory` keeps
    over a restart which latching inputs were closed when they were last heard, and `session` is the
    file that says which session the site's broker holds for us.
    """

    config: Callable[[], Config]
    broker: Callable[[], Awaitable[BrokerAddress]]
    press: Press
    accept: Callable[..., Awaitable[None]]
    clock: Clock
    memory: Memory | None = None
    session: Path | None = None
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("heard", "presses", "retained", "strange"), 0)
    )
    _inputs: dict[str, _Input] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _recalled: bool = False
    _taking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _sessions: dict[Path | None, BrokerSession] = field(default_factory=dict)
    _not_kept: set[str] = field(default_factory=set)

    def notes(self) -> list[str]:
        """In words, each input for which no broker keeps what it says while the hub is away."""
        inputs = self.config().inputs
        return [
            phrase(
                "what the input %(name)s says while the hub restarts is lost: it publishes at "
                "QoS 0; have it publish at QoS 1",
                name=inputs[each].name or each,
            )
            for each in sorted(self._not_kept & inputs.keys())
        ]

    def reconfigure(self) -> None:
        """Listen to what another configuration says, from now on."""
        self._changed.set()

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What is to run for ever, by name."""
        return {"inputs": self.listen, "supervised inputs": self.supervise}

    async def listen(self) -> None:
        """Take in what inputs report, for ever. Raises `NotReady` when the broker is away."""
        if self.memory is not None and not self._recalled:
            for name in await self.memory.recall():
                self._known(name).closed = True
            self._recalled = True
        while True:
            self._changed.clear()
            inputs = self.config().inputs
            self._meet(inputs)
            if not inputs:
                await self._changed.wait()
                continue
            await self._follow(inputs)

    async def supervise(self) -> None:
        """Tell of inputs that have fallen silent, for ever."""
        while True:
            await self.clock.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """See once which supervised inputs have been silent for too long."""
        now = self.clock.monotonic()
        for name, block in self.config().inputs.items():
            known = self._known(name)
            if block.expect_every is None or known.silent:
                continue
            if now - known.heard > block.expect_every:
                known.silent = True
                reason = f"nothing heard for {round(now - known.heard)} s"
                await self._tell("input.silent", name, block, {"reason": reason})

    async def take(
        self, topic: str, payload: bytes, *, retained: bool, delivery: Delivery | None = None
    ) -> None:
        """Take in one message: a sign of life, and perhaps a press."""
        if retained:
            self.counts["retained"] += 1
            return
        for name, block in self.config().inputs.items():
            if topic not in (block.topic, block.alive):
                continue
            self.counts["heard"] += 1
            known = self._known(name)
            known.heard = self.clock.monotonic()
            if known.silent:
                known.silent = False
                await self._tell("input.heard", name, block, {})
            if topic == block.topic:
                if delivery is not None:
                    waits = delivery.kept or self.config().hub.mqtt is None
                    (self._not_kept.discard if waits else self._not_kept.add)(name)
                await self._report(name, block, known, payload, delivery)

    async def _report(
        self,
        name: str,
        block: InputBlock,
        known: _Input,
        payload: bytes,
        delivery: Delivery | None,
    ) -> None:
        closed = self._counts_as_press(block, payload)
        before, known.closed = known.closed, closed
        if closed and not (block.latching and before):
            await self._carry_out(name, block, known, delivery)
        if block.latching and closed != before and block.does not in PANELS:
            await self._keep()

    async def _carry_out(
        self, name: str, block: InputBlock, known: _Input, delivery: Delivery | None
    ) -> None:
        now = self.clock.monotonic()
        if block.does not in PANELS and now - known.pressed < AGAIN_AFTER_S:
            return
        known.pressed = now
        key = new_id() if delivery is None else await delivery.key(name)
        if key is None:
            return
        self.counts["presses"] += 1
        called = block.name or name.replace("_", " ").capitalize()
        while True:
            try:
                await self.press(block.does, block.place, called, source=f"input/{name}", key=key)
                break
            except StateError as error:
                log.error("a press waits for the journal", input=name, reason=str(error))
                await self.clock.sleep(WRITE_AGAIN_S)
        if delivery is not None:
            await delivery.done(key)

    async def _keep(self) -> None:
        """Remember over a restart which inputs are closed; what a fire panel says counts anew."""
        if self.memory is None:
            return
        inputs = self.config().inputs
        latching = {name for name, each in inputs.items() if each.latching}
        closed = {name for name in latching if self._known(name).closed}
        panels = {name for name in closed if inputs[name].does in PANELS}
        with suppress(StateError):  # then a restart may press once more what is closed
            await self.memory.keep(frozenset(closed - panels))

    def _counts_as_press(self, block: InputBlock, payload: bytes) -> bool:
        if len(payload) > LONGEST_PAYLOAD:
            self.counts["strange"] += 1
            return False
        text = payload.decode("utf-8", "replace")
        if block.at is None:
            return text.strip() == (block.payload or "").strip()
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            self.counts["strange"] += 1
            return False
        return _same(at(message, block.at), block.equals)

    async def _follow(self, inputs: Mapping[str, InputBlock]) -> None:
        from aiomqtt import MqttError

        address = await self.broker()
        session = self._session()
        try:
            async with session.join(address) as link:
                await link.subscribe([(topic, 1) for topic in _topics(inputs)])
                await self._while_alike(link, session, address, inputs)
        except (MqttError, OSError) as error:
            where = f"the broker at {address.host}:{address.port}"
            raise NotReady(f"{where} does not serve the inputs: {error}") from error

    def _session(self) -> BrokerSession:
        """The hub's own broker holds none: it ends with the hub."""
        from hub.broker_session import BrokerSession

        file = None if self.config().hub.mqtt is None else self.session
        if file not in self._sessions:
            self._sessions[file] = BrokerSession(file, self.clock)
        return self._sessions[file]

    async def _read(self, link: Link, session: BrokerSession) -> None:
        from hub.broker_session import Delivery

        async for message in link.messages:
            payload = message.payload if isinstance(message.payload, bytes) else b""
            topic, retained = str(message.topic), bool(message.retain)
            delivery = Delivery(session, link, message)
            async with self._taking:
                with link.seen_to(message):
                    await self.take(topic, payload, retained=retained, delivery=delivery)

    async def _while_alike(
        self,
        link: Link,
        session: BrokerSession,
        address: BrokerAddress,
        inputs: Mapping[str, InputBlock],
    ) -> None:
        """Read until the broker or every input is gone. Other inputs are listened to over the same
        connection: no message that waits, and no press under way, is lost to a configuration.
        """
        reading = asyncio.create_task(self._read(link, session), name="inputs: messages")
        try:
            while not reading.done():
                changed = asyncio.create_task(self._changed.wait(), name="inputs: another")
                try:
                    await asyncio.wait({reading, changed}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                if reading.done():
                    break
                self._changed.clear()
                before, inputs = inputs, self.config().inputs
                self._meet(inputs)
                moves = await self.broker() != address
                if gone := _topics(before) - (set() if moves else _topics(inputs)):
                    await link.unsubscribe(sorted(gone))
                if not inputs or moves:
                    self._changed.set()
                    return
                if fresh := _topics(inputs) - _topics(before):
                    await link.subscribe([(topic, 1) for topic in sorted(fresh)])
            reading.result()
        finally:
            with suppress(TimeoutError):  # a press under way is carried out first
                async with asyncio.timeout(PRESS_WITHIN_S), self._taking:
                    pass
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading

    def _known(self, name: str) -> _Input:
        return self._inputs.setdefault(name, _Input(self.clock.monotonic()))

    def _meet(self, inputs: Mapping[str, InputBlock]) -> None:
        self._inputs = {name: self._known(name) for name in inputs}

    async def _tell(self, kind: str, name: str, block: InputBlock, more: dict[str, Any]) -> None:
        data = {"input": name, "name": block.name or name, "place": block.place, **more}
        event = Event(kind, f"input/{name}", self.clock.now(), name, data)
        try:
            await self.accept(event)
        except StateError as error:
            log.error("an input's silence could not be journaled", input=name, reason=str(error))


def _topics(inputs: Mapping[str, InputBlock]) -> set[str]:
    """What they report on."""
    return {topic for each in inputs.values() for topic in (each.topic, each.alive) if topic}


def _same(found: Any, wanted: Any) -> bool:
    """Whether a value of a message is the one that counts; `true` is not 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return found == wanted
    return isinstance(found, str) and found == str(wanted)
