"""The journal of a scripted day and what receivers got, held against the script."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub.clock import from_iso
from hub.testing.alarms.life import JOURNAL, LINES
from hub.testing.alarms.plan import Alarm
from hub.testing.crash.outside import read_lines

IN_TIME = timedelta(seconds=60)

Line = Mapping[str, Any]


@dataclass(slots=True)
class Account:
    """What a day came to. Each list says in words what should not be; `verdicts` has, for each
    channel and group of people who were told, the seconds from an answer until it was handed over.
    """

    alerts: int = 0
    restarts: int = 0
    notices: int = 0
    unreached: list[str] = field(default_factory=list)
    after_answer: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    verdicts: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float | int]:
        """The figures that the promise is judged by."""
        times = sorted(self.verdicts)
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))] if times else 0.0
        return {
            "alerts": self.alerts,
            "severe_unreached": len(self.unreached),
            "sent_after_ack": len(self.after_answer),
            "verdict_p95_s": round(p95, 3),
            "repeats_unmarked": len(self.unmarked),
            "answers_untold": len(self.untold),
            "restarts": self.restarts,
        }

    def wrong(self) -> list[str]:
        """Everything that should not be."""
        return [*self.unreached, *self.after_answer, *self.unmarked, *self.untold]


class Day:
    """All that is known of a day once it is over."""

    def __init__(self, folder: Path, script: Sequence[Alarm]) -> None:
        lines = read_lines(folder / LINES)
        self.script = script
        self.lives = [line for line in lines if "life" in line]
        self.handed: dict[str, list[Line]] = defaultdict(list)
        self.of_alert: dict[str, list[Line]] = defaultdict(list)
        self.received: dict[str, datetime] = {}
        self.answers: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            if "handed" in line:
                self.handed[line["handed"]].append(line)
                self.of_alert[line["alert"]].append(line)
            elif "received" in line:
                self.received.setdefault(line["received"], from_iso(line["at"]))
            elif line.get("did", "event") != "event":
                self.answers[line["event"]].append(line)
        with closing(sqlite3.connect(f"file:{folder / JOURNAL}?mode=ro", uri=True)) as journal:
            journal.row_factory = sqlite3.Row
            self.alerts = {row["event"]: row for row in journal.execute("SELECT * FROM alerts")}
            steps = journal.execute("SELECT alert, step, due FROM ladder_steps ORDER BY step")
            self.last_step = {row["alert"]: row for row in steps}
            self.notices: dict[str, list[sqlite3.Row]] = defaultdict(list)
            for row in journal.execute("SELECT * FROM actions WHERE kind = 'notice'"):
                self.notices[row["alert"]].append(row)

    def in_time(self, due: datetime) -> datetime:
        """Until when something has to have arrived: a minute after it was due, or after the hub was
        back where it was away in between.
        """
        limit = due + IN_TIME
        for line in self.lives[1:]:
            left, back = from_iso(line["left"]), from_iso(line["at"])
            if left <= limit and back > due:
                limit = max(limit, back + IN_TIME)
        return limit


def take_account(folder: Path, script: Sequence[Alarm]) -> Account:
    """Everything that is wrong with a day, and its figures."""
    day = Day(folder, script)
    found = Account(alerts=len(day.alerts), restarts=len(day.lives) - 1)
    found.notices = sum(len(lines) for lines in day.handed.values())
    for alarm in script:
        row = day.alerts.get(alarm.event)
        if row is None:
            found.unreached.append(f"{alarm.event} is not in the journal")
            continue
        if alarm.severity == "severe":
            _reached(found, day, alarm, row)
        _answered(found, day, alarm, row)
    for key, lines in day.handed.items():
        for line in lines[1:]:
            if not line["repeat"]:
                found.unmarked.append(f"notice {key} through {line['channel']} came unmarked again")
    return found


def _reached(found: Account, day: Day, alarm: Alarm, row: sqlite3.Row) -> None:
    """An alert that nobody answers reaches the people of its last step in time."""
    last = day.last_step[row["id"]]
    limit = day.in_time(from_iso(last["due"]))
    ends = [line for line in day.answers[alarm.event] if line["did"] in ENDS]
    if ends and from_iso(ends[0]["at"]) <= limit:
        return
    arrived = [
        day.received[key]
        for notice in _of_last_step(day, row["id"], last["step"])
        for key in (notice["key"], str(notice["stop"]).removeprefix("digest "))
        if key in day.received
    ]
    if not arrived:
        found.unreached.append(f"{alarm.event} never reached step {last['step']}")
    elif min(arrived) > limit:
        late = (min(arrived) - limit).total_seconds()
        found.unreached.append(f"{alarm.event} reached step {last['step']} {late:.0f} s late")


def _of_last_step(day: Day, alert: str, step: int) -> list[sqlite3.Row]:
    """The notices of a step; and what its people were told of a verdict, which takes the place of
    whatever still waits to be sent of the alert.
    """
    of_alert = [(notice, json.loads(notice["payload"])) for notice in day.notices[alert]]

    def whom(notice: sqlite3.Row, payload: Line) -> tuple[str, ...]:
        return (notice["target"], *(one["person"] for one in payload["to"]))

    of_step = [(n, p) for n, p in of_alert if p["data"].get("step") == step]
    people = {whom(*each) for each in of_step}
    said = [n for n, p in of_alert if p["about"] == "verdict" and whom(n, p) in people]
    return [n for n, _ in of_step] + said


ENDS = ("takes it on", "dismisses")


def _answered(found: Account, day: Day, alarm: Alarm, row: sqlite3.Row) -> None:
    """After an answer nothing calls for anybody, and all who were told hear of it."""
    sent = day.of_alert[row["id"]]
    for answer in day.answers[alarm.event]:
        if answer["did"] in ENDS:
            for line in sent:
                if line["about"] == "alert" and line["real"] > answer["real"]:
                    late = line["real"] - answer["real"]
                    words = f"{alarm.event}: step {line['step']} through {line['channel']} went out"
                    found.after_answer.append(f"{words} {late:.3f} s after it was answered")
        about = "acknowledgement" if answer["did"] == "takes it on" else "verdict"
        told = {_whom(line) for line in sent if line["real"] < answer["began"]}
        heard: dict[tuple[str, ...], Line] = {}
        for whom, line in _said(day, row["id"], about):
            # Somebody takes an alert on once. A kill between the commit and the answer's being
            # noted lets it begin afresh when all may have been told already.
            if about == "acknowledgement" or line["real"] >= answer["began"]:
                heard.setdefault(whom, line)
        for whom in told:
            if whom not in heard:
                words = f"{alarm.event}: {whom[0]} was never handed that somebody {answer['did']}"
                found.untold.append(words)
                continue
            line = heard[whom]
            waited = from_iso(line["at"]) - from_iso(answer["at"])
            real = max(0.0, line["real"] - answer["began"])
            found.verdicts.append(real + max(0.0, waited.total_seconds()))


def _said(day: Day, alert: str, about: str) -> Iterator[tuple[tuple[str, ...], Line]]:
    """Every time that something about an alert was handed over, and to whom: by itself, or in a
    digest of what came late.
    """
    for notice in day.notices[alert]:
        payload = json.loads(notice["payload"])
        if payload["about"] == about:
            whom = (notice["target"], *(one["person"] for one in payload["to"]))
            for key in (notice["key"], str(notice["stop"]).removeprefix("digest ")):
                for line in day.handed.get(key, ()):
                    yield whom, line


def _whom(line: Line) -> tuple[str, ...]:
    return (line["channel"], *line["to"])
