"""The bus: hands committed events to whoever listens, never waiting for anyone.

The journal is the truth; the bus only tells. A listener that falls behind loses its oldest events,
sees how many in `dropped`, and can read them from the journal by sequence number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from hub.events import Event

Item = tuple[int, Event]


class _Group:
    """The listeners to one type of event, or to all: who to hand an event to, and who sleeps."""

    def __init__(self) -> None:
        self.handed = 0
        self.asleep: set[Subscription] = set()
        self.members: dict[Subscription, Callable[[Item], None]] = {}
        self.appends: list[Callable[[Item], None]] = []

    def put(self, item: Item) -> None:
        # The hub's innermost loop: a full queue drops its oldest by itself, and is counted later.
        self.handed += 1
        for append in self.appends:
            append(item)
        if self.asleep:
            for listener in self.asleep:
                listener._wake()
            self.asleep.clear()

    def join(self, listener: Subscription) -> None:
        self.members[listener] = listener._waiting.append
        self.appends = list(self.members.values())

    def leave(self, listener: Subscription) -> None:
        del self.members[listener]
        self.asleep.discard(listener)
        self.appends = list(self.members.values())


class Subscription:
    """A bounded queue of (sequence number, event); iterate it with `async for`, one reader only."""

    def __init__(self, bus: Bus, maxsize: int, groups: Iterable[_Group]) -> None:
        self._bus = bus
        self._waiting: deque[Item] = deque(maxlen=maxsize)
        self._asleep: asyncio.Future[None] | None = None
        self._closed = False
        self._read = 0
        self._groups = tuple(groups)
        self._before = -self._handed()
        for group in self._groups:
            group.join(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._waiting)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Item:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            await self._sleep()
        self._read += 1
        return self._waiting.popleft()

    @property
    def dropped(self) -> int:
        """How many events this listener was too slow for."""
        return self._before + self._handed() - self._read - len(self._waiting)

    def close(self) -> None:
        """Stop listening; what already waits can still be read, then iteration ends."""
        if not self._closed:
            self._closed = True
            self._bus._forget(self)
            self._before += self._handed()
            for group in self._groups:
                group.leave(self)
            self._groups = ()
            self._wake()

    def _handed(self) -> int:
        return sum(group.handed for group in self._groups)

    async def _sleep(self) -> None:
        self._asleep = asyncio.get_running_loop().create_future()
        for group in self._groups:
            group.asleep.add(self)
        try:
            await self._asleep
        finally:
            self._asleep = None
            for group in self._groups:
                group.asleep.discard(self)

    def _wake(self) -> None:
        if self._asleep is not None and not self._asleep.done():
            self._asleep.set_result(None)


class Bus:
    """Publishes on the event loop's thread; the cost grows with the listeners that match."""

    def __init__(self) -> None:
        self.published = 0
        self._dropped_by_closed = 0
        self._all = _Group()
        self._by_type: dict[str, _Group] = {}
        self._listeners: dict[Subscription, tuple[str, ...]] = {}

    def publish(self, event: Event, seq: int) -> None:
        """Hand a committed event to every listener that wants its type; never blocks or raises."""
        self.published += 1
        item = (seq, event)
        if self._all.appends:
            self._all.put(item)
        group = self._by_type.get(event.type)
        if group is not None:
            group.put(item)

    def subscribe(self, maxsize: int = 256, types: Iterable[str] = ()) -> Subscription:
        """Listen to events of these types, or to all; close the subscription (or use `with`)."""
        wanted = tuple(dict.fromkeys(types))
        groups = [self._by_type.setdefault(each, _Group()) for each in wanted] or [self._all]
        listener = Subscription(self, maxsize, groups)
        self._listeners[listener] = wanted
        return listener

    def close(self) -> None:
        """End every subscription: listeners read what waits for them, then their loops end."""
        for listener in list(self._listeners):
            listener.close()

    @property
    def dropped(self) -> int:
        """Events that listeners were too slow for, closed listeners included."""
        return self._dropped_by_closed + sum(one.dropped for one in self._listeners)

    def queue(self) -> dict[str, int]:
        """Counters for health and metrics; what waits is summed over the listeners there are."""
        return {
            "listeners": len(self._listeners),
            "waiting": sum(len(listener) for listener in self._listeners),
            "published": self.published,
            "dropped": self.dropped,
        }

    def _forget(self, listener: Subscription) -> None:
        self._dropped_by_closed += listener.dropped
        for wanted in self._listeners.pop(listener):
            group = self._by_type[wanted]
            if len(group.members) == 1:
                del self._by_type[wanted]
