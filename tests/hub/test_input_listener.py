"""Hardware inputs: what counts as a press, what never does, and silence that is told."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.broker import EmbeddedBroker
from hub.config import Config
from hub.errors import NotReady, StateError
from hub.events import Event
from hub.input_listener import InputListener
from hub.kinds import BrokerAddress
from hub.storage.inputs import ClosedInputs
from hub.storage.journal import Journal
from hub.testing import FakeClock

INPUTS: dict[str, Any] = {
    "office": {
        "name": "Button in the office", "topic": "buttons/office", "payload": "PRESSED",
        "does": "lockdown", "place": "office", "expect_every": "60s", "alive": "buttons/battery",
    },
    "contact": {
        "topic": "relay/in", "at": "input[0].on", "is": True, "latching": True, "does": "secure",
        "place": "office",
    },
    "panel": {"topic": "panel", "at": "state", "is": "fire", "does": "fire", "place": "office"},
}  # fmt: skip


class Listening:
    """A listener, and what came of what it heard."""

    def __init__(self, inputs: dict[str, Any] | None = None) -> None:
        self.clock = FakeClock(datetime(2026, 3, 2, 9, tzinfo=UTC))
        self.config = Config.model_validate({"inputs": INPUTS if inputs is None else inputs})
        self.pressed: list[tuple[str, str, str, str]] = []
        self.events: list[Event] = []
        self.fails = 0
        self.address = BrokerAddress("127.0.0.1", 1)
        self.listener = InputListener(
            lambda: self.config, self._broker, self._press, self._accept, self.clock
        )

    async def _broker(self) -> BrokerAddress:
        return self.address

    async def _press(self, does: Any, place: str, device: str, *, source: str, key: str) -> None:
        if self.fails:
            self.fails -= 1
            raise StateError("the disk is full")
        self.pressed.append((does, place, device, source))

    async def _accept(self, *events: Event) -> None:
        self.events.extend(events)

    async def say(self, topic: str, payload: Any, *, retained: bool = False) -> None:
        """A message arrives."""
        text = payload if isinstance(payload, bytes) else payload.encode()
        await self.listener.take(topic, text, retained=retained)


async def test_a_message_that_counts_is_a_press_with_its_place() -> None:
    """The topic and the payload of the configuration, and nothing else."""
    heard = Listening()
    for payload in ("RELEASED", "pressed", "", b"\xff\xfe", "PRESSED now"):
        await heard.say("buttons/office", payload)
    await heard.say("buttons/other", "PRESSED")
    assert heard.pressed == []
    await heard.say("buttons/office", "PRESSED\n")
    assert heard.pressed == [("lockdown", "office", "Button in the office", "input/office")]


async def test_a_retained_message_is_never_a_press() -> None:
    """What a broker kept from some day before starts nothing, and shows no life."""
    heard = Listening()
    await heard.listener.look()
    for _ in range(3):
        await heard.say("buttons/office", "PRESSED", retained=True)
        await heard.say("panel", '{"state": "fire"}', retained=True)
    assert heard.pressed == []
    assert heard.listener.counts["retained"] == 6
    await heard.clock.advance(61)
    await heard.say("buttons/office", "PRESSED", retained=True)
    await heard.listener.look()
    assert [event.type for event in heard.events] == ["input.silent"]


async def test_one_press_reported_twice_is_one() -> None:
    """A bouncing contact, or a broker that delivers twice, presses once; a later press is another,
    and a fire panel is believed each time.
    """
    heard = Listening()
    for _ in range(5):
        await heard.say("buttons/office", "PRESSED")
    await heard.clock.advance(3)
    await heard.say("buttons/office", "PRESSED")
    assert len(heard.pressed) == 2
    for _ in range(2):
        await heard.say("panel", '{"state": "fire"}')
    assert [each[0] for each in heard.pressed[2:]] == ["fire", "fire"]


async def test_a_latching_input_presses_when_it_changes() -> None:
    """A switch that says again and again that it is on does not start again what was ended."""
    heard = Listening()
    for on in (False, True, True, True):
        await heard.say("relay/in", json.dumps({"input": [{"on": on}]}))
        await heard.clock.advance(10)
    assert len(heard.pressed) == 1
    for on in (False, True):
        await heard.say("relay/in", json.dumps({"input": [{"on": on}]}))
    assert len(heard.pressed) == 2


async def test_a_restart_presses_nothing_that_was_closed_before(tmp_path: Path) -> None:
    """A switch that was left on starts nothing anew; one that was put on meanwhile does, and what a
    fire panel says counts always.
    """
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    inputs = INPUTS | {
        "other": INPUTS["contact"] | {"topic": "relay/other"},
        "panel": INPUTS["panel"] | {"latching": True},
    }
    on = json.dumps({"input": [{"on": True}]})
    lives = []
    for said in (("relay/in",), ("relay/in", "relay/other")):
        heard = Listening(inputs)
        listener = heard.listener
        listener.memory = ClosedInputs(journal)
        with pytest.raises(NotReady):  # it has recalled, and nobody serves the port
            await listener.listen()
        for topic in said:
            await heard.say(topic, on)
        await heard.say("panel", '{"state": "fire"}')
        lives.append([(does, source) for does, _, _, source in heard.pressed])
    await journal.close()
    fire = ("fire", "input/panel")
    assert lives == [[("secure", "input/contact"), fire], [("secure", "input/other"), fire]]


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff", b"", b"[]", b"nonsense", b'{"input": []}', b'{"input": [{"on": 1}]}',
        b'{"input": [{"on": "true"}]}', b'{"input": [{"on": NaN}]}', b"[" * 100_000,
        b'{"input": ' * 5000, b"x" * 200_000,
    ],
)  # fmt: skip
async def test_malformed_messages_are_counted_and_start_nothing(payload: bytes) -> None:
    """Whatever a device sends, the listener goes on, and `true` is not 1."""
    heard = Listening()
    await heard.say("relay/in", payload)
    assert heard.pressed == []
    await heard.say("relay/in", '{"input": [{"on": true}]}')
    assert len(heard.pressed) == 1


async def test_a_number_that_no_float_holds_is_another_number() -> None:
    """A device that sends one ends nothing."""
    level = INPUTS["contact"] | {"at": "level", "is": 1.0, "latching": False}
    heard = Listening({"level": level})
    await heard.say("relay/in", '{"level": 1' + "0" * 400 + "}")
    assert heard.pressed == []
    await heard.say("relay/in", '{"level": 1}')
    assert len(heard.pressed) == 1


async def test_another_configuration_loses_no_press() -> None:
    """A press that is being carried out, and what waits behind it, outlive a change of inputs."""
    from aiomqtt import Client

    heard, broker = Listening(), EmbeddedBroker()
    heard.address = await broker.start()
    where = {"username": heard.address.username, "password": heard.address.password}
    gate, began = asyncio.Event(), asyncio.Event()
    press = heard.listener.press

    async def slowly(*args: Any, **more: Any) -> None:
        began.set()
        await gate.wait()
        await press(*args, **more)

    heard.listener.press = slowly
    listening = asyncio.create_task(heard.listener.listen())
    try:
        async with Client(heard.address.host, heard.address.port, **where) as device:
            async with asyncio.timeout(30):
                while not began.is_set():
                    await device.publish("buttons/office", "PRESSED", qos=1)
                    await asyncio.sleep(0.02)
            await device.publish("panel", '{"state": "fire"}', qos=1)
            gym = INPUTS["office"] | {"topic": "buttons/gym", "place": "gym"}
            heard.config = Config.model_validate({"inputs": INPUTS | {"gym": gym}})
            heard.listener.reconfigure()
            await asyncio.sleep(0.05)
            gate.set()
            await _until(lambda: "fire" in {each[0] for each in heard.pressed}, listening)
            assert heard.pressed[0][:2] == ("lockdown", "office")
            async with asyncio.timeout(30):
                while heard.pressed[-1][1] != "gym":
                    await device.publish("buttons/gym", "PRESSED", qos=1)
                    await asyncio.sleep(0.02)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await broker.stop()


async def test_silence_is_told_once_and_so_is_the_first_word_after_it() -> None:
    """An input that should report within a minute and does not is an event; any message of its
    own, also one that is no press, ends that.
    """
    heard = Listening()
    await heard.listener.look()
    await heard.clock.advance(59)
    await heard.say("buttons/battery", "87")
    await heard.clock.advance(59)
    await heard.listener.look()
    assert heard.events == []
    await heard.clock.advance(2)
    await heard.listener.look()
    await heard.listener.look()
    await heard.say("buttons/battery", "86")
    assert [(e.type, e.subject, e.data["place"]) for e in heard.events] == [
        ("input.silent", "office", "office"), ("input.heard", "office", "office"),
    ]  # fmt: skip


async def test_a_press_waits_for_the_journal() -> None:
    """A press that could not be written is written as soon as that works again."""
    heard = Listening()
    heard.fails = 2
    pressing = asyncio.create_task(heard.say("buttons/office", "PRESSED"))
    for _ in range(4):
        await heard.clock.advance(0.5)
    await pressing
    assert len(heard.pressed) == 1


async def test_over_a_real_broker_live_messages_count_and_kept_ones_do_not() -> None:
    """The whole way: a message that was kept before the hub came is passed over, a live one is a
    press; another configuration is listened to without a restart; a broker that goes away is told.
    """
    from aiomqtt import Client

    heard, broker = Listening(), EmbeddedBroker()
    heard.address = await broker.start()
    where = {"username": heard.address.username, "password": heard.address.password}
    try:
        async with Client(heard.address.host, heard.address.port, **where) as device:
            await device.publish("buttons/office", "PRESSED", qos=1, retain=True)
            listening = asyncio.create_task(heard.listener.listen())
            await _until(lambda: heard.listener.counts["retained"] == 1, listening)
            assert heard.pressed == []
            await device.publish("buttons/office", "PRESSED", qos=1)
            await _until(lambda: len(heard.pressed) == 1, listening)
            gym = INPUTS["office"] | {"topic": "buttons/gym", "place": "gym"}
            heard.config = Config.model_validate({"inputs": {"gym": gym}})
            heard.listener.reconfigure()
            async with asyncio.timeout(30):
                while len(heard.pressed) == 1:
                    await device.publish("buttons/gym", "PRESSED", qos=1)
                    await asyncio.sleep(0.02)
            assert heard.pressed[1][1] == "gym"
    finally:
        await broker.stop()
    with pytest.raises(NotReady, match="the broker at"):
        async with asyncio.timeout(30):
            await listening


async def _until(condition: Any, running: asyncio.Task[None]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            if running.done():
                running.result()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"topic": "buttons/#"}, r"without \+ and #"),
        ({"payload": None}, "expected `payload`, or `at` with `is`"),
        ({"at": "state"}, "expected `payload`, or `at` with `is`"),
        ({"payload": None, "at": "state"}, "expected `at` and `is` together"),
        ({"does": "lockout"}, "Input should be"),
        ({"expect_every": "1s"}, "greater than or equal to 10"),
    ],
)
def test_an_input_says_what_counts(changes: dict[str, Any], words: str) -> None:
    """A block that could never press, or always would, is refused with what was expected."""
    with pytest.raises(ValidationError, match=words):
        Config.model_validate({"inputs": {"office": INPUTS["office"] | changes}})
