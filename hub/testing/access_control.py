"""The contract of an access controller."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar

from hub.errors import CommandFailed, NotReady, VestibuleError
from hub.kinds import Block
from hub.kinds.access_control import VERBS, AccessController, Capabilities, DoorReport, Verb
from hub.testing.contract import Trial, needs, promise
from hub.testing.device import Device
from hub.testing.driven import DrivenContract

FLOOD = 6000
HELD = 2048
QUIET = 0.5  # seconds without a report after which no more is expected


class AccessControllerContract(DrivenContract):
    """What the hub relies on in an access controller.

    `doors` gives each door's `device:` block. Set `answers` to false where a lock cannot be asked
    for its state. `loss_told` is how long a lost device may go unnoticed.
    """

    kind = "access_control"
    protocol = AccessController
    reaches = frozenset({"command"})
    doors: ClassVar[Mapping[str, Mapping[str, Any]]] = {"main": {}}
    answers: ClassVar[bool] = True
    loss_told: ClassVar[float] = 15.0

    def devices(self, device: Device) -> Mapping[str, Block]:
        """The doors' blocks, parsed."""
        model = self.driver.device or Block
        return {door: model.model_validate(block) for door, block in self.doors.items()}

    def calls(self, instance: Any) -> Mapping[str, Callable[[], Awaitable[Any]]]:
        door, verb = next(iter(self.doors)), self._verb(instance)
        return {
            "command": lambda: instance.command(door, verb, "contract"),
            "refresh": lambda: instance.refresh(door),
        }

    async def works(self, trial: Trial, instance: Any) -> None:
        """A door takes a command, and reports when it is asked."""
        __tracebackhide__ = True
        door = next(iter(self.doors))
        async with _listening(instance) as heard:
            await instance.command(door, self._verb(instance), "contract")
            await instance.refresh(door)
            if self.answers:
                found = await _hears(heard, lambda report: report.answers, self.recovers)
                promise(
                    found,
                    f"expected a report that answers refresh() within {self.recovers:g} s, "
                    f"found {heard.reports or 'none'}",
                    "report what the device says, with answers=True, after each refresh()",
                )

    def test_capabilities_are_a_constant(self) -> None:
        """What it can do never changes, and is of the hub's six verbs."""

        async def scenario(trial: Trial) -> None:
            before = trial.build().capabilities
            async with self.started(trial) as instance:
                found = (before, instance.capabilities)
                promise(
                    isinstance(before, Capabilities) and found[0] == found[1],
                    f"expected one hub.Capabilities, always the same, found {found}",
                    "make it from the settings alone",
                )
            strange = before.verbs - set(VERBS)
            promise(
                before.verbs and not strange,
                f"expected verbs of hub.VERBS, found {sorted(strange) or 'none'}",
                "leave out what the device cannot do; other words have no meaning here",
            )
            promise(
                not before.lockdown_native or "lockdown" in before.verbs,
                "expected lockdown_native only with the verb `lockdown`",
                "add the verb or say that it has none",
            )

        self.run(scenario)

    def test_what_it_cannot_do_is_refused(self) -> None:
        """An unknown door and a verb it does not take are CommandFailed, not silence."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                door, verb = next(iter(self.doors)), self._verb(instance)
                asked: list[tuple[str, Verb]] = [("no_such_door", verb)]
                asked += [(door, each) for each in VERBS if each not in instance.capabilities.verbs]
                for where, what in asked:
                    call = instance.command(where, what, "contract")
                    result = await self.ends("command", call, self.recovers)
                    promise(
                        isinstance(result, CommandFailed),
                        f"expected command({where!r}, {what!r}) to raise CommandFailed, found "
                        f"{result!r}",
                        "raise CommandFailed for doors and verbs that you do not have",
                    )

        self.run(scenario)

    def test_a_command_before_start_is_not_taken(self) -> None:
        """Before start, and after close, a command is NotReady: nobody believes it was sent."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            door, verb = next(iter(self.doors)), self._verb(instance)
            for _ in range(2):
                call = instance.command(door, verb, "contract")
                result = await self.ends("command", call, self.recovers)
                promise(
                    isinstance(result, NotReady),
                    f"expected command() to raise NotReady while not started, found {result!r}",
                    "raise NotReady where there is no link",
                )
                await self.in_time("start", instance.start())
                await self.in_time("close", instance.close())

        self.run(scenario)

    def test_reports_end_when_it_is_closed(self) -> None:
        """Whoever reads reports is let go by close, so that nobody waits for ever."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            await self.in_time("start", instance.start())
            async with _listening(instance) as heard:
                await instance.refresh(next(iter(self.doors)))
                await asyncio.sleep(0)
                await self.in_time("close", instance.close())
                await asyncio.wait({heard.task}, timeout=self.grace)
                promise(
                    heard.task.done(),
                    f"expected reports() to end within {self.grace:g} s of close(), found it open",
                    "put an end mark into the queue when you close",
                )

        self.run(scenario)

    def test_reports_are_of_its_doors_and_timed(self) -> None:
        """Each report names a door of the configuration and has an aware time."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, _listening(instance) as heard:
                for door in self.doors:
                    await self.in_time("refresh", instance.refresh(door))
                await _hears(heard, lambda report: report.answers, QUIET)
                for report in heard.reports:
                    promise(
                        isinstance(report, DoorReport)
                        and report.door in self.doors
                        and report.time.tzinfo is not None,
                        f"expected a DoorReport of {sorted(self.doors)} with an aware time, found "
                        f"{report}",
                        "map the device's own names to door ids; take context.clock.now()",
                    )

        self.run(scenario)

    @needs("vanish")
    def test_a_lost_device_is_told(self) -> None:
        """When the device goes a report says offline, or reports() raises NotReady."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, _listening(instance) as heard:
                await self.works_with(instance, heard)
                await trial.device.vanish()
                told = await _hears(heard, lambda report: not report.online, self.loss_told)
                promise(
                    told or isinstance(heard.error, NotReady),
                    f"expected the loss to be told within {self.loss_told:g} s, found "
                    f"{heard.error or 'nothing'}",
                    "report online=False for each door, or raise NotReady from reports()",
                )

        self.run(scenario)

    @needs("flood")
    def test_a_flood_of_reports_stays_bounded_and_counted(self) -> None:
        """While nobody reads only so many reports are held, the newest; the rest is counted."""

        async def scenario(trial: Trial) -> None:
            door = next(iter(self.doors))
            async with self.started(trial) as instance:
                await trial.device.flood(door, FLOOD)
                await self._taken_in(instance)
                async with _listening(instance) as heard:
                    await _quiet(heard)
                promise(
                    len(heard.reports) <= HELD,
                    f"expected at most {HELD} reports to be held, found {len(heard.reports)} of "
                    f"{FLOOD}",
                    "bound the queue and drop the oldest",
                )
                dropped = getattr(instance, "dropped", None)
                promise(
                    isinstance(dropped, int) and dropped > 0,
                    f"expected what was dropped to be counted, found dropped = {dropped!r}",
                    "count dropped reports in an attribute `dropped`",
                )
                locks = [report.lock for report in heard.reports if report.lock is not None]
                promise(
                    locks and locks[-1] == "locked",
                    f"expected the newest report (locked) to be kept, found {locks[-1:]}",
                    "when the queue is full drop the oldest, never the newest",
                )

        self.run(scenario)

    async def works_with(self, instance: Any, heard: Heard) -> None:
        """The first report has come, so that what follows is news."""
        await instance.refresh(next(iter(self.doors)))
        await _hears(heard, lambda report: report.online, self.recovers if self.answers else QUIET)

    async def _taken_in(self, instance: Any) -> None:
        """Wait until the driver has read what the device sent, or stops counting."""
        before, quiet = -1, 0
        while quiet < 5:
            await asyncio.sleep(0.1)
            now = getattr(instance, "dropped", 0)
            quiet = quiet + 1 if now == before else 0
            before = now

    def _verb(self, instance: Any) -> Verb:
        """A verb that moves nothing far: of those it takes, unlock before others."""
        order: tuple[Verb, ...] = ("unlock", *VERBS)
        return next((verb for verb in order if verb in instance.capabilities.verbs), "unlock")


class Heard:
    """The reports of a controller so far, and how reading them ended."""

    def __init__(self, instance: Any) -> None:
        self.reports: list[DoorReport] = []
        self.error: BaseException | None = None
        self.task = asyncio.create_task(self._listen(instance), name="contract reader")

    async def _listen(self, instance: Any) -> None:
        try:
            async for report in instance.reports():
                self.reports.append(report)
        except VestibuleError as error:
            self.error = error


@contextlib.asynccontextmanager
async def _listening(instance: Any) -> AsyncIterator[Heard]:
    heard = Heard(instance)
    try:
        yield heard
    finally:
        heard.task.cancel()
        await asyncio.gather(heard.task, return_exceptions=True)


async def _hears(
    heard: Heard, wanted: Callable[[DoorReport], bool], within: float
) -> DoorReport | None:
    """The first report that is wanted; None when none came or reading ended."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while loop.time() < until:
        for report in heard.reports:
            if wanted(report):
                return report
        if heard.task.done():
            return None
        await asyncio.sleep(0.01)
    return None


async def _quiet(heard: Heard) -> None:
    """Wait until no report has come for a while."""
    count = -1
    while count != len(heard.reports):
        count = len(heard.reports)
        await asyncio.sleep(QUIET)
