"""Protocols in a whole hub: a button on its broker, real drivers, and what pages ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiomqtt import Client

from hub.app import Hub
from hub.chosen import choose
from hub.kept import KeptConfigs
from hub.secrets import Secrets
from hub.storage.folder import StateFolder

SCHOOL = """
places:
  school: {name: School, kind: site}
  office: {name: Office, kind: room, in: school}
access_control:
  locks: {driver: simulated}
doors:
  main: {name: Main entrance, controller: locks, place: school, egress: free}
  yard: {name: Yard door, controller: locks, place: school}
notifiers:
  log: {driver: logbook}
  siren: {driver: simulated_siren}
protocols:
  lockdown:
    doors: [{verb: lock, doors: [main]}]
    through: [log, siren]
inputs:
  button: {topic: buttons/office, payload: PRESSED, does: lockdown, place: office}
"""


async def _until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while True:
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            await asyncio.sleep(0.02)


async def test_a_button_on_the_hubs_own_broker_locks_the_school(tmp_path: Path) -> None:
    """From the message on the broker to the lock that reports, the log that is written and the
    siren that sounds, and from two people's words back again.
    """
    file = tmp_path / "school.yaml"
    file.write_text(SCHOOL, encoding="utf-8")
    folder, secrets = StateFolder(tmp_path / "state"), Secrets()
    chosen = choose(file, KeptConfigs(folder.configs), secrets)[0]
    assert chosen is not None
    with folder.lock():
        async with Hub(chosen, folder, file, secrets=secrets) as hub:
            facade = hub.house.protocols
            address = await hub._site_broker()
            where = {"username": address.username, "password": address.password}
            async with Client(address.host, address.port, **where) as button:

                async def pressed() -> Any:
                    await button.publish("buttons/office", "PRESSED", qos=1)
                    return (await facade.view())["in_force"]

                (run,) = await _until(pressed)
            assert (run["protocol"], run["area"], run["device"]) == ("lockdown", "school", "Button")

            async def secured() -> Any:
                return (await facade.run(run["id"]))["secured"] == 1

            await _until(secured)
            siren = folder.path / "notifiers" / "siren" / "siren.json"
            await _until(lambda: '"on": true' in siren.read_text())
            assert (await facade.view())["choices"][0]["will"] == [
                "Locks Main entrance", "Sounds Siren", "Tells everyone through Log",
            ]  # fmt: skip
            await facade.ask_end(run["id"], "one")
            over = await facade.end(run["id"], "two")
            assert over["state"] == "ended"
            await _until(lambda: '"on": false' in siren.read_text())
            assert hub.house._queues()["inputs"]["presses"] >= 1
