"""From one configuration to the next while the hub runs: build, swap, settle, or go back.

New instances are built before anything else, so that a configuration whose drivers cannot be built
changes nothing. Then every part takes over the new configuration between two steps of the event
loop, and only the instances that differ are stopped and started. One that says within a while that
its settings are of no use brings the old configuration back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import structlog

from hub.campus import Campus
from hub.changes import Instance, Steps, steps
from hub.clock import Clock
from hub.config import Config, DriverBlock
from hub.drivers import Drivers, words
from hub.errors import PluginError, VestibuleError
from hub.events import Event
from hub.house import House
from hub.isolated import Isolated
from hub.kinds import KINDS, Context, Kind
from hub.kinds.notifiers import Notifier
from hub.kinds.visitors import VisitorSystem
from hub.perception.workers import Perception
from hub.plugins import Registry
from hub.safety.doors.reconciler import Doors
from hub.safety.intake import Intake
from hub.secrets import Secrets
from hub.supervisor import Supervisor

log = structlog.get_logger("changeover")

SETTLE_WITHIN_S = 5.0
BUILD_WITHIN_S = 10.0
ADJUST_WITHIN_S = 8.0
LOOK_EVERY_S = 0.05


class Running(Protocol):
    """The parts of a running hub that take over another configuration; see `hub.app.Hub`."""

    config: Config
    campus: Campus
    registry: Registry
    clock: Clock
    secrets: Secrets
    supervisor: Supervisor
    drivers: Drivers
    notifiers: dict[str, Notifier]
    desks: dict[str, VisitorSystem]
    intake: Intake
    doors: Doors
    perception: Perception
    house: House

    def context(self, config: Config, kind: Kind, id_: str) -> Context:
        """What a driver of this configuration is told when it is built."""
        ...

    def make(
        self, registry: Registry, kind: Kind, id_: str, block: DriverBlock, context: Context
    ) -> Any:
        """An instance. Raises whatever its factory raises."""
        ...

    def begin(self, kind: Kind, id_: str) -> None:
        """Start an installed driver and keep it running."""
        ...

    async def accept(self, *events: Event) -> None:
        """Take events into the journal."""
        ...


class CannotChangeOver(VestibuleError):
    """The new configuration could not be started; the old one runs on. The text says why."""


async def change_over(hub: Running, config: Config, registry: Registry) -> Steps:
    """Run `config` from now on. Raises `CannotChangeOver`, and then what ran runs on."""
    before = hub.config, hub.registry
    todo = steps(hub.config, config, before[1], registry)
    built = await _built(hub, config, registry, todo)
    try:
        await _swap(hub, config, registry, todo, built)
        failed = await settled(hub, (*todo.start, *todo.restart))
    except Exception as error:
        log.exception("the new configuration could not be put in place")
        failed = f"it could not be put in place: {words(error)}"
    if not failed:
        return todo
    log.error("the new configuration does not start, going back", reason=failed)
    await _go_back(hub, *before)
    raise CannotChangeOver(f"{failed}; what ran before runs on")


async def _built(
    hub: Running, config: Config, registry: Registry, todo: Steps
) -> dict[Instance, Any]:
    """An instance for each block that starts or starts afresh, detectors excepted: workers have
    those.
    """
    built: dict[Instance, Any] = {}
    for kind, id_ in (*todo.start, *todo.restart):
        if kind == "detectors":
            continue
        block = config.drivers(kind)[id_]
        context = hub.context(config, kind, id_)
        try:
            instance = hub.make(registry, kind, id_, block, context)
            built[kind, id_] = instance
            if isinstance(instance, Isolated):
                await _within(BUILD_WITHIN_S, instance.build())
            _look_over(kind, instance)
        except Exception as error:
            for (other, name), made in built.items():
                await hub.drivers.discard(other, name, made)
            raise CannotChangeOver(f"{kind}.{id_} could not be built: {words(error)}") from error
    return built


async def _within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        raise PluginError(f"building it took more than {seconds:g} s") from None


def _look_over(kind: Kind, instance: Any) -> None:
    """Ask what the hub will ask while it swaps, when nothing may raise any more."""
    if kind == "access_control":
        _ = instance.capabilities.verbs
    if kind == "notifiers":
        _ = instance.channel.public


async def _swap(
    hub: Running, config: Config, registry: Registry, todo: Steps, built: dict[Instance, Any]
) -> None:
    """Hand the configuration to every part at once, then stop what goes and start what is new.

    Until its first await nothing else runs: no notice and no command ever meets half a change. One
    that comes before a new instance has started is told to wait, and tried again.
    """
    gone = (*todo.stop, *todo.restart)
    hub.config, hub.campus = config, Campus(config.places)
    hub.registry = hub.drivers.registry = registry
    _let_go(hub, gone)
    for (kind, id_), instance in built.items():
        if kind == "notifiers":
            hub.notifiers[id_] = instance
        if kind == "visitors":
            hub.desks[id_] = instance
    hub.intake.reconfigure(config, hub.campus)
    hub.doors.reconfigure(config, hub.campus)
    for (kind, id_), instance in built.items():
        if kind == "access_control":
            hub.doors.attach(id_, instance)
    hub.perception.reconfigure(config, hub.campus)
    hub.house.reconfigure(config, hub.campus)
    for _, controller in todo.adjust:
        await _adjust(hub, config, controller)
    for kind, id_ in gone:
        await hub.supervisor.cancel(f"{kind}/{id_}")
        await hub.drivers.remove(kind, id_)
    await _show_switched_off(hub, config)
    for (kind, id_), instance in built.items():
        hub.drivers.install(kind, id_, config.drivers(kind)[id_], instance)
        hub.begin(kind, id_)
    hub.drivers.arrange((kind, id_) for kind in KINDS for id_ in config.drivers(kind))


async def _adjust(hub: Running, config: Config, controller: str) -> None:
    """Other doors behind a controller that runs on."""
    instance = hub.drivers.get("access_control", controller).instance
    devices = {
        door: block.device for door, block in config.doors.items() if block.controller == controller
    }
    async with asyncio.timeout(ADJUST_WITHIN_S):
        await instance.adopt(devices)
    hub.doors.attach(controller, instance)


def _let_go(hub: Running, gone: Sequence[Instance]) -> None:
    for kind, id_ in gone:
        if kind == "access_control":
            hub.doors.detach(id_)
        if kind == "cameras":
            hub.perception.remove(id_)
        if kind == "notifiers":
            hub.notifiers.pop(id_, None)
        if kind == "visitors":
            hub.desks.pop(id_, None)


async def _show_switched_off(hub: Running, config: Config) -> None:
    """Blocks that are switched off are shown as such, those that are gone not at all."""
    for kind, id_ in hub.drivers.instances():
        if id_ not in config.drivers(kind):
            await hub.drivers.remove(kind, id_)
    for kind in KINDS:
        for id_, block in config.drivers(kind).items():
            if not block.enabled and kind != "detectors":
                hub.drivers.install(kind, id_, block, None)


async def settled(hub: Running, instances: Sequence[Instance]) -> str:
    """Wait until each instance has started, waits for its device or has failed; says what failed.
    One that takes longer is left to take its time.
    """
    fresh = [one for one in instances if one[0] != "detectors"]
    until = hub.clock.monotonic() + SETTLE_WITHIN_S
    while True:
        seen = [hub.drivers.get(*one) for one in fresh]
        for running in seen:
            if running.state == "failed":
                return f"{running.kind}.{running.id} does not start: {running.reason}"
        starting = any(running.state == "starting" for running in seen)
        if not starting or hub.clock.monotonic() > until:
            return ""
        await hub.clock.sleep(LOOK_EVERY_S)


async def _go_back(hub: Running, config: Config, registry: Registry) -> None:
    todo = steps(hub.config, config, hub.registry, registry)
    await _swap(hub, config, registry, todo, await _built(hub, config, registry, todo))
