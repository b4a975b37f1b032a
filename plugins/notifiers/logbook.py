"""A text file that every notice is written into, on the disk before it counts as delivered.

It needs nobody and nothing: no network, no account, no screen. One line a notice, tab-separated:
time, severity, key, title, place, text, for whom.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile

from pydantic import Field

from hub import Block, Channel, Context, Driver, Notice, NotReady, Receipt, hookimpl, iso
from plugins.notifiers._wording import headline, one_line

REMEMBERED_KEYS = 10_000
TAIL_BYTES = 4 << 20


class LogbookConfig(Block):
    """Which file; a plain name lies in the driver's state folder."""

    file: Path = Field(
        Path("logbook.txt"), description="The file; a plain name lies in the state folder."
    )


class Logbook:
    """Appends and syncs; a key that is already in the file is not written again."""

    channel = Channel(path="local", deduplicates=True)

    def __init__(self, config: LogbookConfig, context: Context) -> None:
        self.file = context.state / config.file
        self._written: OrderedDict[str, None] = OrderedDict()
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Make the file and read which notices it holds."""
        try:
            keys = await asyncio.to_thread(_open, self.file)
        except OSError as error:
            raise NotReady(f"cannot use the logbook {self.file}: {error.strerror}") from error
        self._written = OrderedDict.fromkeys(keys)

    async def send(self, notice: Notice) -> Receipt:
        """Write one line and wait for the disk."""
        async with self._turn:
            if notice.key in self._written:
                return Receipt("delivered", id=notice.key, detail="already in the logbook")
            try:
                await asyncio.to_thread(_append, self.file, line(notice))
            except OSError as error:
                raise NotReady(f"cannot write {self.file}: {error.strerror}") from error
            self._written[notice.key] = None
            if len(self._written) > REMEMBERED_KEYS:
                self._written.popitem(last=False)
        return Receipt("delivered", id=notice.key, detail="written down")

    async def probe(self) -> str:
        """Whether the file can be written, or made; not a byte of it changes."""
        try:
            made = await asyncio.to_thread(_writable, self.file)
        except OSError as error:
            raise NotReady(f"cannot write {self.file}: {error.strerror}") from error
        return f"{self.file} can be {'written' if made else 'made'}"

    async def close(self) -> None:
        """Nothing is held open."""


def line(notice: Notice) -> str:
    """The notice as one line of the logbook, without its line end."""
    names = ", ".join(recipient.name for recipient in notice.to)
    fields = (
        iso(notice.time), notice.severity, notice.key,
        headline(notice), notice.place, notice.text, names,
    )  # fmt: skip
    return "\t".join(one_line(field) for field in fields)


def _open(file: Path) -> list[str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as book:
        size = book.tell()
    with file.open("rb") as book:
        book.seek(max(0, size - TAIL_BYTES))
        tail = book.read()
    if tail and not tail.endswith(b"\n"):
        # A power cut tore the last line: end it, so that the next notice stands on its own.
        _append(file, "")
    whole = tail[: tail.rfind(b"\n") + 1].decode("utf-8", "replace").splitlines()
    rows = [row.split("\t") for row in whole]
    return [row[2] for row in rows if len(row) == 7][-REMEMBERED_KEYS:]


def _writable(file: Path) -> bool:
    """True when it is there and may be written, False when it may be made; else `OSError`."""
    if file.exists():
        file.open("ab").close()
        return True
    folder = next(each for each in file.absolute().parents if each.exists())
    with TemporaryFile(dir=folder):
        return False


def _append(file: Path, text: str) -> None:
    with file.open("ab") as book:
        book.write(f"{text}\n".encode())
        book.flush()
        os.fsync(book.fileno())


@hookimpl
def vestibule_notifiers() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("logbook", Logbook, LogbookConfig, "A text file, synced to disk, needs nobody")]
