"""Drivers in plugin hosts, as the hub calls them: the same contracts, each call with a deadline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from hub.calls import trait_of
from hub.clock import Clock
from hub.config import DriverBlock, HostedBlock
from hub.errors import NotReady, PluginError, VestibuleError
from hub.hosts import Misbehaved, PluginHost
from hub.kinds import Context, Driver, Kind
from hub.kinds.access_control import AccessReport, Capabilities, DoorReport, Verb
from hub.kinds.cameras import Purpose, VideoSource
from hub.kinds.notifiers import Ack, Channel, Notice, Receipt
from hub.kinds.visitors import Screening, Visit, WalkIn
from hub.link import Message
from hub.plain_settings import plain
from hub.plugins import Provider, Registry
from hub.supervisor import Supervisor


class Isolated:
    """One instance in a host. It is built there when it starts, again in each life of the host."""

    def __init__(
        self, host: PluginHost, kind: Kind, key: str, said: Message, let_go: Callable[[], Any]
    ) -> None:
        self.key = key
        self.host = host
        self._kind = kind
        self._said = said
        self._let_go = let_go
        self._life = 0

    async def build(self) -> None:
        """Build it in its host. Raises `PluginError` where it cannot be built."""
        life = await self.host.ready()
        if life == self._life:
            return
        try:
            sent = await self.host.build(self.key, self._said)
        except NotReady:
            raise
        except VestibuleError as error:
            raise PluginError(f"its factory raised {error}") from error
        self._life = life
        self._adopt(sent)

    async def start(self) -> None:
        await self.build()
        _, sent, offers = await self.host.call(self._kind, self.key, "start")
        self._adopt(sent)
        self._offers(offers)

    async def close(self) -> None:
        if self._life and self._life == self.host.life:
            with suppress(VestibuleError):
                await self._call("close")
        self._life = 0
        self.host.drop(self.key)
        await self._let_go()

    async def gone(self) -> None:
        """Wait until the life of the host that it was built in is over; raises `NotReady` then."""
        if self._life == self.host.life:
            await self.host.over.wait()
        raise NotReady("its plugin host has ended")

    async def _call(self, method: str, *given: Any) -> Any:
        if self._life != self.host.life:
            raise NotReady("its plugin host was started anew; it starts again soon")
        return await self.host.call(self._kind, self.key, method, *given)

    def _adopt(self, sent: Any) -> None:
        """What the instance says of itself."""

    def _offers(self, methods: list[str]) -> None:
        """Which of the optional methods it has."""


class IsolatedCamera(Isolated):
    """A camera driver in a host."""

    async def source(self, purpose: Purpose) -> VideoSource:
        found: VideoSource = await self._call("source", purpose)
        return found


class IsolatedNotifier(Isolated):
    """A notifier in a host. Until it has said what kind of channel it is, it counts as one that
    everyone hears, which never speaks on a detector's word.
    """

    channel = Channel(path="lan", public=True)
    acks: Callable[[], AsyncIterator[Ack]] | None = None
    application_server_key: Callable[[], Awaitable[str]] | None = None

    def _adopt(self, sent: Any) -> None:
        self.channel = trait_of(self._kind, sent)

    def _offers(self, methods: list[str]) -> None:
        self.acks = self._acks if "acks" in methods else None
        self.application_server_key = self._key if "application_server_key" in methods else None

    async def _acks(self) -> AsyncIterator[Ack]:
        async for ack in self.host.stream(self._kind, self.key, "acks"):
            yield ack

    async def _key(self) -> str:
        key: str = await self._call("application_server_key")
        return key

    async def send(self, notice: Notice) -> Receipt:
        receipt: Receipt = await self._call("send", notice)
        return receipt


class IsolatedController(Isolated):
    """An access controller in a host. Until it has said what it can, it can nothing."""

    capabilities = Capabilities(verbs=frozenset())
    lockdown_all: Callable[[bool, str], Awaitable[None]] | None = None
    hear: Callable[[str], Awaitable[str]] | None = None

    def _offers(self, methods: list[str]) -> None:
        self.lockdown_all = self._lockdown_all if "lockdown_all" in methods else None
        self.hear = self._hear if "hear" in methods else None

    async def _hear(self, message: str) -> str:
        said: str = await self._call("hear", message)
        return said

    async def _lockdown_all(self, engaged: bool, key: str) -> None:
        await self._call("lockdown_all", engaged, key)

    def _adopt(self, sent: Any) -> None:
        self.capabilities = trait_of(self._kind, sent)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        await self._call("command", door, verb, key)

    async def refresh(self, door: str) -> None:
        await self._call("refresh", door)

    async def reports(self) -> AsyncIterator[DoorReport | AccessReport]:
        async for report in self.host.stream(self._kind, self.key, "reports"):
            yield report


class IsolatedVisitors(Isolated):
    """A visitor system in a host."""

    register: Callable[[WalkIn], Awaitable[Visit]] | None = None

    def _offers(self, methods: list[str]) -> None:
        self.register = self._register if "register" in methods else None

    async def _register(self, walk_in: WalkIn) -> Visit:
        found: Visit = await self._call("register", walk_in)
        return found

    async def visits(self) -> list[Visit]:
        found: list[Visit] = await self._call("visits")
        return found

    async def screen(self, visitor: str) -> Screening:
        found: Screening = await self._call("screen", visitor)
        return found

    async def check_in(self, visit: str) -> Visit:
        found: Visit = await self._call("check_in", visit)
        return found

    async def check_out(self, visit: str) -> Visit:
        found: Visit = await self._call("check_out", visit)
        return found


CLASSES: Mapping[Kind, type[Isolated]] = {
    "cameras": IsolatedCamera,
    "access_control": IsolatedController,
    "notifiers": IsolatedNotifier,
    "visitors": IsolatedVisitors,
}


class Hosts:
    """Which plugin has which host, and which instances live there."""

    def __init__(self, clock: Clock, supervisor: Supervisor, misbehaved: Misbehaved) -> None:
        self._clock = clock
        self._supervisor = supervisor
        self._misbehaved = misbehaved
        self._hosts: dict[tuple[str, str, str], PluginHost] = {}
        self._made = 0

    def make(
        self,
        provider: Provider,
        driver: Driver,
        kind: Kind,
        id_: str,
        block: DriverBlock,
        context: Context,
    ) -> Any:
        """An instance of a driver in the host of its plugin, which starts if it does not run."""
        host = self._host(provider)
        said = {
            "kind": kind,
            "driver": driver.name,
            "settings": plain(block.settings),
            "context": _told(context),
        }
        self._made += 1  # while one instance of a block replaces another, both live there
        key = f"{kind}/{id_}/{self._made}"
        made = CLASSES[kind](host, kind, key, said, lambda: self._let_go(host))
        host.contexts[made.key] = (kind, context)
        if isinstance(made, IsolatedNotifier):
            announced = getattr(driver.factory, "channel", None)
            if isinstance(announced, Channel):
                made.channel = announced
        return made

    def dropped(self) -> dict[str, dict[str, int]]:
        """By host: reports that were dropped for want of a reader."""
        return {host.name: {"dropped": host.dropped} for host in self._hosts.values()}

    def quarantined(self) -> dict[str, str]:
        """The plugins that are left alone, and why."""
        return {
            host.provider.name: host.quarantine for host in self._hosts.values() if host.quarantine
        }

    def _host(self, provider: Provider) -> PluginHost:
        key = (provider.name, provider.source, provider.digest)
        host = self._hosts.get(key)
        if host is None:
            host = PluginHost(provider, self._clock, self._supervisor, self._misbehaved)
            if any(other.name == host.name for other in self._hosts.values()):
                host.name = f"{host.name} ({provider.digest[:6]})"
            self._hosts[key] = host
            host.begin()
        return host

    async def _let_go(self, host: PluginHost) -> None:
        if not host.contexts and host in self._hosts.values():
            self._hosts = {key: each for key, each in self._hosts.items() if each is not host}
            await host.end()


def isolated(registry: Registry, kind: Kind, block: DriverBlock) -> Provider | None:
    """The plugin whose host a block's driver belongs into; None for one that runs in the hub."""
    if kind not in CLASSES:
        return None
    provider = registry.provider(kind, block.driver)
    apart = isinstance(block, HostedBlock) and block.isolate
    if provider is None or (provider.source == "built-in" and not apart):
        return None
    return provider


def _told(context: Context) -> Message:
    return {
        "name": context.name,
        "state": str(context.state.absolute()),
        "cache": str(context.cache.absolute()),
        "config_folder": str(context.config_folder.absolute()),
        "timezone": context.timezone,
        "devices": {
            door: None if device is None else plain(device)
            for door, device in context.devices.items()
        },
        "credential_key": context.credential_key.hex(),
    }
