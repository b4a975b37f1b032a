"""What all processes with a driver from outside have in common: how they begin, how they log, and
how much they may do wrong.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

ROOT = Path(__file__).resolve().parent.parent
SLOW_AFTER_S = 4.0  # after which a call that goes on is told
FAULTS, WITHIN_S = 5, 120.0  # after which a plugin is left alone
EVENTS_A_SECOND, EVENTS_AT_ONCE = 20.0, 100.0


@dataclass(slots=True)
class Allowance:
    """How many events a plugin may publish: so many at once, then so many a second."""

    left: float = EVENTS_AT_ONCE
    at: float = 0.0
    short_since: float | None = None

    def wait_s(self, now: float) -> float:
        """Take one; returns for how long it has to wait first (s)."""
        self.left = min(EVENTS_AT_ONCE, self.left + (now - self.at) * EVENTS_A_SECOND)
        self.at = now
        self.left -= 1.0
        if self.left >= 0.0:
            self.short_since = None
            return 0.0
        if self.short_since is None:
            self.short_since = now
        return -self.left / EVENTS_A_SECOND


def environment() -> dict[str, str]:
    """The variables of such a process: those of this one, and where to import the hub from."""
    paths = (str(ROOT), os.environ.get("PYTHONPATH"))
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def folder_of(file: Path) -> Path:
    """The folder of plugins that a plugin's file, or the package it opens, lies in."""
    return file.parent.parent if file.name == "__init__.py" else file.parent


def log_plainly() -> None:
    """Log lines go to standard error, and never with values of variables."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(  # its own default would print the values of variables, passwords too
        processors=[structlog.processors.add_log_level, plain],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
