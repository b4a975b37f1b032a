"""Secrets of this installation that nobody types: made once, and kept in the journal."""

from __future__ import annotations

import os

from sqlalchemy import Connection, insert, select

from hub.storage.schema import meta

BYTES = 32


def kept_key(connection: Connection, name: str) -> bytes:
    """The key of that name, 32 random bytes, the same ever after."""
    known: str | None = connection.scalar(select(meta.c.value).where(meta.c.key == name))
    if known is None:
        known = os.urandom(BYTES).hex()
        connection.execute(insert(meta), {"key": name, "value": known})
    return bytes.fromhex(known)


def credential_key(connection: Connection) -> bytes:
    """What references to credentials are made with (`hub.Context.reference`)."""
    return kept_key(connection, "credentials")
