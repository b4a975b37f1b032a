"""One life of the hub's core: recover, come to rest, take load, and be killed.

`python -m hub.testing.crash.life` loads everything once and then forks a child for each order that
it reads, a line of JSON; what a child has to say, and how it ended, are lines of JSON too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, select

from hub.bus import Bus
from hub.campus import Campus
from hub.clock import from_iso, iso
from hub.errors import Refused, StateError
from hub.events import Event, new_id
from hub.kinds.access_control import Verb
from hub.safety.actions import Performer
from hub.safety.intake import Intake
from hub.storage.journal import Journal
from hub.storage.schema import actions
from hub.testing.crash.disk import RecordedDisk
from hub.testing.crash.outside import (
    Fuse,
    Lines,
    QuickClock,
    ReceivingChannel,
    ReceivingDoors,
    Weather,
    read_lines,
)
from hub.testing.crash.school import CHANNELS, DOORS, RULE_OF, door, school
from hub.views import Verdict

JOURNAL, OFFERED, RECEIVED = "journal.db", "offered.jsonl", "received.jsonl"
VERBS: tuple[Verb, ...] = ("lock", "unlock", "momentary")
VERDICTS: tuple[Verdict, ...] = ("verified", "dismissed", "unsure")
FAILS, STORMY = 0.06, 0.8
CLOCK_SET, HOUR_S = 0.25, 3600.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a life is to be. `folder` holds the journal's folder `state` and the outside's lines.

    `log` is where the disk's changes are noted, empty for the plain disk. The fuse burns `early`
    steps from the start, or `late` steps from the moment that load begins; 0 does not burn.
    `settings` are statements of SQLite's for the writer, with which the journal is weakened so as
    to see that the proof notices.
    """

    folder: str
    log: str
    seed: int
    epoch: str
    ahead: float
    speed: float
    early: int
    late: int
    settings: tuple[str, ...] = ()


_voice = [1]


def say(**line: Any) -> None:
    """Tell whoever gave the order."""
    os.write(_voice[0], json.dumps(line).encode() + b"\n")


class Life:
    """The hub's core and the world around it, in one process."""

    def __init__(self, order: Order) -> None:
        folder = Path(order.folder)
        self.order = order
        self.chance = random.Random(order.seed)
        self.fuse = Fuse(order.early)
        self.weather = Weather(self.chance)
        self.offered_before = read_lines(folder / OFFERED)
        self.offered = Lines(folder / OFFERED, self.fuse)
        received = Lines(folder / RECEIVED, self.fuse)
        self.clock = QuickClock(from_iso(order.epoch), order.speed, order.ahead)
        self.journal = Journal(folder / "state" / JOURNAL)
        config = school()
        self.intake = Intake(
            config,
            Campus(config.places),
            self.journal,
            Bus(),
            self.clock,
            public=lambda name: CHANNELS[name].public,
        )
        channels = {
            name: ReceivingChannel(name, received, self.weather, channel)
            for name, channel in CHANNELS.items()
        }
        doors = ReceivingDoors(received, self.weather)
        self.performer = Performer(self.intake, doors, channels)
        self.go = asyncio.Event()

    async def run(self) -> None:
        """From the start until the kill; or until told to leave, before any load."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.go.set)
        began = time.monotonic()
        if self.order.log:
            RecordedDisk(Path(self.order.log), self.fuse.step).install()
        await self._open()
        for setting in self.order.settings:
            await self._weaken(setting)
        left = await self.journal.read(self._waiting)
        performing = asyncio.create_task(self.performer.run(), name="performer")
        offering = asyncio.create_task(self._offer_again(), name="sources")
        await self._until(lambda now: not any(now.get(name) == left[name] for name in left))
        say(resumed=time.monotonic() - began, left=len(left))
        await offering
        await self._until(lambda now: not now)
        say(rested=True)
        await self.go.wait()
        self.weather.fails = self.chance.choice((FAILS, FAILS, FAILS, STORMY))
        self.fuse.arm(self.order.late)
        async with asyncio.TaskGroup() as load:
            load.create_task(self._fail_with(performing))
            for _ in range(3):
                load.create_task(self._doors_report())
            for _ in range(2):
                load.create_task(self._people_judge())
            load.create_task(self._people_command())
            load.create_task(self._set_the_clock())

    async def _open(self) -> None:
        try:
            await self.journal.open()
        except StateError as error:
            say(damaged=str(error))
            raise

    async def _fail_with(self, performing: asyncio.Task[None]) -> None:
        await performing

    async def _weaken(self, setting: str) -> None:
        # SQLite takes some settings only between transactions: the writer's connection is its own.
        def work(connection: Connection) -> None:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql(setting)
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql("SAVEPOINT work")

        await self.journal.write(work)

    def _waiting(self, connection: Connection) -> dict[str, int]:
        """Attempts at each action that is due or was under way, by key."""
        rows = connection.execute(select(actions).where(actions.c.state == "pending"))
        now = iso(self.clock.now())
        return {row.key: row.attempts for row in rows if row.started or row.due <= now}

    async def _until(self, holds: Any) -> None:
        def attempts(connection: Connection) -> dict[str, int]:
            rows = connection.execute(select(actions).where(actions.c.state == "pending"))
            return {row.key: row.attempts for row in rows}

        while True:
            if holds(await self.journal.read(attempts)):
                return
            await asyncio.sleep(0.002)

    # ------------------------------------------------------------- the sources

    async def _offer(self, event: Event) -> None:
        self.offered.add(event=event.to_cloudevent())
        await self.intake.accept(event)
        self.offered.add(accepted=event.id)

    async def _offer_again(self) -> None:
        """A source keeps what was not acknowledged, and hands it over again under the same id."""
        accepted = {line["accepted"] for line in self.offered_before if "accepted" in line}
        for line in self.offered_before:
            if "event" in line and line["event"]["id"] not in accepted:
                event = Event.from_cloudevent(line["event"])
                await self.intake.accept(event)
                self.offered.add(accepted=event.id)

    async def _breathe(self) -> None:
        await asyncio.sleep(self.chance.uniform(0.0, 0.01))

    async def _doors_report(self) -> None:
        while True:
            which = door(self.chance.randrange(DOORS))
            kind = self.chance.choice((*RULE_OF, "door.opened", "door.closed", "door.opened"))
            await self._offer(
                Event(kind, f"door/{which}", self.clock.now(), which, {"door": which})
            )
            await self._breathe()

    async def _people_judge(self) -> None:
        while True:
            open_alerts = await self.intake.alerts(open_only=True)
            if open_alerts:
                alert = self.chance.choice(open_alerts)["id"]
                verdict = self.chance.choice(VERDICTS)
                with suppress(Refused):
                    await self.intake.verdict(alert, verdict, "officer")
                    self.offered.add(judged=alert, verdict=verdict)
            await self._breathe()

    async def _people_command(self) -> None:
        while True:
            which = door(self.chance.randrange(DOORS))
            verb = self.chance.choice(VERBS)
            reason = new_id()
            key = await self.intake.command_door(which, verb, "officer", reason)
            self.offered.add(commanded=key, verb=verb, reason=reason)
            await self._breathe()
            await self._breathe()

    async def _set_the_clock(self) -> None:
        if self.chance.random() < CLOCK_SET:
            await asyncio.sleep(self.chance.uniform(0.0, 0.1))
            self.clock.ahead += self.chance.uniform(-HOUR_S, HOUR_S)
            self.offered.add(ahead=self.clock.ahead)


def main() -> None:
    """Fork a child for each order, until the orders end."""
    assert threading.active_count() == 1, "a process with threads cannot be forked safely"
    _voice[0] = os.dup(1)
    os.dup2(2, 1)  # whatever else speaks, a log say, is not an answer
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    say(ready=True)
    for text in sys.stdin:
        order = Order(**json.loads(text))
        child = os.fork()
        if not child:
            code = 1
            try:
                say(pid=os.getpid())  # by itself, so that nothing it tells comes before that
                asyncio.run(Life(order).run())
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        say(ended=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
