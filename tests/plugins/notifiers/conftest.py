"""A notice, what the hub hands a notifier, and servers: as told, taking all, and silent."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP

from hub import Context, Notice, Recipient
from hub.testing import FakeClock
from tests.plugins.notifiers.mail_server import Sink
from tests.plugins.notifiers.provider_servers import AnyServer

ALERT = Notice(
    key="notice-1",
    about="alert",
    severity="severe",
    title="Person in the closed science wing",
    text="Seen by the corridor camera.",
    time=datetime(2026, 3, 2, 22, 15, tzinfo=UTC),
    to=(Recipient("sro", "School resource officer", "sro@school.example"),),
    place="Science wing, First floor",
    alert="alert-1",
    incident="incident-1",
    link="http://hub.example/alerts/alert-1",
)


@pytest.fixture
def notice():
    """A severe alert; `notice(title=…)` gives another."""

    def made(**changes):
        return replace(ALERT, **changes)

    return made


@pytest.fixture
def context(tmp_path):
    """A driver's context with folders of its own and a fake clock."""
    return Context("channel", clock=FakeClock(), state=tmp_path / "state", config_folder=tmp_path)


class Receiver:
    """A real HTTP server that keeps what it is sent and answers with the statuses it is given."""

    def __init__(self):
        self.requests = []
        self.statuses = []
        self.answer = "taken"
        self.headers = {}
        self.url = ""
        self._runner = None

    async def start(self):
        """Listen on a free port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self):
        """Stop listening."""
        await self._runner.cleanup()

    async def _take(self, request):
        self.requests.append((request.path, dict(request.headers), await request.read()))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, text=self.answer, headers=self.headers)


@pytest.fixture
async def receiver():
    """A running receiver."""
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def server():
    """A server that takes any JSON object."""
    made = AnyServer()
    await made.start()
    yield made
    await made.stop()


class Silent:
    """A server that takes connections and never says a word; `held` are those it has."""

    def __init__(self):
        self.held = []

    async def start(self):
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._hold, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Let go of everybody."""
        for writer in self.held:
            writer.close()
        self._server.close()
        await self._server.wait_closed()

    async def _hold(self, reader, writer):
        self.held.append(writer)
        await reader.read()


@pytest.fixture
async def silent():
    """A running server that never answers."""
    made = Silent()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def sink():
    """What the server is handed."""
    return Sink()


@pytest.fixture
async def smtp(sink):
    """Starts servers with the given SMTP options and returns the port; stops them at the end."""
    running = []

    async def start(encrypted=None, at="127.0.0.1", **options):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(sink, hostname="sink", loop=loop, **options), at, 0, ssl=encrypted
        )
        running.append(server)
        return server.sockets[0].getsockname()[1]

    yield start
    for server in running:
        server.close()
        await server.wait_closed()
