"""Whether what a controller reports can be: a driver may be wrong, and a device may lie."""

from __future__ import annotations

from datetime import MAXYEAR, datetime
from typing import Any, get_args

from hub.kinds.access_control import Access, AccessReport, DoorReport, Lock, Position
from hub.safety.outbox import writable

LONGEST_TEXT = 500
LONGEST_REFERENCE = 128
TOLD_EVERY_S = 600.0
FLAGS = ("online", "answers", "remembered", "passage")


def nonsense(report: Any) -> str:
    """What is wrong with it, in words; empty where nothing is."""
    if not isinstance(report, DoorReport | AccessReport):
        return f"a report of the type {type(report).__name__}"
    if not isinstance(report.time, datetime) or report.time.tzinfo is None:
        return "a time without its zone"
    if not 1 < report.time.year < MAXYEAR:
        return "a time that is in no year there is"
    if not isinstance(report.door, str) or not isinstance(report.detail, str):
        return "a door or a detail that is no text"
    if isinstance(report, AccessReport):
        return _of_access(report)
    return _of_door(report)


def short(text: str) -> str:
    """A text of a device as it is kept: whole characters, and no longer than anyone reads."""
    text = writable(text)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _of_access(report: AccessReport) -> str:
    if report.access not in get_args(Access):
        return "an access that is neither granted nor denied nor under duress"
    if not isinstance(report.credential, str) or len(report.credential) > LONGEST_REFERENCE:
        return "a credential that is no reference"
    if report.credential != writable(report.credential):
        return "a credential that is no reference"
    return ""


def _of_door(report: DoorReport) -> str:
    if report.lock is not None and report.lock not in get_args(Lock):
        return "a lock that is in no state there is"
    if report.position is not None and report.position not in get_args(Position):
        return "a position that is none there is"
    if not all(isinstance(getattr(report, flag), bool) for flag in FLAGS):
        return "something other than yes or no"
    if not all(isinstance(each, bool | None) for each in (report.tampered, report.lockdown)):
        return "something other than yes or no"
    return ""


class Strange:
    """Counts what cannot be, by controller; each is told of at once, and again every ten minutes
    while it goes on.
    """

    def __init__(self) -> None:
        self._since_told: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def count(self, controller: str, now: float) -> int:
        """One more. Returns how many there were since it was last told of, where that is due."""
        self._since_told[controller] = self._since_told.get(controller, 0) + 1
        if now - self._told.get(controller, float("-inf")) < TOLD_EVERY_S:
            return 0
        self._told[controller] = now
        return self._since_told.pop(controller)
