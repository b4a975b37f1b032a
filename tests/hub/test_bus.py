"""The bus tells listeners of committed events, and never waits for one."""

import asyncio
from datetime import UTC, datetime

from hub.bus import Bus, Subscription
from hub.events import Event


def event(kind: str = "door.opened") -> Event:
    """An event of some type."""
    return Event(type=kind, source="door/main", time=datetime(2026, 3, 2, tzinfo=UTC))


async def test_listeners_receive_in_order_until_closed() -> None:
    """A listener reads events in the order of publishing; closing ends its loop after the last."""
    bus = Bus()
    with bus.subscribe() as listener:
        for seq in range(3):
            bus.publish(event(), seq)
    assert [seq async for seq, _ in listener] == [0, 1, 2]
    bus.publish(event(), 3)
    assert bus.queue()["listeners"] == 0


async def test_a_listener_that_waits_is_woken() -> None:
    """Iteration waits for the next event."""
    bus = Bus()
    listener = bus.subscribe()
    waiting = asyncio.create_task(anext(listener))
    await asyncio.sleep(0)
    bus.publish(event(), 7)
    assert (await asyncio.wait_for(waiting, 1))[0] == 7
    ending = asyncio.create_task(_rest(listener))
    await asyncio.sleep(0)
    bus.close()
    assert await asyncio.wait_for(ending, 1) == []


async def _rest(listener: Subscription) -> list[int]:
    return [seq async for seq, _ in listener]


async def test_a_slow_listener_loses_its_oldest_and_knows_how_many() -> None:
    """A full queue drops its oldest event and counts it; other listeners lose nothing."""
    bus = Bus()
    slow, fast = bus.subscribe(maxsize=2), bus.subscribe(maxsize=10)
    for seq in range(5):
        bus.publish(event(), seq)
    bus.close()
    assert [seq async for seq, _ in slow] == [3, 4]
    assert [seq async for seq, _ in fast] == [0, 1, 2, 3, 4]
    assert (slow.dropped, fast.dropped, bus.dropped) == (3, 0, 3)


async def test_types_choose_what_a_listener_hears() -> None:
    """A listener for some types hears only those."""
    bus = Bus()
    doors = bus.subscribe(types=("door.opened", "door.closed"))
    for seq, kind in enumerate(("door.opened", "zone.entered", "door.closed")):
        bus.publish(event(kind), seq)
    assert bus.queue()["waiting"] == 2
    doors.close()
    assert [seq async for seq, _ in doors] == [0, 2]
