"""The driver `osdp` against libosdp's own device on a pseudo-terminal, in the secure channel."""

import asyncio
import contextlib
import logging

import osdp
import pytest
from pydantic import ValidationError

from hub import AccessReport, CommandFailed, Context, DoorReport, NotReady
from hub.testing import FakeClock
from plugins.access_control import _osdp_line
from plugins.access_control._osdp_door import (
    INPUTS,
    LOCAL,
    OUTPUTS,
    OsdpDevice,
    OsdpDoor,
    Panel,
)
from plugins.access_control.osdp import OsdpConfig, OsdpDoors
from tests.plugins.access_control.brokers import Listener, until
from tests.plugins.access_control.osdp_reader import Reader

KEY = bytes(range(0x40, 0x50))
STRIKE = {"address": 5, "scbk": KEY.hex(), "output": 0, "energised": "unlocked"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A line without a line's own slowness."""
    monkeypatch.setattr(_osdp_line, "TICK_S", 0.002)


@pytest.fixture
async def reader(tmp_path):
    """A device on a line."""
    made = Reader(tmp_path, KEY)
    made.plug_in()
    yield made
    if made.line.exists():
        made.pull_out()


def built(reader, **device):
    """The driver as the hub builds it, on a clock that stands still; `main` is its door."""
    devices = {"main": OsdpDevice(**(STRIKE | {"contact": 0} | device))}
    context = Context("osdp", clock=FakeClock(), devices=devices)
    return OsdpDoors(OsdpConfig(line=str(reader.line)), context)


@contextlib.asynccontextmanager
async def joined(reader, **device):
    """A started driver whose device has answered, and its listener."""
    doors = built(reader, **device)
    await doors.start()
    listener = Listener(doors)
    try:
        await listener.hears(online=True)
        yield doors, listener
    finally:
        await listener.stop()
        await doors.close()


def told(listener):
    """What was reported of the door."""
    return [each for each in listener.heard if isinstance(each, DoorReport)]


async def answer(doors, listener):
    """What the door answers when it is asked now."""
    listener.heard.clear()
    await doors.refresh("main")
    return await listener.hears(answers=True)


@pytest.mark.parametrize(
    ("energised", "sent"),
    [
        ("unlocked", [("lock", (0, 1, 0)), ("unlock", (0, 2, 0)), ("hold_open", (0, 2, 0)),
                      ("momentary", (0, 5, 50))]),
        ("locked", [("lock", (0, 2, 0)), ("unlock", (0, 1, 0)), ("hold_open", (0, 1, 0)),
                    ("momentary", (0, 6, 50))]),
    ],
)  # fmt: skip
async def test_a_verb_switches_the_relay_and_the_device_confirms(reader, energised, sent):
    """A strike opens with current and a magnet without; what the device answers then confirms."""
    async with joined(reader, energised=energised) as (doors, listener):
        for verb, order in sent:
            listener.heard.clear()
            await doors.command("main", verb, "k")
            said = await listener.hears(answers=True)
            assert said.lock == ("locked" if verb == "lock" else "unlocked")
            assert reader.obeyed[-1] == order
    assert len(reader.obeyed) == 4


async def test_a_relay_that_does_not_move_is_not_believed(reader):
    """The device acknowledges the command and its relay stays: so it is told."""
    async with joined(reader, energised="locked") as (doors, listener):
        reader.faults.add("jam")
        listener.heard.clear()
        await doors.command("main", "lock", "k")
        await listener.hears(answers=True)
        assert (await answer(doors, listener)).lock == "unlocked"
        assert {each.lock for each in told(listener)} == {"unlocked"}
    assert reader.obeyed == [(0, 2, 0)]


async def test_what_it_says_unasked_confirms_nothing(reader):
    """A device that claims its relay is set, and says otherwise when asked, is not believed."""
    async with joined(reader, energised="locked") as (doors, listener):
        reader.claim_outputs(1, 0)
        claimed = await listener.hears(lock="locked")
        assert not claimed.answers
        assert (await answer(doors, listener)).lock == "unlocked"


async def test_a_relay_alone_is_called_a_relay(reader):
    """Where nothing tells where the bolt is the report says so; with a bolt input it does not."""
    async with joined(reader) as (doors, listener):
        assert "nothing tells where the bolt is" in (await answer(doors, listener)).detail
    async with joined(reader, bolt=1, bolted_when="off") as (doors, listener):
        assert (await answer(doors, listener)).detail == ""


async def test_a_bolt_that_does_not_follow_is_moving_then_jammed(reader):
    """The relay is set and the bolt stays in: on its way at first, stuck after two seconds."""
    async with joined(reader, bolt=1, energised="locked") as (doors, listener):
        assert (await answer(doors, listener)).lock == "unlocked"
        await doors.command("main", "lock", "k")
        await listener.hears(lock="moving")
        await doors._clock.advance(2.1)
        stuck = await answer(doors, listener)
        assert stuck.lock == "jammed"
        assert "has not followed" in stuck.detail
        reader.set_input(1, 1)
        await listener.hears(lock="locked")


async def test_contact_exit_and_tamper_are_told_as_they_happen(reader):
    """Each is pushed by the device: the door opens, somebody leaves, somebody opens the device."""
    async with joined(reader, exit=2) as (_, listener):
        assert (await listener.hears(position="closed")).tampered in (None, False)
        reader.set_input(0, 0)
        await listener.hears(position="open", answers=False)
        reader.set_input(2, 1)
        await listener.hears(passage=True)
        listener.heard.clear()
        reader.set_input(2, 1)
        reader.tamper(True)
        await listener.hears(tampered=True)
        assert not any(each.passage for each in told(listener))
        reader.tamper(False)
        listener.heard.clear()
        await listener.hears(tampered=False)


async def test_what_is_not_pushed_is_found_by_asking(reader):
    """A device that keeps quiet about its inputs is asked each second."""
    async with joined(reader) as (doors, listener):
        reader.set_input(0, 0, tell=False)
        await doors._clock.advance(1.1)
        await listener.hears(position="open", answers=True)


async def test_a_cut_wire_is_unknown(reader):
    """A supervised input that is neither on nor off says nothing of door or bolt."""
    async with joined(reader, bolt=1) as (doors, listener):
        reader.set_input(0, 2, tell=False)
        reader.set_input(1, 3, tell=False)
        said = await answer(doors, listener)
        assert (said.lock, said.position) == ("unknown", "unknown")
        assert "cut or short" in said.detail


async def test_failing_power_is_said(reader):
    """The device runs, and somebody should look at its supply."""
    reader.local[1] = 1
    async with joined(reader) as (doors, listener):
        assert "its power is failing" in (await answer(doors, listener)).detail


async def test_an_output_that_it_does_not_have_is_refused(reader):
    """Asked for that it would hang up; so nothing is sent, and the lock is unknown."""
    async with joined(reader, output=9, contact=None) as (doors, listener):
        with pytest.raises(CommandFailed, match="no output 9"):
            await doors.command("main", "lock", "k")
        said = await answer(doors, listener)
        assert said.lock == "unknown"
        assert "no output 9" in said.detail
    assert reader.obeyed == []


async def test_a_card_and_a_code_are_references_and_open_nothing(reader):
    """The same card is the same reference; a code counts once it is entered; nothing is moved."""
    async with joined(reader) as (_, listener):
        for number in (123456, 654321, 123456):
            reader.read_card(number)
        reader.press(b"12")
        reader.press(b"*987")
        reader.press(b"6\r")
        used = await until(lambda: uses(listener, 4))
    first, other, again, code = used
    assert first.credential == again.credential != other.credential
    assert code.credential not in {first.credential, other.credential}
    assert {each.access for each in used} == {"denied"}
    assert "9876" not in repr(used)
    assert reader.obeyed == []


def uses(listener, count):
    """The accesses, once there are so many."""
    found = [each for each in listener.heard if isinstance(each, AccessReport)]
    return found if len(found) >= count else None


async def test_a_silent_device_is_offline_and_its_command_is_never_done_later(reader, monkeypatch):
    """Given up is given up: when it answers again, what was not acknowledged does not come."""
    async with joined(reader, energised="locked") as (doors, listener):
        monkeypatch.setattr(_osdp_line, "ANSWER_S", 0.3)
        reader.faults.add("mute")
        with pytest.raises(NotReady, match="does not answer"):
            await doors.command("main", "lock", "k")
        await listener.hears(online=False)
        with pytest.raises(NotReady, match="does not answer"):
            await doors.command("main", "lock", "k")
        reader.faults.clear()
        await asyncio.sleep(1.2)  # libosdp sends again each second
        assert reader.obeyed == []


async def test_a_dead_device_delays_no_other_on_its_line(reader, monkeypatch):
    """One of two addresses answers: its door is commanded and confirmed, the other is offline."""
    monkeypatch.setattr("plugins.access_control.osdp.READY_S", 0.3)
    both = {"main": OsdpDevice(**STRIKE), "ghost": OsdpDevice(**(STRIKE | {"address": 9}))}
    context = Context("osdp", clock=FakeClock(), devices=both)
    doors = OsdpDoors(OsdpConfig(line=str(reader.line)), context)
    await doors.start()
    listener = Listener(doors)
    await listener.hears(door="main", lock="locked", answers=True)
    await doors.command("main", "unlock", "k")
    await listener.hears(door="main", lock="unlocked", answers=True)
    with pytest.raises(NotReady, match="address 9 does not answer"):
        await doors.command("ghost", "lock", "k")
    await listener.stop()
    await doors.close()


def test_a_bouncing_contact_spoils_no_answer_of_the_lock():
    """What comes unasked of an input says nothing of the relay; with a bolt input it does."""
    panel = Panel(0, 5)
    panel.come(2, 4)
    for wired, answers in (({"contact": 0}, True), ({"contact": 0, "bolt": 1}, False)):
        door = OsdpDoor("main", OsdpDevice(**(STRIKE | wired)), panel)
        panel.doors = [door]
        for kind, report, asked in (
            (OUTPUTS, b"\0\0", True), (INPUTS, b"\1\1\0\0", True),
            (INPUTS, b"\0\1\0\0", False), (LOCAL, b"\0\0", True),
        ):  # fmt: skip
            panel.take(kind, report, asked)
        said = door.report(LOCAL, 4, FakeClock().now(), 0.0)
        assert (said.answers, said.position) == (answers, "open")


async def test_a_reset_device_is_back_within_moments(reader):
    """It forgot its secure channel: that is made anew, and the door is read again."""
    async with joined(reader) as (doors, listener):
        listener.heard.clear()
        reader.power_off()
        reader.power_on()
        listener.forget(await listener.hears(online=False))
        await listener.hears(online=True)
        assert (await answer(doors, listener)).lock == "locked"


async def test_an_adapter_that_is_pulled_out_is_told_and_used_again(reader, monkeypatch):
    """The line breaks for all its doors; once it is plugged in again they are back."""
    monkeypatch.setattr(_osdp_line, "REOPEN_S", 0.05)
    async with joined(reader) as (doors, listener):
        reader.pull_out()
        await listener.hears(online=False)
        with pytest.raises(NotReady):
            await doors.command("main", "lock", "k")
        listener.heard.clear()
        reader.plug_in()
        await listener.hears(online=True)
        assert (await answer(doors, listener)).lock == "locked"


async def test_a_failure_of_the_library_is_told_and_begun_afresh(reader, monkeypatch):
    """Whatever libosdp raises takes the doors offline with its words, and the line is reopened."""
    real, calls = osdp.ControlPanel, []

    def panel(*about, **more):
        calls.append(about)
        if len(calls) == 1:
            raise RuntimeError("no memory for the panel")
        return real(*about, **more)

    monkeypatch.setattr(osdp, "ControlPanel", panel)
    monkeypatch.setattr(_osdp_line, "REOPEN_S", 0.05)
    doors = built(reader)
    await doors.start()
    listener = Listener(doors)
    away = await listener.hears(online=False)
    assert away.detail.endswith("broke: RuntimeError: no memory for the panel")
    await listener.hears(online=True, lock="locked")
    await listener.stop()
    await doors.close()


async def test_another_key_is_told_from_a_dead_device(reader, monkeypatch):
    """A device with another key answers, and is not believed; nothing is sent to it."""
    monkeypatch.setattr("plugins.access_control.osdp.PROBE_S", 1.5)
    monkeypatch.setattr("plugins.access_control.osdp.READY_S", 0.3)
    monkeypatch.setattr(_osdp_line, "RETRY_S", 0.2)
    wrong = built(reader, scbk="00" * 16)
    await wrong.start()
    listener = Listener(wrong)
    words = "the device at address 5 answers, but not with this `scbk`"
    await listener.hears(online=False, detail=words)
    with pytest.raises(NotReady, match="scbk"):
        await wrong.command("main", "unlock", "k")
    await listener.stop()
    await wrong.close()
    said = await built(reader, scbk="00" * 16).probe()
    assert (said.works, "key" in said.remedy) == (False, True)
    monkeypatch.setattr("plugins.access_control.osdp.PROBE_S", 0.5)
    reader.power_off()  # so that no answer is under way any more
    reader.faults.add("mute")
    reader.power_on()
    said = await built(reader).probe()
    assert (said.works, "wiring" in said.remedy) == (False, True)
    assert reader.obeyed == []


async def test_a_probe_switches_nothing_and_leaves_a_running_hub_alone(reader):
    """It meets the device; beside a running hub it keeps off the line."""
    said = await built(reader).probe()
    assert (said.works, said.remedy) == (True, "")
    assert "1 of 1 devices answer" in said.found
    async with joined(reader) as (doors, listener):
        assert "in use" in (await built(reader).probe()).found
        assert (await answer(doors, listener)).online
    assert reader.obeyed == []


async def test_a_line_that_is_not_there_is_said(reader, tmp_path):
    """The name of the port and what to look at; nothing is left behind."""
    doors = OsdpDoors(OsdpConfig(line=str(tmp_path / "ttyUSB9")), Context("osdp"))
    with pytest.raises(NotReady, match=r"there is no .*ttyUSB9: is the adapter plugged in"):
        await doors.start()
    await doors.close()


async def test_two_doors_may_hang_on_one_device_with_one_key(reader):
    """Each has its relay; different keys for one address are a mistake."""
    both = {
        "main": OsdpDevice(**STRIKE),
        "side": OsdpDevice(**(STRIKE | {"output": 1})),
    }
    context = Context("osdp", clock=FakeClock(), devices=both)
    doors = OsdpDoors(OsdpConfig(line=str(reader.line)), context)
    await doors.start()
    listener = Listener(doors)
    await doors.command("side", "unlock", "k")
    await listener.hears(door="side", lock="unlocked", answers=True)
    await listener.hears(door="main", lock="locked", answers=True)
    await listener.stop()
    await doors.close()
    other = OsdpDevice(**(STRIKE | {"scbk": "11" * 16}))
    context = Context("osdp", devices={**both, "side": other})
    with pytest.raises(NotReady, match="address 5 with different keys"):
        await OsdpDoors(OsdpConfig(line="x"), context).start()


async def test_the_key_is_nowhere(reader, caplog, capfd):
    """Not in what is shown of the block, in a log line or on the terminal."""
    caplog.set_level(logging.DEBUG)
    device = OsdpDevice(**STRIKE)
    async with joined(reader) as (doors, listener):
        await answer(doors, listener)
        shown = repr(device) + repr(doors._line) + caplog.text + "".join(capfd.readouterr())
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"scbk": "12"},
        {"scbk": "zz" * 16},
        {"address": 127},
        {"energised": "on"},
        {"opens_for": "1m"},
        {"colour": "red"},
    ],
)
def test_nonsense_in_the_block_is_refused(wrong):
    """A key is 16 octets, an address 0 to 126, and a pulse no longer than the protocol counts."""
    with pytest.raises(ValidationError):
        OsdpDevice(**(STRIKE | wrong))
