"""What pages and API may ask of the audit; see `hub.audit`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from typing_extensions import TypedDict

from hub.clock import iso


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lines are asked for: of one person, of one act, from and until a time (RFC 3339 text
    in UTC, the end excluded); empty for all.
    """

    who: str = ""
    act: str = ""
    since: str = ""
    until: str = ""

    @property
    def filters(self) -> dict[str, str]:
        """What narrows it, by name."""
        said = {"who": self.who, "act": self.act, "since": self.since, "until": self.until}
        return {name: value for name, value in said.items() if value}


def whole_day(day: str, zone: str = "UTC") -> tuple[str, str]:
    """From when until when a day such as `2026-03-02` lasts, as RFC 3339 text in UTC. Raises
    `ValueError`.
    """
    try:
        begins = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone))
        ends = datetime.combine(begins.date() + timedelta(days=1), time(), ZoneInfo(zone))
        return iso(begins), iso(ends)
    except OverflowError:
        raise ValueError(f"{day} is beyond what the calendar holds") from None


class AuditLineView(TypedDict):
    """One line. `address` is empty for what came from no network, `event` the event of the journal
    that it tells of; `previous` and `hash` close the chain.
    """

    number: int
    time: str
    who: str
    address: str
    act: str
    subject: str
    outcome: str
    details: dict[str, Any]
    event: str
    chain: str
    previous: str
    hash: str


class LookView(TypedDict):
    """Somebody who is looking at pictures now; their line is written when they look no more.
    `glass` is set where they may because they have broken the glass.
    """

    who: str
    address: str
    act: str
    subject: str
    glass: str
    since: str


class AuditView(TypedDict):
    """Lines, newest first, and what the page of the audit shows beside them. `more` is the number
    to go on below, 0 where there are no more; `key` the public key that signs.
    """

    lines: list[AuditLineView]
    more: int
    looking: list[LookView]
    people: list[str]
    key: str
    signed: int
    signed_time: str


class AuditFacade(Protocol):
    """Who looked, took away, opened and changed."""

    acts: dict[str, str]

    async def look(self, who: str, address: str, camera: str) -> None:
        """Somebody is about to be shown a live picture. Raises `StateError` where that cannot be
        recorded: then it is not shown.
        """
        ...

    async def look_at_kept(self, who: str, address: str, picture: str) -> None:
        """The same for a kept picture, by its name."""
        ...

    async def refused(self, name: str) -> None:
        """Somebody was refused at sign-in; `name` is an account's, else empty."""
        ...

    async def view(self, asked: Asked, before: int = 0) -> AuditView:
        """A page of lines with numbers below `before`; 0 for the newest."""
        ...

    async def export(self, asked: Asked, by: str) -> AsyncIterator[bytes]:
        """The lines as a file that anybody can verify. That it was taken away is a line, in it.
        Raises `StateError`, and then nothing is handed out.
        """
        ...
