"""The contract of an access controller."""

from __future__ import annotations

import asyncio
from typing import Any

from hub.errors import CommandFailed, NotReady
from hub.kinds.access_control import LOCK_VERBS, VERBS, Capabilities, Verb
from hub.testing.contract import Trial, needs, promise
from hub.testing.doors import DoorsUnderTest
from hub.testing.heard import QUIET, Heard, listening
from hub.testing.watch import overhear

FLOOD = 2500
HELD = 2048
LOOKS = 0.1  # seconds between two looks at what was dropped
NEVER_DROPS = 2.0  # seconds after which a driver that has dropped nothing is taken to drop nothing
SECURED = frozenset({"locked", "unknown"})  # unknown where a door cannot be read
CARDS = ("10482139", "10482140")


class AccessControllerContract(DoorsUnderTest):
    """What the hub relies on in an access controller.

    `doors` gives each door's `device:` block. Set `answers` to false where a lock cannot be asked
    for its state. `loss_told` is how long a lost device may go unnoticed.
    """

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
            promise(
                before.egress in (None, "free"),
                f"expected `egress` to be 'free' or None, found {before.egress!r}",
                "say 'free' where the maker promises it for every verb, else leave it out",
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
            for _ in range(2):
                for name, call in self.calls(instance).items():
                    if name not in self.reaches:
                        continue
                    result = await self.ends(name, call(), self.recovers)
                    promise(
                        isinstance(result, NotReady),
                        f"expected {name}() to raise NotReady while not started, found {result!r}",
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
            async with listening(instance) as heard:
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
        """Each report names a door of the configuration, has an aware time and is one thing:
        what was kept from before is no answer.
        """

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                for door in self.doors:
                    await self.in_time("refresh", instance.refresh(door))
                await heard.hears(lambda report: report.answers, QUIET)
                for report in heard.reports:
                    self._is_sound(report)

        self.run(scenario)

    def test_its_own_lockdown_reaches_every_door(self) -> None:
        """Where it has a lockdown of its own, each door answers that it is locked, and each
        answers again once that is over. Without one there is nothing to promise.
        """

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                whole = getattr(instance, "lockdown_all", None)
                if whole is None:
                    return
                await self._unlocked(instance, heard, *self.doors)
                for engaged, locks in ((True, SECURED), (False, None)):
                    before = len(heard.reports)
                    await self.in_time("lockdown_all", whole(engaged, f"contract {engaged}"))
                    for door in self.doors:
                        promise(
                            await self._asked(instance, heard, door, before, locks),
                            f"expected {door} to answer within {self.recovers:g} s of "
                            f"lockdown_all({engaged}), found {heard.reports[before:] or 'nothing'}",
                            "hand it to every door, and report what each says of itself",
                        )

        self.run(scenario)

    @needs("lie")
    def test_a_lie_is_not_believed(self) -> None:
        """A device that says it has locked, and has not, is never reported as locked."""

        async def scenario(trial: Trial) -> None:
            door = next(iter(self.doors))
            async with self.started(trial) as instance, listening(instance) as heard:
                await self._unlocked(instance, heard, door)
                await trial.device.lie(door)
                before = len(heard.reports)
                for verb in sorted(LOCK_VERBS & instance.capabilities.verbs):
                    told = len(heard.reports)
                    await self.ends("command", instance.command(door, verb, verb), self.recovers)
                    await self._asked(instance, heard, door, told, None)
                await asyncio.sleep(QUIET)
                false = [each for each in heard.since(before, door) if each.lock == "locked"]
                promise(
                    not false,
                    f"expected no report to say locked, found {false[:1]}",
                    "report what you read from the lock, not what you told it or it took",
                )

        self.run(scenario)

    @needs("vanish")
    def test_a_reboot_in_the_middle_of_a_command(self) -> None:
        """The command ends in a success or an error of hub, and then the driver works again."""

        async def scenario(trial: Trial) -> None:
            door = next(iter(self.doors))
            async with self.started(trial) as instance:
                await self.works(trial, instance)
                call = instance.command(door, self._verb(instance), "in the middle")
                command = asyncio.ensure_future(call)
                await asyncio.sleep(0)
                await trial.device.reboot()
                await self.ends("command", command, self.deadline)
                await self._working_again(trial, instance)

        self.run(scenario)

    @needs("use")
    def test_a_credential_is_referred_to_and_never_told(self) -> None:
        """A card that is used is told by a reference, the same each time; its number is nowhere."""

        async def scenario(trial: Trial) -> None:
            door = next(iter(self.doors))
            with overhear() as texts:
                async with self.started(trial) as instance, listening(instance) as heard:
                    await self.works_with(instance, heard)
                    for count, card in enumerate((*CARDS, CARDS[0]), start=1):
                        await trial.device.use(door, card)
                        promise(
                            await heard.until(lambda: len(heard.uses) >= count, self.recovers),  # noqa: B023
                            f"expected an AccessReport within {self.recovers:g} s of the use of "
                            f"a card, found {heard.uses or 'none'}",
                            "report each use of a credential as it comes",
                        )
                    await asyncio.sleep(QUIET)
                    texts.add("repr() of the driver", repr(instance))
            for report in heard.reports:
                texts.add("a report", report)
            for report in heard.uses:
                self._is_sound(report)
            for event in trial.events:
                texts.add("an event", event)
            first, other, again = (report.credential for report in heard.uses[:3])
            promise(
                first and first == again and first != other and len(heard.uses) == 3,
                f"expected one report for each use, with the same reference for the same card and "
                f"another for another, found {heard.uses}",
                "set credential=context.reference(number), and report each use once",
            )
            for where, text in texts.texts:
                for card in CARDS:
                    shown = (card, f"{int(card):x}", f"{int(card):X}")
                    promise(
                        not any(form in text for form in shown),
                        f"expected no number of a card to be shown, found one in {where}",
                        "leave out what the device was given; context.reference(number) tells "
                        "one card from another",
                    )

        self.run(scenario)

    @needs("vanish")
    def test_a_lost_device_is_told(self) -> None:
        """When the device goes a report says offline, or reports() raises NotReady."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                await self.works_with(instance, heard)
                await trial.device.vanish()
                told = await heard.hears(lambda report: not report.online, self.loss_told)
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
                async with listening(instance) as heard:
                    await heard.drained(lambda: _newest(heard) == "locked", self.recovers)
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
                promise(
                    _newest(heard) == "locked",
                    f"expected the newest report (locked) to be kept, found {_newest(heard)}",
                    "when the queue is full drop the oldest, never the newest",
                )

        self.run(scenario)

    async def _taken_in(self, instance: Any) -> None:
        """Wait until the driver has read what the device sent: it has dropped some and drops no
        more, or it drops none.
        """
        before, quiet = 0, 0.0
        while quiet < (3 * LOOKS if before else NEVER_DROPS):
            await asyncio.sleep(LOOKS)
            now = getattr(instance, "dropped", 0)
            quiet = quiet + LOOKS if now == before else 0.0
            before = now


def _newest(heard: Heard) -> str | None:
    """What the newest report that says anything of a lock says of it."""
    return next((each.lock for each in reversed(heard.doors) if each.lock is not None), None)
