"""A disk that is full, read-only, failing or damaged is named, survived where it can be, and
nothing acts twice for it. The full and the read-only ones are real: a small file system of its own.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, func, insert, select

from hub.errors import StateError
from hub.storage import journal as journal_module
from hub.storage.database import open_engine
from hub.storage.journal import Journal
from hub.storage.schema import meta

ROOT = Path(__file__).resolve().parents[3]
CHILD = Path(__file__).with_name("small_disk_child.py")
MEGABYTES = 3


def own_disks() -> str:
    """What keeps this machine from mounting a file system of its own; empty when nothing does."""
    if shutil.which("unshare") is None:
        return "unshare (apt-get install util-linux)"
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "a kernel that lets users mount in their namespace"


def on_small_disk(folder: Path, mode: str) -> dict[str, Any]:
    """Run the child on a file system of three megabytes; returns what it printed."""
    if lack := own_disks():
        pytest.skip(f"needs {lack}")
    special = {"read-only": ",ro", "without files": ",nr_inodes=2"}
    options = f"size={MEGABYTES}m" + special.get(mode, "")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o {options} none "$1" && exec "$2" "$3" '
         '"$1" "$4"', "sh", folder, sys.executable, CHILD, mode],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/hub/safety'}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_disk_that_fills_up_is_named_and_survived(tmp_path: Path) -> None:
    """Events and commands are refused in words that say what to do, what is known can still be
    read, and once there is room the outcome that waited is written: the lock was asked once, the
    notice sent once.
    """
    found = on_small_disk(tmp_path, "filled")
    for words in (found["words"], found["command"]):
        assert "is full; make room, nothing else is needed" in words
    assert found["alerts"] == 1
    assert (found["asked"], found["sent"], found["state"]) == (1, 1, "confirmed")
    assert found["kept"] > 0


def test_law_6_a_press_is_written_down_on_a_disk_that_somebody_else_has_filled(
    tmp_path: Path,
) -> None:
    """Room is kept for that: half of it takes whatever comes, the rest what is urgent alone, over a
    kill and a start too; nothing that was taken is lost, and with room again it is kept anew.
    """
    found = on_small_disk(tmp_path, "reserved")
    assert found["kept"] == found["kept_again"] == 1 << 20
    assert found["common"] > 20
    assert found["common"] == found["before"]
    assert "what is left is for what is urgent; make room" in found["words"]
    assert found["refused"] == found["words"]
    assert (found["urgent"], found["more"], found["later"]) == (20, 20, 20)
    assert found["rows"] == found["common"] + 60


async def test_a_disk_that_fills_up_while_the_journal_is_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer has its connection before anybody may write: nobody waits for one that cannot
    begin.
    """

    def filling_up(path: Path, *, forward: bool) -> Engine:
        engine = open_engine(path, forward=forward)

        @event.listens_for(engine, "connect")
        def no_room(connection: sqlite3.Connection, record: object) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

        return engine

    monkeypatch.setattr(journal_module, "open_engine", filling_up)
    journal = Journal(tmp_path / "journal.db")
    with pytest.raises(StateError, match="is full; make room"):
        await journal.open()
    await journal.close()


def test_a_disk_without_room_is_named_at_the_start(tmp_path: Path) -> None:
    """A hub that finds no room does not start, and says that it is the room."""
    assert "is full" in on_small_disk(tmp_path, "full from the start")["words"]


def test_a_disk_without_room_for_a_file_is_named_at_the_start(tmp_path: Path) -> None:
    """Nobody looks for an owner where thousands of small files have used up the inodes."""
    words = on_small_disk(tmp_path, "without files")["words"]
    assert "no room for another file" in words
    assert "delete some, nothing else is needed" in words


def test_a_read_only_disk_is_named_at_the_start(tmp_path: Path) -> None:
    """A hub that cannot write its journal does not start, whoever it runs as."""
    assert "cannot be written" in on_small_disk(tmp_path, "read-only")["words"]


async def test_a_page_that_goes_bad_while_the_hub_runs_is_named(tmp_path: Path) -> None:
    """Whoever reads what is damaged is told so, and what to do; nothing else breaks."""

    def fill(connection: Connection) -> None:
        rows = [{"key": f"{n:06}", "value": "x" * 2000} for n in range(6000)]
        connection.execute(insert(meta), rows)

    def everything(connection: Connection) -> int:
        return int(connection.scalar(select(func.sum(func.length(meta.c.value)))) or 0)

    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    await journal.write(fill)
    await journal.close()
    journal = Journal(tmp_path / "journal.db")
    await journal.open()
    pages = journal.path.stat().st_size // 4096
    with journal.path.open("r+b") as file:
        file.seek(4096 * (pages // 3))
        file.write(random.Random(1).randbytes(4096 * (pages // 3)))
    with pytest.raises(StateError, match=r"damaged.*Stop Vestibule"):
        await journal.read(everything)
    await journal.close()
    with pytest.raises(StateError, match="damaged"):
        await Journal(tmp_path / "journal.db").open()
