"""Glass that somebody has broken, and what rooms may ask of it; see `hub.break_glass`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from typing_extensions import TypedDict


class GlassView(TypedDict):
    """Somebody may more for a while, in one session: what, why, since when and until when."""

    id: str
    user: str
    role: str
    permissions: list[str]
    reason: str
    since: str
    until: str


class GlassFacade(Protocol):
    """Who has broken the glass."""

    def of(self, session: str) -> GlassView | None:
        """What was broken in a session, named by its digest, and is not whole again."""
        ...

    def every(self) -> Sequence[GlassView]:
        """All that is broken now, in the order it was."""
        ...

    async def break_it(
        self, session: str, user: str, role: str, permissions: Sequence[str], reason: str
    ) -> GlassView:
        """Somebody may these for a while; all concerned are told. Raises `Refused`."""
        ...

    async def mend(self, id_: str, by: str) -> GlassView:
        """End it before its time. Raises `KeyError` for one that is not broken."""
        ...
