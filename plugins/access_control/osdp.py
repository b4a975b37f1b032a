"""Readers and door controllers on an RS-485 line, with OSDP 2.2 and its secure channel.

The hub is the control panel: it switches the relay of a device, and asks it how its relays and
inputs are. Those answers alone confirm. A card or a code is told by a reference and opens nothing:
the hub has no list of cards.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from hub import (
    AccessReport,
    Block,
    Capabilities,
    CommandFailed,
    Context,
    DoorReport,
    Driver,
    Duration,
    NotReady,
    Probed,
    Verb,
    hookimpl,
)
from plugins.access_control._osdp_door import INPUTS, OsdpDevice, OsdpDoor, Panel, output_command
from plugins.access_control._osdp_line import Address, Line
from plugins.access_control._reports import Reporting, Reports

READY_S = 2.0  # for how long a start waits for the devices
PROBE_S = 4.0
CMD_OUTPUT, CMD_STATUS = 1, 9  # libosdp's numbers, the same since its version 1
NO_CARDS = "the hub has no list of cards: it opened nothing"
VERBS_HERE: frozenset[Verb] = frozenset({"lock", "unlock", "hold_open", "momentary"})


class OsdpConfig(Block):
    """The serial port of the line."""

    line: str = Field(
        min_length=1,
        description="The serial port, best by its lasting name as in /dev/serial/by-id/.",
    )
    baud: Literal[9600, 19200, 38400, 57600, 115200, 230400] = Field(
        9600, description="How fast the devices on it speak."
    )
    poll: Duration = Field(
        1.0, ge=0.2, le=5, description="How often each device is asked for its relays and inputs."
    )


class OsdpDoors(Reporting[DoorReport | AccessReport]):
    """The doors whose devices are on one line."""

    def __init__(self, config: OsdpConfig, context: Context) -> None:
        self._config, self._context, self._clock = config, context, context.clock
        self._devices: Mapping[str, OsdpDevice] = context.devices
        self._reports: Reports[DoorReport | AccessReport] = Reports()
        self._panels: list[Panel] = []
        self._doors: dict[str, OsdpDoor] = {}
        self._line: Line | None = None
        self._watch: asyncio.Task[None] | None = None
        self._met = asyncio.Event()

    @property
    def capabilities(self) -> Capabilities:
        """What a relay can do; no badge enters by it, whatever it was told."""
        bare = frozenset(door for door, device in self._devices.items() if device.contact is None)
        return Capabilities(
            verbs=VERBS_HERE,
            badges_still_work=False,
            has_position=len(bare) < len(self._devices),
            stale_after_s=max(10.0, 5 * self._config.poll),
            without_position=bare,
        )

    async def start(self) -> None:
        """Open the line and meet the devices; one that is away is told so, and looked for."""
        await self.close()
        self._reports.begin()
        self._line = self._set_up()
        try:
            await self._line.start()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READY_S):
                    await self._met.wait()
        except BaseException:
            await self.close()
            raise
        self._watch = asyncio.create_task(self._keep_asking(), name=f"{self._context.name} poll")
        self._reports.end_with(self._watch, str(self._line))

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Switch the relay; handed over once the device has acknowledged it."""
        line, behind = self._behind(door)
        if verb not in VERBS_HERE:
            raise CommandFailed(f"a relay cannot {verb}; it can lock, unlock and let one through")
        if lacking := behind.lacking():
            raise CommandFailed(lacking)
        code, tenths = output_command(behind.device, verb)
        switch = {
            "command": CMD_OUTPUT,
            "output_no": behind.device.output,
            "control_code": code,
            "timer_count": tenths,
        }
        number, done = line.order(behind.panel.place, switch)
        behind.answer_after(number)
        await done
        self._ask(behind.panel)

    async def refresh(self, door: str) -> None:
        """Ask the device for its relays, its inputs and itself."""
        _, behind = self._behind(door)
        if not behind.panel.here:
            raise NotReady(behind.panel.why)
        self._ask(behind.panel)

    async def probe(self) -> Probed:
        """Whether each device answers with its key; no relay is switched."""
        line = self._set_up()
        try:
            await line.start()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_S):
                    await self._met.wait()
        except NotReady as error:
            if "in use" not in str(error):
                raise
            return Probed(f"{error}: a running hub has it, and says how its doors are")
        finally:
            await line.stop()
        return self._found(line)

    async def close(self) -> None:
        """Let go of the line; the relays stay as they are."""
        watch, self._watch = self._watch, None
        line, self._line = self._line, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})
        if line is not None:
            await line.stop()
        self._reports.end()

    def came(self, place: int, outputs: int, inputs: int) -> None:
        """The secure channel of a device is up: how it stands is asked at once."""
        panel = self._panels[place]
        panel.come(outputs, inputs)
        self._meet()
        self._ask(panel)

    def went(self, place: int, why: str) -> None:
        """A device is away: so are its doors."""
        panel = self._panels[place]
        panel.go(why)
        for door in panel.doors:
            now = self._clock.now()
            self._reports.tell(DoorReport(door.name, now, online=False, detail=why))

    def status(self, place: int, kind: int, report: bytes, number: int) -> None:
        """What a device says of its relays, its inputs or itself."""
        panel = self._panels[place]
        if not panel.here:
            return
        panel.take(kind, report, number > 0)
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for door in panel.doors:
            if kind == INPUTS and door.leaves():
                self._reports.tell(DoorReport(door.name, now, passage=True))
            said = door.report(kind, number, now, monotonic)
            if said is not None:
                self._reports.tell(said)

    def event(self, place: int, event: Mapping[str, Any]) -> None:
        """A card or a code: a reference to it, and nothing is opened."""
        for door in self._panels[place].doors:
            used = door.used(event, self._clock.monotonic())
            if used is not None:
                who, now = self._context.reference(used), self._clock.now()
                self._reports.tell(AccessReport(door.name, now, "denied", who, NO_CARDS))

    def _set_up(self) -> Line:
        """The line, with one panel for each address; several doors may hang on one device."""
        by_address: dict[int, list[str]] = {}
        for door, device in self._devices.items():
            by_address.setdefault(device.address, []).append(door)
        self._panels, self._doors, self._met = [], {}, asyncio.Event()
        addresses: list[Address] = []
        for number, doors in by_address.items():
            keys = {self._devices[door].scbk for door in doors}
            if len(keys) > 1:
                raise NotReady(f"{' and '.join(doors)} name address {number} with different keys")
            panel = Panel(len(addresses), number)
            addresses.append(Address(number, bytes.fromhex(keys.pop())))
            self._panels.append(panel)
            panel.doors = [OsdpDoor(door, self._devices[door], panel) for door in doors]
            self._doors |= {door.name: door for door in panel.doors}
        self._meet()
        config = self._config
        return Line(config.line, config.baud, addresses, self, self._context.name)

    def _meet(self) -> None:
        if all(panel.here for panel in self._panels):
            self._met.set()

    def _behind(self, door: str) -> tuple[Line, OsdpDoor]:
        if self._line is None:
            raise NotReady(f"the line {self._config.line} is not open")
        if door not in self._doors:
            raise CommandFailed(f"no device on this line belongs to {door}")
        return self._line, self._doors[door]

    def _ask(self, panel: Panel) -> None:
        """Ask a device for all that its doors need; what it does not have is not asked for."""
        if self._line is not None:
            for kind in panel.kinds():
                self._line.ask(panel.place, {"command": CMD_STATUS, "type": kind})

    async def _keep_asking(self) -> None:
        while True:
            await self._clock.sleep(self._config.poll)
            for panel in self._panels:
                if panel.here:
                    self._ask(panel)

    def _found(self, line: Line) -> Probed:
        here = [panel for panel in self._panels if panel.here]
        found = f"{line}: {len(here)} of {len(self._panels)} devices answer with their key"
        if not self._panels:
            return Probed(f"{line} is there; no door names this controller", "add its doors")
        away = [panel.why or f"address {panel.address} does not answer" for panel in self._panels
                if not panel.here]  # fmt: skip
        if away:
            remedy = "check power, wiring, `address` and `baud`"
            if any("scbk" in why for why in away):
                remedy = "write the key that was set in the device, or set it there anew"
            return Probed(f"{found}; {'; '.join(away)}", remedy, works=bool(here))
        return Probed(found)


@hookimpl
def vestibule_access_control() -> Iterable[Driver]:
    """Announce the driver."""
    summary = "OSDP devices on RS-485, in the secure channel: relay, contact, bolt, exit, reader"
    return [Driver("osdp", OsdpDoors, OsdpConfig, summary, device=OsdpDevice)]
