"""Whatever happens at a controller, in whatever order: nothing says locked that is not."""

import asyncio
import contextlib
import random

import pytest

from hub import CommandFailed, DoorReport, NotReady
from plugins.access_control import _read_back
from tests.plugins.access_control.brokers import until
from tests.plugins.access_control.test_onvif_axis_doors import Site

VERBS = ("lock", "unlock", "momentary", "hold_open", "lockdown", "lockdown_release")
SHUT = {"lock": {"Locked", "Blocked", "LockedDown"}, "lockdown": {"Blocked", "LockedDown"}}
ANY = {"Locked", "Blocked", "LockedDown", "Unlocked", "LockedOpen", "Accessed"}
STEPS = (
    "command", "command", "command", "key", "door", "jam", "lie", "lag", "drop", "reboot", "mend",
)  # fmt: skip


class Truth:
    """What the device's doors really were, in order."""

    def __init__(self, site):
        self._site = site
        self.was = []
        doors = site.device.doors
        follow, by_hand = doors._follow, doors.by_hand

        def following(door, mode):
            follow(door, mode)
            self.note()

        def handed(token, bolt):
            by_hand(token, bolt)
            self.note()

        doors._follow, doors.by_hand = following, handed
        self.note()

    def note(self):
        """Remember how the front door is now."""
        door = self._site.machine()
        self.was.append((door.mode, door.bolt))

    def since(self, begin, verb):
        """Whether it was as a verb asks, at the beginning or at any time since."""
        modes = SHUT.get(verb, ANY)
        return any(m in modes and b == "Locked" for m, b in self.was[max(0, begin - 1) :])


async def one_day(site, count, seed):
    """So many random steps; returns how many answers confirmed a lock verb."""
    chance = random.Random(seed)
    await site.begin()
    truth, confirmed = Truth(site), 0
    for _ in range(count):
        step = chance.choice(STEPS)
        faults = site.device.faults
        verb = ""
        told, begin = await site.still(), len(truth.was)
        if step == "command":
            verb = chance.choice(VERBS)
            with contextlib.suppress(CommandFailed, NotReady):
                await site.doors.command("front", verb, "k")
            for _ in range(chance.randrange(3)):
                with contextlib.suppress(CommandFailed, NotReady):
                    await site.doors.refresh("front")
        elif step == "key":
            site.device.doors.by_hand("d1", chance.choice(("Locked", "Unlocked")))
        elif step == "door":
            site.device.doors.swing("d1", chance.choice(("Open", "Closed")))
        elif step == "jam":
            faults.jam = chance.choice((set(), {"d1"}))
        elif step == "lie":
            faults.lie = not faults.lie
        elif step == "lag":
            faults.lag = chance.choice((0.0, 0.02))
        elif step == "drop":
            faults.drop = True
        elif step == "reboot":
            await site.device.reboot()
        else:
            faults.drop = faults.lie = False
            faults.jam = set()
        await site.still()
        await as_it_is(site)
        for report in site.heard.heard[told:]:
            if not isinstance(report, DoorReport) or report.door != "front":
                continue
            if report.lock == "locked":
                assert truth.since(begin, verb if report.answers else ""), (seed, step, report)
                confirmed += report.answers and verb in SHUT
    return confirmed


async def as_it_is(site):
    """Soon the newest word on the lock is true, or says that nothing is known."""

    def agrees():
        for report in reversed(site.heard.heard):
            if not isinstance(report, DoorReport) or report.door != "front":
                continue
            if not report.online:
                return True
            if report.lock is not None:
                return report.lock != "locked" or site.machine().bolt == "Locked"
        return True

    await until(agrees)


@pytest.fixture(params=["onvif", "axis"])
async def site(request, monkeypatch):
    """A controller and its driver, brisk in trying again."""
    monkeypatch.setattr(_read_back, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(_read_back, "LONGEST_RETRY_S", 0.05)
    made = Site(request.param)
    await made.device.start()
    yield made
    await made.heard.stop()
    await made.doors.close()
    await made.device.stop()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_says_locked_that_is_not(site, seed):
    """In random order: commands, keys, jams, lies, delays, dropped lines and reboots."""
    assert await one_day(site, 40, seed) > 0


@pytest.mark.slow
async def test_nothing_says_locked_that_is_not_for_long(site):
    """Ten thousand steps between the two languages."""
    assert await one_day(site, 5000, 7) > 100
    await asyncio.sleep(0)
