"""One simulated lock: a bolt, a door with a contact and a reader, and a client of the broker."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Coroutine
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hub import Block, BrokerAddress, Context, Duration
from plugins.access_control._ending import end

if TYPE_CHECKING:
    from aiomqtt import Client

Behaviour = Literal["prompt", "slow", "jams", "silent", "lies", "drops", "reboots"]
BOLT_S: dict[str, float] = {"prompt": 0.2, "slow": 3.0, "jams": 0.8}
CARDS = ("10482139", "10482140", "10482141")
STRANGERS = "99999999"
FORCED_OPEN_S = 6.0
SWING_S = 1.0
READY_S = 5.0
RETRY_S = 1.0


class Reboots(Exception):
    """The device restarts."""


def whole(root: str) -> str:
    """The topic on which a controller tells all its locks at once."""
    return f"{root}/lockdown"


class SimulatedDevice(Block):
    """A simulated lock and door.

    `jams`: locking tries, then reports the bolt stuck. `silent`: connected, but never answers.
    `lies`: says that it locks, and stays as it was. `drops`: loses every other command. `reboots`:
    restarts when it is first told to lock, and has forgotten that.
    """

    renamed = MappingProxyType({"passage_s": "passage", "forced_after_s": "forced_after"})

    behaviour: Behaviour = Field(
        "prompt",
        description="How it takes commands: at once, slowly, with a stuck bolt, never, not at all "
        "though it says so, every other one, or with a restart in between.",
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
    cards_every: Annotated[Duration, Field(gt=0)] | None = Field(
        None,
        description="How often somebody uses a card there; every fourth is a stranger's.",
    )


class SimulatedLock:
    """One device: a bolt, a door with a contact, and a client of the broker."""

    def __init__(self, door: str, root: str, device: SimulatedDevice, context: Context) -> None:
        self.behaviour = device.behaviour
        self._device = device
        self._base, self._whole = f"{root}/{door}", whole(root)
        self._clock = context.clock
        self._client: Client | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._bolt: asyncio.Task[None] | None = None
        self._run: asyncio.Task[None] | None = None
        self._forced = False
        self._told = 0
        self._before_lockdown: str | None = None
        self._name = f"simulated lock {door}"
        self.ready = asyncio.Event()
        self.state = "LOCKED" if device.start_locked else "UNLOCKED"
        self.contact = "CLOSED"

    def start(self, address: BrokerAddress) -> None:
        """Join the broker, and come back to it when it goes away."""
        self._run = asyncio.create_task(self._keep_joined(address), name=self._name)

    def let_people_come(self) -> None:
        """From now on somebody may use it: who came before the hub listens would not be told of."""
        self._begin(self._force_once(), "force")
        self._begin(self._use_cards(), "cards")

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

    async def use(self, card: str) -> None:
        """Somebody uses a card; in a lockdown nobody's is good."""
        good = card in CARDS and self._before_lockdown is None
        said = {"access": "granted" if good else "denied", "card": card}
        await self._publish("access", json.dumps(said))
        if good:
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
            with contextlib.suppress(MqttError, OSError, Reboots):
                async with client:
                    try:
                        await self._serve(client)
                    finally:
                        await self._farewell(client)
            await self._clock.sleep(RETRY_S)

    async def _serve(self, client: Client) -> None:
        topics = (f"{self._base}/set", f"{self._base}/get", self._whole)
        await client.subscribe([(topic, 1) for topic in topics])
        self._client = client
        await self._publish("availability", "online", retain=True)
        if self._device.contact:
            await self._publish("contact", self.contact, retain=True)
        if self.behaviour != "silent":
            await self._publish("state", self.state, retain=True)
        self.ready.set()
        async for message in client.messages:
            if self.behaviour == "silent":
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
            "LOCKDOWN": self._lock_down,
            "RELEASE": self._release,
        }
        if command not in moves:
            return
        self._told += 1
        if self.behaviour == "drops" and self._told % 2:
            return
        if self.behaviour == "reboots" and command in ("LOCK", "LOCKDOWN"):
            self.behaviour = "prompt"
            raise Reboots
        if self._bolt is not None:
            self._bolt.cancel()
        self._bolt = self._begin(moves[command](), command.lower())

    async def _lock(self) -> None:
        before = self.state
        await self._turn("LOCKING")
        if self.behaviour == "lies":
            await self._clock.sleep(BOLT_S["prompt"])
            self.state = before
            return
        await self._turn("JAMMED" if self.behaviour == "jams" else "LOCKED")

    async def _lock_down(self) -> None:
        if self._before_lockdown is None:
            self._before_lockdown = self.state
        await self._lock()

    async def _release(self) -> None:
        before, self._before_lockdown = self._before_lockdown, None
        await (self._unlock() if before == "UNLOCKED" else self._lock())

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
            await self._clock.sleep(BOLT_S.get(self.behaviour, BOLT_S["prompt"]))
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

    async def _use_cards(self) -> None:
        for card in itertools.cycle((*CARDS, STRANGERS)):
            if self._device.cards_every is None:
                return
            await self._clock.sleep(self._device.cards_every)
            await self.use(card)

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
