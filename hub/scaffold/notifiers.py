"""Notifier `sample`: writes each notice as a line at the end of a text file."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import Field

from hub import Block, Channel, Context, Driver, Notice, NotReady, Receipt, hookimpl, iso

__version__ = "0.1.0"


class SampleConfig(Block):
    """The keys of a block."""

    # Change this (1 of 3): what somebody may set in the configuration.
    file: Path = Field(
        Path("sample.txt"), description="The text file, relative to the configuration."
    )


class SampleNotifier:
    """One text file."""

    # Change this (2 of 3): what has to work for a notice to arrive: local, lan, wan or cellular.
    channel = Channel(path="local")

    def __init__(self, config: SampleConfig, context: Context) -> None:
        self._file = context.config_folder / config.file

    async def start(self) -> None:
        """Nothing is held open."""

    async def send(self, notice: Notice) -> Receipt:
        """Write the line; it counts as delivered once it is written."""
        # Change this (3 of 3): hand the notice over. What may block goes into a thread.
        words = " ".join(f"{notice.title} {notice.text}".split())
        try:
            await asyncio.to_thread(self._append, f"{iso(notice.time)} {notice.severity} {words}\n")
        except OSError as error:
            raise NotReady(f"cannot write {self._file}: {error.strerror}") from error
        return Receipt("delivered")

    async def close(self) -> None:
        """Nothing is held open."""

    def _append(self, line: str) -> None:
        with self._file.open("a", encoding="utf-8") as out:
            out.write(line)


@hookimpl
def vestibule_notifiers() -> list[Driver]:
    """Announce the driver."""
    return [Driver("sample", SampleNotifier, SampleConfig, "Writes each notice into a text file")]
