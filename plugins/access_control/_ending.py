"""Ending tasks that may lose a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 0.6


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended; what they raise is left with them.

    Asking once is not enough: the MQTT client waits with `asyncio.wait_for`, which on Python 3.11
    loses a cancellation that comes at the very moment its answer does (bpo-37658). The
    pause leaves a farewell time to go out before the next asking.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
