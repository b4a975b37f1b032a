"""The contract of access controllers: the fake panel passes, bad ones fail for what is bad."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from hub import (
    AccessReport,
    Block,
    Capabilities,
    CommandFailed,
    DoorReport,
    Driver,
    NotReady,
)
from hub.testing import (
    AccessControllerContract,
    Device,
    FakeDoorPanel,
    access_control,
    doors,
    heard,
    watch,
)
from tests.hub.testing.broken_promises import failing, on


@pytest.fixture(autouse=True)
def soon_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The panels here report at once, so that one need not listen long for more."""
    for module in (access_control, doors, heard):
        monkeypatch.setattr(module, "QUIET", 0.05)
    monkeypatch.setattr(access_control, "LOOKS", 0.02)
    monkeypatch.setattr(access_control, "NEVER_DROPS", 0.2)
    monkeypatch.setattr(watch, "RESTS", 0.02)


class Nothing(Block):
    """There is nothing to set."""


class Line(Device):
    """The line to the panels that were built in a test."""

    panels: ClassVar[list[FakeDoorPanel]] = []

    async def start(self) -> None:
        self.panels.clear()

    async def vanish(self) -> None:
        for panel in self.panels:
            panel.cut()

    async def come_back(self) -> None:
        for panel in self.panels:
            panel.mend()

    async def flood(self, door: str, count: int) -> None:
        for number in range(count):
            self.panels[0].turn(door, "locked" if number == count - 1 else "unlocked")

    async def lie(self, door: str) -> None:
        self.panels[-1].lies.add(door)

    async def use(self, door: str, number: str) -> None:
        self.panels[-1].use(door, number)


def panel(kind: type[FakeDoorPanel] = FakeDoorPanel) -> Driver:
    """A driver for a kind of panel."""

    def build(config: Nothing, context: Any) -> FakeDoorPanel:
        made = kind(context.devices, context.clock, context.reference)
        Line.panels.append(made)
        return made

    return Driver("panel", build, Nothing, "Doors that a test moves", device=Nothing)


class PanelContract(AccessControllerContract):
    device = Line
    doors = MappingProxyType({"main": {}, "yard": {}})
    deadline = 0.2
    grace = 0.5
    recovers = 1.0
    loss_told = 0.5


def test_the_fake_panel_passes() -> None:
    """What tests play with keeps the contract itself."""
    assert failing(on(PanelContract, panel())) == set()


class Changing(FakeDoorPanel):
    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return replace(FakeDoorPanel.capabilities, has_position=not self._started)


class OwnVerb(FakeDoorPanel):
    capabilities = Capabilities(frozenset({"unlock", "lock", "bolt"}))  # type: ignore[arg-type]
    lockdown_all = None  # type: ignore[assignment]

    async def command(self, door: str, verb: Any, key: str) -> None:
        if verb not in self.capabilities.verbs:
            raise CommandFailed("the panel does not know this verb")
        await super().command(door, verb, key)


class AnyDoor(FakeDoorPanel):
    async def command(self, door: str, verb: Any, key: str) -> None:
        if door in self.locks:
            await super().command(door, verb, key)


class AnyVerb(FakeDoorPanel):
    capabilities = Capabilities(frozenset({"unlock", "lock"}))


class AnyTime(FakeDoorPanel):
    async def command(self, door: str, verb: Any, key: str) -> None:
        if self._started or not self._line_up or door not in self.locks:
            await super().command(door, verb, key)


class EndlessReports(FakeDoorPanel):
    async def close(self) -> None:
        self._started = False


class ForeignDoor(FakeDoorPanel):
    def report(self, door: str, **facts: Any) -> None:
        super().report(door, **facts)
        self._push(DoorReport("DOOR_07", self._clock.now()))


class NaiveTime(FakeDoorPanel):
    def _push(self, report: DoorReport | None) -> None:
        super()._push(report and replace(report, time=report.time.replace(tzinfo=None)))


class SilentLoss(FakeDoorPanel):
    def cut(self) -> None:
        self._line_up = False


class Unbounded(FakeDoorPanel):
    def _push(self, report: DoorReport | None) -> None:
        self._reports._maxsize = 0  # type: ignore[attr-defined]
        self.dropped += 1
        self._reports.put_nowait(report)


class Uncounted(FakeDoorPanel):
    def _push(self, report: DoorReport | None) -> None:
        super()._push(report)
        self.dropped = 0


class KeepsOldest(FakeDoorPanel):
    def _push(self, report: DoorReport | None) -> None:
        if self._reports.full() and report is not None:
            self.dropped += 1
        else:
            super()._push(report)


class NeverAnswers(FakeDoorPanel):
    async def refresh(self, door: str) -> None:
        self._linked(door)

    async def command(self, door: str, verb: Any, key: str) -> None:
        self._linked(door)


class SaysDone(FakeDoorPanel):
    async def command(self, door: str, verb: Any, key: str) -> None:
        if not self._started or door not in self.locks or self._line_up:
            await super().command(door, verb, key)


class StaysAway(FakeDoorPanel):
    lost = False

    def cut(self) -> None:
        self.lost = self._started
        super().cut()

    def mend(self) -> None:
        if not self.lost:
            super().mend()

    async def start(self) -> None:
        if self.lost:
            raise NotReady("the panel was lost once")
        await super().start()


class ToldIsDone(FakeDoorPanel):
    async def command(self, door: str, verb: Any, key: str) -> None:
        await super().command(door, verb, key)
        if verb in ("lock", "lockdown"):
            self.report(door, lock="locked")


class ForgetsADoor(FakeDoorPanel):
    async def lockdown_all(self, engaged: bool, key: str) -> None:
        await self.command("main", "lockdown" if engaged else "lockdown_release", key)


class LockdownAnyTime(FakeDoorPanel):
    async def lockdown_all(self, engaged: bool, key: str) -> None:
        if self._started or not self._line_up:
            await super().lockdown_all(engaged, key)


class LockdownForEver(FakeDoorPanel):
    async def lockdown_all(self, engaged: bool, key: str) -> None:
        await super().lockdown_all(engaged, key)
        if engaged:
            await asyncio.sleep(60)


class FallsWithTheLine(FakeDoorPanel):
    lost = 0

    def cut(self) -> None:
        self.lost += 1
        super().cut()

    async def command(self, door: str, verb: Any, key: str) -> None:
        before = self.lost
        await super().command(door, verb, key)
        if key == "in the middle":
            await asyncio.sleep(0.01)
        if self.lost != before:
            raise ConnectionResetError("the line was cut")


class TellsTheNumber(FakeDoorPanel):
    def use(self, door: str, number: str, access: Any = "granted") -> None:
        used = AccessReport(door, self._clock.now(), access, self._reference(number), number)
        self._push(used)


class NumberForReference(FakeDoorPanel):
    def use(self, door: str, number: str, access: Any = "granted") -> None:
        self._push(AccessReport(door, self._clock.now(), access, f"{int(number):x}"))


class AnyoneAtTheDoor(FakeDoorPanel):
    def use(self, door: str, number: str, access: Any = "granted") -> None:
        self._push(AccessReport(door, self._clock.now(), access))


class NothingOfCards(FakeDoorPanel):
    def use(self, door: str, number: str, access: Any = "granted") -> None:
        self.report(door, passage=True)


class ForeignCardReader(FakeDoorPanel):
    def use(self, door: str, number: str, access: Any = "granted") -> None:
        super().use("READER_02", number, access)


class OldIsNew(FakeDoorPanel):
    async def refresh(self, door: str) -> None:
        self._linked(door)
        self.report(door, answers=True, remembered=True)


BAD: dict[str, tuple[type[FakeDoorPanel], set[str]]] = {
    "capabilities change": (Changing, {"capabilities_are_a_constant"}),
    "a verb of its own": (OwnVerb, {"capabilities_are_a_constant"}),
    "an unknown door is taken": (AnyDoor, {"what_it_cannot_do_is_refused"}),
    "an unknown verb is taken": (AnyVerb, {"what_it_cannot_do_is_refused"}),
    "a command before start is taken": (AnyTime, {"a_command_before_start_is_not_taken"}),
    "reports never end": (EndlessReports, {"reports_end_when_it_is_closed"}),
    "a door nobody knows": (ForeignDoor, {"reports_are_of_its_doors_and_timed"}),
    "a time without a zone": (
        NaiveTime,
        {"reports_are_of_its_doors_and_timed", "a_credential_is_referred_to_and_never_told"},
    ),
    "a loss is not told": (SilentLoss, {"a_lost_device_is_told"}),
    "reports without bound": (Unbounded, {"a_flood_of_reports_stays_bounded_and_counted"}),
    "reports lost uncounted": (Uncounted, {"a_flood_of_reports_stays_bounded_and_counted"}),
    "the oldest report is kept": (KeepsOldest, {"a_flood_of_reports_stays_bounded_and_counted"}),
    "a command is taken without a line": (SaysDone, {"the_device_disappears_and_returns"}),
    "never back": (
        StaysAway,
        {"the_device_disappears_and_returns", "a_reboot_in_the_middle_of_a_command"},
    ),
    "told is taken for done": (ToldIsDone, {"a_lie_is_not_believed"}),
    "a door is left out of a lockdown": (ForgetsADoor, {"its_own_lockdown_reaches_every_door"}),
    "a lockdown before start is taken": (
        LockdownAnyTime,
        {"a_command_before_start_is_not_taken"},
    ),
    "a lockdown never ends": (LockdownForEver, {"its_own_lockdown_reaches_every_door"}),
    "a reboot is a foreign error": (FallsWithTheLine, {"a_reboot_in_the_middle_of_a_command"}),
    "the number of a card is told": (
        TellsTheNumber,
        {"a_credential_is_referred_to_and_never_told"},
    ),
    "the number is the reference": (
        NumberForReference,
        {"a_credential_is_referred_to_and_never_told"},
    ),
    "cards without a reference": (AnyoneAtTheDoor, {"a_credential_is_referred_to_and_never_told"}),
    "cards are not told": (NothingOfCards, {"a_credential_is_referred_to_and_never_told"}),
    "a card at a door nobody knows": (
        ForeignCardReader,
        {"a_credential_is_referred_to_and_never_told"},
    ),
    "what is remembered is an answer": (OldIsNew, {"reports_are_of_its_doors_and_timed"}),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_controller_fails_for_what_is_bad_about_it(bad: str) -> None:
    """Each promise that is broken is named by its test, and no other test is: of those of a
    controller, and of all where more than a controller's are broken.
    """
    kind, expected = BAD[bad]
    of_a_controller = {f"test_{name}" for name in expected} <= vars(AccessControllerContract).keys()
    of = AccessControllerContract if of_a_controller else None
    assert failing(on(PanelContract, panel(kind)), of) == expected


def test_a_lock_that_never_answers_is_found_at_once() -> None:
    """Whatever needs a working lock says that no answer came."""
    found = failing(on(PanelContract, panel(NeverAnswers), recovers=0.2))
    assert "it_works_again_after_it_was_closed" in found
    assert "capabilities_are_a_constant" not in found


def test_tests_a_device_cannot_serve_are_left_out_and_named() -> None:
    """A contract says which troubles its device lacks; a later device brings the tests back."""
    bare = on(PanelContract, panel(), device=Device)
    assert bare.left_out == MappingProxyType(  # type: ignore[attr-defined]
        {
            "test_a_silent_device_holds_no_call": ("fall_silent",),
            "test_a_start_without_the_device_can_be_repeated": ("vanish",),
            "test_the_device_disappears_and_returns": ("vanish",),
            "test_nonsense_from_the_device_is_a_plain_failure": ("speak_nonsense",),
            "test_a_lost_device_is_told": ("vanish",),
            "test_a_reboot_in_the_middle_of_a_command": ("vanish",),
            "test_a_lie_is_not_believed": ("lie",),
            "test_a_flood_of_reports_stays_bounded_and_counted": ("flood",),
        }
    )
    assert bare.test_a_lost_device_is_told is None  # type: ignore[attr-defined]
    card = "test_a_credential_is_referred_to_and_never_told"
    assert getattr(bare, card) is None, "left out without a word: not every lock has a reader"
    again = on(bare, panel(), device=Line)
    assert callable(again.test_a_lost_device_is_told)  # type: ignore[attr-defined]
    assert callable(getattr(again, card))


async def test_the_panel_says_what_a_test_makes_its_doors_do() -> None:
    """Opening, shutting, jamming, refusing and a cut line are reported as a controller does."""
    doors = FakeDoorPanel(["main"])
    await doors.start()
    doors.open("main")
    doors.shut("main")
    doors.turn("main", "jammed")
    doors.refuses["main"] = "the bolt is stuck"
    with pytest.raises(CommandFailed, match="stuck"):
        await doors.command("main", "lock", "k")
    doors.refuses.clear()
    await doors.command("main", "unlock", "k")
    assert list(doors.commands) == [("main", "unlock", "k")]
    doors.cut()
    heard: list[DoorReport] = []

    async def listen() -> None:
        async for report in doors.reports():
            heard.append(report)

    with pytest.raises(NotReady, match="cut"):
        await asyncio.wait_for(listen(), 20)
    told = [(report.lock, report.position, report.online) for report in heard]
    assert told == [
        ("locked", "closed", True), ("locked", "open", True), ("locked", "closed", True),
        ("jammed", "closed", True), ("unlocked", "closed", True), (None, None, False),
    ]  # fmt: skip
