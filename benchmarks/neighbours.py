"""How long a door takes to answer with a bad neighbour beside it.

    python benchmarks/neighbours.py [--commands 60] [--json]

A whole hub runs with one MQTT lock that answers at once, and a plugin from outside that misbehaves
in a way of its own. *p99_ms* is the time from a person's command to the lock's own confirmation,
*named_s* how long the hub took to name what the plugin does, from when its driver was started.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import structlog
from told import tell

from hub.app import Hub
from hub.chosen import choose
from hub.kept import KeptConfigs
from hub.secrets import Secrets
from hub.storage.folder import StateFolder

NEIGHBOURS = {
    "raises_at_import": "",
    "raises_at_announce": "",
    "raises_at_start": "raise RuntimeError('not today')",
    "raises_at_run": "",
    "blocks": "time.sleep(60)",
    "hangs": "await asyncio.sleep(3600)",
    "dies": "os.abort()",
    "leaks": "self.kept = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(400)]",
    "floods": "self.kept = [asyncio.create_task(self.flood()) for _ in range(50)]",
}
PLUGIN = """\
import asyncio, os, time
MOOD_NAME = "NAME_OF_IT"
if MOOD_NAME == "raises_at_import":
    raise RuntimeError("not today")
from datetime import UTC, datetime
from hub import Block, Channel, Driver, Event, Receipt, hookimpl

class Neighbour:
    channel = Channel(path="lan")
    def __init__(self, config, context):
        self.context = context
    async def start(self):
        MOOD
    async def flood(self):
        while True:
            await self.context.publish(Event("plugin.neighbour.noise", "x", datetime.now(UTC)))
    async def send(self, notice):
        if MOOD_NAME == "raises_at_run":
            raise RuntimeError("not today")
        return Receipt("accepted")
    async def close(self):
        pass

@hookimpl
def vestibule_notifiers():
    if MOOD_NAME == "raises_at_announce":
        raise RuntimeError("not today")
    return [Driver("neighbour", Neighbour, Block, "Misbehaves")]
"""
SCHOOL = """\
places: {hall: {name: Hall, kind: room}}
access_control: {panel: {driver: mqtt}}
doors:
  front:
    name: Front
    controller: panel
    place: hall
    egress: free
    device: {command_topic: lock/set, state_topic: lock/state, get_topic: lock/get}
notifiers:
  console: {driver: console}
"""
RULE = """\
people: {guard: {name: Guard, role: sro}}
rules:
  told:
    name: Told
    when: door.unlocked
    alert: {severity: high, tell: [guard], through: [neighbour]}
"""


async def lock(hub: Hub) -> None:
    """A lock on the hub's own broker that obeys at once."""
    from aiomqtt import Client

    address = await hub.context(hub.config, "access_control", "panel").broker()
    state = "LOCKED"
    async with Client(
        address.host, address.port, username=address.username, password=address.password
    ) as client:
        await client.subscribe("lock/#", qos=1)
        await client.publish("lock/state", state, qos=1)
        async for message in client.messages:
            said = bytes(message.payload or b"").decode()  # type: ignore[arg-type]
            if message.topic.value == "lock/set":
                state = "LOCKED" if said == "LOCK" else "UNLOCKED"
            if message.topic.value != "lock/state":
                await client.publish("lock/state", state, qos=1)


@contextlib.asynccontextmanager
async def running(folder: Path, mood: str | None) -> AsyncIterator[Hub]:
    """A hub with a lock and, where a mood is given, a neighbour."""
    school = SCHOOL
    if mood is not None:
        school += "  neighbour: {driver: neighbour}\n" + RULE
        (folder / "my_plugins").mkdir()
        plugin = PLUGIN.replace("        MOOD\n", f"        {NEIGHBOURS[mood] or 'pass'}\n")
        plugin = plugin.replace("NAME_OF_IT", mood)
        (folder / "my_plugins" / "neighbour.py").write_text(plugin, encoding="utf-8")
    file = folder / "school.yaml"
    file.write_text(school, encoding="utf-8")
    state = StateFolder(folder / "state")
    secrets = Secrets()
    chosen, said = choose(file, KeptConfigs(state.configs), secrets)
    assert chosen is not None, getattr(said, "problems", said)
    with state.lock():
        async with Hub(chosen, state, file, secrets=secrets) as hub:
            locking = asyncio.create_task(lock(hub))
            yield hub
            locking.cancel()
            await asyncio.gather(locking, return_exceptions=True)


async def command_ms(hub: Hub, verb: Any) -> float:
    """From the command to its confirmation (ms)."""
    began = time.perf_counter()
    with hub.house.events() as events:
        key = await hub.house.command_door("front", verb, "bench", "")
        async with asyncio.timeout(15):
            async for _, event in events:
                if event.type.startswith("action.") and event.data.get("key") == key:
                    if event.type == "action.confirmed":
                        return (time.perf_counter() - began) * 1000
                    if event.type != "action.requested":
                        raise RuntimeError(f"{event.type}: {event.data}")
    raise RuntimeError("the hub stopped")


async def measure(mood: str | None, commands: int) -> dict[str, float | None]:
    """The percentiles of a door's commands beside a neighbour, and when that was named."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        async with running(Path(folder), mood) as hub:
            async with asyncio.timeout(20):
                while not hub.house.doors()[0]["online"]:
                    await asyncio.sleep(0.02)
            for verb in ("unlock", "lock"):
                await command_ms(hub, verb)
            taken = []
            for number in range(commands):
                taken.append(await command_ms(hub, "unlock" if number % 2 else "lock"))
                await asyncio.sleep(0.08)
            named = await named_s(hub, began) if mood is not None else None
    cuts = quantiles(taken, n=100, method="inclusive")
    return {
        "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "named_s": named,
    }  # fmt: skip


async def named_s(hub: Hub, began: float) -> float | None:
    """Seconds until the hub first told of the neighbour."""
    start = time.time() - (time.perf_counter() - began)
    async with asyncio.timeout(10):
        while True:
            for _, event in await hub.intake.past_events(0, 5000):
                if event.type in ("plugin.misbehaved", "plugin.failed"):
                    return round(event.time.timestamp() - start, 2)
            await asyncio.sleep(0.1)


async def main() -> None:
    """Measure each and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    alone = await measure(None, given.commands)
    told: dict[str, Any] = {"p50_alone_ms": alone["p50_ms"], "p99_alone_ms": alone["p99_ms"]}
    for mood in NEIGHBOURS:
        told[mood] = await measure(mood, given.commands)
    again = await measure(None, given.commands)
    told["p99_alone_again_ms"] = again["p99_ms"]
    tell(told, given.json)


if __name__ == "__main__":
    asyncio.run(main())
