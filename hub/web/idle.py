"""Signing out whoever left a page alone, where the school wants that (`hub.sign_in.idle`).

What counts is what a person does: opening a page, sending a form. A page that fetches itself again,
its pictures and its streams do not.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from hub.clock import from_iso
from hub.identity.accounts import Identity
from hub.ports import HouseFacade
from hub.web.remembered import Remembered

NOTED_EVERY = timedelta(minutes=5)
NOTED_EVERY_WHERE_IT_COUNTS = timedelta(seconds=20)


def done_by_a_person(request: web.Request) -> bool:
    """Whether somebody did this, rather than a page by itself. Browsers say what a fetch is for;
    older ones ask for HTML by name only where they go to a page.
    """
    if request.method not in ("GET", "HEAD"):
        return True
    there = request.headers.get("Sec-Fetch-Dest")
    if there is None:
        return "text/html" in request.headers.get("Accept", "")
    return there == "document"


class Idle:
    """Whose session was left alone for too long."""

    def __init__(self, house: HouseFacade) -> None:
        self._house = house
        self._ended = Remembered[str, None](house.clock)

    def noted_every(self, who: Identity) -> timedelta:
        """How exactly it is written down when somebody did something last."""
        counts = who.kind == "session" and who.role in self._house.config.hub.sign_in.idle
        return NOTED_EVERY_WHERE_IT_COUNTS if counts else NOTED_EVERY

    def over(self, who: Identity, now: datetime) -> bool:
        """Whether nobody did anything in this session for as long as its role has."""
        after = self._house.config.hub.sign_in.idle.get(who.role)
        if after is None or who.kind != "session":
            return False
        return (now - from_iso(who.last_used or who.opened)).total_seconds() >= after

    def end(self, who: Identity) -> None:
        """Remember for a while why this session is over, for whoever comes back to it."""
        self._ended.keep(who.digest, None)

    def ended(self, digest: str) -> bool:
        """Whether a session is over because nobody did anything in it."""
        return digest in self._ended
