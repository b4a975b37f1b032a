"""A Zigbee2MQTT with locks and contacts, pretended on a real broker.

It holds what Zigbee2MQTT's documents and source say: states as JSON on the device's own topic,
everything it remembers repeated in each message unless `cache_state` is off, commands to /set read
back from the device, /get asked of the device, and failures told in the log alone.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiomqtt

from hub import BrokerAddress

BASE = "zigbee2mqtt"
STATES = {"locked": "LOCK", "unlocked": "UNLOCK", "not_fully_locked": "UNLOCK"}


class ZigbeeBridge:
    """`locks` are lock_state by friendly name; `faults` by name: `jam` the bolt stays half way,
    `lie` it says the command was obeyed and the bolt stays, `drop` the device is not reached,
    `lag` it follows when told to with `settle`.
    """

    def __init__(self, *names: str, cache: bool = True, retain: bool = False) -> None:
        self.locks = dict.fromkeys(names, "unlocked")
        self.remembered: dict[str, dict[str, Any]] = {name: {} for name in names}
        self.faults: dict[str, set[str]] = {name: set() for name in names}
        self.later: dict[str, str] = {}
        self.cache, self.retain = cache, retain
        self.only_state = False
        self.air = 0.0  # how long a way over the air takes
        self.heard: list[tuple[str, str]] = []
        self._client: aiomqtt.Client | None = None

    async def run(self, address: BrokerAddress, ready: asyncio.Event) -> None:
        """Be there until cancelled."""
        will = aiomqtt.Will(f"{BASE}/bridge/state", '{"state":"offline"}', qos=1, retain=True)
        async with aiomqtt.Client(
            address.host,
            address.port,
            username=address.username,
            password=address.password,
            will=will,
        ) as client:
            self._client = client
            for name in self.locks:
                await client.subscribe([(f"{BASE}/{name}/set", 1), (f"{BASE}/{name}/get", 1)])
            await self.say("bridge/state", {"state": "online"}, retain=True)
            info = {"version": "2.6.0", "config": {"advanced": {"cache_state": self.cache}}}
            await self.say("bridge/info", info, retain=True)
            for name in self.locks:
                await self.available(name, True)
            ready.set()
            try:
                await self._serve(client)
            finally:
                await self.say("bridge/state", {"state": "offline"}, retain=True)

    async def _serve(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            name, _, what = message.topic.value.removeprefix(f"{BASE}/").rpartition("/")
            payload = bytes(message.payload or b"").decode()  # type: ignore[arg-type]
            if name not in self.locks or what not in ("set", "get"):
                continue  # some brokers hand over more than was asked for
            self.heard.append((message.topic.value, payload))
            await self._asked(name, what, json.loads(payload))

    async def available(self, name: str, there: bool) -> None:
        """Say whether a device is there."""
        await self.say(
            f"{name}/availability", {"state": "online" if there else "offline"}, retain=True
        )

    async def say(self, topic: str, message: dict[str, Any], retain: bool = False) -> None:
        """Publish under the base topic."""
        assert self._client is not None
        await self._client.publish(f"{BASE}/{topic}", json.dumps(message), qos=0, retain=retain)

    async def tell(self, name: str, **facts: Any) -> None:
        """A message about a device, with what is remembered of it where that is kept."""
        self.remembered.setdefault(name, {}).update(facts)
        message = dict(self.remembered[name]) if self.cache else facts
        await self.say(name, message, self.retain)

    async def turn(self, name: str, state: str) -> None:
        """A hand on the key: the lock reports its new state by itself."""
        self.locks[name] = state
        await self._report(name)

    async def flood(self, name: str, count: int) -> None:
        """So many reports, one after the other; the last says locked."""
        assert self._client is not None
        self.locks[name] = "locked"
        for each in range(count - 1):
            await self.say(name, {"lock_state": "unlocked" if each % 2 else "not_fully_locked"})
        last = json.dumps({"lock_state": "locked"})
        await self._client.publish(f"{BASE}/{name}", last, qos=1)

    async def settle(self, name: str) -> None:
        """A bolt that lagged arrives and reports."""
        await self.turn(name, self.later.pop(name))

    async def reboot(self) -> None:
        """Go and come back: what was remembered is forgotten."""
        await self.say("bridge/state", {"state": "offline"}, retain=True)
        self.remembered = {name: {} for name in self.locks}
        await self.say("bridge/state", {"state": "online"}, retain=True)

    async def _asked(self, name: str, what: str, message: dict[str, Any]) -> None:
        await asyncio.sleep(self.air)
        if "drop" in self.faults[name]:
            failed = f"Publish '{what}' 'state' to '{name}' failed: 'Error: ZCL command timed out'"
            line = {"level": "error", "message": failed, "namespace": "z2m"}
            await self.say("bridge/logging", line)
            return
        if what == "get":
            await self._report(name)
            return
        wanted = {"LOCK": "locked", "UNLOCK": "unlocked"}[message["state"]]
        if "lie" in self.faults[name]:
            await self.tell(name, state=message["state"])
            return
        if "jam" in self.faults[name] or "lag" in self.faults[name]:
            self.later[name], wanted = wanted, "not_fully_locked"
        self.locks[name] = wanted
        await self._report(name)

    async def _report(self, name: str) -> None:
        state = self.locks[name]
        facts = {"state": STATES[state]} | ({} if self.only_state else {"lock_state": state})
        await self.tell(name, **facts)
