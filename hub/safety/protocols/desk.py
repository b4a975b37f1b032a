"""What people may do with protocols: each act one transaction, answered with the run as it is then.

Every act goes before all that is not urgent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hub.clock import iso
from hub.errors import Refused, StateError
from hub.protocol_views import FireView, ProtocolRunView, ProtocolsView, StandingView
from hub.safety import outbox
from hub.safety.decide import Decider
from hub.safety.intake import Intake
from hub.safety.protocols import feigned as feigning
from hub.safety.protocols import plan as plans
from hub.safety.protocols import rows, views
from hub.safety.protocols.ends import CLEARED_FOR
from hub.safety.protocols.failing import failing
from hub.safety.protocols.fires import Choice
from hub.safety.protocols.progress import Heard, agrees
from hub.safety.protocols.starts import Start
from hub.safety.protocols.wording import attribution
from hub.views import AlertView, DoorView

LOOK_EVERY_S = 0.9  # twice within the two seconds in which a failing door is told
LONGEST_TEXT = 500
LONGEST_LOCATION = 200


class ProtocolDesk:
    """Starts and ends protocols, and shows how far they are. Every act raises `KeyError` for an
    unknown run and `Refused` with the reason where it may not be.

    `sirens` names the doors whose controller makes noise of its own in a lockdown; `helpers` says
    whom a call for help reaches where no rule says, and `doors` how every door is.
    """

    def __init__(
        self,
        intake: Intake,
        sirens: Callable[[], frozenset[str]],
        helpers: Callable[[], tuple[str, ...]],
        doors: Callable[[], Sequence[DoorView]],
    ) -> None:
        self._intake = intake
        self._sirens = sirens
        self._helpers = helpers
        self._doors = doors
        self._failing: Mapping[str, frozenset[str]] = {}

    # ---------------------------------------------------------------- questions

    async def view(self, to: str = "", reader: str = "") -> ProtocolsView:
        """What is in force, what can be started, what was lately. `to` is the session that is shown
        it, `reader` who may hear there of duress elsewhere: an account that may end protocols.
        """

        def work(connection: Connection) -> ProtocolsView:
            words, standing = self._intake.words, rows.in_force(connection)
            feigned = rows.shown_ended(connection, to)
            shown = [one for one in standing if one.id not in feigned]
            over = [one for one in standing if one.id in feigned]
            return ProtocolsView(
                in_force=[self._seen(connection, one, shown, {}) for one in reversed(shown)],
                duress=feigning.duress_elsewhere(connection, words, standing, to, reader),
                choices=views.choices(words, words.campus, self._intake.public),
                lately=[
                    self._seen(connection, one, shown, feigned)
                    for one in (*reversed(over), *rows.lately(connection))
                ],
                fire=views.fire_view(connection, words, shown),
                wording=attribution(),
            )

        return await self._intake.journal.read(work)

    async def standing(self, to: str = "", reader: str = "") -> StandingView:
        """What is in force, in short, for the banner of every page; asked as `view` is."""

        def work(connection: Connection) -> StandingView:
            words, standing = self._intake.words, rows.in_force(connection)
            feigned = rows.shown_ended(connection, to) if standing else {}
            shown = [one for one in standing if one.id not in feigned]
            return StandingView(
                in_force=[views.standing_run(words, one, shown) for one in reversed(shown)],
                duress=feigning.duress_elsewhere(connection, words, standing, to, reader),
                fire=views.fire_view(connection, words, shown),
            )

        return await self._intake.journal.read(work)

    async def run(self, run: str, to: str = "") -> ProtocolRunView:
        """One run. Raises `KeyError`."""

        def work(connection: Connection) -> ProtocolRunView:
            row, feigned = rows.get(connection, run), rows.shown_ended(connection, to)
            shown = [one for one in rows.in_force(connection) if one.id not in feigned]
            return self._seen(connection, row, shown, feigned)

        return await self._intake.journal.read(work)

    def _seen(
        self,
        connection: Connection,
        row: rows.RunRow,
        shown: Sequence[rows.RunRow],
        feigned: Mapping[str, feigning.MarkRow],
    ) -> ProtocolRunView:
        words, now = self._intake.words, self._intake.clock.now()
        view, mark = views.run_view(connection, words, row, shown, now), feigned.get(row.id)
        if mark is None or row.ended:
            return view
        return feigning.as_if_ended(connection, words, row, view, mark, now)

    async def fire(self) -> FireView:
        """The fire alarm."""

        def work(connection: Connection) -> FireView:
            return views.fire_view(connection, self._intake.words, rows.in_force(connection))

        return await self._intake.journal.read(work)

    # ---------------------------------------------------------------------- acts

    async def start(
        self,
        protocol: str,
        area: str,
        by: str,
        *,
        device: str = "",
        place: str = "",
        source: str = "",
        drill: bool = False,
        doors_real: bool = False,
        announce: bool = False,
        reason: str = "",
        hazard: str = "",
        location: str = "",
        key: str = "",
        to: str = "",
        plan: str = "",
    ) -> ProtocolRunView:
        """Start a protocol, or join the one that is in force there; the session `to` is shown that
        it is, whatever it was shown before. What a `device` starts at its
        place is in force where the configuration says, else on the whole site. `location` sends
        people somewhere else in Evacuate. The same key twice is one start. `plan` is the planned
        drill that it is started for.
        """
        if device:
            place = place or area
            area, by = plans.area_for(self._intake.config, protocol, place), _but(by, device)
        start = Start(
            protocol,
            area,
            by,
            device,
            place,
            source or (f"person/{by}" if by else f"device/{device}"),
            drill,
            doors_real,
            announce,
            self._clean(reason),
            hazard,
            self._clean(location)[:LONGEST_LOCATION] if protocol == "evacuate" else "",
            key,
            self._sirens() if drill else frozenset(),
            viewer=to,
            planned=plan,
        )
        decision = await self._intake.decide(
            lambda d: _key(d, d.start_protocol(start)), urgent=True
        )
        return await self.run(decision.key, to)

    async def ask_end(self, run: str, by: str, to: str = "") -> ProtocolRunView:
        """Ask for a run's end; of a drill that ends it."""
        return await self._act(run, lambda d: d.ask_end(run, by), to)

    async def withdraw_end(self, run: str, by: str, to: str = "") -> ProtocolRunView:
        """It is to go on after all."""
        return await self._act(run, lambda d: d.withdraw_end(run, by), to)

    async def end(self, run: str, by: str, to: str = "") -> ProtocolRunView:
        """Confirm the end that somebody else has asked for."""
        return await self._act(run, lambda d: d.end_protocol(run, by), to)

    async def decide_fire(self, run: str, choice: Choice, by: str, to: str = "") -> ProtocolRunView:
        """Decide what people in a lockdown do in a fire alarm; answers with what is in force."""
        await self._not_feigned(run, to)
        decision = await self._intake.decide(
            lambda d: _key(d, d.decide_fire(run, choice, by)), urgent=True
        )
        return await self.run(decision.key)

    async def rearm(self, by: str) -> FireView:
        """Let doors lock again after a fire alarm."""
        await self._intake.decide(lambda d: d.rearm(by), urgent=True)
        return await self.fire()

    async def help(
        self, place: str, by: str, device: str, text: str, *, source: str = "", key: str = ""
    ) -> AlertView:
        """Call for help at a place; never a lockdown."""
        said, by = self._clean(text)[:LONGEST_TEXT], _but(by, device)
        origin = source or (f"person/{by}" if by else f"device/{device}")
        decision = await self._intake.decide(
            lambda d: _key(d, d.help(place, by, device, origin, said, self._helpers(), key)),
            urgent=True,
        )
        return await self._intake.alert(decision.key)

    async def correct_help(self, alert: str, by: str) -> AlertView:
        """Take a call for help back, within ten seconds."""
        await self._intake.decide(lambda d: d.correct_help(alert, by), urgent=True)
        return await self._intake.alert(alert)

    async def look(self) -> None:
        """See once whether the time to decide in a fire alarm is over, whether doors of which no
        answer came report what was asked of them, and whether any has not gone back.
        """
        await self._intake.see_to_the_clock()
        now = self._intake.clock.now()
        if await self._intake.journal.read(lambda c: bool(rows.undecided(c, now))):
            await self._intake.decide(Decider.fire_undecided, urgent=True)
        undone = await self._intake.journal.read(rows.waiting)
        if undone:
            seen = dict(self._heard(now))
            if any(agrees(row, seen) for row in undone):
                await self._intake.decide(lambda d: d.doors_seen(seen), urgent=True)
        await self._look_at_failing()
        since = now - CLEARED_FOR
        if await self._intake.journal.read(lambda c: bool(rows.not_back(c, since))):
            await self._intake.decide(Decider.clear_again)

    async def _look_at_failing(self) -> None:
        """Tell of the doors that did not obey at the last look either: within two looks of the
        first, all that have failed by then are told as one.
        """
        before, private = self._failing, self._intake.private
        self._failing = await self._intake.journal.read(lambda c: failing(c, private))
        lasting = {
            run: doors & before.get(run, frozenset()) for run, doors in self._failing.items()
        }
        if any(lasting.values()):
            await self._intake.decide(lambda d: d.tell_failing(lasting), urgent=True)

    def _heard(self, now: datetime) -> Iterator[tuple[str, Heard]]:
        """What each door says, and when it was last heard to, where that is fresh and the door is
        not known to be otherwise, such as one that stands open.
        """
        for each in self._doors():
            reported = each["reported"]
            known = each["online"] and not reported["stale"] and not each["differs"]
            if reported["lock"] == "locked" and each["conclusion"] == "open":
                continue
            if known and reported["age_s"] is not None:
                heard = now - timedelta(seconds=reported["age_s"])
                yield each["id"], (reported["lock"], iso(heard))

    async def watch(self) -> None:
        """Look for ever. Run it as one task."""
        while True:
            await self._intake.clock.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except StateError:
                continue  # the journal says so itself

    # -------------------------------------------------------------------- inside

    def _clean(self, text: str) -> str:
        return outbox.writable(self._intake.secrets.clean(" ".join(text.split())))

    async def _act(
        self, run: str, work: Callable[[Decider], None], to: str = ""
    ) -> ProtocolRunView:
        await self._not_feigned(run, to)
        await self._intake.decide(work, urgent=True)
        return await self.run(run, to)

    async def _not_feigned(self, run: str, to: str) -> None:
        """What a session is shown as ended answers it as what has ended."""
        if run in await self._intake.journal.read(lambda c: rows.shown_ended(c, to)):
            name = (await self.run(run, to))["name"]
            raise Refused("%(name)s has been ended already", name=name)


def _but(by: str, device: str) -> str:
    """The person, where it is not the device itself that is named."""
    return "" if by == device else by


def _key(decider: Decider, key: str) -> None:
    decider.decision.key = key
