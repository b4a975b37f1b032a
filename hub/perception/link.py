"""How the hub and a perception worker talk over their link (see `hub.link`).

Worker to hub: `hello`, `event` (numbered; kept and sent again until acknowledged), `health`, `log`.
Hub to worker: `start` (detectors and cameras), `camera` (one camera, new or changed), `forget` (one
camera), `detectors` (all of them, as they are now), `ack`, `keep` (pictures around a moment),
`watch` (somebody looks at a camera), `stop`. Every message is an object with its name under `t`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from hub.clock import Clock
from hub.events import Event
from hub.link import MAX_WAITING, Link

MAX_IN_FLIGHT = 64
RESEND_AFTER_S = 5.0


@dataclass(slots=True)
class _Sent:
    event: Event
    seq: int
    at: float


class Outbox:
    """Events on their way to the hub: kept until acknowledged, sent again when that takes long.

    At most `in_flight` are out at a time and `waiting` more are kept; beyond that an event is
    refused and counted in `lost`, which the hub shows.
    """

    def __init__(
        self,
        link: Link,
        clock: Clock,
        *,
        waiting: int = MAX_WAITING,
        in_flight: int = MAX_IN_FLIGHT,
        resend_after_s: float = RESEND_AFTER_S,
    ) -> None:
        self._link = link
        self._clock = clock
        self._limits = (waiting, in_flight)
        self._resend_after_s = resend_after_s
        self._waiting: deque[_Sent] = deque()
        self._out: dict[int, _Sent] = {}
        self._seq = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self.lost = 0
        self.resent = 0

    @property
    def unacknowledged(self) -> int:
        """How many events the hub has not confirmed."""
        return len(self._waiting) + len(self._out)

    def put(self, event: Event) -> bool:
        """Send an event as soon as there is room; false, and counted, where none is left."""
        if len(self._waiting) >= self._limits[0]:
            self.lost += 1
            return False
        self._seq += 1
        self._waiting.append(_Sent(event, self._seq, 0.0))
        self._empty.clear()
        self._fill()
        return True

    def acknowledged(self, seq: int) -> None:
        """The hub has journaled this one; an unknown number is an old one, repeated."""
        self._out.pop(seq, None)
        self._fill()
        if not self.unacknowledged:
            self._empty.set()

    def resend_late(self) -> None:
        """Send again what has been out for too long; call it now and then."""
        late = self._clock.monotonic() - self._resend_after_s
        for sent in [sent for sent in self._out.values() if sent.at <= late]:
            self.resent += 1
            self._send(sent)

    async def empty(self) -> None:
        """Wait until everything is acknowledged."""
        await self._empty.wait()

    def _fill(self) -> None:
        while self._waiting and len(self._out) < self._limits[1]:
            sent = self._waiting.popleft()
            self._out[sent.seq] = sent
            self._send(sent)

    def _send(self, sent: _Sent) -> None:
        sent.at = self._clock.monotonic()
        self._link.offer({"t": "event", "seq": sent.seq, "event": sent.event.to_cloudevent()})
