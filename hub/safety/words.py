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
from hub.phrases import mark, phrase
from hub.safety.doors.words import door_sentence
from hub.safety.incidents.words import case_sentence
from hub.safety.protocols.sentences import protocol_sentence
from hub.units import duration_words

Tone = Literal["neutral", "ok", "check", "severe"]

ASK: Mapping[str, str] = {
    "lock": mark("lock"),
    "unlock": mark("unlock"),
    "momentary": mark("open once"),
    "hold_open": mark("stay open"),
    "lockdown": mark("lock down"),
    "lockdown_release": mark("end its lockdown"),
}
DOES: Mapping[str, str] = {
    "lock": mark("Locks %(doors)s"),
    "unlock": mark("Unlocks %(doors)s"),
    "momentary": mark("Opens once: %(doors)s"),
    "hold_open": mark("Holds open %(doors)s"),
    "lockdown": mark("Locks down %(doors)s"),
    "lockdown_release": mark("Ends the lockdown of %(doors)s"),
}
_CAMERA: Mapping[str, tuple[str, Tone]] = {
    "camera.online": (mark("delivers pictures again"), "ok"),
    "camera.offline": (mark("delivers no pictures"), "check"),
    "camera.covered": (mark("its lens is covered"), "check"),
    "camera.moved": (mark("was turned, or shows another view"), "check"),
    "camera.defocused": (mark("its picture is out of focus"), "check"),
    "camera.frozen": (mark("its picture is frozen"), "check"),
    "camera.repeating": (mark("shows again what it has shown before"), "check"),
    "camera.blind": (mark("cannot see"), "check"),
}
_OTHER: Mapping[str, tuple[str, Tone]] = {
    "visitor.checked_in": (mark("%(subject)s checked in"), "neutral"),
    "visitor.checked_out": (mark("%(subject)s checked out"), "neutral"),
    "visitor.overstayed": (mark("%(subject)s is still here after the agreed time"), "check"),
    "visitor.matched": (mark("%(subject)s may be somebody not to admit"), "check"),
    "visitor.admitted": (mark("%(subject)s was let in after a look"), "check"),
    "plugin.failed": (mark("%(subject)s failed"), "check"),
    "plugin.recovered": (mark("%(subject)s works again"), "ok"),
    "process.died": (mark("%(subject)s ended without being asked to"), "check"),
    "process.started": (mark("%(subject)s started"), "neutral"),
    "rule.demoted": (mark("%(subject)s gave too many false alarms and is only reviewed"), "check"),
    "rule.restored": (mark("%(subject)s raises alerts as before"), "ok"),
    "drill.missed": (mark("a planned drill was not started"), "check"),
    "glass.broken": (mark("%(subject)s has broken the glass"), "check"),
    "glass.ended": (mark("%(subject)s may again what their role says"), "ok"),
}
_ARRIVED: Mapping[str, tuple[str, Tone]] = {
    "notice.delivered": (mark("%(who)s: delivered through %(channel)s"), "neutral"),
    "notice.seen": (mark("%(who)s: seen, sent through %(channel)s"), "ok"),
    "notice.acknowledged": (mark("%(who)s: taken on through %(channel)s"), "ok"),
}
_TOLD: Mapping[str, str] = {
    "alert": mark("told"),
    "verdict": mark("told of the verdict"),
    "outcome": mark("told what was not done"),
    "update": mark("told how it stands"),
}
_VERDICT: Mapping[str, tuple[str, Tone]] = {
    "alert.verified": (mark("%(by)s verified the alert"), "severe"),
    "alert.dismissed": (mark("%(by)s dismissed the alert as a false alarm"), "ok"),
    "alert.reopened": (mark("%(by)s took that back: the alert is open again"), "check"),
    "alert.unsure": (mark("%(by)s could not tell and asks for a second look"), "check"),
    "alert.acknowledged": (mark("%(by)s has taken the alert on"), "ok"),
    "alert.resolved": (mark("%(by)s says that this is over"), "ok"),
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
        return phrase("Everyone it reaches")

    def clock(self, moment: datetime) -> str:
        """The hour on the school's wall clock."""
        return f"{moment.astimezone(self._zone):%H:%M}"

    def seconds(self, moment: datetime) -> str:
        """The hour on the school's wall clock, to the second."""
        return f"{moment.astimezone(self._zone):%H:%M:%S}"

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
        place = self.campus.name(str(event.data.get("place")))
        if event.data.get("guessing"):
            label = phrase("%(label)s (guessed from motion)", label=label)
        if event.type == "zone.entered":
            return phrase("%(label)s seen in %(place)s", label=label, place=place), "neutral"
        return phrase(
            "%(label)s left or lost from view in %(place)s", label=label, place=place
        ), "neutral"

    def _report(self, event: Event) -> tuple[str, Tone]:
        sender = str(event.data["inbound"])
        block = self.config.inbound.get(sender)
        sender = block.name if block is not None and block.name else sender
        said = ": ".join(str(event.data[key]) for key in ("label", "text") if event.data.get(key))
        if "score_said" in event.data:
            score = event.data["score_said"]
            said = phrase("%(said)s (score given as %(score)s)", said=said, score=score)
        if event.type == "report.ended":
            return _with(phrase("%(sender)s says that it is over", sender=sender), said), "neutral"
        return _with(phrase("%(sender)s reports", sender=sender), said), "check"

    def _verdict(self, event: Event) -> tuple[str, Tone]:
        what, tone = _VERDICT[event.type]
        if event.data.get("drill_over"):
            what, tone = mark("%(by)s ended the alert"), "ok"
        by = self.person(str(event.data.get("by")))
        return _with(phrase(what, by=by), str(event.data.get("note") or "")), tone

    def _picture(self, event: Event) -> str:
        camera = self.camera(str(event.data.get("camera")))
        offset = event.data.get("offset_s")
        if not isinstance(offset, int | float) or abs(offset) < 0.05:
            return phrase("Picture from %(camera)s", camera=camera)
        gap = f"{abs(offset):g}"
        if offset < 0:
            return phrase("Picture from %(camera)s, %(gap)s s before", camera=camera, gap=gap)
        return phrase("Picture from %(camera)s, %(gap)s s after", camera=camera, gap=gap)

    def _action(self, event: Event) -> tuple[str, Tone]:
        if event.data.get("kind") == "door":
            return self.door_outcome(event.type, event.data)
        return self._notice(event.type, event.data)

    def door_outcome(self, kind: str, data: Mapping[str, Any]) -> tuple[str, Tone]:
        """How a door command stands: asked, confirmed, or NOT done and why."""
        door, verb = self.door(str(data["target"])), str(data["verb"])
        detail = str(data.get("detail") or "")
        if kind == "action.requested":
            return phrase(
                "%(door)s: asked to %(ask)s by %(person)s",
                door=door,
                ask=ASK[verb],
                person=self.person(str(data["by"])),
            ), "neutral"
        if kind == "action.confirmed":
            return phrase(
                "%(door)s: %(ask)s confirmed after %(seconds)s s",
                door=door,
                ask=ASK[verb],
                seconds=f"{data['seconds']:.1f}",
            ), "ok"
        if kind == "action.cancelled":
            return phrase(
                "%(door)s: %(ask)s called off: %(detail)s", door=door, ask=ASK[verb], detail=detail
            ), "neutral"
        if verb in LOCK_VERBS:
            return phrase("%(door)s: NOT secured: %(detail)s", door=door, detail=detail), "severe"
        return phrase(
            "%(door)s: did not %(ask)s: %(detail)s", door=door, ask=ASK[verb], detail=detail
        ), "check"

    def _notice(self, kind: str, data: Mapping[str, Any]) -> tuple[str, Tone]:
        channel = self.channel(str(data["target"]))
        people = ", ".join(map(str, data.get("to") or ())) or self.everyone
        detail = str(data.get("detail") or "")
        if data.get("about") == "hand_off":
            if kind == "action.confirmed":
                return phrase("%(channel)s took what was handed over", channel=channel), "ok"
            if kind == "action.cancelled":
                return phrase(
                    "Not handed over to %(channel)s: %(detail)s", channel=channel, detail=detail
                ), "neutral"
            return phrase(
                "NOT handed over to %(channel)s: %(detail)s", channel=channel, detail=detail
            ), "check"
        what = _TOLD.get(str(data.get("about")), "told")
        if kind == "action.confirmed":
            return phrase(
                "%(people)s: %(what)s through %(channel)s",
                people=people,
                what=what,
                channel=channel,
            ), "ok"
        if kind == "action.cancelled":
            return phrase(
                "%(people)s: no longer %(what)s through %(channel)s: %(detail)s",
                people=people,
                what=what,
                channel=channel,
                detail=detail,
            ), "neutral"
        return phrase(
            "%(people)s: NOT %(what)s through %(channel)s: %(detail)s",
            people=people,
            what=what,
            channel=channel,
            detail=detail,
        ), "check"

    def _receipt(self, kind: str, data: Mapping[str, Any]) -> tuple[str, Tone]:
        """What became of a notice for people: delivered, seen, taken on, failed, another way."""
        if kind == "notice.rerouted":
            return phrase(
                "%(channel)s did not take a notice; sent through %(instead)s instead",
                channel=self.channel(str(data["from"])),
                instead=self.channel(str(data["to"])),
            ), "check"
        who = ", ".join(map(str, data["to"])) or self.everyone
        channel = self.channel(str(data["channel"]))
        if kind == "notice.failed":
            line = phrase(
                "%(who)s: NOT reached through %(channel)s after all", who=who, channel=channel
            )
            return _with(line, str(data.get("detail") or "")), "check"
        what, tone = _ARRIVED[kind]
        return phrase(what, who=who, channel=channel), tone

    def _other(self, event: Event) -> tuple[str, Tone]:
        if event.type == "alert.raised" and "title" in event.data:
            return phrase("Alert: %(title)s", title=event.data["title"]), "check"
        if event.type == "alert.unheard" and "reason" in event.data:
            return phrase(
                "Nobody has received the alert: %(reason)s", reason=event.data["reason"]
            ), "severe"
        if event.type == "alert.joined" and "count" in event.data:
            count = event.data["count"]
            if "parts" in event.data:
                return _how_many(int(event.data["gone"]), int(event.data["parts"])), "check"
            if event.data.get("told_again"):
                return phrase(
                    "Seen again, %(count)s times so far; all who were told are told again",
                    count=count,
                ), "neutral"
            return phrase("Seen again, %(count)s times so far", count=count), "neutral"
        if event.type == "rule.suppressed" and "count" in event.data:
            return phrase(
                "The rule's cooldown keeps back more of the same; the alert counts it"
            ), "neutral"
        if event.type == "clock.moved" and "seconds" in event.data:
            return _clock_moved(float(event.data["seconds"])), "check"
        detail = str(event.data.get("reason") or event.data.get("detail") or "")
        subject = event.subject
        if event.type == "visitor.admitted":  # beside why it matched they say how they know
            detail = str(event.data.get("detail") or "")
        if event.type.startswith("visitor."):
            subject = str(event.data.get("visitor") or subject)
        form, tone = _OTHER.get(event.type, ("", "neutral"))
        if form and subject:
            return _with(phrase(form, subject=subject), detail), tone
        bare = form % {"subject": ""} if form else f"{subject} {event.type}"
        return _with(bare.strip(), detail), tone


def _how_many(gone: int, parts: int) -> str:
    if not gone:
        return phrase("All %(count)s answer again; everyone who was told hears it", count=parts)
    return phrase(
        "%(gone)s of %(count)s do not answer; everyone who was told hears it",
        gone=gone,
        count=parts,
    )


def _clock_moved(seconds: float) -> str:
    span = duration_words(abs(round(seconds)))
    if seconds > 0:
        return phrase("The machine's clock was set forward by %(span)s", span=span)
    return phrase("The machine's clock was set back by %(span)s", span=span)


def _with(line: str, detail: str) -> str:
    """A sentence and what belongs to it."""
    return phrase("%(line)s: %(detail)s", line=line, detail=detail) if detail else line
