"""Backups: made beside a writer, whole or not at all, and told apart from what is not one."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import Connection, insert

from hub.clock import iso
from hub.errors import StateError
from hub.events import new_id
from hub.storage import backup, backup_copy
from hub.storage.backup import create
from hub.storage.backup_copy import copy_database
from hub.storage.backup_manifest import JOURNAL, MANIFEST, SUMS, read_manifest
from hub.storage.backup_shelf import ALWAYS_KEPT, BackupUnderWay, Shelf
from hub.storage.backup_verify import problems
from hub.storage.folder import StateFolder
from hub.storage.journal import Journal, open_engine
from hub.storage.schema import alerts, events
from hub.testing import FakeClock

CHILD = Path(__file__).with_name("killed_child.py")
PICTURE = "0123456789abcdef0123456789abcdef.jpg"
BEGAN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def add_events(connection: Connection, count: int, text: str = "{}") -> None:
    """So many events of a second each."""
    stamp = iso(BEGAN)
    connection.execute(
        insert(events),
        [
            {
                "id": new_id(),
                "type": "zone.entered",
                "source": "camera/hall",
                "subject": "hall",
                "time": stamp,
                "received": stamp,
                "data": text,
            }
            for _ in range(count)
        ],
    )


def add_alert(connection: Connection, picture: str) -> None:
    """An open alert that shows a picture."""
    texts = ("rule", "scope", "title", "severity", "state", "place", "camera", "door", "event")
    more = ("opened", "updated", "announced", "incident", "matched", "label", "could_be", "plan")
    row: dict[str, object] = dict.fromkeys((*texts, *more), "")
    connection.execute(
        insert(alerts),
        row | {"id": new_id(), "count": 1, "guessing": False, "picture": picture},
    )


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A state folder as a hub leaves it: journal, a picture, a configuration, a desk's visits."""
    folder = StateFolder(tmp_path / "state")
    folder.open()
    engine = open_engine(folder.journal)
    with engine.begin() as connection:
        add_events(connection, 500)
        add_alert(connection, PICTURE)
    engine.dispose()
    (folder.media / PICTURE).write_bytes(b"picture" * 1000)
    (folder.media / "loose.jpg").write_bytes(b"nobody shows this one")
    (folder.configs / "abc").mkdir(parents=True)
    (folder.configs / "abc" / "school.yaml").write_text("hub: {name: School}\n")
    (folder.path / "visitors" / "desk").mkdir(parents=True)
    (folder.path / "visitors" / "desk" / "visits.json").write_text('{"v1": "here"}')
    return folder


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "backups")


def test_a_backup_holds_what_cannot_be_made_again(state: StateFolder, shelf: Shelf) -> None:
    """Journal, shown pictures, configurations and drivers' files; no caches, no loose pictures."""
    made = create(state, shelf, FakeClock(), "tests")
    assert made.manifest is not None
    assert set(made.manifest.files) == {
        JOURNAL,
        f"media/{PICTURE}",
        "config/abc/school.yaml",
        "visitors/desk/visits.json",
    }
    assert made.manifest.rows["events"] == 500
    assert made.manifest.last_seq == 500
    assert made.manifest.by == "tests"
    assert made.manifest.time == FakeClock().now()
    assert (made.path / "visitors/desk/visits.json").read_text() == '{"v1": "here"}'
    assert problems(made.path, made.manifest) == {}
    assert [each.name for each in shelf.every()] == [made.name]


def test_a_backup_is_for_its_owner_alone(state: StateFolder, shelf: Shelf) -> None:
    """Password hashes and what people did are in it: 600 for each file, 700 for each folder."""
    create(state, shelf, FakeClock(), "tests")
    for path in (shelf.folder, *shelf.folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_picture_that_cannot_be_read_does_not_stop_the_journal(
    state: StateFolder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing disk is when a backup is needed: the bad file is named, the rest is kept."""

    def failing(stream: BinaryIO) -> Iterator[bytes]:
        if str(stream.name).endswith(".jpg"):
            raise backup_copy.Unreadable("Input/output error")
        yield stream.read()

    monkeypatch.setattr(backup_copy, "_chunks", failing)
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    made = create(state, shelf, FakeClock(), "tests")
    assert made.manifest is not None
    assert made.manifest.left_out == {f"media/{PICTURE}": "it cannot be read: Input/output error"}
    assert not (made.path / "media" / PICTURE).exists()
    assert problems(made.path, made.manifest) == {}
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files


def test_a_picture_that_spoilt_in_a_backup_is_copied_anew(state: StateFolder, shelf: Shelf) -> None:
    """A bit that turned over in one backup does not go into every later one."""
    first = create(state, shelf, FakeClock(), "tests")
    (first.path / "media" / PICTURE).write_bytes(b"PICTURE" * 1000)
    second = create(state, shelf, FakeClock(), "tests")
    assert second.manifest is not None
    assert (second.path / "media" / PICTURE).read_bytes() == b"picture" * 1000
    assert problems(second.path, second.manifest) == {}


def test_a_folder_that_cannot_be_locked_is_told(
    state: StateFolder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network share without locks gives a sentence, not a traceback."""

    def no_locks(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StateError, match=r"no backup can be made in .*: No locks available"):
        create(state, shelf, FakeClock(), "tests")


def test_files_leave_the_last_room_to_the_journal(
    state: StateFolder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are not copied into the room that events need, and nothing half made stays."""
    usage = shutil.disk_usage(state.path)
    found = iter([usage] + [usage._replace(free=1 << 20)] * 20)
    monkeypatch.setattr(backup.shutil, "disk_usage", lambda path: next(found))
    with pytest.raises(StateError, match="the disk is full"):
        create(state, shelf, FakeClock(), "tests")
    assert shelf.every() == []


def test_the_check_sums_are_those_of_every_machine(state: StateFolder, shelf: Shelf) -> None:
    """`sha256sum -c` verifies a backup where there is no Vestibule."""
    made = create(state, shelf, FakeClock(), "tests")
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", SUMS], cwd=made.path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": OK") == 5


def test_the_next_backup_shares_the_pictures_of_the_last(state: StateFolder, shelf: Shelf) -> None:
    """A picture that does not change takes its room once, however many backups hold it."""
    first = create(state, shelf, FakeClock(), "tests")
    second = create(state, shelf, FakeClock(), "tests")
    name = f"media/{PICTURE}"
    assert (first.path / name).samefile(second.path / name)
    assert not (first.path / name).samefile(state.media / PICTURE)
    assert second.manifest is not None
    assert problems(second.path, second.manifest) == {}


def test_a_missing_picture_is_named_and_stops_nothing(state: StateFolder, shelf: Shelf) -> None:
    """The journal is worth more than a picture that somebody deleted."""
    (state.media / PICTURE).unlink()
    made = create(state, shelf, FakeClock(), "tests")
    assert made.manifest is not None
    assert made.manifest.left_out == {f"media/{PICTURE}": "it is not there"}


async def test_a_backup_beside_a_writer_is_one_moment(state: StateFolder, shelf: Shelf) -> None:
    """While hundreds of commits come in between its steps it neither waits nor begins anew."""
    journal = Journal(state.journal)
    await journal.open()
    text = json.dumps({"pad": "x" * 2000})
    await journal.write(lambda c: add_events(c, 3000, text))
    steps: list[int] = []
    stepped, go_on = threading.Event(), threading.Event()

    def told(what: str, done: int, total: int) -> None:
        if what == "copying":
            steps.append(done)
            stepped.set()
            go_on.wait(5)
            go_on.clear()

    making = asyncio.create_task(
        asyncio.to_thread(create, state, shelf, FakeClock(), "tests", told=told, pause=0.0)
    )
    for _ in range(3):  # the copying stands still inside its snapshot meanwhile
        await asyncio.to_thread(stepped.wait, 5)
        stepped.clear()
        await asyncio.wait_for(journal.write(lambda c: add_events(c, 50, text)), 5)
        go_on.set()
    while not making.done():
        go_on.set()
        await asyncio.sleep(0)
    made = await making
    await journal.close()
    assert made.manifest is not None
    assert made.manifest.rows["events"] == 3500
    assert steps == sorted(set(steps)), "the copy never began anew"
    assert len(steps) > 3
    assert problems(made.path, made.manifest) == {}


def test_a_backup_that_is_called_off_leaves_nothing(state: StateFolder, shelf: Shelf) -> None:
    """In whichever part it is: copying, reading back, checking, or the other files."""
    parts: set[str] = set()

    def note(what: str, done: int, total: int) -> None:
        parts.add(what)

    whole = create(state, shelf, FakeClock(), "tests", told=note)
    shutil.rmtree(whole.path)
    assert parts >= {"copying", "reading back", "pictures", "files"}
    for part in sorted(parts):

        def told(what: str, done: int, total: int, part: str = part) -> None:
            if what == part:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            create(state, shelf, FakeClock(), "tests", told=told)
        assert [path.name for path in shelf.folder.iterdir()] == ["backups.lock"]


def test_a_check_that_is_called_off_is_no_finding(
    state: StateFolder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that stops while SQLite checks the copy does not report a broken journal."""
    monkeypatch.setattr(backup, "LOOK_EACH_STEPS", 10)

    def told(what: str, done: int, total: int) -> None:
        if what == "checking":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        create(state, shelf, FakeClock(), "tests", told=told)


def test_two_backups_at_once_are_one(state: StateFolder, shelf: Shelf) -> None:
    """The second is told that another is under way, and disturbs it in nothing."""

    def told(what: str, done: int, total: int) -> None:
        with pytest.raises(BackupUnderWay, match="another backup is being made"):
            create(state, Shelf(shelf.folder), FakeClock(), "another")

    made = create(state, shelf, FakeClock(), "tests", told=told)
    assert made.manifest is not None
    assert problems(made.path, made.manifest) == {}
    assert len(shelf.every()) == 1


def test_what_a_killed_backup_left_is_cleared_away(state: StateFolder, shelf: Shelf) -> None:
    """Half a backup never looks like one, and goes with the next."""
    shelf.folder.mkdir()
    half = shelf.folder / ".part-20260302T080000Z"
    half.mkdir()
    (half / JOURNAL).write_bytes(b"half")
    assert shelf.every() == []
    create(state, shelf, FakeClock(), "tests")
    assert not half.exists()


def test_a_full_disk_is_said_and_leaves_nothing(
    state: StateFolder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last room belongs to the journal: a backup does not even begin."""
    monkeypatch.setattr(backup, "SPARE_BYTES", 1 << 60)
    with pytest.raises(StateError, match=r"it needs \d+ MB and the disk has less. Make room"):
        create(state, shelf, FakeClock(), "tests")
    assert shelf.every() == []


def test_killed_before_any_change_of_the_disk_it_is_whole_or_not_there(
    state: StateFolder, shelf: Shelf, tmp_path: Path
) -> None:
    """A backup that dies before each of its changes in turn: what has a name can be restored, the
    one before is untouched, and the next works.
    """
    create(state, Shelf(state.backups), FakeClock(), "before")
    copies = tmp_path / "copies"
    copies.mkdir()
    folders = [str(state.path), str(shelf.folder), str(copies)]
    subprocess.run([sys.executable, str(CHILD), "create", *folders], check=True, timeout=120)
    counts = []
    for number in range(len(list(copies.iterdir()))):
        copy = StateFolder(copies / str(number + 1))
        found = Shelf(copy.backups).every()
        counts.append(len(found))
        for each in found:
            assert each.manifest is not None, each.trouble
            assert problems(each.path, each.manifest) == {}
        create(copy, Shelf(copy.backups), FakeClock(), "after")
        assert not [path for path in copy.backups.iterdir() if path.name.startswith(".")]
    assert counts == [1] * (len(counts) - 1) + [2]
    assert len(counts) > 10


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A real file system of 300 KB."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system: run the tests as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(state: StateFolder, tmp_path: Path) -> None:
    """It is full half way through."""
    engine = open_engine(state.journal)
    with engine.begin() as connection:
        add_events(connection, 1000, json.dumps({"pad": "x" * 1000}))
    engine.dispose()
    with small_disk(tmp_path / "small") as small, pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup, "_refuse_without_room", lambda state, shelf: None)
        with pytest.raises(StateError, match="the disk is full; make room"):
            create(state, Shelf(small), FakeClock(), "tests")
        assert [path.name for path in small.iterdir()] == ["backups.lock"]


def test_a_disk_that_cannot_be_written_is_named(state: StateFolder, tmp_path: Path) -> None:
    """Read-only, as a disk becomes that is about to die."""
    with small_disk(tmp_path / "small") as small:
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        with pytest.raises(StateError, match="small: Read-only file system"):
            create(state, Shelf(small), FakeClock(), "tests")


def test_a_folder_that_cannot_be_written_is_named(state: StateFolder, tmp_path: Path) -> None:
    """Which folder, why, and where to name another."""
    (tmp_path / "file").write_text("a file, no folder")
    with pytest.raises(StateError, match=r"no backup can be made in .*file.*hub\.backup\.folder"):
        create(state, Shelf(tmp_path / "file"), FakeClock(), "tests")


def test_a_state_without_a_journal_has_no_backup(tmp_path: Path, shelf: Shelf) -> None:
    """There is nothing to keep yet, and nothing is made."""
    with pytest.raises(StateError, match="nothing to keep"):
        create(StateFolder(tmp_path / "empty"), shelf, FakeClock(), "tests")
    assert not shelf.folder.exists()


def test_a_journal_of_a_newer_version_is_not_backed_up(state: StateFolder, shelf: Shelf) -> None:
    """Nobody could restore it with what made it: refused in a sentence, and nothing is left."""
    with closing(sqlite3.connect(state.journal)) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(StateError, match="written by a newer Vestibule"):
        create(state, shelf, FakeClock(), "tests")
    assert shelf.every() == []


def test_a_damaged_journal_is_not_backed_up(state: StateFolder, shelf: Shelf) -> None:
    """A copy of a broken journal would push out the good ones."""
    size = state.journal.stat().st_size
    with state.journal.open("r+b") as file:
        for page in range(3, size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(200))
    with pytest.raises(StateError, match="no backup"):
        create(state, shelf, FakeClock(), "tests")
    assert shelf.every() == []


def test_every_flipped_or_missing_byte_is_found(state: StateFolder, shelf: Shelf) -> None:
    """One byte changed or cut off, in whichever file, is named with the file."""
    made = create(state, shelf, FakeClock(), "tests")
    assert made.manifest is not None
    for name in made.manifest.files:
        file = made.path / name
        good = file.read_bytes()
        file.write_bytes(good[:-1])
        assert list(problems(made.path, made.manifest)) == [name]
        middle = len(good) // 2
        file.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
        assert list(problems(made.path, made.manifest)) == [name]
        file.unlink()
        assert list(problems(made.path, made.manifest)) == [name]
        file.write_bytes(good)
    assert problems(made.path, made.manifest) == {}


@pytest.mark.parametrize("file", [MANIFEST, SUMS])
def test_a_manifest_that_was_touched_is_not_believed(
    file: str, state: StateFolder, shelf: Shelf
) -> None:
    """Flipped, cut off, emptied or gone: the backup is damaged, in words."""
    made = create(state, shelf, FakeClock(), "tests")
    good = (made.path / file).read_bytes()
    for bad in (good[:-30], b"", b"\xff\xfe" + good, good.replace(b'"rows"', b'"row5"'), b"{}"):
        if bad == good:
            continue
        (made.path / file).write_bytes(bad)
        with pytest.raises(StateError, match="is damaged"):
            read_manifest(made.path)
        (listed,) = shelf.every()
        assert listed.manifest is None
        assert "is damaged" in listed.trouble
    assert shelf.newest() is None


def test_a_manifest_cannot_name_files_elsewhere(state: StateFolder, shelf: Shelf) -> None:
    """A restore writes only what belongs to a state folder, whatever a manifest says."""
    made = create(state, shelf, FakeClock(), "tests")
    said = json.loads((made.path / MANIFEST).read_text())
    stored = said["files"][JOURNAL]
    for name in ("../evil", "/etc/passwd", "config/../../evil", "run/control.sock", "hub.lock", ""):
        said["files"] = {JOURNAL: stored, name: stored}
        resign(made.path, said)
        with pytest.raises(StateError, match="belongs to no backup"):
            read_manifest(made.path)


def resign(folder: Path, said: dict[str, object]) -> None:
    """Write a manifest anew, with check sums that fit it."""
    (folder / MANIFEST).write_text(json.dumps(said))
    done = subprocess.run(
        ["sha256sum", MANIFEST], cwd=folder, capture_output=True, text=True, check=True
    )
    (folder / SUMS).write_text(done.stdout)


@pytest.mark.parametrize(("key", "value"), [("format", 2), ("schema_version", 999)])
def test_a_newer_backup_is_refused_in_one_sentence(
    key: str, value: int, state: StateFolder, shelf: Shelf
) -> None:
    """By its format or by its journal: which Vestibule made it, and that this one is too old."""
    made = create(state, shelf, FakeClock(), "tests")
    said = json.loads((made.path / MANIFEST).read_text()) | {"version": "9.0", "new_key": 1}
    said[key] = value
    resign(made.path, said)
    with pytest.raises(StateError, match=r"made by a newer Vestibule \(9\.0.*Restore it with"):
        read_manifest(made.path)


def test_what_is_no_backup_is_said_to_be_none(tmp_path: Path, shelf: Shelf) -> None:
    """A folder without a manifest, a file, and a name that is nowhere."""
    with pytest.raises(StateError, match=r"is no backup: it has no manifest\.json"):
        read_manifest(tmp_path)
    (tmp_path / "picture.jpg").write_bytes(b"")
    with pytest.raises(StateError, match="is no backup: a backup is a folder"):
        shelf.find(str(tmp_path / "picture.jpg"))
    with pytest.raises(StateError, match="there is no backup backup-2020"):
        shelf.find("backup-2020")


def many(state: StateFolder, shelf: Shelf, hours: int) -> FakeClock:
    """A backup an hour, made by one copy and many names."""
    clock = FakeClock(BEGAN)
    first = create(state, shelf, clock, "tests")
    said = json.loads((first.path / MANIFEST).read_text())
    for hour in range(1, hours):
        time = BEGAN + timedelta(hours=hour)
        folder = shelf.folder / f"backup-{time.strftime('%Y%m%dT%H%M%SZ')}"
        folder.mkdir()
        resign(folder, said | {"time": iso(time)})
    return clock


def test_old_backups_are_thinned_to_one_a_day(state: StateFolder, shelf: Shelf) -> None:
    """The newest 24 stay, then the last of each day, until `keep` is over."""
    many(state, shelf, hours=24 * 5)
    now = BEGAN + timedelta(hours=24 * 5)
    shelf.thin(now, timedelta(days=3))
    times = [each.manifest.time for each in shelf.every() if each.manifest]
    assert times[:ALWAYS_KEPT] == [now - timedelta(hours=hour) for hour in range(1, 25)]
    older = times[ALWAYS_KEPT:]
    assert [time.date() for time in older] == [
        now.date() - timedelta(days=1),
        now.date() - timedelta(days=2),
        now.date() - timedelta(days=3),
    ]
    assert all(time.hour == 23 for time in older[1:])
    assert shelf.thin(now, timedelta(days=3)) == []


def test_a_clock_that_jumps_takes_no_more_than_it_may(state: StateFolder, shelf: Shelf) -> None:
    """A clock that is years ahead for a moment leaves what it would leave without: the newest 24,
    and the last of as many days as are kept.
    """
    many(state, shelf, hours=24 * 5)
    shelf.thin(BEGAN + timedelta(days=4000), timedelta(days=3))
    older = [each.manifest.time for each in shelf.every() if each.manifest][ALWAYS_KEPT:]
    assert [(BEGAN + timedelta(days=5) - time).days for time in older] == [1, 1, 2]
    assert len({time.date() for time in older}) == 3


def test_what_cannot_be_read_is_not_thinned(state: StateFolder, shelf: Shelf) -> None:
    """Nobody knows what it is, so nobody deletes it."""
    many(state, shelf, hours=30)
    odd = shelf.folder / "backup-of-my-own"
    odd.mkdir()
    shelf.thin(BEGAN + timedelta(days=4000), timedelta(days=1))
    assert odd.exists()


def test_a_copy_is_whole_or_not_there(state: StateFolder, tmp_path: Path) -> None:
    """Called off half way, a copy leaves no file."""

    def told(what: str, done: int, total: int) -> None:
        raise ZeroDivisionError

    target = tmp_path / "copies" / "journal.db"
    target.parent.mkdir()
    with pytest.raises(ZeroDivisionError):
        copy_database(state.journal, target, told=told)
    assert list(target.parent.iterdir()) == []
    copy_database(state.journal, target)
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (500,)


def test_a_backup_leaves_the_locks_of_the_hub_alone(
    state: StateFolder, shelf: Shelf, tmp_path: Path
) -> None:
    """After a backup in the same process another one still cannot write under a transaction."""
    engine = open_engine(state.journal)
    with engine.begin() as connection:
        add_events(connection, 1)
        create(state, shelf, FakeClock(), "tests")
        code = (
            "import sqlite3, sys\n"
            f"c = sqlite3.connect({str(state.journal)!r}, timeout=0, isolation_level=None)\n"
            "c.execute('BEGIN IMMEDIATE')\n"
        )
        done = subprocess.run(["python3", "-c", code], capture_output=True, text=True)
        assert "locked" in done.stderr
    engine.dispose()


def test_what_came_in_meanwhile_does_not_burden_the_next_commit(
    state: StateFolder, tmp_path: Path
) -> None:
    """While the snapshot is held the log grows; the copying moves it into the database itself."""
    engine = open_engine(state.journal)
    with engine.connect() as writer:
        with writer.begin():
            add_events(writer, 4000, json.dumps({"pad": "x" * 500}))
        added = iter(range(3))

        def told(what: str, done: int, total: int) -> None:
            if next(added, None) is not None:
                with writer.begin():
                    add_events(writer, 4000, json.dumps({"pad": "x" * 500}))

        copy_database(state.journal, tmp_path / "copy.db", told=told)
        assert next(added, None) is None
        pages = int(writer.exec_driver_sql("PRAGMA page_count").scalar_one())
        assert state.journal.stat().st_size == pages * 4096
    engine.dispose()


def test_the_folder_is_free_again_after_a_failure(
    state: StateFolder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed backup keeps no lock."""
    monkeypatch.setattr(backup, "SPARE_BYTES", 1 << 60)
    with pytest.raises(StateError):
        create(state, shelf, FakeClock(), "tests")
    with (shelf.folder / "backups.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
