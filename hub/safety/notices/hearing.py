"""What channels tell of notices after they took them: delivered, seen, answered for, or not at all.

One stream per notifier that offers `acks()`. What speaks of a notice that its channel was never
given is counted and dropped. A word that comes by the provider's own reference, before the journal
has that, waits a moment for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints

import structlog
from sqlalchemy import Connection, and_, select

from hub.errors import NotReady
from hub.kinds.notifiers import Ack
from hub.safety.intake import Intake
from hub.safety.notices import receipts
from hub.safety.outbox import writable
from hub.storage.schema import receipts as receipts_table

EARLY = 256
LONGEST_DETAIL = 300
LONGEST_NAME = 200
CLOCKS_DIFFER = timedelta(minutes=5)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
STATES = get_args(get_type_hints(Ack)["state"])

log = structlog.get_logger(__name__)


class Hearing:
    """Takes what channels tell into the journal. Counts what it could not use."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._early: deque[tuple[str, Ack]] = deque(maxlen=EARLY)
        self._heard = self._unknown = self._invalid = 0

    async def listen(self, notifier: str, instance: Any) -> None:
        """Follow what a notifier tells, until cancelled; returns at once where it tells nothing.
        Raises `NotReady` when it ends by itself, and whatever it raises.
        """
        acks = getattr(instance, "acks", None)
        if acks is None:
            return
        stream: AsyncIterator[Ack] = acks()
        try:
            async for ack in stream:
                await self.take(notifier, ack)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
        raise NotReady("it ended what it tells of its notices")

    async def take(self, notifier: str, ack: Ack) -> None:
        """Take one word of a notifier. Raises `StateError`."""
        sound = self._sound(ack)
        if sound is None:
            self._invalid += 1
            log.warning("a notifier tells what cannot be used", notifier=notifier)
        elif await self._take(notifier, sound):
            self._heard += 1
        else:
            self._unknown += 1
            if sound.id and not sound.key:
                self._early.append((notifier, sound))

    async def again(self, notifier: str, reference: str) -> None:
        """The journal has a provider's reference now: what came before it is taken."""
        waiting = [each for each in self._early if (each[0], each[1].id) == (notifier, reference)]
        for each in waiting:
            self._early.remove(each)
        for each in waiting:
            if await self._take(*each):
                self._heard += 1
                self._unknown -= 1

    async def answered(self, notifier: str, key: str, alert: str, by: str) -> bool:
        """Somebody who is known to a provider alone takes an alert on: by the key of a notice that
        its channel was given, or by the alert. False where it was given none. Raises `StateError`.
        """
        given = and_(receipts_table.c.channel == notifier, receipts_table.c.alert != "")
        meant = receipts_table.c.key == key if key else receipts_table.c.alert == alert

        def look(connection: Connection) -> str:
            found = select(receipts_table.c.alert).where(given, meant).limit(1)
            return str(connection.scalar(found) or "")

        known = await self._intake.journal.read(look) if key or alert else ""
        if not known:
            self._unknown += 1
            return False
        who = writable(self._intake.secrets.clean(by))
        said = f"{who} ({self._intake.words.channel(notifier)})"
        await self._intake.decide(
            lambda decider: decider.acknowledge(known, said, notifier), urgent=True
        )
        self._heard += 1
        return True

    def queue(self) -> dict[str, int]:
        """Counters for health and metrics, since the start."""
        return {
            "heard": self._heard,
            "unknown": self._unknown,
            "invalid": self._invalid,
            "waiting": len(self._early),
            "dropped": 0,
        }

    async def _take(self, notifier: str, ack: Ack) -> bool:
        # What a provider repeats is known already: that takes no turn of the writer.
        def look(connection: Connection) -> tuple[bool, bool]:
            rows = receipts.find(connection, notifier, ack.key, ack.id)
            people = receipts.meant(rows, ack)
            fresh = (row for row in rows if row._mapping[ack.state] is None)
            return bool(people), any(row.person in people for row in fresh)

        known, news = await self._intake.journal.read(look)
        if not news:
            return known
        found: list[bool] = []
        await self._intake.decide(
            lambda decider: found.append(decider.heard(notifier, ack)),
            urgent=ack.state == "acknowledged",
        )
        return found[-1]

    def _sound(self, ack: Any) -> Ack | None:
        """The word with its texts cut and cleaned, and a time that can be; None for nonsense."""
        if not isinstance(ack, Ack) or ack.state not in STATES or not (ack.key or ack.id):
            return None
        texts = (ack.key, ack.id, ack.person, ack.detail)
        if not all(isinstance(text, str) for text in texts):
            return None
        if max(len(ack.key), len(ack.id), len(ack.person)) > LONGEST_NAME:
            return None
        time = ack.time if self._can_be(ack.time) else None

        def clean(text: str) -> str:  # as the reference in the journal was
            return writable(self._intake.secrets.clean(text))

        detail = clean(" ".join(ack.detail.split())[:LONGEST_DETAIL])
        key, person = writable(ack.key), writable(ack.person)
        return replace(ack, key=key, id=clean(ack.id), person=person, time=time, detail=detail)

    def _can_be(self, time: Any) -> bool:
        if not isinstance(time, datetime) or time.tzinfo is None:
            return False
        return EARLIEST < time <= self._intake.clock.now() + CLOCKS_DIFFER
