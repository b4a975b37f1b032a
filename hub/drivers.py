"""Running drivers: built from their YAML blocks, started with retries, watched, named in health."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from hub.backoff import Backoff
from hub.clock import Clock
from hub.config import DriverBlock
from hub.errors import BadConfig, NotReady, PluginError, VestibuleError
from hub.events import Event
from hub.kinds import Context, Driver, Kind
from hub.views import DriverView

log = structlog.get_logger("drivers")

START_DEADLINE_S = 30.0
CLOSE_DEADLINE_S = 1.5
HEALTHY_AFTER_S = 60.0


Make = Callable[[Kind, str, DriverBlock, Context], Any]


class Registered(Protocol):
    """What this module needs of the plugin registry."""

    def driver(self, kind: Kind, name: str) -> Driver | None:
        """The driver of that name, or None."""
        ...


@dataclass
class Running:
    """One instance and how it is."""

    kind: Kind
    id: str
    driver: str
    instance: Any = None
    state: Literal["starting", "running", "retrying", "failed", "disabled"] = "starting"
    reason: str = ""
    restarts: int = 0

    def view(self) -> DriverView:
        """As health shows it."""
        return DriverView(
            kind=self.kind,
            id=self.id,
            driver=self.driver,
            state=self.state,
            reason=self.reason,
            restarts=self.restarts,
        )


class Drivers:
    """Every driver instance of the hub process."""

    def __init__(
        self,
        registry: Registered,
        context: Callable[[Kind, str], Context],
        clock: Clock,
        publish: Callable[[Event], Awaitable[None]],
        make: Make | None = None,
    ) -> None:
        self._make = make
        self.registry = registry
        self._context = context
        self._clock = clock
        self._publish = publish
        self._all: dict[tuple[Kind, str], Running] = {}

    def build(self, kind: Kind, blocks: Mapping[str, DriverBlock]) -> dict[str, Any]:
        """Build an instance per enabled block; one that raises is failed and the rest go on."""
        built: dict[str, Any] = {}
        for id_, block in blocks.items():
            running = Running(kind, id_, block.driver)
            self._all[kind, id_] = running
            if not block.enabled:
                running.state = "disabled"
                continue
            try:
                running.instance = self.prepare(kind, id_, block, self._context(kind, id_))
                built[id_] = running.instance
            except Exception as error:
                self._failed(running, error)
        return built

    def prepare(self, kind: Kind, id_: str, block: DriverBlock, context: Context) -> Any:
        """Build an instance that is not installed yet. Raises whatever its factory raises."""
        if self._make is not None:
            return self._make(kind, id_, block, context)
        driver = self.registry.driver(kind, block.driver)
        if driver is None:
            raise NotReady(f"no driver named {block.driver}")
        return driver.factory(block.settings, context)

    def install(self, kind: Kind, id_: str, block: DriverBlock, instance: Any) -> None:
        """Put an instance in the place of the block; None where the block is switched off."""
        running = Running(kind, id_, block.driver, instance)
        if instance is None:
            running.state = "disabled"
        self._all[kind, id_] = running

    async def remove(self, kind: Kind, id_: str) -> None:
        """Close an instance and forget it; one that is not there is no error."""
        running = self._all.pop((kind, id_), None)
        if running is not None and running.instance is not None:
            await self._close(running)

    async def discard(self, kind: Kind, id_: str, instance: Any) -> None:
        """Close an instance that was never installed."""
        await self._close(Running(kind, id_, "", instance))

    def arrange(self, order: Iterable[tuple[Kind, str]]) -> None:
        """Show them in this order."""
        self._all = {one: self._all[one] for one in order if one in self._all}

    def views(self) -> list[DriverView]:
        """Every driver, in file order."""
        return [running.view() for running in self._all.values()]

    def instances(self) -> list[tuple[Kind, str]]:
        """Every block a driver was built from, or could not be."""
        return list(self._all)

    def get(self, kind: Kind, id_: str) -> Running:
        """One driver. Raises `KeyError`."""
        return self._all[kind, id_]

    async def keep(
        self, kind: Kind, id_: str, serve: Callable[[Any], Awaitable[None]] | None = None
    ) -> None:
        """Start a driver and keep it served for ever.

        `serve(instance)` runs after each start and may return (done) or raise (start again, after
        closing, with back-off). Without it the driver is started once.
        """
        running = self._all[kind, id_]
        if running.instance is None:
            return
        delays = Backoff()
        first = True
        while True:
            began = self._clock.monotonic()
            try:
                async with asyncio.timeout(START_DEADLINE_S):
                    await running.instance.start()
                await self._recovered(running)
                if serve is None:
                    return
                await serve(running.instance)
                return
            except (BadConfig, PluginError) as error:
                self._failed(running, error)
                await self._tell_failed(running)
                return
            except Exception as error:
                if self._clock.monotonic() - began > HEALTHY_AFTER_S:
                    delays.reset()
                await self._retrying(running, error, told=first and isinstance(error, NotReady))
            await self._clock.sleep(delays.delay())
            first = False
            running.restarts += 1

    async def tell_failed(self) -> None:
        """Publish which blocks no instance could be built for."""
        for running in self._all.values():
            if running.state == "failed" and running.instance is None:
                await self._tell_failed(running)

    async def close(self) -> None:
        """Close every instance at once, each within its deadline."""
        await asyncio.gather(
            *(
                self._close(running)
                for running in self._all.values()
                if running.instance is not None
            )
        )

    async def _close(self, running: Running) -> None:
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await running.instance.close()
        except Exception as error:
            log.warning("close failed", kind=running.kind, id=running.id, reason=words(error))

    async def _recovered(self, running: Running) -> None:
        again = running.state == "retrying"
        running.state, running.reason = "running", ""
        if again:
            await self._tell(running, "plugin.recovered")

    async def _retrying(self, running: Running, error: Exception, told: bool) -> None:
        running.reason = words(error)
        first = running.state != "retrying"
        running.state = "retrying"
        log.warning("driver failed", kind=running.kind, id=running.id, reason=running.reason)
        if first and not told:
            await self._tell_failed(running)

    def _failed(self, running: Running, error: Exception) -> None:
        running.state, running.reason = "failed", words(error)
        log.error("driver failed", kind=running.kind, id=running.id, reason=running.reason)

    async def _tell_failed(self, running: Running) -> None:
        await self._tell(running, "plugin.failed")

    async def _tell(self, running: Running, type_: str) -> None:
        data = {"kind": running.kind, "driver": running.driver, "reason": running.reason}
        await self._publish(
            Event(type_, f"{running.kind}/{running.id}", self._clock.now(), running.id, data)
        )


def words(error: BaseException) -> str:
    """An error in one line fit for people: our own text, or the class and text of a foreign one."""
    if isinstance(error, VestibuleError):
        return (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, TimeoutError):
        return str(error) or "no answer in time"
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
