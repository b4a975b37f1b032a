"""What pages and API may ask of visitors; see `hub.visitors`."""

from __future__ import annotations

from typing import Literal, Protocol

from typing_extensions import TypedDict

from hub.errors import Refused


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
