"""The heartbeat: every few minutes a test event walks the whole path, and silence is told.

What works is said to an outside watcher, which alarms when it hears nothing: a hub that is down
cannot say so itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from hub.clock import iso
from hub.errors import StateError
from hub.events import Event, new_id
from hub.heartbeat_settings import HeartbeatSettings, HeartbeatView
from hub.phrases import phrase
from hub.safety.actions import Performer
from hub.safety.notices.deadline import Deadlines
from hub.safety.walk import Listener
from hub.storage import eventlog
from hub.units import duration_words

SETTLE_S = 20.0
LOOK_EACH_S = 30.0
WATCHER_WITHIN_S = 10.0
SUBJECT = "heartbeat"

log = structlog.get_logger("heartbeat")


class Heartbeat:
    """Has the test event walk as often as the configuration says. Run it as one task.

    `settings` gives today's settings. When it does not come through, that is the event
    `heartbeat.missed`, once until it does (`heartbeat.recovered`), also over restarts, and stands
    in `view`.
    """

    def __init__(self, performer: Performer, settings: Callable[[], HeartbeatSettings]) -> None:
        self._intake = performer.intake
        self._clock = performer.intake.clock
        self._deadlines = Deadlines(self._clock)
        self._settings = settings
        self._number = 0
        self._arrived = asyncio.Event()
        self._last: datetime | None = None
        self._tried: float | None = None  # on the monotonic clock
        self._took: float | None = None
        self._trouble = ""
        self._missed = 0
        self._told = False
        self._recalled = False
        self._silence = ""  # the id of the event that tells of it
        self._watcher = ""
        performer.listener = Listener(self._heard)

    def view(self) -> HeartbeatView:
        """How it is, for the pages."""
        every, now = self._settings().every, self._clock.now()
        age = None if self._last is None else max(0.0, (now - self._last).total_seconds())
        return HeartbeatView(
            every="off" if every == "off" else duration_words(every),
            last=None if self._last is None else iso(self._last),
            age_s=None if age is None else round(age, 1),
            took_s=self._took,
            trouble=self._trouble or self._stopped(every),
            watcher=self._watcher,
        )

    def problems(self) -> list[str]:
        """What is to be fixed, in words."""
        view = self.view()
        found: list[str] = []
        if view["trouble"]:
            found.append(
                phrase("the heartbeat does not come through: %(why)s", why=view["trouble"])
            )
        if self._watcher:
            found.append(phrase("the outside watcher hears nothing: %(why)s", why=self._watcher))
        return found

    def _stopped(self, every: float | str) -> str:
        """Nobody has tried for so long that the heartbeat itself must have stopped."""
        if isinstance(every, str) or self._tried is None:
            return ""
        since = self._clock.monotonic() - self._tried
        return f"nobody has tried for {duration_words(round(since))}" if since > 2 * every else ""

    async def run(self) -> None:
        """Beat until cancelled."""
        await self._clock.sleep(SETTLE_S)
        while True:
            settings = self._settings()
            if settings.every == "off":
                self._trouble = self._watcher = ""
                self._tried = None
                await self._clock.sleep(LOOK_EACH_S)
                continue
            began = self._clock.monotonic()
            await self.beat(settings)
            await self._clock.sleep(settings.every - (self._clock.monotonic() - began))

    async def beat(self, settings: HeartbeatSettings) -> bool:
        """Let the test event walk once; true when it came through in time."""
        self._number += 1
        self._arrived.clear()
        self._tried = began = self._clock.monotonic()
        await self._recall(settings.within)
        why = await self._walk(settings.within)
        if why:
            await self._missing(why, settings.within)
            return False
        self._took = round(self._clock.monotonic() - began, 3)
        self._last = self._clock.now()
        await self._recovered(settings.within)
        if settings.url:
            self._watcher = await self._tell_watcher(settings.url)
        return True

    def _heard(self, number: int) -> None:
        if number == self._number:
            self._arrived.set()

    async def _walk(self, within: float) -> str:
        """Why it did not come through; empty when it did."""
        stage = "the journal did not take it"

        async def whole() -> None:
            nonlocal stage
            await self._intake.decide(lambda decider: decider.walk(self._number, within))
            stage = "it is in the journal, but its notice was not carried out"
            await self._arrived.wait()

        try:
            await self._deadlines.within(within, whole())
        except TimeoutError:
            return f"{stage} within {duration_words(within)}"
        except StateError as error:
            return str(error)
        except Exception as error:
            log.exception("the walk of the test event failed")
            return f"it failed on its way ({type(error).__name__})"
        return ""

    async def _recall(self, within: float) -> None:
        """Whether a silence was told before the hub was started, of which nobody has told the end.
        Where the journal does not say, the next beat asks again.
        """
        if self._recalled:
            return

        def look(connection: Connection) -> list[Event]:
            return eventlog.newest_about(connection, SUBJECT, 1)

        try:
            found = await self._deadlines.within(within, self._intake.journal.read(look))
        except (StateError, TimeoutError):
            return
        self._recalled = True
        if found and found[0].type == "heartbeat.missed" and not self._told:
            self._told, self._missed = True, 1

    async def _missing(self, why: str, within: float) -> None:
        log.error("the heartbeat did not come through", reason=why)
        self._missed += 1
        self._trouble = why
        if not self._told:
            # What the journal takes too late for one beat is not told again by the next.
            self._silence = self._silence or new_id()
            since = "" if self._last is None else iso(self._last)
            facts = {"reason": why, "last": since}
            self._told = await self._publish("heartbeat.missed", facts, within, self._silence)

    async def _recovered(self, within: float) -> None:
        if self._told:
            facts = {"missed": self._missed, "took": self._took}
            self._told = not await self._publish("heartbeat.recovered", facts, within)
        if self._trouble:
            log.info("the heartbeat comes through again", missed=self._missed)
        self._trouble, self._missed, self._silence = "", 0, ""

    async def _publish(self, kind: str, data: dict[str, Any], within: float, id_: str = "") -> bool:
        """Whether the journal took it; where it does not, the next beat tries again."""
        now = self._clock.now()
        event = Event(kind, "hub/heartbeat", now, SUBJECT, data, id=id_ or new_id())
        try:
            await self._deadlines.within(within, self._intake.accept(event))
        except (StateError, TimeoutError) as error:
            log.error("it could not be journaled", reason=str(error) or "no answer in time")
            return False
        return True

    async def _tell_watcher(self, url: str) -> str:
        """Why the watcher could not be told; empty when it was. The address itself is a secret."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=WATCHER_WITHIN_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url) as answer,
            ):
                return "" if answer.status < 400 else f"it answered with status {answer.status}"
        except TimeoutError:
            return f"no answer within {WATCHER_WITHIN_S:g} s"
        except (aiohttp.ClientError, ValueError, OSError) as error:
            return f"it cannot be reached ({type(error).__name__})"
