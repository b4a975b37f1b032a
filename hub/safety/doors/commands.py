"""What is asked of doors: a command is an intention in the outbox first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from hub.clock import from_iso, iso
from hub.errors import Refused
from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS, Verb
from hub.safety import outbox
from hub.safety.alerts import plan
from hub.safety.attempts import Attempts
from hub.safety.doors import doubt, fire, intents
from hub.safety.doors.fire import FireState
from hub.safety.doors.intents import IntentRow
from hub.safety.doors.tries import Again
from hub.storage.schema import actions
from hub.views import Requested

REPLACED = "a newer command replaced it"


class Commands(Attempts):
    """Commands to doors, each an attempt of its own; what is wanted stands above them."""

    _fire_known: FireState | None = None
    _to_begin: tuple[str, ...] = ()

    def begin_asked(self) -> None:
        """Mark the first attempt at what this transaction asks of doors, in the transaction itself:
        once it is on the disk the command goes out, and nothing has to be looked up before. What is
        not the next thing to be asked of its door waits for its turn.
        """
        for key in self._to_begin:
            if begun := outbox.begin_new(self._connection, key, self._now):
                self.decision.begun.append(begun)

    def fire_state(self) -> FireState:
        """Whether a fire alarm has suspended lock verbs, since when and where."""
        if self._fire_known is None:
            self._fire_known = fire.read(self._connection)
        return self._fire_known

    def clock_moved(self, by: timedelta) -> None:
        """What is wanted of doors lasts no longer because the clock was set back, and no lock ends
        because it was set forward; then it is believed again.
        """
        super().clock_moved(by)
        if by < timedelta(0):
            intents.clock_set_back(self._connection, -by)
        else:
            intents.clock_set_forward(self._connection, by, self._now)
            doubt.end(self._connection)
        self.decision.doors_due = True

    def _was_locked_down(self, door: str) -> bool:
        """Whether a lockdown is the last state that a door was asked for: it may be in it still,
        also where nobody wants that any more. What was never handed over, as in a drill, counts
        for nothing.
        """
        verb = func.json_extract(actions.c.payload, "$.verb")
        of_it = select(verb).where(actions.c.kind == "door", actions.c.target == door)
        sent = of_it.where(verb != "momentary", actions.c.attempts > 0)
        last = self._connection.scalar(sent.order_by(actions.c.id.desc()).limit(1))
        return last == "lockdown"

    def _may_ask(self, door: str, verb: Verb) -> None:
        """Raises `KeyError` for an unknown door and `Refused` where the verb may not be asked."""
        name = self._charter.config.doors[door].name
        if not plan.may_take(self._charter.config, door, verb):
            raise Refused(
                "%(name)s takes no %(verb)s: its `egress: free` is not attested",
                name=name,
                verb=verb,
            )
        state = self.fire_state()
        if not state.suspended:
            return
        since = self._fire_words(state)
        if verb in LOCK_VERBS:
            raise Refused(
                "%(name)s takes no %(verb)s: %(since)s. Somebody has to re-arm the doors first",
                name=name,
                verb=verb,
                since=since,
            )
        if verb == "momentary":  # the door would lock itself behind whoever enters
            raise Refused(
                "%(name)s is not opened for one passage: %(since)s. Unlock it instead",
                name=name,
                since=since,
            )

    def _fire_words(self, state: FireState) -> str:
        words, campus = self._charter.words, self._charter.campus
        where = f" in {campus.name(state.place)}" if state.place else ""
        if state.state == "restored":
            return state.why
        since = words.clock(from_iso(state.since))
        if state.state == "alarm":
            return f"there is a fire alarm{where} since {since}"
        return f"nobody has re-armed the doors since the fire alarm{where} at {since}"

    def _command(
        self,
        door: str,
        verb: Verb,
        by: str,
        reason: str,
        alert: str = "",
        incident: str = "",
        *,
        intent: IntentRow | None = None,
        deadline_s: float | None = None,
        again: Again | None = None,
    ) -> str:
        """Write the intention to ask a door for something; returns its key. An older command to the
        same door that is still pending is called off: what was asked last holds.
        """
        waiting = outbox.pending_commands(self._connection, door)
        if verb != "momentary":
            self._call_off(waiting, REPLACED)
        asked = plan.command(self._charter.words, door, verb, by, reason, alert, incident)
        facts: dict[str, Any] = {"intent": intent.id} if intent is not None else {}
        if intent is not None and intent.drill:
            facts["drill"] = True
        asked = replace(
            asked,
            payload={**asked.payload, **facts, **(again.facts() if again is not None else {})},
            deadline_s=asked.deadline_s if deadline_s is None else deadline_s,
        )
        key = self._intend(asked)
        if verb != "momentary" or not waiting:
            self._to_begin += (key,)
        data: dict[str, Any] = {"key": key, "kind": "door", "target": door, "verb": verb, "by": by}
        data |= {"reason": reason, "alert": alert, "incident": incident, **facts}
        data |= {"place": self._charter.config.doors[door].place}
        if again is not None:
            data |= {"again": True, "tries": again.tries}
        source = f"alert/{alert}" if alert else f"person/{by}"
        if intent is not None and intent.owner_kind != "person" and not alert:
            source = f"{intent.owner_kind}/{intent.owner}"
        self.accept(Event("action.requested", source, self._now, door, data))
        asked_now = Requested(
            verb=verb, by=by, reason=reason, time=iso(self._now), state="pending", detail=""
        )
        self.decision.requests.append((door, asked_now))
        return key
