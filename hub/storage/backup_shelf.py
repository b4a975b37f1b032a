"""The folder of backups: what there is, one writer at a time, and letting go of old ones."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub.clock import iso
from hub.errors import StateError
from hub.storage.backup_copy import sync_folder
from hub.storage.backup_manifest import Manifest, read_manifest

PREFIX, PART, GONE = "backup-", ".part-", ".gone-"
LOCK = "backups.lock"
ALWAYS_KEPT = 24


class BackupUnderWay(StateError):
    """Somebody else makes a backup in the same folder just now."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A folder among the backups. `manifest` is None where `trouble` says why it is of no use."""

    path: Path
    manifest: Manifest | None
    trouble: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.path.name

    def as_dict(self) -> dict[str, Any]:
        """The backup as `vestibule backup list --json` prints it."""
        known = self.manifest
        return {
            "name": self.name,
            "path": str(self.path.absolute()),
            "time": iso(known.time) if known else None,
            "by": known.by if known else None,
            "version": known.version if known else None,
            "journal_version": known.schema_version if known else None,
            "events": known.rows.get("events", 0) if known else None,
            "files": len(known.files) if known else None,
            "bytes": known.bytes if known else None,
            "trouble": self.trouble,
        }


class Shelf:
    """The backups in one folder, which need not exist. Every method blocks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def every(self) -> list[Backup]:
        """All that there is, newest first by the time in its name."""
        try:
            found = [path for path in self.folder.iterdir() if path.name.startswith(PREFIX)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StateError(f"{self.folder} cannot be read: {error.strerror}") from error
        return [_look(path) for path in sorted(found, key=lambda path: path.name, reverse=True)]

    def newest(self) -> Backup | None:
        """The newest one that can be used; None where there is none."""
        return next((each for each in self.every() if each.manifest is not None), None)

    def find(self, named: str) -> Path:
        """The folder of a backup by its name or its path. Raises `StateError`."""
        inside = self.folder / named
        if named.startswith(PREFIX) and "/" not in named and inside.is_dir():
            return inside
        if (path := Path(named)).is_dir():
            return path
        if path.exists():
            raise StateError(f"{named} is no backup: a backup is a folder with a manifest.json")
        raise StateError(
            f"there is no backup {named} in {self.folder}, and no such folder; "
            "`vestibule backup list` shows what there is"
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for one writer, making it when new; clears away what others left half.

        Raises `BackupUnderWay`, and `StateError` where the folder cannot be used.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                f"no backup can be made in {self.folder}: {error.strerror}; check its owner, or "
                "name another folder as `hub.backup.folder`"
            ) from error
        try:
            try:
                self._hold(descriptor)
                self._sweep()
            except OSError as error:
                raise StateError(
                    f"no backup can be made in {self.folder}: {error.strerror}; name another "
                    "folder as `hub.backup.folder`"
                ) from error
            yield
        finally:
            os.close(descriptor)

    def _hold(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupUnderWay(
                f"another backup is being made in {self.folder}; wait until it is done"
            ) from None

    def belong_to(self, model: Path) -> None:
        """Give the folder and its lock, but nothing else in it, to the owner of `model`.

        Only root can. A folder that holds other things keeps its owner. Raises `OSError`.
        """
        owner = model.stat()
        if os.geteuid() != 0 or owner.st_uid == 0:
            return
        os.chown(self.folder / LOCK, owner.st_uid, owner.st_gid, follow_symlinks=False)
        if all(each.name == LOCK or each.name.startswith((PREFIX, PART, GONE))
               for each in self.folder.iterdir()):  # fmt: skip
            os.chown(self.folder, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def room_for(self, time: datetime) -> tuple[Path, Path]:
        """A new folder to fill, and the name that it gets once it is whole. Raises `OSError`."""
        stamp = time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        name = stamp
        number = 1
        while (self.folder / f"{PREFIX}{name}").exists():
            number += 1
            name = f"{stamp}-{number}"
        part = self.folder / f"{PART}{name}"
        part.mkdir(mode=0o700)
        return part, self.folder / f"{PREFIX}{name}"

    def thin(self, now: datetime, keep: timedelta) -> list[str]:
        """Let go of old ones; returns their names.

        The newest 24 always stay, whatever the clock says. Of older ones the newest of each day
        stays until it is older than `keep` and there are as many days that are newer. What cannot
        be read is left alone. Raises `StateError`.
        """
        usable = [each for each in self.every() if each.manifest is not None]
        days: set[object] = set()
        gone = []
        for each in usable[ALWAYS_KEPT:]:
            assert each.manifest is not None
            time = each.manifest.time
            young = now - time <= keep or len(days) < keep // timedelta(days=1)
            if young and time.date() not in days:
                days.add(time.date())
                continue
            _let_go(each)
            gone.append(each.name)
        return gone

    def _sweep(self) -> None:
        for path in self.folder.iterdir():
            if path.name.startswith((PART, GONE)):
                shutil.rmtree(path, ignore_errors=True)
        sync_folder(self.folder)


def _look(path: Path) -> Backup:
    try:
        return Backup(path, read_manifest(path))
    except StateError as error:
        return Backup(path, None, str(error))


def _let_go(backup: Backup) -> None:
    """Under another name first, so that a backup is never seen half deleted."""
    away = backup.path.with_name(f"{GONE}{backup.name}")
    try:
        backup.path.rename(away)
    except OSError as error:
        raise StateError(f"{backup.path} cannot be deleted: {error.strerror}") from error
    shutil.rmtree(away, ignore_errors=True)
