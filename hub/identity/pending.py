"""What has begun and waits for its second half: a challenge, a sign-in at the provider, a code.

Kept in memory, bounded and for minutes only: strangers begin as much as they like, and fill no
disk. Whoever begins much pushes out what they have begun themselves, never that of others: each
belongs to the address it came from or, once a password was right, to the account. After a restart
of the hub one begins anew.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from hub.clock import Clock
from hub.identity.throttle import network_of

EACH = 64  # of one address or account


@dataclass(frozen=True, slots=True)
class Begun:
    """Something begun by one browser, which alone may go on with it."""

    kind: str
    browser: str
    until: float
    data: dict[str, Any]
    whose: str


def of_address(address: str | None) -> str:
    """Whose it is that a stranger begins: their network's."""
    return f"from {network_of(address or '')}"


def of_account(name: str) -> str:
    """Whose it is that somebody begins whose password was right."""
    return f"of {name}"


class Pending:
    """Things begun, each by a key that nobody can guess. Where it is too much, whoever has begun
    most loses their oldest.
    """

    def __init__(
        self, clock: Clock, life_s: float = 300.0, entries: int = 4096, each: int = EACH
    ) -> None:
        self._clock, self._life_s = clock, life_s
        self._entries, self._each = entries, each
        self._begun: dict[str, Begun] = {}
        self._keys: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._begun)

    def begin(self, kind: str, browser: str, whose: str, key: str = "", **data: Any) -> str:
        """Remember what one browser has begun; returns its key. `whose` says whom it counts for."""
        key = key or secrets.token_urlsafe(32)
        self.drop(key)
        until = self._clock.monotonic() + self._life_s
        self._begun[key] = Begun(kind, browser, until, data, whose)
        own = self._keys.setdefault(whose, OrderedDict())
        own[key] = None
        self._keys.move_to_end(whose)
        if len(own) > self._each:
            self.drop(next(iter(own)))
        while len(self._begun) > self._entries:
            self._drop_one()
        return key

    def _drop_one(self) -> None:
        """The oldest of whoever has most; of several with as much, of whoever was here longest
        ago.
        """
        most = max(self._keys.values(), key=len)
        self.drop(next(iter(most)))

    def look(self, kind: str, browser: str, key: str) -> dict[str, Any] | None:
        """What was begun; None when unknown, over, or begun by another browser."""
        begun = self._begun.get(key)
        if begun is None or begun.kind != kind or begun.until <= self._clock.monotonic():
            return None
        same = secrets.compare_digest(begun.browser.encode(), browser.encode("utf-8", "replace"))
        return begun.data if browser and same else None

    def drop(self, key: str) -> None:
        """Forget what was begun."""
        begun = self._begun.pop(key, None)
        if begun is None:
            return
        own = self._keys[begun.whose]
        del own[key]
        if not own:
            del self._keys[begun.whose]

    def take(self, kind: str, browser: str, key: str) -> dict[str, Any] | None:
        """The same, once: it is forgotten by that, whoever asked."""
        data = self.look(kind, browser, key)
        self.drop(key)
        return data
