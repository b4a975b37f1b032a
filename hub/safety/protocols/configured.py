"""A protocol in force while the configuration changes: it goes on with the doors that there are.

A door that is taken out of the file is shown as what it is: nobody keeps it any more. One that
comes back, or comes new into the area, perhaps only under another name, is asked for what is in
force there; no timetable opens it before.
"""

from __future__ import annotations

from hub.safety.doors.hours import NOT_CONFIGURED
from hub.safety.protocols import plan, rows
from hub.safety.protocols.fires import RESTORED, Fires
from hub.safety.protocols.rows import RunDoorRow, RunRow


class Configured(Fires):
    """Keeps the doors of runs in step with the configuration, inside one transaction."""

    def see_to_hours(self) -> None:
        """Bring doors to what is wanted of them now; those of protocols before any timetable."""
        again: set[str] = set()
        for run in rows.in_force(self._connection):  # as they were started, so the newest wins
            again |= self._follow_configuration(run, again)
        super().see_to_hours()

    def _follow_configuration(self, run: RunRow, again: set[str]) -> set[str]:
        """Want what a run wants of doors that are new, are back, or are wanted `again` by one
        beneath it; returns these doors.
        """
        configured, asked = self._charter.config.doors, set[str]()
        known = rows.doors(self._connection, run.id, "start")
        changed = False
        for row in [*known, *self._new_doors(run, known)]:
            if row.state in ("fenced", "refused") or row.detail == RESTORED:
                continue
            if row.door not in configured:
                changed |= row.detail != NOT_CONFIGURED
                gone = {"state": "suspended", "detail": NOT_CONFIGURED, "settled": ""}
                rows.change_door(self._connection, row, **gone)
            elif row.detail == NOT_CONFIGURED or row.door in again:
                rows.change_door(self._connection, row, state="waiting", detail="")
                self._want_door(run, row, self._story_of(run))
                asked.add(row.door)
        if asked:
            self._put_beneath(run)
        if asked or changed:
            self._tell_progress(run, pressing=True)
        return asked

    def _new_doors(self, run: RunRow, known: list[RunDoorRow]) -> list[RunDoorRow]:
        """Write the doors that have come into a run's area since it began; a drill takes none."""
        config, campus = self._charter.config, self._charter.campus
        block, there = config.protocols.get(run.protocol), {row.door for row in known}
        if block is None or run.drill:
            return []
        for door, verb in plan.door_steps(config, campus, block, run.area):
            if door not in there:
                rows.add_door(
                    self._connection, run.id, "start", door, verb, "suspended", self._now,
                    NOT_CONFIGURED,
                )  # fmt: skip
        doors = rows.doors(self._connection, run.id, "start")
        return [row for row in doors if row.door not in there]
