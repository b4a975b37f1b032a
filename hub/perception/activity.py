"""What a worker is busy with, in a few shared bytes that outlive it.

A camera whose pictures crash the decoder or the detector takes the worker with it. Each camera has
a slot in a mapped file, with one byte per thing that can be done to it, since two threads may mark
it at once; whoever finds a byte set after the worker's death knows whom to suspect.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

SLOTS = 2048
WORKING = 0
ASKING = 1
KINDS = 2


class Activity:
    """The worker's side: marks set and cleared without a system call."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(SLOTS * KINDS))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), SLOTS * KINDS)

    def mark(self, slot: int, what: int) -> None:
        """This camera is being worked on."""
        self._bytes[slot % SLOTS * KINDS + what] = 1

    def unmark(self, slot: int, what: int) -> None:
        """It no longer is."""
        self._bytes[slot % SLOTS * KINDS + what] = 0

    @contextlib.contextmanager
    def marked(self, slot: int, what: int) -> Iterator[None]:
        """Marked while inside."""
        self.mark(slot, what)
        try:
            yield
        finally:
            self.unmark(slot, what)


def suspects(path: Path) -> set[int]:
    """The slots that were marked when the worker ended; none when there is no file."""
    try:
        content = path.read_bytes()
    except OSError:
        return set()
    return {at // KINDS for at, mark in enumerate(content) if mark}
