"""The walk of the hub's own test event: the journal, a rule, the outbox, a channel, and back.

It takes the real way and leaves nothing behind: its events take two rows of the journal in turn,
its row of the outbox goes when it has ended, and neither rules of the configuration nor those who
follow events are shown it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import delete

from hub.campus import Campus
from hub.clock import iso
from hub.config import Config
from hub.errors import StateError
from hub.events import Event
from hub.kinds.notifiers import Channel, Notice, Receipt
from hub.ports import Outcome
from hub.safety import outbox
from hub.safety.notices.deadline import Deadlines
from hub.safety.outbox import ActionRow
from hub.safety.rules.book import RuleBook
from hub.safety.rules.memory import Memory
from hub.safety.transaction import Transaction
from hub.storage import eventlog
from hub.storage.schema import actions, events

RULE: dict[str, Any] = {
    "name": "Heartbeat",
    "when": eventlog.HEARTBEAT,
    "if": {"where": 'data["number"] > 0'},
    "alert": {"severity": "note"},
}
TARGET = "hub/heartbeat"


class Walk(Transaction):
    """The part of the walk that is one transaction."""

    def walk(self, number: int, within_s: float) -> None:
        """Journal the test event of that number, let its rule judge it, and write its notice."""
        memory = self._memory()
        event = Event(
            type=eventlog.HEARTBEAT,
            source=TARGET,
            time=self._now,
            subject=TARGET,
            data={"number": number},
            id=f"heartbeat-{number % 2}",
        )
        self._connection.execute(delete(events).where(events.c.id == event.id))
        waiting = delete(actions).where(actions.c.lane == TARGET, actions.c.started.is_(None))
        self._connection.execute(waiting)
        text = eventlog.encode(event.data)
        seq = eventlog.append(self._connection, event, self._now, text)
        if seq is None:
            raise StateError("the test event was not written")
        memory.seq = seq
        if not _rules().judge(Memory(), event, self._now):
            raise StateError("the rule of the test event did not fire")
        self._intend(_notice(number, within_s, self._now))

    def walked(self, action: ActionRow) -> None:
        """The test notice has ended: nothing of it stays in the outbox."""
        self._connection.execute(delete(actions).where(actions.c.id == action.id))


class Listener:
    """A channel that reaches nobody: it only says which test notice has come."""

    channel = Channel(path="local")

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard = heard

    async def start(self) -> None:
        """Nothing to connect."""

    async def send(self, notice: Notice) -> Receipt:
        """The walk ends here."""
        self._heard(int(notice.data["number"]))
        return Receipt("delivered")

    async def close(self) -> None:
        """Nothing to let go of."""


async def hand_over(listener: Listener | None, deadlines: Deadlines, action: ActionRow) -> Outcome:
    """Hand the test notice to whoever listens for it."""
    if listener is None:
        return Outcome("failed", "nobody listens for the heartbeat")
    number = int(action.key.rpartition("-")[2])
    notice = Notice(
        key=action.key, about="outcome", severity="note", title="Heartbeat", text="",
        time=datetime.fromisoformat(action.created), data={"number": number},
    )  # fmt: skip
    try:
        receipt = await deadlines.within(action.deadline_s, listener.send(notice))
    except TimeoutError:
        return Outcome("failed", "the listener did not answer")
    return Outcome("confirmed", receipt.state)


def _notice(number: int, within_s: float, now: datetime) -> outbox.Intention:
    return outbox.Intention(
        kind="heartbeat",
        target=TARGET,
        what="Heartbeat",
        payload={"number": number},
        lane=TARGET,
        deadline_s=within_s,
        expires=timedelta(seconds=within_s),
        key=f"heartbeat-{iso(now)}-{number}",
    )


@cache
def _rules() -> RuleBook:
    """The one rule, compiled as those of a configuration are."""
    return RuleBook(Config.model_validate({"rules": {"heartbeat": RULE}}), Campus({}))
