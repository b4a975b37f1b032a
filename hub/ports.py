"""The few protocols that rooms need of each other without importing each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hub.audit_port import AuditFacade
from hub.break_glass_views import GlassFacade
from hub.camera_views import CameraView, MasksView
from hub.config_text_views import FileTextView
from hub.door_views import DoorPastView
from hub.drill_views import DrillsFacade
from hub.events import Event
from hub.incident_settings import IncidentKind
from hub.incident_views import CallCardView, NearView
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import Severity
from hub.past_views import PastView
from hub.protocol_port import ProtocolsFacade
from hub.rules_port import RulesFacade
from hub.views import (
    AlertView,
    ConfigurationView,
    DoorView,
    HealthView,
    IncidentView,
    ModelView,
    PlanView,
    Verdict,
)
from hub.visitors_port import VisitorsFacade

if TYPE_CHECKING:
    from hub.campus import Campus
    from hub.clock import Clock
    from hub.config import Config
    from hub.document import Document

Accept = Callable[..., Awaitable[None]]
Corners = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command or notice ended, and in words why."""

    state: Literal["confirmed", "failed", "timed_out"]
    detail: str = ""


class DoorActuator(Protocol):
    """Performs door commands; see `hub.safety.doors.reconciler.Doors`."""

    async def perform(self, door: str, verb: Verb, key: str, deadline_s: float) -> Outcome:
        """Ask, then wait for the door's own report; always ends within the deadline."""
        ...


@dataclass(frozen=True, slots=True)
class InboundAnswer:
    """What the sender of a message is told; `proven` is false where it may be anybody."""

    status: int
    body: Mapping[str, Any]
    proven: bool = True
    retry_after: int = 0


class EventStream(Protocol):
    """A subscription to committed events; iterate it, close it."""

    @property
    def dropped(self) -> int: ...

    def __aiter__(self) -> EventStream: ...

    async def __anext__(self) -> tuple[int, Event]: ...


class ConfigurationFacade(Protocol):
    """What pages, API and command line may ask of the configuration; see `hub.configuration`."""

    @property
    def trouble(self) -> str:
        """Why what runs is not what the file says; empty where it is."""
        ...

    @property
    def waiting(self) -> str:
        """What somebody has to confirm, in words; empty where nothing waits."""
        ...

    @property
    def folder(self) -> Path:
        """Where the file lies, and beside it its secrets and plugins."""
        ...

    def running(self) -> Document:
        """The file that runs, as it was read."""
        ...

    async def view(self) -> ConfigurationView:
        """What runs, since when, and what was kept."""
        ...

    async def look(self, kept: str = "") -> PlanView:
        """What taking over the file, or a kept one, would change. Raises `Refused`."""
        ...

    async def text(self, kept: str = "") -> list[FileTextView]:
        """The file, or a kept one, with its mistakes at their lines. Raises `Refused`."""
        ...

    async def apply(self, plan: str, by: str, *, confirmed: bool = False) -> PlanView:
        """Take over what was looked at. Raises `Refused`."""
        ...


class CasesFacade(Protocol):
    """What people may do in incidents; see `hub.incidents`. Each act raises `KeyError` for an
    unknown incident and `Refused` where it makes no sense; sent twice under one `key` it is one.
    """

    async def open(
        self,
        title: str,
        kind: IncidentKind,
        severity: Severity,
        place: str,
        by: str,
        *,
        drill: bool = False,
        key: str = "",
    ) -> IncidentView:
        """Open an incident by hand."""
        ...

    async def note(
        self, incident: str, text: str, by: str, *, key: str = "", corrects: str = ""
    ) -> IncidentView:
        """Add a note, or the correction of an earlier entry."""
        ...

    async def role(
        self, incident: str, role: str, person: str, by: str, *, ends: bool = False
    ) -> IncidentView:
        """Give somebody a role, or end it."""
        ...

    async def add_task(
        self, incident: str, text: str, by: str, *, key: str = "", who: str = ""
    ) -> IncidentView:
        """Add a task."""
        ...

    async def task(
        self, incident: str, task: str, do: str, by: str, *, who: str = "", note: str = ""
    ) -> IncidentView:
        """Take a task, finish it, drop it, or open it again."""
        ...

    async def kind(self, incident: str, kind: IncidentKind, by: str) -> IncidentView:
        """Say what it is about."""
        ...

    async def update(self, incident: str, text: str, by: str, *, key: str = "") -> IncidentView:
        """Tell everyone who was told how it stands."""
        ...

    async def merge(self, incident: str, into: str, by: str, *, why: str = "") -> IncidentView:
        """Make it part of another; answers with that one."""
        ...

    async def split(
        self, incident: str, alerts: Sequence[str], title: str, by: str, *, why: str = ""
    ) -> IncidentView:
        """Make some of its alerts an incident of their own; answers with the new one."""
        ...

    async def close(self, incident: str, by: str, *, why: str = "") -> IncidentView:
        """End it."""
        ...

    async def reopen(self, incident: str, by: str, *, why: str = "") -> IncidentView:
        """Go on with it."""
        ...

    async def near(self, incident: IncidentView, allowed: Callable[[str], bool]) -> NearView:
        """What is around an incident, as far as the reader may see it."""
        ...

    async def call_card(self, incident: str) -> CallCardView:
        """What to say to emergency services."""
        ...

    async def hand_over(self, incident: str, by: str, *, key: str = "") -> CallCardView:
        """A person hands it over to emergency services; answers with the card as it is then."""
        ...

    async def json(self, incident: str, by: str) -> bytes:
        """The after-action report as a file; who takes away what is told in the story."""
        ...

    async def pdf(self, incident: str, by: str) -> bytes:
        """The same as a PDF."""
        ...


class MasksFacade(Protocol):
    """Masks that somebody draws, in the user's own file; see `hub.drawn_masks`."""

    async def plan(self, camera: str, masks: Sequence[Corners]) -> MasksView:
        """What these masks would change in the file. Raises `Refused` where that cannot be read."""
        ...

    async def write(self, camera: str, masks: Sequence[Corners], before: str, by: str) -> str:
        """Write what was planned; returns the name of the copy of what stood there. Raises
        `Refused`, and then nothing has changed.
        """
        ...


class PictureLinksFacade(Protocol):
    """Tells good links to pictures from others; see `hub.safety.notices.picture_links`."""

    def check(
        self, alert: str, picture: str, until: str, sign: str, now: datetime
    ) -> Literal["open", "expired", "forged"]:
        """Whether a link is the hub's own and still good."""
        ...


class HouseFacade(VisitorsFacade, Protocol):
    """All that the pages and the API may ask of the hub."""

    config: Config
    campus: Campus
    clock: Clock
    configuration: ConfigurationFacade
    picture_links: PictureLinksFacade
    push_keys: Callable[[], Awaitable[Mapping[str, str]]]  # what browsers subscribe with
    cases: CasesFacade
    masks: MasksFacade
    protocols: ProtocolsFacade
    drills: DrillsFacade
    glass: GlassFacade

    @property
    def rules(self) -> RulesFacade:
        """What the rules are, what they did and why."""
        ...

    @property
    def audit(self) -> AuditFacade:
        """Who looked, took away, opened and changed."""
        ...

    def cameras(self) -> list[CameraView]:
        """Every configured camera, in file order."""
        ...

    def snapshot(self, camera: str) -> Path | None:
        """The file of the newest picture; None when there is none."""
        ...

    def watch(self, camera: str) -> None:
        """Somebody looks at a camera: for ten seconds it shows every picture of its rate."""
        ...

    def media(self, name: str) -> Path | None:
        """The file of a kept picture; None for a name that is unknown or not a plain name."""
        ...

    async def camera_of(self, picture: str) -> str:
        """The camera that took a kept picture; empty where nobody knows."""
        ...

    def doors(self) -> list[DoorView]:
        """Every configured door, in file order."""
        ...

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
        """Write what somebody wants of a door, for so many seconds; returns the command's key.
        `may_enter` where they may pass a door that a protocol locks. Raises `KeyError`, `Refused`.
        """
        ...

    async def door_past(self, door: str) -> list[DoorPastView]:
        """What a door has done and been asked lately, newest first. Raises `KeyError`."""
        ...

    async def alerts(self, open_only: bool = False) -> list[AlertView]:
        """Alerts, most severe first, then oldest; decided ones after open ones."""
        ...

    async def alert(self, alert: str) -> AlertView:
        """One alert. Raises `KeyError`."""
        ...

    async def verdict(self, alert: str, verdict: Verdict, by: str, note: str = "") -> AlertView:
        """Give a verdict. Raises `KeyError`, or `Refused` when another verdict already stands."""
        ...

    async def undo(self, alert: str, by: str) -> AlertView:
        """Take one's dismissal back within seconds. Raises `KeyError` or `Refused`."""
        ...

    async def acknowledge(self, alert: str, by: str) -> AlertView:
        """Take an alert on. Raises `KeyError`, or `Refused` when somebody else has."""
        ...

    async def resolve(self, alert: str, by: str, note: str = "") -> AlertView:
        """Say that a verified alert is over. Raises `KeyError` or `Refused`."""
        ...

    async def restore_rule(self, rule: str, camera: str, by: str) -> None:
        """Have a demoted rule raise alerts as before. Raises `KeyError` for an unknown rule."""
        ...

    async def opened(self, alert: str, by: str) -> None:
        """Somebody signed in looks at an alert: where they were told of it, they have seen it."""
        ...

    async def incidents(self) -> list[IncidentView]:
        """Incidents, newest first, without their entries."""
        ...

    async def incident(self, incident: str) -> IncidentView:
        """One incident with its story. Raises `KeyError`."""
        ...

    async def receive(self, inbound: str, headers: Mapping[str, str], body: bytes) -> InboundAnswer:
        """Take a message of another system; see `hub.inbound.desk`."""
        ...

    async def health(self) -> HealthView:
        """How the house is."""
        ...

    async def models(self) -> list[ModelView]:
        """The models that look at pictures now, with their cards."""
        ...

    def in_force(self, schedule: str) -> bool:
        """Whether a schedule is in force now; one that is not configured never is."""
        ...

    async def past(self, about: str, hours: int) -> PastView:
        """How the hub (`hub`) or a camera (`camera/ID`) was, over the last hours."""
        ...

    def events(self) -> AbstractContextManager[EventStream]:
        """Subscribe to events as they are committed."""
        ...

    async def past_events(self, after: int, limit: int = 500) -> Sequence[tuple[int, Event]]:
        """Committed events with a sequence number above `after`, oldest first."""
        ...

    async def journal_write(self, work: Callable[[Any], Any]) -> Any:
        """Run a function of a database connection in a write transaction (accounts use it)."""
        ...

    async def journal_read(self, work: Callable[[Any], Any]) -> Any:
        """Run a function of a database connection that only reads."""
        ...
