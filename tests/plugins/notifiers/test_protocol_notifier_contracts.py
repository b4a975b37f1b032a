"""Notifiers that speak protocols of their own keep the contract, each with a real peer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from aiohttp import web

from hub import Context, Subscription, SystemClock
from hub.broker import EmbeddedBroker
from hub.testing import CabledDevice, Trial
from plugins.notifiers import algo, cap, mqtt, webpush
from tests.plugins.notifiers.algo_device import AlgoDevice
from tests.plugins.notifiers.cap_rules import faults
from tests.plugins.notifiers.long_limits import LongLimits
from tests.plugins.notifiers.push_service import PushService


class Broker(CabledDevice):
    """The hub's own broker at the end of the line."""

    async def serve(self) -> int:
        self._broker = EmbeddedBroker()
        self._address = await self._broker.start()
        return int(self._address.port)

    async def start(self) -> None:
        await super().start()
        who = {"username": self._address.username, "password": self._address.password}
        self.settings = {"host": "127.0.0.1", "port": self.port, **who}

    async def end(self) -> None:
        await self._broker.stop()


class AlgoSpeaker(CabledDevice):
    """A pretended Algo speaker that checks each request as the real one does."""

    async def serve(self) -> int:
        self._speaker = AlgoDevice(SystemClock())
        return int(await self._speaker.start())

    async def start(self) -> None:
        await super().start()
        self.settings = {"url": f"http://127.0.0.1:{self.port}", "password": "algo"}

    async def end(self) -> None:
        await self._speaker.stop()


class CapReceiver(CabledDevice):
    """A real HTTP server that takes CAP documents and keeps none."""

    async def serve(self) -> int:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/cap", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        await super().start()
        self.settings = {"url": f"http://127.0.0.1:{self.port}/cap"}

    async def end(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        wrong = faults(await request.read())
        return web.Response(status=422 if wrong else 200, text="; ".join(wrong))


class Pushing(CabledDevice):
    """A push service with one browser behind it, which decrypts what comes."""

    async def serve(self) -> int:
        self._service = PushService(SystemClock())
        return int(await self._service.start())

    async def start(self) -> None:
        await super().start()
        self.browser = self._service.browser(self.port)
        self.settings = {"services": [f"127.0.0.1:{self.port}"]}

    async def end(self) -> None:
        await self._service.stop()

    async def subscriptions(self, people: Collection[str]) -> list[Subscription]:
        self.browser.told.clear()
        self.browser.headers.clear()
        return [self.browser.subscription("the only one", "guard")]


class TestMqtt(LongLimits):
    driver = mqtt.vestibule_notifiers()[0]
    device = Broker


class TestAlgo(LongLimits):
    driver = algo.vestibule_notifiers()[0]
    config = {"tone": "warble1-low.wav", "strobe": {"pattern": 13}}
    device = AlgoSpeaker


class TestCap(LongLimits):
    driver = cap.vestibule_notifiers()[0]
    config = {"sender": "school.example", "folder": "feed"}
    device = CapReceiver


class TestWebPush(LongLimits):
    driver = webpush.vestibule_notifiers()[0]
    config = {"contact": "mailto:it@school.example", "text": True}
    device = Pushing

    def context(self, trial: Trial) -> Context:
        device: Any = trial.device
        return replace(super().context(trial), subscriptions=device.subscriptions)
