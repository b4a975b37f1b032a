"""What pages and API may ask of visitors; see `hub.visitors`."""

from __future__ import annotations

from typing import Literal, Protocol

from typing_extensions import TypedDict

from hub.errors import Refused
from hub.kinds.visitors import WalkIn


class Matched(Refused):
    """A visitor whose name is on a list of whom not to admit: a person has to decide."""


class VisitView(TypedDict):
    """A visit as the desk shows it."""

    id: str
    desk: str
    visitor: str
    host: str
    purpose: str
    expected: str
    until: str
    arrived: str | None
    left: str | None
    state: Literal["expected", "here", "left"]
    overstayed: bool
    badge: str


class MatchView(TypedDict):
    """A visit that may be of somebody not to admit, and what the lists say."""

    visit: VisitView
    reason: str


class VisitorsFacade(Protocol):
    """Who is expected and here at every desk, and who may come in."""

    async def visits(self) -> list[VisitView]:
        """Today's visits at every desk that answers."""
        ...

    def silent_desks(self) -> list[str]:
        """The desks that do not say who is here."""
        ...

    def desks_for_walk_ins(self) -> list[str]:
        """The desks that take somebody whom nobody announced."""
        ...

    async def register(self, desk: str, walk_in: WalkIn, by: str) -> VisitView:
        """Put somebody on today's list; nobody is in by that. Raises `KeyError` or `Refused`."""
        ...

    async def badge(self, desk: str, visit: str, by: str) -> VisitView:
        """A visit whose badge is printed. Raises `KeyError`, and `Refused` for who is not here."""
        ...

    async def roll_opened(self, by: str, people: int) -> None:
        """Note that somebody opened the list of all who are here, and how many it has."""
        ...

    async def match(self, desk: str, visit: str) -> MatchView | None:
        """What a person decides before this visitor may come in, if anything. Raises `KeyError`."""
        ...

    async def check_in(self, desk: str, visit: str, by: str, admit: str = "") -> VisitView:
        """Raises `KeyError` or `Refused`; `Matched` where somebody has to decide, who says in
        `admit` how they know.
        """
        ...

    async def check_out(self, desk: str, visit: str, by: str) -> VisitView:
        """Raises `KeyError` or `Refused`."""
        ...
