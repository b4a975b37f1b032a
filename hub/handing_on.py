"""Messages of other systems that are for a controller: its driver reads them itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hub.drivers import Drivers
from hub.errors import CommandFailed, NotReady

HEARD_WITHIN_S = 5.0


def handing_on(drivers: Drivers) -> Callable[[str, str], Awaitable[str]]:
    """How a proven message reaches the driver of a controller, which may offer `hear`. The answer
    says why it is of no interest, or is empty. Raises `CommandFailed` where it cannot be used and
    `NotReady` where it can be later.
    """

    async def hand(controller: str, message: str) -> str:
        try:
            instance = drivers.get("access_control", controller).instance
        except KeyError:
            instance = None
        if instance is None:
            raise NotReady(f"{controller} is not running")
        hear = getattr(instance, "hear", None)
        if hear is None:
            raise CommandFailed(f"the driver of {controller} takes no messages")
        async with asyncio.timeout(HEARD_WITHIN_S):
            said = await hear(message)
        return said if isinstance(said, str) else ""

    return hand
