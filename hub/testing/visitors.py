"""The contract of a visitor system."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from hub.errors import Refused
from hub.kinds.visitors import Screening, Visit, VisitorSystem, WalkIn
from hub.testing.contract import Trial, collapse, promise
from hub.testing.driven import DrivenContract

ODD_NAMES = ("", "Zoë O'Neill", "'; DROP TABLE visits; --", "\x00\u202e", "x" * 10_000)


class VisitorSystemContract(DrivenContract):
    """What the hub relies on in a visitor system. Its device or files must expect a visitor."""

    kind = "visitors"
    protocol = VisitorSystem

    def calls(self, instance: Any) -> Mapping[str, Callable[[], Awaitable[Any]]]:
        return {
            "visits": instance.visits,
            "screen": lambda: instance.screen("Visitor of the contract"),
            "check_in": lambda: instance.check_in("no-such-visit"),
            "check_out": lambda: instance.check_out("no-such-visit"),
        }

    async def works(self, trial: Trial, instance: Any) -> None:
        """It lists a visit."""
        __tracebackhide__ = True
        found = await instance.visits()
        promise(
            isinstance(found, list) and found and all(isinstance(each, Visit) for each in found),
            f"expected a list with a hub.Visit, found {found!r}",
            "give the contract a device, file or clock by which a visitor is expected today",
        )

    async def expected(self, instance: Any) -> Visit:
        """A visit that nobody came for yet."""
        __tracebackhide__ = True
        for visit in await self.in_time("visits", instance.visits()):
            if visit.state == "expected":
                return visit  # type: ignore[no-any-return]
        promise(False, "expected a visitor who is expected, found none", "expect one today")
        raise AssertionError

    def test_visits_are_in_order_and_timed(self) -> None:
        """Visits come by expected time, each with an id of its own and aware times."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                found = await self.in_time("visits", instance.visits())
                times = [visit.expected for visit in found]
                promise(
                    all(time.tzinfo for time in times) and times == sorted(times),
                    f"expected visits by expected time, found {[str(time) for time in times]}",
                    "use aware times and sort by `expected`",
                )
                ids = [visit.id for visit in found]
                promise(
                    all(ids) and len(set(ids)) == len(ids),
                    f"expected an id for each visit, found {ids}",
                    "give each an id that stays over restarts",
                )

        self.run(scenario)

    def test_screening_answers_any_name(self) -> None:
        """Whatever a visitor calls themselves, the answer is a Screening."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                for name in ODD_NAMES:
                    found = await self.ends("screen", instance.screen(name), self.recovers)
                    promise(
                        isinstance(found, Screening),
                        f"expected a hub.Screening for {collapse(repr(name), 40)}, found {found!r}",
                        "compare names as text only; no match is Screening(False)",
                    )

        self.run(scenario)

    def test_a_visit_goes_from_expected_to_here_to_left(self) -> None:
        """Check-in and check-out each work once, are refused else, and are told."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                visit = await self.expected(instance)
                await self._refuses(instance, "check_out", visit.id)
                here = await self.in_time("check_in", instance.check_in(visit.id))
                await self._is(here, visit, "here")
                await self._refuses(instance, "check_in", visit.id)
                gone = await self.in_time("check_out", instance.check_out(visit.id))
                await self._is(gone, visit, "left")
                for step in ("check_in", "check_out"):
                    await self._refuses(instance, step, visit.id)
                    await self._refuses(instance, step, "no-such-visit")
            told = [event.type for event in trial.events if event.subject == visit.id]
            promise(
                told == ["visitor.checked_in", "visitor.checked_out"],
                f"expected visitor.checked_in and then visitor.checked_out, found {told}",
                "publish each through context.publish, with the visit's id as subject",
            )

        self.run(scenario)

    def test_who_is_here_is_known_after_a_restart(self) -> None:
        """A visitor who checked in is still here when the hub starts again."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                visit = await self.expected(instance)
                await self.in_time("check_in", instance.check_in(visit.id))
            async with self.started(trial) as instance:
                found = await self.in_time("visits", instance.visits())
                states = [each.state for each in found if each.id == visit.id]
                promise(
                    states == ["here"],
                    f"expected the visitor to be here after a restart, found {states}",
                    "keep who is here in context.state before check_in() returns",
                )

        self.run(scenario)

    def test_who_comes_unannounced_is_expected_then_here(self) -> None:
        """Where it has `register`, somebody is on the list by it, and in by check-in alone."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                register = getattr(instance, "register", None)
                if register is None:
                    return
                until = self.clock().now() + timedelta(hours=1)
                walk_in = WalkIn("Visitor of the contract", "Office", "Meeting", until)
                visit = await self.in_time("register", register(walk_in))
                await self._is(visit, visit, "expected")
                listed = [each.id for each in await self.in_time("visits", instance.visits())]
                promise(
                    visit.id in listed,
                    f"expected visits() to have who was registered, found {listed}",
                    "keep who came unannounced beside those who are expected",
                )
                here = await self.in_time("check_in", instance.check_in(visit.id))
                await self._is(here, visit, "here")
                await self.in_time("check_out", instance.check_out(visit.id))

        self.run(scenario)

    async def _is(self, found: Any, visit: Visit, state: str) -> None:
        __tracebackhide__ = True
        promise(
            isinstance(found, Visit) and found.id == visit.id and found.state == state,
            f"expected the same visit, {state}, found {found!r}",
            "return the visit as it is now",
        )

    async def _refuses(self, instance: Any, step: str, visit: str) -> None:
        __tracebackhide__ = True
        result = await self.ends(step, getattr(instance, step)(visit), self.recovers)
        promise(
            isinstance(result, Refused),
            f"expected {step}() to be Refused for a visit in the wrong state, found {result!r}",
            "raise Refused with the reason",
        )
