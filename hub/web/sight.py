"""The house as the sender of a request may see it: the one place where views are limited.

Handlers ask `request.app[HOUSE]`, which is a `SeenHouse`. The gate says for each request how far
its sender reaches (`looking`); what lies beyond is as if it were not there. Nothing is limited
where nobody has signed in: public addresses show nothing of the house. How far somebody reaches is
asked anew each time, so that a stream ends with their hours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from hub.audit_port import AuditFacade
from hub.break_glass_views import GlassFacade
from hub.camera_views import CameraView
from hub.campus import Campus
from hub.clock import Clock
from hub.config import Config
from hub.door_views import DoorPastView
from hub.drill_views import DrillsFacade
from hub.errors import Refused
from hub.events import Event
from hub.identity.reach import EVERYTHING, Reach, within
from hub.kinds.access_control import Verb
from hub.past_views import PastView
from hub.phrases import mark
from hub.ports import (
    CasesFacade,
    ConfigurationFacade,
    EventStream,
    HouseFacade,
    InboundAnswer,
    MasksFacade,
    PictureLinksFacade,
)
from hub.protocol_port import ProtocolsFacade
from hub.rules_port import RulesFacade
from hub.views import (
    AlertView,
    DoorView,
    HealthView,
    IncidentView,
    ModelView,
    Verdict,
)
from hub.web.seen_cases import SeenCases
from hub.web.seen_visitors import SeenVisitors
from hub.web.within import (
    alert_within,
    incident_within,
    names_beyond,
    seen_alert,
    seen_event,
    seen_incident,
    whole_within,
)

BEYOND = "it lies outside of the places of your role"
PART_BEYOND = mark("a part of this alert lies outside of the places of your role")


class Sight(Protocol):
    """What the gate knows of whoever sends the present request."""

    def reach(self) -> Reach:
        """How far they reach now."""
        ...

    def may(self, permission: str) -> bool:
        """Whether they may do something now."""
        ...


_SIGHT: ContextVar[Sight | None] = ContextVar("sight", default=None)


@contextmanager
def looking(sight: Sight | None) -> Iterator[None]:
    """What is asked of the house within is asked by them."""
    token = _SIGHT.set(sight)
    try:
        yield
    finally:
        _SIGHT.reset(token)


def present_reach() -> Reach:
    """How far the sender of the present request reaches now."""
    sight = _SIGHT.get()
    return EVERYTHING if sight is None else sight.reach()


class SeenHouse(SeenVisitors):
    """Satisfies `HouseFacade` for whoever sends the present request."""

    def __init__(self, house: HouseFacade) -> None:
        super().__init__(house, present_reach)
        self._house = house
        self._cases = SeenCases(house, self.incident, present_reach)

    # ------------------------------------------------- what is the same for all who may ask for it

    @property
    def config(self) -> Config:
        return self._house.config

    @property
    def campus(self) -> Campus:
        return self._house.campus

    @property
    def clock(self) -> Clock:
        return self._house.clock

    @property
    def configuration(self) -> ConfigurationFacade:
        return self._house.configuration

    @property
    def masks(self) -> MasksFacade:
        return self._house.masks

    @property
    def picture_links(self) -> PictureLinksFacade:
        return self._house.picture_links

    @property
    def push_keys(self) -> Callable[[], Awaitable[Mapping[str, str]]]:
        return self._house.push_keys

    @property
    def protocols(self) -> ProtocolsFacade:
        return self._house.protocols

    @property
    def drills(self) -> DrillsFacade:
        return self._house.drills

    @property
    def glass(self) -> GlassFacade:
        return self._house.glass

    @property
    def audit(self) -> AuditFacade:
        return self._house.audit

    @property
    def rules(self) -> RulesFacade:
        return self._house.rules

    def in_force(self, schedule: str) -> bool:
        return self._house.in_force(schedule)

    def watch(self, camera: str) -> None:
        self._house.watch(camera)

    async def receive(self, inbound: str, headers: Mapping[str, str], body: bytes) -> InboundAnswer:
        return await self._house.receive(inbound, headers, body)

    async def models(self) -> list[ModelView]:
        return await self._house.models()

    async def journal_write(self, work: Callable[[Any], Any]) -> Any:
        return await self._house.journal_write(work)

    async def journal_read(self, work: Callable[[Any], Any]) -> Any:
        return await self._house.journal_read(work)

    # ------------------------------------------------------------------------ cameras and pictures

    def cameras(self) -> list[CameraView]:
        """The cameras within reach."""
        names = present_reach().cameras
        return [each for each in self._house.cameras() if within(names, each["id"])]

    def snapshot(self, camera: str) -> Path | None:
        """The file of the newest picture, while its reader may see it."""
        sight = _SIGHT.get()
        if sight is None:
            return self._house.snapshot(camera)
        seen = sight.may("see.cameras") and within(sight.reach().cameras, camera)
        return self._house.snapshot(camera) if seen else None

    def media(self, name: str) -> Path | None:
        """The file of a kept picture for those who see every camera; see `kept_picture`."""
        return self._house.media(name) if present_reach().cameras is None else None

    async def camera_of(self, picture: str) -> str:
        """The camera that took a kept picture; empty for one beyond reach."""
        camera = await self._house.camera_of(picture)
        return camera if within(present_reach().cameras, camera) else ""

    async def kept_picture(self, name: str) -> Path | None:
        """The file of a kept picture that was taken by a camera within reach."""
        if present_reach().cameras is None or await self.camera_of(name):
            return self._house.media(name)
        return None

    # --------------------------------------------------------------------------------------- doors

    def doors(self) -> list[DoorView]:
        """The doors within reach; one that closes off another place takes no command."""
        reach = present_reach()
        if reach.commanded is None:
            return self._house.doors()
        return [
            each if within(reach.commanded, each["id"]) else {**each, "verbs": []}
            for each in self._house.doors()
            if within(reach.doors, each["id"])
        ]

    async def command_door(
        self,
        door: str,
        verb: Verb,
        by: str,
        reason: str,
        *,
        lasts: float | None = None,
        may_enter: bool = False,
    ) -> str:
        """Write what somebody wants of a door within reach."""
        reach = present_reach()
        if not within(reach.doors, door):
            raise KeyError(door)
        if not within(reach.commanded, door):
            raise Refused(f"{self.config.doors[door].name} is not yours to command: {BEYOND}")
        ask = self._house.command_door
        return await ask(door, verb, by, reason, lasts=lasts, may_enter=may_enter)

    async def door_past(self, door: str) -> list[DoorPastView]:
        """What a door within reach has done lately."""
        if not within(present_reach().doors, door):
            raise KeyError(door)
        return await self._house.door_past(door)

    # -------------------------------------------------------------------------------------- alerts

    async def alerts(self, open_only: bool = False) -> list[AlertView]:
        """The alerts of places within reach, their pictures where the camera is."""
        reach = present_reach()
        found = await self._house.alerts(open_only)
        return [seen_alert(each, reach) for each in found if alert_within(each, reach.alerts)]

    async def alert(self, alert: str) -> AlertView:
        """One alert within reach. Raises `KeyError`."""
        view, reach = await self._house.alert(alert), present_reach()
        if not alert_within(view, reach.alerts):
            raise KeyError(alert)
        return seen_alert(view, reach)

    async def _decides(self, alert: str) -> None:
        """Who decides about an alert reaches all of it."""
        await self.alert(alert)
        if not whole_within(await self._house.alert(alert), present_reach().alerts):
            raise Refused(PART_BEYOND)

    async def verdict(self, alert: str, verdict: Verdict, by: str, note: str = "") -> AlertView:
        """Judge an alert within reach."""
        await self._decides(alert)
        return seen_alert(await self._house.verdict(alert, verdict, by, note), present_reach())

    async def undo(self, alert: str, by: str) -> AlertView:
        """Take one's dismissal of an alert within reach back."""
        await self._decides(alert)
        return seen_alert(await self._house.undo(alert, by), present_reach())

    async def acknowledge(self, alert: str, by: str) -> AlertView:
        """Take an alert within reach on."""
        await self._decides(alert)
        return seen_alert(await self._house.acknowledge(alert, by), present_reach())

    async def resolve(self, alert: str, by: str, note: str = "") -> AlertView:
        """Say that an alert within reach is over."""
        await self._decides(alert)
        return seen_alert(await self._house.resolve(alert, by, note), present_reach())

    async def restore_rule(self, rule: str, camera: str, by: str) -> None:
        """Trust a rule again by a camera within reach; what no camera saw is for who sees all."""
        if not within(present_reach().cameras, camera):
            raise KeyError(rule)
        await self._house.restore_rule(rule, camera, by)

    async def opened(self, alert: str, by: str) -> None:
        """Somebody looks at an alert; one beyond reach they do not see."""
        if alert_within(await self._house.alert(alert), present_reach().alerts):
            await self._house.opened(alert, by)

    # ----------------------------------------------------------------------------------- incidents

    @property
    def cases(self) -> CasesFacade:
        """What people may do in incidents within reach."""
        return self._cases

    async def incidents(self) -> list[IncidentView]:
        """The incidents within reach."""
        reach = present_reach()
        found = await self._house.incidents()
        return [seen_incident(each, reach) for each in found if incident_within(each, reach)]

    async def incident(self, incident: str) -> IncidentView:
        """One incident within reach, as far as its story is. Raises `KeyError`."""
        view, reach = await self._house.incident(incident), present_reach()
        if not incident_within(view, reach):
            raise KeyError(incident)
        if reach.whole:
            return view
        links = [each for each in view["links"] if await self._seen(each["incident"], reach)]
        return seen_incident(view, reach, links)

    async def _seen(self, incident: str, reach: Reach) -> bool:
        """Whether another incident lies within reach."""
        try:
            return incident_within(await self._house.incident(incident), reach)
        except KeyError:
            return False

    # ---------------------------------------------------------------------------- health and events

    async def health(self) -> HealthView:
        """How the house is; what is said of cameras and doors beyond reach is left out."""
        view, reach = await self._house.health(), present_reach()
        if reach.whole:
            return view
        names = names_beyond(self.config, self.campus, reach)
        return {
            **view,
            "problems": [each for each in view["problems"] if not names(each)],
            "notes": [each for each in view["notes"] if not names(each)],
            "drivers": [
                each
                for each in view["drivers"]
                if each["kind"] != "cameras" or within(reach.cameras, each["id"])
            ],
            "alerts_open": len(await self.alerts(open_only=True)),
        }

    async def past(self, about: str, hours: int) -> PastView:
        """How the hub, or a camera within reach, was. Raises `KeyError`."""
        kind, _of, camera = about.partition("/")
        if kind == "camera" and camera not in {each["id"] for each in self.cameras()}:
            raise KeyError(about)
        return await self._house.past(about, hours)

    @contextmanager
    def events(self, doubtful: bool = False) -> Iterator[EventStream]:
        """Events within reach as they are committed; `doubtful` ones too of which nobody can tell
        where they happened, for who is told no more than that something changed.
        """
        with self._house.events() as stream:
            yield _SeenStream(stream, doubtful)

    async def past_events(self, after: int, limit: int = 500) -> Sequence[tuple[int, Event]]:
        """Committed events within reach; empty only where nothing comes after them."""
        while batch := await self._house.past_events(after, limit):
            reach = present_reach()
            found = [each for each in batch if seen_event(each[1], reach)]
            if found:
                return found
            after = batch[-1][0]
        return []


class _SeenStream:
    """The events of a subscription that its reader may see."""

    def __init__(self, stream: EventStream, doubtful: bool) -> None:
        self._stream, self._doubtful = stream, doubtful

    @property
    def dropped(self) -> int:
        return self._stream.dropped

    def __aiter__(self) -> _SeenStream:
        return self

    async def __anext__(self) -> tuple[int, Event]:
        while True:
            seq, event = await self._stream.__anext__()
            seen = seen_event(event, present_reach())
            if seen or (seen is None and self._doubtful):
                return seq, event
