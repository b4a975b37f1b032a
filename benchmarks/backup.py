"""How long commits wait while a backup is made of a large journal.

    python benchmarks/backup.py [--events 500000] [--rate 100] [--backups 3] [--folder DIR] [--json]

Fills a journal, then commits events one by one at the rate given, first alone and then beside
backups, in the process and the kind of thread that the hub makes them in. Waits are from handing an
event over until its commit is on the disk. `floor_s` is a plain copy of the journal, read and
written at once and synced, with nothing else running. DIR, on the disk to measure, gets a folder
that goes at the end; default is the system's temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from sqlalchemy import Connection, insert

from hub.backups import give_way
from hub.clock import SystemClock, iso
from hub.events import new_id
from hub.storage.backup import create
from hub.storage.backup_shelf import Backup, Shelf
from hub.storage.folder import StateFolder
from hub.storage.journal import Journal
from hub.storage.schema import events

BATCH = 5000
ALONE_S = 10.0
DATA = json.dumps(
    {"camera": "hall", "place": "science_wing", "label": "person", "score": 0.86}
    | {"box": [101.5, 42.0, 180.25, 310.0], "frame": [640, 360], "picture": f"{'a' * 32}.jpg"}
)


def event() -> dict[str, str]:
    """A person seen, as the pipeline writes it."""
    stamp = iso(SystemClock().now())
    row = {"id": new_id(), "type": "zone.entered", "source": "camera/hall", "subject": "hall"}
    return row | {"time": stamp, "received": stamp, "data": DATA}


def add(connection: Connection, rows: list[dict[str, str]]) -> None:
    """Write events in one transaction."""
    connection.execute(insert(events), rows)


async def commit_steadily(journal: Journal, rate: float, done: asyncio.Event) -> list[float]:
    """Commit single events at this rate until done; the seconds that each waited."""
    waits: list[float] = []
    due = time.perf_counter()
    while not done.is_set():
        due += 1.0 / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        row, began = event(), time.perf_counter()
        await journal.write(lambda connection, row=row: add(connection, [row]))
        waits.append(time.perf_counter() - began)
    return waits


async def measure(folder: Path, count: int, rate: float, backups: int) -> dict[str, Any]:
    """All of it."""
    state, shelf = StateFolder(folder / "state"), Shelf(folder / "backups")
    state.open()
    journal = Journal(state.journal)
    await journal.open()
    for begun in range(0, count, BATCH):
        rows = [event() for _ in range(min(BATCH, count - begun))]
        await journal.write(lambda connection, rows=rows: add(connection, rows))
    floor = await asyncio.to_thread(plain_copy, state.journal, folder / "plain")
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(ALONE_S, done.set)
    alone = await commit_steadily(journal, rate, done)
    threads = ThreadPoolExecutor(1, "backup", initializer=give_way)
    done, made = asyncio.Event(), list[Backup]()
    copied: list[float] = []

    def make() -> None:
        began = time.perf_counter()
        last = [0.0]

        def told(what: str, so_far: int, total: int) -> None:
            if what == "copying":
                last[0] = time.perf_counter() - began

        made.append(create(state, shelf, SystemClock(), "benchmark", told=told))
        copied.append(last[0])

    async def back_up() -> None:
        for _ in range(backups):
            await asyncio.get_running_loop().run_in_executor(threads, make)
        done.set()

    making = asyncio.create_task(back_up())
    beside = await commit_steadily(journal, rate, done)
    await making
    await journal.close()
    threads.shutdown()
    seconds = [each.manifest.seconds for each in made if each.manifest]
    return {
        "events": count,
        "journal_mb": round(state.journal.stat().st_size / (1 << 20), 1),
        "backup_s": [round(each, 2) for each in seconds],
        "copying_s": [round(each, 2) for each in copied],
        "floor_s": round(floor, 2),
        "commits_alone": figures(alone),
        "commits_beside_a_backup": figures(beside),
    }


def plain_copy(source: Path, target: Path) -> float:
    """Seconds to copy a file with nothing to it; the journal is idle meanwhile."""
    began = time.perf_counter()
    # A process of its own: closing the journal's file here would drop the hub's locks.
    os.spawnlp(os.P_WAIT, "cp", "cp", str(source), str(target))
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    target.unlink()
    return time.perf_counter() - began


def figures(waits: list[float]) -> dict[str, float]:
    """Waits in milliseconds."""
    cuts = quantiles(waits, n=1000)
    return {
        "commits": len(waits),
        "p50_ms": round(median(waits) * 1000, 2),
        "p99_ms": round(cuts[989] * 1000, 2),
        "longest_ms": round(max(waits) * 1000, 2),
    }


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--backups", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        found = asyncio.run(measure(folder, asked.events, asked.rate, asked.backups))
    finally:
        shutil.rmtree(folder)
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    main()
