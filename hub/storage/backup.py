"""Making a backup of a state folder, also while a hub runs on it.

The journal is copied through SQLite in small steps under one snapshot, so that its writer is never
held. Everything is written under a temporary name, synced, read back from the disk and checked;
only then does the backup get its name.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

import hub
from hub.clock import Clock
from hub.errors import StateError
from hub.kinds import KINDS
from hub.storage.backup_copy import (
    LOOK_EACH_STEPS,
    Told,
    Unreadable,
    copy_database,
    copy_file,
    open_unchanging,
    own_like,
    sha256_of,
    sync_folder,
    sync_tree,
    unheard,
)
from hub.storage.backup_manifest import JOURNAL, Manifest, Stored, write_manifest
from hub.storage.backup_place import note_its_disk, refuse_without_its_disk
from hub.storage.backup_shelf import Backup, Shelf
from hub.storage.folder import StateFolder
from hub.storage.media import needed_pictures
from hub.storage.schema import refuse_newer

SPARE_BYTES = 256 << 20
LARGEST_FILE = 256 << 20
PAUSE_S = 0.002


@dataclass(frozen=True, slots=True)
class Facts:
    """What a journal holds at one moment."""

    schema_version: int
    rows: Mapping[str, int]
    last_seq: int
    last_event: str


@dataclass
class _Filling:
    """A backup in the making."""

    part: Path
    told: Told
    files: dict[str, Stored] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def step(self, what: str, total: int) -> Callable[[int], None]:
        """Tells of `what` as bytes go by."""
        done = 0

        def told(more: int) -> None:
            nonlocal done
            done += more
            self.told(what, done, total)

        return told


def create(
    state: StateFolder,
    shelf: Shelf,
    clock: Clock,
    by: str,
    *,
    told: Told = unheard,
    pause: float = PAUSE_S,
) -> Backup:
    """Make a backup; blocks until it is on the disk and checked.

    `told(what, done, total)` hears how far it is, in bytes; what it raises ends the backup and
    leaves nothing behind. After each such step `pause` seconds are waited, for others to come in.
    Raises `BackupUnderWay`, and `StateError` with what to do.
    """
    if not state.journal.is_file():
        raise StateError(f"there is no journal in {state.path} yet, so there is nothing to keep")
    now = clock.now()
    with _in_words(shelf):
        refuse_without_its_disk(state.path, state.run, shelf.folder)
    with shelf.alone():
        try:
            _refuse_without_room(state, shelf)
            part, whole = shelf.room_for(now)
        except OSError as error:
            raise _failed(shelf, error) from error
        try:
            filling = _Filling(part, _paced(told, pause))
            manifest = _fill(state, shelf, filling, clock, now, by)
            with suppress(OSError):  # a disk without owners, such as a USB stick
                own_like(part, state.path)
                shelf.belong_to(state.path)
            part.rename(whole)
            sync_folder(shelf.folder)
        except (OSError, sqlite3.Error, DBAPIError) as error:
            shutil.rmtree(part, ignore_errors=True)
            raise _failed(shelf, error) from error
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        with _in_words(shelf):
            note_its_disk(state.path, state.run, shelf.folder)
    return Backup(whole, manifest)


@contextmanager
def _in_words(shelf: Shelf) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failed(shelf, error) from error


def _paced(told: Told, pause: float) -> Told:
    def paced(what: str, done: int, total: int) -> None:
        told(what, done, total)
        if pause:
            time.sleep(pause)

    return paced


def _refuse_without_room(state: StateFolder, shelf: Shelf) -> None:
    """A backup never takes the last room: the journal needs it."""
    needed = state.journal.stat().st_size + SPARE_BYTES
    if shutil.disk_usage(shelf.folder).free < needed:
        raise StateError(
            f"no backup can be made in {shelf.folder}: it needs {needed >> 20} MB and the disk "
            "has less. Make room, or name a folder on another disk as `hub.backup.folder`"
        )


def _failed(shelf: Shelf, error: OSError | sqlite3.Error | DBAPIError) -> StateError:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        reason = "the disk is full; make room, or name a folder on another disk"
    elif isinstance(error, OSError):
        reason = f"{error.strerror} ({error.filename})" if error.filename else str(error.strerror)
    else:
        reason = str(error.orig if isinstance(error, DBAPIError) else error)
    return StateError(f"no backup could be made in {shelf.folder}: {reason}")


def _fill(
    state: StateFolder,
    shelf: Shelf,
    filling: _Filling,
    clock: Clock,
    now: datetime,
    by: str,
) -> Manifest:
    began = clock.monotonic()
    newest = shelf.newest()
    journal = filling.part / JOURNAL
    facts = copy_database(state.journal, journal, facts_of, told=filling.told)
    refuse_newer(state.journal, facts.schema_version)
    size = journal.stat().st_size
    stored = Stored(bytes=size, sha256=sha256_of(journal, filling.step("reading back", size)))
    filling.files[JOURNAL] = stored
    _refuse_unsound(journal, facts, filling.told)
    _keep_pictures(state, filling, newest)
    for folder in ("config", *KINDS):
        for source in _plain_files(state.path / folder, state.path, filling):
            _keep_file(source, str(source.relative_to(state.path)), filling)
    manifest = Manifest(
        version=hub.__version__,
        schema_version=facts.schema_version,
        time=now,
        seconds=round(clock.monotonic() - began, 3),
        by=by,
        rows=dict(facts.rows),
        last_seq=facts.last_seq,
        last_event=facts.last_event,
        files=filling.files,
        left_out=filling.left_out,
    )
    write_manifest(filling.part, manifest)
    sync_tree(filling.part)
    return manifest


def facts_of(connection: sqlite3.Connection) -> Facts:
    """Count what a journal holds. Raises `sqlite3.Error`."""
    names = [
        str(name)
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    rows = {
        name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608
        for name in names
    }
    newest = connection.execute(
        "SELECT seq, received FROM events ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    return Facts(version, rows, *(newest or (0, "")))


def trouble_with(journal: Path, facts: Facts, told: Told = unheard) -> str:
    """What is wrong with a copied journal that should hold so much; empty where nothing is."""
    stopped: list[Exception] = []

    def look() -> int:
        try:
            told("checking", 0, 0)
        except Exception as error:  # SQLite only hears that it shall end
            stopped.append(error)
        return len(stopped)

    try:
        with closing(open_unchanging(journal)) as connection:
            connection.set_progress_handler(look, LOOK_EACH_STEPS)
            sound = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
            if sound != "ok":
                return sound.splitlines()[-1]
            if connection.execute("PRAGMA foreign_key_check").fetchone():
                return "a row points at one that is not there"
            found = facts_of(connection)
    except sqlite3.Error as error:
        if stopped:
            raise stopped[0] from None
        return str(error)
    if found != facts:
        return f"it holds {dict(found.rows)} and should hold {dict(facts.rows)}"
    return ""


def _refuse_unsound(journal: Path, facts: Facts, told: Told) -> None:
    wrong = trouble_with(journal, facts, told)
    if wrong:
        raise StateError(
            f"the journal is not sound ({wrong}), so no backup was made: older ones stay as they "
            "are. `vestibule doctor` tells what to do"
        )


def _keep_pictures(state: StateFolder, filling: _Filling, newest: Backup | None) -> None:
    """Every picture that an alert or incident shows; one that the last backup holds is shared."""
    names = sorted(_pictures(filling.part / JOURNAL))
    (filling.part / "media").mkdir(mode=0o700)
    for number, picture in enumerate(names):
        filling.told("pictures", number, len(names))
        name = f"media/{picture}"
        if newest is not None and _share(newest, name, filling):
            continue
        _keep_file(state.media / picture, name, filling)


def _pictures(journal: Path) -> set[str]:
    engine = create_engine(
        "sqlite://", creator=lambda: open_unchanging(journal), poolclass=NullPool
    )
    with engine.connect() as connection:
        return {name for name in needed_pictures(connection) if "/" not in name}


def _share(newest: Backup, name: str, filling: _Filling) -> bool:
    """Link to the file in the newest backup, where it still is what it was when it was kept."""
    stored = newest.manifest.files.get(name) if newest.manifest else None
    if stored is None:
        return False
    try:
        if sha256_of(newest.path / name) != stored.sha256:
            return False
        os.link(newest.path / name, filling.part / name)
    except OSError:  # no hard links here, or too many
        return False
    filling.files[name] = stored
    return True


def _keep_file(source: Path, name: str, filling: _Filling) -> None:
    target = filling.part / name
    try:
        size = source.stat().st_size
        if size > LARGEST_FILE:
            filling.left_out[name] = f"it has {size >> 20} MB"
            return
        if source.is_symlink():
            filling.left_out[name] = "it is a link"
            return
        if shutil.disk_usage(filling.part).free < size + SPARE_BYTES:
            raise OSError(errno.ENOSPC, "the last room is the journal's")
        sha256 = copy_file(source, target, filling.step("files", size))
    except FileNotFoundError:
        filling.left_out[name] = "it is not there"
        return
    except PermissionError:
        filling.left_out[name] = "it may not be read"
        return
    except Unreadable as error:
        filling.left_out[name] = f"it cannot be read: {error}"
        return
    filling.files[name] = Stored(bytes=target.stat().st_size, sha256=sha256)


def _plain_files(folder: Path, root: Path, filling: _Filling) -> Iterator[Path]:
    """Files that drivers and the hub keep here, without what is only half written."""
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.endswith(".part") for part in path.parts):
            yield path
        elif not path.is_dir() and not path.is_file():
            filling.left_out[str(path.relative_to(root))] = "it is no plain file"
