"""Putting a restored state folder in the place of the old one, all or nothing.

Everything new stands ready in `restore.part` before `restore.json` is written: that is the moment
from which the new holds. What is left to do are renames, in two phases, and whoever locks the
folder next goes on with them where they were cut off.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from hub.errors import StateError
from hub.storage.backup_copy import own_like, sync_folder, write_file

STAGING = "restore.part"
LEAVING, ENTERING = "restore.json", "restore-entering.json"


def swap(state: Path, kept: str, old: Sequence[str], new: Sequence[str]) -> None:
    """Move the entries `old` of a state folder into its folder `kept`, and `new` in from staging.

    Raises `OSError`; where that happens after the first rename, `finish` goes on.
    """
    note = json.dumps({"kept": kept, "old": [*old], "new": [*new]})
    write_file(state / LEAVING, note, owner=state)
    finish(state)


def finish(state: Path) -> None:
    """Go on with a restore that was cut off; does nothing where there is none. Raises `OSError`,
    and `StateError` where its note is damaged.
    """
    if (state / LEAVING).exists():
        note = _note(state / LEAVING)
        kept = state / str(note["kept"])
        kept.mkdir(mode=0o700, exist_ok=True)
        own_like(kept, state)
        for name in note["old"]:
            # In this phase nothing new comes in, so what is there is the old.
            if (state / name).exists() and not (kept / name).exists():
                (state / name).rename(kept / name)
        sync_folder(kept)
        (state / LEAVING).rename(state / ENTERING)
        sync_folder(state)
    if (state / ENTERING).exists():
        for name in _note(state / ENTERING)["new"]:
            if (state / STAGING / name).exists():
                (state / STAGING / name).rename(state / name)
        sync_folder(state)
        (state / ENTERING).unlink()
        sync_folder(state)
    if (state / STAGING).exists():
        shutil.rmtree(state / STAGING, ignore_errors=True)


def refuse_unfinished(state: Path) -> None:
    """Raises `StateError` while a restore is half done: only who holds the lock may go on."""
    if (state / LEAVING).exists() or (state / ENTERING).exists():
        raise StateError(
            f"the restore of {state} was cut off; start the hub, or restore again: either "
            "completes it first"
        )


def _note(file: Path) -> dict[str, list[str]]:
    try:
        said = json.loads(file.read_bytes())
        return {"kept": said["kept"], "old": list(said["old"]), "new": list(said["new"])}
    except (ValueError, KeyError, TypeError):
        raise StateError(
            f"{file}, which says how a restore goes on, is damaged. What was there before lies in "
            f"{file.parent}/before-restore-*, what was to come in {file.parent}/{STAGING}"
        ) from None
