"""Write to a journal on a recorded disk, as the test says; see `test_crash_proof.py`."""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, insert

from hub.clock import iso
from hub.errors import StateError
from hub.events import Event
from hub.storage.journal import Journal
from hub.storage.schema import meta
from hub.testing.crash.disk import RecordedDisk
from hub.testing.crash.life import JOURNAL, Life, Order

IOERR_FSYNC = 10 | 4 << 8
folder, mode, *more = Path(sys.argv[1]), *sys.argv[2:]


async def put(journal: Journal, number: int) -> None:
    """One row, in a transaction of its own."""

    def work(connection: Connection) -> None:
        connection.execute(insert(meta).values(key=f"test {number}", value="x" * 3000))

    await journal.write(work)


async def unsynced(rows: int) -> None:
    """The first half synced, the other half not; then no last word."""
    journal = Journal(folder / "state" / JOURNAL)
    await journal.open()
    for number in range(rows):
        if number == rows // 2:
            await journal.write(stop_syncing)
        await put(journal, number)
    os.kill(os.getpid(), signal.SIGKILL)


def stop_syncing(connection: Connection) -> None:
    """SQLite takes this setting between transactions only."""
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("PRAGMA synchronous=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    connection.exec_driver_sql("SAVEPOINT work")


async def failing() -> None:
    """Ten rows, three of which meet a drive that fails to sync."""
    journal = Journal(folder / "state" / JOURNAL)
    await journal.open()
    written, error = 0, ""
    for number in range(10):
        failing_now[0] = 3 <= number < 6
        try:
            await put(journal, number)
        except StateError as found:
            error = str(found)
        else:
            written += 1
    sys.stdout.write(json.dumps({"written": written, "error": error}))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


async def some_load() -> None:
    """One of each thing a school does, at rest in the end."""
    order = Order(str(folder), "", 1, iso(datetime.now(UTC)), 0.0, 20.0, 0, 0)
    life = Life(order)
    await life.journal.open()
    performing = asyncio.create_task(life.performer.run())
    for kind in ("door.forced", "door.held"):
        await life._offer(Event(kind, "door/door_3", life.clock.now(), "door_3"))
    for alert in await life.intake.alerts():
        await life.intake.verdict(alert["id"], "dismissed", "officer")
        life.offered.add(judged=alert["id"], verdict="dismissed")
    key = await life.intake.command_door("door_4", "momentary", "officer", "")
    life.offered.add(commanded=key, verb="momentary")
    await life._until(lambda waiting: not waiting)
    performing.cancel()
    await life.journal.close()


failing_now = [False]
if mode != "school":
    RecordedDisk(
        folder / "log",
        fault=lambda step, file: IOERR_FSYNC if failing_now[0] and step == "sync" else 0,
    ).install()
asyncio.run({"unsynced": lambda: unsynced(int(more[0])), "failing": failing}.get(mode, some_load)())
