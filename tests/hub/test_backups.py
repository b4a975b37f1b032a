"""The hub backs itself up each hour, says when it cannot, and stops at once when it must."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from hub import backups
from hub.backups import LOOK_EACH_S, SETTLE_S, STUCK_S, Backups
from hub.config import BackupSettings
from hub.events import Event
from hub.storage import backup
from hub.storage.backup import create
from hub.storage.backup_shelf import ALWAYS_KEPT, Shelf
from hub.storage.folder import StateFolder
from hub.storage.journal import open_engine
from hub.testing import FakeClock

HOUR = 3600.0


class Kept:
    """A hub's backups on a clock of the test's, with the events they publish."""

    def __init__(self, path: Path, clock: FakeClock | None = None) -> None:
        self.state = StateFolder(path / "state")
        self.state.open()
        open_engine(self.state.journal).dispose()
        self.clock = clock or FakeClock()
        self.settings = BackupSettings(folder=path / "backups")
        self.events: list[Event] = []
        self.degraded = self.hangs = False
        self.backups = Backups(
            self.state,
            self.clock,
            self.publish,
            lambda: self.settings,
            lambda: not self.degraded,
        )
        self.shelf = Shelf(path / "backups")

    async def publish(self, *events: Event) -> None:
        self.events.extend(events)

    async def pass_time(self, seconds: float, until: Callable[[], bool]) -> None:
        """Let so much time pass, in which the thread does what it has to, unless it `hangs`."""
        while seconds > 0:
            await self.clock.advance(min(seconds, LOOK_EACH_S))
            seconds -= LOOK_EACH_S
            await _until(lambda: self.hangs or not self.backups._work)
        await _until(until)
        await asyncio.sleep(0.02)

    def count(self, wanted: int) -> Callable[[], bool]:
        return lambda: len(self.shelf.every()) == wanted


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(kept: Kept) -> AsyncIterator[Kept]:
    task = asyncio.create_task(kept.backups.run())
    try:
        yield kept
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_first_backup_comes_soon_and_then_one_each_hour(tmp_path: Path) -> None:
    """After a minute to settle, and then as often as it is set."""
    async with running(Kept(tmp_path)) as kept:
        assert kept.backups.view() == {"every": "1h", "last": None, "trouble": ""}
        await kept.pass_time(SETTLE_S + 1, kept.count(1))
        await kept.pass_time(HOUR - 100, kept.count(1))
        await kept.pass_time(200, kept.count(2))
        (newest, first) = kept.shelf.every()
        assert newest.manifest is not None
        assert first.manifest is not None
        assert newest.manifest.by == "the hub"
        assert newest.manifest.time - first.manifest.time >= timedelta(hours=1)
        assert kept.backups.view()["last"] is not None
        assert kept.events == []


async def test_a_restart_does_not_begin_the_hour_anew(tmp_path: Path) -> None:
    """Half an hour after the last backup the next one is due in half an hour."""
    kept = Kept(tmp_path)
    create(kept.state, kept.shelf, kept.clock, "an earlier run")
    await kept.clock.advance(HOUR / 2)
    async with running(kept):
        await kept.pass_time(HOUR / 2 - 100, kept.count(1))
        await kept.pass_time(200, kept.count(2))


async def test_off_means_none(tmp_path: Path) -> None:
    """And takes hold while the hub runs, as a changed configuration does."""
    async with running(Kept(tmp_path)) as kept:
        await kept.pass_time(SETTLE_S + 1, kept.count(1))
        kept.settings = BackupSettings(folder=tmp_path / "backups", every="off")
        await kept.pass_time(10 * HOUR, kept.count(1))
        assert kept.backups.view()["every"] == "off"
        kept.settings = BackupSettings(folder=tmp_path / "backups")
        await kept.pass_time(100, kept.count(2))


async def test_a_failure_is_an_event_and_stands_in_health_until_it_is_mended(
    tmp_path: Path,
) -> None:
    """Once, not every ten minutes; and the first that works again says so."""
    async with running(Kept(tmp_path)) as kept:
        (tmp_path / "backups").write_text("a file where the folder should be")
        await kept.pass_time(SETTLE_S + 1, lambda: bool(kept.events))
        await kept.pass_time(HOUR, lambda: True)
        assert [event.type for event in kept.events] == ["backup.failed"]
        assert "backups" in kept.events[0].data["reason"]
        assert kept.backups.view()["trouble"] == kept.events[0].data["reason"]
        (tmp_path / "backups").unlink()
        await kept.pass_time(650, kept.count(1))
        await kept.pass_time(1, lambda: len(kept.events) == 2)
        assert kept.events[1].type == "backup.recovered"
        assert kept.backups.view()["trouble"] == ""


async def test_old_ones_go_but_not_while_the_hub_is_degraded(tmp_path: Path) -> None:
    """Nothing destructive runs while what runs is not what the file says."""
    kept = Kept(tmp_path)
    first = create(kept.state, kept.shelf, kept.clock, "tests")
    for number in range(ALWAYS_KEPT + 5):
        shutil.copytree(first.path, kept.shelf.folder / f"backup-20260301T{number:06}Z")
    kept.degraded = True
    async with running(kept):
        await kept.pass_time(HOUR + 100, kept.count(ALWAYS_KEPT + 7))
        kept.degraded = False
        await kept.pass_time(HOUR + 100, kept.count(ALWAYS_KEPT + 1))


async def test_another_backup_under_way_is_no_failure(tmp_path: Path) -> None:
    """Somebody makes one by hand: the hub makes its own soon after."""
    async with running(Kept(tmp_path)) as kept:
        with kept.shelf.alone():
            await kept.pass_time(SETTLE_S + 1, lambda: True)
            await kept.pass_time(60, lambda: True)
        assert kept.events == []
        await kept.pass_time(60, kept.count(1))


async def test_a_hub_that_stops_gives_up_a_backup_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for gigabytes, and leaves nothing half made."""
    kept = Kept(tmp_path)
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    copy = backup.copy_database

    def slow(*arguments: object, **named: object) -> object:
        loop.call_soon_threadsafe(began.set)
        told = named["told"]
        while True:
            told("copying", 1, 10**12)  # type: ignore[operator]
            time.sleep(0.001)
        return copy(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(backup, "copy_database", slow)
    async with asyncio.timeout(20), running(kept):
        await kept.clock.advance(SETTLE_S + 1)
        await began.wait()
    assert kept.shelf.every() == []
    assert [path.name for path in kept.shelf.folder.iterdir()] == ["backups.lock"]


def silent_share(folder: Path) -> Callable[[], None]:
    """A folder of backups that does not answer when the newest is looked at; returns what makes it
    answer again.
    """
    where = folder / "backup-20260301T000000Z"
    where.mkdir(parents=True)
    os.mkfifo(where / "manifest.json")

    def answer() -> None:
        deadline = time.monotonic() + 20
        while True:
            with suppress(OSError):  # nobody has begun to wait for it yet
                os.close(os.open(where / "manifest.json", os.O_WRONLY | os.O_NONBLOCK))
                shutil.rmtree(where)
                return
            assert time.monotonic() < deadline
            time.sleep(0.005)

    return answer


@asynccontextmanager
async def hanging(path: Path) -> AsyncIterator[Kept]:
    """Backups that run and wait for a share that does not answer; how long they take to stop is
    bounded.
    """
    kept = Kept(path)
    answer, kept.hangs = silent_share(path / "backups"), True
    try:
        async with asyncio.timeout(30), running(kept):
            await kept.pass_time(SETTLE_S + 1, lambda: True)
            yield kept
    finally:
        answer()


async def test_a_share_that_does_not_answer_is_told_and_so_is_that_it_does_again(
    tmp_path: Path,
) -> None:
    """After ten minutes in which nothing moved, once; nothing piles up meanwhile, and when it
    answers a backup is made.
    """
    kept = Kept(tmp_path)
    answer, kept.hangs = silent_share(tmp_path / "backups"), True
    before = threading.active_count()
    async with running(kept):
        await kept.pass_time(SETTLE_S + 1, lambda: True)
        await kept.pass_time(STUCK_S - 60, lambda: True)
        assert kept.events == []
        await kept.pass_time(90, lambda: bool(kept.events))
        await kept.pass_time(5 * HOUR, lambda: True)
        assert [event.type for event in kept.events] == ["backup.failed"]
        assert (
            "backups does not answer: nothing has moved there for 10m"
            in (kept.backups.view()["trouble"])
        )
        assert threading.active_count() <= before + 1
        answer()
        kept.hangs = False
        await kept.pass_time(HOUR, kept.count(1))
        await kept.pass_time(1, lambda: len(kept.events) == 2)
        assert kept.events[1].type == "backup.recovered"
        assert kept.backups.view()["trouble"] == ""


async def test_another_folder_is_used_although_the_share_never_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names another one has to start nothing anew."""
    monkeypatch.setattr(backups, "LEAVE_WITHIN_S", 0.05)
    async with hanging(tmp_path) as kept:
        await kept.pass_time(STUCK_S + 60, lambda: bool(kept.events))
        kept.settings = BackupSettings(folder=tmp_path / "elsewhere")
        kept.shelf = Shelf(tmp_path / "elsewhere")
        await kept.pass_time(HOUR, lambda: len(kept.events) == 2)
        assert len(kept.shelf.every()) == 1
        assert kept.backups.view()["trouble"] == ""


async def test_a_hub_that_stops_waits_for_no_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that nothing can call back is left behind."""
    monkeypatch.setattr(backups, "LEAVE_WITHIN_S", 0.05)
    async with hanging(tmp_path):
        pass


async def test_a_share_that_is_gone_is_told_and_its_empty_folder_is_not_filled(
    tmp_path: Path,
) -> None:
    """What is left where it was lies on the disk of the journal. Once it is mounted again backups
    go on, without a start anew.
    """
    share = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        kept = Kept(tmp_path)
        assert share.stat().st_dev != tmp_path.stat().st_dev
        mounted = tmp_path / "mounted"
        mounted.symlink_to(share)
        kept.settings = BackupSettings(folder=mounted / "backups")
        kept.shelf = Shelf(share / "backups")
        async with running(kept):
            await kept.pass_time(SETTLE_S + 1, kept.count(1))
            mounted.unlink()
            mounted.mkdir()
            await kept.pass_time(HOUR + 60, lambda: bool(kept.events))
            assert [event.type for event in kept.events] == ["backup.failed"]
            assert "the share that was there is gone" in kept.backups.view()["trouble"]
            assert list(mounted.iterdir()) == []
            mounted.rmdir()
            mounted.symlink_to(share)
            await kept.pass_time(HOUR, kept.count(2))
            await kept.pass_time(1, lambda: len(kept.events) == 2)
            assert kept.events[1].type == "backup.recovered"
    finally:
        shutil.rmtree(share)
