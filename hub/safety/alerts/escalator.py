"""The clock of rules and alerts: what had to wait, the steps of ladders when they are due, and the
look for what nobody has received. Each is a task of its own, so that one that hangs is noticed by
another.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Connection

from hub.clock import Clock, from_iso
from hub.safety.alerts import steps, together
from hub.safety.alerts.auditing import unheard, worth_a_look
from hub.safety.alerts.budget import demoted
from hub.safety.decide import Decider
from hub.safety.intake import Intake

STEP_EVERY_S = 1.0
LOOK_EVERY_S = 15.0


def _next(connection: Connection) -> tuple[datetime | None, datetime | None]:
    """When the next step is due, and when people are next owed a word on how many it is."""
    return steps.next_due(connection), together.next_owed(connection)


class DemotionView(TypedDict):
    """A rule that is only reviewed by one camera, since when, and after how many false alarms."""

    rule: str
    camera: str
    since: str
    count: int


class Escalator:
    """Drives rules, ladders and the look at what went unheard: run `rules`, `run` and `audit` as
    tasks of their own.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._clock: Clock = intake.clock

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What is to run for ever, by the name under which it is supervised."""
        return {"rules": self.rules, "ladders": self.run, "auditor": self.audit}

    async def rules(self) -> None:
        """Let rules act on what only had to wait, for ever."""
        while True:
            await self._clock.sleep(STEP_EVERY_S)
            await self._intake.lapse()

    async def run(self) -> None:
        """Take steps when they are due, for ever."""
        while True:
            await self._clock.sleep(STEP_EVERY_S)
            await self.climb()

    async def climb(self) -> None:
        """Take the steps whose time has come, and tell how many an alert tells of by now where that
        is owed. Raises `StateError` when the journal fails.
        """
        await self._intake.see_to_the_clock()
        due, owed = await self._intake.journal.read(_next)
        if due is not None and due <= self._clock.now():
            await self._intake.decide(Decider.climb, urgent=True)
        if owed is not None and owed <= self._clock.now():
            await self._intake.decide(Decider.gather)

    async def audit(self) -> None:
        """Look for what nobody has received, for ever."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Look once at open alerts, at steps that are overdue, and at demoted rules; a quiet school
        writes nothing. Nor does it find anything when somebody has just set the clock: what waits
        is not late by that.
        """
        if await self._intake.see_to_the_clock():
            return
        if not await self._intake.journal.read(worth_a_look):
            return

        def work(decider: Decider) -> None:
            decider.look()
            decider.look_at_demotions()

        await self._intake.decide(work)

    async def unheard(self) -> list[str]:
        """In words, each alert that waits and that nobody has received."""
        words = self._intake.words

        def line(title: str, place: str, opened: str) -> str:
            where = f" ({words.campus.words(place)})" if place else ""
            return f"nobody has received the alert {title}{where}, {words.clock(from_iso(opened))}"

        def work(connection: Connection) -> list[str]:
            return [line(row.title, row.place, row.opened) for row in unheard(connection)]

        return await self._intake.journal.read(work)

    async def notes(self) -> list[str]:
        """In words, each rule that gave too many false alarms, so that what it raises goes to
        reviewers alone. People want to know of it; the hub itself is well.
        """
        words = self._intake.words
        rules = self._intake.config.rules

        def line(view: DemotionView) -> str:
            name = rules[view["rule"]].name if view["rule"] in rules else view["rule"]
            seen_by = f" by {words.camera(view['camera'])}" if view["camera"] else ""
            since = words.moment(from_iso(view["since"]))
            said = f"the rule {name} is only reviewed{seen_by} since {since}, after {view['count']}"
            return f"{said} false alarms: mend it, or trust it again on the page of an alert of it"

        return [line(view) for view in await self.demotions()]

    async def demotions(self) -> list[DemotionView]:
        """The rules that are only reviewed now."""

        def work(connection: Connection) -> list[DemotionView]:
            return [
                DemotionView(
                    rule=row.rule,
                    camera=row.camera,
                    since=row.since,
                    count=row._mapping["count"],
                )
                for row in demoted(connection)
            ]

        return await self._intake.journal.read(work)

    async def restore(self, rule: str, camera: str, by: str) -> None:
        """Have a demoted rule raise alerts as before. Raises `KeyError` for an unknown rule."""
        if rule not in self._intake.config.rules:
            raise KeyError(rule)
        await self._intake.decide(lambda decider: decider.restore(rule, camera, by), urgent=True)
