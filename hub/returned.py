"""What was gone when the hub ended and is there once it runs: that it answers again is told.

Cameras and doors tell of a change only while the hub runs. Of one that came back meanwhile the
journal would say for ever that it is gone: its alert too, and a rule on what lasts would fire.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from hub.conditions import COMES_BACK
from hub.events import Event
from hub.ports import HouseFacade
from hub.safety.alerts import together
from hub.safety.intake import Intake
from hub.storage import eventlog
from hub.storage.schema import events

LOOK_EVERY_S = 5.0


class Returned:
    """Looks after each start for what is there again. `house` says how cameras and doors are."""

    def __init__(self, house: HouseFacade, intake: Intake) -> None:
        self._house = house
        self._intake = intake
        self._missed: set[str] = set()

    async def watch(self) -> None:
        """Tell of each, until nothing is left to look for. Run it as one task."""
        self._missed = await self._intake.journal.read(gone)
        while self._missed:
            there = self._there()
            if back := self._missed & there.keys():
                # What has told of its return by itself meanwhile is not told of twice.
                still = await self._intake.journal.read(gone)
                await self._intake.accept(*(there[scope] for scope in sorted(back & still)))
            self._missed -= back | self._told()
            if self._missed:
                await self._intake.clock.sleep(LOOK_EVERY_S)

    def _there(self) -> dict[str, Event]:
        """What answers now, with the event that says so."""
        now = self._intake.clock.now()
        found: dict[str, Event] = {}
        for camera in self._house.cameras():
            if camera["state"] == "online":
                name = camera["id"]
                data = {"camera": name, "place": camera["place"]}
                found[f"camera/{name}"] = Event("camera.online", f"camera/{name}", now, name, data)
        for door in self._house.doors():
            if door["online"]:
                name = door["id"]
                data = {"door": name, "place": door["place"]}
                found[f"door/{name}"] = Event("door.online", f"door/{name}", now, name, data)
        return found

    def _told(self) -> set[str]:
        """Whose return is told anyway, or awaited by nobody: cameras of which it was told since the
        start that they are gone, and what is no longer configured.
        """
        gone = {f"camera/{e['id']}" for e in self._house.cameras() if e["state"] == "offline"}
        config = self._house.config
        known = {f"camera/{name}" for name, block in config.cameras.items() if block.enabled}
        known |= {f"door/{name}" for name in config.doors}
        return gone | (self._missed - known)


def gone(connection: Connection) -> set[str]:
    """The cameras and doors (`camera/yard`) that do not answer, by the journal's last word on them
    or by an alert that waits for its end.
    """
    last = eventlog.last_seq(connection) - eventlog.LOOKED_BACK
    kinds = [*COMES_BACK, *COMES_BACK.values()]
    wanted = select(events.c.type, events.c.subject).where(
        events.c.seq > last, events.c.type.in_(kinds)
    )
    known: dict[str, bool] = {}
    for row in connection.execute(wanted.order_by(events.c.seq.desc())):
        known.setdefault(f"{row.type.partition('.')[0]}/{row.subject}", row.type in COMES_BACK)
    silent = {scope for scope, is_gone in known.items() if is_gone}
    return silent | (together.gone(connection) - known.keys())
