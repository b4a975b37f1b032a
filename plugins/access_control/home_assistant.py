"""Locks that Home Assistant knows, over its WebSocket.

Home Assistant shows what a lock's integration last wrote. That is an answer only where the
integration wrote it after the command, or asks the lock itself when told to. A state that Home
Assistant assumes is never believed, and one that it has had for long is as old as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from hub import (
    Block,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    Lock,
    Names,
    NotReady,
    Position,
    Probed,
    Verb,
    hookimpl,
)
from plugins.access_control._asked import Asked
from plugins.access_control._ending import end
from plugins.access_control._home_assistant_api import EntityState, HomeAssistant
from plugins.access_control._reports import Reporting, Reports
from plugins.notifiers._reach import trusted

if TYPE_CHECKING:
    from aiohttp import ClientSession

AWAY = "unavailable"
ASSUMED = "Home Assistant assumes its state; the lock itself does not tell"
SERVICES: dict[Verb, str] = {"lock": "lock", "unlock": "unlock", "hold_open": "unlock"}
LOCKS: dict[str, Lock] = {
    "locked": "locked",
    "unlocked": "unlocked",
    "open": "unlocked",
    "jammed": "jammed",
    "locking": "moving",
    "unlocking": "moving",
    "opening": "moving",
}


class HomeAssistantConfig(Block):
    """Where Home Assistant is, and who signs in."""

    url: str = Field(
        pattern=r"^https?://[A-Za-z0-9._\[\]:-]+/?$",
        description="Its address, such as `http://192.0.2.30:8123`.",
    )
    token: str = Field(
        repr=False,
        description="A long-lived access token of a user of its own; best as `!secret NAME`.",
    )
    ca_file: Annotated[Path, Names("file")] | None = Field(
        None, description="Whom to trust, where its certificate is not publicly signed."
    )
    stale_after: Duration = Field(
        30.0, gt=0, description="How old a report may be before it is shown as stale."
    )


class HomeAssistantDevice(Block):
    """The entities of one door."""

    entity: str = Field(
        pattern=r"^lock\.[a-z0-9_]{1,200}$", description="The lock, such as `lock.front_door`."
    )
    contact: str | None = Field(
        None,
        pattern=r"^binary_sensor\.[a-z0-9_]{1,200}$",
        description="The door's contact, `on` while it is open.",
    )
    polls: bool = Field(
        False,
        description="Whether the lock's integration asks the lock itself when Home Assistant is "
        "told to update the entity; see its page (IoT class: polling).",
    )
    opens: bool = Field(
        False,
        description="Whether `lock.open` lets one person through and the lock then locks again by "
        "itself; only then the door takes `momentary`.",
    )
    code: str | None = Field(
        None, repr=False, description="The code that the lock wants; best as `!secret NAME`."
    )


class HomeAssistantDoors(Reporting[DoorReport]):
    """The locks of one Home Assistant."""

    def __init__(self, config: HomeAssistantConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._clock = context.clock
        self._doors: dict[str, HomeAssistantDevice] = dict(context.devices)
        self._asked = {door: Asked() for door in self._doors}
        self._before: dict[str, str] = {}
        self._away: set[str] = set()
        self._home: HomeAssistant | None = None
        self._session: ClientSession | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._reports: Reports[DoorReport] = Reports()

    @property
    def capabilities(self) -> Capabilities:
        """Lock and unlock, and one passage where a lock sees to its end."""
        verbs: set[Verb] = set(SERVICES)
        if any(device.opens for device in self._doors.values()):
            verbs.add("momentary")
        bare = frozenset(door for door, device in self._doors.items() if device.contact is None)
        return Capabilities(
            verbs=frozenset(verbs),
            has_position=len(bare) < len(self._doors),
            stale_after_s=self._config.stale_after,
            without_position=bare,
        )

    async def start(self) -> None:
        """Sign in; raises `NotReady` when Home Assistant is not there or does not take us."""
        await self.close()
        self._reports.begin()
        self._home = home = await self._make()
        self._session = _session()
        name = f"{self._context.name} home assistant"
        self._keeping = home.line.keep(self._session, name)
        await home.line.up()

    async def adopt(self, devices: Mapping[str, HomeAssistantDevice]) -> None:
        """Serve these locks from now on; one whose device is the same does not notice."""
        fresh = [door for door, device in devices.items() if self._doors.get(door) != device]
        self._doors = dict(devices)
        self._asked = {door: self._asked.get(door) or Asked() for door in devices}
        self._away &= devices.keys()
        for door in fresh:
            self._before.pop(door, None)
            self._away.discard(door)
        if self._home is not None:
            with contextlib.suppress(NotReady):  # they are met when the link is back
                await self._meet(fresh)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Have the lock's service called; handed over once Home Assistant has done so."""
        device, home, _ = self._behind(door)
        service = "open" if verb == "momentary" and device.opens else SERVICES.get(verb)
        if service is None:
            raise CommandFailed(f"this lock takes no {verb}")
        before = await self._state(device.entity)
        if before.state == AWAY:  # the call would succeed, and nobody would do it
            raise NotReady("Home Assistant does not reach the lock")
        with self._asked[door].command():
            self._before[door] = before.reported
            data: dict[str, Any] = {"code": device.code} if device.code is not None else {}
            await home.call("lock", service, device.entity, data)
        with contextlib.suppress(NotReady, CommandFailed):  # it is handed over, whatever follows
            after = await self._state(device.entity)
            self._tell(door, after, answers=after.reported != before.reported)

    async def refresh(self, door: str) -> None:
        """Have the integration ask the lock where it can, and read what it wrote."""
        device, home, _ = self._behind(door)
        mark = self._asked[door].question()
        if device.polls:
            await home.call("homeassistant", "update_entity", device.entity, {})
        found = await self._state(device.entity)
        if device.contact is not None:
            self._tell_contact(door, await self._state(device.contact))
        later = door in self._before and found.reported != self._before[door]
        fresh = device.polls or (self._asked[door].commanded and later)
        self._tell(door, found, fresh and self._asked[door].answered(mark))

    async def probe(self) -> Probed:
        """Sign in over HTTP and look at each entity; no service is called."""
        home = await self._make()
        async with _session() as session:
            found, remedies, works = await home.hello(session), [], True
            for door, device in self._doors.items():
                for entity in (device.entity, device.contact):
                    if entity is None:
                        continue
                    try:
                        state = await home.state(session, entity)
                    except CommandFailed as error:
                        found, works = f"{found}; {error}", False
                        remedies.append(f"correct the device of {door}")
                        continue
                    found = f"{found}; {entity} {state.state}"
                    if state.assumed:
                        remedies.append(f"{entity} only assumes its state and never confirms")
                    elif state.state == AWAY:
                        remedies.append(f"see in Home Assistant why {entity} is unavailable")
        if not self._doors:
            return Probed(found, "add its doors")
        return Probed(found, "; ".join(remedies), works=works)

    async def close(self) -> None:
        """Hang up."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            await end({keeping})
        self._home = None
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        self._reports.end()

    async def _make(self) -> HomeAssistant:
        ca_file = self._config.ca_file
        return HomeAssistant(
            self._config.url,
            self._config.token,
            self._clock,
            joined=self._joined,
            lost=self._lost,
            changed=self._changed,
            trust=await trusted(self._context, ca_file) if ca_file else None,
        )

    def _behind(self, door: str) -> tuple[HomeAssistantDevice, HomeAssistant, ClientSession]:
        if self._home is None or self._session is None:
            raise NotReady("Home Assistant is not connected")
        if door not in self._doors:
            raise CommandFailed(f"no lock of Home Assistant belongs to {door}")
        return self._doors[door], self._home, self._session

    async def _state(self, entity: str) -> EntityState:
        if self._home is None or self._session is None:
            raise NotReady("Home Assistant is not connected")
        return await self._home.state(self._session, entity)

    async def _joined(self) -> None:
        """What is known already: as old as it is, and no answer."""
        await self._meet(list(self._doors))

    async def _meet(self, doors: Iterable[str]) -> None:
        for door in doors:
            if (device := self._doors.get(door)) is None:
                continue  # it went while others were met
            try:
                self._tell(door, await self._state(device.entity), answers=False)
                if device.contact is not None:
                    self._tell_contact(door, await self._state(device.contact))
            except CommandFailed as error:  # one that is ill described harms no other
                now = self._clock.now()
                self._reports.tell(DoorReport(door, now, "unknown", detail=str(error)))

    def _lost(self, why: str) -> None:
        for door, asked in self._asked.items():
            asked.forget()
            detail = f"no link to Home Assistant: {why}"
            now = self._clock.now()
            self._reports.tell(DoorReport(door, now, online=False, detail=detail))

    def _changed(self, entity: str, state: EntityState | None) -> None:
        gone = EntityState(AWAY, False, "", self._clock.now())
        for door, device in self._doors.items():
            if entity == device.entity:
                self._tell(door, state or gone, self._asked[door].commanded)
            if entity == device.contact:
                self._tell_contact(door, state or gone)

    def _tell(self, door: str, state: EntityState, answers: bool) -> None:
        if state.state == AWAY:
            self._away.add(door)
            detail = "Home Assistant does not reach the lock"
            now = self._clock.now()
            self._reports.tell(DoorReport(door, now, online=False, detail=detail))
            return
        self._away.discard(door)
        lock, detail = LOCKS.get(state.state, "unknown"), ""
        if state.assumed:
            lock, detail, answers = "unknown", ASSUMED, False
        elif lock == "unknown":
            detail = f"Home Assistant says {state.state!r} of the lock"
        self._reports.tell(DoorReport(door, state.time, lock, answers=answers, detail=detail))

    def _tell_contact(self, door: str, state: EntityState) -> None:
        if door in self._away:
            return
        said: dict[str, Position] = {"on": "open", "off": "closed"}
        position = "unknown" if state.assumed else said.get(state.state, "unknown")
        detail = "" if position != "unknown" else f"Home Assistant says {state.state!r} of the door"
        self._reports.tell(DoorReport(door, state.time, position=position, detail=detail))


def _session() -> ClientSession:
    from aiohttp import ClientSession, ClientTimeout

    return ClientSession(timeout=ClientTimeout(total=None, sock_connect=4.0))


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Locks that Home Assistant knows, over its WebSocket; assumed states are not believed"
    return [
        Driver(
            "home_assistant",
            HomeAssistantDoors,
            HomeAssistantConfig,
            summary,
            device=HomeAssistantDevice,
        )
    ]
