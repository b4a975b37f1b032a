"""The state folder: whether it takes what the hub must remember, and keeps it; and the journal."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.doctor.holder import running
from hub.threads import in_thread

GIB, MIB = 1 << 30, 1 << 20
LOW_BYTES, LOW_SHARE, LEAST_BYTES = 5 * GIB, 0.10, 500 * MIB
SLOW_SYNC_S = 0.1
NETWORK = ("nfs", "cifs", "smb", "9p", "ceph", "afs", "gluster", "fuse.", "lustre", "ocfs2", "gfs2")
IN_MEMORY = ("tmpfs", "ramfs")
IN_LAYERS = ("overlay", "aufs", "fuse.unionfs")
ANOTHER = "put it on a local disk with --state DIR"
CHECK_STEPS = 10_000


def probes(given: Given) -> list[Probe]:
    """The folder, its room, its disk, who may look in, and the journal."""
    path = given.asked.state.absolute()
    return [
        Probe("state folder", "writing", partial(_writing, path)),
        Probe("state folder", "room", partial(_room, path)),
        Probe("state folder", "disk", partial(_disk, path)),
        Probe("state folder", "access", partial(_access, path)),
        Probe("state folder", "journal", partial(_journal, given)),
    ]


def _standing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


async def _writing(path: Path) -> AsyncIterator[Finding]:
    folder = await in_thread(lambda: _standing(path))
    new = folder != path
    try:
        seconds = await in_thread(lambda: _sync(folder))
    except OSError as error:
        does = f"cannot be made in {folder}" if new else "cannot be written"
        remedy = "give a folder that this user may write with --state, or correct its owner"
        yield bad(f"{path} {does}: {error.strerror}", remedy)
        return
    told = f"{path} {'can be made' if new else 'can be written'}"
    told += f", one write on the disk took {seconds * 1000:.1f} ms"
    if seconds > SLOW_SYNC_S:
        yield warn(told, "use a faster disk: each alert waits for one such write")
    else:
        yield ok(told)


def _sync(folder: Path) -> float:
    """How many seconds a small write takes until it is on the disk; leaves no file behind."""
    with TemporaryFile(dir=folder) as file:
        file.write(b"x" * 4096)
        file.flush()
        began = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - began


async def _room(path: Path) -> AsyncIterator[Finding]:
    usage = await in_thread(lambda: shutil.disk_usage(_standing(path)))
    yield room(usage.free, usage.total)


def room(free: int, total: int) -> Finding:
    """Whether so many free bytes, of so many, are enough."""
    share = free / total if total else 0.0
    told = f"{free / GIB:.1f} GB free, {share:.0%} of the disk"
    if free < LEAST_BYTES:
        return bad(told, "make room on the disk: nothing more can be written down soon")
    if free < LOW_BYTES or share < LOW_SHARE:
        return warn(told, "make room on the disk")
    return ok(told)


async def _disk(path: Path) -> AsyncIterator[Finding]:
    yield disk(await in_thread(lambda: _mounted(path)))


def _mounted(path: Path) -> str:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    return mount_type(mounts, _standing(path).resolve())


def mount_type(mounts: str, folder: Path) -> str:
    """The file system that holds a folder, from the text of /proc/self/mountinfo (proc(5))."""
    best, kind = Path("/"), "unknown"
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        parts, types = left.split(), right.split()
        if len(parts) < 5 or not types:
            continue
        point = Path(parts[4].encode().decode("unicode_escape"))
        if folder.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, types[0]
    return kind


def disk(kind: str) -> Finding:
    """Whether a file system of this kind keeps what was written when the power goes."""
    if kind in IN_MEMORY:
        return warn(f"{kind}: it lies in memory and is gone at the next start", ANOTHER)
    if kind.startswith(NETWORK):
        told = f"{kind}: over a network neither locks nor writes are certain"
        return warn(told, ANOTHER)
    if kind in IN_LAYERS:
        told = f"{kind}: what is written may go with the container or at the next start"
        return warn(told, "mount a volume of a local disk there")
    return ok(kind)


async def _access(path: Path) -> AsyncIterator[Finding]:
    try:
        found = await in_thread(path.stat)
    except (FileNotFoundError, NotADirectoryError):
        yield ok("not there yet; the hub makes it for its own user alone")
        return
    if found.st_uid != os.geteuid():
        remedy = f"run doctor as that user: sudo -u '#{found.st_uid}' vestibule doctor …"
        yield warn(f"it belongs to user number {found.st_uid}, not to this one", remedy)
    if found.st_mode & 0o077:
        told = f"other users may look in (mode {found.st_mode & 0o777:o})"
        yield warn(told, f"keep it to its owner: chmod 700 {path}")
    elif found.st_uid == os.geteuid():
        yield ok("for its owner alone")


async def _journal(given: Given) -> AsyncIterator[Finding]:
    file = given.folder.journal
    if not await in_thread(file.exists):
        yield ok("none yet; the hub makes it")
        return
    beside = await in_thread(lambda: running(given.folder)) is not None
    try:
        said = await in_thread(lambda: quick_check(file, beside, given.asked.limit * 0.8))
    except sqlite3.Error as error:
        said = str(error)
    size = await in_thread(lambda: file.stat().st_size) / MIB
    if said == "ok":
        yield ok(f"{size:.1f} MB, sound{', in use by the running hub' if beside else ''}")
    elif said == "":
        yield warn(f"{size:.1f} MB; checking it took too long", "give doctor more time: --timeout")
    else:
        remedy = (
            "stop the hub and go back to a backup with `vestibule backup restore`; without one, "
            "move the journal and its -wal and -shm to a safe place and start anew"
        )
        yield bad(f"the journal {file} is not sound ({said.splitlines()[0]})", remedy)


def quick_check(file: Path, beside: bool, within: float) -> str:
    """What SQLite says of the file: "ok", what is wrong, or "" when there was no time to tell.

    Nothing is written: without a hub and without a log of its own the file is opened as one that
    cannot change, since SQLite would make that log otherwise.
    """
    quiet = not beside and not file.with_name(f"{file.name}-wal").exists()
    address = f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' if quiet else ''}"
    last = time.monotonic() + within
    with closing(sqlite3.connect(address, uri=True, timeout=within)) as connection:
        connection.execute("PRAGMA query_only=ON")
        connection.set_progress_handler(lambda: time.monotonic() > last, CHECK_STEPS)
        try:
            return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return ""
            raise
