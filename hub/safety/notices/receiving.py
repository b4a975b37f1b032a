"""From a notice to each person and back: what is kept back, what arrived, what goes another way."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.clock import from_iso, iso
from hub.errors import Refused
from hub.events import Event
from hub.kinds.notifiers import Ack, Receipt
from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.lanes import hand_off
from hub.safety.notices import fallback, receipts
from hub.safety.notices import notice as notices
from hub.safety.notices.receipts import NOWHERE, ReceiptRow
from hub.safety.outbox import ActionRow, Intention
from hub.safety.transaction import Transaction
from hub.views import ActionState


class Receiving(Transaction):
    """Notices inside one transaction."""

    @abstractmethod
    def settle(
        self, action: int, state: ActionState, detail: str, receipt: Receipt | None = None
    ) -> None:
        """Write how an action ended, once."""

    @abstractmethod
    def acknowledge(self, alert: str, by: str, through: str = "") -> None:
        """Somebody has taken an alert on, over a channel."""

    def heard(self, channel: str, ack: Ack) -> bool:
        """What a channel says became of a notice; False where it speaks of none that it was given.
        The same word twice is one.
        """
        rows = receipts.find(self._connection, channel, ack.key, ack.id)
        people = receipts.meant(rows, ack)
        if not people:
            return False
        key = rows[0].key
        time = iso(min(ack.time or self._now, self._now))
        fresh = receipts.mark(
            self._connection, key, ack.state, time, people=people, detail=ack.detail
        )
        if fresh and ack.state == "acknowledged":  # of a digest: each alert in it is only seen
            receipts.mark(self._connection, key, "seen", time, people=people, of_digest=True)
        told = [row for row in fresh if row.key == key]
        if told:
            self._told_of(told, ack, people)
        if fresh and ack.state == "failed":
            self._another_way(outbox.by_key(self._connection, key), ack.detail, people)
        elif fresh:
            self._has_arrived(outbox.by_key(self._connection, key), ack)
        if ack.state == "acknowledged":
            for alert in dict.fromkeys(row.alert for row in fresh if row.alert):
                with suppress(Refused):  # somebody else has, or it is over
                    self.acknowledge(alert, _who(told or fresh), channel)
        return True

    def opened(self, alert: str, person: str) -> None:
        """A person looks at an alert that they were told of: what they were sent is seen."""
        fresh: list[ReceiptRow] = []
        for row in receipts.unseen(self._connection, alert, person):
            fresh += receipts.mark(
                self._connection, row.key, "seen", iso(self._now), people=[person]
            )
        if fresh:
            self._told_of(fresh[:1], Ack("seen", detail="opened the alert's page"), [person])

    def fall_back(self) -> None:
        """Let notices that nobody took for too long go another way as well."""
        charter = self._charter
        for row in fallback.due(self._connection, charter.config, self._now):
            self._another_way(row, row.detail or "it did not take it in time")

    def _intend(self, intention: Intention) -> str:
        if intention.kind != "notice":
            return super()._intend(intention)
        until = self._held_until(intention)
        self.decision.intentions += 1
        key = outbox.add(self._connection, intention, self._now, until)
        held = "" if until is None else iso(until)
        receipts.queue(self._connection, intention, self._now, held)
        return key

    def _held_until(self, intention: Intention) -> datetime | None:
        """Until when quiet hours keep a notice back. News of what they know comes at once."""
        payload = intention.payload
        until = self._charter.quiet.until(payload, self._now)
        if until is None or payload["about"] == "alert":
            return until
        if not intention.alert and not intention.incident:  # of a planned drill
            return until
        told = receipts.was_told(self._connection, intention, payload["to"][0]["person"])
        return None if told else until

    def hold_again(self) -> None:
        """Set anew until when notices are kept back: the clock or the quiet hours are others."""
        for action, row in receipts.held(self._connection):
            until = self._charter.quiet.until(json.loads(action.payload), self._now)
            begin = until or self._now
            outbox.move(self._connection, action.id, begin, begin + outbox.NOTICE_EXPIRES)
            receipts.hold(self._connection, row.key, begin)

    def _received(self, action: ActionRow, state: ActionState, receipt: Receipt | None) -> None:
        """A notice has ended: note that for its people, and let what failed go another way."""
        stamp = iso(self._now)
        if state == "confirmed":
            self._mark_all(action, "accepted", stamp)
            if receipt is not None and receipt.state == "delivered":
                self._mark_all(action, "delivered", stamp)
            if receipt is not None and receipt.id:
                receipts.refer(self._connection, action.key, receipt.id)
        elif state in ("failed", "timed_out"):
            receipts.mark(self._connection, action.key, "failed", stamp, detail=action.detail)
            if state == "failed" and not action.stop:  # what has expired is stale everywhere
                self._another_way(action, action.detail)

    def _mark_all(self, action: ActionRow, reached: receipts.Reached, stamp: str) -> None:
        """Note how far a notice has come; and of a digest that went another way what it tells."""
        receipts.mark(self._connection, action.key, reached, stamp)
        if digest := json.loads(action.payload).get("stands_for"):
            receipts.mark(self._connection, digest, reached, stamp, of_digest=True)

    def _another_way(
        self, action: ActionRow, why: str, people: Sequence[str] | None = None
    ) -> None:
        """Send a notice to the next channel of those who have one, once."""
        rows = receipts.of(self._connection, action.key)
        open_to = {row.person for row in rows if not row.instead}
        wanted = open_to if people is None else open_to & set(people)
        if not wanted or not fallback.possible(self._charter.config) or self._too_late(action):
            return
        without = frozenset(row.person for row in rows) - wanted
        charter = self._charter
        found = list(
            fallback.ways(self._connection, charter.words, charter.public, action, without)
        )
        for person in wanted:
            receipts.went(self._connection, action.key, person, NOWHERE)
        for way in found:
            intention = way.intention
            if hand_off(action):  # however it goes, it is stale at the same time
                left = max(from_iso(action.expires) - self._now, timedelta(0))
                intention = replace(intention, expires=left)
            key = self._intend(intention)
            for person in way.people:
                receipts.went(self._connection, action.key, person, key)
            data = {"key": action.key, "instead": key, "from": action.target}
            data |= {"to": way.intention.target, "people": list(way.people), "reason": why}
            data |= {"alert": action.alert, "incident": action.incident}
            self._notice_event("notice.rerouted", action.target, data)

    def _too_late(self, action: ActionRow) -> bool:
        """Whether a notice calls for somebody to look at what somebody has answered for."""
        payload = json.loads(action.payload)
        if not action.alert or not notices.calls(payload):
            return False
        alert = alerts.get(self._connection, action.alert)
        verified = alert.state == "verified" and payload["basis"] == "detector"
        return alerts.answered(alert) or verified

    def _told_of(self, rows: Sequence[ReceiptRow], ack: Ack, people: Sequence[str]) -> None:
        row = rows[0]
        data: dict[str, Any] = {"key": row.key, "channel": row.channel, "about": row.about}
        data |= {"alert": row.alert, "incident": row.incident, "people": list(people)}
        data |= {"to": [each.name for each in rows if each.name], "detail": ack.detail}
        time = min(ack.time, self._now) if ack.time is not None else None
        self._notice_event(f"notice.{ack.state}", row.channel, data, time)

    def _notice_event(
        self, kind: str, subject: str, data: dict[str, Any], time: datetime | None = None
    ) -> None:
        self.accept(Event(kind, f"notifiers/{subject}", time or self._now, subject, data))

    def _has_arrived(self, action: ActionRow, ack: Ack) -> None:
        """What has arrived needs no further attempt, though nobody saw how the last one ended."""
        waits = action.state == "pending" and action.started is None and action.attempts
        if waits and len(json.loads(action.payload)["to"]) <= 1:
            self.settle(action.id, "confirmed", ack.detail or ack.state)


def _who(rows: Sequence[ReceiptRow]) -> str:
    """Who answered; the channel's word where it spreads notices to whomever it reaches."""
    return rows[0].person or f"somebody through {rows[0].channel}"
