"""A few facts that a driver keeps over restarts: a small JSON file in its state folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any


class Kept:
    """Text to plain JSON values, the newest `limit` of them.

    A disk that fails costs what is kept over a restart, never the notice: the facts then stay in
    memory alone, and `trouble` says why.
    """

    def __init__(self, file: Path, limit: int) -> None:
        self.trouble = ""
        self._file = file
        self._limit = limit
        self._facts: OrderedDict[str, Any] = OrderedDict()
        self._turn = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._loaded = False
        self._changes = 0
        self._written = 0

    async def load(self) -> None:
        """Read the file, once; what is no longer readable is as if it had never been."""
        async with self._reading:  # who waits here goes on in the order of coming
            if self._loaded:
                return
            with contextlib.suppress(OSError, ValueError):
                found = json.loads(await asyncio.to_thread(self._file.read_text, encoding="utf-8"))
                if isinstance(found, dict):
                    self._facts = OrderedDict(list(found.items())[-self._limit :])
            self._loaded = True

    def get(self, key: str) -> Any:
        """A fact, or None."""
        return self._facts.get(key)

    def items(self) -> list[tuple[str, Any]]:
        """All facts, the oldest first."""
        return list(self._facts.items())

    def to_the_end(self, key: str) -> None:
        """Count a fact as the newest."""
        if key in self._facts:
            self._facts.move_to_end(key)

    async def put(self, key: str, value: Any) -> None:
        """Keep a fact, in place of the oldest when there are too many."""
        await self.load()  # what a notice before the start adds must not replace all that was
        self._facts[key] = value
        while len(self._facts) > self._limit:
            self._facts.popitem(last=False)
        await self._save()

    async def drop(self, key: str) -> None:
        """Forget a fact."""
        await self.load()
        if self._facts.pop(key, None) is not None:
            await self._save()

    async def _save(self) -> None:
        self._changes += 1
        wanted = self._changes
        async with self._turn:
            if self._written >= wanted:
                return  # a write that waited less long had this change already
            covers = self._changes
            text = json.dumps(self._facts)
            try:
                await asyncio.to_thread(_replace, self._file, text, covers)
            except OSError as error:
                self.trouble = f"cannot write {self._file}: {error.strerror}"
            else:
                self._written, self.trouble = covers, ""


def _replace(file: Path, text: str, number: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{number}.part")  # its own: a write that was called off may go on
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(file)
