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
    assert (await asyncio.wait_for(waiting, 20))[0] == 7
    ending = asyncio.create_task(_rest(listener))
    await asyncio.sleep(0)
    bus.close()
    assert await asyncio.wait_for(ending, 20) == []


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


async def test_a_listener_to_several_types_loses_and_counts_over_all() -> None:
    """What it was too slow for is counted over its types, and stays counted once it is closed."""
    bus = Bus()
    doors = bus.subscribe(maxsize=2, types=("door.opened", "door.closed", "door.opened"))
    other = bus.subscribe(types=("door.opened",))
    for seq, kind in enumerate(("door.opened", "door.closed", "door.opened", "zone.entered")):
        bus.publish(event(kind), seq)
    assert (doors.dropped, other.dropped, bus.dropped) == (1, 0, 1)
    assert (await anext(doors))[0] == 1
    doors.close()
    doors.close()
    bus.publish(event(), 9)
    assert (doors.dropped, bus.dropped, bus.queue()["listeners"]) == (1, 1, 1)
    assert [seq async for seq, _ in doors] == [2]
    late = bus.subscribe(maxsize=1, types=("door.closed",))
    bus.publish(event("door.closed"), 10)
    assert (late.dropped, len(late)) == (0, 1)


async def test_a_reader_that_gives_up_waiting_misses_nothing() -> None:
    """Cancelled while it waits, a listener is woken by the next event all the same."""
    bus = Bus()
    listener = bus.subscribe(types=("door.opened",))
    for seq in range(3):
        waiting = asyncio.create_task(anext(listener))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        waiting = asyncio.create_task(anext(listener))
        await asyncio.sleep(0)
        bus.publish(event(), seq)
        bus.publish(event(), seq)
        assert (await asyncio.wait_for(waiting, 20))[0] == seq
        assert (await anext(listener))[0] == seq
    assert listener.dropped == 0
