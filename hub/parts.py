"""What a hub is made of, once it stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hub.backups import Backups
from hub.bus import Bus
from hub.campus import Campus
from hub.clock import Clock
from hub.config import Config
from hub.drivers import Drivers
from hub.isolated import Hosts
from hub.kinds import BrokerAddress
from hub.perception.workers import Perception
from hub.plugin_faults import PluginFaults
from hub.plugins import Registry
from hub.ports import ConfigurationFacade
from hub.safety.actions import Performer
from hub.safety.alerts.escalator import Escalator
from hub.safety.doors.reconciler import Doors
from hub.safety.intake import Intake
from hub.safety.notices.hearing import Hearing
from hub.served import Served
from hub.storage.folder import StateFolder
from hub.storage.journal import Journal
from hub.supervisor import Supervisor


@dataclass(frozen=True)
class Parts:
    """The parts that pages, health and measurements look at."""

    config: Config
    campus: Campus
    clock: Clock
    state: StateFolder
    journal: Journal
    bus: Bus
    supervisor: Supervisor
    drivers: Drivers
    intake: Intake
    performer: Performer
    escalator: Escalator
    hearing: Hearing
    doors: Doors
    perception: Perception
    hosts: Hosts
    broker: Callable[[], Awaitable[BrokerAddress]]
    plugin_faults: PluginFaults
    backups: Backups
    served: Served
    registry: Callable[[], Registry]
    configuration: ConfigurationFacade
