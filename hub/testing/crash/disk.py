"""A disk that remembers what was synced, so that a power cut can be played out after a kill.

`kill -9` alone leaves every write in the kernel's cache, where the next process finds it. So SQLite
is given a file system layer that notes each write, sync, truncation and deletion in a log before it
happens; from that log the files are made anew as a power cut could have left them.

It shows what SQLite and the journal rely on: that nothing is told or done before it was synced. It
cannot show whether the operating system and the drive keep what they acknowledged, nor the loss of
a folder's own entries: a file that was created and synced is there, one that was deleted is gone.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Keep = Literal["none", "some"]

OK = 0
SECTOR = 512
_KEPT_FLAGS = 0x100 | 0x800 | 0x80000  # the database, its rollback journal, its write-ahead log
_HEADER = struct.Struct("<BHIQ")
_OPEN, _WRITE, _TRUNCATE, _SYNC, _DELETE = range(5)

_P, _I, _L = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_Open = ctypes.CFUNCTYPE(_I, _P, _P, _P, _I, _P)
_Delete = ctypes.CFUNCTYPE(_I, _P, ctypes.c_char_p, _I)
_Write = ctypes.CFUNCTYPE(_I, _P, _P, _I, _L)
_Truncate = ctypes.CFUNCTYPE(_I, _P, _L)
_Sync = ctypes.CFUNCTYPE(_I, _P, _I)
_Close = ctypes.CFUNCTYPE(_I, _P)

_forever: list[Any] = []  # SQLite calls these until the process ends


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs` of SQLite's C interface."""

    _fields_ = [
        ("version", _I), ("file_size", _I), ("longest_path", _I), ("next", _P),
        ("name", ctypes.c_char_p), ("data", _P), ("open", _P), ("delete", _P),
        ("rest", _P * 14),
    ]  # fmt: skip


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods` of SQLite's C interface."""

    _fields_ = [
        ("version", _I), ("close", _P), ("read", _P), ("write", _P), ("truncate", _P),
        ("sync", _P), ("rest", _P * 13),
    ]  # fmt: skip


def nothing(step: str) -> None:
    """Let every step pass."""


def no_fault(step: str, file: str) -> int:
    """Let every step succeed."""
    return OK


class RecordedDisk:
    """SQLite's files of this process, every change noted in `log`. Install it before a file opens.

    `step` is told before and after each change (`write`, `written`, `sync`, `synced`) and may kill
    the process. `fault` is asked before each with the step and the file's name, and returns one of
    SQLite's error codes to make it fail, or 0.
    """

    def __init__(
        self,
        log: Path,
        step: Callable[[str], None] = nothing,
        fault: Callable[[str, str], int] = no_fault,
    ) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._step = step
        self._fault = fault
        self._files: dict[int, tuple[int, str]] = {}
        self._names: list[str] = []
        self._patched: dict[int, _Methods] = {}
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
        library.sqlite3_vfs_register.argtypes = [_P, _I]
        self._library = library
        self._below = library.sqlite3_vfs_find(None)

    def install(self) -> None:
        """Stand between SQLite and its files, for the rest of this process's life."""
        below = self._below.contents
        vfs = _Vfs()
        ctypes.memmove(ctypes.byref(vfs), self._below, ctypes.sizeof(_Vfs))
        vfs.next, vfs.name = None, b"recorded"
        self._open, self._delete = _Open(below.open), _Delete(below.delete)
        opened, deleted = _Open(self._on_open), _Delete(self._on_delete)
        vfs.open = ctypes.cast(opened, _P)
        vfs.delete = ctypes.cast(deleted, _P)
        _forever.extend((vfs, opened, deleted))
        self._library.sqlite3_vfs_register(ctypes.byref(vfs), 1)

    def _note(self, kind: int, number: int, offset: int = 0, data: bytes = b"") -> None:
        os.write(self._log, _HEADER.pack(kind, number, len(data), offset) + data)

    def _number(self, name: str) -> int:
        if name not in self._names:
            self._names.append(name)
            self._note(_OPEN, len(self._names) - 1, 0, name.encode())
        return self._names.index(name)

    def _on_open(self, vfs: int, path: int, file: int, flags: int, out: int) -> int:
        code = self._open(ctypes.addressof(self._below.contents), path, file, flags, out)
        if code == OK and path and flags & _KEPT_FLAGS:
            name = Path(os.fsdecode(ctypes.string_at(path))).name
            self._files[file] = (self._number(name), name)
            methods = _P.from_address(file)
            if methods.value is not None:
                methods.value = ctypes.addressof(self._patch(methods.value))
        return int(code)

    def _patch(self, address: int) -> _Methods:
        if address not in self._patched:
            below = _Methods.from_address(address)
            above = _Methods()
            ctypes.memmove(ctypes.byref(above), address, ctypes.sizeof(_Methods))
            for name, made in self._above(below).items():
                setattr(above, name, ctypes.cast(made, _P))
                _forever.append(made)
            _forever.append(above)
            self._patched[address] = above
        return self._patched[address]

    def _above(self, below: _Methods) -> dict[str, Any]:
        write, truncate = _Write(below.write), _Truncate(below.truncate)
        sync, close = _Sync(below.sync), _Close(below.close)

        def on_write(file: int, data: int, length: int, offset: int) -> int:
            number, name = self._files[file]
            if fault := self._fault("write", name):
                return fault
            self._step("write")
            self._note(_WRITE, number, offset, ctypes.string_at(data, length))
            code = int(write(file, data, length, offset))
            self._step("written")
            return code

        def on_truncate(file: int, size: int) -> int:
            self._note(_TRUNCATE, self._files[file][0], size)
            return int(truncate(file, size))

        def on_sync(file: int, flags: int) -> int:
            number, name = self._files[file]
            if fault := self._fault("sync", name):
                return fault
            self._step("sync")
            code = int(sync(file, flags))
            if code == OK:
                self._note(_SYNC, number)
            self._step("synced")
            return code

        def on_close(file: int) -> int:
            self._files.pop(file, None)
            return int(close(file))

        return {
            "write": _Write(on_write), "truncate": _Truncate(on_truncate),
            "sync": _Sync(on_sync), "close": _Close(on_close),
        }  # fmt: skip

    def _on_delete(self, vfs: int, path: bytes, sync_folder: int) -> int:
        code = int(self._delete(ctypes.addressof(self._below.contents), path, sync_folder))
        name = Path(os.fsdecode(path)).name
        if code == OK and name in self._names:
            self._note(_DELETE, self._names.index(name))
        return code


@dataclass
class _File:
    durable: bytearray | None
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def settle(self, chosen: Callable[[], bool]) -> None:
        """Let the chosen ones of the writes that wait reach the disk, and forget the others."""
        for offset, data in self.pending:
            if not chosen():
                continue
            if self.durable is None:
                self.durable = bytearray()
            if data is None:
                del self.durable[offset:]
                continue
            missing = offset - len(self.durable)
            if missing > 0:
                self.durable.extend(bytes(missing))
            self.durable[offset : offset + len(data)] = data
        self.pending.clear()


@dataclass(frozen=True, slots=True)
class Cut:
    """What a power cut took: how many pieces of at most a sector had not been synced."""

    unsynced: int
    kept: int


def cut_power(before: Path, log: Path, after: Path, keep: Keep, chance: random.Random) -> Cut:
    """Write into `after` the files of a log as a power cut at its end leaves them.

    `before` holds the files as they were when the log began. What was synced is there; of the
    rest, cut at the borders of sectors, nothing is there or (`some`) a random choice, in any
    mixture of old and new.
    """
    files: dict[str, _File] = {}
    names: dict[int, str] = {}
    for kind, number, offset, data in _records(log):
        if kind == _OPEN:
            name = names[number] = data.decode()
            path = before / name
            files[name] = _File(bytearray(path.read_bytes()) if path.exists() else None)
            continue
        file = files[names[number]]
        if kind == _WRITE:
            file.pending.extend(_pieces(offset, data))
        elif kind == _TRUNCATE:
            file.pending.append((offset, None))
        elif kind == _SYNC:
            file.settle(lambda: True)
            file.durable = bytearray() if file.durable is None else file.durable
        else:
            file.durable, file.pending = None, []
    unsynced = sum(len(file.pending) for file in files.values())
    kept = 0

    def survives() -> bool:
        nonlocal kept
        chosen = keep == "some" and chance.random() < 0.5
        kept += chosen
        return chosen

    for name, file in files.items():
        file.settle(survives)
        if file.durable is None:
            (after / name).unlink(missing_ok=True)
        else:
            (after / name).write_bytes(file.durable)
    for index in after.glob("*-shm"):
        index.unlink()  # SQLite makes it anew and never syncs it
    return Cut(unsynced, kept)


def _pieces(offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    end = offset + len(data)
    while offset < end:
        border = min(end, (offset // SECTOR + 1) * SECTOR)
        yield offset, data[: border - offset]
        data, offset = data[border - offset :], border


def _records(log: Path) -> Iterator[tuple[int, int, int, bytes]]:
    content = log.read_bytes()
    place = 0
    while place + _HEADER.size <= len(content):
        kind, number, length, offset = _HEADER.unpack_from(content, place)
        place += _HEADER.size
        if place + length > len(content):
            return  # the process was killed while it wrote this down
        yield kind, number, offset, content[place : place + length]
        place += length
