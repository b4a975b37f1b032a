"""What Linux tells of processes and threads, and is told about our own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_GROUP = Path("/proc/self/autogroup")
_TRIES, _TRY_AGAIN_S = 10, 0.12


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


def memory_mb(pid: int) -> float:
    """Memory of a process now, in MiB, what it shares with others counted in part; 0 if unknown."""
    try:
        text = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(row.split()[1]) for row in text.splitlines() if row.startswith("Pss:")) / 1024


def waited_s(pid: int) -> float:
    """How long a process's first thread has been ready to run and had no processor; 0 if unknown.

    The second field of /proc/PID/schedstat, in nanoseconds.
    """
    try:
        return int((Path("/proc") / str(pid) / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def waits(pid: int, names: tuple[str, ...]) -> dict[int, float]:
    """The same of the first thread and of those whose name begins with one of these, by thread."""
    found: dict[int, float] = {}
    for folder in Path(f"/proc/{pid}/task").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            if folder.name == str(pid) or (folder / "comm").read_text().startswith(names):
                waited = (folder / "schedstat").read_text().split()[1]
                found[int(folder.name)] = int(waited) / 1e9
    return found


def threads(pid: int) -> dict[int, tuple[str, float]]:
    """By thread: its name as the kernel knows it (15 characters), and the seconds it has worked."""
    found: dict[int, tuple[str, float]] = {}
    for folder in Path(f"/proc/{pid}/task").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            head, _, tail = (folder / "stat").read_text().rpartition(")")
            fields = tail.split()
            ticks = int(fields[11]) + int(fields[12])
            found[int(folder.name)] = (head.partition("(")[2], ticks / _TICKS)
    return found


def name_threads(known: set[int]) -> None:
    """Tell the kernel what this process's threads are called, for `top -H`; `known` are named."""
    for thread in threading.enumerate():
        number = thread.native_id
        if number is None or number in known or thread is threading.main_thread():
            continue
        known.add(number)
        with contextlib.suppress(OSError):
            Path(f"/proc/self/task/{number}/comm").write_text(thread.name[:15])


def die_with_parent() -> None:
    """Ask Linux to kill this process when the hub dies (prctl(2), PR_SET_PDEATHSIG = 1)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def give_way(niceness: int) -> None:
    """Let what moves doors go before this process, from now on.

    Linux may share its time out between sessions first (sched(7), autogroups), and a niceness then
    counts only among those of one session. A process that the hub starts leads a session of its
    own, whose share has to be made smaller too: else it had as much as all of the hub. The kernel
    takes that once in a tenth of a second, from whomever.
    """
    with contextlib.suppress(OSError):
        os.nice(niceness)
    if os.getsid(0) != os.getpid():
        return
    with contextlib.suppress(OSError):  # there are no such groups here
        group = os.open(_GROUP, os.O_WRONLY)
        try:
            _set(group, str(niceness).encode())
        finally:
            os.close(group)


def _set(group: int, share: bytes) -> None:
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            os.write(group, share)
            return
        time.sleep(_TRY_AGAIN_S)
