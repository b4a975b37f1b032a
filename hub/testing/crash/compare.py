"""The journal of a hub at rest, held against what was offered to it and what came out of it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.testing.crash.outside import read_lines
from hub.testing.crash.school import CHANNELS, FORCED, RULE_OF, THROUGH, recipients

Rows = list[sqlite3.Row]
Told = tuple[str, tuple[str, ...]]
FINAL = ("verified", "dismissed")
STATES = ("lock", "unlock", "hold_open", "lockdown")
ENDED = ("confirmed", "failed", "timed_out", "cancelled")


@dataclass(slots=True)
class Findings:
    """What should not be, each in words; all empty where the promise holds.

    `lost`: something accepted that is not in the journal, something decided that was not carried
    out, something carried out of which the journal knows nothing. `doubled`: one thing that has two
    keys, or a momentary release handed over twice. `unmarked`: a repeat that did not say so.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over what another comparison found."""
        self.lost += other.lost
        self.doubled += other.doubled
        self.unmarked += other.unmarked

    def exactly_one(self, count: int, what: str) -> None:
        """Something that must be there once."""
        if count < 1:
            self.lost.append(what)
        elif count > 1:
            self.doubled.append(f"{what}: {count} times")


def compare(journal: Path, offered: Path, received: Path) -> Findings:
    """Everything that is wrong with a journal whose hub has come to rest."""
    found = Findings()
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if whole != "ok":
            found.lost.append(f"the journal itself: {whole}")
            return found
        events = connection.execute("SELECT * FROM events").fetchall()
        alerts = connection.execute("SELECT * FROM alerts").fetchall()
        actions = connection.execute("SELECT * FROM actions").fetchall()
        wanted = connection.execute("SELECT * FROM door_intents").fetchall()
    finally:
        connection.close()
    lines = read_lines(received)
    _events(found, events, alerts, read_lines(offered), actions)
    _actions(found, events, actions, lines)
    _wanted(found, actions, wanted, read_lines(offered))
    for alert in alerts:
        of_it = [row for row in actions if row["alert"] == alert["id"]]
        _alert(found, alert, of_it, lines)
        _again(found, alert, [row for row in events if row["subject"] == alert["id"]], of_it)
    return found


def _events(
    found: Findings, events: Rows, alerts: Rows, offered: Sequence[dict[str, Any]], actions: Rows
) -> None:
    known = {row["id"] for row in events}
    verdicts = {row["id"]: row["state"] for row in alerts}
    commands = Counter(row["key"] for row in actions)
    for line in offered:
        if "accepted" in line and line["accepted"] not in known:
            found.lost.append(f"event {line['accepted']}")
        if "commanded" in line:
            found.exactly_one(commands[line["commanded"]], f"command {line['commanded']}")
        if line.get("verdict") in FINAL and verdicts.get(line["judged"]) != line["verdict"]:
            found.lost.append(f"the verdict {line['verdict']} on alert {line['judged']}")
    for kind, rule in RULE_OF.items():
        matches = sum(row["type"] == kind for row in events)
        counted = sum(row["count"] for row in alerts if row["rule"] == rule)
        if counted < matches:
            found.lost.append(f"{matches - counted} of {matches} events that fulfil {rule}")
        if counted > matches:
            found.doubled.append(f"{counted} matches of {rule} from {matches} events")
    raised = Counter(row["subject"] for row in events if row["type"] == "alert.raised")
    for alert in alerts:
        found.exactly_one(raised[alert["id"]], f"the event of alert {alert['id']}")


def _actions(
    found: Findings, events: Rows, actions: Rows, received: Sequence[dict[str, Any]]
) -> None:
    keys = {row["key"]: row for row in actions}
    attempts: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in received:
        attempts[line["key"]].append(line)
    ends = Counter(
        json.loads(row["data"])["key"]
        for row in events
        if row["type"].removeprefix("action.") in ENDED and row["type"].startswith("action.")
    )
    for key, row in keys.items():
        words = f"action {key} ({row['what']})"
        if row["state"] not in ENDED:
            found.lost.append(f"{words} is still {row['state']} at rest")
            continue
        found.exactly_one(ends[key], f"the end of {words}")
        if _digest(row) and _digest(row) not in keys:
            found.lost.append(f"{words} went into a digest that is not there")
        if row["state"] == "confirmed" and key not in attempts:
            found.lost.append(f"{words} is confirmed, and nobody received it")
        if len(attempts[key]) > 1 and json.loads(row["payload"]).get("verb") == "momentary":
            found.doubled.append(f"{words}: {len(attempts[key])} momentary releases")
        if len(attempts[key]) > row["attempts"]:
            found.lost.append(f"{words}: received more often than the journal has attempts")
    for key, lines in attempts.items():
        if key not in keys:
            found.lost.append(f"the journal knows nothing of {key}, which was carried out")
        for line in lines[1:]:
            if not line.get("repeat", True):
                found.unmarked.append(f"notice {key} through {line['channel']}")


def _wanted(
    found: Findings, actions: Rows, wanted: Rows, offered: Sequence[dict[str, Any]]
) -> None:
    """What people wanted of doors is there, and so is what each command is for."""
    known = {row["id"] for row in wanted}
    for row in actions:
        intent = json.loads(row["payload"]).get("intent", "") if row["kind"] == "door" else ""
        if intent and intent not in known:
            found.lost.append(f"what {row['what']} was for ({intent})")
    reasons = Counter(row["reason"] for row in wanted)
    for line in offered:
        if "commanded" in line and line["verb"] in STATES:
            found.exactly_one(reasons[line["reason"]], f"the wish behind {line['commanded']}")


def _alert(
    found: Findings, alert: sqlite3.Row, actions: Rows, received: Sequence[dict[str, Any]]
) -> None:
    notices = [row for row in actions if row["kind"] == "notice" and not _says_again(row)]
    written = Counter(_said(row) for row in notices)
    for what, count in written.items():
        if count > 1:
            found.doubled.append(f"{what} on alert {alert['id']}: {count} keys")
    groups = [
        (channel, tuple(group))
        for channel in THROUGH[alert["rule"]]
        for group in (recipients(channel) if alert["rule"] == FORCED else [["officer"]])
    ]
    for channel, group in groups:
        found.exactly_one(
            sum(_to(row) == (channel, group) and _about(row) == "alert" for row in notices),
            f"the notice of alert {alert['id']} to {group} through {channel}",
        )
    mine = [line for line in received if line.get("alert") == alert["id"]]
    if alert["state"] in FINAL:
        told = {(line["channel"], tuple(line["to"])) for line in mine}
        keys = {line["key"] for line in received}
        told |= {_to(row) for row in notices if _digest(row) in keys and _about(row) == "alert"}
        heard = {_to(row) for row in notices if _verdict(row) == alert["state"]}
        for channel, group in told - heard:
            if not CHANNELS[channel].public:
                words = f"the verdict on alert {alert['id']} for {group} through {channel}"
                found.lost.append(words)
    if alert["state"] == "verified":
        _plan(found, alert, actions)


def _again(found: Findings, alert: sqlite3.Row, events: Rows, actions: Rows) -> None:
    """That it still goes on is said to as many as the events of it say, and to nobody twice."""
    joined = [json.loads(row["data"]) for row in events if row["type"] == "alert.joined"]
    wanted = sum(data.get("told_again", 0) for data in joined)
    said = [row for row in actions if row["kind"] == "notice" and _says_again(row)]
    what = f"notices that alert {alert['id']} goes on: {len(said)} of {wanted}"
    if len(said) < wanted:
        found.lost.append(what)
    each = Counter((_to(row), row["created"]) for row in said)
    if len(said) > wanted or any(count > 1 for count in each.values()):
        found.doubled.append(what)


def _plan(found: Findings, alert: sqlite3.Row, actions: Rows) -> None:
    doors = Counter(row["target"] for row in actions if row["kind"] == "door")
    sirens = sum(row["target"] == "siren" and _about(row) == "alert" for row in actions)
    for step in json.loads(alert["plan"]):
        if step["kind"] == "door":
            words = f"{step['verb']} of {step['door']} for alert {alert['id']}"
            found.exactly_one(doors[step["door"]], words)
        else:
            found.exactly_one(sirens, f"the siren of alert {alert['id']}")


def _digest(row: sqlite3.Row) -> str:
    """The key of the digest that tells a notice in its place."""
    return str(row["stop"]).removeprefix("digest ") if row["stop"].startswith("digest ") else ""


def _about(row: sqlite3.Row) -> str:
    return str(json.loads(row["payload"]).get("about", ""))


def _says_again(row: sqlite3.Row) -> bool:
    """Whether it tells people once more of an alert that nobody has answered."""
    return bool(json.loads(row["payload"]).get("data", {}).get("again"))


def _verdict(row: sqlite3.Row) -> str:
    payload = json.loads(row["payload"])
    return str(payload["data"].get("verdict", "")) if payload["about"] == "verdict" else ""


def _to(row: sqlite3.Row) -> Told:
    people: Iterable[dict[str, Any]] = json.loads(row["payload"])["to"]
    return row["target"], tuple(one["person"] for one in people)


def _said(row: sqlite3.Row) -> tuple[str, ...]:
    payload = json.loads(row["payload"])
    verdict = str(payload["data"].get("verdict", ""))
    by = str(payload["data"].get("by", ""))
    people = ", ".join(_to(row)[1])
    # An `unsure` may be given again and again; every one of them is news.
    again = row["key"] if verdict == "unsure" else ""
    return payload["about"], payload["title"], verdict, by, row["target"], people, again
