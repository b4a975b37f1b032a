"""Which latching inputs were closed when they were last heard, so that a restart presses none."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from hub.storage.journal import Journal
from hub.storage.schema import meta

KEY = "inputs closed"


class ClosedInputs:
    """Their names, kept in the journal. Both acts raise `StateError` when that fails."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def recall(self) -> frozenset[str]:
        """Those of before."""
        return await self._journal.read(_closed)

    async def keep(self, names: frozenset[str]) -> None:
        """Those of now."""
        await self._journal.write(lambda connection: _keep(connection, names))


def _closed(connection: Connection) -> frozenset[str]:
    found = connection.scalar(select(meta.c.value).where(meta.c.key == KEY))
    return frozenset() if found is None else frozenset(json.loads(found))


def _keep(connection: Connection, names: frozenset[str]) -> None:
    row = insert(meta).values(key=KEY, value=json.dumps(sorted(names)))
    connection.execute(
        row.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": row.excluded.value})
    )
