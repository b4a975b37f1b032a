"""What the keeper of doors writes: that a door is not as it is wanted, and one more attempt."""

from __future__ import annotations

from hub.clock import iso
from hub.kinds.access_control import LOCK_VERBS
from hub.safety import outbox
from hub.safety.doors import intents
from hub.safety.doors.intents import IntentRow
from hub.safety.doors.suspending import Suspending
from hub.safety.doors.tries import made, once_more


class DoorActs(Suspending):
    """All that is decided about doors; the keeper's steps hold only for what still wins."""

    def ask_again(self, intent: str) -> None:
        """Ask a door once more for what is wanted, unless a command to it is under way."""
        row = self._still_wanted(intent)
        if row is None or outbox.pending_commands(self._connection, row.door):
            return
        if row.verb in LOCK_VERBS and not self._may_lock(row.door):
            return
        again = once_more(self._connection, row.door, row.id)
        self._command(row.door, row.verb, row.asked_by, row.reason, intent=row, again=again)

    def door_differs(self, intent: str, words: str) -> None:
        """A door is known not to be as wanted; told once until it agrees."""
        row = self._still_wanted(intent)
        if row is not None and not row.differs:
            row = intents.note(self._connection, intent, differs=iso(self._now))
            self._door_event("door.differs", row, reason=words)
            self._tell_wanted(row.door)

    def door_agrees(self, intent: str) -> None:
        """A door that was otherwise is as wanted."""
        row = self._still_wanted(intent)
        if row is not None and row.differs:
            since = row.differs
            row = intents.note(self._connection, intent, differs="", given_up="")
            tries = made(self._connection, row.door, intent)
            self._door_event("door.agrees", row, since=since, tries=tries)
            self._tell_wanted(row.door)

    def give_up(self, intent: str, tries: int, words: str) -> None:
        """The hub tries no more, and says so."""
        row = self._still_wanted(intent)
        if row is not None and not row.given_up:
            row = intents.note(self._connection, intent, given_up=iso(self._now))
            self._door_event("door.given_up", row, tries=tries, reason=words)
            self._tell_wanted(row.door)

    def _still_wanted(self, intent: str) -> IntentRow | None:
        try:
            row = intents.by_id(self._connection, intent)
        except KeyError:
            return None
        winner = intents.winner(self._connection, row.door)
        wins = winner is not None and winner.id == intent
        return row if wins and row.door in self._charter.config.doors else None
