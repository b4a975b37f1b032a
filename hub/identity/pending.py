"""What has begun and waits for its second half: a challenge, a sign-in at the provider, a code.

Kept in memory, bounded and for minutes only: strangers begin as much as they like, and fill no
disk. After a restart of the hub one begins anew.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from hub.clock import Clock


@dataclass(frozen=True, slots=True)
class Begun:
    """Something begun by one browser, which alone may go on with it."""

    kind: str
    browser: str
    until: float
    data: dict[str, Any]


class Pending:
    """Things begun, each by a key that nobody can guess; the oldest are forgotten first."""

    def __init__(self, clock: Clock, life_s: float = 300.0, entries: int = 4096) -> None:
        self._clock, self._life_s, self._entries = clock, life_s, entries
        self._begun: OrderedDict[str, Begun] = OrderedDict()

    def __len__(self) -> int:
        return len(self._begun)

    def begin(self, kind: str, browser: str, key: str = "", **data: Any) -> str:
        """Remember what one browser has begun; returns its key."""
        key = key or secrets.token_urlsafe(32)
        until = self._clock.monotonic() + self._life_s
        self._begun[key] = Begun(kind, browser, until, data)
        while len(self._begun) > self._entries:
            self._begun.popitem(last=False)
        return key

    def look(self, kind: str, browser: str, key: str) -> dict[str, Any] | None:
        """What was begun; None when unknown, over, or begun by another browser."""
        begun = self._begun.get(key)
        if begun is None or begun.kind != kind or begun.until <= self._clock.monotonic():
            return None
        same = secrets.compare_digest(begun.browser.encode(), browser.encode("utf-8", "replace"))
        return begun.data if browser and same else None

    def drop(self, key: str) -> None:
        """Forget what was begun."""
        self._begun.pop(key, None)

    def take(self, kind: str, browser: str, key: str) -> dict[str, Any] | None:
        """The same, once: it is forgotten by that, whoever asked."""
        data = self.look(kind, browser, key)
        self._begun.pop(key, None)
        return data
