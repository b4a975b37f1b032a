"""Broken glass: what somebody may for a while beyond their role, loudly.

It is written down before anybody may more; who may read the audit is told at once. It ends by its
time, by a press of whoever broke it or manages accounts, and with the session it was broken in.
After a restart it is as it was, for as long as is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from hub.break_glass_views import GlassView
from hub.clock import from_iso, iso
from hub.errors import Refused
from hub.events import Event
from hub.identity import break_glass
from hub.identity.permissions import BREAKABLE, PERMISSIONS, may
from hub.phrases import phrase
from hub.rule_settings import person_of
from hub.safety.decide import Decider
from hub.safety.intake import Intake
from hub.safety.notices.notice import Message

SWEEP_S = 5.0
TOLD = "see.audit"
LONGEST_REASON = 300
SHORTEST_REASON = 5


class BreakGlass:
    """Satisfies `hub.break_glass_views.GlassFacade`. `run` has to run while the hub does."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._broken: dict[str, GlassView] = {}
        self._deadlines: dict[str, float] = {}

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run while the hub does, by name."""
        return {"broken glass": self.run}

    def of(self, session: str) -> GlassView | None:
        """What was broken in a session and is not whole again."""
        found = self._broken.get(session)
        return found if found is not None and self._lasts(found) else None

    def every(self) -> Sequence[GlassView]:
        """All that is broken now, in the order it was."""
        return [each for each in self._broken.values() if self._lasts(each)]

    def _lasts(self, view: GlassView) -> bool:
        """By the wall clock, and no longer than that where somebody sets the clock back."""
        clock = self._intake.clock
        deadline = self._deadlines.setdefault(view["id"], clock.monotonic() + self._left(view))
        return iso(clock.now()) < view["until"] and clock.monotonic() < deadline

    def _left(self, view: GlassView) -> float:
        return (from_iso(view["until"]) - self._intake.clock.now()).total_seconds()

    async def break_it(
        self, session: str, user: str, role: str, permissions: Sequence[str], reason: str
    ) -> GlassView:
        """Somebody may these for a while; all concerned are told. Raises `Refused`."""
        config, why = self._intake.config, " ".join(reason.split())[:LONGEST_REASON]
        block = config.roles.get(role)
        given = block.break_glass if block is not None else ()
        wanted = [each for each in permissions if each in given and each in BREAKABLE]
        if not wanted:
            raise Refused(phrase("Your role has no glass to break."))
        if len(why) < SHORTEST_REASON:
            raise Refused(phrase("Say why: others read it at once."))
        if session in self._broken and self.of(session) is None:
            await self.sweep()  # what is over is written down before it is broken anew
        lasts, made = timedelta(seconds=config.hub.break_glass.lasts), list[GlassView]()

        def work(connection: Connection, now: datetime) -> Event:
            view = break_glass.keep(connection, session, user, role, wanted, why, lasts, now)
            made.append(view)
            return _event("glass.broken", view, user, now, until=view["until"])

        def decide(decider: Decider) -> None:
            made.clear()
            decider.accept_with(work)
            tell, through = self._told(user)
            decider.tell(self._message(made[0], config), tell, through, "/audit")

        await self._intake.decide(decide, urgent=True)
        self._deadlines[made[0]["id"]] = self._intake.clock.monotonic() + lasts.total_seconds()
        self._broken[session] = made[0]
        return made[0]

    def _told(self, user: str) -> tuple[list[str], list[str]]:
        """Who is told, and over which notifiers where they may be; not whoever broke it."""
        config = self._intake.config
        settings, own = config.hub.break_glass, person_of(config.people, user)
        named = [
            name
            for name, one in config.people.items()
            if name != own
            and (
                bool({name, one.role} & set(settings.tell))
                if settings.tell
                else may(one.role, TOLD, config.roles)
            )
        ]
        every = [name for name, block in config.notifiers.items() if block.enabled]
        return named, list(settings.through or every)

    def _message(self, view: GlassView, config: Any) -> Message:
        words, now = self._intake.words, self._intake.clock.now()
        role = config.roles[view["role"]].name or view["role"]
        who, until = words.person(view["user"]), words.clock(from_iso(view["until"]))
        why = view["reason"].rstrip(".") + "."
        can = " ".join(PERMISSIONS[each] for each in view["permissions"])
        text = {
            "en": f"{who} ({role}) has broken the glass, until {until}: {why}\n"
            f"They may meanwhile: {can}",
            "es": f"{who} ({role}) ha roto el cristal, hasta las {until}: {why}\n"
            f"Mientras tanto puede: {can}",
        }
        title = f"Broken glass: {who}"
        facts: dict[str, Any] = {"title": title, "opened": view["since"], "text": text, "why": ()}
        data = {"glass": view["id"], "by": view["user"], "verdict": "verified"}
        return Message(
            about="alert",
            severity="high",
            title=title,
            text=text["en"],
            time=now,
            place="",
            alert="",
            incident="",
            basis="person",
            data=data,
            facts=facts,
        )

    async def mend(self, id_: str, by: str) -> GlassView:
        """End it before its time. Raises `KeyError` for one that is not broken."""
        ended: list[GlassView] = []

        def work(connection: Connection, now: datetime) -> Event:
            ended[:] = [break_glass.end(connection, id_, by, now)]
            told = min(iso(now), ended[0]["until"])
            return _event("glass.ended", ended[0], by, now, since=ended[0]["since"], until=told)

        await self._intake.decide(lambda d: d.accept_with(work))
        self._broken = {key: e for key, e in self._broken.items() if e["id"] != id_}
        self._deadlines.pop(id_, None)
        return ended[0]

    async def run(self) -> None:
        """Take up what a stop has left broken; then end what is over, for ever."""
        self._broken = await self._intake.journal.read(break_glass.open_ones) | self._broken
        while True:
            await self.sweep()
            await self._intake.clock.sleep(SWEEP_S)

    async def sweep(self) -> None:
        """End what is over by its time, or whose session is."""
        broken, now = dict(self._broken), self._intake.clock.now()
        if not broken:
            return
        gone = await self._intake.journal.read(
            lambda c: break_glass.signed_out(c, list(broken), now)
        )
        for session, view in broken.items():
            if session in gone or not self._lasts(view):
                try:
                    await asyncio.shield(self.mend(view["id"], "hub"))
                except KeyError:  # somebody has ended it meanwhile
                    self._broken.pop(session, None)


def _event(kind: str, view: GlassView, by: str, now: datetime, **more: str) -> Event:
    facts = {"by": by, "permissions": view["permissions"], "reason": view["reason"]}
    source = f"person/{by}" if by != "hub" else "hub"
    return Event(kind, source, now, view["user"], facts | {"glass": view["id"]} | more)
