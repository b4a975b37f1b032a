"""The bus: hands committed events to whoever listens, never waiting for anyone.

The journal is the truth; the bus only tells. A listener that falls behind loses its oldest events,
sees how many in `dropped`, and can read them from the journal by sequence number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from hub.events import Event


class Subscription:
    """A bounded queue of (sequence number, event); iterate it with `async for`, one reader only."""

    def __init__(self, bus: Bus, maxsize: int, types: frozenset[str]) -> None:
        self.dropped = 0
        self._bus = bus
        self._types = types
        self._waiting: deque[tuple[int, Event]] = deque(maxlen=maxsize)
        self._ready = asyncio.Event()
        self._closed = False

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._waiting)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> tuple[int, Event]:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Stop listening; what already waits can still be read, then iteration ends."""
        if not self._closed:
            self._closed = True
            self._bus._forget(self)
            self._ready.set()

    def _put(self, item: tuple[int, Event]) -> bool:
        full = len(self._waiting) == self._waiting.maxlen
        self.dropped += full
        self._waiting.append(item)
        self._ready.set()
        return full


class Bus:
    """Publishes on the event loop's thread; the cost grows with the listeners that match."""

    def __init__(self) -> None:
        self.published = 0
        self.dropped = 0
        self._all: dict[Subscription, None] = {}
        self._by_type: dict[str, dict[Subscription, None]] = {}

    def publish(self, event: Event, seq: int) -> None:
        """Hand a committed event to every listener that wants its type; never blocks or raises."""
        self.published += 1
        item = (seq, event)
        for listener in self._all:
            self.dropped += listener._put(item)
        for listener in self._by_type.get(event.type, ()):
            self.dropped += listener._put(item)

    def subscribe(self, maxsize: int = 256, types: Iterable[str] = ()) -> Subscription:
        """Listen to events of these types, or to all; close the subscription (or use `with`)."""
        listener = Subscription(self, maxsize, frozenset(types))
        if not listener._types:
            self._all[listener] = None
        for wanted in listener._types:
            self._by_type.setdefault(wanted, {})[listener] = None
        return listener

    def close(self) -> None:
        """End every subscription: listeners read what waits for them, then their loops end."""
        typed = [listener for group in self._by_type.values() for listener in group]
        for listener in (*self._all, *typed):
            listener.close()

    def queue(self) -> dict[str, int]:
        """Counters for health and metrics, summed over the listeners there are now."""
        listeners = {*self._all, *(one for group in self._by_type.values() for one in group)}
        return {
            "listeners": len(listeners),
            "waiting": sum(len(listener) for listener in listeners),
            "published": self.published,
            "dropped": self.dropped,
        }

    def _forget(self, listener: Subscription) -> None:
        self._all.pop(listener, None)
        for wanted in listener._types:
            group = self._by_type[wanted]
            group.pop(listener, None)
            if not group:
                del self._by_type[wanted]
