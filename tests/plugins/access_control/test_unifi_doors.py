"""The driver `unifi` against a pretended console that jams, lags, lies, drops and reboots."""

import asyncio
import contextlib
import dataclasses

import pytest
from pydantic import ValidationError

from hub import AccessReport, CommandFailed, Context, NotReady
from hub.testing import FakeClock
from plugins.access_control.unifi import UnifiConfig, UnifiDevice, UnifiDoors
from tests.plugins.access_control.brokers import Listener
from tests.plugins.access_control.pretended_console import (
    TOKEN,
    PretendedConsole,
    PretendedDoor,
    _no,
    until,
)

DOORS = {"main": UnifiDevice(door="front-1"), "yard": UnifiDevice(door="yard-2", contact=False)}


@pytest.fixture
async def console():
    """A console with two doors that the hub uses and one that it does not."""
    made = PretendedConsole(
        **{
            "front-1": PretendedDoor("Front"),
            "yard-2": PretendedDoor("Yard", contact=None),
            "attic-3": PretendedDoor("Attic"),
        }
    )
    made.port = await made.start()
    yield made
    await made.stop()


def built(console, devices=DOORS, **config):
    """The driver as the hub builds it, on a clock that stands still."""
    keys = {"fingerprint": console.fingerprint, "token": TOKEN} | config
    settings = UnifiConfig(host="127.0.0.1", port=console.port, **keys)
    return UnifiDoors(settings, Context("unifi", clock=FakeClock(), devices=devices))


@contextlib.asynccontextmanager
async def joined(console, devices=DOORS, **config):
    """A started driver that hears the console's pushes, and its listener."""
    doors = built(console, devices, **config)
    await doors.start()
    listener = Listener(doors)
    try:
        await until(lambda: console.lines)
        yield doors, listener
    finally:
        await listener.stop()
        await doors.close()


def answers(listener, door):
    """What a door answered so far."""
    return [
        each.lock for each in listener.heard if each.door == door and getattr(each, "answers", 0)
    ]


@pytest.mark.parametrize(
    ("verb", "scheduled", "rule", "relay", "lock"),
    [
        ("lock", True, "lock_now", "lock", "locked"),
        ("unlock", False, "keep_unlock", "unlock", "unlocked"),
        ("hold_open", False, "keep_unlock", "unlock", "unlocked"),
        ("lockdown", True, "keep_lock", "lock", "locked"),
    ],
)
async def test_each_verb_is_a_rule_and_the_door_confirms_it(
    console, verb, scheduled, rule, relay, lock
):
    """The rule is sent once, the relay moves, and what is read afterwards answers."""
    door = console.doors["front-1"]
    door.scheduled_open, door.relay = scheduled, "unlock" if scheduled else "lock"
    async with joined(console) as (doors, listener):
        await doors.command("main", verb, "k")
        said = await listener.hears(door="main", lock=lock, answers=True)
        assert (said.position, said.online) == ("closed", True)
        assert door.relay == relay
        assert console.sent() == [("/doors/front-1/lock_rule", {"type": rule})]


async def test_momentary_opens_once(console):
    """It is the console's own unlock, without a rule."""
    async with joined(console) as (doors, listener):
        await doors.command("main", "momentary", "k")
        await listener.hears(door="main", lock="unlocked", answers=True)
    assert console.sent() == [("/doors/front-1/unlock", {})]


async def test_a_momentary_is_never_sent_twice(console):
    """The console hangs up after it read the command: that may have opened, so it is not sent
    again, not even by the HTTP library."""
    async with joined(console) as (doors, _):
        await doors.refresh("main")
        console.faults.add("drop")
        with pytest.raises(NotReady, match="hung up"):
            await doors.command("main", "momentary", "k")
    assert len(console.sent()) == 1


async def test_an_older_hub_is_locked_by_reset(console):
    """Where `lock_now` is not known, ending what holds the door open does the same."""
    door = console.doors["front-1"]
    door.faults.add("old")
    door.rule, door.relay = "keep_unlock", "unlock"
    async with joined(console) as (doors, listener):
        await doors.command("main", "lock", "k")
        await listener.hears(door="main", lock="locked", answers=True)
    assert [body["type"] for _, body in console.sent()] == ["lock_now", "reset"]


async def test_a_jammed_relay_is_never_called_locked(console):
    """The console takes the rule and says success; the relay stays, and so it is told."""
    door = console.doors["front-1"]
    door.relay = "unlock"
    door.faults.add("jam")
    async with joined(console) as (doors, listener):
        await doors.command("main", "lock", "k")
        await doors.refresh("main")
        await listener.hears(door="main", answers=True)
        assert set(answers(listener, "main")) == {"unlocked"}


async def test_a_push_confirms_nothing(console):
    """A console that pushes `locked` before it is so is shown, and not believed."""
    door = console.doors["front-1"]
    door.relay = "unlock"
    door.faults.add("lag")
    async with joined(console) as (doors, listener):
        await doors.command("main", "lock", "k")
        await console.push_state("front-1", lock="locked")
        pushed = await listener.hears(door="main", lock="locked")
        assert not pushed.answers
        await doors.refresh("main")
        assert set(answers(listener, "main")) == {"unlocked"}
        door.faults.clear()
        await console.catch_up()
        await listener.hears(door="main", lock="locked", answers=True)


async def test_a_lockdown_counts_once_its_rule_is_in_force(console):
    """A door that was locked anyway is not in lockdown: badges still work until the rule is on."""
    door = console.doors["front-1"]
    door.faults.add("no rule now")
    async with joined(console) as (doors, listener):
        await doors.command("main", "lockdown", "k")
        await doors.refresh("main")
        said = await listener.hears(
            door="main", detail="the console has not taken up the lockdown yet"
        )
        assert (said.lock, said.answers) == ("locked", False)
        assert answers(listener, "main") == []
        await console.catch_up()
        await listener.hears(door="main", lock="locked", answers=True)


async def test_a_rule_that_is_lifted_at_the_console_is_seen(console):
    """The relay stays locked and badges work again: the door says that it is in no lockdown."""
    async with joined(console) as (doors, listener):
        await doors.command("main", "lockdown", "k")
        await listener.hears(door="main", lock="locked", answers=True, lockdown=True)
        console.doors["front-1"].rule = ""
        await listener.hears(door="yard", lockdown=False)
        listener.heard.clear()
        await doors.refresh("main")
        await listener.hears(door="main", lock="locked", lockdown=False)


async def test_a_lockdown_from_before_is_known_by_its_rule(console):
    """After a start each door's rule is read: one that is lifted meanwhile is not in lockdown."""
    console.doors["front-1"].rule = "keep_lock"
    async with joined(console) as (doors, listener):
        await listener.hears(door="main", lock="locked", lockdown=True)
        await listener.hears(door="yard", lock="locked", lockdown=False)
        await console.push_state("front-1", lock="locked")
        await doors.refresh("main")
        said = [each.lockdown for each in listener.heard if each.door == "main" and each.lock]
        assert set(said) == {True}


async def test_a_hub_that_knows_no_rules_harms_no_door(console):
    """Whether that door is in lockdown cannot be told; its lock and the other door can."""
    rules = console._tell_rule

    async def no_rules(request):
        if request.match_info["id"] == "yard-2":
            return _no("CODE_PARAMS_INVALID", 400)
        return await rules(request)

    console._tell_rule = no_rules
    await console.stop()
    console.port = await console.start()
    async with joined(console) as (_, listener):
        await listener.hears(door="yard", lock="locked", lockdown=None)
        await listener.hears(door="main", lock="locked", lockdown=False)


async def test_a_hub_that_is_away_for_a_moment_is_asked_for_its_rule_again(console):
    """The console cannot say the rule of one door now: the others go on, and it is asked later."""
    rules, away = console._tell_rule, [True]

    async def busy(request):
        if request.match_info["id"] == "yard-2" and away:
            return _no("CODE_DEVICE_DEVICE_OFFLINE", 500)
        return await rules(request)

    console._tell_rule = busy
    await console.stop()
    console.port = await console.start()
    async with joined(console) as (doors, listener):
        await listener.hears(door="yard", lock="locked", lockdown=None)
        await listener.hears(door="main", lock="locked", lockdown=False)
        away.clear()
        await doors.refresh("yard")
        await listener.hears(door="yard", lock="locked", lockdown=False)
        assert all(each.online for each in listener.heard)


async def test_a_release_ends_a_lockdown_and_no_other_rule(console):
    """`reset` is sent where the door is held locked; what holds it open stays."""
    console.doors["front-1"].rule = "keep_lock"
    console.doors["yard-2"].rule = "keep_unlock"
    async with joined(console) as (doors, listener):
        for door in ("main", "yard"):
            await doors.command(door, "lockdown_release", "k")
            await listener.hears(door=door, answers=True)
    assert console.sent() == [("/doors/front-1/lock_rule", {"type": "reset"})]


async def test_the_consoles_own_lockdown_is_one_call(console):
    """All doors are locked by it, each answers for itself, and it ends by one call."""
    console.doors["yard-2"].relay = "unlock"
    async with joined(console) as (doors, listener):
        await doors.lockdown_all(True, "k")
        for door in DOORS:
            await listener.hears(door=door, lock="locked", answers=True, lockdown=True)
        assert console.doors["attic-3"].relay == "lock"
        with pytest.raises(CommandFailed, match="all doors in lockdown"):
            await doors.command("main", "lockdown_release", "k")
        await doors.lockdown_all(False, "k")
        assert not console.lockdown
    both = [{"lockdown": on, "evacuation": False} for on in (True, False)]
    assert [body for _, body in console.sent()] == both


async def test_a_jam_in_the_consoles_lockdown_is_that_doors_alone(console):
    """The other door is confirmed; the jammed one goes on saying that it is open."""
    jammed = console.doors["yard-2"]
    jammed.relay = "unlock"
    jammed.faults.add("jam")
    async with joined(console) as (doors, listener):
        await doors.lockdown_all(True, "k")
        await listener.hears(door="main", lock="locked", answers=True)
        await listener.hears(door="yard", lock="unlocked", answers=True)
        assert "locked" not in answers(listener, "yard")


async def test_an_evacuation_is_not_overruled(console):
    """While the console holds its doors open for an evacuation it is asked to lock none."""
    async with joined(console) as (doors, listener):
        await console._set_emergency(_Request({"lockdown": False, "evacuation": True}))
        await listener.hears(
            door="main", detail="the console holds its doors open: an evacuation is on"
        )
        for verb in ("lock", "lockdown"):
            with pytest.raises(CommandFailed, match="evacuation"):
                await doors.command("main", verb, "k")
        for engaged in (True, False):
            with pytest.raises(CommandFailed, match="evacuation"):
                await doors.lockdown_all(engaged, "k")
    assert console.evacuation
    assert console.sent() == []


class _Request:
    def __init__(self, body):
        self._body = body

    async def json(self):
        return self._body


async def test_a_door_whose_hub_is_away_is_offline_whatever_the_console_remembers(console):
    """The console goes on saying `lock` for a door that it does not reach."""
    console.doors["front-1"].online = False
    async with joined(console) as (_, listener):
        away = await listener.hears(door="main", online=False)
        assert "does not reach the hub" in away.detail
        assert all(each.lock is None for each in listener.heard if each.door == "main")
        console.doors["front-1"].online = True
        await console.push("access.data.v2.device.update", {"id": "hub-front-1", "online": True})
        await listener.hears(door="main", online=True, lock="locked")
        listener.heard.clear()
        await console.push_state("front-1", is_unavailable=True)
        await listener.hears(door="main", online=False)


async def test_an_id_that_the_console_does_not_know_is_offline_and_refused(console):
    """The door says why; a command to it fails for good."""
    devices = {**DOORS, "ghost": UnifiDevice(door="nowhere")}
    async with joined(console, devices) as (doors, listener):
        await listener.hears(
            door="ghost", online=False, detail="the console has no door with this id"
        )
        with pytest.raises(CommandFailed, match="knows no such door"):
            await doors.command("ghost", "unlock", "k")


async def test_a_reboot_is_told_and_forgotten(console):
    """While it is away its doors are offline; then they are read anew and pushes come again."""
    async with joined(console) as (doors, listener):
        await console.stop()
        await listener.hears(door="main", online=False)
        with pytest.raises(NotReady, match="nothing listens"):
            await doors.command("main", "lock", "k")
        listener.heard.clear()
        await console.start(console.port)
        async with asyncio.timeout(30):
            while not console.lines:
                await doors._clock.advance(1)
                await asyncio.sleep(0.01)
        await listener.hears(door="main", online=True, lock="locked")
        listener.heard.clear()
        await console.push_state("front-1", dps="open")
        await listener.hears(door="main", position="open")


async def test_those_who_ask_at_once_share_one_reading(console):
    """A hundred questions are two readings at most: one under way, and one that begins after it."""
    async with joined(console) as (doors, listener):
        await doors.refresh("main")
        before = len(console.sent("GET"))
        await asyncio.gather(*(doors.refresh(door) for door in [*DOORS] * 50))
        assert len(console.sent("GET")) - before <= 6
        assert {"locked"} == set(answers(listener, "main"))


async def test_who_used_a_credential_is_a_reference(console):
    """Granted or denied, the same card the same reference, and neither its id nor a name."""
    async with joined(console) as (_, listener):
        for result, how, card in (
            ("ACCESS", "NFC", "card-7"),
            ("BLOCKED", "NFC", "card-7"),
            ("ACCESS", "PIN_CODE", "p-1"),
            ("ACCESS", "REMOTE_THROUGH_UAH", "card-9"),
        ):
            await console.push_access("front-1", result, how, card=card)
        await until(lambda: len(used(listener)) == 3)
    first, second, third = used(listener)
    assert [each.access for each in used(listener)] == ["granted", "denied", "granted"]
    assert first.credential == second.credential != third.credential
    said = repr([dataclasses.astuple(each) for each in used(listener)])
    assert "card-7" not in said
    assert "Doe" not in said


def used(listener):
    """The accesses that were reported."""
    return [each for each in listener.heard if isinstance(each, AccessReport)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"token": "guess"}, "does not take the token"),
        ({"fingerprint": "ab" * 32}, "another certificate than `fingerprint` says"),
        ({"fingerprint": None}, "is not trusted here"),
    ],
)
async def test_a_stranger_is_told_from_the_right_console(console, wrong, words):
    """Start is refused in words, and a console of another certificate is never sent the token."""
    doors = built(console, **wrong)
    with pytest.raises(NotReady, match=words):
        await doors.start()
    await doors.close()
    assert console.requests == []
    if "token" not in wrong:
        assert console.refused == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [("nonsense", "not as UniFi Access"), ("huge", "not as"), ("busy", "cannot do it now")],
)
async def test_what_it_answers_wrongly_is_said_without_the_token(console, fault, words):
    """A sign-in page, an endless answer or an error of its own: offline in words, no secret."""
    async with joined(console) as (doors, listener):
        console.faults.add(fault)
        with pytest.raises(NotReady, match=words) as caught:
            await doors.refresh("main")
        assert TOKEN not in str(caught.value)
        away = await listener.hears(door="main", online=False)
        assert TOKEN not in away.detail


async def test_a_probe_names_the_certificate_the_permission_and_the_doors(console):
    """Each trouble has its remedy, and nothing is moved."""
    said = await built(console, fingerprint=None).probe()
    assert not said.works
    assert console.fingerprint in said.remedy.replace(":", "").lower()
    said = await built(console, token="guess").probe()
    assert (said.works, "API token" in said.remedy) == (False, True)
    console.may.discard("view:device")
    said = await built(console).probe()
    assert (said.works, "view:device" in said.remedy) == (False, True)
    console.may.add("view:device")
    said = await built(console).probe()
    assert (said.works, said.remedy) == (True, "")
    assert "3 doors, 2 used" in said.found
    said = await built(console, {"main": UnifiDevice(door="nowhere")}).probe()
    assert "UNVR - 1F - Attic is attic-3" in said.remedy
    assert console.sent() == []
    assert console.lines == set()


async def test_what_it_can_is_said_before_it_is_asked(console):
    """Its lockdown is its own, may be heard, and stops badges."""
    can = built(console).capabilities
    assert (can.lockdown_native, can.badges_still_work, can.local_siren) == (True, False, True)
    assert can.without_position == {"yard"}


@pytest.mark.parametrize("wrong", [{"fingerprint": "abc"}, {"token": ""}, {"poll": "1m"}])
def test_nonsense_in_the_block_is_refused(wrong):
    """A fingerprint is 64 digits, a token is there, and all doors are read before they go stale."""
    with pytest.raises(ValidationError):
        UnifiConfig(**{"host": "h", "token": "t", **wrong})


def test_a_fingerprint_may_be_written_as_people_do():
    """Colons, spaces and capitals are the same."""
    written = ":".join(["AB"] * 32)
    assert UnifiConfig(host="h", token="t", fingerprint=written).fingerprint == "ab" * 32
