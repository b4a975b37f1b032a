"""The probe of locks on MQTT, against real brokers: it hears, may ask, and commands nothing."""

import asyncio

import aiomqtt
import pytest

from hub import BrokerAddress, NotReady
from plugins.access_control._mqtt_device import MqttDevice
from plugins.access_control.mqtt import MqttConfig, MqttDoors
from plugins.access_control.simulated import SimulatedConfig, SimulatedDevice, SimulatedDoors
from tests.plugins.access_control.brokers import context


def device(name, **more):
    """A lock by its topics."""
    return MqttDevice(command_topic=f"{name}/set", state_topic=f"{name}/state", **more)


def client(address):
    """A client of the site's broker."""
    return aiomqtt.Client(
        address.host, address.port, username=address.username, password=address.password
    )


def doors(address, **devices):
    """The driver as a probe finds it: built, not started."""
    return MqttDoors(MqttConfig(), context(address, devices))


async def test_a_kept_state_is_an_answer(address):
    """A retained state is found without asking anybody."""
    async with client(address) as lock:
        await lock.publish("front/state", "LOCKED", qos=1, retain=True)
        said = await doors(address, front=device("front")).probe()
    assert (said.works, said.remedy) == (True, "")
    assert "front locked" in said.found


async def test_a_lock_that_keeps_nothing_is_asked_and_never_commanded(address):
    """Where there is a topic to ask on, the probe asks; nothing comes on the command topic."""
    heard = []

    async def lock():
        async with client(address) as one:
            await one.subscribe("front/#", qos=1)
            ready.set()
            async for message in one.messages:
                heard.append(message.topic.value)
                if message.topic.value == "front/get":
                    await one.publish("front/state", "UNLOCKED")

    ready = asyncio.Event()
    task = asyncio.create_task(lock())
    await ready.wait()
    said = await doors(address, front=device("front", get_topic="front/get")).probe()
    task.cancel()
    await asyncio.wait({task}, timeout=2)
    assert "front unlocked" in said.found
    assert said.remedy == ""
    assert heard.count("front/get") == 1
    assert "front/set" not in heard


async def test_a_silent_lock_is_a_warning_with_its_topic(address):
    """The broker is there, the lock is not: both are said."""
    said = await doors(address, back=device("back")).probe()
    assert said.works
    assert "reached" in said.found
    assert "silent: back" in said.found
    assert "back/state" in said.remedy


async def test_an_offline_lock_and_an_unknown_word_are_warnings(address):
    """A kept state does not hide that the lock has gone, nor a word that nobody can read."""
    async with client(address) as lock:
        await lock.publish("side/up", "offline", qos=1, retain=True)
        await lock.publish("side/state", "LOCKED", qos=1, retain=True)
        said = await doors(address, side=device("side", availability_topic="side/up")).probe()
        assert "offline: side" in said.found
        assert said.remedy
        await lock.publish("odd/state", "zu", qos=1, retain=True)
        said = await doors(address, odd=device("odd")).probe()
    assert "odd unknown" in said.found
    assert "states" in said.remedy


async def test_the_running_driver_is_not_pushed_out(address, monkeypatch):
    """A probe beside the hub joins without a name, so the hub's own link stays up."""
    monkeypatch.setattr("plugins.access_control._mqtt_probe.KEPT_S", 0.05)
    running = doors(address, front=device("front"))
    await running.start()
    for _ in range(2):
        await doors(address, front=device("front")).probe()
    await running.command("front", "lock", "key")
    assert running._link.up
    await running.close()


async def test_a_wrong_password_is_told_from_a_broker_that_is_away():
    """Each has a remedy of its own."""
    from hub.broker import EmbeddedBroker

    broker = EmbeddedBroker()
    there = await broker.start()
    stranger = BrokerAddress(there.host, there.port, "vestibule", "guess")
    said = await doors(stranger, front=device("front")).probe()
    assert not said.works
    assert "refused the user name or password" in said.found
    assert "guess" not in said.found + said.remedy
    await broker.stop()
    with pytest.raises(NotReady, match="nothing listens"):
        await doors(there, front=device("front")).probe()


async def test_a_trust_file_that_is_missing_is_named(address):
    """The key to correct is in the reason."""
    config = MqttConfig(tls=True, ca_file="nowhere.pem")
    with pytest.raises(NotReady, match="ca_file"):
        await MqttDoors(config, context(address, {"front": device("front")})).probe()


async def test_a_controller_without_doors_says_so(address):
    """Nothing names it: a warning, for something was forgotten."""
    said = await doors(address).probe()
    assert "no door names this controller" in said.found
    assert said.remedy


async def test_simulated_locks_need_no_broker_to_be_probed():
    """They come with the hub; the probe starts none of them."""
    made = SimulatedDoors(SimulatedConfig(), context(None, {"front": SimulatedDevice()}))
    assert "1 simulated" in await made.probe()
    assert made.locks["front"]._run is None
