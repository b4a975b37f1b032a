"""Whether a backup is what it was when it was made: every byte, and the journal inside."""

from __future__ import annotations

from pathlib import Path

from hub.storage.backup import Facts, trouble_with
from hub.storage.backup_copy import Told, sha256_of, unheard
from hub.storage.backup_manifest import JOURNAL, Manifest


def problems(folder: Path, manifest: Manifest, told: Told = unheard) -> dict[str, str]:
    """What is wrong with each file of a backup that is not as it was made; empty where all are.

    `told("verifying", done, total)` hears how many bytes were read. Blocks.
    """
    found: dict[str, str] = {}
    done = 0

    def step(more: int) -> None:
        nonlocal done
        done += more
        told("verifying", done, manifest.bytes)

    if JOURNAL not in manifest.files:
        found[JOURNAL] = "is not among its files"
    for name, stored in manifest.files.items():
        try:
            size = (folder / name).stat().st_size
            if size != stored.bytes:
                found[name] = f"has {size} bytes and should have {stored.bytes}"
            elif sha256_of(folder / name, step) != stored.sha256:
                found[name] = "is not as it was written"
        except OSError as error:
            found[name] = f"cannot be read ({error.strerror})"
    if JOURNAL not in found:
        facts = Facts(
            manifest.schema_version, manifest.rows, manifest.last_seq, manifest.last_event
        )
        if wrong := trouble_with(folder / JOURNAL, facts, told):
            found[JOURNAL] = f"is not sound: {wrong}"
    return found
