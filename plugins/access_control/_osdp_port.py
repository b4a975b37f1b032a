"""The serial port at the near end of an OSDP line."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import termios
import tty

from hub import NotReady

ROOM = 2048
START_MARK = 0x53  # the first octet of a packet, before the address


class Port:
    """The serial port, as libosdp reads and writes it. Nothing here may raise into C."""

    id = 1  # the same for all devices: they share the line

    def __init__(self, path: str, baud: int) -> None:
        self.broken = ""
        self.muted: set[int] = set()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise NotReady(_not_opened(path, error)) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tty.setraw(self._file)
            settings = termios.tcgetattr(self._file)
            settings[4] = settings[5] = getattr(termios, f"B{baud}")
            settings[2] |= termios.CLOCAL | termios.CREAD
            termios.tcsetattr(self._file, termios.TCSANOW, settings)
            termios.tcflush(self._file, termios.TCIOFLUSH)
        except (OSError, termios.error) as error:
            os.close(self._file)
            raise NotReady(_not_opened(path, error)) from None

    def read(self, most: int) -> bytes:
        """What has come."""
        try:
            return os.read(self._file, min(most, ROOM))
        except BlockingIOError:
            return b""
        except OSError as error:
            self.broken = error.strerror or "it is gone"
            return b""

    def write(self, packet: bytes) -> int:
        """Send a packet, unless its address is to hear nothing."""
        start = packet.find(START_MARK, 0, 2)
        if start >= 0 and packet[start + 1] & 0x7F in self.muted:
            return len(packet)
        try:
            return os.write(self._file, packet)
        except BlockingIOError:
            return len(packet)  # a full line: it is lost, as on a wire, and sent again
        except OSError as error:
            self.broken = error.strerror or "it is gone"
            return len(packet)

    def flush(self) -> None:
        """Drop what has come and was not asked for."""
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self._file, termios.TCIFLUSH)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)


def _not_opened(path: str, error: BaseException) -> str:
    number = error.args[0] if error.args else 0
    if number == errno.ENOENT:
        return f"there is no {path}: is the adapter plugged in?"
    if number in (errno.EACCES, errno.EPERM):
        return f"the hub may not use {path}: its user needs the group `dialout`"
    if number in (errno.EWOULDBLOCK, errno.EBUSY):
        return f"{path} is in use"
    return f"{path} cannot be used: {os.strerror(number) if number else error}"
