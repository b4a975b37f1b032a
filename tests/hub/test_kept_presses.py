"""What is pressed while the hub is away for a moment, at a mosquitto that speaks MQTT 5 and at one
that speaks 3.1.1 alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiomqtt import Client

from hub.broker_session import HELD_S
from hub.config import Config
from hub.errors import NotReady
from hub.input_listener import InputListener
from hub.kinds import BrokerAddress
from hub.testing import FakeClock
from tests.plugins.access_control.brokers import Cable, Mosquitto

pytestmark = pytest.mark.mosquitto
BUTTON = {"topic": "buttons/office", "payload": "PRESSED", "does": "lockdown", "place": "office"}
INPUTS = {
    "office": BUTTON,
    "gym": BUTTON | {"topic": "buttons/gym", "place": "gym", "does": "help"},
    "panel": BUTTON | {"topic": "panel", "does": "fire"},
}
OLDER = bytes((0x20, 2, 0, 1))  # CONNACK of MQTT 3.1.1: unacceptable protocol version


class Line(Cable):
    """A line to a broker; an `older` one takes nobody who speaks MQTT 5."""

    def __init__(self, target: BrokerAddress, *, older: bool) -> None:
        super().__init__(target)
        self.older, self.broker = older, target
        self.address = target

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.read(64)
        if self.older and hello[2:8] == b"\x00\x04MQTT" and hello[8] == 5:
            writer.write(OLDER)
            await writer.drain()
            writer.close()
            return
        reader._buffer[:0] = hello  # type: ignore[attr-defined]  # as if it had not been read
        with contextlib.suppress(asyncio.CancelledError):
            await super()._join(reader, writer)


class Life:
    """One run of a hub: what it heard as pressed, and under which keys."""

    def __init__(
        self, address: BrokerAddress, broker: BrokerAddress, folder: Path, clock: FakeClock
    ) -> None:
        self.config = Config.model_validate(
            {"hub": {"mqtt": {"host": address.host, "port": address.port}}, "inputs": INPUTS}
        )
        self.pressed: list[str] = []
        self.keys: list[str] = []
        self.during: Any = None
        self.address, self.broker = address, broker
        self.listener = InputListener(
            lambda: self.config, self._broker, self._press, self._accept, clock,
            session=folder / "session.json",
        )  # fmt: skip
        self._listening: asyncio.Task[None] | None = None

    async def _broker(self) -> BrokerAddress:
        return self.address

    async def _press(self, does: Any, place: str, device: str, *, source: str, key: str) -> None:
        self.pressed.append(place if does != "fire" else "fire")
        self.keys.append(key)
        if self.during is not None:
            await self.during()

    async def _accept(self, *events: Any) -> None:
        """Nobody wants to know."""

    async def begin(self) -> None:
        """Listen, from when the broker has taken the subscriptions."""
        self._listening = asyncio.create_task(self.listener.listen())
        while not self.listener.counts["heard"]:
            await say(self.broker, "buttons/gym", "here?")
            await asyncio.sleep(0.02)

    async def ended(self) -> BaseException | None:
        """Why it listens no more."""
        assert self._listening is not None
        return (await asyncio.gather(self._listening, return_exceptions=True))[0]

    async def end(self) -> None:
        """Stop as a hub does that is told to."""
        assert self._listening is not None
        self._listening.cancel()
        await self.ended()

    async def hears(self, *places: str) -> None:
        """Wait for these presses and no others."""
        async with asyncio.timeout(30):
            while len(self.pressed) < len(places):
                await asyncio.sleep(0.01)
        assert self.pressed == list(places)


async def say(
    address: BrokerAddress, topic: str, payload: str, *, retain: bool = False, qos: int = 1
) -> None:
    """A device says something, and the broker has it."""
    async with Client(address.host, address.port) as device:
        await device.publish(topic, payload, qos=qos, retain=retain)


@pytest.fixture(params=[5, 3])
async def line(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Line]:
    """The way to the broker."""
    broker = Mosquitto(tmp_path)
    made = Line(await broker.start(), older=request.param == 3)
    made.address = await made.start()
    yield made
    await made.stop()
    await broker.stop()


@pytest.fixture
async def live(line: Line, tmp_path: Path) -> AsyncIterator[Any]:
    """Begins a life of the hub whose state is in that folder."""
    clock, lives = FakeClock(), []

    def begin(folder: str = "hub") -> Life:
        (tmp_path / folder).mkdir(exist_ok=True)
        lives.append(Life(line.address, line.broker, tmp_path / folder, clock))
        return lives[-1]

    begin.clock = clock  # type: ignore[attr-defined]
    yield begin
    for life in lives:
        with contextlib.suppress(Exception):
            await life.end()


async def test_a_button_pressed_while_the_hub_restarts_is_pressed(line: Line, live: Any) -> None:
    """Whatever the broker speaks: also a second button, and what a fire panel said."""
    first = live()
    await first.begin()
    await first.end()
    for topic in ("buttons/office", "panel", "buttons/gym"):
        await say(line.broker, topic, "PRESSED")
    await live.clock.advance(HELD_S - 15)
    second = live()
    await second.begin()
    await second.hears("office", "fire", "gym")
    assert first.pressed == []


async def test_a_press_of_long_ago_locks_nothing(line: Line, live: Any) -> None:
    """What waited for longer than a minute is thrown away, and new presses count."""
    first = live()
    await first.begin()
    await first.end()
    await say(line.broker, "buttons/office", "PRESSED")
    await live.clock.advance(HELD_S + 1)
    second = live()
    await second.begin()
    await say(line.broker, "panel", "PRESSED")
    await second.hears("fire")


async def test_a_machine_that_was_started_anew_takes_up_nothing(
    line: Line, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it was off its clock may not know."""
    first = live()
    await first.begin()
    await first.end()
    await say(line.broker, "buttons/office", "PRESSED")
    monkeypatch.setattr("hub.broker_session.boot_id", lambda: "another")
    second = live()
    await second.begin()
    await say(line.broker, "panel", "PRESSED")
    await second.hears("fire")


async def test_a_retained_message_that_waited_is_no_second_press(line: Line, live: Any) -> None:
    """What was said and kept while the hub was away counts as said, once, and never as kept."""
    first = live()
    await first.begin()
    await first.end()
    await say(line.broker, "buttons/office", "PRESSED", retain=True)
    second = live()
    await second.begin()
    await second.hears("office")
    await second.end()
    third = live()
    await third.begin()
    assert third.pressed == []
    assert third.listener.counts["retained"] >= 1


async def test_a_press_that_is_handed_over_twice_acts_once(line: Line, live: Any) -> None:
    """Where the link broke before the broker knew that it was seen to: the same hub does nothing
    more, and one that was killed meanwhile presses under the same key, which the journal knows.
    """
    first = live()
    await first.begin()

    async def lose() -> None:
        line.cut()

    first.during = lose
    await say(line.broker, "buttons/office", "PRESSED")
    assert isinstance(await first.ended(), NotReady)
    first.during = None
    line.mend()
    await live.clock.advance(3)
    await first.begin()
    await say(line.broker, "panel", "PRESSED")
    await first.hears("office", "fire")

    async def die() -> None:
        line.cut()
        raise asyncio.CancelledError

    first.during = die
    await live.clock.advance(3)
    await say(line.broker, "buttons/gym", "PRESSED")
    await first.ended()
    line.mend()
    second = live()
    await second.begin()
    await second.hears("gym")
    assert second.keys == first.keys[-1:]
    assert len(set(first.keys)) == 3


async def test_two_hubs_at_one_broker_each_hear_every_press(line: Line, live: Any) -> None:
    """No hub takes the session of another."""
    one, other = live("one"), live("other")
    await one.begin()
    await other.begin()
    await one.end()
    await say(line.broker, "buttons/office", "PRESSED")
    await other.hears("office")
    again = live("one")
    await again.begin()
    await again.hears("office")
    assert other.pressed == ["office"]


async def test_an_input_that_no_broker_keeps_for_us_is_named(line: Line, live: Any) -> None:
    """One that publishes at QoS 0 loses what it says while the hub is away; people are told so
    until it speaks otherwise.
    """
    hub = live()
    await hub.begin()
    assert hub.listener.notes() == []
    await say(line.broker, "buttons/office", "PRESSED", qos=0)
    await hub.hears("office")
    (note,) = hub.listener.notes()
    assert "office says while the hub restarts is lost" in note
    await live.clock.advance(3)
    await say(line.broker, "buttons/office", "PRESSED")
    await hub.hears("office", "office")
    assert hub.listener.notes() == []
