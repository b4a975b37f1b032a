"""Every notifier that speaks to a provider keeps the contract, with a strict server as its peer."""

from __future__ import annotations

from collections import deque
from typing import Any

from hub.testing import CabledDevice
from hub.testing.contract import CANARY
from plugins.notifiers import apprise, discord, pagerduty, pushover, signage, slack, teams, twilio
from tests.plugins.notifiers import provider_servers as servers
from tests.plugins.notifiers.long_limits import LongLimits


class Behind(CabledDevice):
    """A provider's server behind a line that can be cut, hushed and disturbed."""

    server: Any

    async def serve(self) -> int:
        self.provider = self.server()
        for kept in ("taken", "changed", "updated", "paths", "raw"):
            setattr(self.provider, kept, deque(maxlen=1))
        return int(await self.provider.start())

    async def end(self) -> None:
        await self.provider.stop()

    async def start(self) -> None:
        await super().start()
        near = f"http://127.0.0.1:{self.port}"
        self.settings = {
            key: value.replace("SERVER", near) if isinstance(value, str) else value
            for key, value in self.block.items()
        }

    block: Any = {}


class LongerCanary(LongLimits):
    """For keys whose text must have a form: the canary stands inside it."""

    forms: Any = {}

    def settings(self, device: Any, **changes: Any) -> Any:
        near = f"http://127.0.0.1:{getattr(device, 'port', 0)}"
        for key, form in self.forms.items():
            if changes.get(key) == CANARY:
                changes[key] = form.replace("SERVER", near).replace("CANARY", CANARY)
        return super().settings(device, **changes)


class PushoverDevice(Behind):
    server = servers.PushoverServer
    block = {"server": "SERVER", "token": servers.PUSHOVER_TOKEN, "user": servers.PUSHOVER_USER}


class TestPushover(LongerCanary):
    driver = next(iter(pushover.vestibule_notifiers()))
    device = PushoverDevice
    secrets = ("token", "user")
    forms = {"token": "CANARY000", "user": "CANARY000"}


class TwilioDevice(Behind):
    server = servers.TwilioServer
    block = {
        "server": "SERVER",
        "account": servers.ACCOUNT,
        "auth_token": servers.AUTH_TOKEN,
        "sender": servers.SENDER,
        "to": ["+15550100123"],
    }


class TestTwilioText(LongLimits):
    driver = next(iter(twilio.vestibule_notifiers()))
    device = TwilioDevice
    secrets = ("auth_token",)


class PagerDutyDevice(Behind):
    server = servers.PagerDutyServer
    block = {"server": "SERVER", "routing_key": servers.ROUTING_KEY}


class TestPagerDuty(LongerCanary):
    driver = next(iter(pagerduty.vestibule_notifiers()))
    device = PagerDutyDevice
    secrets = ("routing_key",)
    forms = {"routing_key": "CANARY00000"}


class SlackBot(Behind):
    server = servers.SlackServer
    block = {"server": "SERVER/api", "token": servers.BOT_TOKEN, "channel": "#alerts"}


class TestSlackBot(LongerCanary):
    driver = next(iter(slack.vestibule_notifiers()))
    device = SlackBot
    secrets = ("token",)
    forms = {"token": "xoxb-CANARY"}


class TeamsDevice(Behind):
    server = servers.TeamsServer
    block = {"webhook": "SERVER/workflows/1/triggers?sig=the-signature-of-the-workflow"}


class TestTeams(LongerCanary):
    driver = next(iter(teams.vestibule_notifiers()))
    device = TeamsDevice
    secrets = ("webhook",)
    forms = {"webhook": "SERVER/workflows/1/triggers?sig=CANARY"}


class DiscordDevice(Behind):
    server = servers.DiscordServer
    block = {"webhook": f"SERVER{servers.DiscordServer.path}"}


class TestDiscord(LongerCanary):
    driver = next(iter(discord.vestibule_notifiers()))
    device = DiscordDevice
    secrets = ("webhook",)
    forms = {"webhook": "SERVER/api/webhooks/1/CANARY"}


class Screens(Behind):
    server = servers.SignageServer
    block = {"url": "SERVER/emergency-alerts", "api_key": servers.SCREEN_KEY}


class TestSignage(LongLimits):
    driver = next(iter(signage.vestibule_notifiers()))
    device = Screens


class LongTail(Behind):
    """Apprise's own JSON form, which any server can take."""

    server = servers.AnyServer

    async def start(self) -> None:
        await super().start()
        self.settings = {"urls": [f"json://127.0.0.1:{self.port}/hook?rto=1&cto=1"]}


class TestApprise(LongerCanary):
    driver = next(iter(apprise.vestibule_notifiers()))
    device = LongTail
    secrets = ("urls",)

    def settings(self, device: Any, **changes: Any) -> Any:
        if changes.get("urls") == CANARY:
            changes["urls"] = [f"json://127.0.0.1:{device.port}/{CANARY}?rto=1&cto=1"]
        return super().settings(device, **changes)
