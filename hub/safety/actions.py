"""The performer: takes intentions from the outbox, carries them out, and writes how each ended.

The table is the queue, so a restart forgets nothing: an attempt is marked before anything acts and
its outcome is written with the event that tells of it. Each door, and each group of people on a
channel, has a lane of its own; a lane that hangs delays no other. Doors and severe notices go
before all else: in the journal, in the outbox, and in the calls that a channel may have at once.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from hub.clock import Clock, from_iso, iso
from hub.errors import CommandFailed, StateError
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import Notifier
from hub.ports import DoorActuator, Outcome
from hub.safety import outbox
from hub.safety.decide import Decider, Decision
from hub.safety.intake import Intake, let_go_first
from hub.safety.notices import fallback
from hub.safety.notices.deadline import Deadlines, in_words
from hub.safety.notices.picture_links import PictureLinks
from hub.safety.notices.speaking import Speaking
from hub.safety.notices.telling import Again, Telling, Told
from hub.safety.outbox import ActionRow
from hub.safety.walk import Listener, hand_over

CHANNEL_CALLS = 16
LOOK_AGAIN_S = 30.0
GRACE_S = 0.5
DOOR_GRACE_S = 2.0
WRITE_AGAIN_S = 1.0
WAYS_EVERY_S = 1.0
LONGEST_WAIT_S = 900.0  # that a provider may ask for

log = structlog.get_logger(__name__)


class Performer:
    """Carries out what is pending. Run it as one task; it ends only by cancellation.

    `doors` performs door commands, `notifiers` are the built channels by id (one that is missing
    or switched off fails its notices, with the reason). `base_url` stands before a notice's link
    and may be set later. `on_receipt` is awaited with a notifier's id and what it calls a notice,
    once that is in the journal.
    """

    def __init__(
        self,
        intake: Intake,
        doors: DoorActuator,
        notifiers: Mapping[str, Notifier],
        base_url: str = "",
    ) -> None:
        self.attempts = 0
        self.listener: Listener | None = None
        self.on_receipt: Callable[[str, str], Awaitable[None]] = _nobody
        self._intake = intake
        self._clock: Clock = intake.clock
        self._doors = doors
        self._known = intake.config
        self._ways_from = 0.0
        self._ways_due: str | None = None
        self._wanted = asyncio.Event()
        self._begun = False
        self._running: dict[int, tuple[ActionRow, asyncio.Task[None]]] = {}
        self._deadlines = Deadlines(self._clock)
        self._telling = Telling(intake, notifiers, self._deadlines, base_url)
        intake.on_intentions = self.wake

    @property
    def base_url(self) -> str:
        """What stands before a notice's link."""
        return self._telling.base_url

    @base_url.setter
    def base_url(self, address: str) -> None:
        self._telling.base_url = address

    @property
    def pictures(self) -> PictureLinks:
        """Makes the links to pictures that stand in notices."""
        return self._telling.pictures

    @pictures.setter
    def pictures(self, links: PictureLinks) -> None:
        self._telling.pictures = links

    @property
    def speaking(self) -> Speaking:
        """In which words notices are said; its `folder` may be set later."""
        return self._telling.speaking

    @property
    def intake(self) -> Intake:
        """Where outcomes are written."""
        return self._intake

    def wake(self) -> None:
        """Look at the outbox again, soon."""
        self._wanted.set()

    def queue(self) -> dict[str, int]:
        """Counters for health and metrics; `overdue` calls run on past their deadline."""
        return {
            "running": len(self._running),
            "attempts": self.attempts,
            "overdue": self._deadlines.overdue,
            "dropped": 0,
        }

    async def run(self) -> None:
        """Pick up what the last run left, then carry out what is due for ever."""
        try:
            await self._intake.decide(Decider.recover)
            self._intake.on_begun = self._go_on
            while True:
                self._wanted.clear()
                if self._begun:
                    self._begun = False
                    await let_go_first()
                try:
                    next_due = await self._start_due()
                except StateError as error:
                    log.error("the outbox cannot be read", error=str(error))
                    await self._clock.sleep(WRITE_AGAIN_S)
                else:
                    await self._rest(next_due)
        finally:
            self._intake.on_begun = None
            await self._leave()

    async def _see_to_quiet_hours(self) -> None:
        """With another configuration what waits for the end of quiet hours may wait for another."""
        config = self._intake.config
        if config is not self._known:
            await self._intake.decide(Decider.hold_again)
            self._known = config

    async def _start_due(self) -> str | None:
        await self._intake.see_to_the_clock()
        await self._see_to_quiet_hours()
        now = self._clock.now()
        journal = self._intake.journal
        for action in await journal.read(lambda c: outbox.due(c, now)):
            # What is marked as begun is under way, or about to be handed over as such.
            if action.started is None and action.id not in self._running and self._has_room(action):
                self._run(action, self._perform(action))
        later = await journal.read(lambda c: outbox.next_due(c, now))
        return await self._fall_back(later)

    def _go_on(self, begun: Sequence[ActionRow]) -> None:
        """Carry out commands that the transaction which wanted them has marked as begun."""
        self._begun = True
        for action in begun:
            self._run(action, self._attempt(action))

    def _run(self, action: ActionRow, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"action {action.lane} {action.key}")
        self._running[action.id] = (action, task)
        task.add_done_callback(partial(self._done, action.id))

    async def _fall_back(self, later: str | None) -> str | None:
        """Let what nobody takes go another way; returns when to look again at the latest."""
        config, journal, now = self._intake.config, self._intake.journal, self._clock.now()
        if not fallback.possible(config):
            return later
        early = self._ways_from - self._clock.monotonic()
        if early <= 0:  # at most once a second, however many notices end in that time
            if await journal.read(lambda c: fallback.due(c, config, now)):
                await self._intake.decide(Decider.fall_back, urgent=True)
            self._ways_due = await journal.read(lambda c: fallback.next_due(c, config, now))
            self._ways_from = self._clock.monotonic() + WAYS_EVERY_S
        waits = self._ways_due and max(self._ways_due, iso(now + timedelta(seconds=max(early, 0))))
        return min((each for each in (later, waits) if each), default=None)

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
        """One attempt at one action, from its mark to its outcome, where it is due still."""
        try:
            begun = await self._decide(waiting, lambda d: d.begin(waiting.id))
        except StateError as error:
            log.error("an action waits for the journal", key=waiting.key, error=str(error))
            await self._clock.sleep(WRITE_AGAIN_S)
            return
        if begun.action is not None:
            await self._attempt(begun.action, begun.earlier, begun.picture)

    async def _attempt(
        self, action: ActionRow, earlier: Sequence[Mapping[str, str]] = (), picture: str = ""
    ) -> None:
        """What comes after the mark."""
        self.attempts += 1
        result = await (
            self._door(action)
            if action.kind == "door"
            else hand_over(self.listener, self._deadlines, action)
            if action.kind == "heartbeat"
            else self._telling.tell(action, earlier, picture)
        )
        result = self._clean(result)
        while True:
            try:
                await self._conclude(action, result)
                break
            except StateError as error:
                log.error("an outcome waits for the journal", key=action.key, error=str(error))
                await self._clock.sleep(WRITE_AGAIN_S)
            except Exception:  # else it would stand in its lane for ever
                log.exception("an outcome cannot be written", key=action.key)
                result = Outcome("failed", "how it ended could not be written down")
                await self._clock.sleep(WRITE_AGAIN_S)
        if isinstance(result, Told) and result.receipt is not None and result.receipt.id:
            await self.on_receipt(action.target, result.receipt.id)

    def _clean(self, result: Outcome | Again) -> Outcome | Again:
        """Without secrets, whatever a driver has put into its words, and as it can be written."""

        def clean(text: str) -> str:
            return outbox.writable(self._intake.secrets.clean(text))

        if isinstance(result, Told) and result.receipt is not None:
            receipt = replace(result.receipt, id=clean(result.receipt.id))
            result = replace(result, receipt=receipt)
        return replace(result, detail=clean(result.detail))

    async def _door(self, action: ActionRow) -> Outcome | Again:
        payload = json.loads(action.payload)
        verb: Verb = payload["verb"]
        lives = (from_iso(action.expires) - self._clock.now()).total_seconds()
        if lives <= 0:  # the commit that marked it took too long, or the machine slept since
            return Outcome("timed_out", "expired before it could be sent")
        seconds = min(action.deadline_s, round(lives, 3))
        work = self._doors.perform(action.target, verb, action.key, seconds)
        try:
            return await self._deadlines.within(seconds + DOOR_GRACE_S, work)
        except TimeoutError:
            return Outcome("timed_out", f"no answer within {seconds:g} s")
        except CommandFailed as error:
            return Outcome("failed", str(error))
        except Exception as error:
            if verb == "momentary":
                words = in_words(error)
                return Outcome("failed", f"{words}; a momentary release is never repeated")
            return Again.of(error)

    async def _conclude(self, action: ActionRow, result: Outcome | Again) -> None:
        if isinstance(result, Outcome):
            await self._settle(action, result)
            return
        await self._intake.see_to_the_clock()
        wait = timedelta(seconds=_wait(result.after))
        if action.kind == "door":
            wait = timedelta(0)
        again = self._clock.now() + max(outbox.delay(action), wait)
        if result.tries and action.attempts >= result.tries:
            words = f"given up after {action.attempts} attempts: {result.detail}"
            await self._settle(action, Outcome("failed", words))
        else:
            log.info("an action is tried again", key=action.key, reason=result.detail)
            await self._decide(action, lambda d: d.retry(action.id, again, result.detail))

    async def _settle(self, action: ActionRow, result: Outcome) -> None:
        receipt = result.receipt if isinstance(result, Told) else None
        await self._decide(
            action, lambda d: d.settle(action.id, result.state, result.detail, receipt)
        )

    async def _decide(self, action: ActionRow, work: Callable[[Decider], None]) -> Decision:
        return await self._intake.decide(work, urgent=outbox.urgent(action))


def _wait(after: float | None) -> float:
    """In how many seconds the other side wants the next attempt; what is no number is nothing."""
    if after is None or math.isnan(after):
        return 0.0
    return min(max(after, 0.0), LONGEST_WAIT_S)


async def _nobody(notifier: str, reference: str) -> None:
    """Nobody wants to know."""
