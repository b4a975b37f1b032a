"""What all promises of an access controller use: its doors, its calls, asking until it answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Set
from typing import Any, ClassVar

from hub.errors import VestibuleError
from hub.kinds import Block
from hub.kinds.access_control import VERBS, AccessController, AccessReport, DoorReport, Verb
from hub.testing.contract import Trial, promise
from hub.testing.device import Device
from hub.testing.driven import DrivenContract
from hub.testing.heard import QUIET, Heard, listening

ASK_AGAIN = 0.2  # seconds between two questions


class DoorsUnderTest(DrivenContract):
    """A controller and its doors.

    `doors` gives each door's `device:` block. Set `answers` to false where a lock cannot be asked
    for its state. `loss_told` is how long a lost device may go unnoticed.
    """

    kind = "access_control"
    protocol = AccessController
    reaches = frozenset({"command", "lockdown_all"})
    doors: ClassVar[Mapping[str, Mapping[str, Any]]] = {"main": {}}
    answers: ClassVar[bool] = True
    loss_told: ClassVar[float] = 15.0

    def devices(self, device: Device) -> Mapping[str, Block]:
        """The doors' blocks, parsed."""
        model = self.driver.device or Block
        return {door: model.model_validate(block) for door, block in self.doors.items()}

    def calls(self, instance: Any) -> Mapping[str, Callable[[], Awaitable[Any]]]:
        door, verb = next(iter(self.doors)), self._verb(instance)
        found: dict[str, Callable[[], Awaitable[Any]]] = {
            "command": lambda: instance.command(door, verb, "contract"),
            "refresh": lambda: instance.refresh(door),
        }
        whole = getattr(instance, "lockdown_all", None)
        if whole is not None:
            found["lockdown_all"] = lambda: whole(False, "contract")
        return found

    async def works(self, trial: Trial, instance: Any) -> None:
        """A door takes a command, and reports when it is asked."""
        __tracebackhide__ = True
        door = next(iter(self.doors))
        async with listening(instance) as heard:
            await instance.command(door, self._verb(instance), "contract")
            await instance.refresh(door)
            if self.answers:
                promise(
                    await heard.hears(lambda report: report.answers, self.recovers),
                    f"expected a report that answers refresh() within {self.recovers:g} s, "
                    f"found {heard.reports or 'none'}",
                    "report what the device says, with answers=True, after each refresh()",
                )

    async def works_with(self, instance: Any, heard: Heard) -> None:
        """The first report has come, so that what follows is news."""
        await instance.refresh(next(iter(self.doors)))
        await heard.hears(lambda report: report.online, self.recovers if self.answers else QUIET)

    async def _unlocked(self, instance: Any, heard: Heard, *doors: str) -> None:
        """These doors are unlocked, if they can be, so that locking them is seen."""
        __tracebackhide__ = True
        for door in doors if "unlock" in instance.capabilities.verbs else ():
            before = len(heard.reports)
            await self.in_time("command", instance.command(door, "unlock", "contract"))
            promise(
                await self._asked(instance, heard, door, before, {"unlocked"}) or not self.answers,
                f"expected {door} to answer that it is unlocked within {self.recovers:g} s, found "
                f"{heard.reports[before:] or 'nothing'}",
                "report what the device says, with answers=True, after each refresh()",
            )

    async def _asked(
        self, instance: Any, heard: Heard, door: str, before: int, locks: Set[str] | None
    ) -> bool:
        """Ask a door again and again, as the hub does, until it answers with one of these locks
        (with anything for None) in a report after the first `before`.
        """

        def found() -> bool:
            reports = heard.since(before, door)
            return any(
                (report.answers or not self.answers) and (locks is None or report.lock in locks)
                for report in reports
            )

        loop = asyncio.get_running_loop()
        until = loop.time() + (self.recovers if self.answers else QUIET)
        while loop.time() < until and not heard.task.done():
            with contextlib.suppress(VestibuleError):
                await self.in_time("refresh", instance.refresh(door))
            if await heard.until(found, ASK_AGAIN):
                return True
        return False

    def _is_sound(self, report: Any) -> None:
        __tracebackhide__ = True
        promise(
            isinstance(report, DoorReport | AccessReport)
            and report.door in self.doors
            and report.time.tzinfo is not None,
            f"expected a report of {sorted(self.doors)} with an aware time, found {report}",
            "map the device's own names to door ids; take context.clock.now()",
        )
        promise(
            not (isinstance(report, DoorReport) and report.remembered and report.answers),
            f"expected no answer to be remembered, found {report}",
            "say answers=False of what was kept from before",
        )

    def _verb(self, instance: Any) -> Verb:
        """A verb that moves nothing far: of those it takes, unlock before others."""
        order: tuple[Verb, ...] = ("unlock", *VERBS)
        return next((verb for verb in order if verb in instance.capabilities.verbs), "unlock")
