"""The doors: the one place that sends a lock a command, and believes only what it answers.

Every command ends confirmed, failed or timed out. Doors work side by side: each command, refresh
and report touches one door only, so a slow or dead controller never delays another. A door without
an attested free way out takes no lock verb, whoever asks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from hub.campus import Campus
from hub.clock import Clock
from hub.config import Config, DoorBlock
from hub.errors import CommandFailed, NotReady
from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS, VERBS, AccessController, DoorReport, Verb
from hub.ports import Outcome
from hub.safety.doors.facts import DoorFacts, Judge, News
from hub.views import DoorView, Requested

log = structlog.get_logger("doors")

TICK_S = 1.0
REFRESH_S = 10.0
REFRESH_DEADLINE_S = 5.0
FIRST_ASK_S = 1.0
ASK_AGAIN_S = 2.0
TRY_AGAIN_S = 0.5
UNTOLD_LIMIT = 10_000
LOGGED_EVERY = 1000


@dataclass
class _Command:
    judge: Judge
    done: asyncio.Future[Outcome]
    sent: bool = False
    reason: str = ""

    def end(self, outcome: Outcome) -> None:
        if not self.done.done():
            self.done.set_result(outcome)


@dataclass
class _Door:
    id: str
    block: DoorBlock
    facts: DoorFacts
    controller: AccessController | None = None
    command: _Command | None = None
    refresh: asyncio.Task[None] | None = None
    refresh_due: float = 0.0
    data: dict[str, Any] = field(default_factory=dict)

    def adopt(self, block: DoorBlock) -> None:
        """Be described by this block from now on."""
        self.block = block
        self.facts.held_after = block.held_after
        self.data = _data(self.id, block)

    def now_behind(self) -> AccessController:
        """Its controller at this moment: one may be replaced while a command is under way."""
        if self.controller is None:
            raise NotReady(f"its controller {self.block.controller} is not running")
        return self.controller


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
        self._publish = publish
        self._controllers: dict[str, AccessController] = {}
        self._doors = {id_: _door(id_, block) for id_, block in config.doors.items()}
        self._untold: deque[Event] = deque()
        self._something_to_tell = asyncio.Event()
        self._stragglers: set[asyncio.Task[Any]] = set()
        self._counts = dict.fromkeys(("reports", "strange_reports", "events", "events_lost"), 0)

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
                door = _door(id_, block)
                controller = self._controllers.get(block.controller)
                if controller is not None:
                    _join(door, controller)
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
            _join(door, controller)

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
            reason = str(error) or type(error).__name__
            for door in self._of(controller_id):
                away = DoorReport(door.id, self._clock.now(), online=False, detail=reason)
                self._take(door, away)
            raise

    async def perform(self, door: str, verb: Verb, key: str, deadline_s: float) -> Outcome:
        """Ask, then wait for the door's own answer; always ends within `deadline_s` seconds.

        A later command for the same door ends the earlier one as failed. `key` is handed on, the
        same over retries; `momentary` is handed over at most once.
        """
        known = self._doors.get(door)
        if known is None:
            return Outcome("failed", f"there is no door named {door}")
        refusal = self.refusal(door, verb)
        if refusal:
            return Outcome("failed", refusal)
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        command = _Command(Judge(verb, known.facts, self._clock.monotonic()), done)
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

    def refusal(self, door: str, verb: Verb) -> str:
        """Why this door may not be asked this, in words; empty when it may. Raises `KeyError`."""
        known = self._doors[door]
        if verb in LOCK_VERBS and known.block.egress != "free":
            return f"{verb} refused: nobody has attested `egress: free` for this door"
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
        if known.controller is None:
            return []
        allowed = known.controller.capabilities.verbs
        if known.block.egress != "free":
            allowed = allowed - LOCK_VERBS
        return [verb for verb in VERBS if verb in allowed]

    def views(self) -> list[DoorView]:
        """Every door, in file order."""
        now = self._clock.monotonic()
        return [self._view(door, now) for door in self._doors.values()]

    def counts(self) -> dict[str, int]:
        """Counters for health: reports taken in or not ours, events told, waiting or lost."""
        return {**self._counts, "events_waiting": len(self._untold)}

    async def keep_fresh(self) -> None:
        """Ask doors again before their word goes stale, watch the time, tell events; for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell(), name="door events")
            group.create_task(self._tick(), name="door clock")

    def _of(self, controller_id: str) -> list[_Door]:
        return [door for door in self._doors.values() if door.block.controller == controller_id]

    def _hear(self, controller_id: str, report: DoorReport) -> None:
        door = self._doors.get(report.door)
        if door is None or door.block.controller != controller_id:
            if self._count("strange_reports") % LOGGED_EVERY == 1:
                log.warning("report of an unknown door", controller=controller_id, door=report.door)
            return
        self._count("reports")
        self._take(door, report)

    def _take(self, door: _Door, report: DoorReport) -> None:
        now = self._clock.monotonic()
        news = door.facts.hear(report, now, self._clock.now())
        command = door.command
        if command is not None and command.sent:
            outcome = command.judge.hear(report, now)
            if outcome is not None:
                command.end(self._with_position(door, command.judge.verb, outcome))
        self._note(door, news)

    def _with_position(self, door: _Door, verb: Verb, outcome: Outcome) -> Outcome:
        opened = door.facts.conclusion(self._clock.monotonic()) == "open"
        if outcome.state == "confirmed" and verb in LOCK_VERBS and opened:
            return Outcome("confirmed", f"{outcome.detail}, but the door stands open")
        return outcome

    async def _drive(self, door: _Door, command: _Command, key: str) -> None:
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

    async def _hand_over(self, door: _Door, command: _Command, key: str) -> None:
        verb = command.judge.verb
        while True:
            if verb == "momentary":
                door.facts.expect_passage(self._clock.monotonic())
            command.sent = True
            try:
                await door.now_behind().command(door.id, verb, key)
                command.reason = ""
                return
            except NotReady as error:
                command.sent = False
                command.reason = str(error)
                if verb == "momentary":
                    raise CommandFailed(f"not handed over, and not tried again: {error}") from error
            await self._clock.sleep(TRY_AGAIN_S)

    async def _ask(self, door: _Door) -> None:
        try:
            await door.now_behind().refresh(door.id)
        except (NotReady, CommandFailed) as error:
            log.debug("could not ask a door", door=door.id, reason=str(error))

    async def _tick(self) -> None:
        while True:
            now, wall = self._clock.monotonic(), self._clock.now()
            for door in self._doors.values():
                self._note(door, door.facts.tick(now, wall))
                idle = door.refresh is None or door.refresh.done()
                if door.controller is not None and idle and now >= door.refresh_due:
                    door.refresh_due = now + min(REFRESH_S, door.facts.stale_after / 3)
                    door.refresh = self._begin(self._refresh(door), f"door {door.id} refresh")
            await self._clock.sleep(TICK_S)

    async def _refresh(self, door: _Door) -> None:
        asking = self._begin(self._ask(door), f"door {door.id} ask")
        alarm = self._begin(self._clock.sleep(REFRESH_DEADLINE_S), f"door {door.id} ask deadline")
        try:
            await asyncio.wait({asking, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            alarm.cancel()

    def _note(self, door: _Door, news: list[News]) -> None:
        for item in news:
            if len(self._untold) >= UNTOLD_LIMIT:
                lost = self._untold.popleft()
                if self._count("events_lost") % LOGGED_EVERY == 1:
                    log.error("event lost: too many wait for the journal", type=lost.type)
            data = {**door.data, **item.data}
            self._untold.append(Event(item.type, f"door/{door.id}", item.time, door.id, data))
            self._something_to_tell.set()

    async def _tell(self) -> None:
        while True:
            await self._something_to_tell.wait()
            self._something_to_tell.clear()
            while self._untold:
                batch = list(self._untold)
                try:
                    await self._publish(*batch)
                except Exception as error:
                    log.error("door events wait for the journal", reason=repr(error))
                    await self._clock.sleep(TICK_S)
                    continue
                self._forget(batch)

    def _forget(self, batch: list[Event]) -> None:
        told = {event.id for event in batch}
        while self._untold and self._untold[0].id in told:
            self._untold.popleft()
        self._counts["events"] += len(batch)

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

    def _view(self, door: _Door, now: float) -> DoorView:
        facts = door.facts
        return DoorView(
            id=door.id,
            name=door.block.name,
            place=door.block.place,
            place_words=self._campus.words(door.block.place),
            online=facts.online,
            egress=door.block.egress,
            verbs=self.verbs(door.id),
            requested=facts.requested,
            reported=facts.reported(now),
            physical=facts.physical(now),
            conclusion=facts.conclusion(now),
            detail=facts.detail,
        )


def _door(id_: str, block: DoorBlock) -> _Door:
    return _Door(id_, block, DoorFacts(block.held_after), data=_data(id_, block))


def _data(id_: str, block: DoorBlock) -> dict[str, Any]:
    return {
        "door": id_,
        "name": block.name,
        "place": block.place,
        "leads_to": block.leads_to or "",
        "controller": block.controller,
    }


def _join(door: _Door, controller: AccessController) -> None:
    capabilities = controller.capabilities
    door.controller = controller
    door.facts.stale_after = capabilities.stale_after_s
    door.facts.has_contact = (
        capabilities.has_position and door.id not in capabilities.without_position
    )
