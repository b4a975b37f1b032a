"""How far a protocol is: what its doors report is written beside them, and told as it changes.

Nothing here is asked of a door. A door counts as secured once it has reported so after it was asked
(the command was confirmed by read-back, or what is wanted agrees with what is reported).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeAlias

from hub.clock import from_iso, iso
from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS
from hub.safety.doors import intents
from hub.safety.doors.facts import STANDS_OPEN
from hub.safety.incidents import cases
from hub.safety.protocols import plan, rows
from hub.safety.protocols.fence import Fence
from hub.safety.protocols.rows import RunDoorRow, RunRow
from hub.safety.protocols.wording import wording

TELL_EVERY = timedelta(seconds=0.25)
MADE: Mapping[str, str] = {
    "lock": "locked", "unlock": "unlocked", "hold_open": "unlocked",
}  # fmt: skip
Heard: TypeAlias = tuple[str, str]  # what a lock says, and since when it is known to say so
FAILED = ("action.failed", "action.timed_out")
OPEN = "it stands open"
BEFORE_IT = " goes before it"


class Progress(Fence):
    """Follows the doors of runs inside one transaction."""

    def follow_protocols(self, event: Event) -> None:
        """Write what an event says of the doors that a protocol has asked."""
        data = event.data
        if event.type == "action.confirmed" and data.get("kind") == "door":
            ajar = str(data.get("detail")).endswith(STANDS_OPEN)
            self._reported(event.subject, str(data.get("verb")), True, OPEN if ajar else "")
        elif event.type in FAILED and data.get("kind") == "door":
            self._reported(event.subject, str(data.get("verb")), False, str(data.get("detail")))
        elif event.type == "door.differs":
            reason = str(data.get("reason") or data.get("detail") or "it reports otherwise")
            self._reported(event.subject, str(data.get("verb")), False, reason)
        elif event.type == "door.agrees":
            self._reported(event.subject, str(data.get("verb")), True, "")
        elif event.type == "door.closed":
            self._closed(event.subject)

    def doors_seen(self, seen: Mapping[str, Heard]) -> None:
        """Take in what doors report, by door: what a restart or a lost answer has left open is
        settled by it.
        """
        for row in rows.waiting(self._connection):
            if agrees(row, seen):
                self._reported(row.door, row.verb, True, "")

    def _reported(self, door: str, verb: str, good: bool, detail: str) -> None:
        for run, row in rows.following(self._connection, door):
            if row.verb != verb or row.state in ("fenced", "refused"):
                continue
            done = "secured" if verb in LOCK_VERBS else "done"
            if good and detail == OPEN and not run.ended:  # locked secures nothing before it closes
                if row.state in ("waiting", "retrying"):
                    rows.change_door(self._connection, row, state="waiting", detail=OPEN)
                    self._tell_progress(run)
            elif good:
                if row.state != done:
                    settled = row.settled or iso(self._now)
                    changed = {"state": done, "detail": "", "settled": settled}
                    rows.change_door(self._connection, row, **changed)
                    self._tell_progress(run)
            elif row.state != "suspended":
                tries = {"state": "retrying", "detail": detail, "tries": row.tries + 1}
                rows.change_door(self._connection, row, **tries)
                if row.state != "retrying":
                    self._tell_progress(run, pressing=True)

    def _closed(self, door: str) -> None:
        for _, row in rows.following(self._connection, door):
            if row.state == "waiting" and row.detail == OPEN:
                self._reported(door, row.verb, True, "")

    def _asked_of(self, run: RunRow, row: RunDoorRow, intent: str) -> None:
        """Write how a door of a run stands that has just been asked; where something else goes
        before this protocol there, what is so already.
        """
        winner = self.decision.wanted[-1][1] if self.decision.wanted else None
        if winner is None or winner["id"] == intent:
            return
        if not serves(winner["verb"], row.verb):
            words = f"{winner['reason'] or winner['by']}{BEFORE_IT}"
            rows.change_door(self._connection, row, state="suspended", detail=words)
            return
        for other, there in rows.following(self._connection, row.door):
            same = other.id != run.id and serves(there.verb, row.verb)
            if same and there.state in ("secured", "done"):
                settled = iso(self._now)
                rows.change_door(self._connection, row, state=there.state, settled=settled)

    def _put_beneath(self, run: RunRow) -> None:
        """Count no door for those beneath a run that now does what they do not want of it."""
        words = f"{wording(run.protocol, None).name}{BEFORE_IT}"
        won = {door: view for door, view in self.decision.wanted if view is not None}
        verbs = {each.door: each.verb for each in rows.doors(self._connection, run.id, "start")}
        for other in rows.in_force(self._connection):
            found = [
                there
                for there in rows.doors(self._connection, other.id, "start")
                if there.state in ("waiting", "retrying", "secured", "done")
                and there.door in won
                and won[there.door]["owner"] == run.id
                and not serves(verbs[there.door], there.verb)
            ]
            for there in found:
                changed = {"state": "suspended", "detail": words, "settled": ""}
                rows.change_door(self._connection, there, **changed)
            if found:
                self._tell_progress(other)

    def _come_back(self) -> None:
        """Follow the doors again that a run in force wins now that another has ended."""
        for run in rows.in_force(self._connection):
            for row in rows.doors(self._connection, run.id, "start"):
                if row.state == "suspended" and row.detail.endswith(BEFORE_IT):
                    winner = intents.winner(self._connection, row.door)
                    if winner is not None and winner.owner == run.id:
                        rows.change_door(self._connection, row, state="waiting", detail="")

    def _tell_progress(self, run: RunRow, *, pressing: bool = False) -> None:
        """Journal how far a run is; not each of many doors that answer at once, but always once
        each has answered, and what went wrong.
        """
        phase: rows.Phase = "clear" if run.ended else "start"
        whole = not rows.unanswered(self._connection, run.id, phase)
        fresh = rows.get(self._connection, run.id)
        recent = fresh.told and from_iso(fresh.told) > self._now - TELL_EVERY
        if recent and not (whole or pressing):
            return
        doors = rows.doors(self._connection, run.id, phase)
        rows.change(self._connection, run.id, told=iso(self._now))
        done = sum(each.state in ("secured", "done") for each in doors)
        facts = {"run": run.id, "area": run.area, "drill": bool(run.drill), "phase": phase}
        facts |= {"sentence": self._sentence(fresh, phase), "done": done, "total": len(doors)}
        facts |= {"whole": whole}
        event = Event("protocol.progress", "hub/protocols", self._now, run.protocol, facts)
        self.accept(event)
        if whole:
            self._tell(self._story_of(run), event)

    def _sentence(self, run: RunRow, phase: rows.Phase = "start") -> str:
        found = rows.doors(self._connection, run.id, phase)
        words = self._charter.words
        if phase == "clear":
            return plan.clear_sentence(found, words)
        return plan.sentence(found, {each.door: took(run, each) for each in found}, words)

    def _story_of(self, run: RunRow) -> str:
        """The incident that tells of a run: the one that goes on, where it was merged."""
        return cases.heir(self._connection, run.incident)


def agrees(row: RunDoorRow, seen: Mapping[str, Heard]) -> bool:
    """Whether a door has said, after it was asked, that it is as a run wants it. That it is locked
    does not say that credentials no longer open it: only the command's own end shows a lockdown,
    also where the door stood open then.
    """
    lock, heard = seen.get(row.door, ("", ""))
    made = "locked" if row.detail == OPEN else MADE.get(row.verb)
    return lock == made and heard >= row.since


def serves(verb: str, wanted: str) -> bool:
    """Whether a door that is asked for one thing does another as well."""
    if wanted == "lockdown":
        return verb == wanted
    return (verb in LOCK_VERBS) == (wanted in LOCK_VERBS)


def took(run: RunRow, row: RunDoorRow) -> float | None:
    """Seconds from the start of a run, or of its end, until a door had reported."""
    if not row.settled:
        return None
    begun = from_iso(run.ended if row.phase == "clear" else run.started)
    return max(0.0, (from_iso(row.settled) - begun).total_seconds())
