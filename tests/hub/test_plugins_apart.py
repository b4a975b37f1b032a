"""A running hub and the plugins beside it: who runs where, and what they cannot reach."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from test_configuration import SCHOOL, House, events, house, lock_of, until

from hub.app import Hub
from hub.errors import Refused

__all__ = ["house"]

BLOCKER = """
import time
from hub import Block, Channel, Driver, Receipt, hookimpl

class Blocker:
    channel = Channel(path="lan")
    def __init__(self, config, context):
        pass
    async def start(self):
        time.sleep(60)
    async def send(self, notice):
        return Receipt("accepted")
    async def close(self):
        pass

@hookimpl
def vestibule_notifiers():
    return [Driver("blocker", Blocker, Block, "Blocks")]
"""


def processes(hub: Hub) -> set[str]:
    """The names of the hub's child processes."""
    return {view["name"] for view in hub.supervisor.views()} - {"hub"}


async def test_a_plugin_from_outside_runs_apart_and_a_built_in_one_does_not(house: House) -> None:
    """The lamp has a process of its own; the log book and the locks are the hub's."""
    async with house.hub() as hub:
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        assert processes(hub) == {"plugin lamp"}


async def test_a_built_in_driver_may_be_moved_apart(house: House) -> None:
    """`isolate: true` is a change like any other; notices still arrive, doors still lock."""
    async with house.hub() as hub:
        house.edit("{driver: logbook}", "{driver: logbook, isolate: true}")
        house.edit("panel: {driver: simulated}", "panel: {driver: simulated, isolate: true}")
        house.edit("through: [lamp]", "through: [logbook]")
        plan = await hub.configuration.look()
        await hub.configuration.apply(plan["id"], "it", confirmed=True)
        names = {"plugin plugins.notifiers.logbook", "plugin plugins.access_control.simulated"}
        assert processes(hub) == {"plugin lamp", *names}
        await until(lambda: lock_of(hub) == "locked")
        await hub.house.command_door("front", "unlock", "desk", "")
        await until(lambda: lock_of(hub) == "unlocked")
        await until(lambda: hub.house.doors()[0]["requested"]["state"] == "confirmed")
        await hub.accept(forced(hub))
        book = house.folder.path / "notifiers" / "logbook" / "logbook.txt"
        await until(lambda: book.exists() and "Forced" in book.read_text())


def forced(hub: Hub):  # type: ignore[no-untyped-def]
    from test_configuration import forced as event

    return event(hub)


MOODY = BLOCKER.replace("time.sleep(60)", "START").replace(
    "import time", "import asyncio, os, time"
)


@pytest.mark.parametrize(
    ("start", "what", "state"),
    [
        ("os.abort()", "dies", "quarantined"),
        ("self.kept = [asyncio.create_task(asyncio.sleep(99)) for _ in range(400)]",
         "leaks tasks", "ok"),
        ("await asyncio.sleep(3600)", "hangs", "ok"),
    ],
)  # fmt: skip
async def test_health_has_a_line_for_each_plugin_and_says_what_it_did(
    house: House, start: str, what: str, state: str
) -> None:
    """Where it came from, how it is, what it last did and how often; a quarantine is a problem."""
    (house.file.parent / "my_plugins" / "blocker.py").write_text(MOODY.replace("START", start))
    house.write(SCHOOL.replace("  lamp: {driver: lamp}", "  lamp: {driver: blocker}"))
    async with house.hub() as hub:
        async with asyncio.timeout(30):
            while (view := plugin(hub, "blocker"))["state"] != state or not view["faults"]:
                await asyncio.sleep(0.05)
            while not (told := await events(hub, "plugin.misbehaved")):
                await asyncio.sleep(0.05)
        assert told[0].data["what"] == what
        assert view["source"] == "file"
        assert view["kinds"] == ["notifiers"]
        assert view["faults"] >= (6 if state == "quarantined" else 1)
        assert view["last"].startswith("is quarantined" if state == "quarantined" else what)
        assert view["last_at"] is not None
        problems = (await hub.house.health())["problems"]
        assert any("plugin blocker is quarantined" in each for each in problems) == (
            state == "quarantined"
        )
        assert plugin(hub, "lamp")["state"] == "unused"
        await hub.house.command_door("front", "unlock", "desk", "")
        await until(lambda: lock_of(hub) == "unlocked")


def plugin(hub: Hub, name: str):  # type: ignore[no-untyped-def]
    """The line of a plugin."""
    (view,) = [each for each in hub.house.plugins() if each["name"] == name]
    return view


async def test_a_changed_file_ends_the_quarantine(house: House) -> None:
    """Who has mended the plugin has it back with a reload."""
    file = house.file.parent / "my_plugins" / "blocker.py"
    file.write_text(MOODY.replace("START", "os.abort()"))
    house.write(SCHOOL.replace("  lamp: {driver: lamp}", "  lamp: {driver: blocker}"))
    async with house.hub() as hub:
        await until(lambda: plugin(hub, "blocker")["state"] == "quarantined", within_s=30)
        file.write_text(MOODY.replace("START", "pass"))
        plan = await hub.configuration.look()
        await hub.configuration.apply(plan["id"], "it", confirmed=True)
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        assert plugin(hub, "blocker")["state"] == "ok"


async def test_a_plugin_that_blocks_is_named_while_the_door_answers(house: House) -> None:
    """The event says which; a command given meanwhile is confirmed as fast as ever."""
    (house.file.parent / "my_plugins" / "blocker.py").write_text(BLOCKER)
    house.write(SCHOOL.replace("  lamp: {driver: lamp}", "  lamp: {driver: blocker}"))
    async with house.hub() as hub:
        await until(lambda: lock_of(hub) == "locked")
        await hub.house.command_door("front", "unlock", "desk", "")
        await until(lambda: lock_of(hub) == "unlocked")
        async with asyncio.timeout(30):
            while not await events(hub, "plugin.misbehaved"):
                await asyncio.sleep(0.05)
        (first, *_) = await events(hub, "plugin.misbehaved")
        assert first.data["plugin"] == "blocker"
        assert "its loop has not answered" in first.data["reason"]
        async with asyncio.timeout(30):
            while not any("lamp" in each for each in (await hub.house.health())["problems"]):
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["cameras", "notifiers", "visitors"])
async def test_only_what_moves_doors_learns_the_broker(house: House, kind: str) -> None:
    """Locks listen on the site's broker: no camera plugin has a way to it."""
    async with house.hub() as hub:
        context = hub.context(hub.config, kind, "any")  # type: ignore[arg-type]
        with pytest.raises(Refused, match="no way to the site's broker"):
            await context.broker()
        moving = hub.context(hub.config, "access_control", "panel")
        assert (await moving.broker()).port > 0
        assert context.devices == {}


async def test_no_plugin_process_outlives_the_hub(house: House, tmp_path: Path) -> None:
    """When the hub is gone, so are its plugins' processes."""
    async with house.hub() as hub:
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        pids = [v["pid"] for v in hub.supervisor.views() if v["name"] == "plugin lamp"]
    assert pids
    assert all(not Path(f"/proc/{pid}").exists() for pid in pids)
