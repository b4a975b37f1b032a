"""Opening the journal's SQLite file: durable settings, its version, and what to say when it is bad.

Every connection writes ahead with full sync (a commit that returned survives a power cut), waits
for other processes that write, and enforces foreign keys. Transactions begin IMMEDIATE, so that
two writers queue up at the start instead of failing in the middle.
"""

from __future__ import annotations

import os
import sqlite3
import time
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError

from hub.errors import StateError
from hub.storage import access_tables as _access_tables  # noqa: F401  # part of `metadata`
from hub.storage import audit_tables as _audit_tables  # noqa: F401  # part of `metadata`
from hub.storage import drill_tables as _drill_tables  # noqa: F401  # likewise
from hub.storage import identity_tables as _identity_tables  # noqa: F401  # likewise
from hub.storage import once as _once  # noqa: F401  # likewise
from hub.storage import reader_tables as _reader_tables  # noqa: F401  # likewise
from hub.storage import sample_tables as _sample_tables  # noqa: F401  # likewise
from hub.storage.schema import SCHEMA_VERSION, metadata, refuse_newer, refuse_older

BUSY_TIMEOUT_S = 5.0

_FULL = {sqlite3.SQLITE_FULL}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def open_engine(path: Path, *, forward: bool = False) -> Engine:
    """Open the journal for writing, making it when new and checking it otherwise.

    The command line uses it as `with engine.begin() as connection`; call `dispose()` at the end.
    `forward` brings one from an older Vestibule forward, which only the hub does. Raises
    `StateError` when the file is damaged, not writable, not a journal, or from another version.
    """
    engine = _engine(path, readers=0)
    try:
        with engine.begin() as connection:
            found = _prepare(connection, path)
        if found < SCHEMA_VERSION:
            refuse_older(path, found, forward)
            from hub.storage.migrations import bring_forward

            bring_forward(engine, path, found, SCHEMA_VERSION)
    except DBAPIError as error:
        engine.dispose()
        trouble = state_error(error, path)
        raise (trouble or StateError(f"cannot open the journal {path}: {error.orig}")) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_readers(path: Path, count: int) -> Engine:
    """An engine with up to `count` connections that can only read, each one consistent snapshot."""
    return _engine(path, readers=count)


def state_error(error: DBAPIError, path: Path) -> StateError | None:
    """What a failure of the file itself means in words; None for a statement's ordinary error."""
    code = _code(error)
    if code in _DAMAGED:
        return _damaged(path, str(error.orig))
    if code in _FULL:
        return StateError(f"the disk that holds {path} is full; make room, nothing else is needed")
    if code in _UNWRITABLE and _no_room_for_files(path.parent):
        return StateError(
            f"the disk that holds {path} has no room for another file (no inodes are left); "
            "delete some, nothing else is needed"
        )
    if code in _UNWRITABLE:
        return StateError(f"the journal {path} cannot be written ({error.orig}); check its owner")
    if code in _BUSY:
        return StateError(f"another process keeps the journal {path} busy ({error.orig})")
    if code == sqlite3.SQLITE_IOERR:
        return StateError(f"the disk that holds {path} failed ({error.orig})")
    return None


def is_busy(error: DBAPIError) -> bool:
    """Whether somebody else holds the file just now, so that trying again makes sense."""
    return _code(error) in _BUSY


def is_full(error: Exception) -> bool:
    """Whether there was no room to write."""
    return isinstance(error, DBAPIError) and _code(error) in _FULL


def _no_room_for_files(folder: Path) -> bool:
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    return room.f_files > 0 and room.f_favail == 0


def _damaged(path: Path, found: str) -> StateError:
    return StateError(
        f"the journal {path} is damaged ({found}). Stop Vestibule and go back to a backup with "
        f"`vestibule backup restore`. Without one, move the file and those beside it "
        f"({path.name}-wal, {path.name}-shm) to a safe place and start again; "
        f"`sqlite3 {path.name} .recover` may rescue the rest"
    )


def _code(error: DBAPIError) -> int | None:
    extended = getattr(error.orig, "sqlite_errorcode", None)
    return None if extended is None else int(extended) & 0xFF


def _engine(path: Path, readers: int) -> Engine:
    pool: dict[str, Any] = {"poolclass": NullPool}
    if readers:
        pool = {"poolclass": QueuePool, "pool_size": readers, "max_overflow": 0}
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={
            "timeout": BUSY_TIMEOUT_S,
            "check_same_thread": False,
            "isolation_level": None,
        },
        **pool,
    )
    begin = "BEGIN" if readers else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def settings(connection: sqlite3.Connection, record: object) -> None:
        if not readers:
            _write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        if readers:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for others when it changes the journal mode, only afterwards.
    last = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > last:
                raise
        else:
            if mode == "wal":
                return
            raise StateError(f"the disk cannot hold the journal: it offers mode {mode!r}, not WAL")
        time.sleep(0.02)


@cache
def _new() -> tuple[str, ...]:
    """What makes the tables, indexes and triggers of a new journal; put into SQL once a process."""
    with create_engine("sqlite://", poolclass=NullPool).begin() as connection:
        metadata.create_all(connection)
        made = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
            "ORDER BY rowid"
        )
        return tuple(made.scalars())


def _prepare(connection: Connection, path: Path) -> int:
    """Make or check the tables; returns their version."""
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    refuse_newer(path, version)
    if version == 0:
        if inspect(connection).get_table_names():
            raise StateError(f"{path} is a database of something else; use another state folder")
        for statement in _new():
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
        return SCHEMA_VERSION
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise _damaged(path, str(found))
    return version
