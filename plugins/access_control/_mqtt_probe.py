"""Whether a broker lets us in and each lock says its state: for probes only.

A client without a name of its own joins, so that it cannot push out the running one. It sends no
command; a lock whose state the broker has not kept is asked for it, where it can be asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hub import BrokerAddress, Lock, NotReady, Probed
from plugins.access_control._mqtt_device import MqttDevice

if TYPE_CHECKING:
    from aiomqtt import Client

ANSWER_S = 4.0
KEPT_S = 0.5  # within which a broker hands over what it has kept
REFUSED = frozenset({4, 5, 134, 135})  # CONNACK codes of MQTT 3.1.1 and 5: who we are, not what
NOT_SUBSCRIBED = 128


class _States:
    """What the locks have said so far."""

    def __init__(self, devices: Mapping[str, MqttDevice]) -> None:
        self._devices = devices
        self.locks: dict[str, Lock] = {}
        self.away: set[str] = set()
        self._awaited = {device.state_topic for device in devices.values()}
        self._awaited |= {
            device.availability_topic for device in devices.values() if device.availability_topic
        }
        self.topics = sorted(self._awaited)

    def complete(self) -> bool:
        """Whether something came on every topic."""
        return not self._awaited

    def silent(self) -> list[str]:
        """Doors whose lock has said nothing yet."""
        return [door for door in self._devices if door not in self.locks]

    def hear(self, topic: str, payload: str) -> None:
        """Take a message in."""
        self._awaited.discard(topic)
        for door, device in self._devices.items():
            if topic == device.state_topic:
                self.locks[door] = device.lock(payload)
            elif topic == device.availability_topic:
                here = payload in device.availability.online
                self.away = self.away - {door} if here else self.away | {door}


async def probe_locks(
    address: BrokerAddress, tls: ssl.SSLContext | None, devices: Mapping[str, MqttDevice]
) -> Probed:
    """Join the broker and hear from each lock. Raises `NotReady` where it takes us not at all."""
    from aiomqtt import Client, MqttError

    where = f"the broker at {address.host}:{address.port}"
    await _reach(address, where)
    client = Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        tls_context=tls,
        timeout=ANSWER_S,
    )
    states = _States(devices)
    try:
        async with client:
            await _subscribe(client, where, states.topics)
            await _listen(client, states, KEPT_S, states.complete)
            for door in states.silent():
                if (topic := devices[door].get_topic) is not None:
                    await client.publish(topic, "", qos=0, retain=False)
            if any(devices[door].get_topic for door in states.silent()):
                await _listen(client, states, ANSWER_S, lambda: not states.silent())
    except MqttError as error:
        rc = getattr(error, "rc", None)
        if getattr(rc, "value", rc) in REFUSED:
            remedy = "correct `username` and `password`"
            return Probed(f"{where} refused the user name or password", remedy, works=False)
        raise NotReady(f"{where} did not take us: {error}") from error
    return _told(where, states, devices)


async def _reach(address: BrokerAddress, where: str) -> None:
    try:
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except TimeoutError:
        raise NotReady(f"no answer from {where}") from None
    except ConnectionRefusedError:
        raise NotReady(f"nothing listens where {where} should be") from None
    except OSError as error:
        raise NotReady(f"{where} is not reached: {error.strerror}") from error
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _subscribe(client: Client, where: str, topics: list[str]) -> None:
    for topic in topics:
        granted = await client.subscribe(topic, qos=1)
        if any(getattr(each, "value", each) >= NOT_SUBSCRIBED for each in granted):
            raise NotReady(f"{where} does not let us read {topic}")


async def _listen(
    client: Client, states: _States, seconds: float, enough: Callable[[], bool]
) -> None:
    """Hear messages for so long, or until that is enough."""
    try:
        async with asyncio.timeout(seconds):
            while not enough():
                message = await anext(aiter(client.messages))
                payload = message.payload if isinstance(message.payload, bytes) else b""
                states.hear(message.topic.value, payload.decode("utf-8", "replace").strip())
    except TimeoutError:
        pass


def _told(where: str, states: _States, devices: Mapping[str, MqttDevice]) -> Probed:
    said = ", ".join(f"{door} {lock}" for door, lock in states.locks.items())
    found = f"{where} reached; " + (said or "no lock has said its state")
    if not devices:
        return Probed(f"{where} reached; no door names this controller", "add its doors")
    unclear = [door for door, lock in states.locks.items() if lock == "unknown"]
    silent = states.silent()
    if silent:
        topics = ", ".join(devices[door].state_topic for door in silent)
        remedy = f"check that the lock has power, and that {topics} is where it says its state"
        return Probed(f"{found}; silent: {', '.join(silent)}", remedy)
    if unclear:
        remedy = "write the words that the lock uses under `states` of its door"
        return Probed(found, remedy)
    if states.away:
        away = ", ".join(sorted(states.away))
        return Probed(f"{found}; offline: {away}", "check the lock's power and its network")
    return Probed(found)
