"""The state folder: where one hub keeps all it must remember, locked against a second one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.errors import StateError
from hub.storage.backup_copy import own_like
from hub.storage.backup_swap import finish, refuse_unfinished


class StateFolder:
    """Paths inside `--state DIR`. Nothing exists before `open` or `lock`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "journal.db"
        self.media = path / "media"
        self.cache = path / "cache"
        self.models = path / "models"
        self.run = path / "run"
        self.configs = path / "config"
        self.backups = path / "backups"
        self.lock_file = path / "hub.lock"

    def open(self) -> None:
        """Make the folders where they are missing, for their owner alone. Raises `StateError`."""
        refuse_unfinished(self.path)
        self._make()

    def _make(self) -> None:
        try:
            for folder in (self.path, self.media, self.cache, self.models, self.run):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._close_to_others()
        except OSError as error:
            raise StateError(
                f"cannot use {self.path} as state folder: {error.strerror}; "
                "give a folder that you may write with --state"
            ) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise StateError(f"cannot write to the state folder {self.path}; check its owner")

    def _close_to_others(self) -> None:
        """A folder of ours that others may look into is closed: what people did is in it."""
        seen = self.path.stat()
        if seen.st_uid == os.getuid() and seen.st_mode & 0o077:
            self.path.chmod(0o700)

    @contextmanager
    def lock(self) -> Iterator[StateFolder]:
        """Hold the folder for one hub; the lock dies with the process, however that ends.

        Raises `StateError` naming the process that holds it.
        """
        self._make()
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"cannot lock {self.path}: {error.strerror}") from error
        try:
            _hold(descriptor, self.path)
            self._finish_restore()
            yield self
        finally:
            os.close(descriptor)

    def _finish_restore(self) -> None:
        try:
            own_like(self.lock_file, self.path)
            finish(self.path)
        except OSError as error:
            raise StateError(
                f"the restore of {self.path} was cut off, and cannot go on: {error.strerror} "
                f"({error.filename}); mend that, then start again"
            ) from error
        self._make()

    def holder(self) -> int | None:
        """The process id written by whoever held the folder last; None when nobody ever did."""
        try:
            return int(self.lock_file.read_text() or "0") or None
        except (OSError, ValueError):
            return None


def _hold(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        raise StateError(
            f"another Vestibule (process {pid}) is using {path}; stop it, or give this one a "
            "folder of its own with --state"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
