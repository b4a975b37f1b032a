"""The pages as they are served: where, under which certificate, and what is wrong with that.

Where they listen and whether they speak TLS is decided at the start. A certificate that is renewed
is taken over while they are served, and the hub makes its own anew before it ends. No fault of a
certificate keeps a hub from starting: its own stands in for one that cannot be used, and that is
told.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from socket import socket
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from hub import certificate
from hub.certificate import Certificate
from hub.clock import Clock, iso
from hub.config import HubSettings
from hub.errors import StateError
from hub.identity.guessable import trouble_with
from hub.sign_in_settings import on_this_machine
from hub.views import PagesView
from hub.web.connections import IDLE_S, Connections
from hub.web_settings import WebSettings

LOOKED_EVERY_S = 60.0
TOLD_BEFORE = timedelta(days=14)
CLOSE_WITHIN_S = 0.5

log = structlog.get_logger(__name__)


class Served:
    """Serves the pages; `run` has to run while the hub does."""

    def __init__(
        self, state: Path, beside: Path, clock: Clock, hub: Callable[[], HubSettings]
    ) -> None:
        self._state, self._beside, self._clock = state, beside, clock
        self._hub = hub
        self._begun: WebSettings | None = None
        self._context: ssl.SSLContext | None = None
        self._certificate: Certificate | None = None
        self._loaded: tuple[object, ...] = ()
        self._turn = asyncio.Lock()
        self._trouble = ""
        self._list_trouble = ""
        self._listens = ""
        self.address = ""
        self.connections = Connections()

    async def open(self, app: web.Application, listener: socket, exits: AsyncExitStack) -> None:
        """Serve an application on a listening socket until `exits` are closed. Raises `StateError`
        where there is no certificate to be had.
        """
        self._begun = self._settings()
        if self._begun.tls != "off":
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
            await self._taken()
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,  # a body that is packed is refused, not unpacked
            shutdown_timeout=CLOSE_WITHIN_S,
            keepalive_timeout=IDLE_S,
        )
        await runner.setup()
        exits.push_async_callback(runner.cleanup)
        assert runner.server is not None
        taking = asyncio.create_task(
            self.connections.take(listener, runner.server, self._context), name="web-connections"
        )
        exits.push_async_callback(_ended, taking)
        host, port = listener.getsockname()[:2]
        self._listens = str(host)
        self.address = self._begun.address or f"{self.scheme}://{_reached(host)}:{port}"

    def _settings(self) -> WebSettings:
        return self._hub().web

    @property
    def scheme(self) -> str:
        """How they speak."""
        return "http" if self._context is None else "https"

    @property
    def only_here(self) -> bool:
        """Whether nobody reaches them but from this machine."""
        return self._begun is None or (on_this_machine(self._listens) and not self._begun.address)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the hub's own certificate; empty where it has none."""
        made = self._certificate is not None and self._certificate.file.parent == self._state
        return self._certificate.fingerprint if made and self._certificate else ""

    async def run(self) -> None:
        """Look after the certificate and the list of breached passwords, for ever."""
        while True:
            await self.look()
            await self._clock.sleep(LOOKED_EVERY_S)

    async def look(self) -> None:
        """Take over a certificate that was renewed; see whether the list can be read."""
        self._list_trouble = await asyncio.to_thread(self._of_the_list)
        if self._context is not None:
            await self._taken()

    async def _taken(self) -> None:
        """One at a time: two that make the hub's own would each write their file over the other's,
        and somebody compares a fingerprint that is gone.
        """
        async with self._turn:
            await asyncio.to_thread(self._take)

    def _of_the_list(self) -> str:
        """Why the file of breached passwords is of no use; empty where it is, or there is none."""
        named = self._hub().sign_in.breached
        return trouble_with(self._beside / named) if named is not None else ""

    def _take(self) -> None:
        """Load what is to be shown from now on. Raises `StateError` where nothing can be."""
        assert self._context is not None
        settings = self._settings()
        self._trouble = ""
        if settings.tls == "own" and settings.certificate and settings.certificate_key:
            file, key = self._beside / settings.certificate, self._beside / settings.certificate_key
            try:
                self._load(certificate.read(file, key))
                return
            except StateError as error:
                self._trouble = f"{error}; "
                if self._certificate is not None:
                    self._trouble += "the one before is still shown"
                    return
                self._trouble += "one that the hub has made stands in"
        self._load(certificate.own(self._state, self._needed(settings), self._clock.now()))

    def _load(self, found: Certificate) -> None:
        """Show this one to whoever connects from now on. Raises `StateError`."""
        assert self._context is not None
        loaded = (found, *(_seen(each) for each in (found.file, found.key)))
        if loaded == self._loaded:
            return
        certificate.load(self._context, found)
        self._certificate, self._loaded = found, loaded
        log.info("the pages show a certificate", file=str(found.file), until=iso(found.until))

    def _needed(self, settings: WebSettings) -> set[str]:
        """The names that the hub's own certificate has to be good for."""
        host = urlsplit(settings.address).hostname if settings.address else None
        listens = ipaddress.ip_address(settings.listen)
        listen = {str(listens)} if not listens.is_unspecified else set()
        return {"localhost", *settings.names, *({host} if host else ()), *listen}

    def problems(self) -> list[str]:
        """What health has to say of it."""
        found, begun, settings = self._certificate, self._begun, self._settings()
        said = [f"pages: {self._trouble}"] if self._trouble else []
        if self._list_trouble:
            said.append(f"breached passwords are not recognised: {self._list_trouble}")
        if found is not None and found.until - self._clock.now() < TOLD_BEFORE:
            said.append(f"pages: the certificate {found.file} ends {iso(found.until)}; renew it")
        if begun is not None and _place(begun) != _place(settings):
            words = "`hub.web.listen`, `port` or `tls` is another now, which the next start takes"
            said.append(f"pages: {words}")
        return said

    def view(self) -> PagesView:
        """Where the pages are, as health shows it."""
        found = self._certificate
        return PagesView(
            address=self.address,
            tls=self._begun.tls if self._begun is not None else "off",
            fingerprint=found.fingerprint if found else "",
            certificate_until=iso(found.until) if found else "",
        )


async def _ended(taking: asyncio.Task[None]) -> None:
    """Accept no more connections."""
    taking.cancel()
    with suppress(asyncio.CancelledError):
        await taking


def _place(settings: WebSettings) -> tuple[object, ...]:
    return settings.listen, settings.port, settings.tls == "off"


def _reached(host: str) -> str:
    """An address as one types it on this machine; those that mean every network are localhost."""
    if ipaddress.ip_address(host).is_unspecified:
        return "127.0.0.1" if ":" not in host else "[::1]"
    return f"[{host}]" if ":" in host else host


def _seen(file: Path) -> tuple[object, ...]:
    """What tells whether a file is another than before."""
    try:
        stat = file.stat()
    except OSError as error:
        raise StateError(f"{file} cannot be read: {error.strerror}") from error
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
