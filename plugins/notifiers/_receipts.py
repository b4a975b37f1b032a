"""What became of notices that a provider took: asked again and again until it is settled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from hub import Ack, Clock, Context, NotReady, Receipt
from plugins.notifiers._kept import Kept

LIMIT = 500
SELDOMEST_S = 30.0


@dataclass(frozen=True, slots=True)
class Watch:
    """A notice whose fate is open: the provider's `id`, the notice's key, whose it was, since when
    (Unix seconds), and which states were told already.
    """

    id: str
    key: str
    person: str
    alert: str
    since: float
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """What a provider says of a notice now; with `over` it will say no more."""

    acks: tuple[Ack, ...] = ()
    over: bool = False


Ask = Callable[[Watch], Awaitable[Fate]]


class Watched:
    """The open notices of one driver, kept over restarts.

    Each is asked about every `every_s` seconds at first, and less often as it grows old.
    """

    def __init__(self, context: Context, *, every_s: float, lasts: timedelta) -> None:
        self._clock = context.clock
        self._every_s = every_s
        self._lasts_s = lasts.total_seconds()
        self._kept = Kept(context.state / "receipts.json", LIMIT)
        self._closed = asyncio.Event()
        self._asked: dict[str, float] = {}

    async def start(self) -> None:
        """Read what was open when the hub last stopped."""
        self._closed.clear()
        await self._kept.load()

    def close(self) -> None:
        """End `acks`; what is open stays so, for the next start."""
        self._closed.set()

    async def add(self, provider_id: str, key: str, person: str, alert: str) -> None:
        """Watch one more."""
        since = self._clock.now().timestamp()
        await self._kept.put(provider_id, asdict(Watch(provider_id, key, person, alert, since)))

    def noted(self, receipt: Receipt) -> Receipt:
        """The receipt, which says so where nothing can be kept over a restart."""
        if not self._kept.trouble or receipt.state == "failed":
            return receipt
        told = f"what becomes of it is lost at a restart: {self._kept.trouble}"
        return replace(receipt, detail="; ".join(filter(None, (receipt.detail, told))))

    def of_alert(self, alert: str) -> list[Watch]:
        """The open notices of an alert."""
        return [each for each in self._open() if alert and each.alert == alert]

    async def acks(self, ask: Ask) -> AsyncIterator[Ack]:
        """What becomes of the open notices, each state once, until it is closed.

        A state counts as told when the next is asked for, so that a crash repeats rather than
        loses it.
        """
        while not self._closed.is_set():
            for watch in self._due():
                self._asked[watch.id] = self._clock.monotonic()
                try:
                    fate = await ask(watch)
                except NotReady:
                    self._kept.to_the_end(watch.id)  # the others have their turn first
                    break
                for ack in fate.acks:
                    if ack.state not in watch.told:
                        yield ack
                        watch = replace(watch, told=(*watch.told, ack.state))
                        await self._kept.put(watch.id, asdict(watch))
                if fate.over or self._clock.now().timestamp() - watch.since > self._lasts_s:
                    await self._kept.drop(watch.id)
            await rest(self._clock, self._every_s, self._closed)

    def _due(self) -> list[Watch]:
        found, now = self._open(), self._clock.now().timestamp()
        self._asked = {each.id: self._asked.get(each.id, -math.inf) for each in found}
        moment = self._clock.monotonic()

        def due(watch: Watch) -> bool:
            rest = min(SELDOMEST_S, max(self._every_s, (now - watch.since) / 20))
            return moment - self._asked[watch.id] >= rest

        return [each for each in found if due(each)]

    def _open(self) -> list[Watch]:
        found = []
        for _, fact in self._kept.items():
            try:
                found.append(Watch(**{**fact, "told": tuple(fact["told"])}))
            except (TypeError, KeyError):
                continue  # of another version
        return found


async def rest(clock: Clock, seconds: float, closed: asyncio.Event) -> None:
    """Wait for so long, or until it is closed."""
    ends = asyncio.ensure_future(closed.wait())
    slept = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({ends, slept}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ends.cancel()
        slept.cancel()
        await asyncio.gather(ends, slept, return_exceptions=True)
