"""How far each consumer of the journal has come, kept in the journal itself."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from hub.storage.schema import meta

_PREFIX = "offset "


def get(connection: Connection, consumer: str) -> int | None:
    """The sequence number up to which it has done all; None for a consumer that is new."""
    found = connection.scalar(select(meta.c.value).where(meta.c.key == _PREFIX + consumer))
    return None if found is None else int(found)


def put(connection: Connection, consumer: str, seq: int) -> None:
    """Remember how far it has come."""
    row = insert(meta).values(key=_PREFIX + consumer, value=str(seq))
    connection.execute(
        row.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": row.excluded.value})
    )
