"""The after-action report: what the journal knows of an incident, and what it does not.

Every time in it is one that was written when the thing happened; nothing is filled in afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.clock import from_iso, iso
from hub.incident_views import MomentView, ReportView, TaskView
from hub.safety import outbox
from hub.safety.outbox import ActionRow
from hub.safety.words import Words
from hub.storage.media import PictureState
from hub.storage.schema import alerts, events, receipts
from hub.views import EntryView, IncidentView

FAILED = ("failed", "timed_out")
STAGES = ("queued", "accepted", "delivered", "seen", "acknowledged", "failed")


def report(
    connection: Connection,
    words: Words,
    view: IncidentView,
    picture: Callable[[str], PictureState],
    by: str,
    now: datetime,
) -> ReportView:
    """The report of a complete incident view; `picture` says what became of one."""
    acts = outbox.of_incidents(connection, [view["id"]])
    moments = _moments(connection, words, view, acts)
    doors = [_act(one) for one in acts if one.kind == "door"]
    notices = [_notice(one, words) for one in acts if one.kind == "notice"]
    _add_receipts(connection, view["id"], notices)
    shown = {each["picture"]: each for each in reversed(view["entries"]) if each["picture"]}
    pictures = [_picture(each, picture) for each in reversed(shown.values())]
    return ReportView(
        school=words.config.hub.name,
        timezone=words.config.hub.timezone,
        generated=iso(now),
        generated_by=words.person(by),
        incident={
            key: view[key]
            for key in (
                "id", "title", "kind", "kind_name", "drill", "severity", "state", "place",
                "place_words", "opened", "updated", "merged_into", "links",
            )
        },
        moments=moments,
        people=view["people"],
        tasks=[_task(each, words) for each in view["tasks"]],
        alerts=[_alert(dict(each), words) for each in view["alerts"]],
        doors=doors,
        notices=notices,
        failed=[one for one in (*doors, *notices) if one["state"] in FAILED],
        pictures=pictures,
        timeline=[dict(each) for each in view["entries"]],
        missing=_missing(moments, view, notices, pictures),
    )  # fmt: skip


def _moments(
    connection: Connection, words: Words, view: IncidentView, acts: Sequence[ActionRow]
) -> list[MomentView]:
    found = [
        ("detected", "Detected", *_detected(connection, view, words)),
        ("notified", "First notice accepted", *_notified(acts)),
        ("acknowledged", "Acknowledged", *_acknowledged(view, words)),
        ("on_scene", "On scene", *_on_scene(view, words)),
        ("resolved", "Resolved", *_resolved(view, words)),
    ]
    start, last, moments = None, None, []
    for name, title, time, by, why in found:
        moment = from_iso(time) if time else None
        after = _seconds(start, moment)
        moments.append(
            MomentView(
                name=name,  # type: ignore[typeddict-item]
                title=title,
                time=time,
                after_s=after,
                since_last_s=_seconds(last, moment),
                by=by,
                why=why,
            )
        )
        if moment is not None:
            start, last = start or moment, moment
    return moments


def _seconds(since: datetime | None, moment: datetime | None) -> float | None:
    if since is None or moment is None:
        return None
    return round((moment - since).total_seconds(), 3)


Found = tuple[str | None, str, str]


def _detected(connection: Connection, view: IncidentView, words: Words) -> Found:
    ids = [each["id"] for each in view["alerts"]]
    rows = connection.execute(
        select(events.c.time, events.c.received, events.c.source)
        .join(alerts, alerts.c.event == events.c.id)
        .where(alerts.c.id.in_(ids))
    )
    # A source whose clock is ahead cannot have seen it after the hub has heard of it.
    seen = sorted((min(row.time, row.received), row.source) for row in rows)
    if seen:
        return seen[0][0], _source(seen[0][1], words), ""
    opened = _entries(view, "incident.opened")
    if opened:
        by = words.person(str(opened[0]["data"]["by"]))
        return opened[0]["time"], by, "a person opened the incident; no alert led to it"
    return None, "", "no alert of this incident is in it any more"


def _notified(acts: Sequence[ActionRow]) -> Found:
    accepted = sorted(
        (one.finished, one.what)
        for one in acts
        if one.kind == "notice" and one.state == "confirmed" and one.finished
    )
    if accepted:
        return accepted[0][0], accepted[0][1], ""
    tried = any(one.kind == "notice" for one in acts)
    return None, "", "no channel accepted a notice" if tried else "nobody was to be told"


def _acknowledged(view: IncidentView, words: Words) -> Found:
    taken = _entries(view, "alert.acknowledged")
    if taken:
        return taken[0]["time"], words.person(str(taken[0]["data"].get("by", ""))), ""
    decided = [each["verdict"] for each in view["alerts"] if each["verdict"]]
    if not decided:
        return None, "", "nobody has taken it on, and nobody has decided"
    first = min(decided, key=lambda each: each["time"])
    who = words.person(first["by"])
    return None, "", f"nobody has taken it on; {who} gave the first verdict"


def _on_scene(view: IncidentView, words: Words) -> Found:
    for each in _entries(view, "incident.role"):
        if each["data"]["role"] == "on_scene" and each["data"]["do"] == "given":
            return each["time"], words.person(str(each["data"]["person"])), ""
    return None, "", "nobody said that they were on scene"


def _resolved(view: IncidentView, words: Words) -> Found:
    if view["merged_into"]:
        return None, "", "it was merged into another incident, which goes on"
    closed = _entries(view, "incident.closed")
    if view["state"] == "closed" and closed:
        by = str(closed[-1]["data"].get("by") or "")
        return closed[-1]["time"], words.person(by) if by else "every alert was dismissed", ""
    resolved = {each["data"].get("alert"): each for each in _entries(view, "alert.resolved")}
    if view["alerts"] and all(each["id"] in resolved for each in view["alerts"]):
        last = max(resolved.values(), key=lambda each: each["time"])
        return last["time"], words.person(str(last["data"].get("by", ""))), ""
    return None, "", "the incident is still open"


def _entries(view: IncidentView, kind: str) -> list[EntryView]:
    return [each for each in view["entries"] if each["type"] == kind]


def _alert(view: dict[str, Any], words: Words) -> dict[str, Any]:
    kept = ("id", "title", "severity", "state", "place_words", "opened", "count", "matched")
    verdict = view["verdict"]
    if verdict:
        verdict = {**verdict, "by": words.person(verdict["by"])}
    return {key: view[key] for key in kept} | {"verdict": verdict}


def _task(view: TaskView, words: Words) -> TaskView:
    named = TaskView(**view)
    named["who"], named["by"] = words.person(view["who"]), words.person(view["by"])
    return named


def _source(source: str, words: Words) -> str:
    area, _, name = source.partition("/")
    if area == "camera":
        return words.camera(name)
    return words.door(name) if area == "door" else source


def _act(row: ActionRow) -> dict[str, Any]:
    took = _seconds(from_iso(row.created), from_iso(row.finished)) if row.finished else None
    return {
        "what": row.what,
        "state": row.state,
        "detail": row.detail,
        "attempts": row.attempts,
        "created": row.created,
        "finished": row.finished,
        "took_s": took,
    }


def _notice(row: ActionRow, words: Words) -> dict[str, Any]:
    payload = json.loads(row.payload)
    return _act(row) | {
        "key": row.key,
        "about": payload["about"],
        "channel": words.channel(row.target),
        "to": [one["name"] for one in payload["to"]],
        "receipts": [],
    }


def _add_receipts(connection: Connection, incident: str, told: list[dict[str, Any]]) -> None:
    """What became of each notice for each person, as far as the channel says so."""
    by_key = {one["key"]: one for one in told}
    rows = connection.execute(select(receipts).where(receipts.c.incident == incident))
    for row in rows:
        if row.key in by_key:
            stages = {stage: getattr(row, stage) for stage in STAGES if getattr(row, stage)}
            by_key[row.key]["receipts"].append({"name": row.name, **stages})


def _picture(entry: EntryView, became: Callable[[str], PictureState]) -> dict[str, Any]:
    name, text = str(entry["picture"]), entry["text"]
    state = became(name)
    said = {"name": name, "time": entry["time"], "text": text, "kept": state == "kept"}
    return said | ({"changed": True} if state == "changed" else {})


def _missing(
    moments: Sequence[MomentView],
    view: IncidentView,
    told: Sequence[dict[str, Any]],
    pictures: Sequence[dict[str, Any]],
) -> list[str]:
    said = [f"{one['title']}: {one['why']}." for one in moments if one["time"] is None]
    said += [
        f"{one['title']}: its time is before the detection, so a clock was off."
        for one in moments
        if one["after_s"] is not None and one["after_s"] < 0
    ]
    waiting = sum(each["verdict"] is None for each in view["alerts"])
    if waiting:
        said.append(f"Alerts without a verdict: {waiting}.")
    unknown = sum(one["state"] in ("confirmed", "timed_out") and not _read(one) for one in told)
    if unknown:
        said.append(f"Notices of which nobody knows whether they were read: {unknown}.")
    clocks = sorted({each["source"] for each in view["entries"] if each["clock"]})
    if clocks:
        said.append(f"Sources whose times may be wrong: {', '.join(clocks)}.")
    changed = [one["name"] for one in pictures if one.get("changed")]
    if changed:
        named = ", ".join(changed)
        said.append(f"Pictures that are not as they were taken, and not shown: {named}.")
    gone = sum(not one["kept"] for one in pictures) - len(changed)
    if gone:
        said.append(f"Pictures that are no longer kept: {gone}.")
    undone = sum(one["state"] == "open" for one in view["tasks"])
    if undone:
        said.append(f"Tasks that nobody has ended: {undone}.")
    return said


def _read(told: dict[str, Any]) -> bool:
    return any("seen" in one or "acknowledged" in one for one in told["receipts"])
