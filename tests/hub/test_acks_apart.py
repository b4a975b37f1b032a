"""What a plugin in a host of its own tells of its notices comes into the hub, over its deaths."""

from __future__ import annotations

import asyncio

import pytest
from test_configuration import House, events, forced, house, until

from hub.app import Hub
from hub.errors import NotReady

__all__ = ["house"]

TELLER = """
import asyncio, os
from hub import Ack, Block, Channel, Driver, NotReady, Receipt, hookimpl

class Teller:
    channel = Channel(path="lan")

    def __init__(self, config, context):
        self.said = asyncio.Queue()

    async def start(self):
        self.said = asyncio.Queue()

    async def send(self, notice):
        if notice.title == "Die":
            os.abort()
        if notice.about == "alert":
            self.said.put_nowait(Ack("acknowledged", key=notice.key, person="guard"))
        return Receipt("accepted", notice.key)

    MORE

    async def close(self):
        pass

@hookimpl
def vestibule_notifiers():
    return [Driver("teller", Teller, Block, "Tells")]
"""
ACKS = """
    async def acks(self):
        while True:
            yield await self.said.get()
"""
LIMITED = """
    async def probe(self):
        raise NotReady("too many", after=7.5)
"""


def install(house: House, more: str) -> None:
    """The lamp of the house is the teller."""
    file = house.file.parent / "my_plugins" / "teller.py"
    file.write_text(TELLER.replace("    MORE\n", more))
    house.edit("lamp: {driver: lamp}", "lamp: {driver: teller}")


def teller(hub: Hub) -> int:
    """The process of the plugin."""
    (view,) = [view for view in hub.supervisor.views() if view["name"] == "plugin teller"]
    return view["pid"]


async def acknowledged(hub: Hub, count: int) -> None:
    async with asyncio.timeout(30):
        while len(await events(hub, "alert.acknowledged")) < count:
            await asyncio.sleep(0.02)


async def test_an_answer_comes_from_the_plugins_host_and_from_its_next_life(house: House) -> None:
    """Somebody answers on the plugin's channel; the plugin dies and is built again; the next one is
    heard as well.
    """
    install(house, ACKS)
    async with house.hub() as hub:
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        await hub.accept(forced(hub))
        await acknowledged(hub, 1)
        (alert,) = await hub.intake.alerts()
        assert alert["acknowledged"] is not None
        assert alert["acknowledged"]["by"] == "guard"
        first = teller(hub)
        hub.supervisor.kill("plugin teller")
        await until(lambda: teller(hub) not in (0, first))
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        await hub.intake.verdict(alert["id"], "dismissed", "it")
        await hub.accept(forced(hub))
        await acknowledged(hub, 2)
        await until(lambda: hub.hearing.queue()["heard"] >= 2)


async def test_a_plugin_that_tells_nothing_is_built_again_too(house: House) -> None:
    """Without `acks` a notifier whose host has died sends again once that lives."""
    install(house, "")
    async with house.hub() as hub:
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        first = teller(hub)
        hub.supervisor.kill("plugin teller")
        await until(lambda: teller(hub) not in (0, first))
        await hub.accept(forced(hub))
        async with asyncio.timeout(30):
            while not await events(hub, "action.confirmed"):
                await asyncio.sleep(0.02)
        assert hub.hearing.queue()["heard"] == 0


async def test_when_to_come_back_crosses_between_the_processes(house: House) -> None:
    """The seconds that a provider asks for reach the hub with the error."""
    install(house, LIMITED)
    async with house.hub() as hub:
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        isolated = hub.notifiers["lamp"]
        with pytest.raises(NotReady, match="too many") as raised:
            await isolated._call("probe")  # type: ignore[attr-defined]
        assert raised.value.after == 7.5


DESK = """
from datetime import UTC, datetime
from hub import Block, Driver, Refused, Screening, Visit, hookimpl

class Desk:
    def __init__(self, config, context):
        pass

    async def start(self):
        pass

    async def visits(self):
        hour = datetime(2026, 3, 2, 9, tzinfo=UTC)
        return [Visit("v1", "Plumber", "Caretaker", "Tap", hour, hour)]

    async def screen(self, visitor):
        return Screening(False)

    async def check_in(self, visit):
        raise Refused("not here")

    async def check_out(self, visit):
        raise Refused("not here")

    async def close(self):
        pass

@hookimpl
def vestibule_visitors():
    return [Driver("paper", Desk, Block, "A list on paper")]
"""


async def test_a_desk_whose_host_has_died_knows_its_visitors_again(house: House) -> None:
    """It is built again in the next life of its host, without anybody's doing."""
    (house.file.parent / "my_plugins" / "paper.py").write_text(DESK)
    with house.file.open("a", encoding="utf-8") as file:
        file.write("\nvisitors:\n  desk: {driver: paper}\n")
    async with house.hub() as hub:
        await until(lambda: hub.drivers.get("visitors", "desk").state == "running")
        assert [visit["visitor"] for visit in await hub.house.visits()] == ["Plumber"]
        (first,) = [view for view in hub.supervisor.views() if view["name"] == "plugin paper"]
        hub.supervisor.kill("plugin paper")
        async with asyncio.timeout(30):
            while hub.drivers.get("visitors", "desk").restarts == 0 or not await hub.house.visits():
                await asyncio.sleep(0.02)
        (later,) = [view for view in hub.supervisor.views() if view["name"] == "plugin paper"]
        assert later["pid"] != first["pid"]
