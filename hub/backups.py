"""Backups while the hub runs: one each hour, in a thread that gives way to everything else.

A folder on a share may not answer for hours, and no thread that waits for it can be called back:
that is told, and neither the hub's work nor its end waits for it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from hub.clock import Clock, iso
from hub.config import BackupSettings
from hub.errors import StateError
from hub.events import Event
from hub.ports import Accept
from hub.storage.backup import create
from hub.storage.backup_shelf import Backup, BackupUnderWay, Shelf
from hub.storage.folder import StateFolder
from hub.threads import in_thread
from hub.units import duration_words
from hub.views import BackupView

T = TypeVar("T")

SETTLE_S = 60.0
LOOK_EACH_S = 30.0
TRY_AGAIN_S = 600.0
STUCK_S = 600.0
LEAVE_WITHIN_S = 5.0
NICENESS = 10
BY = "the hub"

log = structlog.get_logger("backups")


class _HubStops(Exception):
    """The hub stops: a backup in the making is given up."""


class _LeftBehind(Exception):
    """The folder does not answer, and another is to be used now."""


class Backups:
    """Makes a backup as often as the configuration says. Run it as one task.

    `settings` gives today's settings, `may_thin` whether old backups may go just now. What goes
    wrong is the event `backup.failed`, once until it is mended, and stands in `view`.
    """

    def __init__(
        self,
        state: StateFolder,
        clock: Clock,
        publish: Accept,
        settings: Callable[[], BackupSettings],
        may_thin: Callable[[], bool] = lambda: True,
    ) -> None:
        self._state = state
        self._clock = clock
        self._publish = publish
        self._settings = settings
        self._may_thin = may_thin
        self._newest: Backup | None = None
        self._made = self._tried = float("-inf")  # on the monotonic clock
        self._trouble = ""
        self._stopping = threading.Event()
        self._moved = 0.0  # on the monotonic clock: when the thread at work last said something
        self._work: set[asyncio.Task[Any]] = set()

    @property
    def folder(self) -> Path:
        """Where they are kept."""
        return self._state.path / self._settings().folder

    def view(self) -> BackupView:
        """How it is, for the pages."""
        every = self._settings().every
        made = self._newest.manifest if self._newest is not None else None
        return BackupView(
            every="off" if every == "off" else duration_words(every),
            last=iso(made.time) if made is not None else None,
            trouble=self._trouble,
        )

    async def run(self) -> None:
        """Make backups until cancelled; one in the making is then given up."""
        self._stopping.clear()
        try:
            await self._clock.sleep(SETTLE_S)
            await self._look_back()
            while True:
                every = self._settings().every
                if every == "off":
                    self._trouble = ""
                elif self._is_due(every):
                    await self._back_up()
                await self._clock.sleep(LOOK_EACH_S)
        finally:
            self._stopping.set()
            if self._work:
                await asyncio.wait(self._work, timeout=LEAVE_WITHIN_S)

    async def _look_back(self) -> None:
        """An earlier run's newest backup counts, as far as its time can be believed."""
        with suppress(StateError, _LeftBehind):
            self._newest = await self._done(Shelf(self.folder).newest)
        if self._newest is not None and self._newest.manifest is not None:
            age = (self._clock.now() - self._newest.manifest.time).total_seconds()
            if age >= 0:
                self._made = self._clock.monotonic() - age

    def _is_due(self, every: float) -> bool:
        now = self._clock.monotonic()
        return now - self._made >= every and now - self._tried >= min(every, TRY_AGAIN_S)

    async def _back_up(self) -> None:
        shelf, keep = Shelf(self.folder), timedelta(seconds=self._settings().keep)
        thin = self._may_thin()
        try:
            made = await self._done(partial(self._make, shelf, keep, thin))
        except (BackupUnderWay, _LeftBehind):
            return
        except StateError as error:
            self._tried = self._clock.monotonic()
            await self._failed(str(error))
            return
        self._newest, self._made = made, self._clock.monotonic()
        log.info("backed up", backup=made.name)
        if self._trouble:
            self._trouble = ""
            await self._tell("backup.recovered", {"backup": made.name})

    def _make(self, shelf: Shelf, keep: timedelta, thin: bool) -> Backup:
        made = create(self._state, shelf, self._clock, BY, told=self._go_on)
        if thin:
            try:
                with shelf.alone():
                    shelf.thin(self._clock.now(), keep)
            except StateError as error:  # the new one is made and counts
                log.warning("an old backup stays", reason=str(error))
        return made

    async def _done(self, work: Callable[[], T]) -> T:
        """What `work` gives, in a thread; that nothing moves there is told meanwhile. Raises
        `_LeftBehind` where it never ends and another folder is to be used.
        """
        folder, self._moved, stuck = self.folder, self._clock.monotonic(), False
        done = asyncio.create_task(in_thread(partial(_giving_way, work)), name="backup")
        self._work.add(done)
        done.add_done_callback(self._ended)
        while not done.done():
            alarm = asyncio.create_task(self._clock.sleep(LOOK_EACH_S), name="backups: look")
            try:
                await asyncio.wait((done, alarm), return_when=asyncio.FIRST_COMPLETED)
            finally:
                alarm.cancel()
            silent = self._clock.monotonic() - self._moved
            if not stuck and not done.done() and silent >= STUCK_S:
                stuck = True
                await self._failed(
                    f"{folder} does not answer: nothing has moved there for "
                    f"{duration_words(STUCK_S)}; look at the disk or the share behind it, or name "
                    "another folder as `hub.backup.folder`"
                )
            if stuck and not done.done() and self.folder != folder:
                raise _LeftBehind
        return done.result()

    def _ended(self, work: asyncio.Task[Any]) -> None:
        self._work.discard(work)
        if not work.cancelled():
            work.exception()  # whoever asked may have left

    def _go_on(self, what: str, done: int, total: int) -> None:
        self._moved = self._clock.monotonic()
        if self._stopping.is_set():
            raise _HubStops

    async def _failed(self, reason: str) -> None:
        log.error("no backup could be made", reason=reason)
        before, self._trouble = self._trouble, reason
        if not before:
            await self._tell("backup.failed", {"reason": reason})

    async def _tell(self, kind: str, data: dict[str, str]) -> None:
        try:
            await self._publish(Event(kind, "hub/backups", self._clock.now(), "backups", data))
        except StateError as error:
            log.error("it could not be journaled", reason=str(error))


def _giving_way(work: Callable[[], T]) -> T:
    give_way()
    return work()


def give_way() -> None:
    """Run after everything else: on Linux a thread has a niceness of its own."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
