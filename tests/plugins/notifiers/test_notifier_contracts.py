"""Every built-in notifier keeps the contract, with a real peer where it talks to one."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP

from hub.testing import CabledDevice, Device, NotifierContract
from plugins.notifiers import console, email, logbook, ntfy, simulated_siren, webhook
from tests.plugins.notifiers.long_limits import LongLimits


class HttpReceiver(CabledDevice):
    """A real HTTP server that takes everything and keeps nothing."""

    async def serve(self) -> int:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def end(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"id": "taken"})


class WebhookReceiver(HttpReceiver):
    async def start(self) -> None:
        await super().start()
        self.settings = {
            "url": f"http://127.0.0.1:{self.port}/alerts",
            "secret": "a secret of decent length",
        }


class NtfyServer(HttpReceiver):
    async def start(self) -> None:
        await super().start()
        self.settings = {"server": f"http://127.0.0.1:{self.port}", "topic": "school"}


class MailServer(CabledDevice):
    """A real SMTP server that takes every mail and keeps none."""

    async def serve(self) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="sink", loop=loop, data_size_limit=None, timeout=30),
            "127.0.0.1",
            0,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        await super().start()
        self.settings = {"host": "127.0.0.1", "port": self.port}

    async def end(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return "250 taken"


class Folder(Device):
    """The state folder of a driver that writes a file; a file in its place when it vanishes."""

    async def start(self) -> None:
        self._state = self.folder / "state"

    async def vanish(self) -> None:
        self._aside = self.folder / "aside"
        if self._state.exists():
            self._state.rename(self._aside)
        self._state.write_text("in the way")

    async def come_back(self) -> None:
        if self._state.is_file():
            self._state.unlink()
            if self._aside.exists():
                self._aside.rename(self._state)

    async def stop(self) -> None:
        shutil.rmtree(self._state, ignore_errors=True)


class TestWebhook(LongLimits):
    driver = webhook.vestibule_notifiers()[0]
    device = WebhookReceiver


class TestNtfy(LongLimits):
    driver = ntfy.vestibule_notifiers()[0]
    device = NtfyServer


class TestEmail(LongLimits):
    driver = email.vestibule_notifiers()[0]
    config = {"sender": "hub@school.example", "to": ["sro@school.example"], "security": "plain"}
    device = MailServer


class TestConsole(NotifierContract):
    driver = console.vestibule_notifiers()[0]
    alone = True


class TestLogbook(NotifierContract):
    driver = logbook.vestibule_notifiers()[0]
    device = Folder
    alone = True


class TestSimulatedSiren(NotifierContract):
    driver = simulated_siren.vestibule_notifiers()[0]
    device = Folder
    alone = True
