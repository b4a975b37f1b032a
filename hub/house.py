"""The house as its pages see it: one facade over the running parts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hub.audit import Audit
from hub.break_glass import BreakGlass
from hub.break_glass_views import GlassFacade
from hub.browsers import push_keys
from hub.bus import Subscription
from hub.camera_status import CameraStatus
from hub.campus import Campus
from hub.config import Config
from hub.drawn_masks import DrawnMasks
from hub.drill_views import DrillsFacade
from hub.drills import Drills
from hub.events import Event
from hub.handing_on import handing_on
from hub.health import Health
from hub.heartbeat import Heartbeat
from hub.home_assistant import HomeAssistantStatus
from hub.inbound.desk import InboundDesk
from hub.incidents import Incidents
from hub.input_listener import InputListener
from hub.kinds.visitors import VisitorSystem
from hub.models_view import models_in_use
from hub.parts import Parts
from hub.ports import (
    CasesFacade,
    ConfigurationFacade,
    InboundAnswer,
    MasksFacade,
    PictureLinksFacade,
)
from hub.protocol_port import ProtocolsFacade
from hub.protocols import protocols_of
from hub.returned import Returned
from hub.rule_answers import RuleAnswers
from hub.rule_settings import person_of
from hub.safety.doors.past import door_past
from hub.safety.rules.schedule import timetables
from hub.safety.words import Words
from hub.sampling import Sampling
from hub.storage.inputs import ClosedInputs
from hub.storage.taken import taken_by
from hub.views import (
    AlertView,
    DoorView,
    IncidentView,
    ModelView,
    Verdict,
)
from hub.visitors import Visitors

MEDIA_NAME = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{64})\.jpg\Z")  # 32: of older versions


class House:
    """Answers pages and API; satisfies `hub.ports.HouseFacade`."""

    def __init__(self, parts: Parts, desks: dict[str, VisitorSystem]) -> None:
        self.config = parts.config
        self.campus = parts.campus
        self.clock = parts.clock
        self.configuration: ConfigurationFacade = parts.configuration
        self.push_keys = push_keys(parts.drivers)
        self._heartbeat = Heartbeat(parts.performer, lambda: self.config.hub.heartbeat)
        self.audit = Audit(parts.journal, parts.state.path, parts.clock)
        self._incidents = Incidents(parts.intake, self, parts.state.media)
        self.cases: CasesFacade = self._incidents
        self._protocols = protocols_of(
            parts.intake, parts.drivers, lambda: self.config, parts.doors.views
        )
        self.protocols: ProtocolsFacade = self._protocols
        self._drills = Drills(parts.intake, self._protocols)
        self.drills: DrillsFacade = self._drills
        self._glass = BreakGlass(parts.intake)
        self.glass: GlassFacade = self._glass
        press, accept = self._protocols.press_or_call, parts.intake.accept
        memory = ClosedInputs(parts.journal)
        self._inputs = InputListener(
            lambda: self.config, parts.broker, press, accept, parts.clock, memory,
            parts.state.run / "inputs.json",
        )  # fmt: skip
        self._parts = parts
        self.picture_links: PictureLinksFacade = parts.performer.pictures
        self.command_door, self.undo = parts.intake.command_door, parts.intake.undo
        self.door_past = partial(door_past, parts.journal, lambda: Words(self.config, self.campus))
        cameras = CameraStatus(
            parts.perception, parts.drivers, parts.clock, lambda: (self.config, self.campus)
        )
        self.cameras, self.snapshot, self.watch = cameras.views, cameras.snapshot, cameras.watch
        self.masks: MasksFacade = DrawnMasks(parts.configuration, parts.journal, parts.clock)
        know = (parts.clock, lambda: (self.config, self.campus), parts.intake.public)
        self.rules = RuleAnswers(parts.journal, parts.state, *know, parts.configuration)
        self._timetables = timetables(self.config.schedules, self.config.hub.timezone)
        self._sampling = Sampling(
            parts.perception, parts.supervisor, self._queues, parts.journal, parts.state.path,
            parts.clock,
        )  # fmt: skip
        self.past = self._sampling.past
        self._visitors = visitors = Visitors(
            desks, lambda: self.config, parts.clock, parts.intake.accept, parts.journal.write,
            parts.intake.secrets,
        )  # fmt: skip
        self.visits, self.silent_desks, self.match = (
            visitors.visits,
            visitors.silent,
            visitors.match,
        )
        self.check_in, self.check_out = visitors.check_in, visitors.check_out
        self.desks_for_walk_ins, self.register = visitors.walk_ins, visitors.register
        self.badge, self.roll_opened = visitors.badge, visitors.roll_opened
        self._health = Health(
            parts, lambda: self.config, self.cameras, self._queues, self._heartbeat, self.audit,
            self._sampling, self._inputs,
        )  # fmt: skip
        self.health, self.plugins = self._health.view, self._health.plugins
        take, hear, hand = self._protocols.take, parts.hearing.answered, handing_on(parts.drivers)
        self._inbound = InboundDesk(lambda: self.config, take, parts.clock, hear, hand)

    def reconfigure(self, config: Config, campus: Campus) -> None:
        """Show another configuration from now on."""
        self.config, self.campus = config, campus
        self._timetables = timetables(config.schedules, config.hub.timezone)
        self._inputs.reconfigure()

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run while the hub does, by name."""
        tasks = {"situation updates": self._incidents.run, "heartbeat": self._heartbeat.run}
        tasks |= HomeAssistantStatus(self).tasks() | self.audit.tasks() | self._glass.tasks()
        tasks |= self._sampling.tasks() | self.rules.tasks() | self._drills.tasks()
        tasks |= {"screening of visitors": self._visitors.watch}
        tasks |= {"what is back": Returned(self, self._parts.intake).watch}
        return {**tasks, "protocols": self._protocols.watch, **self._inputs.tasks()}

    # ---------------------------------------------------------------- pictures

    def media(self, name: str) -> Path | None:
        """The file of a kept picture; None for a name that is unknown or not a plain name."""
        path = self._parts.state.media / name
        return path if MEDIA_NAME.match(name) and path.is_file() else None

    async def camera_of(self, picture: str) -> str:
        """The camera that took a kept picture; empty where nobody knows."""
        return await self._parts.journal.read(lambda c: taken_by(c, picture))

    # ------------------------------------------------------------------ doors

    def doors(self) -> list[DoorView]:
        """Every configured door, in file order."""
        return self._parts.doors.views()

    # --------------------------------------------------- alerts and incidents

    async def alerts(self, open_only: bool = False) -> list[AlertView]:
        """Alerts, most severe first, then oldest; decided ones after open ones."""
        return await self._parts.intake.alerts(open_only)

    async def alert(self, alert: str) -> AlertView:
        """One alert. Raises `KeyError`."""
        return await self._parts.intake.alert(alert)

    async def verdict(self, alert: str, verdict: Verdict, by: str, note: str = "") -> AlertView:
        """Give a verdict. Raises `KeyError`, or `Refused` when another verdict already stands."""
        return await self._parts.intake.verdict(alert, verdict, by, note)

    async def acknowledge(self, alert: str, by: str) -> AlertView:
        """Take an alert on. Raises `KeyError` or `Refused`."""
        return await self._parts.intake.acknowledge(alert, by)

    async def resolve(self, alert: str, by: str, note: str = "") -> AlertView:
        """Say that a verified alert is over. Raises `KeyError` or `Refused`."""
        return await self._parts.intake.resolve(alert, by, note)

    async def restore_rule(self, rule: str, camera: str, by: str) -> None:
        """Have a demoted rule raise alerts as before. Raises `KeyError` for an unknown rule."""
        await self._parts.escalator.restore(rule, camera, by)

    async def opened(self, alert: str, by: str) -> None:
        """Somebody signed in looks at an alert: where they were told of it, they have seen it."""
        if person := person_of(self.config.people, by):
            await self._parts.intake.opened(alert, person)

    async def incidents(self) -> list[IncidentView]:
        """Incidents, newest first, without their entries."""
        return await self._parts.intake.incidents()

    async def incident(self, incident: str) -> IncidentView:
        """One incident with its story. Raises `KeyError`."""
        return await self._parts.intake.incident(incident)

    async def receive(self, inbound: str, headers: Mapping[str, str], body: bytes) -> InboundAnswer:
        """Take a message of another system; see `hub.inbound.desk`."""
        return await self._inbound.receive(inbound, headers, body)

    # ----------------------------------------------------------------- health

    def _queues(self) -> dict[str, dict[str, int]]:
        return {
            "journal": self._parts.journal.queue(),
            "intake": self._parts.intake.queue(),
            "bus": self._parts.bus.queue(),
            "doors": self._parts.doors.counts(),
            "actions": self._parts.performer.queue(),
            "acks": self._parts.hearing.queue(),
            "inputs": {**self._inputs.counts, "dropped": 0},
            "connections": self._parts.served.connections.counts(),
            **self._inbound.counts(),
            **self._parts.perception.queues(),
            **self._parts.hosts.dropped(),
        }

    async def models(self) -> list[ModelView]:
        """The models that look at pictures now, with their cards."""
        reports = self._parts.perception.detectors()
        return await asyncio.to_thread(models_in_use, self._parts.state.models, reports)

    def in_force(self, schedule: str) -> bool:
        """Whether a schedule is in force now; one that is not configured never is."""
        known = self._timetables.get(schedule)
        return known is not None and known.in_force(self.clock.now())

    # ----------------------------------------------------------------- events

    def events(self) -> AbstractContextManager[Subscription]:
        """Subscribe to events as they are committed."""
        return self._parts.bus.subscribe()

    async def past_events(self, after: int, limit: int = 500) -> Sequence[tuple[int, Event]]:
        """Committed events with a sequence number above `after`, oldest first."""
        return await self._parts.intake.past_events(after, limit)

    async def journal_write(self, work: Callable[[Connection], Any]) -> Any:
        """Run a function of a database connection in a write transaction."""
        return await self._parts.journal.write(work)

    async def journal_read(self, work: Callable[[Connection], Any]) -> Any:
        """Run a function of a database connection that only reads."""
        return await self._parts.journal.read(work)
