"""The driver `twon` against its device: verbs by their meaning, not by their name."""

import asyncio

import pytest

from hub import AccessReport, CommandFailed, Context, NotReady
from plugins.access_control import _read_back
from plugins.access_control._twon_access import SESSIONS, Uses
from plugins.access_control._twon_api import Switch
from plugins.access_control.twon import TwoNConfig, TwoNDevice, TwoNDoors, actions, seen
from tests.plugins.access_control.brokers import Listener, until
from tests.plugins.access_control.twon_device import SwitchOfDevice, TwoNUnit

REST = Switch(active=False, locked=False, held=False)
HELD = Switch(active=True, locked=False, held=True)
FORCED = Switch(active=False, locked=True, held=False)
FORCED_AND_HELD = Switch(active=False, locked=True, held=True)
TRIGGERED = Switch(active=True, locked=False, held=False)


@pytest.mark.parametrize(
    ("verb", "switch", "done"),
    [
        ("lock", REST, []),
        ("lock", HELD, ["release"]),
        ("lock", TRIGGERED, ["off"]),
        ("lock", FORCED, []),
        ("unlock", REST, ["hold"]),
        ("unlock", FORCED, ["unlock", "hold"]),
        ("hold_open", REST, ["hold"]),
        ("momentary", REST, ["trigger"]),
        ("momentary", HELD, []),
        ("momentary", FORCED, ["unlock", "trigger"]),
        ("momentary", FORCED_AND_HELD, ["unlock"]),
        ("lockdown", HELD, ["lock"]),
        ("lockdown_release", FORCED, ["unlock"]),
        ("lockdown_release", FORCED_AND_HELD, ["unlock"]),
        ("lockdown_release", REST, []),
    ],
)
def test_a_verb_is_done_by_its_meaning(verb, switch, done):
    """2N's `lock` forces the relay to rest: it is our lockdown, and never our lock."""
    assert actions(verb, switch, bistable=False) == done


def test_only_a_relay_at_rest_is_locked():
    """Active is unlocked whatever else is said; held and yet at rest is unknown."""
    assert seen(REST).lock == "locked"
    assert seen(FORCED).lock == seen(FORCED_AND_HELD).lock == "locked"
    assert seen(HELD).lock == seen(TRIGGERED).lock == "unlocked"
    assert seen(Switch(active=True, locked=True, held=False)).lock == "unlocked"
    assert seen(Switch(active=False, locked=False, held=True)).lock == "unknown"


def test_locked_is_no_lockdown():
    """Only what 2N calls locked keeps credentials out."""
    assert "lockdown" not in seen(REST).does
    assert "lockdown" in seen(FORCED).does
    assert "lockdown" not in seen(Switch(active=True, locked=True, held=False)).does


def test_one_passage_is_refused_where_it_would_last():
    """A bistable switch would stay open."""
    with pytest.raises(CommandFailed, match="bistable"):
        actions("momentary", REST, bistable=True)


def test_one_use_of_a_card_is_told_once():
    """What was entered and what came of it are one; strangers and calls for help too."""
    uses = Uses(lambda text: f"<{text}>")
    card = {"session": 1, "uid": "77", "valid": True}
    assert uses.hear("CardEntered", card) is None
    granted = uses.hear("UserAuthenticated", {"session": 1, "uuid": "u"})
    assert (granted.access, granted.credential) == ("granted", "<77>")
    denied = uses.hear("CardEntered", {"session": 2, "uid": "78", "valid": False})
    assert (denied.access, denied.credential) == ("denied", "<78>")
    assert uses.hear("UserRejected", {"session": 2}) is None
    assert uses.hear("UserRejected", {"session": 3, "uuid": "v"}).access == "denied"
    forced = uses.hear("SilentAlarm", {"session": 1, "uuid": "u"})
    assert (forced.access, forced.credential) == ("duress", "<77>")
    assert uses.hear("MotionDetected", {"state": "in"}) is None


def test_a_code_is_never_used_for_a_reference():
    """Four digits could be guessed back; the holder's own id stands for them."""
    uses = Uses(lambda text: f"<{text}>")
    uses.hear("CodeEntered", {"session": 1, "code": "4711", "uuid": "u", "valid": True})
    assert uses.hear("UserAuthenticated", {"session": 1}).credential == "<u>"
    uses.hear("CodeEntered", {"session": 2, "code": "4712", "valid": True})
    assert uses.hear("UserAuthenticated", {"session": 2}).credential == ""


def test_sessions_are_not_kept_for_ever():
    """A log that never ends takes no more room than its last sessions."""
    uses = Uses(str)
    for session in range(SESSIONS * 3):
        uses.hear("CardEntered", {"session": session, "uid": "7", "valid": False})
    assert len(uses._entered) == len(uses._told) == SESSIONS


@pytest.fixture
async def unit():
    """A device with a door opener, a gate that toggles, and a switch that is not in use."""
    made = TwoNUnit(
        SwitchOfDevice(1), SwitchOfDevice(2, mode="bistable"), SwitchOfDevice(3, enabled=False)
    )
    await made.start()
    yield made
    await made.stop()


def driver(unit, password="s3cret", **devices):
    """The driver, not started; without devices one door with a contact."""
    config = TwoNConfig(
        host="127.0.0.1", port=unit.port, tls=False, username="hub", password=password
    )
    found = devices or {"front": {"switch": 1, "contact": "input1"}}
    parsed = {door: TwoNDevice(**device) for door, device in found.items()}
    return TwoNDoors(config, Context("here", devices=parsed))


@pytest.fixture
async def doors(unit, monkeypatch):
    """The driver at work, and all it reports."""
    monkeypatch.setattr(_read_back, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(_read_back, "POLL_S", 0.02)
    made = driver(unit)
    await made.start()
    made.heard = Listener(made)
    await made.heard.hears(door="front", online=True)
    yield made
    await made.heard.stop()
    await made.close()


async def still(doors):
    """Wait until nobody asks and every report was read; says how many there were."""
    await until(
        lambda: (
            doors._reports._queue.empty()
            and all(each.look is None or each.look.done() for each in doors._known.values())
        )
    )
    return len(doors.heard.heard)


async def answer(doors, after, **facts):
    """The first answer with these facts among the reports after a number of them."""
    wanted = {"answers": True, **facts}

    def found():
        for report in doors.heard.heard[after:]:
            if all(getattr(report, key, None) == value for key, value in wanted.items()):
                return report
        return None

    return await until(found)


async def test_lock_unlock_and_lockdown_at_the_device(unit, doors):
    """Each verb leaves the switch as it means, and the relay's own state answers."""
    for verb, lock, state in (
        ("unlock", "unlocked", (True, False, True)),
        ("lockdown", "locked", (False, True, True)),
        ("lockdown_release", "unlocked", (True, False, True)),
        ("lock", "locked", (False, False, False)),
    ):
        told = await still(doors)
        await doors.command("front", verb, "k")
        await answer(doors, told, lock=lock, position="closed")
        switch = unit.switches[1]
        assert (switch.active, switch.locked, switch.held) == state, verb
    assert unit.turned == [(1, "hold"), (1, "lock"), (1, "unlock"), (1, "release")]


async def test_one_passage_ends_by_itself(unit, doors):
    """The relay falls back after the device's own time, and that is told."""
    told = await still(doors)
    await doors.command("front", "momentary", "k")
    report = await answer(doors, told, lock="unlocked")
    assert report.passage
    await answer(doors, told, lock="locked")
    assert unit.turned == [(1, "trigger")]


async def test_who_enters_in_lockdown_leaves_it_to_the_hub_to_ask_again(unit, doors):
    """One is let through, and then the device says that it is in no lockdown: the driver, which
    knows of no fire alarm, forces nothing to rest by itself.
    """
    await doors.command("front", "lockdown", "k")
    await doors.heard.hears(door="front", lock="locked", lockdown=True)
    told = await still(doors)
    await doors.command("front", "momentary", "k")
    await answer(doors, told, lock="unlocked", lockdown=False)
    await answer(doors, told, lock="locked", lockdown=False)
    assert unit.turned == [(1, "lock"), (1, "unlock"), (1, "trigger")]


async def test_the_relay_is_all_that_is_known_and_it_is_said(unit, doors):
    """A relay at rest is no bolt that was seen."""
    report = await doors.heard.hears(door="front", lock="locked")
    assert report.detail == "by its relay: nothing looks at the bolt"


async def test_a_relay_that_sticks_is_never_locked(unit, doors):
    """The device took the lockdown; its relay is still active, so it is unlocked."""
    await doors.command("front", "unlock", "k")
    await doors.heard.hears(lock="unlocked", answers=True)
    unit.faults.jam.add("1")
    told = await still(doors)
    await doors.command("front", "lockdown", "k")
    report = await answer(doors, told, lock="unlocked")
    assert "the relay is still active" in report.detail
    assert all(each.lock != "locked" for each in doors.heard.heard[told:])


async def test_a_slow_device_is_asked_again(unit, doors):
    """The answer comes once the relay has followed, without anybody asking."""
    await doors.command("front", "unlock", "k")
    unit.faults.lag = 0.1
    told = await still(doors)
    await doors.command("front", "lock", "k")
    await answer(doors, told, lock="locked")


async def test_the_contact_and_the_case_are_told(unit, doors):
    """An opened door and a case that is opened are news at once."""
    await until(lambda: unit.subscriptions)
    unit.swing(0)
    await doors.heard.hears(position="open")
    unit.log("TamperSwitchActivated", state="in")
    await doors.heard.hears(tampered=True)
    unit.log("RexActivated", ap=1)
    await doors.heard.hears(passage=True)
    told = await still(doors)
    unit.swing(1)
    await answer(doors, told, position="closed")


async def test_who_goes_in_is_told_at_the_right_door(unit):
    """With two doors a use is told at the one that names its access point, or at none."""
    made = driver(unit, front={"switch": 1, "access_points": [0]}, gate={"switch": 2})
    await made.start()
    heard = Listener(made)
    await until(lambda: unit.subscriptions)
    unit.use("10482139", session=1, ap=1)
    unit.use("10482139", session=2, ap=0)

    def told():
        return [each for each in heard.heard if isinstance(each, AccessReport)]

    await until(told)
    assert [(each.door, each.access) for each in told()] == [("front", "granted")]
    assert "10482139" not in repr(told())
    await heard.stop()
    await made.close()


async def test_a_reboot_is_survived(unit, doors):
    """The log's channel is gone; it is opened anew, and the state read again."""
    await until(lambda: unit.subscriptions)
    await doors.command("front", "unlock", "k")
    await unit.reboot()
    await until(lambda: unit.subscriptions)
    told = await still(doors)
    unit.swing(0)
    await until(lambda: any(each.position == "open" for each in doors.heard.heard[told:]))


async def test_a_device_without_a_log_is_asked_again_and_again(unit, doors, monkeypatch):
    """Its state is seen all the same where the log is not licensed or not allowed."""
    await doors.close()
    unit.missing["/api/log/subscribe"] = 5
    await doors.heard.stop()
    await doors.start()
    doors.heard = Listener(doors)
    await doors.heard.hears(lock="locked")
    unit.switches[1].on = True
    unit._show(unit.switches[1])
    await doors.heard.hears(lock="unlocked", answers=True)


async def test_what_the_device_lacks_is_refused_in_words(unit):
    """A switch that is not in use, a bistable one, a missing privilege: each has its reason."""
    made = driver(unit, off={"switch": 3}, gate={"switch": 2}, odd={"switch": 1, "contact": "x"})
    await made.start()
    with pytest.raises(CommandFailed, match="no switch 3 in use; it has: 1, 2"):
        await made.command("off", "lock", "k")
    with pytest.raises(CommandFailed, match="bistable"):
        await made.command("gate", "momentary", "k")
    with pytest.raises(CommandFailed, match="no such switch, port or channel"):
        await made.refresh("odd")
    unit.missing["/api/switch/ctrl"] = 10
    with pytest.raises(CommandFailed, match="lacks the privilege"):
        await made.command("gate", "unlock", "k")
    await made.close()


async def test_a_probe_moves_nothing_and_says_what_to_mend(unit):
    """It names the states, a bistable switch, and doors whose visitors cannot be told apart."""
    made = driver(unit, front={"switch": 1}, gate={"switch": 2}, off={"switch": 3})
    said = await made.probe()
    await made.close()
    assert "front locked" in said.found
    assert "off: the device has no switch 3" in said.found
    assert "off" in said.remedy
    made = driver(unit, front={"switch": 1}, gate={"switch": 2})
    said = await made.probe()
    await made.close()
    assert "gate: its switch is bistable" in said.remedy
    assert "name its `access_points`" in said.remedy
    assert (unit.turned, unit.subscriptions) == ([], 0)


async def test_a_nonce_that_is_dropped_is_no_wrong_password(unit):
    """A device that forgets its nonces when requests cross refuses nobody for good."""
    made = driver(unit, front={"switch": 1, "contact": "input1"}, gate={"switch": 2})
    await made.start()
    unit.gate.narrow = True
    for _ in range(10):
        await asyncio.gather(*(made.refresh(door) for door in ("front", "gate") * 2))
        await made.command("front", "lock", "k")
    await made.close()


async def test_a_wrong_password_is_refused_in_words(unit):
    """By the digest, and by the device's own numbers in an answer with status 200."""
    made = driver(unit, password="Guess-7f3a9e")
    with pytest.raises(NotReady, match="refused the user name or password") as refused:
        await made.start()
    assert "7f3a9e" not in str(refused.value)
    await made.close()
    unit.missing["/api/switch/caps"] = 9
    made = driver(unit)
    with pytest.raises(NotReady, match="refused the user name or password"):
        await made.start()
    await made.close()
