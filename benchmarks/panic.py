"""How soon does a panic button ring while motion floods the hub?

A hub's core on a real disk journals motion from many cameras at a steady rate, some of which
fulfils rules; now and then a button is pressed. What is measured is the time from the event's
arrival at the hub to the moment at which the notifier is called, journal and outbox included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hub.bus import Bus
from hub.campus import Campus
from hub.clock import SystemClock
from hub.config import Config
from hub.events import Event
from hub.kinds.notifiers import Notice, Receipt
from hub.perception.crew import TOGETHER
from hub.safety.actions import Performer
from hub.safety.intake import Intake
from hub.storage.journal import Journal
from hub.testing import RecordingNotifier

CAMERAS = 40
MADE_EVERY_S = 0.01
WAITING = 512
PRESS_EVERY_S = 0.5
WITHIN_MS = 100.0
PANIC = "plugin.buttons.panic"


def config(rules: int) -> Config:
    """A school with so many rules about motion, each in a place of its own."""
    rooms = {f"room_{n}": {"name": f"Room {n}", "kind": "room", "in": "site"} for n in range(rules)}
    content: dict[str, Any] = {
        "places": {"site": {"name": "School", "kind": "site"}, **rooms},
        "notifiers": {"phone": {"driver": "x"}, "board": {"driver": "x"}},
        "people": {"officer": {"name": "Officer", "role": "sro"}},
        "rules": {
            "panic": {
                "name": "Panic button", "when": PANIC,
                "alert": {
                    "severity": "severe", "tell": ["officer"], "through": ["phone", "board"],
                },
            },
            **{
                f"motion_{n}": {
                    "name": f"Somebody in room {n}", "when": "zone.entered",
                    "if": {"place": f"room_{n}", "label": "person", "min_score": 0.9},
                    "alert": {"severity": "check", "tell": ["officer"], "through": ["board"]},
                }
                for n in range(rules)
            },
        },
    }  # fmt: skip
    return Config.model_validate(content)


class Phone(RecordingNotifier):
    """Notes when it is called about which alert."""

    def __init__(self) -> None:
        super().__init__()
        self.called: dict[str, float] = {}

    async def send(self, notice: Notice) -> Receipt:
        """Note the moment, and accept."""
        if notice.about == "alert":
            self.called[notice.alert] = time.perf_counter()
        return Receipt("accepted")


class Trial:
    """One hub's core under load."""

    def __init__(self, folder: Path, rate: float, rules: int) -> None:
        self.rate = rate
        self.chance = random.Random(1)
        self.clock = SystemClock()
        self.journal = Journal(folder / "journal.db")
        school = config(rules)
        self.places = [name for name in school.places if name != "site"]
        self.intake = Intake(
            school,
            Campus(school.places),
            self.journal,
            Bus(),
            self.clock,
            public=lambda name: False,
        )
        self.phone, self.board = Phone(), Phone()
        self.performer = Performer(
            self.intake,
            None,
            {"phone": self.phone, "board": self.board},  # type: ignore[arg-type]
        )
        self.taken = self.late = 0
        self.waits_ms: list[float] = []

    async def run(self, seconds: float) -> dict[str, float | int]:
        """The figures over so many seconds."""
        await self.journal.open()
        performing = asyncio.create_task(self.performer.run())
        flood = asyncio.create_task(self._flood())
        await asyncio.sleep(1.0)
        began, before = time.perf_counter(), self.taken
        while time.perf_counter() - began < seconds:
            await asyncio.sleep(self.chance.uniform(0.5, 1.5) * PRESS_EVERY_S)
            self.waits_ms.append(1000 * await self._press())
        rate = (self.taken - before) / (time.perf_counter() - began)
        flood.cancel()
        performing.cancel()
        await asyncio.gather(flood, performing, return_exceptions=True)
        await self.journal.close()
        waits = sorted(self.waits_ms)
        return {
            "presses": len(waits),
            "events_per_s": round(rate),
            "late": self.late,
            "p50_ms": round(waits[len(waits) // 2], 1),
            "p95_ms": round(waits[int(0.95 * (len(waits) - 1))], 1),
            "max_ms": round(waits[-1], 1),
        }

    async def _press(self) -> float:
        began = time.perf_counter()
        self.phone.called.clear()
        press = Event(PANIC, "plugin/buttons", self.clock.now(), "", {"place": "site"})
        accepted = asyncio.create_task(self.intake.accept(press))
        while not self.phone.called:
            await asyncio.sleep(0.001)
        await accepted
        ((alert, called),) = self.phone.called.items()
        await self.intake.verdict(alert, "dismissed", "officer")
        return called - began

    async def _flood(self) -> None:
        """Motion at a steady rate, handed over as a perception worker's is: what has come while a
        transaction was under way shares the next; what is too much is counted as late, not kept.
        """
        waiting: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        journaling = asyncio.create_task(self._journal(waiting))
        began, made = time.perf_counter(), 0
        try:
            while True:
                wanted = int((time.perf_counter() - began) * self.rate)
                for _ in range(wanted - made):
                    if waiting.full():
                        self.late += 1
                    else:
                        waiting.put_nowait(self._motion())
                made = wanted
                await asyncio.sleep(MADE_EVERY_S)
        finally:
            journaling.cancel()

    async def _journal(self, waiting: asyncio.Queue[Event]) -> None:
        while True:
            batch = [await waiting.get()]
            while not waiting.empty() and len(batch) < TOGETHER:
                batch.append(waiting.get_nowait())
            await self.intake.accept(*batch)
            self.taken += len(batch)

    def _motion(self) -> Event:
        camera = f"camera_{self.chance.randrange(CAMERAS)}"
        data = {
            "camera": camera, "place": self.chance.choice(self.places), "label": "person",
            "score": round(self.chance.uniform(0.5, 0.91), 2), "box": [1.0, 2.0, 30.0, 40.0],
        }  # fmt: skip
        return Event("zone.entered", f"camera/{camera}", self.clock.now(), camera, data)


def main() -> int:
    """Run, print, and say by the exit status whether each press rang soon enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=1000.0, help="events of motion a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rules", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vestibule-panic-") as folder:
        trial = Trial(Path(folder), options.rate, options.rules)
        figures = asyncio.run(trial.run(options.seconds))
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:14} {value}")
    return 0 if figures["p95_ms"] < WITHIN_MS else 1


if __name__ == "__main__":
    sys.exit(main())
