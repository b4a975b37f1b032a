"""Events, doors, people and moments in plain words, for stories, notices and pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub.campus import Campus
from hub.config import Config
from hub.events import Event
from hub.kinds.access_control import LOCK_VERBS
from hub.safety.doors.words import door_sentence
from hub.safety.incidents.words import case_sentence
from hub.safety.protocols.sentences import protocol_sentence

Tone = Literal["neutral", "ok", "check", "severe"]

ASK: Mapping[str, str] = {
    "lock": "lock",
    "unlock": "unlock",
    "momentary": "open once",
    "hold_open": "stay open",
    "lockdown": "lock down",
    "lockdown_release": "end its lockdown",
}
DOES: Mapping[str, str] = {
    "lock": "Locks",
    "unlock": "Unlocks",
    "momentary": "Opens once:",
    "hold_open": "Holds open",
    "lockdown": "Locks down",
    "lockdown_release": "Ends the lockdown of",
}
_CAMERA: Mapping[str, tuple[str, Tone]] = {
    "camera.online": ("delivers pictures again", "ok"),
    "camera.offline": ("delivers no pictures", "check"),
    "camera.covered": ("its lens is covered", "check"),
    "camera.moved": ("was turned, or shows another view", "check"),
    "camera.defocused": ("its picture is out of focus", "check"),
    "camera.frozen": ("its picture is frozen", "check"),
    "camera.blind": ("cannot see", "check"),
}
_OTHER: Mapping[str, tuple[str, Tone]] = {
    "visitor.checked_in": ("checked in", "neutral"),
    "visitor.checked_out": ("checked out", "neutral"),
    "visitor.overstayed": ("is still here after the agreed time", "check"),
    "plugin.failed": ("failed", "check"),
    "plugin.recovered": ("works again", "ok"),
    "process.died": ("ended without being asked to", "check"),
    "process.started": ("started", "neutral"),
    "rule.demoted": ("gave too many false alarms and is only reviewed", "check"),
    "rule.restored": ("raises alerts as before", "ok"),
}
_ARRIVED: Mapping[str, tuple[str, Tone]] = {
    "notice.delivered": ("delivered through", "neutral"),
    "notice.seen": ("seen, sent through", "ok"),
    "notice.acknowledged": ("taken on through", "ok"),
}
_TOLD: Mapping[str, str] = {
    "alert": "told",
    "verdict": "told of the verdict",
    "outcome": "told what was not done",
    "update": "told how it stands",
}
_VERDICT: Mapping[str, tuple[str, Tone]] = {
    "alert.verified": ("verified the alert", "severe"),
    "alert.dismissed": ("dismissed the alert as a false alarm", "ok"),
    "alert.unsure": ("could not tell and asks for a second look", "check"),
    "alert.acknowledged": ("has taken the alert on", "ok"),
    "alert.resolved": ("says that this is over", "ok"),
}


class Words:
    """Turns ids of one configuration into what people call things."""

    def __init__(self, config: Config, campus: Campus) -> None:
        self.config = config
        self.campus = campus
        self._zone = ZoneInfo(config.hub.timezone)

    def door(self, door: str) -> str:
        """A door's name; the id for one that is no longer configured."""
        return self.config.doors[door].name if door in self.config.doors else door

    def camera(self, camera: str) -> str:
        """A camera's name, else its place's."""
        block = self.config.cameras.get(camera)
        return camera if block is None else block.name or self.campus.name(block.place)

    def channel(self, notifier: str) -> str:
        """A notifier's name, else its id as a word."""
        block = self.config.notifiers.get(notifier)
        named = block.name if block is not None else ""
        return named or notifier.replace("_", " ").capitalize()

    def person(self, by: str) -> str:
        """A person's name where `by` is one of the configured people; as it stands otherwise."""
        return self.config.people[by].name if by in self.config.people else by

    @property
    def everyone(self) -> str:
        """Whom a channel reaches that spreads notices itself."""
        return "Everyone it reaches"

    def clock(self, moment: datetime) -> str:
        """The hour on the school's wall clock."""
        return f"{moment.astimezone(self._zone):%H:%M}"

    def moment(self, moment: datetime) -> str:
        """Hour and date on the school's wall clock: `20:15 on Monday 2 March`."""
        local = moment.astimezone(self._zone)
        return f"{local:%H:%M on %A} {local.day} {local:%B}"

    def sentence(self, event: Event) -> tuple[str, Tone]:
        """What an event says, in one line, and how grave that is; its bare type if data lack."""
        try:
            return self._sentence(event)
        except (KeyError, TypeError, ValueError):
            return self._other(Event(event.type, event.source, event.time, event.subject))

    def _sentence(self, event: Event) -> tuple[str, Tone]:
        if (line := protocol_sentence(event, self.person, self.campus.name)) is not None:
            return line
        area = event.type.partition(".")[0]
        said = door_sentence(event, self.door, self.person, self.campus.name)
        if said is not None:
            return said
        if event.type in _VERDICT:
            return self._verdict(event)
        if area == "incident":
            return case_sentence(event, self.person)
        if area == "zone":
            return self._zone_line(event)
        if area == "report":
            return self._report(event)
        if area == "action":
            return self._action(event)
        if area == "notice":
            return self._receipt(event.type, event.data)
        if event.type == "picture.saved":
            return self._picture(event), "neutral"
        if event.type == "camera.clear":
            # It also ends where nobody can tell any more, so only the reason says how it stands.
            return f"{self.camera(event.subject)}: {event.data['reason']}", "neutral"
        if event.type in _CAMERA:
            what, tone = _CAMERA[event.type]
            return f"{self.camera(event.subject)}: {what}", tone
        return self._other(event)

    def _zone_line(self, event: Event) -> tuple[str, Tone]:
        label = str(event.data.get("label") or "Something").capitalize()
        guess = " (guessed from motion)" if event.data.get("guessing") else ""
        verb = "seen in" if event.type == "zone.entered" else "left or lost from view in"
        return f"{label}{guess} {verb} {self.campus.name(str(event.data.get('place')))}", "neutral"

    def _report(self, event: Event) -> tuple[str, Tone]:
        sender = str(event.data["inbound"])
        block = self.config.inbound.get(sender)
        sender = block.name if block is not None and block.name else sender
        said = ": ".join(str(event.data[key]) for key in ("label", "text") if event.data.get(key))
        if "score_said" in event.data:
            said += f" (score given as {event.data['score_said']})"
        over = event.type == "report.ended"
        line = f"{sender} {'says that it is over' if over else 'reports'}"
        return (f"{line}: {said}" if said else line), "neutral" if over else "check"

    def _verdict(self, event: Event) -> tuple[str, Tone]:
        what, tone = _VERDICT[event.type]
        if event.data.get("drill_over"):
            what, tone = "ended the alert", "ok"
        note = str(event.data.get("note") or "")
        by = self.person(str(event.data.get("by")))
        return f"{by} {what}{f': {note}' if note else ''}", tone

    def _picture(self, event: Event) -> str:
        camera = self.camera(str(event.data.get("camera")))
        offset = event.data.get("offset_s")
        if not isinstance(offset, int | float) or abs(offset) < 0.05:
            return f"Picture from {camera}"
        side = "before" if offset < 0 else "after"
        return f"Picture from {camera}, {abs(offset):g} s {side}"

    def _action(self, event: Event) -> tuple[str, Tone]:
        if event.data.get("kind") == "door":
            return self.door_outcome(event.type, event.data)
        return self._notice(event.type, event.data)

    def door_outcome(self, kind: str, data: Mapping[str, Any]) -> tuple[str, Tone]:
        """How a door command stands: asked, confirmed, or NOT done and why."""
        door, verb = self.door(str(data["target"])), str(data["verb"])
        detail = str(data.get("detail") or "")
        if kind == "action.requested":
            return f"{door}: asked to {ASK[verb]} by {self.person(str(data['by']))}", "neutral"
        if kind == "action.confirmed":
            return f"{door}: {ASK[verb]} confirmed after {data['seconds']:.1f} s", "ok"
        if kind == "action.cancelled":
            return f"{door}: {ASK[verb]} called off: {detail}", "neutral"
        if verb in LOCK_VERBS:
            return f"{door}: NOT secured: {detail}", "severe"
        return f"{door}: did not {ASK[verb]}: {detail}", "check"

    def _notice(self, kind: str, data: Mapping[str, Any]) -> tuple[str, Tone]:
        channel = self.channel(str(data["target"]))
        people = ", ".join(map(str, data.get("to") or ())) or self.everyone
        detail = str(data.get("detail") or "")
        if data.get("about") == "hand_off":
            if kind == "action.confirmed":
                return f"{channel} took what was handed over", "ok"
            if kind == "action.cancelled":
                return f"Not handed over to {channel}: {detail}", "neutral"
            return f"NOT handed over to {channel}: {detail}", "check"
        what = _TOLD.get(str(data.get("about")), "told")
        if kind == "action.confirmed":
            return f"{people}: {what} through {channel}", "ok"
        if kind == "action.cancelled":
            return f"{people}: no longer {what} through {channel}: {detail}", "neutral"
        return f"{people}: NOT {what} through {channel}: {detail}", "check"

    def _receipt(self, kind: str, data: Mapping[str, Any]) -> tuple[str, Tone]:
        """What became of a notice for people: delivered, seen, taken on, failed, another way."""
        detail = f": {data['detail']}" if data.get("detail") else ""
        if kind == "notice.rerouted":
            ways = f"{self.channel(str(data['from']))} did not take a notice"
            return f"{ways}; sent through {self.channel(str(data['to']))} instead", "check"
        who = ", ".join(map(str, data["to"])) or self.everyone
        channel = self.channel(str(data["channel"]))
        if kind == "notice.failed":
            return f"{who}: NOT reached through {channel} after all{detail}", "check"
        what, tone = _ARRIVED[kind]
        return f"{who}: {what} {channel}", tone

    def _other(self, event: Event) -> tuple[str, Tone]:
        if event.type == "alert.raised" and "title" in event.data:
            return f"Alert: {event.data['title']}", "check"
        if event.type == "alert.unheard" and "reason" in event.data:
            return f"Nobody has received the alert: {event.data['reason']}", "severe"
        if event.type == "alert.joined" and "count" in event.data:
            told = "; all who were told are told again" if event.data.get("told_again") else ""
            return f"Seen again, {event.data['count']} times so far{told}", "neutral"
        if event.type == "rule.suppressed" and "count" in event.data:
            return "The rule's cooldown keeps back more of the same; the alert counts it", "neutral"
        detail = str(event.data.get("reason") or event.data.get("detail") or "")
        subject, tone = event.subject, _OTHER.get(event.type, ("", "neutral"))[1]
        if event.type.startswith("visitor."):
            subject = str(event.data.get("visitor") or subject)
        what = _OTHER.get(event.type, (event.type, tone))[0]
        line = f"{subject} {what}" if subject else what
        return f"{line}: {detail}" if detail else line, tone
