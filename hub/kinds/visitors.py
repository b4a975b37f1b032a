"""The contract of a visitor system: who is expected, who is here, who should have left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit. `until` is when the visitor should have left, `badge` what stands on the badge
    that they were given, if anything.
    """

    id: str
    visitor: str
    host: str
    purpose: str
    expected: datetime
    until: datetime
    arrived: datetime | None = None
    left: datetime | None = None
    badge: str = ""

    @property
    def state(self) -> Literal["expected", "here", "left"]:
        """Where the visit stands."""
        if self.left is not None:
            return "left"
        return "here" if self.arrived is not None else "expected"


@dataclass(frozen=True, slots=True)
class WalkIn:
    """Somebody at the desk whom nobody announced. `until` is when they should have left,
    `namesakes` how many of that name, for that host, somebody has said are other people.
    """

    visitor: str
    host: str
    purpose: str
    until: datetime
    namesakes: int = 0


@dataclass(frozen=True, slots=True)
class Screening:
    """What a check of a visitor found. A match only asks; a person answers."""

    match: bool
    reason: str = ""


@runtime_checkable
class VisitorSystem(Protocol):
    """One visitor system or desk. Publishes visitor.* events through its context.

    It may offer `async def probe(self) -> str | Probed` (see `hub.Probed`): whether its lists can
    be read; and `async def register(self, walk_in: WalkIn) -> Visit`, which puts somebody whom
    nobody announced on today's list, as expected now. Nobody is in by that: `check_in` follows.
    `register` raises `Refused` for somebody who is on the list already: where there are more of the
    name for the host than the `namesakes` that are known to be other people.
    """

    async def start(self) -> None:
        """Get ready; raise `NotReady` to be tried again later."""
        ...

    async def visits(self) -> list[Visit]:
        """Today's visits, by expected time."""
        ...

    async def screen(self, visitor: str) -> Screening:
        """Check a name against the lists this system has."""
        ...

    async def check_in(self, visit: str) -> Visit:
        """The visitor is here. Raises `Refused` for one that is unknown or already in or gone."""
        ...

    async def check_out(self, visit: str) -> Visit:
        """The visitor has left. Raises `Refused` for one that is not here."""
        ...

    async def close(self) -> None:
        """Let go of everything; called once, also after a failed start."""
        ...
