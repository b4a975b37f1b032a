"""The WebSocket of the API: all that the server-sent streams tell, over one connection.

Every message is a JSON object with `kind`: `hello` first, and whenever hours begin or end;
`changed` names what on the pages looks different now, as far as the role may see it; `event`
carries an event, for who may follow them.
Nothing is taken from the client. It is closed with a code that says why.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Literal

from aiohttp import WSMsgType, web
from typing_extensions import TypedDict

from hub.events import Event
from hub.web.contract import Contract, Line, asked
from hub.web.problems import Denied
from hub.web.security import (
    HOUSE,
    PROTOCOL,
    SECRETS,
    SIGNED_IN,
    allowed,
    bearer,
    same_origin,
    still_welcome,
    who_is,
)
from hub.web.stream import (
    REPLAY_BATCH,
    STREAMS,
    UNTOLD,
    Cut,
    EventsQuery,
    Listener,
    Over,
    topics_for,
    topics_of,
)

PATH = "/api/v1/stream"
LONGEST_MESSAGE = 1024
OVER, SLOW, TAKES_NOTHING, LEAVES = 4001, 4008, 1008, 1001


class Hello(TypedDict):
    """The first message, and again where a role's hours begin or end: what will be told. `events`
    says whether events themselves are.
    """

    kind: Literal["hello"]
    topics: list[str]
    events: bool


class Changed(TypedDict):
    """What looks different now: of the topics of the first message."""

    kind: Literal["changed"]
    topics: list[str]


async def show(request: web.Request) -> web.StreamResponse:
    """A WebSocket that tells of everything as it happens: what changed, and with the permission
    see.events every event. Comes back with the `after` of the last `id` and misses nothing.
    """
    streams, after = request.app[STREAMS], asked(request, EventsQuery).after
    _may_open(request, after)
    socket = web.WebSocketResponse(
        heartbeat=streams.beat_s,
        timeout=streams.write_deadline_s,
        protocols=(PROTOCOL,),
        max_msg_size=LONGEST_MESSAGE,
        writer_limit=64 * 1024,
    )
    try:
        with (
            streams.one_of(who_is(request).by),
            request.app[HOUSE].events() as subscription,
        ):
            await socket.prepare(request)
            leaves = asyncio.create_task(_hear(socket), name="web-socket-hear")
            listener = Listener(request, socket.send_str, subscription, leaves)
            try:
                await _tell(listener, int(after) if after else None)
            finally:
                await listener.close()
                leaves.cancel()
                with suppress(asyncio.CancelledError):
                    await leaves
        await _close(socket, OVER, "your session or token is over, or may no more")
    except Cut:
        streams.cut += 1
        await _close(socket, SLOW, "too slow; come back with after=ID")
    except TimeoutError:
        streams.cut += 1
        if request.transport is not None:
            request.transport.abort()
    except (ConnectionError, StopAsyncIteration, Over):
        await _close(socket, LEAVES, "the hub or the client leaves")
    return socket


def _may_open(request: web.Request, after: str) -> None:
    """Raises `Denied`. A browser sends the cookie to whoever asks it to: the page must be ours."""
    if not web.WebSocketResponse().can_prepare(request).ok:
        raise Denied(
            426, "This address is a WebSocket.", "Ask for an upgrade, or GET /api/v1/events."
        )
    if bearer(request) is None and not ("Origin" in request.headers and same_origin(request)):
        raise Denied(403, "This request came from another site.", "Programs send a token instead.")
    if after and not allowed(request, "see.events"):
        raise Denied(
            403, "Your role does not follow events.", "Leave `after` out to hear what changed."
        )


async def _hear(socket: web.WebSocketResponse) -> None:
    """Answer pings until the client leaves, or says something, which it may not."""
    message = await socket.receive()
    if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
        await _close(socket, TAKES_NOTHING, "nothing is taken here; send requests to the API")


async def _close(socket: web.WebSocketResponse, code: int, why: str) -> None:
    if socket.prepared and not socket.closed:
        with suppress(ConnectionError, TimeoutError):
            await socket.close(code=code, message=why.encode())


async def _tell(listener: Listener, after: int | None) -> None:
    loop, request, streams = asyncio.get_running_loop(), listener.request, listener.streams
    seen, follows = may = await _greet(listener)
    last = await _past(listener, after) if after is not None else -1
    changed: set[str] = set()
    ring_at, beat_at = 0.0, loop.time() + streams.beat_s
    while True:
        next_at = min(ring_at, beat_at) if changed else beat_at
        arrived = await listener.arrival(max(0.0, next_at - loop.time()))
        if listener.subscription.dropped:
            raise Cut
        if arrived is not None and arrived[0] > last:
            last, event = arrived
            if follows and event.type not in UNTOLD:
                await listener.send(_event(request, last, event))
            if (fresh := seen.intersection(topics_of(event.type))) and not changed:
                ring_at = loop.time() + streams.gather_s()
            changed |= fresh
        if changed and loop.time() >= ring_at:
            told = Changed(kind="changed", topics=sorted(changed))
            await listener.send(json.dumps(told))
            changed = set()
        if loop.time() >= beat_at:  # also where events never cease
            if not await still_welcome(request):
                return
            if _may(request) != may:  # hours began or ended
                seen, follows = may = await _greet(listener)
            beat_at = loop.time() + streams.beat_s


def _may(request: web.Request) -> tuple[set[str], bool]:
    return topics_for(request), allowed(request, "see.events")


async def _greet(listener: Listener) -> tuple[set[str], bool]:
    """Say what will be told; returns the topics, and whether events are."""
    seen, follows = may = _may(listener.request)
    await listener.send(json.dumps(Hello(kind="hello", topics=sorted(seen), events=follows)))
    return may


async def _past(listener: Listener, after: int) -> int:
    """Tell what was missed; returns the number of the last that was told."""
    while batch := await listener.request.app[HOUSE].past_events(after, REPLAY_BATCH):
        for seq, event in batch:
            after = seq
            if event.type not in UNTOLD:
                await listener.send(_event(listener.request, seq, event))
    return after


def _event(request: web.Request, seq: int, event: Event) -> str:
    cleaned = request.app[SECRETS].clean_event(event).to_cloudevent()
    said = {"kind": "event", "id": seq, "event": cleaned}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


LINES: tuple[Line, ...] = (
    (
        "GET", PATH, SIGNED_IN, show,
        Contract(asks=EventsQuery, status=101, media=(), refuses=(403, 426, 503)),
    ),
)  # fmt: skip
