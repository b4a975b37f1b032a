"""Cards at a reader on MQTT: told by a reference, never from before, and never by nonsense."""

import json

import aiomqtt
import pytest

from hub import AccessReport
from plugins.access_control._mqtt_device import MqttDevice, used
from plugins.access_control.mqtt import MqttConfig, MqttDoors
from tests.plugins.access_control.brokers import Listener, context, until

CARD = "10482139"


@pytest.mark.parametrize(
    "payload",
    [
        "", "granted", "[]", "null", "7", '{"access": "granted"}', '{"card": "1"}', "{" * 2000,
        '{"access": "open", "card": "1"}', '{"access": "granted", "card": ["1"]}',
        '{"access": ["granted"], "card": "1"}', '{"access": {"a": 1}, "card": "1"}',
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_nobodys_card(payload):
    """A use counts only with one of the three words and a card."""
    assert used(payload) is None


def test_a_number_without_quotes_is_the_same_card():
    """Some readers send a number, some a text."""
    assert used('{"access": "duress", "card": 77}') == ("duress", "77")


async def test_a_use_is_told_once_as_it_happens_and_by_reference(address):
    """What the broker kept is of long ago; a payload that cannot be read is said to be that."""
    topics = {"command_topic": "l/set", "state_topic": "l/state", "access_topic": "l/access"}
    doors = MqttDoors(MqttConfig(), context(address, {"main": MqttDevice(**topics)}))
    reader = aiomqtt.Client(
        address.host, address.port, username=address.username, password=address.password
    )
    async with reader:
        old = json.dumps({"access": "granted", "card": "1"})
        await reader.publish("l/access", old, qos=1, retain=True)
        await doors.start()
        listener = Listener(doors)
        try:
            for payload in ("nonsense", json.dumps({"access": "denied", "card": CARD})):
                await reader.publish("l/access", payload, qos=1)
            await until(lambda: any(isinstance(each, AccessReport) for each in listener.heard))
        finally:
            await listener.stop()
            await doors.close()
    (use,) = (each for each in listener.heard if isinstance(each, AccessReport))
    assert (use.door, use.access, len(use.credential)) == ("main", "denied", 16)
    assert CARD not in repr(listener.heard)
    assert "cannot read who used a card" in [getattr(each, "detail", "") for each in listener.heard]
