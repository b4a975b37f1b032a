"""What a fire alarm does to doors: nothing may lock until a person re-arms them.

What the fire panel itself does to them is its own. The hub opens no door for it either: it only
wants nothing locked, and asks for nothing again of what was wanted before.
"""

from __future__ import annotations

from hub.clock import iso
from hub.errors import Refused
from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS
from hub.safety import outbox
from hub.safety.doors import fire, intents
from hub.safety.doors.hours import Hours

WHY = "fire alarm"
BEHIND = (*LOCK_VERBS, "momentary")  # what leaves a door locked behind somebody
KEPT = ("protocol", "responder", "life_safety", "fire")  # where they open a door


class Suspending(Hours):
    """The fire alarm inside one transaction."""

    def rearm(self, by: str) -> None:
        """A person lets doors lock again, also while an alarm still sounds; schedules then say
        what they say now, and nothing that was wanted before comes back. Raises `Refused` where
        nothing is suspended.
        """
        if not self.fire_state().suspended:
            raise Refused("nothing has suspended the doors, so there is nothing to re-arm")
        since = self.fire_state().since
        self._set_fire(fire.FireState())
        data = {"by": by, "since": since}
        self.accept(Event(fire.REARMED, f"person/{by}", self._now, "", data))
        self.see_to_hours()

    def doubt_fire(self) -> None:
        """After a restore: whether a fire alarm has sounded since the backup nobody here knows, so
        no door is locked before a person re-arms them, as after an alarm.
        """
        if not self.fire_state().suspended:
            self._set_fire(fire.FireState("restored", iso(self._now)))

    def _fire_input(self, event: Event) -> None:
        """An input says that there is a fire, or no longer: from this transaction on lock verbs are
        suspended at every door.
        """
        source, before = str(event.data.get("source") or event.source), self.fire_state()
        if event.type == fire.CLEAR:
            self._set_fire(fire.silenced(before, source, iso(self._now)))
            return
        place = str(event.data.get("place") or "")
        self._set_fire(fire.sounded(before, source, place, iso(self._now)))
        if not before.alarmed:
            self._let_go_of_doors()

    def _let_go_of_doors(self) -> None:
        """Call off what would lock, or lock behind somebody, and want nothing of doors but what a
        protocol or a responder keeps open.
        """
        waiting = outbox.waiting_doors(self._connection)
        self._call_off([row for row in waiting if outbox.verb(row) in BEHIND], WHY)
        winning = {row.id for row in intents.winners(self._connection).values()}
        held = intents.held(self._connection)
        ending = [
            row
            for row in held
            if row.verb in LOCK_VERBS or row.owner_kind not in KEPT or row.id not in winning
        ]
        intents.end(self._connection, ending, WHY, self._now)
        for door in dict.fromkeys(row.door for row in ending):
            self._tell_wanted(door)

    def _set_fire(self, state: fire.FireState) -> None:
        fire.write(self._connection, state)
        self._fire_known = self.decision.fire = state
        self.decision.doors_due = True
