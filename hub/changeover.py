"""From one configuration to the next while the hub runs: build, swap, settle, or go back.

New instances are built before anything else, so that a configuration whose drivers cannot be built
changes nothing. Then every part takes over the new configuration between two steps of the event
loop, and only the instances that differ are stopped and started. One that says within a while that
its settings are of no use brings the old configuration back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from hub.campus import Campus
from hub.changes import Instance, Steps, steps
from hub.config import Config
from hub.drivers import words
from hub.errors import PluginError, VestibuleError
from hub.isolated import Isolated
from hub.kinds import KINDS, Kind
from hub.plugins import Registry

if TYPE_CHECKING:
    from hub.app import Hub

log = structlog.get_logger("changeover")

SETTLE_WITHIN_S = 5.0
BUILD_WITHIN_S = 10.0
ADJUST_WITHIN_S = 8.0
LOOK_EVERY_S = 0.05


class CannotChangeOver(VestibuleError):
    """The new configuration could not be started; the old one runs on. The text says why."""


async def change_over(hub: Hub, config: Config, registry: Registry) -> Steps:
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


async def _built(hub: Hub, config: Config, registry: Registry, todo: Steps) -> dict[Instance, Any]:
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
    hub: Hub, config: Config, registry: Registry, todo: Steps, built: dict[Instance, Any]
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


async def _adjust(hub: Hub, config: Config, controller: str) -> None:
    """Other doors behind a controller that runs on."""
    instance = hub.drivers.get("access_control", controller).instance
    devices = {
        door: block.device for door, block in config.doors.items() if block.controller == controller
    }
    async with asyncio.timeout(ADJUST_WITHIN_S):
        await instance.adopt(devices)
    hub.doors.attach(controller, instance)


def _let_go(hub: Hub, gone: Sequence[Instance]) -> None:
    for kind, id_ in gone:
        if kind == "access_control":
            hub.doors.detach(id_)
        if kind == "cameras":
            hub.perception.remove(id_)
        if kind == "notifiers":
            hub.notifiers.pop(id_, None)
        if kind == "visitors":
            hub.desks.pop(id_, None)


async def _show_switched_off(hub: Hub, config: Config) -> None:
    """Blocks that are switched off are shown as such, those that are gone not at all."""
    for kind, id_ in hub.drivers.instances():
        if id_ not in config.drivers(kind):
            await hub.drivers.remove(kind, id_)
    for kind in KINDS:
        for id_, block in config.drivers(kind).items():
            if not block.enabled and kind != "detectors":
                hub.drivers.install(kind, id_, block, None)


async def settled(hub: Hub, instances: Sequence[Instance]) -> str:
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


async def _go_back(hub: Hub, config: Config, registry: Registry) -> None:
    todo = steps(hub.config, config, hub.registry, registry)
    await _swap(hub, config, registry, todo, await _built(hub, config, registry, todo))
