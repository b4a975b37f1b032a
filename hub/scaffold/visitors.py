"""Visitor desk `sample`: names from the configuration are expected today, from 8 to 16 o'clock."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, time
from uuid import NAMESPACE_OID, uuid4, uuid5
from zoneinfo import ZoneInfo

from pydantic import Field

from hub import (
    Block,
    Context,
    Driver,
    Event,
    NotReady,
    Refused,
    Screening,
    Visit,
    from_iso,
    hookimpl,
    iso,
)

__version__ = "0.1.0"


class SampleConfig(Block):
    """The keys of a block."""

    # Change this (1 of 3): what somebody may set in the configuration.
    expected: tuple[str, ...] = Field(description="Who is expected, every day.")
    not_admitted: tuple[str, ...] = Field((), description="Whose name asks for a decision.")


class SampleDesk:
    """One list of names; who came and left is kept in a file."""

    def __init__(self, config: SampleConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._file = context.state / "visits.json"
        self._times: dict[str, dict[str, str]] = {}
        self._turn = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read who is here, and watch that nobody stays too long."""
        self._times = await asyncio.to_thread(self._load)
        if self._watch is None:
            name = f"{self._context.name} overstay watch"
            self._watch = asyncio.create_task(self._watch_overstays(), name=name)

    async def visits(self) -> list[Visit]:
        """Today's visits."""
        # Change this (2 of 3): ask your visitor system who is expected.
        zone = ZoneInfo(self._context.timezone)
        day = self._context.clock.now().astimezone(zone).date()
        first, last = (datetime.combine(day, time(hour), zone) for hour in (8, 16))
        found = []
        for name in dict.fromkeys(self._config.expected):
            visit = Visit(uuid5(NAMESPACE_OID, f"{day} {name}").hex, name, "", "", first, last)
            times = {key: from_iso(at) for key, at in self._times.get(visit.id, {}).items()}
            found.append(replace(visit, arrived=times.get("arrived"), left=times.get("left")))
        return found

    async def screen(self, visitor: str) -> Screening:
        """Compare a name, in any case, with those that are not admitted."""
        known = {name.casefold() for name in self._config.not_admitted}
        match = visitor.strip().casefold() in known
        return Screening(match, "the name is on the list of the configuration" if match else "")

    async def check_in(self, visit: str) -> Visit:
        """The visitor is here."""
        return await self._note(visit, "expected", "arrived", "visitor.checked_in")

    async def check_out(self, visit: str) -> Visit:
        """The visitor has left."""
        return await self._note(visit, "here", "left", "visitor.checked_out")

    async def close(self) -> None:
        """Watch no more."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})

    async def _watch_overstays(self) -> None:
        """Tell of each visitor who is still here at the end: once, since its id is the same."""
        while True:
            for visit in await self.visits():
                if visit.state == "here" and self._context.clock.now() > visit.until:
                    once = uuid5(NAMESPACE_OID, visit.id).hex
                    await self._tell("visitor.overstayed", visit, once)
            await self._context.clock.sleep(30)

    async def _tell(self, event: str, visit: Visit, id_: str) -> None:
        data = {"desk": self._context.name, "visit": visit.id, "visitor": visit.visitor}
        source, now = f"visitors/{self._context.name}", self._context.clock.now()
        await self._context.publish(Event(event, source, now, visit.id, data, id=id_))

    async def _note(self, visit: str, state: str, key: str, event: str) -> Visit:
        # Change this (3 of 3): tell your visitor system; keep the event, which rules wait for.
        async with self._turn:
            today = {each.id: each for each in await self.visits()}
            if visit not in today or today[visit].state != state:
                raise Refused(f"expected a visit of today that is {state}")
            now = self._context.clock.now()
            kept = {id_: times for id_, times in self._times.items() if id_ in today}
            kept[visit] = {**kept.get(visit, {}), key: iso(now)}
            await asyncio.to_thread(self._store, kept)
            self._times = kept
        await self._tell(event, today[visit], uuid4().hex)
        return next(each for each in await self.visits() if each.id == visit)

    def _load(self) -> dict[str, dict[str, str]]:
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise NotReady(f"cannot read who is here from {self._file}; move it away") from error

    def _store(self, times: dict[str, dict[str, str]]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(times), encoding="utf-8")
            part.replace(self._file)
        except OSError as error:
            raise NotReady(f"cannot write {self._file}: {error.strerror}") from error


@hookimpl
def vestibule_visitors() -> list[Driver]:
    """Announce the driver."""
    return [Driver("sample", SampleDesk, SampleConfig, "Expects the people of a plain list")]
