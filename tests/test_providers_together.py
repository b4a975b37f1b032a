"""A whole hub and six providers: an alert, an answer on a telephone, and the verdict."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.testing import RunningHub
from tests.plugins.notifiers import provider_servers as servers

CONFIG = """
hub: {{name: Test school, timezone: America/Chicago}}
places:
  site: {{name: Test school, kind: site}}
  hall: {{name: Hall, kind: room, in: site}}
access_control:
  locks: {{driver: simulated}}
doors:
  hall_door:
    name: Hall door
    controller: locks
    place: hall
    egress: free
    device: {{behaviour: prompt, forced_after: 1s}}
people:
  sro:
    name: School resource officer
    role: sro
    contact: {{push: {user}}}
notifiers:
  push: {{driver: pushover, server: "{push}", token: {token}}}
  sms: {{driver: twilio, server: "{sms}", account: {account}, auth_token: "{auth_token}",
         sender: "{sender}", to: ["+15550100123"]}}
  on_call: {{driver: pagerduty, server: "{on_call}", routing_key: {routing_key}}}
  chat: {{driver: slack, server: "{chat}/api", token: {bot}, channel: "#alerts"}}
  room: {{driver: discord, webhook: "{room}{path}"}}
  screens: {{driver: signage, url: "{screens}/alerts", api_key: {screen_key}}}
rules:
  forced:
    name: Door forced open
    when: door.forced
    alert: {{severity: severe, tell: [sro], through: [push, sms, on_call, chat, room]}}
    verified:
      - notify: {{through: [screens], text: Stay away from the hall}}
"""
KINDS = {
    "push": servers.PushoverServer,
    "sms": servers.TwilioServer,
    "on_call": servers.PagerDutyServer,
    "chat": servers.SlackServer,
    "room": servers.DiscordServer,
    "screens": servers.SignageServer,
}


class Providers:
    """The servers of all providers, in a thread with a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.all: dict[str, Any] = {name: kind() for name, kind in KINDS.items()}
        for one in self.all.values():
            self._there(one.start())

    def close(self) -> None:
        for one in self.all.values():
            self._there(one.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _there(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)


@pytest.fixture
def providers() -> Iterator[Providers]:
    """All of them, running."""
    made = Providers()
    yield made
    made.close()


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_alert_its_acknowledgement_and_its_verdict_reach_every_provider(
    tmp_path: Path, providers: Providers
) -> None:
    """What is answered on a telephone is taken on here; what is decided here is so there."""
    push, sms, on_call = (providers.all[name] for name in ("push", "sms", "on_call"))
    chat, room, screens = (providers.all[name] for name in ("chat", "room", "screens"))
    config = tmp_path / "school.yaml"
    text = CONFIG.format(
        **{name: one.url for name, one in providers.all.items()},
        user=servers.PUSHOVER_USER, token=servers.PUSHOVER_TOKEN, account=servers.ACCOUNT,
        auth_token=servers.AUTH_TOKEN, sender=servers.SENDER, routing_key=servers.ROUTING_KEY,
        bot=servers.BOT_TOKEN, path=servers.DiscordServer.path, screen_key=servers.SCREEN_KEY,
    )  # fmt: skip
    config.write_text(text, encoding="utf-8")
    told = (push, sms, on_call, chat, room)
    with RunningHub(config, tmp_path / "state") as hub:
        until(lambda: all(one.taken for one in told))
        (alert,) = hub.get("alerts")
        assert on_call.alerts == {alert["id"]: "triggered"}
        assert screens.paths == []
        receipt = next(iter(push.receipts.values()))
        receipt |= {"last_delivered_at": 1, "acknowledged": 1, "acknowledged_at": 1}
        until(lambda: on_call.alerts == {alert["id"]: "acknowledged"})
        until(lambda: push.cancelled)
        hub.post(f"alerts/{alert['id']}/verdict", {"verdict": "verified"})
        until(lambda: screens.shown)
        hub.post(f"alerts/{alert['id']}/resolve", {})
        until(lambda: on_call.alerts == {alert["id"]: "resolved"})
        until(lambda: chat.updated and room.changed and not screens.shown)
        errors = hub.errors()
    assert push.taken[1]["title"].startswith("Taken on")
    for secret in (servers.PUSHOVER_TOKEN, servers.AUTH_TOKEN, servers.ROUTING_KEY):
        assert secret not in errors
