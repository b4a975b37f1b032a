"""One life of the hub's core under a scripted clock: alerts come, people answer, channels fail, and
at some moment the process is killed.

What is offered and what channels are handed are lines of JSON in one file that no kill touches.
Each has `at`, the scripted time, and `real`, the machine's own clock in seconds.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from hub.bus import Bus
from hub.campus import Campus
from hub.clock import from_iso, iso
from hub.errors import NotReady, Refused
from hub.events import Event
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import Channel, Notice, Receipt
from hub.ports import Outcome
from hub.safety import outbox
from hub.safety.actions import Performer
from hub.safety.alerts.escalator import LOOK_EVERY_S, Escalator
from hub.safety.intake import Intake
from hub.storage.journal import Journal
from hub.storage.schema import alerts
from hub.testing.alarms.plan import CHANNELS, FAILS, SETTLE_S, TICK_S, Alarm, is_out, school
from hub.testing.clock import FakeClock
from hub.testing.crash.outside import Fuse, Lines, read_lines
from hub.views import Verdict

VERDICTS: Mapping[str, Verdict] = {"verifies": "verified", "dismisses": "dismissed"}
JOURNAL, LINES = "journal.db", "lines.jsonl"
REST_WITHIN_S = 60.0  # of the machine's own time, in which the work of a tick takes milliseconds
UNDER_WAY = 10  # turns of the loop in which attempts that began before an answer are handed over


class Stuck(Exception):
    """What is due is not done, and no time passes until it is."""


class BurningClock(FakeClock):
    """A clock of which every look brings the end nearer, whichever thread looks."""

    def __init__(self, start: datetime, fuse: Fuse) -> None:
        super().__init__(start)
        self._fuse = fuse

    def now(self) -> datetime:
        """The scripted time."""
        self._fuse.step()
        return super().now()


@dataclass(frozen=True, slots=True)
class Order:
    """What a life is to be: from `start` on, and killed at about `until`; without it, to the end.
    `left` is when the life before it was killed.
    """

    folder: Path
    seed: int
    start: datetime
    until: datetime | None
    left: datetime


@dataclass(frozen=True, slots=True)
class Act:
    """Something that the script has happen: the event itself, or a person's answer."""

    due: datetime
    what: str
    alarm: Alarm


class Line:
    """A channel that fails now and then, and for minutes at a time."""

    def __init__(self, life: Life, name: str, channel: Channel) -> None:
        self.channel = channel
        self._life = life
        self._name = name

    async def start(self) -> None:
        """Nothing to connect."""

    async def send(self, notice: Notice) -> Receipt:
        """Write down what was handed over, then take it or fail, before or after it arrived."""
        life = self._life
        life.note(
            handed=notice.key,
            channel=self._name,
            to=[one.person for one in notice.to],
            alert=notice.alert,
            about=notice.about,
            step=notice.data.get("step", 0),
            repeat=notice.repeat,
        )
        await asyncio.sleep(0)
        moment = life.clock.now()
        if is_out(self._name, moment, life.order.seed) or life.chance.random() < FAILS:
            raise NotReady("the line is down")
        life.note(received=notice.key, channel=self._name)
        if life.chance.random() < FAILS:
            raise NotReady("the answer was lost")
        return Receipt("accepted")

    async def close(self) -> None:
        """Nothing to close."""


class NoDoors:
    """Nothing moves here."""

    async def perform(self, door: str, verb: Verb, key: str, deadline_s: float) -> Outcome:
        """There is no door."""
        return Outcome("failed", "there is no door")


class Life:
    """The hub's core and the world around it."""

    def __init__(self, order: Order, script: list[Alarm]) -> None:
        self.order = order
        self.chance = random.Random(f"{order.seed}/{iso(order.start)}")
        self.fuse = Fuse(0)
        self.clock = BurningClock(order.start, self.fuse)
        self._lines = Lines(order.folder / LINES, Fuse(0))
        self._end = script[-1].time + timedelta(seconds=SETTLE_S)
        done = {
            (line["did"], line["event"])
            for line in read_lines(order.folder / LINES)
            if "did" in line
        }
        left = [act for each in script for act in _acts(each) if (act.what, each.event) not in done]
        self._agenda = deque(sorted(left, key=lambda act: act.due))
        self.journal = Journal(order.folder / JOURNAL)
        config = school()
        self.intake = Intake(
            config, Campus(config.places), self.journal, Bus(), self.clock, public=lambda _: False
        )
        channels = {name: Line(self, name, channel) for name, channel in CHANNELS.items()}
        self.performer = Performer(self.intake, NoDoors(), channels)
        self.escalator = Escalator(self.intake)

    def note(self, **line: Any) -> None:
        """Write a line to the world's file; a kill comes before or after it, never within."""
        self.fuse.step()
        now = FakeClock.now(self.clock)
        self._lines.add(**line, at=iso(now), real=time.monotonic())

    async def run(self) -> None:
        """From the start to the end of the script, or until the kill."""
        await self.journal.open()
        self.note(life=iso(self.order.start), left=iso(self.order.left))
        performing = asyncio.create_task(self.performer.run(), name="performer")
        looked = self.order.start
        while (now := FakeClock.now(self.clock)) < self._end:
            if self.order.until is not None and now >= self.order.until:
                self.fuse.arm(self.chance.randint(1, 400))
            await self.clock.advance(TICK_S)
            await self._offer()
            await self.escalator.climb()
            if (now - looked).total_seconds() >= LOOK_EVERY_S:
                looked = now
                await self.escalator.look()
            await self._rest(performing)
        performing.cancel()
        await asyncio.gather(performing, return_exceptions=True)
        await self.journal.close()

    async def _rest(self, performing: asyncio.Task[None]) -> None:
        """Wait until everything that is due now is done. Raises `Stuck` with what is not."""
        last = time.monotonic() + REST_WITHIN_S
        now = FakeClock.now(self.clock)
        due = partial(outbox.due, now=now)
        while time.monotonic() < last:
            if performing.done():
                performing.result()
            if not self.performer.queue()["running"] and not await self.journal.read(due):
                return
            await asyncio.sleep(0.001)
        waiting = [f"{row.what} ({row.key})" for row in await self.journal.read(due)]
        raise Stuck(
            f"at {iso(now)} the performer did not come to rest in {REST_WITHIN_S:g} s: "
            f"{self.performer.queue()['running']} attempts under way; due: {waiting}"
        )

    async def _offer(self) -> None:
        now = FakeClock.now(self.clock)
        while self._agenda and self._agenda[0].due <= now:
            act = self._agenda.popleft()
            event = act.alarm.event
            if act.what == "event":
                await self.intake.accept(_event(act.alarm))
                self.note(did="event", event=event)
                continue
            alert = await self.journal.read(partial(_alert_of, event=event))
            began = time.monotonic()
            with suppress(Refused):
                if act.what == "takes it on":
                    await self.intake.acknowledge(alert, "officer")
                else:
                    await self.intake.verdict(alert, VERDICTS[act.what], "officer")
            for _ in range(UNDER_WAY):
                await asyncio.sleep(0)
            self.note(did=act.what, event=event, alert=alert, began=began)


def last_moment(folder: Path, start: datetime) -> datetime:
    """The newest scripted time in the world's file."""
    return max((from_iso(line["at"]) for line in read_lines(folder / LINES)), default=start)


def _acts(alarm: Alarm) -> Iterator[Act]:
    yield Act(alarm.time, "event", alarm)
    if alarm.answer != "nobody":
        for number, what in enumerate(alarm.answer.split(" and "), start=1):
            yield Act(alarm.time + timedelta(seconds=alarm.after * number), what, alarm)


def _event(alarm: Alarm) -> Event:
    kind = f"plugin.script.{alarm.severity}"
    return Event(kind, "script", alarm.time, alarm.event, id=alarm.event)


def _alert_of(connection: Connection, event: str) -> str:
    return str(connection.scalar(select(alerts.c.id).where(alerts.c.event == event)))
