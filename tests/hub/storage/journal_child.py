"""Write events for ever and print each id once its commit returned; the test kills this process."""

import asyncio
import sys
from pathlib import Path

from sqlalchemy import Connection, insert

from hub.events import new_id
from hub.storage.journal import Journal
from hub.storage.schema import events


async def keep_writing(journal: Journal) -> None:
    """One of several writers that share commits."""
    while True:
        name = new_id()

        def work(connection: Connection, name: str = name) -> None:
            connection.execute(
                insert(events).values(
                    id=name, type="t", source="s", subject="", time="", received="", data="{}"
                )
            )

        await journal.write(work)
        sys.stdout.write(name + "\n")
        sys.stdout.flush()


async def main() -> None:
    """Four writers, until killed."""
    journal = Journal(Path(sys.argv[1]))
    await journal.open()
    await asyncio.gather(*(keep_writing(journal) for _ in range(4)))


asyncio.run(main())
