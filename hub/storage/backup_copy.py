"""Copies that are on the disk once they are there: of a database in use, and of plain files.

A live database is only ever read through SQLite: closing any other descriptor of its file would
drop the locks of every connection in this process.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

T = TypeVar("T")
Told: TypeAlias = Callable[[str, int, int], None]

STEP_PAGES = 256
CHUNK_BYTES = 1 << 20
SYNC_EACH_BYTES = 2 << 20
LOOK_EACH_STEPS = 20_000
BUSY_WITHIN_S = 5.0


def unheard(what: str, done: int, total: int) -> None:
    """Nobody wants to know how far it is."""


def _nothing(connection: sqlite3.Connection) -> None:
    """Nothing is to be looked at."""


def copy_database(
    source: Path,
    target: Path,
    look: Callable[[sqlite3.Connection], T] = _nothing,  # type: ignore[assignment]
    *,
    told: Told = unheard,
) -> T:
    """Copy a database as it is at one moment, while others read and write it.

    Returns what `look` finds at that same moment. `told("copying", done, total)` hears after each
    step of 1 MB how many bytes are copied; it may wait, and what it raises ends the copying. The
    target appears whole, synced and mode 600, or not at all. Raises `sqlite3.Error` and `OSError`.
    """
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with closing(_open(source)) as connection:
            # The snapshot is held from here on: a writer goes on, and the copy never begins anew.
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            found = look(connection)
            _step_through(connection, part, descriptor, told)
            _put_back(connection)
        os.fsync(descriptor)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    part.replace(target)
    sync_folder(target.parent)
    return found


def _open(source: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{source.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_WITHIN_S,
        isolation_level=None,
    )
    connection.execute("PRAGMA query_only=ON")
    return connection


def _put_back(connection: sqlite3.Connection) -> None:
    """Let go of the snapshot, and move what was written meanwhile from the log to the database, so
    that this does not fall to the writer's next commit.
    """
    connection.execute("ROLLBACK")
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _step_through(connection: sqlite3.Connection, part: Path, descriptor: int, told: Told) -> None:
    page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    unsynced = 0

    def stepped(status: int, remaining: int, pages: int) -> None:
        nonlocal unsynced
        told("copying", (pages - remaining) * page, pages * page)
        unsynced += STEP_PAGES * page
        if unsynced >= SYNC_EACH_BYTES:
            # A little at a time, so that no commit of the writer waits behind much of it.
            os.fdatasync(descriptor)
            unsynced = 0

    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")
        connection.backup(copy, pages=STEP_PAGES, progress=stepped)


def open_unchanging(file: Path) -> sqlite3.Connection:
    """Open a database that nobody writes, for reading, without making files beside it."""
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None
    )


def copy_file(source: Path, target: Path, told: Callable[[int], None] = lambda n: None) -> str:
    """Copy a plain file, synced and mode 600; returns the SHA-256 of what was copied, in hex.

    `told` hears how many bytes each step copied. Raises `OSError`, and `Unreadable` where it is the
    source that fails; then there is no target.
    """
    digest = hashlib.sha256()
    with source.open("rb") as stream:
        _make_folder(target.parent)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                for chunk in _chunks(stream):
                    digest.update(chunk)
                    out.write(chunk)
                    told(len(chunk))
                out.flush()
                os.fsync(out.fileno())
        except Unreadable:
            target.unlink()
            raise
    return digest.hexdigest()


class Unreadable(Exception):
    """A file whose bytes cannot be read; says why."""


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(CHUNK_BYTES)
        except OSError as error:
            raise Unreadable(error.strerror) from error
        if not chunk:
            return
        yield chunk


def _make_folder(folder: Path) -> None:
    """Like `mkdir -p`, every folder of the way mode 700."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700)


def sha256_of(file: Path, told: Callable[[int], None] = lambda n: None) -> str:
    """The SHA-256 of a file, in hex, read from the disk and not from memory where that can be."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            told(len(chunk))
    return digest.hexdigest()


def write_file(file: Path, text: str, owner: Path | None = None) -> None:
    """Write a small file whole or not at all, synced and mode 600, for the owner of `owner` where
    root writes it. Raises `OSError`.
    """
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    if owner is not None:
        own_like(part, owner)
    part.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """`sync_folder` of a folder and of every folder in it."""
    for inner in folder.rglob("*"):
        if inner.is_dir() and not inner.is_symlink():
            sync_folder(inner)
    sync_folder(folder)


def own_like(folder: Path, model: Path) -> None:
    """Give a file, or a folder and all in it, to the owner of `model`, where root made it.

    Raises `OSError`.
    """
    owner = model.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
