"""Whether backups still go to the disk that they went to.

A share that goes away leaves an empty folder behind where it was. What is written there lands on
the disk of the journal, looks like a backup, and is gone together with what it was made of.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from hub.errors import StateError

NOTE = "backup-disk.json"


def refuse_without_its_disk(state: Path, run: Path, folder: Path) -> None:
    """Raises `StateError` where the last backup in `folder` went to another disk than that of the
    journal, and the next would not.
    """
    if _noted(run) == str(folder.absolute()) and not _elsewhere(state, folder):
        raise StateError(
            f"no backup can be made in {folder}: the disk or the share that was there is gone, and "
            "what is left is on the disk of the journal. Mount it again, or name another folder as "
            "`hub.backup.folder`"
        )


def note_its_disk(state: Path, run: Path, folder: Path) -> None:
    """A backup was made there."""
    if _elsewhere(state, folder) and _noted(run) != str(folder.absolute()):
        with suppress(OSError):  # then only what is told later is told less well
            (run / NOTE).write_text(json.dumps({"folder": str(folder.absolute())}), "utf-8")


def _noted(run: Path) -> str:
    try:
        return str(json.loads((run / NOTE).read_text("utf-8"))["folder"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def _elsewhere(state: Path, folder: Path) -> bool:
    """Whether a folder, or where it would be made, lies on another file system."""
    there = folder.absolute()
    while True:
        with suppress(FileNotFoundError, NotADirectoryError):
            return there.stat().st_dev != state.stat().st_dev
        there = there.parent
