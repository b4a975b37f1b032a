"""Plugin hosts: whatever a driver from outside does, it is named, contained and kept away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.clock import SystemClock
from hub.config import ControllerBlock, DriverBlock, NotifierBlock, VisitorBlock
from hub.errors import (
    BadConfig,
    CommandFailed,
    NotReady,
    PluginError,
    Refused,
    VestibuleError,
)
from hub.events import Event
from hub.isolated import Hosts
from hub.kinds import BrokerAddress, Context, Kind
from hub.kinds.access_control import AccessReport
from hub.kinds.notifiers import Channel, Notice, Recipient
from hub.kinds.visitors import WalkIn
from hub.plugin_process import EVENTS_A_SECOND, EVENTS_AT_ONCE, FAULTS
from hub.plugins import Registry, load_registry
from hub.supervisor import Supervisor

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMED_WITHIN_S = 5.0

PLUGIN = """
import asyncio, ctypes, os, time
from dataclasses import dataclass
from datetime import UTC, datetime
from hub import *

class Config(Block):
    mood: str = "good"
    password: str = ""

class Moody:
    channel = Channel(path="wan")

    def __init__(self, config, context):
        self.mood, self.context = config.mood, context
        if self.mood == "unbuildable":
            raise RuntimeError("no parts")

    async def start(self):
        if self.mood == "raises":
            raise RuntimeError("not today")
        if self.mood == "wrong":
            raise BadConfig([Problem("x.yaml", 3, 4, "a.b", "is wrong; expected right", "mend it")])
        if self.mood == "gives up":
            raise SystemExit("no device")
        if self.mood == "blocks":
            time.sleep(60)
        if self.mood == "hangs":
            await asyncio.sleep(3600)
        if self.mood == "aborts":
            os.abort()
        if self.mood == "exits":
            os._exit(0)
        if self.mood == "crashes":
            ctypes.string_at(0)
        if self.mood == "leaks":
            self.kept = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(400)]
        if self.mood == "floods":
            self.kept = [asyncio.create_task(self.flood()) for _ in range(50)]

    async def flood(self):
        while True:
            await self.context.publish(Event("plugin.moody.noise", "x", datetime.now(UTC)))

    async def send(self, notice):
        if self.mood == "lies":
            await self.context.publish(Event("door.locked", "door/front", datetime.now(UTC)))
        if self.mood == "greedy":
            await self.context.broker()
        if self.mood == "refuses":
            raise CommandFailed("the wire is cut")
        if self.mood == "returns rubbish":
            return {"state": "accepted"}
        return Receipt("delivered", id=notice.key, detail=f"{notice.title} to {notice.to[0].name}")

    async def close(self):
        pass

class Doors:
    capabilities = Capabilities(
        verbs=frozenset({"lock", "unlock"}), stale_after_s=12.0, egress="free"
    )

    def __init__(self, config, context):
        self.mood, self.context = config.mood, context

    async def start(self):
        pass

    async def command(self, door, verb, key):
        if door not in self.context.devices:
            raise CommandFailed(f"no lock {door}")

    async def refresh(self, door):
        pass

    async def lockdown_all(self, engaged, key):
        if not engaged:
            raise CommandFailed(f"{key}: the panel keeps its lockdown")

    async def hear(self, message):
        if message == "what?":
            raise CommandFailed("no message of ours")
        return f"{len(message)} letters are of no interest"

    async def reports(self):
        number = 0
        while self.mood == "pours" or number < 3:
            yield DoorReport("front", datetime.now(UTC), lock="locked", detail=str(number))
            number += 1
        yield DoorReport("front", datetime.now(UTC), tampered=True)
        card = self.context.reference("4711")
        yield AccessReport("front", datetime.now(UTC), "duress", card, "by code")
        raise NotReady("the cable is out")

    async def close(self):
        pass

class Desk:
    def __init__(self, config, context):
        self.context = context

    async def start(self):
        await self.context.publish(Event("visitor.checked_in", "d", datetime.now(UTC), "v1"))

    async def visits(self):
        now = datetime(2026, 3, 2, 9, tzinfo=UTC)
        return [Visit("v1", "Plumber", "Office", "Tap", now, now)]

    async def screen(self, visitor):
        return Screening(visitor == "banned", "on the list")

    async def register(self, who):
        return Visit("w1", who.visitor, who.host, who.purpose, who.until, who.until, badge="7")

    async def check_in(self, visit):
        raise Refused("in already")

    async def check_out(self, visit):
        raise KeyError(visit)

    async def close(self):
        pass

class Device(Block):
    topic: str

@hookimpl
def vestibule_notifiers():
    return [Driver("moody", Moody, Config, "Does what it is told")]

@hookimpl
def vestibule_access_control():
    return [Driver("moody", Doors, Config, "Doors of a mood", device=Device)]

@hookimpl
def vestibule_visitors():
    return [Driver("moody", Desk, Config, "A desk")]
"""


class House:
    """Hosts under test, with what they said of their plugins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[tuple[float, str, str, str]] = []
        self.events: list[Event] = []
        clock = SystemClock()
        self.supervisor = Supervisor(clock, self.accept, first_delay=0.05, cap=0.2)
        self.hosts = Hosts(clock, self.supervisor, self.misbehaved)
        plugins = folder / "my_plugins"
        plugins.mkdir()
        (plugins / "moody.py").write_text(PLUGIN)
        (plugins / "other.py").write_text(PLUGIN.replace('Driver("moody"', 'Driver("other"'))
        self.registry: Registry = load_registry(plugins)

    async def accept(self, *events: Event) -> None:
        self.events.extend(events)

    async def misbehaved(self, plugin: str, what: str, why: str) -> None:
        self.said.append((time.monotonic(), plugin, what, why))

    async def broker(self) -> BrokerAddress:
        return BrokerAddress("broker.example", 1883, "hub", "canary-of-broker")

    def make(self, kind: Kind, mood: str = "good", driver: str = "moody", **more: Any) -> Any:
        """An instance in its plugin's host."""
        found = self.registry.driver(kind, driver)
        provider = self.registry.provider(kind, driver)
        assert provider is not None
        blocks: dict[Kind, type[DriverBlock]] = {
            "notifiers": NotifierBlock,
            "access_control": ControllerBlock,
            "visitors": VisitorBlock,
        }
        block = blocks[kind](driver=driver, settings=found.config(mood=mood))
        context = Context(
            name="it", state=self.folder / "state", publish=self.accept, broker=self.broker, **more
        )
        return self.hosts.make(provider, found, kind, "it", block, context)

    def pid(self, plugin: str = "moody") -> int:
        """The process of a plugin."""
        return next(v["pid"] for v in self.supervisor.views() if v["name"] == f"plugin {plugin}")

    def named(self, what: str) -> list[str]:
        """Why a plugin was said to do this."""
        return [why for _, _, does, why in self.said if does == what]

    async def until(self, holds: Callable[[], object], within_s: float = 60.0) -> None:
        """Wait for something, or fail with what was said."""
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"{self.said}")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A house whose processes end with the test."""
    made = House(tmp_path)
    yield made
    await made.supervisor.stop()


def notice(title: str = "Door forced") -> Notice:
    """A notice to one person."""
    return Notice("k1", "alert", "high", title, "", NOON, (Recipient("guard", "Guard", "g@x"),))


async def test_a_sound_driver_works_as_in_the_hub(house: House) -> None:
    """Plain data arrives as it was sent, both ways, and what it says of itself counts."""
    notifier = house.make("notifiers")
    assert notifier.channel == Channel(path="wan"), "announced on its class"
    await notifier.start()
    receipt = await notifier.send(notice())
    assert (receipt.state, receipt.id) == ("delivered", "k1")
    assert receipt.detail == "Door forced to Guard"
    desk = house.make("visitors")
    assert desk.register is None, "it takes nobody unannounced before it has said that it does"
    await desk.start()
    walk_in = WalkIn("Pat Doe", "Class 2", "", datetime(2026, 3, 2, 12, tzinfo=UTC))
    entered = await desk.register(walk_in)
    assert (entered.visitor, entered.until, entered.badge) == ("Pat Doe", walk_in.until, "7")
    assert [event.type for event in house.events if event.type[0] == "v"] == ["visitor.checked_in"]
    (visit,) = await desk.visits()
    assert (visit.visitor, visit.expected.hour, visit.state) == ("Plumber", 9, "expected")
    assert (await desk.screen("banned")).match
    with pytest.raises(Refused, match="in already"):
        await desk.check_in("v1")
    with pytest.raises(VestibuleError, match=r"^KeyError: "):
        await desk.check_out("v1")
    await house.until(lambda: house.named("raises"))
    assert "KeyError: 'v1' (line " in house.named("raises")[0]


async def test_a_controller_works_as_in_the_hub(house: House) -> None:
    """Its devices reach it, its reports come in order, and their end has its reason."""
    device = house.registry.driver("access_control", "moody").device
    assert device is not None
    front = {"front": device(topic="a/b")}
    doors = house.make("access_control", devices=front, credential_key=b"key of this house")
    assert doors.capabilities.verbs == frozenset(), "it can nothing before it has said what"
    assert (doors.lockdown_all, doors.hear) == (None, None)
    await doors.start()
    assert doors.capabilities.verbs == {"lock", "unlock"}
    assert (doors.capabilities.stale_after_s, doors.capabilities.egress) == (12.0, "free")
    await doors.command("front", "lock", "k1")
    with pytest.raises(CommandFailed, match="no lock back"):
        await doors.command("back", "lock", "k2")
    reports = doors.reports()
    first_three = [await anext(reports) for _ in range(3)]
    seen = [(report.detail, report.lock, report.tampered) for report in first_three]
    assert (await anext(reports)).tampered is True
    used = await anext(reports)
    ours = Context("it", credential_key=b"key of this house").reference("4711")
    assert isinstance(used, AccessReport)
    assert (used.access, used.credential, used.detail) == ("duress", ours, "by code")
    with pytest.raises(NotReady, match="the cable is out"):
        await anext(reports)
    assert seen == [("0", "locked", None), ("1", "locked", None), ("2", "locked", None)]
    await doors.lockdown_all(True, "k3")
    with pytest.raises(CommandFailed, match="k4: the panel keeps its lockdown"):
        await doors.lockdown_all(False, "k4")
    assert await doors.hear("geöffnet") == "8 letters are of no interest"
    with pytest.raises(CommandFailed, match="no message of ours"):
        await doors.hear("what?")


@pytest.mark.parametrize(
    ("mood", "error", "says"),
    [
        ("raises", Exception, "RuntimeError: not today"),
        ("gives up", Exception, "SystemExit: no device"),
        ("unbuildable", PluginError, "its factory raised RuntimeError: no parts"),
        ("wrong", BadConfig, "x.yaml:3:4: a.b: is wrong; expected right"),
    ],
)
async def test_what_a_driver_raises_is_raised(
    house: House, mood: str, error: type[Exception], says: str
) -> None:
    """The hub's own errors arrive as they are, anything else with its class and text."""
    with pytest.raises(error) as caught:
        await house.make("notifiers", mood).start()
    assert says in str(caught.value)
    assert house.named("dies") == []


@pytest.mark.parametrize(
    ("mood", "does", "says"),
    [
        ("blocks", "blocks", "its loop has not answered"),
        ("hangs", "hangs", "start() has taken 4 s"),
        ("aborts", "dies", "killed by SIGABRT"),
        ("crashes", "dies", "killed by SIGSEGV"),
        ("exits", "dies", "exit status 0"),
        ("leaks", "leaks tasks", "tasks are running"),
        ("floods", "floods", "events a second"),
    ],
)
async def test_a_bad_neighbour_is_named_within_five_seconds(
    house: House, mood: str, does: str, says: str
) -> None:
    """Whatever it does, its plugin and its sin are told, and another plugin does not notice."""
    other = house.make("notifiers", driver="other")
    began = time.monotonic()
    await other.start()
    comes_up_s = time.monotonic() - began  # on this machine, as busy as it is now
    beside, began = house.pid("other"), time.monotonic()
    starting = asyncio.create_task(house.make("notifiers", mood).start())
    await house.until(
        lambda: any(says in why for _, plugin, _, why in house.said if plugin == "moody"),
    )
    first = next(at for at, _, _, why in house.said if says in why)
    assert first - began < NAMED_WITHIN_S + 1 + 3 * comes_up_s, "its process has to come up first"
    assert any(says in why for why in house.named(does))
    assert (await other.send(notice("still here"))).detail == "still here to Guard"
    assert house.pid("other") == beside
    assert all(plugin == "moody" for _, plugin, _, _ in house.said)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


async def test_a_flood_is_held_back_not_let_through(house: House) -> None:
    """The journal gets what a plugin may publish, whatever it tries."""
    await house.make("notifiers", "floods").start()
    began = time.monotonic()
    await house.until(lambda: house.named("floods"))
    noise = sum(event.type == "plugin.moody.noise" for event in house.events)
    most = EVENTS_AT_ONCE + EVENTS_A_SECOND * (time.monotonic() - began + 1)
    assert 50 < noise <= most


async def test_reports_that_pour_in_stay_bounded(house: House) -> None:
    """A reader that does not keep up gets the newest, and what was dropped is counted; one that
    never stops pouring is stopped.
    """
    doors = house.make("access_control", "pours")
    await doors.start()
    reports = doors.reports()
    await anext(reports)
    await house.until(lambda: house.hosts.dropped()["plugin moody"]["dropped"] > 0 or house.said)
    await house.until(lambda: any("messages within a second" in why for *_, why in house.said))
    with pytest.raises(NotReady):
        await drained(reports)


async def drained(reports: AsyncIterator[Any]) -> None:
    """Read what there is, to its end."""
    async for _ in reports:
        pass


async def test_after_so_many_faults_a_plugin_is_left_alone(house: House) -> None:
    """Its process is not started again, and who asks for it hears why."""
    notifier = house.make("notifiers", "aborts")
    async with asyncio.timeout(60):
        while not house.named("is quarantined"):
            with pytest.raises((NotReady, PluginError)):
                await notifier.start()
            await asyncio.sleep(0.1)
    assert len(house.named("dies")) == FAULTS
    await house.until(
        lambda: all(view["name"] != "plugin moody" for view in house.supervisor.views())
    )
    with pytest.raises(PluginError, match="quarantined after 5 faults"):
        await notifier.start()


@pytest.mark.parametrize(
    ("mood", "error", "says"),
    [
        ("lies", Refused, "may not publish door.locked"),
        ("refuses", CommandFailed, "the wire is cut"),
        ("returns rubbish", Exception, ""),
    ],
)
async def test_what_a_notifier_must_not_do_is_refused(
    house: House, mood: str, error: type[Exception], says: str
) -> None:
    """Nobody tells of doors who does not move them."""
    notifier = house.make("notifiers", mood)
    await notifier.start()
    if mood == "returns rubbish":
        assert (await notifier.send(notice())).state == "accepted", "a plain mapping of its fields"
        return
    with pytest.raises(error, match=says):
        await notifier.send(notice())
    assert not [event for event in house.events if event.type.startswith("door.")]


async def test_a_host_that_was_started_anew_serves_again(house: House) -> None:
    """After its process was killed the instance is built there again by the next start."""
    notifier = house.make("notifiers")
    await notifier.start()
    before = house.pid()
    house.supervisor.kill("plugin moody")
    await house.until(lambda: house.named("dies"))
    with pytest.raises(NotReady):
        await notifier.send(notice())
    await notifier.start()
    assert (await notifier.send(notice())).state == "delivered"
    assert house.pid() != before


async def test_a_host_ends_with_its_last_instance(house: House) -> None:
    """Two instances of a plugin share a process; when both are closed it goes."""
    one, two = house.make("notifiers"), house.make("notifiers")
    await one.start()
    await two.start()
    assert len([v for v in house.supervisor.views() if v["name"].startswith("plugin ")]) == 1
    await one.close()
    assert (await two.send(notice())).state == "delivered"
    await two.close()
    assert all(not v["name"].startswith("plugin ") for v in house.supervisor.views())


async def test_a_call_that_is_given_up_is_given_up_there_too(house: House) -> None:
    """Cancelling here cancels there, and the next call is answered."""
    hanging = house.make("notifiers", "hangs")
    starting = asyncio.create_task(hanging.start())
    await asyncio.sleep(1.0)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    good = house.make("notifiers")
    await good.start()
    assert (await good.send(notice())).state == "delivered"
