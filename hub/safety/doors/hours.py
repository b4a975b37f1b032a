"""What time alone changes at doors: schedules, and what is wanted only until a moment."""

from __future__ import annotations

from datetime import datetime

from hub.kinds.access_control import Verb
from hub.phrases import mark
from hub.safety.doors import doubt, intents
from hub.safety.doors.intents import IntentRow, Wanted
from hub.safety.doors.wanting import Wanting

NOT_CONFIGURED = mark("the door is no longer configured")
NO_SCHEDULE = "the door has another schedule, or none"
DOUBTED = mark("the machine's clock is not believed, so no timetable opens a door")


class Hours(Wanting):
    """Schedules and expiries of doors inside one transaction."""

    def see_to_hours(self) -> None:
        """Bring doors to what is wanted of them now: what has expired ends, and schedules say what
        they say at this moment, however long nobody looked. Doing it twice changes nothing.
        """
        for row in intents.expired(self._connection, self._now):
            self._door_event("door.expired", row, reason=row.reason)
            self._end_wanting([row], "its time is over")
        if not self.fire_state().suspended:
            self._keep_schedules()

    def believe_clock(self) -> None:
        """The clock is past what the journal knows, or a time server keeps it."""
        doubt.end(self._connection)

    def doubted_until(self) -> datetime | None:
        """What the clock has to be past for timetables to open doors by it; None where they do."""
        return doubt.until(self._connection, self._now)

    def next_hour(self) -> datetime | None:
        """When `see_to_hours` has something to do next."""
        if self.doubted_until() is not None:
            return self._now + doubt.LOOK_AGAIN
        charter = self._charter
        used = {block.unlocked for block in charter.config.doors.values() if block.unlocked}
        moments = [charter.timetables[name].next_change(self._now) for name in sorted(used)]
        expiry = intents.next_expiry(self._connection)
        return min((*moments, *((expiry,) if expiry is not None else ())), default=None)

    def _keep_schedules(self) -> None:
        held: dict[str, list[IntentRow]] = {}
        for row in intents.held(self._connection):
            held.setdefault(row.door, []).append(row)
        doors = self._charter.config.doors
        for door, rows in held.items():
            if door not in doors:
                self._end_wanting(rows, NOT_CONFIGURED)
        for door, block in doors.items():
            of_schedule = [row for row in held.get(door, ()) if row.owner_kind == "schedule"]
            wanted = self._by_schedule(door, block.unlocked) if block.unlocked else None
            others = [row for row in of_schedule if not _says(row, wanted)]
            if wanted is not None and len(others) == len(of_schedule):
                self._begin_wanting(wanted)  # one of the same schedule gives way to it
                others = [row for row in others if row.owner != wanted.owner]
            if others:
                self._end_wanting(others, NO_SCHEDULE)

    def _by_schedule(self, door: str, schedule: str) -> Wanted | None:
        timetable = self._charter.timetables[schedule]
        if self.doubted_until() is not None:
            locks = self._may_lock(door)
            by = timetable.name
            return Wanted(door, "lock", "schedule", schedule, by, DOUBTED) if locks else None
        verb: Verb = "unlock" if timetable.in_force(self._now) else "lock"
        if verb == "lock" and not self._may_lock(door):
            return None
        change = timetable.next_change(self._now)
        reason = timetable.name if verb == "unlock" else f"outside {timetable.name}"
        if timetable.in_force(change) is not (verb == "unlock"):  # it does not change for days else
            reason = f"{reason}, until {self._charter.words.moment(change)}"
        return Wanted(door, verb, "schedule", schedule, timetable.name, reason)


def _says(row: IntentRow, wanted: Wanted | None) -> bool:
    return wanted is not None and (row.owner, row.verb) == (wanted.owner, wanted.verb)
