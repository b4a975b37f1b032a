"""An RS-485 line of OSDP devices: the serial port, and libosdp's control panel in a thread.

libosdp must be called every few milliseconds and calls back, so it has a thread of its own; the
event loop hears of it by `call_soon_threadsafe` and waits for nothing. Only that thread touches the
panel. The secure channel is enforced: without it nothing is sent and nothing believed.

A command that a device does not acknowledge is sent again by libosdp for eight seconds. Here it is
given up after two, and from then on nothing goes out to that address until libosdp has given up
too: what was told to be not done must not be done later.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub import CommandFailed, NotReady
from plugins.access_control._osdp_port import Port

TICK_S = 0.01
ANSWER_S = 2.0  # within which a device acknowledges a command, or counts as away
REOPEN_S = 1.0
RETRY_S = 5.0  # after which a device that is away is looked for afresh
SOON_S = 0.2
DONE, REFUSED = 0, 1  # how libosdp says that an order ended; above: it was dropped
CONTACTS, OUTPUT_CONTROL = 1, 2  # capabilities, OSDP 2.2, annex B


@dataclass(frozen=True, slots=True)
class Address:
    """A device on the line, and the key that opens its secure channel."""

    number: int
    key: bytes = field(repr=False)


class Hearing(Protocol):
    """Who is told, in the event loop. `place` is the device's place in the list of addresses."""

    def came(self, place: int, outputs: int, inputs: int) -> None:
        """Its secure channel is up; so many outputs and inputs it has."""

    def went(self, place: int, why: str) -> None:
        """It is away; what it said no longer counts."""

    def status(self, place: int, kind: int, report: bytes, number: int) -> None:
        """What it says of its inputs, outputs or itself; `number` is that of the order it answers,
        0 where nobody asked.
        """

    def event(self, place: int, event: Mapping[str, Any]) -> None:
        """A card or keys."""


@dataclass(slots=True)
class _Order:
    place: int
    command: Mapping[str, int]
    number: int
    done: asyncio.Future[None] | None = None
    since: float = 0.0


@dataclass(slots=True)
class _Device:
    address: Address
    here: bool = False
    met: bool = False  # whether its key was right since the line was opened
    told: str | None = None
    looked_at: float = 0.0
    cycling: bool = False
    waiting: deque[_Order] = field(default_factory=deque)
    answers: tuple[int, int] = (-1, 0)  # the kind of status that comes next, and for which order


class Line:
    """One line. `start` it, `order`, `ask`, `stop` it; all from the event loop."""

    def __init__(
        self, path: str, baud: int, addresses: Sequence[Address], hearing: Hearing, name: str
    ) -> None:
        self._path, self._baud, self._name = path, baud, name
        self._devices = [_Device(address) for address in addresses]
        self._hearing = hearing
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._panel: Any = None
        self._number = 0

    def __str__(self) -> str:
        return f"the line {self._path}"

    async def start(self) -> None:
        """Open the port and begin; raises `NotReady` where it cannot be opened."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._over = asyncio.Event()
        self._ended.clear()
        self._orders = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name=f"{self._name} osdp", daemon=True
        )
        self._thread.start()
        await opened

    async def stop(self) -> None:
        """Let go of the port; orders that wait fail."""
        thread, self._thread = self._thread, None
        self._ended.set()
        if thread is not None and self._over is not None:
            await self._over.wait()
            thread.join()  # its last act was to say so

    def ask(self, place: int, command: Mapping[str, int]) -> int:
        """Send a question; what it is answered comes to `Hearing.status` under this number."""
        return self._submit(place, command, None)

    def order(self, place: int, command: Mapping[str, int]) -> tuple[int, asyncio.Future[None]]:
        """Send a command. Returns its number and what ends once the device has acknowledged it:
        with `NotReady` where that is away, `CommandFailed` where it says no.
        """
        if self._thread is None or self._loop is None:
            raise NotReady(f"{self} is not open")
        done: asyncio.Future[None] = self._loop.create_future()
        return self._submit(place, command, done), done

    def _submit(
        self, place: int, command: Mapping[str, int], done: asyncio.Future[None] | None
    ) -> int:
        self._number += 1
        self._orders.put(_Order(place, command, self._number, done))
        return self._number

    # What follows runs in the thread.

    def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            while not self._ended.is_set():
                try:
                    port = Port(self._path, self._baud)
                except NotReady as error:
                    self._call(_fail, opened, error)
                    self._lose_all(str(error))
                else:
                    self._call(_settle, opened, None)
                    try:
                        self._keep(port)
                    except Exception as error:  # of libosdp: the line is begun afresh
                        port.broken = port.broken or f"{type(error).__name__}: {error}"
                    finally:
                        self._panel = None
                        port.close()
                    self._lose_all(f"{self} broke: {port.broken}")
                self._fail_orders()
                self._ended.wait(REOPEN_S)
        finally:
            self._fail_orders()
            self._call(_fail, opened, NotReady(f"{self} was closed"))
            self._call(_set, self._over)

    def _keep(self, port: Port) -> None:
        import osdp

        infos = [
            osdp.PDInfo(
                device.address.number,
                port,
                scbk=device.address.key,
                flags=[osdp.LibFlag.EnforceSecure],
            )
            for device in self._devices
        ]
        panel = osdp.ControlPanel(infos, log_level=osdp.LogLevel.Critical).ctx
        panel.set_event_callback(self._on_event)
        panel.set_command_completion_callback(self._on_completion)
        self._panel = panel
        began = time.monotonic()
        for device in self._devices:
            device.here = device.met = device.cycling = False
            device.looked_at = began
            device.waiting.clear()
        while not self._ended.is_set() and not port.broken:
            self._take_orders()
            panel.refresh()
            here = panel.status() & panel.sc_status()
            for place, device in enumerate(self._devices):
                self._look(place, device, bool(here >> place & 1), port)
            self._ended.wait(TICK_S)

    def _take_orders(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                order = self._orders.get_nowait()
                device = self._devices[order.place]
                order.since = time.monotonic()
                if not device.here:
                    self._fail(order, NotReady(self._why_away(order.place)))
                elif self._panel.submit_command(order.place, dict(order.command)):
                    device.waiting.append(order)
                else:
                    self._fail(order, NotReady(f"{_device(device)} has too much to do"))

    def _look(self, place: int, device: _Device, here: bool, port: Port) -> None:
        """Tell who came and went, give up what is not acknowledged, look for who is away."""
        now = time.monotonic()
        muted = device.address.number in port.muted
        if device.here and device.waiting and now - device.waiting[0].since > ANSWER_S:
            port.muted.add(device.address.number)
            self._panel.flush_commands(place)
            self._went(place, device, f"{_device(device)} does not answer")
            return
        if here and not device.here and not muted:
            device.here, device.met, device.told = True, True, None
            has = (
                self._panel.check_capability(place, what)[1] for what in (OUTPUT_CONTROL, CONTACTS)
            )
            self._call(self._hearing.came, place, *has)
        elif not here and device.here:
            device.looked_at = now - RETRY_S + SOON_S  # it was reset: try at once
            self._went(place, device, f"{_device(device)} does not answer")
        if muted and not here:
            port.muted.discard(device.address.number)
            device.looked_at = now - RETRY_S
        if device.cycling:
            if not self._panel.is_pd_enabled(place):
                self._panel.enable_pd(place)
                device.cycling = False
        elif not here and not device.here and now - device.looked_at > RETRY_S:
            device.looked_at = now
            device.cycling = bool(self._panel.disable_pd(place))
            self._tell_away(place, device, self._why_away(place))

    def _went(self, place: int, device: _Device, why: str) -> None:
        device.here = False
        while device.waiting:
            self._fail(device.waiting.popleft(), NotReady(why))
        self._tell_away(place, device, why)

    def _tell_away(self, place: int, device: _Device, why: str) -> None:
        if device.told != why:
            device.told = why
            self._call(self._hearing.went, place, why)

    def _why_away(self, place: int) -> str:
        device = self._devices[place]
        who = self._panel.get_pd_id(place) if self._panel is not None else None
        if who and any(who.values()) and not device.met:
            return f"{_device(device)} answers, but not with this `scbk`"
        return f"{_device(device)} does not answer"

    def _on_completion(self, place: int, command: Mapping[str, Any], result: int) -> None:
        device = self._devices[place]
        order = next((each for each in device.waiting if _same(each.command, command)), None)
        if order is None:
            return
        device.waiting.remove(order)
        if result != DONE:
            refused = CommandFailed(f"{_device(device)} refused it")
            away = NotReady(f"{_device(device)} does not answer")
            self._fail(order, refused if result == REFUSED else away)
            return
        if "type" in order.command:
            device.answers = (order.command["type"], order.number)
        self._call(_settle, order.done, None)

    def _on_event(self, place: int, event: Mapping[str, Any]) -> int:
        """What answers a question follows its completion at once; all else came unasked."""
        device = self._devices[place]
        if "report" in event:
            kind, number = device.answers
            device.answers = (-1, 0)
            number = number if kind == event["type"] else 0
            self._call(self._hearing.status, place, event["type"], event["report"], number)
        elif "data" in event:
            self._call(self._hearing.event, place, dict(event))
        return 0

    def _lose_all(self, why: str) -> None:
        if self._ended.is_set():
            return
        for place, device in enumerate(self._devices):
            self._went(place, device, why)

    def _fail_orders(self) -> None:
        closed = NotReady(f"{self} is not open")
        for device in self._devices:
            while device.waiting:
                self._fail(device.waiting.popleft(), closed)
        with contextlib.suppress(queue.Empty):
            while True:
                self._fail(self._orders.get_nowait(), closed)

    def _fail(self, order: _Order, error: Exception) -> None:
        self._call(_fail, order.done, error)

    def _call(self, act: Callable[..., None], *about: object) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
            self._loop.call_soon_threadsafe(act, *about)


def _device(device: _Device) -> str:
    return f"the device at address {device.address.number}"


def _same(ours: Mapping[str, int], theirs: Mapping[str, Any]) -> bool:
    return all(theirs.get(name) == value for name, value in ours.items())


def _settle(future: asyncio.Future[None] | None, result: None) -> None:
    if future is not None and not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[None] | None, error: Exception) -> None:
    if future is not None and not future.done():
        future.set_exception(error)


def _set(event: asyncio.Event) -> None:
    event.set()
