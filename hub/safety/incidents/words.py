"""What people did in a case, as lines of its story."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hub.casework import CASE_ROLES, KIND_NAMES
from hub.events import Event

Tone = Literal["neutral", "ok", "check", "severe"]
Who = Callable[[str], str]


def case_sentence(event: Event, person: Who) -> tuple[str, Tone]:
    """What an event of an incident says. Raises `KeyError` where its data lack something."""
    what = event.type.partition(".")[2]
    data = event.data
    if what == "task":
        return _task(data, person), "ok" if data["do"] == "done" else "neutral"
    if what == "role":
        name, who = CASE_ROLES[data["role"]], person(data["person"])
        if data["do"] == "ended":
            return f"{who} is no longer {_role(name)}", "neutral"
        given = "" if data["by"] == data["person"] else f", given by {person(data['by'])}"
        return f"{who} is {_role(name)}{given}", "neutral"
    if what in _SAID:
        said, tone = _SAID[what](data, person)
        return f"{said}{_because(data)}", tone
    return event.type, "neutral"


def _role(name: str) -> str:
    return "on scene" if name == "On scene" else f"{name[0].lower()}{name[1:]}"


def _task(data: Mapping[str, Any], person: Who) -> str:
    note = f": {data['note']}" if data.get("note") else ""
    if data["do"] == "added":
        texts = [one["text"] for one in data["tasks"]]
        if data.get("planned"):
            kind = KIND_NAMES.get(data["kind"], data["kind"]).lower()
            return f"{_tasks(len(texts))} from the plan for {kind}: {'; '.join(texts)}"
        return f"{person(data['by'])} added the task {texts[0]}"
    text, by = data["text"], person(data["by"])
    if data["do"] == "taken":
        taker = person(data["who"])
        return f"{taker} takes on: {text}" if taker == by else f"{by} gives {taker}: {text}"
    did = {"done": "Done", "dropped": "Dropped", "opened": "Opened again"}[data["do"]]
    return f"{did} by {by}: {text}{note}"


def _tasks(count: int) -> str:
    return "A task" if count == 1 else f"{count} tasks"


def _opened(data: Mapping[str, Any], person: Who) -> tuple[str, Tone]:
    drill = "DRILL: " if data.get("drill") else ""
    return f"{drill}{person(data['by'])} opened the incident {data['title']}", "check"


def _note(data: Mapping[str, Any], person: Who) -> tuple[str, Tone]:
    by = person(data["by"])
    if data.get("corrects"):
        return f"{by} corrects “{data['corrected']}”: {data['text']}", "neutral"
    return f"{by}: {data['text']}", "neutral"


def _closed(data: Mapping[str, Any], person: Who) -> tuple[str, Tone]:
    if not data.get("by"):
        return "Incident closed: every alert was dismissed", "ok"
    return f"{person(data['by'])} closed the incident", "ok"


def _because(data: Mapping[str, Any]) -> str:
    return f": {data['why']}" if data.get("why") else ""


_SAID: Mapping[str, Callable[[Mapping[str, Any], Who], tuple[str, Tone]]] = {
    "opened": _opened,
    "note": _note,
    "closed": _closed,
    "reopened": lambda data, person: (f"{person(data['by'])} reopened the incident", "check"),
    "kind": lambda data, person: (
        f"{person(data['by'])} says what it is: {KIND_NAMES[data['kind']]}",
        "neutral",
    ),
    "update": lambda data, person: (
        f"{person(data['by'])} tells how it stands: {data['text']}",
        "neutral",
    ),
    "reminder": lambda data, person: (
        "No situation update for too long; the commander is reminded",
        "check",
    ),
    "merged": lambda data, person: (
        f"{person(data['by'])} merged {data['title']} into {data['into_title']}",
        "neutral",
    ),
    "split": lambda data, person: (
        f"{person(data['by'])} made {_alerts(len(data['alerts']))} an incident of their own, "
        f"{data['into_title']}",
        "neutral",
    ),
    "handed_off": lambda data, person: (
        f"{person(data['by'])} hands it over to {', '.join(data['names'])}",
        "severe",
    ),
    "exported": lambda data, person: (
        f"{person(data['by'])} took the report away as {str(data['form']).upper()}{_exactly(data)}",
        "neutral",
    ),
}


def _exactly(data: Mapping[str, Any]) -> str:
    if "sha256" not in data:  # as a journal of before has it
        return ""
    return f" ({data['bytes']} bytes, SHA-256 {data['sha256']})"


def _alerts(count: int) -> str:
    return "one alert" if count == 1 else f"{count} alerts"
