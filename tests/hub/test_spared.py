"""A start beside plugins that cannot be used: what needs them is out of service, the rest runs."""

from __future__ import annotations

import asyncio

import pytest
from test_configuration import LAMP, SCHOOL, House, events, house, lock_of, until

from hub.app import Hub
from hub.check import check
from hub.plugins import load_registry

__all__ = ["house"]

EVERY_KIND = """\
cameras:
  eye: {driver: lamp, place: hall, detector: finder}
detectors:
  finder: {driver: lamp}
visitors:
  desk: {driver: lamp, place: hall}
"""


def plugin(house: House, name: str, text: str) -> None:
    (house.file.parent / "my_plugins" / f"{name}.py").write_text(text)


async def answers(hub: Hub) -> None:
    """The door does what it is told."""
    await until(lambda: lock_of(hub) == "locked")
    await hub.house.command_door("front", "unlock", "desk", "")
    await until(lambda: lock_of(hub) == "unlocked")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise RuntimeError('no licence')\n", "RuntimeError: no licence"),
        ("import os; os.abort()\n", "ended the process (SIGABRT)"),
        (LAMP.replace("    return [", "    raise OSError('no bulb')\n    return ["), "no bulb"),
        (
            LAMP.replace("Lamp, Config", "Lamp, int"),
            "expected config to be a subclass of hub.Block",
        ),
    ],
)
async def test_a_start_leaves_out_what_a_broken_plugin_offers(
    house: House, text: str, why: str
) -> None:
    """The first start, even: doors answer, the channel is failed with the reason, an event says
    so, and `check` still calls the file wrong.
    """
    plugin(house, "lamp", text)
    assert [each.path for each in check(house.file)] == ["notifiers.lamp.driver"]
    async with house.hub() as hub:
        await answers(hub)
        lamp = hub.drivers.get("notifiers", "lamp")
        assert lamp.state == "failed"
        assert why in lamp.reason
        (told,) = [each for each in await events(hub, "plugin.failed") if each.subject == "lamp"]
        assert why in told.data["reason"]
        health = await hub.house.health()
        assert any(why in each for each in health["problems"])
        assert [each["name"] for each in health["plugins"]] == ["lamp"]


async def test_every_kind_may_be_out_of_service(house: House) -> None:
    """Camera, detector, controller, desk and channel of a broken plugin take nothing else along;
    a door without its controller is unknown, never locked.
    """
    plugin(house, "lamp", "raise RuntimeError('no licence')\n")
    side = "  side: {name: Side, controller: vendor, place: hall, egress: free}\n"
    text = SCHOOL.replace("notifiers:\n", f"{side}notifiers:\n")
    text = text.replace("panel: {driver: s", "vendor: {driver: lamp}\n  panel: {driver: s")
    house.write(text + EVERY_KIND)
    async with house.hub() as hub:
        await answers(hub)
        views = {(each["kind"], each["id"]): each["state"] for each in hub.drivers.views()}
        for one in (("cameras", "eye"), ("access_control", "vendor"), ("visitors", "desk")):
            assert views[one] == "failed", one
        (side_door,) = [each for each in hub.house.doors() if each["id"] == "side"]
        assert side_door["conclusion"] == "unknown"
        assert not side_door["online"]
        (eye,) = hub.house.cameras()
        assert "no licence" in eye["reason"]


async def test_a_mended_plugin_comes_with_a_reload(house: House) -> None:
    """Nothing has to be started again once the vendor has sent what works."""
    plugin(house, "lamp", "raise RuntimeError('no licence')\n")
    async with house.hub() as hub:
        await answers(hub)
        assert (await hub.configuration.look())["problems"]
        plugin(house, "lamp", LAMP)
        plan = await hub.configuration.look()
        assert not plan["problems"]
        await hub.configuration.apply(plan["id"], "it", confirmed=True)
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        assert lock_of(hub) == "unlocked"


async def test_a_plugin_that_is_gone_is_missed_by_its_block_only(house: House) -> None:
    """What ran before starts again after a package was lost; a name that never ran is a mistake."""
    async with house.hub() as hub:
        await answers(hub)
    (house.file.parent / "my_plugins" / "lamp.py").unlink()
    async with house.hub() as hub:
        await until(lambda: lock_of(hub) == "locked")
        lamp = hub.drivers.get("notifiers", "lamp")
        assert (lamp.state, lamp.reason) == (
            "failed", "no plugin offers a driver 'lamp' for notifiers"
        )  # fmt: skip
        assert hub.configuration.trouble == ""
    house.edit("{driver: lamp}", "{driver: lmp}")
    assert house.choose() is not None, "what was kept runs instead"
    chosen = house.choose()
    assert chosen is not None
    assert "is not valid" in chosen.trouble


async def test_a_first_start_on_a_misspelt_driver_is_refused(house: House) -> None:
    """Where every plugin is sound, a driver that nobody offers is the file's fault."""
    house.edit("lamp: {driver: lamp}", "lamp: {driver: lmp}")
    assert house.choose() is None


async def test_a_clash_stops_no_start(house: House) -> None:
    """A built-in driver stays the built-in one; one that two plugins offer can be used by nobody;
    `check` refuses both.
    """
    plugin(house, "other", LAMP)
    plugin(house, "grabbing", LAMP.replace('"lamp"', '"logbook"'))
    async with house.hub() as hub:
        await answers(hub)
        assert hub.drivers.get("notifiers", "logbook").state == "running"
        lamp = hub.drivers.get("notifiers", "lamp")
        assert lamp.state == "failed"
        assert "two plugins offer the driver 'lamp'" in lamp.reason
        states = {each["name"]: each["state"] for each in hub.house.plugins()}
        assert states["grabbing"] == states["other"] == "invalid"
        async with asyncio.timeout(20):
            failed = await events(hub, "plugin.failed")
        assert [each.subject for each in failed] == ["lamp"]


def test_what_a_broken_plugin_might_offer_is_said(house: House) -> None:
    """A file that breaks before it announces may be whose driver is missed: it is named."""
    plugin(house, "lamp", "")
    plugin(house, "vendor", "import no_such_module\n")
    reason = load_registry(house.file.parent / "my_plugins").why_missing("notifiers", "bell")
    assert reason.startswith("no plugin offers a driver 'bell' for notifiers, unless it is that of")
    assert "vendor.py) is broken: ModuleNotFoundError" in reason
