"""The few protocols that rooms need of each other without importing each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hub.events import Event
from hub.kinds.access_control import Verb
from hub.views import (
    AlertView,
    CameraView,
    ConfigurationView,
    DoorView,
    HealthView,
    IncidentView,
    ModelView,
    PlanView,
    Verdict,
    VisitView,
)

if TYPE_CHECKING:
    from hub.campus import Campus
    from hub.clock import Clock
    from hub.config import Config

Accept = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command or notice ended, and in words why."""

    state: Literal["confirmed", "failed", "timed_out"]
    detail: str = ""


class DoorActuator(Protocol):
    """Performs door commands; see `hub.safety.doors.Doors`."""

    async def perform(self, door: str, verb: Verb, key: str, deadline_s: float) -> Outcome:
        """Ask, then wait for the door's own report; always ends within the deadline."""
        ...


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

    async def view(self) -> ConfigurationView:
        """What runs, since when, and what was kept."""
        ...

    async def look(self, kept: str = "") -> PlanView:
        """What taking over the file, or a kept one, would change. Raises `Refused`."""
        ...

    async def apply(self, plan: str, by: str, *, confirmed: bool = False) -> PlanView:
        """Take over what was looked at. Raises `Refused`."""
        ...


class HouseFacade(Protocol):
    """All that the pages and the API may ask of the hub."""

    config: Config
    campus: Campus
    clock: Clock
    configuration: ConfigurationFacade

    def cameras(self) -> list[CameraView]:
        """Every configured camera, in file order."""
        ...

    def snapshot(self, camera: str) -> Path | None:
        """The file of the newest picture; None when there is none."""
        ...

    def media(self, name: str) -> Path | None:
        """The file of a kept picture; None for a name that is unknown or not a plain name."""
        ...

    def doors(self) -> list[DoorView]:
        """Every configured door, in file order."""
        ...

    async def command_door(self, door: str, verb: Verb, by: str, reason: str) -> str:
        """Write the intention; returns its key. Raises `KeyError` or `Refused`."""
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

    async def incidents(self) -> list[IncidentView]:
        """Incidents, newest first, without their entries."""
        ...

    async def incident(self, incident: str) -> IncidentView:
        """One incident with its story. Raises `KeyError`."""
        ...

    async def visits(self) -> list[VisitView]:
        """Today's visits at every desk."""
        ...

    async def check_in(self, desk: str, visit: str, by: str) -> VisitView:
        """Raises `KeyError` or `Refused`."""
        ...

    async def check_out(self, desk: str, visit: str, by: str) -> VisitView:
        """Raises `KeyError` or `Refused`."""
        ...

    async def health(self) -> HealthView:
        """How the house is."""
        ...

    async def models(self) -> list[ModelView]:
        """The models that look at pictures now, with their cards."""
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
