"""What a process has used so far, read from Linux's /proc."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """User and system time in seconds and the highest resident memory in MiB."""

    cpu_s: float = 0.0
    rss_peak_mb: float = 0.0


def usage(pid: int) -> Usage | None:
    """Time and memory of the process, without its children; None when it cannot be read.

    Fields 14 and 15 of /proc/PID/stat (proc(5)), counted after the command, which may hold spaces;
    `VmHWM` of /proc/PID/status, in KiB.
    """
    folder = Path("/proc") / str(pid)
    try:
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
        status = (folder / "status").read_text()
    except OSError:
        return None
    ticks = int(stat[11]) + int(stat[12])
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")
    return Usage(ticks / _TICKS, int(peak) / 1024)


def die_with_parent() -> None:
    """Ask Linux to kill this process when the hub dies (prctl(2), PR_SET_PDEATHSIG = 1)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
