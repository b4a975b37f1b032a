"""The performer: takes intentions from the outbox, carries them out, and writes how each ended.

The table is the queue, so a restart forgets nothing: an attempt is marked before anything acts and
its outcome is written with the event that tells of it. Each door, and each group of people on a
channel, has a lane of its own; a lane that hangs delays no other. Doors and severe notices go
before all else: in the journal, in the outbox, and in the calls that a channel may have at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import structlog

from hub.clock import Clock, from_iso
from hub.errors import CommandFailed, NotReady, StateError, VestibuleError
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import Notifier, Receipt
from hub.ports import DoorActuator, Outcome
from hub.safety import notices, outbox
from hub.safety.decide import Decider, Decision
from hub.safety.intake import Intake
from hub.safety.outbox import ActionRow
from hub.views import ActionState

T = TypeVar("T")

CHANNEL_CALLS = 16
LOOK_AGAIN_S = 30.0
GRACE_S = 0.5
DOOR_GRACE_S = 2.0
TRIES = 4
WRITE_AGAIN_S = 1.0
CLOCK_SLACK_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Again:
    """An attempt that came to nothing. `tries` bounds how many there may be, 0 for any number."""

    detail: str
    tries: int = 0


class Performer:
    """Carries out what is pending. Run it as one task; it ends only by cancellation.

    `doors` performs door commands, `notifiers` are the built channels by id (one that is missing
    or switched off fails its notices, with the reason). `base_url` stands before a notice's link
    and may be set later.
    """

    def __init__(
        self,
        intake: Intake,
        doors: DoorActuator,
        notifiers: Mapping[str, Notifier],
        base_url: str = "",
    ) -> None:
        self.base_url = base_url
        self.attempts = 0
        self._intake = intake
        self._clock: Clock = intake.clock
        self._doors = doors
        self._notifiers = notifiers
        self._wanted = asyncio.Event()
        self._ahead = self._wall_ahead()
        self._running: dict[int, tuple[ActionRow, asyncio.Task[None]]] = {}
        self._strays: set[asyncio.Task[Any]] = set()
        intake.on_intentions = self.wake

    def wake(self) -> None:
        """Look at the outbox again, soon."""
        self._wanted.set()

    def queue(self) -> dict[str, int]:
        """Counters for health and metrics; `overdue` calls run on past their deadline."""
        return {
            "running": len(self._running),
            "attempts": self.attempts,
            "overdue": len(self._strays),
            "dropped": 0,
        }

    async def run(self) -> None:
        """Pick up what the last run left, then carry out what is due for ever."""
        try:
            await self._intake.decide(Decider.recover)
            self._ahead = self._wall_ahead()
            while True:
                self._wanted.clear()
                try:
                    next_due = await self._start_due()
                except StateError as error:
                    log.error("the outbox cannot be read", error=str(error))
                    await self._clock.sleep(WRITE_AGAIN_S)
                else:
                    await self._rest(next_due)
        finally:
            await self._leave()

    def _wall_ahead(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    async def _see_to_the_clock(self) -> None:
        """When somebody has set the wall clock, what waits must neither stall nor expire by it."""
        ahead = self._wall_ahead()
        moved = ahead - self._ahead
        if abs(moved) > CLOCK_SLACK_S:
            log.warning("the machine's clock was set", seconds=round(moved, 1))
            self._ahead = ahead
            try:
                await self._intake.decide(lambda d: d.clock_moved(timedelta(seconds=moved)))
            except StateError:
                self._ahead -= moved
                raise

    async def _start_due(self) -> str | None:
        await self._see_to_the_clock()
        now = self._clock.now()
        journal = self._intake.journal
        for action in await journal.read(lambda c: outbox.due(c, now)):
            if action.id not in self._running and self._has_room(action):
                task = asyncio.create_task(
                    self._perform(action), name=f"action {action.lane} {action.key}"
                )
                self._running[action.id] = (action, task)
                task.add_done_callback(partial(self._done, action.id))
        return await journal.read(lambda c: outbox.next_due(c, now))

    def _done(self, action: int, _: asyncio.Task[None]) -> None:
        del self._running[action]
        self.wake()

    def _has_room(self, action: ActionRow) -> bool:
        """Doors are never held up; a channel has so many calls at once, whatever others have, and
        as many again for what is severe.
        """
        if action.kind == "door":
            return True
        grave = outbox.urgent(action)
        running = [row for row, _ in self._running.values() if row.target == action.target]
        return sum(outbox.urgent(row) == grave for row in running) < CHANNEL_CALLS

    async def _rest(self, next_due: str | None) -> None:
        seconds = LOOK_AGAIN_S
        if next_due is not None:
            wait = (from_iso(next_due) - self._clock.now()).total_seconds()
            seconds = min(seconds, max(0.0, wait))
        alarm = asyncio.create_task(self._clock.sleep(seconds), name="actions: next due")
        wanted = asyncio.create_task(self._wanted.wait(), name="actions: wanted")
        try:
            await asyncio.wait((alarm, wanted), return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            wanted.cancel()

    async def _leave(self) -> None:
        """Give attempts under way a moment to end; those that do not are found again later."""
        tasks = [task for _, task in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _perform(self, waiting: ActionRow) -> None:
        """One attempt at one action, from its mark to its outcome."""
        try:
            action = (await self._decide(waiting, lambda d: d.begin(waiting.id))).action
        except StateError as error:
            log.error("an action waits for the journal", key=waiting.key, error=str(error))
            await self._clock.sleep(WRITE_AGAIN_S)
            return
        if action is None:
            return
        self.attempts += 1
        result = await (self._door(action) if action.kind == "door" else self._tell(action))
        result = replace(result, detail=self._intake.secrets.clean(result.detail))
        while True:
            try:
                await self._conclude(action, result)
                return
            except StateError as error:
                log.error("an outcome waits for the journal", key=action.key, error=str(error))
                await self._clock.sleep(WRITE_AGAIN_S)

    async def _door(self, action: ActionRow) -> Outcome | Again:
        payload = json.loads(action.payload)
        verb: Verb = payload["verb"]
        work = self._doors.perform(action.target, verb, action.key, action.deadline_s)
        try:
            return await self._within(action.deadline_s + DOOR_GRACE_S, work)
        except TimeoutError:
            return Outcome("timed_out", f"no answer within {action.deadline_s:g} s")
        except CommandFailed as error:
            return Outcome("failed", str(error))
        except Exception as error:
            detail = _in_words(error)
            if verb == "momentary":
                return Outcome("failed", f"{detail}; a momentary release is never repeated")
            return Again(detail, 0 if isinstance(error, NotReady) else TRIES)

    async def _tell(self, action: ActionRow) -> Outcome | Again:
        channel = self._intake.config.notifiers.get(action.target)
        notifier = self._notifiers.get(action.target)
        if channel is None or not channel.enabled:
            reason = "is not configured" if channel is None else "is switched off"
            return Outcome("failed", f"the notifier {action.target} {reason}")
        if notifier is None:
            return Outcome("failed", f"the notifier {action.target} could not be built")
        try:
            if notifier.channel.public and notices.basis(action) == "detector":
                return Outcome("failed", "a public channel waits until a person has verified")
            notice = notices.notice(action, self.base_url, self._intake.config.hub.timezone)
            receipt = await self._within(action.deadline_s, notifier.send(notice))
            if not isinstance(receipt, Receipt):
                raise TypeError(f"expected a Receipt, found {type(receipt).__name__}")
        except TimeoutError:
            return Again(f"no answer within {action.deadline_s:g} s")
        except CommandFailed as error:
            return Outcome("failed", str(error))
        except Exception as error:
            return Again(_in_words(error), 0 if isinstance(error, NotReady) else TRIES)
        if receipt.state == "failed":
            return Outcome("failed", receipt.detail or "the channel refused it")
        return Outcome("confirmed", receipt.detail or receipt.state)

    async def _conclude(self, action: ActionRow, result: Outcome | Again) -> None:
        if isinstance(result, Outcome):
            await self._settle(action, result.state, result.detail)
            return
        await self._see_to_the_clock()
        again = self._clock.now() + outbox.delay(action)
        if result.tries and action.attempts >= result.tries:
            words = f"given up after {action.attempts} attempts: {result.detail}"
            await self._settle(action, "failed", words)
        else:
            log.info("an action is tried again", key=action.key, reason=result.detail)
            await self._decide(action, lambda d: d.retry(action.id, again, result.detail))

    async def _settle(self, action: ActionRow, state: ActionState, detail: str) -> None:
        await self._decide(action, lambda d: d.settle(action.id, state, detail))

    async def _decide(self, action: ActionRow, work: Callable[[Decider], None]) -> Decision:
        return await self._intake.decide(work, urgent=outbox.urgent(action))

    async def _within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of a foreign call, or `TimeoutError`, also when it will not be cancelled."""
        call = asyncio.create_task(work, name="actions: call")
        alarm = asyncio.create_task(self._clock.sleep(seconds), name="actions: deadline")
        try:
            await asyncio.wait((call, alarm), return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise TimeoutError
            if call.cancelled():
                raise RuntimeError("it cancelled itself")
            return call.result()
        finally:
            alarm.cancel()
            if not call.done():
                call.cancel()
                self._strays.add(call)
                call.add_done_callback(self._gone)

    def _gone(self, call: asyncio.Task[Any]) -> None:
        self._strays.discard(call)
        if not call.cancelled() and call.exception() is not None:
            log.warning("a call failed after its deadline", error=_in_words(call.exception()))


def _in_words(error: BaseException | None) -> str:
    if isinstance(error, VestibuleError):
        return str(error)
    return f"{type(error).__name__}: {error}"
