"""The journal keeps what it said it kept, and says so when it cannot."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from hub.errors import StateError
from hub.storage.journal import Journal, open_engine
from hub.storage.schema import events, incident_entries, meta

CHILD = Path(__file__).with_name("journal_child.py")


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """An open journal in a file of its own."""
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    yield journal
    await journal.close()


async def hold(journal: Journal) -> tuple[asyncio.Task[bool], threading.Event]:
    """Keep the writer busy until the event is set."""
    running, gate = threading.Event(), threading.Event()

    def work(connection: Connection) -> bool:
        running.set()
        return gate.wait(5)

    task = asyncio.create_task(journal.write(work))
    await asyncio.to_thread(running.wait, 5)
    return task, gate


def put(key: str, value: str = "v") -> Callable[[Connection], str]:
    """A work that writes one row."""

    def work(connection: Connection) -> str:
        connection.execute(insert(meta).values(key=key, value=value))
        return key

    return work


def keys(connection: Connection) -> list[str]:
    """The rows there are."""
    return list(connection.scalars(select(meta.c.key).order_by(meta.c.key)))


async def test_a_write_that_returned_is_read_by_another_process(journal: Journal) -> None:
    """What `write` returned for is in the file, not only in this process."""
    await journal.write(put("a"))
    out = subprocess.run(
        [sys.executable, "-c", "import sqlite3, sys; "
         "print(sqlite3.connect(sys.argv[1]).execute('select key from meta').fetchall())",
         str(journal.path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert out.stdout.strip() == "[('a',)]"


async def test_settings_are_durable(journal: Journal) -> None:
    """Every commit is fully synced into a write-ahead log, and foreign keys hold."""

    def settings(connection: Connection) -> tuple[object, ...]:
        return tuple(
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        )

    assert await journal.write(settings) == ("wal", 2, 1, 5000)
    assert await journal.read(settings) == ("wal", 2, 1, 5000)


async def test_works_that_wait_share_a_commit(journal: Journal) -> None:
    """Works that arrive while the writer is busy become one transaction."""
    first, gate = await hold(journal)
    rest = [asyncio.create_task(journal.write(put(f"k{n:03}"))) for n in range(100)]
    while journal.queue()["waiting"] < 100:
        await asyncio.sleep(0.001)
    gate.set()
    await asyncio.gather(first, *rest)
    assert journal.counters.commits == 2
    assert journal.counters.largest_group == 100
    assert len(await journal.read(keys)) == 100


async def test_one_failing_work_harms_no_other(journal: Journal) -> None:
    """A work that fails leaves nothing of its own and all of its neighbours'."""

    def half(connection: Connection) -> None:
        connection.execute(insert(meta).values(key="half", value=""))
        raise ValueError("no")

    first, gate = await hold(journal)
    rest = [asyncio.create_task(journal.write(work)) for work in (put("a"), half, put("b"))]
    doubled = asyncio.create_task(journal.write(put("a")))
    await asyncio.sleep(0.01)
    gate.set()
    results = await asyncio.gather(first, *rest, doubled, return_exceptions=True)
    assert results[1] == "a"
    assert isinstance(results[2], ValueError)
    assert results[3] == "b"
    assert isinstance(results[4], IntegrityError)
    assert await journal.read(keys) == ["a", "b"]
    assert journal.counters.failed == 2


async def test_foreign_keys_hold(journal: Journal) -> None:
    """An entry of an incident that does not exist is refused."""

    def orphan(connection: Connection) -> None:
        connection.execute(
            insert(incident_entries).values(
                incident="none", event="", time="", received="", source="", type="", text="",
                tone="neutral", data="{}",
            )
        )  # fmt: skip

    with pytest.raises(IntegrityError):
        await journal.write(orphan)


async def test_readers_cannot_write(journal: Journal) -> None:
    """A reading function that tries to change something is refused."""
    with pytest.raises((OperationalError, StateError)):
        await journal.read(put("a"))
    assert await journal.read(keys) == []


async def test_reading_does_not_wait_for_the_writer(journal: Journal) -> None:
    """A long write transaction leaves readers the state before it."""
    await journal.write(put("before"))
    gate = threading.Event()

    def slow(connection: Connection) -> None:
        connection.execute(insert(meta).values(key="during", value=""))
        gate.wait(5)

    writing = asyncio.create_task(journal.write(slow))
    await asyncio.sleep(0.02)
    assert await journal.read(keys) == ["before"]
    gate.set()
    await writing
    assert await journal.read(keys) == ["before", "during"]


async def test_what_follows_a_commit_runs_even_when_the_waiter_is_cancelled(
    journal: Journal,
) -> None:
    """Once a work runs it is committed and told of, whether or not somebody still waits."""
    told: list[str] = []
    running, gate = threading.Event(), threading.Event()

    def work(connection: Connection) -> str:
        running.set()
        gate.wait(5)
        connection.execute(insert(meta).values(key="kept", value=""))
        return "kept"

    waiter = asyncio.create_task(journal.write(work, after=told.append))
    skipped = asyncio.create_task(journal.write(put("never")))
    await asyncio.to_thread(running.wait, 5)
    await asyncio.sleep(0)
    waiter.cancel()
    skipped.cancel()
    await asyncio.sleep(0)
    gate.set()
    await journal.write(put("last"), after=told.append)
    assert told == ["kept", "last"]
    assert await journal.read(keys) == ["kept", "last"]


async def test_a_full_queue_makes_writers_wait_and_counts(tmp_path: Path) -> None:
    """The queue is bounded: nothing is dropped, whoever is too many waits, and that is counted."""
    journal = Journal(tmp_path / "journal.db", queue_size=2)
    await journal.open()
    await asyncio.gather(*(journal.write(put(f"k{n}")) for n in range(20)))
    assert len(await journal.read(keys)) == 20
    assert journal.counters.waited >= 1
    assert journal.counters.largest_group <= 2
    await journal.close()


async def test_close_writes_what_was_handed_over(tmp_path: Path) -> None:
    """Closing loses nothing, and afterwards the journal says that it is closed."""
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    pending = [asyncio.create_task(journal.write(put(f"k{n:02}"))) for n in range(50)]
    await asyncio.sleep(0)
    await journal.close()
    await asyncio.gather(*pending)
    for use in (journal.write, journal.read):
        with pytest.raises(StateError, match="closed"):
            await use(keys)
    engine = open_engine(journal.path)
    with engine.begin() as connection:
        assert len(keys(connection)) == 50
    engine.dispose()


async def test_the_command_line_may_write_beside_a_running_hub(journal: Journal) -> None:
    """A second process adds rows while the hub writes; neither loses any."""
    script = (
        "import sys; from pathlib import Path; from sqlalchemy import text\n"
        "from hub.storage.journal import open_engine\n"
        "engine = open_engine(Path(sys.argv[1]))\n"
        "for n in range(20):\n"
        "    with engine.begin() as c:\n"
        "        c.execute(text(f\"insert into meta values ('cli{n}', '')\"))\n"
        "engine.dispose()\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(journal.path), stderr=subprocess.PIPE
    )
    done = asyncio.create_task(child.communicate())
    written = 0
    while not done.done():
        await journal.write(put(f"hub{written}"))
        written += 1
    assert child.returncode == 0, (await done)[1]
    assert len(await journal.read(keys)) == written + 20


async def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    """A file of a later version is left alone, and the message says which version it is."""
    path = tmp_path / "journal.db"
    open_engine(path).dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StateError, match="written by a newer Vestibule"):
        await Journal(path).open()


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    """A database of another program is not taken over."""
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table theirs (x)")
    connection.close()
    with pytest.raises(StateError, match="something else"):
        open_engine(path)


def test_a_file_that_is_no_database_says_what_to_do(tmp_path: Path) -> None:
    """Rubbish in the journal's place is an error a person can act on."""
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database at all, " * 400)
    with pytest.raises(StateError, match=r"damaged.*move the file"):
        open_engine(path)


def test_a_damaged_page_is_found_at_the_start(tmp_path: Path) -> None:
    """A page overwritten in the middle of the file is noticed before anything is built on it."""
    path = tmp_path / "journal.db"
    engine = open_engine(path)
    with engine.begin() as connection:
        rows = [{"key": f"{n:06}", "value": "x" * 200} for n in range(3000)]
        connection.execute(insert(meta), rows)
    with engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    with path.open("r+b") as file:
        file.seek(4096 * 60)
        file.write(random.Random(1).randbytes(4096 * 40))
    with pytest.raises(StateError, match="damaged"):
        open_engine(path)


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A missing folder is an error in words, not a traceback of the database."""
    with pytest.raises(StateError, match="cannot be written"):
        open_engine(tmp_path / "missing" / "journal.db")


async def test_a_full_disk_is_reported_and_survived(journal: Journal) -> None:
    """When the disk is full the write fails in words; once there is room, writing goes on."""

    def limit(pages: int) -> Callable[[Connection], int]:
        def work(connection: Connection) -> int:
            used = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())
            connection.exec_driver_sql(f"PRAGMA max_page_count={used + pages}").scalar_one()
            return used

        return work

    await journal.write(limit(2))
    with pytest.raises(StateError, match="full"):
        await journal.write(put("big", "x" * 100_000))
    await journal.write(put("small"))
    await journal.write(limit(1000))
    await journal.write(put("big", "x" * 100_000))
    assert await journal.read(keys) == ["big", "small"]


def reported_until_killed(path: Path, seconds: float) -> list[str]:
    """Run the writing child, kill it after so long, and return the ids it reported."""
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(CHILD.parents[3])},
    )
    assert child.stdout is not None
    first = child.stdout.readline()
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    lines = (first + rest).decode().split("\n")
    return lines[:-1]


def test_law_6_kill_dash_nine_loses_no_event_that_was_reported(tmp_path: Path) -> None:
    """Killed at random moments, no id reported as committed is missing and the file is whole."""
    path = tmp_path / "journal.db"
    moments = random.Random(6)
    reported: set[str] = set()
    for _ in range(5):
        reported.update(reported_until_killed(path, moments.uniform(0.0, 0.15)))
        engine = open_engine(path)
        with engine.begin() as connection:
            kept = set(connection.scalars(select(events.c.id)))
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
            count = connection.scalar(select(func.count()).select_from(events))
        engine.dispose()
        assert reported <= kept
        assert count == len(kept)
    assert len(reported) > 20
