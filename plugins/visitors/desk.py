"""The front desk: a list of expected visitors and whoever comes unannounced, checked in and out by
hand.

The list is a CSV file and is read again when it changes. Who is here is kept on disk, so that a
restart forgets nobody who is still in the building.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar
from zoneinfo import ZoneInfo

import structlog
from pydantic import Field

from hub import (
    BadConfig,
    Block,
    Context,
    Driver,
    Event,
    Names,
    NotReady,
    Refused,
    Screening,
    Visit,
    WalkIn,
    hookimpl,
    iso,
    new_id,
    phrase,
)
from plugins.visitors._book import KEPT_DAYS, Book, load, store
from plugins.visitors._lists import (
    Stopped,
    read_expected,
    read_stopped,
    stopped_by,
    visits_of,
)

log = structlog.get_logger("desk")

CHECK_S = 5.0
T = TypeVar("T")


class DeskConfig(Block):
    """The lists, relative to the configuration file."""

    file: Annotated[Path, Names("file")] = Field(
        description="Who is expected: a CSV file with the columns visitor, host, purpose, from, "
        "until. Times are `HH:MM` for every day or `YYYY-MM-DD HH:MM`."
    )
    do_not_admit: Annotated[Path, Names("file")] | None = Field(
        None,
        description="Whom not to let in without a person's decision: a CSV file with the columns "
        "name, reason.",
    )


@dataclass
class _List(Generic[T]):
    """A file, what it said when it could last be read, and why what it says since cannot be."""

    file: Path
    read: Callable[[Path], list[T]]
    rows: list[T] = field(default_factory=list)
    stamp: tuple[int, int] = (-1, -1)
    trouble: str = ""

    def load(self) -> None:
        """Read it. Raises `BadConfig`."""
        stamp = _stamp(self.file)
        self.rows, self.stamp, self.trouble = self.read(self.file), stamp, ""

    def refresh(self) -> bool:
        """Read it again where it has changed; what cannot be read leaves the last good rows. False
        where there is new trouble.
        """
        stamp, before = _stamp(self.file), self.trouble
        if stamp == self.stamp:
            return True
        try:
            self.load()
        except BadConfig as error:
            self.stamp, self.trouble = stamp, str(error)
        return self.trouble in ("", before)


class Desk:
    """One desk. Publishes visitor.checked_in, visitor.checked_out and visitor.overstayed."""

    def __init__(self, config: DeskConfig, context: Context) -> None:
        self._context = context
        self._clock = context.clock
        self._zone = ZoneInfo(context.timezone)
        self._expected = _List(context.config_folder / config.file, read_expected)
        self._stopped: _List[Stopped] | None = None
        if config.do_not_admit is not None:
            self._stopped = _List(context.config_folder / config.do_not_admit, read_stopped)
        self._file = context.state / "visits.json"
        self._started = False
        self._book = Book()
        self._came: dict[str, float] = {}  # on the clock that only ever grows
        self._turn = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the lists and who is here. Raises `BadConfig` for a bad list."""
        await self.close()
        await asyncio.to_thread(self._read_lists)
        self._started = True
        self._book = await asyncio.to_thread(load, self._file)
        name = f"{self._context.name} overstay watch"
        self._watch = asyncio.create_task(self._watch_overstays(), name=name)

    async def visits(self) -> list[Visit]:
        """Today's visits, and any earlier one whose visitor is still here, by expected time."""
        await self._refresh()
        expected = self._expected.rows
        now = self._clock.now()
        known = {visit.id: visit for visit in visits_of(expected, now, self._zone)}
        today = now.astimezone(self._zone).date()
        for visit in self._book.visits.values():
            seen = visit.left or visit.arrived or visit.expected
            if visit.state == "here" or seen.astimezone(self._zone).date() == today:
                known[visit.id] = visit
        return sorted(known.values(), key=lambda visit: (visit.expected, visit.visitor, visit.id))

    async def screen(self, visitor: str) -> Screening:
        """Compare a name with the do-not-admit list; a match only asks. While the list cannot be
        read as it is now, every name does.
        """
        await self._refresh()
        if self._stopped is None:
            return Screening(False)
        stopped = await asyncio.to_thread(stopped_by, self._stopped.rows, visitor)
        if stopped is not None:
            why = stopped.reason or phrase("no reason is given")
            said = phrase(
                "%(name)s is on the do-not-admit list: %(reason)s", name=stopped.name, reason=why
            )
            return Screening(True, said)
        if self._stopped.trouble:
            said = phrase(
                "the do-not-admit list, %(file)s, cannot be read since it was changed, so a person "
                "has to look whether the name is on it",
                file=self._stopped.file.name,
            )
            return Screening(True, said)
        return Screening(False)

    async def register(self, walk_in: WalkIn) -> Visit:
        """Put somebody whom nobody announced on today's list. Raises `Refused`."""
        async with self._turn:
            now, who = self._clock.now(), walk_in.visitor
            if walk_in.until <= now:
                raise Refused("that time is over: until when does %(visitor)s stay?", visitor=who)
            same = [known.state for known in await self.visits() if _same(known, walk_in)]
            if len(same) - same.count("left") > walk_in.namesakes:
                if "here" in same:
                    raise Refused("%(visitor)s is already checked in", visitor=who)
                raise Refused("%(visitor)s is on the list of the expected already", visitor=who)
            visit = Visit(new_id()[:16], who, walk_in.host, walk_in.purpose, now, walk_in.until)
            await self._keep(visit)
        return visit

    async def check_in(self, visit: str) -> Visit:
        """The visitor is here, with the next badge of the day. Raises `Refused`."""
        async with self._turn:
            found = await self._find(visit)
            if found.state == "here":
                raise Refused("%(visitor)s is already checked in", visitor=found.visitor)
            if found.state == "left":
                raise Refused("%(visitor)s has already left", visitor=found.visitor)
            now = self._clock.now()
            here = replace(found, arrived=now, badge=self._book.next_badge(now, self._zone))
            self._came[visit] = self._clock.monotonic()
            await self._keep(here)
        await self._tell("visitor.checked_in", here)
        return here

    async def check_out(self, visit: str) -> Visit:
        """The visitor has left. Raises `Refused`."""
        async with self._turn:
            found = await self._find(visit)
            if found.state != "here":
                raise Refused("%(visitor)s is not here", visitor=found.visitor)
            gone = replace(found, left=self._clock.now())
            await self._keep(gone)
            self._came.pop(visit, None)
        await self._tell("visitor.checked_out", gone)
        return gone

    async def probe(self) -> str:
        """Read the lists as they are now. Raises `BadConfig` for a bad one."""
        await asyncio.to_thread(self._read_lists)
        count = len(self._expected.rows)
        told = f"{count} {'line' if count == 1 else 'lines'} in {self._expected.file}"
        if self._stopped is not None:
            told += f", {len(self._stopped.rows)} in {self._stopped.file}"
        return told

    async def close(self) -> None:
        """Stop watching the clock."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})

    async def _find(self, visit: str) -> Visit:
        for known in await self.visits():
            if known.id == visit:
                return known
        raise Refused("no visit of today has this id")

    async def _keep(self, visit: Visit) -> None:
        oldest = self._clock.now() - timedelta(days=KEPT_DAYS)
        await self._save(self._book.having(visit, oldest))

    async def _save(self, book: Book) -> None:
        try:
            await asyncio.to_thread(store, self._file, book)
        except OSError as error:
            raise NotReady(f"cannot write {self._file}: {error.strerror}") from error
        self._book = book

    async def _refresh(self) -> None:
        if not self._started:
            raise NotReady("the desk is not started")
        for each in self._lists():
            if not await asyncio.to_thread(each.refresh):
                name = self._context.name
                log.warning("the last good list stays", desk=name, problems=each.trouble)

    def _lists(self) -> list[_List[Any]]:
        return [self._expected, *([self._stopped] if self._stopped is not None else [])]

    def _read_lists(self) -> None:
        for each in self._lists():
            each.load()

    async def _watch_overstays(self) -> None:
        while True:
            try:
                await self._tell_overstays(self._clock.now())
            except Exception as error:
                name = self._context.name
                log.error("could not tell of an overstay", desk=name, reason=repr(error))
            await self._clock.sleep(CHECK_S)

    async def _tell_overstays(self, now: datetime) -> None:
        late = [
            visit
            for visit in self._book.visits.values()
            if visit.state == "here" and now > visit.until and visit.id not in self._book.overstayed
            if not self._too_early(visit)
        ]
        for visit in late:
            # Told first, noted after: a crash in between tells it twice, under the same id.
            await self._tell("visitor.overstayed", visit, id_=f"{visit.id:0<32}")
            async with self._turn:
                told = self._book.overstayed | {visit.id}
                await self._save(Book(self._book.visits, told))

    def _too_early(self, visit: Visit) -> bool:
        """Whether it is only because somebody has set the clock ahead since they came that they are
        late by it. Of those who came before this start nobody knows but the clock.
        """
        came = self._came.get(visit.id)
        if came is None or visit.arrived is None:
            return False
        return self._clock.monotonic() - came < (visit.until - visit.arrived).total_seconds()

    async def _tell(self, type_: str, visit: Visit, id_: str | None = None) -> None:
        data = {
            "desk": self._context.name,
            "visit": visit.id,
            "visitor": visit.visitor,
            "host": visit.host,
            "purpose": visit.purpose,
            "until": iso(visit.until),
            "badge": visit.badge,
        }
        source = f"visitors/{self._context.name}"
        event = Event(type_, source, self._clock.now(), visit.id, data)
        await self._context.publish(event if id_ is None else replace(event, id=id_))


def _same(visit: Visit, walk_in: WalkIn) -> bool:
    told = (visit.visitor, visit.host)
    return all(
        one.casefold() == other.casefold()
        for one, other in zip(told, (walk_in.visitor, walk_in.host), strict=True)
    )


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
        return found.st_mtime_ns, found.st_size
    except OSError:
        return 0, 0


@hookimpl
def vestibule_visitors() -> Iterable[Driver]:
    """Announce the driver."""
    return [Driver("desk", Desk, DeskConfig, "A front desk with a pre-registered list from CSV")]
