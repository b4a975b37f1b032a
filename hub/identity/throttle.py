"""Slows down guessing: each failure past the free ones doubles the wait, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from hub.clock import Clock


def network_of(address: str) -> str:
    """Whose tries those of an address are: of IPv6 one machine has 2^64 addresses to choose from,
    so its network of 64 bits counts; anything else is itself.
    """
    try:
        known = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Network((known.packed[:8] + bytes(8), 64)))


@dataclass(slots=True)
class _Tries:
    failures: int = 0
    not_before: float = 0.0
    last: float = 0.0


class Throttle:
    """Remembers failed tries by key; the least recently seen keys are forgotten first.

    `free` failures cost nothing, then the wait is 1, 2, 4... seconds up to `longest_s`. A key that
    was quiet for `forget_s` starts anew.
    """

    def __init__(
        self,
        clock: Clock,
        free: int = 5,
        longest_s: float = 300.0,
        forget_s: float = 900.0,
        entries: int = 4096,
    ) -> None:
        self._clock = clock
        self._free = free
        self._longest_s = longest_s
        self._forget_s = forget_s
        self._entries = entries
        self._tries: OrderedDict[tuple[str, ...], _Tries] = OrderedDict()
        self.refused = 0

    def __len__(self) -> int:
        return len(self._tries)

    def wait(self, key: tuple[str, ...]) -> float:
        """Seconds until the next try of this key is heard; 0 when it may come now."""
        tries = self._tries.get(key)
        if tries is None:
            return 0.0
        left = max(0.0, tries.not_before - self._clock.monotonic())
        if left > 0:
            self.refused += 1
        return left

    def count(self, key: tuple[str, ...]) -> None:
        """Note a try before its outcome is known, so that tries side by side count as well."""
        now = self._clock.monotonic()
        tries = self._tries.get(key)
        if tries is None or now - tries.last > self._forget_s:
            tries = self._tries[key] = _Tries()
        tries.failures += 1
        tries.last = now
        over = tries.failures - self._free
        if over >= 0:
            tries.not_before = now + min(self._longest_s, 2.0 ** min(over, 30))
        self._tries.move_to_end(key)
        while len(self._tries) > self._entries:
            self._tries.popitem(last=False)

    def clear(self, key: tuple[str, ...]) -> None:
        """The try was good after all: the key starts anew."""
        self._tries.pop(key, None)

    def forgive(self, key: tuple[str, ...]) -> None:
        """One try was good: it does not count, though others of the same key still do."""
        tries = self._tries.get(key)
        if tries is not None:
            tries.failures -= 1
            tries.not_before = min(tries.not_before, self._clock.monotonic())
