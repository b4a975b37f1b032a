"""What people did in a case, as lines of its story."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hub.events import Event
from hub.incident_settings import CASE_ROLES, KIND_NAMES
from hub.phrases import mark, phrase, phrases

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
            return phrase("%(who)s is no longer %(role)s", who=who, role=_role(name)), "neutral"
        line = phrase(_IS.get(data["role"], "%(who)s is %(role)s"), who=who, role=_role(name))
        if data["by"] == data["person"]:
            return line, "neutral"
        by = person(data["by"])
        return phrase("%(line)s, given by %(by)s", line=line, by=by), "neutral"
    if what in _SAID:
        said, tone = _SAID[what](data, person)
        return f"{said}{_because(data)}", tone
    return event.type, "neutral"


def _role(name: str) -> str:
    return f"{name[0].lower()}{name[1:]}"


_IS: Mapping[str, str] = {
    "commander": mark("%(who)s is commander"),
    "on_scene": mark("%(who)s is on scene"),
    "note_taker": mark("%(who)s is note taker"),
    "liaison": mark("%(who)s is liaison with responders"),
    "reunification": mark("%(who)s is reunification"),
}


def _task(data: Mapping[str, Any], person: Who) -> str:
    by = person(data["by"]) if data.get("by") else ""
    if data["do"] == "added":
        texts = [one["text"] for one in data["tasks"]]
        if data.get("planned"):
            kind, n = KIND_NAMES.get(data["kind"], data["kind"]).lower(), len(texts)
            return phrases(
                "A task from the plan for %(kind)s: %(texts)s",
                "%(n)s tasks from the plan for %(kind)s: %(texts)s",
                n, n=n, kind=kind, texts="; ".join(texts),
            )  # fmt: skip
        return phrase("%(by)s added the task %(text)s", by=by, text=texts[0])
    text, taker = data["text"], person(data["who"]) if data.get("who") else ""
    if data["do"] == "taken":
        if taker == by:
            return phrase("%(taker)s takes on: %(text)s", taker=taker, text=text)
        return phrase("%(by)s gives %(taker)s: %(text)s", by=by, taker=taker, text=text)
    line = phrase(_DID[data["do"]], by=by, text=text)
    return phrase("%(line)s: %(note)s", line=line, note=data["note"]) if data.get("note") else line


_DID: Mapping[str, str] = {
    "done": mark("Done by %(by)s: %(text)s"),
    "dropped": mark("Dropped by %(by)s: %(text)s"),
    "opened": mark("Opened again by %(by)s: %(text)s"),
}


def _opened(data: Mapping[str, Any], person: Who) -> tuple[str, Tone]:
    by, title = person(data["by"]), data["title"]
    line = phrase("%(by)s opened the incident %(title)s", by=by, title=title)
    return (phrase("DRILL: %(line)s", line=line) if data.get("drill") else line), "check"


def _note(data: Mapping[str, Any], person: Who) -> tuple[str, Tone]:
    by = person(data["by"])
    if data.get("corrects"):
        return phrase(
            "%(by)s corrects “%(corrected)s”: %(text)s",
            by=by,
            corrected=data["corrected"],
            text=data["text"],
        ), "neutral"
    return f"{by}: {data['text']}", "neutral"


def _closed(data: Mapping[str, Any], person: Who) -> tuple[str, Tone]:
    if not data.get("by"):
        return phrase("Incident closed: every alert was dismissed"), "ok"
    return phrase("%(person)s closed the incident", person=person(data["by"])), "ok"


def _because(data: Mapping[str, Any]) -> str:
    return f": {data['why']}" if data.get("why") else ""


_SAID: Mapping[str, Callable[[Mapping[str, Any], Who], tuple[str, Tone]]] = {
    "opened": _opened,
    "note": _note,
    "closed": _closed,
    "reopened": lambda data, person: (
        phrase("%(person)s reopened the incident", person=person(data["by"])),
        "check",
    ),
    "kind": lambda data, person: (
        phrase(
            "%(person)s says what it is: %(kind_names)s",
            person=person(data["by"]),
            kind_names=KIND_NAMES[data["kind"]],
        ),
        "neutral",
    ),
    "update": lambda data, person: (
        phrase(
            "%(person)s tells how it stands: %(text)s", person=person(data["by"]), text=data["text"]
        ),
        "neutral",
    ),
    "reminder": lambda data, person: (
        phrase("No situation update for too long; the commander is reminded"),
        "check",
    ),
    "merged": lambda data, person: (
        phrase(
            "%(person)s merged %(title)s into %(into_title)s",
            person=person(data["by"]),
            title=data["title"],
            into_title=data["into_title"],
        ),
        "neutral",
    ),
    "split": lambda data, person: (
        phrases(
            "%(by)s made one alert an incident of their own, %(title)s",
            "%(by)s made %(n)s alerts an incident of their own, %(title)s",
            len(data["alerts"]),
            n=len(data["alerts"]),
            by=person(data["by"]),
            title=data["into_title"],
        ),
        "neutral",
    ),
    "handed_off": lambda data, person: (
        phrase(
            "%(person)s hands it over to %(names)s",
            person=person(data["by"]),
            names=", ".join(data["names"]),
        ),
        "severe",
    ),
    "exported": lambda data, person: (_exported(data, person), "neutral"),
}


def _exported(data: Mapping[str, Any], person: Who) -> str:
    by, form = person(data["by"]), str(data["form"]).upper()
    if "sha256" not in data:  # as a journal of before has it
        return phrase("%(by)s took the report away as %(form)s", by=by, form=form)
    return phrase(
        "%(by)s took the report away as %(form)s (%(bytes)s bytes, SHA-256 %(sha256)s)",
        by=by, form=form, bytes=data["bytes"], sha256=data["sha256"],
    )  # fmt: skip
