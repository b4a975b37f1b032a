"""Notices: who is told through what, and in which words.

A notice's text is written with the decision that wants it and sent as it was written. People with
an address of their own on a channel get a notice each, so that one that fails is tried again for
that person alone; those without one share a notice, for the channel to spread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub.clock import from_iso, iso
from hub.config import Config
from hub.events import Event
from hub.kinds.notifiers import Notice, Recipient, Severity
from hub.safety.lanes import of_hand
from hub.safety.notices.languages import ENGLISH, Said, in_language, seen
from hub.safety.outbox import NOTICE_EXPIRES, ActionRow, Intention, notice_lane
from hub.safety.words import Words

AboutWhat = Literal["alert", "verdict", "outcome", "acknowledgement", "update", "hand_off"]
DRILL = "DRILL: "
# What a notice that calls for somebody has in its data, when it is not the first word of its alert.
CALLS = ("step", "unheard", "again")
# Whose word a notice stands on: public channels never speak on a detector's.
Basis = Literal["detector", "person"]


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said, before it is known to whom."""

    about: AboutWhat
    severity: Severity
    title: str
    text: str
    time: datetime
    place: str
    alert: str
    incident: str
    basis: Basis
    data: dict[str, Any]
    # What templates may name beside all that; without it the text is said as it is.
    facts: dict[str, Any] = field(default_factory=dict)


def groups(config: Config, tell: Sequence[str], channel: str) -> list[tuple[Recipient, ...]]:
    """Whom to tell through a channel, one tuple per notice. Nobody named: whoever it reaches."""
    chosen: dict[str, Recipient] = {}
    for wanted in tell:
        for person, block in config.people.items():
            if wanted in (person, block.role):
                contact = block.contact.get(channel, "")
                chosen[person] = Recipient(person, block.name, contact)
    alone: list[tuple[Recipient, ...]] = [(one,) for one in chosen.values() if one.contact]
    shared = tuple(one for one in chosen.values() if not one.contact)
    return [*alone, shared] if shared or not alone else alone


def intentions(
    config: Config, words: Words, message: Message, tell: Sequence[str], through: Sequence[str]
) -> list[Intention]:
    """The notices that say a message to these people through each of these channels."""
    return [
        intention(config, words, message, channel, group)
        for channel in dict.fromkeys(through)
        for group in groups(config, tell, channel)
    ]


def intention(
    config: Config, words: Words, message: Message, channel: str, to: Sequence[Recipient]
) -> Intention:
    """One notice to one group of people through one channel."""
    block = config.notifiers.get(channel)
    payload = asdict(message) | {
        "time": iso(message.time),
        "to": [asdict(one) for one in to],
        "path": f"/alerts/{message.alert}" if message.alert else "",
    }
    return Intention(
        kind="notice",
        target=channel,
        what=f"Tell {', '.join(one.name for one in to) or 'everyone'} "
        f"through {words.channel(channel)}",
        payload=payload,
        lane=notice_lane(message.severity, channel, [one.person for one in to]),
        deadline_s=block.timeout if block is not None else 10.0,
        expires=NOTICE_EXPIRES,
        alert=message.alert,
        incident=message.incident,
    )


def again(config: Config, words: Words, message: Message, earlier: ActionRow) -> Intention:
    """A notice of a new message to exactly those whom an earlier notice went to."""
    to = [Recipient(**one) for one in json.loads(earlier.payload)["to"]]
    made = intention(config, words, message, earlier.target, to)
    return replace(made, lane=earlier.lane) if of_hand(earlier.lane) else made


def notice(
    action: ActionRow,
    base_url: str,
    words: Words,
    earlier: Sequence[Mapping[str, str]] = (),
    said: tuple[str, str] | None = None,
) -> Notice:
    """What the notifier is given, its time on the school's wall clock. Marked as a repeat whenever
    an earlier attempt was made; `earlier` is what this channel was given about the same alert,
    `said` title and text where they are not those that were written.
    """
    payload = json.loads(action.payload)
    path, data = payload["path"], payload["data"]
    title, text = said or (payload["title"], payload["text"])
    drill = bool(data.get("drill"))
    if drill and not title.startswith(DRILL):
        title = f"{DRILL}{title}"
    if instead := data.get("instead_of"):
        text += f"\nSent this way because {words.channel(instead[-1])} did not take it."
    return Notice(
        key=action.key,
        about=payload["about"],
        severity=payload["severity"],
        title=title,
        text=text,
        time=from_iso(payload["time"]).astimezone(ZoneInfo(words.config.hub.timezone)),
        to=tuple(Recipient(**one) for one in payload["to"]),
        place=payload["place"],
        alert=action.alert,
        incident=action.incident,
        link=f"{base_url.rstrip('/')}{path}" if base_url and path else "",
        drill=drill,
        repeat=action.attempts > 1,
        data=data | ({"earlier": [dict(each) for each in earlier]} if earlier else {}),
    )


def basis(action: ActionRow) -> Basis:
    """Whose word the notice stands on."""
    found: Basis = json.loads(action.payload)["basis"]
    return found


def calls(payload: Mapping[str, Any]) -> bool:
    """Whether a notice calls for somebody: the alert itself, a step of its ladder, that nobody has
    received it, or that it goes on.
    """
    all_back = payload["data"].get("together") == 0
    raised = payload["about"] == "alert" and payload["basis"] == "detector" and not all_back
    return raised or any(each in payload["data"] for each in CALLS)


def alert_message(
    words: Words, alert: ActionRow, cause: Event | None, basis: Basis, text: str | Said = ""
) -> Message:
    """That an alert was raised, or (on a person's word) what verifying it asked to be said; with a
    line before it, which may be in several languages.
    """
    opened = from_iso(alert.opened)
    lines = [first] if (first := in_language(text, ENGLISH)) else []
    lines.append(f"{words.campus.words(alert.place) or alert.title}, at {words.moment(opened)}.")
    if cause is not None:
        scored = "" if alert.score is None else f" (score {alert.score:.2f})"
        lines.append(f"{words.sentence(cause)[0]}{scored}.")
    lines.append(f"Why: {'; '.join(json.loads(alert.matched))}.")
    if basis == "detector":
        if alert.could_be:
            lines.append(f"It could be: {alert.could_be}.")
        lines.append("Nobody has verified this yet.")
    else:
        lines.append("A person verified this.")
    data = {"verdict": "verified"} if basis == "person" else {}
    facts = {"text": text, "why": json.loads(alert.matched), "could_be": alert.could_be}
    facts |= {"seen": seen(cause, words)}
    facts |= {"score": "" if alert.score is None else f"{alert.score:.2f}"}
    message = _message(alert, "alert", alert.title, "\n".join(lines), opened, basis, data, words)
    return replace(message, facts=message.facts | facts)


def verdict_message(
    words: Words, alert: ActionRow, verdict: str, by: str, note: str, now: datetime
) -> Message:
    """What a person decided about an alert."""
    head = {"verified": "Verified", "dismissed": "False alarm", "unsure": "Not sure"}[verdict]
    said = {
        "verified": "says this is real",
        "dismissed": "says this was a false alarm; nothing more will be sent",
        "unsure": "could not tell and asks for a second look",
    }[verdict]
    place = words.campus.words(alert.place)
    text = f"{words.person(by)} {said} ({words.moment(now)})."
    text += f"\n{note}" if note else ""
    text += f"\n{place}, first seen at {words.clock(from_iso(alert.opened))}." if place else ""
    data, title = {"verdict": verdict, "by": by}, f"{head}: {alert.title}"
    message = _message(alert, "verdict", title, text, now, "person", data, words)
    return replace(message, facts=message.facts | {"note": note})


def outcome_message(words: Words, alert: ActionRow, line: str, now: datetime) -> Message:
    """That something asked for by verifying an alert, or by a protocol, was not done."""
    text = f"{line}.\nPart of: {alert.title}."
    message = _message(alert, "outcome", line, text, now, "person", {}, words)
    return replace(message, facts=message.facts | {"line": line})


def _message(
    alert: ActionRow,
    about: AboutWhat,
    title: str,
    text: str,
    time: datetime,
    basis: Basis,
    data: dict[str, Any],
    words: Words,
) -> Message:
    return Message(
        about=about,
        severity=alert.severity,
        title=title,
        text=text,
        time=time,
        place=words.campus.words(alert.place),
        alert=alert.id,
        incident=alert.incident,
        basis=basis,
        data=data,
        facts=facts_of(alert),
    )


def facts_of(alert: ActionRow) -> dict[str, Any]:
    """What every notice about an alert lets templates name."""
    return {"title": alert.title, "opened": alert.opened}
