"""What happens to protocols, as lines of an incident's story."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from hub.events import Event
from hub.phrases import phrase, phrases
from hub.units import duration_words

Tone = Literal["neutral", "ok", "check", "severe"]
Line: TypeAlias = tuple[str, Tone]
Called = Callable[[str], str]


def protocol_sentence(event: Event, person: Called, place: Called) -> Line | None:
    """What an event says of a protocol; None for any other. Raises `KeyError` where its data lack
    something.
    """
    says = _SAYS.get(event.type)
    return None if says is None else says(event.data, person, place)


def _drilled(data: Mapping[str, Any], line: str) -> str:
    return phrase("DRILL: %(line)s", line=line) if data.get("drill") is True else line


def _who(data: Mapping[str, Any], person: Called) -> str:
    return person(str(data.get("by") or data.get("device") or "Somebody"))


def _started(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    name, where, who = data["name"], place(data["area"]), _who(data, person)
    if data.get("place") and data["place"] != data["area"]:
        line = phrase(
            "%(name)s in force in %(where)s, started by %(who)s from %(place)s",
            name=name, where=where, who=who, place=place(data["place"]),
        )  # fmt: skip
    else:
        line = phrase(
            "%(name)s in force in %(where)s, started by %(who)s", name=name, where=where, who=who
        )
    return _drilled(data, _because(data, line)), "severe"


def _ended(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    people = " and ".join(person(each) for each in data["people"])
    report = data["report"]
    line = phrase(
        "%(name)s ended by %(people)s (%(reason)s) after %(lasted)s: %(sentence)s",
        name=data["name"],
        people=people,
        reason=data["reason"],
        lasted=duration_words(round(report["lasted_s"])),
        sentence=report["sentence"],
    )
    if channels := report["channels"]:
        slowest, n = f"{max(channels.values()):.1f}", len(channels)
        line = phrases(
            "%(line)s; one channel told within %(slowest)s s",
            "%(line)s; %(n)s channels told within %(slowest)s s",
            n, n=n, line=line, slowest=slowest,
        )  # fmt: skip
    return _drilled(data, line), "ok"


def _progress(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    line = data["sentence"]
    if data["phase"] == "clear":
        line = phrase("All-clear: %(line)s", line=line)
    return _drilled(data, line), "ok" if data["done"] == data["total"] else "check"


def _ending(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    who = _who(data, person)
    if data["ending"] == "withdrawn":
        return phrase(
            "%(who)s no longer asks for the end of %(name)s: it goes on", who=who, name=data["name"]
        ), "check"
    if data["ending"] == "pressed":
        return phrase(
            "%(who)s has started %(name)s again: its end has to be asked for anew",
            who=who,
            name=data["name"],
        ), "check"
    return phrase(
        "%(who)s asks for the end of %(name)s; a second person has to confirm",
        who=who,
        name=data["name"],
    ), "check"


def _duress(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    return phrase(
        "DURESS: %(who)s was forced to give an end; nothing was ended", who=_who(data, person)
    ), "severe"


def _panic(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    who, where, does = _who(data, person), place(data["place"]), data["does"]
    line = phrase("%(who)s pressed %(does)s in %(place)s", who=who, does=does, place=where)
    if data.get("joined"):
        line = phrase("%(line)s, which is in force already", line=line)
    return _drilled(data, _because(data, line)), "severe"


def _help(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    who, where = _who(data, person), place(data["place"])
    line = phrase("%(who)s calls for help in %(place)s", who=who, place=where)
    if data.get("text"):
        return phrase("%(line)s: %(text)s", line=line, text=data["text"]), "severe"
    return line, "severe"


def _decided(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    who = _who(data, person)
    if data["decision"] == "stay":
        return phrase("%(who)s decides in the fire alarm: people stay", who=who), "severe"
    return phrase("%(who)s decides in the fire alarm: people leave", who=who), "severe"


def _undecided(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    return phrase(
        "Fire alarm during %(name)s: nobody has decided whether people stay", name=data["name"]
    ), "severe"


def _because(data: Mapping[str, Any], line: str) -> str:
    reason = data.get("reason")
    return phrase("%(line)s: %(reason)s", line=line, reason=reason) if reason else line


_SAYS: Mapping[str, Callable[[Mapping[str, Any], Called, Called], Line]] = {
    "protocol.started": _started,
    "protocol.ended": _ended,
    "protocol.progress": _progress,
    "protocol.ending": _ending,
    "protocol.duress": _duress,
    "panic.pressed": _panic,
    "help.pressed": _help,
    "fire.decided": _decided,
    "fire.undecided": _undecided,
}
