"""The fence of drills, in the outbox itself: what must not happen in one is written and ends there.

Whoever wants something done in a drill comes by here, be it a protocol, a verified alert or a
ladder. A door moves only where the drill's own protocol says that doors are real; a channel that
everyone hears speaks only where it says so, and not while it tells of what is real: no "all clear"
of a drill is heard in a lockdown, wherever that is. Nothing ever leaves the school.
"""

from __future__ import annotations

from sqlalchemy import exists, select

from hub.safety import outbox
from hub.safety.alerts.auditing import Auditing
from hub.safety.incidents.ends import Ends
from hub.safety.outbox import Intention
from hub.safety.protocols import rows
from hub.storage.schema import protocol_doors, protocol_runs


class Fence(Ends, Auditing):
    """Ends what a drill may not do, at the moment it is written."""

    def _intend(self, intention: Intention) -> str:
        """Write an intention; one that a drill may not carry out ends at once, and says why."""
        key = super()._intend(intention)
        played = intention.kind != "heartbeat" and self._of_drill(intention)
        if played and (why := self._fenced(intention)):
            self.settle(outbox.by_key(self._connection, key).id, "cancelled", why)
        return key

    def _fenced(self, intention: Intention) -> str:
        """Why a drill may not do this; empty where it may."""
        if intention.kind == "door":
            moves = self._connection.scalar(
                select(
                    exists().where(
                        protocol_runs.c.incident == intention.incident,
                        protocol_runs.c.doors_real,
                        protocol_doors.c.run == protocol_runs.c.id,
                        protocol_doors.c.door == intention.target,
                        protocol_doors.c.state != "fenced",
                    )
                )
            )
            return "" if moves else "a drill: no door moves"
        if self._charter.config.beyond(intention.target):
            return "a drill: nothing leaves the school"
        if self._charter.public(intention.target):
            speaks = self._connection.scalar(
                select(
                    exists().where(
                        protocol_runs.c.incident == intention.incident,
                        protocol_runs.c.announce,
                        protocol_runs.c.alert == intention.alert,
                    )
                )
            )
            if speaks and self._tells_what_is_real(intention.target):
                return "a drill: this channel tells of a protocol that is real"
            return "" if speaks else "a drill: nothing is announced"
        return ""

    def _tells_what_is_real(self, channel: str) -> bool:
        """Whether a channel was given a protocol that is in force in earnest, wherever that is."""
        real = [run for run in rows.in_force(self._connection) if not run.drill]
        told = (notice for run in real for notice in rows.notices(self._connection, run.alert))
        return any(notice.target == channel for notice in told)
