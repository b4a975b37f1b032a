"""Promises of every driver that is started: its life, its troubles, its secrets, its manners."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hub.errors import NotReady, VestibuleError
from hub.events import EVENT_TYPES
from hub.testing.contract import (
    CANARY,
    CLOSE_WITHIN,
    ContractBroken,
    Trial,
    collapse,
    needs,
    promise,
)
from hub.testing.described import DescribedContract
from hub.testing.watch import Before, Blocked, LoopWatch, overhear

SETTLES = 2.0  # seconds that connections have to be seen closed at both ends
TICKS = (0, 1, 2, 3, 5, 8, 13)
TURNS = 3


class DrivenContract(DescribedContract):
    """The life of a driver with `start` and `close`."""

    def test_start_and_close_come_in_any_order(self) -> None:
        """Close without start, close twice and start twice are no error."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            for step in ("close", "start", "start", "close", "close", "start", "close"):
                await self._step(instance, step)

        self.run(scenario)

    def test_it_works_again_after_it_was_closed(self) -> None:
        """The same instance starts afresh, and so does a new one in its folders."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            for _ in range(2):
                await self.in_time("start", instance.start())
                await self.works(trial, instance)
                await self.in_time("close", instance.close())
            async with self.started(trial) as another:
                await self.works(trial, another)

        self.run(scenario)

    def test_close_leaves_nothing_behind(self) -> None:
        """After close there is no task, thread or connection of the driver, within 1.5 s."""

        async def scenario(trial: Trial) -> None:
            before = await Before.now()
            instance = trial.build()
            await self.in_time("start", instance.start())
            await self.works(trial, instance)
            await self._closes(instance)
            await self.sound(before, SETTLES, "after close()")

        self.run(scenario)

    def test_a_cancelled_call_leaves_nothing_behind(self) -> None:
        """Each call may be cancelled at any moment; then the next works, and close ends all."""

        async def scenario(trial: Trial) -> None:
            before = await Before.now()
            instance = trial.build()
            await self.in_time("start", instance.start())
            await self.works(trial, instance)
            during = await Before.now()
            for name in self.calls(instance):
                for ticks in TICKS:
                    call = self.calls(instance)[name]
                    await self._cancelled(name, call, ticks)
            tasks = await during.left(SETTLES, sockets=False)
            promise(
                not tasks,
                f"expected a cancelled call to leave nothing behind, found {tasks}",
                "await the tasks that a call starts, and cancel them in a `finally`",
            )
            try:
                await self._working_again(trial, instance)
            finally:
                await self._closes(instance)
            await self.sound(before, SETTLES, "after close()")

        self.run(scenario)

    @needs("fall_silent")
    def test_a_silent_device_holds_no_call(self) -> None:
        """While the device takes all and answers nothing, each call ends or can be called off."""

        async def scenario(trial: Trial) -> None:
            before = await Before.now()
            instance = trial.build()
            await self.in_time("start", instance.start())
            await trial.device.fall_silent()
            for name, call in self.calls(instance).items():
                await self.ends(name, call(), self.deadline)
            await self.ends("start", instance.start(), self.deadline)
            await self._closes(instance)
            await trial.device.come_back()
            await self.sound(before, SETTLES, "after calls to a silent device and close()")
            await self.in_time("start", instance.start())
            try:
                await self._working_again(trial, instance)
            finally:
                await self._closes(instance)

        self.run(scenario)

    @needs("vanish")
    def test_a_start_without_the_device_can_be_repeated(self) -> None:
        """Without its device start returns, or raises NotReady; later it works."""

        async def scenario(trial: Trial) -> None:
            before = await Before.now()
            instance = trial.build()
            await trial.device.vanish()
            for _ in range(2):
                result = await self.ends("start", instance.start(), self.deadline)
                promise(
                    result is None or isinstance(result, NotReady | TimeoutError),
                    f"expected start() to raise NotReady, found {result!r}",
                    "raise NotReady for all that may be better later",
                )
            await self._closes(instance)
            await self.sound(before, SETTLES, "after a failed start() and close()")
            await trial.device.come_back()
            await self.in_time("start", instance.start())
            try:
                await self._working_again(trial, instance)
            finally:
                await self._closes(instance)

        self.run(scenario)

    @needs("vanish")
    def test_the_device_disappears_and_returns(self) -> None:
        """While it is gone calls fail in words and claim nothing; after it is back they work."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await self.works(trial, instance)
                await trial.device.vanish()
                await self._claims_nothing(instance, "gone")
                await trial.device.come_back()
                await self._working_again(trial, instance)

        self.run(scenario)

    @needs("speak_nonsense")
    def test_nonsense_from_the_device_is_a_plain_failure(self) -> None:
        """Bytes of no protocol end in an error of hub, never in a success, and do not stay."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await trial.device.speak_nonsense()
                await self._claims_nothing(instance, "talking nonsense")
                await trial.device.come_back()
                await self._working_again(trial, instance)

        self.run(scenario)

    def test_no_secret_leaves_the_driver(self) -> None:
        """A secret of the settings is in no error, answer, event, log line or output."""

        async def scenario(trial: Trial) -> None:
            with overhear() as heard:
                instance = trial.build(**dict.fromkeys(self.secret_keys(), CANARY))
                for trouble in ("", "speak_nonsense", "fall_silent", "vanish"):
                    if trouble and not trial.device.can(trouble):
                        continue
                    if trouble:
                        await getattr(trial.device, trouble)()
                    within = self.deadline if trouble else self.recovers
                    for name, call in self._all_calls(instance).items():
                        with contextlib.suppress(ContractBroken):  # told by its own test
                            result = await self.comes_of(name, call(), within)
                            if isinstance(result, BaseException):
                                heard.raised(result)
                            heard.add(f"the result of {name}()", repr(result))
                    await trial.device.come_back()
                heard.add("repr() of the driver", repr(instance))
                await self.comes_of("close", instance.close(), CLOSE_WITHIN)
            for event in trial.events:
                heard.add("an event", event)
            for where, text in heard.texts:
                for form in _forms(CANARY):
                    shown = text[max(0, text.find(form) - 80) : text.find(form) + 80]
                    promise(
                        form not in text,
                        f"expected no secret to be shown, found one in {where}: "
                        f"{collapse(shown.replace(form, '(the secret)'))}",
                        "name the device or the key instead; leave out what was sent",
                    )

        self.run(scenario)

    def test_the_loop_is_never_blocked(self) -> None:
        """No step holds the event loop for more than 50 ms; what happens once, an import, may."""

        async def scenario(trial: Trial) -> None:
            best: dict[str, Blocked] = {}
            for _ in range(TURNS):
                instance = trial.build()
                for name, call in self._all_calls(instance).items():
                    with LoopWatch(self.loop_held) as watch:
                        await self.comes_of(name, call(), self.recovers)
                        await asyncio.sleep(0.01)
                    found = best.setdefault(name, watch.worst)
                    best[name] = min(found, watch.worst, key=lambda one: one.seconds)
                await self._closes(instance)
            for name, held in best.items():
                at = f" at {held.where}" if held.where else ""
                promise(
                    held.seconds <= self.loop_held,
                    f"expected {name}() to leave the loop free, found it held for "
                    f"{held.seconds * 1000:.0f} ms{at}",
                    "use an async library, or `await asyncio.to_thread(...)`",
                )

        self.run(scenario)

    def test_events_have_declared_types(self) -> None:
        """What it publishes has a type of hub.EVENT_TYPES or plugin.NAME., a time and JSON data."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await self.works(trial, instance)
                for name, call in self.calls(instance).items():
                    await self.comes_of(name, call(), self.recovers)
            own = f"plugin.{self.driver.name}."
            for event in trial.events:
                promise(
                    event.type in EVENT_TYPES or event.type.startswith(own),
                    f"expected a type of hub.EVENT_TYPES or {own}…, found {event.type!r}",
                    f"call it {own}{event.type.rpartition('.')[2]}",
                )
                promise(
                    event.time.tzinfo is not None and event.source,
                    f"expected {event.type} to have an aware time and a source, found {event}",
                    "take the time from context.clock.now()",
                )
                try:
                    json.dumps(dict(event.data))
                except (TypeError, ValueError) as error:
                    what = f"expected the data of {event.type} to be plain JSON, found {error}"
                    promise(False, what, "put text, numbers, lists and maps of them in it")

        self.run(scenario)

    async def _step(self, instance: Any, step: str) -> None:
        __tracebackhide__ = True
        try:
            async with asyncio.timeout(self.recovers):
                await getattr(instance, step)()
        except Exception as error:
            promise(
                False,
                f"expected {step}() to be no error at any time, found {type(error).__name__}: "
                f"{collapse(str(error))}",
                "let close() end what there is, and start() begin with it",
            )

    async def _closes(self, instance: Any) -> None:
        __tracebackhide__ = True
        result = await self.ends("close", instance.close(), CLOSE_WITHIN)
        promise(
            result is None,
            f"expected close() to let go within {CLOSE_WITHIN} s, found {result!r}",
            "close without waiting for the device, and raise nothing",
        )

    async def _cancelled(self, name: str, call: Callable[[], Any], ticks: int) -> None:
        """Start a call, let it run for some turns of the loop, and cancel it."""
        __tracebackhide__ = True
        task = asyncio.ensure_future(call())
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        _, late = await asyncio.wait({task}, timeout=self.grace)
        promise(
            not late,
            f"expected {name}() to end when it is cancelled, found it running {self.grace:g} s on",
            "let asyncio.CancelledError through",
        )
        if not task.cancelled():
            task.exception()

    async def _claims_nothing(self, instance: Any, how: str) -> None:
        """While the device is in trouble no call that needs it may succeed."""
        __tracebackhide__ = True
        for name, call in self.calls(instance).items():
            result = await self.ends(name, call(), self.deadline)
            promise(
                name not in self.reaches or self.denies(result),
                f"expected {name}() to fail while the device is {how}, found {result!r}",
                "wait for the device's answer before you say that it took something",
            )

    async def _working_again(self, trial: Trial, instance: Any) -> None:
        """As the hub does: try, and start again after a failure, for as long as `recovers`."""
        __tracebackhide__ = True
        loop = asyncio.get_running_loop()
        until = loop.time() + self.recovers
        said: object = "nothing"
        while loop.time() < until:
            try:
                async with asyncio.timeout_at(until):
                    await self.works(trial, instance)
                    return
            except (VestibuleError, ContractBroken, TimeoutError) as error:
                said = error
            await asyncio.sleep(0.02)
            result = await self.ends("start", instance.start(), self.recovers)
            said = result if isinstance(result, BaseException) else said
        promise(
            False,
            f"expected it to work again within {self.recovers:g} s, found "
            f"{type(said).__name__}: {collapse(str(said))}",
            "let start() begin from nothing, and connect again after a failure",
        )

    def _all_calls(self, instance: Any) -> dict[str, Callable[[], Any]]:
        return {"start": instance.start, **self.calls(instance)}


def _forms(secret: str) -> set[str]:
    """A secret as it stands, quoted for an address, and in the three shifts of base64."""
    raw = secret.encode()
    shifts = (base64.b64encode(b"\0" * shift + raw)[4:-4].decode() for shift in range(3))
    return {secret, quote(secret, safe=""), *shifts}
