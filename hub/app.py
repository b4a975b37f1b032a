"""Hub: the composition root, and the only file that knows every part."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from hub.backups import Backups
from hub.broker import EmbeddedBroker, no_broker_for
from hub.browsers import Browsers
from hub.bus import Bus
from hub.campus import Campus
from hub.chosen import Chosen
from hub.clock import Clock, SystemClock, from_iso
from hub.config import Config, DriverBlock
from hub.configuration import Configuration
from hub.control import Control
from hub.drivers import Drivers
from hub.errors import NotReady, StateError
from hub.events import Event
from hub.house import House
from hub.identity.setup_links import first_setup_link
from hub.isolated import Hosts, Isolated, isolated
from hub.kept import KeptConfigs
from hub.kernel_clock import clock_is_kept
from hub.kinds import BrokerAddress, Context, Kind
from hub.kinds.notifiers import Notifier
from hub.kinds.visitors import VisitorSystem
from hub.parts import Parts
from hub.perception.pictures import tidy
from hub.perception.workers import Perception
from hub.plugin_faults import MISBEHAVED, PluginFaults
from hub.plugins import Registry
from hub.safety.actions import Performer
from hub.safety.alerts.escalator import Escalator
from hub.safety.doors.keeper import Keeper
from hub.safety.doors.reconciler import Doors
from hub.safety.intake import Intake
from hub.safety.notices.hearing import Hearing
from hub.safety.notices.picture_links import PictureLinks, picture_key
from hub.safety.restored import settle_restored
from hub.secrets import Secrets
from hub.served import Served
from hub.storage.folder import StateFolder
from hub.storage.journal import Journal
from hub.storage.keys import credential_key
from hub.storage.media import needed_pictures
from hub.storage.reserve import Reserve
from hub.summary import Milestones, summarise
from hub.supervisor import Supervisor
from hub.views import AlertView
from hub.web.server import create_app

log = structlog.get_logger("hub")

SETUP_LINK_LIVES = timedelta(hours=1)
PICTURES_AROUND_S = (-4.0, -2.0, 2.0, 4.0)
LONGEST_BLINDNESS_S = 10.0  # between two starts of a worker that keeps dying
TIDY_EVERY_S = 600.0
LOOSE_PICTURES = 2000
FAREWELL_WITHIN_S = 0.5


class Hub:
    """One running hub. Use it as an async context manager; it stops within three seconds."""

    def __init__(
        self,
        chosen: Chosen,
        folder: StateFolder,
        config_path: Path,
        clock: Clock | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        config, registry = chosen.examined.config, chosen.examined.registry
        assert config is not None, "a hub runs only what is valid"
        self.secrets = secrets or Secrets()
        self.config, self.registry = config, registry
        self.clock = clock or SystemClock()
        self.campus = Campus(config.places)
        self.folder = folder
        self._config_folder = config_path.resolve().parent
        self._exits = AsyncExitStack()
        self._broker: BrokerAddress | None = None
        self._broker_lock = asyncio.Lock()
        self.bus = Bus()
        self.plugin_faults = PluginFaults()
        self.milestones = Milestones(self.clock)
        self.journal = Journal(folder.journal, reserve=Reserve(folder.journal))
        self.supervisor = Supervisor(
            self.clock, self.accept, cap=LONGEST_BLINDNESS_S, secrets=self.secrets
        )
        self.drivers = Drivers(
            registry,
            lambda kind, id_: self.context(self.config, kind, id_),
            self.clock,
            self.accept,
            lambda kind, id_, block, context: self.make(self.registry, kind, id_, block, context),
        )
        self.hosts = Hosts(self.clock, self.supervisor, self._misbehaved)
        self.doors = Doors(config, self.campus, self.clock, self.accept)
        self.perception = Perception(
            config,
            registry,
            folder.path,
            self.clock,
            self.accept,
            self.supervisor,
            config_folder=self._config_folder,
        )
        self.notifiers: dict[str, Notifier] = {}
        self.desks: dict[str, VisitorSystem] = {}
        self.configuration = Configuration(
            self, config_path.absolute(), chosen, KeptConfigs(folder.configs)
        )
        self.backups = Backups(
            folder,
            self.clock,
            self.accept,
            lambda: self.config.hub.backup,
            lambda: not self.configuration.degraded,
        )
        self.served = Served(folder.path, self._config_folder, self.clock, lambda: self.config.hub)
        self.house: House
        self.intake: Intake
        self.performer: Performer
        self.hearing: Hearing

    # ------------------------------------------------------------ start, stop

    async def __aenter__(self) -> Hub:
        try:
            await self._start()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exits.aclose()

    async def _start(self) -> None:
        """Bring the parts up in the order data walks; whatever is up comes down in reverse."""
        await self.journal.open()
        self._exits.push_async_callback(self.journal.close)
        self._credential_key = await self.journal.write(credential_key)
        self._exits.push_async_callback(self._farewell)
        self.supervisor.run("milestones", partial(self.milestones.follow, self.bus))
        self.notifiers.update(self.drivers.build("notifiers", self.config.notifiers))
        self.intake = Intake(
            self.config,
            self.campus,
            self.journal,
            self.bus,
            self.clock,
            public=lambda name: name in self.notifiers and self.notifiers[name].channel.public,
            on_incident=self._keep_pictures,
            on_request=self.doors.requested,
            secrets=self.secrets,
        )
        self.performer = Performer(self.intake, self.doors, self.notifiers)
        self.escalator = Escalator(self.intake)
        self.hearing = Hearing(self.intake)
        self.performer.on_receipt = self.hearing.again
        self.performer.speaking.folder = self._config_folder
        self.performer.pictures = PictureLinks(await self.journal.write(picture_key))
        await settle_restored(self.intake)
        self.keeper = await Keeper.load(self.intake, self.doors, clock_is_kept)
        self._exits.push_async_callback(self._stop_broker)
        self._exits.push_async_callback(self.drivers.close)
        self._exits.push_async_callback(self.supervisor.stop)
        await self.accept(Event("hub.started", "hub", self.clock.now()))
        self._start_drivers()
        await self.perception.start({})
        self._exits.push_async_callback(self.perception.stop)
        self._start_cameras()
        await self.drivers.tell_failed()
        control = Control(self.configuration, self.folder.run, self.clock, self.secrets)
        self.supervisor.run("control", control.serve)
        self.supervisor.run("configuration", self.configuration.follow)
        self.supervisor.run("actions", self.performer.run)
        self.supervisor.run("pictures of incidents", self.intake.follow)
        tasks = self.escalator.tasks() | self.house.tasks() | self.keeper.tasks()
        for name, task in tasks.items():
            self.supervisor.run(name, task)
        self.supervisor.run("tidy pictures", self._tidy_pictures)
        self.supervisor.run("backups", self.backups.run)
        self.supervisor.run("certificate", self.served.run)

    def _start_drivers(self) -> None:
        for id_ in self.config.notifiers:
            self.begin("notifiers", id_)
        controllers = self.drivers.build("access_control", self.config.access_control)
        for id_, controller in controllers.items():
            self.doors.attach(id_, controller)
            self.begin("access_control", id_)
        self.supervisor.run("doors", self.doors.keep_fresh)
        self.desks.update(self.drivers.build("visitors", self.config.visitors))
        for id_ in self.desks:
            self.begin("visitors", id_)
        self.house = House(self._parts(), self.desks)

    def _start_cameras(self) -> None:
        for id_ in self.drivers.build("cameras", self.config.cameras):
            self.begin("cameras", id_)

    def begin(self, kind: Kind, id_: str) -> None:
        """Start an installed driver and keep it running, serving what its kind serves."""
        serve: Any = self._stay
        if kind == "access_control":
            serve = partial(self._watch_doors, id_)
        if kind == "cameras":
            serve = partial(self._show, id_)
        if kind == "notifiers":
            serve = partial(self._hear, id_)
        self.supervisor.run(f"{kind}/{id_}", partial(self.drivers.keep, kind, id_, serve))

    async def _watch_doors(self, controller: str, instance: Any) -> None:
        self.doors.attach(controller, instance)  # what it can may be known only now
        await self.doors.watch(controller)
        raise NotReady("the controller ended its reports")

    async def _hear(self, notifier: str, instance: Any) -> None:
        await self.hearing.listen(notifier, instance)
        await self._stay(instance)

    async def _stay(self, instance: Any) -> None:
        if isinstance(instance, Isolated):
            await instance.gone()  # another life of its host has to build it again

    async def _show(self, camera: str, driver: Any) -> None:
        await self.perception.add(camera, await driver.source("analysis"))

    async def _farewell(self) -> None:
        """The last event, and the end of every subscription."""
        try:
            async with asyncio.timeout(FAREWELL_WITHIN_S):
                await self.accept(Event("hub.stopped", "hub", self.clock.now()))
        except Exception as error:
            log.warning("the stop could not be recorded", reason=str(error))
        self.bus.close()

    # ----------------------------------------------------------- for drivers

    def make(
        self, registry: Registry, kind: Kind, id_: str, block: DriverBlock, context: Context
    ) -> Any:
        """An instance: in the hub for a built-in driver, else in the host of its plugin. Raises
        whatever its factory raises.
        """
        driver = registry.driver(kind, block.driver)
        provider = isolated(registry, kind, block)
        if provider is None:
            return driver.factory(block.settings, context)
        return self.hosts.make(provider, driver, kind, id_, block, context)

    async def _misbehaved(self, plugin: str, what: str, why: str) -> None:
        """A plugin does what it must not: say which, to the log and to whoever follows events."""
        log.error("a plugin misbehaves", plugin=plugin, what=what, reason=why)
        data = {"plugin": plugin, "what": what, "reason": why}
        try:
            await self.accept(
                Event("plugin.misbehaved", "hub/hosts", self.clock.now(), plugin, data)
            )
        except StateError as error:
            log.error("it could not be journaled", reason=str(error))

    def context(self, config: Config, kind: Kind, id_: str) -> Context:
        """What a driver of this configuration is told when it is built."""
        service_cache = os.environ.get("CACHE_DIRECTORY")
        cache = Path(service_cache.split(":")[0]) if service_cache else self.folder.cache
        devices = {
            door: block.device
            for door, block in config.doors.items()
            if kind == "access_control" and block.controller == id_
        }
        own: dict[Kind, dict[str, Any]] = {
            "access_control": {"credential_key": self._credential_key},
            "notifiers": Browsers(self.journal, lambda: self.config, id_, self.clock).ways(),
        }
        return Context(
            name=id_,
            clock=self.clock,
            timezone=config.hub.timezone,
            state=self.folder.path / kind / id_,
            cache=cache / kind,
            config_folder=self._config_folder,
            devices=devices,
            publish=self.accept,
            broker=self._site_broker if kind == "access_control" else no_broker_for(kind),
            progress=self.milestones.progress,
            **own.get(kind, {}),
        )

    async def accept(self, *events: Event) -> None:
        for event in events:
            if event.type == MISBEHAVED:
                self.plugin_faults.note(self.secrets.clean_event(event))
        await self.intake.accept(*events)

    async def _site_broker(self) -> BrokerAddress:
        """The broker of the configuration, or our own, started on first use."""
        if self.config.hub.mqtt is not None:
            site = self.config.hub.mqtt
            return BrokerAddress(site.host, site.port, site.username, site.password)
        async with self._broker_lock:
            if self._broker is None:
                self._embedded = EmbeddedBroker()
                self._broker = await self._embedded.start()
                self.secrets.add([self._broker.password or ""])
        return self._broker

    async def _stop_broker(self) -> None:
        if self._broker is not None:
            await self._embedded.stop()

    async def _keep_pictures(self, alert: AlertView) -> None:
        """An incident has opened: keep what its camera saw before, and what it sees next."""
        if alert["camera"]:
            await self.perception.keep(
                alert["camera"],
                alert["incident"],
                from_iso(alert["opened"]),
                PICTURES_AROUND_S,
            )

    async def _tidy_pictures(self) -> None:
        while True:
            await self.clock.sleep(TIDY_EVERY_S)
            await self.tidy()

    async def tidy(self) -> bool:
        """Let go of the oldest pictures that no alert and no incident shows.

        Does nothing, and says so, while the hub is degraded: what is destroyed for a mistake in a
        file is gone.
        """
        if self.configuration.degraded:
            return False
        needed = await self.journal.read(needed_pictures)
        await asyncio.to_thread(tidy, self.folder.media, LOOSE_PICTURES, needed.intersection)
        return True

    # ---------------------------------------------------------------- outside

    def _parts(self) -> Parts:
        return Parts(
            config=self.config,
            campus=self.campus,
            clock=self.clock,
            state=self.folder,
            journal=self.journal,
            bus=self.bus,
            supervisor=self.supervisor,
            drivers=self.drivers,
            intake=self.intake,
            performer=self.performer,
            escalator=self.escalator,
            hearing=self.hearing,
            doors=self.doors,
            perception=self.perception,
            hosts=self.hosts,
            broker=self._site_broker,
            plugin_faults=self.plugin_faults,
            backups=self.backups,
            served=self.served,
            registry=lambda: self.registry,
            configuration=self.configuration,
        )

    async def open_pages(self, listener: socket.socket) -> None:
        """Serve pages and API on a listening socket until the hub stops."""
        app = create_app(self.house, secrets=self.secrets, connections=self.served.connections)
        await self.served.open(app, listener, self._exits)

    async def setup_link(self) -> str | None:
        """A one-time link that makes the first account; None once there is one."""
        now = self.clock.now()
        return await self.journal.write(lambda c: first_setup_link(c, now, SETUP_LINK_LIVES))

    async def summary(self) -> dict[str, Any]:
        """What happened since the start, as `run --summary` writes it."""
        return await summarise(self.house, self.milestones, self.perception)
