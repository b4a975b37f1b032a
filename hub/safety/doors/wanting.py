"""What is wanted of doors: begun, ended, and what wins then is asked for.

Commands follow from what is wanted, never the other way round. What wins at a door is fire, then
life safety, a responder, a protocol, a person, a rule, a schedule; among equals the newest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from hub.door_views import OwnerKind
from hub.errors import Refused
from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS, Verb
from hub.safety import outbox
from hub.safety.alerts import plan
from hub.safety.doors import intents
from hub.safety.doors.commands import Commands
from hub.safety.doors.intents import IntentRow, Wanted
from hub.safety.words import ASK

OPENS: frozenset[Verb] = frozenset({"unlock", "hold_open"})
NEWER = "a newer wish of the same owner took its place"
RELEASE_WITHIN_S = 3.0  # where a door is to open, its lockdown's end may not hold that up longer


class Wanting(Commands):
    """Intents of doors inside one transaction."""

    def want(
        self,
        door: str,
        verb: Verb,
        owner_kind: OwnerKind,
        owner: str,
        reason: str,
        *,
        by: str = "",
        expires: datetime | None = None,
        alert: str = "",
        incident: str = "",
        drill: bool = False,
        evacuates: bool = False,
        yields: bool = False,
    ) -> str:
        """Want something of a door until `want_no_more` or `expires`; returns the intent's id.

        Where it wins the door is asked at once. It takes the place of what the same owner wanted
        there before. `by` is the person behind it. `evacuates` marks a protocol that may undo a
        lockdown's lock, `yields` one that undoes nothing of another. Raises `KeyError` for an
        unknown door, `ValueError` for a verb that is no state to hold, and `Refused` for a lock
        verb on a door that people cannot always leave through, or while a fire alarm has suspended
        them; nothing is changed then.
        """
        asked_by = by or (owner if owner_kind == "person" else self._owner_words(owner_kind))
        wanted = Wanted(
            door, verb, owner_kind, owner, asked_by, reason, expires, alert, incident, drill,
            evacuates, yields,
        )  # fmt: skip
        return self._begin_wanting(wanted)[0]

    def want_no_more(
        self,
        owner_kind: OwnerKind,
        owner: str,
        why: str,
        doors: Collection[str] | None = None,
    ) -> None:
        """End what an owner wants, at these doors or at all; what wins then is asked for."""
        ending = [
            row
            for row in intents.held(self._connection)
            if (row.owner_kind, row.owner) == (owner_kind, owner)
            and (doors is None or row.door in doors)
        ]
        self._end_wanting(ending, why)

    def command(
        self,
        door: str,
        verb: Verb,
        by: str,
        reason: str,
        alert: str = "",
        incident: str = "",
        *,
        lasts: float | None = None,
        may_enter: bool = False,
    ) -> str:
        """A person asks a door for something, or verifying an alert does; returns the command's
        key.

        A state of the door is wanted for `lasts` seconds, `hub.doors_keep` where None. A passage
        (`momentary`) through a door that a protocol has locked is a responder's, who `may_enter`.
        Raises as `want` does, and `Refused` where something that goes before it wants the
        opposite.
        """
        self._may_ask(door, verb)
        winner = intents.winner(self._connection, door)
        if verb == "momentary":
            self._may_pass(door, winner, may_enter)
            return self._command(door, verb, by, reason, alert, incident)
        kind: OwnerKind = "rule" if alert else "person"
        self._not_against(door, verb, kind, winner)
        if verb == "lockdown_release":
            return self._release(door, kind, by, reason, alert, incident)
        keeps = self._charter.config.hub.doors_keep if lasts is None else lasts
        wanted = Wanted(
            door, verb, kind, alert or by, by, reason, self._now + timedelta(seconds=keeps), alert,
            incident,
        )  # fmt: skip
        _, key = self._begin_wanting(wanted)
        if not key:  # something that goes before it wants the like, in words of its own
            asked = verb if winner is None else winner.verb
            key = self._command(door, asked, by, reason, alert, incident)
        return key

    def forget_wanted(self, why: str) -> None:
        """End whatever is wanted of doors, and ask nothing of them: they are as they are."""
        rows = intents.held(self._connection)
        intents.end(self._connection, rows, why, self._now)
        for door in dict.fromkeys(row.door for row in rows):
            self._tell_wanted(door)

    def _begin_wanting(self, wanted: Wanted) -> tuple[str, str]:
        if wanted.verb not in (*LOCK_VERBS, *OPENS):
            raise ValueError(f"{wanted.verb} is no state in which a door can be kept")
        self._may_ask(wanted.door, wanted.verb)
        before = intents.winner(self._connection, wanted.door)
        intents.end(
            self._connection, intents.replaced_by(self._connection, wanted), NEWER, self._now
        )
        row = intents.add(self._connection, wanted, self._now)
        winner = intents.winner(self._connection, wanted.door) or row
        self.decision.wanted.append((wanted.door, intents.view(winner)))
        key = self._ask_for(row, before) if winner.id == row.id else ""
        return row.id, key

    def _end_wanting(self, rows: Sequence[IntentRow], why: str) -> None:
        for door in dict.fromkeys(row.door for row in rows):
            before = intents.winner(self._connection, door)
            there = [row for row in rows if row.door == door]
            intents.end(self._connection, there, why, self._now)
            self._tell_wanted(door)
            if before is None or door not in self._charter.config.doors:
                continue
            if before.id in {row.id for row in there}:
                self._give_way(before, why)

    def _give_way(self, before: IntentRow, why: str) -> None:
        """What won at a door is over: ask for what wins now."""
        door, words = before.door, f"{before.reason}: {why}" if before.reason else why
        waiting = outbox.pending_commands(self._connection, door)
        self._call_off(waiting, why)
        after = intents.winner(self._connection, door)
        if after is not None and after.verb == before.verb and not waiting:
            return
        if after is not None:
            self._ask_for(after, before)
        elif before.verb == "lockdown":
            self._command(
                door, "lockdown_release", before.asked_by, words, incident=before.incident
            )
        elif before.verb in OPENS and self._may_lock(door):
            self._command(door, "lock", before.asked_by, words, incident=before.incident)

    def _ask_for(self, row: IntentRow, before: IntentRow | None) -> str:
        """Ask a door for what wins there. One that is locked down is first released from that, also
        where a fire alarm has ended the wish for it; the keeper asks for the rest as soon as it has
        answered.
        """
        locked_down = before is not None and before.verb == "lockdown"
        if row.verb in OPENS and not locked_down:
            locked_down = self._was_locked_down(row.door)
        if locked_down and row.verb != "lockdown":
            return self._command(
                row.door, "lockdown_release", row.asked_by, row.reason, row.alert, row.incident,
                intent=row, deadline_s=RELEASE_WITHIN_S,
            )  # fmt: skip
        return self._command(
            row.door, row.verb, row.asked_by, row.reason, row.alert, row.incident, intent=row
        )

    def _release(
        self, door: str, kind: OwnerKind, by: str, reason: str, alert: str, incident: str
    ) -> str:
        held = intents.held(self._connection, door)
        mine = intents.RANKS[kind]
        locks = [row for row in held if row.verb == "lockdown" and row.rank <= mine]
        intents.end(self._connection, locks, f"released by {by}", self._now)
        self._tell_wanted(door)
        return self._command(door, "lockdown_release", by, reason, alert, incident)

    def _may_pass(self, door: str, winner: IntentRow | None, may_enter: bool) -> None:
        locked = winner is not None and winner.verb in LOCK_VERBS
        if locked and winner is not None and winner.owner_kind == "protocol" and not may_enter:
            raise Refused(
                "%(door)s is locked by a protocol (%(reason)s): entering it takes the "
                "permission enter.in_lockdown",
                door=self._charter.words.door(door),
                reason=winner.reason,
            )

    def _not_against(
        self, door: str, verb: Verb, kind: OwnerKind, winner: IntentRow | None
    ) -> None:
        if winner is None or intents.RANKS[kind] >= winner.rank:
            return
        if (verb in LOCK_VERBS) != (winner.verb in LOCK_VERBS):
            raise Refused(
                "%(door)s is to %(ask)s (%(value)s), which goes before it",
                door=self._charter.words.door(door),
                ask=ASK[winner.verb],
                value=winner.reason or winner.asked_by,
            )

    def _may_lock(self, door: str) -> bool:
        allowed = plan.may_take(self._charter.config, door, "lock")
        return allowed and not self.fire_state().suspended

    def _tell_wanted(self, door: str) -> None:
        """Have whoever shows the door hear what wins there now."""
        row = intents.winner(self._connection, door)
        self.decision.wanted.append((door, None if row is None else intents.view(row)))

    def _owner_words(self, kind: OwnerKind) -> str:
        return kind.replace("_", " ")

    def _door_event(self, kind: str, row: IntentRow, **facts: object) -> None:
        """An event about what is wanted of a door, in the incident that it belongs to."""
        block = self._charter.config.doors.get(row.door)
        data = {"door": row.door, "place": block.place if block is not None else ""}
        data |= {"intent": row.id, "verb": row.verb, "by": row.asked_by}
        data |= {"owner_kind": row.owner_kind, "owner": row.owner, "incident": row.incident}
        data |= {"drill": True} if row.drill else {}
        self.accept(Event(kind, f"door/{row.door}", self._now, row.door, {**data, **facts}))
