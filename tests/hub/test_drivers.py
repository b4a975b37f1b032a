"""Drivers that raise, hang or never get ready: each is survived, counted and shown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.config import NotifierBlock
from hub.drivers import START_DEADLINE_S, Drivers
from hub.errors import BadConfig, NotReady, Problem
from hub.events import Event
from hub.kinds import Block, Context, Driver, Kind
from hub.testing import FakeClock


class Moody:
    """Does at `start` what its settings say, one mood after another, the last for ever."""

    def __init__(self, moods: list[Any], context: Context) -> None:
        self.moods = moods
        self.starts = 0
        self.closed = 0

    async def start(self) -> None:
        mood = self.moods[min(self.starts, len(self.moods) - 1)]
        self.starts += 1
        if isinstance(mood, BaseException):
            raise mood
        if mood == "hang":
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1
        if "hang" in self.moods:
            await asyncio.Event().wait()


class Registry:
    """One driver, `moody`; any other name is unknown."""

    def driver(self, kind: Kind, name: str) -> Driver | None:
        return Driver("moody", Moody, Block, "for tests") if name == "moody" else None


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def drivers(told: list[Event]) -> Drivers:
    async def publish(event: Event) -> None:
        told.append(event)

    return Drivers(Registry(), lambda kind, id_: Context(id_), FakeClock(), publish)


def block(*moods: Any, driver: str = "moody", enabled: bool = True) -> NotifierBlock:
    made = NotifierBlock(driver=driver, enabled=enabled)
    return made.model_copy(update={"settings": list(moods)})


async def passing(drivers: Drivers, seconds: float) -> None:
    clock = drivers._clock
    assert isinstance(clock, FakeClock)
    for _ in range(int(seconds)):
        await clock.advance(1.0)


async def test_one_that_starts_is_running(drivers: Drivers, told: list[Event]) -> None:
    """The ordinary case tells nobody anything."""
    drivers.build("notifiers", {"a": block("fine")})
    await drivers.keep("notifiers", "a")
    assert [view["state"] for view in drivers.views()] == ["running"]
    assert told == []


async def test_one_that_raises_is_tried_again_and_named(
    drivers: Drivers, told: list[Event]
) -> None:
    """A fault of a driver is an event, once, and its recovery another."""
    drivers.build("notifiers", {"a": block(ValueError("boom"), ValueError("boom"), "fine")})
    keeping = asyncio.create_task(drivers.keep("notifiers", "a"))
    await passing(drivers, 1)
    (view,) = drivers.views()
    assert view["state"] == "retrying"
    assert view["reason"] == "ValueError: boom"
    await passing(drivers, 10)
    await keeping
    (view,) = drivers.views()
    assert (view["state"], view["restarts"]) == ("running", 2)
    assert [event.type for event in told] == ["plugin.failed", "plugin.recovered"]
    assert told[0].data["reason"] == "ValueError: boom"


async def test_one_that_is_not_ready_at_first_alarms_nobody(
    drivers: Drivers, told: list[Event]
) -> None:
    """A device that is still waking up is not a fault yet."""
    drivers.build("notifiers", {"a": block(NotReady("the broker is not there yet"), "fine")})
    keeping = asyncio.create_task(drivers.keep("notifiers", "a"))
    await passing(drivers, 3)
    await keeping
    assert drivers.views()[0]["state"] == "running"
    assert [event.type for event in told] == ["plugin.recovered"]


async def test_one_that_serves_and_breaks_is_started_again(drivers: Drivers) -> None:
    """What serves a driver may raise; the driver is started and served anew."""
    drivers.build("notifiers", {"a": block("fine")})
    served: list[Any] = []

    async def serve(instance: Any) -> None:
        served.append(instance)
        if len(served) < 3:
            raise NotReady("the link is lost")

    keeping = asyncio.create_task(drivers.keep("notifiers", "a", serve))
    await passing(drivers, 10)
    await keeping
    assert len(served) == 3
    assert served[0].starts == 3


async def test_one_that_hangs_is_given_up_within_its_deadline(
    drivers: Drivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start has a deadline in real time; a hanging driver is retried and holds up nobody."""
    assert START_DEADLINE_S <= 60
    monkeypatch.setattr("hub.drivers.START_DEADLINE_S", 0.05)
    monkeypatch.setattr("hub.drivers.CLOSE_DEADLINE_S", 0.05)
    drivers.build("notifiers", {"a": block("hang"), "b": block("fine")})
    keeping = asyncio.create_task(drivers.keep("notifiers", "a"))
    await drivers.keep("notifiers", "b")
    async with asyncio.timeout(20):
        while drivers.views()[0]["state"] != "retrying":
            await asyncio.sleep(0.01)
        keeping.cancel()
        await drivers.close()
    hanging, fine = drivers.views()
    assert hanging["reason"] == "no answer in time"
    assert fine["state"] == "running"


async def test_one_that_says_its_configuration_is_wrong_is_not_tried_again(
    drivers: Drivers, told: list[Event]
) -> None:
    """No repetition cures a bad configuration; it is shown with its place in the file."""
    problem = Problem("school.yaml", 3, 5, "notifiers.a.file", "cannot be read")
    drivers.build("notifiers", {"a": block(BadConfig([problem]))})
    await drivers.keep("notifiers", "a")
    (view,) = drivers.views()
    assert view["state"] == "failed"
    assert "school.yaml:3:5" in view["reason"]
    assert [event.type for event in told] == ["plugin.failed"]


async def test_one_that_cannot_be_built_leaves_the_others_alone(drivers: Drivers) -> None:
    """An unknown driver is failed; a disabled one is named as such; the rest is built."""
    built = drivers.build(
        "notifiers",
        {"a": block(driver="nobody"), "b": block("fine", enabled=False), "c": block("fine")},
    )
    assert set(built) == {"c"}
    states = {view["id"]: view["state"] for view in drivers.views()}
    assert states == {"a": "failed", "b": "disabled", "c": "starting"}
