"""Where messages from outside arrive: proven, read, journaled, answered. In this order."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from hub.clock import Clock
from hub.config import Config
from hub.errors import CommandFailed, NotReady, StateError
from hub.events import Event
from hub.inbound.answers import NoAnswer, NotReadable, read_answer
from hub.inbound.blocks import InboundBlock
from hub.inbound.mapping import Reading, Unreadable, read
from hub.inbound.proof import Unproven, digest, prove
from hub.ports import InboundAnswer

Take = Callable[[Event], Awaitable[bool]]
Hear = Callable[[str, str, str, str], Awaitable[bool]]
Hand = Callable[[str, str], Awaitable[str]]
MINUTE_S = 60.0
RECENT = 1000
UNPROVEN = "The message does not prove who sent it."

log = structlog.get_logger(__name__)


async def _nobody(controller: str, message: str) -> str:
    """No driver runs."""
    raise NotReady(f"{controller} is not running")


async def _deaf(notifier: str, key: str, alert: str, by: str) -> bool:
    """Nobody listens."""
    return False


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
    mended: int = 0
    recent: OrderedDict[str, None] = field(default_factory=OrderedDict)
    warned: float = -math.inf

    def remember(self, event: str, most: int = RECENT) -> None:
        """An event is in the journal; the oldest of many is forgotten."""
        self.recent[event] = None
        if len(self.recent) > most:
            self.recent.popitem(last=False)

    def warn(self, now: float) -> bool:
        """Whether it is time for a line in the log: a flood writes one a minute, not each."""
        if now - self.warned < MINUTE_S:
            return False
        self.warned = now
        return True


@dataclass(slots=True)
class InboundDesk:
    """Takes messages for every inbound of the configuration that is in force.

    `take` journals an event and says whether it is new; it returns once that is on the disk.
    `hear` takes on an alert that a notifier was given, by the key of a notice or the alert's id, in
    somebody's name, and says whether there is one. `hand` gives a message to the driver of a
    controller and says why it is of no interest, if it is not.
    """

    config: Callable[[], Config]
    take: Take
    clock: Clock
    hear: Hear = _deaf
    hand: Hand = _nobody
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
                "mended": tally.mended,
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
            sent = prove(block, headers, body, now)
        except Unproven as problem:
            tally.unproven += 1
            if tally.warn(self.clock.monotonic()):
                counted = {"reason": str(problem), "so_far": tally.unproven}
                log.warning("messages were not proven", inbound=name, **counted)
            return _unproven(str(problem))
        if block.answers is not None:
            return await self._answered(block, name, body, tally)
        if block.controller is not None:
            return await self._handed_on(block, block.controller, sent, body, tally)
        try:
            reading = read(block, name, body, now)
        except Unreadable as problem:
            tally.unreadable += 1
            log.warning("a message cannot be read", inbound=name, reason=str(problem))
            return InboundAnswer(422, _said(f"The message cannot be used: {problem}.", _LEARN))
        if reading.event is None:
            tally.ignored += 1
            return InboundAnswer(200, {"taken": False, "why": reading.why})
        if reading.event.id in tally.recent:  # a replay neither writes nor uses up anything
            tally.repeated += 1
            return InboundAnswer(200, _taken(reading, new=False))
        if wait := self._too_many(block, tally):
            tally.refused += 1
            return InboundAnswer(
                429, _said("Too many messages.", f"Again in {wait} s."), retry_after=wait
            )
        return await self._journaled(reading.event, reading, tally)

    async def _answered(
        self, block: InboundBlock, name: str, body: bytes, tally: _Tally
    ) -> InboundAnswer:
        """Somebody answers at a provider. What is of no interest is answered with 200 as well, or
        the provider would send it again and again.
        """
        assert block.answers is not None
        try:
            said = read_answer(block.format, body)
            taken = await self.hear(block.answers, said.key, said.alert, said.by)
        except NotReadable as problem:
            tally.unreadable += 1
            log.warning("a message cannot be read", inbound=name, reason=str(problem))
            return InboundAnswer(422, _said(f"The message cannot be used: {problem}.", _LEARN))
        except NoAnswer as other:
            tally.ignored += 1
            return InboundAnswer(200, {"taken": False, "why": str(other)})
        except StateError:
            tally.refused += 1
            return InboundAnswer(
                503, _said("The hub cannot write it down.", "Send it again."), retry_after=5
            )
        tally.taken += taken
        tally.ignored += not taken
        why = {} if taken else {"why": f"{block.answers} was given no such alert"}
        return InboundAnswer(200, {"taken": taken, **why})

    async def _handed_on(
        self,
        block: InboundBlock,
        controller: str,
        sent: str,
        body: bytes,
        tally: _Tally,
    ) -> InboundAnswer:
        """A driver reads it. What was `sent` at the same time and heard before is not handed on
        again, however its signature is written, as long as that lasts.
        """
        assert block.signature is not None
        known = digest(sent, body)
        if known in tally.recent:
            tally.repeated += 1
            return InboundAnswer(200, {"taken": True, "repeated": True})
        if wait := self._too_many(block, tally):
            tally.refused += 1
            return InboundAnswer(
                429, _said("Too many messages.", f"Again in {wait} s."), retry_after=wait
            )
        lasts_minutes = 2 * block.signature.within / MINUTE_S  # its time may be ahead as well
        tally.remember(known, max(RECENT, math.ceil(block.per_minute * (lasts_minutes + 1))))
        try:
            why = await self.hand(controller, body.decode("utf-8"))
        except (CommandFailed, UnicodeDecodeError) as problem:
            tally.unreadable += 1
            log.warning("a message cannot be read", controller=controller, reason=str(problem))
            return InboundAnswer(422, _said(f"The message cannot be used: {problem}.", _HOW))
        except Exception as error:  # whatever a driver raises: it is sent again
            tally.recent.pop(known, None)
            tally.refused += 1
            reason = str(error) or type(error).__name__
            log.warning("a message is not taken now", controller=controller, reason=reason)
            return InboundAnswer(
                503, _said("Its driver cannot take it now.", "Send it again."), retry_after=5
            )
        tally.taken += not why
        tally.ignored += bool(why)
        return InboundAnswer(
            200 if why else 202, {"taken": not why, **({"why": why} if why else {})}
        )

    async def _journaled(self, event: Event, reading: Reading, tally: _Tally) -> InboundAnswer:
        try:
            new = await self.take(event)
        except StateError:
            tally.refused += 1
            return InboundAnswer(
                503, _said("The hub cannot write it down.", "Send it again."), retry_after=5
            )
        tally.taken += new
        tally.repeated += not new
        tally.remember(event.id)
        if new and reading.notes:
            tally.mended += 1
            log.warning("a report was mended", inbound=event.data["inbound"], notes=reading.notes)
        return InboundAnswer(202 if new else 200, _taken(reading, new=new))

    def _too_many(self, block: InboundBlock, tally: _Tally) -> int:
        """Seconds until more are heard; 0 when this one is. A minute begins with its first."""
        now = self.clock.monotonic()
        if now - tally.since >= MINUTE_S:
            tally.since, tally.this_minute = now, 0
        if tally.this_minute >= block.per_minute:
            return max(1, round(tally.since + MINUTE_S - now))
        tally.this_minute += 1
        return 0


_HOW = "Expected what the driver's own device sends."
_LEARN = "`vestibule inbound CONFIG NAME FILE` shows what becomes of a message."


def _taken(reading: Reading, *, new: bool) -> dict[str, Any]:
    assert reading.event is not None
    said = {"taken": True, "event": reading.event.id, "repeated": not new}
    return said | ({"notes": list(reading.notes)} if reading.notes else {})


def _said(error: str, hint: str) -> dict[str, str]:
    return {"error": error, "hint": hint}


def _unproven(reason: str) -> InboundAnswer:
    return InboundAnswer(401, _said(UNPROVEN, f"{reason[0].upper()}{reason[1:]}."), proven=False)
