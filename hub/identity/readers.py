"""Which language an account reads the pages in, where its person has chosen one."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from hub.storage.reader_tables import readers


def chosen_language(conn: Connection, user: str) -> str:
    """What the account chose; empty where its browser decides."""
    return conn.execute(select(readers.c.language).where(readers.c.user == user)).scalar() or ""


def choose_language(conn: Connection, user: str, language: str) -> None:
    """Keep what the account chose; an empty one leaves it to the browser."""
    conn.execute(delete(readers).where(readers.c.user == user))
    if language:
        conn.execute(insert(readers).values(user=user, language=language))
