"""Where messages from outside arrive: proven, read, journaled, answered. In this order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import structlog

from hub.clock import Clock
from hub.config import Config
from hub.errors import StateError
from hub.events import Event
from hub.inbound.blocks import InboundBlock
from hub.inbound.mapping import Unreadable, read
from hub.inbound.proof import Unproven, prove
from hub.ports import InboundAnswer

Take = Callable[[Event], Awaitable[bool]]
MINUTE_S = 60.0
UNPROVEN = "The message does not prove who sent it."

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Tally:
    taken: int = 0
    repeated: int = 0
    ignored: int = 0
    unreadable: int = 0
    unproven: int = 0
    refused: int = 0
    since: float = 0.0
    this_minute: int = 0


@dataclass(slots=True)
class InboundDesk:
    """Takes messages for every inbound of the configuration that is in force.

    `take` journals an event and says whether it is new; it returns once that is on the disk.
    """

    config: Callable[[], Config]
    take: Take
    clock: Clock
    _tallies: dict[str, _Tally] = field(default_factory=dict)

    def counts(self) -> dict[str, dict[str, int]]:
        """What came in, by inbound, for health."""
        counted = {}
        for name in self.config().inbound:
            tally = self._tallies.get(name, _Tally())
            counted[f"inbound {name}"] = {
                "accepted": tally.taken,
                "repeated": tally.repeated,
                "ignored": tally.ignored,
                "unreadable": tally.unreadable,
                "unproven": tally.unproven,
                "dropped": tally.refused,
            }
        return counted

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> InboundAnswer:
        """InboundAnswer one message. Never raises for what a sender may do wrong.

        An inbound that does not exist answers as one whose proof fails, so that nobody learns names
        by trying.
        """
        config = self.config()
        block = config.inbound.get(name)
        if block is None:
            return _unproven("expected a known sender")
        now = self.clock.now().astimezone(ZoneInfo(config.hub.timezone))
        tally = self._tallies.setdefault(name, _Tally())
        try:
            prove(block, headers, body, now)
        except Unproven as problem:
            tally.unproven += 1
            log.warning("a message was not proven", inbound=name, reason=str(problem))
            return _unproven(str(problem))
        if wait := self._too_many(block, tally):
            tally.refused += 1
            return InboundAnswer(
                429, _said("Too many messages.", f"Again in {wait} s."), retry_after=wait
            )
        try:
            reading = read(block, name, body, now)
        except Unreadable as problem:
            tally.unreadable += 1
            log.warning("a message cannot be read", inbound=name, reason=str(problem))
            return InboundAnswer(422, _said(f"The message cannot be used: {problem}.", _LEARN))
        if reading.event is None:
            tally.ignored += 1
            return InboundAnswer(200, {"taken": False, "why": reading.why})
        return await self._journaled(reading.event, tally)

    async def _journaled(self, event: Event, tally: _Tally) -> InboundAnswer:
        try:
            new = await self.take(event)
        except StateError:
            tally.refused += 1
            return InboundAnswer(
                503, _said("The hub cannot write it down.", "Send it again."), retry_after=5
            )
        tally.taken += new
        tally.repeated += not new
        return InboundAnswer(
            202 if new else 200, {"taken": True, "event": event.id, "repeated": not new}
        )

    def _too_many(self, block: InboundBlock, tally: _Tally) -> int:
        """Seconds until more are heard; 0 when this one is. A minute begins with its first."""
        now = self.clock.monotonic()
        if now - tally.since >= MINUTE_S:
            tally.since, tally.this_minute = now, 0
        if tally.this_minute >= block.per_minute:
            return max(1, round(tally.since + MINUTE_S - now))
        tally.this_minute += 1
        return 0


_LEARN = "`vestibule inbound CONFIG NAME FILE` shows what becomes of a message."


def _said(error: str, hint: str) -> dict[str, str]:
    return {"error": error, "hint": hint}


def _unproven(reason: str) -> InboundAnswer:
    return InboundAnswer(401, _said(UNPROVEN, f"{reason[0].upper()}{reason[1:]}."), proven=False)
