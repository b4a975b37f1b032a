"""The contract for drivers whose own limits are longer than any that a test waits for."""

from __future__ import annotations

from hub.testing import NotifierContract


class LongLimits(NotifierContract):
    """What such a driver asks a silent device is called off by the contract, never ended by itself:
    a quarter of a second shows as much as a whole one.
    """

    deadline = 0.25
