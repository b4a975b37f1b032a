"""The site's MQTT broker: whether it lets us in and read; or the hub's own, where none is named."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from functools import partial

from hub.broker import EmbeddedBroker
from hub.config import Broker
from hub.doctor.apart import in_loop
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.errors import NotReady
from hub.kinds import BrokerAddress

TOPIC = "vestibule/doctor"
NOT_ALLOWED = frozenset({4, 5, 134, 135})  # CONNACK codes of MQTT 3.1.1 and 5
NOT_SUBSCRIBED = 128  # from this SUBACK code on
LEAVE_WITHIN_S = 1.0


def probes(given: Given) -> list[Probe]:
    """One probe, when the configuration is valid."""
    if given.config is None:
        return []
    site = given.config.hub.mqtt
    if site is None:
        return [Probe("broker", "the hub's own", _own)]
    within = given.asked.limit * 0.9
    look = partial(_site, site, within)
    return [Probe("broker", f"{site.host}:{site.port}", look)]


async def _own() -> AsyncIterator[Finding]:
    yield await in_loop(_start_own)


async def _start_own() -> Finding:
    broker = EmbeddedBroker()
    try:
        await broker.start()
    except OSError as error:
        return bad(f"cannot start: {error.strerror}", "name a broker under hub: mqtt:")
    finally:
        await broker.stop()
    told = "none is configured: the hub starts its own, on this machine and a free port"
    return ok(f"{told} (tried, {broker.start_seconds:.1f} s)")


async def _site(site: Broker, within: float) -> AsyncIterator[Finding]:
    yield await in_loop(partial(_join, site, within))


async def _join(site: Broker, within: float) -> Finding:
    try:
        async with asyncio.timeout(within):
            return await _reached(site) or await _signed_in(site, within)
    except TimeoutError:
        remedy = "check the broker, and any firewall on the way to it"
        return bad("takes the connection but does not answer as a broker", remedy)


async def _reached(site: Broker) -> Finding | None:
    """What keeps us from the port itself; None when it is open."""
    try:
        _, writer = await asyncio.open_connection(site.host, site.port)
    except socket.gaierror:
        remedy = "correct hub.mqtt.host, or give its IP address"
        return bad(f"no machine is called {site.host}", remedy)
    except ConnectionRefusedError:
        remedy = "start the broker there, or correct hub.mqtt.port"
        return bad("nothing listens there", remedy)
    except OSError as error:
        return bad(f"not reached: {error.strerror or error}", "check the network on the way to it")
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LEAVE_WITHIN_S):
            await writer.wait_closed()
    return None


async def _signed_in(site: Broker, within: float) -> Finding:
    """Join without a name of our own, so that nobody who has one is pushed out."""
    from aiomqtt import Client, MqttError

    client = Client(
        site.host, site.port, username=site.username, password=site.password, timeout=within
    )
    try:
        async with client:
            granted = await client.subscribe(TOPIC, qos=1)
    except MqttError as error:
        rc = getattr(error, "rc", None)
        if getattr(rc, "value", rc) in NOT_ALLOWED:
            remedy = "correct hub.mqtt.username and hub.mqtt.password, or let that user in there"
            return bad("refused the user name or password", remedy)
        return bad(f"did not take us: {error}", "see the broker's own log")
    if any(getattr(code, "value", code) >= NOT_SUBSCRIBED for code in granted):
        remedy = "let this user read and write vestibule/# and the topics of its locks"
        return warn(f"reached and signed in, but {TOPIC} may not be read", remedy)
    signed = f"signed in as {site.username}" if site.username else "no user name is asked for"
    return ok(f"reached, {signed}, may read")


async def address(given: Given) -> BrokerAddress:
    """What drivers are told in a probe. Raises `NotReady` where only the hub's own broker is."""
    site = given.config.hub.mqtt if given.config is not None else None
    if site is None:
        raise NotReady(
            "no broker is configured, and the hub's own lets in nobody else; "
            "name the broker that the locks join, under hub: mqtt:"
        )
    return BrokerAddress(site.host, site.port, site.username, site.password)
