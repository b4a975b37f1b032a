"""What every contract is built on: a driver, its block, its device, and one loop per test."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ValidationError

from hub.clock import Clock, SystemClock
from hub.errors import VestibuleError
from hub.events import Event
from hub.kinds import Context, Driver, Kind
from hub.testing.device import TROUBLES, Device
from hub.testing.watch import UNDER_TEST, Before, Overheard, noting_factory, unclosed
from hub.typewords import PRIVATE, is_private, keys_of

CANARY = "CanaryInTheSettings7f3a9e21"
DEVICE_STOPS = 20.0  # seconds
CLOSE_WITHIN = 1.5  # seconds; the hub gives a driver no longer
Test = TypeVar("Test", bound=Callable[..., Any])


class ContractBroken(AssertionError):
    """A promise of a kind that a driver does not keep; says what was expected and what to do."""


def promise(holds: object, what: str, do: str) -> None:
    """Raise `ContractBroken` unless `holds`: `what` was expected and found, `do` is the remedy."""
    __tracebackhide__ = True
    if not holds:
        raise ContractBroken(f"{what}\n  What to do: {do}")


def needs(*troubles: str) -> Callable[[Test], Test]:
    """Mark a test that needs a device which can have these troubles."""

    def mark(test: Test) -> Test:
        test.needs = troubles  # type: ignore[attr-defined]
        return test

    return mark


@dataclass
class Trial:
    """One test's surroundings: the device that is up, and what the driver published."""

    contract: Contract
    device: Device
    events: list[Event] = field(default_factory=list)
    overheard: Overheard | None = None

    async def publish(self, *events: Event) -> None:
        """What drivers get as `Context.publish`."""
        self.events.extend(events)

    def build(self, **changes: Any) -> Any:
        """A new instance, with its folders kept between instances of one test."""
        config = self.contract.settings(self.device, **changes)
        return self.contract.driver.factory(config, self.contract.context(self))


class Contract:
    """The base of all contracts. Say `driver` and `config`; the rest has defaults.

    `config` is the driver's block without what the hub keeps for itself. `device` is the class of
    what stands on the other side. Times are seconds: `deadline` is how long a call may take while
    the device is silent before it is called off, `grace` how long it then has to end, `recovers`
    how long it may take to work again once the device is back. `alone` says that there is no device
    at all, so that no test is missed.
    """

    kind: ClassVar[Kind]
    protocol: ClassVar[type]
    driver: ClassVar[Driver]
    config: ClassVar[Mapping[str, Any]] = {}
    device: ClassVar[type[Device]] = Device
    alone: ClassVar[bool] = False
    secrets: ClassVar[tuple[str, ...] | None] = None
    deadline: ClassVar[float] = 0.25
    grace: ClassVar[float] = 1.0
    recovers: ClassVar[float] = 10.0
    whole: ClassVar[float] = 120.0
    loop_held: ClassVar[float] = 0.05
    left_out: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if hasattr(cls, "driver"):
            cls.left_out = {}
            for name, test in _tests(cls):
                lacking = tuple(each for each in test.needs if not cls.device.can(each))
                missed = tuple(each for each in lacking if each in TROUBLES)
                cls.left_out |= {name: missed} if missed else {}
                setattr(cls, name, None if lacking else test)

    def setup_method(self) -> None:
        """Make a folder for this test."""
        self._kept = tempfile.TemporaryDirectory(prefix="vestibule-contract-")
        self.folder = Path(self._kept.name)

    def teardown_method(self) -> None:
        """Remove the folder."""
        self._kept.cleanup()

    def clock(self) -> Clock:
        """The clock that the driver is given."""
        return SystemClock()

    def settings(self, device: Device, **changes: Any) -> Any:
        """The driver's block, parsed: `config`, the device's own settings, then `changes`."""
        raw = {**self.config, **device.settings, **changes}
        try:
            return self.driver.config.model_validate(raw)
        except ValidationError as error:
            told = "; ".join(f"{_key(one['loc'])}: {one['msg']}" for one in error.errors())
            promise(False, f"expected a sound block, found {told}", "correct `config`")

    def context(self, trial: Trial) -> Context:
        """What the hub hands to the driver."""
        return Context(
            name="contract",
            clock=self.clock(),
            state=self.folder / "state",
            cache=self.folder / "cache",
            config_folder=self.folder,
            devices=self.devices(trial.device),
            publish=trial.publish,
            broker=trial.device.broker,
        )

    def devices(self, device: Device) -> Mapping[str, Any]:
        """Parsed `device:` blocks by door; only an access controller has any."""
        return {}

    def secret_keys(self) -> tuple[str, ...]:
        """The keys that the canary is put under: `secrets`, or all that look like a secret."""
        if self.secrets is not None:
            return self.secrets
        model: type[BaseModel] = self.driver.config
        return tuple(
            key for key in keys_of(model) if PRIVATE.search(key) and is_private(model, (key,))
        )

    def run(self, scenario: Callable[[Trial], Coroutine[Any, Any, None]]) -> None:
        """Bring the device up, run a scenario in a loop of its own, and take all down again."""
        __tracebackhide__ = True
        loop = asyncio.new_event_loop()
        loop.set_task_factory(noting_factory)  # type: ignore[arg-type]
        with unclosed() as self._dropped:
            try:
                loop.run_until_complete(self._staged(scenario))
            except ContractBroken as broken:
                raise broken.with_traceback(None) from None
            finally:
                loop.run_until_complete(_end_all())
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.close()

    async def _staged(self, scenario: Callable[[Trial], Coroutine[Any, Any, None]]) -> None:
        __tracebackhide__ = True
        trial = Trial(self, self.device(self.folder))
        await trial.device.start()
        UNDER_TEST.set(True)
        try:
            async with asyncio.timeout(self.whole):
                await scenario(trial)
        except TimeoutError:
            what = f"expected the test to end, found it waiting after {self.whole:g} s"
            promise(False, what, "look for a wait without a deadline in the driver or its device")
        finally:
            UNDER_TEST.set(False)
            async with asyncio.timeout(DEVICE_STOPS):
                await trial.device.stop()

    @contextlib.asynccontextmanager
    async def started(self, trial: Trial) -> AsyncIterator[Any]:
        """A started instance that is closed at the end, whatever happened."""
        instance = trial.build()
        try:
            await self.in_time("start", instance.start())
            yield instance
        finally:
            with contextlib.suppress(Exception):
                await self.ends("close", instance.close(), CLOSE_WITHIN)

    async def in_time(self, name: str, call: Awaitable[Any]) -> Any:
        """The result of a call that must succeed, since nothing is wrong with the device."""
        __tracebackhide__ = True
        try:
            async with asyncio.timeout(self.recovers):
                return await call
        except TimeoutError:
            what = f"expected {name}() to end, found it waiting after {self.recovers:g} s"
            promise(False, what, "give each wait in the driver a deadline")
        except VestibuleError as error:
            what = f"expected {name}() to work, found {type(error).__name__}: {error}"
            promise(False, what, "see the error; is the device of the contract right?")

    async def ends(self, name: str, call: Awaitable[Any], within: float) -> Any:
        """The result of a call, or the error it raised; it is called off after `within`.

        Only errors that the hub knows may leave a driver, whatever the device does.
        """
        __tracebackhide__ = True
        error = await self.comes_of(name, call, within)
        if not isinstance(error, BaseException):
            return error
        promise(
            isinstance(error, VestibuleError | TimeoutError),
            f"expected {name}() to raise NotReady (or another error of hub), found "
            f"{type(error).__name__}",
            "catch what your library raises and raise NotReady with a reason in words",
        )
        return error

    async def comes_of(self, name: str, call: Awaitable[Any], within: float) -> Any:
        """The result of a call, or whatever it raised, called off after `within`."""
        __tracebackhide__ = True
        task = asyncio.ensure_future(call)
        _, late = await asyncio.wait({task}, timeout=within)
        if late:
            task.cancel()
            _, late = await asyncio.wait({task}, timeout=self.grace)
        promise(
            not late,
            f"expected {name}() to end when it is cancelled, found it running {self.grace:g} s "
            f"after, called off at {within:g} s",
            "let asyncio.CancelledError through, and run nothing in it that cannot be stopped",
        )
        if task.cancelled():
            return TimeoutError(f"{name}() was called off after {within:g} s")
        return task.exception() or task.result()

    async def sound(self, before: Before, within: float, after: str) -> None:
        """Nothing was left behind."""
        __tracebackhide__ = True
        left = await before.left(within)
        gc.collect()
        left = left or "; ".join(sorted(set(self._dropped)))
        promise(
            not left,
            f"expected nothing to be left {after}, found {left}",
            "cancel and await tasks, and close connections, in a `finally` and in close()",
        )

    # What each kind says of itself.

    reaches: ClassVar[frozenset[str]] = frozenset()  # the calls that need the device's answer

    def calls(self, instance: Any) -> Mapping[str, Callable[[], Awaitable[Any]]]:
        """The calls that the hub makes on a started driver, by name."""
        raise NotImplementedError

    async def works(self, trial: Trial, instance: Any) -> None:
        """Raise `ContractBroken` or an error of hub unless the driver does its work."""
        raise NotImplementedError

    def denies(self, result: Any) -> bool:
        """Whether a result says that a call failed."""
        return isinstance(result, BaseException)


def _tests(contract: type) -> Iterator[tuple[str, Any]]:
    """The tests that need a device which can have some trouble, those left out above included."""
    found: dict[str, Any] = {}
    for each in reversed(contract.__mro__):
        found.update({name: test for name, test in vars(each).items() if hasattr(test, "needs")})
    yield from found.items()


async def _end_all() -> None:
    """Cancel what is left, and wait for it only so long: a bad driver may ignore it."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        done, _ = await asyncio.wait(left, timeout=1.0)
        for task in done:
            if not task.cancelled():
                task.exception()


def _key(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "(block)"


def collapse(text: str, longest: int = 200) -> str:
    """A text in one line, shortened, with the canary left out."""
    line = " ".join(text.split()).replace(CANARY, "(the secret)")
    return line if len(line) <= longest else f"{line[:longest]}…"
