"""What was taken away from people since a backup, which a restore does not give back.

Who was locked out stays out; passkeys that were removed, codes that were used, an authenticator
that was replaced and browsers that were forgotten are of no use again. Needs the journal of before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

# What signs in beside a password, or is told of alerts: gone since is gone.
_GONE = {"passkeys": "id", "recovery_codes": "digest", "push_subscriptions": "id"}


def locked_since(then: sqlite3.Connection, now: sqlite3.Connection) -> tuple[str, ...]:
    """The accounts that are locked out now and were not in the backup."""
    if "locked" not in _columns(now, "users"):
        return ()
    there = {str(name) for (name,) in then.execute("SELECT name FROM users")}
    if "locked" in _columns(then, "users"):
        out = then.execute("SELECT name FROM users WHERE locked != ''")
        there -= {str(name) for (name,) in out}
    out = now.execute("SELECT name FROM users WHERE locked != '' ORDER BY name")
    return tuple(str(name) for (name,) in out if str(name) in there)


def keep_taken_away(staged: sqlite3.Connection, journal: Path) -> None:
    """Take out of a staged journal what has been taken away by the `journal` of before. Raises
    `sqlite3.Error`.
    """
    with _reading(journal) as now:
        _lock_out(staged, now, locked_since(staged, now))
        for table, key in _GONE.items():
            if _columns(staged, table) and _columns(now, table):
                left = {row[0] for row in now.execute(f"SELECT {key} FROM {table}")}  # noqa: S608
                held = staged.execute(f"SELECT {key} FROM {table}").fetchall()  # noqa: S608
                gone = [row for row in held if row[0] not in left]
                staged.executemany(f"DELETE FROM {table} WHERE {key} = ?", gone)  # noqa: S608
        if _columns(staged, "recovery_codes") and _columns(now, "recovery_codes"):
            used = now.execute("SELECT used, digest FROM recovery_codes WHERE used != ''")
            staged.executemany("UPDATE recovery_codes SET used = ? WHERE digest = ?", used)
        _authenticators(staged, now)


def _lock_out(staged: sqlite3.Connection, now: sqlite3.Connection, names: tuple[str, ...]) -> None:
    if "locked" in _columns(staged, "users"):
        since = dict(now.execute("SELECT name, locked FROM users"))
        staged.executemany(
            "UPDATE users SET locked = ? WHERE name = ?", [(since[name], name) for name in names]
        )
    else:  # of a version that could not lock anybody out: without a password nobody comes in
        staged.executemany(
            "UPDATE users SET password_hash = '' WHERE name = ?", [(name,) for name in names]
        )


def _authenticators(staged: sqlite3.Connection, now: sqlite3.Connection) -> None:
    """Nobody's app of before works again: what they have now holds, with the codes it has used."""
    columns = _columns(staged, "authenticators") & _columns(now, "authenticators")
    if not columns:
        return
    names = ", ".join(sorted(columns))
    marks = ", ".join("?" * len(columns))
    held = now.execute(f"SELECT {names} FROM authenticators").fetchall()  # noqa: S608
    staged.execute("DELETE FROM authenticators")
    staged.executemany(
        f"INSERT INTO authenticators ({names}) SELECT {marks} "  # noqa: S608
        "WHERE ? IN (SELECT name FROM users)",
        [(*row, row[sorted(columns).index("user")]) for row in held],
    )


def _columns(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    """The columns of a table; none where a version has no such table."""
    return frozenset(str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})"))


@contextmanager
def _reading(journal: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only=ON")
        yield connection
