"""A controller's own lockdown, called once where every door behind it is to be locked down.

It goes before many commands, never in their place: a door that has not answered soon after is
asked by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from hub.clock import Clock
from hub.errors import CommandFailed, NotReady
from hub.kinds.access_control import Verb
from hub.safety.doors.door import Door
from hub.safety.doors.intents import RANKS

FALL_BACK_S = 2.0
CALL_WITHIN_S = 10.0
OF_A_PROTOCOL = RANKS["protocol"]

log = structlog.get_logger("doors")

Call = Callable[[bool, str], Awaitable[None]]
Batch = tuple[str, bool, str]


@dataclass(frozen=True, slots=True)
class _Called:
    task: asyncio.Task[None]
    at: float

    def failed(self) -> bool:
        """Whether it has ended without the controller's yes."""
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)


class Together:
    """Which controllers were called as a whole, and for whom."""

    def __init__(self, clock: Clock) -> None:
        self.calls = 0
        self._clock = clock
        self._called: dict[Batch, _Called] = {}
        self._engaged: set[str] = set()

    async def go_first(self, door: Door, verb: Verb, key: str, behind: Sequence[Door]) -> bool:
        """Call the door's controller as a whole, once for all doors `behind` it, where that is
        meant; False where it is not. Returns once it is time to ask this door by itself.
        """
        call: Call | None = getattr(door.controller, "lockdown_all", None)
        batch = self._batch(door, verb, behind) if call is not None else None
        if call is None or batch is None:
            return False
        alarm = asyncio.ensure_future(self._clock.sleep(FALL_BACK_S))
        called = self._called.get(batch)
        late = called is not None and called.task.done()
        if called is None:
            called = self._begin(call, batch, key)
        try:
            await asyncio.wait({called.task, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if late:
                await self._ask(door)
            if not called.failed():
                await alarm
        finally:
            alarm.cancel()
        return True

    async def _ask(self, door: Door) -> None:
        """What the call made of a door that joined it late may have been said already."""
        with suppress(NotReady, CommandFailed):
            await door.now_behind().refresh(door.id)

    def _begin(self, call: Call, batch: Batch, key: str) -> _Called:
        self.calls += 1
        task = asyncio.create_task(
            self._within(call(batch[1], key), batch), name=f"controller {batch[0]} lockdown"
        )
        task.add_done_callback(_seen)
        # One controller is in one lockdown at a time: what was called before is forgotten.
        for known in [each for each in self._called if each[0] == batch[0]]:
            del self._called[known]
        self._called[batch] = _Called(task, self._clock.monotonic())
        if batch[1]:
            self._engaged.add(batch[0])
        return self._called[batch]

    def may_be_engaged(self, controller: str) -> None:
        """An earlier life of the hub may have begun a whole lockdown there, and not ended it."""
        self._engaged.add(controller)

    def forget(self) -> None:
        """A fire alarm: no call that is still under way may arrive, and none of before counts."""
        for called in self._called.values():
            called.task.cancel()
        self._called.clear()

    def _batch(self, door: Door, verb: Verb, behind: Sequence[Door]) -> Batch | None:
        controller = door.block.controller
        if verb == "lockdown_release":
            batch: Batch = (controller, False, "")
            still = any(each.intent and each.intent["verb"] == "lockdown" for each in behind)
            return batch if not still and self._may_release(batch) else None
        intent = door.intent
        if verb != "lockdown" or intent is None or RANKS[intent["owner_kind"]] < OF_A_PROTOCOL:
            return None
        if intent["drill"]:  # it would also move what no file names, and no drill may
            return None
        batch = (controller, True, intent["owner"])
        whole = all(
            each.block.egress == "free"
            and each.intent is not None
            and (each.intent["verb"], each.intent["owner"]) == ("lockdown", intent["owner"])
            for each in behind
        )
        return batch if whole and (batch not in self._called or self._may_join(batch)) else None

    def _may_join(self, batch: Batch) -> bool:
        """Whether a call for the same is under way, or was only just done."""
        called = self._called.get(batch)
        if called is None or called.failed():
            return False
        return not called.task.done() or self._clock.monotonic() - called.at < FALL_BACK_S

    def _may_release(self, batch: Batch) -> bool:
        """Whether to end as a whole what was begun as a whole: nobody else's lockdown is ended. A
        call that failed a while ago is made again.
        """
        if batch[0] not in self._engaged or self._may_join(batch):
            return self._may_join(batch)
        called = self._called.get(batch)
        if called is not None and self._clock.monotonic() - called.at < CALL_WITHIN_S:
            return False
        self._called.pop(batch, None)
        return True

    async def _within(self, call: Awaitable[None], batch: Batch) -> None:
        working: asyncio.Future[Any] = asyncio.ensure_future(call)
        alarm = asyncio.ensure_future(self._clock.sleep(CALL_WITHIN_S))
        try:
            await asyncio.wait({working, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise TimeoutError(f"no answer within {CALL_WITHIN_S:g} s")
            working.result()
            if not batch[1]:
                self._engaged.discard(batch[0])
        except Exception as error:
            said = str(error) or type(error).__name__
            log.warning("a controller's own lockdown failed", controller=batch[0], reason=said)
            raise
        finally:
            working.cancel()
            alarm.cancel()


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # it was logged where it was raised
