"""A whole hub tells a browser and those who read CAP: a panic button, and that it was nothing."""

from __future__ import annotations

import asyncio
import http.cookiejar
import json
import re
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from hub import SystemClock
from hub.testing import RunningHub
from tests.plugins.notifiers.cap_rules import faults, read
from tests.plugins.notifiers.push_service import Browser, PushService

PASSWORD = "four quiet words here"
SWITCH = r'data-notifier="(\w+)" data-key="[-\w]+" data-csrf="([^"]+)"'
SETUP = r"http://\S+/setup/\S+"
CONFIG = """
hub: {{name: Hill School, timezone: America/Chicago}}
places:
  school: {{name: School, kind: site}}
people:
  jo: {{name: Jo, role: sro}}
notifiers:
  phones:
    driver: webpush
    isolate: true                 # as every driver from outside is: the contract crosses over
    contact: "mailto:it@school.example"
    services: ["127.0.0.1:{port}"]
  feed: {{driver: cap, sender: school.example, folder: feed}}
inbound:
  panic:
    name: Panic buttons
    key: {{header: X-API-Key, secret: the word of the panic buttons}}
    fields: {{id: id, label: what, place: {{otherwise: school}}}}
rules:
  panic:
    name: Somebody pressed a panic button
    when: report.received
    alert: {{severity: high, tell: [jo], through: [phones, feed]}}
"""


class Person:
    """Somebody with a browser, who makes the first account and presses buttons as pages do."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        jar = http.cookiejar.CookieJar()
        self._web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def begin(self, browser: Browser) -> None:
        """Make the account by the link that was printed, then press "Tell this device"."""
        assert self.hub._process
        assert self.hub._process.stdout
        printed = re.search(SETUP, self.hub._process.stdout.readline())
        assert printed, "a new hub prints the link on the line after its address"
        link = printed[0]
        csrf = re.search(r'name="csrf" value="([^"]+)"', self._page(link))
        assert csrf
        fields = {"name": "Jo", "password": PASSWORD, "again": PASSWORD, "csrf": csrf[1]}
        self._web.open(link, urllib.parse.urlencode(fields).encode(), timeout=30).close()
        found, end = None, time.monotonic() + 30
        while not found and time.monotonic() < end:  # the notifier's process may still be starting
            time.sleep(0.05)
            found = re.search(SWITCH, self._page(f"{self.hub.address}/me"))
        assert found, "the page offers the switch"
        self.csrf = found[2]
        body = {"notifier": found[1], "subscription": browser.given()}
        assert self._post("/me/browsers", body) == 201

    def press(self) -> None:
        """Press a panic button, whose service tells the hub."""
        body = json.dumps({"id": "press-1", "what": "panic button"}).encode()
        request = urllib.request.Request(f"{self.hub.address}/inbound/panic", body)
        request.add_header("X-API-Key", "the word of the panic buttons")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 202

    def open_alert(self) -> str:
        """The one alert that waits for somebody."""
        (alert,) = json.loads(self._page(f"{self.hub.address}/api/v1/alerts?open=true"))
        return str(alert["id"])

    def dismiss(self, alert: str) -> None:
        """Say that it is a false alarm."""
        assert self._post(f"/api/v1/alerts/{alert}/verdict", {"verdict": "dismissed"}) == 200

    def _page(self, address: str) -> str:
        with self._web.open(address, timeout=30) as answer:
            return str(answer.read().decode())

    def _post(self, path: str, body: dict[str, Any]) -> int:
        request = urllib.request.Request(self.hub.address + path, json.dumps(body).encode())
        request.add_header("X-CSRF-Token", self.csrf)
        request.add_header("Content-Type", "application/json")
        with self._web.open(request, timeout=30) as answer:
            return int(answer.status)


async def told(browser: Browser, count: int) -> None:
    """Wait until a browser was told so often."""
    async with asyncio.timeout(30):
        while len(browser.told) < count:
            await asyncio.sleep(0.05)


async def laid(feed: Path, count: int) -> None:
    """Wait until so many documents lie in a folder."""
    async with asyncio.timeout(30):
        while len(list(feed.glob("*.xml"))) < count:
            await asyncio.sleep(0.05)


async def test_an_alert_and_its_verdict_reach_browser_and_cap(tmp_path: Path) -> None:
    """The false alarm takes the alert's place on the screen, and cancels exactly its document. A
    notifier in a process of its own learns of browsers too.
    """
    service = PushService(SystemClock())
    config = tmp_path / "school.yaml"
    config.write_text(CONFIG.format(port=await service.start()))
    browser = service.browser()
    hub = RunningHub(config, tmp_path / "state")
    feed = tmp_path / "state" / "notifiers" / "feed" / "feed"
    person = Person(hub)
    try:
        await asyncio.to_thread(hub.start)
        await asyncio.to_thread(person.begin, browser)
        await asyncio.to_thread(person.press)
        await told(browser, 1)
        await laid(feed, 1)
        alert = await asyncio.to_thread(person.open_alert)
        assert browser.told[0]["title"] == "Somebody pressed a panic button"
        assert browser.told[0]["path"] == f"/alerts/{alert}"
        await asyncio.to_thread(person.dismiss, alert)
        await told(browser, 2)
        assert browser.told[1]["tag"] == browser.told[0]["tag"]
        await laid(feed, 2)
    finally:
        await asyncio.to_thread(hub.__exit__)
        await service.stop()
    made = [file.read_bytes() for file in feed.glob("*.xml")]
    assert [faults(each) for each in made] == [[], []]
    first, last = sorted(map(read, made), key=lambda one: one["msgType"])
    assert (first["msgType"], last["msgType"]) == (["Alert"], ["Cancel"])
    named = ",".join((first["sender"][0], first["identifier"][0], first["sent"][0]))
    assert named in last["references"][0].split()
