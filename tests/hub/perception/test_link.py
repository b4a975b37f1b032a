"""Messages between hub and worker arrive whole and in order; events stay until acknowledged."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.events import Event
from hub.link import MAX_MESSAGE, BadFrame, Link, decode, encode
from hub.perception.link import Outbox
from hub.testing import FakeClock

Pair = tuple[Link, Link]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Two ends of a link."""
    ours, theirs = socket.socketpair()
    one, other = await Link.over(ours), await Link.over(theirs)
    yield one, other
    await one.close()
    await other.close()


@pytest.fixture
async def raw() -> AsyncIterator[tuple[socket.socket, Link]]:
    """A bare socket and the link that listens to it."""
    ours, theirs = socket.socketpair()
    link = await Link.over(theirs)
    ours.setblocking(False)
    yield ours, link
    ours.close()
    await link.close()


async def soon(what: Awaitable[object]) -> object:
    """The result, or a failure when it does not come."""
    async with asyncio.timeout(15):
        return await what


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_a_message_comes_out_as_it_went_in(content: dict[str, object]) -> None:
    """Whatever plain JSON values it holds."""
    message = {**content, "t": "x"}
    assert decode(encode(message)[4:]) == message


async def test_messages_arrive_in_order_in_both_directions(pair: Pair) -> None:
    """A burst of them, at once."""
    hub, worker = pair
    for number in range(200):
        assert hub.offer({"t": "n", "n": number})
        assert worker.offer({"t": "m", "n": number})
    assert [(await soon(worker.receive()))["n"] for _ in range(200)] == list(range(200))
    assert [(await soon(hub.receive()))["n"] for _ in range(200)] == list(range(200))


async def test_a_message_that_arrives_byte_by_byte_is_one_message(
    raw: tuple[socket.socket, Link],
) -> None:
    """Where the kernel cuts the stream means nothing."""
    sender, link = raw
    receiving = asyncio.create_task(link.receive(), name="receive")
    for byte in encode({"t": "slow", "text": "äöü"}):
        sender.send(bytes([byte]))
        await asyncio.sleep(0)
    assert await soon(receiving) == {"t": "slow", "text": "äöü"}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (struct.pack(">I", MAX_MESSAGE + 1), "over the limit"),
        (struct.pack(">I", 0xFFFFFFFF), "over the limit"),
        (struct.pack(">I", 3) + b"{x}", "no JSON"),
        (struct.pack(">I", 2) + b"\xff\xfe", "no JSON"),
        (struct.pack(">I", 2) + b"[]", "no object"),
        (struct.pack(">I", 7) + b'{"t":1}', "no object"),
    ],
)
async def test_a_bad_frame_is_rejected(
    raw: tuple[socket.socket, Link], frame: bytes, words: str
) -> None:
    """Too long (refused before it is read), not JSON, or not an object with a name."""
    sender, link = raw
    sender.send(frame)
    with pytest.raises(BadFrame, match=words):
        await soon(link.receive())


async def test_a_message_too_long_to_send_is_rejected_before_it_is_sent(pair: Pair) -> None:
    """The sender learns it, and the link still works."""
    hub, worker = pair
    with pytest.raises(BadFrame, match="over the limit"):
        hub.offer({"t": "x", "text": "a" * MAX_MESSAGE})
    hub.offer({"t": "y"})
    assert await soon(worker.receive()) == {"t": "y"}


async def test_the_end_of_the_other_side_is_seen(pair: Pair) -> None:
    """None, also in the middle of a message."""
    hub, worker = pair
    await hub.close()
    assert await soon(worker.receive()) is None


async def test_a_message_cut_off_by_the_end_is_no_message(raw: tuple[socket.socket, Link]) -> None:
    """Half a frame and then nothing is the end."""
    sender, link = raw
    sender.send(encode({"t": "cut"})[:-2])
    sender.close()
    assert await soon(link.receive()) is None


async def test_sending_to_an_end_that_does_not_read_never_waits_and_is_counted(pair: Pair) -> None:
    """The bounded queue fills; what does not fit is refused."""
    hub, _ = pair
    big = {"t": "x", "text": "a" * 10_000}
    for _ in range(3000):
        hub.offer(big)
        if hub.refused:
            break
        await asyncio.sleep(0)
    assert hub.refused == 1


def event(number: int) -> Event:
    """A small event that can be told from others."""
    return Event("zone.entered", "camera/a", NOON, "a", {"n": number})


async def received(link: Link, count: int) -> list[int]:
    """The numbers of the events that came."""
    return [(await soon(link.receive()))["event"]["data"]["n"] for _ in range(count)]  # type: ignore[index]


async def nothing_more(link: Link) -> bool:
    """Whether no message comes for a moment."""
    try:
        async with asyncio.timeout(0.05):
            await link.receive()
    except TimeoutError:
        return True
    return False


async def test_only_a_window_of_events_is_out_until_acknowledged(pair: Pair) -> None:
    """Each acknowledgement lets the next one go, in order."""
    hub, worker = pair
    outbox = Outbox(worker, FakeClock(), in_flight=2, waiting=10)
    for number in range(5):
        assert outbox.put(event(number))
    assert await received(hub, 2) == [0, 1]
    assert await nothing_more(hub)
    outbox.acknowledged(1)
    assert await received(hub, 1) == [2]
    assert outbox.unacknowledged == 4


async def test_no_event_is_dropped_silently(pair: Pair) -> None:
    """Where the backlog is full an event is refused and counted; the others still go out."""
    hub, worker = pair
    outbox = Outbox(worker, FakeClock(), in_flight=1, waiting=2)
    assert [outbox.put(event(number)) for number in range(5)] == [True, True, True, False, False]
    assert outbox.lost == 2
    for seq in (1, 2, 3):
        assert await received(hub, 1) == [seq - 1]
        outbox.acknowledged(seq)
    assert outbox.unacknowledged == 0


async def test_an_unacknowledged_event_is_sent_again(pair: Pair) -> None:
    """With the same number, only after a while, and until it is acknowledged."""
    hub, worker = pair
    clock = FakeClock()
    outbox = Outbox(worker, clock, resend_after_s=5)
    outbox.put(event(7))
    first = await soon(hub.receive())
    await clock.advance(4.9)
    outbox.resend_late()
    assert await nothing_more(hub)
    await clock.advance(0.2)
    outbox.resend_late()
    assert await soon(hub.receive()) == first
    outbox.acknowledged(1)
    await clock.advance(60)
    outbox.resend_late()
    assert await nothing_more(hub)
    assert outbox.resent == 1


async def test_empty_waits_for_the_last_acknowledgement(pair: Pair) -> None:
    """It returns only once nothing is out or waiting."""
    _, worker = pair
    outbox = Outbox(worker, FakeClock(), in_flight=1)
    await soon(outbox.empty())
    outbox.put(event(1))
    outbox.put(event(2))
    waiting = asyncio.create_task(outbox.empty(), name="empty")
    outbox.acknowledged(1)
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.acknowledged(2)
    await soon(waiting)
