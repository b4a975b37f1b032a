"""The drivers `onvif` and `axis` against their devices: the same doors, in two languages."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from hub import AccessReport, CommandFailed, Context, NotReady
from plugins.access_control import _read_back
from plugins.access_control._door_control import DoorControlDevice
from plugins.access_control.axis import AxisConfig, AxisDoors
from plugins.access_control.onvif import OnvifConfig, OnvifDoors
from tests.plugins.access_control.axis_device import AxisController
from tests.plugins.access_control.brokers import Listener, until
from tests.plugins.access_control.digest_gate import DigestGate
from tests.plugins.access_control.door_machines import ALL, Door
from tests.plugins.access_control.onvif_device import PATHS, TDC, TEV, OnvifController

SPOKEN = {
    "onvif": (OnvifController, OnvifDoors, OnvifConfig),
    "axis": (AxisController, AxisDoors, AxisConfig),
}


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    """Try again sooner than in a school."""
    monkeypatch.setattr(_read_back, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(_read_back, "LONGEST_RETRY_S", 0.1)
    monkeypatch.setattr(_read_back, "POLL_S", 0.02)


class Site:
    """A controller with three doors, and the driver with two of them."""

    def __init__(self, language):
        make, self._driver, self._config = SPOKEN[language]
        plain = tuple(each for each in ALL if each not in ("LockDown", "LockMonitor"))
        self.device = make(
            Door("d1", "Front"), Door("d2", "Gym", can=plain), Door("d3", "not ours")
        )
        self.doors = None
        self.heard = None

    def build(self, password="s3cret", **more):
        """The driver, not started."""
        config = self._config(
            host="127.0.0.1",
            port=self.device.port,
            tls=False,
            username="hub",
            password=password,
        )
        found = {"front": "d1", "gym": "d2"} | more
        devices = {door: DoorControlDevice(door=token) for door, token in found.items()}
        return self._driver(config, Context("here", devices=devices))

    async def begin(self, **more):
        """Start the driver and listen to it."""
        self.doors = self.build(**more)
        await self.doors.start()
        self.heard = Listener(self.doors)
        for door in ("front", "gym"):
            await self.heard.hears(door=door, online=True)

    async def still(self):
        """Wait until nobody asks and every report was read; says how many there were."""
        known, reports = self.doors._known.values(), self.doors._reports
        await until(
            lambda: (
                reports._queue.empty()
                and all(each.look is None or each.look.done() for each in known)
            )
        )
        return len(self.heard.heard)

    def machine(self, token="d1"):
        """A door of the device."""
        return self.device.doors.doors[token]

    async def answers(self, door, after, **facts):
        """The first answer with these facts among the reports after a number of them."""

        def found():
            for report in self.heard.heard[after:]:
                facts_ = {"door": door, "answers": True, **facts}
                if all(getattr(report, key, None) == value for key, value in facts_.items()):
                    return report
            return None

        return await until(found)


def without_events(site):
    """A device that tells nothing by itself."""
    if isinstance(site.device, OnvifController):
        site.device.services = set(PATHS) - {TEV}
    else:
        site.device.streams = False


@pytest.fixture(params=["onvif", "axis"])
async def site(request):
    """The device is up; the driver starts with `begin`."""
    made = Site(request.param)
    await made.device.start()
    yield made
    if made.heard is not None:
        await made.heard.stop()
        await made.doors.close()
    await made.device.stop()


async def test_a_lockdown_is_the_controllers_own_and_is_read_back(site):
    """The door is LockedDown at the device, and only then an answer says that it is locked."""
    await site.begin()
    told = await site.still()
    await site.doors.command("front", "lockdown", "k")
    await site.answers("front", told, lock="locked", position="closed", detail="lockdown")
    assert site.machine().mode == "LockedDown"
    told = await site.still()
    await site.doors.command("front", "lockdown_release", "k")
    await site.answers("front", told, lock="locked", detail="")
    assert site.machine().mode == "Locked"


async def test_a_door_held_open_is_released_before_its_lockdown(site):
    """The standard lets a LockedOpen door ignore a lockdown until it is released."""
    await site.begin()
    await site.doors.command("front", "hold_open", "k")
    assert site.machine().mode == "LockedOpen"
    told = await site.still()
    await site.doors.command("front", "lockdown", "k")
    await site.answers("front", told, lock="locked")
    assert site.machine().mode == "LockedDown"
    assert [done for done, _ in site.device.doors.done][-2:] == [
        "LockOpenReleaseDoor",
        "LockDownDoor",
    ]


async def test_a_door_without_a_lockdown_is_blocked(site):
    """Its credentials are kept out all the same, and the mode answers where no bolt can."""
    await site.begin()
    told = await site.still()
    await site.doors.command("gym", "lockdown", "k")
    report = await site.answers("gym", told, lock="locked")
    assert (site.machine("d2").mode, report.detail) == ("Blocked", "blocked")


@pytest.mark.parametrize("door", ["front", "gym"])
async def test_who_enters_in_lockdown_leaves_it_to_the_hub_to_ask_again(site, door):
    """One is let through, the door locks again and says that it is in no lockdown: the driver
    knows of no fire alarm, so it locks nothing by itself.
    """
    await site.begin()
    await site.doors.command(door, "lockdown", "k")
    await site.heard.hears(door=door, lock="locked", lockdown=True)
    told = await site.still()
    await site.doors.command(door, "momentary", "k")
    await site.answers(door, told, lock="unlocked", passage=True, lockdown=False)
    await site.answers(door, told, lock="locked", lockdown=False)
    assert [done for done, _ in site.device.doors.done][-1] == "AccessDoor"
    told = await site.still()
    await site.doors.command(door, "lockdown", "again")
    await site.answers(door, told, lock="locked", lockdown=True)


async def test_a_jam_is_told_as_one(site):
    """A bolt that does not come out is jammed, whatever the door is set to."""
    await site.begin()
    await site.doors.command("front", "unlock", "k")
    site.device.faults.jam.add("d1")
    told = await site.still()
    await site.doors.command("front", "lock", "k")
    report = await site.answers("front", told, lock="jammed")
    assert "fault of the lock" in report.detail
    assert site.machine().mode == "Locked"


async def test_a_slow_bolt_is_asked_again_until_it_is_out(site):
    """No answer says locked before the bolt is; nobody else has to ask meanwhile."""
    await site.begin()
    await site.doors.command("front", "unlock", "k")
    site.device.faults.lag = 0.1
    told = await site.still()
    await site.doors.command("front", "lockdown", "k")
    assert site.machine().mode == "Unlocked"
    await site.answers("front", told, lock="unlocked")
    await site.answers("front", told, lock="locked")
    assert site.machine().mode == "LockedDown"


async def test_a_command_that_is_taken_and_not_done_is_never_an_answer(site):
    """The device says yes and tells that it locked; asked, it is unlocked, and so we say."""
    await site.begin()
    await site.doors.command("front", "unlock", "k")
    await site.heard.hears(door="front", lock="unlocked", answers=True)
    site.device.faults.lie = True
    told = await site.still()
    await site.doors.command("front", "lockdown", "k")
    await site.answers("front", told, lock="unlocked")
    await site.doors.refresh("front")
    assert all(each.lock != "locked" for each in site.heard.heard[told:] if each.door == "front")


async def test_a_slow_bolt_is_seen_without_events(site, monkeypatch):
    """The driver looks again by itself after a command, long before the next poll."""
    monkeypatch.setattr(_read_back, "POLL_S", 600.0)
    without_events(site)
    await site.begin()
    site.device.faults.lag = 0.1
    told = await site.still()
    await site.doors.command("front", "lockdown", "k")
    assert site.machine().mode == "Locked"
    await site.answers("front", told, lock="locked", detail="lockdown")


async def test_a_state_from_before_a_command_answers_nothing(site):
    """What was true when it was asked may arrive after a command: it confirms nobody."""
    await site.begin()
    await site.still()
    held = site.device.faults.held_back = asyncio.Event()
    asking = asyncio.create_task(site.doors.refresh("front"))
    await until(lambda: site.device.faults.held_back is None)
    await site.doors.command("front", "unlock", "k")
    await site.doors.command("front", "lock", "k")
    site.machine().bolt = "Unlocked"  # it springs back at once
    told = len(site.heard.heard)
    held.set()
    await asking

    def late():
        return [each for each in site.heard.heard[told:] if each.lock == "locked"]

    await until(late)
    assert not any(each.answers for each in late())


async def test_a_lockdown_that_is_ignored_is_not_confirmed_by_a_bolt_that_is_out(site):
    """Locked is not LockedDown: no answer says so, and the words say what is lacking."""
    await site.begin()
    site.device.faults.lie = True
    told = await site.still()
    await site.doors.command("front", "lockdown", "k")
    await site.doors.refresh("front")
    await site.heard.hears(door="front", detail="locked, but not in lockdown")
    assert not any(each.answers for each in site.heard.heard[told:] if each.door == "front")


async def test_a_hand_on_the_key_and_an_opened_door_are_told(site):
    """What the controller tells by itself is reported at once where it is bad news."""
    await site.begin()
    await until(lambda: site.device.subscriptions)
    site.device.doors.by_hand("d1", "Unlocked")
    await site.heard.hears(door="front", lock="unlocked", answers=False)
    site.device.doors.swing("d1", "Open")
    await site.heard.hears(door="front", position="open")
    told = len(site.heard.heard)
    site.device.doors.by_hand("d1", "Locked")
    site.device.doors.swing("d1", "Closed")
    await site.answers("front", told, position="closed")


async def test_who_goes_in_is_told_without_number_or_name(site):
    """A card, a refusal and a call for help each come with a reference and nothing else."""
    await site.begin()
    await until(lambda: site.device.subscriptions)
    uses = site.device.doors
    uses.use("d1", "10482139")
    uses.use("d1", "10482140", "Denied/CredentialNotFound/Card")
    uses.use("d1", "10482139", "Duress")
    uses.use("d3", "10482139")  # a door of others

    def told():
        return [each for each in site.heard.heard if isinstance(each, AccessReport)]

    await until(lambda: len(told()) == 3)
    assert [each.access for each in told()] == ["granted", "denied", "duress"]
    assert {each.door for each in told()} == {"front"}
    first, other, again = (each.credential for each in told())
    assert first == again != other
    assert "1048213" not in repr(told())
    assert "Somebody" not in repr(told())


async def test_a_reboot_is_survived(site):
    """Its subscription is gone; it is made anew, and news come again."""
    await site.begin()
    await until(lambda: site.device.subscriptions)
    await site.device.reboot()
    await until(lambda: site.device.subscriptions)
    told = len(site.heard.heard)
    site.device.doors.by_hand("d1", "Unlocked")
    await until(lambda: any(each.lock == "unlocked" for each in site.heard.heard[told:]))


async def test_a_door_that_falls_out_of_its_lockdown_says_so(site):
    """Somebody ends the lockdown at the device: the bolt is still out, and badges enter again."""
    await site.begin()
    await site.doors.command("front", "lockdown", "k")
    await until(lambda: any(each.lockdown and each.answers for each in site.heard.heard))
    told = len(site.heard.heard)
    site.device.doors.operate("LockDownReleaseDoor", "d1")
    await site.doors.refresh("front")

    def fallen():
        heard = site.heard.heard[told:]
        return [each for each in heard if each.door == "front" and each.lockdown is False]

    await until(fallen)
    (fell, *_) = fallen()
    assert (fell.lock, fell.answers) == ("locked", False)


async def test_a_controller_that_goes_is_told_door_by_door(site):
    """Each door is offline with the reason, and a command is not handed over."""
    await site.begin()
    await until(lambda: site.device.subscriptions)
    await site.device.stop()
    for door in ("front", "gym"):
        report = await site.heard.hears(door=door, online=False)
        assert "127.0.0.1" in report.detail
    with pytest.raises(NotReady):
        await site.doors.command("front", "lock", "k")


async def test_a_line_that_drops_takes_no_command_for_done(site):
    """A request that is cut off is not ready, never done; afterwards all works."""
    await site.begin()
    site.device.faults.drop = True
    with pytest.raises(NotReady, match="broke"):
        await site.doors.command("front", "lockdown", "k")
    site.device.faults.drop = False
    told = await site.still()
    await site.doors.command("front", "lockdown", "k")
    await site.answers("front", told, lock="locked")


async def test_a_wrong_password_is_refused_in_words_and_not_tried_on_and_on(site):
    """Start is not ready with the reason; a running driver fails its command at once."""
    wrong = site.build(password="Guess-7f3a9e")
    with pytest.raises(NotReady, match="refused the user name or password") as refused:
        await wrong.start()
    assert "7f3a9e" not in str(refused.value) + repr(refused.value.__cause__)
    await wrong.close()
    await site.begin()
    gate = site.device.gate or site.device
    gate.password = "changed"
    if site.device is not gate:
        gate.forget()
    with pytest.raises(CommandFailed, match="refused the user name or password"):
        await site.doors.command("front", "unlock", "k")


async def test_an_answer_without_end_is_cut_off(site):
    """More than a megabyte is no answer, and costs no more than that."""
    await site.begin()
    site.device.faults.oversized = True
    with pytest.raises(NotReady, match=r"more than 1048576 bytes|broke"):
        await site.doors.refresh("front")
    site.device.faults.oversized = False
    await site.doors.refresh("front")


async def test_a_token_that_is_not_there_fails_for_its_own_door(site):
    """The reason lists what there is; the other door works."""
    await site.begin(side="d9")
    with pytest.raises(CommandFailed, match="no door d9; it has: d1, d2, d3"):
        await site.doors.command("side", "lock", "k")
    report = await site.heard.hears(door="side", lock="unknown")
    assert "no door d9" in report.detail
    await site.doors.command("front", "unlock", "k")


async def test_no_subscription_is_left_behind(site):
    """A device has room for few: ours is given back at the end."""
    await site.begin()
    await until(lambda: site.device.subscriptions)
    await site.doors.close()
    await until(lambda: not site.device.subscriptions)


async def test_doors_without_events_are_asked_again_and_again(site):
    """A hand on the key is seen all the same, as an answer."""
    without_events(site)
    await site.begin()
    assert not site.device.subscriptions
    told = len(site.heard.heard)
    site.device.doors.by_hand("d1", "Unlocked")
    await site.answers("front", told, lock="unlocked")


async def test_a_probe_says_how_each_door_is_and_moves_none(site):
    """It tells the states and what to mend, and leaves no subscription."""
    doors = site.build(side="d9")
    said = await doors.probe()
    await doors.close()
    assert "front locked" in said.found
    assert "side: the controller has no door d9" in said.found
    assert "side" in said.remedy
    assert (site.device.doors.done, site.device.subscriptions) == ([], 0)
    doors = site.build()
    said = await doors.probe()
    await doors.close()
    assert "gym has no sensor at its bolt" in said.remedy


async def test_doors_come_and_go_without_a_new_start(site):
    """A door that is adopted is asked at once; one that has gone is refused."""
    await site.begin()
    await site.doors.adopt(
        {"front": DoorControlDevice(door="d1"), "yard": DoorControlDevice(door="d3")}
    )
    await site.heard.hears(door="yard", lock="locked")
    with pytest.raises(CommandFailed, match="no door of this controller is named gym"):
        await site.doors.command("gym", "lock", "k")


async def test_a_clock_that_is_wrong_or_set_meanwhile_does_no_harm():
    """Tokens are made in the device's time; when that jumps it is learnt again."""
    made = Site("onvif")
    made.device.ahead = timedelta(hours=-3)
    await made.device.start()
    await made.begin()
    made.device.ahead = timedelta(days=400)
    await made.doors.command("front", "unlock", "k")
    site_time = made.doors._clock.now()
    await until(lambda: made.device.subscriptions)
    made.device.doors.swing("d1", "Open")
    report = await made.heard.hears(door="front", position="open")
    assert abs(report.time - site_time) < timedelta(seconds=60)
    await made.heard.stop()
    await made.doors.close()
    await made.device.stop()


async def test_a_controller_may_know_its_users_by_digest_alone():
    """Messages are then signed by HTTP and not in their header; the other way is refused."""
    device = OnvifController()
    device.gate = DigestGate("hub", "s3cret")
    await device.start()
    found = {"front": DoorControlDevice(door="d1")}
    where = {"host": "127.0.0.1", "port": device.port, "tls": False}
    for signed in (True, False):
        config = OnvifConfig(**where, username="hub", password="s3cret", sign_messages=signed)
        doors = OnvifDoors(config, Context("here", devices=found))
        if signed:
            with pytest.raises(NotReady, match="refused the user name or password"):
                await doors.start()
        else:
            await doors.start()
            await doors.command("front", "lockdown", "k")
            assert device.doors.doors["d1"].mode == "LockedDown"
        await doors.close()
    await device.stop()


WITHIN = b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY m "Locked">]>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY m SYSTEM "file:///etc/hostname">]>'
TYPED = b'<?xml version="1.0"?><!DOCTYPE s SYSTEM "http://192.0.2.1/s.dtd">'


@pytest.mark.parametrize(
    "hostile",
    [
        lambda raw: WITHIN + raw.replace(b"Locked", b"&m;"),
        lambda raw: OUTSIDE + raw.replace(b"Locked", b"&m;"),
        lambda raw: TYPED + raw,
        lambda raw: raw.replace(b"<DoorState>", b"<a>" * 200 + b"</a>" * 200 + b"<DoorState>"),
        lambda raw: raw.replace(b"<DoorState>", b"<a>" * 90_000 + b"</a>" * 90_000),
        lambda raw: raw[:-1],
        lambda raw: b"\xff\xfe\x00",
        lambda raw: b"",
        lambda raw: raw.replace(TDC.encode(), b"urn:other"),
    ],
    ids=[
        "entities",
        "outside",
        "document type",
        "nested",
        "deep",
        "cut",
        "bytes",
        "nothing",
        "another namespace",
    ],
)
async def test_hostile_xml_is_no_answer(hostile):
    """Entities, endless nesting and noise are not ready, in words; afterwards all works."""
    made = Site("onvif")
    await made.device.start()
    await made.begin()
    made.device.mangle = hostile
    with pytest.raises(NotReady, match=r"what is no SOAP|did not answer what was asked"):
        await made.doors.refresh("front")
    made.device.mangle = lambda raw: raw
    await made.doors.refresh("front")
    await made.heard.stop()
    await made.doors.close()
    await made.device.stop()


async def test_an_axis_controller_without_json_points_to_the_other_driver():
    """Old firmware answers 503: the reason says what to try."""
    made = Site("axis")
    made.device.speaks_json = False
    await made.device.start()
    doors = made.build()
    with pytest.raises(NotReady, match="try the driver `onvif`"):
        await doors.start()
    await doors.close()
    await made.device.stop()


async def test_a_controller_that_is_busy_does_not_hold_up_close():
    """A device that takes requests and never answers is left at once."""
    made = Site("onvif")
    await made.device.start()
    await made.begin()
    made.device.faults.deaf = True
    asking = asyncio.create_task(made.doors.refresh("front"))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):  # a question to the device has longer
        await made.doors.close()
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError, NotReady):
        await asking
    await made.heard.stop()
    await made.device.stop()
