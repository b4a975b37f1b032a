"""Server-sent events: all events for programs, and for pages only the word that something changed.

Every stream is bounded twice: in the house's subscription, and by a deadline on each write. A
client that cannot keep up is cut and counted; with `Last-Event-ID` it comes back missing nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StringConstraints

from hub.events import Event
from hub.ports import EventStream
from hub.secrets import Secrets
from hub.web.contract import Contract, Line, asked
from hub.web.problems import Denied, denial
from hub.web.security import HOUSE, SECRETS, allowed, still_may, still_welcome, who_is

API_BEAT_S = 15.0
PAGE_BEAT_S = 2.0
WRITE_DEADLINE_S = 10.0
GATHER_S = 0.2
APART_S = 0.01
MOST_STREAMS = 256
MOST_OF_ONE = 64  # of one account or token: nobody who signed in takes all of them
REPLAY_BATCH = 500

_TOPICS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("alert.", ("alerts", "incidents")),
    ("incident.", ("incidents",)),
    ("picture.", ("incidents",)),
    ("action.", ("doors", "incidents")),
    ("door.", ("doors", "incidents")),
    ("doors.", ("doors", "protocols", "incidents")),
    ("access.", ("doors", "incidents")),
    ("protocol.", ("protocols", "doors", "incidents")),
    ("drill.", ("drills",)),
    ("glass.", ("glass",)),
    ("fire.", ("protocols", "doors", "incidents")),
    ("camera.", ("cameras", "health")),
    ("visitor.", ("visitors",)),
    ("plugin.", ("health",)),
    ("process.", ("health",)),
    ("hub.", ("health",)),
    ("controller.", ("health",)),
    ("input.", ("health",)),
)
TOPICS = ("alerts", "incidents", "doors", "cameras", "visitors", "drills", "health")
FOR_ALL = ("protocols", "glass")
UNTOLD = ("protocol.duress",)  # nobody knows who looks over the shoulder of a stream's reader


@dataclass(slots=True)
class Streams:
    """The streams in the air, and what became of those that were cut or refused."""

    beat_s: float = API_BEAT_S
    page_beat_s: float = PAGE_BEAT_S
    write_deadline_s: float = WRITE_DEADLINE_S
    open: int = 0
    cut: int = 0
    refused: int = 0
    by: Counter[str] = field(default_factory=Counter)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def one_of(self, by: str) -> Iterator[None]:
        """One more stream of somebody, while the block runs. Raises `Denied` where there is no
        room for it.
        """
        if self.open >= MOST_STREAMS or self.stopping.is_set():
            self.refused += 1
            raise Denied(503, "Too many streams are open.", "Close some and try again.")
        if self.by[by] >= MOST_OF_ONE:
            self.refused += 1
            raise Denied(
                503, f"{MOST_OF_ONE} streams of this account are open.", "Close some of its pages."
            )
        self.open += 1
        self.by[by] += 1
        try:
            yield
        finally:
            self.open -= 1
            self.by[by] -= 1
            if not self.by[by]:
                del self.by[by]

    def gather_s(self) -> float:
        """How long changes are gathered before a client is told: where there are many, not all
        at the same moment, since all of them then ask for something.
        """
        return GATHER_S + APART_S * self.open * random.random()


STREAMS: web.AppKey[Streams] = web.AppKey("streams", Streams)


class EventsQuery(BaseModel):
    """From where to go on: the last number that was received; empty for what comes from now on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    after: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,18}$")] = ""


class Cut(Exception):
    """This client missed something; it has to come back."""


def topics_of(event_type: str) -> tuple[str, ...]:
    """What on the pages may look different after an event of this type."""
    for prefix, topics in _TOPICS:
        if event_type.startswith(prefix):
            return topics
    return ()


class Listener:
    """One client: what arrives for it, what it is sent, and when that has to end."""

    def __init__(
        self,
        request: web.Request,
        write: Callable[[str], Awaitable[None]],
        subscription: EventStream,
        leaves: asyncio.Task[None] | None = None,
    ) -> None:
        self.request = request
        self.streams = request.app[STREAMS]
        self.subscription = subscription
        self._write, self._leaves = write, leaves
        self._arriving: asyncio.Task[tuple[int, Event]] | None = None
        self._ending = asyncio.create_task(self.streams.stopping.wait(), name="web-stream-end")

    async def send(self, text: str) -> None:
        """Write, or raise `TimeoutError` when the client does not read."""
        async with asyncio.timeout(self.streams.write_deadline_s):
            await self._write(text)

    async def arrival(self, within_s: float) -> tuple[int, Event] | None:
        """The next event, or None when none came in time. Ends with `StopAsyncIteration`."""
        if self._arriving is None:
            self._arriving = asyncio.create_task(_next(self.subscription), name="web-stream-next")
        ends = {self._ending, *([self._leaves] if self._leaves else ())}
        await asyncio.wait(
            {self._arriving, *ends}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED
        )
        if any(each.done() for each in ends):
            raise StopAsyncIteration
        if not self._arriving.done():
            return None
        done, self._arriving = self._arriving, None
        return done.result()

    async def close(self) -> None:
        """Let go of what was being waited for."""
        for task in (self._arriving, self._ending):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, StopAsyncIteration, Over):
                    await task


class Over(Exception):
    """The house closed the subscription."""


async def _next(subscription: EventStream) -> tuple[int, Event]:
    try:
        return await subscription.__anext__()
    except StopAsyncIteration:
        # A task cannot end with StopAsyncIteration's cousin StopIteration; be explicit for both.
        raise Over from None


async def events(request: web.Request) -> web.StreamResponse:
    """Every event as it is committed; `Last-Event-ID` or `?after=` resumes after that number."""
    after = request.headers.get("Last-Event-ID") or asked(request, EventsQuery).after
    if after and not (after.isascii() and after.isdigit() and len(after) < 19):
        return denial(422, "Last-Event-ID is not a number.", "Send the last `id:` you received.")
    last = int(after) if after else None

    async def feed(line: Listener) -> None:
        await _feed(line, last)

    return await _stream(request, feed)


async def live(request: web.Request) -> web.StreamResponse:
    """For pages: names what changed, so that the page can ask for its parts again."""
    return await _stream(request, _bell, doubtful=True)


async def _stream(
    request: web.Request, run: Callable[[Listener], Awaitable[None]], *, doubtful: bool = False
) -> web.StreamResponse:
    streams = request.app[STREAMS]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    )
    try:
        with (
            streams.one_of(who_is(request).by),
            request.app[HOUSE].events(doubtful) as subscription,
        ):
            await response.prepare(request)
            line = Listener(request, lambda text: response.write(text.encode()), subscription)
            try:
                await run(line)
            finally:
                await line.close()
    except Cut:
        streams.cut += 1
    except TimeoutError:
        streams.cut += 1
        if request.transport is not None:
            request.transport.abort()
    except (ConnectionError, StopAsyncIteration, Over):
        pass
    return response


def _frame(seq: int, event: Event, secrets: Secrets) -> str:
    event = secrets.clean_event(event)
    body = json.dumps(event.to_cloudevent(), ensure_ascii=False, separators=(",", ":"))
    return f"id: {seq}\nevent: {event.type}\ndata: {body}\n\n"


async def _feed(line: Listener, after: int | None) -> None:
    loop, secrets = asyncio.get_running_loop(), line.request.app[SECRETS]
    await line.send("retry: 2000\n\n")
    last = -1
    if after is not None:
        last = after
        while batch := await line.request.app[HOUSE].past_events(last, REPLAY_BATCH):
            for seq, event in batch:
                last = seq
                if event.type not in UNTOLD:
                    await line.send(_frame(seq, event, secrets))
    beat_at = loop.time() + line.streams.beat_s
    while True:
        arrived = await line.arrival(max(0.0, beat_at - loop.time()))
        if line.subscription.dropped:
            raise Cut
        if arrived is not None and arrived[0] > last:
            last = arrived[0]
            if arrived[1].type not in UNTOLD:
                await line.send(_frame(*arrived, secrets))
        if loop.time() >= beat_at:  # also where events never cease
            if not await still_may(line.request, "see.events"):
                return
            await line.send(": still here\n\n")
            beat_at = loop.time() + line.streams.beat_s


def topics_for(request: web.Request) -> set[str]:
    """What the sender of a request is told of now."""
    return {*FOR_ALL, *(topic for topic in TOPICS if allowed(request, f"see.{topic}"))}


async def _bell(line: Listener) -> None:
    loop = asyncio.get_running_loop()
    seen = topics_for(line.request)
    changed: set[str] = set()
    missed = 0
    ring_at, beat_at = 0.0, loop.time() + line.streams.page_beat_s
    await line.send("retry: 2000\nevent: hello\ndata: .\n\n")
    while True:
        next_at = min(ring_at, beat_at) if changed else beat_at
        arrived = await line.arrival(max(0.0, next_at - loop.time()))
        if line.subscription.dropped > missed:
            missed = line.subscription.dropped
            fresh = set(seen)
        else:
            fresh = seen.intersection(topics_of(arrived[1].type)) if arrived else set()
        if fresh and not changed:
            ring_at = loop.time() + line.streams.gather_s()
        changed |= fresh
        if changed and loop.time() >= ring_at:
            await line.send(f"event: changed\ndata: {' '.join(sorted(changed))}\n\n")
            changed = set()
        if loop.time() >= beat_at:  # also where events never cease
            if not await still_welcome(line.request):
                return
            if (now_seen := topics_for(line.request)) != seen:  # hours began or ended
                changed |= {*seen, *now_seen}
                seen = now_seen
            await line.send("event: beat\ndata: .\n\n")
            beat_at = loop.time() + line.streams.page_beat_s


API_LINES: tuple[Line, ...] = (
    (
        "GET", "/api/v1/events", "see.events", events,
        Contract(media=("text/event-stream",), asks=EventsQuery, refuses=(503,)),
    ),
)  # fmt: skip
