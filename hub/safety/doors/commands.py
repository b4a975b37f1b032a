"""What is asked of doors: a command is an intention in the outbox first."""

from __future__ import annotations

from hub.errors import Refused
from hub.events import Event
from hub.kinds.access_control import Verb
from hub.safety import outbox
from hub.safety.alerts import plan
from hub.safety.attempts import Attempts


class Commands(Attempts):
    """Commands to doors."""

    def command(
        self, door: str, verb: Verb, by: str, reason: str, alert: str = "", incident: str = ""
    ) -> str:
        """Write the intention to ask a door for something; returns its key.

        An older command to the same door that is still pending is called off: what was asked last
        holds. Raises `KeyError` for an unknown door and `Refused` for a lock verb on a door that
        people cannot always leave through.
        """
        config = self._charter.config
        name = config.doors[door].name
        if not plan.may_take(config, door, verb):
            raise Refused(f"{name} takes no {verb}: its `egress: free` is not attested")
        if verb != "momentary":
            self._call_off(
                outbox.pending_commands(self._connection, door), "a newer command replaced it"
            )
        key = self._intend(
            plan.command(self._charter.words, door, verb, by, reason, alert, incident)
        )
        self._requested(door, key, verb, by, reason, alert, incident)
        return key

    def _requested(
        self, door: str, key: str, verb: Verb, by: str, reason: str, alert: str, incident: str
    ) -> None:
        block = self._charter.config.doors[door]
        data = {"key": key, "kind": "door", "target": door, "verb": verb, "by": by}
        data |= {"reason": reason, "alert": alert, "incident": incident, "place": block.place}
        source = f"alert/{alert}" if alert else f"person/{by}"
        self.accept(
            Event(type="action.requested", source=source, time=self._now, subject=door, data=data)
        )
        self._tell_door(door)
