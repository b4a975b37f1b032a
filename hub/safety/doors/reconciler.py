"""The doors: the one place that sends a lock a command, and believes only what it answers.

Every command ends confirmed, failed or timed out. Doors work side by side: each command, refresh
and report touches one door only, so a slow or dead controller never delays another. A door without
an attested free way out takes no lock verb, whoever asks.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import structlog

from hub.campus import Campus
from hub.clock import Clock
from hub.config import Config
from hub.door_views import DoorIntentView
from hub.errors import CommandFailed, NotReady
from hub.events import Event
from hub.kinds.access_control import (
    LOCK_VERBS,
    AccessController,
    AccessReport,
    DoorReport,
    Verb,
)
from hub.ports import Outcome
from hub.safety.doors import facts
from hub.safety.doors.door import Command, Door
from hub.safety.doors.facts import Judge, News
from hub.safety.doors.fire import AFTER_ALARM
from hub.safety.doors.sane import Strange, nonsense, short
from hub.safety.doors.shown import trouble, verbs, views
from hub.safety.doors.tidings import LOGGED_EVERY, Tidings
from hub.safety.doors.together import Together
from hub.views import DoorView, Requested

log = structlog.get_logger("doors")

TICK_S = 1.0
REFRESH_S = 10.0
REFRESH_DEADLINE_S = 5.0
FIRST_ASK_S = 1.0
ASK_AGAIN_S = 2.0
TRY_AGAIN_S = 0.5
CALLED_OFF = 512  # of one door: more than wait for the journal at once


class Doors:
    """All doors of the site and their controllers.

    `publish(*events)` returns once they are committed. `attach` the controllers, run `watch` for
    each and `keep_fresh` once, all three under supervision.
    """

    def __init__(
        self,
        config: Config,
        campus: Campus,
        clock: Clock,
        publish: Callable[..., Awaitable[None]],
    ) -> None:
        self._campus = campus
        self._clock = clock
        self._tidings = Tidings(clock, publish)
        self._together = Together(clock)
        self.doubt = ""  # why timetables open no door, in words
        self._suspended, self._why = False, ""
        self._controllers: dict[str, AccessController] = {}
        self._doors = {id_: Door.of(id_, block) for id_, block in config.doors.items()}
        self._stragglers: set[asyncio.Task[Any]] = set()
        self._counts = dict.fromkeys(("reports", "strange_reports"), 0)
        self._strange = Strange()
        self._called_off: defaultdict[str, deque[str]] = defaultdict(
            lambda: deque(maxlen=CALLED_OFF)
        )

    def reconfigure(self, config: Config, campus: Campus) -> None:
        """Take over another configuration. What is known of a door that stays, stays known; a
        command to a door that goes ends as failed. Attach new controllers afterwards.
        """
        known, self._doors = self._doors, {}
        self._campus = campus
        for id_, block in config.doors.items():
            door = known.get(id_)
            if door is not None and door.block.controller == block.controller:
                door.adopt(block)
            else:
                door = Door.of(id_, block, known.get(id_))
                controller = self._controllers.get(block.controller)
                if controller is not None:
                    door.join(controller)
            self._doors[id_] = door
        for id_, door in known.items():
            if self._doors.get(id_) is not door and door.command is not None:
                door.command.end(Outcome("failed", "its configuration was changed meanwhile"))

    def detach(self, controller_id: str) -> None:
        """Let go of a controller that is being stopped or replaced."""
        self._controllers.pop(controller_id, None)
        for door in self._of(controller_id):
            door.controller = None

    def attach(self, controller_id: str, controller: AccessController) -> None:
        """Give the doors of a controller their driver; again after it was rebuilt."""
        self._controllers[controller_id] = controller
        for door in self._of(controller_id):
            door.join(controller)

    async def watch(self, controller_id: str) -> None:
        """Take in a controller's reports; when they end its doors are offline.

        Never returns: raises `NotReady` when the reports ended, or what the controller raised.
        Cancelled, as at a stop, it tells nothing: the doors are as they were.
        """
        controller = self._controllers[controller_id]
        try:
            async for report in controller.reports():
                self._hear(controller_id, report)
            raise NotReady("its controller stopped reporting")
        except Exception as error:
            reason = short(str(error) or type(error).__name__)
            for door in self._of(controller_id):
                away = DoorReport(door.id, self._clock.now(), online=False, detail=reason)
                self._take(door, away)
            raise

    async def perform(self, door: str, verb: Verb, key: str, deadline_s: float) -> Outcome:
        """Ask, then wait for the door's own answer; always ends within `deadline_s` seconds.

        A later command for the same door ends the earlier one as failed; one that is called off
        before it was handed over raises `NotReady`. `key` is handed on, the
        same over retries; `momentary` is handed over at most once. A door that knows no lockdown is
        locked in its place, and has none to be released from.
        """
        known = self._doors.get(door)
        if known is None:
            return Outcome("failed", f"there is no door named {door}")
        if verb == "lockdown_release" and facts.only_locks(self.verbs(door)):
            return Outcome("confirmed", facts.NOT_RELEASED)
        if verb == "lockdown" and facts.only_locks(self.verbs(door)):
            outcome = await self.perform(door, "lock", key, deadline_s)
            return facts.in_place(outcome)
        refusal = self.refusal(door, verb)
        if refusal:
            return Outcome("failed", refusal)
        if key in self._called_off[door]:
            raise NotReady("it was called off before it was handed over")
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        command = Command(key, Judge(verb, known.facts, self._clock.monotonic()), done)
        if known.command is not None:
            known.command.end(Outcome("failed", f"overtaken by a later command: {verb}"))
        known.command = command
        drive = self._begin(self._drive(known, command, key), f"door {door} {verb}")
        alarm = self._begin(self._clock.sleep(deadline_s), f"door {door} {verb} deadline")
        first: set[asyncio.Future[Any]] = {done, alarm}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if done.done():
                return done.result()
            return command.judge.too_late(deadline_s, command.reason)
        finally:
            drive.cancel()
            alarm.cancel()
            if known.command is command:
                known.command = None

    def requested(self, door: str, request: Requested) -> None:
        """Show what was last asked of a door, and how that went."""
        if door in self._doors:
            self._doors[door].facts.requested = request

    def may_be_locked_down(self, door: str) -> None:
        """A lockdown of an earlier life of the hub may be in force at a door's controller."""
        if door in self._doors:
            self._together.may_be_engaged(self._doors[door].block.controller)

    def wanted(self, door: str, intent: DoorIntentView | None) -> None:
        """Know what is wanted of a door and wins there."""
        if door in self._doors:
            self._doors[door].intent = intent

    def differs(self, door: str, words: str) -> None:
        """Show how a door is not as it is wanted; empty once it is."""
        if door in self._doors:
            self._doors[door].differs = words

    def call_off(self, door: str, key: str) -> None:
        """Hand a command over no more; `perform` raises `NotReady` where that comes in time."""
        self._called_off[door].append(key)  # its attempt may be only about to begin
        known = self._doors.get(door)
        if known is not None and known.command is not None and known.command.key == key:
            known.command.call_off()

    def suspend(self, suspended: bool, why: str = AFTER_ALARM) -> None:
        """While suspended, no door takes a lock verb: one under way ends here and is not handed
        over any more. `why` says so in words.
        """
        self._why = why
        if suspended and not self._suspended:
            self._together.forget()
            for door in self._doors.values():
                if door.command is not None and door.command.judge.verb in LOCK_VERBS:
                    door.command.end(Outcome("failed", why))
        self._suspended = suspended

    def all(self) -> Sequence[Door]:
        """Every door as it is held, for the keeper."""
        return list(self._doors.values())

    def refusal(self, door: str, verb: Verb) -> str:
        """Why this door may not be asked this, in words; empty when it may. Raises `KeyError`."""
        known = self._doors[door]
        if verb in LOCK_VERBS and known.block.egress != "free":
            return f"{verb} refused: nobody has attested `egress: free` for this door"
        if verb in LOCK_VERBS and self._suspended:
            return f"{verb} refused: {self._why}"
        if known.controller is None:
            return f"its controller {known.block.controller} is not running"
        verbs = self.verbs(door)
        if verb not in verbs:
            can = ", ".join(verbs) or "nothing"
            return f"this door cannot do {verb}; it can: {can}"
        return ""

    def verbs(self, door: str) -> list[Verb]:
        """What this door may be asked now. Raises `KeyError`."""
        known = self._doors[door]
        return verbs(known, known.controller.capabilities if known.controller else None)

    def views(self) -> list[DoorView]:
        """Every door, in file order."""
        return views(self._doors.values(), self._campus, self._clock.monotonic())

    def troubles(self) -> list[str]:
        """What is not as it should be, in a line each."""
        said = [f"no door may lock: {self._why}"] if self._suspended else []
        said += [self.doubt] if self.doubt else []
        return said + [line for door in self._doors.values() if (line := trouble(door))]

    def counts(self) -> dict[str, int]:
        """Counters for health: reports taken in or not ours, events told, waiting or lost."""
        tidings = self._tidings
        return {
            **self._counts,
            "events": tidings.told,
            "events_lost": tidings.lost,
            "events_waiting": tidings.waiting,
            "events_only_counted": sum(door.flood.kept_back for door in self._doors.values()),
        }

    async def keep_fresh(self) -> None:
        """Ask doors again before their word goes stale, watch the time, tell events; for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tidings.run(), name="door events")
            group.create_task(self._tick(), name="door clock")

    def _of(self, controller_id: str) -> list[Door]:
        return [door for door in self._doors.values() if door.block.controller == controller_id]

    def _hear(self, controller_id: str, report: DoorReport | AccessReport) -> None:
        if why := nonsense(report):
            self._misbehaves(controller_id, why)
            return
        door = self._doors.get(report.door)
        if door is None or door.block.controller != controller_id:
            if self._count("strange_reports") % LOGGED_EVERY == 1:
                log.warning("report of an unknown door", controller=controller_id, door=report.door)
            return
        self._count("reports")
        if short(report.detail) != report.detail:
            report = replace(report, detail=short(report.detail))
        if isinstance(report, AccessReport):
            self._note(door, door.facts.use(report, self._clock.monotonic(), self._clock.now()))
        else:
            self._take(door, report)

    def _misbehaves(self, controller: str, why: str) -> None:
        self._count("strange_reports")
        count = self._strange.count(controller, self._clock.monotonic())
        if count:
            log.warning("a controller misbehaves", controller=controller, reason=why)
            data = {"controller": controller, "reason": why, "count": count}
            source = f"controller/{controller}"
            now = self._clock.now()
            event = Event("controller.misbehaved", source, now, controller, data)
            self._tidings.add(event)

    def _take(self, door: Door, report: DoorReport) -> None:
        now = self._clock.monotonic()
        news = door.facts.hear(report, now, self._clock.now())
        command = door.command
        overtaken = report.lock == "locked" != door.facts.lock.value  # somebody was faster
        if command is not None and command.sent and not overtaken:
            outcome = command.judge.hear(report, now)
            if outcome is not None:
                command.end(self._with_position(door, command.judge.verb, outcome))
        self._note(door, news)

    def _with_position(self, door: Door, verb: Verb, outcome: Outcome) -> Outcome:
        opened = door.facts.conclusion(self._clock.monotonic()) == "open"
        if outcome.state == "confirmed" and verb in LOCK_VERBS and opened:
            return Outcome("confirmed", f"{outcome.detail}, {facts.STANDS_OPEN}")
        return outcome

    async def _drive(self, door: Door, command: Command, key: str) -> None:
        try:
            await self._hand_over(door, command, key)
            await self._clock.sleep(FIRST_ASK_S)
            while True:
                await self._ask(door)
                await self._clock.sleep(ASK_AGAIN_S)
        except CommandFailed as error:
            command.end(Outcome("failed", str(error)))
        except Exception as error:
            log.error("driver raised", door=door.id, reason=repr(error))
            command.end(Outcome("failed", f"driver raised {type(error).__name__}: {error}"))

    async def _hand_over(self, door: Door, command: Command, key: str) -> None:
        verb = command.judge.verb
        # One that has ended is handed over no more: it may have, before this had its turn.
        if verb in ("lockdown", "lockdown_release") and not command.done.done():
            command.sent = command.handed_over = True
            behind = self._of(door.block.controller)
            called = await self._together.go_first(door, verb, key, behind)
            command.sent = command.handed_over = called
        while not command.done.done():
            if verb == "momentary":
                door.facts.expect_passage(self._clock.monotonic())
            command.sent = command.handed_over = True
            try:
                await door.now_behind().command(door.id, verb, key)
                command.reason = ""
                return
            except NotReady as error:
                command.sent = command.handed_over = False
                command.reason = str(error)
                if verb == "momentary":
                    raise CommandFailed(f"not handed over, and not tried again: {error}") from error
            await self._clock.sleep(TRY_AGAIN_S)

    async def _ask(self, door: Door) -> None:
        try:
            await door.now_behind().refresh(door.id)
        except (NotReady, CommandFailed) as error:
            log.debug("could not ask a door", door=door.id, reason=str(error))

    async def _tick(self) -> None:
        while True:
            now, wall = self._clock.monotonic(), self._clock.now()
            for door in self._doors.values():
                self._note(door, door.facts.tick(now, wall))
                for item in door.flood.tick(now, wall):
                    self._tell(door, item)
                idle = door.refresh is None or door.refresh.done()
                if door.controller is not None and idle and now >= door.refresh_due:
                    door.refresh_due = now + min(REFRESH_S, door.facts.stale_after / 3)
                    door.refresh = self._begin(self._refresh(door), f"door {door.id} refresh")
            await self._clock.sleep(TICK_S)

    async def _refresh(self, door: Door) -> None:
        asking = self._begin(self._ask(door), f"door {door.id} ask")
        alarm = self._begin(self._clock.sleep(REFRESH_DEADLINE_S), f"door {door.id} ask deadline")
        try:
            await asyncio.wait({asking, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            alarm.cancel()

    def _note(self, door: Door, news: list[News]) -> None:
        for item in door.flood.sift(news, self._clock.monotonic()):
            self._tell(door, item)

    def _tell(self, door: Door, item: News) -> None:
        data = {**door.data, **item.data}
        self._tidings.add(Event(item.type, f"door/{door.id}", item.time, door.id, data))

    def _count(self, what: str) -> int:
        self._counts[what] += 1
        return self._counts[what]

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._stragglers.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._stragglers.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("driver raised", task=task.get_name(), reason=repr(task.exception()))
