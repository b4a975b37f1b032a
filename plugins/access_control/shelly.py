"""Doors on Shelly relays of the second generation and later: each device on the school's network.

What is reported was asked of the device, or told by it over its WebSocket. One passage is a pulse
that the device itself ends, so that a hub that stops meanwhile leaves no door open.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from hub import (
    Block,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    Lock,
    NotReady,
    Probed,
    hookimpl,
)
from plugins.access_control._ending import end
from plugins.access_control._relay import Panel, Seen, Wiring, complete, unmixed
from plugins.access_control._relay_doors import RelayDoors
from plugins.access_control._shelly_probe import probe_devices
from plugins.access_control._shelly_rpc import Shelly
from plugins.access_control._socket_line import Frame

if TYPE_CHECKING:
    from aiohttp import ClientSession

NOT_CONNECTED = "the Shelly devices are not connected"


class ShellyConfig(Block):
    """What is the same for all of them."""

    password: str | None = Field(
        None, repr=False, description="The devices' password (user `admin`); best `!secret NAME`."
    )
    panel: Panel = Field(
        Panel(), description="The panel behind, where doors have a `lockdown` relay."
    )
    stale_after: Duration = Field(
        30.0, gt=0, description="How old a report may be before it is shown as stale."
    )


class ShellyDevice(Wiring):
    """The Shelly of one door; several doors may share one that has several relays."""

    host: str = Field(
        pattern=r"^[A-Za-z0-9._-]+(:\d{1,5})?$",
        description="Its name or address, with `:PORT` where that is not 80.",
    )
    switch: int | None = Field(
        0, ge=0, le=99, description="The relay of the lock; the first is 0. Null without one."
    )
    pulse: Duration = Field(
        5.0, ge=1, le=60, description="How long one passage lasts; the device ends it by itself."
    )
    lockdown: int | None = Field(
        None,
        ge=0,
        le=99,
        description="The relay that starts the lockdown of the panel which runs this door.",
    )
    bolt: int | None = Field(
        None, ge=0, le=199, description="The input that tells whether the bolt is out."
    )
    contact: int | None = Field(None, ge=0, le=199, description="The input of the door's contact.")

    @model_validator(mode="after")
    def can_work(self) -> ShellyDevice:
        """Its wiring is complete."""
        complete(self, self.switch, self.lockdown, self.bolt)
        return self

    @property
    def relay(self) -> int | None:
        """Its own relay."""
        return self.switch

    @property
    def pulses(self) -> bool:
        """Every Shelly can end a pulse by itself."""
        return True

    def components(self) -> list[tuple[str, int]]:
        """What is read of the device for this door: kind of component and its number."""
        found = [("switch", self.switch), ("switch", self.lockdown)]
        found += [("input", self.bolt), ("input", self.contact)]
        return [(kind, number) for kind, number in found if number is not None]


class ShellyDoors(RelayDoors[ShellyDevice]):
    """The doors of one block, and the devices that they hang on."""

    def __init__(self, config: ShellyConfig, context: Context) -> None:
        super().__init__(config.panel, config.stale_after, context)
        self._config = config
        self._lines: dict[str, Shelly] = {}
        self._known: dict[str, dict[str, Any]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Reach the devices; raises `NotReady` where none of them answers."""
        await self.close()
        unmixed(self._doors)
        self._reports.begin()
        self._session = _session()
        for host in sorted({device.host for device in self._doors.values()}):
            self._reach(host, self._session)
        await self._one_is_up()

    async def probe(self) -> Probed:
        """Ask each device over HTTP who it is and how it is set; no relay is moved."""
        unmixed(self._doors)
        async with _session() as session:
            return await probe_devices(session, self._config.password, self._doors)

    async def close(self) -> None:
        """Hang up; the relays stay as they are."""
        tasks, self._tasks = self._tasks, {}
        await end(tasks.values())
        self._lines, self._known = {}, {}
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        self._reports.end()

    def _reach(self, host: str, session: ClientSession) -> None:
        line = self._line_to(host)
        self._lines[host], self._known[host] = line, {}
        self._tasks[host] = line.keep(session, f"{self._context.name} shelly {host}")

    async def _meet_each(self, fresh: list[str]) -> None:
        if self._session is None:
            return
        hosts = {device.host for device in self._doors.values()}
        await end([self._tasks.pop(host) for host in self._tasks.keys() - hosts])
        for host in sorted(hosts - self._tasks.keys()):
            self._reach(host, self._session)
        for door in fresh:
            with contextlib.suppress(NotReady):  # it is met once its device is there
                await self._meet(door)

    def _line_to(self, host: str) -> Shelly:
        async def joined() -> None:
            for door in self._at(host):
                await self._meet(door)

        return Shelly(
            host,
            self._config.password,
            self._clock,
            joined,
            lambda why: self._lost(host, why),
            lambda params: self._notified(host, params),
        )

    async def _one_is_up(self) -> None:
        """Wait until one device answers, or the last has failed."""
        waiting = {asyncio.ensure_future(line.up()) for line in self._lines.values()}
        failures: list[str] = []
        try:
            for each in asyncio.as_completed(waiting):
                try:
                    await each
                    return
                except NotReady as error:
                    failures.append(str(error))
        finally:
            await end(waiting)
        if failures:
            raise NotReady("; ".join(sorted(failures)))

    def _at(self, host: str) -> list[str]:
        return [door for door, device in self._doors.items() if device.host == host]

    def _behind(self, door: str) -> ShellyDevice:
        if self._session is None:
            raise NotReady(NOT_CONNECTED)
        if door not in self._doors:
            raise CommandFailed(f"no Shelly of this controller belongs to {door}")
        return self._doors[door]

    def _line(self, device: ShellyDevice) -> Shelly:
        if (line := self._lines.get(device.host)) is None:  # not yet, or not any more
            raise NotReady(NOT_CONNECTED)
        return line

    async def _set(self, device: ShellyDevice, relay: int, on: bool) -> None:
        await self._line(device).call("Switch.Set", {"id": relay, "on": on})

    async def _is_on(self, device: ShellyDevice, relay: int) -> bool | None:
        status = await self._line(device).call("Switch.GetStatus", {"id": relay})
        return _bit(status.get("output")) if status.get("id", relay) == relay else None

    async def _let_one_through(self, device: ShellyDevice) -> None:
        line, on = self._line(device), device.for_locked(False)
        now = await line.call("Switch.GetStatus", {"id": device.switch})
        if now.get("output") is on and not _timer(now):
            return
        pulse = {"id": device.switch, "on": on, "toggle_after": device.pulse}
        await line.call("Switch.Set", pulse)

    async def _lockdown_each(self, engaged: bool) -> None:
        panels = {(each.host, each.lockdown): each for each in self._doors.values()}
        await _all(self._lockdown(device, engaged) for device in panels.values())

    async def _read_each(self) -> None:
        await _all(self._meet(door, asked=True) for door in list(self._doors))

    async def _read(self, door: str, asked: bool = True) -> None:
        """Ask and report; what the device says when it is first met was not `asked` for."""
        if door not in self._doors:
            return
        device, mark = self._doors[door], self._asked[door].question()
        for kind, number in device.components():
            method = f"{kind.capitalize()}.GetStatus"
            status = await self._line(device).call(method, {"id": number})
            if status.get("id", number) != number:
                told = f"{self._line(device)} did not answer what was asked: {method} of {number}"
                raise NotReady(told)
            if self._doors.get(door) is not device:
                return  # it went, or hangs elsewhere now
            self._known[device.host][f"{kind}:{number}"] = status
        self._tell(door, asked and self._asked[door].answered(mark))

    def _notified(self, host: str, params: Frame) -> None:
        """Lay what changed over what is known, and report the doors that it concerns."""
        known, changed = self._known[host], set()
        for name, status in params.items():
            if name in known and isinstance(status, dict):
                known[name] = {**known[name], **status}
                if name.startswith("switch:") and "timer_started_at" not in status:
                    known[name].pop("timer_started_at", None)
                changed.add(name)
        for door in self._at(host):
            names = {f"{kind}:{number}" for kind, number in self._doors[door].components()}
            if names & changed and names <= known.keys():
                self._tell(door, self._asked[door].commanded)

    def _lost(self, host: str, why: str) -> None:
        detail = f"no link to the Shelly at {host}: {why}"
        for door in self._at(host):
            self._asked[door].forget()
            now = self._clock.now()
            self._reports.tell(DoorReport(door, now, online=False, detail=detail))

    def _tell(self, door: str, answers: bool) -> None:
        device, known = self._doors[door], self._known[self._doors[door].host]
        switch = known.get(f"switch:{device.switch}", {})
        seen = Seen(
            relay=_bit(switch.get("output")),
            panel=_bit(known.get(f"switch:{device.lockdown}", {}).get("output")),
            bolt=_bit(known.get(f"input:{device.bolt}", {}).get("state")),
            contact=_bit(known.get(f"input:{device.contact}", {}).get("state")),
        )
        lock, detail = self._lock(door, seen, switch)
        position = self._bolts[door].position(seen)
        if device.contact is not None and position is None:
            position, detail = "unknown", f"input {device.contact} does not tell on or off"
        self._reports.tell(
            DoorReport(
                door,
                self._clock.now(),
                lock,
                position,
                answers=answers,
                detail=detail,
                lockdown=device.in_lockdown(seen.panel),
            )
        )

    def _lock(self, door: str, seen: Seen, switch: Frame) -> tuple[Lock, str]:
        device = self._doors[door]
        if device.switch is not None and seen.relay is None:
            return "unknown", f"relay {device.switch} does not tell how it is set"
        if device.bolt is not None and seen.bolt is None:
            return "unknown", f"input {device.bolt} does not tell on or off"
        lock, detail = self._bolts[door].lock(seen, self._clock.monotonic())
        if lock == "locked" and _timer(switch):
            return "moving", "the device has a timer running that will unlock it"
        return lock, detail


async def _all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Make calls side by side, each whatever becomes of the others; then raise what failed."""
    for ended in await asyncio.gather(*calls, return_exceptions=True):
        if ended is not None:
            raise ended


def _session() -> ClientSession:
    from aiohttp import ClientSession, ClientTimeout

    return ClientSession(timeout=ClientTimeout(total=None, sock_connect=4.0))


def _bit(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _timer(switch: Frame) -> bool:
    return "timer_started_at" in switch


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "Shelly relays (second generation and later), with a contact and a bolt's sensor"
    return [Driver("shelly", ShellyDoors, ShellyConfig, summary, device=ShellyDevice)]
