"""Visitors, as whoever sends the present request may see them: those at desks within reach."""

from __future__ import annotations

from collections.abc import Callable

from hub.identity.reach import Reach, within
from hub.kinds.visitors import WalkIn
from hub.visitors_port import MatchView, VisitorsFacade, VisitView


class SeenVisitors:
    """Satisfies `hub.visitors_port.VisitorsFacade` for one reader at a time."""

    def __init__(self, visitors: VisitorsFacade, how_far: Callable[[], Reach]) -> None:
        self._visitors, self._how_far = visitors, how_far

    async def visits(self) -> list[VisitView]:
        """The visits at desks within reach."""
        desks = self._how_far().desks
        return [each for each in await self._visitors.visits() if within(desks, each["desk"])]

    def silent_desks(self) -> list[str]:
        """The desks within reach that do not say who is here."""
        desks = self._how_far().desks
        return [each for each in self._visitors.silent_desks() if within(desks, each)]

    def desks_for_walk_ins(self) -> list[str]:
        """The desks within reach that take somebody whom nobody announced."""
        desks = self._how_far().desks
        return [each for each in self._visitors.desks_for_walk_ins() if within(desks, each)]

    async def register(self, desk: str, walk_in: WalkIn, by: str) -> VisitView:
        """Put somebody on the list of a desk within reach. Raises `KeyError` or `Refused`."""
        self._reach_desk(desk)
        return await self._visitors.register(desk, walk_in, by)

    async def badge(self, desk: str, visit: str, by: str) -> VisitView:
        """A visit whose badge is printed. Raises `KeyError` or `Refused`."""
        self._reach_desk(desk)
        return await self._visitors.badge(desk, visit, by)

    async def roll_opened(self, by: str, people: int) -> None:
        """Note that somebody opened the list of all who are here."""
        await self._visitors.roll_opened(by, people)

    async def match(self, desk: str, visit: str) -> MatchView | None:
        """What a person decides before a visitor at a desk within reach may come in."""
        self._reach_desk(desk)
        return await self._visitors.match(desk, visit)

    async def check_in(self, desk: str, visit: str, by: str, admit: str = "") -> VisitView:
        """Raises `KeyError` or `Refused`."""
        self._reach_desk(desk)
        return await self._visitors.check_in(desk, visit, by, admit)

    async def check_out(self, desk: str, visit: str, by: str) -> VisitView:
        """Raises `KeyError` or `Refused`."""
        self._reach_desk(desk)
        return await self._visitors.check_out(desk, visit, by)

    def _reach_desk(self, desk: str) -> None:
        if not within(self._how_far().desks, desk):
            raise KeyError(desk)
