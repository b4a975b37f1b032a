import asyncio
import contextlib

import aiomqtt
import pytest
from pydantic import ValidationError

from hub import AccessController, BrokerAddress, CommandFailed, NotReady
from plugins.access_control.mqtt import MqttConfig, MqttDevice, MqttDoors, vestibule_access_control
from tests.plugins.access_control.brokers import Listener, context, until


def device(**more):
    """A lock with every topic."""
    return MqttDevice(
        **{
            "command_topic": "lock/set",
            "state_topic": "lock/state",
            "get_topic": "lock/get",
            "availability_topic": "lock/available",
            "contact_topic": "lock/contact",
            "exit_topic": "lock/exit",
            **more,
        }
    )


@pytest.fixture
async def wire(address):
    """A client on the same broker, standing in for the lock's own radio."""
    client = aiomqtt.Client(
        address.host, address.port, username=address.username, password=address.password
    )
    async with client:
        yield client


@contextlib.asynccontextmanager
async def joined(address, devices, **config):
    """A started controller and its listener."""
    doors = MqttDoors(MqttConfig(**config), context(address, devices))
    await doors.start()
    listener = Listener(doors)
    try:
        yield doors, listener
    finally:
        await listener.stop()
        await doors.close()


async def test_a_live_answer_confirms_and_a_retained_one_does_not(address, wire):
    """The kept state is marked remembered; the one published after our question answers."""
    await wire.publish("lock/state", "LOCKED", qos=1, retain=True)
    async with joined(address, {"main": device()}) as (doors, listener):
        kept = await listener.hears(lock="locked")
        assert kept.remembered
        assert not kept.answers
        await doors.refresh("main")
        await wire.publish("lock/state", "LOCKED", qos=1, retain=True)
        live = await listener.hears(lock="locked", remembered=False)
        assert live.answers


async def test_commands_are_sent_once_at_qos_1_and_never_retained(address, wire):
    """Each verb has its payload; a subscriber that comes later finds no command."""
    await wire.subscribe("lock/set", qos=1)
    async with joined(address, {"main": device()}) as (doors, _):
        for verb in ("lock", "unlock", "hold_open", "momentary"):
            await doors.command("main", verb, "k")
        heard = [await asyncio.wait_for(anext(wire.messages), 20) for _ in range(4)]
        assert [m.payload for m in heard] == [b"LOCK", b"UNLOCK", b"UNLOCK", b"OPEN"]
        assert [m.qos for m in heard[:3]] == [1, 1, 1]
        if address.username is None:  # the embedded broker hands on at the subscriber's QoS
            assert heard[3].qos == 0
        assert not any(m.retain for m in heard)
        late = aiomqtt.Client(
            address.host, address.port, username=address.username, password=address.password
        )
        async with late:
            await late.subscribe("lock/set", qos=1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(late.messages), 0.3)


async def test_every_word_has_its_meaning_and_others_are_unknown(address, wire):
    """States and contacts are read by the device's own words; nonsense is unknown."""
    words = {
        "states": {"locked": ["secured", "LOCKED"], "jammed": "stuck"},
        "contact": {"open": "1", "closed": "0"},
    }
    async with joined(address, {"main": device(**words)}) as (_, listener):
        for payload, lock in [("secured", "locked"), ("stuck", "jammed"), ("LOCKING", "moving")]:
            await wire.publish("lock/state", payload, qos=1)
            await listener.hears(lock=lock)
        for payload, position in [("1", "open"), ("0", "closed")]:
            await wire.publish("lock/contact", payload, qos=1)
            await listener.hears(position=position)
        for payload in (b"\xff\xfe", "", "x" * 100_000):
            listener.heard.clear()
            await wire.publish("lock/state", payload, qos=1)
            unknown = await listener.hears(lock="unknown")
            assert unknown.detail.startswith("cannot read the state")
            assert len(unknown.detail) < 100


async def test_a_lock_that_goes_offline_is_told_and_not_commanded(address, wire):
    """Its last will makes it offline; commands wait for it, and none is left at the broker."""
    async with joined(address, {"main": device()}) as (doors, listener):
        await wire.publish("lock/available", "online", qos=1, retain=True)
        await listener.hears(online=True)
        await wire.publish("lock/available", "offline", qos=1, retain=True)
        away = await listener.hears(online=False)
        assert away.detail == "the lock is offline"
        with pytest.raises(NotReady, match="offline"):
            await doors.command("main", "lock", "k")


async def test_an_exit_push_is_a_passage(address, wire):
    """A push on the inside lever is told as a passage and answers no command."""
    async with joined(address, {"main": device()}) as (_, listener):
        await wire.publish("lock/exit", "PRESSED", qos=1)
        push = await listener.hears(passage=True)
        assert not push.answers
        assert push.lock is None


async def test_capabilities_say_what_the_locks_really_take(address):
    """No lockdown is offered unless a lock has a payload for it; a null verb is not offered."""
    plain = MqttDoors(MqttConfig(), context(address, {"a": device(contact_topic=None)}))
    assert isinstance(plain, AccessController)
    assert plain.capabilities.verbs == {"lock", "unlock", "momentary", "hold_open"}
    assert plain.capabilities.badges_still_work
    assert not plain.capabilities.lockdown_native
    assert plain.capabilities.without_position == {"a"}
    payloads = {"momentary": None, "lockdown": "DEADLOCK", "lockdown_release": "NORMAL"}
    other = MqttDoors(MqttConfig(), context(address, {"a": device(payloads=payloads)}))
    assert "momentary" not in other.capabilities.verbs
    assert {"lockdown", "lockdown_release"} <= other.capabilities.verbs
    assert not other.capabilities.badges_still_work


async def test_a_verb_a_lock_lacks_and_an_unknown_door_fail(address):
    """The device's own lack is a failure, not something to try again."""
    async with joined(address, {"main": device(payloads={"momentary": None})}) as (doors, _):
        with pytest.raises(CommandFailed, match="no momentary"):
            await doors.command("main", "momentary", "k")
        with pytest.raises(CommandFailed, match="attic"):
            await doors.command("attic", "lock", "k")


async def test_a_cut_cable_takes_the_doors_offline_and_mending_brings_them_back(cable):
    """The link comes back by itself, what was retained is still no answer, and commands work."""
    async with joined(cable.address, {"main": device(availability_topic=None)}) as (doors, lis):
        await lis.hears(online=True)
        cable.cut()
        away = await lis.hears(online=False)
        assert "no link to the broker" in away.detail
        with pytest.raises(NotReady):
            await doors.command("main", "lock", "k")
        lis.heard.clear()
        cable.mend()
        await lis.hears(online=True)
        await doors.command("main", "lock", "k")


async def test_no_broker_is_not_ready_and_start_may_be_tried_again(cable, monkeypatch):
    """An unreachable broker raises `NotReady`; a second start, with the broker there, works."""
    monkeypatch.setattr("plugins.access_control._mqtt_link.ANSWER_S", 0.5)
    doors = MqttDoors(MqttConfig(), context(cable.address, {"main": device()}))
    cable.cut()
    with pytest.raises(NotReady, match="did not take us"):
        await doors.start()
    cable.mend()
    await doors.start()
    await doors.close()
    await doors.close()


async def test_own_broker_in_the_block_is_used(address):
    """With `host` in its block the controller leaves the site's broker alone."""
    nowhere = BrokerAddress("127.0.0.1", 1)
    mine = {
        "host": address.host, "port": address.port,
        "username": address.username, "password": address.password,
    }  # fmt: skip
    doors = MqttDoors(MqttConfig(**mine), context(nowhere, {"main": device()}))
    await doors.start()
    await doors.close()
    assert "password" not in repr(MqttConfig(host="h", password="hidden"))


async def test_a_flood_of_states_is_bounded_and_counted(address, wire):
    """Nobody reads: the newest are kept, the rest counted, and nothing grows."""
    doors = MqttDoors(MqttConfig(), context(address, {"main": device()}))
    await doors.start()
    for _ in range(1500):
        await wire.publish("lock/state", "UNLOCKED")
    await wire.publish("lock/state", "LOCKED", qos=1)
    await until(lambda: doors.dropped > 400)
    listener = Listener(doors)
    await listener.hears(lock="locked")
    assert len(listener.heard) < 1200
    await listener.stop()
    await doors.close()


async def test_closing_ends_the_reports(address):
    """Whoever reads the reports is released."""
    doors = MqttDoors(MqttConfig(), context(address, {"main": device()}))
    await doors.start()
    listener = Listener(doors)
    await asyncio.sleep(0)
    await doors.close()
    await until(listener.done)


@pytest.mark.parametrize(
    "wrong",
    [
        {"state_topic": "lock/set"},
        {"get_topic": "lock/state"},
        {"state_topic": "lock/#"},
        {"states": {"locked": []}},
        {"payloads": {"lock": 1}},
        {"colour": "red"},
    ],
)
def test_a_device_that_could_fool_us_is_refused(wrong):
    """Our own command must never come back as the lock's state; wildcards and typos are errors."""
    with pytest.raises(ValidationError):
        device(**wrong)


def test_the_driver_is_announced():
    """One driver, with the model of its doors."""
    (driver,) = vestibule_access_control()
    assert (driver.name, driver.device) == ("mqtt", MqttDevice)
