"""Webhooks of a UniFi Access console: signed as it documents, taken as news, counted once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pretended_console import TOKEN, PretendedConsole, PretendedDoor
from test_unifi_doors import console, joined, until, used  # noqa: F401

from hub import CommandFailed, NotReady
from hub.testing import running_hub

SECRET = "6601f1243d2ff70f"
HUB = """
    places: {lobby: {name: Lobby, kind: room}}
    access_control:
      console: {driver: unifi, host: 127.0.0.1, port: %(port)s, token: %(token)s,
                fingerprint: "%(fingerprint)s"}
    doors:
      main: {name: Main entrance, controller: console, place: lobby, device: {door: front-1}}
    inbound:
      console_hook:
        controller: console
        signature: {header: Signature, form: "t={timestamp},v1={signature}",
                    signs: "{timestamp}.{body}", secret: %(secret)s}
    notifiers: {lines: {driver: console}}
"""


def hook(event: str, door: str = "front-1", **said: Any) -> str:
    """A webhook in the documented form."""
    where = {"id": door, "location_type": "door", "name": "Front", "extras": {}}
    device = {"name": "UA-HUB-3855", "id": "7483c2773855", "device_type": "UAH"}
    data = {"location": where, "device": device, "actor": None, **said}
    return json.dumps({"event": event, "event_object_id": "3a5d27e6", "data": data})


def use(
    result: str = "Access Granted", how: str = "NFC", who: str = "d62e92fd", **more: Any
) -> str:
    """That somebody used a credential."""
    said = {"authentication_type": how, "authentication_value": "", "result": result}
    actor = {"id": who, "name": "Lisa", "type": "user"}
    return hook("access.door.unlock", actor=actor, object=said, **more)


def position(status: str, **more: Any) -> str:
    """That a door was opened or closed."""
    said = {"event_type": "dps_change", "status": status}
    return hook("access.device.dps_status", object=said, **more)


async def test_a_position_is_news_and_answers_nothing(console):  # noqa: F811
    """Open at once, without a word of the lock; of a door without a contact, or one that the hub
    does not know, nothing.
    """
    async with joined(console) as (doors, listener):
        assert await doors.hear(position("open")) == ""
        assert await doors.hear(position("open", door="yard-2")) == ""
        assert await doors.hear(position("open", door="attic-3")) == ""
        await until(lambda: any(each.position == "open" for each in listener.heard))
        (report,) = [each for each in listener.heard if each.position == "open"]
        assert (report.door, report.lock) == ("main", None)
        assert not report.answers


async def test_a_use_that_comes_by_push_and_by_webhook_is_one(console):  # noqa: F811
    """Either way first, each use is reported once, with a reference and no name; two uses are two;
    what was opened from afar is none.
    """
    async with joined(console) as (doors, listener):
        assert await doors.hear(use()) == ""
        await console.push_access("front-1", "ACCESS", "NFC", card="card-7")
        await console.push_access("front-1", "BLOCKED", "NFC", card="card-8")
        await until(lambda: len(used(listener)) == 2)
        assert await doors.hear(use("Access Denied")) == ""
        assert await doors.hear(use()) == ""
        assert await doors.hear(use()) == ""
        assert await doors.hear(use(how="REMOTE_THROUGH_UAH")) == ""
        await until(lambda: len(used(listener)) == 4)
        assert [each.access for each in used(listener)] == [
            "granted", "denied", "granted", "granted",
        ]  # fmt: skip
        said = repr(listener.heard)
        assert "d62e92fd" not in said
        assert "Lisa" not in said


async def test_what_changes_the_rules_of_doors_makes_us_ask(console):  # noqa: F811
    """An emergency is believed once the console says so itself."""
    async with joined(console) as (doors, listener):
        console.evacuation = True
        assert await doors.hear(hook("access.device.emergency_status", object={})) == ""
        await until(lambda: any("evacuation" in each.detail for each in listener.heard))


async def test_what_is_none_of_it_is_said(console):  # noqa: F811
    """A doorbell is of no interest, nonsense is refused in words, and a driver that does not run
    has it sent again.
    """
    async with joined(console) as (doors, _):
        assert "no interest" in await doors.hear(hook("access.doorbell.incoming"))
        for wrong in ("", "[]", "{}", '{"event": 3}', "[" * 100_000):
            with pytest.raises(CommandFailed, match="expected a webhook of UniFi Access"):
                await doors.hear(wrong)
        for odd in ('{"event": "access.door.unlock"}', hook("access.device.dps_status", object=7)):
            assert await doors.hear(odd) == ""
    with pytest.raises(NotReady):
        await doors.hear(position("open"))


async def test_a_signed_webhook_becomes_door_events_of_a_running_hub(tmp_path: Path) -> None:
    """From the console's own signature to `door.opened` and `access.granted` in the journal; one
    with another secret becomes nothing.
    """
    made = PretendedConsole(**{"front-1": PretendedDoor("Front")})
    port = await made.start()
    said = {"port": port, "token": TOKEN, "fingerprint": made.fingerprint, "secret": SECRET}
    text = HUB
    for name, value in said.items():
        text = text.replace(f"%({name})s", str(value))
    try:
        await asyncio.to_thread(_through_the_hub, text, tmp_path)
    finally:
        await made.stop()


def _through_the_hub(text: str, folder: Path) -> None:
    with running_hub(text, folder) as hub:
        hub.until("doors", lambda doors: doors[0]["online"], 30.0)
        assert asyncio.run(_post(hub.address, position("open"), "another secret, long")) == 401
        assert asyncio.run(_post(hub.address, position("open"))) == 202
        assert asyncio.run(_post(hub.address, use())) == 202
        deadline = time.monotonic() + 20.0
        while not {"door.opened", "access.granted"} <= _journaled(folder):
            assert time.monotonic() < deadline, _journaled(folder)
            time.sleep(0.1)


def _journaled(folder: Path) -> set[str]:
    """The types of all events of the door so far."""
    with closing(sqlite3.connect(folder / "state/journal.db")) as journal:
        return {row[0] for row in journal.execute("SELECT type FROM events WHERE subject = 'main'")}


async def _post(address: str, message: str, secret: str = SECRET) -> int:
    stamp, body = str(int(time.time())), message.encode()
    made = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Signature": f"t={stamp},v1={made}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/inbound/console_hook", data=body, headers=headers) as answer,
    ):
        return answer.status
