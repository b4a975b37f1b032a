"""A real OSDP peripheral device: libosdp's own, at one end of a pseudo-terminal.

The Python side of libosdp cannot answer a question about inputs and outputs, so that the C library
is called here as it is. The structures are those of its `osdp.h`, version 3.
"""

from __future__ import annotations

import ctypes
import os
import pty
import termios
import threading
import tty
from collections import deque
from ctypes import CFUNCTYPE, POINTER, Structure, Union, byref, c_char_p, c_int, c_void_p
from ctypes import c_uint8 as u8
from ctypes import c_uint16 as u16
from ctypes import c_uint32 as u32
from pathlib import Path

import osdp_sys

READ = CFUNCTYPE(c_int, c_void_p, POINTER(u8), c_int)
FLUSH = CFUNCTYPE(None, c_void_p)
COMMAND = CFUNCTYPE(c_int, c_void_p, c_void_p)
OUTPUT, STATUS = osdp_sys.CMD_OUTPUT, osdp_sys.CMD_STATUS
INPUTS, OUTPUTS, LOCAL = (
    osdp_sys.STATUS_REPORT_INPUT, osdp_sys.STATUS_REPORT_OUTPUT, osdp_sys.STATUS_REPORT_LOCAL,
)  # fmt: skip
TICK_S = 0.002


class _Channel(Structure):
    _fields_ = (
        ("data", c_void_p), ("id", c_int), ("recv", READ), ("recv_pkt", c_void_p),
        ("send", READ), ("flush", FLUSH), ("release_pkt", c_void_p), ("close", c_void_p),
    )  # fmt: skip


class _Id(Structure):
    _fields_ = (
        ("version", c_int), ("model", c_int), ("vendor", u32), ("serial", u32), ("firmware", u32),
    )  # fmt: skip


class _Can(Structure):
    _fields_ = (("function", u8), ("level", u8), ("items", u8))


class _Info(Structure):
    _fields_ = (
        ("name", c_char_p), ("baud_rate", c_int), ("address", c_int), ("flags", c_int),
        ("id", _Id), ("cap", POINTER(_Can)), ("channel", _Channel), ("scbk", c_char_p),
    )  # fmt: skip


class _Status(Structure):
    _fields_ = (("type", c_int), ("entries", c_int), ("report", u8 * 64))


class _Output(Structure):
    _fields_ = (("number", u8), ("code", u8), ("timer", u16))


class _Card(Structure):
    _fields_ = (
        ("reader", c_int), ("format", c_int), ("direction", c_int), ("bits", c_int),
        ("data", u8 * 64),
    )  # fmt: skip


class _Keys(Structure):
    _fields_ = (("reader", c_int), ("length", c_int), ("data", u8 * 64))


class _Body(Union):
    _fields_ = (
        ("status", _Status), ("output", _Output), ("card", _Card), ("keys", _Keys),
        ("room", u8 * 512),
    )  # fmt: skip


class _Message(Structure):
    """A command or an event; its first words are the library's own."""

    _fields_ = (
        ("next", c_void_p), ("prev", c_void_p), ("id", c_int), ("flags", u32), ("body", _Body),
    )  # fmt: skip


def _library() -> ctypes.CDLL:
    library = ctypes.PyDLL(osdp_sys.__file__)
    library.osdp_pd_setup.restype = c_void_p
    for name in ("refresh", "teardown", "submit_event", "set_command_callback"):
        getattr(library, f"osdp_pd_{name}").argtypes = {
            "refresh": (c_void_p,), "teardown": (c_void_p,),
            "submit_event": (c_void_p, c_void_p),
            "set_command_callback": (c_void_p, COMMAND, c_void_p),
        }[name]  # fmt: skip
    return library


class Reader:
    """One device at one address, with relays and inputs. `obeyed` keeps the output commands.

    `faults`: `jam` (it takes a command and its relay stays), `mute` (it says nothing), `noise`.
    """

    def __init__(self, folder: Path, key: bytes, address: int = 5) -> None:
        self.key, self.address = key, address
        self.outputs = [0, 0]
        self.inputs = [1, 0, 0, 0]
        self.local = [0, 0]
        self.faults: set[str] = set()
        self.obeyed: list[tuple[int, int, int]] = []
        self.line = folder / "line"
        osdp_sys.set_loglevel(osdp_sys.LOG_CRIT)
        self._library = _library()
        self._events: deque[_Message] = deque()
        self._kept: list[object] = []  # what the library points at
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._master = self._slave = -1

    def plug_in(self) -> None:
        """Put the line where the other end finds it, and answer on it."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.line.unlink(missing_ok=True)
        self.line.symlink_to(os.ttyname(self._slave))
        self.power_on()

    def pull_out(self) -> None:
        """The line is gone, as when an adapter is unplugged."""
        self.power_off()
        for end in (self._master, self._slave):
            os.close(end)
        self.line.unlink(missing_ok=True)

    def power_on(self) -> None:
        """Start afresh: no secure channel, and no command of before."""
        termios.tcflush(self._slave, termios.TCIOFLUSH)
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="osdp reader")
        self._thread.start()

    def power_off(self) -> None:
        """Answer nothing any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def set_input(self, number: int, value: int, *, tell: bool = True) -> None:
        """Change an input, and say so without being asked."""
        self.inputs[number] = value
        if tell:
            self._tell_status(INPUTS, self.inputs)

    def tamper(self, on: bool) -> None:
        """Be opened, or closed again."""
        self.local[0] = int(on)
        self._tell_status(LOCAL, self.local)

    def claim_outputs(self, *outputs: int) -> None:
        """Say of the relays, unasked, what need not be so."""
        self._tell_status(OUTPUTS, list(outputs))

    def read_card(self, number: int, bits: int = 26) -> None:
        """Somebody holds a card before it."""
        event = _Message(id=osdp_sys.EVENT_CARDREAD)
        card = event.body.card
        card.format, card.bits = osdp_sys.CARD_FMT_RAW_WIEGAND, bits
        raw = number.to_bytes((bits + 7) // 8, "big")
        ctypes.memmove(card.data, raw, len(raw))
        self._events.append(event)

    def press(self, keys: bytes) -> None:
        """Somebody types."""
        event = _Message(id=osdp_sys.EVENT_KEYPRESS)
        event.body.keys.length = len(keys)
        ctypes.memmove(event.body.keys.data, keys, len(keys))
        self._events.append(event)

    def _tell_status(self, type_: int, report: list[int]) -> None:
        event = _Message(id=osdp_sys.EVENT_STATUS)
        _fill(event.body.status, type_, report)
        self._events.append(event)

    def _run(self) -> None:
        device = self._set_up()
        try:
            while not self._ended.wait(TICK_S):
                if "noise" in self.faults:
                    if self._read_all():
                        os.write(self._master, bytes(range(256)))
                    continue
                if "mute" in self.faults:
                    self._read_all()
                    continue
                while self._events:
                    event = self._events.popleft()
                    self._kept.append(event)
                    self._library.osdp_pd_submit_event(device, byref(event))
                self._library.osdp_pd_refresh(device)
        finally:
            self._library.osdp_pd_teardown(device)

    def _set_up(self) -> int:
        cans = (_Can * 5)(
            _Can(osdp_sys.CAP_CONTACT_STATUS_MONITORING, 1, len(self.inputs)),
            _Can(osdp_sys.CAP_OUTPUT_CONTROL, 1, len(self.outputs)),
            _Can(osdp_sys.CAP_COMMUNICATION_SECURITY, 1, 1),
            _Can(osdp_sys.CAP_READERS, 1, 1),
            _Can(0xFF, 0, 0),
        )
        read, write = READ(self._read), READ(self._write)
        flush, command = FLUSH(lambda _: None), COMMAND(self._command)
        key = ctypes.create_string_buffer(self.key, 16)
        info = _Info(
            b"reader", 9600, self.address, osdp_sys.FLAG_ENFORCE_SECURE,
            _Id(1, 1, 0xCAFEBA, 0xDEADBEEF, 0x010203), cans,
            _Channel(id=7, recv=read, send=write, flush=flush),
            ctypes.cast(key, c_char_p),
        )  # fmt: skip
        self._kept = [cans, read, write, flush, command, key, info]
        device = int(self._library.osdp_pd_setup(byref(info)))
        self._library.osdp_pd_set_command_callback(device, command, None)
        return device

    def _command(self, _: object, address: int) -> int:
        message = _Message.from_address(address)
        if message.id == OUTPUT:
            asked = message.body.output
            self.obeyed.append((asked.number, asked.code, asked.timer))
            if "jam" not in self.faults:
                self.outputs[asked.number] = int(asked.code in (2, 4, 5))
        elif message.id == STATUS:
            kind = message.body.status.type
            report = {INPUTS: self.inputs, OUTPUTS: self.outputs, LOCAL: self.local}[kind]
            _fill(message.body.status, kind, report)
        return 0

    def _read(self, _: object, buffer: object, room: int) -> int:
        try:
            found = os.read(self._master, room)
        except OSError:
            return 0
        ctypes.memmove(buffer, found, len(found))
        return len(found)

    def _write(self, _: object, buffer: object, length: int) -> int:
        try:
            return os.write(self._master, ctypes.string_at(buffer, length))
        except OSError:
            return length

    def _read_all(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except OSError:
            return b""


def _fill(status: _Status, type_: int, report: list[int]) -> None:
    status.type, status.entries = type_, len(report)
    for place, value in enumerate(report):
        status.report[place] = value
