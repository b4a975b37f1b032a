"""Visitor system `csv_list`: expects whom a registration system exports to a CSV file each night.

The file is read again when it changed. A line that is wrong is named and loses no other. Who came
and left is kept in the driver's own folder, so that neither a restart nor the next export forgets
anybody who is still here.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from pydantic import Field

from hub import (
    Block,
    Context,
    Driver,
    Event,
    Names,
    NotReady,
    Probed,
    Refused,
    Screening,
    Visit,
    from_iso,
    hookimpl,
    iso,
)
from vestibule_csv_list._reading import Listed, read, stamp

__version__ = "0.1.0"

CHECKS = 10.0  # seconds between two looks at who should have left
NAMED = 20  # wrong lines of a file that are named one by one
TIMES = ("expected", "until", "arrived", "left")
log = logging.getLogger(__name__)


class CsvListConfig(Block):
    """The file of the registration system."""

    file: Annotated[Path, Names("file")] = Field(
        description="A CSV file with the columns visitor, host, purpose, from, until, relative to "
        "the configuration. Times are `YYYY-MM-DD HH:MM` in the site's time zone."
    )


class CsvList:
    """One file of expected visits, and who of them came."""

    def __init__(self, config: CsvListConfig, context: Context) -> None:
        self._context = context
        self._zone = ZoneInfo(context.timezone)
        self._list, self._kept = context.config_folder / config.file, context.state / "visits.json"
        self._listed: Listed | None = None
        self._came: dict[str, Visit] = {}
        self._late: set[str] = set()
        self._turn, self._reading = asyncio.Lock(), asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the file and who is here; raises `NotReady` where either cannot be read."""
        await self.close()
        self._came = await asyncio.to_thread(_load, self._kept)
        self._listed = None
        await self._fresh()
        self._watch = asyncio.create_task(self._tell_late(), name=f"{self._context.name} watch")

    async def visits(self) -> list[Visit]:
        """Those of today, and those whose visitor is still here, by expected time."""
        listed = await self._fresh()
        today = self._day(self._context.clock.now())
        days = {
            v.id: v for v in listed.visits if self._day(v.expected) <= today <= self._day(v.until)
        }
        for visit in self._came.values():
            if visit.state == "here" or self._day(visit.left) == today:
                days[visit.id] = visit
        return sorted(days.values(), key=lambda visit: (visit.expected, visit.visitor))

    async def screen(self, visitor: str) -> Screening:
        """No match: the file holds no list of people who may not come in."""
        return Screening(False)

    async def check_in(self, visit: str) -> Visit:
        """The visitor is here."""
        return await self._step(visit, "expected", "arrived", "visitor.checked_in")

    async def check_out(self, visit: str) -> Visit:
        """The visitor has left."""
        return await self._step(visit, "here", "left", "visitor.checked_out")

    async def probe(self) -> Probed:
        """Read the file as it is now, and say which lines of it are wrong."""
        listed = await asyncio.to_thread(read, self._list, self._zone)
        found = f"{len(listed.visits)} visits in {self._list}"
        return Probed(found, f"correct {'; '.join(listed.wrong[:3])}" if listed.wrong else "")

    async def close(self) -> None:
        """Stop looking at the time."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})

    async def _fresh(self) -> Listed:
        """The file as it is now; while it cannot be read, as it was, which is said once."""
        async with self._reading:
            before = self._listed
            try:
                if (
                    before is not None
                    and await asyncio.to_thread(stamp, self._list) == before.stamp
                ):
                    return before
                self._listed = await asyncio.to_thread(read, self._list, self._zone)
            except NotReady as error:
                if before is None:
                    raise
                if not before.wrong or before.wrong[-1] != str(error):
                    self._listed = replace(before, wrong=(*before.wrong, str(error)))
                    await self._wrong((str(error),))
            else:
                await self._wrong(self._listed.wrong)
            return self._listed or before or Listed()

    async def _wrong(self, wrong: tuple[str, ...]) -> None:
        if not wrong:
            return
        more = (f"and {len(wrong) - NAMED} more",) if len(wrong) > NAMED else ()
        named = [*wrong[:NAMED], *more]
        log.warning("%s: left out: %s", self._context.name, "; ".join(named))
        await self._tell("plugin.csv_list.left_out", "", {"lines": named})

    async def _step(self, id_: str, state: str, key: str, event: str) -> Visit:
        async with self._turn:
            now = self._context.clock.now()
            found = next((visit for visit in await self.visits() if visit.id == id_), None)
            if found is None or found.state != state:
                said = "no visit of today has this id" if found is None else f"it is {found.state}"
                raise Refused(f"expected a visit that is {state}; {said}")
            came = replace(found, arrived=now) if key == "arrived" else replace(found, left=now)
            kept = {
                visit.id: visit
                for visit in (*self._came.values(), came)
                if visit.state == "here" or self._day(visit.left) == self._day(now)
            }
            await asyncio.to_thread(_store, self._kept, kept)
            self._came = kept
        await self._tell_of(event, came)
        return came

    async def _tell_late(self) -> None:
        while True:
            now = self._context.clock.now()
            for visit in list(self._came.values()):
                if visit.state == "here" and now > visit.until and visit.id not in self._late:
                    # The same id after a restart: the hub's journal takes an event once.
                    id_ = uuid5(NAMESPACE_OID, f"{visit.id} overstayed").hex
                    try:
                        await self._tell_of("visitor.overstayed", visit, id=id_)
                    except Exception as error:
                        log.warning("could not tell that a visitor overstayed: %r", error)
                    else:
                        self._late.add(visit.id)
            await self._context.clock.sleep(CHECKS)

    async def _tell_of(self, type_: str, visit: Visit, **more: str) -> None:
        data = {"desk": self._context.name, "visit": visit.id, "visitor": visit.visitor}
        data |= {"host": visit.host, "purpose": visit.purpose, "until": iso(visit.until)}
        await self._tell(type_, visit.id, data, **more)

    async def _tell(self, type_: str, subject: str, data: Mapping[str, Any], **more: str) -> None:
        source, now = f"visitors/{self._context.name}", self._context.clock.now()
        await self._context.publish(Event(type_, source, now, subject, data, **more))

    def _day(self, moment: datetime | None) -> str:
        return "" if moment is None else f"{moment.astimezone(self._zone):%Y-%m-%d}"


def _load(file: Path) -> dict[str, Visit]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return {row["id"]: Visit(**{**row, **_times(row)}) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotReady(f"cannot read who is here from {file}; move it away") from error


def _times(row: Mapping[str, Any]) -> dict[str, datetime | None]:
    return {name: from_iso(row[name]) if row[name] else None for name in TIMES}


def _store(file: Path, came: Mapping[str, Visit]) -> None:
    rows = [asdict(visit) for visit in came.values()]
    text = json.dumps(rows, default=iso, indent=1)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise NotReady(f"cannot write {file}: {error.strerror}") from error


@hookimpl
def vestibule_visitors() -> list[Driver]:
    """Announce the driver."""
    return [
        Driver("csv_list", CsvList, CsvListConfig, "Visitors from a CSV file, exported nightly")
    ]
