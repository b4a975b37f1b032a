"""The contract of notifiers: a sound lamp passes, each bad one fails for what is bad about it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import Field, model_validator

from hub import Ack, Block, Channel, Driver, Event, Notice, NotReady, Receipt
from hub.testing import CabledDevice, NotifierContract
from tests.hub.testing.broken_promises import failing, on

LEAKED: set[asyncio.Task[Any]] = set()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """What a bad driver kept goes with its test, not at the end of the run with a complaint."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        LEAKED.clear()
        gc.collect()


class LampConfig(Block):
    """Where the lamp is."""

    host: str = Field(description="The lamp's address.")
    port: int = Field(description="Its port.")
    token: str = Field("", repr=False, description="What it asks for.")


class Lamp:
    """A sound driver: a line of JSON out, `lit` back."""

    channel = Channel(path="lan")

    def __init__(self, config: LampConfig, context: Any) -> None:
        self.config = config
        self.context = context

    async def start(self) -> None:
        """The lamp is reached at each notice."""

    async def send(self, notice: Notice) -> Receipt:
        said = await self.ask({"title": notice.title, "text": notice.text})
        if said != b"lit\n":
            raise NotReady("the lamp did not answer as a lamp does")
        return Receipt("delivered", notice.key)

    async def ask(self, what: dict[str, str]) -> bytes:
        try:
            reader, writer = await asyncio.open_connection(self.config.host, self.config.port)
        except OSError as error:
            raise NotReady("the lamp is not reached") from error
        try:
            writer.write(json.dumps({**what, "token": self.config.token}).encode() + b"\n")
            await writer.drain()
            return await reader.readline()
        except OSError as error:
            raise NotReady("the lamp hung up") from error
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        """Nothing is held open."""


class PretendedLamp(CabledDevice):
    """A server that says `lit` to each line."""

    async def serve(self) -> int:
        self.server = await asyncio.start_server(self.talk, "127.0.0.1", 0, limit=1 << 20)
        return int(self.server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        await super().start()
        self.settings = {"host": "127.0.0.1", "port": self.port}

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while await reader.readline():
                writer.write(b"lit\n")
        writer.transport.abort()

    async def end(self) -> None:
        self.server.close()


class LampContract(NotifierContract):
    device = PretendedLamp
    deadline = 0.3
    grace = 0.3
    recovers = 1.5
    config = MappingProxyType({"token": "a token of the lamp"})


def lamp(factory: Any = Lamp, config: type[Block] = LampConfig, name: str = "lamp") -> Driver:
    """The driver with some parts exchanged."""
    return Driver(name, factory, config, "Lights a lamp")


def test_a_sound_driver_passes() -> None:
    """The contract is kept by a driver of fifty lines that does its work."""
    assert failing(on(LampContract, lamp())) == set()


class Telling(Lamp):
    """A sound driver that tells what becomes of its notices."""

    def __init__(self, config: LampConfig, context: Any) -> None:
        super().__init__(config, context)
        self.lit: asyncio.Queue[Ack | None] = asyncio.Queue()

    async def start(self) -> None:
        self.lit = asyncio.Queue()

    async def send(self, notice: Notice) -> Receipt:
        receipt = await super().send(notice)
        self.lit.put_nowait(self.ack(notice))
        return receipt

    def ack(self, notice: Notice) -> Ack:
        return Ack("seen", key=notice.key, time=self.context.clock.now())

    async def acks(self) -> AsyncIterator[Ack]:
        while (ack := await self.lit.get()) is not None:
            yield ack

    async def close(self) -> None:
        self.lit.put_nowait(None)


def test_a_sound_driver_that_tells_of_its_notices_passes() -> None:
    """Acks that go on until close, and no other promise is harmed by them."""
    assert failing(on(LampContract, lamp(Telling))) == set()


class TellsNonsense(Telling):
    def ack(self, notice: Notice) -> Any:
        return {"seen": notice.key}


class TellsOfNothing(Telling):
    def ack(self, notice: Notice) -> Ack:
        return Ack("seen")


class TellsOnce(Telling):
    async def acks(self) -> AsyncIterator[Ack]:
        ack = await self.lit.get()
        if ack is not None:
            yield ack


class TellsForEver(Telling):
    async def close(self) -> None:
        """Whoever follows the acks waits."""


class Unexplained(LampConfig):
    colour: str = "amber"


class Forgiving(LampConfig):
    @model_validator(mode="before")
    @classmethod
    def drop(cls, raw: Any) -> Any:
        return {key: value for key, value in raw.items() if key in cls.model_fields}


class Showing(LampConfig):
    token: str = Field("", description="What it asks for.")


class PlainSend(Lamp):
    def send(self, notice: Notice) -> Any:  # type: ignore[override]
        return super().send(notice)


class CloseOnce(Lamp):
    async def start(self) -> None:
        self.open = True

    async def close(self) -> None:
        del self.open


class Locked(Lamp):
    mine = False

    async def start(self) -> None:
        lock = self.context.state / "lamp.lock"
        if lock.exists() and not self.mine:
            raise NotReady("another lamp runs here")
        lock.parent.mkdir(exist_ok=True)
        lock.touch()
        self.mine = True


class LeavesTask(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        receipt = await super().send(notice)
        LEAKED.add(asyncio.create_task(asyncio.sleep(60), name="lamp blinks"))
        return receipt


class DropsConnection(Lamp):
    """It leaves closing to Python, which does so whenever it comes round to it."""

    async def ask(self, what: dict[str, str]) -> bytes:
        try:
            reader, writer = await asyncio.open_connection(self.config.host, self.config.port)
            writer.write(json.dumps({**what, "token": self.config.token}).encode() + b"\n")
            return await reader.readline()
        except OSError as error:
            raise NotReady("the lamp is not reached") from error


class LeavesConnection(Lamp):
    async def start(self) -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(self.config.host, self.config.port)
            LEAKED.add(writer)  # type: ignore[arg-type]


class LeaksWhenCancelled(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        try:
            return await super().send(notice)
        except asyncio.CancelledError:
            LEAKED.add(asyncio.create_task(asyncio.sleep(60), name="lamp tidies up"))
            raise


class BreaksWhenCancelled(Lamp):
    broken = False

    async def send(self, notice: Notice) -> Receipt:
        if self.broken:
            raise NotReady("a call is still under way")
        self.broken = True
        receipt = await super().send(notice)
        self.broken = False
        return receipt


class IgnoresCancel(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        work = asyncio.create_task(super().send(notice))
        until = time.monotonic() + 1.5
        while not work.done() and time.monotonic() < until:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({work}, timeout=0.1)
        work.cancel()
        return await work


class StartRaises(Lamp):
    async def start(self) -> None:
        _, writer = await asyncio.open_connection(self.config.host, self.config.port)
        writer.transport.abort()


class Foreign(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        try:
            return await super().send(notice)
        except NotReady as error:
            raise error.__cause__ or error from None


class FireAndForget(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        with contextlib.suppress(NotReady):
            await super().send(notice)
        return Receipt("delivered")


class NeverAgain(Lamp):
    gone = False

    async def send(self, notice: Notice) -> Receipt:
        try:
            if self.gone:
                raise NotReady("the lamp was gone once")
            return await super().send(notice)
        except NotReady as error:
            self.gone = self.gone or "not reached" in str(error)
            raise


class TakesAnything(Lamp):
    async def ask(self, what: dict[str, str]) -> bytes:
        return b"lit\n" if await super().ask(what) else b""


class Decodes(Lamp):
    async def ask(self, what: dict[str, str]) -> bytes:
        return (await super().ask(what)).decode("ascii").encode()


class TellsSecret(Lamp):
    async def ask(self, what: dict[str, str]) -> bytes:
        try:
            return await super().ask(what)
        except NotReady as error:
            raise NotReady(f"{error} with {self.config.token}") from error


class LogsSecret(Lamp):
    async def start(self) -> None:
        logging.getLogger("lamp").debug("signing in with %s", self.config.token)


class Blocks(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        if len(notice.text) < 100:  # once is enough; the flood would take long
            time.sleep(0.08)
        return await super().send(notice)


class OwnEvent(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        await self.context.publish(Event("lamp.lit", "lamp", self.context.clock.now()))
        return await super().send(notice)


class KeepsNotices(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        self.__dict__.setdefault("kept", []).append(notice)
        return await super().send(notice)


class MovingChannel(Lamp):
    @property
    def channel(self) -> Channel:  # type: ignore[override]
        self.asked = getattr(self, "asked", 0) + 1
        return Channel(path="lan", public=self.asked > 1)


class NoDrills(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        return True if notice.drill else await super().send(notice)  # type: ignore[return-value]


class AsciiOnly(Lamp):
    async def send(self, notice: Notice) -> Receipt:
        notice.title.encode("ascii")
        return await super().send(notice)


BAD = {
    "a name that is no slug": (lamp(name="Lamp!"), {"the_driver_is_described_soundly"}),
    "a key without words": (lamp(config=Unexplained), {"every_key_is_explained"}),
    "unknown keys dropped": (
        lamp(config=Forgiving),
        {"the_block_is_frozen_and_refuses_unknown_keys"},
    ),
    "a secret in the block's repr": (lamp(config=Showing), {"it_hides_its_secrets_when_shown"}),
    "send is no coroutine function": (
        lamp(PlainSend),
        {"it_is_built_with_what_the_kind_promises"},
    ),
    "close only once": (lamp(CloseOnce), {"start_and_close_come_in_any_order"}),
    "a lock file stays": (lamp(Locked), {"it_works_again_after_it_was_closed"}),
    "a task stays after close": (
        lamp(LeavesTask),
        {"close_leaves_nothing_behind", "a_cancelled_call_leaves_nothing_behind"},
    ),
    "a connection stays after close": (
        lamp(LeavesConnection),
        {
            "close_leaves_nothing_behind",
            "a_cancelled_call_leaves_nothing_behind",
            "a_silent_device_holds_no_call",
        },
    ),
    "nobody closes the connection": (
        lamp(DropsConnection),
        {
            "close_leaves_nothing_behind",
            "a_cancelled_call_leaves_nothing_behind",
            "a_silent_device_holds_no_call",
        },
    ),
    "a task stays after a cancel": (
        lamp(LeaksWhenCancelled),
        {"a_cancelled_call_leaves_nothing_behind", "a_silent_device_holds_no_call"},
    ),
    "no call after a cancelled one": (
        lamp(BreaksWhenCancelled),
        {
            "a_cancelled_call_leaves_nothing_behind",
            "a_silent_device_holds_no_call",
            "the_device_disappears_and_returns",
            "nonsense_from_the_device_is_a_plain_failure",
            "a_flood_of_notices_is_not_kept",
        },
    ),
    "cancelling is ignored": (lamp(IgnoresCancel), {"a_silent_device_holds_no_call"}),
    "start raises OSError": (
        lamp(StartRaises),
        {"a_start_without_the_device_can_be_repeated"},
    ),
    "send raises OSError": (lamp(Foreign), {"the_device_disappears_and_returns"}),
    "success without an answer": (
        lamp(FireAndForget),
        {"the_device_disappears_and_returns", "nonsense_from_the_device_is_a_plain_failure"},
    ),
    "acks that are none": (lamp(TellsNonsense), {"acks_are_whole_and_end_with_it"}),
    "acks of nothing": (lamp(TellsOfNothing), {"acks_are_whole_and_end_with_it"}),
    "acks that end by themselves": (lamp(TellsOnce), {"acks_are_whole_and_end_with_it"}),
    "acks that outlive it": (lamp(TellsForEver), {"acks_are_whole_and_end_with_it"}),
    "lost for ever": (lamp(NeverAgain), {"the_device_disappears_and_returns"}),
    "any answer is a success": (
        lamp(TakesAnything),
        {"nonsense_from_the_device_is_a_plain_failure"},
    ),
    "an answer that cannot be decoded": (
        lamp(Decodes),
        {"nonsense_from_the_device_is_a_plain_failure"},
    ),
    "a secret in an error": (lamp(TellsSecret), {"no_secret_leaves_the_driver"}),
    "a secret in the log": (lamp(LogsSecret), {"no_secret_leaves_the_driver"}),
    "the loop is held": (lamp(Blocks), {"the_loop_is_never_blocked"}),
    "an undeclared event": (lamp(OwnEvent), {"events_have_declared_types"}),
    "notices are kept": (lamp(KeepsNotices), {"a_flood_of_notices_is_not_kept"}),
    "the channel changes": (lamp(MovingChannel), {"the_channel_is_a_constant"}),
    "no receipt for a drill": (lamp(NoDrills), {"every_kind_of_notice_is_answered"}),
    "other scripts raise": (lamp(AsciiOnly), {"odd_words_do_no_harm"}),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_driver_fails_for_what_is_bad_about_it(bad: str) -> None:
    """Each promise that is broken is named by its test, and no other test is."""
    driver, expected = BAD[bad]
    assert failing(on(LampContract, driver)) == expected
