"""Make or restore a backup over copies of a state folder, each time dying one change later.

`killed_child.py create|restore STATE BACKUPS FOLDER` leaves `FOLDER/1`, `FOLDER/2`..., copies of
STATE in which `create` or `restore` (of the newest in BACKUPS) was killed before its first, second
... change of the disk, and ends with the first that lived. `create` makes its backups in each copy.
Every one is a process of its own, killed by SIGKILL.
"""

import os
import shutil
import signal
import sys
import traceback
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from hub.clock import SystemClock
from hub.storage.backup import create
from hub.storage.backup_restore import lost, restore
from hub.storage.backup_shelf import Shelf
from hub.storage.folder import StateFolder

CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "sqlite3.connect")


def die_before(change: int) -> None:
    """From now on count changes of the disk, and die before the one of that number."""
    changes = 0

    def counted(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal changes
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if writes or event in CHANGES:
            changes += 1
            if changes == change:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(counted)


def make(change: int, state: StateFolder) -> None:
    """Make a backup, and die before a change."""
    die_before(change)
    create(state, Shelf(state.path / "backups"), SystemClock(), "tests", pause=0.0)


def bring_back(change: int, state: StateFolder, shelf: Shelf) -> None:
    """Restore a backup, and die before a change."""
    backup = shelf.newest()
    assert backup is not None
    assert backup.manifest is not None
    with state.lock():
        losses = lost(state, backup.path, backup.manifest)
        die_before(change)
        restore(state, backup.path, backup.manifest, losses, "tests", datetime.now(UTC))


def main() -> None:
    """Until one lives."""
    verb = sys.argv[1]
    state, backups, folder = map(Path, sys.argv[2:])
    for change in count(1):
        copy = folder / str(change)
        shutil.copytree(state, copy)
        child = os.fork()
        if child == 0:
            try:
                if verb == "create":
                    make(change, StateFolder(copy))
                else:
                    bring_back(change, StateFolder(copy), Shelf(backups))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if ended == 0:
            return
        assert ended == -signal.SIGKILL, f"not killed at change {change}, but ended with {ended}"


main()
