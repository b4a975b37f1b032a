import asyncio

import aiomqtt
import pytest

from hub.broker import EmbeddedBroker
from hub.kinds import BrokerAddress


def client(address: BrokerAddress, **options) -> aiomqtt.Client:
    """A client of the embedded broker."""
    return aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        timeout=10,
        **options,
    )


@pytest.fixture
async def address():
    """A running broker's address."""
    broker = EmbeddedBroker()
    yield await broker.start()
    await broker.stop()


async def test_broker_listens_on_loopback_only(address):
    """The embedded broker is reachable on 127.0.0.1, on a port that was free."""
    assert address.host == "127.0.0.1"
    assert address.port > 0


async def test_broker_carries_messages_and_marks_the_retained(address):
    """A live message arrives unmarked, and a later subscriber gets the kept one marked retained."""
    async with client(address) as sender, client(address) as reader:
        await reader.subscribe("doors/#", qos=1)
        await sender.publish("doors/main/state", "LOCKED", qos=1, retain=True)
        live = await asyncio.wait_for(anext(reader.messages), 20)
        assert (live.payload, live.retain) == (b"LOCKED", False)
        async with client(address) as late:
            await late.subscribe("doors/#", qos=1)
            kept = await asyncio.wait_for(anext(late.messages), 20)
            assert (kept.payload, kept.retain) == (b"LOCKED", True)


async def test_broker_speaks_the_will_of_a_client_that_dies(address):
    """When a client vanishes without a goodbye, its will is published."""
    async with client(address) as reader:
        await reader.subscribe("doors/main/available", qos=1)
        dying = client(address, will=aiomqtt.Will("doors/main/available", "offline", qos=1))
        await dying.__aenter__()
        dying._client.socket().shutdown(2)
        will = await asyncio.wait_for(anext(reader.messages), 20)
        assert will.payload == b"offline"
        with pytest.raises(aiomqtt.MqttError):
            await anext(dying.messages)


@pytest.mark.parametrize("password", [None, "", "guess"])
async def test_broker_turns_strangers_away(address, password):
    """Another program on the machine cannot connect without the password made at start."""
    stranger = aiomqtt.Client(
        address.host, address.port, username=address.username, password=password, timeout=1
    )
    with pytest.raises(aiomqtt.MqttError):
        async with stranger:
            pass
    assert address.password not in repr(address)


async def test_broker_stops_under_a_connected_client_and_can_be_stopped_twice():
    """Stopping ends at once though a client is connected, which then hears that it is alone."""
    broker = EmbeddedBroker()
    address = await broker.start()
    reader = client(address)
    await reader.__aenter__()
    await reader.subscribe("#")
    async with asyncio.timeout(15):
        await broker.stop()
        with pytest.raises(aiomqtt.MqttError):
            await anext(reader.messages)
    await broker.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.host, address.port)


async def test_broker_outlives_a_client_that_speaks_nonsense(address):
    """Bytes that are not MQTT cost that connection only."""
    _, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await writer.drain()
    writer.close()
    async with client(address) as after:
        await after.publish("doors/x", "1", qos=1)
