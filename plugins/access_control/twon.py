"""Doors behind 2N intercoms and access units (the driver `twon`): their switches over HTTP.

A 2N switch is *active* while its relay lets people in. What 2N calls `lock` forces it to rest,
whatever credential is shown: that is our `lockdown`. Our `lock` is a switch at rest that still
obeys credentials, our `unlock` is 2N's `hold`. No switch knows what the bolt does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from hub import (
    AccessReport,
    Block,
    CommandFailed,
    Context,
    Driver,
    NotReady,
    Verb,
    hookimpl,
)
from plugins.access_control._http_device import HttpConfig
from plugins.access_control._read_back import NoEvents, ReadBackDoors, Seen
from plugins.access_control._twon_access import Uses
from plugins.access_control._twon_api import NO_SUCH, Action, Denied, Switch, TwoN

PULL_S = 8
LASTS_S = 90
LEAVE_S = 0.3
UNSEEN = "by its relay: nothing looks at the bolt"
CHANGES = frozenset(
    {"SwitchOperationChanged", "SwitchesBlocked", "DoorStateChanged", "DeviceState"}
)
PASSAGES = frozenset({"ap", "rex", "dtmf", "auth", "uni", "zone", "idt"})


class TwoNConfig(HttpConfig):
    """A 2N device, signed in to with a digest as a user of its HTTP API."""


class TwoNDevice(Block):
    """One door of a 2N device: the switch that opens it, and what looks at it."""

    switch: int = Field(1, ge=1, le=16, description="The switch that opens the door.")
    contact: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,32}$")] | None = Field(
        None, description="The input that the door's contact is wired to, such as `input1`."
    )
    contact_closed: bool = Field(
        True, description="Whether that input is on while the door is closed."
    )
    access_points: tuple[Annotated[int, Field(ge=0, le=15)], ...] = Field(
        (),
        description="The device's access points at this door (0 and 1 are its two sides); "
        "all of them where it is the only door.",
    )


class TwoNDoors(ReadBackDoors[TwoNDevice]):
    """The doors behind one 2N device."""

    def __init__(self, config: TwoNConfig, context: Context) -> None:
        super().__init__(config, context)
        self._api = TwoN(self._http)
        self._switches: dict[int, dict[str, Any]] = {}
        self._uses = Uses(context.reference)

    async def _meet(self) -> None:
        try:
            self._switches = await self._api.switches()
        except Denied as error:
            raise NotReady(f"{self._http.where} does not tell its switches: {error}") from None

    async def _ask(self, door: str, device: TwoNDevice) -> Seen:
        self._must_have(device)
        switch = await self._api.switch(device.switch)
        position = None
        if device.contact is not None:
            on = await self._api.port(device.contact)
            position = "closed" if on == device.contact_closed else "open"
        return seen(switch, position)

    async def _perform(self, door: str, device: TwoNDevice, verb: Verb) -> None:
        kind = self._must_have(device).get("mode")
        number = device.switch
        if verb == "lockdown":
            await self._api.turn(number, "lock")
            return
        switch = await self._api.switch(number)
        for action in actions(verb, switch, bistable=kind == "bistable"):
            await self._api.turn(number, action)
        if verb == "lock" and switch.held and (await self._api.switch(number)).active:
            await self._api.turn(number, "off")

    async def _listen(self) -> None:
        try:
            channel = await self._api.subscribe(LASTS_S)
        except Denied as error:
            if error.code in NO_SUCH:
                raise NoEvents from None
            raise NotReady(f"{self._http.where} opens no log: {error}") from None
        self._look_everywhere()
        try:
            while True:
                for event in await self._api.pull(channel, PULL_S):
                    name, params = event.get("event"), event.get("params")
                    if isinstance(name, str):
                        self._hear(name, params if isinstance(params, dict) else {})
        except Denied as error:
            raise NotReady(f"{self._http.where} closed our log: {error}") from None
        finally:
            with contextlib.suppress(NotReady, CommandFailed, TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await self._api.unsubscribe(channel)

    def _hear(self, event: str, params: Mapping[str, Any]) -> None:
        """Take in an entry of the log: bad news is reported, all news makes us ask."""
        now = self._clock.now()
        if event == "SwitchStateChanged":
            for door in self._doors_where(switch=params.get("switch")):
                opened = params.get("state") is True
                if opened and params.get("originator") in PASSAGES:
                    self._tell(door, passage=True)
                self._news(door, now, lock="unlocked" if opened else None)
        elif event == "InputChanged":
            on = bool(params.get("state"))
            for door in self._doors_where(contact=params.get("port")):
                closed = on == self._devices[door].contact_closed
                self._news(door, now, position="closed" if closed else "open")
        elif event == "TamperSwitchActivated" and params.get("state") in ("in", "out"):
            for door in self._devices:
                self._tell(door, tampered=params["state"] == "in")
        elif event == "RexActivated":
            if (at := self._at(params.get("ap"))) is not None:
                self._tell(at, passage=True)
        elif (use := self._uses.hear(event, params)) is not None:
            if (at := self._at(params.get("ap"))) is not None:
                self._reports.tell(AccessReport(at, now, use.access, use.credential))
        elif event in CHANGES:
            self._look_everywhere()

    def _doors_where(self, **wanted: object) -> Iterator[str]:
        for door, device in self._devices.items():
            if all(getattr(device, key) == value for key, value in wanted.items()):
                yield door

    def _at(self, point: object) -> str | None:
        """The one door at an access point; None where that is not certain."""
        named = [door for door, each in self._devices.items() if point in each.access_points]
        if len(self._devices) == 1 and not any(d.access_points for d in self._devices.values()):
            named = list(self._devices)
        return named[0] if len(named) == 1 else None

    def _must_have(self, device: TwoNDevice) -> dict[str, Any]:
        if not self._http.is_open:
            raise NotReady(f"no link to {self._http.where}")
        found = self._switches.get(device.switch)
        if found is None or found.get("enabled") is not True:
            usable = [str(n) for n, each in self._switches.items() if each.get("enabled") is True]
            raise CommandFailed(
                f"the device has no switch {device.switch} in use; "
                f"it has: {', '.join(usable) or 'none'}"
            )
        return found

    def _advice(self) -> str:
        said = []
        for door, device in self._devices.items():
            if self._switches.get(device.switch, {}).get("mode") == "bistable":
                said.append(f"{door}: its switch is bistable, so `momentary` is refused")
            if self._at_none(device):
                said.append(f"{door}: name its `access_points` to be told who goes in")
        return "; ".join(said)

    def _at_none(self, device: TwoNDevice) -> bool:
        return len(self._devices) > 1 and not device.access_points


def seen(switch: Switch, position: Any = None) -> Seen:
    """What a switch means for a door, in our words."""
    if switch.active:
        does: set[Verb] = {"momentary", "lockdown_release"}
        detail = "set to lockdown, and the relay is still active" if switch.locked else ""
        if switch.locked:
            does = set()
        elif switch.held:
            does |= {"unlock", "hold_open"}
        passage = not switch.held and not switch.locked
        return Seen("unlocked", position, frozenset(does), detail, passage)
    if switch.locked:
        return Seen("locked", position, frozenset({"lock", "lockdown"}), f"lockdown, {UNSEEN}")
    if switch.held:
        return Seen("unknown", position, detail="held active, and the relay is at rest")
    return Seen("locked", position, frozenset({"lock", "lockdown_release"}), UNSEEN)


def actions(verb: Verb, switch: Switch, *, bistable: bool) -> list[Action]:
    """What makes a verb true, in order, at a switch in this state (`lockdown` is one `lock`).

    Raises `CommandFailed` where that cannot be.
    """
    if verb == "lockdown":
        return ["lock"]
    if verb == "lockdown_release":
        return ["unlock"] if switch.locked else []
    if verb in ("unlock", "hold_open"):
        return ["unlock", "hold"] if switch.locked else ["hold"]
    if verb == "lock":
        if switch.locked:
            return []
        return ["release"] if switch.held else ["off"] if switch.active else []
    if bistable:
        raise CommandFailed("its switch is bistable and would stay open: use `unlock` and `lock`")
    released: list[Action] = ["unlock"] if switch.locked else []
    return released if switch.held else [*released, "trigger"]


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "2N intercoms and access units: switches over HTTP, contact and log of who went in"
    return [Driver("twon", TwoNDoors, TwoNConfig, summary, device=TwoNDevice)]
