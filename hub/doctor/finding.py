"""What a probe is, and what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "bad"]
STATES: tuple[State, ...] = ("ok", "warn", "bad")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line for people: how it is, what was found and, unless it is ok, what to do.

    `subject` is empty where the probe's own says it. `name` and `seconds` (how long it took) are
    filled in by whoever runs the probe.
    """

    state: State
    found: str
    remedy: str = ""
    subject: str = ""
    name: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """The finding as an object of `vestibule doctor --json`."""
        return {
            "name": self.name,
            "subject": self.subject,
            "state": self.state,
            "found": self.found,
            "remedy": self.remedy,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Probe:
    """Something to try. `name` groups probes, `subject` says which of them it is.

    `look()` yields findings; what it raises becomes one. `patience` is the least deadline, in
    seconds, for what is known to take longer than a network's answer.
    """

    name: str
    subject: str
    look: Callable[[], AsyncIterator[Finding]]
    patience: float = 0.0


def ok(found: str, subject: str = "") -> Finding:
    """It is as it should be."""
    return Finding("ok", found, "", subject)


def warn(found: str, remedy: str, subject: str = "") -> Finding:
    """It works, yet somebody should do this."""
    return Finding("warn", found, remedy, subject)


def bad(found: str, remedy: str, subject: str = "") -> Finding:
    """It does not work until somebody does this."""
    return Finding("bad", found, remedy, subject)
