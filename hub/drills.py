"""Drills of a school year: planned, reminded of, missed, and what people saw of them.

Nothing here starts anything: a plan reminds people, and a person starts the drill. Whoever was told
of a plan hears of each change of it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection

from hub.clock import from_iso, iso
from hub.drill_views import (
    ANSWERS,
    LONGEST_NOTE,
    LONGEST_TEXT,
    QUESTIONS,
    DrillPlanView,
    DrillReportView,
    DrillWanted,
    DrillYearView,
)
from hub.errors import Refused, StateError
from hub.events import Event
from hub.identity.permissions import may
from hub.phrases import phrase
from hub.protocol_port import ProtocolsFacade
from hub.rule_settings import person_of
from hub.safety import outbox
from hub.safety.decide import Decider
from hub.safety.drills import plans, says, views
from hub.safety.drills.plans import PlanRow
from hub.safety.intake import Intake
from hub.safety.protocols import plan as protocol_plan
from hub.safety.protocols import rows

LOOK_EVERY_S = 15.0
PLANS = "plan.drills"
Due = Literal["reminder", "missed", "anew"]
AHEAD = timedelta(days=800)
COMING = timedelta(days=1)


class Drills:
    """Satisfies `hub.drill_views.DrillsFacade`. `run` has to run while the hub does."""

    def __init__(self, intake: Intake, protocols: ProtocolsFacade) -> None:
        self._intake = intake
        self._protocols = protocols

    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run while the hub does, by name."""
        return {"planned drills": self.run}

    # ---------------------------------------------------------------- questions

    async def year(self, year: int | None = None, to: str = "") -> DrillYearView:
        """What is planned, was held and is missing in a school year. Raises `KeyError` for a year
        that no calendar has.
        """
        intake, now = self._intake, self._intake.clock.now()
        try:
            return await intake.journal.read(
                lambda c: views.year_view(c, intake.words, year, to, now)
            )
        except (ValueError, OverflowError):
            raise KeyError(year) from None

    async def plan(self, plan: str) -> DrillPlanView:
        """One planned drill. Raises `KeyError`."""
        return self._view(await self._intake.journal.read(lambda c: plans.get(c, plan)))

    async def coming(self) -> list[DrillPlanView]:
        """The drills that are to be started now or within a day, the earliest first."""
        now, late = self._intake.clock.now(), self._intake.config.hub.drills.missed_after
        since, until = now - timedelta(seconds=late), now + COMING
        found = await self._intake.journal.read(lambda c: plans.between(c, since, until))
        return [each for each in map(self._view, found) if each["state"] in views.OPEN]

    async def report(self, run: str, to: str = "") -> DrillReportView:
        """A drill as it went. Raises `KeyError`, also for a run that is no drill."""
        intake, now = self._intake, self._intake.clock.now()
        seen = await self._protocols.run(run, to)
        if not seen["drill"]:
            raise KeyError(run)
        return await intake.journal.read(
            lambda c: views.report_view(c, intake.words, rows.get(c, run), seen, now)
        )

    def _view(self, row: PlanRow) -> DrillPlanView:
        return views.plan_view(self._intake.words, row, self._intake.clock.now())

    # --------------------------------------------------------------------- acts

    async def make(self, wanted: DrillWanted, by: str, key: str = "") -> DrillPlanView:
        """Plan a drill. Raises `Refused`."""
        own = f"{by}/{key}"[:300] if key else ""
        values = self._values(wanted)
        made: list[PlanRow] = []

        def write(connection: Connection, now: datetime) -> Event:
            begun = {"planned": iso(now), "planned_by": by, "key": own}
            made.append(plans.add(connection, values | begun | self._reminded(wanted.due, now)))
            return _event("drill.planned", made[0], by, now)

        def decide(decider: Decider) -> None:
            made.clear()
            if known := decider.with_connection(lambda c: plans.by_key(c, own)):
                made.append(known)
                return
            decider.accept_with(write)
            self._tell(decider, made[0], "planned", by)

        await self._intake.decide(decide)
        return self._view(made[0])

    async def change(self, plan: str, wanted: DrillWanted, by: str) -> DrillPlanView:
        """Plan it otherwise; who was told hears so. Raises `KeyError` and `Refused`."""
        values = self._values(wanted)
        made: list[PlanRow] = []

        def decide(decider: Decider) -> None:
            made.clear()
            before = decider.with_connection(lambda c: self._still_open(plans.get(c, plan)))

            def write(connection: Connection, now: datetime) -> Event:
                fresh = values | self._reminded(wanted.due, now)
                made.append(plans.change(connection, plan, **fresh))
                return _event("drill.changed", made[0], by, now)

            if all(getattr(before, name) == value for name, value in values.items()):
                made.append(before)
                return
            decider.accept_with(write)
            also = before.leader if before.leader != made[0].leader else ""
            self._tell(decider, made[0], "changed", by, told=bool(before.reminded), also=also)

        await self._intake.decide(decide)
        return self._view(made[0])

    async def call_off(self, plan: str, by: str, why: str = "") -> DrillPlanView:
        """It is not held after all. Raises `KeyError` and `Refused`."""
        said = self._clean(why, LONGEST_NOTE)
        made: list[PlanRow] = []

        def decide(decider: Decider) -> None:
            made.clear()
            decider.with_connection(lambda c: self._still_open(plans.get(c, plan)))

            def write(connection: Connection, now: datetime) -> Event:
                off = {"off": iso(now), "off_by": by, "off_why": said}
                made.append(plans.change(connection, plan, **off))
                return _event("drill.called_off", made[0], by, now, reason=said)

            decider.accept_with(write)
            self._tell(decider, made[0], "called_off", by, why=said)

        await self._intake.decide(decide)
        return self._view(made[0])

    async def evaluate(
        self, run: str, by: str, answers: Mapping[str, str], text: str, counts: bool, to: str = ""
    ) -> DrillReportView:
        """Somebody writes what they saw, once it is over. Raises `KeyError` and `Refused`."""
        report = await self.report(run, to)
        if report["run"]["state"] != "ended":
            raise Refused(phrase("the drill goes on: write what you saw once it is over"))
        protocol = report["run"]["protocol"]
        given = {name: said for name, said in answers.items() if said}
        for name, said in given.items():
            if name not in QUESTIONS[protocol] or said not in ANSWERS:
                raise Refused(phrase("%(name)s is no question of this drill", name=name))
        words = outbox.writable(self._intake.secrets.clean(text.strip()))[:LONGEST_TEXT]

        def write(connection: Connection, now: datetime) -> Event:
            plans.evaluate(connection, run, by, given, words, counts, now)
            facts = {"by": by, "protocol": protocol, "counts": counts}
            return Event("drill.evaluated", f"person/{by}", now, run, facts)

        await self._intake.decide(lambda d: d.accept_with(write))
        return await self.report(run, to)

    async def exported(self, year: int, by: str) -> None:
        """Write down that the log of a year was taken away."""

        def write(connection: Connection, now: datetime) -> Event:
            return Event("drill.exported", f"person/{by}", now, str(year), {"by": by})

        await self._intake.decide(lambda d: d.accept_with(write))

    # ------------------------------------------------------------------- by time

    async def look(self) -> None:
        """Remind of each planned drill that is near, and tell of each that nobody has started."""
        await self._intake.see_to_the_clock()
        now = self._intake.clock.now()
        if await self._intake.journal.read(lambda c: bool(self._due(c, now))):
            await self._intake.decide(self._tell_due)

    async def run(self) -> None:
        """Look for ever. Run it as one task."""
        while True:
            await self._intake.clock.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except StateError:
                continue  # the journal says so itself; what is due waits for it

    def _due(self, connection: Connection, now: datetime) -> list[tuple[PlanRow, Due]]:
        """The plans of which people are to be told now, each with what; and those of which they
        were told by a clock that was ahead, which begin anew.
        """
        settings = self._intake.config.hub.drills
        until = now + timedelta(seconds=max(settings.remind, default=0))
        found: list[tuple[PlanRow, Due]] = []
        for row in plans.open_until(connection, until):
            due = from_iso(row.due)
            near = plans.passed(settings.remind, due, now)
            if now >= due + timedelta(seconds=settings.missed_after):
                if not row.missed:
                    found.append((row, "missed"))
            elif row.missed or (row.reminded and not 0 < near <= row.reminded):
                found.append((row, "anew"))
            elif now < due and near and near != row.reminded:
                found.append((row, "reminder"))
        return found

    def _tell_due(self, decider: Decider) -> None:
        now = self._intake.clock.now()
        for row, what in decider.with_connection(partial(self._due, now=now)):
            if what == "missed":
                decider.accept_with(partial(_missed, row))
            else:
                decider.with_connection(partial(self._note_near, row, now))
            if what != "anew":
                self._tell(decider, row, what, "", told=True)

    def _note_near(self, row: PlanRow, now: datetime, connection: Connection) -> None:
        fresh = self._reminded(from_iso(row.due), now)
        plans.change(connection, row.id, missed="", **fresh)

    # -------------------------------------------------------------------- inside

    def _tell(
        self,
        decider: Decider,
        row: PlanRow,
        what: says.What,
        by: str,
        *,
        told: bool = False,
        also: str = "",
        why: str = "",
    ) -> None:
        """Tell whom it concerns, but not whoever has done it: the leader, and where there is none,
        or nobody has started it, all who may plan drills once they have been told of it.
        """
        config, words = self._intake.config, self._intake.words
        leader = [row.leader] if row.leader in config.people else []
        planners = [
            name for name, one in config.people.items() if may(one.role, PLANS, config.roles)
        ]
        people = [*leader, *([also] if also in config.people else [])]
        if what == "missed" or (not leader and (told or row.reminded)):
            people += planners
        own = person_of(config.people, by) if by else ""
        every = [name for name, block in config.notifiers.items() if block.enabled]
        message = says.message(words, row, what, self._intake.clock.now(), by, why)
        to = [name for name in dict.fromkeys(people) if name != own]
        decider.tell(message, to, config.hub.drills.through or every, f"/drills/{row.id}")

    def _values(self, wanted: DrillWanted) -> dict[str, Any]:
        """The columns of a plan as somebody wants it. Raises `Refused`."""
        config, now = self._intake.config, self._intake.clock.now()
        protocol_plan.block_of(config, wanted.protocol)
        if wanted.area not in config.places:
            where = {"area": wanted.area}
            raise Refused(phrase("there is no place %(area)r; expected one of `places:`", **where))
        if wanted.leader and wanted.leader not in config.people:
            who = {"leader": wanted.leader}
            raise Refused(
                phrase("nobody of `people:` is called %(leader)r; who is to lead it?", **who)
            )
        if wanted.due <= now:
            raise Refused(phrase("that time is over: when is it to be?"))
        if wanted.due > now + AHEAD:
            raise Refused(phrase("that is more than two years away: when is it to be?"))
        return {
            "protocol": wanted.protocol,
            "area": wanted.area,
            "due": iso(wanted.due),
            "leader": wanted.leader,
            "note": self._clean(wanted.note, LONGEST_NOTE),
            "doors_real": wanted.doors_real,
            "announce": wanted.announce,
        }

    def _still_open(self, row: PlanRow) -> PlanRow:
        """Raises `Refused` for a plan that nothing can be changed of any more."""
        state = self._view(row)["state"]
        if state == "held":
            raise Refused(phrase("this drill has been started before"))
        if state == "called_off":
            raise Refused(phrase("this drill has been called off"))
        if state == "missed":
            raise Refused(phrase("this drill was missed, and stays on record: plan another"))
        return row

    def _reminded(self, due: datetime, now: datetime) -> dict[str, int]:
        """How near a plan has come: it is not told again how near it was when it was made."""
        return {"reminded": plans.passed(self._intake.config.hub.drills.remind, due, now)}

    def _clean(self, text: str, longest: int) -> str:
        cleaned = self._intake.secrets.clean(" ".join(text.split()))
        return outbox.writable(cleaned)[:longest]


def _missed(row: PlanRow, connection: Connection, now: datetime) -> Event:
    return _event("drill.missed", plans.change(connection, row.id, missed=iso(now)), "", now)


def _event(kind: str, row: PlanRow, by: str, now: datetime, **more: str) -> Event:
    facts = {"by": by, "protocol": row.protocol, "area": row.area, "due": row.due}
    source = f"person/{by}" if by else "hub"
    return Event(kind, source, now, row.id, facts | {"leader": row.leader} | more)
