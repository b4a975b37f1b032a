"""What happens to protocols, as lines of an incident's story."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from hub.events import Event
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


def _drill(data: Mapping[str, Any]) -> str:
    return "DRILL: " if data.get("drill") is True else ""


def _who(data: Mapping[str, Any], person: Called) -> str:
    return person(str(data.get("by") or data.get("device") or "Somebody"))


def _started(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    where = place(data["area"])
    line = f"{_drill(data)}{data['name']} in force in {where}, started by {_who(data, person)}"
    if data.get("place") and data["place"] != data["area"]:
        line += f" from {place(data['place'])}"
    return f"{line}{_because(data)}", "severe"


def _ended(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    people = " and ".join(person(each) for each in data["people"])
    line = f"{_drill(data)}{data['name']} ended by {people} ({data['reason']})"
    report = data["report"]
    line += f" after {duration_words(round(report['lasted_s']))}: {report['sentence']}"
    if channels := report["channels"]:
        slowest = max(channels.values())
        count = "one channel" if len(channels) == 1 else f"{len(channels)} channels"
        line += f"; {count} told within {slowest:.1f} s"
    return line, "ok"


def _progress(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    line = f"{_drill(data)}{'All-clear: ' if data['phase'] == 'clear' else ''}{data['sentence']}"
    return line, "ok" if data["done"] == data["total"] else "check"


def _ending(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    who = _who(data, person)
    if data["ending"] == "withdrawn":
        return f"{who} no longer asks for the end of {data['name']}: it goes on", "check"
    return f"{who} asks for the end of {data['name']}; a second person has to confirm", "check"


def _duress(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    return f"DURESS: {_who(data, person)} was forced to give an end; nothing was ended", "severe"


def _panic(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    line = f"{_drill(data)}{_who(data, person)} pressed {data['does']} in {place(data['place'])}"
    line += ", which is in force already" if data.get("joined") else ""
    return f"{line}{_because(data)}", "severe"


def _help(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    text = f": {data['text']}" if data.get("text") else ""
    return f"{_who(data, person)} calls for help in {place(data['place'])}{text}", "severe"


def _decided(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    what = "stay" if data["decision"] == "stay" else "leave"
    return f"{_who(data, person)} decides in the fire alarm: people {what}", "severe"


def _undecided(data: Mapping[str, Any], person: Called, place: Called) -> Line:
    return f"Fire alarm during {data['name']}: nobody has decided whether people stay", "severe"


def _because(data: Mapping[str, Any]) -> str:
    return f": {data['reason']}" if data.get("reason") else ""


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
