"""Bringing a state folder back to what a backup holds, and saying what that loses.

Whoever calls holds the folder's lock. What the backup brings back of the past must not act: nobody
stays signed in, a token that was revoked stays revoked, and the journal carries a note by which the
next start calls off what was still to be done (`hub.safety.restored`).
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from hub.clock import iso
from hub.errors import StateError
from hub.events import new_id
from hub.storage.backup_access import keep_taken_away, locked_since
from hub.storage.backup_copy import Told, copy_file, open_unchanging, own_like, sync_tree, unheard
from hub.storage.backup_manifest import CONTENTS, JOURNAL, Manifest, damaged
from hub.storage.backup_swap import STAGING, swap
from hub.storage.folder import StateFolder

SPARE_BYTES = 64 << 20
SEQ_GAP = 1_000_000
BESIDE = (f"{JOURNAL}-wal", f"{JOURNAL}-shm", f"{JOURNAL}-journal")
NOTE = "restored"
FIRES = "SELECT count(*) FROM events WHERE seq > ? AND type = 'fire.alarm'"
# Lock verbs are held back there, maybe since a restore before this one, which nobody has taken up
# yet or after which nobody has re-armed the doors: an alarm is forgotten there too.
HELD_BACK = """
SELECT count(*) FROM meta
WHERE key = 'fire' AND json_extract(value, '$.state') IS NOT 'clear'
OR key = 'restored' AND (
    json_extract(value, '$.lost.known') IS NOT 1 OR json_extract(value, '$.lost.fire') IS NOT 0
)"""


@dataclass(frozen=True, slots=True)
class Lost:
    """What the journal that is there holds beyond a backup.

    `known` is false where there is none that can be read. `until` is when its newest event was
    received, or empty; `accounts` names accounts that are new, gone or different, `locked` those
    that were locked out since, `revoked` tokens and `devices` enrolled devices (by their ids) that
    were revoked since. `fire` is whether a fire
    alarm has sounded since, or holds lock verbs back there, or may do so.
    """

    known: bool
    until: str = ""
    last_seq: int = 0
    events: int = 0
    alerts: int = 0
    incidents: int = 0
    accounts: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    fire: bool = False


def lost(state: StateFolder, backup: Path, manifest: Manifest) -> Lost:
    """Compare the journal that is there with the backup's; blocks."""
    if not state.journal.is_file():
        return Lost(known=False)
    try:
        with closing(sqlite3.connect(state.journal, isolation_level=None)) as now:
            now.execute("PRAGMA query_only=ON")
            with closing(open_unchanging(backup / JOURNAL)) as then:
                return _compare(now, then, manifest)
    except sqlite3.Error:
        return Lost(known=False)


def _compare(now: sqlite3.Connection, then: sqlite3.Connection, manifest: Manifest) -> Lost:
    def count(question: str) -> int:
        return int(now.execute(question, (iso(manifest.time),)).fetchone()[0])

    newest = now.execute("SELECT seq, received FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    seq, until = newest or (0, "")
    beyond = "SELECT count(*) FROM events WHERE seq > ?"
    people = "SELECT name, role || ' ' || password_hash FROM users"
    before, after = dict(then.execute(people)), dict(now.execute(people))
    names = sorted(name for name in before | after if before.get(name) != after.get(name))
    return Lost(
        known=True,
        until=until,
        last_seq=int(seq),
        events=int(now.execute(beyond, (manifest.last_seq,)).fetchone()[0]),
        alerts=count("SELECT count(*) FROM alerts WHERE opened > ?"),
        incidents=count("SELECT count(*) FROM incidents WHERE opened > ?"),
        accounts=tuple(names),
        revoked=_revoked(now, then, "SELECT name, revoked FROM tokens"),
        devices=_revoked(now, then, "SELECT id, revoked FROM devices"),
        locked=locked_since(then, now),
        fire=bool(
            now.execute(FIRES, (manifest.last_seq,)).fetchone()[0]
            or now.execute(HELD_BACK).fetchone()[0]
        ),
    )


def _revoked(now: sqlite3.Connection, then: sqlite3.Connection, question: str) -> tuple[str, ...]:
    """What is good in the backup and revoked in the journal that is there."""
    try:
        before, after = dict(then.execute(question)), dict(now.execute(question))
    except sqlite3.OperationalError:  # one of them is of a version that had none
        return ()
    return tuple(sorted(one for one, at in before.items() if at is None and after.get(one)))


def restore(
    state: StateFolder,
    backup: Path,
    manifest: Manifest,
    losses: Lost,
    by: str,
    now: datetime,
    told: Told = unheard,
) -> Path:
    """Put a backup in the place of what is there; returns the folder that holds what was there.

    The caller holds the folder's lock and has verified the backup. Until everything new is on the
    disk the old is untouched, from then on the new holds, whenever the process ends. Raises
    `StateError`.
    """
    staging = state.path / STAGING
    kept = _free_name(state.path, now)
    old = [name for name in (*CONTENTS, *BESIDE) if (state.path / name).exists()]
    _refuse_impossible(state, manifest, old)
    note: dict[str, object] = {
        "id": new_id(),
        "by": by,
        "time": iso(now),
        "backup": backup.name,
        "as_of": iso(manifest.time),
        "lost": asdict(losses),
    }
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        _stage(staging, backup, manifest, told)
        _amend(staging / JOURNAL, manifest, losses, note)
        if losses.known:
            _keep_taken_away(staging / JOURNAL, state.journal)
        own_like(staging, state.path)
        sync_tree(staging)
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise StateError(
            f"{backup} could not be restored to {state.path}: {_reason(error)}. Nothing was changed"
        ) from error
    try:
        swap(state.path, kept, old, sorted(path.name for path in staging.iterdir()))
    except OSError as error:
        raise StateError(
            f"the restore of {state.path} was cut off: {_reason(error)}. Once that is mended, "
            "start the hub or restore again: either completes it"
        ) from error
    return state.path / kept


def _reason(error: OSError | sqlite3.Error) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)


def _refuse_impossible(state: StateFolder, manifest: Manifest, old: Sequence[str]) -> None:
    """What would stop a restore half way stops it before anything is done."""
    needed = manifest.bytes + SPARE_BYTES
    if shutil.disk_usage(state.path).free < needed:
        raise StateError(
            f"restoring needs {needed >> 20} MB beside what is in {state.path}, and the disk has "
            "less; make room, then restore again. Nothing was changed"
        )
    for name in old:
        if os.path.ismount(state.path / name):
            raise StateError(
                f"{state.path / name} is a disk of its own and cannot be put aside; unmount it, "
                "then restore again. Nothing was changed"
            )


def _stage(staging: Path, backup: Path, manifest: Manifest, told: Told) -> None:
    done = 0

    def step(more: int) -> None:
        nonlocal done
        done += more
        told("restoring", done, manifest.bytes)

    for name, stored in manifest.files.items():
        if copy_file(backup / name, staging / name, step) != stored.sha256:
            raise damaged(backup, f"{name} is not as it was written")
    (staging / "media").mkdir(mode=0o700, exist_ok=True)


def _amend(journal: Path, manifest: Manifest, losses: Lost, note: dict[str, object]) -> None:
    """Take what must not come back out of a staged journal, and leave the note in it."""
    last = max(losses.last_seq, manifest.last_seq)
    last += 0 if losses.known else SEQ_GAP
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM sessions")
        connection.execute("DELETE FROM setup_links")
        if "guests" in manifest.rows:  # nobody knows which of them were ended since
            ended = "UPDATE guests SET revoked = ?, revoked_by = 'hub' WHERE revoked = ''"
            connection.execute(ended, (note["time"],))
        connection.executemany(
            "UPDATE tokens SET revoked = ? WHERE name = ? AND revoked IS NULL",
            [(note["time"], name) for name in losses.revoked],
        )
        if losses.devices:
            connection.executemany(
                "UPDATE devices SET revoked = ? WHERE id = ? AND revoked IS NULL",
                [(note["time"], device) for device in losses.devices],
            )
        # No event gets a number that an event of the old journal had: who reads on from a number
        # misses nothing.
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (last,))
        connection.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (NOTE, json.dumps(note))
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    descriptor = os.open(journal, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_taken_away(staged: Path, journal: Path) -> None:
    with closing(sqlite3.connect(staged, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        keep_taken_away(connection, journal)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _free_name(state: Path, now: datetime) -> str:
    name = f"before-restore-{now.strftime('%Y%m%dT%H%M%SZ')}"
    number = 1
    while (state / name).exists():
        number += 1
        name = f"before-restore-{now.strftime('%Y%m%dT%H%M%SZ')}-{number}"
    return name
