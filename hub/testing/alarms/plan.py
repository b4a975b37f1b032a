"""The script of a day: which alerts are raised when, who answers how, what the school is like."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hub.config import Config
from hub.kinds.notifiers import Channel

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
TICK_S = 5.0
EACH_S = 2.0  # between two alerts, on average
SETTLE_S = 900.0  # after the last alert: every ladder has ended, and every notice was tried
OUTAGE_S = 240.0
OUTAGE_EVERY_S = 600.0
FAILS = 0.08
AWAY_S = 45.0
LONG_AWAY, LONG_AWAY_S = 0.05, 900.0  # how many restarts take longer than `hub.digest_after`

Answer = Literal["nobody", "takes it on", "dismisses", "verifies", "verifies and takes it on"]
ANSWERS: Mapping[Answer, float] = {
    "nobody": 0.4,
    "takes it on": 0.25,
    "dismisses": 0.15,
    "verifies": 0.1,
    "verifies and takes it on": 0.1,
}
SEVERITIES = {"severe": 0.4, "high": 0.3, "check": 0.3}
CHANNELS = {
    "board": Channel(path="lan", deduplicates=True),
    "post": Channel(path="wan"),
    "phone": Channel(path="cellular"),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """One event that raises an alert; `answer` comes `after` seconds, and once more after as long
    where a person both verifies and takes it on.
    """

    event: str
    severity: str
    time: datetime
    answer: Answer
    after: float


def alarms(count: int, seed: int) -> list[Alarm]:
    """So many alerts, in the order of time."""
    chance = random.Random(seed)
    made, time = [], START
    for number in range(count):
        time += timedelta(seconds=chance.expovariate(1 / EACH_S))
        (severity,) = chance.choices(list(SEVERITIES), list(SEVERITIES.values()))
        (answer,) = chance.choices(list(ANSWERS), list(ANSWERS.values()))
        after = chance.uniform(1, 500)
        made.append(Alarm(f"alarm-{number:06}", severity, time, answer, after))
    return made


def is_out(channel: str, moment: datetime, seed: int) -> bool:
    """Whether a channel is down: every ten minutes one of them, for four, never two at once."""
    passed = (moment - START).total_seconds()
    number, within = divmod(passed, OUTAGE_EVERY_S)
    which = random.Random(seed * 7919 + int(number)).choice(list(CHANNELS))
    return channel == which and within < OUTAGE_S


def school() -> Config:
    """The configuration, checked."""
    channels = list(CHANNELS)
    content: dict[str, Any] = {
        "notifiers": {name: {"driver": "x", "timeout": 5} for name in CHANNELS},
        "people": {
            "officer": {"name": "Officer", "role": "sro", "contact": {"phone": "1", "post": "o@x"}},
            "head": {"name": "Principal", "role": "principal", "contact": {"phone": "2"}},
            "desk": {"name": "Front office", "role": "front_office"},
            "night": {"name": "Night watch", "role": "it", "contact": {"phone": "3"}},
            "day": {"name": "Day watch", "role": "it", "contact": {"phone": "4"}},
        },
        "rotations": {
            "on_call": {"people": ["night", "day"], "every": "day", "from": "2026-03-02"}
        },
        "ladders": {
            "severe": {
                "severity": "severe",
                "steps": [
                    {"tell": ["officer"], "through": channels, "wait": "1m"},
                    {"tell": ["on_call"], "through": ["board", "phone"], "wait": "2m"},
                    {"tell": ["head", "desk"], "through": ["post", "phone"], "wait": "2m"},
                ],
            },
            "high": {
                "severity": "high",
                "steps": [
                    {"tell": ["officer"], "through": ["board"], "wait": "3m"},
                    {"tell": ["head"], "through": ["phone"], "wait": "3m"},
                ],
            },
        },
        "rules": {
            severity: {
                "name": f"Alarm, {severity}",
                "when": f"plugin.script.{severity}",
                "alert": {
                    "severity": severity,
                    "tell": ["officer"],
                    "through": ["board", "post"] if severity != "check" else ["board"],
                },
            }
            for severity in SEVERITIES
        },
    }
    return Config.model_validate(content)
