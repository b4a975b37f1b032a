"""Who comes in: the visits at every desk, each name compared with the lists before anybody is in.

A match only asks. Whoever works at the desk answers, as a person who is signed in, and says how
they know; that the name matched, and who let the visitor in all the same, are events and stand in
the audit.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from hub.clock import Clock, iso
from hub.config import Config
from hub.errors import Refused
from hub.events import Event
from hub.kinds.visitors import Screening, Visit, VisitorSystem, WalkIn
from hub.phrases import phrase
from hub.safety import outbox
from hub.secrets import Secrets
from hub.storage import audit
from hub.visitors_port import Matched, MatchView, VisitView

SCREENED_WITHIN_S = 5.0
ANSWERED_WITHIN_S = 10.0
NOTED_WITHIN_S = 3.0
LOOK_EVERY_S = 60.0

log = structlog.get_logger(__name__)


class Visitors:
    """Every desk. `desks` are those that were built: the hub's mapping, which a reload changes."""

    def __init__(
        self,
        desks: Mapping[str, VisitorSystem],
        config: Callable[[], Config],
        clock: Clock,
        accept: Callable[[Event], Awaitable[None]],
        write: Callable[[Callable[[Connection], None]], Awaitable[None]],
        secrets: Secrets,
    ) -> None:
        self._desks = desks
        self._config = config
        self._clock = clock
        self._accept = accept
        self._write = write
        self._secrets = secrets
        self._silent: dict[str, str] = {}

    async def visits(self) -> list[VisitView]:
        """Today's visits at every desk that answers."""
        found: list[VisitView] = []
        for desk, visits in (await self._all()).items():
            found.extend(self._view(desk, visit) for visit in visits)
        return found

    def silent(self) -> list[str]:
        """The desks that did not answer when they were last asked: of their visitors nobody knows
        who is here.
        """
        wanted = self._config().visitors
        gone = [name for name, block in wanted.items() if block.enabled and name not in self._desks]
        return sorted({*gone, *(name for name in self._silent if name in wanted)})

    def walk_ins(self) -> list[str]:
        """The desks that take somebody whom nobody announced."""
        return [name for name, system in self._desks.items() if _registers(system) is not None]

    async def register(self, desk: str, walk_in: WalkIn, by: str) -> VisitView:
        """Put somebody whom nobody announced on today's list; nobody is in by that. Raises
        `KeyError` for a desk that does not do this, or `Refused`.
        """
        register = _registers(self._desks[desk])
        if register is None:
            raise KeyError(desk)
        said = (walk_in.visitor, walk_in.host, walk_in.purpose)
        visitor, host, purpose = (self._secrets.clean(outbox.writable(each)) for each in said)
        clean = replace(walk_in, visitor=visitor, host=host, purpose=purpose)
        found = self._told(await register(clean))
        more = {"purpose": found.purpose}
        if walk_in.namesakes:
            more["namesakes"] = str(walk_in.namesakes)
        await self._audited("visit.registered", desk, found, by, **more)
        return self._view(desk, found)

    async def badge(self, desk: str, visit: str, by: str) -> VisitView:
        """A visit whose badge is printed. Raises `KeyError` or `Refused`."""
        found = await self._find(desk, visit)
        if found is None:
            raise KeyError(visit)
        if found.state != "here":
            raise Refused("%(visitor)s is not here", visitor=found.visitor)
        await self._noted("visit.badge", desk, found, by)
        return self._view(desk, found)

    async def roll_opened(self, by: str, people: int) -> None:
        """Note that somebody opened the list of all who are here, and how many it has."""
        now = self._clock.now()
        await self._tried(lambda c: audit.note(c, "visit.roll", "visitors", now, by, people=people))

    async def match(self, desk: str, visit: str) -> MatchView | None:
        """What a person has to decide before this visitor may come in; None where there is nothing.
        Raises `KeyError` for a visit that is not known.
        """
        found = await self._find(desk, visit)
        if found is None:
            raise KeyError(visit)
        screening = await self._screen(desk, found)
        if not screening.match:
            return None
        return MatchView(visit=self._view(desk, found), reason=screening.reason)

    async def check_in(self, desk: str, visit: str, by: str, admit: str = "") -> VisitView:
        """The visitor is here. `admit` is how a person knows that they may come in although the
        name is on a list of whom not to admit. Raises `KeyError`, `Refused`, and `Matched` where
        somebody has to decide first.
        """
        system, found = self._desks[desk], await self._find(desk, visit)
        if found is not None and found.state == "expected":
            screening = await self._screen(desk, found)
            if screening.match:
                await self._decide(desk, found, screening.reason, by, admit)
        here = self._told(await system.check_in(visit))
        await self._audited("visit.checked_in", desk, here, by)
        return self._view(desk, here)

    async def check_out(self, desk: str, visit: str, by: str) -> VisitView:
        """The visitor has left. Raises `KeyError` or `Refused`."""
        gone = self._told(await self._desks[desk].check_out(visit))
        await self._audited("visit.checked_out", desk, gone, by)
        return self._view(desk, gone)

    async def watch(self) -> None:
        """Compare who is here with the lists again and again: a name may be put on one while its
        bearer is in the building.
        """
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            await self.compare_present()

    async def compare_present(self) -> None:
        """Compare who is here with the lists once; a match is told once for each visit."""
        for desk, visits in (await self._all()).items():
            for visit in visits:
                if visit.state == "here":
                    await self._look_again(desk, visit)

    async def _look_again(self, desk: str, visit: Visit) -> None:
        try:
            async with asyncio.timeout(SCREENED_WITHIN_S):
                screening = await self._desks[desk].screen(visit.visitor)
            if screening.match:
                reason = self._secrets.clean(screening.reason)
                await self._accept(self._matched(desk, visit, reason, ""))
        except Exception as error:
            reason = str(error) or type(error).__name__
            log.warning("a visitor could not be compared with the lists", desk=desk, reason=reason)

    async def _all(self) -> dict[str, list[Visit]]:
        found: dict[str, list[Visit]] = {}
        for desk, system in list(self._desks.items()):
            try:
                async with asyncio.timeout(ANSWERED_WITHIN_S):
                    found[desk] = [self._told(visit) for visit in await system.visits()]
                self._silent.pop(desk, None)
            except Exception as error:
                reason = str(error) or type(error).__name__
                if self._silent.get(desk) != reason:
                    log.warning("a desk does not say who is here", desk=desk, reason=reason)
                self._silent[desk] = reason
        return found

    async def _find(self, desk: str, visit: str) -> Visit | None:
        visits = await self._desks[desk].visits()
        return next((self._told(each) for each in visits if each.id == visit), None)

    async def _screen(self, desk: str, visit: Visit) -> Screening:
        """What the lists say; where they do not answer, that a person has to look."""
        try:
            async with asyncio.timeout(SCREENED_WITHIN_S):
                said = await self._desks[desk].screen(visit.visitor)
            return Screening(said.match, self._secrets.clean(said.reason))
        except Exception as error:
            reason = str(error) or type(error).__name__
            log.error("a visitor could not be compared with the lists", desk=desk, reason=reason)
            unsure = phrase("the name could not be compared with the lists of whom not to admit")
            return Screening(True, unsure)

    def _told(self, visit: Visit) -> Visit:
        """A visit as a desk tells it, without any secret that it tells by mistake."""
        clean = self._secrets.clean
        return replace(visit, visitor=clean(visit.visitor), host=clean(visit.host),
                       purpose=clean(visit.purpose), badge=clean(visit.badge))  # fmt: skip

    async def _decide(self, desk: str, visit: Visit, reason: str, by: str, admit: str) -> None:
        await self._accept(self._matched(desk, visit, reason, by))
        how = outbox.writable(self._secrets.clean(admit)).strip()
        if not how:
            raise Matched(
                "%(visitor)s may be somebody not to admit: %(reason)s. Nobody was checked in; a "
                "person has to decide",
                visitor=visit.visitor,
                reason=reason,
            )
        facts = {**_facts(desk, visit, reason), "by": by, "detail": how}
        source = f"visitors/{desk}"
        await self._accept(Event("visitor.admitted", source, self._clock.now(), visit.id, facts))

    async def _audited(self, act: str, desk: str, visit: Visit, by: str, **more: str) -> None:
        await self._write(self._line(act, desk, visit, by, **more))

    async def _noted(self, act: str, desk: str, visit: Visit, by: str) -> None:
        await self._tried(self._line(act, desk, visit, by))

    def _line(
        self, act: str, desk: str, visit: Visit, by: str, **more: str
    ) -> Callable[[Connection], None]:
        details = {"desk": desk, "visitor": visit.visitor, "host": visit.host, **more}
        details |= {"badge": visit.badge} if visit.badge else {}
        now = self._clock.now()
        return lambda c: audit.note(c, act, visit.id, now, by, **details)

    async def _tried(self, line: Callable[[Connection], None]) -> None:
        """Write a line of the audit; on a full disk who needs a list of people gets it all the
        same.
        """
        try:
            async with asyncio.timeout(NOTED_WITHIN_S):
                await self._write(line)
        except Exception as error:
            reason = str(error) or type(error).__name__
            log.error("a line of the audit was not written", reason=reason)

    def _matched(self, desk: str, visit: Visit, reason: str, by: str) -> Event:
        """That a name matched: once for each visit and reason, however often somebody asks."""
        once = hashlib.sha256(f"matched|{desk}|{visit.id}|{reason}".encode()).hexdigest()[:32]
        facts = _facts(desk, visit, reason) | ({"by": by} if by else {})
        now = self._clock.now()
        return Event("visitor.matched", f"visitors/{desk}", now, visit.id, facts, id=once)

    def _view(self, desk: str, visit: Visit) -> VisitView:
        return VisitView(
            id=visit.id,
            desk=desk,
            visitor=visit.visitor,
            host=visit.host,
            purpose=visit.purpose,
            expected=iso(visit.expected),
            until=iso(visit.until),
            arrived=iso(visit.arrived) if visit.arrived else None,
            left=iso(visit.left) if visit.left else None,
            state=visit.state,
            overstayed=visit.state == "here" and self._clock.now() > visit.until,
            badge=visit.badge,
        )


def _registers(system: VisitorSystem) -> Callable[[WalkIn], Awaitable[Visit]] | None:
    found = getattr(system, "register", None)
    return found if callable(found) else None


def _facts(desk: str, visit: Visit, reason: str) -> dict[str, str]:
    return {
        "desk": desk,
        "visit": visit.id,
        "visitor": visit.visitor,
        "host": visit.host,
        "purpose": visit.purpose,
        "state": visit.state,
        "reason": reason,
    }
