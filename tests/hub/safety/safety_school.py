"""A small school on real parts: a journal in a file, rules, scripted doors and channels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import CoroutineType
from typing import Any

from hub.bus import Bus
from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import Channel, Notice, Receipt
from hub.ports import Outcome
from hub.safety import outbox
from hub.safety.actions import Performer
from hub.safety.intake import Intake
from hub.storage.journal import Journal
from hub.testing import FakeClock
from hub.views import ActionView, AlertView, Requested

EVENING = datetime(2026, 3, 2, 20, 15, tzinfo=UTC)

SCHOOL: dict[str, Any] = {
    "places": {
        "site": {"name": "School", "kind": "site"},
        "wing": {"name": "Science wing", "kind": "area", "in": "site"},
        "lab": {"name": "Laboratory", "kind": "room", "in": "wing"},
        "yard": {"name": "Yard", "kind": "outdoor", "in": "site"},
        "gym": {"name": "Gym", "kind": "room", "in": "site"},
    },
    "cameras": {
        "wing": {"driver": "x", "name": "Wing camera", "place": "wing"},
        "yard": {"driver": "x", "name": "Yard camera", "place": "yard"},
    },
    "access_control": {"locks": {"driver": "x"}},
    "doors": {
        "wing_east": {
            "name": "Science wing east", "controller": "locks", "place": "wing", "egress": "free",
        },
        "store": {
            "name": "Chemistry store", "controller": "locks", "place": "lab", "egress": "free",
        },
        "old_gate": {"name": "Old gate", "controller": "locks", "place": "yard"},
    },
    "notifiers": {
        "console": {"driver": "x"},
        "post": {"driver": "x", "timeout": 3},
        "siren": {"driver": "x"},
        "off": {"driver": "x", "enabled": False},
    },
    "people": {
        "officer": {
            "name": "School resource officer", "role": "sro", "contact": {"post": "officer@school"},
        },
        "head": {"name": "Principal", "role": "principal", "contact": {"post": "head@school"}},
        "desk": {"name": "Front office", "role": "front_office"},
    },
    "roles": {"sro": {}, "principal": {}, "front_office": {}},
    "schedules": {
        "wing_open": {
            "name": "Science wing open",
            "weekly": [{"days": ["mon"], "from": "08:00", "to": "17:00"}],
        },
    },
    "rules": {
        "closed_wing": {
            "name": "Person in the closed science wing",
            "when": "zone.entered",
            "if": {"place": "wing", "label": "person", "min_score": 0.5, "outside": "wing_open"},
            "alert": {
                "severity": "high", "tell": ["sro", "front_office"],
                "through": ["console", "post"], "could_be": "a cleaner",
            },
            "verified": [
                {"notify": {"through": ["siren"], "text": "Stay out"}},
                {"door": {"verb": "lock", "place": "wing"}},
            ],
        },
        "forced": {
            "name": "Door forced open", "when": "door.forced",
            "alert": {"severity": "high", "tell": ["sro"], "through": ["console"]},
        },
        "offline": {
            "name": "Camera offline", "when": "camera.offline",
            "alert": {"severity": "check", "through": ["console"]},
        },
    },
}  # fmt: skip

CLOSED_WING = SCHOOL["rules"]["closed_wing"]
# The same rules, where somebody in the closed wing is an intrusion.
INTRUSIONS: dict[str, Any] = SCHOOL["rules"] | {
    "closed_wing": CLOSED_WING | {"alert": CLOSED_WING["alert"] | {"incident": "intrusion"}}
}


class ScriptedChannel:
    """A notifier on the hub's own contract that answers as the test says."""

    def __init__(self, *, public: bool = False) -> None:
        self.channel = Channel(path="local", public=public)
        self.sent: list[Notice] = []
        self.answer: Callable[[Notice], Receipt] = lambda notice: Receipt("accepted")
        self.gate: asyncio.Event | None = None

    async def start(self) -> None:
        """Nothing to connect."""

    async def send(self, notice: Notice) -> Receipt:
        self.sent.append(notice)
        if self.gate is not None:
            await self.gate.wait()
        return self.answer(notice)

    async def close(self) -> None:
        """Nothing to close."""


class ScriptedDoors:
    """Performs door commands as the test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.answers: dict[str, Callable[[], Outcome]] = {}
        self.gates: dict[str, asyncio.Event] = {}

    async def perform(self, door: str, verb: Verb, key: str, deadline_s: float) -> Outcome:
        self.asked.append((door, verb, key))
        if door in self.gates:
            await self.gates[door].wait()
        return self.answers.get(door, lambda: Outcome("confirmed", "reported locked"))()


class School:
    """One hub's safety room, running."""

    def __init__(self, path: Path, config: Config, clock: FakeClock) -> None:
        self.config = config
        self.clock = clock
        self.journal = Journal(path / "journal.db")
        self.bus = Bus()
        self.doors = ScriptedDoors()
        self.channels = {
            "console": ScriptedChannel(), "post": ScriptedChannel(),
            "siren": ScriptedChannel(public=True),
        }  # fmt: skip
        self.opened: list[AlertView] = []
        self.requests: list[tuple[str, Requested]] = []
        self.intake = Intake(
            config,
            Campus(config.places),
            self.journal,
            self.bus,
            clock,
            public=lambda name: name == "siren",
            on_incident=self._incident,
            on_request=lambda door, request: self.requests.append((door, request)),
        )
        self.performer = Performer(self.intake, self.doors, self.channels, "http://hub:8480")
        self._task: asyncio.Task[None] | None = None

    async def _incident(self, alert: AlertView) -> None:
        self.opened.append(alert)

    def perform(self) -> None:
        """Let actions run from now on."""
        self._task = asyncio.create_task(self.performer.run(), name="performer")

    def follow(self) -> None:
        """Let alerts ask for pictures from now on."""
        self._following = asyncio.create_task(self.intake.follow(), name="pictures")

    async def unfollow(self) -> None:
        """End that, as a stopping hub would."""
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    async def stop(self) -> None:
        """End the performer as a stopping hub would."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def actions(self) -> list[ActionView]:
        """Every action of every incident, in order."""
        views = await self.intake.incidents()
        return [action for view in reversed(views) for action in view["actions"]]

    async def story(self) -> list[str]:
        """The lines of the newest incident."""
        newest = (await self.intake.incidents())[0]
        return [entry["text"] for entry in (await self.intake.incident(newest["id"]))["entries"]]

    async def settled(self, seconds: float = 20.0) -> None:
        """Wait (in real time) until no action is pending, and who wants to know has heard."""
        await until(lambda: self._pending(0), seconds)
        await self.journal.write(lambda c: None)

    async def pass_time(self, seconds: int) -> None:
        """Let so many seconds pass; what becomes due in each is done before the next."""
        for _ in range(seconds):
            await self.clock.advance(1)
            await until(self._idle)

    async def _idle(self) -> bool:
        if not self._performer_rests():
            return False
        waiting = await self.journal.read(lambda c: outbox.due(c, self.clock.now()))
        running = self.performer.queue()["running"]
        return not waiting and not running and self._performer_rests()

    def _performer_rests(self) -> bool:
        return self._task is None or (rests(self._task) and not self.performer._wanted.is_set())

    async def _pending(self, wanted: int) -> bool:
        return (await self.intake.counts())["actions"]["pending"] == wanted

    async def later(self, moment: datetime) -> None:
        """Time passes until then."""
        await self.clock.advance((moment - self.clock.now()).total_seconds())

    def seen(self, place: str = "wing", **changes: Any) -> Event:
        """A person seen entering a zone."""
        data = {"camera": "wing", "place": place, "label": "person", "score": 0.86}
        data |= {"box": [1.0, 2.0, 30.0, 40.0], "frame": [640, 360], "picture": f"{'a' * 32}.jpg"}
        fields: dict[str, Any] = {"source": "camera/wing", "subject": "wing"}
        fields |= {"time": self.clock.now(), "data": data | changes.pop("data", {})}
        return Event("zone.entered", **(fields | changes))

    def door_event(self, kind: str, door: str) -> Event:
        """Something a door reports."""
        return Event(kind, f"door/{door}", self.clock.now(), door, {"door": door})


@asynccontextmanager
async def school(
    path: Path, clock: FakeClock | None = None, **changes: Any
) -> AsyncIterator[School]:
    """A school with its journal open; actions run once `perform` was called."""
    config = Config.model_validate(SCHOOL | changes)
    house = School(path, config, clock or FakeClock(EVENING))
    await house.journal.open()
    house.follow()
    try:
        yield house
    finally:
        await house.stop()
        await house.unfollow()
        await house.journal.close()


def rests(task: asyncio.Task[Any]) -> bool:
    """Whether a performer or keeper has seen to what is due and waits for word or for time to
    pass. While it still reads what was due a moment ago, time must stand still for it.
    """
    part: Any = task.get_coro()
    while isinstance(part, CoroutineType):
        if part.__name__ in ("_rest", "_sleep_until"):
            return True
        part = part.cr_await
    return task.done()


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait in real time for work on other threads; fails when it does not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        met = condition()
        if await met if asyncio.iscoroutine(met) else met:
            return
        await asyncio.sleep(0.003)
    raise AssertionError("it did not happen in time")


MINUTE = timedelta(minutes=1)
