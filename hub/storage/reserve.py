"""Room that is kept for when the disk is full: a file beside the journal, given up then.

A hub whose disk somebody else has filled could write down no press and no verdict, and so act on
none. The first half of the reserve is for whatever comes, a start above all; the other half is for
what is urgent alone. Once there is room again, it is kept anew.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import structlog

from hub.errors import StateError

NAME = "journal.reserve"
BYTES = 16 << 20
FOR_URGENT = BYTES // 2
KEPT_FROM = 8 * BYTES  # of free space; a disk that is smaller than that has no reserve

log = structlog.get_logger(__name__)


class Reserve:
    """The reserve of one journal. Only the thread that writes the journal calls it."""

    def __init__(self, journal: Path) -> None:
        self._file = journal.with_name(NAME)
        self._journal = journal
        self._short = False

    def keep(self) -> None:
        """Take the room, where there is plenty; else the disk is short until there is."""
        with suppress(OSError):
            room = os.statvfs(self._file.parent)
            if self._file.is_file() and self._file.stat().st_size >= BYTES:
                self._short = False
            elif room.f_bavail * room.f_frsize >= KEPT_FROM:
                self._take()
                self._short = False
            else:
                self._short = room.f_blocks * room.f_frsize >= KEPT_FROM

    def give_up(self) -> bool:
        """Make room with it, for the disk is full; whether there was any left to give."""
        try:
            self._file.unlink()
        except OSError:
            return False
        self._short = True
        log.error("the disk is full; the room kept for that is being used", path=str(self._journal))
        return True

    def admit(self, urgent: bool) -> None:
        """Whether a commit may begin: on a disk that is short what is urgent always may. Raises
        `StateError` with what to do.
        """
        if not self._short or urgent:
            return
        self.keep()
        if self._short and self._left() < FOR_URGENT:
            raise StateError(
                f"the disk that holds {self._journal} is full, and what is left is for what is "
                "urgent; make room, nothing else is needed"
            )

    def _left(self) -> int:
        try:
            room = os.statvfs(self._file.parent)
        except OSError:
            return FOR_URGENT
        return room.f_bavail * room.f_frsize

    def _take(self) -> None:
        part = self._file.with_suffix(".part")
        try:
            with part.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BYTES)
            part.replace(self._file)
        except OSError:
            part.unlink(missing_ok=True)
            raise
