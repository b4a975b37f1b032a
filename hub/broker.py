"""The hub's own MQTT broker, for a site that names none.

It listens on the loopback address only, on a free port, and lets in only clients that know the
password made at start: another account on the machine must not be able to send a lock a command.
Nothing is kept when it stops, so no message outlives the run that sent it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from hub.errors import Refused
from hub.kinds import BrokerAddress, Kind

USERNAME = "vestibule"
_STOP_SECONDS = 3.0


class KnowsPassword(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in a client that gives the one user name and password."""

    @dataclass
    class Config:
        """What the broker's configuration says for this plugin."""

        password: str

    async def authenticate(self, *, session: Session) -> bool:
        """Whether the session's password is the one made at start (compared in constant time)."""
        expected = str(self._get_config_option("password", ""))
        given = session.password or ""
        known = session.username == USERNAME
        return hmac.compare_digest(given.encode(), expected.encode()) and known and bool(expected)


class EmbeddedBroker:
    """An MQTT 3.1.1 broker in this process; `start`, then `stop`, once each."""

    def __init__(self) -> None:
        self._broker: Broker | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self.start_seconds = 0.0

    async def start(self) -> BrokerAddress:
        """Listen on a free port of 127.0.0.1 and say where, with the password to give."""
        began = time.perf_counter()
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        password = secrets.token_urlsafe(24)
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "external"}},
                "plugins": {"hub.broker.KnowsPassword": {"password": password}},
            }
        )
        await self._broker.start()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = int(self._server.sockets[0].getsockname()[1])
        self.start_seconds = time.perf_counter() - began
        return BrokerAddress("127.0.0.1", port, USERNAME, password)

    async def stop(self) -> None:
        """Let go of every client and of the port; harmless when it never started."""
        server, self._server = self._server, None
        broker, self._broker = self._broker, None
        if server is not None:
            server.close()
        if broker is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await broker.shutdown()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_STOP_SECONDS)
        if server is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._broker is None:
            writer.close()
            return
        task.set_name("mqtt broker connection")
        self._connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await self._broker.external_connected(
                    StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default"
                )
        finally:
            self._connections.discard(task)
            writer.close()


def no_broker_for(kind: Kind) -> Callable[[], Awaitable[BrokerAddress]]:
    """Locks listen on the site's broker: only what moves doors may join it."""

    async def refuse() -> BrokerAddress:
        raise Refused(f"a driver of {kind} has no way to the site's broker, where locks listen")

    return refuse
