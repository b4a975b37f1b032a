"""Journals of earlier versions, brought forward to today's tables.

Each step is an Alembic revision in `versions`, numbered as `PRAGMA user_version` is. All steps that
are due run in one transaction together with the new number, so that a journal is at one version or
at the other, whenever the process ends. Alembic is imported only where a step is due.

A new step: change `hub.storage.schema`, add one to its `SCHEMA_VERSION`, and add a file to
`versions` whose `revision` is that number and whose `upgrade` makes the same change.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine

from hub.errors import StateError
from hub.storage.backup_copy import copy_database

VERSIONS = Path(__file__).parent / "versions"
SPARE_BYTES = 64 << 20

log = structlog.get_logger(__name__)


def bring_forward(engine: Engine, path: Path, found: int, head: int) -> Path:
    """Bring the journal at `path` from version `found` to `head`; returns the copy made before.

    `engine` opens the journal for writing. Raises `StateError`, and then the journal is as it was.
    """
    copy = path.with_name(f"{path.stem}-version-{found}{path.suffix}")
    _keep(path, copy)
    try:
        with engine.connect() as connection:
            # Tables that are made anew are dropped in between: no row may be deleted for that. Only
            # outside a transaction does SQLite heed this.
            _bare(connection).execute("PRAGMA foreign_keys=OFF")
            with connection.begin():
                _upgrade(connection, head)
    except StateError:
        raise
    except Exception as error:
        log.exception("the journal could not be brought forward", path=str(path))
        raise StateError(
            f"the journal {path} of version {found} could not be brought forward to version "
            f"{head} ({error}). Nothing in it was changed: start the Vestibule that wrote it, and "
            "report this"
        ) from error
    log.info("the journal was brought forward", since=found, to=head, copy=str(copy))
    return copy


def _keep(path: Path, copy: Path) -> None:
    """Make a copy of the journal as it is, whole or not at all. Raises `StateError`."""
    needed = path.stat().st_size + SPARE_BYTES
    if shutil.disk_usage(path.parent).free < needed:
        raise StateError(
            f"the journal {path} is to be brought forward, and a copy is made before that: there "
            f"is no room for it in {path.parent}. Free {needed >> 20} MB, then start again"
        )
    try:
        copy_database(path, copy)
    except (OSError, sqlite3.Error) as error:
        raise StateError(
            f"the journal {path} is to be brought forward, and the copy made before that, {copy}, "
            f"could not be written ({error})"
        ) from error


def _bare(connection: Connection) -> sqlite3.Connection:
    found = connection.connection.dbapi_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def _upgrade(connection: Connection, head: int) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    # Another process may have done it while the copy was made.
    found = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    scripts = ScriptDirectory(str(VERSIONS.parent), version_locations=[str(VERSIONS)])
    due = [
        script
        for script in scripts.walk_revisions("base", str(head).zfill(4))
        if int(script.revision) > found
    ]
    with Operations.context(MigrationContext.configure(connection)):
        for script in reversed(due):
            script.module.upgrade()
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise ValueError(f"a row of {broken[0]} points at one of {broken[2]} that is not there")
    connection.exec_driver_sql(f"PRAGMA user_version={head}")
