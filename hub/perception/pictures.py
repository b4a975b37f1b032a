"""JPEGs of one camera: the newest for pages, a short memory, and those that are kept.

A picture is written beside its final name and renamed into place, so nobody ever reads half of one.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

EVERY_S = 0.4
REMEMBER_S = 12.0
REMEMBER_BYTES = 6 << 20
NEAR_ENOUGH_S = 1.0
GIVE_UP_AFTER_S = 10.0
MAX_WANTED = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG and when what it shows happened."""

    time: datetime
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that an incident asks for: `offset_s` seconds from its moment."""

    incident: str
    offset_s: float
    time: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture that was stored for an incident, under a media name."""

    incident: str
    offset_s: float
    time: datetime
    name: str


class Pictures:
    """The pictures of one camera; used by one thread at a time.

    `snapshot` is the file that always holds the newest, `media` the folder of kept ones. `missed`
    counts pictures that were asked for and never came.
    """

    def __init__(self, snapshot: Path, media: Path) -> None:
        self._snapshot = snapshot
        self._media = media
        self._recent: deque[Picture] = deque()
        self._bytes = 0
        self._wanted: list[Wanted] = []
        self.missed = 0

    @property
    def newest(self) -> Picture | None:
        """The picture last shown."""
        return self._recent[-1] if self._recent else None

    @property
    def held_bytes(self) -> int:
        """How much the short memory takes."""
        return self._bytes

    @property
    def wanting(self) -> bool:
        """Whether pictures were asked for that have not come yet."""
        return bool(self._wanted)

    def forget(self) -> None:
        """Remember none of the pictures of before."""
        self._recent.clear()
        self._bytes = 0

    def due(self, time: datetime) -> bool:
        """Whether it is time for the next picture."""
        newest = self.newest
        return newest is None or abs((time - newest.time).total_seconds()) >= EVERY_S * 0.9

    def show(self, picture: Picture) -> None:
        """Make it the newest: write the snapshot, and remember it for a while."""
        replace_file(self._snapshot, picture.jpeg, durable=False)
        self._recent.append(picture)
        self._bytes += len(picture.jpeg)
        oldest_wanted = picture.time - timedelta(seconds=REMEMBER_S)
        while len(self._recent) > 1 and (
            self._recent[0].time < oldest_wanted or self._bytes > REMEMBER_BYTES
        ):
            self._bytes -= len(self._recent.popleft().jpeg)

    def store(self, jpeg: bytes) -> str:
        """Keep a picture for good; returns its media name once it is on the disk. It is the SHA-256
        of the file, so that anybody can tell whether the picture is as it was taken.
        """
        name = f"{hashlib.sha256(jpeg).hexdigest()}.jpg"
        replace_file(self._media / name, jpeg, durable=True)
        return name

    def want(self, wanted: Sequence[Wanted]) -> None:
        """Ask for pictures around a moment; `collect` delivers them as they come."""
        room = max(0, MAX_WANTED - len(self._wanted))
        self._wanted.extend(wanted[:room])
        self.missed += len(wanted[room:])

    def collect(self, now: datetime) -> list[Kept]:
        """Store what was asked for and is here by now; forget what is too late to come."""
        kept: list[Kept] = []
        still: list[Wanted] = []
        for wanted in self._wanted:
            picture = self._nearest(wanted.time)
            if picture is not None:
                name = self.store(picture.jpeg)
                kept.append(Kept(wanted.incident, wanted.offset_s, picture.time, name))
            elif (now - wanted.time).total_seconds() > GIVE_UP_AFTER_S or self._past(wanted.time):
                self.missed += 1
            else:
                still.append(wanted)
        self._wanted = still
        return kept

    def _nearest(self, time: datetime) -> Picture | None:
        """The remembered picture of that moment, once the moment has passed."""
        newest = self.newest
        if newest is None or newest.time < time:
            return None
        best = min(self._recent, key=lambda picture: abs(picture.time - time))
        return best if abs((best.time - time).total_seconds()) <= NEAR_ENOUGH_S else None

    def _past(self, time: datetime) -> bool:
        """Whether pictures have moved on past that moment without one near it."""
        newest = self.newest
        return newest is not None and (newest.time - time).total_seconds() > NEAR_ENOUGH_S


def replace_file(path: Path, content: bytes, *, durable: bool) -> None:
    """Write beside the name, then rename; `durable` also waits for the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    beside.replace(path)


def tidy(media: Path, most: int, referenced: Callable[[Sequence[str]], Collection[str]]) -> int:
    """Delete the oldest pictures nobody refers to until `most` of those remain; returns how many.

    `referenced(names)` says which of the names an alert or incident needs. Blocking; run it in a
    thread.
    """
    files = sorted(media.glob("*.jpg"), key=lambda path: (path.stat().st_mtime, path.name))
    if len(files) <= most:
        return 0
    needed = referenced([path.name for path in files])
    loose = [path for path in files if path.name not in needed]
    gone = loose[: max(0, len(loose) - most)]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)
