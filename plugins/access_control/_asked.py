"""Which of a door's words answer the latest command or question, and which are from before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Asked:
    """One door. Words that were asked for before a command began answer nothing after it."""

    def __init__(self) -> None:
        self._commands = 0
        self._under_way = 0
        self.commanded = False

    @contextlib.contextmanager
    def command(self) -> Iterator[None]:
        """While a command is handed over; once the device took it what it tells answers it."""
        self._commands += 1
        self._under_way += 1
        self.commanded = False
        try:
            yield
            self.commanded = True
        finally:
            self._under_way -= 1

    def question(self) -> int:
        """A mark to be kept while the device is asked."""
        return -1 if self._under_way else self._commands

    def answered(self, mark: int) -> bool:
        """Whether what was asked for at that mark is an answer now: no command came between."""
        return mark == self._commands

    def forget(self) -> None:
        """The link is gone: what comes first afterwards was not asked for."""
        self.commanded = False
