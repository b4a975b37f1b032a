"""Drivers that can probe what they talk to: access controllers, notifiers and visitor systems."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hub.config import DriverBlock
from hub.doctor.apart import in_loop
from hub.doctor.broker import address
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.drivers import words
from hub.errors import BadConfig, VestibuleError
from hub.kinds import BrokerAddress, Context, Kind, Probed
from hub.units import duration_words

TITLES: Mapping[Kind, str] = {
    "cameras": "cameras",
    "detectors": "detectors",
    "access_control": "access control",
    "notifiers": "notifiers",
    "visitors": "visitors",
}
REMEDIES: Mapping[Kind, str] = {
    "cameras": "check the camera and its block",
    "detectors": "check the detector and its block",
    "access_control": "check the controller, the way to it and its block",
    "notifiers": "check the server, the way to it and the notifier's block",
    "visitors": "correct the list or the visitor system's block",
}
PROBED: tuple[Kind, ...] = ("access_control", "notifiers", "visitors")
CLOSE_WITHIN_S = 1.0
EARLIER = 0.9  # of a probe's deadline: what it says itself is better than that it was late


def probes(given: Given) -> list[Probe]:
    """One for each enabled block; none where the configuration is invalid."""
    if given.config is None:
        return []
    return [
        Probe(TITLES[kind], id_, partial(_look, given, kind, id_, block))
        for kind in PROBED
        for id_, block in given.config.drivers(kind).items()
        if block.enabled
    ]


async def _look(given: Given, kind: Kind, id_: str, block: DriverBlock) -> AsyncIterator[Finding]:
    yield await in_loop(partial(_asked, given, kind, id_, block))


async def _asked(given: Given, kind: Kind, id_: str, block: DriverBlock) -> Finding:
    try:
        instance = build(given, kind, id_, block)
    except Exception as error:
        return trouble(kind, block.driver, error)
    try:
        async with asyncio.timeout(given.asked.limit * EARLIER):
            return as_finding(block.driver, await probed(instance))
    except TimeoutError:
        return late(kind, given.asked.limit * EARLIER)
    except Exception as error:
        return trouble(kind, block.driver, error)
    finally:
        await closed(instance)


def build(given: Given, kind: Kind, id_: str, block: DriverBlock) -> Any:
    """An instance as the hub builds it, for the probe alone; raises what the factory raises."""
    assert given.registry is not None
    return given.registry.driver(kind, block.driver).factory(
        block.settings, context(given, kind, id_)
    )


def context(given: Given, kind: Kind, id_: str) -> Context:
    """What the hub hands the driver, but for events, which go nowhere."""
    assert given.config is not None
    service_cache = os.environ.get("CACHE_DIRECTORY")
    cache = Path(service_cache.split(":")[0]) if service_cache else given.folder.cache

    async def broker() -> BrokerAddress:
        return await address(given)

    return Context(
        name=id_,
        clock=given.clock,
        timezone=given.config.hub.timezone,
        state=given.folder.path / kind / id_,
        cache=cache / kind,
        config_folder=given.config_folder,
        devices={
            door: each.device
            for door, each in given.config.doors.items()
            if kind == "access_control" and each.controller == id_
        },
        broker=broker,
    )


async def probed(instance: Any) -> Probed | None:
    """What the driver's own probe says; None where it has none."""
    probe = getattr(instance, "probe", None)
    if probe is None:
        return None
    said = await probe()
    return said if isinstance(said, Probed) else Probed(str(said))


async def closed(instance: Any) -> None:
    """Let go of an instance; what that raises no longer matters."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_WITHIN_S):
            await instance.close()


def as_finding(driver: str, said: Probed | None) -> Finding:
    """The driver's words as a finding; honest about a driver that has no probe."""
    if said is None:
        return ok(f"not probed: the driver {driver} has no probe")
    if not said.works:
        return bad(said.found, said.remedy or "see the reason")
    return warn(said.found, said.remedy) if said.remedy else ok(said.found)


def trouble(kind: Kind, driver: str, error: Exception) -> Finding:
    """What a driver raised: our own words as they are, a fault of the driver as one."""
    if isinstance(error, BadConfig):
        more = len(error.problems) - 1
        told = words(error) + (f" (and {more} more)" if more else "")
        return bad(told, REMEDIES[kind])
    if isinstance(error, VestibuleError):
        return bad(words(error), REMEDIES[kind])
    told = f"the driver {driver} failed: {words(error)}"
    return bad(told, "tell whoever wrote the driver")


def late(kind: Kind, seconds: float) -> Finding:
    """Nothing was said in time."""
    return bad(f"no answer within {duration_words(round(seconds, 1))}", REMEDIES[kind])
