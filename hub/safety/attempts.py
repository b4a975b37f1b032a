"""What becomes of every action: each attempt, how it ended, what a restart makes of it.

A command or a notice is an intention in the outbox first; the performer begins and settles it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from hub.clock import from_iso, iso
from hub.events import Event
from hub.kinds.notifiers import Receipt
from hub.safety import outbox
from hub.safety.alerts import rows as alerts
from hub.safety.doors import tries
from hub.safety.lanes import behind, of_hand
from hub.safety.notices import notice as notices
from hub.safety.notices import overdue, receipts
from hub.safety.notices.receiving import Receiving
from hub.safety.outbox import ActionRow
from hub.safety.walk import Walk
from hub.storage import eventlog
from hub.views import ActionState

CLOCK_SLACK = timedelta(seconds=2)
ITS_TURN = timedelta(seconds=1)


class Attempts(Receiving, Walk):
    """Attempts at actions, from the mark before one to the event that tells how it ended."""

    def begin(self, action: int) -> None:
        """Mark an attempt, before anything acts; one that has expired ends here instead, unsent.
        Of what quiet hours kept back, all comes as one. A later word on what was handed over waits
        until that is there: a false alarm is not taken back before it was told.
        """
        row = outbox.row(self._connection, action)
        if of_hand(row.lane) and (before := behind(self._connection, row)):
            due = max(from_iso(before), self._now + ITS_TURN)
            outbox.move(self._connection, action, due, from_iso(row.expires))
            return
        fresh = row.kind == "notice" and not row.attempts and row.state == "pending"
        if fresh and self._gather_held(row):
            return
        if row.expires <= iso(self._now):
            last = f"; at last: {row.detail}" if row.detail else ""
            before = "its next attempt" if row.attempts else "it could be sent"
            self.settle(action, "timed_out", f"expired before {before}{last}")
        else:
            self.decision.action = outbox.begin(self._connection, action, self._now)
            if row.kind == "notice":
                self.decision.earlier = outbox.earlier(self._connection, row)
            if row.kind == "notice" and row.alert:
                self.decision.picture = alerts.picture(self._connection, row.alert)

    def settle(
        self, action: int, state: ActionState, detail: str, receipt: Receipt | None = None
    ) -> None:
        """Write how an action ended, once; a door that did not obey is told to everyone told.
        `receipt` is what a channel gave for a notice.
        """
        row = outbox.settle(self._connection, action, state, detail, self._now)
        if row is not None and row.kind == "heartbeat":
            self.walked(row)
        elif row is not None:
            self._ended(row)
            if row.kind == "notice":
                self._received(row, state, receipt)
            if state == "confirmed" and row.kind == "notice" and row.attempts > 1:
                self._gather(row)  # the channel is back: what piled up must not be a storm

    def retry(self, action: int, until: datetime, detail: str) -> None:
        """Plan another attempt, unless the action was called off while this one ran, or will have
        expired by then.
        """
        row = outbox.row(self._connection, action)
        if self._now < until and iso(until) >= row.expires and not row.stop:
            self.settle(action, "timed_out", f"given up in the end: {detail}")
        elif not outbox.postpone(self._connection, action, until, detail):
            self.settle(action, "cancelled", row.stop or detail)

    def recover(self) -> None:
        """After a restart: attempts whose end nobody saw are tried again under the same key, except
        a momentary release, which must never happen twice; notices that come late become a digest.
        """
        ahead = eventlog.last_received(self._connection) - self._now
        if ahead > CLOCK_SLACK:
            for row in outbox.waiting_doors(self._connection):  # how old they are nobody knows
                self.settle(row.id, "timed_out", "the clock was set back while the hub was away")
            self.clock_moved(-ahead)
        outbox.clock_set_back(self._connection, self._now)
        for row in outbox.left_running(self._connection):
            if row.kind == "door" and json.loads(row.payload)["verb"] == "momentary":
                detail = "the hub stopped while it ran; a momentary release is never repeated"
                self.settle(row.id, "timed_out", detail)
            else:
                self.retry(row.id, self._now, "the hub stopped while it ran")
        self.hold_again()
        self._gather()

    def clock_moved(self, by: timedelta) -> None:
        """The wall clock was set forward or back: what waits neither stalls nor expires by it."""
        if by > timedelta(0):
            outbox.clock_set_forward(self._connection, self._now, by)
        else:
            outbox.clock_set_back(self._connection, self._now)
        self.hold_again()
        facts = {"seconds": round(by.total_seconds(), 3)}
        event = self._derived(eventlog.CLOCK_MOVED, "hub", "", facts)
        self._charter.rules.judge(self._memory(), event, self._now)

    def _gather(self, back: ActionRow | None = None) -> None:
        words, public = self._charter.words, self._charter.public
        for late in list(overdue.late(self._connection, words, public, self._now, back)):
            if late.digest is None:
                for row in late.rows:
                    self.settle(row.id, "timed_out", overdue.TOO_LATE)
                continue
            self._tell_as_one(late.rows, late.digest)

    def _gather_held(self, row: ActionRow) -> bool:
        """Tell as one what quiet hours kept back for a person, now that they are over; False where
        this is all there is.
        """
        digest = overdue.kept_back(self._connection, self._charter.words, row, self._now)
        if digest is None:
            return False
        self._tell_as_one(digest.rows, digest.digest)
        return True

    def _tell_as_one(self, rows: list[ActionRow], digest: outbox.Intention | None) -> None:
        assert digest is not None
        key = self._intend(digest)
        for row in rows:
            receipts.sent_as(self._connection, row.key, key)
            self._ended(outbox.merge(self._connection, row, key, self._now))

    def _call_off(self, rows: list[ActionRow], reason: str) -> None:
        rows = [row for row in rows if not row.stop]  # why it was called off first is why
        for ended in outbox.stop(self._connection, rows, reason, self._now):
            self._ended(ended)
        under_way = [row for row in rows if row.kind == "door" and row.started is not None]
        self.decision.called_off += [(row.target, row.key) for row in under_way]

    def _ended(self, row: ActionRow) -> None:
        payload = json.loads(row.payload)
        took = from_iso(row.finished) - from_iso(row.created)
        data = {"key": row.key, "kind": row.kind, "target": row.target, "what": row.what}
        data |= {"alert": row.alert, "incident": row.incident, "detail": row.detail}
        seconds = max(0.0, took.total_seconds())
        facts: dict[str, Any] = {"seconds": seconds, "attempts": row.attempts}
        if row.kind == "door":
            block = self._charter.config.doors.get(row.target)
            facts |= {"verb": payload["verb"], "by": payload["by"]}
            facts |= {key: payload[key] for key in ("intent", "drill") if key in payload}
            facts |= {"place": block.place if block is not None else ""}
            facts |= tries.ended(row, payload)
        else:
            facts |= {"about": payload["about"], "to": [one["name"] for one in payload["to"]]}
        event = Event(
            type=f"action.{row.state}",
            source="hub/actions",
            time=self._now,
            subject=row.target,
            data=data | facts,
        )
        self.accept(event)
        if row.kind == "door":
            self._tell_door(row.target)
            if row.state in ("failed", "timed_out") and row.alert:
                self._warn(row, event)

    def _warn(self, row: ActionRow, event: Event) -> None:
        charter = self._charter
        alert = alerts.get(self._connection, row.alert)
        line, _ = charter.words.sentence(event)
        message = notices.outcome_message(charter.words, alert, line, self._now)
        for earlier in outbox.told(self._connection, row.alert, or_waiting=True):
            if charter.private(earlier.target):
                self._intend(notices.again(charter.config, charter.words, message, earlier))

    def _tell_door(self, door: str) -> None:
        for newest in outbox.newest_commands(self._connection, door):
            self.decision.requests.append((door, outbox.requested(newest)))
