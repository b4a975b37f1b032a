"""The clock: whether the kernel says it is kept right, by how much it is off, and the time zone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from zoneinfo import ZoneInfo

from hub.doctor.apart import in_loop
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.doctor.sntp import Answer, ask
from hub.errors import NotReady
from hub.kernel_clock import kernel_clock

ENABLE = "enable time synchronisation: timedatectl set-ntp true"
WARN_S, BAD_S = 1.0, 30.0


def probes(given: Given) -> list[Probe]:
    """The kernel's word, a time server's where one is named, and the time zone."""
    made = [Probe("clock", "synchronisation", partial(_kernel, given))]
    if given.asked.ntp:
        made.append(Probe("clock", "offset", partial(_server, given)))
    if given.config is not None:
        made.append(Probe("clock", "time zone", partial(_zone, given)))
    return made


async def _kernel(given: Given) -> AsyncIterator[Finding]:
    unmeasured = "" if given.asked.ntp else "; the offset was not measured (--ntp HOST does)"
    kept = kernel_clock()
    if kept is None:
        yield warn(f"the kernel does not say whether its clock is kept right{unmeasured}", ENABLE)
    elif kept.synchronised:
        yield ok(f"kept right, to within {kept.error:.3f} s as the kernel says{unmeasured}")
    else:
        yield warn(f"the kernel says that nobody keeps its clock right{unmeasured}", ENABLE)


async def _server(given: Given) -> AsyncIterator[Finding]:
    server = given.asked.ntp
    try:
        answer = await in_loop(partial(_ask_in_time, given))
    except NotReady as error:
        yield warn(f"not measured: {error}", "name a time server that this machine reaches")
        return
    off = abs(answer.offset)
    side = "behind" if answer.offset > 0 else "ahead of"
    told = f"{off:.3f} s {side} {server} (± {answer.delay / 2:.3f} s)"
    if off > BAD_S:
        yield bad(told, ENABLE)
    elif off > WARN_S:
        yield warn(told, ENABLE)
    else:
        yield ok(told)


async def _ask_in_time(given: Given) -> Answer:
    within = given.asked.limit * 0.9
    try:
        async with asyncio.timeout(within):
            return await ask(given.asked.ntp, given.clock)
    except TimeoutError:
        raise NotReady(f"no answer from {given.asked.ntp}") from None


async def _zone(given: Given) -> AsyncIterator[Finding]:
    assert given.config is not None
    name = given.config.hub.timezone
    there = given.clock.now().astimezone(ZoneInfo(name))
    yield ok(f"{name}, where it is {there:%H:%M} (UTC{there.isoformat()[-6:]})")
